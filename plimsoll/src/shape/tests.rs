use super::*;
use plimsoll_deploy::files;
use plimsoll_document::{Document, Problems};
use std::path::Path;

fn blue() -> Resource<DeploymentProperties> {
    let resource = json!({
        "id": "/subscriptions/s/resourceGroups/g/providers/x/onlineEndpoints/e/deployments/blue",
        "name": "blue",
        "location": "local",
        "tags": {"a": "1"},
        "sku": {"name": "Default", "capacity": 3},
        "properties": {
            "endpointComputeType": "Managed",
            "instanceType": "Standard_DS3_v2",
            "model": "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w/models/m/versions/1",
            "codeConfiguration": {"codeId": "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w/codes/c/versions/1", "scoringScript": "score.py"},
            "environmentId": "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w/environments/n/versions/2",
            "environmentVariables": {"WORKER_COUNT": "2"},
            "requestSettings": {"requestTimeout": "PT1M30S", "maxConcurrentRequestsPerInstance": 2},
            "readinessProbe": {"initialDelay": "PT1S", "successThreshold": 1, "failureThreshold": 3},
            "provisioningState": "Succeeded",
            "appInsightsEnabled": false,
            "dataCollector": {"collections": {"request": {"dataCollectionMode": "Enabled", "samplingRate": 0.5}}, "rollingRate": "hour", "requestLogging": {"captureHeaders": ["a"]}},
        },
    });
    serde_json::from_value(resource).unwrap()
}

#[test]
fn a_deployment_is_shown_as_az_shows_it() {
    let shown = deployment("end", &blue());
    for (at, wanted) in [
        ("/name", json!("blue")),
        ("/endpoint_name", json!("end")),
        ("/provisioning_state", json!("Succeeded")),
        ("/resourceGroup", json!("g")),
        ("/instance_count", json!(3)),
        ("/request_settings/request_timeout_ms", json!(90_000)),
        ("/readiness_probe/initial_delay", json!(1)),
        ("/data_collector/sampling_rate", json!(0.5)),
        ("/type", json!("managed")),
    ] {
        assert_eq!(shown.pointer(at), Some(&wanted), "{at}: {shown:#}");
    }
}

/// Else `update --set` would change more than it is told, or nothing at all.
#[test]
fn what_can_be_set_is_read_as_a_file_and_becomes_the_same_again() {
    let file = deployment_file("end", &blue()).to_string();
    let document = Document::parse("blue", &file).unwrap();
    let mut problems = Problems::new();
    let spec = files::read_deployment(&document, Path::new("."), &mut problems);
    let spec = spec.unwrap_or_else(|| panic!("{problems}\n{file}"));
    assert_eq!(spec.instance_count.get(), 3);
    assert_eq!(spec.request_settings, blue().properties.request_settings);
    assert_eq!(spec.readiness_probe, blue().properties.readiness_probe);
    assert_eq!(spec.liveness_probe, blue().properties.liveness_probe);
    assert_eq!(spec.environment_variables["WORKER_COUNT"], "2");
    assert_eq!(spec.azure.data_collector.unwrap().capture_headers, ["a"]);
}

/// It has no model, so without its key it could not be read again.
#[test]
fn a_synthetic_deployment_becomes_the_same_again() {
    let mut resource = blue();
    let text = r#"{"service_time":{"log_normal":{"p50_ms":5.0,"p99_ms":9.0}},"error_rate":0.25,"start_ms":3.0}"#;
    let properties = &mut resource.properties;
    properties.properties.insert(SYNTHETIC.to_owned(), text.to_owned());
    (properties.model, properties.code_configuration, properties.environment_id) =
        (None, None, None);
    let file = deployment_file("end", &resource).to_string();
    let document = Document::parse("blue", &file).unwrap();
    let mut problems = Problems::new();
    let spec = files::read_deployment(&document, Path::new("."), &mut problems);
    let spec = spec.unwrap_or_else(|| panic!("{problems}\n{file}"));
    assert_eq!(spec.synthetic, serde_json::from_str(text).unwrap());
}

#[test]
fn an_endpoint_names_deployments_without_traffic_and_can_be_read_again() {
    let resource = json!({
        "id": "/subscriptions/s/resourceGroups/g/x", "name": "end", "location": "local",
        "identity": {"type": "SystemAssigned", "principalId": "p", "tenantId": "t"},
        "properties": {"authMode": "Key", "traffic": {"blue": 100}, "publicNetworkAccess": "Enabled",
            "provisioningState": "Updating", "scoringUri": "http://h/score", "swaggerUri": "http://h/s"},
    });
    let resource = serde_json::from_value(resource).unwrap();
    let shown = endpoint(&resource, &["blue".to_owned(), "green".to_owned()]);
    assert_eq!(shown["traffic"], json!({"blue": 100, "green": 0}));
    assert_eq!(shown["auth_mode"], "key");
    assert_eq!(shown["provisioning_state"], "Updating");
    assert_eq!(shown["identity"]["principal_id"], "p");
    let document = Document::parse("end", &endpoint_file(&resource).to_string()).unwrap();
    let mut problems = Problems::new();
    let spec = files::read_endpoint(&document, &mut problems);
    assert_eq!(spec.unwrap_or_else(|| panic!("{problems}")).traffic["blue"], 100);
}
