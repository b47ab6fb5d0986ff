//! What the monitor costs per interval: one second of 500 requests, three objectives in windows.
//!
//! It runs once a second beside the load, so it has to stay far below one per cent of a core.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use plimsoll_domain::{Moment, Outcome, Sample, Snapshot, Tally};
use plimsoll_monitor::{Monitor, MonitorConfig};
use rand::RngExt;
use rand_pcg::Pcg64;

const RATE: u64 = 500;

/// One second of right answers whose times spread over a decade.
fn measured(random: &mut Pcg64) -> Tally {
    let mut tally = Tally { offered: RATE, sent: RATE, ..Tally::default() };
    for _ in 0..RATE {
        let due = Moment::from_nanos(0);
        let sent = due + Duration::from_micros(random.random_range(5..50));
        let done = sent + Duration::from_secs_f64(0.005 * 10_f64.powf(random.random()));
        let outcome = Outcome::Answered(200);
        tally.record(&Sample { due, released: sent, sent, done, outcome, model_time: None });
    }
    tally
}

/// A monitor whose windows are full, and the index of the next snapshot.
fn warm(objectives: &[&str], seconds: &[Tally]) -> (Monitor, u64) {
    let parse = |text: &&str| text.parse().expect("the objectives are valid");
    let mut monitor = Monitor::new(MonitorConfig {
        objectives: objectives.iter().map(parse).collect(),
        alerts: Vec::new(),
        confidence: 0.95,
        measured: Duration::ZERO..Duration::from_hours(1000),
    });
    let filled = 120;
    (0..filled).for_each(|index| drop(monitor.observe(&snapshot(index, seconds))));
    (monitor, filled)
}

fn snapshot(index: u64, seconds: &[Tally]) -> Snapshot {
    let (start, end) = (Duration::from_secs(index), Duration::from_secs(index + 1));
    let measured = seconds[index as usize % seconds.len()].clone();
    Snapshot { index, start, end, measured, ..Snapshot::default() }
}

fn observe(criterion: &mut Criterion) {
    let mut random = Pcg64::new(1, 1);
    let seconds: Vec<Tally> = (0..16).map(|_| measured(&mut random)).collect();
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
    let seconds: Vec<Tally> = (0..16).map(|_| measured(&mut random)).collect();
    let (monitor, _) = warm(&["p99 < 200ms", "p99 < 200ms in every 10s"], &seconds);
    criterion.bench_function("monitor/current", |bencher| {
        bencher.iter(|| black_box(monitor.current().len()));
    });
}

criterion_group!(monitor, observe, current);
criterion_main!(monitor);
