//! What deployments need of each pool, and the comparison with what a subscription has left.

use std::collections::BTreeMap;

use serde::Serialize;

use super::demand::{Demand, UnknownSize};
use super::family::{CLUSTERS, REGIONAL, pool};
use super::refusal::{Refusal, Room};
use super::usages::{Usage, Usages};
use crate::sku::Sku;
use crate::spec::{DeploymentSpec, Platform};

/// What deployments need of a region's quota.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QuotaPlan {
    /// The region.
    pub region: String,
    /// What each deployment needs.
    pub deployments: Vec<Demand>,
    /// What all of them need of each pool: the families, the region, the clusters.
    pub pools: Vec<Pool>,
    /// Deployments that need no quota, because they run on Kubernetes.
    pub without_quota: Vec<String>,
    /// Deployments of which nothing can be said. A file that was read and checked has none.
    pub unknown: Vec<UnknownSize>,
}

/// What is needed of one pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pool {
    /// Its name in Azure's usages.
    pub name: String,
    /// vCPUs, or for the clusters deployments.
    pub needed: u64,
}

/// A plan beside what a subscription has left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Assessment {
    /// What is needed.
    #[serde(flatten)]
    pub plan: QuotaPlan,
    /// What is used and allowed of each pool that is listed.
    pub usages: Vec<Usage>,
    /// Whether all of it fits.
    pub fits: bool,
    /// What does not fit.
    pub refusals: Vec<Refusal>,
}

impl QuotaPlan {
    /// What new deployments need.
    pub fn for_deployments(deployments: &[DeploymentSpec], region: &str) -> Self {
        Self::of(deployments.iter().map(|deployment| (deployment, 0)), region)
    }

    /// What a deployment needs beyond its `running` instances.
    pub fn for_scaling(deployment: &DeploymentSpec, running: u32, region: &str) -> Self {
        Self::of([(deployment, running)].into_iter(), region)
    }

    /// vCPUs needed in all.
    pub fn cores(&self) -> u64 {
        self.deployments.iter().map(|demand| demand.cores).sum()
    }

    /// Whether it fits, as Azure would find it when creating one deployment after the other.
    ///
    /// # Errors
    /// Every pool that has no room for a deployment, or that the region does not list, and every
    /// machine size that is not known.
    pub fn check(&self, usages: &Usages, subscription: &str) -> Result<(), Vec<Refusal>> {
        let mut taken: BTreeMap<&str, u64> = BTreeMap::new();
        let mut refusals: Vec<_> = self.unknown.iter().map(Refusal::unknown).collect();
        for demand in &self.deployments {
            let before = refusals.len();
            for (name, needed) in demand.pools() {
                let taken = taken.get(name).copied().unwrap_or(0);
                let room = Room { name, needed, taken, usage: usages.find(name) };
                refusals.extend(Refusal::of(demand, subscription, &room));
            }
            if refusals.len() == before {
                for (name, needed) in demand.pools() {
                    *taken.entry(name).or_default() += needed;
                }
            }
        }
        if refusals.is_empty() { Ok(()) } else { Err(refusals) }
    }

    /// The plan beside what the subscription has left, for people and for `--json`.
    pub fn assess(self, usages: &Usages, subscription: &str) -> Assessment {
        let refusals = self.check(usages, subscription).err().unwrap_or_default();
        let listed = self.pools.iter().filter_map(|pool| usages.find(&pool.name).cloned());
        Assessment { usages: listed.collect(), fits: refusals.is_empty(), refusals, plan: self }
    }

    fn of<'a>(deployments: impl Iterator<Item = (&'a DeploymentSpec, u32)>, region: &str) -> Self {
        let mut plan = Self {
            region: region.to_owned(),
            deployments: Vec::new(),
            pools: Vec::new(),
            without_quota: Vec::new(),
            unknown: Vec::new(),
        };
        for (deployment, running) in deployments {
            let name = deployment.name.clone();
            match (&deployment.platform, Sku::find(&deployment.instance_type)) {
                (Platform::Kubernetes(_), _) => plan.without_quota.push(name),
                (Platform::Managed, Some(sku)) => {
                    plan.deployments.push(Demand::of(deployment, sku, running));
                }
                (Platform::Managed, None) => {
                    let instance_type = deployment.instance_type.clone();
                    plan.unknown.push(UnknownSize { deployment: name, instance_type });
                }
            }
        }
        plan.pools = plan.sum();
        plan
    }

    /// Families in the order of the deployments, then the region and the clusters.
    fn sum(&self) -> Vec<Pool> {
        let mut pools: Vec<Pool> = Vec::new();
        let families = self.deployments.iter().map(|demand| (pool(&demand.family), demand.cores));
        let clusters = self.deployments.iter().map(|demand| (CLUSTERS, demand.clusters()));
        let regional = (REGIONAL, self.cores());
        for (name, needed) in families.chain([regional]).chain(clusters) {
            match pools.iter_mut().find(|pool| pool.name == name) {
                Some(pool) => pool.needed += needed,
                None => pools.push(Pool { name: name.to_owned(), needed }),
            }
        }
        pools
    }
}
