//! Which rate to try next.

use plimsoll_monitor::Verdict;

use super::step::{highest_met, lowest_breached};
use super::{Ending, FIRST_LOOK_S, Fit, Settings, Step};

/// While one end is missing, a probe is so many times the highest rate tried, or that part of the lowest.
const GROWTH: f64 = 1.5;
/// Two rates closer than this, as a share, are one.
const RESOLUTION: f64 = 0.02;

/// Where to go on.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Where {
    /// At this rate.
    At(f64),
    /// The interval is as narrow as it was to be.
    Found,
    /// There is nothing left to try.
    Nowhere(Ending),
}

/// The next rate. Undecided steps bound it from both sides.
pub(super) fn next(settings: &Settings, steps: &[Step], fit: Option<&Fit>) -> Where {
    let (low, high) = (highest_met(steps), lowest_breached(steps));
    let tried = || steps.iter().filter(|step| step.counts()).map(|step| step.rate_rps);
    let most = tried().fold(settings.start_rps, f64::max);
    let least = tried().fold(settings.start_rps, f64::min);
    match (low, high) {
        (Some(low), Some(high)) => between(settings, steps, fit, (low, high)),
        _ if high.is_none() && most < settings.ceiling_rps => {
            Where::At((most * GROWTH).min(settings.ceiling_rps))
        }
        (Some(low), None) => Where::Nowhere(Ending::Ceiling { met: low >= settings.ceiling_rps }),
        (None, None) => Where::Nowhere(Ending::Ceiling { met: false }),
        (None, Some(high)) if least < high => between(settings, steps, fit, (least / GROWTH, high)),
        _ if least > settings.floor_rps => Where::At((least / GROWTH).max(settings.floor_rps)),
        _ => Where::Nowhere(Ending::NeverHolds),
    }
}

/// Inside the interval, or, where nothing was met, above a rate that is too low to be tried: on the
/// side of the knee that is still wider, at half of the wanted width beside it, or, where a probe there
/// was undecided, midway from it to the end.
fn between(
    settings: &Settings,
    steps: &[Step],
    fit: Option<&Fit>,
    (low, high): (f64, f64),
) -> Where {
    if high / low <= 1.0 + settings.width {
        return Where::Found;
    }
    let middle = (low * high).sqrt();
    let knee = fit.filter(|fit| fit.is_between).map_or(middle, |fit| fit.rate_rps);
    let knee = knee.clamp(low * (1.0 + RESOLUTION), high / (1.0 + RESOLUTION));
    let half = (1.0 + settings.width).sqrt();
    let inside = |rate: &f64| *rate > low && *rate < high;
    let undecided = |step: &&Step| step.counts() && step.verdict() == Verdict::Inconclusive;
    // What was passed by after one look would have been decided by more of them.
    let looked = |step: &&Step| step.seen.measured_s > FIRST_LOOK_S || settings.looks == 1;
    let undecided = steps.iter().filter(undecided).filter(looked).map(|step| step.rate_rps);
    let undecided: Vec<f64> = undecided.filter(inside).collect();
    // Towards the low end, and towards the high one: how far it still is, and where to probe.
    let lowest = undecided.iter().copied().reduce(f64::min);
    let highest = undecided.iter().copied().reduce(f64::max);
    let below = match lowest {
        Some(lowest) if lowest < knee * half => (low * lowest).sqrt(),
        _ => knee / half,
    };
    let above = match highest {
        Some(highest) if highest > knee / half => (high * highest).sqrt(),
        _ => knee * half,
    };
    let is_new = |rate: f64| rate > low * (1.0 + RESOLUTION) && rate * (1.0 + RESOLUTION) < high;
    let apart = |rate: f64| undecided.iter().all(|at| (rate / at).ln().abs() > RESOLUTION / 2.0);
    let sides = [(knee / low, below), (high / knee, above)];
    let worth = sides.into_iter().filter(|(_, rate)| is_new(*rate) && apart(*rate));
    let wider = worth.max_by(|a, b| a.0.total_cmp(&b.0));
    wider.map_or(Where::Found, |(_, rate)| Where::At(rate))
}
