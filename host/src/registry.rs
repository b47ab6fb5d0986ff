//! Registered models, code folders, environments and data: every version as it was sent.
//!
//! A version's contents never change, as on Azure: another content under the same version is a conflict, by which Azure's
//! clients find out that they must take the next. What does not make up the contents (tags, description, archived)
//! may change.

use std::collections::BTreeMap;

use plimsoll_deploy::arm::wire::{AssetProperties, Resource};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What can be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) enum Kind {
    Model,
    Code,
    Environment,
    Data,
}

/// A version of an asset.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) version: String,
}

/// All that is registered.
#[derive(Debug, Default)]
pub(super) struct Registry {
    versions: BTreeMap<Key, Version>,
    count: u64,
}

#[derive(Debug)]
struct Version {
    resource: Resource<AssetProperties>,
    /// Grows with time.
    created: u64,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Model, Self::Code, Self::Environment, Self::Data];

    /// As it is in paths and ids.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Code => "codes",
            Self::Environment => "environments",
            Self::Data => "data",
        }
    }

    /// The kind by its word in a path, in any case.
    pub(super) fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| word.eq_ignore_ascii_case(kind.word()))
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/versions/{}", self.kind.word(), self.name, self.version)
    }
}

impl Registry {
    pub(super) fn get(&self, key: &Key) -> Option<&Resource<AssetProperties>> {
        self.versions.get(key).map(|version| &version.resource)
    }

    /// Whether the version is there with other contents.
    pub(super) fn conflicts(&self, key: &Key, new: &AssetProperties) -> bool {
        self.get(key).is_some_and(|old| contents(&old.properties) != contents(new))
    }

    /// Registers a version, or changes what may change of it.
    pub(super) fn put(&mut self, key: Key, resource: Resource<AssetProperties>) {
        self.count += 1;
        let created = self.count;
        self.versions
            .entry(key)
            .and_modify(|version| version.resource = resource.clone())
            .or_insert(Version { resource, created });
    }

    /// All of it, in the order of its coming.
    pub(super) fn in_order(&self) -> Vec<(&Key, &Resource<AssetProperties>)> {
        let mut all: Vec<_> = self.versions.iter().collect();
        all.sort_by_key(|(_, version)| version.created);
        all.into_iter().map(|(key, version)| (key, &version.resource)).collect()
    }

    /// All versions of an asset, the newest first.
    pub(super) fn versions(&self, kind: Kind, name: &str) -> Vec<&Resource<AssetProperties>> {
        let of_it = self.versions.iter().filter(|(key, _)| key.kind == kind && key.name == name);
        let mut versions: Vec<_> = of_it.map(|(_, version)| version).collect();
        versions.sort_by_key(|version| std::cmp::Reverse(version.created));
        versions.into_iter().map(|version| &version.resource).collect()
    }

    /// Code with that content, under whatever name.
    pub(super) fn with_hash(&self, kind: Kind, hash: &str) -> Vec<&Resource<AssetProperties>> {
        let is_it = |(key, version): &(&Key, &Version)| {
            let found = version.resource.properties.other.get("properties");
            let found = found.and_then(|properties| properties.get("hash_sha256"));
            key.kind == kind && found.and_then(Value::as_str) == Some(hash)
        };
        self.versions.iter().filter(is_it).map(|(_, version)| &version.resource).collect()
    }

    /// The names of a kind, each with its newest version and the number that its next may have.
    pub(super) fn names(&self, kind: Kind) -> Vec<(&str, &str, String)> {
        let mut names: Vec<&str> = Vec::new();
        for key in self.versions.keys().filter(|key| key.kind == kind) {
            if names.last() != Some(&key.name.as_str()) {
                names.push(&key.name);
            }
        }
        names.into_iter().filter_map(|name| self.name(kind, name)).collect()
    }

    /// The name as it is kept, its newest version, and the number that its next may have.
    pub(super) fn name(&self, kind: Kind, name: &str) -> Option<(&str, &str, String)> {
        let of_it = || self.versions.iter().filter(|(key, _)| key.kind == kind && key.name == name);
        let (newest, _) = of_it().max_by_key(|(_, version)| version.created)?;
        let highest = of_it().filter_map(|(key, _)| key.version.parse::<u64>().ok()).max();
        let next = highest.map_or(1, |number| number.saturating_add(1)).to_string();
        Some((&newest.name, &newest.version, next))
    }
}

/// What makes a version what it is.
fn contents(properties: &AssetProperties) -> [Option<Value>; 7] {
    let text = |text: &Option<String>| text.clone().map(Value::String);
    let other = |key: &str| properties.other.get(key).cloned();
    [
        text(&properties.model_uri),
        text(&properties.code_uri),
        text(&properties.image),
        text(&properties.conda_file),
        other("build"),
        other("inferenceConfig"),
        other("dataUri"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(version: &str) -> Key {
        Key { kind: Kind::Environment, name: "e".to_owned(), version: version.to_owned() }
    }

    fn environment(image: &str, version: &str) -> Resource<AssetProperties> {
        let properties = serde_json::json!({ "image": image, "tags": { "a": "b" } });
        let resource = serde_json::json!({ "name": version, "properties": properties });
        serde_json::from_value(resource).unwrap()
    }

    #[test]
    fn the_newest_is_the_last_that_came_and_the_next_has_the_highest_number() {
        let mut registry = Registry::default();
        for version in ["10", "9", "one"] {
            registry.put(key(version), environment("base", version));
        }
        registry.put(key("10"), environment("base", "10"));
        let versions = registry.versions(Kind::Environment, "e");
        let names: Vec<_> = versions.iter().map(|each| each.name.as_deref().unwrap()).collect();
        assert_eq!(names, ["one", "9", "10"], "a change does not make it newer");
        assert_eq!(registry.names(Kind::Environment), [("e", "one", "11".to_owned())]);
        assert!(registry.names(Kind::Model).is_empty());
    }

    #[test]
    fn contents_never_change_under_a_version_and_the_rest_may() {
        let mut registry = Registry::default();
        registry.put(key("1"), environment("base", "1"));
        let mut same = environment("base", "1").properties;
        same.is_archived = Some(true);
        same.other.insert("tags".to_owned(), serde_json::json!({}));
        assert!(!registry.conflicts(&key("1"), &same));
        assert!(registry.conflicts(&key("1"), &environment("another", "1").properties));
        assert!(!registry.conflicts(&key("2"), &environment("another", "2").properties));
    }
}
