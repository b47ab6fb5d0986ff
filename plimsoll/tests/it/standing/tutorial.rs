//! Microsoft's tutorial, its commands in its order, and what is wrong with others.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{User, files, post};
use crate::started::{Folder, SOON};
use crate::support::eventually;

/// One deployment behind one endpoint, as the tutorial has it.
struct Tutorial<'a> {
    user: &'a User,
    folder: &'a Path,
}

const E: &str = "tutorial-endpoint";

impl Tutorial<'_> {
    fn run(&self, words: &str) -> crate::support::Ran {
        self.user.plimsoll(self.folder, &words.split(' ').collect::<Vec<_>>())
    }

    fn json(&self, words: &str) -> Value {
        self.user.json(self.folder, &words.split(' ').collect::<Vec<_>>())
    }

    fn invoke(&self) -> String {
        let words = format!("endpoint invoke --name {E} --request-file sample-request.json");
        self.run(&words).must_exit(0).stdout
    }

    /// Up to the HTTP call with the key. The key is given back.
    fn create(&self) -> String {
        let created =
            self.run(&format!("endpoint create --local --name {E} -f endpoint.yml")).must_exit(0);
        assert!(created.stderr.contains("started the local host"), "{}", created.stderr);
        let words = "deployment create --name blue --endpoint";
        let file = "-f blue-deployment.yml --all-traffic";
        let created = self.json(&format!("{words} {E} {file}"));
        assert_eq!(created["provisioning_state"], "Succeeded", "{created:#}");
        let shown = self.json(&format!("endpoint show -n {E}"));
        assert_eq!(shown["traffic"], json!({"blue": 100}), "{shown:#}");
        let answered = self.invoke();
        assert!(answered.starts_with('['), "{answered}");

        let key = format!("endpoint get-credentials -n {E} --query primaryKey -o tsv");
        let key = self.run(&key).must_exit(0).stdout.trim().to_owned();
        let url =
            self.run(&format!("endpoint show -n {E} --query scoring_uri -o tsv")).must_exit(0);
        let request = std::fs::read_to_string(self.folder.join("sample-request.json"));
        let request = request.expect("it is there");
        let (status, body) = post(url.stdout.trim(), &key, &request);
        assert_eq!((status, body.trim()), (200, answered.trim()));
        assert_eq!(post(url.stdout.trim(), "another", &request).0, 401);
        key
    }

    /// From the change of the number of instances to the end.
    fn scale_and_delete(&self) {
        let scaled = format!("deployment update -n blue -e {E} --set instance_count=2 tags.a=b");
        let scaled = self.json(&scaled);
        assert_eq!(scaled["instance_count"], 2, "{scaled:#}");
        assert_eq!(scaled["tags"], json!({"a": "b"}));
        let listed = self.json(&format!("deployment list -e {E} --query [].instance_count"));
        assert_eq!(listed, json!([2]));
        self.invoke();

        let refused = self.run(&format!("deployment delete -n blue -e {E} --yes")).must_exit(1);
        assert!(refused.stderr.contains("live traffic"), "{}", refused.stderr);
        self.run(&format!("endpoint delete --name {E}")).must_exit(2);
        self.run(&format!("endpoint delete --name {E} --yes")).must_exit(0);
        assert_eq!(self.json("endpoint list"), json!([]));
        let gone = self.run(&format!("endpoint show -n {E}")).must_exit(1);
        assert!(gone.stderr.contains("ResourceNotFound"), "{}", gone.stderr);
        self.run("host stop").must_exit(0);
        eventually(SOON, "the end of the host", || self.user.processes().is_empty().then_some(()));
        assert_eq!(self.user.temporary(), 0, "temporary files");
    }
}

