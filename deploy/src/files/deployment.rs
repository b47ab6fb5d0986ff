//! The deployment file.
//!
//! `type: kubernetes` makes a Kubernetes deployment, as it does for `az`. `environment` may be
//! missing where nothing needs it: a model that the built-in server loads, or `synthetic`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use plimsoll_document::{Document, Problems, Wrong};
use schemars::JsonSchema;
use serde::Deserialize;

use super::collector::RawCollector;
use super::endpoint::ACCESS;
use super::environment::RawEnvironment;
use super::model::RawModel;
use super::names::{AssetKind, check_name, check_reference, is_resource_id};
use super::reader::{Reader, Spelling, Want, is_address};
use super::resources::RawResources;
use super::settings::{RawProbe, RawRequestSettings, RawScaleSettings};
use super::size::{instance_count, instance_type, is_kubernetes, platform};
use super::synthetic::RawSynthetic;
use super::values::{Anything, FORMATS, Flag, Whole};
use super::{collector, environment, model, settings, synthetic};
use crate::spec::{Asset, AzureDeployment, Code, DeploymentSpec, Environment, Location, Model};

/// An online deployment of Azure ML, as `az ml online-deployment create -f` takes it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Azure ML online deployment")]
pub(super) struct Raw {
    /// Address of a schema for editors; not read.
    #[serde(rename = "$schema")]
    #[expect(dead_code, reason = "it is for editors")]
    schema: Option<Anything>,
    /// 3 to 32 letters, digits and hyphens. May be given by `--name`.
    name: Option<String>,
    /// The endpoint it is behind. May be given by `--endpoint-name`.
    endpoint_name: Option<String>,
    /// `managed` (default) or `kubernetes`.
    #[serde(rename = "type")]
    #[schemars(extend("examples" = ["managed", "kubernetes"]))]
    kind: Option<String>,
    /// For people.
    description: Option<String>,
    /// For people and policies.
    tags: Option<BTreeMap<String, Anything>>,
    /// Free properties.
    properties: Option<BTreeMap<String, Anything>>,
    /// What is served: a registered model, or files.
    model: Option<RawAsset<RawModel>>,
    /// Where a custom container wants the model.
    model_mount_path: Option<String>,
    /// The scoring script.
    code_configuration: Option<RawCode>,
    /// What the scoring script needs: a registered environment, or its description.
    environment: Option<RawAsset<RawEnvironment>>,
    /// Given to the scoring script.
    environment_variables: Option<BTreeMap<String, Anything>>,
    /// The machine size, such as `Standard_DS3_v2`; for Kubernetes the name of an instance type.
    #[schemars(extend("examples" = ["Standard_DS3_v2"]))]
    instance_type: Option<String>,
    /// Running replicas; more than 50 need a raised limit.
    #[schemars(extend("examples" = [2]))]
    instance_count: Option<Whole>,
    /// Send telemetry to Application Insights.
    app_insights_enabled: Option<Flag>,
    /// How instances are added.
    scale_settings: Option<RawScaleSettings>,
    /// Timeout and concurrency.
    request_settings: Option<RawRequestSettings>,
    /// When an instance is restarted.
    liveness_probe: Option<RawProbe>,
    /// When an instance gets requests.
    readiness_probe: Option<RawProbe>,
    /// Keep a sample of what is asked and answered.
    data_collector: Option<RawCollector>,
    /// `enabled` (default) or `disabled`; managed only.
    #[schemars(extend("examples" = ["enabled", "disabled"]))]
    egress_public_network_access: Option<String>,
    /// Reached through a private network; managed only.
    private_network_connection: Option<Flag>,
    /// What the container asks for and may use; Kubernetes only.
    resources: Option<RawResources>,
    /// Not of Azure: serve drawn service times instead of a model.
    synthetic: Option<RawSynthetic>,
    /// Printed by `az … show`; ignored.
    #[expect(dead_code, reason = "it is only taken")]
    id: Option<String>,
    /// Printed by `az … show`; ignored.
    #[expect(dead_code, reason = "it is only taken")]
    provisioning_state: Option<String>,
    /// Printed by `az … show`; ignored.
    #[expect(dead_code, reason = "it is only taken")]
    creation_context: Option<serde_json::Value>,
}

/// What `az … show` prints beside what can be given.
const SHOWN: &[&str] = &["/id", "/provisioning_state", "/creation_context"];

/// A registered asset, or its description.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum RawAsset<T> {
    Reference(String),
    Inline(T),
}

/// The scoring script.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawCode {
    /// Its folder, relative to this file.
    #[schemars(required)]
    code: Option<String>,
    /// The script, relative to `code`.
    #[schemars(required)]
    scoring_script: Option<String>,
}

