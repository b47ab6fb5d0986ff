//! Deployments: created, shown, scaled, deleted.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use hyper::StatusCode;
use plimsoll_deploy::arm::Container;
use plimsoll_deploy::arm::wire::{
    ASYNC_OPERATION, DeploymentProperties, List, Logs, LogsRequest, Patch, ProvisioningState,
    Resource, Sku,
};
use plimsoll_deploy::spec::{DeploymentSpec, MOST_INSTANCES};
use plimsoll_domain::with_causes;
use tokio_util::sync::CancellationToken;

use super::translate::{self, Assets};
use super::work::Subject;
use super::{Answer, Ask, accepted, begun, endpoints, json, replace};

use crate::fault::Fault;
use crate::operation::Operation;
use crate::runtime::Runtime;
use crate::store::Deployment;
use crate::{Host, LOCATION, stamp};

/// As ARM has it: [`stamp`].
pub(super) const TYPE: &str = "onlineEndpoints/deployments";

/// Lines of a log when the caller does not say how many.
const LOG_LINES: usize = 5_000;

/// What may change of a deployment that is there.
struct Change {
    tags: Option<BTreeMap<String, String>>,
    count: Option<NonZeroU32>,
    /// All else was asked for, too, and is what serves: what a failed update asked for is no longer wanted.
    is_all: bool,
}

impl Host {
    pub(super) fn list_deployments(&self, endpoint: &str) -> Answer {
        let mut store = self.store();
        let value = store.endpoint(endpoint)?.deployments.values().map(Deployment::show).collect();
        Ok(json(StatusCode::OK, &List { value }))
    }

    pub(super) fn show_deployment(&self, endpoint: &str, name: &str) -> Answer {
        Ok(json(StatusCode::OK, &self.store().deployment(endpoint, name)?.show()))
    }

    pub(super) fn logs(&self, endpoint: &str, name: &str, request: &LogsRequest) -> Answer {
        let lines = request.tail.unwrap_or(LOG_LINES);
        let kind = request.container_type.as_deref().unwrap_or("InferenceServer");
        let container = if kind.eq_ignore_ascii_case("StorageInitializer") {
            Container::StorageInitializer
        } else if kind.eq_ignore_ascii_case("InferenceServer") {
            Container::InferenceServer
        } else {
            let message =
                format!("containerType `{kind}` is neither InferenceServer nor StorageInitializer");
            return Err(Fault::bad_argument(message));
        };
        let (replicas, error) = {
            let mut store = self.store();
            let found = store.deployment(endpoint, name)?;
            (found.replicas.clone(), found.resource.properties.provisioning_error.clone())
        };
        // What failed before there was an instance has no other log.
        let content = match (replicas, error) {
            (Some(replicas), _) => replicas.log(container, lines),
            (None, Some(error)) => last_lines(&error.sentences(), lines),
            (None, None) => String::new(),
        };
        Ok(json(StatusCode::OK, &Logs { content }))
    }

    /// Creates the deployment, or changes its number of instances.
    pub(super) fn put_deployment(
        self: &Arc<Self>,
        endpoint: &str,
        name: &str,
        mut resource: Resource<DeploymentProperties>,
        ask: &Ask<'_>,
    ) -> Answer {
        endpoints::check_name("a deployment", name)?;
        translate::name_machine(&mut resource);
        resource.properties.provisioning_error = None;
        let mut store = self.store();
        let assets =
            Assets { workspace: &self.workspace, registered: &store.assets, blobs: &self.blobs };
        let (spec, notes) = translate::deployment(&assets, endpoint, name, &resource)?;
        let parent = store.endpoint(endpoint)?;
        parent.check_idle()?;
        let mut old = None;
        if let Some(existing) = parent.deployments.get(name) {
            ask.refuses(|| format!("deployment `{name}` of endpoint `{endpoint}`"))?;
            existing.check_idle()?;
            if existing.came_up {
                drop(store);
                return self.change_deployment(endpoint, name, resource, spec, ask.origin);
            }
            old.clone_from(&existing.replicas);
        }
        self.check_quota(&store, &spec)?;
        let parent = store.endpoint(endpoint)?;
        let runtime =
            Runtime::choose(&spec).map_err(|error| Fault::bad_argument(with_causes(&error)))?;
        let id = self.workspace.id(&format!("onlineEndpoints/{endpoint}/deployments/{name}"));
        resource.id = Some(id);
        resource.name = Some(name.to_owned());
        resource.location = Some(LOCATION.to_owned());
        resource.sku = Some(sku(spec.instance_count));
        resource.kind = Some(endpoints::KIND.to_owned());
        stamp::put(&mut resource, TYPE, None);
        resource.properties.provisioning_state = Some(ProvisioningState::Creating);
        let stop = parent.stop.child_token();
        let operation = store.operations.begin("odidp");
        self.name_operation(&mut resource, ask.origin, &operation);
        let parent = store.endpoint(endpoint)?;
        let deployment = Deployment {
            resource: resource.clone(),
            asked: None,
            spec: spec.clone(),
            most: spec.instance_count,
            came_up: false,
            replicas: None,
        };
        parent.deployments.insert(name.to_owned(), deployment);
        drop(store);

        for note in notes {
            operation.report(note);
        }
        let answer = begun(self, &operation, json(StatusCode::CREATED, &resource));
        let (host, reporting) = (Arc::clone(self), Arc::clone(&operation));
        let subject = Subject::Deployment(endpoint.to_owned(), name.to_owned());
        self.work(subject, &operation, async move {
            if let Some(old) = old {
                old.stop().await;
            }
            tokio::select! {
                outcome = host.bring_up(&spec, &runtime, &reporting, stop.clone()) => outcome,
                () = stop.cancelled() => Err(Fault::canceled()),
            }
        });
        Ok(answer)
    }

