//! What answers as Azure does, over HTTPS, and fails as it is told.
//!
//! It keeps endpoints and deployments, with versions and long-running operations, and what was done to them, in order. It
//! issues tokens, of which only the last one is good.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use plimsoll_deploy::arm::cloud::Cloud;
use plimsoll_deploy::arm::credential::{Credential, Source};
use plimsoll_deploy::arm::transport::Transport;
use plimsoll_deploy::arm::{ArmDriver, Limits};
use plimsoll_deploy::workspace::Workspace;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A refusal, before anything was done: status and code.
    Refuse(u16, &'static str),
    /// A refusal because of too many requests: `Retry-After`.
    Throttle(&'static str),
    /// The connection ends before anything was done.
    Lose,
    /// The connection ends when all was done.
    LoseAnswer,
    /// All was done, and the answer says that it was not.
    FailAfter(u16),
    /// The token that was shown is good no longer.
    Expire,
    /// The operation that this begins fails: code.
    FailOperation(&'static str),
    /// The operation that this begins is forgotten at once; what it does is done all the same.
    ForgetOperation,
    /// The operation that this begins never ends.
    Hang,
}

/// What of requests goes wrong: method, end of the path, and how.
pub(crate) type Plan = (&'static str, &'static str, Fault);

struct Operation {
    polls: u32,
    error: Option<&'static str>,
    /// What is there once it is done; nothing if that is removed.
    path: String,
    result: Option<Value>,
    is_over: bool,
}

#[derive(Default)]
struct State {
    plans: Vec<Plan>,
    things: BTreeMap<String, Value>,
    operations: BTreeMap<String, Operation>,
    asked: Vec<String>,
    done: Vec<String>,
    tokens: u32,
    versions: u32,
    requests: u32,
}

pub(crate) struct StandIn {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    folder: TempDir,
}

const SECRET: &str = "s3cret-of-the-principal";

impl StandIn {
    pub(crate) async fn start(plans: &[Plan]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        std::fs::write(folder.path().join("ca.pem"), own.cert.pem()).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { plans: plans.to_vec(), ..State::default() };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, state) = (acceptor.clone(), Arc::clone(&shared));
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = service_fn(move |request: Request<Incoming>| {
                        let state = Arc::clone(&state);
                        async move {
                            let (head, body) = request.into_parts();
                            let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
                            let mut state = state.lock().unwrap();
                            let answer = state.answer(&head, &body, address);
                            answer.ok_or_else(|| io::Error::other("lost"))
                        }
                    });
                    let _ =
                        http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, state, folder }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub(crate) fn workspace() -> Workspace {
        Workspace { subscription: "sub".into(), resource_group: "rg".into(), name: "ws".into() }
    }

    /// A driver that asks for its tokens here, as a service principal, and waits for nothing for long.
    pub(crate) fn driver(&self) -> ArmDriver {
        let cloud = Cloud {
            resource_manager: self.url(),
            authority: self.url(),
            ..Cloud::named("AzureCloud").unwrap()
        };
        let get = |name: &str| match name {
            "AZURE_TENANT_ID" => Some("tenant".to_owned()),
            "AZURE_CLIENT_ID" => Some("client".to_owned()),
            "AZURE_CLIENT_SECRET" => Some(SECRET.to_owned()),
            _ => None,
        };
        let transport = Transport::new(Some(&self.ca())).unwrap();
        let source = Source::of_environment(&get, &cloud, None).unwrap();
        let credential = Credential::new(source, transport.clone());
        let limits = Limits {
            answer: Duration::from_secs(5),
            call: Duration::from_secs(10),
            operation: Duration::from_secs(3),
        };
        ArmDriver::azure(&cloud, Self::workspace(), credential, transport).unwrap().within(limits)
    }

    /// What was done to endpoints and deployments, in order.
    pub(crate) fn done(&self) -> Vec<String> {
        self.state.lock().unwrap().done.clone()
    }

    /// What was asked for, in order: method and path.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.state.lock().unwrap().asked.clone()
    }

    /// What is there.
    pub(crate) fn left(&self) -> Vec<String> {
        self.state.lock().unwrap().things.keys().cloned().collect()
    }

    pub(crate) fn thing(&self, path: &str) -> Value {
        self.state.lock().unwrap().things[path].clone()
    }

    /// What did not go wrong although it was planned.
    pub(crate) fn unused(&self) -> Vec<Plan> {
        self.state.lock().unwrap().plans.clone()
    }

    pub(crate) fn plan(&self, plan: Plan) {
        self.state.lock().unwrap().plans.push(plan);
    }
}

type Reply = Response<Full<Bytes>>;

