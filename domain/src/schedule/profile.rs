//! The load profile: how the offered rate goes over the run.
//!
//! A profile is a list of stages, and in each the rate goes in a straight line from one value to
//! another (a hold is a line between equal values, a pause is a hold at 0), perhaps with a wave on it
//! (the rhythm of a day). The number of
//! arrivals offered by a time is the exact integral of the rate up to it, so a ramp offers neither
//! more nor fewer than its area, whatever the resolution of any timer.
//!
//! Stages are half-open: a boundary belongs to the stage that begins there.

use std::f64::consts::TAU;
use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::StageName;
use crate::sample::nanos;

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
    /// What goes up and down about the line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave: Option<Wave>,
}

/// A cosine that is added to a stage's line: the rhythm of a day.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Wave {
    /// How far the rate goes above and below the line.
    pub amplitude_rps: f64,
    /// From one peak to the next.
    pub period: Duration,
    /// The first peak, since the beginning of the stage.
    pub peak: Duration,
}

impl Stage {
    /// A stage at one rate.
    pub fn hold(name: impl Into<String>, rps: f64, duration: Duration) -> Self {
        Self::ramp(name, rps, rps, duration)
    }

    /// A stage that goes from one rate to another in a straight line.
    pub fn ramp(name: impl Into<String>, from: f64, to: f64, duration: Duration) -> Self {
        Self { name: name.into(), duration, from_rps: from, to_rps: to, warmup: false, wave: None }
    }

    /// The same stage with a wave on its line.
    #[must_use]
    pub fn with_wave(mut self, wave: Wave) -> Self {
        self.wave = Some(wave);
        self
    }

    /// The lowest rates that it can have, at its beginning and at its end.
    pub fn lowest_rps(&self) -> [f64; 2] {
        let depth = self.wave.map_or(0.0, |wave| wave.amplitude_rps);
        [self.from_rps - depth, self.to_rps - depth]
    }