    /// The slow part of a creation: what the runtime needs, then the instances.
    pub(super) async fn bring_up(
        self: &Arc<Self>,
        spec: &DeploymentSpec,
        runtime: &Runtime,
        operation: &Operation,
        stop: CancellationToken,
    ) -> Result<(), Fault> {
        let build = self.rehearsal.image_build;
        if !build.is_zero() {
            operation.report(format!("building the image takes {build:?}, as the host was told"));
            tokio::time::sleep(build).await;
        }
        let mut progress = |line| operation.report(line);
        let prepared = runtime.prepare(spec, &self.cache_dir, &mut progress).await;
        let prepared = prepared.map_err(|error| Fault::bad_argument(with_causes(&error)))?;
        let count = spec.instance_count.get();
        let delay = spec.readiness_probe.initial_delay;
        operation.report(format!(
            "starting {count} instances ({}), ready after {delay:?} at the earliest (readiness_probe.initial_delay)",
            runtime.name()
        ));
        self.start_replicas(spec, prepared, stop).await?;
        self.store().deployment(&spec.endpoint_name, &spec.name)?.came_up = true;
        Ok(())
    }

    /// What autoscale asks before it sets a number of instances.
    pub(super) fn list_skus(&self, endpoint: &str, name: &str) -> Answer {
        self.store().deployment(endpoint, name)?;
        let sku = serde_json::json!({
            "resourceType": "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments",
            "sku": { "name": "Default", "tier": "Standard" },
            "capacity": {
                "minimum": 1, "maximum": MOST_INSTANCES, "default": 1, "scaleType": "Automatic",
            },
        });
        Ok(json(StatusCode::OK, &List { value: vec![sku] }))
    }

    /// A PUT on a deployment that is there. Tags and the number of instances change as they are;
    /// with anything else, or after an update that stopped half-way, the instances are replaced.
    fn change_deployment(
        self: &Arc<Self>,
        endpoint: &str,
        name: &str,
        resource: Resource<DeploymentProperties>,
        mut wanted: DeploymentSpec,
        origin: &str,
    ) -> Answer {
        let (count, tags) = (wanted.instance_count, wanted.tags.clone());
        let mut store = self.store();
        let existing = store.deployment(endpoint, name)?;
        wanted.instance_count = existing.spec.instance_count;
        wanted.tags.clone_from(&existing.spec.tags);
        let mixed = existing.replicas.as_ref().is_none_or(|replicas| replicas.are_mixed());
        if mixed
            || wanted != existing.spec
            || replace::refers_to_others(&existing.resource, &resource)
        {
            drop(store);
            wanted.instance_count = count;
            wanted.tags = tags;
            return self.replace_deployment(endpoint, name, resource, wanted, origin);
        }
        drop(store);
        let change = Change { tags: Some(resource.tags), count: Some(count), is_all: true };
        let (operation, mut shown) = self.begin_change(endpoint, name, change)?;
        self.name_operation(&mut shown, origin, &operation);
        if let Ok(existing) = self.store().deployment(endpoint, name) {
            self.name_operation(&mut existing.resource, origin, &operation);
        }
        Ok(begun(self, &operation, json(StatusCode::OK, &shown)))
    }

