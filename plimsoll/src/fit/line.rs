//! The line through the means of seconds: how service times grow with the requests in an instance.

use std::time::Duration;

use plimsoll_domain::Latencies;
use plimsoll_monitor::interval::student_quantile;

/// Of the interval of the slope.
const CONFIDENCE: f64 = 0.95;
/// Seconds below which there is no line.
const LEAST: usize = 8;
/// Times by which the loads must differ, as the 90th percentile of the seconds to the 10th.
const LEAST_SPREAD: f64 = 1.5;

/// One second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    /// Requests sent per second and ready instance.
    pub(super) rate: f64,
    /// The mean of its model times.
    pub(super) mean_s: f64,
    /// How many there are.
    pub(super) count: u64,
}

impl Point {
    /// Of an interval; `None` if nothing ended in it or no instance was ready.
    pub(super) fn of(sent: u64, ready: u32, length: Duration, model: &Latencies) -> Option<Self> {
        let count = model.count();
        let mean_s = model.sum_ns() as f64 / 1e9 / count as f64;
        let rate = sent as f64 / length.as_secs_f64() / f64::from(ready);
        (count > 0 && ready > 0 && !length.is_zero()).then_some(Self { rate, mean_s, count })
    }
}

/// Mean service time as intercept + slope · requests in the instance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) intercept: f64,
    pub(super) slope: f64,
    /// How far the slope may be off, to either side.
    off: f64,
}

impl Line {
    /// Weighted least squares; `None` if the seconds are too few or all of one load.
    pub(super) fn through(points: impl Iterator<Item = Point>, mean_s: f64) -> Option<Self> {
        let points: Vec<_> = points.map(|p| (p.rate * mean_s, p.mean_s, p.count as f64)).collect();
        let mut loads: Vec<f64> = points.iter().map(|(x, ..)| *x).collect();
        loads.sort_by(f64::total_cmp);
        let n = loads.len();
        if n < LEAST || loads[n * 9 / 10] < LEAST_SPREAD * loads[n / 10] {
            return None;
        }
        let weights: f64 = points.iter().map(|(.., w)| w).sum();
        let mean = |of: fn(&(f64, f64, f64)) -> f64| {
            points.iter().map(|p| p.2 * of(p)).sum::<f64>() / weights
        };
        let (x, y) = (mean(|p| p.0), mean(|p| p.1));
        let square: f64 = points.iter().map(|p| p.2 * (p.0 - x).powi(2)).sum();
        let product: f64 = points.iter().map(|p| p.2 * (p.0 - x) * (p.1 - y)).sum();
        if square <= 0.0 {
            return None;
        }
        let slope = product / square;
        let intercept = y - slope * x;
        // The residuals themselves say how far seconds scatter, whatever they depend on (White 1980).
        let scatter: f64 = points
            .iter()
            .map(|p| (p.2 * (p.0 - x) * (p.1 - intercept - slope * p.0)).powi(2))
            .sum();
        let degrees = n as f64 - 2.0;
        let error = (scatter * n as f64 / degrees).sqrt() / square;
        Some(Self { intercept, slope, off: student_quantile(degrees, CONFIDENCE) * error })
    }

    /// By what share each further request makes the others longer; none if it is not beyond chance.
    pub(super) fn slowdown(&self) -> f64 {
        let is_beyond_chance = self.slope > self.off && self.intercept > 0.0;
        if is_beyond_chance { self.slope / self.intercept } else { 0.0 }
    }

    /// Its interval.
    pub(super) fn interval(&self) -> (f64, f64) {
        ((self.slope - self.off) / self.intercept, (self.slope + self.off) / self.intercept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(slope: f64) -> impl Iterator<Item = Point> {
        // Noise that is orthogonal to the line, so that the line is exact.
        (1..=40).map(move |n| {
            let rate = f64::from(n / 2 * 2);
            let noise = if n % 2 == 0 { 0.001 } else { -0.001 };
            Point { rate, mean_s: 0.02 + slope * rate * 0.02 + noise, count: 100 }
        })
    }

    #[test]
    fn what_grows_with_load_is_found_and_chance_is_not() {
        let line = Line::through(points(0.01), 0.02).unwrap();
        assert!((line.slowdown() / 0.5 - 1.0).abs() < 0.1, "{}", line.slowdown());
        let (low, high) = line.interval();
        assert!(low < line.slowdown() && line.slowdown() < high);
        let flat = Line::through(points(0.0), 0.02).unwrap();
        assert!(flat.slowdown() < f64::EPSILON, "{flat:?}");
    }

    #[test]
    fn seconds_of_one_load_are_no_line() {
        let one = (0..40).map(|_| Point { rate: 10.0, mean_s: 0.02, count: 100 });
        assert!(Line::through(one, 0.02).is_none());
        assert!(Line::through(points(0.01).take(7), 0.02).is_none());
    }
}
