//! Runs whose truth is known.

use std::time::Duration;

use plimsoll_domain::Latencies;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64;

use super::*;

/// A service that answers 200 independent requests a second.
#[derive(Clone, Copy)]
struct Service {
    seconds: u64,
    /// Of every latency, the median being 50 ms.
    factor: f64,
    /// The share of failures.
    failing: f64,
    /// The share of right answers that are late.
    late: f64,
}

const STEADY: Service = Service { seconds: 60, factor: 1.0, failing: 0.0, late: 0.0 };

impl Service {
    fn run(self, seed: u64) -> Run {
        let mut random = Pcg64::seed_from_u64(seed);
        let mut run = Run::new();
        for _ in 0..self.seconds {
            let (mut latencies, mut failed, mut late) = (Latencies::new(), 0, 0);
            for _ in 0..200 {
                let normal: f64 = StandardNormal.sample(&mut random);
                if random.random_bool(self.failing) {
                    failed += 1;
                    continue;
                }
                late += u64::from(random.random_bool(self.late));
                let took = 0.05 * self.factor * (0.5 * normal).exp();
                latencies.record(Duration::from_secs_f64(took));
            }
            let (response, length) = (latencies.sparse(), Duration::from_secs(1));
            let model = response.clone();
            run.add(&Second { length, response, failed, late, model });
        }
        run
    }

    /// Runs that differ from one another by so much.
    fn runs(self, count: u64, spread: f64, seed: u64) -> Vec<Run> {
        let mut random = Pcg64::seed_from_u64(seed);
        let run = |index| {
            let normal: f64 = StandardNormal.sample(&mut random);
            let factor = self.factor * (spread * normal).exp();
            Self { factor, ..self }.run(seed * 1_000 + index)
        };
        (0..count).map(run).collect()
    }
}

fn told(base: &[Run], new: &[Run], settings: &Settings) -> Comparison {
    compare(base, new, settings).expect("there is enough to compare")
}

fn one(base: Service, new: Service) -> Comparison {
    told(&[base.run(1)], &[new.run(2)], &Settings::default())
}

fn answer(comparison: &Comparison, metric: Metric) -> Finding {
    *comparison.findings.iter().find(|finding| finding.metric == metric).expect("it was judged")
}

#[test]
fn a_slower_build_has_regressed_and_a_faster_one_improved() {
    let slow = one(STEADY, Service { factor: 1.3, ..STEADY });
    assert_eq!(slow.answer, Answer::Regressed);
    assert_eq!(slow.unit.caveat(), Unit::Blocks.caveat());
    for metric in [Metric::P50, Metric::P95, Metric::P99, Metric::ModelTime] {
        let finding = answer(&slow, metric);
        assert_eq!(finding.answer, Answer::Regressed, "{finding:?}");
        let Effect { estimate, low, high } = finding.effect;
        assert!(low < 1.3 && 1.3 < high && low > 1.0 && estimate > 1.0, "{finding:?}");
    }
    assert_eq!(answer(&slow, Metric::ErrorRate).answer, Answer::NoChange);
    let fast = one(STEADY, Service { factor: 0.7, ..STEADY });
    assert_eq!(answer(&fast, Metric::P99).answer, Answer::Improved);
    assert!(fast.answer < Answer::Inconclusive);
}

#[test]
fn the_same_service_is_never_told_to_have_changed_and_mostly_told_to_be_the_same() {
    let longer = Service { seconds: 200, ..STEADY };
    let mut same = 0;
    for seed in 0..20 {
        let (base, new) = (longer.run(2 * seed + 10), longer.run(2 * seed + 11));
        let comparison = told(&[base], &[new], &Settings::default());
        for finding in &comparison.findings {
            let changed = [Answer::Regressed, Answer::Improved].contains(&finding.answer);
            assert!(!changed, "{finding:?}");
        }
        same += u64::from(answer(&comparison, Metric::P50).answer == Answer::NoChange);
    }
    assert!(same >= 18, "{same} of 20");
}

#[test]
fn an_open_answer_says_how_much_more_would_do() {
    let short = Service { seconds: 20, ..STEADY };
    let comparison = one(short, short);
    let finding = answer(&comparison, Metric::P99);
    assert_eq!((comparison.answer, finding.answer), (Answer::Inconclusive, Answer::Inconclusive));
    assert_eq!(comparison.base_units, 20);
    let needed = finding.needed.expect("it can be told");
    assert!((20..2_000).contains(&needed), "{finding:?}");
    // As much more as was said decides.
    let longer = Service { seconds: 20 + 2 * needed, ..STEADY };
    assert_eq!(answer(&one(longer, longer), Metric::P99).answer, Answer::NoChange);
    assert!(finding.smallest.expect("it can be told") > 0.05);
    assert_eq!(
        answer(&comparison, Metric::P50).needed.is_some(),
        answer(&comparison, Metric::P50).answer == Answer::Inconclusive
    );
}

#[test]
fn a_change_within_the_margin_is_none() {
    let (base, new) =
        (Service { seconds: 300, ..STEADY }, Service { seconds: 300, factor: 1.1, ..STEADY });
    let runs = ([base.run(1)], [new.run(2)]);
    let with = |margin| Settings { margins: vec![(Metric::P50, margin)], ..Settings::default() };
    let of = |margin| answer(&told(&runs.0, &runs.1, &with(margin)), Metric::P50);
    assert_eq!(of(0.05).answer, Answer::Regressed);
    assert!(of(0.2).adjusted_p < 1e-6, "the change is there all the same");
    assert_eq!(of(0.2).answer, Answer::NoChange);
}

