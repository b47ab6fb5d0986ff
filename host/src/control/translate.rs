//! From a deployment as ARM carries it to the deployment that is to run here.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use plimsoll_deploy::arm::file_uri;
use plimsoll_deploy::arm::wire::{
    ASYNC_OPERATION, AssetProperties, DeploymentProperties, Resource, SYNTHETIC,
};
use plimsoll_deploy::spec::{
    Asset, Code, DeploymentSpec, Environment, Location, MOST_INSTANCES, Model, Probe,
};
use plimsoll_deploy::workspace::Workspace;
use serde_json::Value;

use crate::blobs::Blobs;
use crate::fault::Fault;
use crate::registry::{Key, Kind, Registry};

/// Settings that only Azure acts on: taken, and reported as having no effect here.
const AZURE_ONLY: [&str; 4] =
    ["appInsightsEnabled", "egressPublicNetworkAccess", "modelMountPath", "dataCollector"];

/// Within which times must be: below, a probe would keep a processor busy; above, nobody waits for it.
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_hours(24);

/// Where assets are looked up.
pub(super) struct Assets<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) registered: &'a Registry,
    pub(super) blobs: &'a Blobs,
}

/// Name, version and resource of an asset.
type Found<'a> = (String, String, &'a Resource<AssetProperties>);

/// The deployment, and a line for each setting that has no effect on this machine.
pub(super) fn deployment(
    assets: &Assets<'_>,
    endpoint: &str,
    name: &str,
    resource: &Resource<DeploymentProperties>,
) -> Result<(DeploymentSpec, Vec<String>), Fault> {
    let properties = &resource.properties;
    let notes = check_other(&properties.other)?;
    if !properties.endpoint_compute_type.eq_ignore_ascii_case("Managed") {
        return Err(Fault::not_supported("endpointComputeType other than Managed"));
    }
    if !properties.scale_settings.scale_type.eq_ignore_ascii_case("Default") {
        return Err(Fault::bad_argument("a managed deployment takes only scaleType Default"));
    }
    let capacity = resource.sku.as_ref().map_or(1, |sku| sku.capacity);
    let mut spec =
        DeploymentSpec::new(name, endpoint, &properties.instance_type, instances(capacity)?);
    spec.description.clone_from(&properties.description);
    spec.tags.clone_from(&resource.tags);
    spec.properties.clone_from(&properties.properties);
    // What an answer had of the host's own comes back with the next PUT.
    spec.properties.remove(ASYNC_OPERATION);
    spec.model = properties.model.as_deref().map(|id| assets.model(id)).transpose()?;
    if let Some(code) = &properties.code_configuration {
        let scoring_script = PathBuf::from(&code.scoring_script);
        spec.code = Some(Code { folder: assets.code(&code.code_id)?, scoring_script });
    }
    let environment = properties.environment_id.as_deref();
    spec.environment = environment.map(|id| assets.environment(id)).transpose()?;
    spec.environment_variables.clone_from(&properties.environment_variables);
    spec.request_settings.clone_from(&properties.request_settings);
    check_span("requestSettings.requestTimeout", spec.request_settings.request_timeout)?;
    spec.liveness_probe = probe("livenessProbe", &properties.liveness_probe)?;
    spec.readiness_probe = probe("readinessProbe", &properties.readiness_probe)?;
    if spec.liveness_probe.success_threshold > 1 {
        return Err(Fault::bad_argument("livenessProbe.successThreshold is not 1"));
    }
    if let Some(text) = properties.properties.get(SYNTHETIC) {
        let synthetic = serde_json::from_str(text)
            .map_err(|error| Fault::bad_argument(format!("`{SYNTHETIC}`: {error}")))?;
        spec.synthetic = Some(synthetic);
    }
    Ok((spec, notes))
}

/// A deployment that names no machine gets that of its SKU, where Azure's first examples have it, else the one that
/// Azure takes.
pub(super) fn name_machine(resource: &mut Resource<DeploymentProperties>) {
    const AZURES: &str = "Standard_F4s_v2";
    if resource.properties.instance_type.is_empty() {
        let named = resource.sku.as_ref().map(|sku| sku.name.as_str());
        let named = named.filter(|name| !name.eq_ignore_ascii_case("Default"));
        resource.properties.instance_type = named.unwrap_or(AZURES).to_owned();
    }
}

/// A number of instances, within what Azure allows.
pub(super) fn instances(capacity: u32) -> Result<NonZeroU32, Fault> {
    NonZeroU32::new(capacity).filter(|count| count.get() <= MOST_INSTANCES).ok_or_else(|| {
        let message = format!("sku.capacity {capacity} is not between 1 and {MOST_INSTANCES}");
        Fault::bad_argument(message)
    })
}

