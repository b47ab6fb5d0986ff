//! The deployment driver for Azure Resource Manager, and for the local host, which speaks the same.
//!
//! One client, one set of rules for long-running operations, one set of errors. A local host is driven by plain HTTP, and
//! its deployments refer to files of this machine; Azure by HTTPS, with a token of whoever asks.

mod assets;
mod body;
mod change;
mod client;
pub mod cloud;
pub mod credential;
pub mod dry;
mod error;
pub mod file_uri;
mod lro;
mod remedy;
mod resources;
pub mod score;
pub mod transport;
mod upload;
mod view;
pub mod wire;

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;

use bytes::Bytes;
use hyper::Method;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::quota::Usages;
use crate::spec::{Asset, AuthMode, DeploymentSpec, EndpointSpec, Location, Model};
use crate::workspace::Workspace;
use assets::Registration;
use change::Change;
use client::{Answer, Call, Client};
use cloud::Cloud;
use credential::Credential;
use dry::{Dry, Sent};
use transport::Transport;
use wire::{
    API_VERSION, Answers, DeploymentProperties, DeploymentUse, EndpointProperties, Keys, Logs,
    LogsRequest, Patch, Resource, Sku,
};

pub use client::Limits;
pub use error::Error;
pub use lro::Progress;
pub use remedy::Trace;
pub use resources::{AssetKind, Container, Until};
pub use view::{Credentials, Deployment, Endpoint};
pub use wire::{InstanceStatus, KeyType, ProvisioningState};

/// Creates, shows, changes and deletes endpoints and deployments of one workspace.
pub struct ArmDriver {
    client: Client,
    workspace: Workspace,
    /// Whose tokens endpoints take that want Entra's; nothing for a local host, which makes them itself.
    data_plane: Option<String>,
}

impl fmt::Debug for ArmDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArmDriver").field("workspace", &self.workspace).finish_non_exhaustive()
    }
}

impl ArmDriver {
    /// A driver for the local host at `url`, which is `http://HOST:PORT` on this machine.
    ///
    /// # Errors
    /// The address is not of that form.
    pub fn new(url: &str, workspace: Workspace, token: &SecretString) -> Result<Self, Error> {
        Ok(Self { client: Client::local(url, token)?, workspace, data_plane: None })
    }

    /// A driver for a cloud, or for what speaks as a cloud does.
    ///
    /// # Errors
    /// The address of its resource manager is not `https://HOST`.
    pub fn azure(
        cloud: &Cloud,
        workspace: Workspace,
        credential: Credential,
        transport: Transport,
    ) -> Result<Self, Error> {
        let client = Client::azure(transport, &cloud.resource_manager, credential, cloud.scope())?;
        Ok(Self { client, workspace, data_plane: Some(cloud.data_plane_scope()) })
    }

    /// With tokens for another resource than that of its address.
    #[must_use]
    pub fn for_scope(mut self, scope: String) -> Self {
        self.client.scope = scope;
        self
    }

    /// With other limits on how long things may take.
    #[must_use]
    pub fn within(mut self, limits: Limits) -> Self {
        self.client.limits = limits;
        self
    }

    /// One that sends no change, but keeps what it would send.
    #[must_use]
    pub fn rehearsing(mut self, reads: dry::Reads) -> Self {
        self.client.dry = Some(Dry::new(reads));
        self
    }

    /// What would have been sent so far, in order.
    pub fn rehearsed(&self) -> Vec<Sent> {
        self.client.dry.as_ref().map(Dry::sent).unwrap_or_default()
    }

    /// Whether it drives Azure, and no local host.
    pub fn is_azure(&self) -> bool {
        self.client.is_azure()
    }

    /// Creates an endpoint. Its traffic is left for [`set_traffic`](Self::set_traffic), because it
    /// has no deployments yet.
    pub async fn create_endpoint(&self, spec: &EndpointSpec) -> Result<Endpoint, Error> {
        let what = endpoint_words(&spec.name);
        absent(&what, self.show_endpoint(&spec.name).await)?;
        let body = body::endpoint(&what, &self.location().await?, spec)?;
        let path = endpoint_path(&spec.name);
        let change = Change { is_new: true, ..Change::new(&what, Method::PUT, &path, &body) };
        self.change(&change, &mut |_| {}).await?;
        self.show_endpoint(&spec.name).await
    }

