//! Numbers and sentences as a person would write them.

use std::fmt::Write;

use plimsoll_domain::units::three_digits;
use plimsoll_monitor::few::least_requests;
use plimsoll_monitor::{Comparison, Unit};

use crate::results::summary::{Interval, LatencyStats, ObjectiveResult, Summary};

/// A latency given in milliseconds, with the unit that suits it: `12.3 ms`.
pub(super) fn ms(value: f64) -> String {
    let (scaled, unit) = match value {
        v if !v.is_finite() => return "∞".to_owned(),
        0.0 => (0.0, "ms"),
        v if v.abs() < 0.001 => (v * 1e6, "ns"),
        v if v.abs() < 0.9995 => (v * 1e3, "µs"),
        v if v.abs() < 999.5 => (v, "ms"),
        v => (v / 1e3, "s"),
    };
    format!("{}\u{a0}{unit}", three_digits(scaled))
}

/// A percentile of `stats`: `∞` if it falls among the failures, `–` if there is nothing.
pub(super) fn percentile(stats: &LatencyStats, value: Option<f64>) -> String {
    match value {
        Some(value) => ms(value),
        None if stats.is_empty() => "–".to_owned(),
        None => "∞".to_owned(),
    }
}

/// A percentile, if there are requests for it: the p99.9 of fewer than a thousand is the largest.
pub(super) fn at(stats: &LatencyStats, quantile: f64) -> String {
    let value = match quantile {
        q if q > 0.99 => stats.p99_9,
        q if q > 0.95 => stats.p99,
        q if q > 0.9 => stats.p95,
        q if q > 0.5 => stats.p90,
        _ => stats.p50,
    };
    if stats.count + stats.infinite < least_requests(quantile) {
        return "–".to_owned();
    }
    percentile(stats, value)
}

/// A quantile's name: `p99.9`.
pub(super) fn quantile(quantile: f64) -> String {
    // As many digits as tell it from its neighbours.
    let digits = (2.0 - (1.0 - quantile).max(1e-9).log10()).ceil().clamp(2.0, 8.0) as usize - 1;
    let text = format!("{:.*}", digits, quantile * 100.0);
    format!("p{}", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A size in bytes: `16 GB`.
pub(super) fn gigabytes(bytes: u64) -> String {
    format!("{}\u{a0}GB", three_digits(bytes as f64 / 1e9))
}

/// A count with its thousands apart: `12,345`.
pub(super) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count and its noun: `1 request`, `2 requests`.
pub(super) fn counted(value: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(value), if value == 1 { "" } else { "s" })
}

/// A number of at most three digits behind which nothing is lost: `1,234`, `12.3`.
pub(super) fn number(value: f64) -> String {
    if value >= 999.5 { count(value.round() as u64) } else { three_digits(value) }
}

/// A rate: `1,000/s`.
pub(super) fn rate(value: f64) -> String {
    format!("{}/s", number(value))
}

/// A share of 0 to 1 as a percentage that never rounds failures away: `99.98 %`.
pub(super) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    percentage(part as f64 / whole as f64 * 100.0)
}

/// A percentage given in percent.
pub(super) fn percentage(value: f64) -> String {
    let gap = (100.0 - value).abs();
    let text = if value > 50.0 && gap > 0.0 && gap < 1.0 {
        // Keep two digits of what is missing from 100.
        let decimals = (1 - gap.log10().floor() as i32).clamp(1, 6) as usize;
        format!("{value:.decimals$}").trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        three_digits(value)
    };
    format!("{text}\u{a0}%")
}

/// A moment on a time axis of so many seconds: `12 s`, `2:30`, `1:15 h`.
pub(super) fn clock(second: f64, duration_s: f64) -> String {
    let whole = second.round() as i64;
    if duration_s < 180.0 {
        format!("{}\u{a0}s", three_digits(second))
    } else if duration_s < 5400.0 {
        format!("{}:{:02}", whole / 60, whole % 60)
    } else {
        format!("{}:{:02}\u{a0}h", whole / 3600, whole / 60 % 60)
    }
}

/// A stretch of time in seconds: `20 s`, `10 min`, `1 h 30 min`.
pub(super) fn span(seconds: f64) -> String {
    if seconds < 120.0 {
        return format!("{}\u{a0}s", three_digits(seconds));
    }
    let whole = seconds.round() as u64;
    let parts = [(whole / 3600, "h"), (whole / 60 % 60, "min"), (whole % 60, "s")];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(value, _)| *value > 0)
        .map(|(value, unit)| format!("{value}\u{a0}{unit}"))
        .collect();
    parts.join(" ")
}

/// How value and threshold compare when an objective holds, as it is read.
pub(super) fn comparison(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Below => "<",
        Comparison::AtMost => "≤",
        Comparison::Above => ">",
        Comparison::AtLeast => "≥",
    }
}

