use plimsoll_document::Problems;

use super::asked;
use crate::azure::{Change, Direction, Setting, Statistic, When};
use crate::{Metric, Point, Rules, RulesFile, State};

/// As `az monitor autoscale show` prints it.
const SHOWN: &str = r#"{
  "enabled": true,
  "id": "/subscriptions/s/resourceGroups/g/providers/microsoft.insights/autoscalesettings/a",
  "location": "westeurope", "name": "a", "notifications": [],
  "predictiveAutoscalePolicy": {"scaleLookAheadTime": null, "scaleMode": "Disabled"},
  "profiles": [
    {"name": "default", "fixedDate": null, "recurrence": null,
     "capacity": {"default": "2", "maximum": "5", "minimum": "2"},
     "rules": [
       {"metricTrigger": {
          "dimensions": [{"DimensionName": "deployment", "Operator": "Equals", "Values": ["blue"]}],
          "dividePerInstance": false, "metricName": "RequestLatency", "metricNamespace": "",
          "metricResourceUri": "/endpoint", "operator": "GreaterThan", "statistic": "Average",
          "threshold": 70.0, "timeAggregation": "Average", "timeGrain": "PT1M", "timeWindow": "PT5M"},
        "scaleAction": {"cooldown": "0:05:00", "direction": "Increase", "type": "ChangeCount", "value": "1"}}]}],
  "resourceGroup": "g", "systemData": null, "tags": {}, "targetResourceLocation": null,
  "targetResourceUri": "/deployment", "type": "Microsoft.Insights/autoscaleSettings"
}"#;

fn read(text: &str) -> Result<Setting, Problems> {
    RulesFile::parse("rules.json", text).map(|file| {
        let Rules::Azure(setting) = file.rules else { panic!("it is a setting of Azure") };
        setting
    })
}

