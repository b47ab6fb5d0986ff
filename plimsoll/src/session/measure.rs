//! The load while it runs: every source becomes an event, and each event is handled by a plain
//! function.

use std::time::Duration;

use plimsoll_domain::{Snapshot, clock};
use plimsoll_loadgen::{LoadPlan, Running};
use plimsoll_monitor::{AlertEvent, Monitor, MonitorConfig, Report};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::conclude::{self, Cut};
use super::interrupt::Interrupt;
use super::site::Site;
use super::telemetry::Telemetry;
use crate::results::summary::{GeneratorTotals, Summary};
use crate::results::{Event, EventKind, IntervalInfo, Phase, Results};
use crate::scenario::Scenario;
use crate::view::{Live, View};

/// Snapshots that may wait for the session; the generator merges further ones.
const SNAPSHOT_QUEUE: usize = 16;
/// The confidence of every verdict.
const CONFIDENCE: f64 = 0.95;

/// What came of the load.
pub(super) struct Measured {
    pub(super) report: Report,
    pub(super) generator: GeneratorTotals,
    pub(super) cut: Cut,
}

/// What the load is measured with.
pub(super) struct Session<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) results: &'a mut Results,
    pub(super) telemetry: &'a Telemetry,
    pub(super) view: &'a mut View,
    pub(super) summary: &'a mut Summary,
    monitor: Monitor,
    live: Live,
    generator: GeneratorTotals,
    stage: Option<String>,
    instances: Option<(u32, u32)>,
    cut: Cut,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        scenario: &'a Scenario,
        results: &'a mut Results,
        telemetry: &'a Telemetry,
        view: &'a mut View,
        summary: &'a mut Summary,
    ) -> Self {
        let profile = &scenario.load.profile;
        let monitor = Monitor::new(MonitorConfig {
            objectives: scenario.objectives.clone(),
            alerts: scenario.alerts.clone(),
            confidence: CONFIDENCE,
            measured: measured_part(scenario),
        });
        let live =
            Live { scenario: scenario.name.clone(), total: profile.duration(), ..Live::default() };
        let generator = GeneratorTotals::default();
        let (stage, instances, cut) = (None, None, Cut::None);
        Self {
            scenario,
            results,
            telemetry,
            view,
            summary,
            monitor,
            live,
            generator,
            stage,
            instances,
            cut,
        }
    }

    /// Runs the load to its end.
    pub(super) async fn run(
        mut self,
        plan: LoadPlan,
        site: &mut Site,
        interrupt: &Interrupt,
    ) -> Result<Measured, plimsoll_loadgen::Error> {
        let (sender, mut snapshots) = mpsc::channel(SNAPSHOT_QUEUE);
        let stop = CancellationToken::new();
        let running = plan.start(sender, stop.clone()).await?;
        let mut aborted = false;
        loop {
            let stopping = stop.is_cancelled();
            tokio::select! {
                snapshot = snapshots.recv() => match snapshot {
                    Some(snapshot) => self.interval(&snapshot, site.instances()),
                    None => break,
                },
                why = site.lost(), if !stopping => {
                    self.lost(why, clock::now().since(running.t0()));
                    stop.cancel();
                    running.abort();
                }
                () = interrupt.stop.cancelled(), if !stopping => {
                    self.interrupted(clock::now().since(running.t0()));
                    stop.cancel();
                }
                () = interrupt.abort.cancelled(), if !aborted => {
                    aborted = true;
                    running.abort();
                }
            }
        }
        self.finish(running).await
    }

    fn interval(&mut self, snapshot: &Snapshot, instances: Option<(u32, u32)>) {
        let profile = &self.scenario.load.profile;
        let middle = snapshot.start + (snapshot.end.saturating_sub(snapshot.start)) / 2;
        let stage = profile.stage_at(middle).map(|stage| stage.name.clone());
        let phase = match &stage {
            None => Phase::Drain,
            Some(_) if profile.is_warmup(middle) => Phase::Warmup,
            Some(_) => Phase::Measured,
        };
        let name = stage.unwrap_or_else(|| "drain".to_owned());
        self.enter(&name, snapshot.start);
        self.count_instances(snapshot.end, instances);
        self.generator.observe(&snapshot.generator);
        let seconds = snapshot.end.saturating_sub(snapshot.start).as_secs_f64().max(1e-9);
        let due = profile.offered_by(snapshot.end) - profile.offered_by(snapshot.start);
        let info = IntervalInfo {
            phase,
            stage: name.clone(),
            target_rps: due / seconds,
            instances: instances.map(|(ready, _)| ready),
        };
        self.results.interval(snapshot, &info);
        let alerts = self.monitor.observe(snapshot);
        self.telemetry.interval(snapshot, &info, &self.monitor);
        for alert in &alerts {
            self.alert(alert);
        }
        self.live.instances = instances;
        self.live.update(snapshot, &name);
        self.view.live(&self.live);
        self.write_summary();
    }

    fn write_summary(&mut self) {
        self.summary.generator = self.generator.clone();
        let (totals, time) = (self.monitor.totals(), self.monitor.measured_time());
        self.summary.measure(totals, conclude::good(totals, &self.scenario.objectives), time);
        self.results.summary(self.summary);
    }

    fn enter(&mut self, stage: &str, at: Duration) {
        if self.stage.as_deref() != Some(stage) {
            self.results
                .event(&Event::new(at.as_secs_f64(), EventKind::Phase, stage).with("stage", stage));
            self.stage = Some(stage.to_owned());
        }
    }

    fn count_instances(&mut self, at: Duration, now: Option<(u32, u32)>) {
        if let (Some((before, _)), Some((ready, wanted))) = (self.instances, now)
            && before != ready
        {
            let message = format!("{before} → {ready} of {wanted} instances ready");
            self.results.event(&Event::new(at.as_secs_f64(), EventKind::Scale, message.clone()));
            self.view.line(message);
        }
        self.instances = now.or(self.instances);
    }

    fn alert(&mut self, alert: &AlertEvent) {
        let message = format!(
            "alert {}: {} → {} (`{}` is at {})",
            alert.rule,
            alert.from.name(),
            alert.to.name(),
            alert.objective,
            alert.value.short()
        );
        let event = Event::new(alert.at.as_secs_f64(), EventKind::Alert, message.clone())
            .with("rule", alert.rule.as_str())
            .with("state", alert.to.name())
            .with("severity", alert.severity.name())
            .with("fingerprint", alert.fingerprint.as_str());
        self.results.event(&event);
        self.telemetry.alert(alert);
        self.view.line(message);
    }

    fn interrupted(&mut self, at: Duration) {
        self.cut = Cut::Interrupted;
        let message = "interrupted: waiting for what is in flight; press Ctrl-C again to skip that";
        self.cut_off(message, at);
    }

    fn lost(&mut self, why: String, at: Duration) {
        self.cut_off(&format!("the local host is gone: {why}"), at);
        self.cut = Cut::Lost(why);
    }

    fn cut_off(&mut self, message: &str, at: Duration) {
        self.monitor.cut_off(at);
        self.results.event(&Event::new(at.as_secs_f64(), EventKind::Warning, message));
        self.view.line(message);
    }

    async fn finish(self, running: Running) -> Result<Measured, plimsoll_loadgen::Error> {
        running.finished().await?;
        self.view.clear();
        let mut generator = self.generator;
        let report = self.monitor.finish();
        generator.set_release_lag(&report.totals.release_lag);
        Ok(Measured { report, generator, cut: self.cut })
    }
}

/// From the end of the warm-up to the end of the load.
fn measured_part(scenario: &Scenario) -> std::ops::Range<Duration> {
    let profile = &scenario.load.profile;
    let warmup = profile.stages.iter().take_while(|stage| stage.warmup);
    let start = warmup.map(|stage| stage.duration).sum();
    start..profile.duration()
}