impl State {
    fn answer(
        &mut self,
        head: &hyper::http::request::Parts,
        body: &Bytes,
        address: SocketAddr,
    ) -> Option<Reply> {
        let (method, path) = (head.method.as_str(), head.uri.path());
        if path == "/tenant/oauth2/v2.0/token" {
            return Some(self.issue(body));
        }
        assert!(head.uri.query().is_some_and(|query| query.contains("api-version=")));
        assert!(head.headers.contains_key("x-ms-client-request-id"));
        let home = StandIn::workspace().to_string();
        let path = path.strip_prefix(&home).unwrap_or(path).trim_start_matches('/').to_owned();
        self.asked.push(format!("{method} {path}"));
        self.requests += 1;
        let is_it = |plan: &Plan| plan.0 == method && path.ends_with(plan.1);
        let fault = self.plans.iter().position(is_it).map(|at| self.plans.remove(at).2);
        if fault == Some(Fault::Expire) {
            self.tokens += 1;
        }
        let shown = head.headers.get("authorization").and_then(|value| value.to_str().ok());
        if shown != Some(&format!("Bearer token-{}", self.tokens)) {
            return Some(self.refuse(401, "ExpiredAuthenticationToken", &[]));
        }
        match fault {
            Some(Fault::Refuse(status, code)) => return Some(self.refuse(status, code, &[])),
            Some(Fault::Throttle(after)) => {
                return Some(self.refuse(429, "TooManyRequests", &[("retry-after", after)]));
            }
            Some(Fault::Lose) => return None,
            _ => {}
        }
        let wanted = head.headers.get("if-match").map(|value| value.to_str().unwrap());
        if let (Some(wanted), Some(thing)) = (wanted, self.things.get(&path))
            && thing["etag"] != wanted
        {
            return Some(self.refuse(412, "PreconditionFailed", &[]));
        }
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let answer = self.carry_out(method, &path, &body, fault, address);
        match fault {
            Some(Fault::LoseAnswer) => None,
            Some(Fault::FailAfter(status)) => Some(self.refuse(status, "InternalServerError", &[])),
            _ => Some(answer),
        }
    }

    fn issue(&mut self, body: &Bytes) -> Response<Full<Bytes>> {
        let form = String::from_utf8_lossy(body).into_owned();
        assert!(form.contains("grant_type=client%5Fcredentials&client_id=client&scope="), "{form}");
        assert!(form.ends_with("&client_secret=s3cret%2Dof%2Dthe%2Dprincipal"), "{form}");
        let token = json!({ "access_token": format!("token-{}", self.tokens), "expires_in": 3600 });
        Response::new(Full::new(Bytes::from(token.to_string())))
    }

    fn carry_out(
        &mut self,
        method: &str,
        path: &str,
        body: &Value,
        fault: Option<Fault>,
        address: SocketAddr,
    ) -> Reply {
        if let Some(id) = path.split("mfeOperationsStatus/").nth(1) {
            return self.poll(id);
        }
        match (method, path.rsplit('/').next()) {
            ("GET", _) if path.is_empty() => self.reply(200, &json!({ "location": "westeurope" })),
            ("GET", Some("deployments" | "onlineEndpoints")) => {
                let within = |key: &String| {
                    key.strip_prefix(path).is_some_and(|rest| rest.matches('/').count() == 1)
                };
                let all = self.things.iter().filter(|(key, _)| within(key));
                let all: Vec<_> = all.map(|(_, thing)| thing.clone()).collect();
                self.reply(200, &json!({ "value": all }))
            }
            ("GET", _) => match self.things.get(path).cloned() {
                Some(thing) => self.reply(200, &thing),
                None => self.refuse(404, "ResourceNotFound", &[]),
            },
            ("POST", Some("listKeys")) => {
                self.reply(200, &json!({ "primaryKey": "k3y-one", "secondaryKey": "k3y-two" }))
            }
            ("POST", Some("getLogs")) => self.reply(200, &json!({ "content": "ready" })),
            ("POST", Some("regenerateKeys")) => {
                self.done.push(format!("POST {path}"));
                self.reply(200, &Value::Null)
            }
            ("PUT" | "PATCH", _) => {
                let mut thing = self.things.get(path).cloned().unwrap_or_else(|| json!({}));
                let is_new = thing["properties"].is_null();
                let parts = body.as_object().unwrap().clone();
                parts.into_iter().for_each(|(key, value)| thing[key] = value);
                if is_new {
                    thing["properties"]["addedByAzure"] = json!({ "since": "2026" });
                    thing["properties"]["scoringUri"] = "https://end.test/score".into();
                }
                thing["name"] = path.rsplit('/').next().into();
                thing["id"] = StandIn::workspace().id(path).into();
                self.begin(method, path, Some(thing), fault, address)
            }
            ("DELETE", _) if self.things.contains_key(path) => {
                self.begin(method, path, None, fault, address)
            }
            ("DELETE", _) => self.reply(204, &Value::Null),
            _ => self.refuse(405, "MethodNotAllowed", &[]),
        }
    }

