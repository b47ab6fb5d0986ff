//! Runs made of seeded random latencies, written through the same door as real ones.

use std::path::Path;
use std::time::{Duration, SystemTime};

use plimsoll_domain::{Moment, Outcome, Sample, Snapshot, Tally, Transport};
use plimsoll_monitor::{Comparison, Unit, Verdict};
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, LogNormal};
use rand_pcg::Pcg64;

use crate::results::summary::{
    Deployment, Interval, ObjectiveResult, Quota, QuotaFamily, Run, ScenarioName, Series, Summary,
    WarmupCounts, Windows,
};
use crate::results::{Event, EventKind, Header, IntervalInfo, Phase, Results};

/// What a synthetic run is like.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) name: String,
    pub(crate) seconds: u64,
    pub(crate) warmup: u64,
    pub(crate) rps: u64,
    /// The server answers nothing in the first so many milliseconds of every fifth second.
    pub(crate) stall_ms: u64,
    /// Seconds in which a tenth of the requests fail.
    pub(crate) bad: std::ops::Range<u64>,
}

impl Shape {
    pub(crate) fn small(name: &str) -> Self {
        Self { name: name.to_owned(), seconds: 12, warmup: 2, rps: 200, stall_ms: 0, bad: 0..0 }
    }
}

/// The intervals of a run, and everything measured in it.
pub(crate) fn snapshots(shape: &Shape) -> (Vec<Snapshot>, Tally) {
    let mut random = Pcg64::seed_from_u64(7);
    let service = LogNormal::new(2.2f64, 0.45).expect("the parameters are finite");
    let mut total = Tally::default();
    let mut all = Vec::new();
    for second in 0..shape.seconds {
        let mut tally = Tally::default();
        for index in 0..shape.rps {
            tally.offered += 1;
            let due = Duration::from_nanos(index * 1_000_000_000 / shape.rps);
            let stall = Duration::from_millis(if second % 5 == 4 { shape.stall_ms } else { 0 });
            let wait = stall.saturating_sub(due);
            let fails = shape.bad.contains(&second) && random.random_range(0..10) == 0;
            if fails && random.random_range(0..8) == 0 {
                tally.drop_one();
                continue;
            }
            let outcome = match random.random_range(0..3) {
                _ if !fails => Outcome::Answered(200),
                0 => Outcome::Answered(424),
                1 => Outcome::Timeout,
                _ => Outcome::Transport(Transport::Closed),
            };
            tally.sent += 1;
            let due = Moment::from_nanos(1_000_000_000) + due;
            let released = due + Duration::from_micros(random.random_range(15..60));
            let sent = released + wait + Duration::from_micros(random.random_range(8..30));
            let took = Duration::from_micros((service.sample(&mut random) * 1e3) as u64);
            let model_time = outcome.is_ok().then(|| took * 7 / 10);
            tally.record(&Sample { due, released, sent, done: sent + took, outcome, model_time });
        }
        let mut snapshot = Snapshot {
            index: second,
            start: Duration::from_secs(second),
            end: Duration::from_secs(second + 1),
            ..Snapshot::default()
        };
        snapshot.generator.connections = 20 + second % 7;
        snapshot.generator.connections_opened = u64::from(second == 0) * 20;
        snapshot.generator.in_flight = random.random_range(1..18);
        snapshot.generator.cpu_cores = Some(0.2 + random.random_range(0.0..0.1));
        snapshot.generator.cpu_wait = Some(0.01);
        if shape.bad.contains(&second) {
            let message = "connection closed before message completed".to_owned();
            snapshot.generator.examples.insert(Transport::Closed, message);
        }
        if second < shape.warmup {
            snapshot.warmup = tally;
        } else {
            total.merge(&tally);
            snapshot.measured = tally;
        }
        all.push(snapshot);
    }
    (all, total)
}

/// What is known before the run.
pub(crate) fn header(shape: &Shape) -> Header {
    Header {
        run: Run {
            id: "5f0c9a52".to_owned(),
            version: "0.1.0".to_owned(),
            command: format!("plimsoll run scenarios/{} --seed 7", shape.name),
            target: Some("http://127.0.0.1:40123/score".to_owned()),
            ..Run::default()
        },
        scenario: ScenarioName { name: shape.name.clone(), seed: 7 },
        started: SystemTime::UNIX_EPOCH + Duration::from_mins(29_923_420),
    }
}

