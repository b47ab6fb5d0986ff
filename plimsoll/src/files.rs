//! Endpoint and deployment files: read as `az` reads them, with notes on what this machine does
//! with them. Nothing here is wrong with a file: it is what `plimsoll run` would say later.

use std::path::Path;

use plimsoll_deploy::files::{self, FileKind, contradiction, kind_of};
use plimsoll_deploy::spec::{AuthMode, DeploymentSpec, EndpointSpec, Platform};
use plimsoll_document::{Document, Problem, Problems};
use plimsoll_host::runtime::{Error as RuntimeError, Runtime};

/// What the local host runs of one deployment at most.
const MOST_INSTANCES: u32 = 50;

/// Reads an endpoint file. `None` if it cannot be used.
pub(crate) fn endpoint(document: &Document, problems: &mut Problems) -> Option<EndpointSpec> {
    note(problems, contradiction(document, FileKind::Endpoint));
    let spec = files::read_endpoint(document, problems)?;
    let refused = |at: &str, message: &str, hint: &str| {
        Some(document.problem_at_key(at, message).hint(hint.to_owned()))
    };
    if spec.azure.compute.is_some() {
        let message = "a Kubernetes endpoint cannot run on this machine";
        note(problems, refused("/compute", message, "leave out `compute` to run it here"));
    }
    if spec.auth_mode != AuthMode::Key {
        let message = "this machine knows keys only, and cannot run an endpoint with tokens";
        note(problems, refused("/auth_mode", message, "write `auth_mode: key` to run it here"));
    }
    if spec.mirror_traffic.values().any(|share| *share > 0) {
        let message = "this machine mirrors no traffic, and cannot run this endpoint";
        note(problems, refused("/mirror_traffic", message, "leave it out to run it here"));
    }
    let keys = spec.only_azure().into_iter().filter(|key| *key != "compute");
    no_effect(document, problems, &keys.collect::<Vec<_>>());
    Some(spec)
}

/// Reads a deployment file whose paths start at `base`, with notes on what `plimsoll run` cannot
/// bring up. `None` if it cannot be used.
pub(crate) fn deployment(
    document: &Document,
    base: &Path,
    problems: &mut Problems,
) -> Option<DeploymentSpec> {
    let spec = deployment_for_host(document, base, problems)?;
    for error in Runtime::refusals(&spec) {
        note(problems, Some(refused(document, &spec.name, &error)));
    }
    Some(spec)
}

/// The same for a host that stands: it knows what is registered, and says itself what it refuses.
pub(crate) fn deployment_for_host(
    document: &Document,
    base: &Path,
    problems: &mut Problems,
) -> Option<DeploymentSpec> {
    note(problems, contradiction(document, FileKind::Deployment));
    let spec = files::read_deployment(document, base, problems)?;
    let kubernetes = matches!(spec.platform, Platform::Kubernetes(_));
    if kubernetes {
        let message = "a Kubernetes deployment cannot run on this machine";
        let problem = document.problem_at("/type", message);
        note(problems, Some(problem.hint("leave out `type` to run it here as a managed one")));
    }
    if spec.instance_count.get() > MOST_INSTANCES {
        let message = format!("this machine runs up to {MOST_INSTANCES} instances of a deployment");
        note(problems, Some(document.problem_at("/instance_count", message)));
    }
    let runtime = Runtime::choose(&spec).ok();
    for text in runtime.iter().flat_map(|runtime| runtime.notes(&spec)) {
        let at = "/request_settings/max_concurrent_requests_per_instance";
        note(problems, Some(document.problem_at(at, text)));
    }
    let platform = ["type", "scale_settings", "resources"];
    let keys = spec.only_azure().into_iter();
    let keys: Vec<_> = keys.filter(|key| !platform.contains(key)).collect();
    no_effect(document, problems, &keys);
    Some(spec)
}

/// One error if a document is not of the kind that is wanted.
pub(crate) fn other_kind(document: &Document, wanted: FileKind) -> Option<String> {
    let found = kind_of(document);
    (found != wanted && found != FileKind::Unknown)
        .then(|| format!("{} is {}, not {}", document.file(), found.words(), wanted.words()))
}

/// Whether `plimsoll run` can bring a deployment up.
pub(crate) fn runs_here(spec: &DeploymentSpec) -> bool {
    spec.platform == Platform::Managed
        && spec.instance_count.get() <= MOST_INSTANCES
        && Runtime::choose(spec).is_ok()
}

