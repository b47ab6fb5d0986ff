//! The driver against the answers that Microsoft publishes: what it sends is what is published, and it reads all of them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use plimsoll_deploy::arm::{ArmDriver, Container, Error, KeyType, ProvisioningState, Until};
use plimsoll_deploy::spec::{AuthMode, AzureEndpoint, DeploymentSpec, EndpointSpec};
use plimsoll_deploy::workspace::Workspace;
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::net::TcpListener;

/// What was asked: method, path behind the workspace, body.
type Asked = (String, String, Value);

/// Answers with what is published for a method and a path; the first status that is published.
struct Replay {
    url: String,
    exchanges: Arc<Vec<Value>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Replay {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/published/exchanges.json");
        let text = std::fs::read_to_string(file).unwrap().replace("{host}", &url);
        let text = text.replace("{workspace}", &Workspace::local().to_string());
        let exchanges: Arc<Vec<Value>> = Arc::new(serde_json::from_str(&text).unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answers, kept) = (Arc::clone(&exchanges), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answers, kept) = (Arc::clone(&answers), Arc::clone(&kept));
                let service = service_fn(move |request| {
                    let (answers, kept) = (Arc::clone(&answers), Arc::clone(&kept));
                    async move { Ok::<_, Infallible>(answer(&answers, &kept, request).await) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { url, exchanges, asked }
    }

    fn driver(&self) -> ArmDriver {
        ArmDriver::new(&self.url, Workspace::local(), &"secret".into()).unwrap()
    }

    /// The body that was sent last with that method to that path.
    fn sent(&self, method: &str, path: &str) -> Value {
        let asked = self.asked.lock().unwrap();
        let mut matching = asked.iter().rev().filter(|(m, p, _)| m == method && p == path);
        matching.next().unwrap_or_else(|| panic!("no {method} {path} in {asked:?}")).2.clone()
    }

    fn published(&self, name: &str) -> &Value {
        self.exchanges.iter().find(|exchange| exchange["name"] == name).unwrap()
    }

    /// Every field that was sent is one that is published for this request, of the same type.
    fn check_sent(&self, name: &str, beyond: &[&str]) {
        let exchange = self.published(name);
        let text = |key: &str| exchange[key].as_str().unwrap().to_owned();
        let mut unknown = Vec::new();
        compare(&self.sent(&text("method"), &text("path")), &exchange["body"], "", &mut unknown);
        unknown.retain(|at| !beyond.contains(&at.as_str()));
        assert!(unknown.is_empty(), "{name}: {unknown:?} is not published");
    }

    /// What was sent at these places has the published values, not only their types: it is the same that is asked for.
    fn check_same(&self, name: &str, places: &[&str]) {
        let exchange = self.published(name);
        let text = |key: &str| exchange[key].as_str().unwrap().to_owned();
        let sent = self.sent(&text("method"), &text("path"));
        for place in places {
            let wanted = exchange["body"].pointer(place);
            assert!(wanted.is_some(), "{name}: nothing is published at {place}");
            assert_eq!(sent.pointer(place), wanted, "{name}: {place}");
        }
    }
}

fn endpoint() -> EndpointSpec {
    EndpointSpec {
        name: "my-endpoint".to_owned(),
        description: Some("house prices".to_owned()),
        tags: [("team".to_owned(), "pricing".to_owned())].into(),
        properties: BTreeMap::new(),
        auth_mode: AuthMode::AmlToken,
        traffic: BTreeMap::new(),
        mirror_traffic: BTreeMap::new(),
        azure: AzureEndpoint::default(),
    }
}

/// Fields of `sent` that `published` does not have, or has with another type.
fn compare(sent: &Value, published: &Value, at: &str, unknown: &mut Vec<String>) {
    match (sent, published) {
        (Value::Object(sent), Value::Object(published)) => {
            for (key, value) in sent {
                let at = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                match published.get(key) {
                    Some(published) => compare(value, published, &at, unknown),
                    None => unknown.push(at),
                }
            }
        }
        (sent, published) if std::mem::discriminant(sent) == std::mem::discriminant(published) => {}
        _ => unknown.push(at.to_owned()),
    }
}

async fn answer(
    exchanges: &[Value],
    asked: &Mutex<Vec<Asked>>,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    assert!(head.uri.query().is_some_and(|query| query.starts_with("api-version=20")));
    assert_eq!(head.headers["authorization"], "Bearer secret");
    let body = body.collect().await.unwrap().to_bytes();
    let path = head.uri.path();
    let home = Workspace::local().to_string();
    let path = path.strip_prefix(&home).map_or("operation", |rest| rest.trim_start_matches('/'));
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    asked.lock().unwrap().push((head.method.to_string(), path.to_owned(), body));
    let is_it =
        |exchange: &&Value| exchange["method"] == head.method.as_str() && exchange["path"] == path;
    let found = exchanges.iter().find(is_it);
    let found = found.unwrap_or_else(|| panic!("{} {path} is not published", head.method));
    let (status, answer) = found["answers"].as_object().unwrap().iter().next().unwrap();
    let mut response = Response::builder().status(status.as_str());
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        response = response.header(name, value.as_str().unwrap());
    }
    // Nobody waits five seconds in a test.
    let response = response.header("x-ms-retry-after-ms", "1");
    let body = answer.get("body").map_or_else(String::new, Value::to_string);
    response.body(Full::new(Bytes::from(body))).unwrap()
}

#[tokio::test]
async fn an_endpoint_is_written_and_read_as_published() {
    let azure = Replay::start().await;
    let driver = azure.driver();
    let made = driver.put_endpoint(&endpoint(), Until::Done, &mut |_| {}).await.unwrap();
    azure.check_sent("create endpoint", &[]);
    let places =
        ["/location", "/tags", "/identity/type", "/properties/authMode", "/properties/description"];
    azure.check_same("create endpoint", &places);
    // It was waited for, not taken as done.
    azure.sent("GET", "operation");
    assert_eq!(made.properties.provisioning_state, Some(ProvisioningState::Succeeded));
    assert_eq!(made.system_data.unwrap().created_by, "somebody");
    assert_eq!(made.kind.as_deref(), Some("Managed"));
    assert!(made.resource_type.unwrap().ends_with("/onlineEndpoints"));

    let shown = driver.show_endpoint("my-endpoint").await.unwrap();
    let uri = "https://my-endpoint.local.inference.ml.azure.com/score";
    assert_eq!((shown.scoring_uri.as_str(), shown.auth_mode), (uri, AuthMode::AmlToken));
    assert_eq!(driver.list_endpoints().await.unwrap().len(), 1);
    let token = driver.token("my-endpoint").await.unwrap();
    assert_eq!((token.access_token.as_str(), token.expiry_time_utc), ("text", 1_790_000_000));
    let keys = driver.credentials("my-endpoint").await.unwrap();
    assert_eq!(keys.secondary.expose_secret(), "two");
    driver.regenerate_key("my-endpoint", KeyType::Primary, Until::Done).await.unwrap();
    azure.check_sent("regenerate key", &[]);
    azure.check_same("regenerate key", &[""]);
    driver.delete_endpoint("my-endpoint").await.unwrap();
    let error = driver.show_endpoint("nothing").await.unwrap_err();
    assert!(error.is_not_found() && error.code() == Some("ResourceNotFound"), "{error}");
}

/// What came with a GET goes back with the PUT: Azure ignores what it alone may write.
#[tokio::test]
async fn traffic_is_set_by_sending_back_what_is_published() {
    let azure = Replay::start().await;
    let traffic = [("blue".to_owned(), 100), ("green".to_owned(), 0)].into();
    azure.driver().set_traffic("my-endpoint", &traffic).await.unwrap();
    let read_only = [
        "id",
        "name",
        "type",
        "kind",
        "systemData",
        "properties.provisioningState",
        "properties.scoringUri",
        "properties.swaggerUri",
        "identity.principalId",
        "identity.tenantId",
        "properties.properties.azureml.onlineendpointid",
        "properties.properties.AzureAsyncOperationUri",
        "properties.traffic.blue",
    ];
    azure.check_sent("create endpoint", &read_only);
    let sent = azure.sent("PUT", "onlineEndpoints/my-endpoint");
    assert_eq!(sent["properties"]["traffic"], serde_json::json!({ "blue": 100 }));
}

#[tokio::test]
async fn a_deployment_is_written_and_read_as_published() {
    let azure = Replay::start().await;
    let driver = azure.driver();
    let mut spec = DeploymentSpec::new("blue", "my-endpoint", "Standard_DS2_v2", NonZeroU32::MIN);
    spec.description = Some("the first".to_owned());
    spec.tags.insert("team".into(), "pricing".into());
    spec.environment_variables.insert("GREETING".into(), "hello".into());
    spec.azure.model_mount_path = Some("/var/model".to_owned());
    let made = driver.put_deployment(&spec, Until::Done, &mut |_| {}).await.unwrap();
    azure.check_sent("create deployment", &[]);
    let places = [
        "/location",
        "/tags",
        "/sku",
        "/properties/endpointComputeType",
        "/properties/instanceType",
        "/properties/description",
        "/properties/modelMountPath",
        "/properties/appInsightsEnabled",
        "/properties/livenessProbe",
        "/properties/requestSettings",
        "/properties/scaleSettings",
        "/properties/environmentVariables",
    ];
    azure.check_same("create deployment", &places);
    assert_eq!(made.properties.code_configuration.unwrap().scoring_script, "score.py");
    assert_eq!(made.properties.other["modelMountPath"], "/var/model");

    let shown = &driver.list_deployments("my-endpoint").await.unwrap()[0];
    assert_eq!((shown.desired, shown.state), (1, ProvisioningState::Succeeded));
    assert_eq!(shown.instance_type, "Standard_DS2_v2");
    driver.scale("my-endpoint", "blue", NonZeroU32::new(2).unwrap()).await.unwrap();
    azure.check_sent("scale deployment", &[]);
    azure.check_same("scale deployment", &["/sku"]);
    let log = driver.log_of("my-endpoint", "blue", Container::InferenceServer, 100).await.unwrap();
    azure.check_sent("get logs", &[]);
    azure.check_same("get logs", &[""]);
    assert_eq!(log, "text");
}

/// Azure itself would.
#[tokio::test]
async fn what_is_there_already_is_not_overwritten() {
    let azure = Replay::start().await;
    let error = azure.driver().create_endpoint(&endpoint()).await.unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error}");
    assert!(azure.asked.lock().unwrap().iter().all(|(method, ..)| method == "GET"));
}
