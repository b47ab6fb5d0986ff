//! Kinds of file that plimsoll does not read, so that one that is given can be named.

use plimsoll_document::{Document, Node, Value};

/// The one whose keys are also those of an online endpoint.
pub(super) const BATCH_ENDPOINT: &str = "a batch endpoint of Azure ML";
const BATCH_DEPLOYMENT: &str = "a batch deployment of Azure ML";
const JOB: &str = "a job of Azure ML";
const COMPONENT: &str = "a component of Azure ML";
const SCHEDULE: &str = "a schedule of Azure ML";
const CONNECTION: &str = "a connection of Azure ML";
const FLOW: &str = "a prompt flow";
const MODEL: &str = "a model of Azure ML";
const ENVIRONMENT: &str = "an environment of Azure ML";
const DATA: &str = "a data asset of Azure ML";
const COMPUTE: &str = "a compute of Azure ML";
const DATASTORE: &str = "a datastore of Azure ML";
const WORKSPACE: &str = "a workspace of Azure ML";
const REGISTRY: &str = "a registry of Azure ML";
const SERVERLESS: &str = "a serverless endpoint of Azure ML";
const ARM: &str = "a resource or template of Azure Resource Manager";

/// Parts of a `$schema` line, the longer before those that they hold.
const SCHEMAS: &[(&str, &str)] = &[
    ("batchendpoint", BATCH_ENDPOINT),
    ("batchdeployment", BATCH_DEPLOYMENT),
    ("serverlessendpoint", SERVERLESS),
    ("component", COMPONENT),
    ("job", JOB),
    ("schedule", SCHEDULE),
    ("connection", CONNECTION),
    ("flow", FLOW),
    ("compute", COMPUTE),
    ("environment", ENVIRONMENT),
    ("workspace", WORKSPACE),
    ("hub.schema", WORKSPACE),
    ("project.schema", WORKSPACE),
    ("registry", REGISTRY),
    ("azureblob", DATASTORE),
    ("azurefile", DATASTORE),
    ("azuredatalake", DATASTORE),
    ("datastore", DATASTORE),
    ("mltable", DATA),
    ("data.schema", DATA),
    ("model.schema", MODEL),
    ("deploymenttemplate.json", ARM),
    ("github-workflow", "a workflow of GitHub Actions"),
    ("compose", "a file of Docker Compose"),
];

/// What a `$schema` line, in small letters, names.
pub(super) fn by_schema(schema: &str) -> Option<&'static str> {
    SCHEMAS.iter().find(|(part, _)| schema.contains(part)).map(|(_, kind)| *kind)
}

/// What the file is by keys that none of ours has.
pub(super) fn by_own_keys(document: &Document) -> Option<&'static str> {
    let root = document.root();
    of_other_tools(root)
        .or_else(|| of_batch(root))
        .or_else(|| of_work(root))
        .or_else(|| of_management(root))
}

/// Kubernetes, pipelines, collectors, and what else lies beside a deployment.
fn of_other_tools(root: &Node) -> Option<&'static str> {
    if has(root, "apiVersion") && has(root, "kind") {
        return Some("a Kubernetes manifest");
    }
    if is_map(root, "jobs") && (has(root, "on") || has(root, "true")) {
        return Some("a workflow of GitHub Actions");
    }
    if is_map(root, "receivers") || is_map(root, "exporters") && is_map(root, "service") {
        return Some("a configuration of the OpenTelemetry Collector");
    }
    if is_map(root, "services") {
        return Some("a file of Docker Compose");
    }
    if is_list(root, "scrape_configs") || is_list(root, "groups") {
        return Some("a configuration of Prometheus");
    }
    let triggered = has(root, "trigger") && (is_list(root, "stages") || is_list(root, "jobs"));
    if is_list(root, "steps") || triggered {
        return Some("a pipeline of Azure DevOps");
    }
    (is_map(root, "config") && is_list(root, "scenarios")).then_some("a test of Artillery")
}

fn of_batch(root: &Node) -> Option<&'static str> {
    let own = [
        "mini_batch_size",
        "output_action",
        "output_file_name",
        "max_concurrency_per_instance",
        "error_threshold",
        "logging_level",
        "retry_settings",
    ];
    let behind = has(root, "endpoint_name");
    let settings = is_map(root, "settings") || has(root, "compute") || has(root, "component");
    if has_any(root, &own) || behind && settings {
        return Some(BATCH_DEPLOYMENT);
    }
    is_map(root, "defaults").then_some(BATCH_ENDPOINT)
}

