//! The dry run of each az example is the request that the SDK makes, as it was recorded.

use serde_json::{Value, json};

use super::{Azure, BLUE};

/// The changes in what a dry run printed: method, path behind the workspace, body.
pub(super) fn changes(text: &str) -> Vec<(String, String, Value)> {
    let mut found = Vec::new();
    for request in text.split("\n\n").collect::<Vec<_>>().chunk_by(|_, next| next.starts_with('{'))
    {
        let (method, rest) = request[0].split_once(' ').expect("a method");
        let (url, headers) = rest.split_once('\n').unwrap_or((rest, ""));
        let (_, path) = url.split_once("/workspaces/local").expect("an address in the workspace");
        let path = path.split('?').next().unwrap_or_default().trim_start_matches('/');
        assert!(url.ends_with("?api-version=2025-12-01"), "{url}");
        if method == "GET" {
            continue;
        }
        assert!(headers.contains("Authorization: Bearer <hidden>"), "{headers}");
        let body =
            request.get(1).map_or(Value::Null, |body| serde_json::from_str(body).expect("JSON"));
        found.push((method.to_owned(), path.to_owned(), body));
    }
    found
}

/// What we say and the SDK leaves to the service: its documented defaults, and what came with a GET.
const SAID_TOO: [&str; 12] = [
    "id",
    "name",
    "type",
    "kind",
    "systemData",
    "etag",
    "properties.livenessProbe",
    "properties.readinessProbe",
    "properties.requestSettings",
    "properties.scaleSettings",
    "properties.mirrorTraffic",
    "properties.provisioningState",
];

/// All that the SDK sends is sent, and nothing else but what is said too.
fn same(sent: &Value, sdk: &Value, at: &str, wrong: &mut Vec<String>) {
    let (Value::Object(sent), Value::Object(sdk)) = (sent, sdk) else {
        if sent != sdk {
            wrong.push(format!("{at}: {sent} and not {sdk}"));
        }
        return;
    };
    let below = |key: &str| if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
    for (key, value) in sdk {
        match sent.get(key) {
            Some(sent) => same(sent, value, &below(key), wrong),
            None => wrong.push(format!("{} is missing", below(key))),
        }
    }
    for key in sent.keys().filter(|key| !sdk.contains_key(*key)) {
        let key = below(key);
        if !SAID_TOO.contains(&key.as_str()) {
            wrong.push(format!("{key} is not the SDK's"));
        }
    }
}

fn check(rehearsed: &[(String, String, Value)], sdk: &[(&str, &str, Value)]) {
    let of =
        |all: Vec<(&str, &str)>| all.iter().map(|(m, p)| format!("{m} {p}")).collect::<Vec<_>>();
    let requests = of(rehearsed.iter().map(|(m, p, _)| (m.as_str(), p.as_str())).collect());
    assert_eq!(requests, of(sdk.iter().map(|(m, p, _)| (*m, *p)).collect()));
    for ((method, path, sent), (.., wanted)) in rehearsed.iter().zip(sdk) {
        let mut wrong = Vec::new();
        same(sent, wanted, "", &mut wrong);
        assert!(wrong.is_empty(), "{method} {path}: {wrong:#?}\n{sent:#}");
    }
}

const E: &str = "onlineEndpoints/shop";
const BLUE_AT: &str = "onlineEndpoints/shop/deployments/blue";

/// An endpoint's PUT with this traffic.
fn endpoint(traffic: &Value, mirror: &Value) -> Value {
    let mut body = json!({
        "location": "local", "tags": {"team": "prices"}, "identity": {"type": "SystemAssigned"},
        "properties": {"authMode": "Key", "properties": {}, "traffic": traffic},
    });
    if mirror != &json!({}) {
        body["properties"]["mirrorTraffic"] = mirror.clone();
    }
    body
}

/// Somebody with the endpoint `shop` and its deployment `blue`, and a file for `green`.
fn shop() -> Azure {
    let azure = Azure::start();
    let none = json!({});
    azure.write("endpoint.yml", "name: shop\nauth_mode: key\ntags: {team: prices}\n");
    azure.write("blue.yml", BLUE);
    azure.write(
        "registered.yml",
        "name: green\nendpoint_name: shop\nmodel: azureml:prices:3\nenvironment: azureml:sk:1\n\
         code_configuration: {code: 'azureml:code:1', scoring_script: score.py}\n\
         instance_type: Standard_DS3_v2\ninstance_count: 1\nenvironment_variables: {WORKER_COUNT: '2'}\n\
         request_settings: {request_timeout_ms: 3000, max_concurrent_requests_per_instance: 2}\n",
    );
    // az ml online-endpoint create -n shop -f endpoint.yml
    let create = ["endpoint", "create", "-n", "shop", "-f", "endpoint.yml"];
    check(&azure.rehearsed(&create), &[("PUT", E, endpoint(&none, &none))]);
    azure.run(&create).must_exit(0);
    azure.user.plimsoll(azure.path(), &["deployment", "create", "-f", "blue.yml"]).must_exit(0);
    azure
}

