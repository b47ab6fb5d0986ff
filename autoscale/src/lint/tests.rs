use plimsoll_document::Severity;

use super::*;

const TARGET: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w/onlineEndpoints/e/deployments/d";

fn found(text: &str, context: &Context) -> (RulesFile, Vec<Finding>) {
    let file = RulesFile::parse("s.sh", text).unwrap_or_else(|problems| panic!("{problems}"));
    let found = lint(&file.rules, context);
    (file, found)
}

fn ids(text: &str, context: &Context) -> Vec<&'static str> {
    found(text, context).1.iter().map(|finding| finding.id).collect()
}

fn script(capacity: (u32, u32), rules: &[&str]) -> String {
    let (min, max) = capacity;
    let create = format!(
        "az monitor autoscale create --resource {TARGET} --count {min} --min-count {min} --max-count {max}\n"
    );
    let rule = |rule: &&str| {
        let (condition, action) = rule.split_once(": ").expect("`condition: action`");
        format!("az monitor autoscale rule create --condition \"{condition}\" --scale {action}\n")
    };
    create + &rules.iter().map(rule).collect::<String>()
}

const OUT: &str = "CpuUtilizationPercentage > 70 avg 5m: out 2";
const IN: &str = "CpuUtilizationPercentage < 25 avg 5m: in 1";

#[test]
fn good_rules_have_no_findings() {
    let context = Context { ramp_s: Some(600), service_time_s: Some(0.1), ..Context::default() };
    assert_eq!(ids(&script((2, 5), &[OUT, IN]), &context), [""; 0]);
}

/// A lint, a capacity, and the rules that have it.
type Case = (&'static str, (u32, u32), &'static [&'static str]);

/// Lints that see it in the rules alone.
const ALONE: &[Case] = &[
    ("wrong-direction", (2, 5), &[OUT, IN, "CpuUtilizationPercentage < 20 avg 5m: out 1"]),
    ("wrong-direction", (2, 5), &[OUT, IN, "CpuUtilizationPercentage >= 90 avg 5m: in 1"]),
    ("no-opposite-rule", (2, 5), &[OUT]),
    ("no-opposite-rule", (2, 5), &[IN]),
    ("no-opposite-rule", (2, 5), &[OUT, IN, "CpuMemoryUtilizationPercentage > 70 avg 5m: out 1"]),
    ("overlapping-rules", (2, 5), &[OUT, "CpuUtilizationPercentage <= 75 avg 5m: in 1"]),
    ("flapping-pair", (2, 5), &[OUT, "CpuUtilizationPercentage < 60 avg 5m: in 1"]),
    ("flapping-pair", (1, 5), &[OUT, "CpuUtilizationPercentage < 40 avg 5m: in 1"]),
    ("never-fires", (2, 5), &["CpuUtilizationPercentage > 100 avg 5m: out 1", IN]),
    ("above-limit", (2, 51), &[OUT, IN]),
    ("min-is-max", (2, 2), &[OUT, IN]),
    ("no-instance", (0, 3), &[OUT, IN]),
    ("removes-all", (2, 5), &[OUT, "CpuUtilizationPercentage < 10 avg 5m: in 3"]),
    ("removes-all", (1, 8), &[OUT, "CpuUtilizationPercentage < 5 avg 5m: in 90%"]),
    ("metric-not-emitted", (2, 5), &[OUT, IN, "MemoryUtilizationPercentage > 70 avg 5m: out 1"]),
    ("metric-not-emitted", (2, 5), &[OUT, IN, "RequestLatency > 70 avg 5m: out 1"]),
    ("aggregation-not-emitted", (2, 5), &["RequestsPerMinute > 70 max 5m: out 1", OUT, IN]),
    ("dimension-not-emitted", (2, 5), &["GpuEnergyJoules > 7 avg 5m where pod == a: out 1", IN]),
];

fn assert_found(&(id, capacity, rules): &Case, context: &Context) {
    let (file, all) = found(&script(capacity, rules), context);
    let finding = all.iter().find(|finding| finding.id == id);
    let finding = finding.unwrap_or_else(|| panic!("{id} {rules:?}: {all:#?}"));
    let shown = finding.problem(&file);
    assert!(shown.line() > 0 && !finding.why.is_empty() && !finding.fix.is_empty());
}

#[test]
fn each_lint_of_rules_alone_finds_what_it_is_about() {
    for case in ALONE {
        assert_found(case, &Context::default());
    }
}

#[test]
fn each_lint_that_needs_more_finds_what_it_is_about() {
    let plain = Context::default;
    let deployed = Context {
        deployment: Some(Deployment {
            max_concurrent: 4,
            workers: 4,
            request_timeout_s: 5.0,
            most_by_quota: Some((3, "24 of 24 vCPUs".to_owned())),
        }),
        service_time_s: Some(0.02),
        ..plain()
    };
    let late = Context { metric_delay_s: Some(300), ..plain() };
    assert_found(&("window-below-delay", (2, 5), &[OUT, IN]), &late);
    let steep = Context { ramp_s: Some(60), ..plain() };
    assert_found(&("cooldown-too-long", (2, 9), &[OUT, IN]), &steep);
    assert_found(&("above-quota", (2, 5), &[OUT, IN]), &deployed);
    let mean: &'static [&'static str] = &["RequestLatency > 70 avg 5m: out 1", OUT, IN];
    assert_found(&("never-fires", (2, 3), mean), &deployed);
    let tail: &'static [&'static str] = &["RequestLatency_P99 > 5000 avg 5m: out 1", OUT, IN];
    assert_found(&("never-fires", (2, 3), tail), &deployed);
}

