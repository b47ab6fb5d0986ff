//! What a deployment refers to: registered under a name of the user's, or of its content.
//!
//! An asset without a name gets one that stands for what it is, as Azure's clients do it. Files
//! are known by path, size and time of change rather than read to the end: models can be large,
//! and the local host uses them where they are.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::error::Error;
use super::file_uri;
use super::wire::AssetProperties;
use crate::spec::{Asset, Code, Environment, Location, Model, ModelKind, Route};
use crate::workspace::Workspace;

/// An asset to register, by its path in the workspace.
pub(super) struct Registration {
    pub(super) path: String,
    pub(super) properties: AssetProperties,
}

/// The id that a deployment uses, and what must be registered before, if anything.
type Named = (String, Option<Registration>);

/// A model's.
pub(super) async fn model(
    workspace: &Workspace,
    what: &str,
    model: &Asset<Model>,
) -> Result<Named, Error> {
    let model = match model {
        Asset::Reference(reference) => {
            return Ok((id(workspace, what, "models", reference)?, None));
        }
        Asset::Inline(model) => model,
    };
    let (fingerprint, uri) = match &model.path {
        Location::Here(path) => (fingerprint(what, path).await?, file_uri::from_path(path)),
        Location::Elsewhere(address) => (format!("{:x}", Sha256::digest(address)), address.clone()),
    };
    let name = model.name.clone().unwrap_or(fingerprint);
    let version = model.version.clone().unwrap_or_else(|| "1".to_owned());
    let kind = match model.kind {
        ModelKind::Custom => "custom_model",
        ModelKind::Mlflow => "mlflow_model",
        ModelKind::Triton => "triton_model",
    };
    let properties = AssetProperties {
        model_uri: Some(uri),
        is_anonymous: Some(model.name.is_none()),
        other: [("modelType".to_owned(), kind.into())].into(),
        ..AssetProperties::default()
    };
    Ok(registration(workspace, &format!("models/{name}/versions/{version}"), properties))
}

/// A code folder's.
pub(super) async fn code(workspace: &Workspace, what: &str, code: &Code) -> Result<Named, Error> {
    let folder = match &code.folder {
        Location::Here(folder) => folder,
        Location::Elsewhere(reference) => {
            return Ok((id(workspace, what, "codes", reference)?, None));
        }
    };
    let name = fingerprint(what, folder).await?;
    let properties = AssetProperties {
        code_uri: Some(file_uri::from_path(folder)),
        is_anonymous: Some(true),
        ..AssetProperties::default()
    };
    Ok(registration(workspace, &format!("codes/{name}/versions/1"), properties))
}

/// An environment's.
pub(super) fn environment(
    workspace: &Workspace,
    what: &str,
    environment: &Asset<Environment>,
    is_azure: bool,
) -> Result<Named, Error> {
    let environment = match environment {
        Asset::Reference(reference) => {
            return Ok((id(workspace, what, "environments", reference)?, None));
        }
        Asset::Inline(environment) => environment,
    };
    let mut hash = Sha256::new();
    let mut other = BTreeMap::new();
    if let Some(routes) = environment.routes.as_ref().filter(|_| is_azure) {
        let route = |route: &Route| json!({ "port": route.port, "path": route.path });
        let config = json!({
            "livenessRoute": route(&routes.liveness),
            "readinessRoute": route(&routes.readiness),
            "scoringRoute": route(&routes.scoring),
        });
        other.insert("inferenceConfig".to_owned(), config);
    }
    // A local host builds no images, and says so itself.
    if let Some(build) = environment.build.as_ref().filter(|_| is_azure) {
        let Location::Elsewhere(context) = &build.folder else {
            let reason = "bringing a local build context to Azure is not supported yet; build the image, and name it \
                          with `image`";
            return Err(Error::NotSupported { what: what.to_owned(), reason: reason.to_owned() });
        };
        let file = build.dockerfile.to_string_lossy();
        other.insert("build".to_owned(), json!({ "contextUri": context, "dockerfilePath": file }));
    }
    for part in [&environment.image, &environment.conda] {
        hash.update(part.as_deref().unwrap_or_default());
        hash.update([0]);
    }
    if !other.is_empty() {
        hash.update(json!(other).to_string());
    }
    let anonymous = || "CliV2AnonymousEnvironment".to_owned();
    let name = environment.name.clone().unwrap_or_else(anonymous);
    let version = environment.version.clone().unwrap_or_else(|| format!("{:x}", hash.finalize()));
    let properties = AssetProperties {
        image: environment.image.clone(),
        conda_file: environment.conda.clone(),
        is_anonymous: Some(environment.name.is_none()),
        other,
        ..AssetProperties::default()
    };
    Ok(registration(workspace, &format!("environments/{name}/versions/{version}"), properties))
}

