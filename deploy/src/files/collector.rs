//! The data collector: which payloads Azure keeps a sample of.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::reader::Reader;
use super::values::Flag;
use crate::spec::{Collection, DataCollector};

/// Keeps a sample of what is asked and answered.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCollector {
    /// Share of the requests that is kept, 0 to 1; 1 without it.
    #[schemars(range(min = 0, max = 1))]
    sampling_rate: Option<f64>,
    /// How often a new folder is begun; `hour` without it.
    #[schemars(extend("examples" = ["minute", "hour", "day"]))]
    rolling_rate: Option<String>,
    /// What is kept, by name; `request` and `response` are the payloads.
    #[schemars(required)]
    collections: Option<BTreeMap<String, RawCollection>>,
    /// What is kept of the request itself.
    request_logging: Option<RawRequestLogging>,
}

/// One of the things that are kept.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawCollection {
    /// Whether it is kept at all.
    enabled: Option<Flag>,
    /// The data asset it goes to.
    data: Option<RawData>,
}

/// A data asset.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawData {
    /// Its name.
    name: Option<String>,
    /// Its version.
    version: Option<String>,
    /// Where it is.
    path: Option<String>,
}

/// What is kept of the request itself.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawRequestLogging {
    /// Names of headers.
    capture_headers: Option<Vec<String>>,
}

const ROLLING: &[(&str, &str)] =
    &[("minute", "minute"), ("hour", "hour"), ("day", "day"), ("month", "month"), ("year", "year")];

pub(super) fn check(reader: &mut Reader, raw: RawCollector) -> Option<DataCollector> {
    let at = "/data_collector/rolling_rate";
    let rolling = reader.choice(at, raw.rolling_rate.as_deref(), ROLLING);
    let collections = raw.collections?.into_iter().map(|(name, raw)| {
        let data = raw.data.unwrap_or(RawData { name: None, version: None, path: None });
        let RawData { name: asset, version, path } = data;
        let enabled = raw.enabled.is_some_and(|flag| flag.0);
        (name, Collection { enabled, name: asset, version, path })
    });
    Some(DataCollector {
        sampling_rate: raw.sampling_rate.unwrap_or(1.0),
        rolling_rate: rolling.unwrap_or("hour").to_owned(),
        collections: collections.collect(),
        capture_headers: raw
            .request_logging
            .and_then(|raw| raw.capture_headers)
            .unwrap_or_default(),
    })
}
