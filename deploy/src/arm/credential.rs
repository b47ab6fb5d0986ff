//! Who asks: a token for each request, asked for again before it expires.
//!
//! Where tokens come from is what Azure's own clients document: a service principal with a secret, a federated token
//! (workload identity), the identity of the machine (App Service's endpoint, or the metadata service), the Azure CLI,
//! or a token that somebody gives. Nothing of it is written anywhere, nor put into the arguments of a process.

mod request;
mod source;

use std::fmt;
use std::time::{Duration, SystemTime};

use plimsoll_domain::clock;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use super::transport::Transport;

pub use source::{Source, Variables};

/// A token is asked for again when it is good for no longer than this: no request takes as long.
const EARLY: Duration = Duration::from_mins(5);

/// Gives the token of a scope.
pub struct Credential {
    source: Source,
    transport: Transport,
    kept: Mutex<Vec<Kept>>,
}

/// A token that was handed out.
struct Kept {
    scope: String,
    token: Token,
}

/// A token and how long it is good for; nobody knows of one that was given.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) text: SecretString,
    pub(super) expires: Option<SystemTime>,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing says who asks.
    #[error(
        "nothing says who you are: run `az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or \
         give a token in PLIMSOLL_AZURE_TOKEN or the file that PLIMSOLL_AZURE_TOKEN_FILE names"
    )]
    Nobody,
    /// A variable that belongs to others is missing, or has a value that cannot be used.
    #[error("{name}: {reason}")]
    Variable {
        /// The variable.
        name: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// It was asked for and refused.
    #[error("no token from {from}: {reason}")]
    Refused {
        /// Where it was asked for.
        from: String,
        /// What it said.
        reason: String,
    },
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("source", &self.source).finish_non_exhaustive()
    }
}

impl Credential {
    /// A credential whose tokens come from `source`, asked for over `transport` where that is needed.
    pub fn new(source: Source, transport: Transport) -> Self {
        Self { source, transport, kept: Mutex::default() }
    }

    /// A token that is given and never changes.
    pub(super) fn fixed(token: SecretString, transport: Transport) -> Self {
        Self::new(Source::Fixed(token), transport)
    }

    /// Where its tokens come from, in words.
    pub fn origin(&self) -> &'static str {
        self.source.words()
    }

    /// The token for a scope such as `https://management.azure.com/.default`.
    ///
    /// # Errors
    /// There is none; the error says what to do.
    pub async fn token(&self, scope: &str) -> Result<SecretString, Error> {
        // Whoever comes second while one is asked for waits for that one.
        let mut kept = self.kept.lock().await;
        let now = clock::wall();
        if let Some(found) = kept.iter().find(|kept| kept.scope == scope)
            && is_fresh(&found.token, now)
        {
            return Ok(found.token.text.clone());
        }
        let token = source::ask(&self.source, &self.transport, scope).await?;
        kept.retain(|kept| kept.scope != scope);
        kept.push(Kept { scope: scope.to_owned(), token: token.clone() });
        Ok(token.text)
    }

    /// Forgets a token that was refused, so that the next one is asked for anew. Says whether that can help: a token that
    /// was given is the same for ever.
    pub(super) async fn refused(&self, token: &SecretString) -> bool {
        self.kept
            .lock()
            .await
            .retain(|kept| kept.token.text.expose_secret() != token.expose_secret());
        !matches!(self.source, Source::Fixed(_))
    }
}

fn is_fresh(token: &Token, now: SystemTime) -> bool {
    token.expires.is_none_or(|expires| expires > now + EARLY)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn a_token_is_asked_for_again_before_it_expires() {
        let now = UNIX_EPOCH + Duration::from_hours(1000);
        let until = |expires| is_fresh(&Token { text: "t".into(), expires }, now);
        assert!(until(Some(now + EARLY + Duration::from_secs(1))));
        assert!(!until(Some(now + EARLY)));
        assert!(!until(Some(now)));
        assert!(until(None));
    }

    #[tokio::test]
    async fn a_given_token_is_the_same_for_ever_and_never_shown() {
        let credential = Credential::fixed("s3cret".into(), Transport::plain());
        let token = credential.token("scope").await.unwrap();
        assert_eq!(token.expose_secret(), "s3cret");
        assert!(!credential.refused(&token).await);
        assert!(!format!("{credential:?}").contains("s3cret"));
    }
}
