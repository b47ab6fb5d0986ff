//! `plimsoll run --simulate`: the same folder and verdict, and never taken for a measurement.

use crate::support::{Ran, adds_up, count, plimsoll};

fn text(ran: &Ran, name: &str) -> String {
    std::fs::read_to_string(ran.folder().join(name)).expect(name)
}

#[test]
fn a_simulated_run_has_a_runs_folder_and_says_in_each_place_that_it_is_simulated() {
    let ran = Ran::with_out(&["run", "scenarios/breach", "--simulate"]).must_exit(3);
    let summary = ran.summary();
    adds_up(&summary);
    assert_eq!(summary["schema"], "plimsoll.simulated-summary/v2");
    assert_eq!(summary["verdict"], "breached");
    assert_eq!(summary["validity"]["state"], "valid", "{summary:#}");
    // 100/s for 9 s: within four standard deviations.
    assert!(count(&summary, "/load/offered").abs_diff(900) < 120, "{summary:#}");
    let p50 = summary["latency_ms"]["response"]["p50"].as_f64().expect("answers came");
    assert!((p50 - 60.0).abs() < 5.0, "{p50}");
    for file in super::RESULTS {
        let length = ran.folder().join(file).metadata().map(|data| data.len());
        assert!(length.is_ok_and(|length| length > 0), "{file}");
    }
    assert!(ran.stdout.contains("breach, simulated: breached"), "{}", ran.stdout);
    assert!(text(&ran, "report.html").contains("<h2>Simulated: "));
    assert!(text(&ran, "junit.xml").contains("classname=\"plimsoll.simulated.breach\""));
    assert!(text(&ran, "junit.xml").contains("breach (simulated)"));
    assert!(text(&ran, "latency.hlog").contains("(simulated)"));
    assert!(text(&ran, "events.jsonl").contains("no request is sent"));

    // Its report can be made again, and still says so.
    let folder = ran.folder();
    let again = plimsoll().arg("report").arg(&folder).output().expect("it starts");
    assert!(again.status.success(), "{again:?}");
    assert!(text(&ran, "report.html").contains("<h2>Simulated: "));
}

#[test]
fn a_simulation_repeats_with_its_seed() {
    let timeline = |seed| {
        let ran = Ran::with_out(&["run", "scenarios/breach", "--simulate", "--seed", seed]);
        text(&ran.must_exit(3), "timeline.csv")
    };
    assert_eq!(timeline("3"), timeline("3"));
    assert_ne!(timeline("3"), timeline("4"));
}

#[test]
fn what_cannot_be_simulated_is_refused_by_name() {
    for (scenario, what) in [
        ("scenarios/score-py", "how long the scoring script of deployment `blue` takes"),
        ("scenarios/quickstart", "how long the model of deployment `blue` takes"),
    ] {
        let ran = Ran::with_out(&["run", scenario, "--simulate"]).must_exit(2);
        assert!(ran.stderr.contains(what), "{}", ran.stderr);
        assert!(ran.stderr.contains("synthetic: {service_time:"), "{}", ran.stderr);
        assert!(!ran.folder().exists(), "nothing was begun");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let scenario = "name: x\ntarget: {url: 'http://127.0.0.1:1/score?code=k3y'}\nrequest: {method: \
                    GET}\nload: {stages: [{duration: 1s, rps: 1}]}\n";
    std::fs::write(folder.path().join("scenario.yml"), scenario).expect("it can be written");
    let path = folder.path().to_string_lossy();
    let ran = Ran::with_out(&["run", &path, "--simulate"]).must_exit(2);
    assert!(ran.stderr.contains("exists already"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("k3y"), "{}", ran.stderr);
}

#[test]
fn a_simulation_is_not_exported() {
    let otlp = ["run", "scenarios/breach", "--simulate", "--otlp", "http://127.0.0.1:1"];
    let ran = Ran::with_out(&otlp).must_exit(2);
    assert!(ran.stderr.contains("cannot be used with"), "{}", ran.stderr);
    let out = tempfile::tempdir().expect("a temporary folder");
    let mut command = plimsoll();
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
    command.args(["run", "scenarios/breach", "--simulate", "--out"]);
    let output = command.arg(out.path().join("results")).output().expect("it starts");
    let ran = Ran::new(&output, out).must_exit(3);
    assert!(ran.stderr.contains("nothing is exported to"), "{}", ran.stderr);
}

#[test]
fn an_hour_is_as_good_as_a_second() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let copy = |name: &str| {
        let from = crate::support::root().join("scenarios/breach").join(name);
        std::fs::copy(from, folder.path().join(name)).expect(name);
    };
    ["endpoint.yml", "blue-deployment.yml", "sample-request.json"].into_iter().for_each(copy);
    let scenario = "name: hour\nendpoint: endpoint.yml\ndeployments: \
                    [blue-deployment.yml]\nrequest: {body: sample-request.json}\nload: {stages: \
                    [{duration: 1h, rps: 5}]}\nobjectives: [p95 < 200ms]\n";
    std::fs::write(folder.path().join("scenario.yml"), scenario).expect("it can be written");
    let path = folder.path().to_string_lossy();
    let ran = Ran::with_out(&["run", &path, "--simulate"]).must_exit(0);
    assert!(count(&ran.summary(), "/load/offered").abs_diff(18_000) < 600);
}

#[test]
fn a_recorded_load_is_replayed_arrival_for_arrival() {
    let ran = Ran::with_out(&["run", "scenarios/replay", "--simulate"]);
    let summary = ran.summary();
    adds_up(&summary);
    let rows = csv::Reader::from_reader(text(&ran, "timeline.csv").as_bytes())
        .deserialize::<std::collections::HashMap<String, String>>()
        .map(|row| row.expect("a row"))
        .collect::<Vec<_>>();
    let sum = |name: &str, factor: &str| -> f64 {
        let cell = |row: &std::collections::HashMap<String, String>| -> f64 {
            let number = |name: &str| row[name].parse::<f64>().expect("a number");
            if factor.is_empty() { number(name) } else { number(name) * number(factor) }
        };
        rows.iter().map(cell).sum()
    };
    assert!((sum("offered", "") - 8_819.0).abs() < 0.5, "{}", sum("offered", ""));
    // What was asked is told second by second, not as the mean.
    assert!((sum("target_rps", "length_s") - 8_819.0).abs() < 0.5);
    let targets: Vec<&String> = rows.iter().map(|row| &row["target_rps"]).collect();
    assert!(targets.iter().any(|target| **target == "0.0"), "{targets:?}");
}

#[test]
fn a_trace_may_be_given_and_what_is_wrong_with_one_is_told_with_its_line() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("trace.csv");
    let run = |rows: &str| {
        std::fs::write(&file, format!("offset_s\n{rows}")).expect("it can be written");
        let trace = file.to_string_lossy().into_owned();
        Ran::with_out(&["run", "scenarios/breach", "--simulate", "--trace", &trace])
    };
    let offered = count(&run("0\n0.5\n0.7\n1\n").summary(), "/load/offered");
    assert_eq!(offered, 4);
    for (rows, what) in [
        ("1\n0.5\n", "trace.csv: line 3: 0.5 comes after 1"),
        ("", "trace.csv: it has no row"),
        ("1\n\nx\n", "trace.csv: line 4: `x` is no number"),
    ] {
        let ran = run(rows).must_exit(2);
        assert!(ran.stderr.contains(what), "{}", ran.stderr);
        assert!(!ran.folder().exists(), "nothing was begun");
    }
    let scenario = "name: x\nendpoint: e.yml\ndeployments: [d.yml]\nrequest: {method: GET}\nload: \
                    {stages: [{duration: 1s, rps: 1}], trace: {file: trace.csv, loop: true}}\n";
    let path = folder.path().join("scenario.yml");
    std::fs::write(&path, scenario).expect("it can be written");
    let ran = Ran::with_out(&["run", &path.to_string_lossy(), "--simulate"]).must_exit(2);
    for what in ["either `stages` or a `trace`", "trace.csv: line 4: `x` is no number"] {
        assert!(ran.stderr.contains(what), "{}", ran.stderr);
    }
}

