//! Autoscale rules in a whole run from a script.

use std::path::Path;
use std::time::{Duration, SystemTime};

use plimsoll_autoscale::pipeline::{InstanceUse, Usage};
use plimsoll_autoscale::verdict::objective::Objective;
use plimsoll_autoscale::{Replayed, replay};
use plimsoll_deploy::quota::Usages;
use plimsoll_monitor::{AlertTerms, Severity};
use serde_json::json;

use super::script::{self, Answer, Scripted, ended};
use crate::results::{EventKind, events, timeline};
use crate::scenario::{self, RulesAlert, Scenario, amount};
use crate::session::autoscale;
use crate::session::source::{Event, Instances};

pub(in crate::session) fn scenario() -> Scenario {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
    scenario::read(&root.join("scenarios/autoscale-azure")).expect("it is fine")
}

/// A run in which every slot works until `busy` seconds, and machines are instances at once.
pub(in crate::session) fn scaled(scenario: &Scenario, seconds: u64, busy: u64) -> Vec<Event> {
    let now = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
    let mut controller = autoscale::controller(scenario, now).expect("it has rules").expect("fine");
    let mut all = Vec::new();
    let mut worked = [Duration::ZERO; 50];
    for second in 0..seconds {
        let at = Duration::from_secs(second + 1);
        let there = controller.there();
        let instances =
            worked.iter_mut().take(there as usize).enumerate().map(|(number, worked)| {
                *worked += if second < busy { Duration::from_secs(8) } else { Duration::ZERO };
                InstanceUse {
                    name: number.to_string(),
                    ready: true,
                    processor: Duration::ZERO,
                    memory_bytes: 0,
                    working: *worked,
                    in_flight: 8,
                }
            });
        let instances = instances.collect();
        controller.usage(Usage { at, instances, waiting: 0 });
        let took = Duration::from_millis(if second < busy { 900 } else { 100 });
        let lag = Duration::ZERO;
        let answer = |_| Answer { request: 0, deployment: "blue", took, lag, status: 200 };
        let snapshot = script::second_of(scenario, second, answer);
        controller.observe(&snapshot);
        all.push(Event::Interval(Box::new(snapshot)));
        let turn = controller.step(at);
        if !turn.happenings.is_empty() {
            all.push(Event::Scaling(turn.happenings));
        }
        let (deployment, ready) = ("blue".to_owned(), controller.there());
        let wanted = controller.wanted();
        all.push(Event::Instances {
            at,
            instances: vec![Instances { deployment, ready, wanted, starting: 0 }],
        });
    }
    all.push(ended(false));
    all
}

