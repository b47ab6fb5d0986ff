//! A scenario: one validated experiment. Whatever is in a [`Scenario`] has been checked; running it
//! needs no further look at the files it came from, except the model, code and request bodies.

mod address;
mod autoscale;
mod few;
mod formats;
mod headers;
mod names;
mod parts;
mod raw;
mod requests;
mod stages;
#[cfg(test)]
mod tests;
mod trace;
mod until;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use plimsoll_deploy::quota::Usages;
use plimsoll_deploy::shift::Shift;
use plimsoll_deploy::spec::{DeploymentSpec, EndpointSpec};
use plimsoll_document::{Document, Problems};
use plimsoll_domain::schedule::{ArrivalProcess, Arrivals, Mix, Profile, Trace};
use plimsoll_loadgen::{Error as LoadError, Payloads};
use plimsoll_monitor::{AlertRule, Objective};

pub use address::Address;
pub(crate) use autoscale::amount;
pub use autoscale::{Autoscale, RulesAlert};
pub use formats::FORMATS;
pub(crate) use formats::give_up_after;
pub use headers::Headers;
pub use raw::RawScenario;
pub(crate) use stages::LONGEST_STAGE;
pub(crate) use trace::read as read_trace;

/// Connections at most, where nothing else is said.
pub const DEFAULT_MAX_CONNECTIONS: u32 = 10_000;
/// Without a right answer for so long, a load ends, where nothing else is said.
pub const DEFAULT_GIVE_UP: Duration = Duration::from_secs(30);
/// Request timeout, where nothing else is said.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// One validated experiment.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Where every random number comes from.
    pub seed: u64,
    /// The file it was read from; `None` for `plimsoll load`.
    pub file: Option<PathBuf>,
    /// What is loaded.
    pub place: Place,
    /// What is sent: at least one.
    pub requests: Vec<Request>,
    /// From the sending of any of them to the end of its answer.
    pub timeout: Duration,
    /// How much, and when.
    pub load: Load,
    /// What must hold.
    pub objectives: Vec<Objective>,
    /// Whether the load ends as soon as the verdict is decided.
    pub until_decided: bool,
    /// What is told while it happens.
    pub alerts: Vec<AlertRule>,
    /// Rules that scale a deployment.
    pub autoscale: Option<Autoscale>,
    /// What the subscription may use.
    pub quota: Quota,
    /// Where results go; `None` for the default.
    pub folder: Option<PathBuf>,
    /// The OpenTelemetry Collector, if the scenario names one.
    pub otlp: Option<Address>,
}

impl Scenario {
    /// The name of the endpoint that the run brings up.
    pub fn endpoint_name(&self) -> Option<&str> {
        match &self.place {
            Place::Deployed(deployed) => Some(&deployed.endpoint.name),
            Place::Existing(_) | Place::Standing(_) => None,
        }
    }

    /// The first objective that does not fit the rest: what is wrong, and what would be right.
    pub(crate) fn misfit(&self) -> Option<(&Objective, String, String)> {
        let known = names::Known::new(&self.load.profile, &self.requests, Some(&self.place));
        let misfit = |objective| known.check(objective).map(|(what, hint)| (objective, what, hint));
        self.objectives.iter().find_map(misfit)
    }

    /// What is better known before a run, though nothing is wrong.
    pub(crate) fn notes(&self) -> Vec<String> {
        let scaled = self.autoscale.iter().flat_map(Autoscale::notes);
        few::notes(self).into_iter().chain(scaled).collect()
    }
}

/// What is loaded.
#[derive(Debug, Clone)]
pub enum Place {
    /// An endpoint that exists; it is not touched otherwise.
    Existing(Existing),
    /// An endpoint by its name on the local host that outlives its commands; it is not touched otherwise.
    Standing(String),
    /// An endpoint that the run brings up, and removes.
    Deployed(Box<Deployed>),
}

/// An endpoint that exists.
#[derive(Debug, Clone)]
pub struct Existing {
    /// The scoring URL.
    pub url: Address,
    /// The environment variable that holds its key or token.
    pub key_env: Option<String>,
    /// Certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Whether its certificate is not verified.
    pub insecure: bool,
}

/// An endpoint that the run brings up.
#[derive(Debug, Clone)]
pub struct Deployed {
    /// The endpoint.
    pub endpoint: EndpointSpec,
    /// The deployments behind it.
    pub deployments: Vec<DeploymentSpec>,
    /// Percent of the requests per deployment.
    pub traffic: BTreeMap<String, u8>,
}