/// A number in an objective's unit: shares are given in percent.
pub(super) fn in_unit(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Milliseconds => ms(value),
        Unit::Share => percentage(value),
        Unit::PerSecond => rate(value),
        Unit::Count => number(value),
    }
}

/// The value of an objective: `∞`, or `–` without samples.
pub(super) fn value(objective: &ObjectiveResult) -> String {
    match objective.value {
        Some(value) => in_unit(value, objective.unit),
        None if objective.samples == 0 => "–".to_owned(),
        None => "∞".to_owned(),
    }
}

/// The ends of an objective's confidence interval.
pub(super) fn ends(objective: &ObjectiveResult) -> Option<Interval> {
    objective.evidence.as_ref().map(|evidence| evidence.interval)
}

/// What the samples are worth, where that is clearly less than they are.
pub(super) fn worth(objective: &ObjectiveResult) -> String {
    let Some(evidence) = objective.evidence.as_ref().filter(|e| e.design_effect >= 1.5) else {
        return String::new();
    };
    format!("worth {} independent", number(evidence.effective_samples))
}

/// The confidence interval of an objective; empty without one.
pub(super) fn interval(objective: &ObjectiveResult) -> String {
    let Some(interval) = ends(objective) else {
        return String::new();
    };
    let end = |end: Option<f64>| end.map_or("∞".to_owned(), |v| in_unit(v, objective.unit));
    format!("{} to {}", end(interval.0), end(interval.1))
}

/// What was measured for an objective against what it asks, in one sentence.
pub(super) fn evidence(objective: &ObjectiveResult) -> String {
    if objective.samples == 0 {
        return format!("{}: no samples", objective.name);
    }
    let mut text = format!(
        "{}: measured {}, threshold {} {}",
        objective.name,
        value(objective),
        comparison(objective.comparison),
        in_unit(objective.threshold, objective.unit),
    );
    let interval = interval(objective);
    if let Some(evidence) = &objective.evidence {
        let confidence = percentage(evidence.confidence * 100.0);
        let _ = write!(text, " ({confidence} interval {interval})");
    }
    if let Some(windows) = &objective.windows {
        let within = format!(" windows of {}", span(windows.length_s));
        let _ = write!(text, "; wrong in {} of {}{within}", windows.wrong, windows.judged);
    }
    let _ = write!(text, "; {}", counted(objective.samples, "sample"));
    let worth = worth(objective);
    if !worth.is_empty() {
        let _ = write!(text, ", {worth} ones");
    }
    if let Some(undecided) = &objective.undecided {
        let _ = write!(text, "; {undecided}");
    }
    text
}

/// What response and service time say together.
pub(super) fn waiting(summary: &Summary) -> String {
    let (response, service) = (&summary.latency_ms.response, &summary.latency_ms.service);
    let Some(service) = service.p99 else {
        return "Nothing was answered.".to_owned();
    };
    let Some(response) = response.p99 else {
        return format!(
            "More than 1 % of the arrivals ended without a right answer, so p99 of response time \
             is infinite, though the answers that came took {} (p99 of service time).",
            ms(service)
        );
    };
    if response > service * 1.5 && response - service > 1.0 {
        return format!(
            "p99 of response time ({}) is {} times p99 of service time ({}): requests waited \
             before they could be sent. A tool that starts its clock at the sending would have \
             reported {} and hidden the wait (coordinated omission).",
            ms(response),
            three_digits(response / service),
            ms(service),
            ms(service),
        );
    }
    if response > service * 1.1 {
        return format!(
            "p99 of response time ({}) is {} above p99 of service time ({}): that much later than \
             due were requests sent, and it counts; see the send lag.",
            ms(response),
            ms(response - service),
            ms(service)
        );
    }
    format!(
        "p99 of response time ({}) and of service time ({}) nearly agree: requests were sent when \
         they were due, so no wait is hidden.",
        ms(response),
        ms(service)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_have_the_unit_that_suits_them() {
        let texts = [0.0, 0.000_5, 0.25, 12.345, 999.6, 61_234.0, f64::INFINITY].map(ms);
        let plain = texts.map(|text| text.replace('\u{a0}', " "));
        assert_eq!(plain, ["0 ms", "500 ns", "250 µs", "12.3 ms", "1 s", "61.2 s", "∞"]);
    }

    #[test]
    fn percentages_never_round_failures_away() {
        let texts = [(99_999, 100_000), (1, 1), (0, 7), (1, 3), (999, 1000)]
            .map(|(part, whole)| percent(part, whole).replace('\u{a0}', " "));
        assert_eq!(texts, ["99.999 %", "100 %", "0 %", "33.3 %", "99.9 %"]);
        assert_eq!(percent(0, 0), "–");
    }

    #[test]
    fn counts_have_their_thousands_apart() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(counted(1, "sample"), "1 sample");
        assert_eq!(span(5400.0).replace('\u{a0}', " "), "1 h 30 min");
    }
}
