//! The control plane: Azure Resource Manager's routes, for one workspace on this machine.
//!
//! Every request needs the token that the host was started with and an `api-version`. What takes
//! time answers at once and names the operation to ask about; what Azure has and the local host
//! does not is refused with a sentence that says so. The same listener serves the workspace's storage account
//! ([`blobs`]) and what Azure's credentials ask for a token ([`identity`]), which have their own rules.

mod assets;
mod autoscale;
mod blobs;
mod deployments;
mod endpoints;
mod identity;
mod keys;
mod metrics;
mod quota;
mod replace;
mod restore;
mod route;
mod storage;
mod traffic;
mod translate;
mod work;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{
    AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, IF_NONE_MATCH, LOCATION,
};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use plimsoll_deploy::arm::wire::API_VERSION;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Host;
use super::fault::Fault;
use super::gateway::same_secret;
use super::operation::Operation;
use super::query::Query;
use route::Route;

/// The first version of the API with the shapes that are spoken here: that of autoscale settings in ARM templates. Clients send many, previews among them, and what
/// is used of them is the same in all.
const FIRST_API_VERSION: &str = "2015-04-01";

/// Milliseconds until an operation is asked about again: on one's own machine asking is cheap. Not `Retry-After`, whose 0
/// Azure's clients take for none, and wait for half a minute.
const ASK_AGAIN_MS: HeaderValue = HeaderValue::from_static("100");
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("x-ms-retry-after-ms");

/// No description of an endpoint or a deployment is near this size.
const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// Nor does any take long to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);

const ASYNC_OPERATION: HeaderName = HeaderName::from_static("azure-asyncoperation");

/// An answer, or what went wrong.
pub(super) type Answer = Result<Reply, Fault>;

/// What cannot go wrong.
pub(super) type Reply = Response<Full<Bytes>>;

/// A request that may be answered.
struct Ask<'a> {
    method: &'a str,
    query: Query,
    /// Whether nothing may be there yet: `If-None-Match: *`.
    is_new: bool,
    body: Bytes,
    /// The address that the caller reached the host by: `https://127.0.0.1:4711`.
    origin: &'a str,
}

impl Ask<'_> {
    /// Refuses what is there, if nothing may be.
    fn refuses(&self, what: impl Fn() -> String) -> Result<(), Fault> {
        if self.is_new { Err(Fault::exists(what())) } else { Ok(()) }
    }
}

/// Answers one request. `origin` is the address that the caller reached the host by.
pub(super) async fn answer(
    host: Arc<Host>,
    origin: Arc<str>,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    if path == identity::PATH {
        return identity::answer(&host, &head);
    }
    if blobs::is_blob(path) {
        return blobs::answer(&host, &head, body).await;
    }
    let answer = match admit(&host, &head) {
        Err(fault) => Err(fault),
        Ok(route) => match whole(body).await {
            Err(fault) => Err(fault),
            Ok(body) => {
                let query = Query::read(head.uri.query());
                let is_new = head.headers.get(IF_NONE_MATCH).is_some_and(|value| value == "*");
                let method = head.method.as_str();
                dispatch(&host, route, &Ask { method, query, is_new, body, origin: &origin })
            }
        },
    };
    if head.method != Method::GET
        && let Ok(response) = &answer
        && let Err(error) = host.save()
    {
        host.report_lost(response, &error);
    }
    let mut response = answer.unwrap_or_else(|fault| json(fault.status, &fault.to_body()));
    complete_addresses(&mut response, &origin);
    response
}

async fn whole(body: Incoming) -> Result<Bytes, Fault> {
    let whole = Limited::new(body, BODY_LIMIT).collect();
    match tokio::time::timeout(BODY_TIME, whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(Fault::bad_argument("the body is larger than 4 MiB"))
        }
        Ok(Err(_)) => Err(Fault::bad_argument("the body broke off")),
        Err(_) => Err(Fault::bad_argument(format!("the body took over {BODY_TIME:?}"))),
    }
}

fn admit(host: &Host, head: &Parts) -> Result<Route, Fault> {
    if !bears_token(host, head) {
        let message = "the token of the local host is missing or wrong";
        return Err(Fault::new(StatusCode::UNAUTHORIZED, "AuthenticationFailed", message));
    }
    let query = Query::read(head.uri.query());
    match query.get("api-version") {
        Some(version) if is_spoken(version) => {}
        Some(version) => {
            let message = format!(
                "api-version `{version}` is not YYYY-MM-DD or YYYY-MM-DD-preview, from \
                 {FIRST_API_VERSION} on; {API_VERSION} is what plimsoll speaks"
            );
            return Err(Fault::new(StatusCode::BAD_REQUEST, "InvalidApiVersionParameter", message));
        }
        None => {
            let message = "the api-version query parameter is required";
            return Err(Fault::new(StatusCode::BAD_REQUEST, "MissingApiVersionParameter", message));
        }
    }
    route::read(head.uri.path(), &host.workspace)
        .ok_or_else(|| Fault::not_found(format!("`{}`", head.uri.path())))
}