#[test]
fn every_form_says_the_same() {
    let shown = read(SHOWN).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!((shown.name.as_str(), shown.enabled), ("a", true));
    let rule = &shown.profiles[0].rules[0];
    assert_eq!((rule.window_s, rule.action.cooldown_s), (300, 300));
    assert_eq!(
        (rule.action.direction, rule.action.change),
        (Direction::Increase, Change::ChangeCount)
    );
    assert_eq!((rule.statistic, &shown.profiles[0].when), (Statistic::Average, &When::Default));
    let json: serde_json::Value = serde_json::from_str(SHOWN).expect("JSON");
    let mut inner = json.as_object().expect("a map").clone();
    for key in ["id", "location", "resourceGroup", "systemData", "tags", "type"] {
        inner.remove(key);
    }
    // Numbers where others write text, and other letters.
    let text = serde_json::to_string(&inner)
        .expect("JSON")
        .replace("\"2\"", "2")
        .replace("profiles", "Profiles");
    let rest = format!(r#"{{"location": "westeurope", "tags": {{}}, "properties": {text}}}"#);
    let template = format!(
        r#"{{"$schema": "x", "contentVersion": "1.0.0.0", "resources": [{{"type": "x/y", "name": "z"}},
           {{"type": "Microsoft.Insights/autoscalesettings", "apiVersion": "2022-10-01", "name": "a", "properties": {text}}}]}}"#
    );
    for other in [rest, template] {
        let mut read = read(&other).unwrap_or_else(|problems| panic!("{problems}"));
        for (profile, wanted) in read.profiles.iter_mut().zip(&shown.profiles) {
            profile.at.clone_from(&wanted.at);
            for (rule, wanted) in profile.rules.iter_mut().zip(&wanted.rules) {
                rule.at.clone_from(&wanted.at);
            }
        }
        assert_eq!(read, shown);
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let table = [
        (r#""default": "2""#, r#""default": "9""#, "not within 2 to 5"),
        (r#""minimum": "2""#, r#""minimum": "7""#, "above the maximum of 5"),
        (r#""maximum": "5""#, r#""maximum": "many""#, "`many`, which is no whole number"),
        (r#""maximum": "5""#, r#""maximum": 5.5"#, "must be a whole number"),
        (r#""maximum": "5""#, r#""maximum": "[parameters('max')]""#, "expression of a template"),
        (r#""threshold": 70.0"#, r#""threshold": .nan"#, "nothing can be compared"),
        (r#""threshold": 70.0"#, r#""threshold": "inf""#, "nothing can be compared"),
        (r#""timeWindow": "PT5M""#, r#""timeWindow": "PT2M""#, "must be 5m to 12h"),
        (r#""timeGrain": "PT1M""#, r#""timeGrain": "PT10M""#, "never holds a sample"),
        (r#""GreaterThan""#, r#""GreaterThen""#, "did you mean `GreaterThan`?"),
        (r#""metricName""#, r#""metricNam""#, "did you mean `metricName`?"),
        (r#""value": "1""#, r#""value": "0""#, "at least 1"),
        ("0:05:00", "5 minutes", "no duration"),
        (r#""Disabled""#, r#""Enabled""#, "virtual machine scale sets"),
        (
            r#""recurrence": null"#,
            r#""recurrence": {"frequency": "Week", "schedule": {"timeZone": "Europe/Berlin", "days": ["Monday"], "hours": [25], "minutes": [0]}}"#,
            "W. Europe Standard Time",
        ),
        (
            r#""fixedDate": null"#,
            r#""fixedDate": {"timeZone": "UTC", "start": "2026-03-02T00:00:00", "end": "2026-03-01T00:00:00Z"}"#,
            "`end` is not after `start`",
        ),
        (
            r#""fixedDate": null"#,
            r#""fixedDate": {"start": "2026-03-02T00:00:00+02:00", "end": "2026-03-01"}"#,
            "without an offset",
        ),
    ];
    for (right, wrong, words) in table {
        let text = SHOWN.replacen(right, wrong, 1);
        assert_ne!(text, SHOWN, "{right}");
        let problems = read(&text).expect_err(wrong).to_string();
        assert!(
            problems.contains(words) && problems.contains("rules.json:"),
            "{wrong}: {problems}"
        );
    }
    let text = SHOWN.replace("\"5\"", "\"x\"").replace("70.0", "\"y\"").replace("PT1M", "1m");
    assert_eq!(read(&text).expect_err("three").len(), 3);
}

#[test]
fn other_files_are_named() {
    for (text, words) in [
        ("kind: HorizontalPodAutoscaler\napiVersion: autoscaling/v2\n", "HorizontalPodAutoscaler"),
        ("hello: world\n", "no autoscale rules"),
        ("contentVersion: '1'\nresources: []\n", "no resource of this template"),
        ("profiles: []\n", "must not be empty"),
    ] {
        let problems = read(text).expect_err(text).to_string();
        assert!(problems.contains(words), "{problems}");
    }
}

/// Source: the REST reference: `statistic` over the instances of a grain, `timeAggregation` over the
/// grains; only series whose dimensions fit, only of the rule's resource.
#[test]
fn a_history_is_combined_in_two_stages() {
    let mut setting = read(SHOWN).unwrap_or_else(|problems| panic!("{problems}"));
    let point = |minute: i64, value: f64, instance: &str| Point {
        time: jiff::Timestamp::from_second(minute * 60).expect("in range"),
        value,
        instance: Some(instance.to_owned()),
    };
    let series = |resource: Option<&str>, deployment: &str, points: Vec<Point>| Metric {
        name: "RequestLatency".to_owned(),
        resource: resource.map(str::to_owned),
        dimensions: [("deployment".to_owned(), deployment.to_owned())].into(),
        value: None,
        points,
    };
    let points = vec![
        point(4, 1000.0, "a"),
        point(5, 60.0, "a"),
        point(5, 100.0, "b"),
        point(6, 50.0, "a"),
        point(9, 30.0, "a"),
        point(10, 5000.0, "a"),
        point(8, f64::NAN, "a"),
    ];
    let now = jiff::Timestamp::from_second(10 * 60 + 30).expect("in range");
    let metrics = vec![
        series(Some("/ENDPOINT"), "blue", points),
        series(Some("/endpoint"), "green", vec![point(9, 9000.0, "c")]),
        series(None, "blue", vec![point(9, 9000.0, "c")]),
    ];
    let state = State { now, metrics, ..super::state(2, &[]) };
    let value = |setting: &Setting| asked(setting, &state).steps[1].value;
    // (60 + 100) / 2, 50 and 30, over the grains that there are.
    assert_eq!(value(&setting), Some((80.0 + 50.0 + 30.0) / 3.0));
    setting.profiles[0].rules[0].statistic = Statistic::Sum;
    setting.profiles[0].rules[0].divide_per_instance = true;
    assert_eq!(value(&setting), Some((160.0 + 50.0 + 30.0) / 3.0 / 2.0));
    for (aggregation, wanted) in [
        (super::super::Aggregation::Last, 30.0),
        (super::super::Aggregation::Maximum, 160.0),
        (super::super::Aggregation::Minimum, 30.0),
        (super::super::Aggregation::Total, 240.0),
        (super::super::Aggregation::Count, 4.0),
    ] {
        setting.profiles[0].rules[0].aggregation = aggregation;
        assert_eq!(value(&setting), Some(wanted / 2.0), "{aggregation:?}");
    }
}
