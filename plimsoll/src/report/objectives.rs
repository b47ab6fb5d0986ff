//! The table of objectives: each interval drawn as a small bar against its threshold.

use std::fmt::Write;

use plimsoll_monitor::{Unit, Verdict};

use super::chart::coordinate;
use super::words;
use crate::results::summary::{Interval, ObjectiveResult};

/// One row of the table.
#[derive(Debug)]
pub(super) struct ObjectiveRow {
    pub(super) name: String,
    pub(super) class: &'static str,
    pub(super) symbol: &'static str,
    pub(super) verdict: &'static str,
    pub(super) value: String,
    pub(super) threshold: String,
    pub(super) interval: String,
    pub(super) bar: String,
    pub(super) evidence: String,
    pub(super) samples: String,
    pub(super) worth: String,
    pub(super) undecided: String,
    pub(super) windows: String,
    /// The share of what it is about that missed its limit.
    pub(super) missed: String,
}

/// Class, symbol and word of a verdict.
pub(super) fn verdict_words(verdict: Verdict) -> (&'static str, &'static str, &'static str) {
    match verdict {
        Verdict::Met => ("met", "✓", "met"),
        Verdict::Breached => ("breached", "✕", "breached"),
        Verdict::Inconclusive => ("inconclusive", "?", "inconclusive"),
    }
}

/// The row of one objective.
pub(super) fn row(objective: &ObjectiveResult) -> ObjectiveRow {
    let (class, symbol, verdict) = verdict_words(objective.verdict);
    let interval = words::interval(objective);
    ObjectiveRow {
        name: objective.name.clone(),
        class,
        symbol,
        verdict,
        value: words::value(objective),
        threshold: format!(
            "{} {}",
            words::comparison(objective.comparison),
            words::in_unit(objective.threshold, objective.unit)
        ),
        interval: match (&objective.windows, interval.is_empty()) {
            (Some(_), _) => "a fact, not an estimate".to_owned(),
            (None, true) => "too few samples".to_owned(),
            (None, false) => interval,
        },
        bar: bar(objective),
        evidence: words::evidence(objective),
        samples: words::count(objective.samples),
        worth: words::worth(objective),
        undecided: objective.undecided.clone().unwrap_or_default(),
        windows: windows(objective),
        missed: objective.missed_percent.map_or("–".to_owned(), words::percentage),
    }
}

fn windows(objective: &ObjectiveResult) -> String {
    let Some(windows) = &objective.windows else {
        return String::new();
    };
    let mut text = format!(
        "wrong in {} of {} windows of {}",
        words::count(windows.wrong),
        words::count(windows.judged),
        words::span(windows.length_s)
    );
    if windows.wrong > 0 {
        let _ = write!(text, " ({} beyond chance)", words::count(windows.breached));
    }
    if windows.share < 1.0 {
        let _ = write!(text, "; {} may be", words::count(windows.allowed));
    }
    if windows.judged < windows.planned {
        let lacking = windows.planned - windows.judged;
        let _ = write!(text, "; {} not judged", words::count(lacking));
    }
    if let Some(at) = windows.worst_at_s {
        let worst = windows.worst.map_or("∞".to_owned(), |v| words::in_unit(v, objective.unit));
        let _ = write!(text, "; worst {worst}, the one that ended at {}", words::span(at));
    }
    text
}

/// The size of the bar: as on the page, so that nothing in it is squeezed.
const WIDTH: f64 = 170.0;
/// What of it is kept for infinity, where something is infinite.
const BEYOND: f64 = 18.0;

