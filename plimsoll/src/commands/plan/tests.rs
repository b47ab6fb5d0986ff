use std::num::NonZeroU32;

use clap::Parser;

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
    let demand = Demand {
        rate_rps: args.rate,
        service_s: args.service_time.as_secs_f64(),
        concurrency: args.concurrency,
        refused: args.refused,
        wait_s: None,
    };
    let skus = [Sku::find("Standard_DS3_v2").unwrap()];
    Plan::new(args, demand, None, &skus, None, &prices::Prices::new()).unwrap()
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
    let plan = plan(&args(&format!("--rate {} --service-time 1s", nine.unwrap())));
    assert_eq!(plan.maximum, 10);
    assert_eq!((plan.sizes[0].with_reserve, plan.sizes[0].cores), (12, 48));
}

#[test]
fn azures_286_stands_beside_ours() {
    let plan = plan(&args("--rate 20 --service-time 10s"));
    let text = plan.text();
    assert!(text.contains("Azure's formula: 286 "), "{text}");
    assert!(plan.peak.instances < 286, "{text}");
    assert!(plan.simulated.refused < 0.002, "{text}");
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
