//! One objective of a run: its batches, its windows, and its newest look.

use std::ops::Range;
use std::time::Duration;

use plimsoll_domain::{Limits, Snapshot, SparseLatencies};

use crate::batches::{Batch, Batches};
use crate::counts::Counts;
use crate::group::Selected;
use crate::looks::Looks;
use crate::objective::{Amount, Indicator, Objective};
use crate::verdict::{self, Judgement, Verdict};
use crate::window::{INTERVAL, Window};
use crate::window_record::WindowRecord;

/// The start of a window may be so much before the measured time.
const SEAM: Duration = Duration::from_millis(100);

/// Who takes the looks in the middle of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Looking {
    /// The monitor, at doubled times, to tell how it stands: the verdict comes at the end.
    ToTell,
    /// The monitor, at doubled times; the run ends once it is decided, so that a verdict is final.
    UntilDecided,
    /// Only who asks, and a verdict is final.
    WhenAsked,
}

/// An objective and what was seen of it.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) objective: Objective,
    pub(crate) group: usize,
    /// When the arrivals that it is about are due.
    measured: Range<Duration>,
    batches: Batches,
    /// The newest interval; what ends after the measured time still belongs to it.
    open: Option<Batch>,
    record: WindowRecord,
    newest: Option<Amount>,
    looks: Looks,
    confidence: f64,
    looked: Verdict,
    looking: Looking,
    /// What the look that decided had seen, or the newest that was asked for, and its confidence.
    decided: Option<(Batches, f64)>,
}

impl Track {
    pub(crate) fn new(
        objective: Objective,
        group: usize,
        measured: Range<Duration>,
        confidence: f64,
    ) -> Self {
        Self {
            objective,
            group,
            measured,
            batches: Batches::new(),
            open: None,
            record: WindowRecord::default(),
            newest: None,
            looks: Looks::new(),
            confidence,
            looked: Verdict::Inconclusive,
            looking: Looking::ToTell,
            decided: None,
        }
    }

    /// Who looks from now on, and whether that is final.
    pub(crate) fn set_looking(&mut self, looking: Looking) {
        self.looking = looking;
    }

    /// How many whole intervals it has seen.
    pub(crate) fn intervals(&self) -> u64 {
        self.batches.intervals()
    }

    /// The judgement of a look at this confidence, which is final if it decides.
    pub(crate) fn look(
        &mut self,
        total: &Selected,
        end: Duration,
        limits: &Limits,
        confidence: f64,
    ) -> Judgement {
        if self.looked == Verdict::Inconclusive {
            self.decided = Some((self.batches.clone(), confidence));
            self.looked = verdict::over_the_run(&self.objective, &self.batches, confidence).0;
        }
        self.judgement(total, end, limits)
    }

    /// The schedule was cut off `at` this time: nothing became due later.
    pub(crate) fn cut_off(&mut self, at: Duration) {
        self.measured = cut(&self.measured, at);
    }

    /// Takes the next interval of the measured time, or what ends after it.
    pub(crate) fn observe(&mut self, snapshot: &Snapshot, selected: &Selected, limits: &Limits) {
        if snapshot.end <= self.measured.start {
            return;
        }
        let batch = self.batch(snapshot, selected, limits);
        match &mut self.open {
            Some(open) if snapshot.start >= self.measured.end => open.merge(&batch),
            open => {
                if let Some(whole) = open.replace(batch) {
                    self.batches.add(&whole);
                }
            }
        }
        if self.objective.window().is_some() || self.looking == Looking::WhenAsked {
            return;
        }
        let look = self.looks.due(self.batches.intervals());
        if let Some(look) = look.filter(|_| self.decided.is_none()) {
            let confidence = look.confidence(self.confidence);
            self.looked = verdict::over_the_run(&self.objective, &self.batches, confidence).0;
            if self.looking == Looking::UntilDecided && self.looked != Verdict::Inconclusive {
                self.decided = Some((self.batches.clone(), confidence));
            }
        }
    }

    fn batch(&self, snapshot: &Snapshot, selected: &Selected, limits: &Limits) -> Batch {
        let counts = Counts::of(&self.objective, limits, selected, false);
        let finite = match self.objective.indicator() {
            // A fact about windows is no inference from batches.
            _ if self.objective.window().is_some() => SparseLatencies::default(),
            Indicator::Latency { of, .. } => selected.latencies(of).sparse(),
            // The walk to lower levels wants to know how slow the right answers were.
            Indicator::Goodput { per_second: false, .. } => selected.tally.response.sparse(),
            Indicator::ErrorRate | Indicator::Goodput { .. } => SparseLatencies::default(),
        };
        let measured = &self.measured;
        let (start, end) = (snapshot.start.max(measured.start), snapshot.end.min(measured.end));
        Batch {
            requests: counts.samples,
            bad: counts.bad,
            ours: counts.ours,
            infinite: counts.infinite,
            finite,
            length: end.saturating_sub(start),
        }
    }

