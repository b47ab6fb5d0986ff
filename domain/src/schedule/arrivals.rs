//! Arrivals: when each request of the run is due. A pure sequence of profile, process and seed.
//!
//! **Constant**: the integral of the rate is cut into units of one; an arrival stands at the
//! beginning of each *whole* unit. So there are ⌊integral⌋ of them, the first at time 0 (or where
//! the rate first leaves 0), and none at the very end.
//!
//! **Poisson**: the gaps are exponential with mean 1 in the integral's scale, and each is carried
//! to the time axis by the integral's inverse. For a ramp this is exact (Çinlar's inversion), where
//! drawing the gap from the momentary rate is not.
//!
//! **Gamma**: the same with gaps of a gamma distribution of mean 1 and shape 1/*d*. Counts over long
//! times then have the index of dispersion *d* (their variance is *d* times their mean), as a renewal
//! process has that of its gaps' squared coefficient of variation (D. R. Cox, Renewal Theory, 4.2):
//! above 1 arrivals come in bursts, at 1 it is Poisson, below 1 they are more even.

use std::ops::RangeInclusive;
use std::time::Duration;

use rand_distr::{Distribution, Exp1, Gamma};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use super::profile::Piece;
use super::trace::{Replay, Trace};
use super::{Draw, Mix, Profile};

/// The stream of random numbers that arrivals draw from; one stream per purpose.
const STREAM: u128 = 0x6172_7269_7661_6c73;

/// How arrivals are spaced.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArrivalProcess {
    /// Evenly.
    #[default]
    Constant,
    /// As many independent users would: gaps are exponential.
    Poisson,
    /// In bursts.
    Gamma {
        /// The variance of counts over their mean; within [`ArrivalProcess::DISPERSIONS`].
        dispersion: f64,
    },
}

impl ArrivalProcess {
    /// The indices of dispersion that can be asked for: beyond them arrivals are as good as constant,
    /// or a few heaps.
    pub const DISPERSIONS: RangeInclusive<f64> = 0.01..=10_000.0;

    /// Whether it can be drawn from.
    pub fn is_possible(self) -> bool {
        match self {
            Self::Constant | Self::Poisson => true,
            Self::Gamma { dispersion } => Self::DISPERSIONS.contains(&dispersion),
        }
    }
}

/// One planned request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Consecutive over the whole run, from 0.
    pub number: u64,
    /// Since the run's first moment.
    pub due: Duration,
    /// The number of the stage that it lies in.
    pub stage: u16,
    /// The number of the request in the mix.
    pub request: u16,
}

/// The sequence of all arrivals, or of one worker's share of it.
#[derive(Debug, Clone)]
pub struct Arrivals {
    course: Course,
    draw: Draw,
    /// By the number of the stage; see [`Arrivals::in_turns`].
    turns: Vec<u16>,
    number: u64,
    shard: u64,
    shards: u64,
}

/// Where the due times come from.
#[derive(Debug, Clone)]
enum Course {
    Profile {
        pieces: Vec<Piece>,
        current: usize,
        spacing: Spacing,
        /// Arrivals that a constant process has.
        most: u64,
        /// The latest due time that was searched for.
        latest: Duration,
    },
    Trace {
        replay: Box<Replay>,
        /// When each stage ends.
        ends: Vec<Duration>,
    },
}

/// What comes next of a course.
enum Found {
    /// The due time of an arrival, and its stage.
    Due(Duration, u16),
    /// An arrival of another share, whose due time nobody needs.
    OfAnother,
}

/// Where in the integral of the rate arrivals lie, one after another.
#[derive(Debug, Clone)]
pub(super) enum Spacing {
    Constant,
    Poisson { area: f64, random: Pcg64 },
    Gamma { area: f64, random: Pcg64, gaps: Gamma<f64> },
}

impl Spacing {
    fn new(process: ArrivalProcess, seed: u64) -> Self {
        let random = || Pcg64::new(u128::from(seed), STREAM);
        match process {
            ArrivalProcess::Constant => Self::Constant,
            ArrivalProcess::Poisson => Self::Poisson { area: 0.0, random: random() },
            ArrivalProcess::Gamma { dispersion } => Self::Gamma {
                area: 0.0,
                random: random(),
                gaps: Gamma::new(1.0 / dispersion, dispersion).expect("the process is possible"),
            },
        }
    }

