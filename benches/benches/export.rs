//! What an export costs: HDR histograms as exponential histograms, and the session's part of it.

use std::hint::black_box;
use std::time::{Duration, SystemTime};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use plimsoll_domain::{Key, Latencies, Snapshot};
use plimsoll_monitor::otlp::{Config, Exporter, Run, exponential};

/// Latencies from 1 ms to 1 s, evenly over the logarithm.
fn latencies(count: u32) -> Latencies {
    let mut latencies = Latencies::new();
    for n in 0..count {
        let seconds = 1e-3 * 1e3_f64.powf(f64::from(n) / f64::from(count));
        latencies.record(Duration::from_secs_f64(seconds));
    }
    latencies
}

/// The number of requests must not matter: only buckets are walked.
fn point(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hdr_to_exponential");
    for count in [1_000, 10_000, 100_000] {
        let latencies = latencies(count);
        group.bench_with_input(
            BenchmarkId::from_parameter(count),
            &latencies,
            |bencher, latencies| {
                bencher.iter(|| exponential::point(black_box(latencies)));
            },
        );
    }
    group.finish();
}

/// What the session pays for each snapshot, with a receiver that is not there.
fn interval(criterion: &mut Criterion) {
    let dead = |name: &str| (name == "OTEL_METRIC_EXPORT_INTERVAL").then(|| "1000".to_owned());
    let config = Config::resolve(Some("http://127.0.0.1:1"), &dead);
    let config = config.expect("the flag is right").expect("the flag asks for an export");
    let run = Run {
        id: "bench".to_owned(),
        scenario: "bench".to_owned(),
        version: "0".to_owned(),
        started: SystemTime::UNIX_EPOCH,
        method: "POST".to_owned(),
        server_address: "127.0.0.1".to_owned(),
        server_port: 80,
        extra: Vec::new(),
    };
    let exporter = Exporter::start(&config, run).expect("a thread can be started");
    let mut snapshot = Snapshot::default();
    let measured = snapshot.tallies.entry(Key::default()).or_default();
    (measured.offered, measured.sent) = (10_000, 10_000);
    for part in [&mut measured.response, &mut measured.service, &mut measured.model] {
        *part = latencies(10_000);
    }
    snapshot.lags.entry(0).or_default().send = latencies(10_000);
    criterion.bench_function("hand_over_a_snapshot", |bencher| {
        bencher.iter(|| exporter.interval(black_box(&snapshot)));
    });
    exporter.finish(Duration::from_millis(100));
}

criterion_group!(benches, point, interval);
criterion_main!(benches);
