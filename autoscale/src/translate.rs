//! Rules of Azure Monitor as a `HorizontalPodAutoscaler`, and the other way round, with all that is not
//! the same.
//!
//! The two think differently: Azure's rules add or remove a fixed step when a value crosses a threshold,
//! and the HPA asks for the count at which the value would be its target. They meet where a step is one
//! instance. Then, for whole per cents of processor time of instances that are all ready:
//!
//! - *out*: the HPA goes up if usage / target is above 1 + its tolerance, and a policy of one pod cuts
//!   whatever it asks for to one more: Azure's `> target · (1 + tolerance)`, one more.
//! - *in*: the HPA goes down if usage / target is below 1 − its tolerance and ⌈count · usage / target⌉ is
//!   below the count, which is usage · count / (count − 1) ≤ target: Azure's `< target · (1 − tolerance)`
//!   with its guard against flapping, which projects the same value and compares it with the threshold of
//!   the rule that scales out. Both are the target only if the tolerance upwards is 0.
//!
//! So with steps of one and no tolerance upwards one evaluation gives the same count on both, which a
//! property test holds ([`Translation::equal`] says when that is so); everything else is named in
//! [`Translation::differences`]. What they do over time never is the same: Azure averages whole minutes
//! over five of them at least, and waits out one cooldown for both directions.

mod to_azure;
mod to_hpa;

use serde::Serialize;

use crate::{Kind, Rules};

/// Rules in the other form.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Translation {
    /// The rules, as JSON that `az` or `kubectl` takes.
    pub rules: serde_json::Value,
    /// When one evaluation gives the same count; `None` if it need not.
    pub equal: Option<&'static str>,
    /// All that is not the same.
    pub differences: Vec<Difference>,
}

/// Something that is not the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What of the rules, as it is written.
    pub what: String,
    /// What becomes of it, and why.
    pub why: String,
}

/// When one evaluation gives the same count.
const EQUAL: &str = "one evaluation, of whole per cents, of instances that are all ready and report, with \
                     nothing remembered (no cooldown, no stabilization)";

/// Azure's word for the processor, and Kubernetes'; then those for memory.
const METRICS: [(&str, &str); 2] =
    [("CpuUtilizationPercentage", "cpu"), ("CpuMemoryUtilizationPercentage", "memory")];

/// Translates rules of Azure Monitor to a `HorizontalPodAutoscaler`, or that to rules of Azure Monitor.
///
/// # Errors
/// Rules of another kind, or of which nothing has an equivalent: why.
pub fn translate(rules: &Rules) -> Result<Translation, String> {
    match rules {
        Rules::Azure(setting) => to_hpa::translate(setting),
        Rules::Hpa(hpa) => to_azure::translate(hpa),
        Rules::ScaledObject(_) | Rules::Knative(_) | Rules::Utilization(_) => Err(format!(
            "this is {}, and rules are translated between Azure Monitor and the HorizontalPodAutoscaler alone",
            rules.kind().words()
        )),
    }
}

impl Translation {
    /// What kind the translated rules are.
    pub fn kind(&self) -> Kind {
        if self.rules.get("kind").is_some() { Kind::Hpa } else { Kind::Azure }
    }
}

/// Differences as they are found.
#[derive(Debug, Default)]
struct Differences(Vec<Difference>);

impl Differences {
    fn tell(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.0.push(Difference { what: what.into(), why: why.into() });
    }

    /// Why nothing is left.
    fn nothing(self) -> String {
        let lines: Vec<_> = self.0.iter().map(|one| format!("{}: {}", one.what, one.why)).collect();
        format!("nothing of these rules has an equivalent:\n  {}", lines.join("\n  "))
    }
}

#[cfg(test)]
mod tests;
