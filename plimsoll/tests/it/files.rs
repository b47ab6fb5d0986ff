//! `plimsoll check` and `plimsoll schema`: what is told about files before anything runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::started::Folder;
use crate::support::{plimsoll, root, validator};

/// Wrong in three files, six times.
fn broken() -> Folder {
    Folder::copy("quickstart")
        .replace("scenario.yml", "timeout: 2s", "timeout: 2 fortnights")
        .replace("scenario.yml", "duration: 17s, rps: 200", "duration: 35s, rsp: 200")
        .replace("scenario.yml", "p99 < 200ms", "p99 < fast")
        .replace("endpoint.yml", "auth_mode: key", "auth_mode: password")
        .replace("blue-deployment.yml", "instance_count: 2", "instance_count: 0")
        .replace("blue-deployment.yml", "instance_type:", "instance_typ:")
}

/// Where each problem is, and what is said about it.
const PROBLEMS: [(&str, &str); 6] = [
    ("scenario.yml:14:12", "`2 fortnights` is not a duration"),
    ("scenario.yml:21:35", "unknown key `rsp`"),
    ("scenario.yml:24:11", "`fast` is not a duration"),
    ("endpoint.yml:3:12", "`password` is no `auth_mode`"),
    ("blue-deployment.yml:6:1", "did you mean `instance_type`?"),
    ("blue-deployment.yml:7:17", "`instance_count` is 0"),
];