    /// The endpoint as it is now.
    pub async fn show_endpoint(&self, name: &str) -> Result<Endpoint, Error> {
        let (what, path) = (endpoint_words(name), endpoint_path(name));
        Ok(self.get::<Resource<EndpointProperties>>(&what, &path).await?.into())
    }

    /// All endpoints.
    pub async fn list_endpoints(&self) -> Result<Vec<Endpoint>, Error> {
        let all = self.list::<Resource<EndpointProperties>>("the endpoints", "onlineEndpoints");
        Ok(all.await?.into_iter().map(Endpoint::from).collect())
    }

    /// Sends requests to deployments by percent; the sum is 0 or 100.
    pub async fn set_traffic(
        &self,
        name: &str,
        traffic: &BTreeMap<String, u8>,
    ) -> Result<Endpoint, Error> {
        self.share(name, &[("traffic", traffic)]).await
    }

    /// Sends requests, and copies of requests, to deployments by percent: live shares whose sum is 0 or 100, and the
    /// mirrored share of one other deployment.
    pub async fn set_shares(
        &self,
        name: &str,
        traffic: &BTreeMap<String, u8>,
        mirror: &BTreeMap<String, u8>,
    ) -> Result<Endpoint, Error> {
        self.share(name, &[("traffic", traffic), ("mirrorTraffic", mirror)]).await
    }

    /// Read, changed and written back whole; again if somebody else wrote meanwhile.
    async fn share(
        &self,
        name: &str,
        shares: &[(&str, &BTreeMap<String, u8>)],
    ) -> Result<Endpoint, Error> {
        let (what, path) = (endpoint_words(name), endpoint_path(name));
        let mut tries = 3;
        loop {
            let (mut resource, version) = self.versioned_read(&what, &path).await?;
            for (key, shares) in shares {
                resource["properties"][*key] = serde_json::json!(resources::live(shares));
            }
            let change = Change { version, ..Change::new(&what, Method::PUT, &path, &resource) };
            tries -= 1;
            match self.change(&change, &mut |_| {}).await {
                Err(error) if error.status() == Some(412) && tries > 0 => {}
                done => break done?,
            }
        }
        self.show_endpoint(name).await
    }

    /// The endpoint's two keys.
    pub async fn credentials(&self, name: &str) -> Result<Credentials, Error> {
        let (what, path) = (endpoint_words(name), endpoint_path(name) + "/listKeys");
        let answer = self.question(&what, &path, &Value::Null).await?;
        Ok(Credentials::from(answer.read::<Keys>(&what)?))
    }

    /// What a caller of an endpoint shows: its key, its token, or who they are.
    pub async fn secret(&self, name: &str, mode: AuthMode) -> Result<SecretString, Error> {
        match (mode, &self.data_plane) {
            (AuthMode::Key, _) => Ok(self.credentials(name).await?.primary),
            (AuthMode::AadToken, Some(scope)) => {
                self.client.token_for(&endpoint_words(name), scope).await
            }
            (AuthMode::AmlToken | AuthMode::AadToken, _) => {
                Ok(self.token(name).await?.access_token.into())
            }
        }
    }

    /// Deletes an endpoint with all its deployments.
    pub async fn delete_endpoint(&self, name: &str) -> Result<(), Error> {
        self.remove_endpoint(name, Until::Done).await
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
        let body = self.deployment_body(&what, spec).await?;
        let path = deployment_path(&spec.endpoint_name, &spec.name);
        let change = Change { is_new: true, ..Change::new(&what, Method::PUT, &path, &body) };
        self.change(&change, progress).await?;
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
        self.question(&what, &path, &Value::Null).await?.read(&what)
    }

    /// All deployments of an endpoint.
    pub async fn list_deployments(&self, endpoint: &str) -> Result<Vec<Deployment>, Error> {
        let path = endpoint_path(endpoint) + "/deployments";
        let what = endpoint_words(endpoint);
        let all = self.list::<Resource<DeploymentProperties>>(&what, &path).await?;
        Ok(all.into_iter().map(Deployment::from).collect())
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
        self.change(&Change::new(&what, Method::PATCH, &path, &change), &mut |_| {}).await?;
        self.show_deployment(endpoint, name).await
    }

    /// The last lines of each instance's log, one instance after the other.
    pub async fn logs(&self, endpoint: &str, name: &str, lines: usize) -> Result<String, Error> {
        let what = deployment_words(endpoint, name);
        let path = deployment_path(endpoint, name) + "/getLogs";
        let container_type = Some("InferenceServer".to_owned());
        let request = LogsRequest { container_type, tail: Some(lines) };
        let answer = self.question(&what, &path, &request).await?;
        Ok(answer.read::<Logs>(&what)?.content)
    }

