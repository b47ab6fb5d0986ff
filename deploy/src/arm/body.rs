//! Bodies of PUT requests, from checked descriptions.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::error::Error;
use super::wire::{
    CodeConfiguration, DeploymentProperties, EndpointProperties, Resource, SYNTHETIC,
    ScaleSettings, Sku,
};
use crate::spec::{
    AzureDeployment, DataCollector, DeploymentSpec, EndpointSpec, Identity, Platform,
};

/// Ids of what a deployment refers to.
#[derive(Default)]
pub(super) struct Ids {
    pub(super) model: Option<String>,
    pub(super) code: Option<String>,
    pub(super) environment: Option<String>,
}

/// An endpoint that is new: without traffic, because it has no deployments yet.
pub(super) fn endpoint(
    what: &str,
    location: &str,
    spec: &EndpointSpec,
) -> Result<Resource<EndpointProperties>, Error> {
    if spec.azure.compute.is_some() {
        return Err(kubernetes(what));
    }
    if spec.mirror_traffic.values().any(|percent| *percent > 0) {
        let reason = "mirrored traffic is not supported yet; leave out `mirror_traffic`";
        return Err(Error::NotSupported { what: what.to_owned(), reason: reason.to_owned() });
    }
    let identity = match &spec.azure.identity {
        None | Some(Identity::SystemAssigned) => json!({ "type": "SystemAssigned" }),
        Some(Identity::None) => json!({ "type": "None" }),
        Some(Identity::UserAssigned(id)) => {
            json!({ "type": "UserAssigned", "userAssignedIdentities": { id: {} } })
        }
    };
    Ok(Resource {
        location: Some(location.to_owned()),
        tags: spec.tags.clone(),
        identity: Some(identity),
        ..Resource::new(EndpointProperties {
            auth_mode: spec.auth_mode,
            description: spec.description.clone(),
            traffic: BTreeMap::new(),
            mirror_traffic: BTreeMap::new(),
            public_network_access: spec.azure.public_network_access,
            properties: spec.properties.clone(),
            provisioning_state: None,
            scoring_uri: None,
            swagger_uri: None,
        })
    })
}

/// A deployment, with the ids of what it refers to.
pub(super) fn deployment(
    what: &str,
    location: &str,
    spec: &DeploymentSpec,
    ids: Ids,
) -> Result<Resource<DeploymentProperties>, Error> {
    if matches!(spec.platform, Platform::Kubernetes(_)) {
        return Err(kubernetes(what));
    }
    let mut properties = spec.properties.clone();
    if let Some(synthetic) = &spec.synthetic {
        let text = serde_json::to_string(synthetic).expect("its numbers were checked");
        properties.insert(SYNTHETIC.to_owned(), text);
    }
    let code = spec.code.as_ref().zip(ids.code);
    Ok(Resource {
        location: Some(location.to_owned()),
        tags: spec.tags.clone(),
        sku: Some(Sku { name: "Default".to_owned(), capacity: spec.instance_count.get() }),
        ..Resource::new(DeploymentProperties {
            endpoint_compute_type: "Managed".to_owned(),
            instance_type: spec.instance_type.clone(),
            description: spec.description.clone(),
            model: ids.model,
            code_configuration: code.map(|(code, code_id)| CodeConfiguration {
                code_id,
                scoring_script: code.scoring_script.to_string_lossy().into_owned(),
            }),
            environment_id: ids.environment,
            environment_variables: spec.environment_variables.clone(),
            request_settings: spec.request_settings.clone(),
            liveness_probe: spec.liveness_probe.clone(),
            readiness_probe: spec.readiness_probe.clone(),
            scale_settings: ScaleSettings::default(),
            properties,
            provisioning_state: None,
            provisioning_error: None,
            instances: Vec::new(),
            other: azure_only(&spec.azure),
        })
    })
}

fn kubernetes(what: &str) -> Error {
    let reason = "Kubernetes endpoints are not supported yet; leave out `compute` and \
                  `type: kubernetes` to run it on this machine";
    Error::NotSupported { what: what.to_owned(), reason: reason.to_owned() }
}

fn azure_only(azure: &AzureDeployment) -> BTreeMap<String, Value> {
    let mut other = BTreeMap::new();
    let mut set = |key: &str, value: Value| other.insert(key.to_owned(), value);
    set("appInsightsEnabled", azure.app_insights_enabled.into());
    if let Some(path) = &azure.model_mount_path {
        set("modelMountPath", path.as_str().into());
    }
    if let Some(access) = azure.egress_public_network_access {
        set("egressPublicNetworkAccess", json!(access));
    }
    if let Some(collector) = &azure.data_collector {
        set("dataCollector", data_collector(collector));
    }
    other
}

fn data_collector(collector: &DataCollector) -> Value {
    let collections = collector.collections.iter().map(|(name, collection)| {
        let mode = if collection.enabled { "Enabled" } else { "Disabled" };
        let value = json!({ "dataCollectionMode": mode, "samplingRate": collector.sampling_rate });
        (name.clone(), value)
    });
    json!({
        "collections": collections.collect::<Map<_, _>>(),
        "rollingRate": collector.rolling_rate,
        "requestLogging": { "captureHeaders": collector.capture_headers },
    })
}
