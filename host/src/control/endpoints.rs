//! Endpoints: created, shown, changed, deleted.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, StatusCode};
use plimsoll_deploy::arm::wire::{EndpointProperties, Keys, List, ProvisioningState, Resource};
use plimsoll_deploy::naming;
use plimsoll_deploy::spec::AuthMode;
use secrecy::ExposeSecret;
use tokio::net::{TcpListener, TcpSocket};
use uuid::Uuid;

use super::work::Subject;
use super::{Answer, accepted, begun, json};
use crate::fault::Fault;
use crate::gateway::Gateway;
use crate::store::Endpoint;
use crate::{Host, LOCATION};

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

    pub(super) fn list_keys(&self, name: &str) -> Answer {
        let mut store = self.store();
        let [primary, secondary] = store.endpoint(name)?.gateway.keys();
        let keys = Keys {
            primary_key: primary.expose_secret().to_owned(),
            secondary_key: secondary.expose_secret().to_owned(),
        };
        Ok(json(StatusCode::OK, &keys))
    }

    /// Creates the endpoint, or makes it what the body says.
    pub(super) fn put_endpoint(
        self: &Arc<Self>,
        name: &str,
        resource: Resource<EndpointProperties>,
    ) -> Answer {
        check_name("an endpoint", name)?;
        let properties = &resource.properties;
        if properties.auth_mode != AuthMode::Key {
            return Err(Fault::not_supported("authMode other than Key"));
        }
        if !properties.mirror_traffic.values().all(|percent| *percent == 0) {
            return Err(Fault::not_supported("mirrorTraffic"));
        }
        if self.store().endpoints.contains_key(name) {
            self.change_endpoint(name, resource)
        } else {
            self.create_endpoint(name, resource)
        }
    }

    fn create_endpoint(
        self: &Arc<Self>,
        name: &str,
        mut resource: Resource<EndpointProperties>,
    ) -> Answer {
        check_traffic(&resource.properties.traffic, |_| false)?;
        let listener = listen().map_err(|error| {
            let message = format!("endpoint `{name}` cannot listen: {error}");
            Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", message)
        })?;
        let (listener, address) = listener;
        let key = || Uuid::new_v4().simple().to_string().into();
        let gateway = Arc::new(Gateway::new([key(), key()], self.seed));
        let stop = self.shutdown.child_token();
        let answer = {
            let gateway = Arc::clone(&gateway);
            move |request| Arc::clone(&gateway).answer(request)
        };
        self.serve(listener, crate::places(crate::ENDPOINT_SHARE), stop.clone(), answer);

        let id = self.workspace.id(&format!("onlineEndpoints/{name}"));
        resource.properties.properties.insert("azureml.onlineendpointid".to_owned(), id.clone());
        resource.id = Some(id);
        resource.name = Some(name.to_owned());
        resource.location = Some(LOCATION.to_owned());
        let properties = &mut resource.properties;
        properties.scoring_uri = Some(format!("http://{address}/score"));
        properties.swagger_uri = Some(format!("http://{address}/swagger.json"));
        properties.provisioning_state = Some(ProvisioningState::Succeeded);
        let operation = self.store().operations.begin("oe");
        operation.finish(Ok(()));
        let answer = begun(self, &operation, json(StatusCode::CREATED, &resource));
        let deployments = BTreeMap::new();
        let endpoint = Endpoint { resource, gateway, deployments, stop };
        match self.store().endpoints.entry(name.to_owned()) {
            Entry::Vacant(place) => {
                place.insert(endpoint);
                Ok(answer)
            }
            Entry::Occupied(_) => {
                endpoint.stop.cancel();
                Err(Fault::busy(format!("endpoint `{name}`"), ProvisioningState::Creating))
            }
        }
    }

    fn change_endpoint(&self, name: &str, resource: Resource<EndpointProperties>) -> Answer {
        let mut store = self.store();
        let endpoint = store.endpoint(name)?;
        endpoint.check_idle()?;
        check_traffic(&resource.properties.traffic, |name| {
            endpoint.deployments.contains_key(name)
        })?;
        endpoint.resource.tags = resource.tags;
        let (old, new) = (&mut endpoint.resource.properties, resource.properties);
        old.description = new.description;
        old.traffic = new.traffic.into_iter().filter(|(_, percent)| *percent > 0).collect();
        // Properties are added, never removed.
        old.properties.extend(new.properties);
        endpoint.publish();
        let changed = endpoint.resource.clone();
        let operation = store.operations.begin("oe");
        drop(store);
        operation.finish(Ok(()));
        Ok(begun(self, &operation, json(StatusCode::OK, &changed)))
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

/// The data plane's own listener, on a port that the system chooses.
fn listen() -> std::io::Result<(TcpListener, SocketAddr)> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
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

/// Percentages that add up, of deployments that are there.
fn check_traffic(
    traffic: &BTreeMap<String, u8>,
    is_there: impl Fn(&str) -> bool,
) -> Result<(), Fault> {
    let sum: u32 = traffic.values().copied().map(u32::from).sum();
    if sum != 0 && sum != 100 {
        return Err(Fault::bad_argument(format!("traffic adds up to {sum}, not to 0 or 100")));
    }
    match traffic.iter().find(|(name, percent)| **percent > 0 && !is_there(name)) {
        Some((name, _)) => Err(Fault::bad_argument(format!(
            "traffic names deployment `{name}`, which is not there; create it first"
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traffic_adds_up_to_nothing_or_all() {
        let check = |pairs: &[(&str, u8)]| {
            let traffic = pairs.iter().map(|(name, percent)| ((*name).to_owned(), *percent));
            check_traffic(&traffic.collect(), |name| name != "gone").is_ok()
        };
        assert!(check(&[]) && check(&[("blue", 60), ("green", 40)]) && check(&[("gone", 0)]));
        assert!(!check(&[("blue", 60)]) && !check(&[("blue", 60), ("green", 50)]));
        assert!(!check(&[("gone", 100)]));
    }
}
