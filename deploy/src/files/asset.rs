//! Files of one model or one environment, as `az ml model create -f` takes them.
//!
//! They hold what a deployment may describe in place, and are read as if one did.

use std::path::Path;

use plimsoll_document::{Document, Problems, Wrong};
use schemars::JsonSchema;
use serde::Deserialize;

use super::environment::{self, RawEnvironment};
use super::model::{self, RawModel};
use super::reader::Reader;
use super::values::FORMATS;
use crate::spec::{Environment, Model};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ModelFile {
    /// The model.
    #[schemars(required)]
    model: Option<RawModel>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EnvironmentFile {
    /// The environment.
    #[schemars(required)]
    environment: Option<RawEnvironment>,
}

/// Reads a model file whose paths start at `base`; whatever is wrong is added to `problems`.
/// `None` if it cannot be used. A registered model has a name.
pub fn read_model(document: &Document, base: &Path, problems: &mut Problems) -> Option<Model> {
    let (before, document) = (problems.len(), &document.clone().within("model"));
    let raw = document.read::<ModelFile>(FORMATS, problems)?.model?;
    let mut reader = Reader { document, problems, base };
    named(&mut reader, "/model", raw.name.is_some());
    let model = model::check(&mut reader, raw);
    if problems.len() == before { model } else { None }
}

/// Reads an environment file whose paths start at `base`; whatever is wrong is added to `problems`.
/// `None` if it cannot be used. A registered environment has a name.
pub fn read_environment(
    document: &Document,
    base: &Path,
    problems: &mut Problems,
) -> Option<Environment> {
    let (before, document) = (problems.len(), &document.clone().within("environment"));
    let raw = document.read::<EnvironmentFile>(FORMATS, problems)?.environment?;
    let mut reader = Reader { document, problems, base };
    named(&mut reader, "/environment", raw.name.is_some());
    let environment = environment::check(&mut reader, raw);
    if problems.len() == before { Some(environment) } else { None }
}

fn named(reader: &mut Reader, at: &str, named: bool) {
    if !named && !reader.has(&format!("{at}/name")) {
        let wrong = Wrong::new("`name` is missing");
        reader.wrong(at, wrong.hint("add it, or give it by `--name` as az takes it"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_file_is_read_and_its_problems_are_shown_where_they_are() {
        let read = |text: &str| {
            let document = Document::parse("model.yml", text).unwrap();
            let mut problems = Problems::new();
            let model = read_model(&document, Path::new("."), &mut problems);
            (model, problems.to_string())
        };
        let (model, _) = read("$schema: x\nname: prices\nversion: 3\npath: Cargo.toml\n");
        let model = model.unwrap();
        assert_eq!((model.name.as_deref(), model.version.as_deref()), (Some("prices"), Some("3")));
        assert!(model.path.here().is_some_and(|path| path.ends_with("Cargo.toml")));
        let (model, text) = read("name: prices\npath: nowhere.onnx\n");
        assert!(model.is_none() && text.contains("model.yml:2:7"), "{text}");
        let (model, text) = read("path: Cargo.toml\n");
        assert!(model.is_none() && text.contains("`name` is missing"), "{text}");
        let (model, text) = read("name: m\npath: Cargo.toml\nendpoint_name: e\n");
        assert!(model.is_none() && text.contains("model.yml:3:1"), "{text}");
    }

    #[test]
    fn an_environment_file_brings_its_conda_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("conda.yml"), "dependencies: [pip]\n").unwrap();
        let text = "name: sk\nversion: '1'\nimage: i\nconda_file: conda.yml\n";
        let document = Document::parse("environment.yml", text).unwrap();
        let mut problems = Problems::new();
        let environment = read_environment(&document, folder.path(), &mut problems).unwrap();
        assert_eq!(environment.conda.as_deref(), Some("dependencies: [pip]\n"));
    }
}
