//! What the monitor costs per interval: one second of 500 requests, three objectives in windows.
//!
//! It runs once a second beside the load, so it has to stay far below one per cent of a core.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use plimsoll_domain::schedule::Profile;
use plimsoll_domain::{Key, Limits, Moment, Names, Outcome, Recorder, Sample, Snapshot, StageName};
use plimsoll_monitor::{DEFAULT_CONFIDENCE, Monitor, MonitorConfig, Objective, limits};
use rand::RngExt;
use rand_pcg::Pcg64;

const RATE: u64 = 500;

fn parse(objectives: &[&str]) -> Vec<Objective> {
    objectives.iter().map(|text| text.parse().expect("the objectives are valid")).collect()
}

/// Some seconds of right answers whose times spread over a decade.
fn seconds(objectives: &[&str], random: &mut Pcg64) -> Vec<Snapshot> {
    let limits = limits(&parse(objectives), []);
    (0..16).map(|_| second(&limits, random)).collect()
}

fn second(limits: &Limits, random: &mut Pcg64) -> Snapshot {
    let stage = StageName { name: "hold".to_owned(), warmup: false };
    let names = Names::new(vec![stage], vec!["score".to_owned()], []);
    let mut recorder = Recorder::new(names, limits.clone());
    for _ in 0..RATE {
        let key = Key::default();
        let due = Moment::from_nanos(0);
        let sent = due + Duration::from_micros(random.random_range(5..50));
        let done = sent + Duration::from_secs_f64(0.005 * 10_f64.powf(random.random()));
        let sample = Sample::new(due, done, Outcome::status(200));
        let sample = Sample { released: sent, sent, ..sample };
        recorder.offer(key);
        recorder.send(key);
        recorder.record(key, &sample);
    }
    recorder.take(0, Duration::ZERO, Duration::from_secs(1))
}

/// A monitor whose windows are full, and the index of the next snapshot.
fn warm(objectives: &[&str], seconds: &[Snapshot]) -> (Monitor, u64) {
    let mut monitor = Monitor::new(MonitorConfig {
        objectives: parse(objectives),
        alerts: Vec::new(),
        confidence: DEFAULT_CONFIDENCE,
        profile: Profile::hold(RATE as f64, Duration::from_hours(1000)),
    });
    let filled = 120;
    (0..filled).for_each(|index| drop(monitor.observe(&snapshot(index, seconds))));
    (monitor, filled)
}

fn snapshot(index: u64, seconds: &[Snapshot]) -> Snapshot {
    let (start, end) = (Duration::from_secs(index), Duration::from_secs(index + 1));
    let second = seconds[index as usize % seconds.len()].clone();
    Snapshot { index, start, end, ..second }
}

fn observe(criterion: &mut Criterion) {
    let mut random = Pcg64::new(1, 1);
    let cases: [(&str, &[&str]); 3] = [
        ("no objective", &[]),
        ("one over the run", &["p99 < 200ms"]),
        (
            "three in windows",
            &[
                "p99 < 200ms in every 10s",
                "error rate < 1% in every 10s",
                "goodput >= 95% within 200ms in every 1m",
            ],
        ),
    ];
    let mut group = criterion.benchmark_group("monitor/observe one second");
    for (name, objectives) in cases {
        let seconds = seconds(objectives, &mut random);
        let (mut monitor, mut index) = warm(objectives, &seconds);
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || {
                    index += 1;
                    snapshot(index - 1, &seconds)
                },
                |snapshot| (black_box(monitor.observe(&snapshot)), snapshot),
                criterion::BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn current(criterion: &mut Criterion) {
    let mut random = Pcg64::new(1, 2);
    let objectives = ["p99 < 200ms", "p99 < 200ms in every 10s"];
    let (monitor, _) = warm(&objectives, &seconds(&objectives, &mut random));
    criterion.bench_function("monitor/current", |bencher| {
        bencher.iter(|| black_box(monitor.current().len()));
    });
}

criterion_group!(monitor, observe, current);
criterion_main!(monitor);
