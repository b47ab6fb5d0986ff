//! What does not fit, in Azure's own words and numbers, and what would.

use std::fmt;

use serde::Serialize;

use super::demand::{Demand, UnknownSize};
use super::family::{CLUSTERS, REGIONAL};
use super::usages::Usage;
use crate::sku::Sku;

/// Azure's own explanation.
const LINK: &str = "https://aka.ms/oe-tsg#error-outofquota";

/// A deployment for which a pool has no room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Azure's code.
    pub code: &'static str,
    /// Azure's sentence.
    pub message: String,
    /// The deployment.
    pub deployment: String,
    /// The pool without room.
    pub pool: String,
    /// What would fit, and what to ask for.
    pub remedy: String,
    /// Where Azure explains it.
    pub link: &'static str,
}

/// A pool, as one deployment finds it.
pub(super) struct Room<'a> {
    pub(super) name: &'a str,
    pub(super) needed: u64,
    /// By deployments of the same plan.
    pub(super) taken: u64,
    pub(super) usage: Option<&'a Usage>,
}

impl Refusal {
    /// `None` if there is room.
    pub(super) fn of(demand: &Demand, subscription: &str, room: &Room) -> Option<Self> {
        if room.needed == 0 {
            return None;
        }
        let (message, remedy) = match room.usage {
            // The count of clusters is not in every answer, and its limit is far away.
            None if room.name == CLUSTERS => return None,
            None => (
                format!("The region lists no quota named {}.", room.name),
                if room.name == REGIONAL {
                    "every region has it: save all of what Azure's usages call answers".to_owned()
                } else {
                    format!("`{}` may not be offered there; choose another region", demand.family)
                },
            ),
            Some(Usage { limit: None, .. }) => return None,
            Some(Usage { used, limit: Some(limit), .. }) => {
                let used = used + room.taken;
                if used + room.needed <= *limit {
                    return None;
                }
                let message = format!(
                    "Not enough quota available for {} in SubscriptionId {subscription}. \
                     Current usage/limit: {used}/{limit}. Additional needed: {}",
                    demand.instance_type, room.needed
                );
                (message, remedy(demand, room, used, limit.saturating_sub(used)))
            }
        };
        let (deployment, pool) = (demand.deployment.clone(), room.name.to_owned());
        Some(Self { code: "OutOfQuota", message, deployment, pool, remedy, link: LINK })
    }

    /// A machine size that is not known has no pool.
    pub(super) fn unknown(unknown: &UnknownSize) -> Self {
        let size = &unknown.instance_type;
        Self {
            code: "BadArgument",
            message: format!("{size} is no machine size of managed online endpoints."),
            deployment: unknown.deployment.clone(),
            pool: "none".to_owned(),
            remedy: Sku::nearest(size).map_or_else(
                || "a common one is Standard_DS3_v2".to_owned(),
                |sku| format!("did you mean {}?", sku.name),
            ),
            link: "https://learn.microsoft.com/azure/machine-learning/reference-managed-online-endpoints-vm-sku-list",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.code, self.message)?;
        writeln!(f, "  deployment: {}", self.deployment)?;
        writeln!(f, "  pool:       {}", self.pool)?;
        writeln!(f, "  remedy:     {}", self.remedy)?;
        write!(f, "  see         {}", self.link)
    }
}

fn remedy(demand: &Demand, room: &Room, used: u64, free: u64) -> String {
    let ask = format!("ask Azure for a limit of {}", used + room.needed);
    if room.name == CLUSTERS {
        return format!("delete a deployment or a cluster, or {ask}");
    }
    let fits = |instances: &u32| demand.cores_for(*instances) <= free;
    let most = (demand.running + 1..=demand.instances).take_while(fits).last();
    let mut ways = vec![match most {
        Some(count) => format!("instance_count {count} fits"),
        None if demand.running > 0 => format!("no instance fits beyond the {}", demand.running),
        None => format!("not one instance fits: it needs {}", demand.cores_for(1)),
    }];
    if let Some((size, cores)) = smaller(demand, free) {
        ways.push(format!("{size} fits with {cores}"));
    }
    ways.push(ask);
    ways.join("; or ")
}

/// The largest size of the same family that fits with the same number of instances. What runs
/// already cannot change its size.
fn smaller(demand: &Demand, free: u64) -> Option<(&'static str, u64)> {
    let same = Sku::all().iter().filter(|sku| demand.running == 0 && sku.family == demand.family);
    let cores = |sku: &Sku| {
        let like =
            Demand { vcpus: sku.vcpus, reserve_exempt: sku.reserve_exempt, ..demand.clone() };
        like.cores_for(demand.instances)
    };
    let fitting = same.map(|sku| (sku.name.as_str(), cores(sku))).filter(|(_, c)| *c <= free);
    fitting.max_by_key(|(_, cores)| *cores)
}
