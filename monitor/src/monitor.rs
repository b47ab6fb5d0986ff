//! The monitor: takes the snapshots of a run, one after another, and says which alerts changed, how
//! the objectives stand, and at the end what the run was worth.
//!
//! Its memory is bounded by the longest window and the number of keys, not by the run.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use plimsoll_domain::schedule::Profile;
use plimsoll_domain::{Lags, Limit, Limits, Snapshot, Tally};

use crate::alert::{Alert, AlertEvent, AlertRule};
use crate::counts::Counts;
use crate::group::{Groups, Selected};
use crate::objective::{Amount, Objective};
use crate::track::{Looking, Track, cut, is_judged};
use crate::validity::{self, Planned, Validity, ValidityState};
use crate::verdict::{Judgement, Verdict};
use crate::window::{Window, Windows};

/// The confidence of verdicts, unless something else is asked for.
///
/// Requests that wait in one queue are slow together, and how much is itself an estimate: at 0.95
/// up to 7 % of runs at the limit would pass as met, at 0.99 up to 3 %.
pub const DEFAULT_CONFIDENCE: f64 = 0.99;

/// What a run is judged by.
#[derive(Debug, Clone)]
pub struct MonitorConfig {
    /// What must hold.
    pub objectives: Vec<Objective>,
    /// When to raise alerts.
    pub alerts: Vec<AlertRule>,
    /// The confidence of every verdict over the run, such as [`DEFAULT_CONFIDENCE`].
    pub confidence: f64,
    /// What the schedule asks, and when. Its warm-up is not judged; what is answered after its end
    /// still counts.
    pub profile: Profile,
}

/// Judges a run from its snapshots.
#[derive(Debug)]
pub struct Monitor {
    tracks: Vec<Track>,
    alerts: Vec<Watch>,
    groups: Groups,
    limits: Limits,
    measured: Range<Duration>,
    windows: Windows,
    /// By group; the first is everything measured.
    totals: Vec<Selected>,
    whole: Snapshot,
    generator: validity::Observed,
}

/// An alert, and what it looks at.
#[derive(Debug)]
struct Watch {
    alert: Alert,
    objective: Objective,
    group: usize,
    measured: Range<Duration>,
}

/// How an objective stands in the middle of a run.
#[derive(Debug, Clone)]
pub struct Standing<'a> {
    /// The objective.
    pub objective: &'a Objective,
    /// Its value over the run so far, or in the newest window.
    pub value: Option<Amount>,
    /// Over the run, the verdict of the newest look; in windows, that of those so far.
    pub verdict: Verdict,
    /// Over the run: how many seconds of measured time there will be at the next look.
    pub next_look_s: Option<u64>,
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
    /// How late the measured arrivals were sent.
    pub lags: Lags,
    /// The whole run as one interval: by key, with the names.
    pub whole: Snapshot,
    /// How long arrivals were measured: what rates are divided by.
    pub measured_time: Duration,
}

/// The limits that must be counted exactly for these objectives and alerts, and from when on a
/// right answer is late: after the strictest limit that an objective about everything measured sets
/// on response time.
pub fn limits<'a>(
    objectives: impl IntoIterator<Item = &'a Objective>,
    alerts: impl IntoIterator<Item = &'a AlertRule>,
) -> Limits {
    let objectives: Vec<_> = objectives.into_iter().collect();
    let late_after = objectives
        .iter()
        .filter(|objective| objective.selectors().is_empty())
        .filter_map(|objective| objective.response_limit())
        .min();
    let alerts = alerts.into_iter().map(AlertRule::objective);
    let all: Vec<Limit> =
        objectives.iter().copied().chain(alerts).filter_map(Objective::limit).collect();
    Limits::new(all, late_after)
}

