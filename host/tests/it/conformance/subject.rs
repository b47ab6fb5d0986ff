//! The runtimes: a deployment on each, and what only they know.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use plimsoll_deploy::spec::{Asset, Code, DeploymentSpec, Location, Model};
use plimsoll_host::runtime::Runtime;
use tempfile::TempDir;

use crate::harness::{TestHost, deployment};
use crate::python;

/// A deployment `blue` of one instance with one slot.
pub(super) struct Subject {
    pub(super) spec: DeploymentSpec,
    /// A request, and how many predictions answer it.
    pub(super) request: String,
    pub(super) predictions: usize,
    /// The same, failing at this request with this status.
    pub(super) failing: (DeploymentSpec, String, &'static str),
    /// The same, unable to start; what its log says then.
    pub(super) broken: (DeploymentSpec, &'static str),
    /// The same, saying something, and what.
    pub(super) saying: (DeploymentSpec, &'static str),
    /// Longer than it takes to start, on a busy machine too.
    pub(super) start: Duration,
    cache: Option<PathBuf>,
    _folder: TempDir,
}

const REQUEST: &str = r#"{"data": [[1, 2]]}"#;

/// Drawn service times, in our own server.
pub(super) async fn synthetic() -> Option<Subject> {
    let spec = deployment("blue", 1, 1.0);
    let mut failing = spec.clone();
    failing.synthetic.as_mut().unwrap().error_rate = 1.0;
    Some(own(spec, "synthetic", REQUEST.to_owned(), 1, (failing, REQUEST.to_owned(), "500")))
}

/// An ONNX model, in our own server.
pub(super) async fn builtin() -> Option<Subject> {
    let mut spec = deployment("blue", 1, 0.0);
    spec.synthetic = None;
    let path = Location::Here(python::scenarios("quickstart/model/diabetes.onnx"));
    spec.model = Some(Asset::Inline(Model { path, ..Model::default() }));
    let request = fs::read_to_string(python::scenarios("quickstart/sample-request.json")).unwrap();
    let failing = (spec.clone(), "no json".to_owned(), "400");
    Some(own(spec, "builtin", request, python::expected().len(), failing))
}

/// The official inference server with a scoring script; nothing where it cannot be had.
pub(super) async fn python() -> Option<Subject> {
    let plain = deployment("blue", 1, 1.0);
    let mut spec = python::scenario();
    assert_eq!(name(&spec), "python");
    python::prepare(&spec).await?;
    (spec.endpoint_name, spec.readiness_probe) = (plain.endpoint_name, plain.readiness_probe);
    (spec.instance_count, spec.request_settings) = (plain.instance_count, plain.request_settings);
    spec.readiness_probe.failure_threshold = 5000;
    spec.environment_variables.insert("WORKER_COUNT".into(), "1".into());
    let folder = tempfile::tempdir().unwrap();
    let script =
        "def init():\n    raise ValueError('no such column: age')\ndef run(data):\n    pass\n";
    fs::write(folder.path().join("score.py"), script).unwrap();
    let mut broken = spec.clone();
    let code = Location::Here(folder.path().to_owned());
    broken.code = Some(Code { folder: code, scoring_script: "score.py".into() });
    Some(Subject {
        request: fs::read_to_string(python::scenarios("score-py/sample-request.json")).unwrap(),
        predictions: python::expected().len(),
        failing: (spec.clone(), "no json".to_owned(), "500"),
        broken: (broken, "no such column: age"),
        saying: (spec.clone(), "Init complete"),
        start: Duration::from_secs(30),
        cache: Some(python::cache()),
        spec,
        _folder: folder,
    })
}

/// The fixture says and fails what its variables tell it.
fn own(
    spec: DeploymentSpec,
    runtime: &str,
    request: String,
    predictions: usize,
    failing: (DeploymentSpec, String, &'static str),
) -> Subject {
    assert_eq!(name(&spec), runtime);
    let with = |name: &str, value: &str| {
        let mut spec = spec.clone();
        spec.environment_variables.insert(name.to_owned(), value.to_owned());
        spec
    };
    Subject {
        request,
        predictions,
        failing,
        broken: (with("FIXTURE_FAIL", "no such column: age"), "no such column: age"),
        saying: (with("FIXTURE_SAY", "Init complete"), "Init complete"),
        start: Duration::from_secs(2),
        cache: None,
        spec,
        _folder: tempfile::tempdir().unwrap(),
    }
}

/// Without a wildcard: a new runtime does not compile until it is among the subjects.
fn name(spec: &DeploymentSpec) -> &'static str {
    match Runtime::choose(spec).unwrap() {
        Runtime::Synthetic(_) => "synthetic",
        Runtime::Builtin { .. } => "builtin",
        Runtime::Python { .. } => "python",
    }
}

impl Subject {
    pub(super) async fn host(&self) -> TestHost {
        TestHost::start_with(self.cache.clone()).await
    }
}
