//! Where tokens come from.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use plimsoll_domain::clock;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::process::Command;

use super::request::{Asked, ask_for};
use super::{Error, Token};
use crate::arm::cloud::Cloud;
use crate::arm::transport::Transport;

/// The metadata service of a virtual machine.
const METADATA: &str = "http://169.254.169.254";

/// For the Azure CLI to answer: it starts slowly, and may have to ask for a token itself.
const CLI_LIMIT: Duration = Duration::from_mins(1);

/// How long a token of a command line that does not say is used.
const UNSAID: Duration = Duration::from_mins(10);

/// Where tokens come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A token that was given.
    Fixed(SecretString),
    /// A file with a token, read again whenever one is needed anew.
    File(PathBuf),
    /// `az account get-access-token`.
    AzureCli {
        /// Whose, if not the default subscription's.
        subscription: Option<String>,
    },
    /// A service principal with a secret.
    ClientSecret {
        /// Whose token is asked for.
        principal: Principal,
        /// Its secret.
        secret: SecretString,
    },
    /// A service principal with a token of another identity provider, which a file has.
    WorkloadIdentity {
        /// Whose token is asked for.
        principal: Principal,
        /// The file.
        file: PathBuf,
    },
    /// The identity of an App Service, or of what plays one.
    AppService {
        /// The address to ask.
        endpoint: String,
        /// What it wants to be shown.
        secret: SecretString,
        /// Which of several identities.
        client: Option<String>,
    },
    /// The identity of a virtual machine.
    Machine {
        /// The address of its metadata service.
        endpoint: String,
        /// Which of several identities.
        client: Option<String>,
    },
}

/// A service principal.
#[derive(Debug, Clone)]
pub struct Principal {
    pub(super) authority: String,
    pub(super) tenant: String,
    pub(super) client: String,
}

/// What the environment says of a variable; empty counts as missing.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Source {
    /// The one that the usual variables name, in the order that Azure's own clients look: a token that is given, a service
    /// principal, a workload identity, a managed identity, the Azure CLI. `AZURE_TOKEN_CREDENTIALS` picks one.
    ///
    /// # Errors
    /// There is none, or what names it is incomplete.
    pub fn of_environment(
        get: Variables<'_>,
        cloud: &Cloud,
        subscription: Option<&str>,
    ) -> Result<Self, Error> {
        if let Some(token) = get("PLIMSOLL_AZURE_TOKEN") {
            return Ok(Self::Fixed(token.trim().to_owned().into()));
        }
        if let Some(file) = get("PLIMSOLL_AZURE_TOKEN_FILE") {
            return Ok(Self::File(file.into()));
        }
        let cli = || Self::AzureCli { subscription: subscription.map(str::to_owned) };
        let missing = |name, what: &str| Error::Variable { name, reason: what.to_owned() };
        let chosen = get("AZURE_TOKEN_CREDENTIALS").map(|name| name.to_ascii_lowercase());
        match chosen.as_deref() {
            None => {}
            Some("environmentcredential") => {
                let needed = "is missing; AZURE_TENANT_ID and AZURE_CLIENT_ID are needed too";
                return client_secret(get, cloud)
                    .ok_or_else(|| missing("AZURE_CLIENT_SECRET", needed));
            }
            Some("workloadidentitycredential") => {
                let needed = "is missing; AZURE_TENANT_ID and AZURE_CLIENT_ID are needed too";
                return workload(get, cloud)
                    .ok_or_else(|| missing("AZURE_FEDERATED_TOKEN_FILE", needed));
            }
            Some("managedidentitycredential") => {
                return Ok(app_service(get).unwrap_or_else(|| machine(get)));
            }
            Some("azureclicredential") => return Ok(cli()),
            Some(other) => {
                let reason = format!(
                    "`{other}` is not supported; EnvironmentCredential, WorkloadIdentityCredential, \
                     ManagedIdentityCredential and AzureCliCredential are"
                );
                return Err(Error::Variable { name: "AZURE_TOKEN_CREDENTIALS", reason });
            }
        }
        let found = client_secret(get, cloud).or_else(|| workload(get, cloud));
        let found = found.or_else(|| app_service(get));
        let has_cli = || get("PATH").is_some_and(|path| finds_az(&path));
        found.or_else(|| has_cli().then(cli)).ok_or(Error::Nobody)
    }

    pub(super) fn words(&self) -> &'static str {
        match self {
            Self::Fixed(_) => "the token that was given",
            Self::File(_) => "the file with a token",
            Self::AzureCli { .. } => "the Azure CLI",
            Self::ClientSecret { .. } => "the service principal of AZURE_CLIENT_ID",
            Self::WorkloadIdentity { .. } => "the workload identity of AZURE_CLIENT_ID",
            Self::AppService { .. } => "the managed identity at IDENTITY_ENDPOINT",
            Self::Machine { .. } => "the managed identity of this machine",
        }
    }
}