/// Reads a deployment file whose paths start at `base`; whatever is wrong is added to `problems`.
/// `None` if it cannot be used.
pub fn read_deployment(
    document: &Document,
    base: &Path,
    problems: &mut Problems,
) -> Option<DeploymentSpec> {
    let before = problems.len();
    let raw: Raw = document.read(FORMATS, problems)?;
    let mut reader = Reader { document, problems, base };
    let spec = deployment(&mut reader, raw);
    if problems.len() == before { spec } else { None }
}

fn deployment(reader: &mut Reader, raw: Raw) -> Option<DeploymentSpec> {
    let kubernetes = is_kubernetes(reader, raw.kind.as_deref());
    names(reader, &raw, kubernetes);
    served(reader, &raw);
    reader.ignored(SHOWN, "printed by `az … show`, and ignored");
    if kubernetes {
        no_registries(reader, &raw);
    }
    let model = raw.model.and_then(|raw| model_asset(reader, raw));
    let code = raw.code_configuration.and_then(|raw| code(reader, &raw));
    let environment = raw.environment.and_then(|raw| environment_asset(reader, raw));
    let platform = platform(reader, kubernetes, raw.scale_settings, raw.resources);
    let instance_type = instance_type(reader, raw.instance_type, kubernetes);
    let instance_count = instance_count(reader, raw.instance_count, &platform);
    let limit = if kubernetes { settings::KUBERNETES_TIMEOUT } else { settings::MANAGED_TIMEOUT };
    let access = raw.egress_public_network_access.as_deref();
    let access = reader.choice("/egress_public_network_access", access, Spelling::Lower, ACCESS);
    if let Some(path) = raw.model_mount_path.as_deref().filter(|path| !path.starts_with('/')) {
        let wrong = Wrong::new(format!("`{path}` is no absolute path of the container"));
        reader.wrong("/model_mount_path", wrong.hint("start it with `/`"));
    }
    let azure = AzureDeployment {
        model_mount_path: raw.model_mount_path,
        app_insights_enabled: raw.app_insights_enabled.is_some_and(|flag| flag.0),
        egress_public_network_access: access,
        private_network_connection: raw.private_network_connection.is_some_and(|flag| flag.0),
        data_collector: raw.data_collector.and_then(|raw| collector::check(reader, raw)),
    };
    let request_settings = settings::requests(reader, raw.request_settings, limit);
    let liveness_probe = settings::liveness(reader, raw.liveness_probe);
    let readiness_probe = settings::readiness(reader, raw.readiness_probe);
    let synthetic = raw.synthetic.and_then(|raw| synthetic::check(reader, raw));
    let environment_variables = reader.written("/environment_variables", raw.environment_variables);
    let (tags, properties) =
        (reader.written("/tags", raw.tags), reader.written("/properties", raw.properties));
    if !kubernetes && !serves_flow(environment.as_ref(), &environment_variables, &properties) {
        settings::flow_timeout(reader, &request_settings);
    }
    Some(DeploymentSpec {
        name: raw.name?,
        endpoint_name: raw.endpoint_name?,
        description: raw.description,
        tags,
        properties,
        model,
        code,
        environment,
        environment_variables,
        instance_type: instance_type?,
        instance_count: instance_count?,
        request_settings,
        liveness_probe,
        readiness_probe,
        synthetic,
        platform,
        azure,
    })
}

fn names(reader: &mut Reader, raw: &Raw, kubernetes: bool) {
    match &raw.name {
        Some(name) => drop(reader.keep("/name", check_name("a deployment", name))),
        None if reader.lacks("name") => {
            let hint = "add it, or give it by `--name` as az takes it";
            reader.wrong("", Wrong::new("`name` is missing").hint(hint));
        }
        None => {}
    }
    match &raw.endpoint_name {
        Some(name) => drop(reader.keep("/endpoint_name", check_name("an endpoint", name))),
        None if reader.lacks("endpoint_name") => {
            let hint = "add it, or give it by `--endpoint-name` as az takes it";
            reader.wrong("", Wrong::new("`endpoint_name` is missing").hint(hint));
        }
        None => {}
    }
    if let (true, Some(name), Some(endpoint)) = (kubernetes, &raw.name, &raw.endpoint_name) {
        let length = name.chars().count() + endpoint.chars().count();
        if length > 62 {
            let text = format!("the two names have {length} characters together");
            let hint = "on Kubernetes `endpoint_name` and `name` may have 62";
            reader.wrong("/name", Wrong::new(text).hint(hint));
        }
    }
}