/// Jobs, their parts, and what starts them.
fn of_work(root: &Node) -> Option<&'static str> {
    if has_any(root, &["create_job", "create_monitor"]) || is_map(root, "trigger") {
        return Some(SCHEDULE);
    }
    if is_list(root, "nodes") || has_any(root, &["flow_type", "node_variants"]) {
        return Some(FLOW);
    }
    let types = ["command", "pipeline", "sweep", "automl", "parallel", "spark", "import"];
    let own = [
        "command",
        "jobs",
        "trial",
        "search_space",
        "task",
        "entry_script",
        "experiment_name",
        "is_deterministic",
    ];
    let kind = text(root, "type").unwrap_or_default();
    if !types.contains(&kind) && !has_any(root, &own) {
        return None;
    }
    let schema = text(root, "$schema").unwrap_or_default().to_lowercase();
    let component = by_schema(&schema) == Some(COMPONENT)
        || has(root, "is_deterministic")
        || has(root, "version") && !has(root, "experiment_name");
    Some(if component { COMPONENT } else { JOB })
}

/// Connections, and what goes to Azure's own interfaces.
fn of_management(root: &Node) -> Option<&'static str> {
    let connects = text(root, "target").is_some() || has(root, "type");
    if has(root, "credentials") && connects && !has(root, "account_name") {
        return Some(CONNECTION);
    }
    let inside = |key: &str| root.child("properties").is_some_and(|inside| has(inside, key));
    if is_list(root, "profiles") || inside("profiles") {
        return Some("autoscale settings of Azure Monitor");
    }
    let resource = inside("authMode") || inside("endpointComputeType");
    (resource || has(root, "contentVersion")).then_some(ARM)
}

/// What the file is by keys that ours may have too: only asked where nothing else is known.
pub(super) fn by_shape(document: &Document) -> Option<&'static str> {
    let root = document.root();
    let listed = match &root.value {
        Value::List(items) => Some(items),
        _ => match root.child("value").map(|node| &node.value) {
            Some(Value::List(items)) => Some(items),
            _ => None,
        },
    };
    let usage = |item: &Node| has(item, "currentValue") && has(item, "limit");
    if listed.is_some_and(|items| items.iter().any(usage)) {
        return Some("an answer of Azure's usages call (for `quota --limits`)");
    }
    if is_list(root, "dependencies") {
        return Some("a conda file (for `conda_file` of an environment)");
    }
    let kind = text(root, "type").unwrap_or_default();
    let known = BY_TYPE.iter().find(|(types, _)| types.contains(&kind)).map(|(_, named)| *named);
    let known = known.or_else(|| {
        let (_, named) = BY_KEY.iter().find(|(keys, _)| has_any(root, keys))?;
        Some(*named)
    });
    let flow = root.child("environment").is_some_and(|e| has(e, "python_requirements_txt"));
    if flow || has(root, "inputs") && has(root, "outputs") {
        return Some(FLOW);
    }
    let connects = text(root, "target").is_some() && !kind.is_empty();
    known
        .or_else(|| connects.then_some(CONNECTION))
        .or_else(|| (has(root, "path") && has(root, "name")).then_some(MODEL))
}

/// What a `type` names.
const BY_TYPE: &[(&[&str], &str)] = &[
    (&["custom_model", "mlflow_model", "triton_model"], MODEL),
    (&["uri_file", "uri_folder", "mltable"], DATA),
    (&["amlcompute", "computeinstance", "virtualmachine", "synapsespark"], COMPUTE),
    (&["azure_blob", "azure_file", "azure_data_lake_gen1", "azure_data_lake_gen2"], DATASTORE),
];

/// What one of several keys names.
const BY_KEY: &[(&[&str], &str)] = &[
    (&["flavors", "artifact_path"], MODEL),
    (&["transformations"], DATA),
    (&["size", "idle_time_before_scale_down", "resource_id"], COMPUTE),
    (&["account_name", "container_name", "filesystem"], DATASTORE),
    (&["api_base", "api_key", "azure_endpoint", "open_ai_resource_id"], CONNECTION),
    (&["replication_locations"], REGISTRY),
    (
        &["storage_account", "key_vault", "application_insights", "managed_network", "hub_id"],
        WORKSPACE,
    ),
    (&["model_id"], SERVERLESS),
    (&["image", "conda_file", "build", "inference_config"], ENVIRONMENT),
    (&["entry"], FLOW),
    (&["data", "input_data", "instances"], "the body of a request"),
];

fn has(root: &Node, key: &str) -> bool {
    root.child(key).is_some()
}

fn has_any(root: &Node, keys: &[&str]) -> bool {
    keys.iter().any(|key| has(root, key))
}

fn is_map(root: &Node, key: &str) -> bool {
    root.child(key).is_some_and(|node| matches!(node.value, Value::Map(_)))
}

fn is_list(root: &Node, key: &str) -> bool {
    root.child(key).is_some_and(|node| matches!(node.value, Value::List(_)))
}

fn text<'a>(root: &'a Node, key: &str) -> Option<&'a str> {
    root.child(key)?.text()
}

#[cfg(test)]
mod tests {
    use super::super::{FileKind, kind_of};
    use super::*;