#[test]
fn the_commands_of_the_tutorial_work_in_its_order() {
    let (user, folder) = (User::new(), Folder::copy("quickstart"));
    let tutorial = Tutorial { user: &user, folder: &folder.path() };
    let key = tutorial.create();
    tutorial.run(&format!("deployment get-logs -n blue -e {E} --lines 10")).must_exit(0);
    // Without a scoring script: the timeout of the file is what changes.
    let before = tutorial.json(&format!("deployment show -n blue -e {E}"));
    let folder = folder.replace("blue-deployment.yml", "timeout_ms: 3000", "timeout_ms: 2500");
    let updated = format!("deployment update -n blue -e {E} -f blue-deployment.yml");
    let updated = tutorial.json(&updated);
    let timeout = |shown: &Value| shown["request_settings"]["request_timeout_ms"].clone();
    assert_eq!((timeout(&before), timeout(&updated)), (json!(3000), json!(2500)));
    assert_eq!(updated["model"], before["model"]);
    tutorial.invoke();
    let scenario = format!(
        "name: standing\ntarget: {{endpoint: {E}}}\nrequest: {{body: sample-request.json}}\n\
         load: {{arrivals: constant, stages: [{{duration: 2s, rps: 20}}]}}\n\
         objectives: [error rate < 50% in every 2s]\n"
    );
    let folder = folder.write("standing.yml", &scenario);
    let ran = tutorial.run("run standing.yml --out results --quiet").must_exit(0);
    assert!(!ran.text().contains(&key), "the key is printed");
    let summary = crate::support::summary(&tutorial.folder.join("results"));
    assert_eq!(crate::support::count(&summary, "/outcomes/ok"), 40, "{summary:#}");
    assert_eq!(user.hosts().len(), 1, "the run starts no host, and ends none");
    tutorial.invoke();
    for (path, text) in user.kept() {
        let mode = path.metadata().expect("it is there").permissions().mode();
        assert!(!text.contains(&key) || mode & 0o777 == 0o600, "the key is in {}", path.display());
    }
    let record = std::fs::read_to_string(user.state().join("host/host.json")).expect("the record");
    let record: Value = serde_json::from_str(&record).expect("JSON");
    let token = record["token"].as_str().expect("a token");
    for (path, text) in files(tutorial.folder.join("results")) {
        let told = text.contains(&key) || text.contains(token);
        assert!(!told, "a secret is in {}", path.display());
    }
    for words in ["host logs", "host status", "endpoint list", "endpoint --help"] {
        let text = tutorial.run(words).must_exit(0).text();
        assert!(!text.contains(&key) && !text.contains(token), "{words} tells a secret");
    }
    let told = user.processes().iter().any(|process| process.command.contains(token));
    assert!(!told, "the token is in a command line");
    let arguments = user.processes().iter().any(|process| process.command.contains(&key));
    assert!(!arguments, "the key is in a command line");
    tutorial.run(&format!("endpoint regenerate-keys -n {E} --key-type secondary")).must_exit(0);
    tutorial.run(&format!("endpoint regenerate-keys -n {E}")).must_exit(0);
    let new = format!("endpoint get-credentials -n {E} --query primaryKey -o tsv");
    assert_ne!(tutorial.run(&new).must_exit(0).stdout.trim(), key);
    tutorial.scale_and_delete();
    drop(folder);
}

#[test]
fn what_is_registered_is_listed_and_deployed_and_traffic_is_mirrored() {
    let (user, folder) = (User::new(), Folder::copy("quickstart"));
    let tutorial = Tutorial { user: &user, folder: &folder.path() };
    tutorial.run("model create -n prices -p model/diabetes.onnx").must_exit(0);
    let second = tutorial.json("model create -n prices -p model/diabetes.onnx --query version");
    assert_eq!(second, "2");
    assert_eq!(tutorial.json("model list -n prices --query sort([].version)"), json!(["1", "2"]));
    assert_eq!(tutorial.json("model list --query [].name"), json!(["prices"]));
    tutorial.run("environment create -n sk -i IMAGE").must_exit(0);
    assert_eq!(tutorial.json("environment show -n sk -l latest --query version"), "1");
    let create = format!("deployment create -f blue-deployment.yml -e {E} --query model");
    let set = "--set model=azureml:prices@latest instance_count=1";
    let blue = tutorial.json(&format!("{create} -n blue --all-traffic {set}")).to_string();
    assert!(blue.contains("models/prices/versions/2"), "{blue}");
    tutorial.json(&format!("{create} -n green {set}"));
    let mirrored =
        format!("endpoint update -n {E} --mirror-traffic green=10 --query mirror_traffic");
    assert_eq!(tutorial.json(&mirrored), json!({"green": 10}));
    tutorial.invoke();
    tutorial.run(&format!("endpoint update -n {E} --mirror-traffic green=0")).must_exit(0);
    tutorial.run(&format!("deployment delete -n green -e {E} --yes")).must_exit(0);
    tutorial.run("host stop").must_exit(0);
    eventually(SOON, "the end of the host", || user.processes().is_empty().then_some(()));
}