#[test]
fn creating_and_deleting_rehearse_the_requests_that_the_sdk_makes() {
    let azure = shop();
    // az ml online-deployment create -f green.yml --all-traffic
    let create = ["deployment", "create", "-f", "registered.yml", "--all-traffic"];
    let home = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/local/providers/\
                Microsoft.MachineLearningServices/workspaces/local";
    let green = json!({
        "location": "local", "tags": {}, "sku": {"name": "Default", "capacity": 1},
        "properties": {
            "endpointComputeType": "Managed", "instanceType": "Standard_DS3_v2", "appInsightsEnabled": false,
            "model": format!("{home}/models/prices/versions/3"),
            "environmentId": format!("{home}/environments/sk/versions/1"),
            "codeConfiguration": {"codeId": format!("{home}/codes/code/versions/1"), "scoringScript": "score.py"},
            "environmentVariables": {"WORKER_COUNT": "<hidden>"}, "properties": {},
            "requestSettings": {"requestTimeout": "PT3S", "maxConcurrentRequestsPerInstance": 2, "maxQueueWait": "PT0.5S"},
        },
    });
    let mut all = azure.rehearsed(&create);
    let traffic = all.pop().expect("the traffic").2;
    assert_eq!(traffic["properties"]["traffic"], json!({"green": 100}));
    check(&all, &[("PUT", "onlineEndpoints/shop/deployments/green", green)]);

    // az ml online-deployment update -n blue -e shop --set instance_count=2
    let update = ["deployment", "update", "-n", "blue", "-e", "shop", "--set", "instance_count=2"];
    let all = azure.rehearsed(&update);
    assert_eq!((all.len(), all[0].0.as_str(), all[0].1.as_str()), (1, "PUT", BLUE_AT));
    assert_eq!(all[0].2["sku"], json!({"name": "Default", "capacity": 2}));

    // az ml online-endpoint regenerate-keys, online-deployment delete, online-endpoint delete
    let keys =
        azure.rehearsed(&["endpoint", "regenerate-keys", "-n", "shop", "--key-type", "secondary"]);
    let again = json!({"keyType": "Secondary"});
    check(&keys, &[("POST", "onlineEndpoints/shop/regenerateKeys", again)]);
    let gone = azure.rehearsed(&["deployment", "delete", "-n", "blue", "-e", "shop", "--yes"]);
    check(&gone, &[("DELETE", BLUE_AT, Value::Null)]);
    let gone = azure.rehearsed(&["endpoint", "delete", "-n", "shop", "--yes"]);
    check(&gone, &[("DELETE", E, Value::Null)]);
    let shown = azure.json(&["endpoint", "show", "-n", "shop"]);
    assert_eq!(shown["traffic"], json!({"blue": 0}), "nothing was done");
}

#[test]
fn shifting_traffic_rehearses_the_requests_that_the_sdk_makes() {
    let azure = shop();
    let none = json!({});
    for (flag, shares, traffic, mirror) in [
        // az ml online-endpoint update -n shop --traffic "blue=100", and what the recipe goes on with
        ("--traffic", "blue=100", json!({"blue": 100}), &none),
        ("--traffic", "blue=90 green=10", json!({"blue": 90, "green": 10}), &none),
        ("--traffic", "blue=0 green=100", json!({"green": 100}), &none),
        ("--mirror-traffic", "green=10", none.clone(), &json!({"green": 10})),
        ("--mirror-traffic", "green=0", none.clone(), &none),
    ] {
        let all = azure.rehearsed(&["endpoint", "update", "-n", "shop", flag, shares]);
        let mut sent = all[0].2.clone();
        // Only who made it knows these, and they came with the GET.
        for own in ["scoringUri", "swaggerUri", "properties"] {
            sent["properties"][own] = if own == "properties" { json!({}) } else { Value::Null };
        }
        sent["properties"].as_object_mut().expect("an object").retain(|_, value| !value.is_null());
        sent["identity"] = json!({"type": sent["identity"]["type"]});
        check(
            &[(all[0].0.clone(), all[0].1.clone(), sent)],
            &[("PUT", E, endpoint(&traffic, mirror))],
        );
        assert_eq!(all.len(), 1);
    }
}