/// Whether the caller may drive the host.
fn bears_token(host: &Host, head: &Parts) -> bool {
    let token = head.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let token = token.and_then(|value| value.strip_prefix(b"Bearer "));
    token.is_some_and(|token| same_secret(token, &host.token))
}

fn is_spoken(version: &str) -> bool {
    let date = version.strip_suffix("-preview").unwrap_or(version);
    let shape =
        |(at, c): (usize, char)| if at == 4 || at == 7 { c == '-' } else { c.is_ascii_digit() };
    date.len() == 10 && date.char_indices().all(shape) && date >= FIRST_API_VERSION
}

fn dispatch(host: &Arc<Host>, route: Route, ask: &Ask<'_>) -> Answer {
    let body = &ask.body;
    match (ask.method, route) {
        ("GET", Route::Workspace) => Ok(json(StatusCode::OK, &host.show_workspace())),
        ("GET", Route::Endpoints) => Ok(host.list_endpoints()),
        ("GET", Route::Endpoint(name)) => host.show_endpoint(&name),
        ("PUT", Route::Endpoint(name)) => host.put_endpoint(&name, read(body)?, ask),
        ("PATCH", Route::Endpoint(name)) => host.patch_endpoint(&name, read(body)?),
        ("DELETE", Route::Endpoint(name)) => host.delete_endpoint(&name),
        ("POST", Route::Keys(name)) => host.list_keys(&name),
        ("POST", Route::NewKeys(name)) => host.regenerate_keys(&name, read(body)?),
        ("POST", Route::Token(name)) => host.endpoint_token(&name),
        ("POST", Route::TakeAnswers(name)) => host.take_answers(&name),
        ("GET", Route::Deployments(endpoint)) => host.list_deployments(&endpoint),
        ("GET", Route::Deployment(endpoint, name)) => host.show_deployment(&endpoint, &name),
        ("PUT", Route::Deployment(endpoint, name)) => {
            host.put_deployment(&endpoint, &name, read(body)?, ask)
        }
        ("PATCH", Route::Deployment(endpoint, name)) => {
            host.patch_deployment(&endpoint, &name, read(body)?)
        }
        ("DELETE", Route::Deployment(endpoint, name)) => host.delete_deployment(&endpoint, &name),
        ("POST", Route::Logs(endpoint, name)) => host.logs(&endpoint, &name, &read(body)?),
        ("GET", Route::Skus(endpoint, name)) => host.list_skus(&endpoint, &name),
        ("GET", Route::Use(endpoint, name)) => host.show_use(&endpoint, &name),
        ("GET", Route::Metrics(subject)) => host.metrics(&subject, &ask.query),
        ("GET", Route::MetricDefinitions(subject)) => Ok(host.metric_definitions(&subject)),
        ("GET", Route::Usages) => Ok(host.list_usages()),
        ("GET", Route::Quotas) => Ok(host.list_quotas()),
        ("POST", Route::UpdateQuotas) => Ok(host.update_quotas(&read(body)?)),
        ("GET", Route::Autoscales) => Ok(host.list_autoscale()),
        ("GET", Route::Autoscale(name)) => host.show_autoscale(&name),
        ("PUT", Route::Autoscale(name)) => host.put_autoscale(&name, read(body)?),
        ("PATCH", Route::Autoscale(name)) => host.patch_autoscale(&name, read(body)?),
        ("DELETE", Route::Autoscale(name)) => Ok(host.delete_autoscale(&name)),
        ("GET", Route::Sizes) => Ok(quota::list_sizes()),
        ("GET", Route::OperationStatus(id)) => {
            Ok(again_soon(json(StatusCode::OK, &host.operation(&id)?.status())))
        }
        ("GET", Route::OperationResult(id)) => match host.operation(&id)?.outcome() {
            None => Ok(again_soon(json(StatusCode::ACCEPTED, &()))),
            Some(Ok(())) => Ok(json(StatusCode::OK, &())),
            Some(Err(fault)) => Err(fault),
        },
        (_, route) => dispatch_assets(host, route, ask),
    }
}

