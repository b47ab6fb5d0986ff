//! The monitor: takes the snapshots of a run, one after another, and says which alerts changed, how
//! the objectives stand, and at the end what the run was worth.
//!
//! Its memory is bounded by the longest window, not by the run.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use plimsoll_domain::{Snapshot, Tally};

use crate::alert::{Alert, AlertEvent, AlertRule};
use crate::objective::{Amount, Indicator, Objective};
use crate::validity::{self, Validity, ValidityState};
use crate::verdict::{self, Judgement, Verdict, WindowRecord};
use crate::window::{Window, Windows, slack};

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
        let tolerated = self.tolerated_lag();
        Report {
            verdict: Verdict::overall(judgements.iter().map(|judgement| judgement.verdict)),
            judgements,
            validity: self.generator.judge(&self.totals, self.measured.end, length, tolerated),
            totals: self.totals,
            warmup: self.warmup,
            measured_time,
        }
    }

    /// Whether the generator could do what was asked so far; `None` before the first measured
    /// arrival.
    pub fn validity(&self) -> Option<ValidityState> {
        self.generator.so_far(&self.totals, self.tolerated_lag())
    }

    fn tolerated_lag(&self) -> Duration {
        validity::tolerated_lag(self.objectives.iter().map(|track| &track.objective))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{AlertState, Severity};
    use crate::testing::{answered, both, ended, second};
    use plimsoll_domain::Outcome;
    use rand::RngExt;
    use rand_pcg::Pcg64;

    fn seconds(range: Range<u64>) -> Range<Duration> {
        Duration::from_secs(range.start)..Duration::from_secs(range.end)
    }

    fn monitor(objectives: &[&str], measured: Range<u64>) -> Monitor {
        let objectives = objectives.iter().map(|text| text.parse().unwrap()).collect();
        let measured = seconds(measured);
        Monitor::new(MonitorConfig { objectives, alerts: Vec::new(), confidence: 0.95, measured })
    }

    fn fast(count: u64) -> Tally {
        answered(count, Duration::from_millis(10))
    }

    fn slow(count: u64) -> Tally {
        answered(count, Duration::from_millis(500))
    }

    /// Feeds a monitor one tally a second and judges the run.
    fn run(mut monitor: Monitor, tallies: impl IntoIterator<Item = Tally>) -> Report {
        for (index, tally) in tallies.into_iter().enumerate() {
            monitor.observe(&second(index as u64, tally));
        }
        monitor.finish()
    }

    fn verdicts(report: &Report) -> Vec<Verdict> {
        report.judgements.iter().map(|judgement| judgement.verdict).collect()
    }

    #[test]
    fn a_bad_second_breaches_a_window_and_not_the_run() {
        let objectives = ["p99 < 200ms in every 2s", "p99 < 200ms"];
        let bad = both(fast(950), &slow(50));
        let seconds = (0..20).map(|at| if at == 7 { bad.clone() } else { fast(1000) });
        let report = run(monitor(&objectives, 0..20), seconds);
        assert_eq!(verdicts(&report), [Verdict::Breached, Verdict::Met]);
        assert_eq!(report.verdict, Some(Verdict::Breached));
        let windows = report.judgements[0].windows.unwrap();
        assert_eq!((windows.total, windows.wrong, windows.breached), (19, 2, 2));
        assert_eq!(windows.worst_at, Some(Duration::from_secs(8)));
        assert_eq!(report.judgements[0].samples, 2_000);
        assert!(report.judgements[0].value.unwrap().number > 499.0);
    }

    #[test]
    fn a_window_wrong_by_chance_is_inconclusive() {
        let unlucky = both(fast(98), &slow(2));
        let seconds = (0..20).map(|at| if at == 7 { unlucky.clone() } else { fast(100) });
        let report = run(monitor(&["p99 < 200ms in every 1s"], 0..20), seconds);
        assert_eq!(verdicts(&report), [Verdict::Inconclusive]);
        let judgement = &report.judgements[0];
        assert_eq!(judgement.windows.unwrap().wrong, 1);
        assert_eq!(judgement.samples_needed, None, "no samples undo a wrong window");
    }

    #[test]
    fn warm_up_is_never_judged() {
        let mut monitor = monitor(&["p99 < 200ms in every 2s", "error rate < 1%"], 5..10);
        for index in 0..10 {
            let mut snapshot = second(index, Tally::default());
            if index < 5 {
                snapshot.warmup = ended(500, Outcome::Timeout, Duration::from_secs(1));
            } else {
                snapshot.measured = fast(500);
            }
            monitor.observe(&snapshot);
        }
        let report = monitor.finish();
        assert_eq!(verdicts(&report), [Verdict::Met, Verdict::Met]);
        assert_eq!(report.judgements[0].windows.unwrap().total, 4);
        assert_eq!((report.totals.offered, report.warmup.offered), (2_500, 2_500));
        assert_eq!(report.measured_time, Duration::from_secs(5));
    }

    #[test]
    fn what_ends_after_the_measured_time_counts_in_the_run() {
        let mut tail = slow(200);
        tail.offered = 0;
        let report = run(
            monitor(&["p99 < 200ms", "p99 < 200ms in every 1s"], 0..5),
            (0..7).map(|at| if at < 5 { fast(1000) } else { tail.clone() }),
        );
        assert_eq!(verdicts(&report), [Verdict::Breached, Verdict::Inconclusive]);
        assert_eq!(report.judgements[1].windows.unwrap().total, 5);
        assert_eq!(report.measured_time, Duration::from_secs(5));
    }

    #[test]
    fn without_samples_nothing_is_met_and_without_objectives_nothing_judged() {
        let objectives = ["p99 < 200ms", "error rate < 1% in every 2s", "goodput > 5/s within 1s"];
        let report = run(monitor(&objectives, 0..5), (0..5).map(|_| Tally::default()));
        assert_eq!(verdicts(&report), [Verdict::Inconclusive; 3]);
        assert_eq!(report.validity.state, crate::ValidityState::Invalid);
        let report = run(monitor(&[], 0..5), (0..5).map(|_| fast(10)));
        assert_eq!(report.verdict, None);
    }

    #[test]
    fn a_window_longer_than_the_run_is_never_met() {
        let report = run(monitor(&["p99 < 1s in every 10s"], 0..5), (0..5).map(|_| fast(1000)));
        assert_eq!(verdicts(&report), [Verdict::Inconclusive]);
        assert_eq!(report.judgements[0].samples_needed, None);
    }

    #[test]
    fn goodput_per_second_sees_a_stall_but_not_the_first_answers_delay() {
        let objective = ["goodput >= 90/s within 300ms in every 1s"];
        let seconds = |stalled: u64| {
            (0..10).map(move |at| {
                // The first second lacks what is still in flight at its end.
                let mut tally = if at == stalled { Tally::default() } else { fast(100) };
                if at == 0 {
                    tally = fast(70);
                }
                tally.offered = 100;
                tally
            })
        };
        let report = run(monitor(&objective, 0..10), seconds(99));
        assert_eq!(report.judgements[0].windows.unwrap().wrong, 0);
        let report = run(monitor(&objective, 0..10), seconds(4));
        assert_eq!(verdicts(&report), [Verdict::Breached]);
        assert_eq!(report.judgements[0].value, Some(Amount::per_second(0.0)));
    }

    #[test]
    fn many_windows_do_not_make_a_chance_breach_likely() {
        // A service exactly at its bound in each of 30 windows: with 5 % of allowed error, a breach
        // in no more than 5 % of runs; without the correction it would be in about half.
        let mut random = Pcg64::new(3, 3);
        let breached = (0..200)
            .filter(|_| {
                let mut monitor = monitor(&["error rate < 5% in every 1s"], 0..30);
                for index in 0..30 {
                    let bad = (0..200).filter(|_| random.random::<f64>() < 0.05).count() as u64;
                    let mut tally = Tally { offered: 200, sent: 200, ..Tally::default() };
                    tally.outcomes.status.insert(200, 200 - bad);
                    tally.outcomes.status.insert(500, bad);
                    monitor.observe(&second(index, tally));
                }
                verdicts(&monitor.finish()) == [Verdict::Breached]
            })
            .count();
        assert!(breached <= 10, "{breached} of 200");
    }

    #[test]
    fn alerts_and_standings_follow_the_newest_window() {
        let objective: Objective = "p99 < 200ms in every 1s".parse().unwrap();
        let zero = Duration::ZERO;
        let rule =
            AlertRule::try_new("slow", objective.clone(), zero, zero, Severity::Warning).unwrap();
        let mut monitor = Monitor::new(MonitorConfig {
            objectives: vec![objective, "p99 < 200ms".parse().unwrap()],
            alerts: vec![rule],
            confidence: 0.95,
            measured: seconds(1..5),
        });
        let mut states = Vec::new();
        for (index, tally) in [slow(500), fast(500), slow(500), fast(500)].into_iter().enumerate() {
            let events = monitor.observe(&second(index as u64, tally));
            states.extend(events.into_iter().map(|event| (event.at.as_secs(), event.to)));
        }
        assert_eq!(states, [(3, AlertState::Firing), (4, AlertState::Resolved)]);
        let standing = monitor.current();
        assert!(standing[0].value.unwrap().number < 11.0, "the newest window");
        assert!(standing[1].value.unwrap().number > 499.0, "the run so far");
        assert_eq!(standing[0].verdict, Verdict::Breached, "a breach stays one");
    }

    #[test]
    fn a_cut_off_run_is_judged_by_what_there_was() {
        let mut monitor = monitor(&["goodput >= 90/s within 1s"], 0..60);
        (0..6).for_each(|index| drop(monitor.observe(&second(index, fast(100)))));
        monitor.cut_off(Duration::from_secs(6));
        let report = monitor.finish();
        assert_eq!(report.measured_time, Duration::from_secs(6));
        assert_eq!(verdicts(&report), [Verdict::Met]);
        assert_eq!(report.validity.state, crate::ValidityState::Valid);
    }
}
