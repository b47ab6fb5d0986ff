use std::time::Duration;

use plimsoll_domain::Latencies;
use proptest::prelude::*;
use rand::RngExt;
use rand_pcg::Pcg64;

use super::*;
use crate::batches::Batch;

const P99: Question = Question::Percentile { quantile: 0.99 };

fn millis(value: u64) -> Duration {
    Duration::from_millis(value)
}

/// One second in which requests ended after these milliseconds, none of them bad; `None` never got
/// a right answer.
fn second(latencies: &[Option<u64>]) -> Batch {
    let mut finite = Latencies::new();
    latencies.iter().flatten().for_each(|ms| finite.record(millis(*ms)));
    Batch {
        requests: latencies.len() as u64,
        bad: 0,
        ours: 0,
        infinite: latencies.iter().filter(|ms| ms.is_none()).count() as u64,
        finite: finite.sparse(),
        length: Duration::from_secs(1),
    }
}

/// A run of such seconds, judged by different limits.
struct Seconds(Vec<(Vec<Option<u64>>, Batch)>);

impl Seconds {
    fn new(seconds: Vec<Vec<Option<u64>>>) -> Self {
        Self(seconds.into_iter().map(|latencies| (latencies.clone(), second(&latencies))).collect())
    }

    /// Of which those that did not end within less than `limit` are bad.
    fn below(&self, limit: Duration) -> Batches {
        let mut batches = Batches::new();
        for (latencies, batch) in &self.0 {
            let good = |ms: &&Option<u64>| ms.is_some_and(|ms| millis(ms) < limit);
            let bad = batch.requests - latencies.iter().filter(good).count() as u64;
            batches.add(&Batch { bad, ..batch.clone() });
        }
        batches
    }
}

/// Seconds of `requests` bad ones of `of` each, without latencies.
fn counts(seconds: impl IntoIterator<Item = (u64, u64)>) -> Batches {
    let mut batches = Batches::new();
    for (bad, requests) in seconds {
        let length = Duration::from_secs(1);
        batches.add(&Batch { requests, bad, length, ..Batch::default() });
    }
    batches
}

/// Seconds of 200 independent requests of 1 to 1,000 ms, evenly.
fn independent(seconds: u64, seed: u64) -> Vec<Vec<Option<u64>>> {
    let mut random = Pcg64::new(u128::from(seed), 3);
    let mut one = |_| (0..200).map(|_| Some(random.random_range(1..=1_000))).collect();
    (0..seconds).map(&mut one).collect()
}

#[test]
fn independent_requests_are_decided_by_their_number() {
    let seconds = Seconds::new(independent(50, 1));
    let at = |limit| infer(&seconds.below(millis(limit)), P99, 0.99);
    assert_eq!(at(1_001).verdict, Verdict::Met, "none is bad");
    assert_eq!(at(995).verdict, Verdict::Met, "0.6 % are bad");
    assert_eq!(at(985).verdict, Verdict::Breached, "1.6 % are bad");
    let close = at(991);
    assert_eq!(
        (close.verdict, close.undecided),
        (Verdict::Inconclusive, Some(Undecided::TooClose))
    );
    assert!(close.design_effect < 2.0 && close.batches == 50 && !close.weak, "{close:?}");
    assert!(close.needed.is_none_or(|times| times > 2.0), "{close:?}");
}

#[test]
fn a_queue_makes_requests_worth_less() {
    // Every tenth second is slow as a whole: its requests are one event, not 200.
    let seconds: Vec<_> =
        (0..60).map(|i| vec![Some(if i % 10 == 3 { 300 } else { 20 }); 200]).collect();
    let got = infer(
        &Seconds::new(seconds).below(millis(100)),
        Question::Percentile { quantile: 0.8 },
        0.95,
    );
    // Six clusters of slow requests; an effect of 200 · 60 / 59.
    assert!((190.0..210.0).contains(&got.design_effect), "{got:?}");
    assert!(got.effective_samples < 60.0, "{got:?}");
    assert_eq!(got.verdict, Verdict::Inconclusive, "10 % bad of 60 are not surely below 20 %");
    let Interval::Latency(Quantile::Finite(low), high) = got.interval else { panic!("{got:?}") };
    assert!((millis(20)..millis(21)).contains(&low), "{low:?}");
    assert_eq!(high, told(300));
}

fn told(ms: u64) -> Quantile {
    let mut latencies = Latencies::new();
    latencies.record(millis(ms));
    latencies.at_rank(1)
}

