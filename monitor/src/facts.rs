//! Objectives in every window are statements of fact about this run.
//!
//! All requests of a window were measured, so there is no population behind it to infer: a window
//! whose value is on the wrong side is wrong. That needs no independence between requests, and it
//! is how service levels are counted: bad minutes of all minutes. A window is judged if it holds
//! enough requests for its percentile to be one of them. Planned windows that were not judged
//! (nothing ended, the generator was late, the run ended early) are counted and told; up to 5 % of
//! them may be missing for `met`.
//!
//! Limits: a percentile of a few requests is itself a matter of luck; [`largest_of_few`] tells
//! before the run. How many wrong windows cannot be luck is counted beside the verdict, as a hint.

use std::time::Duration;

use crate::inference::share_is_above;
use crate::objective::Comparison;
use crate::verdict::Verdict;

/// The share of the planned windows that must be judged.
const LEAST_JUDGED: f64 = 0.95;
/// With fewer requests expected beyond the percentile a window's value is mostly luck.
const FEW_BEYOND: f64 = 10.0;
/// Percentiles that people ask for, in falling order.
const USUAL: [f64; 7] = [0.999, 0.995, 0.99, 0.95, 0.9, 0.75, 0.5];

/// How the windows of one objective came out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Facts {
    /// The share of the planned windows that may be wrong.
    tolerated: f64,
    smaller_is_better: bool,
    judged: u64,
    wrong: u64,
    unjudged: u64,
    beyond_chance: u64,
    worst: Option<Worst>,
}

/// The worst window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Worst {
    /// Its value, in the objective's unit; may be infinite.
    pub value: f64,
    /// The window's end, since the run's first due time.
    pub at: Duration,
}

/// One window that was judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fact {
    /// The window's end, since the run's first due time.
    pub at: Duration,
    /// Its value, in the objective's unit; may be infinite.
    pub value: f64,
    /// Whether the value is on the wrong side of the threshold.
    pub wrong: bool,
    /// Whether that cannot be luck: see [`is_beyond_chance`].
    pub beyond_chance: bool,
}

impl Facts {
    /// No window yet, of an objective that compares so and must hold in this share of the windows:
    /// 1 for every window.
    pub fn new(comparison: Comparison, must_hold_in: f64) -> Self {
        Self {
            tolerated: (1.0 - must_hold_in).clamp(0.0, 1.0),
            smaller_is_better: comparison.is_upper_bound(),
            judged: 0,
            wrong: 0,
            unjudged: 0,
            beyond_chance: 0,
            worst: None,
        }
    }

    /// Adds a window that was judged.
    pub fn judge(&mut self, fact: Fact) {
        self.judged += 1;
        self.wrong += u64::from(fact.wrong);
        self.beyond_chance += u64::from(fact.wrong && fact.beyond_chance);
        let worse = |worst: Worst| {
            if self.smaller_is_better { fact.value > worst.value } else { fact.value < worst.value }
        };
        if self.worst.is_none_or(worse) {
            self.worst = Some(Worst { value: fact.value, at: fact.at });
        }
    }

    /// Adds a window that could not be judged.
    pub fn skip(&mut self) {
        self.unjudged += 1;
    }

    /// Windows that were judged.
    pub fn judged(&self) -> u64 {
        self.judged
    }

    /// Of these, windows whose value was on the wrong side.
    pub fn wrong(&self) -> u64 {
        self.wrong
    }

    /// Of these, windows that cannot be wrong by luck.
    pub fn beyond_chance(&self) -> u64 {
        self.beyond_chance
    }

    /// Of so many planned windows, those that were not judged: seen and skipped, or never seen.
    pub fn unjudged(&self, planned: u64) -> u64 {
        planned.saturating_sub(self.judged).max(self.unjudged)
    }

    /// How many of so many planned windows may be wrong.
    pub fn allowed(&self, planned: u64) -> u64 {
        // A product such as (1 − 0.9) × 10 comes out a hair below its true value.
        (self.tolerated * planned as f64 + 1e-9).floor() as u64
    }

    /// The window with the worst value.
    pub fn worst(&self) -> Option<Worst> {
        self.worst
    }

    /// The verdict, if so many windows were planned: breached if more are wrong than allowed, met
    /// if not and nearly all were judged. While the run goes on, `met` has to wait for its end.
    pub fn verdict(&self, planned: u64) -> Verdict {
        if self.wrong > self.allowed(planned) {
            Verdict::Breached
        } else if self.judged > 0 && self.judged as f64 >= LEAST_JUDGED * planned as f64 {
            Verdict::Met
        } else {
            Verdict::Inconclusive
        }
    }
}