impl Monitor {
    /// A monitor that has seen nothing yet. The snapshots must come from recorders that count
    /// [`limits`] of the same objectives and alerts.
    ///
    /// # Panics
    /// If the confidence is not between 0 and 1.
    pub fn new(config: MonitorConfig) -> Self {
        let MonitorConfig { objectives, alerts, confidence, profile } = config;
        assert!(confidence > 0.0 && confidence < 1.0, "confidence is between 0 and 1");
        let limits = limits(&objectives, &alerts);
        let all = || objectives.iter().chain(alerts.iter().map(AlertRule::objective));
        let (windows, groups) = (Windows::new(all()), Groups::new(all()));
        let track = |objective: &Objective| {
            let measured = objective.measured(&profile);
            Track::new(objective.clone(), groups.of(objective), measured, confidence)
        };
        let tracks = objectives.iter().map(track).collect();
        let watch = |rule: &AlertRule| {
            let objective = rule.objective().clone();
            let (group, measured) = (groups.of(&objective), objective.measured(&profile));
            Watch { alert: Alert::new(rule.terms().clone()), objective, group, measured }
        };
        let alerts = alerts.iter().map(watch).collect();
        let totals = vec![Selected::default(); groups.len()];
        Self {
            tracks,
            alerts,
            groups,
            limits,
            measured: profile.measured(),
            windows,
            totals,
            whole: Snapshot::default(),
            generator: validity::Observed::default(),
        }
    }

    /// The same for a run that ends once it is decided: the verdict of a look is final, and all
    /// looks together have the confidence.
    #[must_use]
    pub fn until_decided(mut self) -> Self {
        self.tracks.iter_mut().for_each(|track| track.set_looking(Looking::UntilDecided));
        self
    }

    /// The same for a run at which only [`look`](Self::look) looks.
    #[must_use]
    pub fn looking_when_asked(mut self) -> Self {
        self.tracks.iter_mut().for_each(|track| track.set_looking(Looking::WhenAsked));
        self
    }

    /// Whether the looks so far decide the run: an objective is breached, or all that are judged
    /// over the run are met.
    pub fn is_decided(&self) -> bool {
        let is_breached = |track: &Track| track.standing() == Verdict::Breached;
        let over_the_run = self.tracks.iter().filter(|track| track.objective.window().is_none());
        let over_the_run = Verdict::overall(over_the_run.map(Track::standing));
        over_the_run == Some(Verdict::Met) || self.tracks.iter().any(is_breached)
    }

    /// How many whole intervals the objectives over the run have seen: what a look is taken at.
    pub fn looked_at(&self) -> u64 {
        let over_the_run = self.tracks.iter().filter(|track| track.objective.window().is_none());
        over_the_run.map(Track::intervals).min().unwrap_or_default()
    }

    /// Takes a look at the objectives over the run, at this confidence. What it decides of an
    /// objective is final, also for [`finish`](Self::finish), which judges what no look has decided
    /// at the newest look's confidence.
    ///
    /// # Panics
    /// If the confidence is not between 0 and 1.
    pub fn look(&mut self, confidence: f64) -> Vec<Judgement> {
        assert!(confidence > 0.0 && confidence < 1.0, "confidence is between 0 and 1");
        let (totals, end, limits) = (&self.totals, self.generator.end(), &self.limits);
        let over_the_run =
            self.tracks.iter_mut().filter(|track| track.objective.window().is_none());
        over_the_run
            .map(|track| track.look(&totals[track.group], end, limits, confidence))
            .collect()
    }

    /// Takes the next interval into account; returns the alerts whose state it changed.
    pub fn observe(&mut self, snapshot: &Snapshot) -> Vec<AlertEvent> {
        self.whole.append(snapshot);
        self.generator.add(snapshot, self.measured.start);
        let selected = self.groups.select(snapshot);
        self.totals.iter_mut().zip(&selected).for_each(|(total, newest)| total.append(newest));
        self.windows.push(snapshot.start, snapshot.end, &selected);
        if snapshot.end <= self.measured.start {
            return Vec::new();
        }
        let windows = self.newest_windows();
        for track in &mut self.tracks {
            track.observe(snapshot, &selected[track.group], &self.limits);
            if let Some(length) = track.objective.window() {
                let window = windows.get(&(length, track.group));
                track.window(window, &self.limits);
            }
        }
        self.step_alerts(snapshot.end, &windows)
    }

