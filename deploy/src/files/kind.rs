//! Which kind of file a document is. The keys decide; the `$schema` line is a hint that nobody
//! checks, and only counts where the keys fit several kinds.

mod other;

use plimsoll_document::{Document, Problem};

/// The kinds of file that plimsoll reads, and all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// An online endpoint of Azure ML.
    Endpoint,
    /// An online deployment of Azure ML.
    Deployment,
    /// A scenario of plimsoll.
    Scenario,
    /// Something else, in words: `a batch endpoint of Azure ML`.
    Other(&'static str),
    /// None of them.
    Unknown,
}

impl FileKind {
    /// With its article, for a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::Endpoint => "an endpoint",
            Self::Deployment => "a deployment",
            Self::Scenario => "a scenario",
            Self::Other(words) => words,
            Self::Unknown => "no scenario, endpoint or deployment",
        }
    }
}

/// Keys that only one kind of file has. A key that all have, such as `name`, tells nothing.
const TELLING: &[(FileKind, &[&str])] = &[
    (
        FileKind::Scenario,
        &["load", "objectives", "deployments", "seed", "endpoint", "target", "request", "alerts"],
    ),
    (
        FileKind::Deployment,
        &[
            "endpoint_name",
            "code_configuration",
            "environment",
            "environment_variables",
            "instance_type",
            "instance_count",
            "request_settings",
            "scale_settings",
            "liveness_probe",
            "readiness_probe",
            "app_insights_enabled",
            "data_collector",
            "egress_public_network_access",
            "model",
            "model_mount_path",
            "synthetic",
        ],
    ),
    (
        FileKind::Endpoint,
        &[
            "auth_mode",
            "traffic",
            "mirror_traffic",
            "public_network_access",
            "scoring_uri",
            "openapi_uri",
        ],
    ),
];

/// The kind of a document.
pub fn kind_of(document: &Document) -> FileKind {
    let hint = named(document);
    match by_keys(document) {
        Some(FileKind::Endpoint) if hint == Some(FileKind::Other(other::BATCH_ENDPOINT)) => {
            // The keys of both are the same, but for those that only an online endpoint has.
            if online(document) {
                FileKind::Endpoint
            } else {
                FileKind::Other(other::BATCH_ENDPOINT)
            }
        }
        Some(kind) => kind,
        None => hint
            .or_else(|| endpoint_without_settings(document).then_some(FileKind::Endpoint))
            .or_else(|| other::by_shape(document).map(FileKind::Other))
            .unwrap_or(FileKind::Unknown),
    }
}

/// What the keys say, if they say anything.
fn by_keys(document: &Document) -> Option<FileKind> {
    if let Some(other) = other::by_own_keys(document) {
        return Some(FileKind::Other(other));
    }
    let root = document.root();
    let found = |keys: &[&str]| keys.iter().filter(|key| root.child(key).is_some()).count();
    // Of equals the first in the table is taken.
    let most = TELLING.iter().map(|(kind, keys)| (found(keys), *kind)).rev();
    let (count, kind) = most.max_by_key(|(count, _)| *count)?;
    // One word, such as `environment`, many kinds have.
    let shared = ["environment", "model", "target", "endpoint", "environment_variables", "request"];
    let weak = count == 1 && shared.iter().any(|key| root.child(key).is_some());
    match other::by_shape(document) {
        Some(other) if weak => Some(FileKind::Other(other)),
        _ => (count > 0).then_some(kind),
    }
}

/// A note if the `$schema` line names another kind than the keys.
pub fn contradiction(document: &Document, kind: FileKind) -> Option<Problem> {
    let hint = named(document)?;
    let known = matches!(kind, FileKind::Endpoint | FileKind::Deployment | FileKind::Scenario);
    let message = if known && hint != kind {
        format!("`$schema` names {}, but the keys are those of {}", hint.words(), kind.words())
    } else if kind == FileKind::Deployment && kubernetes(document) {
        let text = "`$schema` names a Kubernetes deployment, but without `type: kubernetes` this is a managed one";
        text.to_owned()
    } else {
        return None;
    };
    let hint = "az does not read this line; editors do";
    Some(document.problem_at("/$schema", message).hint(hint).note())
}