    /// Where the next arrival lies, which has this number.
    pub(super) fn next_area(&mut self, number: u64) -> f64 {
        match self {
            Self::Constant => number as f64,
            Self::Poisson { area, random } => {
                let gap: f64 = Exp1.sample(random);
                *area += gap;
                *area
            }
            Self::Gamma { area, random, gaps } => {
                *area += gaps.sample(random);
                *area
            }
        }
    }
}

impl Arrivals {
    /// All arrivals of `profile`, each with a request drawn from `mix`. Spacing and mix draw from
    /// streams of their own: another mix leaves every due time as it was.
    ///
    /// # Panics
    /// A process that is not [possible](ArrivalProcess::is_possible).
    pub fn new(profile: &Profile, process: ArrivalProcess, mix: &Mix, seed: u64) -> Self {
        let course = Course::Profile {
            pieces: profile.pieces().collect(),
            current: 0,
            spacing: Spacing::new(process, seed),
            most: if process == ArrivalProcess::Constant {
                profile.total() as u64
            } else {
                u64::MAX
            },
            latest: Duration::ZERO,
        };
        let turns = Vec::new();
        Self { course, draw: mix.draw(seed), turns, number: 0, shard: 0, shards: 1 }
    }

    /// Versions of the same requests take turns, a stage each: what is asked in a stage is so far on
    /// in the list of requests from what was drawn. Stages beyond `turns` ask what was drawn.
    #[must_use]
    pub fn in_turns(mut self, turns: &[u16]) -> Self {
        turns.clone_into(&mut self.turns);
        self
    }

    /// All arrivals of a trace, which lie in the stages of [its profile](Trace::profile). The process
    /// spaces those of rates; offsets are spaced as they were recorded.
    ///
    /// # Panics
    /// A process that is not [possible](ArrivalProcess::is_possible); later, a text that is not any
    /// more what was checked.
    pub fn replay(
        trace: &Trace,
        profile: &Profile,
        process: ArrivalProcess,
        mix: &Mix,
        seed: u64,
    ) -> Self {
        let replay = Box::new(Replay::new(trace, Spacing::new(process, seed), seed));
        let ends = profile.ranges().map(|(_, range)| range.end).collect();
        let course = Course::Trace { replay, ends };
        let turns = Vec::new();
        Self { course, draw: mix.draw(seed), turns, number: 0, shard: 0, shards: 1 }
    }

    /// The share of worker `shard` of `shards`: every `shards`-th arrival, so that the shares of
    /// all workers together are the whole.
    #[must_use]
    pub fn shard(mut self, shard: u64, shards: u64) -> Self {
        (self.shard, self.shards) = (shard, shards.max(1));
        self
    }
}

impl Course {
    /// The due time and the stage of the arrival with this number, unless it is of another share
    /// and nobody needs to know.
    fn next(&mut self, number: u64, is_own: bool) -> Option<Found> {
        let (pieces, current, spacing, most, latest) = match self {
            Self::Profile { pieces, current, spacing, most, latest } => {
                (pieces, current, spacing, most, latest)
            }
            Self::Trace { replay, ends } => {
                let due = replay.next()?;
                let stage = ends.partition_point(|end| *end <= due);
                return Some(Found::Due(due, stage as u16));
            }
        };
        if number >= *most {
            return None;
        }
        let area = spacing.next_area(number);
        while area >= pieces.get(*current)?.area_end {
            *current += 1;
        }
        let piece = &pieces[*current];
        if !is_own && !piece.is_searched() {
            return Some(Found::OfAnother);
        }
        let mut due = piece.when(area);
        if piece.is_searched() {
            // Two searches that end a nanosecond beside each other must not change places, and
            // every share finds the same: so each looks at all of them.
            due = due.max(*latest);
            *latest = due;
        }
        Some(Found::Due(due, piece.stage as u16))
    }
}

impl Iterator for Arrivals {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        loop {
            let number = self.number;
            let is_own = self.shards == 1 || number % self.shards == self.shard;
            let found = self.course.next(number, is_own)?;
            self.number += 1;
            // Drawn for every number, also of other shards, so that a share is a share of the whole.
            let request = self.draw.next();
            if let Found::Due(due, stage) = found
                && is_own
            {
                let turn = self.turns.get(usize::from(stage)).copied().unwrap_or_default();
                let request = request.saturating_add(turn);
                return Some(Arrival { number, due, stage, request });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Stage, Wave};
    use proptest::prelude::*;

