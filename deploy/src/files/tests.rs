//! Files in the shape that people have them, right and wrong.

use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use plimsoll_document::{Document, Problems};

use super::*;
use crate::spec::{
    Access, Asset, AuthMode, DeploymentSpec, EndpointSpec, Identity, Kubernetes, Platform,
    ServiceTime,
};

/// A folder with a model, a scoring script and a conda file in it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (file, text) in [
        ("model/sklearn_regression_model.pkl", "not really"),
        ("onlinescoring/score.py", "def init(): pass\ndef run(data): return []\n"),
        ("environment/conda.yaml", "channels: [conda-forge]\ndependencies: [python=3.12]\n"),
        ("environment/broken.yaml", "dependencies: [python\n"),
        ("environment/other.yaml", "name: other\n"),
        ("container/Dockerfile", "FROM scratch\n"),
    ] {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn endpoint(text: &str) -> (Option<EndpointSpec>, Problems) {
    let mut problems = Problems::new();
    let document = Document::parse("endpoint.yml", text).unwrap();
    (read_endpoint(&document, &mut problems), problems)
}

fn deployment(base: &Path, text: &str) -> (Option<DeploymentSpec>, Problems) {
    let mut problems = Problems::new();
    let document = Document::parse("blue-deployment.yml", text).unwrap();
    (read_deployment(&document, base, &mut problems), problems)
}

fn good_deployment(base: &Path, text: &str) -> DeploymentSpec {
    let (spec, problems) = deployment(base, text);
    assert_eq!(problems.to_string(), "");
    spec.expect("without problems there is a deployment")
}

/// The problems in the order of their lines, without the test's folder.
fn sorted(base: &Path, problems: Problems) -> String {
    let problems = problems.or(None::<()>).expect_err("problems");
    problems.to_string().replace(&base.display().to_string(), "FOLDER")
}

const BLUE: &str = "\
$schema: https://azuremlschemas.azureedge.net/latest/managedOnlineDeployment.schema.json
name: blue
endpoint_name: my-endpoint
model:
  path: model/
code_configuration:
  code: onlinescoring/
  scoring_script: score.py
environment:
  conda_file: environment/conda.yaml
  image: mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04:latest
instance_type: Standard_DS3_v2
instance_count: 1
";

#[test]
fn the_usual_deployment_reads_clean() {
    let folder = folder();
    let spec = good_deployment(folder.path(), BLUE);
    assert_eq!((spec.name.as_str(), spec.endpoint_name.as_str()), ("blue", "my-endpoint"));
    assert_eq!((spec.instance_type.as_str(), spec.instance_count.get()), ("Standard_DS3_v2", 1));
    let Some(Asset::Inline(model)) = spec.model else { panic!("a model in place") };
    assert_eq!(model.path.here(), Some(&*folder.path().join("model/")));
    assert_eq!(spec.code.unwrap().folder.here(), Some(&*folder.path().join("onlinescoring/")));
    let Some(Asset::Inline(environment)) = spec.environment else { panic!("in place") };
    assert!(environment.conda.unwrap().contains("python=3.12"));
    assert_eq!(spec.request_settings.request_timeout, Duration::from_secs(5));
    assert_eq!(spec.liveness_probe.failure_threshold, 30);
}

#[test]
fn what_has_no_effect_on_this_machine_is_named() {
    let folder = folder();
    let with = |more: &str| good_deployment(folder.path(), &format!("{BLUE}{more}")).only_azure();
    assert!(with("").is_empty());
    let waits = "request_settings: {max_queue_wait_ms: 100}\n";
    assert_eq!(with(waits), ["request_settings.max_queue_wait_ms"]);
    let container = "name: blue\nendpoint_name: my-endpoint\nmodel: {path: model}\n\
        instance_type: Standard_DS3_v2\ninstance_count: 1\nenvironment: {image: x, inference_config: \
        {liveness_route: {port: 80, path: /}, readiness_route: {port: 80, path: /}, \
        scoring_route: {port: 80, path: /score}}}\n";
    let spec = good_deployment(folder.path(), container);
    assert_eq!(spec.only_azure(), ["environment", "environment.inference_config"]);
}

#[test]
fn every_setting_of_a_managed_deployment_is_kept() {
    let folder = folder();
    let spec = good_deployment(
        folder.path(),
        "name: green\nendpoint_name: my-endpoint\ntype: Managed\nmodel: azureml:my-model:3\n\
         code_configuration: {code: onlinescoring, scoring_script: score.py}\n\
         environment: azureml:my-env@latest\nenvironment_variables: {WORKER_COUNT: 4, DEBUG: true}\n\
         instance_type: STANDARD_f4s_V2\ninstance_count: '3'\napp_insights_enabled: 'True'\n\
         egress_public_network_access: disabled\nscale_settings: {type: default}\n\
         request_settings: {request_timeout_ms: 90000, max_concurrent_requests_per_instance: 4}\n\
         liveness_probe: {initial_delay: 1, period: 2, timeout: 3, failure_threshold: 4}\n\
         readiness_probe: {success_threshold: 2}\nmodel_mount_path: /models\n\
         data_collector: {sampling_rate: 0.5, rolling_rate: Day, collections: {request: {enabled: 'True'}, \
         response: {enabled: 'False', data: {name: out, version: '2', path: 'azureml://datastores/d/paths/p'}}}, \
         request_logging: {capture_headers: [X-Trace]}}\n",
    );
    let only_azure = [
        "model_mount_path",
        "app_insights_enabled",
        "egress_public_network_access",
        "data_collector",
    ];
    assert_eq!(spec.only_azure(), only_azure);
    assert_eq!(spec.environment_variables["WORKER_COUNT"], "4");
    assert_eq!(spec.environment_variables["DEBUG"], "true");
    assert_eq!(spec.instance_count.get(), 3);
    assert_eq!(spec.request_settings.request_timeout, Duration::from_secs(90));
    assert_eq!(spec.request_settings.max_concurrent_requests_per_instance.get(), 4);
    assert_eq!(spec.liveness_probe.timeout, Duration::from_secs(3));
    assert_eq!(spec.readiness_probe.success_threshold, 2);
    assert!(spec.azure.app_insights_enabled);
    assert_eq!(spec.azure.egress_public_network_access, Some(Access::Disabled));
    assert_eq!(spec.azure.model_mount_path.as_deref(), Some("/models"));
    let collector = spec.azure.data_collector.unwrap();
    assert_eq!((collector.sampling_rate, collector.rolling_rate.as_str()), (0.5, "day"));
    assert!(collector.collections["request"].enabled);
    assert_eq!(collector.collections["response"].version.as_deref(), Some("2"));
    assert_eq!(collector.capture_headers, ["X-Trace"]);
}

#[test]
fn all_problems_of_a_deployment_are_told_at_once() {
    let folder = folder();
    let (spec, problems) = deployment(
        folder.path(),
        "name: my_blue\n\
         endpoint_name: e\n\
         modell: azureml:other:1\n\
         model: my-model:1\n\
         code_configuration:\n  code: onlinescoring\n  scoring_script: scores.py\n\
         environment:\n  conda_file: environment/conda.yml\n  image: some/image\n  build: {path: container}\n\
         instance_type: Standard_DS33_v2\n\
         instance_count: 0\n\
         app_insights_enabled: perhaps\n\
         egress_public_network_access: enable\n\
         request_settings:\n  request_timeout_ms: 300001\n  max_concurrent_requests_per_instance: 0\n\
         liveness_probe:\n  success_threshold: 2\n  initial_delay: 0\n\
         readiness_probe:\n  periods: 10\n\
         scale_settings:\n  type: target_utilization\n\
         resources:\n  requests: {cpu: '1'}\n\
         data_collector: {sampling_rate: 1.5, collections: {}}\n",
    );
    assert_eq!(spec, None);
    assert!(problems.len() >= 18, "{}", problems.len());
    insta::assert_snapshot!("deployment_problems", sorted(folder.path(), problems));
}

#[test]
fn all_problems_of_an_endpoint_are_told_at_once() {
    let (spec, problems) = endpoint(
        "name: 1st\n\
         auth_mod: key\n\
         auth_mode: aml-tokn\n\
         compute: my-cluster\n\
         traffic:\n  blue: 60\n  green: 50\n  x: 1\n\
         mirror_traffic:\n  green: 51\n  blue: 10\n\
         identity: {type: system_assigned, user_assigned_identities: [{resource_id: /subscriptions/x}]}\n\
         public_network_access: 'off'\n",
    );
    assert_eq!(spec, None);
    insta::assert_snapshot!("endpoint_problems", sorted(Path::new("FOLDER"), problems));
}

#[test]
fn the_usual_endpoint_reads_clean() {
    let (spec, problems) = endpoint(
        "$schema: https://azuremlschemas.azureedge.net/latest/managedOnlineEndpoint.schema.json\n\
         name: my-endpoint\nauth_mode: Key\n",
    );
    assert_eq!(problems.to_string(), "");
    let spec = spec.unwrap();
    assert_eq!((spec.name.as_str(), spec.auth_mode), ("my-endpoint", AuthMode::Key));
    let (spec, problems) = endpoint(
        "name: my-endpoint\nauth_mode: aad_token\ntags: {team: 7}\ntraffic: {blue: 100, green: 0}\n\
         mirror_traffic: {green: 50}\npublic_network_access: disabled\n\
         identity: {type: user_assigned, user_assigned_identities: [{resource_id: /subscriptions/x}]}\n",
    );
    assert_eq!(problems.to_string(), "");
    let spec = spec.unwrap();
    assert_eq!(spec.only_azure(), ["identity", "public_network_access"]);
    assert_eq!((spec.traffic["blue"], spec.mirror_traffic["green"]), (100, 50));
    assert_eq!(spec.azure.identity, Some(Identity::UserAssigned("/subscriptions/x".to_owned())));
    assert_eq!(spec.azure.public_network_access, Some(Access::Disabled));
    assert_eq!(spec.tags["team"], "7");
}

#[test]
fn traffic_follows_the_service() {
    let traffic = |rest: &str| endpoint(&format!("name: my-endpoint\n{rest}\n")).0.is_some();
    assert!(traffic("traffic: {blue: 60, green: 40}"));
    assert!(traffic("traffic: {}"));
    assert!(traffic("traffic: {blue: 0, green: 0}"));
    assert!(traffic("mirror_traffic: {green: 50}"));
    assert!(traffic("mirror_traffic: {green: 0}\ntraffic: {green: 100}"));
    assert!(!traffic("traffic: {blue: 60}"));
    assert!(!traffic("traffic: {blue: 60, green: 50}"));
    assert!(!traffic("traffic: {blue: 130, green: -30}"));
    assert!(!traffic("traffic: {blue: 99.5, green: 0.5}"), "az cuts them down to 99");
    assert!(traffic("traffic: {blue: 100.0}"));
    assert!(!traffic("mirror_traffic: {green: 51}"));
    assert!(!traffic("mirror_traffic: {green: 10, blue: 10}"));
    assert!(!traffic("traffic: {blue: 100}\nmirror_traffic: {blue: 10}"));
}

#[test]
fn a_kubernetes_deployment_has_its_own_rules() {
    let folder = folder();
    let kubernetes = |rest: &str| {
        let text = format!(
            "name: blue\nendpoint_name: my-endpoint\ntype: kubernetes\nmodel: {{path: model}}\n{rest}\n"
        );
        deployment(folder.path(), &text)
    };
    let (spec, problems) = kubernetes(
        "scale_settings: {type: target_utilization, min_instances: 3, max_instances: 15}\n\
         resources: {requests: {cpu: '0.1', memory: 0.2Gi}, limits: {cpu: 500m, nvidia.com/gpu: '1'}}\n\
         request_settings: {request_timeout_ms: 300000}",
    );
    assert_eq!(problems.to_string(), "");
    let spec = spec.unwrap();
    assert_eq!(
        (spec.instance_type.as_str(), spec.instance_count.get()),
        ("defaultinstancetype", 3)
    );
    assert_eq!(spec.only_azure(), ["type", "scale_settings", "resources"]);
    let Platform::Kubernetes(Kubernetes { requests, limits, scale }) = spec.platform else {
        panic!("a Kubernetes deployment")
    };
    assert_eq!(requests.unwrap().memory.as_deref(), Some("0.2Gi"));
    assert_eq!(limits.unwrap().gpu.as_deref(), Some("1"));
    assert_eq!(scale.unwrap().percent, 70);
    assert!(kubernetes("instance_count: 60").0.is_some(), "the limit of 50 is of managed ones");
    for wrong in [
        "instance_count: 0",
        "scale_settings: {type: default}",
        "scale_settings: {type: target_utilization, min_instances: 3}",
        "instance_count: 1\nresources: {requests: {cpu: '2', memory: 1Gi}, limits: {cpu: 500m}}",
        "instance_count: 1\nresources: {requests: {cpu: 2}}",
        "resources: {requests: {cpu: many, memory: 1Gi}}",
        "egress_public_network_access: enabled",
    ] {
        let (spec, problems) = kubernetes(wrong);
        assert_eq!((spec, problems.is_empty()), (None, false), "{wrong}");
    }
}

#[test]
fn an_environment_is_needed_only_by_a_scoring_script() {
    let folder = folder();
    let with = |rest: &str| {
        let text = format!(
            "name: blue\nendpoint_name: my-endpoint\ninstance_type: Standard_DS3_v2\ninstance_count: 2\n{rest}\n"
        );
        deployment(folder.path(), &text)
    };
    assert!(with("model: {path: model/sklearn_regression_model.pkl}").0.is_some());
    let (_, problems) = with("code_configuration: {code: onlinescoring, scoring_script: score.py}");
    assert!(problems.to_string().contains("`environment` is missing"), "{problems}");
    let (_, problems) = with("tags: {a: b}");
    assert!(problems.to_string().contains("nothing to serve"), "{problems}");
    for (conda, message) in [
        ("environment/broken.yaml", "not valid YAML"),
        ("environment/other.yaml", "is no conda file"),
        ("environment", "must be a file"),
    ] {
        let (_, problems) =
            with(&format!("environment: {{image: some/image, conda_file: {conda}}}"));
        assert!(problems.to_string().contains(message), "{problems}");
    }
    let (_, problems) = with("environment: {channels: [a], dependencies: [python]}");
    assert!(problems.to_string().contains("what a conda file holds"), "{problems}");
    let inline = "environment: {image: some/image, conda_file: {dependencies: [python=3.10]}}";
    let Some(Asset::Inline(environment)) = with(inline).0.unwrap().environment else {
        panic!("in place")
    };
    let conda = Document::parse("conda", &environment.conda.unwrap()).unwrap();
    assert!(conda.root().child("dependencies").is_some(), "it can be read again");
}

#[test]
fn a_container_that_brings_its_server_names_its_routes() {
    let folder = folder();
    let routes = "{port: 8501, path: /v1/models/half}";
    let text = format!(
        "name: tfserving\nendpoint_name: my-endpoint\ninstance_type: Standard_DS3_v2\ninstance_count: 1\n\
         environment:\n  build: {{path: container}}\n  inference_config:\n    liveness_route: {routes}\n    \
         readiness_route: {routes}\n    scoring_route: {{port: 8501, path: '/v1/models/half:predict'}}\n"
    );
    let spec = good_deployment(folder.path(), &text);
    let Some(Asset::Inline(environment)) = spec.environment else { panic!("in place") };
    assert_eq!(environment.routes.unwrap().scoring.path, "/v1/models/half:predict");
    assert_eq!(environment.build.unwrap().dockerfile, Path::new("Dockerfile"));
    let broken =
        text.replace("    readiness_route: ", "    ready: ").replace("port: 8501", "port: 0");
    let (_, problems) = deployment(folder.path(), &broken);
    assert!(problems.to_string().contains("`readiness_route` is missing"), "{problems}");
    assert!(problems.to_string().contains("`port` is 0"), "{problems}");
}

#[test]
fn synthetic_service_times_need_no_model() {
    let with = |synthetic: &str| {
        let text = format!(
            "name: slow\nendpoint_name: my-endpoint\ninstance_type: Standard_DS3_v2\ninstance_count: 2\n{synthetic}\n"
        );
        deployment(Path::new("."), &text)
    };
    let (spec, problems) = with(
        "synthetic: {service_time: {log_normal: {p50_ms: 20, p99_ms: 80.5}}, error_rate: 0.01}",
    );
    assert_eq!(problems.to_string(), "");
    let synthetic = spec.unwrap().synthetic.unwrap();
    assert_eq!(synthetic.service_time, ServiceTime::LogNormal { p50_ms: 20.0, p99_ms: 80.5 });
    for (wrong, message) in [
        ("synthetic: {service_time: {constant: {ms: -1}}}", "at least 0"),
        ("synthetic: {service_time: {exponential: {mean_ms: 0}}}", "more than 0"),
        ("synthetic: {service_time: {log_normal: {p50_ms: 20}}}", "`p99_ms` is missing"),
        ("synthetic: {service_time: {log_normal: {p50_ms: 20, p99_ms: 2}}}", "below `p50_ms`"),
        ("synthetic: {service_time: {pareto: {ms: 1}}}", "`service_time`"),
        ("synthetic: {}", "`service_time` is missing"),
        ("synthetic: {service_time: {constant: {ms: 1}}}\nmodel: azureml:m:1", "serves no model"),
    ] {
        let (spec, problems) = with(wrong);
        assert_eq!(spec, None, "{wrong}");
        assert!(problems.to_string().contains(message), "{wrong}:\n{problems}");
    }
}

#[test]
fn a_new_deployment_has_the_defaults_of_a_short_file() {
    let folder = folder();
    let short = "name: blue\nendpoint_name: my-endpoint\nmodel: azureml:m:1\n\
                 instance_type: Standard_DS3_v2\ninstance_count: 2\n";
    let read = good_deployment(folder.path(), short);
    let two = NonZeroU32::new(2).unwrap();
    let made = DeploymentSpec {
        model: Some(Asset::Reference("azureml:m:1".to_owned())),
        ..DeploymentSpec::new("blue", "my-endpoint", "Standard_DS3_v2", two)
    };
    assert_eq!(read, made);
}

#[test]
fn the_schemas_describe_every_key() {
    for (schema, key) in [(endpoint_schema(), "mirror_traffic"), (deployment_schema(), "synthetic")]
    {
        let property = &schema["properties"][key];
        assert!(property.to_string().contains("description"), "{key}: {property}");
        assert_eq!(schema["additionalProperties"], false);
    }
}

mod az;