/// What is sent.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its name in results.
    pub name: String,
    /// How often it is drawn, against the weights of the others.
    pub weight: f64,
    /// Path and query instead of those of the scoring URL.
    pub path: Option<Address>,
    /// Bodies, which take turns; read once, as they may come from a pipe. `None` for a request
    /// without a body.
    pub bodies: Option<Vec<Bytes>>,
    /// The HTTP method.
    pub method: String,
    /// Further headers.
    pub headers: Headers,
    /// The deployment that gets everything, past the traffic weights.
    pub deployment: Option<String>,
}

/// How much load, and when.
#[derive(Debug, Clone)]
pub struct Load {
    /// How arrivals are spread over time.
    pub arrivals: ArrivalProcess,
    /// The rate over time; of a trace its means.
    pub profile: Profile,
    /// How the endpoint's traffic changes meanwhile.
    pub shift: Shift,
    /// What is replayed, if anything.
    pub trace: Option<Trace>,
    /// Connections at most.
    pub max_connections: u32,
    /// Threads that send; `None` lets the generator choose.
    pub workers: Option<u32>,
    /// The ceiling that protects the target.
    pub ceiling_rps: Option<u32>,
    /// How long to wait for answers after the last stage.
    pub drain: Duration,
    /// The load ends when nothing got a right answer for so long from its beginning; `None` for a
    /// load that goes on.
    pub give_up_after: Option<Duration>,
}

impl Load {
    /// When each request is due.
    pub(crate) fn arrivals(&self, mix: &Mix, seed: u64) -> Arrivals {
        match &self.trace {
            Some(trace) => Arrivals::replay(trace, &self.profile, self.arrivals, mix, seed),
            None => Arrivals::new(&self.profile, self.arrivals, mix, seed),
        }
    }
}

/// What the subscription may use.
#[derive(Debug, Clone)]
pub struct Quota {
    /// Whether the scenario says anything of it.
    pub is_asked: bool,
    /// The region that the plan is for.
    pub region: String,
    /// Limits to hold the plan against.
    pub limits: Option<Usages>,
}

/// Reads a scenario from its file, or from `scenario.yml` in a folder.
///
/// # Errors
/// All problems of the scenario and of every file it names.
pub fn read(path: &Path) -> Result<Scenario, Problems> {
    let mut problems = Problems::new();
    let scenario = read_with_notes(path, &mut problems);
    problems.or(scenario)
}

/// The same, with notes on what this machine does with the files that it names.
pub(crate) fn read_with_notes(path: &Path, problems: &mut Problems) -> Option<Scenario> {
    let path = if path.is_dir() { path.join("scenario.yml") } else { path.to_owned() };
    let document = open(&path, problems)?;
    from_document(&document, &path, problems)
}

/// A scenario that is already parsed; `path` is where it lies.
pub(crate) fn from_document(
    document: &Document,
    path: &Path,
    problems: &mut Problems,
) -> Option<Scenario> {
    let raw: Option<RawScenario> = document.read(FORMATS, problems);
    let mut reader = parts::Reader { document, folder: folder(path), problems };
    let scenario = reader.scenario(raw?, path)?;
    reader.problems.is_empty().then_some(scenario)
}

/// A scenario from its text, as tests have it.
#[cfg(test)]
pub(crate) fn read_text(text: &str) -> Result<Scenario, Problems> {
    let document = Document::parse("scenario.yml", text)?;
    let mut problems = Problems::new();
    let scenario = from_document(&document, Path::new("scenario.yml"), &mut problems);
    problems.or(scenario)
}

/// What the quota of a scenario's deployments depends on; the models and the load may be missing.
///
/// # Errors
/// The problems of that part of the files.
pub(crate) fn sizes(path: &Path) -> Result<(Vec<DeploymentSpec>, Quota), Problems> {
    let path = if path.is_dir() { path.join("scenario.yml") } else { path.to_owned() };
    let mut problems = Problems::new();
    let sizes = open(&path, &mut problems).and_then(|document| {
        let raw: Option<RawScenario> = document.read(FORMATS, &mut problems);
        let folder = folder(&path);
        let mut reader = parts::Reader { document: &document, folder, problems: &mut problems };
        Some(reader.sizes(raw?))
    });
    problems.or(sizes)
}

/// The folder that a scenario's paths start from.
fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

fn open(path: &Path, problems: &mut Problems) -> Option<Document> {
    Document::open(path).map_err(|found| problems.append(found)).ok()
}

/// Reads the request bodies at `path` (`-` is standard input), checked as the content type among `headers` wants it.
///
/// # Errors
/// No body, or one that is not what the content type says.
pub fn bodies(path: &Path, headers: &Headers) -> Result<Vec<Bytes>, LoadError> {
    payloads(headers).read(path)
}

/// How bodies are read that go with these headers.
pub(crate) fn payloads(headers: &Headers) -> Payloads {
    let given = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    Payloads::of(given.map_or("application/json", |(_, value)| value.as_str()))
}