    fn step_alerts(
        &mut self,
        now: Duration,
        windows: &BTreeMap<(Duration, usize), Window>,
    ) -> Vec<AlertEvent> {
        let mut events = Vec::new();
        for Watch { alert, objective, group, measured } in &mut self.alerts {
            let length = objective.window().expect("an alert has a window");
            let window = windows.get(&(length, *group));
            let Some(window) = window.filter(|w| is_judged(objective, w, measured)) else {
                continue;
            };
            let counts = Counts::of(objective, &self.limits, &window.selected, true);
            let span = window.length();
            let Some(value) = counts.value(objective, &window.selected, span) else { continue };
            let holds = counts.holds(objective, span);
            // What may be the generator's own fault is no reason to wake anybody.
            if holds || !counts.forgiven().holds(objective, span) {
                events.extend(alert.step(now, value, holds));
            }
        }
        events
    }

    /// The run is over, and the alerts with it: those that were pending or firing.
    pub fn end_alerts(&mut self) -> Vec<AlertEvent> {
        let end = self.generator.end();
        self.alerts.iter_mut().filter_map(|watch| watch.alert.end(end)).collect()
    }

    /// How the objectives stand.
    pub fn current(&self) -> Vec<Standing<'_>> {
        let end = self.generator.end();
        let tracks = self.tracks.iter();
        tracks
            .map(|track| Standing {
                objective: &track.objective,
                value: track.value(&self.totals[track.group], end, &self.limits),
                verdict: track.standing(),
                next_look_s: track.next_look(),
            })
            .collect()
    }

    /// The alerts and their states.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.iter().map(|watch| &watch.alert)
    }

    /// The schedule was cut off `at` this time: nothing became due later.
    pub fn cut_off(&mut self, at: Duration) {
        self.measured = cut(&self.measured, at);
        self.tracks.iter_mut().for_each(|track| track.cut_off(at));
        self.alerts.iter_mut().for_each(|watch| watch.measured = cut(&watch.measured, at));
    }

    /// Judges the run.
    pub fn finish(self) -> Report {
        let measured_time = self.measured_time();
        let tolerated = self.tolerated_lag();
        let planned = Planned {
            until: self.measured.end,
            length: self.measured.end.saturating_sub(self.measured.start),
            tolerated,
        };
        let Self { tracks, limits, totals, mut whole, generator, .. } = self;
        let judge = |track: Track| {
            let total = &totals[track.group];
            track.judge(total, generator.end(), &limits)
        };
        let judgements: Vec<Judgement> = tracks.into_iter().map(judge).collect();
        whole.tallies.values_mut().for_each(Tally::forget_overdue);
        let Selected { mut tally, lags } = totals.into_iter().next().unwrap_or_default();
        tally.forget_overdue();
        let mut validity = generator.judge(&tally, &lags, planned);
        for judgement in judgements.iter().filter(|judgement| judgement.withheld) {
            validity.withheld(&judgement.objective);
        }
        Report {
            verdict: Verdict::overall(judgements.iter().map(|judgement| judgement.verdict)),
            judgements,
            validity,
            totals: tally,
            lags,
            whole,
            measured_time,
        }
    }

    /// Whether the generator could do what was asked so far; `None` before the first measured
    /// arrival.
    pub fn validity(&self) -> Option<ValidityState> {
        self.generator.so_far(self.totals(), self.lags(), self.tolerated_lag())
    }

    fn tolerated_lag(&self) -> Duration {
        validity::tolerated_lag(self.tracks.iter().map(|track| &track.objective))
    }

    /// All measured arrivals so far.
    pub fn totals(&self) -> &Tally {
        &self.totals[0].tally
    }

    /// How late the measured arrivals so far were sent.
    pub fn lags(&self) -> &Lags {
        &self.totals[0].lags
    }

    /// How much of the measured time has passed.
    pub fn measured_time(&self) -> Duration {
        self.measured.end.min(self.generator.end()).saturating_sub(self.measured.start)
    }

    /// The newest whole window of every length and group that is asked for.
    fn newest_windows(&self) -> BTreeMap<(Duration, usize), Window> {
        let tracks = self.tracks.iter().map(|track| (track.objective.window(), track.group));
        let alerts = self.alerts.iter();
        let alerts = alerts.map(|watch| (watch.objective.window(), watch.group));
        let mut windows = BTreeMap::new();
        for (length, group) in tracks.chain(alerts) {
            let Some(length) = length.filter(|l| !windows.contains_key(&(*l, group))) else {
                continue;
            };
            if let Some(window) = self.windows.newest(length, group) {
                windows.insert((length, group), window);
            }
        }
        windows
    }
}

#[cfg(test)]
mod tests;
