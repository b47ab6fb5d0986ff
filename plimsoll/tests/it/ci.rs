//! `scenarios/ci`: a nightly run in miniature, and the pipelines that call it.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::{plimsoll, root, validator};

/// Runs `nightly` with the real binary, on a history of its own.
fn nightly(folder: &Path, night: u32, flags: &[&str], format: Option<&str>) -> (i32, String) {
    let mut command = Command::new(root().join("scenarios/ci/nightly"));
    command
        .arg(root().join("scenarios/ci"))
        .args(flags)
        .current_dir(root())
        .env("PLIMSOLL", plimsoll().get_program())
        .env("RUNS", "2")
        .env("HISTORY", folder.join("history"))
        .env("OUT", folder.join(format!("night-{night}")))
        .env("FORMAT", format.unwrap_or_default())
        .env("MARGINS", "--metric p50 --margin p50=20%");
    ended(&command.output().expect("bash starts"))
}

fn ended(output: &Output) -> (i32, String) {
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    (output.status.code().unwrap_or(-1), format!("{out}{err}"))
}

#[test]
fn nights_are_kept_compared_and_drawn() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for night in 0..4 {
        let (code, text) = nightly(folder.path(), night, &["--simulate"], None);
        assert_eq!(code, 0, "{text}");
        assert_eq!(text.contains("ci: no change"), night == 3, "{text}");
    }
    let results = folder.path().join("night-3");
    for file in
        ["run-2/report.html", "comparison.html", "comparison.xml", "comparison.md", "trend.html"]
    {
        assert!(results.join(file).is_file(), "{file}");
    }
    let list = plimsoll().args(["history", "list"]).arg(folder.path().join("history")).output();
    let (code, text) = ended(&list.expect("it starts"));
    assert_eq!((code, text.lines().count()), (0, 4), "{text}");

    // A service that takes three times as long, against the same history.
    let slow = folder.path().join("slow");
    std::fs::create_dir(&slow).expect("a folder");
    for file in ["scenario.yml", "endpoint.yml", "blue-deployment.yml", "sample-request.json"] {
        let text = std::fs::read_to_string(root().join("scenarios/ci").join(file)).expect("there");
        let text = text.replace("p50_ms: 10, p99_ms: 20", "p50_ms: 30, p99_ms: 60");
        std::fs::write(slow.join(file), text).expect("written");
    }
    let mut runs = Vec::new();
    for (seed, name) in [("901", "slow-1"), ("902", "slow-2")] {
        let out = folder.path().join(name);
        let mut run = plimsoll();
        run.arg("run")
            .arg(&slow)
            .args(["--simulate", "--quiet", "--seed", seed, "--out"])
            .arg(&out);
        assert_eq!(ended(&run.output().expect("it starts")).0, 0);
        runs.push(out);
    }
    for (server, annotation) in [
        ("github", "::error title=ci%3A regressed::p50"),
        ("azure", "##vso[task.logissue type=error]ci"),
    ] {
        let mut compare = plimsoll();
        compare.arg("compare").args(&runs).arg("--baseline").arg(folder.path().join("history"));
        compare.args(["--metric", "p50", "--format", server]);
        let (code, text) = ended(&compare.output().expect("it starts"));
        assert_eq!(code, 3, "{text}");
        assert!(text.contains(annotation), "{text}");
    }
}

// The same with real requests, once: what CI would do in its first night.
#[test]
fn a_first_night_runs_for_real() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (code, text) = nightly(folder.path(), 0, &[], Some("github"));
    if code == 4 && text.contains("::error title=ci%3A invalid::") {
        // On a machine too busy to send in time there is no night, and the job says so.
        assert!(!folder.path().join("history").exists(), "{text}");
        return;
    }
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("the history has 0 nights"), "{text}");
    assert!(folder.path().join("night-0/trend.html").is_file());
    assert_eq!(folder.path().join("history").read_dir().expect("it was made").count(), 1);
}

#[test]
fn a_breached_run_is_an_annotation() {
    let run = ["run", "scenarios/breach", "--simulate", "--quiet", "--format", "github"];
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = plimsoll().args(run).arg("--out").arg(folder.path().join("out")).output();
    let (code, text) = ended(&output.expect("it starts"));
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("::error title=breach%3A breached::p95 < 50ms"), "{text}");
}

// check-jsonschema brings the schemas of these three services with it.
#[test]
fn the_pipelines_are_what_their_services_take() {
    let Some(validator) = validator() else {
        println!("skipped: needs check-jsonschema (scripts/real/schemas)");
        return;
    };
    let validate = |schema: &str, file: &Path| {
        let mut command = Command::new(&validator);
        command.args(["--builtin-schema", schema]).arg(file);
        // These services' files are a little more than YAML, and one schema has patterns of JavaScript.
        if schema.contains("azure") {
            command.args(["--data-transform", "azure-pipelines", "--regex-variant", "nonunicode"]);
        } else if schema.contains("gitlab") {
            command.args(["--data-transform", "gitlab-ci"]);
        }
        ended(&command.output().expect("it starts"))
    };
    let out = tempfile::tempdir().expect("a temporary folder");
    for (schema, file, key) in [
        ("vendor.github-workflows", "github-actions.yml", "runs-on"),
        ("vendor.azure-pipelines", "azure-pipelines.yml", "schedules"),
        ("vendor.gitlab-ci", "gitlab-ci.yml", "script"),
    ] {
        let path = root().join("scenarios/ci/pipelines").join(file);
        let (code, text) = validate(schema, &path);
        assert_eq!(code, 0, "{file}: {text}");
        let wrong = std::fs::read_to_string(&path).expect("it is there");
        let wrong = wrong.replace(&format!("{key}:"), &format!("{key}-:"));
        let copy = out.path().join(file);
        std::fs::write(&copy, wrong).expect("written");
        assert_eq!(validate(schema, &copy).0, 1, "{file} without `{key}`");
    }
}
