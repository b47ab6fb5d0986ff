//! What fits now, and what to ask for.

use std::fmt;

use serde::Serialize;

use super::demand::reserve;
use super::family::{REGIONAL, pool};
use super::usages::Usages;
use crate::sku::Sku;

/// The largest deployment of a machine size that a subscription has room for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fit {
    /// The machine size.
    pub sku: &'static str,
    /// Instances that are wanted.
    pub wanted: u32,
    /// Whether they fit.
    pub fits: bool,
    /// Instances that fit; `None` if the pools have no limit.
    pub most: Option<u64>,
    /// What to ask for, for each pool that is too small.
    pub requests: Vec<Request>,
}

/// A request for more quota.
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
    /// Of so many instances.
    pub fn of(sku: &'static Sku, wanted: u32, usages: &Usages) -> Self {
        let vcpus = u64::from(sku.vcpus);
        let needed = reserve(wanted, sku.reserve_exempt) * vcpus;
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
        let most = left.map(|cores| {
            let with_reserve = cores / vcpus;
            // The inverse of ⌈6n / 5⌉.
            if sku.reserve_exempt { with_reserve } else { 5 * with_reserve / 6 }
        });
        Self { sku: &sku.name, wanted, fits: requests.is_empty(), most, requests }
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
            match limit {
                Some(limit) => {
                    write!(f, " \"Please raise {pool} from {limit} to {wanted} vCPUs.\"")?;
                }
                None => write!(f, " \"Please give {wanted} vCPUs of {pool}.\"")?,
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

    #[test]
    fn the_most_that_fits_is_refused_with_one_more() {
        let usages = Usages::read(USAGES).unwrap();
        let sku = Sku::find("Standard_DS3_v2").unwrap();
        let most = Fit::of(sku, 1, &usages).most.unwrap();
        assert_eq!(most, 7, "38 vCPUs are left, 9 instances of 4, and 7 with the reserve are 9");
        assert!(Fit::of(sku, most as u32, &usages).fits);
        let more = Fit::of(sku, most as u32 + 1, &usages);
        assert!(!more.fits);
        assert_eq!(more.requests.len(), 1);
        assert_eq!(more.requests[0].wanted, 52, "12 in use, and 10 × 4");
        assert!(more.to_string().contains("from 50 to 52 vCPUs"), "{more}");
    }

    #[test]
    fn a_pool_that_is_not_listed_has_no_room() {
        let usages = Usages::read(USAGES).unwrap();
        let fit = Fit::of(Sku::find("Standard_F4s_v2").unwrap(), 1, &usages);
        assert_eq!((fit.fits, fit.most), (false, Some(0)));
    }
}