#[test]
fn the_reason_says_what_is_missing() {
    let good = |seconds: usize, requests: u64| counts(vec![(0, requests); seconds]);
    let reason = |batches: &Batches| infer(batches, P99, 0.99).undecided;
    assert_eq!(reason(&good(40, 10)), Some(Undecided::TooFew), "400 requests");
    assert_eq!(reason(&good(40, 40)), None);
    assert_eq!(reason(&Batches::new()), Some(Undecided::TooFew));
    let short = Undecided::TooShort { effective_batches: 4.0, lengths: 2.0 };
    assert_eq!(reason(&good(4, 10_000)), Some(short));
    // Slow for half of the run: its own correlation is as long as the run.
    let half = counts((0..40).map(|i| (if i < 20 { 8 } else { 0 }, 1_000)));
    let Some(Undecided::TooShort { effective_batches, lengths }) = reason(&half) else {
        panic!("not {:?}", reason(&half));
    };
    assert!(effective_batches < 8.0 && (lengths * effective_batches - 8.0).abs() < 1e-9);
    // Seldom, but then all at once.
    let clustered = counts((0..40).map(|i| (if i % 16 == 5 { 100 } else { 0 }, 1_000)));
    assert_eq!(reason(&clustered), Some(Undecided::TooFew), "worth some 300");
}

#[test]
fn an_overload_breaches_though_its_batches_correlate() {
    // The share of slow requests grows from second to second.
    let drift = counts((0..40).map(|i| (i * 10, 1_000)));
    let got = infer(&drift, P99, 0.99);
    assert_eq!((got.verdict, got.correlation), (Verdict::Breached, 0.9));
    assert!(got.weak && got.effective_batches < 8.0, "{got:?}");
}

#[test]
fn few_batches_still_breach_and_never_meet() {
    let bad = counts([(150, 200), (140, 200), (160, 200), (150, 200), (155, 200)]);
    assert_eq!(infer(&bad, P99, 0.99).verdict, Verdict::Breached);
    let good = counts([(0, 100_000); 7]);
    assert_eq!(infer(&good, P99, 0.99).verdict, Verdict::Inconclusive);
    assert_eq!(infer(&counts([(200, 200)]), P99, 0.99).verdict, Verdict::Inconclusive);
}

#[test]
fn met_says_which_clumps_it_withstands() {
    // Nothing bad: n p₀ / −ln(α / 2), less what 40 batches cost.
    let got = infer(&counts([(0, 500); 40]), P99, 0.95);
    let expected = 20_000.0 * 0.01 / 3.689 * (1.959_964_f64 / 2.022_691).powi(2);
    let clumps = got.clumps.expect("met");
    assert!((clumps / expected - 1.0).abs() < 0.01, "{clumps}, not {expected}");
    // The same share of failures as of slow requests, but failures come in clumps.
    let few = counts([(0, 30); 40]);
    assert_eq!(infer(&few, P99, 0.95).verdict, Verdict::Met);
    let error_rate = infer(&few, Question::ErrorRate { limit: 0.01 }, 0.95);
    assert_eq!(error_rate.undecided, Some(Undecided::TooFew));
    let times = error_rate.needed.expect("four times the independent number");
    assert!((1.0..2.0).contains(&times), "{times}");
}

#[test]
fn shares_are_told_in_their_own_terms() {
    let batches = counts((0..40).map(|i| (i % 3, 100)));
    let Interval::Share(low, high) =
        infer(&batches, Question::ErrorRate { limit: 0.05 }, 0.95).interval
    else {
        panic!("an error rate is a share");
    };
    let Interval::Share(least, most) =
        infer(&batches, Question::Goodput { least: 0.95 }, 0.95).interval
    else {
        panic!("goodput is a share");
    };
    assert!(low < 0.0098 && 0.0098 < high && high < 0.05, "{low} {high}");
    assert!((least + most + low - 2.0 + 0.0098).abs() < 0.01 && least > 0.95, "{least} {most}");
    assert!((most - (1.0 - low)).abs() < 1e-12, "breaching needs no clumps");
}

#[test]
fn what_is_needed_does() {
    let make = |times: u64| counts((0..40 * times).map(|i| (u64::from(i % 2 == 0), 125)));
    let short = infer(&make(1), Question::Percentile { quantile: 0.994 }, 0.99);
    let times = short.needed.expect("undecided");
    assert!(times > 1.0, "{short:?}");
    let longer =
        infer(&make(times.ceil() as u64 + 1), Question::Percentile { quantile: 0.994 }, 0.99);
    assert_eq!(longer.verdict, Verdict::Met);
    assert_eq!((longer.needed, longer.undecided), (None, None));
    let hit = infer(&counts([(1, 100); 40]), P99, 0.99);
    assert_eq!(hit.needed, None, "exactly at the limit no length decides");
}

