//! The standard's off switches.
//!
//! `OTEL_SDK_DISABLED=true` and an exporter of `none` are how an environment says, for every
//! program that runs in it, that nothing shall leave. They win over every endpoint, `--otlp` and
//! the scenario's among them, and what else is set for a signal that is off is not looked at.
//!
//! An exporter other than `otlp` and `none` asks for what plimsoll does not have. It is refused
//! rather than taken for one of the two; beside `otlp` in a list it concerns others.

use super::super::error::Error;
use super::value::{Environment, choice};

/// What the environment switches off, for a person who has asked for an export; `None` if nothing.
pub(super) fn switched_off(env: &Environment<'_>) -> Option<String> {
    let disabled = choice(env, "OTEL_SDK_DISABLED", &[("true", true), ("false", false)]);
    if disabled.is_ok_and(|disabled| disabled == Some(true)) {
        return Some("metrics and alerts, by OTEL_SDK_DISABLED=true".to_owned());
    }
    let signals = [("metrics", "OTEL_METRICS_EXPORTER"), ("alerts", "OTEL_LOGS_EXPORTER")];
    let off = signals.into_iter().filter(|(_, name)| is_none(env, name).unwrap_or(false));
    let off: Vec<_> = off.map(|(signal, name)| format!("{signal}, by {name}=none")).collect();
    (!off.is_empty()).then(|| off.join("; "))
}

/// Whether the environment wants nothing of a signal to leave, whose exporter is selected by the
/// variable `exporter`.
pub(super) fn is_off(env: &Environment<'_>, exporter: &str) -> Result<bool, Error> {
    let disabled = choice(env, "OTEL_SDK_DISABLED", &[("true", true), ("false", false)])?;
    Ok(disabled.unwrap_or(false) || is_none(env, exporter)?)
}

/// Whether the exporter that is selected is none. Unset means `otlp`.
fn is_none(env: &Environment<'_>, exporter: &str) -> Result<bool, Error> {
    let Some(list) = env.get(exporter) else { return Ok(false) };
    let has = |word: &str| list.split(',').any(|one| one.trim().eq_ignore_ascii_case(word));
    match (has("otlp"), has("none")) {
        (true, false) => Ok(false),
        (false, true) if !list.contains(',') => Ok(true),
        _ => {
            let problem = format!("`{list}` is not supported");
            Err(Error::setting(exporter, &problem, "use `otlp` or `none`"))
        }
    }
}
