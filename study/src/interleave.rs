//! Two deployments under one load, in turns: what is asked when, and of whom.
//!
//! A machine that is shared gets slower and faster by itself, over minutes and hours, by more than
//! builds differ. Runs one after the other take that for a change; neighbours in time do not.
//!
//! **By block**: each side gets the scenario's whole load in pieces, and the same piece right after
//! the other did, in the order A B B A or B A A B (drawn from the seed), so that a machine that gets
//! slower in a straight line favours neither. A pair is one piece, measured on both sides. A block
//! begins with a time in which requests are sent and not counted, so that the queue, the caches and
//! the connections are those of this load and not of the pause before.
//!
//! **By request**: each arrival asks one of the two, by a coin; a pair is a stretch of time. It takes
//! out even short disturbances, but each side gets half of the load only, and one that uses up the
//! machine slows down the other, so that differences look smaller than they are.
//!
//! **How long a block is**: neighbouring blocks must say things of their own. A queue forgets within
//! its relaxation time, 1 / (μ (1 − √ρ)²), which at a load of 0.8 is 90 service times: a second, where
//! answers take 10 ms. [`BLOCK`] is ten times that, from where on block statistics were found to hold
//! their level; the correlation of pairs that is left is estimated.

use std::ops::Range;
use std::time::Duration;

use plimsoll_domain::schedule::{Profile, Stage};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

/// How long a block is measured, about.
pub const BLOCK: Duration = Duration::from_secs(10);
/// How long it is loaded before.
pub const SETTLE: Duration = Duration::from_secs(2);
/// Eight pairs show a change at 99 % only if all eight agree; of twelve one may not.
pub const PAIRS: usize = 12;

/// The stage in which a block settles. No scenario can have a stage of this name.
const SETTLING: &str = "(settle)";
/// The stage in which it is the other's turn.
const OTHER: &str = "(other)";
const SECOND: Duration = Duration::from_secs(1);

/// One of the two that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// What it was.
    Base,
    /// What it is to be.
    New,
}

impl Side {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Base, Self::New];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::New => "new",
        }
    }
}

/// What takes turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Stretches of time.
    Block,
    /// Requests.
    Request,
}

/// How the sides take turns.
#[derive(Debug, Clone, Copy)]
pub struct Turns {
    /// What takes them.
    pub by: By,
    /// How long a block is measured, about: a scenario's load is cut into equal ones.
    pub block: Duration,
    /// How long it is loaded before, at least.
    pub settle: Duration,
    /// The load is repeated until there are so many pairs.
    pub pairs: usize,
}

impl Default for Turns {
    fn default() -> Self {
        Self { by: By::Block, block: BLOCK, settle: SETTLE, pairs: PAIRS }
    }
}

/// Why a load cannot be given in turns.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Nothing is measured.
    #[error("the load has nothing but warm-ups; add a stage without `warmup: true`")]
    NothingMeasured,
    /// A warm-up that is not at the beginning.
    #[error(
        "the load has a warm-up after what is measured (`{0}`), and cannot be cut into blocks; put it first or leave it out"
    )]
    LateWarmup(String),
    /// What is measured is too short.
    #[error("the load measures for less than a second, and cannot be cut into blocks")]
    TooShort,
}

/// The load of a whole job.
#[derive(Debug, Clone)]
pub struct Interleaving {
    by: By,
    /// Each stage, and whose it is; by request it is nobody's alone.
    stages: Vec<(Stage, Option<Side>)>,
    /// When the blocks of each pair are measured: of the base, and of the new.
    pairs: Vec<[Range<Duration>; 2]>,
}

impl Interleaving {
    /// Cuts a load.
    ///
    /// # Errors
    /// A load that cannot be cut.
    pub fn new(profile: &Profile, turns: Turns, seed: u64) -> Result<Self, Problem> {
        let warmups = profile.stages.iter().take_while(|stage| stage.warmup).count();
        let (warmups, measured) = profile.stages.split_at(warmups);
        if let Some(late) = measured.iter().find(|stage| stage.warmup) {
            return Err(Problem::LateWarmup(late.name.clone()));
        }
        let measured = Profile::new(measured.to_vec());
        let length = measured.duration();
        if length.is_zero() {
            return Err(Problem::NothingMeasured);
        }
        let pieces = pieces(length, turns.block);
        if pieces.iter().any(Range::is_empty) {
            return Err(Problem::TooShort);
        }
        let passes = turns.pairs.max(1).div_ceil(pieces.len());
        let mut job = Self { by: turns.by, stages: Vec::new(), pairs: Vec::new() };
        match turns.by {
            By::Block => job.blocks(warmups, &measured, &pieces, passes, turns.settle, seed),
            By::Request => job.requests(warmups, &measured, &pieces, passes),
        }
        Ok(job)
    }

    fn blocks(
        &mut self,
        warmups: &[Stage],
        measured: &Profile,
        pieces: &[Range<Duration>],
        passes: usize,
        settle: Duration,
        seed: u64,
    ) {
        let orders = orders(pieces.len() * passes, seed);
        let mut now = Duration::ZERO;
        for side in orders[0] {
            for stage in warmups {
                now += stage.duration;
                self.stages.push((stage.clone(), Some(side)));
            }
        }
        for (order, piece) in orders.iter().zip(pieces.iter().cycle()) {
            let mut pair = [Duration::ZERO..Duration::ZERO, Duration::ZERO..Duration::ZERO];
            for side in *order {
                // What is measured begins with a second, as what is recorded does.
                let begin = up_to_a_second(now + settle);
                let rate = measured.rate_at(piece.start);
                let settling = Stage::hold(SETTLING, rate, begin.saturating_sub(now)).as_warmup();
                self.stages.push((settling, Some(side)));
                now = begin;
                for stage in cut(measured, piece) {
                    now += stage.duration;
                    self.stages.push((stage, Some(side)));
                }
                pair[side as usize] = begin..now;
            }
            self.pairs.push(pair);
        }
    }