    /// Does it, or begins to.
    fn begin(
        &mut self,
        method: &str,
        path: &str,
        result: Option<Value>,
        fault: Option<Fault>,
        address: SocketAddr,
    ) -> Reply {
        self.done.push(format!("{method} {path}"));
        let mut shown = result.clone().unwrap_or_else(|| self.things[path].clone());
        let is_removal = result.is_none();
        let state = if is_removal { "Deleting" } else { "Updating" };
        shown["properties"]["provisioningState"] = state.into();
        self.versions += 1;
        shown["etag"] = format!("\"{}\"", self.versions).into();
        self.things.insert(path.to_owned(), shown.clone());
        let id = format!("oe:{}", self.versions);
        let error = match fault {
            Some(Fault::FailOperation(code)) => Some(code),
            _ => None,
        };
        let polls = if fault == Some(Fault::Hang) { u32::MAX } else { 2 };
        let result = result.map(|_| shown.clone());
        let operation = Operation { polls, error, path: path.to_owned(), result, is_over: false };
        self.operations.insert(id.clone(), operation);
        if fault == Some(Fault::ForgetOperation) {
            self.end(&id);
            self.operations.remove(&id);
        }
        let url = format!(
            "https://{address}/subscriptions/sub/providers/Microsoft.MachineLearningServices/\
             locations/westeurope/mfeOperationsStatus/{id}?api-version=2025-12-01"
        );
        let mut answer = self.reply(if is_removal { 202 } else { 201 }, &shown);
        answer.headers_mut().insert("azure-asyncoperation", url.parse().unwrap());
        answer
    }

    fn end(&mut self, id: &str) {
        let operation = self.operations.get_mut(id).unwrap();
        if std::mem::replace(&mut operation.is_over, true) {
            return;
        }
        let path = operation.path.clone();
        match (&operation.error, operation.result.clone()) {
            (Some(_), _) => self.set_state(&path, "Failed"),
            (None, Some(thing)) => {
                self.things.insert(path.clone(), thing);
                self.set_state(&path, "Succeeded");
            }
            (None, None) => self.things.retain(|key, _| !key.starts_with(&path)),
        }
    }

    fn set_state(&mut self, path: &str, state: &str) {
        self.things.get_mut(path).unwrap()["properties"]["provisioningState"] = state.into();
    }

    fn poll(&mut self, id: &str) -> Reply {
        let Some(operation) = self.operations.get_mut(id) else {
            return self.refuse(404, "NotFound", &[]);
        };
        operation.polls = operation.polls.saturating_sub(1);
        if operation.polls > 0 {
            return self.reply(200, &json!({ "id": id, "name": id, "status": "InProgress" }));
        }
        let error = operation.error;
        self.end(id);
        let mut status = json!({ "id": id, "name": id, "status": "Succeeded" });
        if let Some(code) = error {
            status["status"] = "Failed".into();
            status["error"] = json!({ "code": code, "message": "it did not work out" });
        }
        self.reply(200, &status)
    }

    /// What a lost answer began goes on without anybody's asking.
    fn settle(&mut self) {
        let ids: Vec<_> = self
            .operations
            .iter()
            .filter(|(_, o)| o.polls < u32::MAX)
            .map(|(id, _)| id.clone())
            .collect();
        for id in ids {
            let operation = self.operations.get_mut(&id).unwrap();
            operation.polls = operation.polls.saturating_sub(1);
            if operation.polls == 0 {
                self.end(&id);
            }
        }
    }

    fn reply(&mut self, status: u16, body: &Value) -> Reply {
        let response = Response::builder()
            .status(status)
            .header("x-ms-request-id", format!("request-{}", self.requests))
            .header("x-ms-retry-after-ms", "1")
            .body(Full::new(if body.is_null() {
                Bytes::new()
            } else {
                Bytes::from(body.to_string())
            }));
        self.settle();
        response.unwrap()
    }

    fn refuse(
        &mut self,
        status: u16,
        code: &str,
        headers: &[(&'static str, &'static str)],
    ) -> Reply {
        let error = json!({ "error": { "code": code, "message": "it was told to" } });
        let mut answer = self.reply(status, &error);
        if !headers.is_empty() {
            answer.headers_mut().remove("x-ms-retry-after-ms");
        }
        for (name, value) in headers {
            answer.headers_mut().insert(*name, value.parse().unwrap());
        }
        answer
    }
}
