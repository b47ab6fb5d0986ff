//! What is likely to be wrong with rules that can be read: each finding with its place, why it is wrong,
//! whose word that is, and what to do.

mod azure;
mod kubernetes;
mod metrics;

use plimsoll_document::{Problem, Severity};

use crate::{Rules, RulesFile};

pub use metrics::{Emitted, Scope, emitted};

/// What is known beside the rules. What is not known is not judged.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Context {
    /// Seconds until a metric can be read; 180 if left out.
    pub metric_delay_s: Option<u32>,
    /// Seconds in which the load grows from what the minimum carries to what the maximum does.
    pub ramp_s: Option<u32>,
    /// Seconds that one request takes alone.
    pub service_time_s: Option<f64>,
    /// The deployment that is scaled.
    pub deployment: Option<Deployment>,
}

/// What rules may be judged by of the deployment that they scale.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    /// Requests that one instance takes at a time.
    pub max_concurrent: u32,
    /// Requests that it works on at a time: `WORKER_COUNT`.
    pub workers: u32,
    /// Seconds after which a request is answered with 408.
    pub request_timeout_s: f64,
    /// The largest count that the quota allows with its reserve, and what it is short of.
    pub most_by_quota: Option<(u32, String)>,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its name, for tools that collect findings.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Where: the place of a rule or profile.
    pub at: String,
    /// The member of it, where the file has one.
    pub member: &'static str,
    /// What is wrong.
    pub message: String,
    /// Why that is wrong.
    pub why: String,
    /// Whose word it is.
    pub source: &'static str,
    /// What to do.
    pub fix: String,
}

impl Finding {
    /// The finding as a problem of its file, with line and caret.
    pub fn problem(&self, file: &RulesFile) -> Problem {
        let problem = file.problem(&self.at, self.member, &self.message).hint(self.fix.clone());
        match self.severity {
            Severity::Error => problem,
            Severity::Warning => problem.warning(),
            Severity::Note => problem.note(),
        }
    }
}

/// All findings, in the order of the file.
pub fn lint(rules: &Rules, context: &Context) -> Vec<Finding> {
    match rules {
        Rules::Azure(setting) => azure::lint(setting, context),
        Rules::Hpa(hpa) => kubernetes::hpa(hpa),
        Rules::ScaledObject(object) => kubernetes::scaled_object(object),
        Rules::Knative(kpa) => kubernetes::knative(kpa),
        Rules::Utilization(rules) => kubernetes::utilization(rules),
    }
}

#[cfg(test)]
mod tests;
