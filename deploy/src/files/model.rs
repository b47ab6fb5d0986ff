//! A model described in place.

use std::collections::BTreeMap;

use plimsoll_document::Wrong;
use schemars::JsonSchema;
use serde::Deserialize;

use super::reader::{Reader, Spelling, Want, is_address};
use super::values::{Anything, Version};
use crate::spec::{Location, Model, ModelKind};

/// A model, as in `model.yaml`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawModel {
    /// Address of a schema for editors; not read.
    #[serde(rename = "$schema")]
    #[expect(dead_code, reason = "it is for editors")]
    schema: Option<Anything>,
    /// Name to register it under.
    pub(super) name: Option<String>,
    /// Version to register it as.
    version: Option<Version>,
    /// For people.
    description: Option<String>,
    /// For people and policies.
    tags: Option<BTreeMap<String, Anything>>,
    /// Free properties.
    properties: Option<BTreeMap<String, Anything>>,
    /// File or folder, relative to this file; or an address in a datastore, of a job or of a run.
    #[schemars(required)]
    path: Option<String>,
    /// `custom_model` (default), `mlflow_model` or `triton_model`.
    #[serde(rename = "type")]
    #[schemars(extend("examples" = ["custom_model", "mlflow_model", "triton_model"]))]
    kind: Option<String>,
    /// What `MLflow` can load it as.
    #[expect(dead_code, reason = "it is only taken")]
    flavors: Option<BTreeMap<String, serde_json::Value>>,
    /// Of its life, such as `Production`.
    #[expect(dead_code, reason = "it is only taken")]
    stage: Option<String>,
    /// Where it is uploaded to.
    #[expect(dead_code, reason = "it is only taken")]
    datastore: Option<String>,
    /// Of the registry.
    #[expect(dead_code, reason = "it is only taken")]
    system_metadata: Option<serde_json::Value>,
    /// How it is deployed, if nothing else is said.
    #[expect(dead_code, reason = "it is only taken")]
    default_deployment_template: Option<serde_json::Value>,
    /// How it may be deployed.
    #[expect(dead_code, reason = "it is only taken")]
    allowed_deployment_templates: Option<serde_json::Value>,
    /// Printed by `az … show`; ignored.
    #[expect(dead_code, reason = "it is only taken")]
    id: Option<serde_json::Value>,
    /// Printed by `az … show`; ignored.
    #[expect(dead_code, reason = "it is only taken")]
    creation_context: Option<serde_json::Value>,
    /// Printed by `az … show`; ignored.
    #[expect(dead_code, reason = "it is only taken")]
    utc_time_created: Option<serde_json::Value>,
    /// Printed by `az … show`; ignored.
    #[expect(dead_code, reason = "it is only taken")]
    job_name: Option<serde_json::Value>,
    /// Printed by `az … show`; ignored.
    #[expect(dead_code, reason = "it is only taken")]
    latest_version: Option<serde_json::Value>,
    /// Printed by `az … show`; ignored.
    #[expect(dead_code, reason = "it is only taken")]
    intellectual_property: Option<serde_json::Value>,
}

/// Of the model itself, which a deployment does not ask for.
const UNUSED: &[&str] = &[
    "/model/flavors",
    "/model/stage",
    "/model/datastore",
    "/model/system_metadata",
    "/model/default_deployment_template",
    "/model/allowed_deployment_templates",
];

/// What `az … show` prints beside what can be given.
const SHOWN: &[&str] = &[
    "/model/id",
    "/model/creation_context",
    "/model/utc_time_created",
    "/model/job_name",
    "/model/latest_version",
    "/model/intellectual_property",
];

const KINDS: &[(&str, ModelKind)] = &[
    ("custom_model", ModelKind::Custom),
    ("mlflow_model", ModelKind::Mlflow),
    ("triton_model", ModelKind::Triton),
];

pub(super) fn check(reader: &mut Reader, raw: RawModel) -> Option<Model> {
    reader.ignored(UNUSED, "of the registered model, with no effect here");
    reader.ignored(SHOWN, "printed by `az … show`, and ignored");
    if raw.version.is_some() && raw.name.is_none() && !reader.has("/model/name") {
        let wrong = Wrong::new("a `version` is given, and no `name`");
        reader.wrong("/model/version", wrong.hint("az takes both or none: add `name:`"));
    }
    let kind = raw.kind.as_deref();
    let kind = reader.choice("/model/type", kind, Spelling::Lower, KINDS).unwrap_or_default();
    let want = if kind == ModelKind::Custom { Want::Either } else { Want::Folder };
    let path = location(reader, raw.path.as_deref()?, raw.name.is_some(), want)?;
    Some(Model {
        name: raw.name,
        version: reader.version("/model", raw.version),
        description: raw.description,
        tags: reader.written("/model/tags", raw.tags),
        properties: reader.written("/model/properties", raw.properties),
        path,
        kind,
    })
}

/// Files on this machine, or an address of them: `azureml://…`, `runs:/…`, `https://…`.
fn location(reader: &mut Reader, path: &str, named: bool, want: Want) -> Option<Location> {
    let at = "/model/path";
    if let Some(short) = path.strip_prefix("azureml:").filter(|rest| !rest.starts_with("//")) {
        let wrong = Wrong::new(format!("`{path}` is no path, but a registered model"));
        reader.wrong(at, wrong.hint(format!("write `model: azureml:{short}`")));
        return None;
    }
    if path.starts_with("azureml://registries/") {
        let wrong = Wrong::new(format!("`{path}` is no path, but the model of a registry"));
        reader.wrong(at, wrong.hint(format!("write `model: {path}`")));
        return None;
    }
    if !is_address(path) {
        return reader.path(at, path, want).map(Location::Here);
    }
    if !named {
        let wrong =
            Wrong::new(format!("`{path}` is not on this machine, and the model has no name"));
        let hint = "az looks for a model without `name` on this machine: add `name` and `version`";
        reader.wrong(at, wrong.hint(hint));
        return None;
    }
    Some(Location::Elsewhere(path.to_owned()))
}
