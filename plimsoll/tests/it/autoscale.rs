//! `plimsoll autoscale`, as a user calls it.

use std::path::Path;
use std::process::{Command, Output};

const RULES: &str = "az monitor autoscale create --count 2 --min-count 2 --max-count 5\n\
    az monitor autoscale rule create --condition \"CpuUtilizationPercentage > 70 avg 5m\" --scale out 2\n\
    az monitor autoscale rule create --condition \"CpuUtilizationPercentage < 25 avg 5m\" --scale in 1\n";

fn plimsoll(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .args(args)
        .current_dir(folder)
        .output()
        .expect("plimsoll starts")
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
    write("rules.sh", RULES).expect("written");
    write("wrong.sh", &RULES.replace("--scale in 1", "--scale out 1")).expect("written");
    write("other.sh", &RULES.replace("--scale out 2", "--scale out 1")).expect("written");
    let state = r#"{"now": "2026-11-28T10:00:00Z", "replicas": 2, "metrics": [{"name": "CpuUtilizationPercentage", "value": 85}]}"#;
    write("state.json", state).expect("written");
    let line = |minute: u32| format!("{},CpuUtilizationPercentage,{}\n", minute * 60, 85 - minute);
    let csv = (0..40).map(line).collect::<String>();
    write("cpu.csv", &format!("time,metric,value\n{csv}")).expect("written");
    folder
}

#[test]
fn a_state_is_decided() {
    let folder = folder();
    let args = ["autoscale", "decide", "--rules", "rules.sh", "--state", "state.json", "--json"];
    let output = plimsoll(folder.path(), &args);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let decision: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(decision["replicas"], 4, "{decision}");
    assert_eq!(decision["steps"][1]["value"], 85.0);
    let wrong = ["autoscale", "decide", "--rules", "state.json", "--state", "rules.sh"];
    assert_eq!(plimsoll(folder.path(), &wrong).status.code(), Some(2));
}

#[test]
fn wrong_rules_end_with_three() {
    let folder = folder();
    for format in ["text", "json", "github", "sarif"] {
        let args = ["autoscale", "lint", "wrong.sh", "--format", format];
        let output = plimsoll(folder.path(), &args);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("wrong-direction") && text.contains("wrong.sh"), "{text}");
    }
    let output = plimsoll(folder.path(), &["autoscale", "lint", "rules.sh"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn a_history_is_explained_and_its_record_replays() {
    let folder = folder();
    let rules = ["autoscale", "explain", "--rules", "rules.sh"];
    let written = ["--metrics", "cpu.csv", "--record", "r.jsonl", "--html", "page.html"];
    let output = plimsoll(folder.path(), &[&rules[..], &written[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("2 → 4") && text.contains("40 evaluations"), "{text}");
    let page = std::fs::read_to_string(folder.path().join("page.html")).expect("a page");
    assert!(
        page.contains("<svg") && page.contains("threshold 70") && !page.contains("http"),
        "{page}"
    );
    let output = plimsoll(folder.path(), &[&rules[..], &["--replay", "r.jsonl"][..]].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let other = ["autoscale", "explain", "--rules", "other.sh", "--replay", "r.jsonl"];
    assert_eq!(plimsoll(folder.path(), &other).status.code(), Some(3));
}
