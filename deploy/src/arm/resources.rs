//! Resources whole, as they are on the wire: for the commands that show them as `az` does, and that
//! change them by sending all of them again.

use std::collections::BTreeMap;

use hyper::Method;
use serde::Serialize;
use serde_json::Value;

use super::assets;
use super::change::{self, Change};
use super::client::Call;
use super::error::Error;
use super::lro::Progress;
use super::wire::{
    API_VERSION, AssetProperties, DeploymentProperties, EndpointProperties, KeyType, List, Logs,
    LogsRequest, RegenerateKeys, Resource, Token,
};
use super::{
    ArmDriver, absent, body, deployment_path, deployment_words, endpoint_path, endpoint_words,
};
use crate::spec::{Asset, DeploymentSpec, EndpointSpec, Environment, Model};

/// What a call waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Its operation has begun.
    Begun,
    /// Its operation is done.
    Done,
}

/// Whose log is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// What serves requests.
    InferenceServer,
    /// What fetches model and code before that.
    StorageInitializer,
}

/// What can be registered under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssetKind {
    /// A model.
    Model,
    /// A software environment.
    Environment,
}

impl AssetKind {
    /// As one of them is called in sentences.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Environment => "environment",
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Environment => "environments",
        }
    }
}

impl ArmDriver {
    /// An endpoint.
    pub async fn endpoint(&self, name: &str) -> Result<Resource<EndpointProperties>, Error> {
        self.get(&endpoint_words(name), &endpoint_path(name)).await
    }

    /// All endpoints.
    pub async fn endpoints(&self) -> Result<Vec<Resource<EndpointProperties>>, Error> {
        self.list("the endpoints", "onlineEndpoints").await
    }

    /// A deployment.
    pub async fn deployment(
        &self,
        endpoint: &str,
        name: &str,
    ) -> Result<Resource<DeploymentProperties>, Error> {
        self.get(&deployment_words(endpoint, name), &deployment_path(endpoint, name)).await
    }

    /// All deployments of an endpoint.
    pub async fn deployments(
        &self,
        endpoint: &str,
    ) -> Result<Vec<Resource<DeploymentProperties>>, Error> {
        let path = endpoint_path(endpoint) + "/deployments";
        self.list(&endpoint_words(endpoint), &path).await
    }

    /// Refuses a name that an endpoint has.
    pub async fn endpoint_is_new(&self, name: &str) -> Result<(), Error> {
        absent(&endpoint_words(name), self.endpoint(name).await)
    }

    /// Refuses a name that a deployment of the endpoint has.
    pub async fn deployment_is_new(&self, endpoint: &str, name: &str) -> Result<(), Error> {
        absent(&deployment_words(endpoint, name), self.deployment(endpoint, name).await)
    }

    /// Makes an endpoint that was not there a moment ago ([`endpoint_is_new`](Self::endpoint_is_new)), its traffic
    /// included. Of several who do so at once, a local host refuses all but one.
    pub async fn put_endpoint(
        &self,
        spec: &EndpointSpec,
        until: Until,
        progress: Progress<'_>,
    ) -> Result<Resource<EndpointProperties>, Error> {
        let what = endpoint_words(&spec.name);
        let body = self.endpoint_body(&what, spec).await?;
        let path = endpoint_path(&spec.name);
        let change = Change { is_new: true, ..Change::new(&what, Method::PUT, &path, &body) };
        self.follow(&change, until, progress).await?;
        self.endpoint(&spec.name).await
    }

    /// Makes an endpoint that is there what `spec` says; what others have added to it stays.
    pub async fn update_endpoint(
        &self,
        spec: &EndpointSpec,
        until: Until,
        progress: Progress<'_>,
    ) -> Result<Resource<EndpointProperties>, Error> {
        let what = endpoint_words(&spec.name);
        let body = self.endpoint_body(&what, spec).await?;
        self.update(&what, &endpoint_path(&spec.name), &body, until, progress).await?;
        self.endpoint(&spec.name).await
    }

    /// Makes a deployment that is there what `spec` says; what others have added to it stays.
    pub async fn update_deployment(
        &self,
        spec: &DeploymentSpec,
        until: Until,
        progress: Progress<'_>,
    ) -> Result<Resource<DeploymentProperties>, Error> {
        let what = deployment_words(&spec.endpoint_name, &spec.name);
        let body = self.deployment_body(&what, spec).await?;
        let path = deployment_path(&spec.endpoint_name, &spec.name);
        self.update(&what, &path, &body, until, progress).await?;
        self.deployment(&spec.endpoint_name, &spec.name).await
    }

