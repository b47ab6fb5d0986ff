//! Whether what a model predicts is what was measured: a test of equivalence.
//!
//! A *cell* is one percentile of one run, measured and predicted, each with its interval. Its error is
//! predicted / measured − 1; the interval of the error is put together from the two on the logarithm
//! (the method of variance estimates recovery: Zou and Donner, Statistics in Medicine 27, 2008). A cell
//! *holds* if all of it lies within the margin, which is two one-sided tests (Schuirmann 1987) where the
//! intervals are those of 90 %; it *fails* if all of it lies beyond; else the runs are too short to say.
//! That nothing is found to differ is never a pass.
//!
//! Taken together a model holds if every cell does, and the median of the errors' sizes is within a
//! margin of its own.

use serde::Serialize;

/// By how much one prediction may be off: the bar for percentiles of local runs.
pub const WORST: f64 = 0.20;
/// By how much the median of the predictions may be off.
pub const MEDIAN: f64 = 0.08;

/// A value and its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Span {
    /// The value; `None` if it is infinite.
    pub value: Option<f64>,
    /// The lower end.
    pub low: f64,
    /// The upper end; `None` if it is infinite.
    pub high: Option<f64>,
}

/// What is said of a cell, or of all; the worst is the largest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// Within the margin.
    Holds,
    /// The interval is too wide to say.
    Open,
    /// Beyond the margin.
    Fails,
}

/// One number of one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cell {
    /// What it is, such as `p99`.
    pub what: String,
    /// In milliseconds.
    pub measured: Span,
    /// In milliseconds.
    pub predicted: Span,
    /// Predicted / measured − 1; `None` if one of them is infinite.
    pub error: Option<f64>,
    /// The interval of the error.
    pub interval: Option<(f64, f64)>,
    /// What that says.
    pub finding: Finding,
}

/// All cells together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Overall {
    /// The median of the errors' sizes.
    pub median: f64,
    /// The largest.
    pub worst: f64,
    /// What that says.
    pub finding: Finding,
}

impl Cell {
    /// Of a measured and a predicted value. Infinite is what more requests failed than the percentile
    /// leaves out: the model must find that in the same runs.
    pub fn new(what: impl Into<String>, measured: Span, predicted: Span) -> Self {
        let (error, interval) = match (measured.value, predicted.value) {
            (Some(m), Some(p)) if m > 0.0 && p > 0.0 => {
                (Some(p / m - 1.0), Some(ends(m, p, measured, predicted)))
            }
            _ => (None, None),
        };
        let finding = match (interval, measured.value, predicted.value) {
            (Some((low, high)), ..) if low >= -WORST && high <= WORST => Finding::Holds,
            (Some((low, high)), ..) if low > WORST || high < -WORST => Finding::Fails,
            (Some(_), ..) => Finding::Open,
            (None, None, None) => Finding::Holds,
            // Near the share that makes it infinite, a run may fall on either side.
            (None, None, Some(p)) if p >= measured.low * (1.0 - WORST) => Finding::Open,
            (None, ..) => Finding::Fails,
        };
        Self { what: what.into(), measured, predicted, error, interval, finding }
    }
}

/// The ends of the ratio's interval, less one.
fn ends(m: f64, p: f64, measured: Span, predicted: Span) -> (f64, f64) {
    let far = |from: f64, to: f64| (to / from).ln().abs();
    let up = |span: Span, value| span.high.map_or(f64::INFINITY, |high| far(value, high));
    let down =
        |span: Span, value| if span.low > 0.0 { far(value, span.low) } else { f64::INFINITY };
    let ratio = (p / m).ln();
    let low = ratio - down(predicted, p).hypot(up(measured, m));
    let high = ratio + up(predicted, p).hypot(down(measured, m));
    (low.exp() - 1.0, high.exp() - 1.0)
}

/// All cells together; `None` without any.
pub fn overall(cells: &[Cell]) -> Option<Overall> {
    let size = |cell: &Cell| match (cell.error, cell.finding) {
        (Some(error), _) => error.abs(),
        (None, Finding::Holds) => 0.0,
        (None, _) => f64::INFINITY,
    };
    let mut sizes: Vec<f64> = cells.iter().map(size).collect();
    sizes.sort_by(f64::total_cmp);
    let worst = *sizes.last()?;
    let (lower, upper) = (sizes[(sizes.len() - 1) / 2], sizes[sizes.len() / 2]);
    let median = lower.midpoint(upper);
    let each = cells.iter().map(|cell| cell.finding).max()?;
    let finding = if median > MEDIAN { Finding::Fails } else { each };
    Some(Overall { median, worst, finding })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(value: f64, width: f64) -> Span {
        Span { value: Some(value), low: value * (1.0 - width), high: Some(value * (1.0 + width)) }
    }

    const INFINITE: Span = Span { value: None, low: 50.0, high: None };

    #[test]
    fn a_cell_holds_only_if_all_of_its_interval_does() {
        let finding = |p, width| Cell::new("p99", span(100.0, width), span(p, 0.0)).finding;
        assert_eq!(finding(105.0, 0.05), Finding::Holds);
        assert_eq!(finding(118.0, 0.05), Finding::Open);
        assert_eq!(finding(100.0, 0.40), Finding::Open, "too few requests are no pass");
        assert_eq!(finding(130.0, 0.05), Finding::Fails);
        assert_eq!(finding(70.0, 0.05), Finding::Fails);
    }

    #[test]
    fn the_intervals_of_both_add_up_as_independent_ones_do() {
        let cell = Cell::new("p50", span(100.0, 0.03), span(100.0, 0.04));
        let (low, high) = cell.interval.unwrap();
        assert!((low + 0.05).abs() < 2e-3 && (high - 0.05).abs() < 2e-3, "{low} {high}");
    }

    #[test]
    fn what_is_infinite_must_be_infinite_in_both() {
        let finding = |m, p| Cell::new("p99", m, p).finding;
        assert_eq!(finding(INFINITE, INFINITE), Finding::Holds);
        assert_eq!(finding(span(60.0, 0.1), INFINITE), Finding::Fails);
        assert_eq!(finding(INFINITE, span(20.0, 0.1)), Finding::Fails);
        assert_eq!(finding(INFINITE, span(60.0, 0.1)), Finding::Open);
    }

    #[test]
    fn many_small_errors_in_one_direction_fail_together() {
        let cells = |p| vec![Cell::new("p99", span(100.0, 0.01), span(p, 0.01)); 5];
        assert_eq!(overall(&cells(104.0)).unwrap().finding, Finding::Holds);
        let off = overall(&cells(112.0)).unwrap();
        assert_eq!(off.finding, Finding::Fails);
        assert!((off.median - 0.12).abs() < 1e-9 && (off.worst - 0.12).abs() < 1e-9);
        assert_eq!(overall(&[]), None);
    }
}
