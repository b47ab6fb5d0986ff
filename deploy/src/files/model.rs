//! A model described in place.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::names::Wrong;
use super::reader::{Reader, Want};
use crate::spec::{Model, ModelKind};

/// A model on this machine, as in `model.yaml`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawModel {
    /// Address of a schema for editors; not read.
    #[serde(rename = "$schema")]
    #[expect(dead_code, reason = "it is for editors")]
    schema: Option<String>,
    /// Name to register it under.
    name: Option<String>,
    /// Version to register it as.
    version: Option<String>,
    /// For people.
    description: Option<String>,
    /// For people and policies.
    tags: Option<BTreeMap<String, String>>,
    /// Free properties.
    properties: Option<BTreeMap<String, String>>,
    /// File or folder, relative to this file.
    #[schemars(required)]
    path: Option<String>,
    /// `custom_model` (default), `mlflow_model` or `triton_model`.
    #[serde(rename = "type")]
    #[schemars(extend("examples" = ["custom_model", "mlflow_model", "triton_model"]))]
    kind: Option<String>,
    /// Not supported in place.
    flavors: Option<serde_json::Value>,
    /// Not supported in place.
    stage: Option<String>,
    /// Not supported in place.
    datastore: Option<String>,
}

const KINDS: &[(&str, ModelKind)] = &[
    ("custom_model", ModelKind::Custom),
    ("mlflow_model", ModelKind::Mlflow),
    ("triton_model", ModelKind::Triton),
];

pub(super) fn check(reader: &mut Reader, raw: RawModel) -> Option<Model> {
    let given = [
        ("flavors", raw.flavors.is_some()),
        ("stage", raw.stage.is_some()),
        ("datastore", raw.datastore.is_some()),
    ];
    for (key, _) in given.iter().filter(|(_, given)| *given) {
        let wrong = Wrong::new(format!("`{key}` is not supported for a model described in place"));
        let hint = "register the model and write `model: azureml:<name>:<version>`";
        reader.wrong(&format!("/model/{key}"), wrong.hint(hint));
    }
    let kind = reader.choice("/model/type", raw.kind.as_deref(), KINDS).unwrap_or_default();
    let want = if kind == ModelKind::Custom { Want::Either } else { Want::Folder };
    let path = reader.path("/model/path", raw.path.as_deref()?, want)?;
    Some(Model {
        name: raw.name,
        version: raw.version,
        description: raw.description,
        tags: raw.tags.unwrap_or_default(),
        properties: raw.properties.unwrap_or_default(),
        path,
        kind,
    })
}
