//! `--target azure`: the commands against a workspace that is spoken to as Azure is, and what they would send to it.
//!
//! The workspace is a local host's, by HTTPS with its own authority. What the SDK sends is from its recorded calls.

mod rehearsal;
mod secrets;
mod upload;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::standing::User;
use crate::support::{Ran, closed_port, root};

const WORKSPACE: [&str; 8] = [
    "--target",
    "azure",
    "--subscription",
    "00000000-0000-0000-0000-000000000000",
    "-g",
    "local",
    "-w",
    "local",
];

/// Somebody with a workspace.
struct Azure {
    user: User,
    folder: tempfile::TempDir,
    port: u16,
    token: String,
}

impl Azure {
    fn start() -> Self {
        let (user, folder, port) =
            (User::new(), tempfile::tempdir().expect("a folder"), closed_port());
        let state = folder.path().join("host").display().to_string();
        let https = format!("--https=127.0.0.1:{port}");
        let start = ["host", "start", &https, "--state", &state];
        user.plimsoll(folder.path(), &start).must_exit(0);
        let record = fs::read_to_string(user.state().join("host/host.json")).expect("the record");
        let record: Value = serde_json::from_str(&record).expect("JSON");
        let token = record["token"].as_str().expect("a token").to_owned();
        let azure = Self { user, folder, port, token };
        let model = root().join("scenarios/quickstart/model/diabetes.onnx");
        fs::copy(model, azure.path().join("diabetes.onnx")).expect("copied");
        // What the Azure CLI does: it says nothing of the token to anybody but who asked.
        let script = format!(
            "#!/bin/sh\necho \"$*\" >> {0}/az-asked\ntr '\\0' ' ' < /proc/$PPID/cmdline >> {0}/az-parent\n\
             echo '{{\"accessToken\": \"{1}\", \"expires_on\": 4102444800, \"tokenType\": \"Bearer\"}}'\n",
            azure.path().display(),
            azure.token
        );
        fs::create_dir(azure.path().join("bin")).expect("a new folder");
        let az = azure.path().join("bin/az");
        fs::write(&az, script).expect("written");
        fs::set_permissions(&az, fs::Permissions::from_mode(0o700)).expect("made executable");
        azure
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn ca(&self) -> PathBuf {
        self.path().join("host/tls/ca.pem")
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).expect("written");
    }

    /// `plimsoll WORDS` in the workspace, as who has signed in with the Azure CLI.
    fn run(&self, words: &[&str]) -> Ran {
        let words: Vec<_> = words.iter().chain(&WORKSPACE).copied().collect();
        self.run_as_is(&words)
    }

    /// The same without the flags that say where.
    fn run_as_is(&self, words: &[&str]) -> Ran {
        let mut command = self.user.command(self.path(), words);
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .env("PATH", format!("{}:{path}", self.path().join("bin").display()))
            .env("AZUREML_DEV_URL_MFE", format!("https://127.0.0.1:{}", self.port))
            .env("REQUESTS_CA_BUNDLE", self.ca())
            .env("AZURE_CONFIG_DIR", self.path())
            .env("AZURE_SUBSCRIPTION_ID", WORKSPACE[3])
            .env("HTTPS_PROXY", "http://127.0.0.1:1")
            .env("RUST_LOG", "trace");
        for name in ["AZURE_CLIENT_SECRET", "PLIMSOLL_AZURE_TOKEN", "IDENTITY_ENDPOINT"] {
            command.env_remove(name);
        }
        let output = command.output().expect("it starts");
        Ran::new(&output, tempfile::tempdir().expect("a temporary folder"))
    }

    fn json(&self, words: &[&str]) -> Value {
        let ran = self.run(words).must_exit(0);
        serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("no JSON: {}", ran.text()))
    }

    /// The changes that a dry run would send: method, path behind the workspace, body.
    fn rehearsed(&self, words: &[&str]) -> Vec<(String, String, Value)> {
        let words: Vec<_> = words.iter().chain(&["--dry-run"]).copied().collect();
        let ran = self.run(&words).must_exit(0);
        rehearsal::changes(&ran.stdout)
    }
}

