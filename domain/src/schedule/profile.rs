//! The load profile: how the offered rate goes over the run.
//!
//! A profile is a list of stages, and in each the rate goes in a straight line from one value to
//! another (a hold is a line between equal values, a pause is a hold at 0). The number of
//! arrivals offered by a time is the exact integral of the rate up to it, so a ramp offers neither
//! more nor fewer than its area, whatever the resolution of any timer.
//!
//! Stages are half-open: a boundary belongs to the stage that begins there.

use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::StageName;

/// One stretch of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Shown in results.
    pub name: String,
    /// How long it lasts.
    pub duration: Duration,
    /// Arrivals per second at its beginning.
    pub from_rps: f64,
    /// Arrivals per second at its end.
    pub to_rps: f64,
    /// Whether its arrivals are shown, but not judged.
    pub warmup: bool,
}

impl Stage {
    /// A stage at one rate.
    pub fn hold(name: impl Into<String>, rps: f64, duration: Duration) -> Self {
        Self::ramp(name, rps, rps, duration)
    }

    /// A stage that goes from one rate to another in a straight line.
    pub fn ramp(name: impl Into<String>, from: f64, to: f64, duration: Duration) -> Self {
        Self { name: name.into(), duration, from_rps: from, to_rps: to, warmup: false }
    }

    /// The same stage as a warm-up.
    #[must_use]
    pub fn as_warmup(mut self) -> Self {
        self.warmup = true;
        self
    }
}

/// The stages of a run, one after another.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Profile {
    /// In the order in which they run.
    pub stages: Vec<Stage>,
}

impl Profile {
    /// A profile of these stages.
    pub fn new(stages: Vec<Stage>) -> Self {
        Self { stages }
    }

    /// One rate for one duration.
    pub fn hold(rps: f64, duration: Duration) -> Self {
        Self::new(vec![Stage::hold("hold", rps, duration)])
    }

    /// How long the whole schedule lasts.
    pub fn duration(&self) -> Duration {
        self.stages.iter().map(|stage| stage.duration).sum()
    }

    /// Each stage, and when it is.
    pub fn ranges(&self) -> impl Iterator<Item = (&Stage, Range<Duration>)> {
        let range = |piece: Piece| piece.start..piece.start + piece.duration;
        self.stages.iter().zip(self.pieces().map(range))
    }

    /// The judged part: from the end of the warm-up to the end of the last stage.
    pub fn measured(&self) -> Range<Duration> {
        let warmup = self.stages.iter().take_while(|stage| stage.warmup);
        warmup.map(|stage| stage.duration).sum()..self.duration()
    }

    /// The arrivals that the whole profile asks for: the integral of its rate.
    pub fn total(&self) -> f64 {
        self.pieces().last().map_or(0.0, |piece| piece.area_end)
    }

    /// The stage that time `t` is in; `None` from the end on.
    pub fn stage_at(&self, t: Duration) -> Option<&Stage> {
        self.piece_at(t).and_then(|piece| self.stages.get(piece.stage))
    }

    /// Arrivals per second at time `t`; 0 from the end on.
    pub fn rate_at(&self, t: Duration) -> f64 {
        self.piece_at(t).map_or(0.0, |piece| {
            piece.from_rps + piece.slope * t.saturating_sub(piece.start).as_secs_f64()
        })
    }

    /// The integral of the rate from the beginning to time `t`.
    pub fn offered_by(&self, t: Duration) -> f64 {
        self.piece_at(t).map_or_else(
            || self.total(),
            |piece| piece.area_start + piece.area(t.saturating_sub(piece.start).as_secs_f64()),
        )
    }

    /// The time at which the integral of the rate reaches `area`; of several such times (a pause)
    /// the last. `None` if it never gets there, which includes the very end.
    pub fn when_offered(&self, area: f64) -> Option<Duration> {
        self.pieces().find(|piece| area < piece.area_end).map(|piece| piece.when(area))
    }

    /// The stages' names, in their order.
    pub fn names(&self) -> Vec<StageName> {
        let name = |stage: &Stage| StageName { name: stage.name.clone(), warmup: stage.warmup };
        self.stages.iter().map(name).collect()
    }

    /// Whether time `t` is in a warm-up stage.
    pub fn is_warmup(&self, t: Duration) -> bool {
        self.stage_at(t).is_some_and(|stage| stage.warmup)
    }

    fn piece_at(&self, t: Duration) -> Option<Piece> {
        self.pieces().find(|piece| t < piece.start + piece.duration)
    }

    pub(crate) fn pieces(&self) -> impl Iterator<Item = Piece> {
        let (mut start, mut area) = (Duration::ZERO, 0.0);
        self.stages.iter().enumerate().map(move |(index, stage)| {
            let seconds = stage.duration.as_secs_f64();
            let (from_rps, to_rps) = (stage.from_rps, stage.to_rps);
            let area_end = snap(area + f64::midpoint(from_rps, to_rps) * seconds);
            let piece = Piece {
                stage: index,
                from_rps,
                slope: (to_rps - from_rps) / seconds.max(f64::MIN_POSITIVE),
                start,
                duration: stage.duration,
                area_start: area,
                area_end,
            };
            start += stage.duration;
            area = area_end;
            piece
        })
    }
}