    fn due_ms(profile: &Profile) -> Vec<f64> {
        let arrivals = Arrivals::new(profile, ArrivalProcess::Constant, &Mix::default(), 0);
        arrivals.map(|arrival| (arrival.due.as_secs_f64() * 1e3).round()).collect()
    }

    #[test]
    fn constant_arrivals_stand_at_the_beginning_of_whole_units() {
        let second = Duration::from_secs(1);
        assert_eq!(due_ms(&Profile::hold(4.0, second)), [0.0, 250.0, 500.0, 750.0]);
        // Two and a half units: two whole ones.
        assert_eq!(due_ms(&Profile::hold(1.0, second.mul_f64(2.5))), [0.0, 1000.0]);
        assert_eq!(due_ms(&Profile::hold(0.0, second)), [0.0; 0]);
        assert_eq!(due_ms(&Profile::default()), [0.0; 0]);
        // A ramp from 0 to 8/s in 1 s: unit i begins at √(i/4) s.
        let ramp = Profile::new(vec![Stage::ramp("up", 0.0, 8.0, second)]);
        assert_eq!(due_ms(&ramp), [0.0, 500.0, 707.0, 866.0]);
    }

    #[test]
    fn an_arrival_on_a_boundary_belongs_to_the_stage_after_it() {
        let second = Duration::from_secs(1);
        let profile = Profile::new(vec![
            Stage::hold("warm-up", 2.0, second).as_warmup(),
            Stage::hold("pause", 0.0, second),
            Stage::hold("steady", 2.0, second),
        ]);
        let all: Vec<_> = Arrivals::new(&profile, ArrivalProcess::Constant, &Mix::default(), 0)
            .map(|a| (a.number, a.due.as_millis(), a.stage))
            .collect();
        assert_eq!(all, [(0, 0, 0), (1, 500, 0), (2, 2000, 2), (3, 2500, 2)]);
    }

    prop_compose! {
        fn profiles()(
            parts in prop::collection::vec((0.0f64..500.0, 0.0f64..500.0, 1u64..3_000, 0u8..3), 1..6)
        ) -> Profile {
            Profile::new(parts.into_iter().map(|(from, to, ms, kind)| {
                let (from, to) = [(from, to), (from, from), (0.0, 0.0)][usize::from(kind)];
                let stage = Stage::ramp("s", from, to, Duration::from_millis(ms));
                let wave = Wave {
                    amplitude_rps: from.min(to) * 0.9,
                    period: Duration::from_millis(ms / 3 + 1),
                    peak: Duration::from_millis(ms / 5),
                };
                if ms % 2 == 0 { stage } else { stage.with_wave(wave) }
            }).collect())
        }
    }

    fn processes() -> impl Strategy<Value = ArrivalProcess> {
        prop::sample::select(vec![
            ArrivalProcess::Constant,
            ArrivalProcess::Poisson,
            ArrivalProcess::Gamma { dispersion: 20.0 },
            ArrivalProcess::Gamma { dispersion: 0.1 },
        ])
    }