fn principal(get: Variables<'_>, cloud: &Cloud) -> Option<Principal> {
    let authority = get("AZURE_AUTHORITY_HOST").unwrap_or_else(|| cloud.authority.clone());
    Some(Principal {
        authority: authority.trim_end_matches('/').to_owned(),
        tenant: get("AZURE_TENANT_ID")?,
        client: get("AZURE_CLIENT_ID")?,
    })
}

fn client_secret(get: Variables<'_>, cloud: &Cloud) -> Option<Source> {
    let secret = get("AZURE_CLIENT_SECRET")?.into();
    Some(Source::ClientSecret { principal: principal(get, cloud)?, secret })
}

fn workload(get: Variables<'_>, cloud: &Cloud) -> Option<Source> {
    let file = get("AZURE_FEDERATED_TOKEN_FILE")?.into();
    Some(Source::WorkloadIdentity { principal: principal(get, cloud)?, file })
}

fn app_service(get: Variables<'_>) -> Option<Source> {
    let (endpoint, secret) = (get("IDENTITY_ENDPOINT")?, get("IDENTITY_HEADER")?.into());
    Some(Source::AppService { endpoint, secret, client: get("AZURE_CLIENT_ID") })
}

fn machine(get: Variables<'_>) -> Source {
    let endpoint = get("AZURE_POD_IDENTITY_AUTHORITY_HOST").unwrap_or_else(|| METADATA.to_owned());
    Source::Machine { endpoint, client: get("AZURE_CLIENT_ID") }
}

fn finds_az(path: &str) -> bool {
    std::env::split_paths(&OsString::from(path)).any(|folder| folder.join("az").is_file())
}

/// Asks for a token for a scope.
pub(super) async fn ask(
    source: &Source,
    transport: &Transport,
    scope: &str,
) -> Result<Token, Error> {
    let refused = |reason: String| Error::Refused { from: source.words().to_owned(), reason };
    let from_file = async |file: &PathBuf| {
        let text = tokio::fs::read_to_string(file).await;
        let text = text.map_err(|error| refused(format!("`{}`: {error}", file.display())))?;
        match text.trim() {
            "" => Err(refused(format!("`{}` is empty", file.display()))),
            text => Ok(SecretString::from(text.to_owned())),
        }
    };
    let asked = match source {
        Source::Fixed(text) => return Ok(Token { text: text.clone(), expires: None }),
        Source::File(file) => {
            // Whoever writes it may write another one at any time.
            let expires = Some(clock::wall());
            return Ok(Token { text: from_file(file).await?, expires });
        }
        Source::AzureCli { subscription } => {
            return cli(scope, subscription.as_deref()).await.map_err(refused);
        }
        Source::ClientSecret { principal, secret } => {
            Asked::of_principal(principal, scope, &[("client_secret", secret.expose_secret())])
        }
        Source::WorkloadIdentity { principal, file } => {
            let assertion = from_file(file).await?;
            let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
            let proof =
                [("client_assertion_type", kind), ("client_assertion", assertion.expose_secret())];
            Asked::of_principal(principal, scope, &proof)
        }
        Source::AppService { endpoint, secret, client } => {
            Asked::of_app_service(endpoint, secret, scope, client.as_deref())
        }
        Source::Machine { endpoint, client } => {
            Asked::of_machine(endpoint, scope, client.as_deref())
        }
    };
    ask_for(transport, &asked).await.map_err(refused)
}

