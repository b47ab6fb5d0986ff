//! The deployment file.
//!
//! `type: kubernetes` makes a Kubernetes deployment, as it does for `az`. `environment` may be
//! missing where nothing needs it: a model that the built-in server loads, or `synthetic`.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use plimsoll_document::{Document, Problems};
use schemars::JsonSchema;
use serde::Deserialize;

use super::collector::RawCollector;
use super::endpoint::ACCESS;
use super::environment::RawEnvironment;
use super::model::RawModel;
use super::names::{AssetKind, Wrong, check_name, check_reference};
use super::reader::{Reader, Want};
use super::resources::RawResources;
use super::settings::{RawProbe, RawRequestSettings, RawScaleSettings};
use super::synthetic::RawSynthetic;
use super::values::{FORMATS, Flag, Whole};
use super::{collector, environment, model, resources, settings, synthetic};
use crate::sku::Sku;
use crate::spec::{
    Asset, AzureDeployment, Code, DeploymentSpec, Environment, Kubernetes, MOST_INSTANCES, Model,
    Platform,
};

/// An online deployment of Azure ML, as `az ml online-deployment create -f` takes it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Azure ML online deployment")]
pub(super) struct Raw {
    /// Address of a schema for editors; not read.
    #[serde(rename = "$schema")]
    #[expect(dead_code, reason = "it is for editors")]
    schema: Option<String>,
    /// 3 to 32 letters, digits and hyphens.
    #[schemars(required)]
    name: Option<String>,
    /// The endpoint it is behind.
    #[schemars(required)]
    endpoint_name: Option<String>,
    /// `managed` (default) or `kubernetes`.
    #[serde(rename = "type")]
    #[schemars(extend("examples" = ["managed", "kubernetes"]))]
    kind: Option<String>,
    /// For people.
    description: Option<String>,
    /// For people and policies.
    tags: Option<BTreeMap<String, String>>,
    /// Free properties.
    properties: Option<BTreeMap<String, String>>,
    /// What is served: a registered model, or files.
    model: Option<RawAsset<RawModel>>,
    /// Where a custom container wants the model.
    model_mount_path: Option<String>,
    /// The scoring script.
    code_configuration: Option<RawCode>,
    /// What the scoring script needs: a registered environment, or its description.
    environment: Option<RawAsset<RawEnvironment>>,
    /// Given to the scoring script.
    environment_variables: Option<BTreeMap<String, String>>,
    /// The machine size, such as `Standard_DS3_v2`; for Kubernetes the name of an instance type.
    #[schemars(extend("examples" = ["Standard_DS3_v2"]))]
    instance_type: Option<String>,
    /// Running replicas, 1 to 50.
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
    /// What the container asks for and may use; Kubernetes only.
    resources: Option<RawResources>,
    /// Not of Azure: serve drawn service times instead of a model.
    synthetic: Option<RawSynthetic>,
}

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
    names(reader, &raw);
    served(reader, &raw);
    let kinds = [("managed", false), ("kubernetes", true)];
    let kubernetes = reader.choice("/type", raw.kind.as_deref(), &kinds).unwrap_or(false);
    let model = raw.model.and_then(|raw| model_asset(reader, raw));
    let code = raw.code_configuration.and_then(|raw| code(reader, &raw));
    let environment = raw.environment.and_then(|raw| environment_asset(reader, raw));
    let platform = platform(reader, kubernetes, raw.scale_settings, raw.resources);
    let instance_type = instance_type(reader, raw.instance_type, kubernetes);
    let instance_count = instance_count(reader, raw.instance_count, &platform);
    let limit = if kubernetes { settings::KUBERNETES_TIMEOUT } else { settings::MANAGED_TIMEOUT };
    let access = raw.egress_public_network_access.as_deref();
    let access = reader.choice("/egress_public_network_access", access, ACCESS);
    if let Some(path) = raw.model_mount_path.as_deref().filter(|path| !path.starts_with('/')) {
        let wrong = Wrong::new(format!("`{path}` is no absolute path of the container"));
        reader.wrong("/model_mount_path", wrong.hint("start it with `/`"));
    }
    let azure = AzureDeployment {
        model_mount_path: raw.model_mount_path,
        app_insights_enabled: raw.app_insights_enabled.is_some_and(|flag| flag.0),
        egress_public_network_access: access,
        data_collector: raw.data_collector.and_then(|raw| collector::check(reader, raw)),
    };
    let request_settings = settings::requests(reader, raw.request_settings, limit);
    let liveness_probe = settings::liveness(reader, raw.liveness_probe);
    let readiness_probe = settings::readiness(reader, raw.readiness_probe);
    let synthetic = raw.synthetic.and_then(|raw| synthetic::check(reader, raw));
    Some(DeploymentSpec {
        name: raw.name?,
        endpoint_name: raw.endpoint_name?,
        description: raw.description,
        tags: raw.tags.unwrap_or_default(),
        properties: raw.properties.unwrap_or_default(),
        model,
        code,
        environment,
        environment_variables: raw.environment_variables.unwrap_or_default(),
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

fn names(reader: &mut Reader, raw: &Raw) {
    if let Some(name) = &raw.name {
        reader.keep("/name", check_name("a deployment", name));
    }
    if let Some(name) = &raw.endpoint_name {
        reader.keep("/endpoint_name", check_name("an endpoint", name));
    }
    let kubernetes =
        raw.kind.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("kubernetes"));
    if let (true, Some(name), Some(endpoint)) = (kubernetes, &raw.name, &raw.endpoint_name) {
        let length = name.chars().count() + endpoint.chars().count();
        if length > 62 {
            let text = format!("the two names have {length} characters together");
            let hint = "on Kubernetes `endpoint_name` and `name` may have 62";
            reader.wrong("/name", Wrong::new(text).hint(hint));
        }
    }
}

/// Something has to be served, and by one way only.
fn served(reader: &mut Reader, raw: &Raw) {
    let (model, code) = (raw.model.is_some(), raw.code_configuration.is_some());
    if reader.has("/code_configuration") && !reader.has("/environment") {
        let wrong = Wrong::new("`environment` is missing");
        reader.wrong("/code_configuration", wrong.hint("the scoring script needs one"));
    }
    let keys = ["model", "code_configuration", "environment", "synthetic"];
    if !keys.iter().any(|key| reader.has(&format!("/{key}"))) {
        let wrong = Wrong::new("there is nothing to serve: `model` is missing");
        let hint = "give `model`, or `environment` with a container, or `synthetic`";
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
    let folder = reader.path("/code_configuration/code", raw.code.as_deref()?, Want::Folder)?;
    let script = raw.scoring_script.as_deref()?;
    let at = "/code_configuration/scoring_script";
    if script.trim().is_empty() || !folder.join(script).is_file() {
        let wrong = Wrong::new(format!("`{script}` is no file in the code folder"));
        reader.wrong(at, wrong.hint(format!("looked in {}", folder.display())));
        return None;
    }
    Some(Code { folder, scoring_script: PathBuf::from(script) })
}

fn platform(
    reader: &mut Reader,
    kubernetes: bool,
    scale: Option<RawScaleSettings>,
    resources: Option<RawResources>,
) -> Platform {
    let mut belongs = |key: &str, on: &str, hint: &str| {
        let at = format!("/{key}");
        if reader.has(&at) {
            reader
                .wrong(&at, Wrong::new(format!("`{key}` is for {on} deployments only")).hint(hint));
        }
    };
    if !kubernetes {
        belongs("resources", "Kubernetes", "add `type: kubernetes`, or leave it out");
        if let Some(scale) = scale {
            settings::managed_scale(reader, &scale);
        }
        return Platform::Managed;
    }
    belongs("egress_public_network_access", "managed", "leave it out");
    let scale = match scale {
        Some(scale) => settings::kubernetes_scale(reader, &scale),
        None if reader.has("/instance_count") => None,
        None => Some(settings::default_target()),
    };
    let (requests, limits) = resources.map(|raw| resources::check(reader, raw)).unwrap_or_default();
    Platform::Kubernetes(Kubernetes { requests, limits, scale })
}

fn instance_type(reader: &mut Reader, raw: Option<String>, kubernetes: bool) -> Option<String> {
    if kubernetes {
        return Some(raw.unwrap_or_else(|| "defaultinstancetype".to_owned()));
    }
    let Some(name) = raw else {
        if !reader.has("/instance_type") {
            let wrong = Wrong::new("`instance_type` is missing");
            reader.wrong("", wrong.hint("add the machine size, such as `Standard_DS3_v2`"));
        }
        return None;
    };
    if Sku::find(&name).is_some() {
        return Some(name);
    }
    let wrong = Wrong::new(format!("`{name}` is no machine size of managed online endpoints"));
    let hint = Sku::nearest(&name).map_or_else(
        || "a common one is `Standard_DS3_v2`".to_owned(),
        |sku| format!("did you mean `{}`?", sku.name),
    );
    reader.wrong("/instance_type", wrong.hint(hint));
    None
}

/// The count that is given; for an autoscaled deployment that gives none, the least it runs.
fn instance_count(
    reader: &mut Reader,
    raw: Option<Whole>,
    platform: &Platform,
) -> Option<NonZeroU32> {
    let at = "/instance_count";
    match platform {
        Platform::Managed => {
            if !reader.has(at) {
                let wrong = Wrong::new("`instance_count` is missing");
                reader.wrong("", wrong.hint("say how many instances should run, 1 to 50"));
            }
            reader.count(at, raw, MOST_INSTANCES, "Azure runs up to 50 instances per deployment")
        }
        Platform::Kubernetes(Kubernetes { scale: None, .. }) => {
            if !reader.has(at) {
                let wrong = Wrong::new("`instance_count` is missing");
                reader.wrong("", wrong.hint("`scale_settings: {type: default}` needs it"));
            }
            reader.count(at, raw, u32::MAX, "")
        }
        Platform::Kubernetes(Kubernetes { scale: Some(scale), .. }) => {
            if raw.is_none() && !reader.has(at) {
                return Some(scale.min_instances);
            }
            let (least, most) = (scale.min_instances.get(), scale.max_instances.get());
            let limits = i64::from(least)..=i64::from(most);
            let why = "`scale_settings` sets the bounds";
            let count = reader.number(at, raw, limits, why)?;
            NonZeroU32::new(u32::try_from(count).ok()?)
        }
    }
}
