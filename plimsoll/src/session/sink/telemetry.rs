//! The session's end of the OTLP export; nothing at all without a receiver.

use plimsoll_monitor::otlp::{
    Autoscale, Config, Delivery, Error, Exporter, FINISH, Gauges, Instances, Run,
};

use super::{Failure, Interval, Output, Sink};
use crate::results::summary::Otlp;
use crate::session::autoscale::Teller;

/// The export of one run.
pub(in crate::session) enum Telemetry {
    /// There is no receiver, or none any more.
    Off,
    /// The load has not begun. The run's `started` is not known yet.
    Waiting(Box<(Config, Run)>),
    /// It has.
    Exporting {
        /// Takes what is exported.
        exporter: Exporter,
        /// Where to, for people.
        receiver: String,
    },
}

/// Where to export to: the flag, the scenario, or the standard environment variables.
pub(in crate::session) fn config(url: Option<&str>) -> Result<Option<Config>, Error> {
    Config::resolve(url, &|name| std::env::var(name).ok())
}

/// What of the export that is asked for is switched off, in words.
pub(in crate::session) fn switched_off(url: Option<&str>) -> Option<String> {
    Config::switched_off(url, &|name| std::env::var(name).ok())
}

impl Telemetry {
    /// Exports `run` once the load begins, if there is a receiver.
    pub(in crate::session) fn new(config: Option<Config>, run: Run) -> Self {
        config.map_or(Self::Off, |config| Self::Waiting(Box::new((config, run))))
    }

    /// Whether anything is exported.
    pub(in crate::session) fn is_exporting(&self) -> bool {
        matches!(self, Self::Exporting { .. })
    }

    /// Exports what is left and says what arrived; bounded in time.
    pub(in crate::session) fn finish(self) -> Option<Otlp> {
        let Self::Exporting { exporter, receiver } = self else { return None };
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

impl Sink for Telemetry {
    fn take(&mut self, output: &Output<'_>) -> Result<(), Failure> {
        match (&*self, output) {
            (Self::Waiting(waiting), Output::Begun { first_due }) => {
                let (config, run) = &**waiting;
                let run = Run { started: *first_due, ..run.clone() };
                let exporter = Exporter::start(config, run).map_err(Failure::Telemetry)?;
                *self = Self::Exporting { exporter, receiver: config.to_string() };
            }
            (Self::Exporting { exporter, .. }, Output::Interval(interval)) => {
                exporter.interval(interval.snapshot);
                exporter.gauges(gauges(interval));
            }
            (Self::Exporting { exporter, .. }, Output::Alert(alert)) => {
                exporter.alert(alert.clone());
            }
            _ => {}
        }
        Ok(())
    }
}

/// What holds at the end of an interval.
fn gauges(interval: &Interval<'_>) -> Gauges {
    let monitor = interval.monitor;
    let on_rules = interval.scaling.into_iter().flat_map(Teller::alerts);
    let alerts = monitor.alerts().chain(on_rules);
    let mut gauges = Gauges::new(interval.snapshot.end, &monitor.current(), alerts);
    gauges.target_rate = Some(interval.info.target_rps);
    gauges.validity = monitor.validity();
    let instances = interval.instances.iter().map(|of| Instances {
        deployment: of.deployment.clone(),
        ready: of.ready.into(),
        wanted: of.wanted.into(),
        starting: of.starting.into(),
    });
    gauges.instances = instances.collect();
    let standing = interval.scaling.map(|teller| (&teller.standing, teller.indicators()));
    let autoscale = standing.map(|(of, indicators)| Autoscale {
        deployment: of.deployment.clone(),
        wanted: of.wanted.into(),
        unguarded: of.unguarded.into(),
        provisioned: of.provisioned.into(),
        evaluations: of.evaluations,
        changes: of.changes,
        refused: of.refused,
        held: of.held.map(|held| held.words().to_owned()),
        indicators,
    });
    gauges.autoscale = autoscale.into_iter().collect();
    gauges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Session;
    use crate::session::tests::scaling;
    use crate::session::tests::script::{calm, counted, scenario};

    #[test]
    fn instances_leave_by_deployment() {
        let mut session = Session::new(&scenario());
        session.handle(counted(0, &[("blue", 2, 1), ("green", 1, 0)]));
        let outputs = session.handle(calm(2));
        let interval = outputs.iter().find_map(|output| match output {
            Output::Interval(interval) => Some(interval),
            _ => None,
        });
        let gauges = gauges(interval.expect("an interval was told"));
        let counts = |of: &Instances| (of.deployment.clone(), of.ready, of.wanted, of.starting);
        let counted: Vec<_> = gauges.instances.iter().map(counts).collect();
        assert_eq!(counted, [("blue".to_owned(), 2, 3, 1), ("green".to_owned(), 1, 1, 0)]);
        assert_eq!(gauges.target_rate, Some(100.0));
    }

    #[test]
    fn indicators_of_rules_leave_with_what_they_scale() {
        let scenario = scaling::scenario();
        let mut session = Session::new(&scenario);
        let mut newest = None;
        for event in scaling::scaled(&scenario, 40, 40) {
            for output in session.handle(event) {
                if let Output::Interval(interval) = output {
                    newest = Some(gauges(&interval));
                }
            }
        }
        let autoscale = &newest.expect("intervals were told").autoscale;
        assert_eq!((autoscale[0].deployment.as_str(), autoscale[0].wanted), ("blue", 6));
        let of = |name: &str| {
            let known = autoscale[0].indicators.iter().find(|(known, _)| *known == name);
            known.map(|(_, amount)| amount.short())
        };
        assert_eq!(of("largest step"), Some("2".to_owned()));
        assert_eq!(of("refused share"), Some("0%".to_owned()));
        assert!(of("time to first extra ready instance").is_some());
    }
}
