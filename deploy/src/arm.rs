//! The deployment driver for Azure Resource Manager, and for the local host, which speaks the same.
//!
//! One client, one set of rules for long-running operations, one set of errors. Plain HTTP only, so
//! for now it drives a local host; deployments refer to files of this machine.

mod assets;
mod body;
mod client;
mod error;
pub mod file_uri;
mod lro;
mod resources;
pub mod score;
mod view;
pub mod wire;

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;

use bytes::Bytes;
use hyper::Method;
use secrecy::SecretString;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::spec::{Asset, DeploymentSpec, EndpointSpec};
use crate::workspace::Workspace;
use assets::Registration;
use client::{Answer, Client};
use wire::{
    API_VERSION, Answers, DeploymentProperties, DeploymentUse, EndpointProperties, Keys, List,
    Logs, LogsRequest, Patch, Resource, Sku,
};

pub use error::Error;
pub use lro::Progress;
pub use resources::{AssetKind, Container, Until};
pub use view::{Credentials, Deployment, Endpoint};
pub use wire::{InstanceStatus, KeyType, ProvisioningState};

/// Creates, shows, changes and deletes endpoints and deployments of one workspace.
pub struct ArmDriver {
    client: Client,
    workspace: Workspace,
}

impl fmt::Debug for ArmDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArmDriver").field("workspace", &self.workspace).finish_non_exhaustive()
    }
}

impl ArmDriver {
    /// A driver for the control plane at `url`, which is `http://HOST:PORT`.
    ///
    /// # Errors
    /// The address is not of that form.
    pub fn new(url: &str, workspace: Workspace, token: &SecretString) -> Result<Self, Error> {
        Ok(Self { client: Client::new(url, token)?, workspace })
    }

    /// Creates an endpoint. Its traffic is left for [`set_traffic`](Self::set_traffic), because it
    /// has no deployments yet.
    pub async fn create_endpoint(&self, spec: &EndpointSpec) -> Result<Endpoint, Error> {
        let what = endpoint_words(&spec.name);
        absent(&what, self.show_endpoint(&spec.name).await)?;
        let body = body::endpoint(&what, &self.location().await?, spec)?;
        let path = endpoint_path(&spec.name);
        let answer = self.send(&what, Method::PUT, &path, &body).await?;
        lro::wait(&self.client, &what, &answer, &mut |_| {}).await?;
        self.show_endpoint(&spec.name).await
    }

    /// The endpoint as it is now.
    pub async fn show_endpoint(&self, name: &str) -> Result<Endpoint, Error> {
        let (what, path) = (endpoint_words(name), endpoint_path(name));
        Ok(self.get::<Resource<EndpointProperties>>(&what, &path).await?.into())
    }

    /// All endpoints.
    pub async fn list_endpoints(&self) -> Result<Vec<Endpoint>, Error> {
        let list: List<Resource<EndpointProperties>> =
            self.get("the endpoints", "onlineEndpoints").await?;
        Ok(list.value.into_iter().map(Endpoint::from).collect())
    }

    /// Sends requests to deployments by percent; the sum is 0 or 100.
    pub async fn set_traffic(
        &self,
        name: &str,
        traffic: &BTreeMap<String, u8>,
    ) -> Result<Endpoint, Error> {
        let (what, path) = (endpoint_words(name), endpoint_path(name));
        let mut resource: Resource<EndpointProperties> = self.get(&what, &path).await?;
        let live = traffic.iter().filter(|(_, percent)| **percent > 0);
        resource.properties.traffic =
            live.map(|(name, percent)| (name.clone(), *percent)).collect();
        let answer = self.send(&what, Method::PUT, &path, &resource).await?;
        lro::wait(&self.client, &what, &answer, &mut |_| {}).await?;
        self.show_endpoint(name).await
    }

