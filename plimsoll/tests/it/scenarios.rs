//! The scenarios in the repository, their schema and their description.

use std::fs;

use crate::support::{plimsoll, root};

fn printed(args: &[&str]) -> String {
    let output = plimsoll().args(args).output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn the_committed_schema_is_what_the_command_prints() {
    let committed =
        fs::read_to_string(root().join("scenarios/scenario.schema.json")).expect("it is there");
    let hint = "write it again: plimsoll schema > scenarios/scenario.schema.json";
    assert_eq!(committed, printed(&["schema"]), "{hint}");
}

#[test]
fn every_file_of_every_scenario_is_fine() {
    let mut checked = 0;
    for folder in fs::read_dir(root().join("scenarios")).expect("scenarios").flatten() {
        for file in fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            if file.path().extension().is_some_and(|extension| extension == "yml") {
                let path = file.path();
                printed(&["check", path.to_str().expect("UTF-8")]);
                checked += 1;
            }
        }
    }
    assert!(checked >= 9, "only {checked} files were found");
}

#[test]
fn the_example_in_the_description_is_a_scenario() {
    let text = fs::read_to_string(root().join("scenarios/README.md")).expect("it is there");
    let example = text.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
    let folder = root().join("scenarios/quickstart");
    let copy = tempfile::tempdir().expect("a temporary folder");
    for file in ["endpoint.yml", "blue-deployment.yml", "sample-request.json", "usages.json"] {
        fs::copy(folder.join(file), copy.path().join(file)).expect("copied");
    }
    fs::create_dir(copy.path().join("model")).expect("a folder");
    fs::copy(folder.join("model/diabetes.onnx"), copy.path().join("model/diabetes.onnx"))
        .expect("copied");
    let path = copy.path().join("scenario.yml");
    fs::write(&path, example.expect("there is an example")).expect("written");
    printed(&["check", path.to_str().expect("UTF-8")]);
}
