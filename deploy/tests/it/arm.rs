//! The driver against a control plane that answers as it is told.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use plimsoll_deploy::arm::{ArmDriver, AssetKind, Error, KeyType, Until};
use plimsoll_deploy::workspace::Workspace;
use tokio::net::TcpListener;

/// Status, headers and body.
type Scripted = (u16, &'static [(&'static str, &'static str)], &'static str);

/// Answers with the script, in order; the paths that were asked for are kept.
struct ControlPlane {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

async fn control_plane(script: &[Scripted]) -> ControlPlane {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&asked);
    let script = Arc::new(Mutex::new(VecDeque::from(script.to_vec())));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (script, kept) = (Arc::clone(&script), Arc::clone(&kept));
            let service = service_fn(move |request: Request<Incoming>| {
                kept.lock().unwrap().push(request.uri().path().to_owned());
                let (status, headers, body) = script.lock().unwrap().pop_front().unwrap();
                let mut response = Response::builder().status(status);
                for (name, value) in headers {
                    response = response.header(*name, *value);
                }
                let response = response.body(Full::new(Bytes::from(body))).unwrap();
                async move { Ok::<_, Infallible>(response) }
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    });
    ControlPlane { url, asked }
}

impl ControlPlane {
    fn driver(&self) -> ArmDriver {
        ArmDriver::new(&self.url, Workspace::local(), &"secret".into()).unwrap()
    }

    fn times_asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

const KEYS: &str = r#"{"primaryKey": "one", "secondaryKey": "two"}"#;
const THROTTLED: &str = r#"{"error": {"code": "TooManyRequests", "message": "slow down"}}"#;

#[tokio::test]
async fn throttling_and_outages_are_waited_out() {
    let now: &[(&str, &str)] = &[("retry-after", "0")];
    let plane = control_plane(&[(429, now, THROTTLED), (503, now, "down"), (200, &[], KEYS)]).await;
    plane.driver().credentials("end").await.unwrap();
    assert_eq!(plane.times_asked(), 3);
}

#[tokio::test]
async fn an_outage_that_lasts_is_reported_and_a_refusal_is_not_repeated() {
    let now: &[(&str, &str)] = &[("retry-after", "0")];
    let plane = control_plane(&[(429, now, THROTTLED); 5]).await;
    let error = plane.driver().credentials("end").await.unwrap_err();
    assert_eq!((plane.times_asked(), error.code()), (5, Some("TooManyRequests")));
    assert_eq!(error.to_string(), "endpoint `end`: slow down (TooManyRequests, status 429)");

    let refusal = r#"{"error": {"code": "BadArgument", "message": "no"}}"#;
    let plane = control_plane(&[(400, &[], refusal)]).await;
    assert_eq!(plane.driver().credentials("end").await.unwrap_err().code(), Some("BadArgument"));
    assert_eq!(plane.times_asked(), 1);
}

#[tokio::test]
async fn an_operation_elsewhere_never_gets_the_token() {
    let elsewhere = "http://127.0.0.1:1/operation";
    let plane = control_plane(&[(202, &[("location", "http://127.0.0.1:1/operation")], "")]).await;
    let error = plane.driver().delete_endpoint("end").await.unwrap_err();
    assert!(matches!(&error, Error::OperationAddress { url, .. } if url == elsewhere), "{error}");
}

/// As Azure's clients find out which version is the latest: the first of a list in order of creation.
#[tokio::test]
async fn a_reference_without_a_version_is_the_latest() {
    let latest = r#"{"value": [{"name": "7", "properties": {}}]}"#;
    let none = r#"{"value": []}"#;
    let plane = control_plane(&[(200, &[], latest), (200, &[], none)]).await;
    let driver = plane.driver();
    assert_eq!(driver.latest_version(AssetKind::Model, "prices").await.unwrap(), "7");
    assert!(plane.asked.lock().unwrap()[0].ends_with("/models/prices/versions"));
    let error = driver.latest_version(AssetKind::Environment, "sk").await.unwrap_err();
    assert_eq!(error.to_string(), "environment `sk`: no version of it is registered");
}

#[tokio::test]
async fn a_key_is_made_anew_and_waited_for() {
    let token = r#"{"accessToken": "t", "expiryTimeUtc": 2, "refreshAfterTimeUtc": 1, "tokenType": "Bearer"}"#;
    let plane = control_plane(&[(200, &[], ""), (200, &[], token)]).await;
    let driver = plane.driver();
    driver.regenerate_key("end", KeyType::Secondary, Until::Done).await.unwrap();
    let token = driver.token("end").await.unwrap();
    assert_eq!((token.access_token.as_str(), token.expiry_time_utc), ("t", 2));
    let asked = plane.asked.lock().unwrap();
    assert!(asked[0].ends_with("/end/regenerateKeys") && asked[1].ends_with("/end/token"));
}

#[tokio::test]
async fn an_answer_that_is_no_json_and_a_port_that_nobody_listens_on_are_named() {
    let plane = control_plane(&[(200, &[], "<html>")]).await;
    let error = plane.driver().credentials("end").await.unwrap_err();
    assert!(matches!(error, Error::Malformed { .. }), "{error}");

    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let driver =
        ArmDriver::new(&format!("http://{free}"), Workspace::local(), &"t".into()).unwrap();
    let error = driver.show_endpoint("end").await.unwrap_err();
    assert!(error.to_string().contains("cannot be reached"), "{error}");
}
