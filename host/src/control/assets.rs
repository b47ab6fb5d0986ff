//! Registered models, code folders and environments. The files stay where they are.

use hyper::StatusCode;
use plimsoll_deploy::arm::file_uri;
use plimsoll_deploy::arm::wire::{AssetProperties, Resource};

use super::{Answer, json};
use crate::Host;
use crate::fault::Fault;

impl Host {
    pub(super) fn show_asset(&self, asset: &str) -> Answer {
        let store = self.store();
        let found =
            store.assets.get(asset).ok_or_else(|| Fault::not_found(format!("`{asset}`")))?;
        Ok(json(StatusCode::OK, found))
    }

    pub(super) fn put_asset(&self, asset: &str, mut resource: Resource<AssetProperties>) -> Answer {
        let properties = &resource.properties;
        let (kind, uri) = match asset.split('/').next() {
            Some("models") => ("modelUri", &properties.model_uri),
            Some("codes") => ("codeUri", &properties.code_uri),
            _ => ("", &None),
        };
        if !kind.is_empty() {
            let uri = uri.as_deref().unwrap_or_default();
            let path = file_uri::to_path(uri).ok_or_else(|| {
                Fault::bad_argument(format!(
                    "{kind} `{uri}` of `{asset}` is not a file on this machine; \
                     give an absolute path or a file:// address"
                ))
            })?;
            if !path.exists() {
                let path = path.display();
                return Err(Fault::bad_argument(format!("`{path}` of `{asset}` is not there")));
            }
        } else if properties.conda_file.is_none() && properties.image.is_none() {
            return Err(Fault::bad_argument(format!("`{asset}` has neither condaFile nor image")));
        }
        let mut parts = asset.split('/');
        let (kind, name, version) = (parts.next(), parts.next(), parts.next());
        let words = [kind, name, version].map(Option::unwrap_or_default);
        let [kind, name, version] = words;
        resource.id = Some(self.workspace.id(&format!("{kind}/{name}/versions/{version}")));
        resource.name = Some(version.to_owned());
        let answer = json(StatusCode::CREATED, &resource);
        self.store().assets.insert(asset.to_owned(), resource);
        Ok(answer)
    }
}
