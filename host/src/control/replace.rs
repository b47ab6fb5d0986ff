//! A deployment that is changed in place: new instances are brought up beside those that serve, take
//! over when all are ready, and only then the old ones are drained. If the new ones fail, the old ones
//! go on as if nothing had been asked.
//!
//! Azure replaces a fifth of the instances at a time, for which it needs less room; what callers see
//! is the same, as none of them meets an instance that is not ready.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use plimsoll_deploy::arm::wire::{DeploymentProperties, ProvisioningState, Resource};
use plimsoll_deploy::spec::DeploymentSpec;
use plimsoll_domain::{clock, with_causes};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::deployments::sku;
use super::work::Subject;
use super::{Answer, begun, json};
use crate::fault::Fault;
use crate::instance::Template;
use crate::operation::Operation;
use crate::pool::Pool;
use crate::replicas::Replicas;
use crate::runtime::{Prepared, Runtime};
use crate::{Host, LOCATION};

/// Beyond the longest request, how long a drain may take.
const DRAIN_MARGIN: Duration = Duration::from_secs(1);

/// Between two looks at a backlog, and longer than a request is on its way to it.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Whether a deployment refers to other versions than before: an asset's id stands for what is in
/// it, also where its files lie in the same place.
pub(super) fn refers_to_others(
    old: &Resource<DeploymentProperties>,
    new: &Resource<DeploymentProperties>,
) -> bool {
    let ids = |resource: &Resource<DeploymentProperties>| {
        let properties = &resource.properties;
        let code = properties.code_configuration.as_ref().map(|code| code.code_id.clone());
        let ids = [properties.model.clone(), code, properties.environment_id.clone()];
        ids.map(|id| id.map(|id| id.trim_start_matches("azureml:").to_ascii_lowercase()))
    };
    ids(old) != ids(new)
}

/// Stops instances that get no new requests. What waits for them, or is on its way to them, they
/// answer first; nothing waits longer than a request may.
async fn retire(old: &Replicas, limit: Duration) {
    let begun = clock::now();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if !old.pool().has_backlog() || clock::now().since(begun) > limit {
            break;
        }
    }
    old.stop().await;
}

impl Host {
    /// Replaces all instances by those of another description.
    pub(super) fn replace_deployment(
        self: &Arc<Self>,
        endpoint: &str,
        name: &str,
        mut resource: Resource<DeploymentProperties>,
        spec: DeploymentSpec,
    ) -> Answer {
        let runtime =
            Runtime::choose(&spec).map_err(|error| Fault::bad_argument(with_causes(&error)))?;
        let mut store = self.store();
        let parent = store.endpoint(endpoint)?;
        parent.check_idle()?;
        let stop = parent.stop.child_token();
        store.deployment(endpoint, name)?.check_idle()?;
        self.check_quota(&store, &spec)?;
        let existing = store.deployment(endpoint, name)?;
        existing.most = existing.counted().max(spec.instance_count);
        existing.set_state(ProvisioningState::Updating);
        resource.id.clone_from(&existing.resource.id);
        resource.name = Some(name.to_owned());
        resource.location = Some(LOCATION.to_owned());
        resource.sku = Some(sku(spec.instance_count));
        resource.properties.provisioning_state = Some(ProvisioningState::Updating);
        let operation = store.operations.begin("odidp");
        drop(store);
        let answer = begun(self, &operation, json(StatusCode::OK, &resource));
        let (host, reporting) = (Arc::clone(self), Arc::clone(&operation));
        let subject = Subject::Deployment(endpoint.to_owned(), name.to_owned());
        self.work(subject, &operation, async move {
            tokio::select! {
                outcome = host.replace(spec, resource, &runtime, &reporting, stop.clone()) => outcome,
                () = stop.cancelled() => Err(Fault::canceled()),
            }
        });
        Ok(answer)
    }

    async fn replace(
        self: &Arc<Self>,
        spec: DeploymentSpec,
        resource: Resource<DeploymentProperties>,
        runtime: &Runtime,
        operation: &Operation,
        stop: CancellationToken,
    ) -> Result<(), Fault> {
        let mut progress = |line| operation.report(line);
        let prepared = runtime.prepare(&spec, &self.cache_dir, &mut progress).await;
        let prepared = prepared.map_err(|error| Fault::bad_argument(with_causes(&error)))?;
        let count = spec.instance_count.get();
        // The old ones have the folders of the deployment's name.
        let folder = format!("{}.{}", spec.name, Uuid::new_v4().simple());
        let template = self.template(&spec, prepared, folder);
        operation.report(format!("starting {count} new instances beside those that serve"));
        let new = Arc::new(Replicas::new(template, stop, self.tasks.clone()));
        if let Err(fault) = new.scale(count as usize).await {
            new.stop().await;
            return Err(fault);
        }
        let (endpoint, name) = (spec.endpoint_name.clone(), spec.name.clone());
        let switched = {
            let mut store = self.store();
            store.deployment(&endpoint, &name).map(|deployment| {
                let drain = deployment.spec.request_settings.request_timeout;
                deployment.spec = spec;
                deployment.resource = resource;
                (deployment.replicas.replace(Arc::clone(&new)), drain)
            })
        };
        let (old, drain) = match switched {
            Ok(old) => old,
            Err(fault) => {
                new.stop().await;
                return Err(fault);
            }
        };
        self.store().endpoint(&endpoint)?.publish();
        if let Some(old) = old {
            operation.report("draining the instances before them".to_owned());
            retire(&old, drain).await;
        }
        Ok(())
    }

    /// What instances of a deployment are made from, in a folder of this name.
    pub(super) fn template(
        &self,
        spec: &DeploymentSpec,
        prepared: Prepared,
        folder: String,
    ) -> Template {
        let settings = &spec.request_settings;
        Template {
            prepared,
            executable: self.executable.clone(),
            deployment: spec.name.clone(),
            seed: self.seed,
            folder: self.state_dir.join(&spec.endpoint_name).join(folder),
            liveness: spec.liveness_probe.clone(),
            readiness: spec.readiness_probe.clone(),
            drain: settings.request_timeout.saturating_add(DRAIN_MARGIN),
            rehearsal: self.rehearsal,
            shutdown: self.shutdown.clone(),
            pool: Arc::new(Pool::new(settings.max_concurrent_requests_per_instance)),
            spawner: self.spawner.clone(),
        }
    }
}