/// A stage as a line, and where it lies in the whole profile.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece {
    pub(super) stage: usize,
    from_rps: f64,
    /// Change of the rate per second.
    slope: f64,
    start: Duration,
    duration: Duration,
    area_start: f64,
    pub(crate) area_end: f64,
}

impl Piece {
    /// When the integral reaches `area`, which lies in this stage: the root of the quadratic
    /// equation, in the form that stays exact when the slope is near 0.
    pub(crate) fn when(&self, area: f64) -> Duration {
        let area = (area - self.area_start).max(0.0);
        let root = (self.from_rps * self.from_rps + 2.0 * self.slope * area).max(0.0).sqrt();
        let seconds = 2.0 * area / (self.from_rps + root);
        let within = if seconds.is_finite() { seconds } else { 0.0 };
        let last = self.duration.saturating_sub(Duration::from_nanos(1));
        self.start + Duration::from_secs_f64(within).min(last)
    }

    /// The integral of the rate over the stage's first `seconds`.
    fn area(&self, seconds: f64) -> f64 {
        self.from_rps * seconds + self.slope * seconds * seconds / 2.0
    }
}

/// Takes the rounding error off an area that is a whole number but for it: 0.1/s over 30 s is 3
/// arrivals, not 2.9999999999999996.
fn snap(area: f64) -> f64 {
    let whole = area.round();
    if (area - whole).abs() <= 1e-9 * whole.max(1.0) { whole } else { area }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(s: f64) -> Duration {
        Duration::from_secs_f64(s)
    }

    #[test]
    fn hold_ramp_and_pause() {
        let profile = Profile::new(vec![
            Stage::ramp("up", 0.0, 100.0, seconds(10.0)).as_warmup(),
            Stage::hold("pause", 0.0, seconds(5.0)),
            Stage::hold("steady", 100.0, seconds(10.0)),
        ]);
        assert_eq!(profile.duration(), seconds(25.0));
        assert_eq!(profile.measured(), seconds(10.0)..seconds(25.0));
        let (stage, range) = profile.ranges().nth(1).unwrap();
        assert_eq!((stage.name.as_str(), range), ("pause", seconds(10.0)..seconds(15.0)));
        // (time, rate, offered by then): half a ramp is a quarter of its area.
        let table = [
            (0.0, 0.0, 0.0),
            (5.0, 50.0, 125.0),
            (10.0, 0.0, 500.0),
            (12.0, 0.0, 500.0),
            (15.0, 100.0, 500.0),
            (20.0, 100.0, 1000.0),
            (25.0, 0.0, 1500.0),
            (99.0, 0.0, 1500.0),
        ];
        for (t, rate, offered) in table {
            assert!((profile.rate_at(seconds(t)) - rate).abs() < 1e-9, "rate at {t}");
            assert!((profile.offered_by(seconds(t)) - offered).abs() < 1e-9, "offered by {t}");
        }
        assert!(profile.is_warmup(seconds(9.99)) && !profile.is_warmup(seconds(10.0)));
        assert_eq!(profile.stage_at(seconds(12.0)).map(|s| s.name.as_str()), Some("pause"));
        assert_eq!(profile.stage_at(seconds(25.0)), None);
        // The 500th unit begins after the pause, not before it.
        assert_eq!(profile.when_offered(500.0), Some(seconds(15.0)));
        assert_eq!(profile.when_offered(1500.0), None);
    }

    #[test]
    fn rounding_does_not_lose_an_arrival() {
        let profile = Profile::hold(0.1, seconds(30.0));
        assert!((profile.total() - 3.0).abs() < f64::EPSILON);
    }

    prop_compose! {
        fn stages()(
            parts in prop::collection::vec((0.0f64..500.0, 0.0f64..500.0, 1u64..3_000, any::<bool>()), 1..6)
        ) -> Profile {
            Profile::new(parts.into_iter().map(|(from, to, ms, hold)| {
                Stage::ramp("s", from, if hold { from } else { to }, Duration::from_millis(ms))
            }).collect())
        }
    }

    proptest! {
        // The integral never falls, and its inverse gives it back to the nanosecond's worth.
        #[test]
        fn the_inverse_undoes_the_integral(profile in stages(), share in 0.0f64..1.0) {
            let t = profile.duration().mul_f64(share);
            let area = profile.offered_by(t);
            prop_assert!(area <= profile.total() + 1e-6);
            if let Some(back) = profile.when_offered(area) {
                prop_assert!((profile.offered_by(back) - area).abs() < 1e-4);
            }
        }
    }
}
