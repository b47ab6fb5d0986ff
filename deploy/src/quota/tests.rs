//! Azure's own numbers: the documented table, and what people were told when it did not fit.

use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;
use crate::spec::{DeploymentSpec, Kubernetes, Platform};

const REGION: &str = "westeurope";
const SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000000";

fn deployment(name: &str, size: &str, count: u32) -> DeploymentSpec {
    DeploymentSpec::new(name, "my-endpoint", size, NonZeroU32::new(count).unwrap())
}

fn plan(size: &str, count: u32) -> QuotaPlan {
    QuotaPlan::for_deployments(&[deployment("blue", size, count)], REGION)
}

fn usages(family: (u64, i64), regional: (u64, i64), clusters: (u64, i64)) -> Usages {
    let entry = |kind: &str, name: &str, (used, limit): (u64, i64)| {
        format!(
            r#"{{"id": "/subscriptions/{SUBSCRIPTION}/usages/x", "type": "Microsoft.MachineLearningServices/{kind}/usages",
              "unit": "Count", "currentValue": {used}, "limit": {limit},
              "name": {{"value": "{name}", "localizedValue": "{name}"}}}}"#
        )
    };
    let entries = [
        entry("workspaces", "Standard DSv2 Family Cluster Dedicated vCPUs", (999, 0)),
        entry("lowPriorityCores", "Standard DSv2 Family Cluster Dedicated vCPUs", (999, 0)),
        entry("totalCores", "Clusters", clusters),
        entry("dedicatedCores", "Total Cluster Dedicated Regional vCPUs", regional),
        entry("vmFamily", "Standard DSv2 Family Cluster Dedicated vCPUs", family),
    ];
    Usages::read(&format!(r#"{{"value": [{}], "nextLink": null}}"#, entries.join(","))).unwrap()
}

#[test]
fn the_reserve_is_the_documented_table() {
    let table = [
        (1, 2),
        (2, 3),
        (3, 4),
        (4, 5),
        (5, 6),
        (6, 8),
        (7, 9),
        (8, 10),
        (9, 11),
        (10, 12),
        (11, 14),
        (12, 15),
        (13, 16),
        (15, 18),
        (16, 20),
        (20, 24),
        (50, 60),
    ];
    for (instances, reserved) in table {
        assert_eq!(reserve(instances, false), reserved, "{instances}");
        assert_eq!(reserve(instances, true), u64::from(instances));
    }
}

#[test]
fn cores_are_those_that_azure_asks_for() {
    for (size, count, cores) in [
        ("Standard_DS3_v2", 10, 48),
        ("Standard_DS3_v2", 1, 8),
        ("Standard_F4s_v2", 1, 8),
        ("Standard_F16s_v2", 1, 32),
        ("Standard_NC24ads_A100_v4", 10, 240),
    ] {
        assert_eq!(plan(size, count).cores(), cores, "{count} × {size}");
    }
}

#[test]
fn scaling_needs_the_difference_of_the_reserves() {
    let blue = deployment("blue", "Standard_DS3_v2", 5);
    let plan = QuotaPlan::for_scaling(&blue, 4, REGION);
    assert_eq!((plan.deployments[0].instances_with_reserve, plan.cores()), (6, 4));
    assert_eq!(plan.pools.last().unwrap().needed, 0, "the deployment is counted already");
    assert_eq!(QuotaPlan::for_scaling(&blue, 9, REGION).cores(), 0, "less needs nothing");
    assert_eq!(plan.check(&usages((24, 28), (24, 28), (9, 9)), SUBSCRIPTION), Ok(()));
    assert!(plan.check(&usages((25, 28), (24, 28), (9, 9)), SUBSCRIPTION).is_err());
}

#[test]
fn a_trial_subscription_is_refused_in_azures_words() {
    let refusals = plan("Standard_DS3_v2", 1)
        .check(&usages((0, 6), (0, 24), (0, 500)), SUBSCRIPTION)
        .expect_err("6 are allowed, and 8 needed");
    let [refusal] = refusals.as_slice() else { panic!("one pool is full: {refusals:?}") };
    assert_eq!(
        refusal.message,
        "Not enough quota available for Standard_DS3_v2 in SubscriptionId \
         00000000-0000-0000-0000-000000000000. Current usage/limit: 0/6. Additional needed: 8"
    );
    assert_eq!(refusal.code, "OutOfQuota");
    assert_eq!(refusal.pool, "Standard DSv2 Family Cluster Dedicated vCPUs");
    assert!(refusal.remedy.contains("STANDARD_DS2_V2 fits with 4"), "{}", refusal.remedy);
    assert!(refusal.remedy.contains("a limit of 8"), "{}", refusal.remedy);
}

#[test]
fn every_pool_must_have_room_and_no_limit_is_room() {
    let plan = plan("Standard_DS3_v2", 10);
    let full = |usages| match plan.check(&usages, SUBSCRIPTION) {
        Ok(()) => vec![],
        Err(refusals) => refusals.into_iter().map(|refusal| refusal.pool).collect(),
    };
    assert!(full(usages((0, 48), (0, 48), (0, 1))).is_empty());
    assert!(full(usages((0, -1), (0, -1), (0, -1))).is_empty());
    assert_eq!(full(usages((0, 48), (1, 48), (0, 1))), ["Total Cluster Dedicated Regional vCPUs"]);
    assert_eq!(full(usages((0, 48), (0, 48), (500, 500))), ["Total Clusters"]);
    assert_eq!(full(usages((1, 48), (1, 48), (1, 1))).len(), 3);
}

#[test]
fn deployments_take_from_the_pools_one_after_the_other() {
    let both =
        [deployment("blue", "Standard_DS3_v2", 2), deployment("green", "Standard_DS3_v2", 2)];
    let plan = QuotaPlan::for_deployments(&both, REGION);
    let refusals = plan.check(&usages((0, 20), (0, 100), (0, 500)), SUBSCRIPTION).unwrap_err();
    let [refusal] = refusals.as_slice() else { panic!("only the second: {refusals:?}") };
    assert_eq!(refusal.deployment, "green");
    assert!(refusal.message.contains("usage/limit: 12/20. Additional needed: 12"), "{refusal}");
    assert!(refusal.remedy.contains("instance_count 1 fits"), "{refusal}");
}

#[test]
fn the_table_never_says_that_a_full_pool_fits() {
    let both =
        [deployment("blue", "Standard_DS3_v2", 2), deployment("green", "Standard_DS3_v2", 2)];
    let plan = QuotaPlan::for_deployments(&both, REGION);
    let assessment = plan.assess(&usages((0, 20), (0, 20), (0, 500)), SUBSCRIPTION);
    assert_eq!(assessment.to_string().matches("    no\n").count(), 2, "{assessment}");
    assert!(!assessment.fits);
}

#[test]
fn a_family_that_the_region_does_not_list_is_refused() {
    let usages = usages((0, 48), (0, 1000), (0, 500));
    let refusals = plan("Standard_NC24ads_A100_v4", 1).check(&usages, SUBSCRIPTION).unwrap_err();
    assert!(refusals[0].message.contains("NCADSA100v4"), "{}", refusals[0]);
    assert!(refusals[0].remedy.contains("another region"), "{}", refusals[0]);
}

#[test]
fn a_list_without_the_regional_pool_is_not_whole() {
    let family = r#"[{"currentValue": 0, "limit": 99, "name": {"value": "Standard DSv2 Family Cluster Dedicated vCPUs"}}]"#;
    let usages = Usages::read(family).unwrap();
    let refusals = plan("Standard_DS3_v2", 1).check(&usages, SUBSCRIPTION).unwrap_err();
    let [refusal] = refusals.as_slice() else { panic!("only the regional pool: {refusals:?}") };
    assert!(refusal.remedy.contains("save all of"), "{refusal}");
}

#[test]
fn kubernetes_needs_no_quota_and_unknown_sizes_are_refused() {
    let mut blue = deployment("blue", "defaultinstancetype", 3);
    let plan = QuotaPlan::for_deployments(std::slice::from_ref(&blue), REGION);
    let refusals = plan.check(&usages((0, 9), (0, 9), (0, 9)), SUBSCRIPTION).unwrap_err();
    assert!(refusals[0].message.contains("is no machine size"), "{}", refusals[0]);
    assert!(plan.to_string().contains("is no machine size"), "{plan}");
    blue.platform = Platform::Kubernetes(Kubernetes::default());
    let plan = QuotaPlan::for_deployments(&[blue], REGION);
    assert_eq!((plan.cores(), plan.without_quota.len()), (0, 1));
    assert!(plan.to_string().contains("needs no quota"), "{plan}");
}

#[test]
fn other_texts_are_not_usages() {
    assert!(matches!(Usages::read("hello"), Err(UsagesError::Shape(_))));
    assert!(matches!(Usages::read("{}"), Err(UsagesError::Shape(_))));
    assert!(matches!(Usages::read(r#"{"value": []}"#), Err(UsagesError::Nothing)));
    let page = r#"{"value": [], "nextLink": "https://next"}"#;
    assert!(matches!(Usages::read(page), Err(UsagesError::Pages)));
    let list = r#"[{"current_value": 3, "limit": 24, "name": {"value": "Total Cluster Dedicated Regional vCPUs"}}]"#;
    let usages = Usages::read(list).unwrap();
    let regional = usages.find("Total Cluster Dedicated Regional vCPUs").unwrap();
    assert_eq!((regional.used, regional.limit), (3, Some(24)));
}

#[test]
fn the_plan_is_a_table() {
    let deployments = [
        deployment("blue", "Standard_DS3_v2", 10),
        deployment("green", "Standard_NC24ads_A100_v4", 1),
    ];
    let plan = QuotaPlan::for_deployments(&deployments, REGION);
    insta::assert_snapshot!("plan", plan.to_string());
    let assessment = plan.assess(&usages((4, 48), (4, 100), (3, 500)), SUBSCRIPTION);
    insta::assert_snapshot!("assessment", assessment.to_string());
    insta::assert_json_snapshot!("assessment_json", assessment);
}

proptest! {
    /// The reserve is a fifth more, rounded up, and more instances never need less.
    #[test]
    fn the_reserve_is_a_fifth_more_rounded_up(n in 0_u32..=2000) {
        prop_assert_eq!(reserve(n, false), (f64::from(n) * 1.2 - 1e-9).ceil() as u64);
        prop_assert!(reserve(n + 1, false) > reserve(n, false));
    }

    /// Scaling in steps needs as much as scaling at once.
    #[test]
    fn steps_add_up(from in 1_u32..50, by in 1_u32..50, then in 1_u32..50) {
        let cores = |running, instances| {
            let blue = deployment("blue", "Standard_DS3_v2", instances);
            QuotaPlan::for_scaling(&blue, running, REGION).cores()
        };
        let (middle, end) = (from + by, from + by + then);
        prop_assert_eq!(cores(from, middle) + cores(middle, end), cores(from, end));
    }
}

#[test]
fn what_is_deployed_is_taken_from_what_is_left() {
    let usages = usages((4, 24), (4, 100), (0, 500));
    let there = plan("Standard_DS3_v2", 1);
    let usages = usages.with(&there);
    let used = |pool: &str| usages.find(pool).unwrap().used;
    assert_eq!(used("Standard DSv2 Family Cluster Dedicated vCPUs"), 12);
    assert_eq!((used("Total Cluster Dedicated Regional vCPUs"), used("Clusters")), (12, 1));
    assert!(plan("Standard_DS3_v2", 2).check(&usages, SUBSCRIPTION).is_ok(), "12 of 12");
    assert!(plan("Standard_DS3_v2", 3).check(&usages, SUBSCRIPTION).is_err());
}
