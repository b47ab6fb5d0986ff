//! `plimsoll autoscale calibrate`: a model of measured runs holds, a wrong one does not.
//!
//! What was measured is made here: runs in virtual time whose summaries are made to say that they are not.

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::support::plimsoll;

/// What answered a run.
#[derive(Clone, Copy)]
struct Server {
    slots: u32,
    mean_ms: f64,
}

const TRUE: Server = Server { slots: 4, mean_ms: 20.0 };

fn scenario(folder: &Path, name: &str, rps: u32, server: Server) -> PathBuf {
    let dir = folder.join(format!("{name}-{}-{}", server.slots, server.mean_ms));
    std::fs::create_dir_all(&dir).expect("a folder");
    let write = |file: &str, text: String| std::fs::write(dir.join(file), text).expect("written");
    write("endpoint.yml", "name: calibrated\nauth_mode: key\n".to_owned());
    let Server { slots, mean_ms } = server;
    write(
        "blue.yml",
        format!(
            "name: blue\nendpoint_name: calibrated\ninstance_type: Standard_DS3_v2\ninstance_count: 1\n\
             request_settings: {{max_concurrent_requests_per_instance: {slots}}}\n\
             synthetic: {{service_time: {{exponential: {{mean_ms: {mean_ms}}}}}}}\n"
        ),
    );
    write(
        "scenario.yml",
        format!(
            "name: {name}\nseed: 7\nendpoint: endpoint.yml\ndeployments: [blue.yml]\n\
             request: {{body: request.json}}\nload:\n  arrivals: poisson\n  stages:\n    \
             - {{name: hold, duration: 400s, rps: {rps}}}\nobjectives: [\"p99 < 10s\"]\n"
        ),
    );
    write("request.json", "{}".to_owned());
    dir.join("scenario.yml")
}

/// Runs it in virtual time; with `measured`, so that it says that it was not.
fn ran(scenario: &Path, out: &Path, measured: bool) {
    let mut command = plimsoll();
    command.arg("run").arg(scenario).args(["--simulate", "--out"]).arg(out);
    let output = command.output().expect("it starts");
    // Whether it holds its objective does not matter.
    assert!(matches!(output.status.code(), Some(0 | 3 | 4)), "{output:?}");
    if measured {
        let path = out.join("summary.json");
        let text = std::fs::read_to_string(&path).expect("a summary");
        let text = text.replace("plimsoll.simulated-summary/v2", "plimsoll.summary/v2");
        std::fs::write(path, text).expect("written");
    }
}

fn calibrate(runs: &[&Path], predict: &Path, scenarios: &[&Path]) -> Output {
    let mut command = plimsoll();
    command.args(["autoscale", "calibrate"]).args(runs).arg("--predict").arg(predict);
    for scenario in scenarios {
        command.arg("--scenario").arg(scenario);
    }
    command.output().expect("it starts")
}

#[test]
fn the_model_of_a_measured_run_holds_and_wrong_ones_do_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let (low, high) = (path("low"), path("high"));
    let of = |name: &str, rps, server| scenario(folder.path(), name, rps, server);
    let (calm, busy) = (of("calm", 80, TRUE), of("busy", 130, TRUE));
    ran(&calm, &low, true);
    ran(&busy, &high, true);
    let output = calibrate(&[&low], &high, &[&calm, &busy]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}{output:?}");
    assert!(said.contains("service times × 1.3  noticed"), "{said}");
    assert!(said.contains("one slot fewer       noticed"), "{said}");
    assert!(said.contains("not known to the model"), "{said}");

    // Slots that are not those of the run: more, and fewer.
    for slots in [3, 5] {
        let wrong = Server { slots, ..TRUE };
        let scenarios = [&*of("calm", 80, wrong), &*of("busy", 130, wrong)];
        let output = calibrate(&[&low], &high, &scenarios);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(3), "{slots} slots: {said}");
        assert!(said.contains("the model does not hold"), "{said}");
    }

    // Service times that are not those of the run: as much shorter as × 1.3 is longer.
    let slower = path("slower");
    ran(&of("busy", 130, Server { mean_ms: 20.0 / 1.3, ..TRUE }), &slower, true);
    let output = calibrate(&[&low], &slower, &[&calm, &busy]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
}

#[test]
fn what_a_model_cannot_be_fitted_to_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let calm = scenario(folder.path(), "calm", 80, TRUE);
    let (simulated, measured) = (path("simulated"), path("measured"));
    ran(&calm, &simulated, false);
    ran(&calm, &measured, true);
    let refused = |run: &Path, scenario: &Path, words: &str| {
        let output = calibrate(&[run], run, &[scenario]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{words}: {said}{output:?}");
        assert!(said.contains(words), "{words}: {said}");
    };
    refused(&measured, &calm, "is there twice");
    refused(&simulated, &calm, "was simulated: nothing was measured in it");
    refused(
        &measured,
        &scenario(folder.path(), "other", 80, TRUE),
        "is a run of `calm`, not of `other`",
    );
    let copy = |name: &str, change: &dyn Fn(&Path)| {
        let to = path(name);
        std::fs::create_dir(&to).expect("a folder");
        for entry in std::fs::read_dir(&measured).expect("it is there") {
            let entry = entry.expect("it is read");
            std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
        }
        change(&to);
        to
    };
    let edit = |name: &'static str, from: &'static str, with: &'static str| {
        move |folder: &Path| {
            let path = folder.join(name);
            let text = std::fs::read_to_string(&path).expect("a file");
            assert!(text.contains(from), "{from}");
            std::fs::write(path, text.replace(from, with)).expect("written");
        }
    };
    let two = edit("summary.json", "\"instance_count\": 1", "\"instance_count\": 2");
    refused(&copy("two", &two), &calm, "instance_count `2` instead of `1`");
    let invalid = edit("summary.json", "\"state\": \"valid\"", "\"state\": \"invalid\"");
    refused(&copy("invalid", &invalid), &calm, "its run is invalid");
    let silent = edit("latency.hlog", "Tag=model,", "Tag=other,");
    refused(&copy("silent", &silent), &calm, "holds no service times");
    let rare = scenario(folder.path(), "rare", 2, TRUE);
    let few = path("few");
    ran(&rare, &few, true);
    refused(&few, &rare, "and 1000 are needed");
}
