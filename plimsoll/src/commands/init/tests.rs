//! First scenarios, each of which must pass `check`.

use std::fs;

use super::*;
use crate::scenario::{Place, Scenario};

fn args(from: &[&str]) -> Args {
    Args {
        from: from.iter().map(|text| (*text).to_owned().into()).collect(),
        out: None,
        body: None,
        key_env: None,
        rate: 10,
    }
}

/// A folder with an endpoint, two deployments and a body.
fn folder_of() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let deployment = |name: &str| {
        format!(
            "name: {name}\nendpoint_name: shop\ninstance_type: Standard_DS3_v2\ninstance_count: \
             1\nsynthetic: {{service_time: {{constant: {{ms: 5}}}}}}\n"
        )
    };
    write("endpoint.yml", "name: shop\nauth_mode: key\ntraffic: {blue: 90, green: 10}\n");
    write("blue.yml", &deployment("blue"));
    write("green.yaml", &deployment("green"));
    write("sample-request.json", "{}");
    let path = folder.path().display().to_string();
    (folder, path)
}

fn written(args: &Args) -> (String, Scenario) {
    let path = write(args).unwrap_or_else(|refusal| panic!("{refusal:?}"));
    let scenario = scenario::read(&path).unwrap_or_else(|problems| panic!("{problems}"));
    (fs::read_to_string(path).unwrap(), scenario)
}

fn refused(args: &Args) -> String {
    match write(args).expect_err("it is refused") {
        Refusal::Wrong(message) => message,
        Refusal::Problems(problems) => problems.to_string(),
    }
}

#[test]
fn a_folder_of_files_becomes_a_scenario_beside_them() {
    let (_folder, path) = folder_of();
    let (text, scenario) = written(&args(&[&path]));
    assert!(text.contains("endpoint: endpoint.yml\n") && text.contains("  - blue.yml\n"), "{text}");
    let Place::Deployed(deployed) = &scenario.place else { panic!("{text}") };
    assert_eq!(deployed.traffic["blue"], 90, "as the endpoint says");
    assert_eq!(scenario.name, "shop");
    assert_eq!(scenario.objectives.len(), 2);
    let again = refused(&args(&[&path]));
    assert!(again.contains("is there already"), "{again}");
}

#[test]
fn a_url_becomes_a_scenario_without_its_secrets_in_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let out = Some(folder.path().join("first.yml"));
    let key_env = Some("SCORING_KEY".to_owned());
    let from = args(&["https://u:s3cret@shop.example:8443/score?v=1"]);
    let refused = refused(&Args { out: out.clone(), ..from });
    assert!(!refused.contains("s3cret") && !out.as_ref().unwrap().exists(), "{refused}");
    let from = args(&["https://shop.example:8443/score?v=1"]);
    let (text, scenario) = written(&Args { out, key_env, ..from });
    assert_eq!(scenario.name, "shop.example");
    let Place::Existing(existing) = &scenario.place else { panic!("{text}") };
    assert_eq!(&*existing.url, "https://shop.example:8443/score?v=1");
    assert_eq!(existing.key_env.as_deref(), Some("SCORING_KEY"));
}

#[test]
fn a_scenario_elsewhere_finds_its_files() {
    let (folder, path) = folder_of();
    let elsewhere = tempfile::tempdir().unwrap();
    let file = |name: &str| format!("{path}/{name}");
    let from = args(&[&file("endpoint.yml"), &file("blue.yml")]);
    let (text, scenario) = written(&Args { out: Some(elsewhere.path().join("s.yml")), ..from });
    let absolute = folder.path().canonicalize().unwrap().join("blue.yml");
    assert!(text.contains(&absolute.display().to_string()), "{text}");
    assert!(matches!(&scenario.place, Place::Deployed(of) if of.traffic["blue"] == 100));
}

#[test]
fn what_is_missing_is_said_and_nothing_is_written() {
    let (folder, path) = folder_of();
    let file = |name: &str| format!("{path}/{name}");
    let cases = [
        (args(&[&file("blue.yml")]), "no endpoint file"),
        (args(&[&file("endpoint.yml")]), "no deployment file"),
        (args(&[&file("endpoint.yml"), &file("endpoint.yml")]), "a second endpoint"),
        (args(&["http://h/", &file("blue.yml")]), "a URL stands alone"),
        (args(&[&file("sample-request.json")]), "give an endpoint file"),
        (Args { key_env: Some("K".to_owned()), ..args(&[&path]) }, "--key-env is for the URL"),
    ];
    for (args, said) in cases {
        let message = refused(&args);
        assert!(message.contains(said), "{said}: {message}");
    }
    fs::remove_file(folder.path().join("sample-request.json")).unwrap();
    let message = refused(&args(&[&path]));
    assert!(message.contains("--body"), "{message}");
    fs::write(folder.path().join("blue.yml"), "name: blue\nendpoint_name: shop\n").unwrap();
    fs::write(folder.path().join("request.json"), "{}").unwrap();
    let problems = refused(&args(&[&path]));
    assert!(problems.contains("is missing"), "{problems}");
    assert!(!folder.path().join("scenario.yml").exists());
}
