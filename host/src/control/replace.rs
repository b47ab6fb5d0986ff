//! A deployment that is changed in place, by a rolling update: [`plimsoll_deploy::rollout`] says in which steps.
//!
//! From the PUT on, the deployment is shown as it was asked for, also when the update fails (state `Failed`): a
//! description is the state that is wanted, and so what `update --set` goes on from. Until the update is over it is kept
//! and scaled as it was before; if it fails, that stays so, and the next PUT begins another update, whatever it asks
//! for, until all instances are of one description.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use plimsoll_deploy::arm::wire::{DeploymentProperties, ProvisioningState, Resource};
use plimsoll_deploy::spec::{Asset, DeploymentSpec};
use plimsoll_domain::with_causes;
use tokio_util::sync::CancellationToken;

use super::deployments::{TYPE, sku};
use super::endpoints::KIND;
use super::work::Subject;
use super::{Answer, begun, json};
use crate::fault::Fault;
use crate::instance::Template;
use crate::operation::Operation;
use crate::pool::Pool;
use crate::replicas::Replicas;
use crate::runtime::{Prepared, Runtime};
use crate::{Host, LOCATION, stamp};

/// Beyond the longest request, how long a drain may take.
const DRAIN_MARGIN: Duration = Duration::from_secs(1);

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

impl Host {
    /// Replaces all instances by those of another description.
    pub(super) fn replace_deployment(
        self: &Arc<Self>,
        endpoint: &str,
        name: &str,
        mut resource: Resource<DeploymentProperties>,
        spec: DeploymentSpec,
        origin: &str,
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
        resource.kind = Some(KIND.to_owned());
        stamp::put(&mut resource, TYPE, existing.resource.system_data.as_ref());
        resource.properties.provisioning_state = Some(ProvisioningState::Updating);
        let operation = store.operations.begin("odidp");
        self.name_operation(&mut resource, origin, &operation);
        store.deployment(endpoint, name)?.asked = Some(resource.clone());
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
        let (endpoint, name) = (spec.endpoint_name.clone(), spec.name.clone());
        let replicas = self.store().deployment(&endpoint, &name)?.replicas.clone();
        let replicas = match replicas {
            Some(replicas) => {
                let template = self.template(&spec, prepared, Arc::clone(replicas.pool()));
                let told = |line| operation.report(line);
                replicas.update(template, spec.instance_count, told).await?;
                replicas
            }
            // It was restored, and never started since.
            None => self.start_replicas(&spec, prepared, stop).await?,
        };
        {
            let mut store = self.store();
            let deployment = store.deployment(&endpoint, &name)?;
            deployment.spec = spec;
            (deployment.resource, deployment.asked) = (resource, None);
            deployment.replicas = Some(replicas);
        }
        self.store().endpoint(&endpoint)?.publish();
        Ok(())
    }

    /// The first instances of a deployment, which callers reach as soon as they are ready.
    pub(super) async fn start_replicas(
        &self,
        spec: &DeploymentSpec,
        prepared: Prepared,
        stop: CancellationToken,
    ) -> Result<Arc<Replicas>, Fault> {
        let template = self.template(spec, prepared, Arc::new(Pool::new()));
        let replicas = Arc::new(Replicas::new(template, stop, self.tasks.clone()));
        {
            let mut store = self.store();
            store.deployment(&spec.endpoint_name, &spec.name)?.replicas =
                Some(Arc::clone(&replicas));
            store.endpoint(&spec.endpoint_name)?.publish();
        }
        replicas.scale(spec.instance_count.get() as usize).await?;
        Ok(replicas)
    }

    /// What instances of a deployment are made from.
    fn template(&self, spec: &DeploymentSpec, prepared: Prepared, pool: Arc<Pool>) -> Template {
        let settings = &spec.request_settings;
        Template {
            prepared,
            executable: self.executable.clone(),
            deployment: spec.name.clone(),
            seed: self.seed,
            folder: self.state_dir.join(&spec.endpoint_name).join(&spec.name),
            liveness: spec.liveness_probe.clone(),
            readiness: spec.readiness_probe.clone(),
            drain: settings.request_timeout.saturating_add(DRAIN_MARGIN),
            slots: settings.max_concurrent_requests_per_instance,
            storage: given(spec),
            rehearsal: self.rehearsal,
            shutdown: self.shutdown.clone(),
            pool,
            spawner: self.spawner.clone(),
            groups: self.groups.clone(),
        }
    }
}

/// What an instance is given before its start, for its log: nothing is copied, so the lines say where the files are
/// that it sees.
pub(super) fn given(spec: &DeploymentSpec) -> Vec<String> {
    let mut said = Vec::new();
    if let Some(Asset::Inline(model)) = &spec.model
        && let Some(path) = model.path.here()
    {
        let name = model.name.as_deref().unwrap_or_default();
        let version = model.version.as_deref().unwrap_or_default();
        said.push(format!("model {name}:{version} is used where it is: {}", path.display()));
        let folder = path.parent().unwrap_or(path);
        said.push(format!("AZUREML_MODEL_DIR is its folder: {}", folder.display()));
    }
    if let Some(folder) = spec.code.as_ref().and_then(|code| code.folder.here()) {
        said.push(format!("code is used where it is: {}", folder.display()));
    }
    said
}