fn kubernetes(document: &Document) -> bool {
    let root = document.root();
    let text = |key| root.child(key).and_then(|node| node.text()).unwrap_or_default();
    text("$schema").to_lowercase().contains("kubernetes") && root.child("type").is_none()
}

/// What the `$schema` line names.
fn named(document: &Document) -> Option<FileKind> {
    let schema = document.root().child("$schema")?.text()?.to_lowercase();
    let named = [
        ("onlinedeployment", FileKind::Deployment),
        ("onlineendpoint", FileKind::Endpoint),
        ("scenario", FileKind::Scenario),
    ];
    let ours = named.iter().find(|(part, _)| schema.contains(part)).map(|(_, kind)| *kind);
    ours.or_else(|| other::by_schema(&schema).map(FileKind::Other))
}

/// Whether an endpoint has what a batch endpoint cannot have.
fn online(document: &Document) -> bool {
    let root = document.root();
    let keys = ["traffic", "mirror_traffic", "public_network_access", "compute"];
    let auth = root.child("auth_mode").and_then(|node| node.text());
    keys.iter().any(|key| root.child(key).is_some())
        || auth.is_some_and(|mode| !mode.to_lowercase().starts_with("aad"))
}

/// A name alone is a whole endpoint: everything else has a default.
fn endpoint_without_settings(document: &Document) -> bool {
    let known = ["$schema", "name", "description", "tags", "properties", "identity", "compute"];
    let root = document.root();
    root.child("name").is_some() && root.keys().all(|key| known.contains(&key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        Document::parse("t.yml", text).unwrap()
    }

    fn kind(text: &str) -> FileKind {
        kind_of(&document(text))
    }

    #[test]
    fn keys_tell_the_kind() {
        assert_eq!(kind("name: e\nauth_mode: key\n"), FileKind::Endpoint);
        assert_eq!(kind("name: just-a-name\n"), FileKind::Endpoint);
        assert_eq!(kind("name: b\nendpoint_name: e\n"), FileKind::Deployment);
        assert_eq!(kind("name: b\nload: {}\n"), FileKind::Scenario);
        assert_eq!(kind("endpoint: e.yml\ntraffic: {blue: 100}\n"), FileKind::Scenario);
        assert_eq!(kind("hello: world\n"), FileKind::Unknown);
        assert_eq!(kind("- 1\n"), FileKind::Unknown);
    }

    #[test]
    fn the_schema_line_counts_where_keys_tell_nothing() {
        let line = "$schema: https://azuremlschemas.azureedge.net/latest/managedOnlineDeployment.schema.json\n";
        assert_eq!(kind(&format!("{line}name: blue\n")), FileKind::Deployment);
        let endpoint = format!("{line}name: e\nauth_mode: key\n");
        assert_eq!(kind(&endpoint), FileKind::Endpoint);
        let note = contradiction(&document(&endpoint), FileKind::Endpoint).unwrap();
        assert!(note.message().contains("names a deployment"), "{}", note.message());
        let line = "$schema: ./kubernetesOnlineEndpoint.schema.json\n";
        assert_eq!(kind(&format!("{line}name: e\n")), FileKind::Endpoint);
        let line = "$schema: x/kubernetesOnlineDeployment.schema.json\n";
        let managed = document(&format!("{line}name: b\nendpoint_name: e\n"));
        let note = contradiction(&managed, FileKind::Deployment).unwrap();
        assert!(note.message().contains("without `type: kubernetes`"), "{}", note.message());
    }

    #[test]
    fn a_batch_endpoint_is_told_from_an_online_one() {
        let line = "$schema: https://x/latest/batchEndpoint.schema.json\n";
        let batch = FileKind::Other(other::BATCH_ENDPOINT);
        assert_eq!(kind(&format!("{line}name: b\nauth_mode: aad_token\n")), batch);
        assert_eq!(kind(&format!("{line}name: b\n")), batch);
        assert_eq!(kind("name: b\ndefaults: {deployment_name: d}\n"), batch);
        assert_eq!(kind(&format!("{line}name: b\ntraffic: {{d: 100}}\n")), FileKind::Endpoint);
    }
}
