//! What Azure's own clients ask of a workspace beside endpoints and deployments: storage, assets, tokens, keys.

use std::collections::BTreeMap;

use hyper::{Method, StatusCode};
use plimsoll_deploy::arm::wire::SYNTHETIC;
use serde_json::{Value, json};

use super::harness::{Answer, Caller, TOKEN, TestHost, call, deployment, traffic, until};

fn read(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

async fn put(host: &TestHost, path: &str, body: &Value) -> Answer {
    host.ask(Method::PUT, path, &body.to_string()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_uploaded_registered_and_found_by_their_content() {
    let host = TestHost::start().await;
    let begin = "/codes/c1/versions/1/startPendingUpload";
    let first = read(&host.ask(Method::POST, begin, "{}").await);
    let second = read(&host.ask(Method::POST, begin, "{}").await);
    let of = |answer: &Value| {
        let reference = &answer["blobReferenceForConsumption"];
        let sas = reference["credential"]["sasUri"].as_str().unwrap();
        let (uri, query) = sas.split_once('?').unwrap();
        assert_eq!(reference["blobUri"], uri);
        (uri.to_owned(), query.to_owned())
    };
    let ((uri, query), (other_uri, other_query)) = (of(&first), of(&second));
    assert_ne!(uri, other_uri, "an upload never meets another's files");

    let file = format!("{uri}/code/score.py?{query}");
    let once = [("if-none-match", "*"), ("x-ms-blob-type", "BlockBlob")];
    assert_eq!(call(Method::HEAD, &file, &[], "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(call(Method::PUT, &file, &once, "run").await.status, StatusCode::CREATED);
    assert_eq!(call(Method::PUT, &file, &once, "run").await.status, StatusCode::CONFLICT);
    let said = [("x-ms-meta-upload_status", "completed")];
    let metadata = format!("{file}&comp=metadata");
    assert_eq!(call(Method::PUT, &metadata, &said, "").await.status, StatusCode::OK);
    let head = call(Method::HEAD, &file, &[], "").await;
    assert_eq!((head.header("content-length"), head.header(said[0].0)), ("3", "completed"));
    let part = call(Method::GET, &file, &[("x-ms-range", "bytes=1-9")], "").await;
    assert_eq!((part.status.as_u16(), part.body.as_str()), (206, "un"));
    let list = format!("{uri}?restype=container&comp=list&prefix=code/&{query}");
    let list = call(Method::GET, &list, &[], "").await.body;
    assert!(list.contains("<Name>code/score.py</Name>"), "{list}");

    for wrong in ["", "sig=x", other_query.as_str()] {
        let file = format!("{uri}/code/score.py?{wrong}");
        let refused = call(Method::GET, &file, &[], "").await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{wrong}");
        let refused = call(Method::PUT, &file, &[], "x").await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{wrong}");
    }

    let code = json!({ "properties": {
        "codeUri": format!("{uri}/code"),
        "properties": { "hash_sha256": "abc", "hash_version": 202_208 },
    } });
    assert_eq!(put(&host, "/codes/c1/versions/1", &code).await.status, StatusCode::CREATED);
    let by_hash = |hash: &str| format!("/codes/new-name/versions?hash={hash}");
    let found = read(&host.ask_with(Method::GET, &by_hash("abc"), "").await);
    assert!(found["value"][0]["id"].as_str().unwrap().ends_with("/codes/c1/versions/1"));
    assert_eq!(found["value"][0]["properties"]["properties"]["hash_version"], 202_208);
    assert_eq!(read(&host.ask_with(Method::GET, &by_hash("def"), "").await)["value"], json!([]));
    let gone = json!({ "properties": { "codeUri": format!("{uri}/none") } });
    let refused = put(&host, "/codes/c2/versions/1", &gone).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_goes_through_the_datastore_in_blocks() {
    let host = TestHost::start().await;
    let store = "/datastores/workspaceblobstore";
    let shown = read(&host.ask(Method::GET, store, "").await);
    let properties = &shown["properties"];
    let account = properties["accountName"].as_str().unwrap().trim_end_matches('#');
    let container = properties["containerName"].as_str().unwrap();
    let secret = read(&host.ask(Method::POST, &format!("{store}/listSecrets"), "{}").await);
    let sas = secret["sasToken"].as_str().unwrap();
    let file = format!("http://{account}/{container}/LocalUpload/1/model.bin?{sas}");
    for (id, text) in [("Yg%3D%3D", "world"), ("YQ%3D%3D", "hello ")] {
        let block = format!("{file}&comp=block&blockid={id}");
        assert_eq!(call(Method::PUT, &block, &[], text).await.status, StatusCode::CREATED);
    }
    let list = "<BlockList><Latest>YQ==</Latest><Latest>Yg==</Latest></BlockList>";
    let blocks = format!("{file}&comp=blocklist");
    assert_eq!(call(Method::PUT, &blocks, &[], list).await.status, StatusCode::CREATED);
    assert_eq!(call(Method::GET, &file, &[], "").await.body, "hello world");

    let home = "azureml://subscriptions/s/resourcegroups/g/workspaces/w";
    let uri = format!("{home}{store}/paths/LocalUpload/1/model.bin");
    let model = json!({ "properties": { "modelUri": uri, "tags": { "a": "b" } } });
    for version in ["1", "7"] {
        let created = put(&host, &format!("/models/m/versions/{version}"), &model).await;
        assert_eq!(created.status, StatusCode::CREATED);
    }
    let shown =
        read(&host.ask(Method::GET, "/models/m/versions/1", "").await)["properties"].clone();
    let whole = json!({
        "modelUri": uri, "tags": { "a": "b" }, "flavors": {}, "properties": {},
        "isAnonymous": false, "isArchived": false,
    });
    assert_eq!(shown, whole);
    let names = read(&host.ask(Method::GET, "/models/m", "").await)["properties"].clone();
    assert_eq!((&names["latestVersion"], &names["nextVersion"]), (&json!("7"), &json!("8")));
    let latest = "/models/m/versions?%24orderBy=createdtime%20desc&%24top=1";
    let latest = read(&host.ask_with(Method::GET, latest, "").await);
    assert_eq!(latest["value"].as_array().unwrap().len(), 1);
    assert_eq!(latest["value"][0]["name"], "7");
    let mut archived = model.clone();
    archived["properties"]["isArchived"] = json!(true);
    assert_eq!(put(&host, "/models/m/versions/7", &archived).await.status, StatusCode::OK);
    let active = "/models/m/versions?listViewType=ActiveOnly";
    let active = read(&host.ask_with(Method::GET, active, "").await);
    assert_eq!(active["value"].as_array().unwrap().len(), 1);
    let mut other = model;
    other["properties"]["modelUri"] = json!("file://localhost/");
    let conflict = put(&host, "/models/m/versions/1", &other).await;
    assert_eq!(conflict.status, StatusCode::CONFLICT);
    host.stop().await;
}

async fn create(host: &TestHost, mode: &str) -> String {
    let body = json!({ "properties": { "authMode": mode } });
    let created = put(host, "/onlineEndpoints/end", &body).await;
    assert_eq!(created.status, StatusCode::CREATED);
    read(&created)["properties"]["scoringUri"].as_str().unwrap().to_owned()
}

async fn status(uri: &str, token: &str) -> u16 {
    Caller { uri: uri.to_owned(), key: token.into() }.score().await.status.as_u16()
}

/// Without a deployment a caller who may call gets 404, and one who may not 401.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_open_the_endpoint_that_they_are_for() {
    let host = TestHost::start().await;
    let uri = create(&host, "AMLToken").await;
    let keys = host.ask(Method::POST, "/onlineEndpoints/end/listKeys", "").await;
    assert_eq!(keys.status, StatusCode::BAD_REQUEST, "it has none");
    let token = read(&host.ask(Method::POST, "/onlineEndpoints/end/token", "").await);
    let times = ["refreshAfterTimeUtc", "expiryTimeUtc"].map(|key| token[key].as_u64().unwrap());
    assert!(times[0] < times[1]);
    let token = token["accessToken"].as_str().unwrap();
    assert_eq!((status(&uri, token).await, status(&uri, TOKEN).await), (404, 401));

    let identity = |resource: &str| {
        format!("{}/msi/token?api-version=2019-08-01&resource={resource}", host.url)
    };
    let header = [("x-identity-header", TOKEN)];
    let scoring = call(Method::GET, &identity("https://ml.azure.com"), &header, "").await;
    let entra = read(&scoring)["access_token"].as_str().unwrap().to_owned();
    let control = call(Method::GET, &identity("https://management.azure.com"), &header, "").await;
    assert_eq!(read(&control)["access_token"], TOKEN);
    let nobody = call(Method::GET, &identity("https://ml.azure.com"), &[], "").await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
    assert_eq!(status(&uri, &entra).await, 401, "of the other kind");
    let body = json!({ "properties": { "authMode": "AADToken" } });
    assert_eq!(put(&host, "/onlineEndpoints/end", &body).await.status, StatusCode::OK);
    assert_eq!((status(&uri, &entra).await, status(&uri, token).await), (404, 401));
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_anew_and_the_old_one_opens_no_more() {
    let host = TestHost::start().await;
    let uri = create(&host, "Key").await;
    let keys = async || read(&host.ask(Method::POST, "/onlineEndpoints/end/listKeys", "").await);
    let key = |keys: &Value, which: &str| keys[which].as_str().unwrap().to_owned();
    let before = keys().await;
    let old = key(&before, "secondaryKey");
    // As Azure's own SDK asks for a new one.
    let body = json!({ "keyType": "Secondary", "keyValue": old }).to_string();
    let answer = host.ask(Method::POST, "/onlineEndpoints/end/regenerateKeys", &body).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let after = keys().await;
    let new = key(&after, "secondaryKey");
    assert_eq!(key(&before, "primaryKey"), key(&after, "primaryKey"));
    assert_eq!((status(&uri, &old).await, status(&uri, &new).await), (401, 404));
    let body = json!({ "keyType": "Primary", "keyValue": "my-own" }).to_string();
    host.ask(Method::POST, "/onlineEndpoints/end/regenerateKeys", &body).await;
    assert_eq!(status(&uri, "my-own").await, 404);
    host.stop().await;
}

/// Half of the requests are copied; the copies take the mirror's slots, and the callers notice nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_share_of_the_requests_is_mirrored_and_nobody_waits_for_it() {
    let host = TestHost::start().await;
    let caller = host.endpoint_with(&deployment("blue", 1, 0.0)).await;
    let mut green = deployment("green", 1, 600_000.0);
    green.request_settings.max_concurrent_requests_per_instance = std::num::NonZeroU32::MIN;
    green.request_settings.request_timeout = std::time::Duration::from_mins(1);
    host.driver.create_deployment(&green, &mut |_| {}).await.unwrap();
    let shares = |live: &[(&str, u8)], mirror: &[(&str, u8)]| {
        json!({ "properties": {
            "authMode": "Key", "traffic": traffic(live), "mirrorTraffic": traffic(mirror),
        } })
    };
    let both = put(&host, "/onlineEndpoints/end", &shares(&[("blue", 100)], &[("blue", 10)])).await;
    assert_eq!(both.status, StatusCode::BAD_REQUEST);
    let set = put(&host, "/onlineEndpoints/end", &shares(&[("blue", 100)], &[("GREEN", 50)])).await;
    assert_eq!(read(&set)["properties"]["mirrorTraffic"], json!({ "green": 50 }));
    // Green serves one for ever and lets one wait: a third is refused.
    let direct = [("azureml-model-deployment", "green")];
    for _ in 0..40 {
        assert_eq!(caller.score().await.status, StatusCode::OK);
    }
    until("two copies have taken green's places", || async {
        caller.score_with(&direct).await.status == StatusCode::TOO_MANY_REQUESTS
    })
    .await;
    let refused = host.driver.delete_deployment("end", "green").await.unwrap_err();
    assert!(refused.to_string().contains("mirrored traffic"), "{refused}");
    host.stop().await;
}

/// It scaled to more than can start; what serves goes on, and the next change is one of what is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_put_after_a_scaling_that_failed_stops_nothing() {
    let host = TestHost::start().await;
    let folder = tempfile::tempdir().unwrap();
    let flag = folder.path().join("fail");
    let mut blue = deployment("blue", 1, 1.0);
    blue.environment_variables =
        BTreeMap::from([("FIXTURE_FAIL_IF".to_owned(), flag.display().to_string())]);
    let caller = host.endpoint_with(&blue).await;
    let path = "/onlineEndpoints/end/deployments/blue";
    let mut body = read(&host.ask(Method::GET, path, "").await);
    assert!(body["properties"]["properties"][SYNTHETIC].is_string());
    let pid = body["properties"]["instances"][0]["pid"].clone();
    body["properties"].as_object_mut().unwrap().remove("instances");
    std::fs::write(&flag, "").unwrap();
    body["sku"]["capacity"] = json!(2);
    assert_eq!(put(&host, path, &body).await.status, StatusCode::OK);
    let state = async || read(&host.ask(Method::GET, path, "").await)["properties"].clone();
    until("the scaling has failed", || async { state().await["provisioningState"] == "Failed" })
        .await;
    body["sku"]["capacity"] = json!(1);
    assert_eq!(put(&host, path, &body).await.status, StatusCode::OK);
    until("it is well", || async { state().await["provisioningState"] == "Succeeded" }).await;
    assert_eq!(state().await["instances"][0]["pid"], pid, "it was never stopped");
    assert_eq!(caller.score().await.status, StatusCode::OK);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_asked_for_as_at_azure_monitor() {
    let host = TestHost::start().await;
    let caller = host.endpoint_with(&deployment("blue", 1, 1.0)).await;
    caller.score().await;
    let insights = "providers/microsoft.insights";
    let ask = async |rest: &str| {
        let path = format!("/onlineEndpoints/end{rest}");
        host.ask_with(Method::GET, &path, "").await
    };
    let names = "metricnames=CpuUtilizationPercentage,DeploymentCapacity";
    let answer = ask(&format!("/deployments/blue/{insights}/metrics?{names}&interval=PT5M")).await;
    let answer = read(&answer);
    assert_eq!(
        (&answer["interval"], &answer["value"][1]["unit"]),
        (&json!("PT5M"), &json!("Count"))
    );
    assert_eq!(answer["value"][0]["name"]["value"], "CpuUtilizationPercentage");
    let path = format!("/onlineEndpoints/end/{insights}/metricDefinitions");
    let definitions = read(&host.ask(Method::GET, &path, "").await);
    assert_eq!(definitions["value"][0]["name"]["value"], "RequestsPerMinute");
    assert_eq!(definitions["value"][0]["dimensions"].as_array().unwrap().len(), 4);
    for (wrong, word) in [
        (
            format!("/{insights}/metrics?metricnames=DataCollectionEventsPerMinute"),
            "`DataCollectionEventsPerMinute` is not counted",
        ),
        (format!("/{insights}/metrics?metricnames=RequestLatency&$filter=a%20eq%20'b'"), "`a`"),
        (format!("/{insights}/metrics?timespan=today"), "timespan `today`"),
    ] {
        let refused = ask(&wrong).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert!(refused.body.contains(word), "{refused:?}");
    }
    let missing = ask(&format!("/deployments/none/{insights}/metrics?{names}")).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_instances_use_only_grows_while_they_work() {
    let host = TestHost::start().await;
    let caller = host.endpoint_with(&deployment("blue", 1, 1.0)).await;
    let path = "/onlineEndpoints/end/deployments/blue/use";
    let ask = async || read(&host.ask(Method::GET, path, "").await);
    let before = ask().await;
    assert_eq!(before["instances"][0]["ready"], json!(true), "{before}");
    assert_eq!((&before["instances"][0]["workingUs"], &before["waiting"]), (&json!(0), &json!(0)));
    caller.score().await;
    let worked = async || ask().await["instances"][0]["workingUs"].as_u64().unwrap();
    let first = worked().await;
    assert!(first > 0);
    caller.score().await;
    assert!(worked().await > first);
    assert_eq!(ask().await["instances"][0]["inFlight"], json!(0));
    let missing = host.ask(Method::GET, &path.replace("blue", "none"), "").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    host.stop().await;
}
