//! Resources in the shape that `az ml` shows them, and files give them: snake case, times as numbers.
//!
//! What can be set of a resource has the shape of its file, so that `update --set` changes the
//! resource as it is and reads the result by the rules of files.

use std::time::Duration;

use plimsoll_deploy::arm::wire::{
    AssetProperties, DeploymentProperties, EndpointProperties, ProvisioningState, Resource,
    SYNTHETIC,
};
use plimsoll_deploy::spec::{AuthMode, Probe};
use serde_json::{Map, Value, json};

/// An endpoint. Deployments without traffic are shown to have none.
pub(crate) fn endpoint(resource: &Resource<EndpointProperties>, deployments: &[String]) -> Value {
    let mut shown = endpoint_file(resource);
    let properties = &resource.properties;
    let mut traffic: Map<_, _> =
        deployments.iter().map(|name| (name.clone(), Value::from(0))).collect();
    traffic.extend(properties.traffic.iter().map(|(name, share)| (name.clone(), json!(share))));
    put(&mut shown, "traffic", traffic);
    put(&mut shown, "id", resource.id.clone());
    put(&mut shown, "kind", "Managed");
    put(&mut shown, "location", resource.location.clone());
    put(&mut shown, "resourceGroup", group(resource.id.as_deref()));
    put(&mut shown, "provisioning_state", state(properties.provisioning_state));
    put(&mut shown, "scoring_uri", properties.scoring_uri.clone());
    put(&mut shown, "openapi_uri", properties.swagger_uri.clone());
    shown
}

/// What can be set of an endpoint.
pub(crate) fn endpoint_file(resource: &Resource<EndpointProperties>) -> Value {
    let properties = &resource.properties;
    let mut file = json!({
        "auth_mode": auth_mode(properties.auth_mode),
        "mirror_traffic": properties.mirror_traffic,
        "properties": properties.properties,
        "tags": resource.tags,
        "traffic": properties.traffic,
    });
    put(&mut file, "name", resource.name.clone());
    put(&mut file, "description", properties.description.clone());
    let access = properties.public_network_access.map(|access| format!("{access:?}"));
    put(&mut file, "public_network_access", access.map(|access| access.to_lowercase()));
    put(&mut file, "identity", resource.identity.as_ref().map(identity));
    file
}

/// A deployment.
pub(crate) fn deployment(endpoint: &str, resource: &Resource<DeploymentProperties>) -> Value {
    let mut shown = deployment_file(endpoint, resource);
    put(&mut shown, "id", resource.id.clone());
    put(&mut shown, "location", resource.location.clone());
    put(&mut shown, "resourceGroup", group(resource.id.as_deref()));
    put(&mut shown, "provisioning_state", state(resource.properties.provisioning_state));
    let error = resource.properties.provisioning_error.as_ref();
    let error = error.map(|error| json!({ "code": error.code, "message": error.sentences() }));
    put(&mut shown, "provisioning_error", error);
    shown
}

/// What can be set of a deployment.
pub(crate) fn deployment_file(endpoint: &str, resource: &Resource<DeploymentProperties>) -> Value {
    let properties = &resource.properties;
    let requests = &properties.request_settings;
    let mut own = properties.properties.clone();
    // A key of its own in files, it travels as text.
    let synthetic =
        own.remove(SYNTHETIC).and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let mut file = json!({
        "endpoint_name": endpoint,
        "environment_variables": properties.environment_variables,
        "instance_type": properties.instance_type,
        "liveness_probe": probe(&properties.liveness_probe),
        "properties": own,
        "readiness_probe": probe(&properties.readiness_probe),
        "request_settings": {
            "max_concurrent_requests_per_instance": requests.max_concurrent_requests_per_instance,
            "max_queue_wait_ms": requests.max_queue_wait.as_millis() as u64,
            "request_timeout_ms": requests.request_timeout.as_millis() as u64,
        },
        "scale_settings": { "type": properties.scale_settings.scale_type.to_lowercase() },
        "tags": resource.tags,
        "type": properties.endpoint_compute_type.to_lowercase(),
    });
    put(&mut file, "name", resource.name.clone());
    put(&mut file, "description", properties.description.clone());
    put(&mut file, "instance_count", resource.sku.as_ref().map(|sku| sku.capacity));
    put(&mut file, "model", properties.model.as_deref().map(reference));
    put(&mut file, "environment", properties.environment_id.as_deref().map(reference));
    let code = properties.code_configuration.as_ref().map(
        |code| json!({ "code": reference(&code.code_id), "scoring_script": code.scoring_script }),
    );
    put(&mut file, "code_configuration", code);
    put(&mut file, "synthetic", synthetic);
    for (key, value) in &properties.other {
        match (key.as_str(), value) {
            ("appInsightsEnabled", value) => put(&mut file, "app_insights_enabled", value.clone()),
            ("modelMountPath", value) => put(&mut file, "model_mount_path", value.clone()),
            ("egressPublicNetworkAccess", Value::String(access)) => {
                put(&mut file, "egress_public_network_access", access.to_lowercase());
            }
            ("dataCollector", value) => put(&mut file, "data_collector", collector(value)),
            _ => {}
        }
    }
    file
}

