//! Korn and Graubard's ends of the interval of a share among requests that depend on each other.

use crate::interval::{effective_share_interval, normal_quantile, student_quantile};

/// What makes an interval of counts: the confidence, and how well the design effect is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    confidence: f64,
    /// (z / t)²: what is lost since the effect is an estimate from a few batches.
    loss: f64,
}

impl Bounds {
    pub(super) fn new(batches: usize, confidence: f64) -> Self {
        Self::with_batches(batches as f64, confidence)
    }

    /// The batches need not be whole. Nothing is known from fewer than two; with infinitely many
    /// the effect is known.
    pub(super) fn with_batches(batches: f64, confidence: f64) -> Self {
        let loss = if batches < 2.0 {
            0.0
        } else if batches == f64::INFINITY {
            1.0
        } else {
            let ratio = normal_quantile(confidence) / student_quantile(batches - 1.0, confidence);
            ratio * ratio
        };
        Self { confidence, loss }
    }

    pub(super) fn confidence(&self) -> f64 {
        self.confidence
    }

    /// How many independent requests so many are worth.
    pub(super) fn effective(&self, samples: f64, design_effect: f64) -> f64 {
        samples.min(samples / design_effect * self.loss)
    }

    /// The lower end of the share. Where each request of several batches is bad, batches do not
    /// differ and no effect is estimated, so nothing is lost for that: an endpoint that is down is
    /// breached after seconds (Parker et al., *NCHS Data Presentation Standards for Proportions*,
    /// 2017, count all samples where the share is 0 or 1).
    pub(super) fn low(&self, samples: f64, bad: f64, design_effect: f64) -> f64 {
        if bad >= samples && samples > 0.0 && self.loss > 0.0 {
            let effective = samples / design_effect;
            return effective_share_interval(effective, effective, self.confidence).0;
        }
        self.ends(samples, bad, design_effect).0
    }

    /// The upper end of the share.
    pub(super) fn high(&self, samples: f64, bad: f64, design_effect: f64) -> f64 {
        self.ends(samples, bad, design_effect).1
    }

    fn ends(&self, samples: f64, bad: f64, design_effect: f64) -> (f64, f64) {
        let effective = self.effective(samples, design_effect);
        if effective <= 0.0 {
            return (0.0, 1.0);
        }
        effective_share_interval(bad / samples * effective, effective, self.confidence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interval::share_interval;

    #[test]
    fn an_effect_takes_samples_away() {
        let bounds = Bounds::new(40, 0.95);
        // (1.959964 / 2.022691)² of a tenth.
        assert!((bounds.effective(10_000.0, 10.0) - 938.94).abs() < 0.01);
        let (low, high) = (bounds.low(10_000.0, 100.0, 10.0), bounds.high(10_000.0, 100.0, 10.0));
        let (wide, narrow) = (share_interval(9, 900, 0.95), share_interval(100, 10_000, 0.95));
        assert!(wide.0 < low && low < narrow.0, "{low}");
        assert!(narrow.1 < high && high < wide.1, "{high}");
    }

    #[test]
    fn two_batches_of_nothing_but_bad_requests_are_enough() {
        let bounds = Bounds::new(2, 0.99);
        assert!(bounds.low(40.0, 40.0, 1.0) > 0.87, "0.005^(1/40)");
        assert!(bounds.low(40.0, 39.0, 1.0) < 0.01, "one right answer, and the batches may differ");
        assert!((bounds.high(40.0, 0.0, 1.0) - 1.0).abs() < 1e-9, "never a pass");
    }

    #[test]
    fn a_single_batch_says_nothing() {
        let bounds = Bounds::new(1, 0.95);
        assert_eq!((bounds.low(1e6, 1e6, 1.0), bounds.high(1e6, 0.0, 1.0)), (0.0, 1.0));
        let none = Bounds::new(40, 0.95);
        assert_eq!((none.low(0.0, 0.0, 1.0), none.high(0.0, 0.0, 1.0)), (0.0, 1.0));
    }
}
