//! Student's t and Welch's degrees of freedom.

use plimsoll_monitor::interval::student_quantile;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// An estimate with its variance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Estimate {
    pub(super) mean: f64,
    pub(super) variance: f64,
    pub(super) degrees: f64,
}

impl Estimate {
    /// Of independent values; `None` below two.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        if values.len() < 2 {
            return None;
        }
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Some(Self { mean, variance: squares / (count - 1.0) / count, degrees: count - 1.0 })
    }

    /// Of what is new less the base, with Welch and Satterthwaite's degrees of freedom.
    pub(super) fn difference(base: Self, new: Self) -> Self {
        let variance = base.variance + new.variance;
        let part = |side: Self| side.variance.powi(2) / side.degrees;
        let parts = part(base) + part(new);
        let least = base.degrees.min(new.degrees);
        let degrees = if parts > 0.0 { variance.powi(2) / parts } else { least };
        Self { mean: new.mean - base.mean, variance, degrees }
    }

    /// The chance of an estimate at least so far from zero, on either side. One where nothing varies
    /// or the degrees of freedom are less than one: then nothing is known.
    pub(super) fn p(self) -> f64 {
        if self.variance <= 0.0 || self.degrees < 1.0 {
            return 1.0;
        }
        let t = self.mean / self.variance.sqrt();
        let student = StudentsT::new(0.0, 1.0, self.degrees).expect("degrees are above zero");
        (2.0 * student.cdf(-t.abs())).min(1.0)
    }

    /// Half the width of its interval; infinite below one degree of freedom.
    pub(super) fn half_width(self, confidence: f64) -> f64 {
        if self.degrees < 1.0 {
            return f64::INFINITY;
        }
        student_quantile(self.degrees, confidence) * self.variance.sqrt()
    }
}

/// The distance from zero, in standard errors, that has this chance on both sides together.
pub(super) fn distance(p: f64) -> f64 {
    -Normal::standard().inverse_cdf((p / 2.0).clamp(1e-15, 0.5))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Welch (1947) by hand: means 2 and 6 of {1, 2, 3} and {4, 6, 8}; variances of the means 1/3 and
    // 4/3; t = 4 / √(5/3) = 3.0984, ν = (5/3)² / ((1/9 + 16/9) / 2) = 2.9412.
    #[test]
    fn welch_by_hand() {
        let of = |values: &[f64]| Estimate::of(values).unwrap();
        let difference = Estimate::difference(of(&[1.0, 2.0, 3.0]), of(&[4.0, 6.0, 8.0]));
        assert!((difference.mean - 4.0).abs() < 1e-12);
        assert!((difference.degrees - 2.941_176).abs() < 1e-6, "{}", difference.degrees);
        assert!((difference.p() - 0.054_6).abs() < 5e-4, "{}", difference.p());
        assert!((difference.half_width(1.0 - difference.p()) - 4.0).abs() < 1e-6);
    }

    #[test]
    fn what_does_not_vary_shows_nothing() {
        let of = |values: &[f64]| Estimate::of(values).unwrap();
        assert!((Estimate::difference(of(&[1.0, 1.0]), of(&[1.0, 1.0])).p() - 1.0).abs() < 1e-12);
        assert!(Estimate::of(&[1.0]).is_none());
        assert!((distance(0.05) - 1.959_964).abs() < 1e-5);
    }
}