fn registration(workspace: &Workspace, path: &str, properties: AssetProperties) -> Named {
    (workspace.id(path), Some(Registration { path: path.to_owned(), properties }))
}

/// The id that a reference stands for: `azureml:<name>:<version>`, an ARM id, or a registry's.
fn id(workspace: &Workspace, what: &str, kind: &str, reference: &str) -> Result<String, Error> {
    let Some(short) = reference.strip_prefix("azureml:") else { return Ok(reference.to_owned()) };
    if short.starts_with('/') {
        return Ok(if short.starts_with("//") { reference } else { short }.to_owned());
    }
    match short.split_once(':') {
        Some((name, version)) => Ok(workspace.id(&format!("{kind}/{name}/versions/{version}"))),
        None => Err(Error::NotSupported {
            what: what.to_owned(),
            reason: format!("`{reference}` names no version; write azureml:<name>:<version>"),
        }),
    }
}

async fn fingerprint(what: &str, path: &Path) -> Result<String, Error> {
    let (what, path) = (what.to_owned(), path.to_owned());
    let failed = move |path, source| Error::File { what, path, source };
    let walk = tokio::task::spawn_blocking({
        let path = path.clone();
        move || {
            let mut hash = Sha256::new();
            add(&mut hash, &path).map(|()| format!("{:x}", hash.finalize()))
        }
    });
    match walk.await {
        Ok(Ok(text)) => Ok(text),
        Ok(Err((path, source))) => Err(failed(path, source)),
        Err(error) => Err(failed(path, io::Error::other(error))),
    }
}

/// Adds a file, or a folder with all that is in it. A link to a folder is not followed.
fn add(hash: &mut Sha256, path: &Path) -> Result<(), (PathBuf, io::Error)> {
    let at = |source| (path.to_owned(), source);
    let here = path.symlink_metadata().map_err(at)?;
    hash.update(path.as_os_str().as_encoded_bytes());
    hash.update([0]);
    if here.is_dir() {
        let entries = path.read_dir().map_err(at)?;
        let entries = entries.map(|entry| entry.map(|entry| entry.path()));
        let mut entries = entries.collect::<Result<Vec<_>, _>>().map_err(at)?;
        entries.sort();
        return entries.iter().try_for_each(|entry| add(hash, entry));
    }
    let target = path.metadata().map_err(at)?;
    hash.update(target.len().to_le_bytes());
    hash.update(changed(&target).to_le_bytes());
    Ok(())
}

fn changed(metadata: &Metadata) -> u128 {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.unwrap_or_default().as_nanos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_become_ids_of_the_workspace() {
        let workspace = Workspace::local();
        let id = |reference| id(&workspace, "deployment `d`", "models", reference);
        assert_eq!(id("azureml:m:3").unwrap(), workspace.id("models/m/versions/3"));
        assert_eq!(id("azureml:/subscriptions/s").unwrap(), "/subscriptions/s");
        let registry = "azureml://registries/r/models/m/versions/1";
        assert_eq!(id(registry).unwrap(), registry);
        assert!(id("azureml:m").unwrap_err().to_string().contains("names no version"));
    }
}
