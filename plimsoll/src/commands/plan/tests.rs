use std::num::NonZeroU32;

use clap::Parser;

use plimsoll_study::plan::Forecast;

use super::*;
use crate::cli::{Cli, Command};

fn args(line: &str) -> Args {
    let words = ["plimsoll", "plan"].into_iter().chain(line.split_whitespace());
    match Cli::try_parse_from(words).unwrap().command {
        Command::Plan(args) => args,
        other => panic!("{other:?}"),
    }
}

fn plan(args: &Args) -> Plan {
    let (forecast, traced) = forecast::read(args).unwrap();
    let demand = demand(args, forecast.peak_rps, None).unwrap();
    let skus = [Sku::find("Standard_DS3_v2").unwrap()];
    let prices = prices::Prices::new();
    Plan::new(args, (forecast, demand), traced.as_ref(), None, &skus, None, &prices).unwrap()
}

#[test]
fn ten_instances_of_ds3_take_48_vcpus() {
    // Nine at the peak, and one more against the loss of one.
    let nine = (1..4_000u32).map(|tenths| f64::from(tenths) / 100.0).find(|rate| {
        let demand = Demand {
            rate_rps: *rate,
            service_s: 1.0,
            concurrency: NonZeroU32::MIN,
            refused: 0.001,
            wait_s: None,
        };
        demand.fewest().is_some_and(|carried| carried.instances == 9)
    });
    let plan = plan(&args(&format!("--rate {} --service-time 1s --requests 10000", nine.unwrap())));
    assert_eq!(plan.maximum, 10);
    assert_eq!((plan.sizes[0].with_reserve, plan.sizes[0].cores), (12, 48));
}

#[test]
fn azures_286_stands_beside_ours() {
    let plan = plan(&args("--rate 20 --service-time 10s --requests 100000"));
    let text = report::text(&plan);
    assert!(text.contains("Azure's formula: 286 "), "{text}");
    assert!(plan.peak.instances < 286, "{text}");
    assert!(plan.simulated[0].refused < 0.002, "{text}");
    assert_eq!(plan.limits[0].name, "connections at a time", "{text}");
    // 200 requests are worked on, and up to as many wait as there are slots.
    let most = 2.0 * f64::from(plan.peak.instances);
    assert!((200.0..=most).contains(&plan.limits[0].needed), "{text}");
}

#[test]
fn a_price_list_with_an_unknown_size_is_refused_by_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prices.csv");
    std::fs::write(&path, "sku,per_hour\nStandard_DS3_v2,0.5\nStandard_DS33_v2,1\n").unwrap();
    let wrong = prices::read(&path).unwrap_err();
    assert!(wrong.contains("prices.csv:3") && wrong.contains("STANDARD_DS3_V2"), "{wrong}");
    std::fs::write(&path, "sku,per_hour\nStandard_DS3_v2,0.5\n").unwrap();
    assert_eq!(prices::read(&path).unwrap().get("STANDARD_DS3_V2"), Some(&0.5));
}

/// An hour: 5/s, from minute 20 on 20/s, from minute 30 on 11/s.
fn trace(folder: &std::path::Path) -> String {
    let rows = (0..60).map(|minute| {
        let rate = match minute {
            20..30 => 20,
            30.. => 11,
            _ => 5,
        };
        format!("{},{rate}\n", minute * 60)
    });
    let path = folder.join("day.csv");
    std::fs::write(&path, format!("start_s,rate_rps\n{}", rows.collect::<String>())).unwrap();
    path.display().to_string()
}

#[test]
fn a_trace_gives_peak_trough_and_ramp_and_is_simulated() {
    let folder = tempfile::tempdir().unwrap();
    let given = format!("--trace {} --service-time 500ms --concurrency 2", trace(folder.path()));
    let plan =
        plan(&args(&format!("{given} --scale 2 --provisioning 5m --refused 1% --requests 100000")));
    let Forecast { peak_rps, trough_rps, rise_rps } = plan.forecast;
    for (is, expected) in [(peak_rps, 40.0), (trough_rps, 10.0), (rise_rps, 30.0)] {
        assert!((is - expected).abs() < 1e-6, "{:?}", plan.forecast);
    }
    assert_eq!(plan.rates.len(), 60);
    let at = |rate_rps| Demand { rate_rps, ..plan.demand }.fewest().unwrap().instances;
    assert_eq!((plan.peak.instances, plan.headroom), (at(40.0), at(40.0) - at(10.0)));
    assert_eq!(plan.minimum, plan.maximum, "the whole rise comes while an instance starts");
    let [peak, trace] = plan.simulated.as_slice() else { panic!("{:?}", plan.simulated) };
    assert!(trace.load.ends_with("day.csv as it was recorded"), "{trace:?}");
    // Twice (20 + 10) minutes of 5 and 11, and ten of 20, within 4 standard deviations.
    let expected = 2.0 * 60.0 * (20.0 * 5.0 + 10.0 * 20.0 + 30.0 * 11.0);
    assert!((trace.requests as f64 - expected).abs() < 4.0 * expected.sqrt(), "{trace:?}");
    assert!(trace.refused < peak.refused, "most of it is below the peak: {peak:?} {trace:?}");
    let page = report::page(&plan, 0).unwrap();
    for words in
        ["Refusals at the peak", "Forecast", "day.csv", "STANDARD_DS3_V2", "sized for 40/s"]
    {
        assert!(page.contains(words), "{words}");
    }
    assert!(!page.contains("http"), "it refers to nothing outside itself");
}

#[test]
fn bursts_that_no_minute_shows_are_found_by_the_simulation() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bursts.csv");
    // Thirty at once, each half minute: one a second on average.
    let rows = (0..40).flat_map(|burst| (0..30).map(move |_| format!("{}\n", burst * 30)));
    std::fs::write(&path, format!("offset_s\n{}", rows.collect::<String>())).unwrap();
    let plan =
        plan(&args(&format!("--trace {} --service-time 500ms --requests 10000", path.display())));
    assert!((plan.forecast.peak_rps - 1.0).abs() < 0.05, "{:?}", plan.forecast);
    assert_ne!(plan.simulated[0].verdict, Verdict::Breached);
    assert_eq!((plan.simulated[1].verdict, plan.verdict), (Verdict::Breached, Verdict::Breached));
    assert_eq!(exit(&plan), Exit::Breached);
}

#[test]
fn a_capacity_result_gives_what_is_not_given() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("capacity.json");
    let step = |rate: f64, mean: f64| serde_json::json!({"rate_rps": rate, "point": {"model_mean_ms": mean}});
    let result = serde_json::json!({
        "schema": "plimsoll.capacity/v1", "instances": 2, "concurrency": 4, "interval_rps": [50.0, 60.0],
        "steps": [step(80.0, 90.0), step(20.0, 40.0)],
    });
    std::fs::write(&path, result.to_string()).unwrap();
    let measured = size::measured(&path).unwrap();
    assert!((measured.each_rps - 25.0).abs() < 1e-9);
    let args = args(&format!("--rate 100 --capacity {}", path.display()));
    let demand = demand(&args, 100.0, Some(measured)).unwrap();
    assert!((demand.service_s - 0.04).abs() < 1e-9);
    assert_eq!(demand.concurrency.get(), 4);
    assert!(super::demand(&args, 100.0, Some(Measured { service_s: None, ..measured })).is_err());
}