#[test]
fn rules_scale_a_simulation_as_they_scale_a_live_run_and_the_same_in_every_run() {
    for (scenario, exit, changes) in [
        ("scenarios/autoscale-azure", 0, 2),
        ("scenarios/autoscale-too-slow", 3, 1),
        ("scenarios/autoscale-hpa", 0, 6),
    ] {
        let run = || Ran::with_out(&["run", scenario, "--simulate"]).must_exit(exit);
        let ran = run();
        let summary = ran.summary();
        assert_eq!(summary["schema"], "plimsoll.simulated-summary/v2");
        assert_eq!(summary["autoscale"]["changes"], changes, "{scenario}: {summary:#}");
        let waits = summary["autoscale"]["scale_outs"][0]["waits"].to_string();
        assert!(waits.contains("\"part\":\"provisioning\""), "{waits}");
        let page = text(&ran, "report.html");
        for words in ["<h2>Simulated: ", "Autoscale rules", "Instances: wanted, started, ready"] {
            assert!(page.contains(words), "{scenario}: {words}");
        }
        assert!(text(&ran, "events.jsonl").contains("the simulation begins at 2026-01-05"));
        let again = run();
        for file in ["autoscale.jsonl", "timeline.csv"] {
            assert_eq!(text(&ran, file), text(&again, file), "{scenario}: {file}");
        }
    }
}

#[test]
fn a_recorded_run_is_simulated_under_other_rules_beside_its_own() {
    let scenario = "scenarios/autoscale-azure";
    let ran = Ran::with_out(&["run", scenario, "--simulate"]).must_exit(0);
    let folder = ran.folder().to_string_lossy().into_owned();
    let what_if = |scenario: &str| {
        let mut command = plimsoll();
        command.args([
            "autoscale",
            "what-if",
            &folder,
            "--scenario",
            scenario,
            "--json",
            "--rules",
        ]);
        command.arg("scenarios/autoscale-too-slow/rules.json").output().expect("it starts")
    };
    let output = what_if(scenario);
    assert!(output.status.success(), "{output:?}");
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let hours = |at: &str| answer.pointer(at).and_then(serde_json::Value::as_f64).expect(at);
    let (measured, same) = (hours("/measured/instance_h"), hours("/same_rules/mean/instance_h"));
    // The arrivals of each second and the service times are its own, so that the rules do the same.
    assert!((same / measured - 1.0).abs() < 0.1, "{answer:#}");
    assert!(hours("/new_rules/mean/instance_h") < same, "{answer:#}");
    assert_eq!(answer["recorded_is_simulated"], true);
    let other = what_if("scenarios/autoscale-hpa");
    let told = String::from_utf8_lossy(&other.stderr);
    assert!(other.status.code() == Some(2) && told.contains("is a run of"), "{told}");
}
