//! The workspace's storage account as the control plane tells of it: one datastore, and a container for each upload.

use hyper::{Response, StatusCode};
use plimsoll_deploy::arm::wire::List;
use plimsoll_domain::clock;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Answer, json};
use crate::Host;
use crate::blobs::{DATASTORE, DEFAULT, UPLOAD};
use crate::fault::Fault;

type Reply = Response<http_body_util::Full<bytes::Bytes>>;

impl Host {
    pub(super) fn list_datastores(&self) -> Reply {
        json(StatusCode::OK, &List { value: vec![self.datastore()] })
    }

    pub(super) fn show_datastore(&self, name: &str) -> Answer {
        check(name)?;
        Ok(json(StatusCode::OK, &self.datastore()))
    }

    pub(super) fn list_secrets(&self, name: &str) -> Answer {
        check(name)?;
        let signature = self.signature(DEFAULT);
        Ok(json(StatusCode::OK, &json!({ "secretsType": "Sas", "sasToken": signature })))
    }

    /// A new container, so that nothing that is there is taken for what is coming.
    pub(super) fn start_pending_upload(&self, origin: &str) -> Answer {
        let container = format!("{UPLOAD}{}", Uuid::new_v4().simple());
        self.blobs.create(&container).map_err(|error| {
            let message = format!("the container for the upload cannot be made: {error}");
            Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", message)
        })?;
        let blob_uri = format!("{origin}/{container}");
        let sas_uri = format!("{blob_uri}?{}", self.signature(&container));
        Ok(json(
            StatusCode::OK,
            &json!({
                "pendingUploadType": "TemporaryBlobReference",
                "pendingUploadId": container,
                "blobReferenceForConsumption": {
                    "blobUri": blob_uri,
                    "storageAccountArmId": self.account(),
                    "credential": { "credentialType": "SAS", "sasUri": sas_uri },
                },
            }),
        ))
    }

    /// Its clients build `https://ACCOUNT.blob.SUFFIX/CONTAINER`, and nobody resolves names here: the `#` makes
    /// a fragment of all that follows the host's own address.
    fn datastore(&self) -> Value {
        json!({
            "id": self.workspace.id(&format!("datastores/{DATASTORE}")),
            "name": DATASTORE,
            "properties": {
                "datastoreType": "AzureBlob",
                "isDefault": true,
                "accountName": format!("{}#", self.storage_authority),
                "containerName": DEFAULT,
                "endpoint": "core.windows.net",
                "protocol": "https",
                "credentials": { "credentialsType": "Sas" },
            },
        })
    }

    fn account(&self) -> String {
        let workspace = &self.workspace;
        format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Storage/storageAccounts/local",
            workspace.subscription, workspace.resource_group
        )
    }

    /// What lets its bearer read and write a container for a while: the query of an address.
    fn signature(&self, container: &str) -> String {
        let token = self.issuer.issue(
            &super::blobs::audience(container),
            super::blobs::SAS_LIFE,
            clock::wall(),
        );
        format!("sv=2026-10-06&sr=c&sp=racwl&sig={}", token.text)
    }
}

fn check(name: &str) -> Result<(), Fault> {
    if name == DATASTORE {
        return Ok(());
    }
    Err(Fault::not_found(format!("datastore `{name}` (the local host has `{DATASTORE}`)")))
}
