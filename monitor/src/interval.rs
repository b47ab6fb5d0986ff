//! Confidence intervals of quantiles and shares, exact for every number of samples.
//!
//! A quantile's interval lies between two order statistics: of n samples, the number at or below
//! the true q-quantile is binomial(n, q), whatever the distribution of the samples (Conover,
//! *Practical Nonparametric Statistics*, section 3.2). The ranks follow from the binomial's tails;
//! no samples are needed, only their ranks in a histogram. Below a certain number of samples there
//! is no finite upper end: for p99 at 95 % confidence it is 368, since 0.99^367 > 0.025.
//! A share's interval is Clopper and Pearson's (1934): the binomial's tails solved for p.
//!
//! Limits: both assume that samples are independent. Requests that wait in the same queue are not,
//! so the true interval is wider than the one given here. [`effective_share_interval`] takes the
//! number of independent samples that they are worth instead, which need not be whole.
//!
//! For whole numbers the tails are summed term by term from the one nearest the middle outwards: the terms fall fast
//! enough to stop after a few standard deviations, and the incomplete beta function of the
//! statistics library loses its digits above some ten thousand samples.

mod beta;

use statrs::distribution::{Binomial, ContinuousCDF, Discrete, Normal};

/// The ranks, counted from 1, between whose samples the `quantile` of the population lies with at
/// least this `confidence`. A lower rank of 0 is no lower bound, an upper of n + 1 no upper bound.
pub fn quantile_ranks(samples: u64, quantile: f64, confidence: f64) -> (u64, u64) {
    let tail = (1.0 - confidence) / 2.0;
    let lower = lower_rank(samples, quantile, tail);
    let upper = samples + 1 - lower_rank(samples, 1.0 - quantile, tail);
    (lower, upper)
}

/// The interval in which the population's share lies with at least this `confidence`, after
/// `hits` of `samples`.
pub fn share_interval(hits: u64, samples: u64, confidence: f64) -> (f64, f64) {
    if samples == 0 {
        return (0.0, 1.0);
    }
    let tail = (1.0 - confidence) / 2.0;
    let high = upper_share(hits, samples, tail);
    let low = 1.0 - upper_share(samples - hits, samples, tail);
    (low.clamp(0.0, 1.0), high)
}

/// Clopper and Pearson's interval for numbers that need not be whole: `bad` of `samples` effective
/// ones. Each end is left out with half of 1 − `confidence`. Of no samples nothing is known.
pub fn effective_share_interval(bad: f64, samples: f64, confidence: f64) -> (f64, f64) {
    let (tail, good) = ((1.0 - confidence) / 2.0, samples - bad);
    let low = if bad > 0.0 { beta::quantile(tail, bad, good.max(0.0) + 1.0) } else { 0.0 };
    let high = if good > 0.0 { 1.0 - beta::quantile(tail, good, bad.max(0.0) + 1.0) } else { 1.0 };
    (low, high)
}

/// The z that a standard normal variable stays within, on both sides, with this `confidence`.
pub fn normal_quantile(confidence: f64) -> f64 {
    Normal::standard().inverse_cdf(f64::midpoint(1.0, confidence))
}

/// The t that Student's variable with so many degrees of freedom, whole or not, stays within, on
/// both sides, with this `confidence`.
pub fn student_quantile(degrees: f64, confidence: f64) -> f64 {
    // P(|T| > t) = I_x(ν/2, ½) with x = ν / (ν + t²).
    let x = beta::quantile(1.0 - confidence, degrees / 2.0, 0.5);
    (degrees * (1.0 - x) / x).sqrt()
}

/// The largest rank l with P(B ≤ l − 1) ≤ `tail`, B being binomial(n, p); 0 if there is none.
fn lower_rank(n: u64, p: f64, tail: f64) -> u64 {
    // The wanted rank is never above the mean by more than one, as the tail is below a half.
    let (mut fits, mut too_high) = (0, (n as f64 * p).ceil() as u64 + 2);
    while too_high - fits > 1 {
        let middle = fits + (too_high - fits) / 2;
        if lower_tail(n, p, middle - 1) <= tail {
            fits = middle;
        } else {
            too_high = middle;
        }
    }
    fits
}

