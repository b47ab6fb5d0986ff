use plimsoll_domain::{Key, Names, Outcome, Tally};
use proptest::prelude::*;

use super::*;
use crate::{Compression, RulesFile};

pub(crate) fn snapshot(
    second: u64,
    deployment: &str,
    answers: &[(u16, u64)],
    ms: &[u64],
) -> Snapshot {
    let (start, end) = (Duration::from_secs(second), Duration::from_secs(second + 1));
    let mut snapshot = Snapshot { index: second, start, end, ..Snapshot::default() };
    snapshot.names = Names::new(Vec::new(), vec!["score".to_owned()], [deployment.to_owned()]);
    let key = Key { deployment: snapshot.names.deployment(deployment), ..Key::default() };
    let mut tally = Tally::default();
    for (status, count) in answers {
        tally.outcomes.add(Outcome::status(*status), *count);
    }
    for ms in ms {
        tally.service.record(Duration::from_millis(*ms));
    }
    snapshot.tallies.insert(key, tally);
    snapshot
}

pub(crate) fn subject() -> Subject {
    let machine =
        Machine { cores: 4.0, memory_bytes: 1e9, slots: 2, processor: Processor::SlotsAtWork };
    Subject {
        endpoint: "scores".to_owned(),
        deployment: "blue".to_owned(),
        machine,
        metric_delay: Duration::ZERO,
        named: Named::new(),
    }
}

pub(crate) fn usage(at: Duration, working: &[(&str, Duration)]) -> Usage {
    let instance = |(name, working): &(&str, Duration)| InstanceUse {
        name: (*name).to_owned(),
        ready: true,
        processor: Duration::ZERO,
        memory_bytes: 250_000_000,
        working: *working,
        in_flight: 1,
    };
    Usage { at, instances: working.iter().map(instance).collect(), waiting: 3 }
}

pub(crate) fn rules(text: &str) -> Rules {
    RulesFile::parse("rules", text).unwrap_or_else(|problems| panic!("{problems}")).rules
}

pub(crate) fn script(rules: &[&str]) -> Rules {
    let head = "az monitor autoscale create --count 1 --min-count 1 --max-count 9\n".to_owned();
    let line = |rule: &&str| format!("az monitor autoscale rule create --condition {rule}\n");
    self::rules(&(head + &rules.iter().map(line).collect::<String>()))
}

pub(crate) fn time(factor: u32) -> RuleTime {
    let begins = "2026-11-28T10:00:30Z".parse().expect("a moment");
    RuleTime::new(begins, Compression::new(factor).expect("it divides 60"))
}

fn shown(pipeline: &mut Pipeline, now: Timestamp) -> Vec<Metric> {
    let mut state = State {
        now,
        replicas: 1,
        instances: Vec::new(),
        in_progress: false,
        metrics: Vec::new(),
        memory: crate::Memory::default(),
    };
    pipeline.show(now, 3600, 0, &mut state);
    state.metrics
}

/// At a compression of 12 a minute is five seconds: what is counted in each is exact, and the rate is
/// that of the run.
#[test]
fn requests_are_exact_in_every_grain_and_rates_are_those_of_the_run() {
    let rules = script(&["\"RequestsPerMinute > 70 avg 5m\" --scale out 1"]);
    let mut pipeline = Pipeline::new(&rules, &subject(), time(12)).expect("it is measured");
    for second in 0..13 {
        pipeline.interval(&snapshot(second, "blue", &[(200, second), (429, 1)], &[]));
        pipeline.interval(&snapshot(second, "green", &[(200, 1000)], &[]));
    }
    let metrics = shown(&mut pipeline, time(12).at(Duration::from_secs(13)));
    let points: Vec<_> = metrics[0].points.iter().map(|p| (p.time.to_string(), p.value)).collect();
    let (first, second) = ((1 + 2 + 3 + 4 + 5) * 12, (5 + 6 + 7 + 8 + 9 + 5) * 12);
    let at = |minute: &str| format!("2026-11-28T10:{minute}:00Z");
    assert_eq!(points, [(at("00"), f64::from(first)), (at("01"), f64::from(second))]);
}

