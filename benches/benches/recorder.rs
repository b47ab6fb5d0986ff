//! What a finished request costs to record, and an interval to hand over.
//!
//! Recording is in the path of every request; handing over and merging happen once a second for
//! each worker. Neither depends on how many requests came before, and the last group shows it: what
//! an interval costs to merge after ten times the requests is the same. Prints the length of a
//! snapshot of ten requests and two deployments as text.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use plimsoll_domain::{
    Class, Key, Latency, Limit, Limits, Moment, Names, Outcome, Recorder, Sample, Snapshot,
    StageName,
};
use rand::RngExt;
use rand_pcg::Pcg64;

const COUNT: usize = 10_000;

const SECOND: Duration = Duration::from_secs(1);

/// Finished requests whose times spread over two decades.
fn samples(count: usize, outcome: Outcome, model: bool) -> Vec<Sample> {
    let mut random = Pcg64::new(1, 2);
    let one = |_| {
        let due = Moment::from_nanos(0);
        let released = due + Duration::from_micros(random.random_range(1..50));
        let handover = Duration::from_micros(random.random_range(0..5));
        let sent = released + Duration::from_micros(random.random_range(5..20));
        let done = sent + Duration::from_secs_f64(0.001 * 100_f64.powf(random.random()));
        let model_time = model.then(|| Duration::from_micros(500));
        Sample { released, handover, sent, model_time, ..Sample::new(due, done, outcome) }
    };
    (0..count).map(one).collect()
}

/// A recorder of one stage, so many requests, two deployments, and so many limits.
fn recorder(requests: u16, limits: u64) -> Recorder {
    let stage = StageName { name: "hold".to_owned(), warmup: false };
    let requests = (0..requests).map(|number| format!("request-{number}")).collect();
    let names = Names::new(vec![stage], requests, ["blue", "green"].map(str::to_owned));
    let limit = |ms| Limit { of: Latency::Response, at: Duration::from_millis(20 * ms) };
    Recorder::new(names, Limits::new((1..=limits).map(limit), None))
}

/// The key of the sample with this number.
fn key(number: usize, requests: u16) -> Key {
    let deployment = 1 + (number / 7 % 2) as u16;
    Key { stage: 0, request: (number % usize::from(requests)) as u16, deployment }
}

/// All that a request costs to record: that it is due, that it is sent, and how it ended.
fn pass(recorder: &mut Recorder, key: Key, sample: &Sample) {
    let asked = Key { deployment: 0, ..key };
    recorder.offer(asked);
    recorder.send(asked);
    recorder.record(key, black_box(sample));
}

fn interval(requests: u16, count: usize) -> Snapshot {
    let mut recorder = recorder(requests, 3);
    for (number, sample) in samples(count, Outcome::status(200), false).iter().enumerate() {
        pass(&mut recorder, key(number, requests), sample);
    }
    recorder.take(0, Duration::ZERO, SECOND)
}

fn record(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("record");
    group.throughput(Throughput::Elements(COUNT as u64));
    for (name, outcome, model, requests, limits) in [
        ("answered", Outcome::status(200), false, 1, 0),
        ("answered, three limits", Outcome::status(200), false, 1, 3),
        ("answered, ten requests", Outcome::status(200), false, 10, 0),
        ("answered with model time", Outcome::status(200), true, 1, 0),
        ("failed", Outcome::of(Class::Closed), false, 1, 0),
    ] {
        let samples = samples(COUNT, outcome, model);
        let mut recorder = recorder(requests, limits);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let numbered = samples.iter().enumerate();
                numbered.for_each(|(n, sample)| pass(&mut recorder, key(n, requests), sample));
            });
        });
    }
    group.finish();
}

fn hand_over(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hand over an interval");
    for count in [COUNT, 10 * COUNT] {
        let snapshot = interval(1, count);
        group.bench_function(format!("merge, {count} requests"), |bencher| {
            bencher.iter_batched_ref(
                || snapshot.clone(),
                |whole| whole.merge(black_box(&snapshot)),
                BatchSize::LargeInput,
            );
        });
    }
    let snapshot = interval(10, COUNT);
    let text = serde_json::to_vec(&snapshot).expect("it is serde");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function(format!("write as text, {} bytes", text.len()), |bencher| {
        bencher.iter(|| serde_json::to_vec(black_box(&snapshot)));
    });
    group.finish();
}

criterion_group!(benches, record, hand_over);
criterion_main!(benches);