/// The fewest requests of which one lies beyond the `quantile` (0 to 1): ⌈1 / (1 − q)⌉. With fewer
/// the percentile is always the largest value. A share needs one request.
pub fn least_requests(quantile: f64) -> u64 {
    // 1 / (1 − 0.99) comes out above 100.
    (1.0 / (1.0 - quantile) - 1e-6).ceil().max(1.0) as u64
}

/// Whether so many bad requests in one of `windows` windows cannot be luck, the `allowed` share
/// being what is asked: the requests count as effective ones, and the error is divided by the
/// number of windows (Bonferroni), so that many of them do not make one look bad by chance.
pub fn is_beyond_chance(
    bad: u64,
    requests: u64,
    allowed: f64,
    design_effect: f64,
    windows: u64,
    confidence: f64,
) -> bool {
    let confidence = 1.0 - (1.0 - confidence) / windows.max(1) as f64;
    share_is_above(allowed, bad, requests, design_effect, confidence)
}

/// What is to be said before a run of windows that hold too few requests for their percentile: at
/// `rate` requests per second fewer than ten are expected beyond it. `None` if there are enough.
///
/// ```
/// use std::time::Duration;
/// let warning = plimsoll_monitor::facts::largest_of_few(100.0, Duration::from_secs(5), 0.99);
/// assert_eq!(
///     warning.as_deref(),
///     Some("p99 of 5s at 100 requests/s is the 6th largest value: use 10s or p95"),
/// );
/// ```
pub fn largest_of_few(rate: f64, length: Duration, quantile: f64) -> Option<String> {
    let beyond = expected_beyond(rate, length, quantile);
    if beyond >= FEW_BEYOND - 1e-6 || rate <= 0.0 {
        return None;
    }
    let enough = |q: f64| expected_beyond(rate, length, q) >= FEW_BEYOND - 1e-6;
    let seconds = (FEW_BEYOND / (rate * (1.0 - quantile)) - 1e-6).ceil();
    let lower = USUAL.into_iter().find(|usual| *usual < quantile && enough(*usual));
    let or_lower = lower.map_or_else(String::new, |q| format!(" or p{}", percent(q)));
    let rank = match beyond + 1e-6 {
        few if few < 1.0 => "the largest value".to_owned(),
        some => format!("the {} largest value", ordinal(some as u64 + 1)),
    };
    Some(format!(
        "p{} of {}s at {rate} requests/s is {rank}: use {seconds}s{or_lower}",
        percent(quantile),
        length.as_secs_f64(),
    ))
}

/// How many requests of a window are expected beyond the `quantile`.
pub fn expected_beyond(rate: f64, length: Duration, quantile: f64) -> f64 {
    rate * length.as_secs_f64() * (1.0 - quantile)
}

fn percent(quantile: f64) -> f64 {
    (quantile * 1e8).round() / 1e6
}