    /// What an endpoint is to be, with all its traffic.
    async fn endpoint_body(
        &self,
        what: &str,
        spec: &EndpointSpec,
    ) -> Result<Resource<EndpointProperties>, Error> {
        let without_traffic = EndpointSpec { mirror_traffic: BTreeMap::new(), ..spec.clone() };
        let mut body = body::endpoint(what, &self.location().await?, &without_traffic)?;
        body.properties.traffic = live(&spec.traffic);
        body.properties.mirror_traffic = live(&spec.mirror_traffic);
        Ok(body)
    }

    /// What a deployment is to be, once its assets are registered.
    pub(super) async fn deployment_body(
        &self,
        what: &str,
        spec: &DeploymentSpec,
    ) -> Result<Resource<DeploymentProperties>, Error> {
        let location = self.location().await?;
        let ids = self.register(what, &location, spec).await?;
        body::deployment(what, &location, spec, ids)
    }

    async fn update(
        &self,
        what: &str,
        path: &str,
        body: &impl Serialize,
        until: Until,
        progress: Progress<'_>,
    ) -> Result<(), Error> {
        let (current, version) = self.versioned_read(what, path).await?;
        let ours = serde_json::to_value(body).expect("resources have string keys");
        let body = change::overlaid(current, ours);
        let change = Change { version, ..Change::new(what, Method::PUT, path, &body) };
        self.follow(&change, until, progress).await
    }

    /// Makes a deployment what `spec` says, whether it is there or not.
    pub async fn put_deployment(
        &self,
        spec: &DeploymentSpec,
        until: Until,
        progress: Progress<'_>,
    ) -> Result<Resource<DeploymentProperties>, Error> {
        let what = deployment_words(&spec.endpoint_name, &spec.name);
        let body = self.deployment_body(&what, spec).await?;
        let path = deployment_path(&spec.endpoint_name, &spec.name);
        self.follow(&Change::new(&what, Method::PUT, &path, &body), until, progress).await?;
        self.deployment(&spec.endpoint_name, &spec.name).await
    }

    /// Deletes an endpoint with all its deployments.
    pub async fn remove_endpoint(&self, name: &str, until: Until) -> Result<(), Error> {
        self.remove(&endpoint_words(name), &endpoint_path(name), until).await
    }

    /// Deletes a deployment, which must have no live traffic.
    pub async fn remove_deployment(
        &self,
        endpoint: &str,
        name: &str,
        until: Until,
    ) -> Result<(), Error> {
        let (what, path) = (deployment_words(endpoint, name), deployment_path(endpoint, name));
        self.remove(&what, &path, until).await
    }

    /// Makes up another key in the place of one.
    pub async fn regenerate_key(
        &self,
        endpoint: &str,
        key: KeyType,
        until: Until,
    ) -> Result<(), Error> {
        let (what, path) = (endpoint_words(endpoint), endpoint_path(endpoint) + "/regenerateKeys");
        let request = RegenerateKeys { key_type: key, key_value: None };
        // The state that tells how it ended is the endpoint's.
        let change = Change::new(&what, Method::POST, &path, &request);
        let begun = self.begin(&change).await?;
        if until == Until::Begun {
            return Ok(());
        }
        let path = endpoint_path(endpoint);
        self.finish(&Change { path: &path, ..change }, &begun, &mut |_| {}).await
    }

    /// A token for an endpoint that takes tokens.
    pub async fn token(&self, endpoint: &str) -> Result<Token, Error> {
        let (what, path) = (endpoint_words(endpoint), endpoint_path(endpoint) + "/token");
        self.question(&what, &path, &Value::Null).await?.read(&what)
    }

    /// The last lines of that log of each instance, under its name if there are several.
    pub async fn log_of(
        &self,
        endpoint: &str,
        name: &str,
        container: Container,
        lines: usize,
    ) -> Result<String, Error> {
        let what = deployment_words(endpoint, name);
        let path = deployment_path(endpoint, name) + "/getLogs";
        let container_type = match container {
            Container::InferenceServer => "InferenceServer",
            Container::StorageInitializer => "StorageInitializer",
        };
        let container_type = Some(container_type.to_owned());
        let request = LogsRequest { container_type, tail: Some(lines) };
        let answer = self.question(&what, &path, &request).await?;
        Ok(answer.read::<Logs>(&what)?.content)
    }

    /// A version of something registered.
    pub async fn asset(
        &self,
        kind: AssetKind,
        name: &str,
        version: &str,
    ) -> Result<Resource<AssetProperties>, Error> {
        let (what, path) = (asset_words(kind, name), kind.path());
        self.get(&what, &format!("{path}/{name}/versions/{version}")).await
    }

