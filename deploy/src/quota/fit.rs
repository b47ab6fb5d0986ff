//! What fits now, and what to ask for.

use std::fmt;

use serde::Serialize;

use super::demand::reserve;
use super::family::{CLUSTERS, REGIONAL, pool};
use super::usages::Usages;
use crate::sku::Sku;

/// Instances of one machine size that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Instances, with those that run.
    pub instances: u32,
    /// Of them, those that run already.
    pub running: u32,
    /// Instances with the reserve that quota is needed for: each deployment has a reserve of its own.
    pub with_reserve: u64,
    /// Deployments that are not there yet.
    pub deployments: u64,
}

impl Wanted {
    /// A deployment of which some instances may run already.
    pub fn deployment(sku: &Sku, instances: u32, running: u32) -> Self {
        let reserve = |count| reserve(count, sku.reserve_exempt);
        let with_reserve = reserve(instances).saturating_sub(reserve(running));
        Self { instances, running, with_reserve, deployments: u64::from(running == 0) }
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            instances: self.instances + other.instances,
            running: self.running + other.running,
            with_reserve: self.with_reserve + other.with_reserve,
            deployments: self.deployments + other.deployments,
        }
    }
}

/// The largest deployment of a machine size that a subscription has room for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fit {
    /// The machine size.
    pub sku: &'static str,
    /// Instances that are wanted, with those that run.
    pub wanted: u32,
    /// Whether they fit.
    pub fits: bool,
    /// Instances that fit in one deployment, with those that run; `None` if the pools have no limit.
    pub most: Option<u64>,
    /// What to ask for, for each pool that is too small.
    pub requests: Vec<Request>,
}

/// A request for more quota: vCPUs, or of `Total Clusters` deployments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Request {
    /// The pool.
    pub pool: String,
    /// Its limit today; `None` if the region does not list the pool.
    pub limit: Option<u64>,
    /// The limit to ask for.
    pub wanted: u64,
}

impl Fit {
    /// Of what is wanted.
    pub fn of(sku: &'static Sku, wanted: Wanted, usages: &Usages) -> Self {
        let vcpus = u64::from(sku.vcpus);
        let needed = wanted.with_reserve * vcpus;
        let mut requests = Vec::new();
        let mut left: Option<u64> = None;
        for name in [pool(&sku.family), REGIONAL] {
            let Some(usage) = usages.find(name) else {
                requests.push(Request { pool: name.to_owned(), limit: None, wanted: needed });
                left = Some(0);
                continue;
            };
            let Some(limit) = usage.limit else { continue };
            let room = limit.saturating_sub(usage.used);
            left = Some(left.map_or(room, |least| least.min(room)));
            if needed > room {
                let wanted = usage.used + needed;
                requests.push(Request { pool: name.to_owned(), limit: Some(limit), wanted });
            }
        }
        // A deployment is one of them, however many instances it has.
        if let Some((used, limit)) =
            usages.find(CLUSTERS).and_then(|usage| Some((usage.used, usage.limit?)))
            && used + wanted.deployments > limit
        {
            let wanted = used + wanted.deployments;
            requests.push(Request { pool: CLUSTERS.to_owned(), limit: Some(limit), wanted });
            left = left.filter(|_| used < limit).or(Some(0));
        }
        let most = left.map(|cores| {
            let with_reserve = cores / vcpus + reserve(wanted.running, sku.reserve_exempt);
            // The inverse of ⌈6n / 5⌉.
            if sku.reserve_exempt { with_reserve } else { 5 * with_reserve / 6 }
        });
        let fits = requests.is_empty();
        Self { sku: &sku.name, wanted: wanted.instances, fits, most, requests }
    }
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sku, wanted, fits, most, requests } = self;
        match most {
            Some(most) => write!(f, "{most} × {sku} fit now")?,
            None => write!(f, "{sku} has no limit")?,
        }
        if *fits {
            return Ok(());
        }
        write!(f, "; to ask for, so that {wanted} do:")?;
        for Request { pool, limit, wanted } in requests {
            let unit = if pool == CLUSTERS { "" } else { " vCPUs" };
            match limit {
                Some(limit) => {
                    write!(f, " \"Please raise {pool} from {limit} to {wanted}{unit}.\"")?;
                }
                None => write!(f, " \"Please give {wanted}{unit} of {pool}.\"")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USAGES: &str = r#"[
        {"currentValue": 12, "limit": 100, "name": {"value": "Standard DSv2 Family Cluster Dedicated vCPUs"}},
        {"currentValue": 12, "limit": 50, "name": {"value": "Total Cluster Dedicated Regional vCPUs"}}
    ]"#;

    fn fit(sku: &str, instances: u32, running: u32, usages: &str) -> Fit {
        let sku = Sku::find(sku).unwrap();
        Fit::of(sku, Wanted::deployment(sku, instances, running), &Usages::read(usages).unwrap())
    }

    #[test]
    fn what_runs_has_its_quota_and_its_reserve() {
        // 38 vCPUs are left: nine instances, beside the 4 that 3 have with their reserve. 13 are 10 and 2 to spare.
        let more = fit("Standard_DS3_v2", 10, 3, USAGES);
        assert_eq!((more.fits, more.most), (true, Some(10)));
        assert!(fit("Standard_DS3_v2", 5, 3, USAGES).fits);
        let too_many = fit("Standard_DS3_v2", 11, 3, USAGES);
        assert_eq!(too_many.requests[0].wanted, 52, "12 in use, and 14 − 4 instances of 4");
        let sku = Sku::find("Standard_DS3_v2").unwrap();
        let one = Wanted::deployment(sku, 1, 0);
        assert_eq!(one.and(one).with_reserve, 4, "each has a reserve of its own");
    }

    #[test]
    fn the_most_that_fits_is_refused_with_one_more() {
        let most = fit("Standard_DS3_v2", 1, 0, USAGES).most.unwrap();
        assert_eq!(most, 7, "38 vCPUs are left, 9 instances of 4, and 7 with the reserve are 9");
        assert!(fit("Standard_DS3_v2", most as u32, 0, USAGES).fits);
        let more = fit("Standard_DS3_v2", most as u32 + 1, 0, USAGES);
        assert!(!more.fits);
        assert_eq!(more.requests.len(), 1);
        assert_eq!(more.requests[0].wanted, 52, "12 in use, and 10 × 4");
        assert!(more.to_string().contains("from 50 to 52 vCPUs"), "{more}");
    }

    #[test]
    fn where_no_further_deployment_may_be_none_fits() {
        let full = USAGES.replacen(
            '[',
            r#"[{"currentValue": 20, "limit": 20, "name": {"value": "Total Clusters"}},"#,
            1,
        );
        let none = fit("Standard_DS3_v2", 1, 0, &full);
        assert_eq!((none.fits, none.most), (false, Some(0)));
        assert!(
            none.to_string().ends_with("\"Please raise Total Clusters from 20 to 21.\""),
            "{none}"
        );
        assert!(fit("Standard_DS3_v2", 4, 1, &full).fits, "it is there already");
        assert!(fit("Standard_DS3_v2", 1, 0, &full.replace("\"limit\": 20", "\"limit\": 21")).fits);
    }

    #[test]
    fn a_pool_that_is_not_listed_has_no_room() {
        let none = fit("Standard_F4s_v2", 1, 0, USAGES);
        assert_eq!((none.fits, none.most), (false, Some(0)));
    }
}