    /// Names the operation in what it is about, as its headers do.
    pub(super) fn name_operation(
        &self,
        resource: &mut Resource<DeploymentProperties>,
        origin: &str,
        operation: &Operation,
    ) {
        let address = self.operation_address(origin, operation);
        resource.properties.properties.insert(ASYNC_OPERATION.to_owned(), address);
    }

    /// Changes tags and the number of instances.
    pub(super) fn patch_deployment(
        self: &Arc<Self>,
        endpoint: &str,
        name: &str,
        patch: Patch,
    ) -> Answer {
        let count = patch.sku.map(|sku| translate::instances(sku.capacity)).transpose()?;
        let change = Change { tags: patch.tags, count, is_all: false };
        let (operation, _) = self.begin_change(endpoint, name, change)?;
        Ok(accepted(self, &operation))
    }

    /// Makes the change wholly or not at all: the instances first, as only they can fail.
    fn begin_change(
        self: &Arc<Self>,
        endpoint: &str,
        name: &str,
        change: Change,
    ) -> Result<(Arc<Operation>, Resource<DeploymentProperties>), Fault> {
        let mut store = self.store();
        store.endpoint(endpoint)?.check_idle()?;
        let existing = store.deployment(endpoint, name)?;
        existing.check_idle()?;
        let replicas = existing.replicas.clone().ok_or_else(|| {
            Fault::bad_argument(format!("deployment `{name}` was never started; create it again"))
        })?;
        let count = change.count.unwrap_or(existing.spec.instance_count);
        let counted = existing.counted();
        let mut wanted = existing.spec.clone();
        wanted.instance_count = count;
        self.check_quota(&store, &wanted)?;
        let existing = store.deployment(endpoint, name)?;
        existing.most = counted.max(count);
        if change.is_all {
            existing.asked = None;
        }
        existing.set_state(ProvisioningState::Scaling);
        let mut shown = existing.show();
        if let Some(tags) = &change.tags {
            shown.tags.clone_from(tags);
        }
        let operation = store.operations.begin("odidp");
        drop(store);
        let (host, endpoint, name) = (Arc::clone(self), endpoint.to_owned(), name.to_owned());
        let subject = Subject::Deployment(endpoint.clone(), name.clone());
        self.work(subject, &operation, async move {
            replicas.scale(count.get() as usize).await?;
            if let Ok(deployment) = host.store().deployment(&endpoint, &name) {
                deployment.spec.instance_count = count;
                if let Some(tags) = &change.tags {
                    deployment.spec.tags.clone_from(tags);
                }
                for resource in deployment.resources() {
                    resource.sku = Some(sku(count));
                    let before = resource.system_data.take();
                    stamp::put(resource, TYPE, before.as_ref());
                    if let Some(tags) = &change.tags {
                        resource.tags.clone_from(tags);
                    }
                }
            }
            Ok(())
        });
        Ok((operation, shown))
    }

    /// Removes a deployment that no traffic goes to.
    pub(super) fn delete_deployment(self: &Arc<Self>, endpoint: &str, name: &str) -> Answer {
        let mut store = self.store();
        let parent = store.endpoint(endpoint)?;
        parent.check_idle()?;
        let properties = &parent.resource.properties;
        for (kind, shares) in
            [("live", &properties.traffic), ("mirrored", &properties.mirror_traffic)]
        {
            if shares.get(name).is_some_and(|percent| *percent > 0) {
                return Err(Fault::bad_argument(format!(
                    "deployment `{name}` has {kind} traffic; set its traffic to 0 first"
                )));
            }
        }
        let deployment = store.deployment(endpoint, name)?;
        deployment.check_idle()?;
        deployment.set_state(ProvisioningState::Deleting);
        let replicas = deployment.replicas.take();
        store.endpoint(endpoint)?.publish();
        let operation = store.operations.begin("odidp");
        drop(store);
        let answer = accepted(self, &operation);
        let (host, endpoint, name) = (Arc::clone(self), endpoint.to_owned(), name.to_owned());
        let subject = Subject::Deployment(endpoint.clone(), name.clone());
        self.work(subject, &operation, async move {
            if let Some(replicas) = replicas {
                replicas.stop().await;
            }
            if let Ok(endpoint) = host.store().endpoint(&endpoint) {
                endpoint.deployments.remove(&name);
            }
            Ok(())
        });
        Ok(answer)
    }
}

fn last_lines(text: &str, count: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    let last = all[all.len().saturating_sub(count)..].join("\n");
    if last.is_empty() { last } else { last + "\n" }
}

pub(super) fn sku(count: NonZeroU32) -> Sku {
    Sku { name: "Default".to_owned(), capacity: count.get() }
}
