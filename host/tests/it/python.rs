//! The `python` runtime with the official inference server in a real environment.
//!
//! The environment of `scenarios/score-py` is built once, into `PLIMSOLL_CACHE_DIR` or the
//! repository's `.cache/plimsoll`.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use plimsoll_deploy::arm::ProvisioningState;
use plimsoll_deploy::files::read_deployment;
use plimsoll_deploy::spec::{Asset, Code, DeploymentSpec, Location};
use plimsoll_document::{Document, Problems};
use plimsoll_host::runtime::instance::model::Model;
use plimsoll_host::runtime::python::Error as Environment;
use plimsoll_host::runtime::{Error, Prepared, Program, Runtime};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::timeout;

use super::harness::{TestHost, deployment, endpoint, until};

/// For an instance to start, or to say something.
const DEADLINE: Duration = Duration::from_mins(1);

/// The predictions are those of scikit-learn itself, and the builtin runtime's are too: it works
/// with 32 bits, so in the first digits only.
#[tokio::test]
async fn it_answers_what_the_model_predicts_and_what_the_builtin_runtime_answers() {
    let spec = scenario();
    let Some(prepared) = prepare(&spec).await else { return };
    let instance = Instance::start(&prepared).await;
    let request = fs::read_to_string(scenarios("score-py/sample-request.json")).unwrap();
    let (status, headers, body) = instance.score(&request).await;
    assert_eq!(status, StatusCode::OK, "{body}\n{}", instance.log());
    assert!(headers.contains_key("x-ms-run-fn-exec-ms"), "{headers:?}");
    let predictions: Vec<f64> = serde_json::from_str(&body).unwrap();
    close(&predictions, &expected(), 1e-9);
    let model =
        Model::load(&scenarios("quickstart/model/diabetes.onnx"), NonZeroUsize::MIN).unwrap();
    let builtin: Vec<f64> =
        serde_json::from_str(&model.score(request.as_bytes()).unwrap()).unwrap();
    close(&predictions, &builtin, 1e-4);
    instance.says("Init complete").await;
}

/// Its authentication is the gateway's: nobody else may come past it.
#[tokio::test]
async fn it_listens_on_the_loopback_address_only() {
    let Some(prepared) = prepare(&scenario()).await else { return };
    let instance = Instance::start(&prepared).await;
    let other = TcpStream::connect(("127.0.0.2", instance.port)).await;
    assert!(other.is_err(), "a server on every address answers on 127.0.0.2 too");
}

const SCRIPT: &str = "
import json, logging, os
import beside
def init():
    logging.getLogger('mine').info('the root logger shows')
    print('home is', os.environ['HOME'])
def run(raw_data):
    names = ['AML_APP_ROOT', 'AZUREML_MODEL_DIR', 'GREETING', 'WORKER_COUNT']
    return [os.environ.get(name) for name in names] + [beside.WORD, os.getcwd()]
";

/// A `config.json` that is not the server's keeps it from starting, if nothing is done.
#[tokio::test]
async fn a_script_finds_what_is_beside_it_and_its_variables() {
    let folder = tempfile::tempdir().unwrap();
    let code = folder.path().join("code");
    fs::create_dir(&code).unwrap();
    fs::write(code.join("score.py"), SCRIPT).unwrap();
    fs::write(code.join("beside.py"), "WORD = 'imported'\n").unwrap();
    fs::write(code.join("config.json"), "[\"of the model\"]").unwrap();
    let mut spec = scenario();
    spec.code =
        Some(Code { folder: Location::Here(code.clone()), scoring_script: "score.py".into() });
    spec.environment_variables = BTreeMap::from(
        [("GREETING", "hello"), ("WORKER_COUNT", "1")]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    let Some(prepared) = prepare(&spec).await else { return };
    let instance = Instance::start(&prepared).await;
    let (status, _, body) = instance.score("{}").await;
    assert_eq!(status, StatusCode::OK, "{body}\n{}", instance.log());
    let answer: Vec<String> = serde_json::from_str(&body).unwrap();
    let (root, model) = (code.to_str().unwrap(), scenarios("score-py"));
    let expected = [root, model.to_str().unwrap(), "hello", "1", "imported", root];
    assert_eq!(answer, expected);
    instance.says("the root logger shows").await;
    instance.says(&format!("home is {}", instance.folder.path().display())).await;
    let left: Vec<_> = fs::read_dir(&code).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "nothing is written beside the script: {left:?}");
}

