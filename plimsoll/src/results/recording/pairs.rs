//! The pairs of blocks of two deployments that took turns.
//!
//! Nothing is compared where the job itself could have made the difference: a side that lost an
//! instance, one without a right answer, a generator that was late by what the answers took. Requests
//! of one side that were still being answered when the other's block had begun slowed it down: the
//! first part of that block is left out, and as much of its neighbour.

use std::collections::BTreeSet;

use plimsoll_study::compare::{Run, Second};
use plimsoll_study::interleave::{By, Side};

use super::super::timeline::by_key::interval;
use super::{Block, Recording};

/// More of a block may not be left out.
const MOST_LEFT_OUT: f64 = 0.5;
/// Of what requests took (p99), the generator's own lateness may be so much: what it adds to both
/// sides makes any change look smaller.
const MOST_LATE: f64 = 0.5;

/// Blocks that are neighbours in time.
#[derive(Debug)]
pub(crate) struct Pairs {
    pub(crate) by: By,
    pub(crate) base: Vec<Run>,
    pub(crate) new: Vec<Run>,
    /// How much of all blocks was left out, in seconds.
    pub(crate) left_out_s: f64,
}

/// The pairs of two runs that took turns; `None` if they did not.
///
/// # Errors
/// Why nothing can be compared, with what would help.
pub(crate) fn pairs(base: &Recording, new: &Recording) -> Result<Option<Pairs>, String> {
    let (left, right) = (&base.summary.interleaved, &new.summary.interleaved);
    let (Some(left), Some(right)) = (left, right) else { return Ok(None) };
    if left.job != right.job || left.side == right.side {
        return Err("they took turns with others: give both folders of one `plimsoll ab`, or at \
                    least three of each"
            .to_owned());
    }
    for recording in [base, new] {
        sound(recording).map_err(|why| format!("`{}`: {why}", recording.path.display()))?;
    }
    let busy = [base, new].map(|recording| match left.by {
        By::Block => answering(recording),
        // They are answered at the same time by intention.
        By::Request => BTreeSet::new(),
    });
    let mut pairs = Pairs { by: left.by, base: Vec::new(), new: Vec::new(), left_out_s: 0.0 };
    for (index, (one, other)) in base.blocks.iter().zip(&new.blocks).enumerate() {
        if one.is_empty() || other.is_empty() {
            return Err(format!(
                "block {} was not measured on both sides; run it again",
                index + 1
            ));
        }
        let first = unsettled(one, &busy[1]).max(unsettled(other, &busy[0]));
        if first as f64 > MOST_LEFT_OUT * one.len().min(other.len()) as f64 {
            return Err(format!(
                "requests of one side were still being answered {first} s into the other's block \
                 {}; ask for less, or give them a longer `--settle`",
                index + 1
            ));
        }
        for (block, runs) in [(one, &mut pairs.base), (other, &mut pairs.new)] {
            let (before, after) = block.split_at(first);
            pairs.left_out_s +=
                before.iter().map(|(_, second)| second.length.as_secs_f64()).sum::<f64>();
            runs.push(run(after.iter().map(|(_, second)| second)));
        }
    }
    Ok(Some(pairs))
}

fn run<'a>(seconds: impl Iterator<Item = &'a Second>) -> Run {
    let mut run = Run::new();
    seconds.for_each(|second| run.add(second));
    run
}

/// The intervals in which a request of this side ended, by their end.
fn answering(recording: &Recording) -> BTreeSet<u64> {
    let ended = recording.rows.iter().filter(|row| row.ok + row.failed > 0);
    ended.map(|row| interval(row.t_s)).collect()
}

/// How many of a block's first intervals have an end of one of the other side's requests, or one
/// after them has.
fn unsettled(block: &Block, busy: &BTreeSet<u64>) -> usize {
    // The last one may end a moment after the other side's next turn has begun.
    let all_but_last = &block[..block.len().saturating_sub(1)];
    all_but_last.iter().rposition(|(end, _)| busy.contains(end)).map_or(0, |last| last + 1)
}

/// Whether what a side measured is its own doing.
fn sound(recording: &Recording) -> Result<(), String> {
    let summary = &recording.summary;
    let side = summary.interleaved.as_ref().map_or("", |interleaved| Side::name(interleaved.side));
    if summary.outcomes.ok == 0 {
        return Err(format!(
            "the {side} side gave no right answer, so there is nothing to compare; see the \
             examples in its report"
        ));
    }
    let fewer = recording.rows.iter().find(|row| match (row.instances, row.instances_wanted) {
        (Some(ready), Some(wanted)) => ready < wanted,
        _ => false,
    });
    let again = summary.instances.iter().find(|instance| instance.restarts > 0 || !instance.ready);
    if let Some(row) = fewer {
        return Err(format!(
            "the {side} side had fewer instances than it should from {:.0} s on, so the sides were \
             not alike; its report has the end of its log",
            row.start_s()
        ));
    }
    if let Some(instance) = again {
        return Err(format!(
            "instance {} of the {side} side ended or was restarted, so the sides were not alike; \
             its report has the end of its log",
            instance.name
        ));
    }
    let (lag, took) = (summary.generator.release_lag_ms.p99, summary.latency_ms.response.p99);
    if let (Some(lag), Some(took)) = (lag, took)
        && lag > MOST_LATE * took
    {
        return Err(format!(
            "the generator was late by {lag:.1} ms (p99), and answers of the {side} side took \
             {took:.1} ms (p99): it would hide a change; give it more cores or ask for less"
        ));
    }
    Ok(())
}