    fn requests(
        &mut self,
        warmups: &[Stage],
        measured: &Profile,
        pieces: &[Range<Duration>],
        passes: usize,
    ) {
        let mut now: Duration = warmups.iter().map(|stage| stage.duration).sum();
        self.stages.extend(warmups.iter().map(|stage| (stage.clone(), None)));
        for _ in 0..passes {
            self.stages.extend(measured.stages.iter().map(|stage| (stage.clone(), None)));
            for piece in pieces {
                let range = now + piece.start..now + piece.end;
                self.pairs.push([range.clone(), range]);
            }
            now += measured.duration();
        }
    }

    /// What takes turns.
    pub fn by(&self) -> By {
        self.by
    }

    /// When the blocks of each pair are measured: of the base, and of the new.
    pub fn pairs(&self) -> &[[Range<Duration>; 2]] {
        &self.pairs
    }

    /// Whose turn each stage is; by request it is nobody's alone.
    pub fn turns(&self) -> impl Iterator<Item = Option<Side>> {
        self.stages.iter().map(|(_, side)| *side)
    }

    /// The rate over the whole job. Where blocks take turns each stage has a name of its own.
    pub fn profile(&self) -> Profile {
        let stage = |(index, (stage, side)): (usize, &(Stage, Option<Side>))| {
            let Some(side) = side else { return stage.clone() };
            let name =
                format!("{} {} ({} of {})", side.name(), stage.name, index + 1, self.stages.len());
            Stage { name, ..stage.clone() }
        };
        Profile::new(self.stages.iter().enumerate().map(stage).collect())
    }

    /// The rate that one side gets: stage by stage as [`Interleaving::profile`], and nothing where
    /// it is the other's turn.
    pub fn of(&self, side: Side) -> Profile {
        let stage = |(stage, turn): &(Stage, Option<Side>)| match turn {
            Some(turn) if *turn == side => stage.clone(),
            Some(_) => Stage::hold(OTHER, 0.0, stage.duration).as_warmup(),
            None => half(stage),
        };
        Profile::new(self.stages.iter().map(stage).collect())
    }
}

/// What is measured, in equal parts of about this length that begin with a second.
fn pieces(length: Duration, block: Duration) -> Vec<Range<Duration>> {
    let count = (length.as_secs_f64() / block.as_secs_f64()).round().max(1.0);
    let ends = (1..=count as u64).map(|index| {
        let end = length.mul_f64(index as f64 / count);
        if index as f64 >= count {
            length
        } else {
            Duration::from_secs(end.as_secs_f64().round() as u64)
        }
    });
    ends.scan(Duration::ZERO, |start, end| Some(std::mem::replace(start, end)..end)).collect()
}

/// A B, B A or B A, A B, by a coin each; of an odd number the last by a coin alone.
fn orders(pairs: usize, seed: u64) -> Vec<[Side; 2]> {
    /// The stream of random numbers that orders draw from; one stream per purpose.
    const STREAM: u64 = 0x6162_6261;
    let mut random = Pcg64::seed_from_u64(seed ^ STREAM);
    let (there, back) = ([Side::Base, Side::New], [Side::New, Side::Base]);
    let mut two = || if random.random_bool(0.5) { [there, back] } else { [back, there] };
    (0..pairs.div_ceil(2)).flat_map(|_| two()).take(pairs).collect()
}

fn up_to_a_second(time: Duration) -> Duration {
    if time.subsec_nanos() == 0 { time } else { Duration::from_secs(time.as_secs()) + SECOND }
}

/// The stages of a part of a profile.
fn cut(profile: &Profile, part: &Range<Duration>) -> Vec<Stage> {
    let within = |(stage, range): (&Stage, Range<Duration>)| {
        let (from, to) = (part.start.max(range.start), part.end.min(range.end));
        (from < to)
            .then(|| piece(stage, from.saturating_sub(range.start), to.saturating_sub(range.start)))
    };
    profile.ranges().filter_map(within).collect()
}

fn piece(stage: &Stage, from: Duration, to: Duration) -> Stage {
    let rate = |at: Duration| {
        let share = at.as_secs_f64() / stage.duration.as_secs_f64();
        (stage.to_rps - stage.from_rps).mul_add(share, stage.from_rps)
    };
    let duration = to.saturating_sub(from);
    let mut piece = Stage { duration, from_rps: rate(from), to_rps: rate(to), ..stage.clone() };
    if let Some(wave) = &mut piece.wave {
        let (period, from) = (wave.period.as_secs_f64(), from.as_secs_f64());
        let peak = (wave.peak.as_secs_f64() - from).rem_euclid(period);
        wave.peak = Duration::from_secs_f64(peak);
    }
    piece
}

fn half(stage: &Stage) -> Stage {
    let (from_rps, to_rps) = (stage.from_rps / 2.0, stage.to_rps / 2.0);
    let mut half = Stage { from_rps, to_rps, ..stage.clone() };
    if let Some(wave) = &mut half.wave {
        wave.amplitude_rps /= 2.0;
    }
    half
}

#[cfg(test)]
mod tests;
