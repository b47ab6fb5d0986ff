//! What comparisons of a build with itself say of a machine: how often it cries wolf, and how small a
//! change it sees.
//!
//! The interval of the rate is Clopper and Pearson's (1934): exact, and honest of few runs: none of 10
//! is anything up to 31 %.
//!
//! The smallest change is the median over the runs of what each could have seen four times in five:
//! it must be beyond chance and, as only such changes are told, beyond the margin. Beside it stands the
//! largest change that was measured where there is none: what lies above it is more than this machine
//! ever made up.

use plimsoll_monitor::interval::{normal_quantile, share_interval};
use serde::Serialize;

use crate::compare::{Answer, Comparison, Finding, Metric, Scale};

/// z of a chance of four in five.
const FOUR_IN_FIVE: f64 = 0.841_621;
/// Of the rate's interval.
const CONFIDENCE: f64 = 0.95;

/// What comparisons of a build with itself say of a machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    /// Comparisons that count.
    pub runs: u64,
    /// Of these, the ones that told any change.
    pub false_alarms: u64,
    /// The share of false alarms.
    pub rate: f64,
    /// The ends of its 95 % interval.
    pub interval: [f64; 2],
    /// The share of false alarms that was accepted: one minus the confidence.
    pub accepted: f64,
    /// Each metric that was judged at least once.
    pub metrics: Vec<OfMetric>,
}

/// The same of one metric.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct OfMetric {
    /// Which.
    pub metric: Metric,
    /// How changes are told: as a share of the base, or as a difference of shares.
    pub scale: Scale,
    /// Comparisons in which it was judged.
    pub runs: u64,
    /// Of these, the ones that told a change.
    pub false_alarms: u64,
    /// The largest change that was measured, up or down.
    pub largest: f64,
    /// The smallest change that is told four times in five; `null` if that cannot be said.
    pub smallest: Option<f64>,
}

impl Calibration {
    /// Of comparisons that asked for the same; `None` of none.
    pub fn of(comparisons: &[Comparison]) -> Option<Self> {
        let accepted = 1.0 - comparisons.first()?.confidence;
        let runs = comparisons.len() as u64;
        let has_alarm = |one: &&Comparison| one.findings.iter().any(is_alarm);
        let false_alarms = comparisons.iter().filter(has_alarm).count() as u64;
        let (low, high) = share_interval(false_alarms, runs, CONFIDENCE);
        let metrics = Metric::ALL.into_iter().filter_map(|metric| of_metric(metric, comparisons));
        Some(Self {
            runs,
            false_alarms,
            rate: false_alarms as f64 / runs as f64,
            interval: [low, high],
            accepted,
            metrics: metrics.collect(),
        })
    }

    /// Whether it cries wolf more often than was accepted, beyond chance.
    pub fn is_too_often(&self) -> bool {
        self.interval[0] > self.accepted
    }
}

/// Whether a change is told, which of a build and itself is a false alarm.
pub fn is_alarm(finding: &Finding) -> bool {
    matches!(finding.answer, Answer::Regressed | Answer::Improved)
}

fn of_metric(metric: Metric, comparisons: &[Comparison]) -> Option<OfMetric> {
    let all = comparisons.iter().flat_map(|one| {
        let own = one.findings.iter().filter(move |finding| finding.metric == metric);
        own.map(|finding| (finding, 1.0 - one.confidence))
    });
    let all: Vec<(&Finding, f64)> = all.collect();
    let (first, _) = all.first()?;
    let far = |finding: &Finding| match finding.scale {
        Scale::Ratio => finding.effect.estimate.max(1.0 / finding.effect.estimate) - 1.0,
        Scale::Difference => finding.effect.estimate.abs(),
    };
    let mut smallest: Vec<f64> =
        all.iter().map(|(finding, alpha)| told(finding, *alpha).unwrap_or(f64::INFINITY)).collect();
    smallest.sort_by(f64::total_cmp);
    let median = smallest[smallest.len() / 2];
    Some(OfMetric {
        metric,
        scale: first.scale,
        runs: all.len() as u64,
        false_alarms: all.iter().filter(|(finding, _)| is_alarm(finding)).count() as u64,
        largest: all.iter().map(|(finding, _)| far(finding)).fold(0.0, f64::max),
        smallest: median.is_finite().then_some(median),
    })
}

/// The smallest change that is told four times in five: what must be passed, chance or the margin,
/// and 0.84 standard errors more.
fn told(finding: &Finding, alpha: f64) -> Option<f64> {
    let scaled = |value: f64| if finding.scale == Scale::Ratio { value.ln_1p() } else { value };
    let z = normal_quantile(1.0 - alpha);
    let error = scaled(finding.smallest?) / (z + FOUR_IN_FIVE);
    let told = (z * error).max(scaled(finding.margin)) + FOUR_IN_FIVE * error;
    Some(if finding.scale == Scale::Ratio { told.exp_m1() } else { told })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{Effect, Unit};

    fn comparison(estimate: f64, answer: Answer, smallest: f64) -> Comparison {
        let finding = Finding {
            metric: Metric::P99,
            answer,
            base: 10.0,
            new: 10.0 * estimate,
            scale: Scale::Ratio,
            effect: Effect { estimate, low: 0.5, high: 2.0 },
            margin: 0.05,
            p: 0.5,
            adjusted_p: 0.5,
            smallest: Some(smallest),
            needed: None,
        };
        Comparison {
            unit: Unit::Pairs,
            base_units: 12,
            new_units: 12,
            unit_s: 10.0,
            confidence: 0.99,
            answer,
            findings: vec![finding],
            not_judged: Vec::new(),
        }
    }

    #[test]
    fn rate_interval_and_extremes() {
        let mut all: Vec<_> = (0..9)
            .map(|index| comparison(1.02, Answer::NoChange, 0.1 + 0.01 * f64::from(index)))
            .collect();
        all.push(comparison(0.8, Answer::Improved, 0.1));
        let told = Calibration::of(&all).unwrap();
        assert_eq!((told.runs, told.false_alarms), (10, 1));
        // R: binom.test(1, 10)$conf.int is 0.0025286 to 0.4450161.
        assert!((told.interval[0] - 0.002_528_6).abs() < 1e-6, "{told:?}");
        assert!((told.interval[1] - 0.445_016_1).abs() < 1e-6, "{told:?}");
        assert!(!told.is_too_often(), "one of ten may be chance");
        let p99 = told.metrics[0];
        assert!((p99.largest - 0.25).abs() < 1e-12, "0.8 is as far as 1.25: {p99:?}");
        assert!((p99.smallest.unwrap() - 0.14).abs() < 1e-9, "beyond the margin as it is: {p99:?}");
        all.extend((0..3).map(|_| comparison(1.3, Answer::Regressed, 0.1)));
        assert!(Calibration::of(&all).unwrap().is_too_often());
        assert_eq!(Calibration::of(&[]), None);
    }

    #[test]
    fn where_little_varies_the_margin_is_what_must_be_passed() {
        let told = Calibration::of(&[comparison(1.0, Answer::NoChange, 0.001)]).unwrap();
        let smallest = told.metrics[0].smallest.unwrap();
        assert!(smallest > 0.05 && smallest < 0.051, "{smallest}");
    }
}