#[test]
fn what_only_json_can_say_is_found_with_its_line() {
    let text = format!(
        r#"{{
  "targetResourceUri": "{TARGET}",
  "profiles": [
    {{"name": "a", "capacity": {{"minimum": "1", "maximum": "4", "default": "1"}}, "rules": [
      {{"metricTrigger": {{"metricName": "CpuUtilizationPercentage", "metricResourceUri": "/other",
        "operator": "GreaterThan", "statistic": "Average", "threshold": 70, "timeGrain": "PT1M", "timeWindow": "PT5M",
        "timeAggregation": "Last"}},
       "scaleAction": {{"direction": "Increase", "type": "ExactCount", "value": "1", "cooldown": "PT5M"}}}}]}},
    {{"name": "b", "capacity": {{"minimum": "1", "maximum": "4", "default": "1"}}}},
    {{"name": "c", "capacity": {{"minimum": "1", "maximum": "4", "default": "1"}},
     "recurrence": {{"frequency": "Week", "schedule": {{"timeZone": "UTC", "days": ["Monday"], "hours": [1], "minutes": [0]}}}}}},
    {{"name": "d", "capacity": {{"minimum": "1", "maximum": "4", "default": "1"}},
     "recurrence": {{"frequency": "Week", "schedule": {{"timeZone": "UTC", "days": ["Monday", "Friday"], "hours": [1], "minutes": [0]}}}}}}
  ]
}}"#
    );
    let file = RulesFile::parse("s.json", &text).unwrap_or_else(|problems| panic!("{problems}"));
    let all = lint(&file.rules, &Context::default());
    let line = |id: &str| {
        let finding = all.iter().find(|finding| finding.id == id);
        finding.unwrap_or_else(|| panic!("{id}: {all:#?}")).problem(&file).line()
    };
    assert_eq!(line("last-aggregation"), 7);
    assert_eq!(line("other-resource"), 5);
    assert_eq!(line("unreachable-rule"), 8);
    assert_eq!(line("unreachable-profile"), 9);
    assert_eq!(line("overlapping-profiles"), 12);
    assert_eq!(line("not-enabled"), 1);
    assert!(
        all.iter().any(|f| f.id == "unreachable-profile" && f.message.contains("`a`")),
        "{all:#?}"
    );
}

/// Microsoft's sample: the latency rule has no partner, the weekend is fixed at two instances, and a
/// deployment that answers in 20 ms never takes 70 ms.
#[test]
fn microsofts_sample_has_its_findings() {
    let sample = include_str!("../azure/script/sample.sh");
    let (file, all) = found(sample, &Context::default());
    let lines: Vec<_> = all.iter().map(|f| (f.id, f.problem(&file).line())).collect();
    assert_eq!(lines, [("no-opposite-rule", 16), ("min-is-max", 21)], "{all:#?}");
    let context = Context { service_time_s: Some(0.02), ..Context::default() };
    let (_, all) = found(sample, &context);
    let never: Vec<_> = all.iter().filter(|f| f.id == "never-fires").collect();
    assert_eq!(never.len(), 1, "told once, though the default profile is there twice");
    assert_eq!(never[0].severity, Severity::Error);
}

/// The Python sample of Microsoft's page: the scale-in rule has the direction of the other.
#[test]
fn microsofts_python_sample_has_its_wrong_direction() {
    let text = script((2, 5), &[OUT, "CpuUtilizationPercentage < 30 avg 5m: out 1"]);
    let all = found(&text, &Context::default()).1;
    let ids: Vec<_> = all.iter().map(|finding| finding.id).collect();
    assert_eq!(ids, ["no-opposite-rule", "wrong-direction"]);
}
