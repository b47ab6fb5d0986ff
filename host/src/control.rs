//! The control plane: Azure Resource Manager's routes, for one workspace on this machine.
//!
//! Every request needs the token that the host was started with and an `api-version`. What takes
//! time answers at once and names the operation to ask about; what Azure has and the local host
//! does not is refused with a sentence that says so.

mod assets;
mod deployments;
mod endpoints;
mod replace;
mod route;
mod translate;
mod work;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use plimsoll_deploy::arm::wire::API_VERSION;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Host;
use super::fault::Fault;
use super::gateway::same_secret;
use super::operation::Operation;
use route::Route;

/// Versions of the API with the shapes that are spoken here.
const API_VERSIONS: [&str; 4] = [API_VERSION, "2024-04-01", "2023-04-01", "2022-05-01"];

/// No description of an endpoint or a deployment is near this size.
const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// Nor does any take long to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);

const ASYNC_OPERATION: HeaderName = HeaderName::from_static("azure-asyncoperation");

/// An answer, or what went wrong.
type Answer = Result<Response<Full<Bytes>>, Fault>;

/// Answers one request.
pub(super) async fn answer(host: Arc<Host>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let answer = match admit(&host, &head) {
        Err(fault) => Err(fault),
        Ok(route) => {
            let whole = Limited::new(body, BODY_LIMIT).collect();
            match tokio::time::timeout(BODY_TIME, whole).await {
                Ok(Ok(body)) => dispatch(&host, &head.method, route, &body.to_bytes()),
                Ok(Err(error)) if error.is::<LengthLimitError>() => {
                    Err(Fault::bad_argument("the body is larger than 4 MiB"))
                }
                Ok(Err(_)) => Err(Fault::bad_argument("the body broke off")),
                Err(_) => Err(Fault::bad_argument(format!("the body took over {BODY_TIME:?}"))),
            }
        }
    };
    answer.unwrap_or_else(|fault| json(fault.status, &fault.to_body()))
}

fn admit(host: &Host, head: &Parts) -> Result<Route, Fault> {
    let token = head.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let token = token.and_then(|value| value.strip_prefix(b"Bearer "));
    if !token.is_some_and(|token| same_secret(token, &host.token)) {
        let message = "the token of the local host is missing or wrong";
        return Err(Fault::new(StatusCode::UNAUTHORIZED, "AuthenticationFailed", message));
    }
    let query = head.uri.query().unwrap_or_default();
    let version = query.split('&').find_map(|pair| pair.strip_prefix("api-version="));
    match version {
        Some(version) if API_VERSIONS.contains(&version) => {}
        Some(version) => {
            let known = API_VERSIONS.join(", ");
            let message = format!("api-version `{version}` is not one of {known}");
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

fn dispatch(host: &Arc<Host>, method: &Method, route: Route, body: &Bytes) -> Answer {
    match (method.as_str(), route) {
        ("GET", Route::Workspace) => Ok(json(StatusCode::OK, &host.show_workspace())),
        ("GET", Route::Endpoints) => Ok(host.list_endpoints()),
        ("GET", Route::Endpoint(name)) => host.show_endpoint(&name),
        ("PUT", Route::Endpoint(name)) => host.put_endpoint(&name, read(body)?),
        ("DELETE", Route::Endpoint(name)) => host.delete_endpoint(&name),
        ("POST", Route::Keys(name)) => host.list_keys(&name),
        ("GET", Route::Deployments(endpoint)) => host.list_deployments(&endpoint),
        ("GET", Route::Deployment(endpoint, name)) => host.show_deployment(&endpoint, &name),
        ("PUT", Route::Deployment(endpoint, name)) => {
            host.put_deployment(&endpoint, &name, read(body)?)
        }
        ("PATCH", Route::Deployment(endpoint, name)) => {
            host.patch_deployment(&endpoint, &name, read(body)?)
        }
        ("DELETE", Route::Deployment(endpoint, name)) => host.delete_deployment(&endpoint, &name),
        ("POST", Route::Logs(endpoint, name)) => host.logs(&endpoint, &name, &read(body)?),
        ("GET", Route::Asset(asset)) => host.show_asset(&asset),
        ("PUT", Route::Asset(asset)) => host.put_asset(&asset, read(body)?),
        ("GET", Route::OperationStatus(id)) => {
            Ok(again_soon(json(StatusCode::OK, &host.operation(&id)?.status())))
        }
        ("GET", Route::OperationResult(id)) => match host.operation(&id)?.outcome() {
            None => Ok(again_soon(json(StatusCode::ACCEPTED, &()))),
            Some(Ok(())) => Ok(json(StatusCode::OK, &())),
            Some(Err(fault)) => Err(fault),
        },
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

fn json(status: StatusCode, value: &impl Serialize) -> Response<Full<Bytes>> {
    let text = serde_json::to_vec(value).expect("resources have string keys and finite numbers");
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// On one's own machine asking is cheap.
fn again_soon(mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("0"));
    response
}

/// Names the operation as Azure does after a PUT: by its status.
fn begun(
    host: &Host,
    operation: &Operation,
    response: Response<Full<Bytes>>,
) -> Response<Full<Bytes>> {
    with_url(response, ASYNC_OPERATION, &host.operation_url("mfeOperationsStatus", operation))
}

/// Names the operation as Azure does after a PATCH or DELETE: by its result.
fn accepted(host: &Host, operation: &Operation) -> Response<Full<Bytes>> {
    let response = json(StatusCode::ACCEPTED, &());
    with_url(response, LOCATION, &host.operation_url("mfeOperationResults", operation))
}

fn with_url(
    mut response: Response<Full<Bytes>>,
    name: HeaderName,
    url: &str,
) -> Response<Full<Bytes>> {
    let value = HeaderValue::from_str(url).expect("ids and addresses are plain ASCII");
    response.headers_mut().insert(name, value);
    again_soon(response)
}

impl Host {
    fn show_workspace(&self) -> serde_json::Value {
        serde_json::json!({
            "id": self.workspace.to_string(),
            "name": self.workspace.name,
            "location": super::LOCATION,
            "properties": { "provisioningState": "Succeeded" },
        })
    }

    fn operation(&self, id: &str) -> Result<Arc<Operation>, Fault> {
        let missing = || Fault::not_found(format!("operation `{id}`"));
        self.store().operations.get(id).ok_or_else(missing)
    }

    fn operation_url(&self, kind: &str, operation: &Operation) -> String {
        format!(
            "{}/subscriptions/{}/providers/Microsoft.MachineLearningServices/locations/{}/{kind}/{}\
             ?api-version={API_VERSION}",
            self.url,
            self.workspace.subscription,
            super::LOCATION,
            operation.id
        )
    }
}
