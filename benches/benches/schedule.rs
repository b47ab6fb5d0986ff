//! What one arrival costs: the schedule is walked by every worker beside its requests, so it has to
//! stay far below the few microseconds that a request takes.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use plimsoll_domain::schedule::{ArrivalProcess, Arrivals, Mix, Profile, Stage};

/// About 100,000 arrivals.
const COUNT: u64 = 100_000;

fn profiles() -> [(&'static str, Profile); 2] {
    let ten = Duration::from_secs(10);
    [
        ("hold", Profile::hold(10_000.0, ten)),
        ("ramp", Profile::new(vec![Stage::ramp("up", 0.0, 20_000.0, ten)])),
    ]
}

fn arrivals(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("arrivals");
    group.throughput(Throughput::Elements(COUNT));
    for (shape, profile) in profiles() {
        for process in [ArrivalProcess::Constant, ArrivalProcess::Poisson] {
            group.bench_function(format!("{shape}, {process:?}"), |bencher| {
                bencher.iter(|| {
                    let arrivals = Arrivals::new(black_box(&profile), process, &Mix::default(), 1);
                    arrivals.map(|arrival| arrival.due).max()
                });
            });
        }
    }
    group.finish();
}

/// A worker skips the arrivals of the others: what that costs per arrival of the whole run.
fn shards(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("one shard of eight");
    group.throughput(Throughput::Elements(COUNT));
    for (shape, profile) in profiles() {
        let arrivals =
            Arrivals::new(&profile, ArrivalProcess::Poisson, &Mix::default(), 1).shard(3, 8);
        group.bench_function(shape, |bencher| {
            bencher.iter(|| black_box(&arrivals).clone().map(|arrival| arrival.due).max());
        });
    }
    group.finish();
}

criterion_group!(benches, arrivals, shards);
criterion_main!(benches);
