//! The data collector: which payloads Azure keeps a sample of.

use std::collections::BTreeMap;

use plimsoll_document::Wrong;
use schemars::JsonSchema;
use serde::Deserialize;

use super::reader::{Reader, Spelling};
use super::values::Real;
use crate::spec::{Collection, DataCollector};

/// Keeps a sample of what is asked and answered.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCollector {
    /// Share of the requests that is kept, 0 to 1; 1 without it.
    sampling_rate: Option<Real>,
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
    /// Whether it is kept at all: `'True'` or `'False'`, in quotes.
    #[schemars(required, extend("format" = "quoted-flag", "examples" = ["True", "False"]))]
    enabled: Option<String>,
    /// The data asset it goes to: a reference, or its description.
    data: Option<RawData>,
    /// Of the identity that writes it.
    client_id: Option<String>,
}

/// A data asset.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum RawData {
    Reference(String),
    Described(RawAsset),
}

/// A data asset.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawAsset {
    /// Its name.
    name: Option<String>,
    /// Its version.
    version: Option<String>,
    /// Where it is.
    path: Option<String>,
    /// Its id.
    data_id: Option<String>,
}

/// What is kept of the request itself.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawRequestLogging {
    /// Names of headers.
    capture_headers: Option<Vec<String>>,
}

const ROLLING: &[(&str, &str)] = &[("minute", "minute"), ("hour", "hour"), ("day", "day")];

pub(super) fn check(reader: &mut Reader, raw: RawCollector) -> Option<DataCollector> {
    let rolling = raw.rolling_rate.as_deref();
    let rolling = reader.choice("/data_collector/rolling_rate", rolling, Spelling::Lower, ROLLING);
    let rate = raw.sampling_rate.map_or(1.0, |rate| rate.0);
    if !(0.0..=1.0).contains(&rate) {
        let limit = if rate < 0.0 { "at least 0" } else { "at most 1" };
        let wrong = Wrong::new(format!("`sampling_rate` is {rate}, but must be {limit}"));
        reader.wrong("/data_collector/sampling_rate", wrong);
    }
    let collections = raw.collections?.into_iter().map(|(name, raw)| (name, collection(raw)));
    Some(DataCollector {
        sampling_rate: rate,
        rolling_rate: rolling.unwrap_or("hour").to_owned(),
        collections: collections.collect(),
        capture_headers: raw
            .request_logging
            .and_then(|raw| raw.capture_headers)
            .unwrap_or_default(),
    })
}

fn collection(raw: RawCollection) -> Collection {
    let enabled = raw.enabled.is_some_and(|text| text.eq_ignore_ascii_case("true"));
    let none = Collection {
        enabled,
        name: None,
        version: None,
        path: None,
        reference: None,
        client_id: raw.client_id,
    };
    match raw.data {
        None => none,
        Some(RawData::Reference(reference)) => Collection { reference: Some(reference), ..none },
        Some(RawData::Described(RawAsset { name, version, path, data_id })) => {
            Collection { name, version, path, reference: data_id, ..none }
        }
    }
}
