//! Local code and models, brought to the workspace's storage: only what it does not have yet.
//!
//! Code goes to the container that Azure makes for it, and is looked up by the hash of its content before. A model goes to
//! the workspace's default datastore, into a folder named by that hash, and its first file says when all of it is there.
//! What opens the storage is a signature that Azure gives out for an hour, which nobody is shown, or the caller's own
//! token. Every request may be repeated: what is put is named by its content, or goes to a container of its own.

mod files;

use std::path::Path;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::ArmDriver;
use super::change::Change;
use super::client::{Call, Stored};
use super::error::Error;
use super::wire::{AssetProperties, List, Resource};
use files::Files;

/// The version of the hash, by which Azure's own clients find code that others brought.
const HASH_VERSION: u32 = 202_208;

const DATASTORE: &str = "workspaceblobstore";

/// What a storage account takes in one request, and in one of the pieces of what is larger.
const WHOLE: u64 = 64 << 20;
const PIECE: u64 = 16 << 20;

/// For one such request.
const LIMIT: Duration = Duration::from_mins(5);

/// Where files go.
struct Store {
    /// Of the container, without a slash at the end.
    url: String,
    /// The signature; none if the caller's token opens it.
    signature: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pending {
    blob_reference_for_consumption: Reference,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    blob_uri: String,
    credential: Signed,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Signed {
    sas_uri: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Datastore {
    account_name: String,
    container_name: String,
    #[serde(default)]
    endpoint: Option<String>,
    credentials: Credentials,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credentials {
    credentials_type: String,
}

impl ArmDriver {
    /// The id of a code folder, which is brought there if it is not yet.
    pub(super) async fn upload_code(&self, what: &str, folder: &Path) -> Result<String, Error> {
        let files = Files::read(what, folder).await?;
        let name = Uuid::new_v4().to_string();
        let hash = files.hash();
        let known = self.path(&format!("codes/{name}/versions"));
        let known = format!("{known}&hash={hash}&hashVersion={HASH_VERSION}");
        let answer = self.client.call(&Call::new(what, Method::GET, &known)).await?;
        let known: List<Resource<Value>> = answer.read(what)?;
        if let Some(id) = known.value.into_iter().find_map(|each| each.id) {
            return Ok(id);
        }
        let path = format!("codes/{name}/versions/1");
        // Another container does no harm, so that it may be asked for again.
        let wanted = json!({ "pendingUploadType": "TemporaryBlobReference" });
        let begun = self.question(what, &format!("{path}/startPendingUpload"), &wanted).await?;
        let reference = begun.read::<Pending>(what)?.blob_reference_for_consumption;
        let (url, signature) = parts(&reference.credential.sas_uri);
        let store = Store { url: url.to_owned(), signature: signature.map(str::to_owned) };
        self.put_files(what, &store, files.name(), &files).await?;
        let properties = AssetProperties {
            code_uri: Some(format!("{}/{}", parts(&reference.blob_uri).0, files.name())),
            is_anonymous: Some(true),
            other: [(
                "properties".to_owned(),
                json!({ "hash_sha256": hash, "hash_version": HASH_VERSION.to_string() }),
            )]
            .into(),
            ..AssetProperties::default()
        };
        let change = Change::new(what, Method::PUT, &path, &Resource::new(properties));
        self.begin(&Change { is_new: true, ..change }).await?;
        Ok(self.workspace.id(&path))
    }

    /// The address of a model's files, which are brought there if they are not yet.
    pub(super) async fn upload_model(&self, what: &str, path: &Path) -> Result<String, Error> {
        let files = Files::read(what, path).await?;
        let hash = files.hash();
        let store = self.default_store(what).await?;
        let folder = format!("LocalUpload/{hash}/{}", files.name());
        let first = files.first(&folder);
        if !self.is_complete(what, &store, &first).await? {
            self.put_files(what, &store, &folder, &files).await?;
            let said = [("x-ms-meta-upload_status", "completed")];
            let query = "comp=metadata";
            self.store(what, &store, Method::PUT, &first, query, &said, Bytes::new()).await?;
        }
        let super::Workspace { subscription, resource_group, name } = &self.workspace;
        let address = format!(
            "azureml://subscriptions/{subscription}/resourcegroups/{resource_group}/workspaces/{name}\
             /datastores/{DATASTORE}/paths/{folder}"
        );
        Ok(address)
    }

    async fn default_store(&self, what: &str) -> Result<Store, Error> {
        let path = format!("datastores/{DATASTORE}");
        let datastore: Resource<Datastore> = self.get(what, &path).await?;
        let Datastore { account_name, container_name, endpoint, credentials } =
            datastore.properties;
        let suffix = endpoint.as_deref().unwrap_or("core.windows.net");
        let account = format!("https://{account_name}.blob.{suffix}");
        // A local host ends its account's name with what makes the rest a fragment.
        let account = account.split('#').next().unwrap_or_default();
        let url = format!("{account}/{container_name}");
        if credentials.credentials_type.eq_ignore_ascii_case("None") {
            return Ok(Store { url, signature: None });
        }
        let request = json!({ "expirableSecret": true, "expireAfterHours": 1 });
        let secret = self.question(what, &format!("{path}/listSecrets"), &request).await?;
        let secret: Value = secret.read(what)?;
        match secret["sasToken"].as_str() {
            Some(signature) => {
                let signature = Some(signature.trim_start_matches('?').to_owned());
                Ok(Store { url, signature })
            }
            None => Err(Error::NotSupported {
                what: what.to_owned(),
                reason: format!(
                    "datastore `{DATASTORE}` gives out {} and no signature; register the model with az, and refer \
                     to it as azureml:NAME:VERSION",
                    secret["secretsType"].as_str().unwrap_or("nothing")
                ),
            }),
        }
    }

    async fn is_complete(&self, what: &str, store: &Store, first: &str) -> Result<bool, Error> {
        match self.store(what, store, Method::HEAD, first, "", &[], Bytes::new()).await {
            Ok(answer) => {
                let said = answer.headers.get("x-ms-meta-upload_status");
                Ok(said.is_some_and(|said| said == "completed"))
            }
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn put_files(
        &self,
        what: &str,
        store: &Store,
        folder: &str,
        files: &Files,
    ) -> Result<(), Error> {
        let block = [("x-ms-blob-type", "BlockBlob")];
        for file in files.all() {
            let blob = file.blob(folder);
            if file.size <= WHOLE {
                let body = file.piece(what, 0, file.size).await?;
                self.store(what, store, Method::PUT, &blob, "", &block, body).await?;
                continue;
            }
            let mut list = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
            for (number, from) in (0..file.size).step_by(PIECE as usize).enumerate() {
                let body = file.piece(what, from, PIECE.min(file.size - from)).await?;
                // Base64 of a number of six digits has no character that a query would need to encode.
                let id = BASE64_STANDARD.encode(format!("{number:06}"));
                let query = format!("comp=block&blockid={id}");
                self.store(what, store, Method::PUT, &blob, &query, &[], body).await?;
                list.extend(["<Latest>", &id, "</Latest>"]);
            }
            list += "</BlockList>";
            self.store(what, store, Method::PUT, &blob, "comp=blocklist", &[], list.into()).await?;
        }
        Ok(())
    }

    /// One request to the storage account, again where that helps.
    #[expect(clippy::too_many_arguments, reason = "they are the parts of one request")]
    async fn store(
        &self,
        what: &str,
        store: &Store,
        method: Method,
        blob: &str,
        query: &str,
        headers: &[(&'static str, &str)],
        body: Bytes,
    ) -> Result<super::client::Answer, Error> {
        let signature = store.signature.as_deref().unwrap_or_default();
        let joint = if query.is_empty() || signature.is_empty() { "" } else { "&" };
        let url = format!("{}/{blob}?{signature}{joint}{query}", store.url);
        let stored = Stored {
            what,
            method,
            url: url.trim_end_matches('?').to_owned(),
            headers,
            body,
            bears_token: store.signature.is_none(),
            limit: LIMIT,
        };
        let attempt = || self.client.store(&stored);
        let pauses = ExponentialBuilder::default().with_jitter().with_max_times(4);
        let passing = |error: &Error| {
            error.is_answer_lost()
                || error.status() == Some(StatusCode::TOO_MANY_REQUESTS.as_u16())
                || matches!(error, Error::Unreachable { .. })
        };
        let pause = |error: &Error, pause: Option<Duration>| {
            pause.map(|pause| error.retry_after().unwrap_or(pause))
        };
        attempt.retry(pauses).when(passing).adjust(pause).await
    }
}

/// An address and its query.
fn parts(url: &str) -> (&str, Option<&str>) {
    match url.split_once('?') {
        Some((url, query)) => (url.trim_end_matches('/'), Some(query)),
        None => (url.trim_end_matches('/'), None),
    }
}