    /// The kinds that people have next to those that we read, each by its keys alone.
    #[test]
    fn other_files_are_named_by_their_keys() {
        for (file, named) in [
            (
                "name: d\nendpoint_name: e\nmodel: azureml:m:1\ncompute: azureml:c\nmini_batch_size: 10\n",
                BATCH_DEPLOYMENT,
            ),
            (
                "name: d\nendpoint_name: e\ntype: model\nmodel: azureml:m:1\nsettings: {error_threshold: 1}\n",
                BATCH_DEPLOYMENT,
            ),
            ("command: python train.py\nenvironment: azureml:e:1\ncompute: azureml:c\n", JOB),
            ("type: pipeline\njobs: {a: {type: command}}\n", JOB),
            ("type: sweep\ntrial: {}\nsearch_space: {}\n", JOB),
            (
                "name: c\ntype: command\nversion: 1\ncommand: echo\nenvironment: azureml:e:1\n",
                COMPONENT,
            ),
            (
                "name: s\ntrigger: {type: cron, expression: '0 1 * * *'}\ncreate_job: job.yml\n",
                SCHEDULE,
            ),
            ("name: c\ntype: azure_open_ai\nazure_endpoint: https://x\napi_key: k\n", CONNECTION),
            ("name: c\ntype: git\ntarget: https://x/y\ncredentials: {type: pat}\n", CONNECTION),
            (
                "inputs: {q: {type: string}}\noutputs: {a: {type: string}}\nnodes: [{name: n}]\n",
                FLOW,
            ),
            ("name: m\nversion: 1\npath: model/\ntype: mlflow_model\n", MODEL),
            ("name: e\nimage: x\nconda_file: conda.yml\n", ENVIRONMENT),
            ("name: d\npath: data/\ntype: uri_folder\n", DATA),
            ("name: c\ntype: amlcompute\nsize: Standard_DS3_v2\nmax_instances: 4\n", COMPUTE),
            ("name: b\ntype: azure_blob\naccount_name: a\ncontainer_name: c\n", DATASTORE),
            ("name: w\nlocation: westeurope\nstorage_account: /subscriptions/s\n", WORKSPACE),
            ("name: s\nmodel_id: azureml://registries/r/models/m\n", SERVERLESS),
            (
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {}\n",
                "a Kubernetes manifest",
            ),
            ("services: {web: {image: nginx}}\n", "a file of Docker Compose"),
            (
                "name: CI\non: push\njobs: {test: {runs-on: ubuntu-latest}}\n",
                "a workflow of GitHub Actions",
            ),
            ("trigger: [main]\nsteps: [{script: make}]\n", "a pipeline of Azure DevOps"),
            (
                "channels: [conda-forge]\ndependencies: [python=3.12]\n",
                "a conda file (for `conda_file` of an environment)",
            ),
            (
                "{\"location\": \"w\", \"properties\": {\"profiles\": [], \"enabled\": true}}",
                "autoscale settings of Azure Monitor",
            ),
            ("{\"properties\": {\"authMode\": \"Key\"}}", ARM),
            (
                "{\"value\": [{\"limit\": 1, \"currentValue\": 0}]}",
                "an answer of Azure's usages call (for `quota --limits`)",
            ),
            ("{\"data\": [[1, 2]]}", "the body of a request"),
            (
                "receivers: {otlp: {}}\nexporters: {}\nservice: {}\n",
                "a configuration of the OpenTelemetry Collector",
            ),
        ] {
            let document = Document::parse("t.yml", file).unwrap();
            assert_eq!(kind_of(&document), FileKind::Other(named), "{file}");
        }
    }

    /// What is ours stays ours, whatever else is in it.
    #[test]
    fn our_own_files_are_never_taken_for_others() {
        for (file, kind) in [
            (
                "name: s\ntarget: {url: 'http://x/'}\nrequest: {method: GET}\nload: {}\n",
                FileKind::Scenario,
            ),
            ("name: b\nendpoint_name: e\ntype: kubernetes\nresources: {}\n", FileKind::Deployment),
            ("name: b\nmodel: {path: m}\n", FileKind::Deployment),
            ("name: b\nenvironment: azureml:e:1\ninstance_type: x\n", FileKind::Deployment),
            ("name: e\ntags: {image: x}\nproperties: {a: b}\n", FileKind::Endpoint),
        ] {
            let document = Document::parse("t.yml", file).unwrap();
            assert_eq!(kind_of(&document), kind, "{file}");
        }
    }

    #[test]
    fn a_schema_line_names_what_keys_do_not() {
        for (line, named) in [
            ("commandJob.schema.json", JOB),
            ("pipelineComponent.schema.json", COMPONENT),
            ("azureOpenAIConnection.schema.json", CONNECTION),
            ("Flow.schema.json", FLOW),
            ("amlCompute.schema.json", COMPUTE),
            ("model.schema.json", MODEL),
        ] {
            let text =
                format!("$schema: https://azuremlschemas.azureedge.net/latest/{line}\nname: x\n");
            let document = Document::parse("t.yml", &text).unwrap();
            assert_eq!(kind_of(&document), FileKind::Other(named), "{line}");
        }
    }
}
