//! Request settings, probes and scale settings, with Azure's limits and defaults.

use std::num::NonZeroU32;
use std::time::Duration;

use plimsoll_document::Wrong;
use schemars::JsonSchema;
use serde::Deserialize;

use super::reader::{Reader, Spelling};
use super::values::Whole;
use crate::spec::{Probe, RequestSettings, TargetUtilization};

/// Timeout and concurrency.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRequestSettings {
    /// Milliseconds until the gateway answers 408; 5000 without it.
    request_timeout_ms: Option<Whole>,
    /// Requests that one instance works on at a time; 1 without it.
    max_concurrent_requests_per_instance: Option<Whole>,
    /// Deprecated for managed deployments; 500 without it.
    max_queue_wait_ms: Option<Whole>,
}

/// When an instance is restarted, or gets requests.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProbe {
    /// Seconds before the first probe; 10 without it.
    initial_delay: Option<Whole>,
    /// Seconds between probes; 10 without it.
    period: Option<Whole>,
    /// Seconds for one probe; 2 without it.
    timeout: Option<Whole>,
    /// Consecutive successes that are needed; 1 without it.
    success_threshold: Option<Whole>,
    /// Consecutive failures that are needed; 30 without it.
    failure_threshold: Option<Whole>,
}

/// How instances are added.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawScaleSettings {
    /// `default`, or for Kubernetes `target_utilization`.
    #[serde(rename = "type")]
    #[schemars(required, extend("examples" = ["default", "target_utilization"]))]
    kind: Option<String>,
    /// Never fewer instances; 1 without it.
    min_instances: Option<Whole>,
    /// Never more instances; 1 without it.
    max_instances: Option<Whole>,
    /// Percent of the instances that should be busy; 70 without it.
    target_utilization_percentage: Option<Whole>,
    /// Seconds between two looks; 1 without it.
    polling_interval: Option<Whole>,
}

