//! Which Azure: the public one, China's, the US government's, or one that describes itself.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use serde::Deserialize;

use super::transport::{Broken, Transport, is_this_machine};

/// For the description of a cloud.
const LIMIT: Duration = Duration::from_secs(30);

/// Where a cloud's services are. Addresses are without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cloud {
    /// As the Azure CLI calls it, such as `AzureCloud`.
    pub name: String,
    /// Azure Resource Manager.
    pub resource_manager: String,
    /// Where tokens come from.
    pub authority: String,
    /// Whose tokens the endpoints take that want `aad_token`.
    pub data_plane: String,
    /// What follows `{account}.blob.`.
    pub storage: String,
}

/// What is wrong with a cloud's name or description.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none by that name.
    #[error(
        "`{0}` is no cloud: there are AzureCloud, AzureChinaCloud and AzureUSGovernment; for another one set ARM_CLOUD_METADATA_URL"
    )]
    Unknown(String),
    /// A token would be readable on its way.
    #[error("`{0}`: Azure is spoken to by https only")]
    NotHttps(String),
    /// Its description cannot be had.
    #[error("the cloud's description at `{url}` cannot be read: {reason}")]
    Metadata {
        /// Where it should be.
        url: String,
        /// What is wrong.
        reason: String,
    },
}

/// One cloud in a description.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    name: String,
    resource_manager: String,
    authentication: Authentication,
    suffixes: Suffixes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Authentication {
    login_endpoint: String,
}

#[derive(Deserialize)]
struct Suffixes {
    storage: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Description {
    Several(Vec<Described>),
    One(Described),
}

impl Cloud {
    /// A cloud by the name that the Azure CLI gives it.
    ///
    /// # Errors
    /// There is none.
    pub fn named(name: &str) -> Result<Self, Error> {
        let [name, arm, login, data, storage] = match name.to_ascii_lowercase().as_str() {
            "azurecloud" => [
                "AzureCloud",
                "management.azure.com",
                "login.microsoftonline.com",
                "ml.azure.com",
                "core.windows.net",
            ],
            "azurechinacloud" => [
                "AzureChinaCloud",
                "management.chinacloudapi.cn",
                "login.chinacloudapi.cn",
                "ml.azure.cn",
                "core.chinacloudapi.cn",
            ],
            "azureusgovernment" => [
                "AzureUSGovernment",
                "management.usgovcloudapi.net",
                "login.microsoftonline.us",
                "ml.azure.us",
                "core.usgovcloudapi.net",
            ],
            _ => return Err(Error::Unknown(name.to_owned())),
        };
        let https = |host: &str| format!("https://{host}");
        Ok(Self {
            name: name.to_owned(),
            resource_manager: https(arm),
            authority: https(login),
            data_plane: https(data),
            storage: storage.to_owned(),
        })
    }

    /// The cloud that describes itself at an address: the one whose resource manager is there, or that has the name.
    ///
    /// # Errors
    /// The address is no https address, does not answer, or describes no such cloud.
    pub async fn described(
        transport: &Transport,
        url: &str,
        name: Option<&str>,
    ) -> Result<Self, Error> {
        let wrong = |reason: String| Error::Metadata { url: url.to_owned(), reason };
        https_only(url)?;
        let request = Request::get(url).body(Full::<Bytes>::default());
        let request = request.map_err(|error| wrong(error.to_string()))?;
        let answer = transport.send(request, LIMIT).await.map_err(|broken| {
            wrong(match broken {
                Broken::Unreachable(why) | Broken::BrokeOff(why) => why.to_string(),
                Broken::NoAnswer(limit) => format!("no answer within {limit:?}"),
            })
        })?;
        if !answer.status.is_success() {
            return Err(wrong(format!("it answers {}", answer.status)));
        }
        let described: Description =
            serde_json::from_slice(&answer.body).map_err(|error| wrong(error.to_string()))?;
        let all = match described {
            Description::Several(all) => all,
            Description::One(one) => vec![one],
        };
        let is_it = |each: &Described| match name {
            Some(name) => each.name.eq_ignore_ascii_case(name),
            None => url.contains(each.resource_manager.trim_end_matches('/')),
        };
        let names = || all.iter().map(|each| each.name.as_str()).collect::<Vec<_>>().join(", ");
        let found = all.iter().find(|each| is_it(each));
        let found = found.ok_or_else(|| {
            let wanted = name.map_or_else(|| "of this address".to_owned(), |n| format!("`{n}`"));
            wrong(format!("no cloud {wanted} is described, only {}", names()))
        })?;
        let bare = |url: &str| url.trim_end_matches('/').to_owned();
        let cloud = Self {
            name: found.name.clone(),
            resource_manager: bare(&found.resource_manager),
            authority: bare(&found.authentication.login_endpoint),
            data_plane: "https://ml.azure.com".to_owned(),
            storage: found.suffixes.storage.clone(),
        };
        https_only(&cloud.resource_manager)?;
        https_only(&cloud.authority)?;
        Ok(cloud)
    }

    /// What a token must be for, to drive the cloud.
    pub fn scope(&self) -> String {
        format!("{}/.default", self.resource_manager)
    }

    /// What a token must be for, to call endpoints that want `aad_token`.
    pub fn data_plane_scope(&self) -> String {
        format!("{}/.default", self.data_plane)
    }
}

/// An address that secrets may go to.
pub(super) fn https_only(url: &str) -> Result<(), Error> {
    if url.starts_with("https://") { Ok(()) } else { Err(Error::NotHttps(url.to_owned())) }
}

/// An address that secrets may go to: by https, or to this machine, or to the one that a cloud's machines ask for tokens.
pub(super) fn is_private(url: &hyper::Uri) -> bool {
    let host = url.host().unwrap_or_default();
    url.scheme_str() == Some("https") || is_this_machine(host) || host == "169.254.169.254"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clouds_have_the_names_of_the_cli() {
        let public = Cloud::named("azurecloud").unwrap();
        assert_eq!(public.scope(), "https://management.azure.com/.default");
        assert_eq!(public.data_plane_scope(), "https://ml.azure.com/.default");
        let china = Cloud::named("AzureChinaCloud").unwrap();
        assert_eq!(china.resource_manager, "https://management.chinacloudapi.cn");
        let government = Cloud::named("AzureUSGovernment").unwrap();
        assert_eq!(government.authority, "https://login.microsoftonline.us");
        let wrong = Cloud::named("AzureGermanCloud").unwrap_err().to_string();
        assert!(wrong.contains("`AzureGermanCloud`") && wrong.contains("ARM_CLOUD_METADATA_URL"));
    }
}
