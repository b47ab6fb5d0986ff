//! Quota: what deployments take of the subscription's limits, and a refusal in Azure's words of one that does not fit.
//!
//! The limits are those that the host was started with, in the form of Azure's usages call; what that says is in use
//! is somebody else's, and comes on top. The workspace may have lower limits of its own (`updateQuotas`). Without limits nothing is refused, and the usages still tell what is taken.
//! A deployment takes its instances with the reserve as long as it is there, also when it failed, and those that
//! it is being scaled to.

use hyper::StatusCode;
use plimsoll_deploy::arm::wire::{ArmError, List};
use plimsoll_deploy::quota::{QuotaPlan, Refusal, Usages};
use plimsoll_deploy::sku::Sku;
use plimsoll_deploy::spec::DeploymentSpec;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Reply, json};
use crate::fault::Fault;
use crate::store::{Deployment, Store};
use crate::{Host, LOCATION};

/// What a POST to `updateQuotas` says.
#[derive(Debug, Deserialize)]
pub(super) struct QuotaUpdates {
    value: Vec<QuotaUpdate>,
}

/// A limit of the workspace; below 0 it has none of its own.
#[derive(Debug, Deserialize)]
struct QuotaUpdate {
    /// Its last part is the pool's name.
    id: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    limit: i64,
}

impl Host {
    /// Refuses a deployment that does not fit beside the others. It needs nothing for what it has itself, unless that is of
    /// another machine size, which it gives up.
    pub(super) fn check_quota(&self, store: &Store, spec: &DeploymentSpec) -> Result<(), Fault> {
        let limits = self.effective(store);
        let is_it = |other: &Deployment| {
            other.spec.endpoint_name == spec.endpoint_name && other.spec.name == spec.name
        };
        let is_given_up = |other: &Deployment| {
            is_it(other) && !other.spec.instance_type.eq_ignore_ascii_case(&spec.instance_type)
        };
        let usages = limits.with(&taken(store, |other| !is_given_up(other)));
        let stays = deployments(store).find(|other| is_it(other) && !is_given_up(other));
        let running = stays.map_or(0, |it| it.counted().get());
        let plan = QuotaPlan::for_scaling(spec, running, LOCATION);
        let refusals = plan.check(&usages, &self.workspace.subscription);
        refusals.map_err(|refusals| out_of_quota(&refusals))
    }

    pub(super) fn list_usages(&self) -> Reply {
        let store = self.store();
        let usages =
            self.limits.clone().unwrap_or_else(Usages::unlimited).with(&taken(&store, |_| true));
        let subscription = &self.workspace.subscription;
        let entry = |usage: &plimsoll_deploy::quota::Usage| {
            json!({
                "id": id(subscription, "usages", &usage.pool),
                "type": usage.kind(),
                "unit": "Count",
                "currentValue": usage.used,
                "limit": limit(usage.limit),
                "name": { "value": usage.pool, "localizedValue": usage.pool },
            })
        };
        json(StatusCode::OK, &List { value: usages.all().iter().map(entry).collect() })
    }

    /// The limits of the subscription, and where the workspace has a lower one, that.
    fn effective(&self, store: &Store) -> Usages {
        let mut usages = self.limits.clone().unwrap_or_else(Usages::unlimited);
        for (pool, limit) in &store.quotas {
            usages.cap(pool, *limit);
        }
        usages
    }

