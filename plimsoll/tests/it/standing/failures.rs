//! What goes wrong when a deployment is created: each ends with a code, a reason, a log, and nothing that runs.

use serde_json::Value;

use super::User;
use crate::started::Folder;

const E: &str = "failures-endpoint";

/// A deployment, and how it fails.
struct Failing {
    name: &'static str,
    /// The end of its file.
    file: &'static str,
    code: i32,
    /// What says why: the command, and where there is a deployment, `show`.
    why: &'static str,
    /// What its log says; nothing where nothing was created.
    log: Option<&'static str>,
}

const PYTHON: &str = "environment: {image: IMAGE, conda_file: conda.yml}\n";

const ALL: [Failing; 8] = [
    Failing {
        name: "bad-yaml",
        file: "synthetic: {service_time: {constant: {ms: 1}}\n",
        code: 2,
        why: "bad-yaml.yml",
        log: None,
    },
    Failing {
        name: "missing-file",
        file: "model: {path: nowhere.onnx}\n",
        code: 2,
        why: "looked for",
        log: None,
    },
    Failing {
        name: "no-quota",
        file: "instance_type: Standard_DS5_v2\nsynthetic: {service_time: {constant: {ms: 1}}}\n",
        code: 5,
        why: "Not enough quota available",
        log: None,
    },
    Failing {
        name: "never-ready",
        file: "synthetic: {service_time: {constant: {ms: 1}}, start_ms: 60000}\n",
        code: 5,
        why: "it was not ready after",
        log: Some(""),
    },
    Failing {
        name: "import-error",
        file: "code_configuration: {code: ., scoring_script: imports.py}\n",
        code: 5,
        why: "nothing_of_that_name",
        log: Some("ModuleNotFoundError"),
    },
    Failing {
        name: "crash-in-init",
        file: "code_configuration: {code: ., scoring_script: crashes.py}\n",
        code: 5,
        why: "no such column: age",
        log: Some("no such column: age"),
    },
    Failing {
        name: "port-in-use",
        file: "code_configuration: {code: ., scoring_script: listens.py}\n",
        code: 5,
        why: "Address already in use",
        log: Some("Address already in use"),
    },
    Failing {
        name: "no-package",
        file: "code_configuration: {code: ., scoring_script: crashes.py}\n\
               environment: {image: IMAGE, conda_file: nothing.yml}\n",
        code: 5,
        why: "nothing-of-that-name==1",
        log: Some("nothing-of-that-name==1"),
    },
];

const QUOTA: &str = r#"{"value": [
  {"type": "Microsoft.MachineLearningServices/totalCores/usages", "unit": "Count",
   "currentValue": 0, "limit": 500, "name": {"value": "Total Clusters"}},
  {"type": "Microsoft.MachineLearningServices/dedicatedCores/usages", "unit": "Count",
   "currentValue": 0, "limit": 100, "name": {"value": "Total Cluster Dedicated Regional vCPUs"}},
  {"type": "Microsoft.MachineLearningServices/vmFamily/usages", "unit": "Count", "currentValue": 0, "limit": 20,
   "name": {"value": "Standard DSv2 Family Cluster Dedicated vCPUs"}}
]}"#;

fn folder() -> Folder {
    let conda = crate::support::root().join("scenarios/score-py/environment/conda.yaml");
    let conda = std::fs::read_to_string(conda).expect("it is there");
    let init = |words: &str| format!("def init():\n    {words}\ndef run(data):\n    return 1\n");
    let taken = "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); \
                 socket.create_server(s.getsockname())";
    Folder::copy("quickstart")
        .write("usages.json", QUOTA)
        .write("conda.yml", &conda)
        .write(
            "nothing.yml",
            "dependencies:\n- pip:\n  - --no-index\n  - nothing-of-that-name==1\n",
        )
        .write("imports.py", &format!("import nothing_of_that_name\n{}", init("pass")))
        .write("crashes.py", &init("raise ValueError('no such column: age')"))
        .write("listens.py", &init(taken))
}

#[test]
fn each_ends_with_a_code_a_reason_and_a_log_and_leaves_nothing_that_runs() {
    let (user, folder) = (User::new(), folder());
    let path = folder.path();
    let run = |words: &str| user.plimsoll(&path, &words.split(' ').collect::<Vec<_>>());
    run("host start --quota usages.json").must_exit(0);
    run(&format!("endpoint create -n {E}")).must_exit(0);
    let mut folder = folder;
    for Failing { name, file, code, why, log } in ALL {
        let machine =
            if file.contains("instance_type") { "" } else { "instance_type: Standard_DS3_v2\n" };
        let needs_python = file.contains("code_configuration");
        let python = if needs_python && !file.contains("environment") { PYTHON } else { "" };
        folder = folder.write(
            &format!("{name}.yml"),
            &format!(
                "name: {name}\nendpoint_name: {E}\ninstance_count: 1\n{machine}\
                 readiness_probe: {{initial_delay: 1, period: 1, failure_threshold: 20}}\n{python}{file}"
            ),
        );
        let created = run(&format!("deployment create -f {name}.yml"));
        let text = &created.stderr;
        if needs_python
            && (text.contains("needs Python") || text.contains("from versions: none"))
            && !text.contains(why)
        {
            println!("skipped: needs Python with venv (scripts/real/python): {name}: {text}");
            continue;
        }
        assert_eq!(created.code, code, "{name}: {text}");
        assert!(text.contains(why), "{name}: {text}");
        let shown = run(&format!("deployment show -n {name} -e {E}"));
        if let Some(log) = log {
            let shown: Value = serde_json::from_str(&shown.must_exit(0).stdout).expect("JSON");
            assert_eq!(shown["provisioning_state"], "Failed", "{name}");
            let told = shown["provisioning_error"].to_string();
            assert!(told.contains(why), "{name}: {told}");
            let logs = run(&format!("deployment get-logs -n {name} -e {E}")).must_exit(0).stdout;
            assert!(logs.contains(log), "{name}: {logs}");
        } else {
            shown.must_exit(1);
        }
        let running = user.processes();
        let running: Vec<_> =
            running.iter().filter(|one| one.command.contains(" guard ")).collect();
        assert!(running.is_empty(), "{name}: {running:?}");
        if log.is_some() {
            run(&format!("deployment delete -n {name} -e {E} --yes")).must_exit(0);
        }
    }
    run("host stop").must_exit(0);
    assert_eq!(user.temporary(), 0);
}
