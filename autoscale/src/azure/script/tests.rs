use crate::{Rules, RulesFile};

/// What Microsoft's sample for online endpoints does (Azure/azureml-examples, `cli/deploy-moe-autoscale.sh`).
const SAMPLE: &str = include_str!("sample.sh");

#[test]
fn microsofts_sample_is_read() {
    let file =
        RulesFile::parse("sample.sh", SAMPLE).unwrap_or_else(|problems| panic!("{problems}"));
    let Rules::Azure(setting) = file.rules else { panic!("it is a setting of Azure") };
    assert_eq!(setting.target.as_deref(), Some("$DEPLOYMENT_RESOURCE_ID"));
    let names: Vec<_> = setting.profiles.iter().map(|p| (p.name.as_str(), p.rules.len())).collect();
    let copy = r#"{"for":"weekend-profile","name":"default"}"#;
    assert_eq!(names, [("default", 3), ("weekend-profile", 0), (copy, 3)]);
    let latency = &setting.profiles[0].rules[2];
    assert_eq!(latency.resource.as_deref(), Some("$ENDPOINT_RESOURCE_ID"));
    assert_eq!(latency.action.cooldown_s, 300);
    let text = r#"{"now": "2026-11-28T10:00:00Z", "replicas": 2, "metrics": [
        {"name": "CpuUtilizationPercentage", "value": 50}, {"name": "RequestLatency", "value": 71}]}"#;
    let states =
        crate::read_states("s.json", text, None).unwrap_or_else(|problems| panic!("{problems}"));
    let mut state = states[0].state.clone();
    // A Wednesday: the copy of the default profile, whose latency rule is of a variable's resource.
    state.now = "2026-11-25T10:00:00Z".parse().expect("a time");
    let decision = crate::azure::decide(&setting, crate::azure::Parameters::default(), &state);
    assert_eq!((decision.replicas, decision.held), (3, None), "{:#?}", decision.steps);
}

#[test]
fn all_problems_are_told_at_once() {
    let text = "az monitor autoscale create --count 2 --max-cuont 5\n\
                az monitor autoscale rule create --condition \"Cpu > lots avg 5m\" --scale up 1\n\
                az monitor autoscale rule create --condition \"Cpu > 1 avg 5m\" --scale out 1 --profile-name x\n\
                az monitor autoscale profile create -n p --count 3 --recurrence week someday --timezone PST\n\
                az monitor autoscale rule delete --index 1\n";
    let problems = RulesFile::parse("s.sh", text).expect_err("wrong").to_string();
    for words in [
        "s.sh:1:39",
        "did you mean `--max-count`?",
        "s.sh:2:53",
        "a number",
        "no `--scale`",
        "no profile `x`",
        "time zone `PST`",
        "`someday` is no day",
        "not followed",
    ] {
        assert!(problems.contains(words), "{words}: {problems}");
    }
    assert!(RulesFile::parse("s.sh", "az monitor autoscale rule list").is_err());
}
