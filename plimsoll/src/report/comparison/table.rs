//! The table of metrics: what is said of each, and its change as a small bar against the margin.

use std::fmt::Write;

use plimsoll_study::compare::{Answer, Effect, Finding, Scale};

use crate::report::chart::coordinate;
use crate::report::words;

/// One metric.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) metric: &'static str,
    pub(super) base: String,
    pub(super) new: String,
    pub(super) change: String,
    pub(super) interval: String,
    pub(super) margin: String,
    pub(super) answer: &'static str,
    pub(super) class: &'static str,
    pub(super) symbol: &'static str,
    /// What more would decide, or what would be seen.
    pub(super) detail: String,
    pub(super) chance: String,
    /// Safe: numbers and class names of ours.
    pub(super) bar: String,
}

/// Class and symbol of an answer.
pub(super) fn class(answer: Answer) -> (&'static str, &'static str) {
    match answer {
        Answer::NoChange => ("met", "="),
        Answer::Improved => ("met", "✓"),
        Answer::Regressed => ("breached", "✕"),
        Answer::Inconclusive => ("inconclusive", "?"),
    }
}

impl Row {
    pub(super) fn new(finding: &Finding, needed: String) -> Self {
        let scale = finding.scale;
        let Effect { estimate, low, high } = finding.effect;
        let value = |value| match scale {
            Scale::Ratio => words::ms(value),
            Scale::Difference => words::percentage(value * 100.0),
        };
        let seen = finding.smallest.map_or(String::new(), |smallest| {
            format!("so much data shows a change of {}", share(smallest, scale))
        });
        let detail = match finding.answer {
            Answer::Inconclusive if seen.is_empty() => needed,
            Answer::Inconclusive => format!("{needed}; {seen}"),
            _ => String::new(),
        };
        let (class, symbol) = class(finding.answer);
        Self {
            metric: finding.metric.name(),
            base: value(finding.base),
            new: value(finding.new),
            change: change(estimate, scale),
            interval: format!("{} to {}", change(low, scale), change(high, scale)),
            margin: share(finding.margin, scale),
            answer: finding.answer.name(),
            class,
            symbol,
            detail,
            chance: format!("{:.2e}", finding.adjusted_p),
            bar: bar(finding),
        }
    }

    /// The row as a sentence.
    pub(super) fn sentence(&self) -> String {
        let Self { metric, base, new, change, interval, margin, answer, .. } = self;
        let mut text = format!(
            "{metric} {answer}: {base} → {new}, {change} ({interval}), margin ±{margin}, adjusted p {}",
            self.chance
        );
        if !self.detail.is_empty() {
            let _ = write!(text, "; {}", self.detail);
        }
        text
    }
}

/// A change with its sign: `+12.3 %`, of shares `+0.3 points`.
fn change(value: f64, scale: Scale) -> String {
    let value = if scale == Scale::Ratio { value - 1.0 } else { value };
    if value.is_infinite() {
        return if value > 0.0 { "+∞".to_owned() } else { "−∞".to_owned() };
    }
    let sign = if value < 0.0 { "−" } else { "+" };
    format!("{sign}{}", share(value.abs(), scale))
}

fn share(value: f64, scale: Scale) -> String {
    let percent = plimsoll_domain::units::three_digits(value * 100.0);
    match scale {
        Scale::Ratio => format!("{percent}\u{a0}%"),
        Scale::Difference => format!("{percent}\u{a0}points"),
    }
}

/// The bar, 200 wide and 24 high: no change is in the middle, the margin shaded, the interval a
/// beam, what was measured a dot; what is beyond the bar ends at it.
fn bar(finding: &Finding) -> String {
    let Effect { estimate, low, high } = finding.effect;
    let (none, margin) = match finding.scale {
        Scale::Ratio => (0.0, finding.margin.ln_1p()),
        Scale::Difference => (0.0, finding.margin),
    };
    let of = |value: f64| if finding.scale == Scale::Ratio { value.ln() } else { value };
    let far = [of(estimate), of(low), of(high)].into_iter().map(f64::abs);
    let reach =
        far.filter(|value| value.is_finite()).fold(margin, f64::max).min(margin * 12.0) * 1.15;
    let place = |value: f64| coordinate(((value - none) / reach).clamp(-1.0, 1.0) * 100.0 + 100.0);
    let (from, to) = (place(of(low)), place(of(high)));
    let width = coordinate(margin / reach * 200.0);
    format!(
        r#"<rect class="allowed" x="{}" y="3" width="{width}" height="18"/><path class="limit" d="M100 0V24"/><path class="beam" d="M{from} 12H{to}M{from} 8v8M{to} 8v8"/><circle class="dot" cx="{}" cy="12" r="4"/>"#,
        place(-margin),
        place(of(estimate))
    )
}
