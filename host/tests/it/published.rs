//! The requests that Microsoft publishes, sent to the local host: their statuses, headers and fields come back.

use std::path::Path;

use hyper::Method;
use plimsoll_deploy::workspace::Workspace;
use serde_json::{Value, json};

use super::harness::{Answer, TOKEN, TestHost, call, deployment, until};

/// Published fields that the host leaves out.
const ABSENT: [&str; 5] = [
    // There is no directory to have identities in.
    "identity.principalId",
    "identity.tenantId",
    // An operation on one's own machine is over soon.
    "percentComplete",
    // An error of the host has nothing more to say than its message; neither list is ever empty on the wire.
    "error.details",
    "error.additionalInfo",
];

/// Published headers that the host leaves out: it never gives an operation up.
const ABSENT_HEADERS: [&str; 1] = ["x-ms-async-operation-timeout"];

#[tokio::test(flavor = "multi_thread")]
async fn published_requests_get_published_answers() {
    let host = TestHost::start().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("score.py"), "").unwrap();
    let mut operation = String::new();
    for exchange in exchanges(folder.path(), &host.url) {
        let name = exchange["name"].as_str().unwrap();
        let method: Method = exchange["method"].as_str().unwrap().parse().unwrap();
        let mut body = exchange["body"].clone();
        let path = match exchange["path"].as_str().unwrap() {
            "operation" => std::mem::take(&mut operation),
            path => format!("{}/{path}?api-version=2024-04-01", Workspace::local()),
        };
        if name == "create deployment" {
            // Nothing of the registered is run: what is looked at is the wire.
            let settings = synthetic();
            body["properties"]["properties"]["plimsoll.synthetic"] = settings.into();
        }
        let answer = ask(&host, method, &path, &body).await;
        check(name, &exchange["answers"], &answer);
        let names = ["azure-asyncoperation", "location"].map(|name| answer.header(name));
        if let Some(begun) = names.into_iter().find(|name| !name.is_empty()) {
            let path = begun.strip_prefix(&host.url).unwrap_or_else(|| panic!("{name}: {begun}"));
            until("the operation is over", || async { is_over(&host, path).await }).await;
            operation = answer.header("azure-asyncoperation").replace(&host.url, "");
        }
    }
    host.stop().await;
}

/// The walk-through waits for the operation that the body names, and names the machine as the SKU.
#[tokio::test(flavor = "multi_thread")]
async fn the_walk_through_of_the_documentation_works() {
    let host = TestHost::start().await;
    let at = |rest: &str| format!("{}/{rest}?api-version=2022-05-01", Workspace::local());
    let endpoint = json!({
        "identity": { "type": "systemAssigned" }, "properties": { "authMode": "AMLToken" },
        "location": "local",
    });
    let put = ask(&host, Method::PUT, &at("onlineEndpoints/rest"), &endpoint).await;
    wait_for_completion(&host, &put).await;
    let settings = synthetic();
    let deployment = json!({
        "location": "local",
        "sku": { "capacity": 1, "name": "Standard_DS2_v2" },
        "properties": {
            "endpointComputeType": "Managed", "scaleSettings": { "scaleType": "Default" },
            "readinessProbe": { "initialDelay": "PT0.05S", "period": "PT0.05S" },
            "properties": { "plimsoll.synthetic": settings },
        },
    });
    let blue = at("onlineEndpoints/rest/deployments/blue");
    let put = ask(&host, Method::PUT, &blue, &deployment).await;
    wait_for_completion(&host, &put).await;
    let shown = ask(&host, Method::GET, &blue, &Value::Null).await;
    let shown: Value = serde_json::from_str(&shown.body).unwrap();
    assert_eq!(shown["properties"]["instanceType"], "Standard_DS2_v2", "{shown}");
    assert_eq!(shown["sku"]["name"], "Default", "{shown}");
    // What was told can be sent back, and changes nothing.
    let again = ask(&host, Method::PUT, &blue, &shown).await;
    wait_for_completion(&host, &again).await;
    let after = host.driver.show_deployment("rest", "blue").await.unwrap();
    assert_eq!(after.instances[0].name, "0", "it was not replaced: {after:?}");
    host.stop().await;
}

/// Of a deployment that takes a millisecond.
fn synthetic() -> String {
    serde_json::to_string(&deployment("blue", 1, 1.0).synthetic).unwrap()
}

async fn wait_for_completion(host: &TestHost, put: &Answer) {
    let body: Value = serde_json::from_str(&put.body).unwrap();
    let operation = body["properties"]["properties"]["AzureAsyncOperationUri"].as_str();
    let path = operation.unwrap_or_else(|| panic!("{body}")).strip_prefix(&host.url).unwrap();
    until("the operation has succeeded", || async {
        let answer = ask(host, Method::GET, path, &Value::Null).await;
        assert!(!answer.body.contains("\"Failed\""), "{answer:?}");
        answer.body.contains("\"Succeeded\"")
    })
    .await;
}

fn exchanges(folder: &Path, url: &str) -> Vec<Value> {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/tests/published/exchanges.json");
    let here = format!("file://{}", folder.display());
    let text = std::fs::read_to_string(file).unwrap();
    let text = text.replace("{workspace}", &Workspace::local().to_string()).replace("{host}", url);
    let text = text.replace("{model}", &format!("{here}/score.py")).replace("{code}", &here);
    serde_json::from_str(&text).unwrap()
}

async fn ask(host: &TestHost, method: Method, path: &str, body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("authorization", bearer.as_str())];
    call(method, &format!("{}{path}", host.url), &headers, &body).await
}

async fn is_over(host: &TestHost, path: &str) -> bool {
    let answer = ask(host, Method::GET, path, &Value::Null).await;
    assert!(answer.status.is_success(), "{answer:?}");
    answer.status.as_u16() == 200 && !answer.body.contains("InProgress")
}

fn check(name: &str, published: &Value, answer: &Answer) {
    let expected = &published[answer.status.as_str()];
    assert!(!expected.is_null(), "{name}: status {} is not published: {answer:?}", answer.status);
    for (header, _) in expected["headers"].as_object().into_iter().flatten() {
        let is_there = answer.headers.contains_key(header.as_str());
        assert!(is_there || ABSENT_HEADERS.contains(&header.as_str()), "{name}: no `{header}`");
    }
    if let Some(expected) = expected.get("body") {
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        let mut missing = Vec::new();
        compare(expected, &body, "", &mut missing);
        assert!(missing.is_empty(), "{name}: {missing:#?} in {body:#}");
    }
}

/// Every published field is there, with the published type.
fn compare(published: &Value, got: &Value, at: &str, missing: &mut Vec<String>) {
    match (published, got) {
        (Value::Object(published), Value::Object(got)) => {
            for (key, value) in published {
                let at = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                let short = at.trim_start_matches("value.");
                match got.get(key) {
                    Some(got) => compare(value, got, &at, missing),
                    None if ABSENT.contains(&short) => {}
                    None => missing.push(format!("{at} is missing")),
                }
            }
        }
        (Value::Array(published), Value::Array(got)) => {
            if let (Some(published), Some(got)) = (published.first(), got.first()) {
                compare(published, got, at, missing);
            }
        }
        (Value::String(_), Value::String(_))
        | (Value::Number(_), Value::Number(_))
        | (Value::Bool(_), Value::Bool(_)) => {}
        (published, got) => missing.push(format!("{at} is {got}, published is {published}")),
    }
}