const RAISING: &str = "
def init():
    pass
def run(raw_data):
    raise ValueError('not ' + 'today')
";

/// The server answers with a sentence that says nothing.
#[tokio::test(flavor = "multi_thread")]
async fn an_exception_of_run_is_told_of_and_in_the_instances_status() {
    let Some((host, spec, _folder)) = with_script(RAISING).await else { return };
    let caller = host.endpoint_with(&spec).await;
    let answer = caller.ask("{}").await;
    assert_eq!(answer.status, StatusCode::FAILED_DEPENDENCY, "{answer:?}");
    assert!(answer.body.contains("Check the logs"), "as on Azure: {answer:?}");
    let exception = async || {
        let shown = host.driver.show_deployment("end", "blue").await.unwrap();
        shown.instances[0].exception.clone()
    };
    until("the exception is known", || async { exception().await.is_some() }).await;
    let expected = "ValueError: not today (score.py, line 5, in run)";
    assert_eq!(exception().await.as_deref(), Some(expected));
    let log = host.driver.logs("end", "blue", 100).await.unwrap();
    assert!(log.contains("ValueError: not today"), "{log}");
    host.stop().await;
}

const LOUD: &str = "
import sys
def shout():
    for _ in range(40000):
        sys.stdout.write('x' * 99 + '\\n')
        sys.stderr.write('y' * 99 + '\\n')
    sys.stdout.write('z' * 3000000 + '\\n')
def init():
    shout()
def run(raw_data):
    shout()
    print('the last word')
    return 1
";

/// Eleven megabytes at the start and for each request: nobody waits for who reads it, and little of it is kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_writes_megabytes_answers_and_its_log_is_bounded() {
    let Some((host, spec, _folder)) = with_script(LOUD).await else { return };
    let caller = host.endpoint_with(&spec).await;
    for _ in 0..3 {
        let answer = caller.ask("{}").await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    }
    let log = async || host.driver.logs("end", "blue", 100_000).await.unwrap();
    until("it is all read", || async { log().await.contains("the last word") }).await;
    let log = log().await;
    assert!(log.len() <= 2 * 1024 * 1024 && log.lines().count() <= 5_000, "{}", log.len());
    host.stop().await;
}

const HANGING: &str = "
import time, traceback
def init():
    try:
        1 / 0
    except ZeroDivisionError:
        traceback.print_exc()
    print('waiting for the feature store')
    time.sleep(1000)
def run(raw_data):
    return 1
";

#[tokio::test(flavor = "multi_thread")]
async fn an_init_that_hangs_is_explained_as_that() {
    let Some((host, mut spec, _folder)) = with_script(HANGING).await else { return };
    host.driver.create_endpoint(&endpoint()).await.unwrap();
    spec.readiness_probe.failure_threshold = 1;
    spec.readiness_probe.initial_delay = Duration::from_secs(20);
    let error = host.driver.create_deployment(&spec, &mut |_| {}).await.unwrap_err().to_string();
    let words = "`init()` of the scoring script has not returned";
    let last = "waiting for the feature store";
    assert!(error.contains(words) && error.contains(last), "{error}");
    let (cause, log) = error.split_once(words).unwrap();
    assert!(
        !cause.contains("ZeroDivisionError") && log.contains("Invoking user's init"),
        "{error}"
    );
    host.stop().await;
}