impl Drop for Azure {
    fn drop(&mut self) {
        self.user.plimsoll(self.folder.path(), &["host", "stop"]);
    }
}

const BLUE: &str = "name: blue\nendpoint_name: shop\ninstance_type: Standard_DS3_v2\ninstance_count: 1\n\
                    model: {path: diabetes.onnx}\nreadiness_probe: {initial_delay: 1, period: 1}\n";

#[test]
fn an_endpoint_lives_in_a_workspace_that_is_reached_as_azure_is() {
    let azure = Azure::start();
    let created = azure.json(&["endpoint", "create", "-n", "shop", "--set", "tags.team=prices"]);
    assert_eq!(
        (&created["provisioning_state"], &created["tags"]["team"]),
        (&json!("Succeeded"), &json!("prices"))
    );
    azure.write("blue.yml", BLUE);
    let synthetic = "synthetic: {service_time: {constant: {ms: 1}}}";
    azure.write("made-up.yml", &BLUE.replace("model: {path: diabetes.onnx}", synthetic));
    let refused = azure.run(&["deployment", "create", "-f", "made-up.yml"]).must_exit(2);
    assert!(refused.stderr.contains("Azure runs no synthetic deployments"), "{}", refused.text());
    azure.run(&["deployment", "create", "-f", "blue.yml"]).must_exit(0);
    let updated = azure.json(&["endpoint", "update", "-n", "shop", "--traffic", "blue=100"]);
    assert_eq!(updated["traffic"], json!({"blue": 100}));
    let request = root().join("scenarios/quickstart/sample-request.json");
    fs::copy(request, azure.path().join("request.json")).expect("copied");
    let invoke = ["endpoint", "invoke", "-n", "shop", "-r", "request.json"];
    azure.run(&invoke).must_exit(0);
    let dry = [&invoke[..], &["--dry-run"]].concat();
    assert!(azure.run(&dry).must_exit(2).stderr.contains("`invoke` sends"));
    let scaled = ["deployment", "update", "-n", "blue", "-e", "shop", "--set", "instance_count=2"];
    assert_eq!(azure.json(&scaled)["instance_count"], 2);
    let listed = azure.json(&["deployment", "list", "-e", "shop"]);
    assert_eq!(listed[0]["name"], "blue");
    azure.run(&["endpoint", "delete", "-n", "shop", "--yes"]).must_exit(0);
    assert_eq!(azure.json(&["endpoint", "list"]), json!([]));
    let missing = azure.run(&["endpoint", "show", "-n", "shop"]).must_exit(1);
    for told in
        ["endpoint `shop`", "(ResourceNotFound, status 404)", "check the names", "(request "]
    {
        assert!(missing.stderr.contains(told), "{told}: {}", missing.stderr);
    }
}

#[test]
fn what_is_about_azure_is_refused_elsewhere_and_what_is_missing_is_named() {
    let user = User::new();
    let here = tempfile::tempdir().expect("a folder");
    let run = |words: &[&str]| {
        let mut command = user.command(here.path(), words);
        command.env("AZURE_CONFIG_DIR", here.path()).env("PATH", "/nowhere");
        for name in [
            "AZURE_SUBSCRIPTION_ID",
            "AZURE_CLIENT_SECRET",
            "IDENTITY_ENDPOINT",
            "PLIMSOLL_AZURE_TOKEN",
        ] {
            command.env_remove(name);
        }
        let output = command.output().expect("it starts");
        Ran::new(&output, tempfile::tempdir().expect("a temporary folder"))
    };
    for (words, code, told) in [
        (&["endpoint", "list", "-g", "rg"][..], 2, "--resource-group is about Azure"),
        (&["model", "list", "--dry-run"], 2, "--dry-run is about Azure"),
        (&["endpoint", "list", "--target", "azure"], 2, "give --subscription"),
        (
            &["endpoint", "list", "--target", "azure", "--subscription", "a/b"],
            2,
            "`a/b` is no name",
        ),
        (&["endpoint", "list", "--target", "azure", "--local"], 2, "cannot be used with"),
    ] {
        let ran = run(words).must_exit(code);
        assert!(ran.stderr.contains(told), "{words:?}: {}", ran.stderr);
    }
    let words = [&["endpoint", "list"], WORKSPACE.as_slice()].concat();
    let ran = run(&words).must_exit(1);
    assert!(ran.stderr.contains("run `az login`"), "{}", ran.stderr);
}

