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
//! so the true interval is wider than the one given here; compare runs by blocks, not by requests.
//!
//! The tails are summed term by term from the one nearest the middle outwards: the terms fall fast
//! enough to stop after a few standard deviations, and the incomplete beta function of the
//! statistics library loses its digits above some ten thousand samples.

use statrs::distribution::{Binomial, Discrete};

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
