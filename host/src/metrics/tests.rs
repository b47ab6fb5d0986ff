use super::*;

fn answer(deployment: &str, status: u16) -> Answer<'_> {
    Answer { deployment, status, model_status: Some(status) }
}

fn ask(meter: &Meter, metric: &str, split: &[(&str, Option<&str>)], step: u64) -> Vec<Timeseries> {
    let split: Vec<_> =
        split.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned))).collect();
    let definition = find(Scope::Endpoint, metric).unwrap();
    let question =
        Question { definition, deployment: None, split: &split, minutes: 100..110, step };
    meter.answer(&question, 105)
}

fn averages(series: &Timeseries) -> Vec<(u64, f64)> {
    series.points.iter().map(|(minute, sample)| (*minute, sample.average())).collect()
}

#[test]
fn requests_add_up_over_dimensions_and_are_averaged_over_minutes() {
    let meter = Meter::default();
    let second = Duration::from_secs(1);
    for (deployment, status, minute, count) in [
        ("blue", 200, 100, 6),
        ("blue", 429, 100, 2),
        ("green", 200, 100, 1),
        ("blue", 200, 101, 3),
    ] {
        for _ in 0..count {
            meter.answered(answer(deployment, status), second, minute);
        }
    }
    let all = ask(&meter, "requestsPerMinute", &[], 1);
    assert_eq!(averages(&all[0]), [(100, 9.0), (101, 3.0)]);
    assert_eq!(averages(&ask(&meter, "RequestsPerMinute", &[], 5)[0]), [(100, 6.0)]);
    let split = ask(&meter, "RequestsPerMinute", &[("statusCode", None)], 1);
    assert_eq!(split.len(), 2);
    assert_eq!(split[1].dimensions, [("statusCode", "429".to_owned())]);
    let blue = ask(&meter, "RequestsPerMinute", &[("deployment", Some("blue"))], 1);
    assert_eq!(averages(&blue[0]), [(100, 8.0), (101, 3.0)]);
}

#[test]
fn percentiles_are_averaged_and_the_mean_is_one_of_all_requests() {
    let meter = Meter::default();
    for (millis, minute, count) in [(10, 100, 9), (20, 101, 1)] {
        for _ in 0..count {
            meter.answered(answer("blue", 200), Duration::from_millis(millis), minute);
        }
    }
    let value = |metric| averages(&ask(&meter, metric, &[], 5)[0])[0].1;
    assert!((value("RequestLatency") - 11.0).abs() < 0.1);
    assert!((value("RequestLatency_P99") - 15.0).abs() < 0.1);
}

#[test]
fn a_minute_is_shown_when_it_is_over_and_forgotten_after_a_day() {
    let meter = Meter::default();
    meter.answered(answer("blue", 200), Duration::ZERO, 105);
    assert!(ask(&meter, "RequestsPerMinute", &[], 1).is_empty());
    meter.answered(answer("blue", 200), Duration::ZERO, 106 + KEPT);
    meter.answered(answer("blue", 200), Duration::ZERO, 107 + KEPT);
    let state = meter.lock();
    assert!(state.series.values().all(|points| points.keys().all(|minute| *minute == 106 + KEPT)));
}

#[test]
fn instances_are_counted_once_however_often_they_are_looked_at() {
    let meter = Meter::default();
    for instance in ["0", "1"] {
        for cpu in [20.0, 40.0] {
            let id = vec![instance.to_owned()];
            meter.sampled("CpuUtilizationPercentage", "blue", id, cpu, 100);
            let dimensions = vec![instance.to_owned(), "Ready".to_owned()];
            meter.sampled("DeploymentCapacity", "blue", dimensions, 1.0, 100);
        }
    }
    let value = |metric| {
        let definition = find(Scope::Deployment, metric).unwrap();
        let minutes = 100..101;
        let question =
            Question { definition, deployment: Some("blue"), split: &[], minutes, step: 1 };
        let series = meter.answer(&question, 101).remove(0);
        (series.points[&100].average(), series.points[&100].maximum)
    };
    assert_eq!(value("CpuUtilizationPercentage"), (30.0, 40.0));
    assert_eq!(value("DeploymentCapacity"), (2.0, 2.0));
}

#[test]
fn answers_are_counted_from_the_first_taking_to_the_next() {
    let meter = Meter::default();
    let second = Duration::from_secs(1);
    meter.answered(answer("blue", 200), second, 100);
    assert!(meter.take_answers().is_empty(), "nobody had asked");
    for (deployment, status) in [("blue", 200), ("green", 200), ("green", 408), ("green", 424)] {
        meter.answered(answer(deployment, status), second, 100);
    }
    let taken = meter.take_answers();
    let of = |name: &str| (taken[name].latencies.count(), taken[name].wrong);
    assert_eq!((of("blue"), of("green")), ((1, 0), (1, 2)));
    assert!(meter.take_answers().is_empty());
}