#[test]
fn quota_is_asked_of_the_subscription_as_it_is() {
    let azure = Azure::start();
    azure.write("blue.yml", BLUE);
    let live = |more: &[&str]| {
        let words = [&["quota", "-f", "blue.yml", "--live"], more].concat();
        azure.run_as_is(&words)
    };
    let told = live(&["--region", "local"]).must_exit(0);
    assert!(told.stdout.contains("DSv2"), "{}", told.text());
    assert!(live(&[]).must_exit(2).stderr.contains("--region"));
    assert!(live(&["--region", "a/b"]).must_exit(2).stderr.contains("`a/b`"));
    let other = live(&["--region", "local", "--subscription", "other"]).must_exit(1);
    assert!(other.stderr.contains("the quota of region `local`"), "{}", other.text());
}

/// Somebody without a subscription can read what the scenario for Azure would send.
#[test]
fn the_scenario_for_azure_is_rehearsed_without_a_connection() {
    let (user, folder) = (User::new(), root().join("scenarios/azure"));
    let rehearsed = |words: &[&str]| {
        let offline =
            ["--target", "azure", "--dry-run=offline", "--subscription", "S", "-g", "G", "-w", "W"];
        let mut command = user.command(&folder, &[words, &offline].concat());
        command.env("PATH", "/nowhere").env("HTTPS_PROXY", "http://127.0.0.1:1");
        for name in [
            "AZUREML_DEV_URL_MFE",
            "ARM_CLOUD_METADATA_URL",
            "AZUREML_CURRENT_CLOUD",
            "AZURE_CLOUD_NAME",
        ] {
            command.env_remove(name);
        }
        let output = command.output().expect("it starts");
        Ran::new(&output, tempfile::tempdir().expect("a folder")).must_exit(0).stdout
    };
    let endpoint = rehearsed(&["endpoint", "create", "-f", "endpoint.yml"]);
    let home = "https://management.azure.com/subscriptions/S/resourceGroups/G/providers/\
                Microsoft.MachineLearningServices/workspaces/W";
    assert!(endpoint.contains(&format!("PUT {home}/onlineEndpoints/plimsoll-try?")), "{endpoint}");
    let deployment = rehearsed(&["deployment", "create", "-f", "blue-deployment.yml"]);
    let changes =
        deployment.lines().filter(|line| line.starts_with("PUT ") || line.starts_with("POST "));
    let changes: Vec<_> = changes.map(|line| line.split('?').next().unwrap_or_default()).collect();
    let ends = [
        "/datastores/workspaceblobstore/listSecrets",
        "sklearn_regression_model.pkl",
        "sklearn_regression_model.pkl",
        "/startPendingUpload",
        "/onlinescoring/score.py",
        "/versions/1",
        "/versions/1",
    ];
    for (change, end) in changes.iter().zip(ends) {
        assert!(change.ends_with(end), "{change} is not {end}: {changes:#?}");
    }
    let last = format!("PUT {home}/onlineEndpoints/plimsoll-try/deployments/blue");
    assert!(changes.contains(&last.as_str()), "{changes:#?}");
    assert!(deployment.contains("\"WORKER_COUNT\": \"<hidden>\"") && !deployment.contains("sig=s"));
}