/// A registered model or environment.
pub(crate) fn asset(name: &str, resource: &Resource<AssetProperties>) -> Value {
    let properties = &resource.properties;
    let mut shown = json!({ "name": name, "tags": resource.tags });
    put(&mut shown, "version", resource.name.clone());
    put(&mut shown, "id", resource.id.clone());
    put(&mut shown, "description", properties.description.clone());
    put(&mut shown, "path", properties.model_uri.clone());
    put(&mut shown, "image", properties.image.clone());
    put(&mut shown, "conda_file", properties.conda_file.clone());
    put(&mut shown, "resourceGroup", group(resource.id.as_deref()));
    shown
}

/// An entry of a list of what is registered: a version of `name`, or a name with its latest version.
pub(crate) fn listed(name: Option<&str>, resource: &Resource<Value>) -> Value {
    let own = resource.name.clone().unwrap_or_default();
    let properties = &resource.properties;
    let mut shown = json!({ "name": name.unwrap_or(&own), "tags": resource.tags });
    match name {
        Some(_) => put(&mut shown, "version", own),
        None => put(&mut shown, "latest_version", properties.get("latestVersion").cloned()),
    }
    put(&mut shown, "id", resource.id.clone());
    for (from, to) in [("description", "description"), ("modelUri", "path"), ("image", "image")] {
        put(&mut shown, to, properties.get(from).cloned());
    }
    shown
}

/// Sets a key, unless there is nothing to say.
fn put(shown: &mut Value, key: &str, value: impl Into<Value>) {
    let value = value.into();
    if let (Value::Object(members), false) = (shown, value.is_null()) {
        members.insert(key.to_owned(), value);
    }
}

fn auth_mode(mode: AuthMode) -> &'static str {
    match mode {
        AuthMode::Key => "key",
        AuthMode::AmlToken => "aml_token",
        AuthMode::AadToken => "aad_token",
    }
}

fn identity(identity: &Value) -> Value {
    let kind = identity.get("type").and_then(Value::as_str).unwrap_or_default();
    let kind = match kind.to_ascii_lowercase().as_str() {
        "systemassigned" => "system_assigned",
        "userassigned" => "user_assigned",
        _ => "none",
    };
    let mut shown = json!({ "type": kind });
    put(&mut shown, "principal_id", identity.get("principalId").cloned());
    put(&mut shown, "tenant_id", identity.get("tenantId").cloned());
    let assigned = identity.get("userAssignedIdentities").and_then(Value::as_object);
    let assigned = assigned.map(|ids| ids.keys().map(|id| json!({ "resource_id": id })).collect());
    put(&mut shown, "user_assigned_identities", assigned.map(Value::Array));
    shown
}

fn probe(probe: &Probe) -> Value {
    json!({
        "failure_threshold": probe.failure_threshold,
        "initial_delay": seconds(probe.initial_delay),
        "period": seconds(probe.period),
        "success_threshold": probe.success_threshold,
        "timeout": seconds(probe.timeout),
    })
}

/// Whole seconds as files have them; a part of one as it is.
fn seconds(span: Duration) -> Value {
    if span.subsec_nanos() == 0 { json!(span.as_secs()) } else { json!(span.as_secs_f64()) }
}

fn collector(wire: &Value) -> Value {
    let collections = wire.get("collections").and_then(Value::as_object);
    let rate = collections.and_then(|all| all.values().find_map(|one| one.get("samplingRate")));
    // Files have these two words as text.
    let enabled =
        |one: &Value| if one["dataCollectionMode"] == "Enabled" { "True" } else { "False" };
    let one = |(name, one): (&String, &Value)| (name.clone(), json!({ "enabled": enabled(one) }));
    let mut shown =
        json!({ "collections": collections.into_iter().flatten().map(one).collect::<Map<_, _>>() });
    put(&mut shown, "sampling_rate", rate.cloned());
    put(&mut shown, "rolling_rate", wire.get("rollingRate").cloned());
    let headers = wire.pointer("/requestLogging/captureHeaders").cloned();
    put(
        &mut shown,
        "request_logging",
        headers.map(|headers| json!({ "capture_headers": headers })),
    );
    shown
}

/// An id as files refer to it.
fn reference(id: &str) -> String {
    if id.starts_with("azureml:") { id.to_owned() } else { format!("azureml:{id}") }
}

fn group(id: Option<&str>) -> Option<String> {
    let mut parts = id?.split('/').skip_while(|part| !part.eq_ignore_ascii_case("resourceGroups"));
    parts.nth(1).map(str::to_owned)
}

fn state(state: Option<ProvisioningState>) -> Option<String> {
    state.map(|state| format!("{state:?}"))
}

#[cfg(test)]
mod tests;
