//! What the local host has: endpoints with their deployments, registered assets, operations.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use hyper::header::HeaderValue;
use plimsoll_deploy::arm::wire::{
    DeploymentProperties, EndpointProperties, ProvisioningState, Resource,
};
use plimsoll_deploy::spec::{AuthMode, DeploymentSpec};
use secrecy::SecretString;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::fault::Fault;
use super::gateway::{Callers, DATA_PLANE, Gateway};
use super::issuer::Issuer;
use super::operation::Operations;
use super::registry::Registry;
use super::replicas::Replicas;
use super::routes::{Route, Routes};

/// Everything, behind one lock that is never held while something is waited for.
#[derive(Debug, Default)]
pub(super) struct Store {
    pub(super) endpoints: BTreeMap<String, Endpoint>,
    pub(super) assets: Registry,
    pub(super) operations: Operations,
    /// Autoscale settings as they are told, by name in small letters.
    pub(super) autoscale: BTreeMap<String, Map<String, Value>>,
    /// Limits of the workspace, below the subscription's, by pool.
    pub(super) quotas: BTreeMap<String, u64>,
}

/// An endpoint.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) resource: Resource<EndpointProperties>,
    pub(super) keys: [SecretString; 2],
    /// Of its data plane.
    pub(super) port: u16,
    pub(super) issuer: Arc<Issuer>,
    pub(super) gateway: Arc<Gateway>,
    pub(super) deployments: BTreeMap<String, Deployment>,
    /// Ends its data plane and all its instances.
    pub(super) stop: CancellationToken,
}

/// A deployment.
#[derive(Debug)]
pub(super) struct Deployment {
    /// What its instances were made from, but for those of an update that is not over.
    pub(super) resource: Resource<DeploymentProperties>,
    /// What an update asks for that is not over, or that failed. A description is the state that is wanted, so this is
    /// what is shown then.
    pub(super) asked: Option<Resource<DeploymentProperties>>,
    pub(super) spec: DeploymentSpec,
    /// The most instances that it has or is being given, which quota is counted for.
    pub(super) most: NonZeroU32,
    /// Whether it came up once: then a change that fails leaves it as it was.
    pub(super) came_up: bool,
    /// Its instances, once they are being started.
    pub(super) replicas: Option<Arc<Replicas>>,
}

impl Store {
    /// The endpoint by that name, or 404.
    pub(super) fn endpoint(&mut self, name: &str) -> Result<&mut Endpoint, Fault> {
        let missing = || Fault::not_found(format!("endpoint `{name}`"));
        self.endpoints.get_mut(name).ok_or_else(missing)
    }

    /// The deployment by that name, or 404.
    pub(super) fn deployment(
        &mut self,
        endpoint: &str,
        name: &str,
    ) -> Result<&mut Deployment, Fault> {
        let missing = || Fault::not_found(format!("deployment `{name}` of endpoint `{endpoint}`"));
        self.endpoint(endpoint)?.deployments.get_mut(name).ok_or_else(missing)
    }
}

impl Endpoint {
    /// Refuses a second operation while one is running.
    pub(super) fn check_idle(&self) -> Result<(), Fault> {
        match self.resource.properties.provisioning_state {
            Some(state) if !state.is_final() => {
                let name = self.resource.name.as_deref().unwrap_or_default();
                Err(Fault::busy(format!("endpoint `{name}`"), state))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn set_state(&mut self, state: ProvisioningState) {
        self.resource.properties.provisioning_state = Some(state);
    }

    /// Tells the gateway what deployments there are and how much each gets.
    pub(super) fn publish(&self) {
        let properties = &self.resource.properties;
        let routes = |shares: &BTreeMap<String, u8>| -> Vec<Route> {
            let weight = |name: &str| shares.get(name).copied().unwrap_or(0);
            let route =
                |(name, deployment): (&String, &Deployment)| deployment.route(name, weight(name));
            self.deployments.iter().filter_map(route).collect()
        };
        let mirror = routes(&properties.mirror_traffic).into_iter().find(|route| route.weight > 0);
        self.gateway.set_routes(Routes { deployments: routes(&properties.traffic), mirror });
    }

    /// Tells the gateway what callers must show.
    pub(super) fn publish_callers(&self) {
        let tokens =
            |audience: &str| Callers::Tokens(Arc::clone(&self.issuer), audience.to_owned());
        self.gateway.set_callers(match self.resource.properties.auth_mode {
            AuthMode::Key => Callers::Keys(self.keys.clone()),
            AuthMode::AmlToken => tokens(self.resource.id.as_deref().unwrap_or_default()),
            AuthMode::AadToken => tokens(DATA_PLANE),
        });
    }
}

impl Deployment {
    /// Refuses a second operation while one is running.
    pub(super) fn check_idle(&self) -> Result<(), Fault> {
        match self.resource.properties.provisioning_state {
            Some(state) if !state.is_final() => {
                Err(Fault::busy(format!("deployment `{}`", self.spec.name), state))
            }
            _ => Ok(()),
        }
    }

    /// Its descriptions: the one that serves, and the one that is asked for.
    pub(super) fn resources(
        &mut self,
    ) -> impl Iterator<Item = &mut Resource<DeploymentProperties>> {
        [Some(&mut self.resource), self.asked.as_mut()].into_iter().flatten()
    }

    pub(super) fn set_state(&mut self, state: ProvisioningState) {
        if state.is_final() {
            // An update that stopped may have scaled first.
            let have = self.replicas.as_ref().map_or(0, |replicas| replicas.count());
            let have = NonZeroU32::new(have).unwrap_or(NonZeroU32::MIN);
            self.most = self.spec.instance_count.max(have);
        }
        for resource in self.resources() {
            resource.properties.provisioning_state = Some(state);
        }
    }

    /// An operation is over. Whatever it was, a deployment that is not what was asked for has still failed to become so.
    pub(super) fn ended(&mut self, outcome: Result<(), &Fault>) {
        let error = match outcome {
            Ok(()) if self.asked.is_some() => return self.set_state(ProvisioningState::Failed),
            Ok(()) => None,
            Err(fault) => Some(fault.to_arm()),
        };
        self.set_state(match outcome {
            Ok(()) => ProvisioningState::Succeeded,
            Err(fault) => fault.state(),
        });
        for resource in self.resources() {
            resource.properties.provisioning_error.clone_from(&error);
        }
    }

    /// The instances that quota is counted for.
    pub(super) fn counted(&self) -> NonZeroU32 {
        self.most.max(self.spec.instance_count)
    }

    fn route(&self, name: &str, weight: u8) -> Option<Route> {
        Some(Route {
            name: HeaderValue::from_str(name).ok()?,
            weight,
            timeout: self.spec.request_settings.request_timeout,
            pool: Arc::clone(self.replicas.as_ref()?.pool()),
        })
    }

    /// As it is shown: with what its instances do now.
    pub(super) fn show(&self) -> Resource<DeploymentProperties> {
        let mut resource = self.asked.as_ref().unwrap_or(&self.resource).clone();
        resource.properties.instances =
            self.replicas.as_ref().map_or_else(Vec::new, |replicas| replicas.status());
        resource
    }
}