    /// Sends requests, and copies of requests, to deployments by percent: live shares whose sum is 0 or 100, and the
    /// mirrored share of one other deployment.
    pub async fn set_shares(
        &self,
        name: &str,
        traffic: &BTreeMap<String, u8>,
        mirror: &BTreeMap<String, u8>,
    ) -> Result<Endpoint, Error> {
        let (what, path) = (endpoint_words(name), endpoint_path(name));
        let mut resource: Resource<EndpointProperties> = self.get(&what, &path).await?;
        let positive = |shares: &BTreeMap<String, u8>| -> BTreeMap<String, u8> {
            let shares = shares.iter().filter(|(_, percent)| **percent > 0);
            shares.map(|(name, percent)| (name.clone(), *percent)).collect()
        };
        resource.properties.traffic = positive(traffic);
        resource.properties.mirror_traffic = positive(mirror);
        let answer = self.send(&what, Method::PUT, &path, &resource).await?;
        lro::wait(&self.client, &what, &answer, &mut |_| {}).await?;
        self.show_endpoint(name).await
    }

    /// The endpoint's two keys.
    pub async fn credentials(&self, name: &str) -> Result<Credentials, Error> {
        let (what, path) = (endpoint_words(name), endpoint_path(name) + "/listKeys");
        let answer = self.call(&what, Method::POST, &path, Bytes::new()).await?;
        Ok(Credentials::from(answer.read::<Keys>(&what)?))
    }

    /// Deletes an endpoint with all its deployments.
    pub async fn delete_endpoint(&self, name: &str) -> Result<(), Error> {
        let what = endpoint_words(name);
        let answer = self.call(&what, Method::DELETE, &endpoint_path(name), Bytes::new()).await?;
        lro::wait(&self.client, &what, &answer, &mut |_| {}).await
    }

    /// Creates a deployment and waits until all its instances are ready. `progress` is told what
    /// goes on meanwhile. A deployment whose creation failed stays, with its log.
    pub async fn create_deployment(
        &self,
        spec: &DeploymentSpec,
        progress: Progress<'_>,
    ) -> Result<Deployment, Error> {
        let what = deployment_words(&spec.endpoint_name, &spec.name);
        absent(&what, self.show_deployment(&spec.endpoint_name, &spec.name).await)?;
        let location = self.location().await?;
        let ids = self.register(&what, &location, spec).await?;
        let body = body::deployment(&what, &location, spec, ids)?;
        let path = deployment_path(&spec.endpoint_name, &spec.name);
        let answer = self.send(&what, Method::PUT, &path, &body).await?;
        lro::wait(&self.client, &what, &answer, progress).await?;
        self.show_deployment(&spec.endpoint_name, &spec.name).await
    }

    /// The deployment as it is now.
    pub async fn show_deployment(&self, endpoint: &str, name: &str) -> Result<Deployment, Error> {
        let (what, path) = (deployment_words(endpoint, name), deployment_path(endpoint, name));
        Ok(self.get::<Resource<DeploymentProperties>>(&what, &path).await?.into())
    }

    /// What the instances of a deployment have used so far; only a local host says so.
    pub async fn deployment_use(&self, endpoint: &str, name: &str) -> Result<DeploymentUse, Error> {
        let (what, path) = (deployment_words(endpoint, name), deployment_path(endpoint, name));
        self.get(&what, &(path + "/use")).await
    }

    /// What each deployment of an endpoint has answered since this was asked last; from the first time on it is counted.
    /// Only a local host says so.
    pub async fn take_answers(&self, endpoint: &str) -> Result<BTreeMap<String, Answers>, Error> {
        let (what, path) = (endpoint_words(endpoint), endpoint_path(endpoint) + "/takeAnswers");
        self.call(&what, Method::POST, &path, Bytes::new()).await?.read(&what)
    }

    /// All deployments of an endpoint.
    pub async fn list_deployments(&self, endpoint: &str) -> Result<Vec<Deployment>, Error> {
        let path = endpoint_path(endpoint) + "/deployments";
        let list: List<Resource<DeploymentProperties>> =
            self.get(&endpoint_words(endpoint), &path).await?;
        Ok(list.value.into_iter().map(Deployment::from).collect())
    }

    /// Changes the number of instances, and waits until the new ones are ready or the old ones gone.
    pub async fn scale(
        &self,
        endpoint: &str,
        name: &str,
        instances: NonZeroU32,
    ) -> Result<Deployment, Error> {
        let (what, path) = (deployment_words(endpoint, name), deployment_path(endpoint, name));
        let sku = Sku { name: "Default".to_owned(), capacity: instances.get() };
        let change = Patch { sku: Some(sku), tags: None };
        let answer = self.send(&what, Method::PATCH, &path, &change).await?;
        lro::wait(&self.client, &what, &answer, &mut |_| {}).await?;
        self.show_deployment(endpoint, name).await
    }

