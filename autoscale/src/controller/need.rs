//! What lies between a need and the first evaluation of a cluster's rules that sees it.
//!
//! An evaluation sees rates and means over a window, and processor time of the last scrape. What it would
//! have seen at other moments, and without any window, is asked of the same rules: the need begins with
//! the first of the newest intervals, without interruption, whose own values ask for another count, and
//! can be seen from the first moment on, after the evaluation before, at which the windows ask for it.

use std::cmp::Ordering;
use std::time::Duration;

use super::Controller;
use crate::pipeline::Sight;
use crate::verdict::lateness::Part;
use crate::{Decision, Memory, Rules, State, knative};

/// What was waited for before an evaluation that is the first to want another count, in rule time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// The delay of its metrics, and their scrape.
    pub metric: Duration,
    /// The window over which they are averaged.
    pub window: Duration,
    /// The next evaluation.
    pub tick: Duration,
}

impl Need {
    pub(crate) fn parts(self) -> [(Part, Duration); 3] {
        let Self { metric, window, tick } = self;
        [(Part::Metric, metric), (Part::Window, window), (Part::Evaluation, tick)]
    }
}

impl Controller {
    /// What lies before an evaluation that has decided this; `None` if the one before wanted the same, and
    /// of Azure's rules, whose grains tell it.
    pub(super) fn need(&mut self, at: Duration, decision: &Decision) -> Option<Need> {
        if matches!(self.rules, Rules::Azure(_)) {
            return None;
        }
        let way = decision.needed(self.wanted).map(|count| (count.cmp(&self.wanted), self.wanted));
        let (before, last) = std::mem::replace(&mut self.last, (at, way));
        let (way, _) = way.filter(|_| way != last)?;
        let ends = self.pipeline.ends(at);
        let asks = |end: Duration, sight: Sight| self.way(end, sight) == Some(way);
        let seen = ends.iter().rev().copied().take_while(|end| *end > before);
        let visible = seen.take_while(|end| asks(*end, Sight::Told)).last().unwrap_or(at).min(at);
        // What fired may be over by now, though still in the window.
        let oldest = visible.saturating_sub(self.time.run(self.pipeline.window()));
        let mut first = ends.len();
        while first > 0 && ends[first - 1] > oldest && !asks(ends[first - 1], Sight::AtOnce) {
            first -= 1;
        }
        let last = first;
        while first > 0 && asks(ends[first - 1], Sight::AtOnce) {
            first -= 1;
        }
        // The interval `first` is the first that asks; it begins where the one before ends.
        let start = first.checked_sub(1).map_or(Duration::ZERO, |before| ends[before]);
        let since = if first == last { visible } else { start.min(visible) };
        let rule = |run: Duration| run * self.time.compression().factor();
        let waited = rule(visible.saturating_sub(since));
        let metric = self.pipeline.delay().min(waited);
        let tick = rule(at.saturating_sub(visible));
        Some(Need { metric, window: waited.saturating_sub(metric), tick })
    }

    /// Which way the rules would go without guards.
    fn way(&self, at: Duration, sight: Sight) -> Option<Ordering> {
        // Who has just started is careful; this one has run for long.
        let knative = knative::Memory { initialized: true, ..knative::Memory::default() };
        let mut state = State {
            now: self.time.at(at),
            replicas: self.wanted,
            instances: Vec::new(),
            in_progress: false,
            metrics: Vec::new(),
            memory: Memory { knative: Some(knative), ..Memory::default() },
        };
        self.pipeline.show_cluster(self.coming.len(), &mut state, sight);
        let decision = self.rules.decide(self.parameters, &state);
        decision.needed(self.wanted).map(|count| count.cmp(&self.wanted))
    }
}
