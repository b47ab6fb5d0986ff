use std::path::{Path, PathBuf};

use plimsoll_domain::schedule::{Profile, Stage};

use super::*;
use crate::scenario;

const BOUNDS: &str = "parameters:\n  - {name: out above, path: \
                      /properties/profiles/0/rules/0/metricTrigger/threshold, from: 45, to: 65, step: \
                      10}\n  - {name: cooldown, path: \
                      /properties/profiles/0/rules/0/scaleAction/cooldown, values: [PT1M, \
                      PT20M]}\nseeds: 1\nallowed_violation: 2m\n";

fn folder() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
    root.join("scenarios/autoscale-too-slow")
}

fn rules() -> Editable {
    Editable::open(&folder().join("rules.json")).expect("rules")
}

fn bounds(text: &str) -> Result<Bounds, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bounds.yml");
    std::fs::write(&path, text).expect("it can be written");
    bounds::read(&path, &rules()).map_err(|problems| problems.render(false))
}

fn asked(folder: &Path, resume: bool) -> Asked {
    let mut scenario = scenario::read(&self::folder()).expect("a scenario");
    scenario.objectives.retain(|objective| objective.window().is_some());
    scenario.load.profile = Profile::new(vec![Stage::hold("load", 60.0, Duration::from_mins(1))]);
    Asked {
        scenario,
        rules: rules(),
        bounds: bounds(BOUNDS).expect("bounds"),
        seed: 3,
        budget: 5,
        generation: 3,
        folder: folder.to_owned(),
        resume,
        quiet: true,
    }
}

fn never() -> CancellationToken {
    CancellationToken::new()
}

#[test]
fn values_are_replaced_where_they_stand_and_the_rest_of_the_text_stays() {
    let rules = rules();
    let threshold = "/properties/profiles/0/rules/0/metricTrigger/threshold";
    let most = "/properties/profiles/0/capacity/maximum";
    let text = rules.with([(most, "12"), (threshold, "70.5")].into_iter());
    let expected = rules.text().replace("\"threshold\": 55", "\"threshold\": 70.5");
    let expected = expected.replace("\"maximum\": \"10\"", "\"maximum\": \"12\"");
    assert_eq!(text, expected);
    assert_eq!(rules.with([(threshold, "55")].into_iter()), rules.text());
    assert!(rules.rules(&text).is_ok());
}

#[test]
fn bounds_that_do_not_fit_the_rules_are_told_with_their_place() {
    let one = |inner: &str| {
        bounds(&format!("parameters:\n  - {{path: /properties/profiles/0/rules/0/{inner}}}\n"))
            .expect_err(inner)
    };
    for (inner, what) in [
        ("metricTrigger/threshold, from: 60, to: 80, step: 5", "exclude the rules as they are"),
        ("metricTrigger/threshold, from: 50, to: 80, step: 10", "is 55 in"),
        ("metricTrigger/threshold, from: 80, to: 50, step: 10", "`from` is at most `to`"),
        ("metricTrigger/threshold, from: 50", "say what it may be"),
        ("metricTrigger/threshold, from: 50, values: [55]", "not both"),
        ("metricTrigger/threshold, values: [55, 55.0]", "`55` is there twice"),
        ("metricTrigger/treshold, values: [55]", "there is nothing at"),
        ("scaleAction, values: [55]", "is a map"),
    ] {
        let told = one(inner);
        assert!(told.contains(what) && told.contains("bounds.yml:"), "{inner}: {told}");
    }
    assert!(bounds("parameters: []\n").is_err());
    let read = bounds(BOUNDS).expect("bounds");
    assert_eq!(read.current, Candidate(vec![1, 1]));
    assert_eq!(read.space.parameters()[0].values, ["45", "55", "65"]);
    let shipped = bounds::read(&folder().join("bounds.yaml"), &rules());
    assert!(shipped.is_ok(), "{}", shipped.expect_err("it is wrong").render(false));
}

#[test]
fn a_search_finds_what_holds_and_says_the_same_when_it_is_resumed() {
    let folder = tempfile::tempdir().expect("a folder");
    let asked = asked(folder.path(), false);
    let first = tune(&asked, never(), never()).expect("it goes").expect("it is not aborted");
    let chosen = &first.front[first.choice.expect("a choice").place];
    assert!(chosen.tried.held_out.violation_s <= first.current.held_out.violation_s, "{first:#?}");
    // The text of the choice says its values, and nothing else is changed.
    let text = first.text.clone().expect("a text");
    let lines = text.lines().zip(asked.rules.text().lines());
    assert!(lines.filter(|(new, old)| new != old).count() <= 2, "{text}");
    assert_eq!(text.lines().count(), asked.rules.text().lines().count());
    assert!(first.vendor.is_some());
    // More of the slots at work takes fewer instances.
    let hours: Vec<f64> = first.clairvoyant.iter().map(|one| one.held_out.instance_h).collect();
    assert!(hours.is_sorted_by(|a, b| a >= b) && hours[0] > hours[8], "{hours:?}");

    // Half of the costs are there, and the last line is torn.
    let path = folder.path().join(COSTS);
    let kept = std::fs::read_to_string(&path).expect("costs");
    let half = &kept[..kept.len() / 2];
    std::fs::write(&path, half).expect("it can be written");
    let resumed = Asked { resume: true, ..self::asked(folder.path(), true) };
    let again = tune(&resumed, never(), never()).expect("it goes").expect("it is not aborted");
    assert_eq!((&again.front, &again.text, again.spent), (&first.front, &first.text, first.spent));
    assert_eq!(again.neighbours, first.neighbours);

    // Another search is not gone on with.
    let other = Asked { seed: 4, ..self::asked(folder.path(), true) };
    let error = tune(&other, never(), never()).expect_err("another seed").to_string();
    assert!(error.contains("is of another search"), "{error}");
}

#[test]
fn what_is_shown_was_neither_searched_nor_chosen_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut asked = asked(folder.path(), false);
    asked.bounds.seeds = 3;
    let cases = cases(&asked).expect("they are made");
    let seeds = |set: Set| -> Vec<u64> {
        cases.iter().filter(|case| case.set == set).map(|case| case.scenario.seed).collect()
    };
    let [searched, choice, shown] = [Set::Searched, Set::Choice, Set::Shown].map(seeds);
    assert_eq!([searched.len(), choice.len(), shown.len()], [3; 3]);
    let all: std::collections::BTreeSet<_> =
        [searched, choice, shown].into_iter().flatten().collect();
    assert_eq!(all.len(), 9, "no arrivals are those of another case");
}

#[test]
fn what_is_stopped_keeps_what_was_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let stopped = never();
    stopped.cancel();
    let tuned = tune(&asked(folder.path(), false), stopped, never()).expect("it goes");
    let tuned = tuned.expect("it is not aborted");
    assert!(tuned.interrupted && tuned.front.is_empty() && tuned.choice.is_none());
    assert!(tuned.current.held_out.instance_h > 0.0);
}