    /// Whether its rate is a number from 0 at every time.
    pub fn is_possible(&self) -> bool {
        let is_wave = |wave: Wave| wave.amplitude_rps >= 0.0 && !wave.period.is_zero();
        self.wave.is_none_or(is_wave)
            && [self.from_rps, self.to_rps].iter().all(|rps| rps.is_finite())
            && self.lowest_rps().iter().all(|rps| *rps >= 0.0)
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
        self.piece_at(t)
            .map_or(0.0, |piece| piece.rate(t.saturating_sub(piece.start).as_secs_f64()))
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
            let swing = stage.wave.map(Swing::new);
            let waves = swing.map_or(0.0, |swing| swing.area(seconds));
            let area_end = snap(area + f64::midpoint(from_rps, to_rps) * seconds + waves);
            let piece = Piece {
                swing,
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
    swing: Option<Swing>,
    from_rps: f64,
    /// Change of the rate per second.
    slope: f64,
    start: Duration,
    duration: Duration,
    area_start: f64,
    pub(crate) area_end: f64,
}

/// A wave as its formula has it.
#[derive(Debug, Clone, Copy)]
struct Swing {
    amplitude: f64,
    /// Radians per second.
    pace: f64,
    /// Seconds until the first peak.
    peak: f64,
}

impl Swing {
    fn new(wave: Wave) -> Self {
        let pace = TAU / wave.period.as_secs_f64().max(f64::MIN_POSITIVE);
        Self { amplitude: wave.amplitude_rps, pace, peak: wave.peak.as_secs_f64() }
    }

    fn rate(&self, seconds: f64) -> f64 {
        self.amplitude * (self.pace * (seconds - self.peak)).cos()
    }

    /// Its integral over the stage's first `seconds`.
    fn area(&self, seconds: f64) -> f64 {
        let sine = |t: f64| (self.pace * (t - self.peak)).sin();
        self.amplitude / self.pace * (sine(seconds) - sine(0.0))
    }
}

impl Piece {
    /// When the integral reaches `area`, which lies in this stage: the root of the quadratic
    /// equation, in the form that stays exact when the slope is near 0.
    pub(crate) fn when(&self, area: f64) -> Duration {
        let area = (area - self.area_start).max(0.0);
        if self.swing.is_some() {
            return self.within(self.search(area));
        }
        if self.slope == 0.0 {
            return self.within(area / self.from_rps);
        }
        let root = (self.from_rps * self.from_rps + 2.0 * self.slope * area).max(0.0).sqrt();
        let seconds = 2.0 * area / (self.from_rps + root);
        self.within(seconds)
    }

    /// Whether times in it are found by a search, which is exact to about a nanosecond only.
    pub(crate) fn is_searched(&self) -> bool {
        self.swing.is_some()
    }

    /// So many seconds after its start, but within the stage.
    fn within(&self, seconds: f64) -> Duration {
        let after = if seconds.is_finite() { seconds * 1e9 + 0.5 } else { 0.0 };
        let last = nanos(self.duration).saturating_sub(1);
        // A day is 10¹⁴ ns, which a number of 53 bits counts exactly.
        Duration::from_nanos(nanos(self.start).saturating_add((after as u64).min(last)))
    }

    /// With a wave there is no formula: Newton's steps, kept between two times that enclose the root.
    fn search(&self, area: f64) -> f64 {
        let (mut low, mut high) = (0.0, self.duration.as_secs_f64());
        let mut at = high * area / (self.area_end - self.area_start).max(f64::MIN_POSITIVE);
        at = at.clamp(low, high);
        for _ in 0..64 {
            let off = self.area(at) - area;
            if off > 0.0 {
                high = at;
            } else {
                low = at;
            }
            let newton = at - off / self.rate(at);
            let inside = newton > low && newton < high;
            let next = if inside { newton } else { f64::midpoint(low, high) };
            let step = (next - at).abs();
            at = next;
            if step < 1e-10 {
                break;
            }
        }
        at
    }

    /// The rate at so many seconds of the stage.
    fn rate(&self, seconds: f64) -> f64 {
        let line = self.from_rps + self.slope * seconds;
        line + self.swing.map_or(0.0, |swing| swing.rate(seconds))
    }

    /// The integral of the rate over the stage's first `seconds`.
    fn area(&self, seconds: f64) -> f64 {
        let line = self.from_rps * seconds + self.slope * seconds * seconds / 2.0;
        line + self.swing.map_or(0.0, |swing| swing.area(seconds))
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
    fn a_day_has_its_peak_and_its_night() {
        let hours = |h: u64| Duration::from_hours(h);
        let wave = Wave { amplitude_rps: 40.0, period: hours(24), peak: hours(14) };
        let day = Stage::hold("day", 50.0, hours(24)).with_wave(wave);
        assert!(day.is_possible());
        let profile = Profile::new(vec![day.clone()]);
        for (hour, rate) in [(2, 10.0), (8, 50.0), (14, 90.0), (20, 50.0)] {
            assert!((profile.rate_at(hours(hour)) - rate).abs() < 1e-9, "{hour}");
        }
        // Whole waves add nothing.
        assert!((profile.total() - 50.0 * 86_400.0).abs() < 1e-3);
        let too_deep = day.with_wave(Wave { amplitude_rps: 50.1, ..wave });
        assert!(!too_deep.is_possible());
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
                let stage =
                    Stage::ramp("s", from, if hold { from } else { to }, Duration::from_millis(ms));
                let wave = Wave {
                    amplitude_rps: stage.from_rps.min(stage.to_rps) * (ms % 10) as f64 / 10.0,
                    period: Duration::from_millis(ms % 700 + 100),
                    peak: Duration::from_millis(ms % 300),
                };
                if ms % 3 == 0 { stage } else { stage.with_wave(wave) }
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