#[test]
fn a_grain_is_shown_when_its_delay_has_passed() {
    let rules = script(&["\"RequestLatency_P99 > 70 avg 5m\" --scale out 1"]);
    let late = Subject { metric_delay: Duration::from_mins(2), ..subject() };
    let mut pipeline = Pipeline::new(&rules, &late, time(60)).expect("it is measured");
    for minute in 0..4 {
        pipeline.interval(&snapshot(minute, "blue", &[(200, 2)], &[minute + 1, 10 * (minute + 1)]));
    }
    for (second, seen) in [(2, 0), (3, 1), (4, 2)] {
        let metrics = shown(&mut pipeline, time(60).at(Duration::from_secs(second)));
        assert_eq!(metrics.first().map_or(0, |of| of.points.len()), seen, "{second}");
    }
    let whole = pipeline.published();
    assert_eq!(whole[0].points.len(), 4);
    assert!((whole[0].points[1].value - 20.0).abs() < 0.02, "{whole:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The percentiles that rules see of a grain are those of its requests, of all its intervals together,
    /// within the 0.1 % of a histogram of three digits.
    #[test]
    fn percentiles_of_a_grain_are_those_of_its_requests(
        micros in prop::collection::vec(1_000_u64..60_000_000, 1..400),
        intervals in 1_usize..5,
    ) {
        let quantiles = [("P50", 50), ("P90", 90), ("P95", 95), ("P99", 99)];
        let condition = |name: &str| format!("\"RequestLatency_{name} > 70 avg 5m\" --scale out 1");
        let conditions: Vec<String> = quantiles.iter().map(|(name, _)| condition(name)).collect();
        let conditions: Vec<&str> = conditions.iter().map(String::as_str).collect();
        let mut pipeline =
            Pipeline::new(&script(&conditions), &subject(), time(12)).expect("it is measured");
        for (second, part) in micros.chunks(micros.len().div_ceil(intervals)).enumerate() {
            let mut snapshot = snapshot(second as u64, "blue", &[], &[]);
            for tally in snapshot.tallies.values_mut() {
                for micros in part {
                    tally.service.record(Duration::from_micros(*micros));
                }
            }
            pipeline.interval(&snapshot);
        }
        let metrics = shown(&mut pipeline, time(12).at(Duration::from_secs(5)));
        let mut sorted = micros;
        sorted.sort_unstable();
        for (name, percent) in quantiles {
            let rank = (sorted.len() * percent).div_ceil(100);
            let exact = sorted[rank - 1] as f64 / 1e3;
            let of = |metric: &&Metric| metric.name.ends_with(name);
            let seen = metrics.iter().find(of).expect("it is looked at").points[0].value;
            prop_assert!((seen / exact - 1.0).abs() <= 0.001, "{name}: {seen} of {exact}");
        }
    }
}

#[test]
fn dimensions_tell_apart_and_may_not_overlap() {
    let refused = "\"RequestsPerMinute > 7 avg 5m where envoy_response_code == 429\" --scale out 1";
    let right = "\"RequestsPerMinute < 7 avg 5m where envoy_response_code == 200\" --scale in 1";
    let mut pipeline =
        Pipeline::new(&script(&[refused, right]), &subject(), time(60)).expect("it is measured");
    pipeline.interval(&snapshot(0, "blue", &[(200, 5), (429, 2), (408, 9)], &[]));
    let metrics = shown(&mut pipeline, time(60).at(Duration::from_secs(1)));
    let values: Vec<_> = metrics.iter().map(|of| of.points[0].value).collect();
    assert_eq!(values, [120.0, 300.0]);
    let all = "\"RequestsPerMinute < 7 avg 5m\" --scale in 1";
    let unread = Pipeline::new(&script(&[refused, all]), &subject(), time(60)).expect_err("both");
    assert!(unread[0].message.contains("overlap"), "{unread:?}");
}

#[test]
fn instances_are_seen_one_by_one_at_work() {
    let rules = script(&[
        "\"CpuUtilizationPercentage > 70 avg 5m\" --scale out 1",
        "\"CpuMemoryUtilizationPercentage > 70 avg 5m\" --scale out 1",
    ]);
    let mut pipeline = Pipeline::new(&rules, &subject(), time(60)).expect("it is measured");
    let half = Duration::from_millis(500);
    pipeline.usage(&usage(Duration::ZERO, &[("a", half)]));
    pipeline.usage(&usage(half, &[("a", half * 2), ("b", half)]));
    pipeline.usage(&usage(half * 2, &[("a", half * 4), ("b", half)]));
    let metrics = shown(&mut pipeline, time(60).at(Duration::from_secs(1)));
    let points: Vec<_> =
        metrics[0].points.iter().map(|p| (p.instance.clone().expect("one"), p.value)).collect();
    assert_eq!(points, [("a".to_owned(), 75.0), ("b".to_owned(), 0.0)]);
    assert!((metrics[1].points[0].value - 25.0).abs() < 1e-9);
}

#[test]
fn what_is_not_measured_is_told_with_its_place() {
    let table = [
        ("\"GpuUtilizationPercentage > 70 avg 5m\" --scale out 1", "is not measured"),
        ("\"RequestLatency > 70 avg 5m\" --scale out 1", "of a deployment is not measured"),
        (
            "\"RequestLatency > 70 avg 5m\" --scale out 1 --resource /subscriptions/s/resourceGroups/g/\
             providers/Microsoft.MachineLearningServices/workspaces/w/onlineEndpoints/other",
            "not brought up by the scenario",
        ),
    ];
    for (rule, words) in table {
        let unread = Pipeline::new(&script(&[rule]), &subject(), time(60)).expect_err(rule);
        assert!(unread[0].message.contains(words), "{unread:?}");
        assert!(!unread[0].at.is_empty());
    }
    let hpa = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\nspec:\n  \
        scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: d}\n  maxReplicas: 5\n  metrics:\n  \
        - type: Pods\n    pods: {metric: {name: depth}, target: {type: AverageValue, averageValue: 2}}\n";
    let unread = Pipeline::new(&rules(hpa), &subject(), time(12)).expect_err("what is depth?");
    assert!(unread[0].message.contains("`depth`"), "{unread:?}");
    let named = Named::from([("depth".to_owned(), Measure::Queued)]);
    assert!(Pipeline::new(&rules(hpa), &Subject { named, ..subject() }, time(12)).is_ok());
}

/// Two slots, of which one works half of the time: a quarter of four cores.
#[test]
fn pods_are_scraped_and_report_what_they_use() {
    let hpa = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\nspec:\n  \
        scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: d}\n  maxReplicas: 5\n  metrics:\n  \
        - type: Resource\n    resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}\n";
    let mut pipeline = Pipeline::new(&rules(hpa), &subject(), time(1)).expect("it is measured");
    for second in 0..40 {
        let worked = Duration::from_millis(500) * second;
        pipeline.usage(&usage(Duration::from_secs(second.into()), &[("a", worked)]));
    }
    let now = time(1).at(Duration::from_secs(39));
    let mut state = State {
        now,
        replicas: 1,
        instances: Vec::new(),
        in_progress: false,
        metrics: Vec::new(),
        memory: crate::Memory::default(),
    };
    pipeline.show(now, 0, 1, &mut state);
    let cpu = state.instances[0].metrics["cpu"];
    assert!((cpu.value - 1.0).abs() < 1e-9, "{cpu:?}");
    assert_eq!((cpu.window, cpu.time), (Some(15.0), Some(time(1).at(Duration::from_secs(30)))));
    assert_eq!(state.instances[1].phase, crate::Phase::Pending);
}
