//! What one evaluation of Azure's autoscale engine costs: 10 rules, 50 instances, an hour of history.
//!
//! Every rule looks at the whole hour. The bar is 20 µs. What is measured is the engine with a [`History`],
//! which whoever evaluates again and again keeps; to decide a state, as a record's line, it is made anew.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use plimsoll_autoscale::azure::{Engine, History, Moment, Parameters};
use plimsoll_autoscale::{Point, Rules, RulesFile};

/// The first second of the history, a whole hour.
const START: i64 = 1_795_680_000;

fn rules() -> RulesFile {
    let mut text =
        "az monitor autoscale create --min-count 2 --max-count 90 --count 2\n".to_owned();
    for rule in 0..10 {
        let (sign, way) = if rule % 2 == 0 { (">= 90", "out 2") } else { ("< 20", "in 1") };
        let metric = rule / 2;
        let _ = writeln!(
            text,
            "az monitor autoscale rule create --condition \"M{metric} {sign} avg 1h\" --scale {way}"
        );
    }
    RulesFile::parse("bench.sh", &text).expect("the rules are right")
}

fn history() -> History {
    let mut history = History::default();
    for metric in 0..5 {
        for minute in 0..60 {
            for instance in 0..50 {
                let point = Point {
                    time: Timestamp::from_second(START + minute * 60).expect("in range"),
                    value: f64::from(40 + instance % 10) + minute as f64 / 60.0,
                    instance: Some(format!("i{instance}")),
                };
                history.push(&format!("M{metric}"), None, &BTreeMap::new(), &point);
            }
        }
    }
    history
}

fn evaluation(criterion: &mut Criterion) {
    let file = rules();
    let Rules::Azure(setting) = &file.rules else { unreachable!("they are Azure's") };
    let history = history();
    let engine = Engine::new(setting, Parameters::default());
    let now = Timestamp::from_second(START + 3600).expect("in range");
    let moment = Moment { now, replicas: 50, in_progress: false, memory: None };
    criterion.bench_function("azure_10_rules_50_instances_1_hour", |bencher| {
        bencher.iter(|| engine.decide(black_box(moment), black_box(&history)));
    });
}

criterion_group!(benches, evaluation);
criterion_main!(benches);
