//! Rules about the folders beside the code: every scenario is explained.

use std::fs;

use super::{Finding, assert_tidy, repository};

/// `readme` must name each folder of scenarios as a heading or in a line: as `` `name` ``.
fn check_scenarios(readme: &str, folders: &[String]) -> Vec<Finding> {
    let unnamed = folders.iter().filter(|folder| !readme.contains(&format!("`{folder}`")));
    let why = "someone who looks for an example finds it there";
    unnamed
        .map(|folder| {
            Finding::new("scenarios/README.md", 1, format!("names the scenario `{folder}`"), why)
        })
        .collect()
}

#[test]
fn every_scenario_is_explained() {
    let scenarios = repository::root().join("scenarios");
    let readme =
        fs::read_to_string(scenarios.join("README.md")).expect("scenarios/README.md can be read");
    let entries = fs::read_dir(&scenarios).expect("scenarios/ can be listed");
    let folders: Vec<String> = entries
        .map(|entry| entry.expect("an entry of a folder that could be opened").path())
        .filter(|path| path.join("scenario.yml").is_file())
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .collect();
    assert_tidy(&check_scenarios(&readme, &folders));
}

#[test]
fn an_unexplained_scenario_is_found() {
    let folders = ["quickstart".to_owned(), "breach".to_owned()];
    let found = check_scenarios("| `quickstart` | the first |", &folders);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].rule, "names the scenario `breach`");
}
