//! What a subscription uses and may use in a region: the answer to Azure's usages call.

use serde::{Deserialize, Serialize};

use super::family;
use super::plan::QuotaPlan;

/// Usage and limit of each pool of a region.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usages(Vec<Usage>);

/// Usage and limit of one pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Its name.
    pub pool: String,
    /// What is in use.
    pub used: u64,
    /// What may be in use; `None` if the pool has no limit of its own.
    pub limit: Option<u64>,
}

/// A text that is not the answer to the usages call.
#[derive(Debug, thiserror::Error)]
pub enum UsagesError {
    /// Not JSON, or JSON of another shape.
    #[error(
        "it is not what Azure's usages call answers; save the JSON of GET \
         /subscriptions/<id>/providers/Microsoft.MachineLearningServices/locations/<region>/usages"
    )]
    Shape(#[from] serde_json::Error),
    /// One page of several.
    #[error("it is one page of several: follow `nextLink`, and put all of `value` into one list")]
    Pages,
    /// No pool of vCPUs in it.
    #[error("it lists no pool of dedicated vCPUs; is it the answer for another service?")]
    Nothing,
}

impl Usages {
    /// Reads the JSON that Azure answers: an object with `value`, or that list alone, as the
    /// command line prints it.
    ///
    /// # Errors
    /// The text is something else.
    pub fn read(json: &str) -> Result<Self, UsagesError> {
        let entries = match serde_json::from_str::<serde_json::Value>(json)? {
            list @ serde_json::Value::Array(_) => serde_json::from_value::<Vec<Entry>>(list)?,
            other => {
                let page: Page = serde_json::from_value(other)?;
                if page.next_link.is_some_and(|link| !link.is_empty()) {
                    return Err(UsagesError::Pages);
                }
                page.value
            }
        };
        let pools: Vec<Usage> =
            entries.into_iter().filter(Entry::counts).filter_map(Entry::usage).collect();
        if pools.is_empty() { Err(UsagesError::Nothing) } else { Ok(Self(pools)) }
    }

    /// Every pool that there is, without limits and with nothing used.
    pub fn unlimited() -> Self {
        let usage = |pool: &str| Usage { pool: pool.to_owned(), used: 0, limit: None };
        Self(
            [family::REGIONAL, family::CLUSTERS]
                .into_iter()
                .chain(family::pools())
                .map(usage)
                .collect(),
        )
    }

    /// The same with what these deployments take besides.
    #[must_use]
    pub fn with(mut self, plan: &QuotaPlan) -> Self {
        for pool in &plan.pools {
            if let Some(usage) =
                self.0.iter_mut().find(|usage| family::same(&usage.pool, &pool.name))
            {
                usage.used += pool.needed;
            }
        }
        self
    }

    /// Limits what may be taken of a pool besides what is in use, if that is less.
    pub fn cap(&mut self, pool: &str, limit: u64) {
        for usage in self.0.iter_mut().filter(|usage| family::same(&usage.pool, pool)) {
            let capped = usage.used.saturating_add(limit);
            usage.limit = Some(usage.limit.map_or(capped, |limit| limit.min(capped)));
        }
    }

    /// All pools.
    pub fn all(&self) -> &[Usage] {
        &self.0
    }

    /// The pool of that name, if the region lists it.
    pub fn find(&self, pool: &str) -> Option<&Usage> {
        self.0.iter().find(|usage| family::same(&usage.pool, pool))
    }
}

impl Usage {
    /// The kind of pool, as Azure's usages call names it.
    pub fn kind(&self) -> &'static str {
        if family::same(&self.pool, family::REGIONAL) {
            "Microsoft.MachineLearningServices/dedicatedCores/usages"
        } else if family::same(&self.pool, family::CLUSTERS) {
            "Microsoft.MachineLearningServices/totalCores/usages"
        } else {
            "Microsoft.MachineLearningServices/vmFamily/usages"
        }
    }
}

#[derive(Deserialize)]
struct Page {
    value: Vec<Entry>,
    #[serde(rename = "nextLink", alias = "next_link")]
    next_link: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(rename = "currentValue", alias = "current_value")]
    current: i64,
    limit: i64,
    name: Name,
}

#[derive(Deserialize)]
struct Name {
    #[serde(rename = "localizedValue", alias = "localized_value")]
    localized: Option<String>,
    value: Option<String>,
}

impl Entry {
    /// Whether it is one of the subscription's pools. A workspace's share and spot machines are
    /// others, under the same names.
    fn counts(&self) -> bool {
        let kinds = ["totalcores/usages", "dedicatedcores/usages", "vmfamily/usages"];
        self.kind.as_deref().is_none_or(|kind| {
            let kind = kind.to_lowercase();
            kinds.iter().any(|known| kind.ends_with(known))
        })
    }

    fn usage(self) -> Option<Usage> {
        let pool = self.name.value.or(self.name.localized)?;
        Some(Usage {
            pool,
            used: u64::try_from(self.current).unwrap_or(0),
            limit: u64::try_from(self.limit).ok(),
        })
    }
}