fn ordinal(number: u64) -> String {
    let ending = match (number % 10, number % 100) {
        (1, n) if n != 11 => "st",
        (2, n) if n != 12 => "nd",
        (3, n) if n != 13 => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fact(second: u64, value: f64, wrong: bool) -> Fact {
        Fact { at: Duration::from_secs(second), value, wrong, beyond_chance: false }
    }

    fn after(judged: u64, wrong: u64, must_hold_in: f64) -> Facts {
        let mut facts = Facts::new(Comparison::Below, must_hold_in);
        (0..judged).for_each(|i| facts.judge(fact(i, i as f64, i < wrong)));
        facts
    }

    #[test]
    fn a_wrong_window_is_a_breach_unless_it_is_allowed() {
        let cases = [
            // judged, wrong, must hold in, planned
            (56, 0, 1.0, 56, Verdict::Met),
            (56, 1, 1.0, 56, Verdict::Breached),
            (300, 3, 0.99, 300, Verdict::Met),
            (300, 4, 0.99, 300, Verdict::Breached),
            (99, 1, 0.99, 99, Verdict::Breached),
            (10, 1, 0.9, 10, Verdict::Met),
            (95, 0, 1.0, 100, Verdict::Met),
            (94, 0, 1.0, 100, Verdict::Inconclusive),
            (10, 1, 1.0, 100, Verdict::Breached),
            (0, 0, 1.0, 100, Verdict::Inconclusive),
            (0, 0, 1.0, 0, Verdict::Inconclusive),
        ];
        for (judged, wrong, must_hold_in, planned, verdict) in cases {
            let facts = after(judged, wrong, must_hold_in);
            assert_eq!(
                facts.verdict(planned),
                verdict,
                "{judged} {wrong} {must_hold_in} {planned}"
            );
            assert_eq!(facts.unjudged(planned), planned - judged);
        }
    }

    #[test]
    fn the_worst_window_is_kept_with_its_time() {
        let mut latency = Facts::new(Comparison::AtMost, 1.0);
        let mut goodput = Facts::new(Comparison::AtLeast, 1.0);
        for (second, value) in [(5, 3.0), (6, 9.0), (7, 9.0), (8, 1.0)] {
            latency.judge(fact(second, value, false));
            goodput.judge(fact(second, value, false));
        }
        assert_eq!(latency.worst(), Some(Worst { value: 9.0, at: Duration::from_secs(6) }));
        assert_eq!(goodput.worst(), Some(Worst { value: 1.0, at: Duration::from_secs(8) }));
        latency.judge(fact(9, f64::INFINITY, true));
        assert_eq!(latency.worst().map(|worst| worst.value), Some(f64::INFINITY));
    }

    #[test]
    fn what_was_skipped_is_counted() {
        let mut facts = after(40, 0, 1.0);
        facts.skip();
        assert_eq!((facts.unjudged(50), facts.unjudged(41), facts.unjudged(0)), (10, 1, 1));
        facts.judge(Fact { beyond_chance: true, ..fact(50, 1.0, true) });
        facts.judge(Fact { beyond_chance: true, ..fact(51, 1.0, false) });
        assert_eq!((facts.wrong(), facts.beyond_chance()), (1, 1), "a right window is not wrong");
    }

    #[test]
    fn a_percentile_needs_requests() {
        let cases = [(0.5, 2), (0.9, 10), (0.95, 20), (0.99, 100), (0.999, 1_000), (0.0, 1)];
        for (quantile, least) in cases {
            assert_eq!(least_requests(quantile), least, "{quantile}");
        }
    }

    #[test]
    fn luck_is_less_likely_the_more_windows_there_are() {
        assert!(is_beyond_chance(30, 1_000, 0.01, 1.0, 1, 0.99));
        assert!(!is_beyond_chance(24, 1_000, 0.01, 1.0, 600, 0.99));
        assert!(is_beyond_chance(24, 1_000, 0.01, 1.0, 1, 0.99));
        assert!(!is_beyond_chance(30, 1_000, 0.01, 20.0, 1, 0.99), "worth 50 requests");
        assert!(!is_beyond_chance(0, 0, 0.01, 1.0, 1, 0.99));
    }

    #[test]
    fn few_requests_are_told_before_the_run() {
        let told =
            |rate, seconds, quantile| largest_of_few(rate, Duration::from_secs(seconds), quantile);
        assert_eq!(told(200.0, 5, 0.99), None, "ten are expected");
        assert_eq!(
            told(50.0, 1, 0.999).as_deref(),
            Some("p99.9 of 1s at 50 requests/s is the largest value: use 200s or p75"),
        );
        assert_eq!(
            told(3.0, 5, 0.9).as_deref(),
            Some("p90 of 5s at 3 requests/s is the 2nd largest value: use 34s"),
        );
        assert_eq!(told(0.0, 5, 0.9), None);
        assert_eq!(
            [1, 2, 3, 4, 11, 12, 13, 21].map(ordinal).join(" "),
            "1st 2nd 3rd 4th 11th 12th 13th 21st"
        );
    }

    proptest! {
        // A longer run of windows that were all right never makes a met objective less than met,
        // and one more wrong window never makes a breached one less than breached.
        #[test]
        fn verdicts_are_monotone(
            judged in 1u64..200, wrong in 0u64..20, must in 0.8f64..=1.0, planned in 1u64..250,
        ) {
            let wrong = wrong.min(judged);
            let facts = after(judged, wrong, must);
            let (mut better, mut worse) = (facts, facts);
            better.judge(fact(300, 0.0, false));
            worse.judge(fact(300, 0.0, true));
            if facts.verdict(planned) == Verdict::Met {
                prop_assert_eq!(better.verdict(planned), Verdict::Met);
            }
            if facts.verdict(planned) == Verdict::Breached {
                prop_assert_eq!(worse.verdict(planned), Verdict::Breached);
            }
        }
    }
}
