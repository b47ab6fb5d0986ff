//! What a Kubernetes deployment's container asks for and may use.

use plimsoll_document::Wrong;
use plimsoll_domain::quantity;
use schemars::JsonSchema;
use serde::Deserialize;

use super::reader::Reader;
use crate::spec::Resources;

/// What the container asks for and may use.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawResources {
    /// What it asks for.
    requests: Option<RawAmounts>,
    /// What it may use.
    limits: Option<RawAmounts>,
}

/// Amounts in the spelling of Kubernetes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawAmounts {
    /// Cores, such as `0.5` or `500m`.
    cpu: Option<String>,
    /// Memory, such as `0.5Gi`.
    memory: Option<String>,
    /// GPUs.
    gpu: Option<String>,
    /// The same, as Kubernetes has it.
    #[serde(rename = "nvidia.com/gpu")]
    nvidia: Option<String>,
}

/// Requests and limits.
pub(super) fn check(
    reader: &mut Reader,
    raw: RawResources,
) -> (Option<Resources>, Option<Resources>) {
    let (requests, limits) = (raw.requests, raw.limits);
    for (part, amounts) in [("requests", &requests), ("limits", &limits)] {
        let Some(amounts) = amounts else { continue };
        amount(reader, &format!("/resources/{part}/cpu"), amounts.cpu.as_deref(), 1e-3);
        amount(reader, &format!("/resources/{part}/memory"), amounts.memory.as_deref(), 1e6);
        amount(reader, &format!("/resources/{part}/gpu"), amounts.gpu.as_deref(), 0.0);
        if let Some(text) = amounts.nvidia.as_deref().filter(|text| number(text).is_none()) {
            reader.wrong(&format!("/resources/{part}"), no_amount(text));
        }
    }
    if let (Some(requests), Some(limits)) = (&requests, &limits) {
        ordered(reader, "cpu", requests.cpu.as_deref(), limits.cpu.as_deref());
        ordered(reader, "memory", requests.memory.as_deref(), limits.memory.as_deref());
    }
    let resources =
        |RawAmounts { cpu, memory, gpu, nvidia }| Resources { cpu, memory, gpu: gpu.or(nvidia) };
    (requests.map(resources), limits.map(resources))
}

fn amount(reader: &mut Reader, at: &str, text: Option<&str>, least: f64) {
    let Some(text) = text else { return };
    match number(text) {
        None => reader.wrong(at, no_amount(text)),
        Some(number) if number < least => {
            let wrong = Wrong::new(format!("`{text}` is too little"));
            reader.wrong(at, wrong.hint("Azure asks for some cores, and 1 MB of memory"));
        }
        Some(_) => {}
    }
}

/// The number that an amount means; none has less than nothing.
fn number(text: &str) -> Option<f64> {
    quantity::parse(text).ok().filter(|number| *number >= 0.0)
}

fn no_amount(text: &str) -> Wrong {
    let wrong = Wrong::new(format!("`{text}` is no amount"));
    wrong.hint("write for example `0.5`, `500m`, `200Mi` or `1Gi`")
}

fn ordered(reader: &mut Reader, key: &str, request: Option<&str>, limit: Option<&str>) {
    let (Some(request), Some(limit)) = (request, limit) else { return };
    let (Some(least), Some(most)) = (number(request), number(limit)) else {
        return;
    };
    if least > most {
        let wrong = Wrong::new(format!("`{key}` asks for {request}, and may use only {limit}"));
        let hint = "a request is at most its limit";
        reader.wrong(&format!("/resources/requests/{key}"), wrong.hint(hint));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_multiply() {
        for (text, wanted) in [
            ("0.5", 0.5),
            ("500m", 0.5),
            ("2", 2.0),
            ("1Gi", 1_073_741_824.0),
            ("200M", 2e8),
            ("1Ei", 1_152_921_504_606_846_976.0),
            ("1e3", 1e3),
            ("500u", 5e-4),
            ("2E", 2e18),
            ("1E3", 1e3),
        ] {
            assert_eq!(number(text), Some(wanted), "{text}");
        }
        for bad in ["", "Gi", "1GB", "-1", "1 Gi", "nan", "many"] {
            assert_eq!(number(bad), None, "{bad}");
        }
    }
}
