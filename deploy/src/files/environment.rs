//! An environment described in place, with its conda file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use plimsoll_document::Document;
use schemars::JsonSchema;
use serde::Deserialize;

use super::names::Wrong;
use super::reader::{Reader, Want};
use super::values::Whole;
use crate::spec::{Build, Environment, InferenceRoutes, Route};

/// A software environment, as in `environment.yaml`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEnvironment {
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
    /// Container image.
    image: Option<String>,
    /// Conda file, relative to this file, or what would be in it.
    conda_file: Option<RawConda>,
    /// What an image is built from, instead of `image`.
    build: Option<RawBuild>,
    /// `linux`.
    #[schemars(extend("examples" = ["linux"]))]
    os_type: Option<String>,
    /// Routes of a container that brings its own server.
    inference_config: Option<RawRoutes>,
}

/// A conda file, or what would be in it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum RawConda {
    Path(String),
    Inline(serde_json::Map<String, serde_json::Value>),
}

/// What an image is built from.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawBuild {
    /// Folder of the build context, relative to this file.
    #[schemars(required)]
    path: Option<String>,
    /// Dockerfile in it; `Dockerfile` without it.
    dockerfile_path: Option<String>,
}

/// Routes of a container that brings its own server.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "they are the keys of the file")]
struct RawRoutes {
    /// Alive?
    #[schemars(required)]
    liveness_route: Option<RawRoute>,
    /// Ready?
    #[schemars(required)]
    readiness_route: Option<RawRoute>,
    /// Requests.
    #[schemars(required)]
    scoring_route: Option<RawRoute>,
}

/// A port and a path on it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawRoute {
    /// Port of the container.
    #[schemars(required)]
    port: Option<Whole>,
    /// Path, with its leading slash.
    #[schemars(required)]
    path: Option<String>,
}

pub(super) fn check(reader: &mut Reader, raw: RawEnvironment) -> Environment {
    if reader.has("/environment/dependencies") {
        let wrong = Wrong::new("this is what a conda file holds, not an environment");
        let hint = "put it into a file and write `conda_file: <file>` next to `image`";
        reader.wrong("/environment/dependencies", wrong.hint(hint));
    }
    sources(reader, &raw);
    if let Some(Err(())) = reader.choice(
        "/environment/os_type",
        raw.os_type.as_deref(),
        &[("linux", Ok(())), ("windows", Err(()))],
    ) {
        let wrong = Wrong::new("online deployments run on Linux only");
        reader.wrong("/environment/os_type", wrong.hint("leave it out"));
    }
    let conda = raw.conda_file.and_then(|raw| conda(reader, raw));
    let build = raw.build.and_then(|raw| build(reader, &raw));
    let routes = raw.inference_config.and_then(|raw| routes(reader, raw));
    Environment {
        name: raw.name,
        version: raw.version,
        description: raw.description,
        tags: raw.tags.unwrap_or_default(),
        image: raw.image,
        conda,
        build,
        routes,
    }
}

/// Azure needs an image or something to build one from, and not both.
fn sources(reader: &mut Reader, raw: &RawEnvironment) {
    let (image, build) = (reader.has("/environment/image"), reader.has("/environment/build"));
    if image && build {
        let wrong = Wrong::new("`image` and `build` are both given");
        reader
            .wrong("/environment/build", wrong.hint("the image is given, or built: leave one out"));
    }
    if !image && !build && (raw.conda_file.is_some() || !reader.has("/environment/conda_file")) {
        let wrong = Wrong::new("`environment` has no `image`");
        let hint = "such as `mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04`";
        reader.wrong("/environment", wrong.hint(hint));
    }
}

/// The text of the conda file; a description in place is written as JSON, which is YAML too.
fn conda(reader: &mut Reader, raw: RawConda) -> Option<String> {
    let at = "/environment/conda_file";
    let text = match raw {
        RawConda::Inline(map) => serde_json::to_string_pretty(&map).ok()?,
        RawConda::Path(path) => {
            let file = reader.path(at, &path, Want::File)?;
            let read = std::fs::read_to_string(&file)
                .map_err(|error| Wrong::new(format!("`{path}` cannot be read: {error}")));
            let text = reader.keep(at, read)?;
            match Document::parse(&file.display().to_string(), &text) {
                Err(problems) => {
                    reader.problems.append(problems);
                    return None;
                }
                Ok(document) if document.root().child("dependencies").is_none() => {
                    let wrong = Wrong::new(format!("`{path}` is no conda file"));
                    reader.wrong(at, wrong.hint("it has no `dependencies`"));
                    return None;
                }
                Ok(_) => return Some(text),
            }
        }
    };
    if reader.has("/environment/conda_file/dependencies") {
        return Some(text);
    }
    let wrong = Wrong::new("the conda file has no `dependencies`");
    reader.wrong(at, wrong.hint("list the packages there"));
    None
}

fn build(reader: &mut Reader, raw: &RawBuild) -> Option<Build> {
    let folder = reader.path("/environment/build/path", raw.path.as_deref()?, Want::Folder)?;
    let name = raw.dockerfile_path.as_deref().unwrap_or("Dockerfile");
    if !folder.join(name).is_file() {
        let wrong = Wrong::new(format!("`{name}` is no file in the build folder"));
        let hint = format!("looked in {}", folder.display());
        reader.wrong("/environment/build/dockerfile_path", wrong.hint(hint));
        return None;
    }
    Some(Build { folder, dockerfile: PathBuf::from(name) })
}

fn routes(reader: &mut Reader, raw: RawRoutes) -> Option<InferenceRoutes> {
    let mut one = |key: &str, raw: Option<RawRoute>| {
        let at = format!("/environment/inference_config/{key}");
        let raw = raw?;
        let port = reader.number(&format!("{at}/port"), raw.port, 1..=65535, "a port");
        let path = raw.path?;
        if !path.starts_with('/') {
            let wrong = Wrong::new(format!("`{path}` is no path"));
            reader.wrong(&format!("{at}/path"), wrong.hint(format!("write `/{path}`")));
        }
        Some(Route { port: u16::try_from(port?).ok()?, path })
    };
    let liveness = one("liveness_route", raw.liveness_route);
    let readiness = one("readiness_route", raw.readiness_route);
    let scoring = one("scoring_route", raw.scoring_route);
    Some(InferenceRoutes { liveness: liveness?, readiness: readiness?, scoring: scoring? })
}