    /// The last lines of each instance's log, one instance after the other.
    pub async fn logs(&self, endpoint: &str, name: &str, lines: usize) -> Result<String, Error> {
        let what = deployment_words(endpoint, name);
        let path = deployment_path(endpoint, name) + "/getLogs";
        let container_type = Some("InferenceServer".to_owned());
        let request = LogsRequest { container_type, tail: Some(lines) };
        let answer = self.send(&what, Method::POST, &path, &request).await?;
        Ok(answer.read::<Logs>(&what)?.content)
    }

    /// Deletes a deployment, which must have no live traffic.
    pub async fn delete_deployment(&self, endpoint: &str, name: &str) -> Result<(), Error> {
        let (what, path) = (deployment_words(endpoint, name), deployment_path(endpoint, name));
        let answer = self.call(&what, Method::DELETE, &path, Bytes::new()).await?;
        lro::wait(&self.client, &what, &answer, &mut |_| {}).await
    }

    async fn register(
        &self,
        what: &str,
        location: &str,
        spec: &DeploymentSpec,
    ) -> Result<body::Ids, Error> {
        let workspace = &self.workspace;
        let mut ids = body::Ids::default();
        let mut registrations: Vec<Registration> = Vec::new();
        if let Some(model) = &spec.model {
            let model = match model {
                Asset::Reference(r) => Asset::Reference(self.versioned(AssetKind::Model, r).await?),
                Asset::Inline(_) => model.clone(),
            };
            let (id, registration) = assets::model(workspace, what, &model).await?;
            ids.model = Some(id);
            registrations.extend(registration);
        }
        if let Some(code) = &spec.code {
            let (id, registration) = assets::code(workspace, what, code).await?;
            ids.code = Some(id);
            registrations.extend(registration);
        }
        if let Some(environment) = &spec.environment {
            let kind = AssetKind::Environment;
            let environment = match environment {
                Asset::Reference(r) => Asset::Reference(self.versioned(kind, r).await?),
                Asset::Inline(_) => environment.clone(),
            };
            let (id, registration) = assets::environment(workspace, what, &environment)?;
            ids.environment = Some(id);
            registrations.extend(registration);
        }
        for Registration { path, properties } in registrations {
            let location = Some(location.to_owned());
            let resource = Resource { location, ..Resource::new(properties) };
            self.send(what, Method::PUT, &path, &resource).await?;
        }
        Ok(ids)
    }

    /// The workspace's region, which is sent in every PUT.
    async fn location(&self) -> Result<String, Error> {
        let what = format!("workspace `{}`", self.workspace.name);
        let workspace: Value = self.get(&what, "").await?;
        Ok(workspace["location"].as_str().unwrap_or_default().to_owned())
    }

    async fn get<T: DeserializeOwned>(&self, what: &str, path: &str) -> Result<T, Error> {
        self.call(what, Method::GET, path, Bytes::new()).await?.read(what)
    }

    async fn send(
        &self,
        what: &str,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Answer, Error> {
        let body = serde_json::to_vec(body).expect("resources have string keys and finite numbers");
        self.call(what, method, path, Bytes::from(body)).await
    }

    async fn call(
        &self,
        what: &str,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Answer, Error> {
        let id = self.workspace.id(path);
        let path = format!("{}?api-version={API_VERSION}", id.trim_end_matches('/'));
        self.client.call(what, method, &path, body).await
    }
}

/// Azure overwrites what is there; a run must not.
fn absent<T>(what: &str, shown: Result<T, Error>) -> Result<(), Error> {
    match shown {
        Ok(_) => Err(Error::Exists { what: what.to_owned() }),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error),
    }
}

fn endpoint_words(name: &str) -> String {
    format!("endpoint `{name}`")
}

fn deployment_words(endpoint: &str, name: &str) -> String {
    format!("deployment `{name}` of endpoint `{endpoint}`")
}

fn endpoint_path(name: &str) -> String {
    format!("onlineEndpoints/{name}")
}

fn deployment_path(endpoint: &str, name: &str) -> String {
    format!("onlineEndpoints/{endpoint}/deployments/{name}")
}
