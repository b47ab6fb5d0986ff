//! The control plane: who may drive it, and what it refuses.

use hyper::{Method, StatusCode};
use plimsoll_deploy::arm::ArmDriver;
use plimsoll_deploy::arm::cloud::Cloud;
use plimsoll_deploy::arm::credential::{Credential, Source};
use plimsoll_deploy::arm::transport::Transport;
use plimsoll_deploy::workspace::Workspace;

use super::harness::{TOKEN, TestHost, call, deployment, endpoint, traffic};

#[tokio::test(flavor = "multi_thread")]
async fn nobody_drives_it_without_the_token() {
    let host = TestHost::start().await;
    let other = ArmDriver::new(&host.url, Workspace::local(), &"other".into()).unwrap();
    let error = other.create_endpoint(&endpoint()).await.unwrap_err();
    assert_eq!(error.code(), Some("AuthenticationFailed"));
    let url = format!("{}{}/onlineEndpoints?api-version=2025-12-01", host.url, Workspace::local());
    assert_eq!(call(Method::GET, &url, &[], "").await.status, StatusCode::UNAUTHORIZED);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_arms_form() {
    let host = TestHost::start().await;
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("authorization", bearer.as_str())];
    let base = format!("{}{}", host.url, Workspace::local());
    let code_of = async |method, rest: &str, body: &str| {
        let answer = call(method, &format!("{base}{rest}"), &headers, body).await;
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        (answer.status.as_u16(), body["error"]["code"].as_str().unwrap_or_default().to_owned())
    };
    let version = "?api-version=2025-12-01";
    let expect = |status, code: &str| (status, code.to_owned());
    let get = code_of(Method::GET, "/onlineEndpoints", "").await;
    assert_eq!(get, expect(400, "MissingApiVersionParameter"));
    let get = code_of(Method::GET, "/onlineEndpoints?api-version=1999-01-01", "").await;
    assert_eq!(get, expect(400, "InvalidApiVersionParameter"));
    let get = code_of(Method::GET, &format!("/onlineEndpoints/none{version}"), "").await;
    assert_eq!(get, expect(404, "ResourceNotFound"));
    let patch = code_of(Method::PATCH, &format!("/onlineEndpoints{version}"), "{}").await;
    assert_eq!(patch, expect(405, "MethodNotAllowed"));
    let put = code_of(Method::PUT, &format!("/onlineEndpoints/end{version}"), "{").await;
    assert_eq!(put, expect(400, "InvalidRequestContent"));
    let bad_name = format!("/onlineEndpoints/1{version}");
    let put = code_of(Method::PUT, &bad_name, r#"{"properties":{"authMode":"Key"}}"#).await;
    assert_eq!(put, expect(400, "BadArgument"));
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_azure_has_and_the_host_has_not_is_refused_by_name() {
    let host = TestHost::start().await;
    host.driver.create_endpoint(&endpoint()).await.unwrap();
    let error = host.driver.set_traffic("end", &traffic(&[("blue", 100)])).await.unwrap_err();
    assert!(error.to_string().contains("`blue`, which is not there"), "{error}");
    let mut far = deployment("blue", 1, 1.0);
    far.synthetic = None;
    let error = host.driver.create_deployment(&far, &mut |_| {}).await.unwrap_err();
    assert_eq!(error.code(), Some("BadArgument"));
    host.stop().await;
}

/// As Azure is driven: by HTTPS, with the host's own authority, and a token that is asked for as a managed identity's.
#[tokio::test(flavor = "multi_thread")]
async fn the_driver_for_azure_drives_it_by_https_and_only_who_trusts_its_authority_does() {
    let (host, url, ca) = TestHost::start_secured().await;
    let named = Cloud::named("AzureCloud").unwrap();
    let cloud = Cloud { resource_manager: url.clone(), authority: url.clone(), ..named };
    let get = |name: &str| match name {
        "IDENTITY_ENDPOINT" => Some(format!("{}/msi/token", host.url)),
        "IDENTITY_HEADER" => Some(TOKEN.to_owned()),
        _ => None,
    };
    let driver = |ca: Option<&std::path::Path>| {
        let transport = Transport::new(ca)?;
        let source = Source::of_environment(&get, &cloud, None).unwrap();
        let credential = Credential::new(source, transport.clone());
        Ok::<_, plimsoll_deploy::arm::transport::Error>(
            ArmDriver::azure(&cloud, Workspace::local(), credential, transport).unwrap(),
        )
    };
    let trusting = driver(Some(&ca)).unwrap();
    trusting.create_endpoint(&endpoint()).await.unwrap();
    trusting.create_deployment(&deployment("blue", 1, 1.0), &mut |_| {}).await.unwrap();
    trusting.set_traffic("end", &traffic(&[("blue", 100)])).await.unwrap();
    assert_eq!(host.caller().await.score().await.status, StatusCode::OK);
    trusting.delete_endpoint("end").await.unwrap();
    assert!(host.driver.list_endpoints().await.unwrap().is_empty());
    // A machine without certificates trusts nobody in the first place.
    if let Ok(strange) = driver(None) {
        let error = strange.list_endpoints().await.unwrap_err();
        assert!(error.to_string().contains("cannot be reached"), "{error}");
    }
    host.stop().await;
}
