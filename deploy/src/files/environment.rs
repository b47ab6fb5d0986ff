//! An environment described in place, with its conda file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use plimsoll_document::{Document, Wrong, read_text};
use schemars::JsonSchema;
use serde::Deserialize;

use super::reader::{Reader, Spelling, Want, is_address};
use super::values::{Anything, Version, Whole};
use crate::spec::{Build, Environment, InferenceRoutes, Location, Route};

/// A software environment, as in `environment.yaml`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEnvironment {
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
    /// Where the build context is uploaded to.
    #[expect(dead_code, reason = "it is only taken")]
    datastore: Option<String>,
    /// When Azure removes it.
    #[expect(dead_code, reason = "it is only taken")]
    auto_delete_setting: Option<serde_json::Value>,
    /// Printed by `az … show`; ignored.
    #[expect(dead_code, reason = "it is only taken")]
    creation_context: Option<serde_json::Value>,
    /// Printed by `az … show`; ignored.
    #[expect(dead_code, reason = "it is only taken")]
    latest_version: Option<serde_json::Value>,
    /// Printed by `az … show`; ignored.
    #[expect(dead_code, reason = "it is only taken")]
    intellectual_property: Option<serde_json::Value>,
}

/// Of the registered environment, which a deployment does not ask for.
const UNUSED: &[&str] = &["/environment/datastore", "/environment/auto_delete_setting"];

/// What `az … show` prints beside what can be given.
const SHOWN: &[&str] = &[
    "/environment/creation_context",
    "/environment/latest_version",
    "/environment/intellectual_property",
];

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
    /// Folder of the build context, relative to this file; or the address of a Git repository.
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
    reader.ignored(UNUSED, "of the registered environment, with no effect here");
    reader.ignored(SHOWN, "printed by `az … show`, and ignored");
    sources(reader, &raw);
    if let Some(Err(())) = reader.choice(
        "/environment/os_type",
        raw.os_type.as_deref(),
        Spelling::Lower,
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
        version: reader.version("/environment", raw.version),
        description: raw.description,
        tags: reader.written("/environment/tags", raw.tags),
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
    if !image && !build {
        let wrong = Wrong::new("`environment` has no `image`");
        let hint = "such as `mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04`";
        match (&raw.conda_file, reader.has("/environment/conda_file")) {
            (Some(_), _) => reader.warn("/environment", wrong.hint(hint)),
            (None, true) => {}
            (None, false) => reader.wrong("/environment", wrong.hint(hint)),
        }
    }
}

/// The text of the conda file; a description in place is written as JSON, which is YAML too.
fn conda(reader: &mut Reader, raw: RawConda) -> Option<String> {
    let at = "/environment/conda_file";
    let text = match raw {
        RawConda::Inline(map) => serde_json::to_string_pretty(&map).ok()?,
        RawConda::Path(path) => {
            let file = reader.path(at, &path, Want::File)?;
            let text = match read_text(&file) {
                Ok(text) => text,
                Err(problem) => {
                    reader.problems.push(problem);
                    return None;
                }
            };
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
                Ok(document) => {
                    reader.problems.append(document.flaws().clone());
                    return Some(text);
                }
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
    let path = raw.path.as_deref()?;
    let name = raw.dockerfile_path.as_deref().unwrap_or("Dockerfile");
    let web = ["http://", "https://", "ftp://", "ftps://"];
    if web.iter().any(|scheme| path.starts_with(scheme)) {
        let folder = Location::Elsewhere(path.to_owned());
        return Some(Build { folder, dockerfile: PathBuf::from(name) });
    }
    if path.starts_with("git@") || is_address(path) {
        let wrong = Wrong::new(format!("az takes no `{path}` as a build context"));
        reader
            .wrong("/environment/build/path", wrong.hint("give a folder, or an `https:` address"));
        return None;
    }
    let folder = reader.path("/environment/build/path", path, Want::Folder)?;
    if !folder.join(name).is_file() {
        let wrong = Wrong::new(format!("`{name}` is no file in the build folder"));
        let hint = format!("looked in {}", folder.display());
        reader.wrong("/environment/build/dockerfile_path", wrong.hint(hint));
        return None;
    }
    Some(Build { folder: Location::Here(folder), dockerfile: PathBuf::from(name) })
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
