//! Percentiles of few requests: how many there must be, what can be luck, and what to say before a
//! run whose windows hold too few.

use std::time::Duration;

use crate::inference::{could_be_met, share_is_above};
use crate::objective::Objective;
use crate::verdict::question;

/// With fewer requests expected beyond the percentile a window's value is mostly luck.
const FEW_BEYOND: f64 = 10.0;
/// Percentiles that people ask for, in falling order.
const USUAL: [f64; 7] = [0.999, 0.995, 0.99, 0.95, 0.9, 0.75, 0.5];

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

/// The longest run that is thought of.
const LONGEST: f64 = 30.0 * 86_400.0;

/// How long an objective over the run must be measured at `rate` requests per second to be met,
/// if not one request is bad: less does not decide it, however well all goes. `None` where that is
/// not a matter of counting requests, or beyond 30 days.
///
/// ```
/// use plimsoll_monitor::few::least_time;
/// let objective = "p99 < 200ms".parse().unwrap();
/// assert_eq!(least_time(&objective, 20.0, 0.99).unwrap().as_secs(), 31);
/// assert_eq!(least_time(&objective, 1000.0, 0.99).unwrap().as_secs(), 8);
/// ```
pub fn least_time(objective: &Objective, rate: f64, confidence: f64) -> Option<Duration> {
    let question = question(objective);
    // Batches of a second, up to where they lengthen instead.
    let enough = |seconds: f64| {
        could_be_met(question, rate * seconds, seconds.floor().min(32.0), confidence)
    };
    let (mut short, mut long) = (0.0_f64, 1.0_f64);
    while !enough(long)? {
        (short, long) = (long, long * 2.0);
        if long > LONGEST {
            return None;
        }
    }
    while long - short > 1.0 {
        let middle = f64::midpoint(short, long).ceil();
        if enough(middle)? { long = middle } else { short = middle }
    }
    Some(Duration::from_secs_f64(long))
}

/// What is to be said before a run of windows that hold too few requests for their percentile: at
/// `rate` requests per second fewer than ten are expected beyond it. `None` if there are enough.
///
/// ```
/// use std::time::Duration;
/// let warning = plimsoll_monitor::few::largest_of_few(100.0, Duration::from_secs(5), 0.99);
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
}