/// A host, and the deployment of the scenario with another script; or nothing if that cannot be tested.
async fn with_script(script: &str) -> Option<(TestHost, DeploymentSpec, TempDir)> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("score.py"), script).unwrap();
    let mut spec = scenario();
    let code = Location::Here(folder.path().to_owned());
    spec.code = Some(Code { folder: code, scoring_script: "score.py".into() });
    let plain = deployment("blue", 1, 1.0);
    (spec.endpoint_name, spec.readiness_probe) = (plain.endpoint_name, plain.readiness_probe);
    prepare(&spec).await?;
    Some((TestHost::start_with(Some(cache())).await, spec, folder))
}

#[tokio::test]
async fn a_failing_build_says_what_pip_said() {
    let cache = tempfile::tempdir().unwrap();
    let mut spec = scenario();
    let Some(Asset::Inline(environment)) = &mut spec.environment else { panic!("it has one") };
    environment.conda =
        Some("dependencies:\n- pip:\n  - --no-index\n  - nothing-of-that-name==1\n".to_owned());
    let error = build(&spec, cache.path()).await.unwrap_err();
    if no_python(&error) {
        return;
    }
    let text = error.to_string();
    assert!(text.contains("blue") && text.contains("nothing-of-that-name==1"), "{text}");
}

/// There is no instance to have a log: what is told of the failure is where people look.
#[tokio::test(flavor = "multi_thread")]
async fn a_package_that_does_not_exist_is_told_by_show_and_logs() {
    let folder = tempfile::tempdir().unwrap();
    let host = TestHost::start_with(Some(folder.path().join("cache"))).await;
    host.driver.create_endpoint(&endpoint()).await.unwrap();
    let mut spec = scenario();
    spec.endpoint_name = endpoint().name;
    let Some(Asset::Inline(environment)) = &mut spec.environment else { panic!("it has one") };
    environment.conda =
        Some("dependencies:\n- pip:\n  - --no-index\n  - nothing-of-that-name==1\n".to_owned());
    let error = host.driver.create_deployment(&spec, &mut |_| {}).await.unwrap_err().to_string();
    if error.contains("venv") && !error.contains("nothing-of-that-name") {
        println!("skipped: needs Python with venv (scripts/real/python): {error}");
        return;
    }
    let shown = host.driver.deployment("end", "blue").await.unwrap().properties;
    assert_eq!(shown.provisioning_state, Some(ProvisioningState::Failed));
    let told = shown.provisioning_error.unwrap();
    assert!(told.message.contains("nothing-of-that-name==1"), "{told:?}");
    let log = host.driver.logs("end", "blue", 100).await.unwrap();
    assert!(log.contains("nothing-of-that-name==1"), "{log}");
    // A creation that succeeds has nothing to tell any more.
    host.driver.delete_deployment("end", "blue").await.unwrap();
    host.driver.create_deployment(&deployment("blue", 1, 1.0), &mut |_| {}).await.unwrap();
    let shown = host.driver.deployment("end", "blue").await.unwrap().properties;
    assert_eq!(shown.provisioning_error.map(|error| error.message), None);
    host.stop().await;
}

/// A running instance. Dropping it kills the server with its workers.
struct Instance {
    folder: TempDir,
    port: u16,
    log: watch::Receiver<String>,
    server: Child,
}

