//! What one deployment needs: instances with the reserve, and their vCPUs.

use serde::Serialize;

use super::family::{CLUSTERS, REGIONAL, pool};
use crate::sku::Sku;
use crate::spec::DeploymentSpec;

/// What one deployment needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Demand {
    /// The deployment.
    pub deployment: String,
    /// Its machine size, as the file spells it.
    pub instance_type: String,
    /// The family of that size.
    pub family: String,
    /// Whether Azure holds back no reserve for it.
    pub reserve_exempt: bool,
    /// vCPUs of one instance.
    pub vcpus: u32,
    /// Instances that shall run.
    pub instances: u32,
    /// Instances that run already.
    pub running: u32,
    /// Instances that shall run, with the reserve.
    pub instances_with_reserve: u64,
    /// vCPUs needed beyond those of what runs already.
    pub cores: u64,
}

/// A deployment on a machine size that managed online endpoints do not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnknownSize {
    /// The deployment.
    pub deployment: String,
    /// The name that is not known.
    pub instance_type: String,
}

/// Instances that need quota, for that many that run: `ceil(1.2·n)`, in integers.
pub fn reserve(instances: u32, exempt: bool) -> u64 {
    let instances = u64::from(instances);
    if exempt { instances } else { (6 * instances).div_ceil(5) }
}

impl Demand {
    /// What a deployment needs beyond its `running` instances, on that machine size.
    pub(super) fn of(deployment: &DeploymentSpec, sku: &Sku, running: u32) -> Self {
        let instances = deployment.instance_count.get();
        let mut demand = Self {
            deployment: deployment.name.clone(),
            instance_type: deployment.instance_type.clone(),
            family: sku.family.clone(),
            reserve_exempt: sku.reserve_exempt,
            vcpus: sku.vcpus,
            instances,
            running,
            instances_with_reserve: reserve(instances, sku.reserve_exempt),
            cores: 0,
        };
        demand.cores = demand.cores_for(instances);
        demand
    }

    /// The quota pool of its family, by Azure's name.
    pub fn pool(&self) -> &str {
        pool(&self.family)
    }

    /// vCPUs that another number of instances would need beyond those of what runs.
    pub(super) fn cores_for(&self, instances: u32) -> u64 {
        let new = reserve(instances, self.reserve_exempt);
        let old = reserve(self.running, self.reserve_exempt);
        new.saturating_sub(old) * u64::from(self.vcpus)
    }

    /// A deployment that runs already is counted already.
    pub(super) fn clusters(&self) -> u64 {
        u64::from(self.running == 0)
    }

    /// What it needs of each pool, by Azure's names.
    pub(super) fn pools(&self) -> [(&str, u64); 3] {
        [(pool(&self.family), self.cores), (REGIONAL, self.cores), (CLUSTERS, self.clusters())]
    }
}