/// Whether `plimsoll run` can bring an endpoint up.
pub(crate) fn serves_here(spec: &EndpointSpec) -> bool {
    spec.azure.compute.is_none()
        && spec.auth_mode == AuthMode::Key
        && spec.mirror_traffic.values().all(|share| *share == 0)
}

fn refused(document: &Document, name: &str, error: &RuntimeError) -> Problem {
    let at = match error {
        RuntimeError::Registered { kind: "code", .. } => "/code_configuration/code",
        RuntimeError::Registered { kind: "environment", .. }
        | RuntimeError::NoCondaFile { .. }
        | RuntimeError::NothingToServe { .. } => "/environment",
        RuntimeError::Synthetic { .. } => "/synthetic",
        _ => "/model",
    };
    let text = error.to_string();
    let text = text.strip_prefix(&format!("deployment `{name}`: ")).unwrap_or(&text);
    match text.split_once("; ") {
        Some((message, hint)) => document.problem_at(at, message).hint(hint),
        None => document.problem_at(at, text),
    }
}

/// Says which settings only Azure honours, at the first of them.
fn no_effect(document: &Document, problems: &mut Problems, keys: &[&str]) {
    let Some(first) = keys.first() else { return };
    let message = format!("no effect on this machine: {}", keys.join(", "));
    let at = format!("/{}", first.replace('.', "/"));
    note(problems, Some(document.problem_at_key(&at, message)));
}

fn note(problems: &mut Problems, problem: Option<Problem>) {
    if let Some(problem) = problem {
        problems.push(problem.note());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes(text: &str) -> String {
        let document = Document::parse("t.yml", text).unwrap();
        let mut problems = Problems::new();
        let read = match kind_of(&document) {
            FileKind::Endpoint => endpoint(&document, &mut problems).is_some(),
            _ => deployment(&document, Path::new("."), &mut problems).is_some(),
        };
        assert!(read && problems.is_empty(), "nothing is wrong: {problems}");
        problems.to_string()
    }

    #[test]
    fn what_this_machine_refuses_is_said_beforehand() {
        let blue =
            "name: blue\nendpoint_name: e-1\ninstance_type: Standard_DS3_v2\ninstance_count: 1\n";
        for (file, at, said) in [
            ("name: e-1\nauth_mode: aad_token\n".to_owned(), ":2:1", "knows keys only"),
            ("name: e-1\nmirror_traffic: {blue: 10}\n".to_owned(), ":2:1", "mirrors no traffic"),
            ("name: e-1\ncompute: azureml:c\n".to_owned(), ":2:1", "Kubernetes"),
            (format!("{blue}model: azureml:m:1\n"), ":5:8", "not on this machine"),
            (
                format!("{blue}model: {{path: Cargo.toml}}\n"),
                ":5:1",
                "cannot be served without code",
            ),
            (format!("{blue}environment: {{image: x}}\n"), ":5:1", "nothing to serve"),
            (
                "name: blue\nendpoint_name: e-1\ntype: kubernetes\nmodel: azureml:m:1\n".to_owned(),
                ":3:7",
                "Kubernetes deployment cannot run",
            ),
            (
                format!("{}model: azureml:m:1\n", blue.replace("count: 1", "count: 60")),
                ":4:17",
                "up to 50",
            ),
        ] {
            let text = notes(&file);
            assert!(text.contains(said) && text.contains(at), "{file}{text}");
        }
        assert_eq!(notes("name: e-1\n"), "");
    }

    #[test]
    fn all_that_is_elsewhere_is_named() {
        let text = notes(
            "name: blue\nendpoint_name: e-1\ninstance_type: Standard_DS3_v2\ninstance_count: 1\n\
             model: azureml:m:1\nenvironment: azureml:e:1\n\
             code_configuration: {code: 'azureml:c:1', scoring_script: score.py}\n",
        );
        for place in [":5:8", ":6:14", ":7:28"] {
            assert!(text.contains(place), "{place}: {text}");
        }
        assert!(text.contains("^ give local files instead, with `model: {path: …}`"), "{text}");
    }

    #[test]
    fn what_has_no_effect_is_said_once() {
        let text = notes(
            "name: e-1\nidentity: {type: system_assigned}\npublic_network_access: disabled\n",
        );
        assert!(
            text.contains("no effect on this machine: identity, public_network_access"),
            "{text}"
        );
        assert_eq!(text.matches("note:").count(), 1);
    }
}