/// A probe that asks neither without pause nor never.
fn probe(name: &str, probe: &Probe) -> Result<Probe, Fault> {
    let delay = probe.initial_delay.max(SHORTEST);
    check_span(&format!("{name}.initialDelay"), delay)?;
    check_span(&format!("{name}.period"), probe.period)?;
    check_span(&format!("{name}.timeout"), probe.timeout)?;
    let thresholds = [("success", probe.success_threshold), ("failure", probe.failure_threshold)];
    match thresholds.iter().find(|(_, threshold)| *threshold == 0) {
        Some((kind, _)) => {
            Err(Fault::bad_argument(format!("{name}.{kind}Threshold is 0, but must be at least 1")))
        }
        None => Ok(probe.clone()),
    }
}

fn check_span(name: &str, span: Duration) -> Result<(), Fault> {
    if (SHORTEST..=LONGEST).contains(&span) {
        return Ok(());
    }
    Err(Fault::bad_argument(format!(
        "{name} is {span:?}, but must be from {SHORTEST:?} to {LONGEST:?}"
    )))
}

fn check_other(other: &BTreeMap<String, Value>) -> Result<Vec<String>, Fault> {
    let says_nothing = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    };
    let mut notes = Vec::new();
    for (key, value) in other {
        if AZURE_ONLY.contains(&key.as_str()) {
            if !says_nothing(value) {
                notes.push(format!("{key} has no effect on this machine"));
            }
        } else if !says_nothing(value) {
            return Err(Fault::not_supported(&format!("the property `{key}` of a deployment")));
        }
    }
    Ok(notes)
}

impl Assets<'_> {
    fn model(&self, id: &str) -> Result<Asset<Model>, Fault> {
        let Some((name, version, found)) = self.find(id, Kind::Model)? else {
            return Ok(Asset::Reference(id.to_owned()));
        };
        let uri = found.properties.model_uri.as_deref().unwrap_or_default();
        let path = match self.file(uri) {
            Some(path) => Location::Here(path),
            None if uri.is_empty() => return Err(Fault::not_found(format!("model `{id}`"))),
            None => Location::Elsewhere(uri.to_owned()),
        };
        let (name, version) = (Some(name), Some(version));
        Ok(Asset::Inline(Model { name, version, path, ..Model::default() }))
    }

    fn code(&self, id: &str) -> Result<Location, Fault> {
        let Some((_, _, found)) = self.find(id, Kind::Code)? else {
            return Ok(Location::Elsewhere(id.to_owned()));
        };
        let uri = found.properties.code_uri.as_deref().unwrap_or_default();
        let missing = || Fault::not_found(format!("code `{id}`"));
        self.file(uri).map(Location::Here).ok_or_else(missing)
    }

    fn environment(&self, id: &str) -> Result<Asset<Environment>, Fault> {
        let Some((name, version, found)) = self.find(id, Kind::Environment)? else {
            return Ok(Asset::Reference(id.to_owned()));
        };
        Ok(Asset::Inline(Environment {
            name: Some(name),
            version: Some(version),
            image: found.properties.image.clone(),
            conda: found.properties.conda_file.clone(),
            ..Environment::default()
        }))
    }

    /// A file or folder of this machine: named, or uploaded.
    fn file(&self, uri: &str) -> Option<PathBuf> {
        file_uri::to_path(uri).or_else(|| self.blobs.of_address(uri))
    }

    /// Name, version and resource of an asset of this workspace; nothing if the id is of another
    /// place, such as a registry.
    fn find(&self, id: &str, kind: Kind) -> Result<Option<Found<'_>>, Fault> {
        let home = self.workspace.id(kind.word());
        let id = id.strip_prefix("azureml:").unwrap_or(id);
        let here = id.get(..home.len()).is_some_and(|start| start.eq_ignore_ascii_case(&home));
        if !here {
            return Ok(None);
        }
        let parts: Vec<&str> = id[home.len()..].split('/').collect();
        let ["", name, versions, version] = parts[..] else {
            return Err(Fault::bad_argument(format!("`{id}` is not the id of a version")));
        };
        if !versions.eq_ignore_ascii_case("versions") {
            return Err(Fault::bad_argument(format!("`{id}` is not the id of a version")));
        }
        let key = Key { kind, name: name.to_owned(), version: version.to_owned() };
        let found = self.registered.get(&key);
        let found = found.ok_or_else(|| Fault::not_found(format!("`{id}`")))?;
        Ok(Some((key.name, key.version, found)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_that_would_spin_or_never_ask_is_refused_by_name() {
        let good = Probe { initial_delay: Duration::ZERO, ..Probe::default() };
        assert_eq!(probe("readinessProbe", &good).unwrap(), good);
        let zero = Duration::ZERO;
        let wrong = [
            ("period", Probe { period: zero, ..good.clone() }),
            ("timeout", Probe { timeout: zero, ..good.clone() }),
            ("period", Probe { period: Duration::MAX, ..good.clone() }),
            ("initialDelay", Probe { initial_delay: Duration::MAX, ..good.clone() }),
            ("successThreshold", Probe { success_threshold: 0, ..good.clone() }),
            ("failureThreshold", Probe { failure_threshold: 0, ..good.clone() }),
        ];
        for (key, wrong) in wrong {
            let fault = probe("readinessProbe", &wrong).unwrap_err();
            assert!(fault.message.starts_with(&format!("readinessProbe.{key} is ")), "{fault:?}");
        }
    }
}