#[test]
fn failures_make_a_percentile_infinite() {
    let seconds: Vec<Vec<_>> = (0..40)
        .map(|i| (0..200).map(|j| (j != i % 3).then_some(if j == 9 { 20 } else { 10 })).collect())
        .collect();
    let below = Seconds::new(seconds).below(millis(100));
    let got = infer(&below, Question::Percentile { quantile: 0.999 }, 0.99);
    assert_eq!(got.verdict, Verdict::Breached);
    assert_eq!(got.interval, Interval::Latency(Quantile::Infinite, Quantile::Infinite));
    let got = infer(&below, Question::Percentile { quantile: 0.5 }, 0.99);
    let Interval::Latency(low, high) = got.interval else { panic!("{got:?}") };
    assert_eq!(low, high, "nearly all are alike");
}

#[test]
fn rates_have_students_interval() {
    let at_least = |threshold| Question::PerSecond { comparison: Comparison::AtLeast, threshold };
    let batches = counts((0..40).map(|i| (0, if i % 2 == 0 { 90 } else { 110 })));
    let got = infer(&batches, at_least(95.0), 0.95);
    let Interval::PerSecond(low, high) = got.interval else { panic!("a rate") };
    // t(39) · 10 · √(40 / 39) / √40.
    let half = 2.022_691 * 10.0 / 39f64.sqrt();
    assert!((low - (100.0 - half)).abs() < 1e-5 && (high - (100.0 + half)).abs() < 1e-5);
    assert_eq!((got.verdict, got.batches, got.weak), (Verdict::Met, 40, false));
    assert_eq!(infer(&batches, at_least(104.0), 0.95).verdict, Verdict::Breached);
    let close = infer(&batches, at_least(99.0), 0.95);
    assert_eq!(
        (close.verdict, close.undecided),
        (Verdict::Inconclusive, Some(Undecided::TooClose))
    );
    assert!((close.needed.expect("undecided") - half * half).abs() < 1e-4);
    let silent = counts([(0, 0); 10]);
    assert_eq!(infer(&silent, at_least(1.0), 0.95).verdict, Verdict::Breached);
    let short = infer(&counts([(0, 100); 7]), at_least(90.0), 0.95);
    assert!(matches!(short.undecided, Some(Undecided::TooShort { .. })), "{short:?}");
    let even = Question::PerSecond { comparison: Comparison::Above, threshold: 100.0 };
    assert_eq!(infer(&counts([(0, 100); 9]), even, 0.95).verdict, Verdict::Breached);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    // The interval holds the pooled percentile; a threshold just above its upper end would have
    // been met, and one just above its lower end would not have been breached. More confidence
    // never decides what less did not.
    #[test]
    fn the_interval_is_the_verdict_inverted(
        seed in any::<u64>(), seconds in 8u64..80, quantile in 0.3f64..0.99, spread in 0.0f64..1.0,
    ) {
        let mut random = Pcg64::new(u128::from(seed), 9);
        let mut level = 0.0f64;
        let run_of: Vec<Vec<Option<u64>>> = (0..seconds).map(|_| {
            level = 0.6 * level + spread * (random.random::<f64>() - 0.5);
            (0..30).map(|_| {
                let value = 400.0 * (level + random.random::<f64>()).exp();
                random.random_bool(0.99).then_some(value as u64)
            }).collect()
        }).collect();
        let question = Question::Percentile { quantile };
        let seconds = Seconds::new(run_of.clone());
        let at = |limit: Duration| infer(&seconds.below(limit), question, 0.9);
        let Interval::Latency(low, high) = at(millis(1)).interval else { panic!("a percentile") };
        let mut all: Vec<u64> =
            run_of.iter().flatten().map(|ms| ms.unwrap_or(u64::MAX)).collect();
        all.sort_unstable();
        let rank = plimsoll_domain::latencies::rank_of(quantile, all.len() as u64);
        let value = all[rank as usize - 1];
        if let Quantile::Finite(low) = low {
            prop_assert!(value == u64::MAX || low <= millis(value).mul_f64(1.001));
            let just_above = low.mul_f64(1.0 + 1e-9) + Duration::from_nanos(1);
            prop_assert!(at(just_above).verdict != Verdict::Breached);
        }
        if let Quantile::Finite(high) = high {
            prop_assert!(value != u64::MAX && millis(value) <= high.mul_f64(1.001));
            let just_above = high.mul_f64(1.0 + 1e-9) + Duration::from_nanos(1);
            prop_assert_eq!(at(just_above).verdict, Verdict::Met);
            let decided = infer(&seconds.below(high), question, 0.99).verdict;
            prop_assert!(decided == Verdict::Inconclusive || decided == at(high).verdict);
        }
    }
}
