//! Endpoints: created, shown, changed, deleted.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, StatusCode};
use plimsoll_deploy::arm::wire::{
    ASYNC_OPERATION, EndpointPatch, EndpointProperties, List, ProvisioningState, Resource,
};
use plimsoll_deploy::limits::{EndpointLimits, WrongLimit};
use plimsoll_deploy::naming;
use secrecy::SecretString;
use tokio::net::{TcpListener, TcpSocket};

use super::keys::new_key;
use super::work::Subject;
use super::{Answer, Ask, accepted, begun, json, traffic};
use crate::fault::Fault;
use crate::gateway::{Callers, Gateway};
use crate::store::Endpoint;
use crate::{Host, LOCATION, stamp};

/// As ARM has them: [`stamp`].
const TYPE: &str = "onlineEndpoints";
pub(super) const KIND: &str = "Managed";

/// Connections that may wait to be accepted; the system may allow fewer. Beyond that a caller is
/// not refused but tries again after a second, which would be measured as the deployment's time:
/// the usual 128 are gone in a stall of a moment.
const BACKLOG: u32 = 4096;

impl Host {
    pub(super) fn list_endpoints(&self) -> Response<Full<Bytes>> {
        let store = self.store();
        let value = store.endpoints.values().map(|endpoint| &endpoint.resource).collect();
        json(StatusCode::OK, &List { value })
    }

    pub(super) fn show_endpoint(&self, name: &str) -> Answer {
        Ok(json(StatusCode::OK, &self.store().endpoint(name)?.resource))
    }

    /// Creates the endpoint, or makes it what the body says.
    pub(super) fn put_endpoint(
        self: &Arc<Self>,
        name: &str,
        resource: Resource<EndpointProperties>,
        ask: &Ask<'_>,
    ) -> Answer {
        check_name("an endpoint", name)?;
        if self.store().endpoints.contains_key(name) {
            ask.refuses(|| format!("endpoint `{name}`"))?;
            self.change_endpoint(name, resource, ask.origin)
        } else {
            self.create_endpoint(name, resource, ask.origin)
        }
    }

    fn create_endpoint(
        self: &Arc<Self>,
        name: &str,
        mut resource: Resource<EndpointProperties>,
        origin: &str,
    ) -> Answer {
        let properties = &mut resource.properties;
        (properties.traffic, properties.mirror_traffic) =
            traffic::check(&properties.traffic, &properties.mirror_traffic, &[])?;
        limits(&properties.properties)?;
        let listener = listen(0).map_err(|error| {
            let message = format!("endpoint `{name}` cannot listen: {error}");
            Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", message)
        })?;
        let id = self.workspace.id(&format!("onlineEndpoints/{name}"));
        let properties = &mut resource.properties;
        properties.properties.insert("azureml.onlineendpointid".to_owned(), id.clone());
        properties.provisioning_state = Some(ProvisioningState::Succeeded);
        resource.id = Some(id);
        resource.name = Some(name.to_owned());
        resource.location = Some(LOCATION.to_owned());
        resource.kind = Some(KIND.to_owned());
        stamp::put(&mut resource, TYPE, None);
        let operation = self.store().operations.begin("oe");
        let (key, address) = (ASYNC_OPERATION, self.operation_address(origin, &operation));
        resource.properties.properties.insert(key.to_owned(), address);
        let endpoint = self.open_endpoint(resource, [new_key(), new_key()], listener);
        operation.finish(Ok(()));
        let answer = begun(self, &operation, json(StatusCode::CREATED, &endpoint.resource));
        match self.store().endpoints.entry(name.to_owned()) {
            Entry::Vacant(place) => {
                place.insert(endpoint);
                Ok(answer)
            }
            Entry::Occupied(_) => {
                endpoint.stop.cancel();
                Err(Fault::exists(format!("endpoint `{name}`")))
            }
        }
    }

    /// An endpoint that serves on the listener, without deployments.
    pub(super) fn open_endpoint(
        &self,
        mut resource: Resource<EndpointProperties>,
        keys: [SecretString; 2],
        (listener, address): (TcpListener, SocketAddr),
    ) -> Endpoint {
        // What was kept by a host that knew other limits holds no endpoint up.
        let limits = EndpointLimits::read(&resource.properties.properties).unwrap_or_default();
        let gateway = Arc::new(Gateway::new(Callers::Keys(keys.clone()), limits, self.seed));
        let stop = self.shutdown.child_token();
        let answer = {
            let gateway = Arc::clone(&gateway);
            move |request| Arc::clone(&gateway).answer(request)
        };
        let gate = Arc::clone(gateway.gate());
        self.serve(
            listener,
            gate,
            None,
            crate::places(crate::ENDPOINT_SHARE),
            stop.clone(),
            answer,
        );
        let properties = &mut resource.properties;
        properties.scoring_uri = Some(format!("http://{address}/score"));
        properties.swagger_uri = Some(format!("http://{address}/swagger.json"));
        let (issuer, port) = (Arc::clone(&self.issuer), address.port());
        let deployments = BTreeMap::new();
        let endpoint = Endpoint { resource, keys, port, issuer, gateway, deployments, stop };
        endpoint.publish_callers();
        endpoint
    }