/// The share p at which P(B ≤ k) = `tail`, by bisection: the probability falls as p grows.
fn upper_share(k: u64, n: u64, tail: f64) -> f64 {
    if k >= n {
        return 1.0;
    }
    let (mut low, mut high) = (k as f64 / n as f64, 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if lower_tail(n, middle, k) > tail {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// P(B ≤ k) for B binomial(n, p).
fn lower_tail(n: u64, p: f64, k: u64) -> f64 {
    if k >= n {
        return 1.0;
    }
    let mean = n as f64 * p;
    let binomial = Binomial::new(p, n).expect("p is a probability");
    let odds = (1.0 - p) / p;
    if k as f64 <= mean {
        // Downwards from k: P(i − 1) = P(i) · i / (n − i + 1) · (1 − p) / p.
        sum(binomial.pmf(k), (1..=k).rev(), |i| i as f64 / (n - i + 1) as f64 * odds)
    } else {
        // Upwards from k + 1, and the rest of one.
        let above = sum(binomial.pmf(k + 1), k + 1..n, |i| (n - i) as f64 / (i + 1) as f64 / odds);
        1.0 - above
    }
}

/// The sum of a falling series: the first term, and each next one by its ratio to the one before.
fn sum(first: f64, steps: impl Iterator<Item = u64>, ratio: impl Fn(u64) -> f64) -> f64 {
    let (mut term, mut total) = (first, first);
    for step in steps {
        term *= ratio(step);
        total += term;
        if term <= total * 1e-16 {
            break;
        }
    }
    total.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::RngExt;
    use rand_pcg::Pcg64;

    #[test]
    fn ranks_are_those_of_the_binomial() {
        // Summed by an independent program; the median's are in Conover's tables.
        let cases = [
            (5, 0.5, (0, 6)),
            (6, 0.5, (1, 6)),
            (10, 0.5, (2, 9)),
            (100, 0.5, (40, 61)),
            (367, 0.99, (359, 368)),
            (368, 0.99, (360, 368)),
            (1_000, 0.99, (983, 997)),
            (10_000, 0.99, (9_880, 9_920)),
        ];
        for (samples, quantile, ranks) in cases {
            assert_eq!(quantile_ranks(samples, quantile, 0.95), ranks, "{samples} {quantile}");
        }
        assert_eq!(quantile_ranks(0, 0.99, 0.95), (0, 1), "no samples, no bounds");
    }

    #[test]
    fn ranks_agree_with_mlperf_early_stopping() {
        // MLPerf LoadGen: queries needed for a percentile at 99 % (one-sided) with t of them over
        // the latency bound; then the upper rank lies t below the last.
        let table = [
            (0.90, [(0, 44), (1, 64), (2, 81), (5, 127), (10, 197), (100, 1_246)]),
            (0.95, [(0, 90), (1, 130), (2, 165), (5, 259), (10, 398), (100, 2_504)]),
            (0.99, [(0, 459), (1, 662), (2, 838), (5, 1_307), (10, 2_010), (100, 12_571)]),
            (
                0.999,
                [(0, 4_603), (1, 6_636), (2, 8_403), (5, 13_105), (10, 20_140), (100, 125_826)],
            ),
        ];
        for (quantile, rows) in table {
            for (over, needed) in rows {
                let enough = |n: u64| quantile_ranks(n, quantile, 0.98).1 <= n - over;
                assert!(enough(needed), "p{quantile}: {needed} with {over} over");
                assert!(!enough(needed - 1), "p{quantile}: {} with {over} over", needed - 1);
            }
        }
    }

    #[test]
    fn shares_are_clopper_and_pearsons() {
        let cases = [
            (0, 10, (0.0, 0.308_497)),
            (5, 10, (0.187_086, 0.812_914)),
            (10, 100, (0.049_005, 0.176_223)),
            (1, 1, (0.025, 1.0)),
            (0, 368, (0.0, 0.009_974)),
        ];
        for (hits, samples, (low, high)) in cases {
            let got = share_interval(hits, samples, 0.95);
            assert!((got.0 - low).abs() < 1e-6, "{hits} of {samples}: {got:?}");
            assert!((got.1 - high).abs() < 1e-6, "{hits} of {samples}: {got:?}");
        }
        assert_eq!(share_interval(0, 0, 0.95), (0.0, 1.0));
    }

    #[test]
    fn a_hundred_million_samples_keep_their_digits() {
        let (samples, quantile): (u64, f64) = (100_000_000, 0.99);
        let spread = 1.959_964 * (samples as f64 * quantile * (1.0 - quantile)).sqrt();
        let (low, high) = quantile_ranks(samples, quantile, 0.95);
        assert!((low as f64 - (99_000_000.0 - spread)).abs() < 3.0, "{low}");
        assert!((high as f64 - (99_000_000.0 + spread)).abs() < 3.0, "{high}");
        let (low, high) = share_interval(1_000_000, samples, 0.95);
        assert!((low - (0.01 - spread / 1e8)).abs() < 1e-7, "{low}");
        assert!((high - (0.01 + spread / 1e8)).abs() < 1e-7, "{high}");
    }

    #[test]
    fn quantiles_are_those_of_the_tables() {
        // NIST/SEMATECH e-Handbook, sections 1.3.6.7.1 and 1.3.6.7.2; more digits by an
        // independent program.
        let cases = [
            (1.0, 0.95, 12.706_204_736_174_7),
            (1.0, 0.99, 63.656_741_162_871_6),
            (7.0, 0.95, 2.364_624_251_592_79),
            (31.0, 0.99, 2.744_041_919_294_27),
            (62.0, 0.99, 2.657_478_564_951_16),
            (31.0, 0.999_9, 4.460_989_140_783_94),
        ];
        for (degrees, confidence, table) in cases {
            let got = student_quantile(degrees, confidence);
            assert!((got / table - 1.0).abs() < 1e-10, "{degrees} {confidence}: {got}");
        }
        assert!((normal_quantile(0.95) - 1.959_963_984_540_05).abs() < 1e-12);
        assert!((normal_quantile(0.99) - 2.575_829_303_548_9).abs() < 1e-12);
    }

    #[test]
    fn fractional_counts_lie_between_whole_ones() {
        let (low, high) = effective_share_interval(2.5, 140.25, 0.95);
        assert!(share_interval(2, 141, 0.95).0 < low && low < share_interval(3, 140, 0.95).0);
        assert!(share_interval(2, 141, 0.95).1 < high && high < share_interval(3, 140, 0.95).1);
        let (low, high) = effective_share_interval(0.0, 0.001, 0.99);
        assert!(low == 0.0 && high > 0.999_999, "a thousandth of a sample says nothing: {high}");
        assert_eq!(effective_share_interval(0.0, 0.0, 0.99), (0.0, 1.0));
        assert!(effective_share_interval(5.0, 5.0, 0.99).1 >= 1.0, "all are bad");
    }

    #[test]
    fn fractional_intervals_keep_their_digits_at_a_hundred_million() {
        for (bad, samples) in [(0, 100_000_000), (30, 100_000_000), (1_000_000, 100_000_000)] {
            let exact = share_interval(bad, samples, 0.99);
            let got = effective_share_interval(bad as f64, samples as f64, 0.99);
            assert!((got.0 - exact.0).abs() < 1e-10, "{bad}: {got:?}, not {exact:?}");
            assert!((got.1 - exact.1).abs() < 1e-10, "{bad}: {got:?}, not {exact:?}");
        }
    }

    /// In how many of 2,000 simulated runs of `samples` uniform numbers the interval of the
    /// quantile holds the true one, and the interval of the share below it the true share.
    fn coverage(samples: u64, quantile: f64) -> (f64, f64) {
        let mut random = Pcg64::new(7, u128::from(samples));
        let (ranks, runs) = (quantile_ranks(samples, quantile, 0.95), 2_000);
        let (mut held, mut share_held) = (0, 0);
        for _ in 0..runs {
            // The l-th smallest is at or below q if and only if at least l are.
            let below = (0..samples).filter(|_| random.random::<f64>() <= quantile).count() as u64;
            held += u32::from(ranks.0 <= below && below < ranks.1);
            let (low, high) = share_interval(below, samples, 0.95);
            share_held += u32::from(low <= quantile && quantile <= high);
        }
        (f64::from(held) / f64::from(runs), f64::from(share_held) / f64::from(runs))
    }

    #[test]
    fn intervals_hold_the_truth_as_often_as_they_say() {
        for (samples, quantile) in [(50, 0.5), (200, 0.9), (500, 0.99), (2_000, 0.99)] {
            let (held, share_held) = coverage(samples, quantile);
            // Three standard errors of 2,000 runs at 95 % are 1.5 %; ranks are whole numbers, so
            // the interval may hold more often than asked, by a few percent.
            for held in [held, share_held] {
                assert!((0.935..=0.995).contains(&held), "{samples} {quantile}: {held}");
            }
        }
    }

    proptest! {
        // For whole numbers the beta function says what the binomial's tails say.
        #[test]
        fn fractional_intervals_are_the_whole_ones_at_whole_numbers(
            samples in 1u64..50_000, part in 0.0f64..=1.0, confidence in 0.5f64..0.9999,
        ) {
            let hits = (samples as f64 * part) as u64;
            let exact = share_interval(hits, samples, confidence);
            let got = effective_share_interval(hits as f64, samples as f64, confidence);
            prop_assert!((got.0 - exact.0).abs() < 1e-9, "{:?} {:?}", got, exact);
            prop_assert!((got.1 - exact.1).abs() < 1e-9, "{:?} {:?}", got, exact);
        }

        // An interval holds the observed value, and a higher confidence never narrows it.
        #[test]
        fn intervals_hold_the_observed_value(
            samples in 1u64..20_000,
            part in 0.0f64..=1.0,
            quantile in 0.01f64..0.999,
        ) {
            let hits = (samples as f64 * part) as u64;
            let narrow = share_interval(hits, samples, 0.9);
            let wide = share_interval(hits, samples, 0.99);
            let observed = hits as f64 / samples as f64;
            prop_assert!(narrow.0 <= observed + 1e-12 && observed <= narrow.1 + 1e-12);
            prop_assert!(wide.0 <= narrow.0 && narrow.1 <= wide.1);
            let rank = plimsoll_domain::latencies::rank_of(quantile, samples);
            let narrow = quantile_ranks(samples, quantile, 0.9);
            let wide = quantile_ranks(samples, quantile, 0.99);
            prop_assert!(narrow.0 <= rank && rank <= narrow.1);
            prop_assert!(wide.0 <= narrow.0 && narrow.1 <= wide.1);
        }
    }
}