    /// All that is registered: the versions of a name, or without one the names.
    pub async fn assets(
        &self,
        kind: AssetKind,
        name: Option<&str>,
    ) -> Result<Vec<Resource<Value>>, Error> {
        let path = kind.path();
        match name {
            Some(name) => {
                let what = asset_words(kind, name);
                self.list(&what, &format!("{path}/{name}/versions")).await
            }
            None => self.list(&format!("the {path}"), path).await,
        }
    }

    /// The version of a name that was registered last.
    pub async fn latest_version(&self, kind: AssetKind, name: &str) -> Result<String, Error> {
        let what = asset_words(kind, name);
        let id = self.workspace.id(&format!("{}/{name}/versions", kind.path()));
        let order = "$orderBy=createdtime%20desc&$top=1";
        let path = format!("{id}?api-version={API_VERSION}&{order}");
        let answer = self.client.call(&Call::new(&what, Method::GET, &path)).await?;
        let list: List<Resource<Value>> = answer.read(&what)?;
        list.value.into_iter().next().and_then(|latest| latest.name).ok_or_else(|| {
            let reason = "no version of it is registered".to_owned();
            Error::NotSupported { what, reason }
        })
    }

    /// Registers a model, which has a name and a version.
    pub async fn register_model(&self, model: &Model) -> Result<Resource<AssetProperties>, Error> {
        let what = asset_words(AssetKind::Model, model.name.as_deref().unwrap_or_default());
        let asset = Asset::Inline(self.brought(&what, model).await?);
        let (_, registration) = assets::model(&self.workspace, &what, &asset).await?;
        self.register_asset(&what, registration, model.description.as_ref(), &model.tags).await
    }

    /// Registers an environment, which has a name and a version.
    pub async fn register_environment(
        &self,
        environment: &Environment,
    ) -> Result<Resource<AssetProperties>, Error> {
        let name = environment.name.as_deref().unwrap_or_default();
        let what = asset_words(AssetKind::Environment, name);
        let asset = Asset::Inline(environment.clone());
        let (_, registration) =
            assets::environment(&self.workspace, &what, &asset, self.is_azure())?;
        let (description, tags) = (environment.description.as_ref(), &environment.tags);
        self.register_asset(&what, registration, description, tags).await
    }

    async fn register_asset(
        &self,
        what: &str,
        registration: Option<assets::Registration>,
        description: Option<&String>,
        tags: &BTreeMap<String, String>,
    ) -> Result<Resource<AssetProperties>, Error> {
        let assets::Registration { path, properties } =
            registration.expect("what is described in place is registered");
        absent(what, self.get::<Value>(what, &path).await)?;
        let properties = AssetProperties { description: description.cloned(), ..properties };
        let (location, tags) = (Some(self.location().await?), tags.clone());
        let resource = Resource { location, tags, ..Resource::new(properties) };
        let change = Change { is_new: true, ..Change::new(what, Method::PUT, &path, &resource) };
        self.begin(&change).await?;
        self.get(what, &path).await
    }

    async fn remove(&self, what: &str, path: &str, until: Until) -> Result<(), Error> {
        let change = Change::removal(what, path);
        match self.follow(&change, until, &mut |_| {}).await {
            // What is left of something half removed is removed again, once.
            Err(Error::Failed { .. }) if self.is_azure() => {
                match self.follow(&change, until, &mut |_| {}).await {
                    Err(error) if error.is_not_found() => Ok(()),
                    done => done,
                }
            }
            done => done,
        }
    }

    async fn follow(
        &self,
        change: &Change<'_>,
        until: Until,
        progress: Progress<'_>,
    ) -> Result<(), Error> {
        let begun = self.begin(change).await?;
        match until {
            Until::Begun => Ok(()),
            Until::Done => self.finish(change, &begun, progress).await,
        }
    }

    /// A reference with its version: `azureml:name` and `azureml:name@latest` have none.
    pub(super) async fn versioned(
        &self,
        kind: AssetKind,
        reference: &str,
    ) -> Result<String, Error> {
        let short = reference.strip_prefix("azureml:").filter(|short| !short.starts_with('/'));
        match short.map(|short| short.strip_suffix("@latest").unwrap_or(short)) {
            Some(name) if !name.contains([':', '@']) => {
                let version = self.latest_version(kind, name).await?;
                Ok(format!("azureml:{name}:{version}"))
            }
            _ => Ok(reference.to_owned()),
        }
    }
}

fn asset_words(kind: AssetKind, name: &str) -> String {
    format!("{} `{name}`", kind.word())
}

/// Zero is what a deployment without an entry gets.
pub(super) fn live(traffic: &BTreeMap<String, u8>) -> BTreeMap<String, u8> {
    let live = traffic.iter().filter(|(_, percent)| **percent > 0);
    live.map(|(name, percent)| (name.clone(), *percent)).collect()
}
