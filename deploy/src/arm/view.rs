//! Endpoints and deployments as they are, for those who ask the driver.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::wire::{
    DeploymentProperties, EndpointProperties, InstanceStatus, Keys, ProvisioningState, Resource,
};
use crate::spec::AuthMode;

/// An endpoint.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its name.
    pub name: String,
    /// Its ARM id.
    pub id: String,
    /// What its last operation made of it.
    pub state: ProvisioningState,
    /// Where requests go: `…/score`.
    pub scoring_uri: String,
    /// Percent of the requests per deployment.
    pub traffic: BTreeMap<String, u8>,
    /// How callers prove who they are.
    pub auth_mode: AuthMode,
    /// For people and policies.
    pub tags: BTreeMap<String, String>,
}

/// A deployment.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// Its name.
    pub name: String,
    /// Its ARM id.
    pub id: String,
    /// What its last operation made of it.
    pub state: ProvisioningState,
    /// The machine size (SKU).
    pub instance_type: String,
    /// Instances that it should have.
    pub desired: u32,
    /// What each instance does; only a local host says so.
    pub instances: Vec<InstanceStatus>,
    /// For people and policies.
    pub tags: BTreeMap<String, String>,
}

/// The keys of an endpoint.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The one to use.
    pub primary: SecretString,
    /// The one to change to.
    pub secondary: SecretString,
}

impl Deployment {
    /// Instances that get requests now.
    pub fn ready(&self) -> usize {
        self.instances.iter().filter(|instance| instance.ready).count()
    }
}

impl From<Resource<EndpointProperties>> for Endpoint {
    fn from(resource: Resource<EndpointProperties>) -> Self {
        let properties = resource.properties;
        Self {
            name: resource.name.unwrap_or_default(),
            id: resource.id.unwrap_or_default(),
            state: properties.provisioning_state.unwrap_or(ProvisioningState::Updating),
            scoring_uri: properties.scoring_uri.unwrap_or_default(),
            traffic: properties.traffic,
            auth_mode: properties.auth_mode,
            tags: resource.tags,
        }
    }
}

impl From<Resource<DeploymentProperties>> for Deployment {
    fn from(resource: Resource<DeploymentProperties>) -> Self {
        let properties = resource.properties;
        Self {
            name: resource.name.unwrap_or_default(),
            id: resource.id.unwrap_or_default(),
            state: properties.provisioning_state.unwrap_or(ProvisioningState::Updating),
            instance_type: properties.instance_type,
            desired: resource.sku.map_or(0, |sku| sku.capacity),
            instances: properties.instances,
            tags: resource.tags,
        }
    }
}

impl From<Keys> for Credentials {
    fn from(keys: Keys) -> Self {
        Self { primary: keys.primary_key.into(), secondary: keys.secondary_key.into() }
    }
}
