//! Quota is enforced: what does not fit is refused in Azure's words, and the usages say what is taken.

use std::num::NonZeroU32;

use hyper::{Method, StatusCode};
use plimsoll_deploy::quota::Usages;
use plimsoll_deploy::workspace::Workspace;
use serde_json::Value;

use super::harness::{TOKEN, TestHost, call, deployment, endpoint};

const FAMILY: &str = "Standard DSv2 Family Cluster Dedicated vCPUs";

fn limits(family: u64, regional: u64) -> Usages {
    let entry = |name: &str, limit: u64| serde_json::json!({ "currentValue": 0, "limit": limit, "name": { "value": name } });
    let pools = [entry(FAMILY, family), entry("Total Cluster Dedicated Regional vCPUs", regional)];
    Usages::read(&serde_json::json!({ "value": pools }).to_string()).unwrap()
}

/// What is taken of a pool, and its limit.
async fn usage(host: &TestHost, pool: &str) -> (u64, i64) {
    let subscription = Workspace::local().subscription;
    let url = format!(
        "{}/subscriptions/{subscription}/providers/Microsoft.MachineLearningServices/locations/local\
         /usages?api-version=2025-12-01",
        host.url
    );
    let bearer = format!("Bearer {TOKEN}");
    let answer = call(Method::GET, &url, &[("authorization", &bearer)], "").await;
    assert_eq!(answer.status, StatusCode::OK);
    let answer: Value = serde_json::from_str(&answer.body).unwrap();
    let pools = answer["value"].as_array().unwrap();
    let found = pools.iter().find(|usage| usage["name"]["value"] == pool).unwrap();
    (found["currentValue"].as_u64().unwrap(), found["limit"].as_i64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_or_a_scaling_that_does_not_fit_is_refused() {
    // One instance of four vCPUs needs 8 with the reserve, two need 12, three 16.
    let host = TestHost::start_within(limits(12, 100)).await;
    let driver = &host.driver;
    driver.create_endpoint(&endpoint()).await.unwrap();
    let error =
        driver.create_deployment(&deployment("big", 3, 1.0), &mut |_| {}).await.unwrap_err();
    assert_eq!(error.code(), Some("BadRequest"));
    let words = "Not enough quota available for Standard_DS3_v2 in SubscriptionId";
    let numbers = "Current usage/limit: 0/12. Additional needed: 16";
    let text = error.to_string();
    assert!(text.contains(words) && text.contains(numbers), "{text}");
    assert!(driver.show_deployment("end", "big").await.unwrap_err().is_not_found());

    driver.create_deployment(&deployment("blue", 1, 1.0), &mut |_| {}).await.unwrap();
    assert_eq!(usage(&host, FAMILY).await, (8, 12));
    let error =
        driver.create_deployment(&deployment("green", 1, 1.0), &mut |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("8/12. Additional needed: 8"), "{error}");
    let count = |count| NonZeroU32::new(count).unwrap();
    driver.scale("end", "blue", count(2)).await.unwrap();
    assert_eq!(usage(&host, FAMILY).await, (12, 12));
    let error = driver.scale("end", "blue", count(3)).await.unwrap_err();
    assert!(error.to_string().contains("12/12. Additional needed: 4"), "{error}");
    assert_eq!(driver.show_deployment("end", "blue").await.unwrap().ready(), 2);
    driver.delete_deployment("end", "blue").await.unwrap();
    assert_eq!(usage(&host, FAMILY).await, (0, 12));
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_region_must_have_room_too_and_without_limits_all_fits() {
    let host = TestHost::start_within(limits(100, 7)).await;
    host.driver.create_endpoint(&endpoint()).await.unwrap();
    let blue = deployment("blue", 1, 1.0);
    let error = host.driver.create_deployment(&blue, &mut |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("0/7. Additional needed: 8"), "{error}");
    host.stop().await;

    let host = TestHost::start().await;
    host.driver.create_endpoint(&endpoint()).await.unwrap();
    host.driver.create_deployment(&blue, &mut |_| {}).await.unwrap();
    assert_eq!(usage(&host, FAMILY).await, (8, -1));
    host.stop().await;
}
