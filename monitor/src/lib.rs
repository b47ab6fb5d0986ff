//! Windows, objectives, verdicts, validity, alerts and OTLP of plimsoll.
//!
//! [`Monitor`] is the decision half: it takes the snapshots of a run, one after another, and says
//! which alerts changed ([`Monitor::observe`]), how the objectives stand ([`Monitor::current`]) and
//! at the end what the run was worth ([`Monitor::finish`]). It is pure: no clock, no task, no I/O.
//! Its memory is bounded by the longest window, not by the run.

pub mod alert;
mod evidence;
pub mod interval;
pub mod objective;
#[cfg(test)]
mod testing;
pub mod validity;
pub mod verdict;
mod window;

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use plimsoll_domain::{Snapshot, Tally};

pub use alert::{Alert, AlertError, AlertEvent, AlertRule, AlertState, Severity};
pub use objective::{Amount, Comparison, Indicator, Latency, Objective, ParseError, Unit};
pub use validity::{Validity, ValidityState};
pub use verdict::{Judgement, Verdict, WindowCounts};

use verdict::WindowRecord;
use window::{Window, Windows, slack};

/// What a run is judged by.
#[derive(Debug, Clone)]
pub struct MonitorConfig {
    /// What must hold.
    pub objectives: Vec<Objective>,
    /// When to raise alerts.
    pub alerts: Vec<AlertRule>,
    /// The confidence of every verdict, such as 0.95.
    pub confidence: f64,
    /// The measured part of the schedule, since the run's first due time: from the end of the
    /// warm-up to the end of the last stage. What is answered later still counts.
    pub measured: Range<Duration>,
}

/// Judges a run from its snapshots.
#[derive(Debug)]
pub struct Monitor {
    objectives: Vec<Track>,
    alerts: Vec<Alert>,
    confidence: f64,
    measured: Range<Duration>,
    windows: Windows,
    totals: Tally,
    warmup: Tally,
    generator: validity::Observed,
}

/// An objective and what its windows have shown.
#[derive(Debug)]
struct Track {
    objective: Objective,
    record: WindowRecord,
    newest: Option<Amount>,
}

/// How an objective stands in the middle of a run.
#[derive(Debug, Clone)]
pub struct Standing<'a> {
    /// The objective.
    pub objective: &'a Objective,
    /// Its value over the run so far, or in the newest window.
    pub value: Option<Amount>,
    /// What the verdict would be if the run ended now.
    pub verdict: Verdict,
}

/// What a run was worth.
#[derive(Debug, Clone)]
pub struct Report {
    /// Every objective's verdict, in the order in which they were given.
    pub judgements: Vec<Judgement>,
    /// The verdict of all objectives together; `None` without objectives.
    pub verdict: Option<Verdict>,
    /// Whether the generator could do what was asked.
    pub validity: Validity,
    /// All measured arrivals.
    pub totals: Tally,
    /// All arrivals of the warm-up.
    pub warmup: Tally,
    /// How long arrivals were measured: what rates are divided by.
    pub measured_time: Duration,
}

impl Monitor {
    /// A monitor that has seen nothing yet.
    ///
    /// # Panics
    /// If the confidence is not between 0 and 1.
    pub fn new(config: MonitorConfig) -> Self {
        let MonitorConfig { objectives, alerts, confidence, measured } = config;
        assert!(confidence > 0.0 && confidence < 1.0, "confidence is between 0 and 1");
        let windows =
            Windows::new(objectives.iter().chain(alerts.iter().map(AlertRule::objective)));
        let track = |objective| Track { objective, record: WindowRecord::default(), newest: None };
        Self {
            objectives: objectives.into_iter().map(track).collect(),
            alerts: alerts.into_iter().map(Alert::new).collect(),
            confidence,
            measured,
            windows,
            totals: Tally::default(),
            warmup: Tally::default(),
            generator: validity::Observed::default(),
        }
    }