    proptest! {
        // Due times never fall and lie within the schedule.
        #[test]
        fn arrivals_are_monotone(profile in profiles(), process in processes(), seed: u64) {
            let all: Vec<_> = Arrivals::new(&profile, process, &Mix::default(), seed).collect();
            prop_assert!(all.windows(2).all(|two| two[0].due <= two[1].due));
            prop_assert!(all.iter().all(|arrival| arrival.due < profile.duration()));
            prop_assert!(all.iter().zip(0..).all(|(arrival, number)| arrival.number == number));
        }

        // Constant: by any time, the arrivals are the integral of the rate, to within one.
        #[test]
        fn constant_count_is_the_integral(profile in profiles(), share in 0.0f64..1.0) {
            let all: Vec<_> = Arrivals::new(&profile, ArrivalProcess::Constant, &Mix::default(), 0).collect();
            prop_assert_eq!(all.len() as u64, profile.total() as u64);
            let t = profile.duration().mul_f64(share);
            let by = all.iter().filter(|arrival| arrival.due < t).count() as f64;
            prop_assert!((by - profile.offered_by(t)).abs() <= 1.0 + 1e-6);
        }

        // Poisson: the count is within six standard deviations of the integral.
        #[test]
        fn poisson_count_is_near_the_integral(profile in profiles(), seed: u64) {
            let count = Arrivals::new(&profile, ArrivalProcess::Poisson, &Mix::default(), seed).count() as f64;
            let mean = profile.total();
            prop_assert!((count - mean).abs() <= 6.0 * mean.sqrt() + 10.0, "{count} of {mean}");
        }

        // The same seed gives the same list; another seed gives another.
        #[test]
        fn the_seed_decides(seed: u64) {
            let profile = Profile::hold(50.0, Duration::from_secs(2));
            let list = |seed| -> Vec<_> {
                Arrivals::new(&profile, ArrivalProcess::Poisson, &Mix::default(), seed).collect()
            };
            prop_assert_eq!(list(seed), list(seed));
            prop_assert_ne!(list(seed), list(seed.wrapping_add(1)));
        }

        // A mix changes what is asked and never when.
        #[test]
        fn a_mix_leaves_the_due_times(profile in profiles(), process in processes(), seed: u64) {
            let mix = Mix::new(&[3.0, 1.0]).unwrap();
            let due = |mix: &Mix| -> Vec<_> {
                Arrivals::new(&profile, process, mix, seed).map(|a| (a.number, a.due)).collect()
            };
            prop_assert_eq!(due(&mix), due(&Mix::default()));
        }

        // Turns change who is asked, by stage, and nothing else.
        #[test]
        fn turns_move_the_requests_of_their_stages(profile in profiles(), seed: u64) {
            let mix = Mix::new(&[3.0, 1.0, 0.0, 0.0]).unwrap();
            let drawn = Arrivals::new(&profile, ArrivalProcess::Poisson, &mix, seed);
            for (before, after) in drawn.clone().zip(drawn.in_turns(&[2, 0])) {
                let turn = if before.stage == 0 { 2 } else { 0 };
                prop_assert_eq!(Arrival { request: before.request + turn, ..before }, after);
            }
        }

        // The shares of all workers together are the whole.
        #[test]
        fn shards_are_the_whole(
            profile in profiles(), process in processes(), seed: u64, shards in 1u64..7,
        ) {
            let mix = Mix::new(&[1.0, 2.0, 0.5]).unwrap();
            let arrivals = Arrivals::new(&profile, process, &mix, seed);
            let mut parts: Vec<_> =
                (0..shards).flat_map(|shard| arrivals.clone().shard(shard, shards)).collect();
            parts.sort_by_key(|arrival| arrival.number);
            prop_assert_eq!(parts, arrivals.collect::<Vec<_>>());
        }
    }

    /// Variance over mean of the counts in windows of ten seconds.
    fn dispersion(process: ArrivalProcess) -> f64 {
        let profile = Profile::hold(100.0, Duration::from_hours(10));
        let mut counts = vec![0.0f64; 3600];
        for arrival in Arrivals::new(&profile, process, &Mix::default(), 7) {
            counts[arrival.due.as_secs() as usize / 10] += 1.0;
        }
        let mean = counts.iter().sum::<f64>() / counts.len() as f64;
        let squares: f64 = counts.iter().map(|count| (count - mean) * (count - mean)).sum();
        assert!((mean / 1000.0 - 1.0).abs() < 0.02, "{process:?}: {mean}");
        squares / (counts.len() - 1) as f64 / mean
    }

    #[test]
    fn counts_have_the_dispersion_that_was_asked_for() {
        for asked in [0.25, 1.0, 10.0] {
            let got = dispersion(ArrivalProcess::Gamma { dispersion: asked });
            // 3,600 windows: a standard error of 2.4 %, and a window is not for ever.
            assert!((got / asked - 1.0).abs() < 0.1, "{asked}: {got}");
        }
        assert!(!ArrivalProcess::Gamma { dispersion: 0.0 }.is_possible());
        assert!(!ArrivalProcess::Gamma { dispersion: f64::NAN }.is_possible());
    }

    #[test]
    fn poisson_gaps_are_exponential() {
        // A χ² test over ten classes of equal probability; 27.9 is its 99.9 % quantile for 9
        // degrees of freedom.
        let profile = Profile::hold(1000.0, Duration::from_secs(20));
        let all: Vec<_> =
            Arrivals::new(&profile, ArrivalProcess::Poisson, &Mix::default(), 7).collect();
        let mut classes = [0.0f64; 10];
        for two in all.windows(2) {
            let gap = two[1].due.saturating_sub(two[0].due).as_secs_f64() * 1000.0;
            classes[((1.0 - (-gap).exp()) * 10.0) as usize] += 1.0;
        }
        let expected = (all.len() - 1) as f64 / 10.0;
        let chi: f64 = classes.iter().map(|n| (n - expected) * (n - expected) / expected).sum();
        assert!(chi < 27.9, "χ² = {chi}");
    }
}