#[test]
fn what_rules_do_is_told_and_recorded_and_decides_again_to_the_byte() {
    let scenario = scenario();
    let source = Scripted::new(scaled(&scenario, 150, 60));
    let run = script::run_of(scenario.clone(), tempfile::tempdir().unwrap(), source);
    let told = events::read(&run.text("events.jsonl"));
    let wanted: Vec<_> = told.iter().filter(|event| event.details.contains_key("to")).collect();
    let first = wanted.first().expect("they scale");
    assert!(
        first.message.starts_with("2 → 4 instances of blue wanted: CpuUtilization"),
        "{first:?}"
    );
    // Two grains are whole after 10 s, the second can be read 5 s later than it ends.
    assert!((first.t_s - 10.0).abs() < 1e-9, "{first:?}");
    assert!(told.iter().any(|event| event.details.contains_key("provisioned")));
    let held =
        |guard: &str| told.iter().any(|event| event.details.get("held") == Some(&guard.into()));
    assert!(held("cooldown"), "{told:#?}");
    let record = run.text("autoscale.jsonl");
    let rules = &scenario.autoscale.as_ref().expect("it has rules").rules;
    let replayed = replay(rules, "autoscale.jsonl", &record).expect("a record");
    assert_eq!(replayed, Replayed { count: 30, differs: None });
    let rules = &run.summary()["autoscale"];
    let first = &rules["scale_outs"][0];
    // Needed from the first grain on, which can be read 2 min after its beginning.
    assert_eq!((&first["t_s"], &first["from"], &first["to"]), (&0.0.into(), &2.into(), &4.into()));
    assert_eq!(first["waits"][0], json!({"part": "metric delay", "seconds": 120.0}), "{first}");
    assert_eq!(rules["largest_step"], 2);
    assert!(rules["violation_s"].as_f64().expect("a number") > 300.0, "{rules}");
    let page = run.text("report.html");
    for words in [
        "Autoscale rules",
        "Instances: wanted, started, ready",
        "2 → 4: CpuUtil",
        "metric delay 2m",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert!(run.text("junit.xml").contains("flaps"));
    let rows = timeline::read(&run.text("timeline.csv"));
    assert_eq!(rows[20].instances_wanted, Some(4), "{:?}", rows[20]);
}

/// Two instances are wanted at 10 s of the run, after two minutes of theirs; their violations last on.
#[test]
fn alerts_on_rules_fire_while_the_run_goes_on_and_end_with_it() {
    let mut scenario = scenario();
    let alert = |text: &str| {
        let objective = Objective::parse(text).expect(text);
        let terms = AlertTerms {
            name: text.to_owned(),
            objective: text.to_owned(),
            threshold: amount(objective.indicator, objective.bound),
            hold: Duration::ZERO,
            keep_firing_for: Duration::ZERO,
            severity: Severity::Warning,
        };
        RulesAlert { objective, terms }
    };
    let autoscale = scenario.autoscale.as_mut().expect("it has rules");
    autoscale.alerts =
        vec![alert("largest step < 2"), alert("violation time <= 60s"), alert("flaps <= 90")];
    let source = Scripted::new(scaled(&scenario, 60, 60));
    let run = script::run_of(scenario, tempfile::tempdir().unwrap(), source);
    let told = events::read(&run.text("events.jsonl"));
    let alerts = told.iter().filter(|event| event.kind == EventKind::Alert);
    let alerts: Vec<_> = alerts
        .map(|one| (one.details["rule"].as_str().unwrap(), one.t_s, one.details["state"].as_str()))
        .collect();
    // A step of two is made after ten seconds and seen with the next interval. The first window is wrong
    // at 30 s, and that second and five more are more than a minute of the rules.
    let firing: Vec<_> = alerts.iter().filter(|one| one.2 == Some("firing")).collect();
    let fired: Vec<_> = firing.iter().map(|one| (one.0, one.1.round() as u32)).collect();
    assert_eq!(fired, [("largest step < 2", 11), ("violation time <= 60s", 35)], "{alerts:?}");
    let resolved: Vec<_> = alerts.iter().filter(|one| one.2 == Some("resolved")).collect();
    assert_eq!(resolved.len(), 2, "they end with the run: {alerts:?}");
    assert!(resolved.iter().all(|one| one.1 >= 60.0), "and not before: {alerts:?}");
}

/// Three instances take four with the reserve, sixteen cores of eighteen; four would take five.
#[test]
fn what_the_quota_has_no_room_for_is_refused_in_azures_words_and_tried_again() {
    let mut scenario = scenario();
    let usage = |name: &str, limit: u32| {
        json!({"currentValue": 0, "limit": limit, "unit": "Count",
               "name": {"value": name, "localizedValue": name}})
    };
    let usages = json!({"value": [
        usage("Standard DSv2 Family Cluster Dedicated vCPUs", 18),
        usage("Total Cluster Dedicated Regional vCPUs", 100),
        usage("Total Clusters", 100),
    ]});
    let usages = Usages::read(&usages.to_string()).expect("usages");
    scenario.quota.limits = Some(usages);
    let source = Scripted::new(scaled(&scenario, 40, 40));
    let run = script::run_of(scenario.clone(), tempfile::tempdir().unwrap(), source);
    let told = events::read(&run.text("events.jsonl"));
    let refused: Vec<_> = told.iter().filter(|one| one.details.contains_key("most")).collect();
    assert!(refused.len() > 1, "it is tried again: {told:#?}");
    let message = &refused[0].message;
    assert!(message.contains("2 → 4 instances of blue failed, at most 3 fit"), "{message}");
    assert!(message.contains("Not enough quota available for Standard_DS3_v2"), "{message}");
    let wait = &run.summary()["autoscale"]["scale_outs"][0]["waits"];
    assert!(wait.to_string().contains("\"part\":\"quota\""), "{wait}");
    assert!(!run.text("timeline.csv").is_empty());
}

#[test]
fn a_simulation_knows_nothing_of_memory_and_says_so() {
    let mut scenario = scenario();
    let rules = "az monitor autoscale create --count 2 --min-count 1 --max-count 9\n\
                 az monitor autoscale rule create --condition \"CpuMemoryUtilizationPercentage > 70 \
                 avg 5m\" --scale out 1\n";
    let rules = plimsoll_autoscale::RulesFile::parse("rules.sh", rules).expect("rules").rules;
    scenario.autoscale.as_mut().expect("it has rules").rules = rules;
    let reasons = crate::session::simulation(&scenario).expect_err("it is refused").join("; ");
    assert!(reasons.contains("look at memory"), "{reasons}");
}
