//! What instances have written, as `getLogs` tells it.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use hyper::{Method, StatusCode};
use plimsoll_deploy::arm::Container;
use plimsoll_deploy::spec::{Asset, Location, Model, ModelKind};
use plimsoll_host::Rehearsal;
use serde_json::Value;

use super::harness::{TestHost, deployment, endpoint, until};

#[tokio::test(flavor = "multi_thread")]
async fn every_instance_has_its_logs_and_those_that_failed_have_too() {
    let failing_instance = NonZeroU32::new(3);
    let host =
        TestHost::start_rehearsing(Rehearsal { failing_instance, ..Rehearsal::default() }).await;
    host.driver.create_endpoint(&endpoint()).await.unwrap();
    let mut blue = deployment("blue", 2, 1.0);
    blue.environment_variables.insert("FIXTURE_SAY".into(), "one\ntwo".into());
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("model.bin"), "").unwrap();
    blue.model = Some(Asset::Inline(Model {
        name: None,
        version: None,
        description: None,
        tags: BTreeMap::new(),
        properties: BTreeMap::new(),
        path: Location::Here(folder.path().join("model.bin")),
        kind: ModelKind::Custom,
    }));
    host.driver.create_deployment(&blue, &mut |_| {}).await.unwrap();
    let log = |container, lines| host.driver.log_of("end", "blue", container, lines);
    let expected = "==> blue/0 <==\ntwo\n\n==> blue/1 <==\ntwo\n";
    until("both have said it", || async {
        log(Container::InferenceServer, 1).await.unwrap() == expected
    })
    .await;
    let storage = log(Container::StorageInitializer, 5000).await.unwrap();
    let parts: Vec<_> = storage.split("==> blue/").skip(1).collect();
    assert_eq!(parts.len(), 2, "{storage}");
    assert!(parts.iter().all(|part| part.contains("model.bin")), "{storage}");

    host.driver.scale("end", "blue", NonZeroU32::new(3).unwrap()).await.unwrap_err();
    let all = log(Container::InferenceServer, 1).await.unwrap();
    let failed = "\n==> blue/2 <==\nplimsoll: the host was told that instance number 3";
    assert!(all.starts_with(expected) && all.contains(failed), "{all}");
    host.driver.scale("end", "blue", NonZeroU32::MIN).await.unwrap();
    assert_eq!(log(Container::InferenceServer, 1).await.unwrap(), "two\n", "one is not named");

    let path = "/onlineEndpoints/end/deployments/blue/getLogs";
    let answer = host.ask(Method::POST, path, "{}").await;
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.status, body["content"].as_str()), (StatusCode::OK, Some("one\ntwo\n")));
    let answer = host.ask(Method::POST, path, r#"{"containerType": "Sidecar"}"#).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.body.contains("Sidecar"), "{}", answer.body);
    host.stop().await;
}