impl Instance {
    async fn start(prepared: &Prepared) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let launch = prepared.launch(port, folder.path(), 1, "blue/0");
        let Program::Path(program) = launch.program else { panic!("it is another program") };
        let mut command = Command::new(program);
        command.args(launch.args).envs(launch.env).current_dir(launch.cwd).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut server = command.spawn().unwrap();
        let (lines, log) = watch::channel(String::new());
        tokio::spawn(follow(server.stdout.take().unwrap(), lines.clone()));
        tokio::spawn(follow(server.stderr.take().unwrap(), lines));
        let instance = Self { folder, port, log, server };
        instance.says("ready for serving traffic").await;
        let (status, _, body) = instance.ask(Method::GET, "/", "").await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, "Healthy"));
        instance
    }

    async fn score(&self, body: &str) -> (StatusCode, HeaderMap, String) {
        self.ask(Method::POST, "/score", body).await
    }

    async fn ask(&self, method: Method, path: &str, body: &str) -> (StatusCode, HeaderMap, String) {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::builder().method(method).uri(path).header(HOST, "localhost");
        let request = request.header(CONTENT_TYPE, "application/json");
        let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap();
        let answer = timeout(DEADLINE, sender.send_request(request)).await.unwrap().unwrap();
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head.status, head.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    /// Waits until it says so; fails when it ends without having said so.
    async fn says(&self, words: &str) {
        let mut log = self.log.clone();
        let said = timeout(DEADLINE, log.wait_for(|log| log.contains(words))).await;
        let said = said.is_ok_and(|said| said.is_ok());
        assert!(said, "it never says `{words}`, but:\n{}", self.log());
    }

    fn log(&self) -> String {
        self.log.borrow().clone()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let Some(id) = self.server.id() else { return };
        let _ = killpg(Pid::from_raw(id.cast_signed()), Signal::SIGKILL);
    }
}

async fn follow(output: impl AsyncRead + Unpin, log: watch::Sender<String>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        log.send_modify(|log| {
            log.push_str(&line);
            log.push('\n');
        });
    }
}

/// Ready to be started, or the reason on standard output why that cannot be tested here.
pub(super) async fn prepare(spec: &DeploymentSpec) -> Option<Prepared> {
    match build(spec, &cache()).await {
        Ok(prepared) => Some(prepared),
        Err(error) if no_python(&error) || no_packages(&error) => None,
        Err(error) => panic!("{error}"),
    }
}

pub(super) fn cache() -> PathBuf {
    let cache = std::env::var_os("PLIMSOLL_CACHE_DIR").map(PathBuf::from);
    cache.unwrap_or_else(|| scenarios("../.cache/plimsoll"))
}

async fn build(spec: &DeploymentSpec, cache: &Path) -> Result<Prepared, Error> {
    let runtime = Runtime::choose(spec)?;
    assert_eq!(runtime.name(), "python");
    runtime.prepare(spec, cache, &mut |line| println!("{line}")).await
}

fn no_python(error: &Error) -> bool {
    let missing = matches!(error, Error::Environment { source: Environment::NoPython { .. }, .. });
    if missing {
        println!("skipped: needs Python with venv (scripts/real/python): {error}");
    }
    missing
}

/// pip found nothing of what is on the package index.
fn no_packages(error: &Error) -> bool {
    let text = error.to_string();
    let missing = text.contains("No matching distribution") && text.contains("from versions: none");
    if missing {
        println!("skipped: needs a package index that pip can reach: {text}");
    }
    missing
}

/// The deployment of `scenarios/score-py`, as its file says.
pub(super) fn scenario() -> DeploymentSpec {
    let folder = scenarios("score-py");
    let text = fs::read_to_string(folder.join("blue-deployment.yml")).unwrap();
    let document = Document::parse("blue-deployment.yml", &text).unwrap();
    let mut problems = Problems::new();
    let spec = read_deployment(&document, &folder, &mut problems);
    assert!(problems.is_empty(), "{problems}");
    spec.unwrap()
}

pub(super) fn expected() -> Vec<f64> {
    let text = fs::read_to_string(scenarios("models/expected.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
    expected["predictions"].as_array().unwrap().iter().map(|p| p.as_f64().unwrap()).collect()
}

pub(super) fn scenarios(path: &str) -> PathBuf {
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let scenarios = scenarios.canonicalize().unwrap();
    match path.strip_prefix("../") {
        Some(path) => scenarios.parent().unwrap().join(path),
        None => scenarios.join(path),
    }
}

fn close(left: &[f64], right: &[f64], tolerance: f64) {
    assert_eq!(left.len(), right.len());
    for (left, right) in left.iter().zip(right) {
        assert!((left - right).abs() <= tolerance * right.abs(), "{left} is not {right}");
    }
}