/// `az` takes nothing from a registry to Kubernetes.
fn no_registries(reader: &mut Reader, raw: &Raw) {
    let model = match &raw.model {
        Some(RawAsset::Reference(text)) => Some(text),
        Some(RawAsset::Inline(_)) | None => None,
    };
    let environment = match &raw.environment {
        Some(RawAsset::Reference(text)) => Some(text),
        Some(RawAsset::Inline(_)) | None => None,
    };
    let code = raw.code_configuration.as_ref().and_then(|raw| raw.code.as_ref());
    for (at, given) in
        [("/model", model), ("/environment", environment), ("/code_configuration/code", code)]
    {
        if given.is_some_and(|text| text.starts_with("azureml://registries/")) {
            let wrong = Wrong::new("the address of a registry is for managed deployments only");
            let hint = "on Kubernetes give files, or what is registered in the workspace";
            reader.wrong(at, wrong.hint(hint));
        }
    }
}

/// Whether a deployment serves a prompt flow, which may take longer. Nothing in the file says so;
/// its usual image, variables and properties do.
fn serves_flow(
    environment: Option<&Asset<Environment>>,
    variables: &BTreeMap<String, String>,
    properties: &BTreeMap<String, String>,
) -> bool {
    let names = |text: &str| text.to_lowercase().replace(['-', '_'], "").contains("promptflow");
    let environment = match environment {
        Some(Asset::Inline(environment)) => environment.image.as_deref(),
        Some(Asset::Reference(reference)) => Some(reference.as_str()),
        None => None,
    };
    environment.is_some_and(names)
        || variables.keys().chain(properties.keys()).any(|key| names(key))
}

/// Something has to be served, and by one way only.
fn served(reader: &mut Reader, raw: &Raw) {
    let (model, code) = (raw.model.is_some(), raw.code_configuration.is_some());
    if reader.has("/code_configuration") && reader.lacks("environment") {
        let wrong = Wrong::new("`environment` is missing");
        reader.wrong("/code_configuration", wrong.hint("the scoring script needs one"));
    }
    let keys = ["model", "code_configuration", "environment", "synthetic"];
    if keys.iter().all(|key| reader.lacks(key)) {
        let wrong = Wrong::new("there is nothing to serve: `model` is missing");
        let hint =
            "give `model` (or `--set model=…`), `environment` with a container, or `synthetic`";
        reader.wrong("", wrong.hint(hint));
    }
    if raw.synthetic.is_some() && (model || code || raw.environment.is_some()) {
        let wrong = Wrong::new("`synthetic` serves no model, and a model is given too");
        let hint = "leave out `synthetic`, or `model`, `code_configuration` and `environment`";
        reader.wrong("/synthetic", wrong.hint(hint));
    }
}

fn model_asset(reader: &mut Reader, raw: RawAsset<RawModel>) -> Option<Asset<Model>> {
    match raw {
        RawAsset::Reference(text) => reference(reader, AssetKind::Model, text),
        RawAsset::Inline(raw) => model::check(reader, raw).map(Asset::Inline),
    }
}

fn environment_asset(
    reader: &mut Reader,
    raw: RawAsset<RawEnvironment>,
) -> Option<Asset<Environment>> {
    match raw {
        RawAsset::Reference(text) => reference(reader, AssetKind::Environment, text),
        RawAsset::Inline(raw) => Some(Asset::Inline(environment::check(reader, raw))),
    }
}

fn reference<T>(reader: &mut Reader, kind: AssetKind, text: String) -> Option<Asset<T>> {
    let checked = check_reference(kind, &text);
    reader.keep(&format!("/{}", kind.key()), checked)?;
    Some(Asset::Reference(text))
}

fn code(reader: &mut Reader, raw: &RawCode) -> Option<Code> {
    let at = "/code_configuration/scoring_script";
    let given = raw.code.as_deref()?;
    let script = raw.scoring_script.as_deref()?;
    if given.starts_with("azureml:") || is_resource_id(given) {
        let checked = check_reference(AssetKind::Code, given);
        reader.keep("/code_configuration/code", checked)?;
        let folder = Location::Elsewhere(given.to_owned());
        return Some(Code { folder, scoring_script: PathBuf::from(script) });
    }
    if is_address(given) {
        let wrong = Wrong::new(format!("`{given}` is not on this machine"));
        let hint = "give a folder, for az reads the script there, or a registered code";
        reader.wrong("/code_configuration/code", wrong.hint(hint));
        return None;
    }
    let folder = reader.path("/code_configuration/code", given, Want::Folder)?;
    if script.trim().is_empty() || !folder.join(script).is_file() {
        let wrong = Wrong::new(format!("`{script}` is no file in the code folder"));
        reader.wrong(at, wrong.hint(format!("looked in {}", folder.display())));
        return None;
    }
    Some(Code { folder: Location::Here(folder), scoring_script: PathBuf::from(script) })
}