#[test]
fn run_and_check_tell_all_problems_of_all_files_at_once() {
    let folder = broken();
    let ran = folder.run(&[]).must_exit(2);
    let path = folder.path();
    for (place, words) in PROBLEMS {
        let place = path.join(place).display().to_string();
        assert!(ran.stderr.contains(&place), "{place}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
    assert!(!ran.folder().exists(), "nothing was run");
    let check = plimsoll().arg("check").arg(&path).output().expect("it starts");
    assert_eq!(check.status.code(), Some(2));
    assert_eq!(String::from_utf8_lossy(&check.stderr), ran.stderr, "check says what run says");
}

/// Each file is written as `blue.yml`, and checked with these flags.
fn check(file: &str, flags: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("blue.yml");
    std::fs::write(&path, file).expect("it can be written");
    let output = plimsoll().arg("check").arg(&path).args(flags).output().expect("it starts");
    let text =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    (output.status.code(), text.concat())
}

const SIZE: &str = "instance_type: Standard_F4s_v2\ninstance_count: 3\n";

#[test]
fn keys_that_az_takes_from_its_command_line_may_be_given_here() {
    let file = format!("name: blue\n{SIZE}");
    let (code, text) = check(&file, &[]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("--endpoint-name") && text.contains("--set model="), "{text}");
    let (code, text) = check(&file, &["-e", "shop", "--set", "model=azureml:prices:4"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("fine for az, and cannot run here"), "{text}");
    let set = ["--set", "endpoint_name=shop", "synthetic.service_time.constant.ms=5"];
    let (code, text) = check(&file, &set);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("deployment `blue` is fine\n"), "{text}");
    let (code, text) = check(&file, &["-n", "_", "-e", "shop", "--set", "model=azureml:prices:4"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("--name:1:6"), "a problem is shown in the flag: {text}");
}

#[test]
fn the_quota_needs_the_size_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("blue.yml");
    std::fs::write(&path, format!("{SIZE}model: {{path: fetched/later}}\n")).expect("written");
    let table = printed(plimsoll().args(["quota", "-f"]).arg(&path));
    assert!(table.contains("16"), "ceil(1.2 · 3) · 4: {table}");
    let table =
        printed(plimsoll().args(["quota", "-f"]).arg(&path).args(["--set", "instance_count=5"]));
    assert!(table.contains("24"), "{table}");
}

#[test]
fn other_kinds_of_file_are_one_error_that_names_them() {
    for (file, named) in [
        (
            "$schema: x/batchDeployment.schema.json\nname: b\nendpoint_name: e\nmini_batch_size: 5\n",
            "a batch deployment",
        ),
        ("type: pipeline\njobs: {train: {type: command, command: make}}\n", "a job of Azure ML"),
        (
            "apiVersion: v1\nkind: Service\nspec: {}\n---\napiVersion: v1\nkind: Pod\n",
            "a Kubernetes manifest",
        ),
        ("on: push\njobs: {a: {steps: [{run: 'echo ${{ github.sha }}'}]}}\n", "GitHub Actions"),
        ("Resources: {Bucket: !GetAtt a.b}\n", "no scenario, endpoint or deployment"),
    ] {
        let (code, text) = check(file, &[]);
        assert_eq!((code, text.matches("error:").count()), (Some(2), 1), "{text}");
        assert!(text.contains(named), "{named}: {text}");
    }
}

#[test]
fn a_file_that_two_others_name_is_told_once() {
    let folder =
        Folder::copy("quickstart").replace("endpoint.yml", "auth_mode: key", "auth_mode: no");
    let path = folder.path();
    let files = [path.join("scenario.yml"), path.join("./endpoint.yml"), path.clone()];
    let output = plimsoll().arg("check").args(files).output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(text.matches("error:").count(), 1, "{text}");
}

#[test]
fn endpoint_and_deployment_mixed_up_are_told_once() {
    let folder = Folder::copy("quickstart").replace(
        "scenario.yml",
        "endpoint: endpoint.yml",
        "endpoint: blue-deployment.yml",
    );
    let output = plimsoll().arg("check").arg(folder.path()).output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("is a deployment, not an endpoint"), "{text}");
    assert_eq!(text.matches("error:").count(), 1, "{text}");
}

#[test]
fn a_deployment_of_a_scenario_is_behind_its_endpoint() {
    let folder = Folder::copy("quickstart").replace(
        "blue-deployment.yml",
        "endpoint_name: quickstart-endpoint\n",
        "",
    );
    printed(plimsoll().arg("check").arg(folder.path()));
}

#[test]
fn check_notes_windows_that_hold_too_few_requests() {
    let objectives = ["p99 < 1s in every 2s", "error rate < 1% in every 2s"];
    let folder =
        Folder::copy("quickstart").load("    - {name: hold, duration: 30s, rps: 50}", &objectives);
    let check = plimsoll().arg("check").arg(folder.path()).output().expect("it starts");
    assert_eq!(check.status.code(), Some(0), "it is no error");
    let stderr = String::from_utf8_lossy(&check.stderr);
    let note = "note: `p99 < 1s in every 2s`: p99 of 2s at 50 requests/s is the 2nd largest value: \
                use 20s or p90";
    assert!(stderr.contains(note) && stderr.lines().count() == 1, "{stderr}");
    assert!(String::from_utf8_lossy(&check.stdout).contains("is fine"));
}

#[test]
fn every_kind_of_file_has_a_schema() {
    for (kind, key) in [
        ("scenario", "load"),
        ("endpoint", "auth_mode"),
        ("deployment", "instance_type"),
        ("summary", "outcomes"),
    ] {
        let schema: Value = serde_json::from_str(&schema(kind)).expect("a schema is JSON");
        assert!(schema["$schema"].as_str().is_some_and(|url| url.contains("json-schema.org")));
        assert!(schema["properties"][key].is_object(), "{kind} has {key}");
    }
    assert_eq!(schema("scenario"), printed(plimsoll().arg("schema")), "it is the default");
    let iso = schema("scenario").contains("\"format\": \"duration\"");
    assert!(!iso, "that format is ISO 8601's, which refuses `30s`");
}

#[test]
fn the_schemas_accept_what_is_right_and_refuse_what_is_wrong() {
    let Some(validator) = validator() else {
        println!("skipped: needs check-jsonschema (scripts/real/schemas)");
        return;
    };
    let out = tempfile::tempdir().expect("a temporary folder");
    let path = |kind: &str| out.path().join(format!("{kind}.schema.json"));
    for (kind, file) in [
        ("scenario", "scenario.yml"),
        ("endpoint", "endpoint.yml"),
        ("deployment", "blue-deployment.yml"),
    ] {
        std::fs::write(path(kind), schema(kind)).expect("it can be written");
        let right = validate(&validator, &path(kind), &yaml(file).collect::<Vec<_>>());
        assert!(right.status.success(), "{}", String::from_utf8_lossy(&right.stdout));
        let folder = Folder::copy("quickstart").replace(file, "\nname:", "\nnonsense: 1\nname:");
        let wrong = validate(&validator, &path(kind), &[folder.path().join(file)]);
        assert_eq!(wrong.status.code(), Some(1), "{kind}");
    }
    std::fs::write(path("summary"), schema("summary")).expect("it can be written");
    let folder = Folder::copy("quickstart")
        .load("    - {name: hold, duration: 1s, rps: 20}", &["error rate < 90% in every 1s"]);
    let ran = folder.run(&[]).must_exit(0);
    let right = validate(&validator, &path("summary"), &[ran.folder().join("summary.json")]);
    assert!(right.status.success(), "{}", String::from_utf8_lossy(&right.stdout));
}

/// `name` in every scenario folder that has it.
fn yaml(name: &str) -> impl Iterator<Item = PathBuf> {
    let folders = std::fs::read_dir(root().join("scenarios")).expect("a folder").flatten();
    folders.map(move |folder| folder.path().join(name)).filter(|path| path.is_file())
}

fn schema(kind: &str) -> String {
    printed(plimsoll().args(["schema", kind]))
}

fn printed(command: &mut Command) -> String {
    let output = command.output().expect("it starts");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn validate(validator: &Path, schema: &Path, files: &[PathBuf]) -> Output {
    let mut command = Command::new(validator);
    command.arg("--schemafile").arg(schema).args(files);
    command.output().expect("it starts")
}
