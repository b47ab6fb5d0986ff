//! Autoscale settings as resources, and the workspace's own quotas.

use hyper::{Method, StatusCode};
use plimsoll_deploy::workspace::Workspace;
use plimsoll_host::local::{LocalHost, Options};
use serde_json::{Value, json};

use super::harness::{TOKEN, TestHost, call, deployment, endpoint, fixture_after};

const PROVIDER: &str = "providers/Microsoft.Insights/autoscaleSettings";

async fn ask(host: &TestHost, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
    let subscription = Workspace::local().subscription;
    let url = format!("{}/subscriptions/{subscription}/{path}?api-version=2015-04-01", host.url);
    let bearer = format!("Bearer {TOKEN}");
    let answer = call(method, &url, &[("authorization", &bearer)], &body.to_string()).await;
    (answer.status, serde_json::from_str(&answer.body).unwrap_or_default())
}

async fn at(host: &TestHost, method: Method, name: &str, body: &Value) -> (StatusCode, Value) {
    ask(host, method, &format!("resourcegroups/local/{PROVIDER}/{name}"), body).await
}

fn target(deployment: &str) -> String {
    Workspace::local().id(&format!("onlineEndpoints/end/deployments/{deployment}"))
}

fn setting(deployment: &str, most: u32) -> Value {
    let rule = json!({
        "metricTrigger": {
            "metricName": "CpuUtilizationPercentage", "metricResourceUri": target(deployment),
            "timeGrain": "PT1M", "statistic": "Average", "timeWindow": "PT5M",
            "timeAggregation": "Average", "operator": "GreaterThan", "threshold": 70.0,
        },
        "scaleAction": {
            "direction": "Increase", "type": "ChangeCount", "value": "2", "cooldown": "PT5M",
        },
    });
    let capacity = json!({ "minimum": "2", "maximum": most.to_string(), "default": "2" });
    let profile = json!({ "name": "default", "capacity": capacity, "rules": [rule] });
    let properties = json!({
        "enabled": true, "targetResourceUri": target(deployment), "profiles": [profile],
    });
    json!({ "location": "local", "properties": properties })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_lives_from_put_to_delete_and_says_that_nothing_acts_on_it() {
    let host = TestHost::start().await;
    host.driver.create_endpoint(&endpoint()).await.unwrap();
    host.driver.create_deployment(&deployment("blue", 1, 1.0), &mut |_| {}).await.unwrap();
    let nothing = Value::Null;
    assert_eq!(at(&host, Method::GET, "mine", &nothing).await.0, StatusCode::NOT_FOUND);
    let (status, made) = at(&host, Method::PUT, "mine", &setting("blue", 5)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    assert_eq!(made["type"], "Microsoft.Insights/autoscaleSettings");
    assert!(made["id"].as_str().unwrap().ends_with("/autoscaleSettings/mine"), "{made}");
    assert!(made["plimsoll.note"].as_str().unwrap().contains("does not act on it"), "{made}");
    // What was told can be sent back.
    let (status, again) = at(&host, Method::PUT, "MINE", &made).await;
    assert_eq!(
        (status, &again["properties"]["profiles"]),
        (StatusCode::OK, &made["properties"]["profiles"])
    );

    let patch = json!({ "tags": { "team": "vision" }, "properties": { "enabled": false } });
    let (status, changed) = at(&host, Method::PATCH, "mine", &patch).await;
    assert_eq!((status, &changed["tags"]["team"]), (StatusCode::OK, &json!("vision")));
    assert_eq!(changed["properties"]["enabled"], false);
    assert_eq!(changed["properties"]["profiles"], made["properties"]["profiles"]);
    for path in [PROVIDER.to_owned(), format!("resourceGroups/local/{PROVIDER}")] {
        let (_, list) = ask(&host, Method::GET, &path, &nothing).await;
        assert_eq!(list["value"].as_array().map(Vec::len), Some(1), "{path}: {list}");
    }
    assert_eq!(at(&host, Method::DELETE, "mine", &nothing).await.0, StatusCode::OK);
    assert_eq!(at(&host, Method::DELETE, "mine", &nothing).await.0, StatusCode::NO_CONTENT);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_azure_refuses_is_refused_with_all_that_is_wrong() {
    let host = TestHost::start().await;
    host.driver.create_endpoint(&endpoint()).await.unwrap();
    for name in ["blue", "green"] {
        host.driver.create_deployment(&deployment(name, 1, 1.0), &mut |_| {}).await.unwrap();
    }
    let mut wrong = setting("blue", 1);
    wrong["properties"]["profiles"][0]["rules"][0]["metricTrigger"]["timeWindow"] = json!("PT1M");
    let (status, error) = at(&host, Method::PUT, "mine", &wrong).await;
    assert_eq!((status, &error["error"]["code"]), (StatusCode::BAD_REQUEST, &json!("BadRequest")));
    let details = error["error"]["details"].as_array().unwrap();
    let says = |words: &str| details.iter().any(|d| d["message"].as_str().unwrap().contains(words));
    assert_eq!(details.len(), 2, "{error}");
    assert!(says("minimum of 2 is above the maximum of 1"), "{error}");

    let (status, error) = at(&host, Method::PUT, "mine", &setting("red", 5)).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{error}");
    let mut elsewhere = setting("blue", 5);
    elsewhere["properties"]["targetResourceUri"] = json!("/subscriptions/x/resourceGroups/y");
    let (status, error) = at(&host, Method::PUT, "mine", &elsewhere).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{error}");

    assert_eq!(at(&host, Method::PUT, "mine", &setting("blue", 5)).await.0, StatusCode::CREATED);
    let (status, error) = at(&host, Method::PUT, "other", &setting("blue", 5)).await;
    assert_eq!(status, StatusCode::CONFLICT, "{error}");
    assert_eq!(at(&host, Method::PUT, "other", &setting("green", 5)).await.0, StatusCode::CREATED);
    let patch = json!({ "properties": { "profiles": [] } });
    assert_eq!(at(&host, Method::PATCH, "other", &patch).await.0, StatusCode::BAD_REQUEST);
    let (_, kept) = at(&host, Method::GET, "other", &Value::Null).await;
    assert_eq!(kept["properties"]["profiles"].as_array().map(Vec::len), Some(1), "all or nothing");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_may_have_lower_quotas_of_its_own() {
    let host = TestHost::start().await;
    host.driver.create_endpoint(&endpoint()).await.unwrap();
    host.driver.create_deployment(&deployment("blue", 1, 1.0), &mut |_| {}).await.unwrap();
    let locations = "providers/Microsoft.MachineLearningServices/locations/local";
    let pool = "Standard_DSv2_Family_Cluster_Dedicated_vCPUs";
    let update = |pool: &str, limit: i64| {
        let id = format!("{}/quotas/{pool}", Workspace::local());
        json!({ "value": [{ "id": id, "type": "x/quotas", "limit": limit, "unit": "Count" }] })
    };
    let set = async |pool: &str, limit: i64| {
        let path = format!("{locations}/updateQuotas");
        let (status, told) = ask(&host, Method::POST, &path, &update(pool, limit)).await;
        assert_eq!(status, StatusCode::OK, "{told}");
        told["value"][0]["status"].as_str().unwrap().to_owned()
    };
    // One instance of four vCPUs takes 8 with the reserve.
    assert_eq!(set(pool, 4).await, "InvalidQuotaBelowClusterMinimum");
    assert_eq!(set("Standard_Nothing_Family", 4).await, "InvalidVMFamilyName");
    assert_eq!(set(pool, 12).await, "Success");
    let (_, quotas) = ask(&host, Method::GET, &format!("{locations}/quotas"), &Value::Null).await;
    let named = |quota: &&Value| quota["id"].as_str().unwrap().ends_with(pool);
    assert_eq!(quotas["value"].as_array().unwrap().iter().find(named).unwrap()["limit"], 12);
    let green = deployment("green", 1, 1.0);
    let error = host.driver.create_deployment(&green, &mut |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("8/12. Additional needed: 8"), "{error}");
    assert_eq!(set(pool, -1).await, "Success");
    host.driver.create_deployment(&green, &mut |_| {}).await.unwrap();
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_found_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let export = format!("export FIXTURE_STATE='{}'", folder.path().join("state").display());
    let program = fixture_after(&export, folder.path());
    let host = LocalHost::start(&program, &Options::default()).await.unwrap();
    let driver = host.driver().unwrap();
    driver.create_endpoint(&endpoint()).await.unwrap();
    driver.create_deployment(&deployment("blue", 1, 1.0), &mut |_| {}).await.unwrap();
    // The token is the host's secret: what it keeps is what a client would have put there.
    assert!(host.stop().await.unwrap().success());
    let file = folder.path().join("state/workspace.json");
    let mut kept: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(kept["autoscale"], json!({}));
    kept["autoscale"] = json!({ "mine": setting("blue", 5) });
    std::fs::write(&file, kept.to_string()).unwrap();
    let host = LocalHost::start(&program, &Options::default()).await.unwrap();
    // Anything that is saved again is what was read.
    host.driver().unwrap().set_traffic("end", &[("blue".to_owned(), 100)].into()).await.unwrap();
    assert!(host.stop().await.unwrap().success());
    let again: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(again["autoscale"], kept["autoscale"]);
}
