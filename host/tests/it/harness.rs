//! A local host in this process, and a caller of its endpoints.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use plimsoll_deploy::arm::ArmDriver;
use plimsoll_deploy::quota::Usages;
use plimsoll_deploy::spec::{
    AuthMode, AzureEndpoint, DeploymentSpec, EndpointSpec, ServiceTime, Synthetic,
};
use plimsoll_deploy::workspace::Workspace;
use plimsoll_domain::clock;
use plimsoll_host::{HostConfig, Https, Rehearsal};
use secrecy::{ExposeSecret, SecretString};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(super) const TOKEN: &str = "test-token";

/// Longer than anything here may take.
const DEADLINE: Duration = Duration::from_mins(1);

pub(super) struct TestHost {
    pub(super) driver: ArmDriver,
    pub(super) url: String,
    shutdown: CancellationToken,
    serving: JoinHandle<Result<(), plimsoll_host::Error>>,
    folder: TempDir,
}

impl TestHost {
    pub(super) async fn start() -> Self {
        Self::start_as(None, None, Rehearsal::default()).await
    }

    /// With environments from a cache that others use too.
    pub(super) async fn start_with(cache_dir: Option<PathBuf>) -> Self {
        Self::start_as(cache_dir, None, Rehearsal::default()).await
    }

    /// With the limits of a subscription.
    pub(super) async fn start_within(limits: Usages) -> Self {
        Self::start_as(None, Some(limits), Rehearsal::default()).await
    }

    /// With what is slow, or fails, as on Azure.
    pub(super) async fn start_rehearsing(rehearsal: Rehearsal) -> Self {
        Self::start_as(None, None, rehearsal).await
    }

    /// Over HTTPS too: its address there, and the file that its callers trust.
    pub(super) async fn start_secured() -> (Self, String, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let https = Https::new(listener, folder.path()).unwrap();
        let (url, ca) = (https.url().unwrap(), https.ca().to_owned());
        let host = Self::start_in(folder, None, None, Rehearsal::default(), Some(https)).await;
        (host, url, ca)
    }

    async fn start_as(
        cache_dir: Option<PathBuf>,
        limits: Option<Usages>,
        rehearsal: Rehearsal,
    ) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), cache_dir, limits, rehearsal, None).await
    }

    async fn start_in(
        folder: TempDir,
        cache_dir: Option<PathBuf>,
        limits: Option<Usages>,
        rehearsal: Rehearsal,
        https: Option<Https>,
    ) -> Self {
        let cache_dir = cache_dir.unwrap_or_else(|| folder.path().join("cache"));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = plimsoll_host::url(listener.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        let config = HostConfig {
            executable: fixture(),
            cache_dir,
            state_dir: folder.path().join("state"),
            workspace: Workspace::local(),
            token: TOKEN.into(),
            seed: 7,
            https,
            keep: None,
            limits,
            rehearsal,
        };
        let serving = tokio::spawn(plimsoll_host::serve(config, listener, shutdown.clone()));
        let driver = ArmDriver::new(&url, Workspace::local(), &TOKEN.into()).unwrap();
        Self { driver, url, shutdown, serving, folder }
    }

    /// An endpoint `e` with one deployment that gets all traffic.
    pub(super) async fn endpoint_with(&self, spec: &DeploymentSpec) -> Caller {
        self.driver.create_endpoint(&endpoint()).await.unwrap();
        self.driver.create_deployment(spec, &mut |_| {}).await.unwrap();
        self.driver.set_traffic("end", &traffic(&[(&spec.name, 100)])).await.unwrap();
        self.caller().await
    }

    pub(super) async fn caller(&self) -> Caller {
        let uri = self.driver.show_endpoint("end").await.unwrap().scoring_uri;
        let key = self.driver.credentials("end").await.unwrap().primary;
        Caller { uri, key }
    }

    /// Asks the control plane for something of the workspace.
    pub(super) async fn ask(&self, method: Method, rest: &str, body: &str) -> Answer {
        let url = format!("{}{}{rest}?api-version=2025-12-01", self.url, Workspace::local());
        call(method, &url, &[("authorization", &format!("Bearer {TOKEN}"))], body).await
    }

    /// As [`ask`](Self::ask), with more in the query.
    pub(super) async fn ask_with(&self, method: Method, rest: &str, body: &str) -> Answer {
        let url = format!("{}{}{rest}&api-version=2025-12-01", self.url, Workspace::local());
        call(method, &url, &[("authorization", &format!("Bearer {TOKEN}"))], body).await
    }

    /// Stops the host; nothing of it may be left.
    pub(super) async fn stop(self) {
        self.shutdown.cancel();
        self.serving.await.unwrap().unwrap();
        assert!(!self.folder.path().join("state").exists());
    }

    pub(super) fn state_dir(&self) -> PathBuf {
        self.folder.path().join("state")
    }
}