    /// Deletes a deployment, which must have no live traffic.
    pub async fn delete_deployment(&self, endpoint: &str, name: &str) -> Result<(), Error> {
        self.remove_deployment(endpoint, name, Until::Done).await
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
                Asset::Inline(model) => Asset::Inline(self.brought(what, model).await?),
            };
            let (id, registration) = assets::model(workspace, what, &model).await?;
            ids.model = Some(id);
            registrations.extend(registration);
        }
        if let Some(code) = &spec.code
            && let Location::Here(folder) = &code.folder
            && self.is_azure()
        {
            ids.code = Some(self.upload_code(what, folder).await?);
        } else if let Some(code) = &spec.code {
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
            let (id, registration) =
                assets::environment(workspace, what, &environment, self.is_azure())?;
            ids.environment = Some(id);
            registrations.extend(registration);
        }
        for Registration { path, properties } in registrations {
            let location = Some(location.to_owned());
            let resource = Resource { location, ..Resource::new(properties) };
            self.begin(&Change::new(what, Method::PUT, &path, &resource)).await?;
        }
        Ok(ids)
    }

    /// A model whose files are where they can be used: a local host uses those of this machine.
    async fn brought(&self, what: &str, model: &Model) -> Result<Model, Error> {
        let mut model = model.clone();
        if let Location::Here(path) = &model.path
            && self.is_azure()
        {
            model.path = Location::Elsewhere(self.upload_model(what, path).await?);
        }
        Ok(model)
    }

    /// The workspace's region, which is sent in every PUT.
    async fn location(&self) -> Result<String, Error> {
        let what = format!("workspace `{}`", self.workspace.name);
        let workspace: Value = self.get(&what, "").await?;
        Ok(workspace["location"].as_str().unwrap_or_default().to_owned())
    }

    async fn get<T: DeserializeOwned>(&self, what: &str, path: &str) -> Result<T, Error> {
        self.client.call(&Call::new(what, Method::GET, &self.path(path))).await?.read(what)
    }

    /// All of a list, which Azure gives in pages.
    async fn list<T: DeserializeOwned>(&self, what: &str, path: &str) -> Result<Vec<T>, Error> {
        self.pages(what, self.path(path)).await
    }

    async fn pages<T: DeserializeOwned>(
        &self,
        what: &str,
        mut path: String,
    ) -> Result<Vec<T>, Error> {
        let mut all = Vec::new();
        loop {
            let answer = self.client.call(&Call::new(what, Method::GET, &path)).await?;
            let Page { value, next_link } = answer.read(what)?;
            all.extend::<Vec<T>>(value);
            let Some(next) = next_link.filter(|next| !next.is_empty()) else { return Ok(all) };
            let elsewhere = || Error::OperationAddress { what: what.to_owned(), url: next.clone() };
            path = self.client.path_of(&next).ok_or_else(elsewhere)?.to_owned();
        }
    }

    /// What the workspace's subscription uses and may use in a region.
    ///
    /// # Errors
    /// It is refused, or what is answered are no usages.
    pub async fn usages(&self, region: &str) -> Result<Usages, Error> {
        let what = format!("the quota of region `{region}`");
        let path = format!(
            "/subscriptions/{}/providers/Microsoft.MachineLearningServices/locations/{region}/usages\
             ?api-version={API_VERSION}",
            self.workspace.subscription
        );
        let all: Vec<Value> = self.pages(&what, path).await?;
        let text = serde_json::json!({ "value": all }).to_string();
        Usages::read(&text).map_err(|error| Error::NotSupported { what, reason: error.to_string() })
    }

    /// A POST that only asks, though it may answer with secrets.
    async fn question(
        &self,
        what: &str,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Answer, Error> {
        let body = serde_json::to_value(body).expect("requests have string keys");
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let path = self.path(path);
        let call = Call { body, changes: false, ..Call::new(what, Method::POST, &path) };
        self.client.call(&call).await
    }

    /// The address of something in the workspace, behind the host, with the query that every request has.
    fn path(&self, path: &str) -> String {
        let id = self.workspace.id(path);
        format!("{}?api-version={API_VERSION}", id.trim_end_matches('/'))
    }
}

/// A part of a list, and where the next one is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<T> {
    value: Vec<T>,
    #[serde(default)]
    next_link: Option<String>,
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