    fn change_endpoint(
        &self,
        name: &str,
        resource: Resource<EndpointProperties>,
        origin: &str,
    ) -> Answer {
        let mut store = self.store();
        let endpoint = store.endpoint(name)?;
        endpoint.check_idle()?;
        let names: Vec<&str> = endpoint.deployments.keys().map(String::as_str).collect();
        let asked = &resource.properties;
        let (live, mirrored) = traffic::check(&asked.traffic, &asked.mirror_traffic, &names)?;
        // Properties are added, never removed.
        let mut properties = endpoint.resource.properties.properties.clone();
        properties.extend(asked.properties.clone());
        let limits = limits(&properties)?;
        let operation = store.operations.begin("oe");
        let (key, address) = (ASYNC_OPERATION, self.operation_address(origin, &operation));
        properties.insert(key.to_owned(), address);
        let endpoint = store.endpoint(name)?;
        endpoint.resource.tags = resource.tags;
        let before = endpoint.resource.system_data.take();
        stamp::put(&mut endpoint.resource, TYPE, before.as_ref());
        let (old, new) = (&mut endpoint.resource.properties, resource.properties);
        old.description = new.description;
        old.auth_mode = new.auth_mode;
        (old.traffic, old.mirror_traffic) = (live, mirrored);
        old.properties = properties;
        endpoint.gateway.gate().set(limits);
        endpoint.publish();
        endpoint.publish_callers();
        let changed = endpoint.resource.clone();
        drop(store);
        operation.finish(Ok(()));
        Ok(begun(self, &operation, json(StatusCode::OK, &changed)))
    }

    /// Changes what a PATCH may change.
    pub(super) fn patch_endpoint(&self, name: &str, patch: EndpointPatch) -> Answer {
        let mut store = self.store();
        let endpoint = store.endpoint(name)?;
        endpoint.check_idle()?;
        if let Some(tags) = patch.tags {
            endpoint.resource.tags = tags;
        }
        endpoint.resource.identity = patch.identity.or(endpoint.resource.identity.take());
        let operation = store.operations.begin("oe");
        drop(store);
        operation.finish(Ok(()));
        Ok(accepted(self, &operation))
    }

    /// What its deployments have answered since this was asked last: the first time, nothing.
    pub(super) fn take_answers(&self, name: &str) -> Answer {
        let meter = Arc::clone(self.store().endpoint(name)?.gateway.meter());
        Ok(json(StatusCode::OK, &meter.take_answers()))
    }

    /// Removes the endpoint with all its deployments, also while one of them is being created.
    pub(super) fn delete_endpoint(self: &Arc<Self>, name: &str) -> Answer {
        let mut store = self.store();
        let endpoint = store.endpoint(name)?;
        endpoint.check_idle()?;
        endpoint.set_state(ProvisioningState::Deleting);
        endpoint.stop.cancel();
        let deployments = endpoint.deployments.values();
        let replicas: Vec<_> = deployments.filter_map(|each| each.replicas.clone()).collect();
        let operation = store.operations.begin("oe");
        drop(store);
        let answer = accepted(self, &operation);
        let (host, name) = (Arc::clone(self), name.to_owned());
        self.work(Subject::Endpoint(name.clone()), &operation, async move {
            for each in replicas {
                each.stop().await;
            }
            host.store().endpoints.remove(&name);
            Ok(())
        });
        Ok(answer)
    }
}

/// The limits that an endpoint's properties name.
fn limits(properties: &BTreeMap<String, String>) -> Result<EndpointLimits, Fault> {
    EndpointLimits::read(properties).map_err(|wrong| {
        let said = |wrong: &WrongLimit| format!("{}: {}; {}", wrong.key, wrong.message, wrong.hint);
        Fault::bad_argument(wrong.iter().map(said).collect::<Vec<_>>().join("\n"))
    })
}

/// The data plane's own listener; on port 0 the system chooses one.
pub(super) fn listen(port: u16) -> std::io::Result<(TcpListener, SocketAddr)> {
    let socket = TcpSocket::new_v4()?;
    // One that a host before this one had: its connections may not be quite over.
    socket.set_reuseaddr(true)?;
    socket.bind(([127, 0, 0, 1], port).into())?;
    let listener = socket.listen(BACKLOG)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Refuses what cannot be a name.
pub(super) fn check_name(kind: &str, name: &str) -> Result<(), Fault> {
    naming::fault(name).map_or(Ok(()), |fault| {
        Err(Fault::bad_argument(format!("`{name}` cannot be the name of {kind}: {fault}")))
    })
}
