//! From what a host before this one kept: endpoints on their old ports with their old keys, and deployments that are
//! brought up again: as they served, whatever an update that failed asked for.

use std::sync::Arc;

use plimsoll_deploy::arm::wire::{DeploymentProperties, ProvisioningState, Resource};
use plimsoll_deploy::spec::DeploymentSpec;
use plimsoll_domain::with_causes;
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

use super::endpoints::listen;
use super::translate::{self, Assets};
use super::work::Subject;
use crate::fault::Fault;
use crate::keep::{Saved, SavedAsset, SavedDeployment, SavedEndpoint};
use crate::runtime::Runtime;
use crate::store::{Deployment, Endpoint};
use crate::{Error, Host};

impl Host {
    /// Keeps what there is, if a folder was given. That it cannot is said in the log and returned, and changes nothing
    /// for callers: all is as they asked, until the host ends.
    pub(crate) fn save(&self) -> std::io::Result<()> {
        // What ends because the host stops was not asked to end.
        let Some(keep) = self.keep.as_ref().filter(|_| !self.shutdown.is_cancelled()) else {
            return Ok(());
        };
        keep.save(|| self.saved()).inspect_err(|error| {
            tracing::error!(%error, "the state is not kept: what changed is lost with this host");
        })
    }

    fn saved(&self) -> Saved {
        let store = self.store();
        let assets = store
            .assets
            .in_order()
            .into_iter()
            .map(|(key, resource)| SavedAsset { key: key.clone(), resource: resource.clone() });
        let endpoints = store.endpoints.values().filter(|endpoint| {
            endpoint.resource.properties.provisioning_state != Some(ProvisioningState::Deleting)
        });
        let (assets, endpoints) = (assets.collect(), endpoints.map(saved_endpoint).collect());
        let (autoscale, quotas) = (store.autoscale.clone(), store.quotas.clone());
        Saved { assets, endpoints, autoscale, quotas, ..Saved::default() }
    }

    /// Brings back what was kept. Returns when all endpoints listen; their deployments come up meanwhile.
    pub(crate) fn restore(self: &Arc<Self>) -> Result<(), Error> {
        let Some(keep) = &self.keep else { return Ok(()) };
        let saved = keep.load()?;
        self.blobs.sweep(|container| {
            let names =
                |uri: &Option<String>| uri.as_deref().is_some_and(|uri| uri.contains(container));
            saved.assets.iter().any(|asset| {
                names(&asset.resource.properties.code_uri)
                    || names(&asset.resource.properties.model_uri)
            })
        });
        for SavedAsset { key, resource } in saved.assets {
            self.store().assets.put(key, resource);
        }
        {
            let mut store = self.store();
            (store.autoscale, store.quotas) = (saved.autoscale, saved.quotas);
        }
        for endpoint in saved.endpoints {
            let name = endpoint.resource.name.clone().unwrap_or_default();
            if let Err(error) = self.restore_endpoint(&name, endpoint) {
                tracing::error!(endpoint = name, %error, "an endpoint that was kept cannot be served");
            }
        }
        Ok(())
    }

    fn restore_endpoint(self: &Arc<Self>, name: &str, saved: SavedEndpoint) -> std::io::Result<()> {
        let listener = listen(saved.port).or_else(|error| {
            tracing::warn!(endpoint = name, port = saved.port, %error, "it gets another port");
            listen(0)
        })?;
        let keys = saved.keys.map(Into::into);
        let mut endpoint = self.open_endpoint(saved.resource, keys, listener);
        endpoint.set_state(ProvisioningState::Succeeded);
        self.store().endpoints.insert(name.to_owned(), endpoint);
        for SavedDeployment { resource, came_up } in saved.deployments {
            let deployment = resource.name.clone().unwrap_or_default();
            if let Err(fault) = self.restore_deployment(name, &deployment, resource, came_up) {
                let reason = fault.message;
                tracing::error!(
                    endpoint = name,
                    deployment,
                    reason,
                    "a deployment that was kept is lost"
                );
            }
        }
        Ok(())
    }

    fn restore_deployment(
        self: &Arc<Self>,
        endpoint: &str,
        name: &str,
        mut resource: Resource<DeploymentProperties>,
        came_up: bool,
    ) -> Result<(), Fault> {
        let mut store = self.store();
        let assets =
            Assets { workspace: &self.workspace, registered: &store.assets, blobs: &self.blobs };
        let (spec, _) = translate::deployment(&assets, endpoint, name, &resource)?;
        let state = resource.properties.provisioning_state;
        // One that never came up failed for a reason that it still has.
        let is_over = !came_up && state.is_some_and(ProvisioningState::is_final);
        if !is_over {
            resource.properties.provisioning_state = Some(ProvisioningState::Creating);
        }
        let parent = store.endpoint(endpoint)?;
        let stop = parent.stop.child_token();
        let most = spec.instance_count;
        let deployment =
            Deployment { resource, asked: None, spec: spec.clone(), most, came_up, replicas: None };
        parent.deployments.insert(name.to_owned(), deployment);
        let operation = store.operations.begin("odidp");
        drop(store);
        if is_over {
            return Ok(());
        }
        let subject = Subject::Deployment(endpoint.to_owned(), name.to_owned());
        let (host, reporting) = (Arc::clone(self), Arc::clone(&operation));
        self.work(subject, &operation, async move {
            let outcome = host.bring_up_again(spec, &reporting, stop).await;
            if let Err(fault) = &outcome {
                tracing::error!(reason = fault.message, "a deployment does not come up again");
            }
            outcome
        });
        Ok(())
    }

    async fn bring_up_again(
        self: &Arc<Self>,
        spec: DeploymentSpec,
        operation: &crate::operation::Operation,
        stop: CancellationToken,
    ) -> Result<(), Fault> {
        let runtime =
            Runtime::choose(&spec).map_err(|error| Fault::bad_argument(with_causes(&error)))?;
        tokio::select! {
            outcome = self.bring_up(&spec, &runtime, operation, stop.clone()) => outcome,
            () = stop.cancelled() => Err(Fault::canceled()),
        }
    }
}

fn saved_endpoint(endpoint: &Endpoint) -> SavedEndpoint {
    let stays = |deployment: &&Deployment| {
        deployment.resource.properties.provisioning_state != Some(ProvisioningState::Deleting)
    };
    let saved = |deployment: &Deployment| SavedDeployment {
        resource: deployment.resource.clone(),
        came_up: deployment.came_up,
    };
    SavedEndpoint {
        resource: endpoint.resource.clone(),
        keys: endpoint.keys.each_ref().map(|key| key.expose_secret().to_owned()),
        port: endpoint.port,
        deployments: endpoint.deployments.values().filter(stays).map(saved).collect(),
    }
}
