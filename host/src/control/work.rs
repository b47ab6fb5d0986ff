//! The slow part of an operation, in the background. However it ends, the operation gets its answer.

use std::pin::Pin;
use std::sync::Arc;

use plimsoll_deploy::arm::wire::ProvisioningState;

use crate::Host;
use crate::fault::Fault;
use crate::operation::Operation;

/// Of an operation whose outcome cannot be written down.
pub(super) const NOT_KEPT: &str = "the state is not kept, so this is lost when the host ends";

/// What an operation works on.
#[derive(Debug, Clone)]
pub(super) enum Subject {
    Endpoint(String),
    /// Of an endpoint.
    Deployment(String, String),
}

impl Host {
    /// Does the work in the background, then answers the operation and marks its subject.
    pub(super) fn work(
        self: &Arc<Self>,
        subject: Subject,
        operation: &Arc<Operation>,
        work: impl Future<Output = Result<(), Fault>> + Send + 'static,
    ) {
        let (host, operation) = (Arc::clone(self), Arc::clone(operation));
        let ending = Ending { host, subject, operation, outcome: Err(Fault::lost()) };
        // One type of task for all operations, which is compiled once.
        let work: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(work);
        self.tasks.spawn(async move {
            let outcome = work.await;
            ending.with(outcome);
        });
    }
}

/// Answers on drop, so that neither a panic nor the end of the runtime leaves an operation that is in
/// progress for ever, and its subject busy with it.
struct Ending {
    host: Arc<Host>,
    subject: Subject,
    operation: Arc<Operation>,
    outcome: Result<(), Fault>,
}

impl Ending {
    fn with(mut self, outcome: Result<(), Fault>) {
        self.outcome = outcome;
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let outcome = self.outcome.as_ref().copied();
        let mut store = self.host.store();
        // What was deleted, by this operation or meanwhile, has nothing left to mark.
        match &self.subject {
            Subject::Endpoint(name) => {
                let state = outcome.map_or_else(Fault::state, |()| ProvisioningState::Succeeded);
                let _ = store.endpoint(name).map(|endpoint| endpoint.set_state(state));
            }
            Subject::Deployment(endpoint, name) => {
                if let Ok(found) = store.deployment(endpoint, name) {
                    found.ended(outcome);
                }
            }
        }
        drop(store);
        if let Err(error) = self.host.save() {
            self.operation.report(format!("{NOT_KEPT}: {error}"));
        }
        self.operation.finish(self.outcome.clone());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use plimsoll_deploy::arm::wire::{EndpointProperties, Resource};
    use plimsoll_deploy::limits::EndpointLimits;
    use plimsoll_deploy::spec::AuthMode;
    use plimsoll_deploy::workspace::Workspace;
    use tokio::runtime::Handle;
    use tokio_util::sync::CancellationToken;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::Keep;
    use crate::blobs::Blobs;
    use crate::gateway::{Callers, Gateway};
    use crate::issuer::Issuer;
    use crate::spawner::Spawner;
    use crate::store::Endpoint;

    fn host(keep: Option<Keep>) -> Arc<Host> {
        Arc::new(Host {
            executable: "plimsoll".into(),
            cache_dir: "cache".into(),
            state_dir: "state".into(),
            keep,
            limits: None,
            rehearsal: crate::Rehearsal::default(),
            workspace: Workspace::local(),
            token: "token".into(),
            seed: 1,
            storage_authority: "127.0.0.1:1".to_owned(),
            blobs: Blobs::new("state".into()),
            issuer: Arc::new(Issuer::new().unwrap()),
            store: std::sync::Mutex::default(),
            spawner: Spawner::start(Handle::current()).unwrap(),
            groups: None,
            usage: crate::usage::Watch::default(),
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
        })
    }

    fn endpoint() -> Endpoint {
        let properties = EndpointProperties {
            auth_mode: AuthMode::Key,
            description: None,
            traffic: BTreeMap::new(),
            mirror_traffic: BTreeMap::new(),
            public_network_access: None,
            properties: BTreeMap::new(),
            provisioning_state: Some(ProvisioningState::Deleting),
            scoring_uri: None,
            swagger_uri: None,
        };
        Endpoint {
            resource: Resource::new(properties),
            keys: ["a".into(), "b".into()],
            port: 1,
            issuer: Arc::new(Issuer::new().unwrap()),
            gateway: Arc::new(Gateway::new(
                Callers::Keys(["a".into(), "b".into()]),
                EndpointLimits::NONE,
                1,
            )),
            deployments: BTreeMap::new(),
            stop: CancellationToken::new(),
        }
    }

    #[tokio::test]
    async fn who_asks_hears_that_it_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let host = host(Some(Keep::open(&path).unwrap()));
        for is_lost in [false, true] {
            let operation = host.store().operations.begin("oe");
            host.work(Subject::Endpoint("end".to_owned()), &operation, async { Ok(()) });
            host.tasks.close();
            host.tasks.wait().await;
            let said = operation.status().properties.lines;
            assert_eq!(said.iter().any(|line| line.contains("is not kept")), is_lost, "{said:?}");
            std::fs::remove_dir_all(&path).unwrap_or_default();
        }
    }

    #[tokio::test]
    async fn an_operation_whose_work_panics_has_failed_and_its_subject_is_free() {
        let host = host(None);
        host.store().endpoints.insert("end".to_owned(), endpoint());
        assert!(host.store().endpoint("end").unwrap().check_idle().is_err());
        let operation = host.store().operations.begin("oe");
        let inside = Arc::clone(&host);
        host.work(Subject::Endpoint("end".to_owned()), &operation, async move {
            let _store = inside.store();
            panic!("a fault of ours")
        });
        host.tasks.close();
        host.tasks.wait().await;
        let status = operation.status();
        assert_eq!(status.status, "Failed");
        let error = status.error.unwrap();
        assert!(error.message.contains("without an answer"), "{}", error.message);
        assert!(host.store().endpoint("end").unwrap().check_idle().is_ok());
    }
}