/// Writes the run as it goes, and gives its last summary.
pub(crate) fn write_run(dir: &Path, shape: &Shape) -> (Results, Summary) {
    let mut results = Results::create(dir, header(shape)).expect("the folder is free");
    let (snapshots, total) = snapshots(shape);
    let mut run = header(shape).run;
    run.started = "2026-11-23T03:40:00Z".to_owned();
    let mut summary = Summary::begun(run, header(shape).scenario);
    results.event(&Event::new(-1.8, EventKind::Deployment, "blue is ready: 2 instances"));
    results.begin(header(shape).started);
    let mut warmup = Tally::default();
    for snapshot in &snapshots {
        let warm = snapshot.index < shape.warmup;
        if snapshot.index == shape.warmup {
            results.event(&Event::new(shape.warmup as f64, EventKind::Phase, "warm-up → hold"));
        }
        if shape.bad.start == snapshot.index && !shape.bad.is_empty() {
            let text = "alert error-rate: pending → firing (9.8 %, threshold 1 %)";
            results.event(&Event::new(snapshot.index as f64, EventKind::Alert, text));
        }
        let info = IntervalInfo {
            phase: if warm { Phase::Warmup } else { Phase::Measured },
            stage: if warm { "warm-up" } else { "hold" }.to_owned(),
            target_rps: shape.rps as f64,
            instances: Some(2),
        };
        warmup.merge(&snapshot.warmup);
        summary.generator.observe(&snapshot.generator);
        results.interval(snapshot, &snapshot.all(), &info);
    }
    let good = total.good(Duration::from_millis(200));
    summary.measure(&total, good, Duration::from_secs(shape.seconds - shape.warmup));
    summary.warmup = WarmupCounts::new(&warmup);
    summary.generator.set_release_lag(&total.release_lag);
    summary.deployments = vec![Deployment {
        name: "blue".to_owned(),
        instance_type: "Standard_DS3_v2".to_owned(),
        instance_count: 2,
        runtime: "builtin".to_owned(),
        traffic_percent: Some(100),
    }];
    summary.quota = Some(Quota {
        region: "westeurope".to_owned(),
        fits: Some(true),
        families: vec![QuotaFamily {
            family: "Standard DSv2 Family".to_owned(),
            instances: 2,
            reserved_instances: 3,
            vcpus: 12,
            used: Some(8),
            limit: Some(100),
        }],
    });
    summary.objectives = objectives(&summary, good);
    if shape.rps >= 500 && shape.stall_ms == 0 {
        summary.objectives.retain(|o| o.verdict == Verdict::Met);
    }
    results.summary(&summary);
    summary.run.complete = true;
    let any = |verdict| summary.objectives.iter().any(|o| o.verdict == verdict);
    let (verdict, code) = match () {
        () if any(Verdict::Breached) => (Verdict::Breached, 3),
        () if any(Verdict::Inconclusive) => (Verdict::Inconclusive, 4),
        () => (Verdict::Met, 0),
    };
    summary.verdict = Some(verdict);
    summary.exit_code = Some(code);
    (results, summary)
}

fn objectives(summary: &Summary, good: u64) -> Vec<ObjectiveResult> {
    let response = &summary.latency_ms.response;
    let ended = response.count + response.infinite;
    let near =
        |value: f64, by: f64| Some(Interval(Some(value * (1.0 - by)), Some(value * (1.0 + by))));
    let judge = |holds: bool| if holds { Verdict::Met } else { Verdict::Breached };
    let p99 = response.p99;
    let errors = response.infinite as f64 / ended as f64 * 100.0;
    let goodput = good as f64 / ended as f64 * 100.0;
    let base = ObjectiveResult {
        name: "p99 < 200ms".to_owned(),
        verdict: judge(p99.is_some_and(|p99| p99 < 200.0)),
        value: p99,
        comparison: Comparison::Below,
        threshold: 200.0,
        unit: Unit::Milliseconds,
        interval: p99.map_or(Some(Interval(Some(190.0), None)), |p99| near(p99, 0.06)),
        samples: ended,
        samples_needed: None,
        windows: None,
        of: Series::Response,
        quantile: Some(0.99),
    };
    vec![
        ObjectiveResult {
            name: "error rate < 1%".to_owned(),
            verdict: judge(errors < 1.0),
            value: Some(errors),
            threshold: 1.0,
            unit: Unit::Share,
            interval: near(errors.max(0.001), 0.3),
            of: Series::ErrorRate,
            quantile: None,
            ..base.clone()
        },
        ObjectiveResult {
            name: "goodput >= 95% within 200ms in every 5s".to_owned(),
            verdict: judge(goodput >= 95.0),
            value: Some(goodput),
            comparison: Comparison::AtLeast,
            threshold: 95.0,
            unit: Unit::Share,
            interval: near(goodput, 0.01),
            windows: Some(Windows {
                length_s: 5.0,
                total: 30,
                breached: 0,
                worst_at_s: Some(9.0),
                worst: Some(goodput - 1.0),
            }),
            of: Series::Goodput,
            quantile: None,
            ..base.clone()
        },
        ObjectiveResult {
            name: "p99.9 of service time <= 40ms".to_owned(),
            verdict: Verdict::Inconclusive,
            value: Some(38.6),
            comparison: Comparison::AtMost,
            threshold: 40.0,
            interval: Some(Interval(Some(36.1), Some(43.9))),
            samples_needed: Some(18_400),
            of: Series::Service,
            quantile: Some(0.999),
            ..base.clone()
        },
        base,
    ]
}