/// The longest timeout, in milliseconds, and the reason.
pub(super) type TimeoutLimit = (i64, &'static str);

/// Of managed deployments.
pub(super) const MANAGED_TIMEOUT: TimeoutLimit =
    (300_000, "Azure's limit for managed deployments is 180 s, and 300 s for a flow");

/// The longest of managed deployments that serve no flow. A file does not say whether it does.
const LONGEST_WITHOUT_FLOW: Duration = Duration::from_mins(3);

/// Of Kubernetes deployments.
pub(super) const KUBERNETES_TIMEOUT: TimeoutLimit =
    (300_000, "Azure's limit for Kubernetes deployments is 300 s");

pub(super) fn requests(
    reader: &mut Reader,
    raw: Option<RawRequestSettings>,
    (longest, why): TimeoutLimit,
) -> RequestSettings {
    let (raw, default) = (raw.unwrap_or_default(), RequestSettings::default());
    let at = |key: &str| format!("/request_settings/{key}");
    let timeout =
        reader.millis(&at("request_timeout_ms"), raw.request_timeout_ms, 1..=longest, why);
    let concurrent = reader.count(
        &at("max_concurrent_requests_per_instance"),
        raw.max_concurrent_requests_per_instance,
        u32::MAX,
        "it should be the number of the server's workers",
    );
    let wait = raw.max_queue_wait_ms;
    let wait = reader.millis(&at("max_queue_wait_ms"), wait, 0..=longest, why);
    RequestSettings {
        request_timeout: timeout.unwrap_or(default.request_timeout),
        max_concurrent_requests_per_instance: concurrent
            .unwrap_or(default.max_concurrent_requests_per_instance),
        max_queue_wait: wait.unwrap_or(default.max_queue_wait),
    }
}

/// A longer timeout than usual, which only a flow has.
pub(super) fn flow_timeout(reader: &mut Reader, settings: &RequestSettings) {
    if settings.request_timeout > LONGEST_WITHOUT_FLOW {
        let wrong = Wrong::new("more than 180 s is for the deployment of a flow only");
        let hint = "Azure refuses it for any other";
        reader.warn("/request_settings/request_timeout_ms", wrong.hint(hint));
    }
}

pub(super) fn liveness(reader: &mut Reader, raw: Option<RawProbe>) -> Probe {
    probe(reader, "/liveness_probe", raw, (1, "Azure fixes it at 1 for the liveness probe"))
}

pub(super) fn readiness(reader: &mut Reader, raw: Option<RawProbe>) -> Probe {
    probe(reader, "/readiness_probe", raw, (u32::MAX, ""))
}

fn probe(
    reader: &mut Reader,
    at: &str,
    raw: Option<RawProbe>,
    (most_successes, why): (u32, &str),
) -> Probe {
    let (raw, default) = (raw.unwrap_or_default(), Probe::default());
    let at = |key: &str| format!("{at}/{key}");
    let initial_delay = reader.seconds(&at("initial_delay"), raw.initial_delay);
    let period = reader.seconds(&at("period"), raw.period);
    let timeout = reader.seconds(&at("timeout"), raw.timeout);
    let successes =
        reader.count(&at("success_threshold"), raw.success_threshold, most_successes, why);
    let failures = reader.count(&at("failure_threshold"), raw.failure_threshold, u32::MAX, "");
    Probe {
        initial_delay: initial_delay.unwrap_or(default.initial_delay),
        period: period.unwrap_or(default.period),
        timeout: timeout.unwrap_or(default.timeout),
        success_threshold: successes.map_or(default.success_threshold, u32::from),
        failure_threshold: failures.map_or(default.failure_threshold, u32::from),
    }
}

const SCALE_KINDS: &[(&str, bool)] = &[("default", false), ("target_utilization", true)];

/// A managed deployment takes `default` and nothing else: autoscale rules are kept elsewhere.
pub(super) fn managed_scale(reader: &mut Reader, raw: &RawScaleSettings) {
    let at = "/scale_settings/type";
    match reader.choice(at, raw.kind.as_deref(), Spelling::Camel, SCALE_KINDS) {
        Some(true) => {
            let wrong = Wrong::new("`target_utilization` is for Kubernetes deployments only");
            reader.wrong(at, wrong.hint("write `default`; managed ones scale by autoscale rules"));
        }
        Some(false) => no_bounds(reader, raw),
        None => {}
    }
}

/// `None` for a fixed number of instances.
pub(super) fn kubernetes_scale(
    reader: &mut Reader,
    raw: &RawScaleSettings,
) -> Option<TargetUtilization> {
    let kind = raw.kind.as_deref();
    let target = reader.choice("/scale_settings/type", kind, Spelling::Camel, SCALE_KINDS);
    let default = default_target();
    match target {
        Some(true) => {}
        Some(false) => {
            no_bounds(reader, raw);
            return None;
        }
        // Told already; nothing is said on a count that may be right.
        None => return Some(TargetUtilization { max_instances: NonZeroU32::MAX, ..default }),
    }
    let at = |key: &str| format!("/scale_settings/{key}");
    let least = reader.count(&at("min_instances"), raw.min_instances, u32::MAX, "");
    let most = reader.count(&at("max_instances"), raw.max_instances, u32::MAX, "");
    let percent = raw.target_utilization_percentage;
    let percent =
        reader.number(&at("target_utilization_percentage"), percent, 1..=100, "in percent");
    let interval = reader.seconds(&at("polling_interval"), raw.polling_interval);
    let min_instances = least.unwrap_or(default.min_instances);
    let max_instances = most.unwrap_or(default.max_instances);
    if min_instances > max_instances {
        let text =
            format!("`min_instances` is {min_instances}, and `max_instances` {max_instances}");
        let wrong = Wrong::new(text).hint("without it, `max_instances` is 1");
        reader.wrong(&at("min_instances"), wrong);
    }
    let percent = percent.and_then(|percent| u8::try_from(percent).ok());
    Some(TargetUtilization {
        min_instances,
        max_instances,
        percent: percent.unwrap_or(default.percent),
        polling_interval: interval.unwrap_or(default.polling_interval),
    })
}

/// Azure's defaults.
pub(super) fn default_target() -> TargetUtilization {
    TargetUtilization {
        min_instances: NonZeroU32::MIN,
        max_instances: NonZeroU32::MIN,
        percent: 70,
        polling_interval: Duration::from_secs(1),
    }
}

fn no_bounds(reader: &mut Reader, raw: &RawScaleSettings) {
    let given = [
        ("min_instances", raw.min_instances),
        ("max_instances", raw.max_instances),
        ("target_utilization_percentage", raw.target_utilization_percentage),
        ("polling_interval", raw.polling_interval),
    ];
    for (key, _) in given.iter().filter(|(_, value)| value.is_some()) {
        let wrong = Wrong::new(format!("`{key}` has no meaning with `type: default`"));
        let hint = "it belongs to `type: target_utilization` of Kubernetes deployments";
        reader.wrong(&format!("/scale_settings/{key}"), wrong.hint(hint));
    }
}
