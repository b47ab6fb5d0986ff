//! What a finished request costs to record, and an interval to hand over.
//!
//! Recording is in the path of every request; swapping and merging happen once a second for each
//! worker. Neither depends on how many requests came before, and the last group shows it: what a
//! recorder costs to merge after ten times the requests is the same.

use std::hint::black_box;
use std::mem;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use plimsoll_domain::{Moment, Outcome, Sample, Tally, Transport};
use rand::RngExt;
use rand_pcg::Pcg64;

const COUNT: usize = 10_000;

/// Finished requests whose times spread over two decades.
fn samples(count: usize, outcome: Outcome, model: bool) -> Vec<Sample> {
    let mut random = Pcg64::new(1, 2);
    let one = |_| {
        let due = Moment::from_nanos(0);
        let released = due + Duration::from_micros(random.random_range(1..50));
        let sent = released + Duration::from_micros(random.random_range(1..20));
        let done = sent + Duration::from_secs_f64(0.001 * 100_f64.powf(random.random()));
        let model_time = model.then(|| Duration::from_micros(500));
        Sample { due, released, sent, done, outcome, model_time }
    };
    (0..count).map(one).collect()
}

fn filled(count: usize) -> Tally {
    let mut tally = Tally::default();
    for sample in samples(count, Outcome::Answered(200), false) {
        tally.record(&sample);
    }
    tally
}

fn record(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("record");
    group.throughput(Throughput::Elements(COUNT as u64));
    for (name, outcome, model) in [
        ("answered", Outcome::Answered(200), false),
        ("answered with model time", Outcome::Answered(200), true),
        ("failed", Outcome::Transport(Transport::Closed), false),
    ] {
        let samples = samples(COUNT, outcome, model);
        let mut tally = Tally::default();
        group.bench_function(name, |bencher| {
            bencher.iter(|| samples.iter().for_each(|sample| tally.record(black_box(sample))));
        });
    }
    group.finish();
}

fn hand_over(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hand over an interval");
    for count in [COUNT, 10 * COUNT] {
        let tally = filled(count);
        group.bench_function(format!("swap, {count} requests"), |bencher| {
            bencher.iter_batched_ref(
                || tally.clone(),
                |tally| mem::take(black_box(tally)),
                BatchSize::LargeInput,
            );
        });
        group.bench_function(format!("merge, {count} requests"), |bencher| {
            bencher.iter_batched_ref(
                || tally.clone(),
                |whole| whole.merge(black_box(&tally)),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, record, hand_over);
criterion_main!(benches);
