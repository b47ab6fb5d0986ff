//! Registered models, code folders, environments and data. Files that are on this machine stay where they are.

use hyper::{Response, StatusCode};
use plimsoll_deploy::arm::file_uri;
use plimsoll_deploy::arm::wire::{AssetProperties, List, Resource};
use serde_json::{Value, json};

use super::{Answer, json};
use crate::blobs::Blobs;
use crate::fault::Fault;
use crate::query::Query;
use crate::registry::{Key, Kind};
use crate::{Host, stamp};

type Reply = Response<http_body_util::Full<bytes::Bytes>>;

impl Host {
    pub(super) fn show_asset(&self, key: &Key) -> Answer {
        let store = self.store();
        let found = store.assets.get(key).ok_or_else(|| Fault::not_found(format!("`{key}`")))?;
        Ok(json(StatusCode::OK, found))
    }

    /// Versions, the newest first; with a `hash`, all code that has it, under whatever name: the SDK looks its code up by
    /// content, under a name that is new each time.
    pub(super) fn list_versions(&self, kind: Kind, name: &str, query: &Query) -> Answer {
        let store = self.store();
        let found = match query.get("hash") {
            Some(hash) => store.assets.with_hash(kind, hash),
            None => store.assets.versions(kind, name),
        };
        if found.is_empty() && query.get("hash").is_none() {
            return Err(Fault::not_found(format!("`{}/{name}`", kind.word())));
        }
        let found = found.into_iter().filter(|version| is_listed(&version.properties, query));
        let number = |name| query.get(name).and_then(|text| text.parse::<usize>().ok());
        let skipped = found.skip(number("$skip").unwrap_or(0));
        let value: Vec<_> = skipped.take(number("$top").unwrap_or(usize::MAX)).collect();
        Ok(json(StatusCode::OK, &List { value }))
    }

    /// The names that have a version which the query asks for.
    pub(super) fn list_names(&self, kind: Kind, query: &Query) -> Reply {
        let store = self.store();
        let names = store.assets.names(kind).into_iter().filter(|(name, ..)| {
            let versions = store.assets.versions(kind, name);
            versions.iter().any(|version| is_listed(&version.properties, query))
        });
        let value = names.map(|found| self.container(kind, found)).collect();
        json(StatusCode::OK, &List { value })
    }

    pub(super) fn show_name(&self, kind: Kind, name: &str) -> Answer {
        let store = self.store();
        let missing = || Fault::not_found(format!("`{}/{name}`", kind.word()));
        let found = store.assets.name(kind, name).ok_or_else(missing)?;
        Ok(json(StatusCode::OK, &self.container(kind, found)))
    }

    fn container(&self, kind: Kind, (name, latest, next): (&str, &str, String)) -> Value {
        json!({
            "id": self.workspace.id(&format!("{}/{name}", kind.word())),
            "name": name,
            "properties": { "latestVersion": latest, "nextVersion": next, "isArchived": false },
        })
    }

    pub(super) fn put_asset(&self, key: Key, mut resource: Resource<AssetProperties>) -> Answer {
        check(&self.blobs, &key, &resource.properties)?;
        if key.kind == Kind::Model {
            // The SDK cannot read a model without it.
            resource.properties.other.entry("flavors".to_owned()).or_insert_with(|| json!({}));
        }
        complete(&mut resource.properties);
        resource.id = Some(self.workspace.id(&key.to_string()));
        resource.name = Some(key.version.clone());
        let mut store = self.store();
        if store.assets.conflicts(&key, &resource.properties) {
            let message = format!(
                "`{key}` is there with other contents, which never change; register it as another version"
            );
            return Err(Fault::new(StatusCode::CONFLICT, "Conflict", message));
        }
        let before = store.assets.get(&key);
        let is_new = before.is_none();
        let words = format!("{}/versions", key.kind.word());
        stamp::put(&mut resource, &words, before.and_then(|old| old.system_data.as_ref()));
        let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
        let answer = json(status, &resource);
        store.assets.put(key, resource);
        Ok(answer)
    }
}

/// What every version says, also where nobody said it.
fn complete(properties: &mut AssetProperties) {
    for name in ["tags", "properties"] {
        properties.other.entry(name.to_owned()).or_insert_with(|| json!({}));
    }
    properties.is_anonymous.get_or_insert(false);
    properties.is_archived.get_or_insert(false);
}

/// What is archived is shown only to those who ask for it.
fn is_listed(properties: &AssetProperties, query: &Query) -> bool {
    let archived = properties.is_archived == Some(true);
    match query.get("listViewType") {
        None => true,
        Some(view) if view.eq_ignore_ascii_case("ArchivedOnly") => archived,
        Some(view) => !archived || view.eq_ignore_ascii_case("All"),
    }
}

/// Refuses what could not be used.
fn check(blobs: &Blobs, key: &Key, properties: &AssetProperties) -> Result<(), Fault> {
    let (word, uri) = match key.kind {
        Kind::Model => ("modelUri", &properties.model_uri),
        Kind::Code => ("codeUri", &properties.code_uri),
        Kind::Data => return Ok(()),
        Kind::Environment => {
            let has_build = properties.other.get("build").is_some_and(|build| !build.is_null());
            if properties.conda_file.is_none() && properties.image.is_none() && !has_build {
                let message = format!("`{key}` has neither condaFile nor image nor build");
                return Err(Fault::bad_argument(message));
            }
            return Ok(());
        }
    };
    let uri = uri.as_deref().unwrap_or_default();
    let path = file_uri::to_path(uri).or_else(|| blobs.of_address(uri)).ok_or_else(|| {
        Fault::bad_argument(format!(
            "{word} `{uri}` of `{key}` is neither a file on this machine nor in the host's storage; \
             give an absolute path or a file:// address"
        ))
    })?;
    if path.exists() {
        return Ok(());
    }
    Err(Fault::bad_argument(format!("`{}` of `{key}` is not there", path.display())))
}