/// The bar: the side that the threshold allows is shaded, the interval is a beam, the value a dot;
/// what is beyond the bar ends in an arrow, and what is infinite at an ∞.
fn bar(objective: &ObjectiveResult) -> String {
    let Some(range) = Range::around(objective) else {
        return String::new();
    };
    let threshold = range.place(objective.threshold);
    let (x, width) = if objective.comparison.is_upper_bound() {
        (0.0, threshold)
    } else {
        (threshold, range.width - threshold)
    };
    let mut svg = format!(
        r#"<rect class="allowed" x="{}" y="3" width="{}" height="18"/>"#,
        coordinate(x),
        coordinate(width)
    );
    let is_infinite = objective.samples > 0 && objective.value.is_none();
    if let Some(Interval(low, high)) = words::ends(objective) {
        let from = range.place(low.unwrap_or(f64::INFINITY)).min(range.width - 4.0);
        let to = range.place(high.unwrap_or(f64::INFINITY)).max(from + 2.0);
        let (from, to, end) = (coordinate(from), coordinate(to), coordinate(range.width));
        if low.is_some() || !is_infinite {
            let _ = write!(svg, r#"<path class="beam" d="M{from} 12H{to}M{from} 8v8M{to} 8v8"/>"#);
        }
        if high.is_none_or(|high| high > range.high) && !is_infinite {
            let _ = write!(svg, r#"<path class="arrow" d="M{end} 12l-7 -5v10z"/>"#);
        }
    } else if objective.value.is_some_and(|value| value > range.high) {
        let _ = write!(svg, r#"<path class="arrow" d="M{WIDTH} 12l-7 -5v10z"/>"#);
    }
    if is_infinite {
        let _ =
            write!(svg, r#"<text class="infinity" x="{WIDTH}" y="17" text-anchor="end">∞</text>"#);
    } else if let Some(value) = objective.value.filter(|value| *value <= range.high) {
        let value = range.place(value).clamp(4.0, range.width - 4.0);
        let _ = write!(svg, r#"<circle class="dot" cx="{}" cy="12" r="4"/>"#, coordinate(value));
    }
    let _ = write!(svg, r#"<path class="limit" d="M{} 0V24"/>"#, coordinate(threshold));
    svg
}

struct Range {
    low: f64,
    high: f64,
    /// Where `high` is.
    width: f64,
}

impl Range {
    /// Holds threshold, value and interval, but nothing beyond five times the threshold, and no
    /// share beyond 100 %.
    fn around(objective: &ObjectiveResult) -> Option<Self> {
        let threshold = objective.threshold;
        let Interval(low, high) = words::ends(objective).unwrap_or(Interval(None, None));
        let (low, high) = [Some(threshold), objective.value, low, high]
            .into_iter()
            .flatten()
            .filter(|value| value.is_finite() && *value <= threshold.abs() * 5.0)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        let span = (high - low).max(threshold.abs() * 0.2);
        let most = if objective.unit == Unit::Share { 100.0 } else { f64::INFINITY };
        let low = (low - span * 0.25).max(0.0);
        let high = (high + span * 0.25).min(most);
        let is_infinite = objective.samples > 0 && objective.value.is_none();
        let width = if is_infinite { WIDTH - BEYOND } else { WIDTH };
        (high > low).then_some(Self { low, high, width })
    }

    fn place(&self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0) * self.width
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::summary::Series;
    use plimsoll_monitor::Comparison;

    fn objective(unit: Unit, threshold: f64, value: Option<f64>) -> ObjectiveResult {
        ObjectiveResult {
            name: "o".to_owned(),
            verdict: Verdict::Met,
            value,
            comparison: Comparison::AtLeast,
            threshold,
            unit,
            undecided: None,
            samples: 10,
            missed: None,
            missed_percent: None,
            evidence: None,
            windows: None,
            of: Series::Goodput,
            quantile: None,
        }
    }

    #[test]
    fn no_share_is_allowed_beyond_a_hundred_percent() {
        let range = Range::around(&objective(Unit::Share, 95.0, Some(99.0))).unwrap();
        assert!((range.high - 100.0).abs() < 1e-9, "{}", range.high);
        let range = Range::around(&objective(Unit::PerSecond, 95.0, Some(99.0))).unwrap();
        assert!(range.high > 100.0);
    }

    #[test]
    fn an_infinite_value_is_a_sign_and_no_dot() {
        let infinite = bar(&objective(Unit::Milliseconds, 200.0, None));
        assert!(infinite.contains('∞') && !infinite.contains("class=\"dot\""), "{infinite}");
        let finite = bar(&objective(Unit::Milliseconds, 200.0, Some(3.0)));
        assert!(!finite.contains('∞') && finite.contains("class=\"dot\""), "{finite}");
    }
}