#[test]
fn failures_are_compared_as_shares_and_make_percentiles_infinite() {
    let failing = Service { failing: 0.02, ..STEADY };
    let comparison = one(STEADY, failing);
    let errors = answer(&comparison, Metric::ErrorRate);
    assert_eq!((errors.answer, errors.scale), (Answer::Regressed, Scale::Difference));
    assert!(errors.effect.low > 0.0 && errors.effect.high < 0.05, "{errors:?}");
    assert!(comparison.not_judged.contains(&(Metric::P99, NotJudged::OneInfinite)));
    // Where the error rate is not asked, an infinite percentile still is no success.
    let settings = Settings { metrics: vec![Metric::P99, Metric::P50], ..Settings::default() };
    let alone = told(&[STEADY.run(1)], &[failing.run(2)], &settings);
    assert_eq!(alone.answer, Answer::Inconclusive);
    let both = one(failing, failing);
    assert!(both.not_judged.contains(&(Metric::P99, NotJudged::Infinite)));
}

#[test]
fn late_answers_are_goodput() {
    let late = Service { late: 0.1, ..STEADY };
    let finding = answer(&one(STEADY, late), Metric::Goodput);
    assert_eq!(finding.answer, Answer::Regressed);
    assert!((finding.effect.estimate + 0.1).abs() < 0.02, "{finding:?}");
    let comparison = one(STEADY, STEADY);
    assert!(comparison.not_judged.contains(&(Metric::Goodput, NotJudged::NothingLate)));
}

#[test]
fn runs_show_what_blocks_cannot() {
    // Each run is off by 3 %: blocks call that a change of p50, runs do not.
    let precise = Service { seconds: 30, ..STEADY };
    let (mut by_blocks, mut by_runs) = (0, 0);
    for seed in 0..10 {
        let base = precise.runs(5, 0.03, 2 * seed + 1);
        let new = precise.runs(5, 0.03, 2 * seed + 2);
        let p = |base: &[Run], new: &[Run]| {
            answer(&told(base, new, &Settings::default()), Metric::P50).p < 0.01
        };
        by_blocks += u32::from(p(&base[..1], &new[..1]));
        by_runs += u32::from(p(&base, &new));
    }
    assert!(by_blocks >= 3 && by_runs <= 1, "{by_blocks} {by_runs}");
    let base = precise.runs(8, 0.03, 91);
    let slow = Service { factor: 1.3, ..precise }.runs(8, 0.03, 92);
    let comparison = told(&base, &slow, &Settings::default());
    assert_eq!((comparison.unit, comparison.base_units), (Unit::Runs, 8));
    assert_eq!(answer(&comparison, Metric::P99).answer, Answer::Regressed);
    assert_eq!(comparison.unit.caveat(), None);
}

#[test]
fn pairs_take_a_drift_out() {
    // A machine that gets slower by 40 % over the night, and a build that is 10 % slower.
    let night = |factor: f64, seed: u64| -> Vec<Run> {
        let run = |index: u64| {
            let factor = factor * (1.0 + 0.05 * index as f64);
            Service { seconds: 10, factor, ..STEADY }.run(seed * 100 + index)
        };
        (0..8).map(run).collect()
    };
    let (base, new) = (night(1.0, 1), night(1.15, 2));
    let paired = Settings { paired: true, ..Settings::default() };
    let of = |settings: &Settings| answer(&told(&base, &new, settings), Metric::P50);
    assert_eq!(of(&paired).answer, Answer::Regressed);
    assert_eq!(of(&Settings::default()).answer, Answer::Inconclusive);
}

#[test]
fn copies_of_a_run_prove_nothing_about_failures() {
    let short = Service { seconds: 2, ..STEADY };
    let runs = [short.run(1), short.run(1), short.run(1)];
    let finding = answer(&told(&runs, &runs, &Settings::default()), Metric::ErrorRate);
    assert_eq!(finding.answer, Answer::Inconclusive, "{finding:?}");
}

#[test]
fn too_little_is_refused() {
    let (run, short) = (STEADY.run(1), Service { seconds: 5, ..STEADY }.run(2));
    let refused = |base: &[Run], new: &[Run], paired| {
        compare(base, new, &Settings { paired, ..Settings::default() }).expect_err("too little")
    };
    let one = std::slice::from_ref(&run);
    let two = [run.clone(), run.clone()];
    assert_eq!(refused(one, &[short], false), Refusal::Blocks { side: "new", blocks: 5 });
    assert_eq!(refused(&two, one, false), Refusal::Runs { base: 2, new: 1 });
    assert_eq!(refused(&two, &two, true), Refusal::Pairs { base: 2, new: 2 });
    let settings = Settings { metrics: vec![Metric::P999], ..Settings::default() };
    let nothing = compare(one, one, &settings).expect_err("12,000 requests are too few");
    assert!(nothing.to_string().contains("40000 are needed"), "{nothing}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    // What regresses one way improves the other way, by the same chance.
    #[test]
    fn sides_are_alike(seed in 0u64..1_000, factor in 0.7f64..1.4) {
        let service = Service { seconds: 30, failing: 0.005, ..STEADY };
        let (base, new) = ([service.run(seed)], [Service { factor, ..service }.run(seed + 5_000)]);
        let there = told(&base, &new, &Settings::default());
        let back = told(&new, &base, &Settings::default());
        for (one, other) in there.findings.iter().zip(&back.findings) {
            prop_assert!((one.p - other.p).abs() < 1e-9);
            let opposite = match one.answer {
                Answer::Regressed => Answer::Improved,
                Answer::Improved => Answer::Regressed,
                same => same,
            };
            prop_assert_eq!(other.answer, opposite);
        }
    }
}