/// What is registered, and where files are put before.
fn dispatch_assets(host: &Arc<Host>, route: Route, ask: &Ask<'_>) -> Answer {
    match (ask.method, route) {
        ("GET", Route::Assets(kind)) => Ok(host.list_names(kind, &ask.query)),
        ("GET", Route::AssetName(kind, name)) => host.show_name(kind, &name),
        ("GET", Route::Versions(kind, name)) => host.list_versions(kind, &name, &ask.query),
        ("GET", Route::Asset(key)) => host.show_asset(&key),
        ("PUT", Route::Asset(key)) => host.put_asset(key, read(&ask.body)?),
        ("POST", Route::PendingUpload(_)) => host.start_pending_upload(ask.origin),
        ("GET", Route::Datastores) => Ok(host.list_datastores()),
        ("GET", Route::Datastore(name)) => host.show_datastore(&name),
        ("POST", Route::Secrets(name)) => host.list_secrets(&name),
        (method, _) => Err(Fault::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            format!("the local host does not support {method} here"),
        )),
    }
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|error| {
        Fault::new(StatusCode::BAD_REQUEST, "InvalidRequestContent", error.to_string())
    })
}

pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response<Full<Bytes>> {
    let text = serde_json::to_vec(value).expect("resources have string keys and finite numbers");
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn again_soon(mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    response.headers_mut().insert(RETRY_AFTER_MS, ASK_AGAIN_MS);
    response
}

/// Names the operation as Azure does after a PUT: by its status.
fn begun(
    host: &Host,
    operation: &Operation,
    response: Response<Full<Bytes>>,
) -> Response<Full<Bytes>> {
    with_path(response, ASYNC_OPERATION, &host.operation_path("mfeOperationsStatus", operation))
}

/// Names the operation as Azure does after a PATCH or DELETE: by its result.
fn accepted(host: &Host, operation: &Operation) -> Response<Full<Bytes>> {
    let response = json(StatusCode::ACCEPTED, &());
    with_path(response, LOCATION, &host.operation_path("mfeOperationResults", operation))
}

fn with_path(
    mut response: Response<Full<Bytes>>,
    name: HeaderName,
    path: &str,
) -> Response<Full<Bytes>> {
    let value = HeaderValue::from_str(path).expect("ids are plain ASCII");
    response.headers_mut().insert(name, value);
    again_soon(response)
}

/// An operation is asked about where it was begun: a token goes by HTTPS or it does not.
fn complete_addresses(response: &mut Response<Full<Bytes>>, origin: &str) {
    for name in [ASYNC_OPERATION, LOCATION] {
        if let Some(path) = response.headers_mut().get_mut(name) {
            let whole = [origin.as_bytes(), path.as_bytes()].concat();
            *path = HeaderValue::from_bytes(&whole).expect("addresses are plain ASCII");
        }
    }
}

impl Host {
    fn show_workspace(&self) -> serde_json::Value {
        serde_json::json!({
            "id": self.workspace.to_string(),
            "type": crate::stamp::type_of(""),
            "name": self.workspace.name,
            "location": super::LOCATION,
            "properties": { "provisioningState": "Succeeded" },
        })
    }

    fn operation(&self, id: &str) -> Result<Arc<Operation>, Fault> {
        let missing = || Fault::not_found(format!("operation `{id}`"));
        self.store().operations.get(id).ok_or_else(missing)
    }

    /// Tells who asks about the operation that an answer has begun that nothing of it is kept.
    fn report_lost(&self, response: &Response<Full<Bytes>>, error: &std::io::Error) {
        let path = [ASYNC_OPERATION, LOCATION].iter().find_map(|name| response.headers().get(name));
        let id = path.and_then(|path| path.to_str().ok()?.split('?').next()?.rsplit('/').next());
        if let Some(operation) = id.and_then(|id| self.store().operations.get(id)) {
            operation.report(format!("{}: {error}", work::NOT_KEPT));
        }
    }

    /// What a PUT names its operation by in the body, under `AzureAsyncOperationUri`.
    fn operation_address(&self, origin: &str, operation: &Operation) -> String {
        format!("{origin}{}", self.operation_path("mfeOperationsStatus", operation))
    }

    fn operation_path(&self, kind: &str, operation: &Operation) -> String {
        format!(
            "/subscriptions/{}/providers/Microsoft.MachineLearningServices/locations/{}/{kind}/{}\
             ?api-version={API_VERSION}",
            self.workspace.subscription,
            super::LOCATION,
            operation.id
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dated_version_from_the_first_on_is_spoken() {
        let spoken = ["2025-12-01", "2022-02-01-preview", "2015-04-01", "2099-01-01"];
        assert!(spoken.into_iter().all(is_spoken));
        let not =
            ["", "latest", "2015-03-31", "2025-12", "2025-12-01-beta", "2025/12/01", "-preview"];
        assert!(!not.into_iter().any(is_spoken));
    }
}