/// Calls an endpoint, on a new connection each time.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) uri: String,
    pub(super) key: SecretString,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Caller {
    pub(super) async fn score(&self) -> Answer {
        self.score_with(&[]).await
    }

    pub(super) async fn score_with(&self, headers: &[(&str, &str)]) -> Answer {
        self.send(headers, r#"{"data": [[1, 2]]}"#).await
    }

    pub(super) async fn ask(&self, body: &str) -> Answer {
        self.send(&[("content-type", "application/json")], body).await
    }

    pub(super) async fn send(&self, headers: &[(&str, &str)], body: &str) -> Answer {
        let bearer = format!("Bearer {}", self.key.expose_secret());
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend(headers);
        call(Method::POST, &self.uri, &all, body).await
    }
}

pub(super) async fn call(
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let rest = url.strip_prefix("http://").unwrap();
    let (authority, path) = rest.split_at(rest.find('/').unwrap());
    let stream = TcpStream::connect(authority).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path).header("host", authority);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
    let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    Answer { status: head.status, headers: head.headers, body }
}

pub(super) fn fixture() -> PathBuf {
    env!("CARGO_BIN_EXE_plimsoll-host-fixture").into()
}

/// The fixture, started by a script in `folder` that does something before.
pub(super) fn fixture_after(before: &str, folder: &Path) -> PathBuf {
    let program = folder.join("fixture");
    let script = format!("#!/bin/sh\n{before}\nexec '{}' \"$@\"\n", fixture().display());
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    program
}

pub(super) fn endpoint() -> EndpointSpec {
    EndpointSpec {
        name: "end".to_owned(),
        description: None,
        tags: BTreeMap::new(),
        properties: BTreeMap::new(),
        auth_mode: AuthMode::Key,
        traffic: BTreeMap::new(),
        mirror_traffic: BTreeMap::new(),
        azure: AzureEndpoint::default(),
    }
}

/// A deployment that takes `ms` for each request.
pub(super) fn deployment(name: &str, instances: u32, ms: f64) -> DeploymentSpec {
    let count = NonZeroU32::new(instances).unwrap();
    let mut spec = DeploymentSpec::new(name, "end", "Standard_DS3_v2", count);
    let service_time = ServiceTime::Constant { ms };
    spec.synthetic = Some(Synthetic { service_time, error_rate: 0.0, start_ms: 0.0 });
    // Nobody wants to wait for Azure's ten seconds in every test.
    spec.readiness_probe.initial_delay = Duration::ZERO;
    spec.readiness_probe.period = Duration::from_millis(20);
    spec.readiness_probe.failure_threshold = 1000;
    spec
}

pub(super) fn traffic(weights: &[(&str, u8)]) -> BTreeMap<String, u8> {
    weights.iter().map(|(name, percent)| ((*name).to_owned(), *percent)).collect()
}

/// Whether a process is there and not only waiting to be buried.
pub(super) fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    let state = |stat: &str| stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
    stat.is_ok_and(|stat| !matches!(state(&stat), Some('Z' | 'X') | None))
}

/// Waits for something that cannot be awaited.
pub(super) async fn until<F: Future<Output = bool>>(what: &str, check: impl Fn() -> F) {
    let start = clock::now();
    while !check().await {
        assert!(clock::now().since(start) < DEADLINE, "still waiting until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