    /// Limits the workspace to less than the subscription has, pool by pool; each is answered for itself.
    pub(super) fn update_quotas(&self, asked: &QuotaUpdates) -> Reply {
        let mut store = self.store();
        let subscription = self.limits.clone().unwrap_or_else(Usages::unlimited);
        let nothing = Usages::unlimited();
        let taken = nothing.with(&taken(&store, |_| true));
        let mut update = |asked: &QuotaUpdate| {
            let named = asked.id.rsplit('/').next().unwrap_or_default();
            let Some(pool) = subscription.find(named) else { return "InvalidVMFamilyName" };
            let Some(wanted) = u64::try_from(asked.limit).ok() else {
                store.quotas.remove(&pool.pool);
                return "Success";
            };
            if pool.limit.is_some_and(|most| wanted > most) {
                return "InvalidQuotaExceedsSubscriptionLimit";
            }
            if taken.find(&pool.pool).is_some_and(|taken| wanted < taken.used) {
                return "InvalidQuotaBelowClusterMinimum";
            }
            store.quotas.insert(pool.pool.clone(), wanted);
            "Success"
        };
        let told = |asked: &QuotaUpdate, status: &str| {
            json!({
                "id": asked.id, "type": asked.kind, "limit": asked.limit, "unit": "Count", "status": status,
            })
        };
        let value: Vec<Value> =
            asked.value.iter().map(|asked| told(asked, update(asked))).collect();
        json(StatusCode::OK, &List { value })
    }

    /// The limits of the workspace: its own, or else the subscription's.
    pub(super) fn list_quotas(&self) -> Reply {
        let usages = self.limits.clone().unwrap_or_else(Usages::unlimited);
        let caps = self.store().quotas.clone();
        let subscription = &self.workspace.subscription;
        let entry = |usage: &plimsoll_deploy::quota::Usage| {
            json!({
                "id": id(subscription, "quotas", &usage.pool),
                "type": usage.kind().replace("/usages", "/quotas"),
                "unit": "Count",
                "limit": limit(caps.get(&usage.pool).copied().or(usage.limit)),
                "amlWorkspaceLocation": LOCATION,
                "name": { "value": usage.pool, "localizedValue": usage.pool },
            })
        };
        json(StatusCode::OK, &List { value: usages.all().iter().map(entry).collect() })
    }
}

/// The machine sizes of managed online endpoints.
pub(super) fn list_sizes() -> Reply {
    let size = |sku: &Sku| -> Value {
        json!({
            "name": sku.name,
            "family": sku.family,
            "vCPUs": sku.vcpus,
            // Parts of a GPU are none that is whole.
            "gpus": sku.gpus.parse::<u32>().unwrap_or(0),
            "memoryGB": sku.memory_gib,
            "supportedComputeTypes": ["ManagedOnlineEndpoint"],
        })
    };
    json(StatusCode::OK, &List { value: Sku::all().iter().map(size).collect() })
}

fn deployments(store: &Store) -> impl Iterator<Item = &Deployment> {
    store.endpoints.values().flat_map(|endpoint| endpoint.deployments.values())
}

/// What deployments take together.
fn taken(store: &Store, counts: impl Fn(&Deployment) -> bool) -> QuotaPlan {
    let counted = deployments(store).filter(|deployment| counts(deployment)).map(|deployment| {
        let mut spec = deployment.spec.clone();
        spec.instance_count = deployment.counted();
        spec
    });
    QuotaPlan::for_deployments(&counted.collect::<Vec<_>>(), LOCATION)
}

fn limit(limit: Option<u64>) -> Value {
    limit.map_or(json!(-1), Value::from)
}

fn id(subscription: &str, kind: &str, pool: &str) -> String {
    let name = pool.replace(' ', "_");
    format!(
        "/subscriptions/{subscription}/providers/Microsoft.MachineLearningServices/locations/{LOCATION}/{kind}/{name}"
    )
}

/// As Azure says it: the reason is wrapped twice.
fn out_of_quota(refusals: &[Refusal]) -> Fault {
    let sentences: Vec<String> = refusals
        .iter()
        .map(|refusal| {
            format!(
                "{} Please see troubleshooting guide, available here: {}",
                refusal.message, refusal.link
            )
        })
        .collect();
    let inner = json!({
        "errors": { "VmSize": sentences },
        "title": "One or more validation errors occurred.",
        "status": 400,
    });
    let message = format!("InferencingClient HttpRequest error, error detail: {inner}");
    let code = "InferencingClientCreateDeploymentFailed".to_owned();
    let mut fault = Fault::new(StatusCode::BAD_REQUEST, "BadRequest", "The request is invalid.");
    fault.details.push(ArmError { code, message, ..ArmError::default() });
    fault
}
