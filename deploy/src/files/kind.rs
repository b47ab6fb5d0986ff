//! Which kind of file a document is, told by its keys.

use plimsoll_document::Document;
use plimsoll_document::Value;

/// The kinds of file that plimsoll reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// An online endpoint of Azure ML.
    Endpoint,
    /// An online deployment of Azure ML.
    Deployment,
    /// A scenario of plimsoll.
    Scenario,
    /// None of them.
    Unknown,
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
            "instance_type",
            "instance_count",
            "request_settings",
            "scale_settings",
            "model",
            "synthetic",
        ],
    ),
    (FileKind::Endpoint, &["auth_mode", "traffic", "mirror_traffic", "public_network_access"]),
];

/// The kind of a document: what its `$schema` names, or else the kind that has most of its keys.
pub fn kind_of(document: &Document) -> FileKind {
    let root = document.root();
    if let Some(Value::Text(schema)) = root.child("$schema").map(|node| &node.value) {
        let schema = schema.to_lowercase();
        let named = [
            ("onlinedeployment", FileKind::Deployment),
            ("onlineendpoint", FileKind::Endpoint),
            ("scenario", FileKind::Scenario),
        ];
        if let Some((_, kind)) = named.iter().find(|(part, _)| schema.contains(part)) {
            return *kind;
        }
    }
    let found = |keys: &[&str]| keys.iter().filter(|key| root.child(key).is_some()).count();
    // Of equals the first in the table is taken.
    let most = TELLING.iter().map(|(kind, keys)| (found(keys), *kind)).rev();
    match most.max_by_key(|(count, _)| *count) {
        Some((1.., kind)) => kind,
        _ if endpoint_without_settings(document) => FileKind::Endpoint,
        _ => FileKind::Unknown,
    }
}

/// A name alone is a whole endpoint: everything else has a default.
fn endpoint_without_settings(document: &Document) -> bool {
    let known = ["$schema", "name", "description", "tags", "properties", "identity", "compute"];
    match &document.root().value {
        Value::Map(members) => {
            document.root().child("name").is_some()
                && members.iter().all(|(key, ..)| known.contains(&key.as_str()))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> FileKind {
        kind_of(&Document::parse("t.yml", text).unwrap())
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
    fn the_schema_line_decides_first() {
        let line = "$schema: https://azuremlschemas.azureedge.net/latest/managedOnlineDeployment.schema.json\n";
        assert_eq!(kind(&format!("{line}name: blue\n")), FileKind::Deployment);
        let line = "$schema: ./kubernetesOnlineEndpoint.schema.json\n";
        assert_eq!(kind(&format!("{line}name: e\n")), FileKind::Endpoint);
    }
}
