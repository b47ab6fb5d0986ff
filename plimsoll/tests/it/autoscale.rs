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

const HPA: &str = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\nspec:\n  \
    scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: d}\n  maxReplicas: 5\n";

/// What is asked and would change nothing is an error that names it, not passed over.
#[test]
fn what_means_nothing_to_rules_is_refused_by_name() {
    let folder = folder();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
    write("hpa.yml", HPA).expect("written");
    write("scale.bicep", "resource scale 'Microsoft.Insights/autoscaleSettings@2022-10-01' = {}\n")
        .expect("written");
    let changing = r#"{"now": "2026-11-28T10:00:00Z", "replicas": 2, "in_progress": true}"#;
    write("changing.json", changing).expect("written");
    let moment = "time,metric,value\n2026-11-28T10:00:00Z,CpuUtilizationPercentage,85\n";
    write("iso.csv", moment).expect("written");
    let decide = ["decide", "--rules", "hpa.yml", "--state"];
    let explain = ["explain", "--rules", "hpa.yml", "--metrics", "cpu.csv"];
    let replay = ["explain", "--rules", "rules.sh", "--replay", "r.jsonl"];
    let iso = ["explain", "--rules", "rules.sh", "--metrics", "iso.csv"];
    let cases: [(&[&str], &[&str], &str); 9] = [
        (&decide, &["state.json", "--assume", "interval_s=30"], "--assume is about Azure Monitor"),
        (&decide, &["changing.json"], "does not wait for a change"),
        (&explain, &["--assume", "interval_s=30"], "--assume is about Azure Monitor"),
        (&explain, &["--provisioning", "3m"], "--provisioning is about Azure Monitor"),
        (&replay, &["--assume", "interval_s=30"], "cannot be used with"),
        (&replay, &["--replicas", "3"], "cannot be used with"),
        (&iso, &["--start", "2026-11-28T00:00:00Z"], "--start is for a history of offsets"),
        (&["lint"], &["hpa.yml", "--ramp", "5m"], "--ramp is about Azure Monitor"),
        (&["lint"], &["scale.bicep"], "rules in Bicep are not read"),
    ];
    for (command, more, words) in cases {
        let output = plimsoll(folder.path(), &[&["autoscale"], command, more].concat());
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{command:?} {more:?}: {told}");
        assert!(told.contains(words), "{command:?} {more:?}: {told}");
    }
    // The same without that is fine.
    let output = plimsoll(folder.path(), &[&["autoscale"], &decide[..], &["state.json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}
