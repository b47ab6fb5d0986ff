//! The session's end of the OTLP export; nothing at all without a receiver.

use plimsoll_domain::Snapshot;
use plimsoll_monitor::otlp::{Config, Delivery, Error, Exporter, FINISH, Gauges, Run};
use plimsoll_monitor::{AlertEvent, Monitor};

use crate::results::IntervalInfo;
use crate::results::summary::Otlp;

/// The export of one run, if there is a receiver.
pub(super) struct Telemetry(Option<Export>);

struct Export {
    exporter: Exporter,
    receiver: String,
    deployments: String,
}

/// Where to export to: the flag, the scenario, or the standard environment variables.
pub(super) fn config(url: Option<&str>) -> Result<Option<Config>, Error> {
    Config::resolve(url, &|name| std::env::var(name).ok())
}

impl Telemetry {
    /// Starts to export, if there is a receiver.
    pub(super) fn start(
        config: Option<&Config>,
        run: Run,
        deployments: String,
    ) -> Result<Self, Error> {
        let Some(config) = config else { return Ok(Self(None)) };
        let receiver = config.to_string();
        let exporter = Exporter::start(config, run)?;
        Ok(Self(Some(Export { exporter, receiver, deployments })))
    }

    /// Hands over one interval.
    pub(super) fn interval(&self, snapshot: &Snapshot, info: &IntervalInfo, monitor: &Monitor) {
        let Some(export) = &self.0 else { return };
        export.exporter.interval(snapshot);
        let mut gauges = Gauges::new(snapshot.end, &monitor.current(), monitor.alerts());
        gauges.target_rate = Some(info.target_rps);
        gauges.validity = monitor.validity();
        gauges.instances = info
            .instances
            .map(|ready| (export.deployments.clone(), u64::from(ready)))
            .into_iter()
            .collect();
        export.exporter.gauges(gauges);
    }

    /// Hands over an alert.
    pub(super) fn alert(&self, alert: &AlertEvent) {
        if let Some(export) = &self.0 {
            export.exporter.alert(alert.clone());
        }
    }

    /// Exports what is left and says what arrived; bounded in time.
    pub(super) fn finish(self) -> Option<Otlp> {
        let Export { exporter, receiver, .. } = self.0?;
        let delivery: Delivery = exporter.finish(FINISH);
        Some(Otlp {
            receiver,
            complete: delivery.complete,
            points_sent: delivery.points_sent,
            points_lost: delivery.points_lost,
            logs_sent: delivery.logs_sent,
            logs_lost: delivery.logs_lost,
            rejected: delivery.rejected,
            errors: delivery.errors,
        })
    }
}
