//! The instances as they were at the end of the load.

use plimsoll_deploy::arm::InstanceStatus;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One instance of a deployment that the run brought up, at the end of the load.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InstanceResult {
    /// Its deployment.
    pub deployment: String,
    /// Its name within the deployment.
    pub name: String,
    /// Whether it was given requests.
    pub ready: bool,
    /// How often it was started again.
    pub restarts: u32,
    /// The last exception that its scoring script ended a request with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exception: Option<String>,
    /// The last lines of its log, if something was wrong with its deployment and the host keeps
    /// the log of this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
}

impl InstanceResult {
    /// What the host says of an instance.
    pub fn new(deployment: &str, status: &InstanceStatus) -> Self {
        Self {
            deployment: deployment.to_owned(),
            name: status.name.clone(),
            ready: status.ready,
            restarts: status.restarts,
            exception: status.exception.clone(),
            log: Vec::new(),
        }
    }

    /// Whether a reader wants to know why.
    pub fn is_in_trouble(&self) -> bool {
        !self.ready || self.restarts > 0 || self.exception.is_some()
    }
}