/// What the Azure CLI prints.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Printed {
    access_token: SecretText,
    /// Unix seconds, which older ones do not print.
    #[serde(rename = "expires_on")]
    expires_on: Option<u64>,
}

#[derive(Deserialize)]
struct SecretText(String);

async fn cli(scope: &str, subscription: Option<&str>) -> Result<Token, String> {
    let mut command = Command::new("az");
    command.args(["account", "get-access-token", "--output", "json", "--resource"]);
    command.arg(scope.strip_suffix("/.default").unwrap_or(scope));
    if let Some(subscription) = subscription {
        command.args(["--subscription", subscription]);
    }
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(CLI_LIMIT, command.output()).await;
    let output = output.map_err(|_| format!("`az` did not answer within {CLI_LIMIT:?}"))?;
    let output = output.map_err(|error| format!("`az` cannot be started: {error}"))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        let complaint = complaint.trim();
        let said = if complaint.is_empty() { "nothing" } else { complaint };
        return Err(format!("`az account get-access-token` said: {said}"));
    }
    let printed: Printed = serde_json::from_slice(&output.stdout)
        .map_err(|_| "what `az account get-access-token` printed is no token".to_owned())?;
    let expires = match printed.expires_on {
        Some(seconds) => std::time::UNIX_EPOCH + Duration::from_secs(seconds),
        None => clock::wall() + UNSAID,
    };
    Ok(Token { text: printed.access_token.0.into(), expires: Some(expires) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Source, Error> {
        let get = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Source::of_environment(&get, &Cloud::named("AzureCloud").unwrap(), Some("sub"))
    }

    const PRINCIPAL: [(&str, &str); 2] = [("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c")];

    #[test]
    fn variables_name_the_source_in_order() {
        let secret = [PRINCIPAL.as_slice(), &[("AZURE_CLIENT_SECRET", "s3cret")]].concat();
        let found = of(&secret).unwrap();
        assert!(matches!(&found, Source::ClientSecret { principal, .. }
            if principal.authority == "https://login.microsoftonline.com"));
        assert!(!format!("{found:?}").contains("s3cret"));
        let given = [secret.as_slice(), &[("PLIMSOLL_AZURE_TOKEN", "t")]].concat();
        assert!(matches!(of(&given), Ok(Source::Fixed(_))));
        let workload = [PRINCIPAL.as_slice(), &[("AZURE_FEDERATED_TOKEN_FILE", "/f")]].concat();
        assert!(matches!(of(&workload), Ok(Source::WorkloadIdentity { .. })));
        let identity = [("IDENTITY_ENDPOINT", "http://localhost/"), ("IDENTITY_HEADER", "h")];
        assert!(matches!(of(&identity), Ok(Source::AppService { client: None, .. })));
        assert!(matches!(of(&[]), Err(Error::Nobody)));
    }

    #[test]
    fn one_can_be_picked_and_others_are_refused_by_name() {
        let pick = |name| of(&[("AZURE_TOKEN_CREDENTIALS", name)]);
        assert!(matches!(pick("AzureCliCredential"), Ok(Source::AzureCli { .. })));
        let machine = pick("ManagedIdentityCredential");
        assert!(matches!(machine, Ok(Source::Machine { endpoint, .. }) if endpoint == METADATA));
        let wrong = pick("EnvironmentCredential").unwrap_err().to_string();
        assert!(wrong.starts_with("AZURE_CLIENT_SECRET: is missing"), "{wrong}");
        let wrong = pick("VisualStudioCredential").unwrap_err().to_string();
        assert!(wrong.contains("`visualstudiocredential` is not supported"), "{wrong}");
    }
}