    /// Takes the next interval into account; returns the alerts whose state it changed.
    pub fn observe(&mut self, snapshot: &Snapshot) -> Vec<AlertEvent> {
        self.totals.merge(&snapshot.measured);
        self.warmup.merge(&snapshot.warmup);
        self.generator.add(snapshot, self.measured.start);
        self.windows.push(snapshot);
        let windows = self.newest_windows();
        let step = snapshot.end.saturating_sub(snapshot.start);
        for track in &mut self.objectives {
            let objective = &track.objective;
            let Some(window) = judged(objective, &windows, &self.measured) else { continue };
            let planned = planned_windows(&self.measured, window.length(), step);
            track.newest = track.record.add(objective, window, planned, self.confidence);
        }
        let mut events = Vec::new();
        for alert in &mut self.alerts {
            let objective = alert.rule().objective();
            let value = judged(objective, &windows, &self.measured)
                .and_then(|window| objective.value(&window.tally, window.length()));
            events.extend(alert.step(snapshot.end, value));
        }
        events
    }

    /// How the objectives stand.
    pub fn current(&self) -> Vec<Standing<'_>> {
        self.objectives.iter().map(|track| self.standing(track)).collect()
    }

    fn standing<'a>(&self, track: &'a Track) -> Standing<'a> {
        let (objective, span) = (&track.objective, self.measured_time());
        let (totals, confidence) = (&self.totals, self.confidence);
        let value = match objective.window() {
            Some(_) => track.newest,
            None => objective.value(totals, span),
        };
        let verdict = verdict::so_far(objective, totals, span, &track.record, confidence);
        Standing { objective, value, verdict }
    }

    /// The alerts and their states.
    pub fn alerts(&self) -> &[Alert] {
        &self.alerts
    }

    /// The schedule was cut off `at` this time: nothing became due later.
    pub fn cut_off(&mut self, at: Duration) {
        self.measured.end = self.measured.end.min(at).max(self.measured.start);
    }

    /// Judges the run.
    pub fn finish(self) -> Report {
        let measured_time = self.measured_time();
        let judge = |track: &Track| {
            let Track { objective, record, .. } = track;
            verdict::judge(objective, &self.totals, measured_time, record, self.confidence)
        };
        let judgements: Vec<Judgement> = self.objectives.iter().map(judge).collect();
        let length = self.measured.end.saturating_sub(self.measured.start);
        Report {
            verdict: Verdict::overall(judgements.iter().map(|judgement| judgement.verdict)),
            judgements,
            validity: self.generator.judge(&self.totals, self.measured.end, length),
            totals: self.totals,
            warmup: self.warmup,
            measured_time,
        }
    }

    /// All measured arrivals so far.
    pub fn totals(&self) -> &Tally {
        &self.totals
    }

    /// How much of the measured time has passed.
    pub fn measured_time(&self) -> Duration {
        self.measured.end.min(self.generator.end()).saturating_sub(self.measured.start)
    }

    /// The newest whole window of every length that is asked for, inside the measured time.
    fn newest_windows(&self) -> BTreeMap<Duration, Window> {
        let objectives = self.objectives.iter().map(|track| &track.objective);
        let alerts = self.alerts.iter().map(|alert| alert.rule().objective());
        let mut windows = BTreeMap::new();
        for length in objectives.chain(alerts).filter_map(Objective::window) {
            if windows.contains_key(&length) {
                continue;
            }
            if let Some(window) = self.windows.newest(length) {
                windows.insert(length, window);
            }
        }
        windows
    }
}

/// The window in which `objective` is to be judged now, if there is one.
///
/// Only whole windows inside the measured time count. Goodput per second is first judged once
/// answers can have come: answers lag behind arrivals by up to the objective's own limit.
fn judged<'a>(
    objective: &Objective,
    windows: &'a BTreeMap<Duration, Window>,
    measured: &Range<Duration>,
) -> Option<&'a Window> {
    let window = windows.get(&objective.window()?)?;
    let lag = match objective.indicator() {
        Indicator::Goodput { within, per_second: true } => within,
        _ => Duration::ZERO,
    };
    let slack = slack(window.start, window.end).min(Duration::from_millis(100));
    let inside = window.start + slack >= measured.start + lag && window.end <= measured.end + slack;
    inside.then_some(window)
}

/// How many windows of that length a run has if they move by `step`.
fn planned_windows(measured: &Range<Duration>, length: Duration, step: Duration) -> u64 {
    let room = measured.end.saturating_sub(measured.start).saturating_sub(length);
    let steps = room.as_secs_f64() / step.as_secs_f64().max(0.001);
    steps.round() as u64 + 1
}