/// The same with the official inference server: the change is one of `score.py`.
#[test]
fn an_updated_scoring_script_is_served() {
    let mut python = Command::new("python3");
    python.args(["-c", "import ensurepip, venv"]).stdout(Stdio::null()).stderr(Stdio::null());
    if !python.status().is_ok_and(|status| status.success()) {
        println!("skipped: needs Python with venv (scripts/real/python)");
        return;
    }
    let (user, folder) = (User::new(), Folder::copy("score-py"));
    let folder =
        folder.replace("blue-deployment.yml", "name: blue", "name: blue # of the tutorial");
    let path = folder.path();
    let tutorial = Tutorial { user: &user, folder: &path };
    tutorial.run(&format!("endpoint create --name {E} -f endpoint.yml")).must_exit(0);
    let words = ["deployment", "create", "-e", E, "-f", "blue-deployment.yml", "--all-traffic"];
    let created = user.plimsoll(&path, &words);
    if created.stderr.contains("No matching distribution")
        && created.stderr.contains("from versions: none")
    {
        println!("skipped: needs a package index that pip can reach: {}", created.stderr);
        return;
    }
    created.must_exit(0);
    let answered = tutorial.invoke();
    let logs = format!("deployment get-logs -n blue -e {E}");
    assert!(tutorial.run(&logs).must_exit(0).stdout.contains("azmlinfsrv"));
    let script = std::fs::read_to_string(path.join("onlinescoring/score.py")).expect("a script");
    let script = script
        .replace("def init():\n", "def init():\n    logging.info(\"Updated successfully\")\n");
    let folder = folder.write("onlinescoring/score.py", &format!("import logging\n{script}"));
    tutorial.run(&format!("deployment update -e {E} -f blue-deployment.yml")).must_exit(0);
    let log = tutorial.run(&logs).must_exit(0).stdout;
    assert!(log.contains("Updated successfully"), "{log}");
    assert_eq!(tutorial.invoke(), answered);

    // One that cannot start costs nothing but the update.
    let good = std::fs::read_to_string(path.join("onlinescoring/score.py")).expect("a script");
    let broken = "def init():\n    raise ValueError('broken')\ndef run(data):\n    return 1\n";
    let folder = folder.write("onlinescoring/score.py", broken);
    let update = format!("deployment update -e {E} -f blue-deployment.yml");
    let failed = tutorial.run(&update).must_exit(5);
    assert!(failed.stderr.contains("ValueError: broken"), "{}", failed.stderr);
    assert_eq!(tutorial.invoke(), answered);
    let folder = folder.write("onlinescoring/score.py", &good);
    tutorial.run(&update).must_exit(0);
    tutorial.scale_and_delete();
    drop(folder);
}

#[test]
fn wrong_usage_and_deployments_that_fail_have_codes_of_their_own() {
    let (user, folder) = (User::new(), Folder::copy("quickstart"));
    let folder = folder.write("model/broken.onnx", "this is no model");
    let path = folder.path();
    let run = |words: &str| user.plimsoll(&path, &words.split(' ').collect::<Vec<_>>());
    let none = run("endpoint show -n e-1").must_exit(1);
    assert!(none.stderr.contains("no local host is running"), "{}", none.stderr);
    assert_eq!(run("endpoint list").must_exit(0).stdout.trim(), "[]");
    run("endpoint create -n -").must_exit(2);
    run("endpoint create -f nowhere.yml").must_exit(2);
    run("deployment create -f endpoint.yml").must_exit(2);
    run("deployment create -f blue-deployment.yml --all-traffic --no-wait").must_exit(2);
    run("deployment create -f blue-deployment.yml --set instance_count").must_exit(2);
    run("endpoint list --query [").must_exit(2);
    run("endpoint show -n ../models").must_exit(2);
    run("deployment update -n a/b -e end --set instance_count=2").must_exit(2);
    run("model show -n a/b -v 1").must_exit(2);
    run("model create -n a/b -p model/diabetes.onnx").must_exit(2);
    assert!(user.processes().is_empty(), "nothing of that starts a host");

    let failed = run("deployment create -f blue-deployment.yml --set model.path=model/broken.onnx");
    let failed = failed.must_exit(5);
    assert!(
        failed.stderr.contains("endpoint quickstart-endpoint was not there"),
        "{}",
        failed.stderr
    );
    assert!(failed.stderr.contains("broken.onnx"), "{}", failed.stderr);
    let shown =
        user.json(&path, &["deployment", "show", "-n", "blue", "-e", "quickstart-endpoint"]);
    assert_eq!(shown["provisioning_state"], "Failed");
    let why = shown["provisioning_error"]["message"].as_str().expect("a reason");
    assert!(why.contains("broken.onnx"), "{shown:#}");
    let exists = run("endpoint create -f endpoint.yml").must_exit(1);
    assert!(exists.stderr.contains("already exists"), "{}", exists.stderr);
    run("endpoint invoke -n quickstart-endpoint -r sample-request.json -d red").must_exit(1);
    run("model create -n first -v 1 -p model/diabetes.onnx").must_exit(0);
    let again = run("model create -n first -v 1 -p model/diabetes.onnx").must_exit(1);
    assert!(again.stderr.contains("has this version already"), "{}", again.stderr);
    let missing = run("model show -n first -v 9").must_exit(1);
    assert!(missing.stderr.contains("`plimsoll model list`"), "{}", missing.stderr);
}