    /// Takes the window that ends with the newest interval into account, if the objective is to be
    /// judged in it.
    pub(crate) fn window(&mut self, window: Option<&Window>, limits: &Limits) {
        let judged = |window: &&Window| is_judged(&self.objective, window, &self.measured);
        let Some(window) = window.filter(judged) else { return };
        let counts = Counts::of(&self.objective, limits, &window.selected, true);
        let value = counts.value(&self.objective, &window.selected, window.length());
        if let Some(value) = value {
            let planned = planned_windows(&self.objective, &self.measured);
            self.record.add(&self.objective, counts, value, (window.start, window.end), planned);
        }
        self.newest = value;
    }

    /// Its value over the run until `end`, of which `total` is what was selected for it, or in the
    /// newest window.
    pub(crate) fn value(&self, total: &Selected, end: Duration, limits: &Limits) -> Option<Amount> {
        if self.objective.window().is_some() {
            return self.newest;
        }
        let counts = Counts::of(&self.objective, limits, total, false);
        counts.value(&self.objective, total, self.span(end))
    }

    /// How much of its measured time a run until `end` has.
    fn span(&self, end: Duration) -> Duration {
        self.measured.end.min(end).saturating_sub(self.measured.start)
    }

    /// How it stands in the middle of the run. Over the run that is the verdict of the newest look:
    /// a verdict at any moment would sooner or later be the wanted one by luck.
    pub(crate) fn standing(&self) -> Verdict {
        if self.objective.window().is_none() {
            return self.looked;
        }
        let (verdict, _) =
            self.record.verdict(&self.objective, planned_windows(&self.objective, &self.measured));
        verdict
    }

    /// When the next look is, in intervals of the measured time; `None` in windows.
    pub(crate) fn next_look(&self) -> Option<u64> {
        self.objective.window().is_none().then(|| self.looks.next_at())
    }

    /// The verdict of the whole run, which ended at `end`.
    pub(crate) fn judge(mut self, total: &Selected, end: Duration, limits: &Limits) -> Judgement {
        if let Some(last) = self.open.take() {
            self.batches.add(&last);
        }
        self.judgement(total, end, limits)
    }

    /// The verdict of what was seen until `end`.
    fn judgement(&self, total: &Selected, end: Duration, limits: &Limits) -> Judgement {
        let counts = Counts::of(&self.objective, limits, total, false);
        let has_limit = self.objective.limit().is_some() && counts.samples > 0;
        let missed = has_limit.then_some((counts.bad, counts.samples));
        Judgement { missed, ..self.verdict(total, end, limits) }
    }

    fn verdict(&self, total: &Selected, end: Duration, limits: &Limits) -> Judgement {
        if self.objective.window().is_some() {
            let planned = planned_windows(&self.objective, &self.measured);
            return verdict::judge_windows(&self.objective, &self.record, planned);
        }
        let (value, span) = (self.value(total, end, limits), self.span(end));
        if let Some((batches, confidence)) = &self.decided {
            return verdict::judge(&self.objective, value, batches, span, *confidence);
        }
        let confidence = match self.looking {
            Looking::UntilDecided => self.looks.last(self.confidence),
            Looking::ToTell | Looking::WhenAsked => self.confidence,
        };
        verdict::judge(&self.objective, value, &self.batches, span, confidence)
    }
}

/// What is left of a measured time when the schedule is cut off `at` this time.
pub(crate) fn cut(measured: &Range<Duration>, at: Duration) -> Range<Duration> {
    measured.start..measured.end.min(at).max(measured.start)
}

/// Whether an objective is judged in this window: inside the measured time, the last one with the
/// end of it. Goodput per second is first judged once answers can have come: answers lag behind
/// arrivals by up to the objective's own limit.
pub(crate) fn is_judged(
    objective: &Objective,
    window: &Window,
    measured: &Range<Duration>,
) -> bool {
    let first = measured.start + lag(objective);
    window.start + SEAM >= first && window.newest_start < measured.end
}

/// How many windows the measured time has: they end with every interval.
pub(crate) fn planned_windows(objective: &Objective, measured: &Range<Duration>) -> u64 {
    let Some(length) = objective.window() else { return 0 };
    let grid = |time: Duration| time.as_nanos().div_ceil(INTERVAL.as_nanos()) as u64;
    let first = grid((measured.start + lag(objective)).saturating_sub(SEAM));
    // The first start whose window would not reach into the measured time's last interval.
    let beyond = grid((measured.end + INTERVAL).saturating_sub(length));
    beyond.saturating_sub(first)
}

fn lag(objective: &Objective) -> Duration {
    match objective.indicator() {
        Indicator::Goodput { within, per_second: true } => within,
        _ => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_planned_on_the_grid_of_the_intervals() {
        let millis = Duration::from_millis;
        let planned = |objective: &str, from, to| {
            planned_windows(&objective.parse().unwrap(), &(millis(from)..millis(to)))
        };
        assert_eq!(planned("p99 < 1s in every 2s", 5_000, 10_000), 4);
        assert_eq!(planned("p99 < 1s in every 5s", 0, 10_500), 7, "one with the last half second");
        assert_eq!(planned("p99 < 1s in every 5s", 2_500, 12_000), 5);
        assert_eq!(planned("p99 < 1s in every 10s", 0, 5_000), 0);
        assert_eq!(planned("goodput > 5/s within 300ms in every 1s", 0, 10_000), 9);
    }
}
