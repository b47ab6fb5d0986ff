//! Who may call an endpoint.

use std::sync::Arc;

use hyper::header::HeaderValue;
use plimsoll_domain::clock;
use secrecy::{ExposeSecret, SecretString};

use crate::issuer::Issuer;

/// What Entra tokens for the data plane are for.
pub(crate) const DATA_PLANE: &str = "https://ml.azure.com";

/// What a caller must show, as `Authorization: Bearer …`.
#[derive(Debug, Clone)]
pub(crate) enum Callers {
    /// One of two keys.
    Keys([SecretString; 2]),
    /// A token of the host's that was issued for this audience, and is not over.
    Tokens(Arc<Issuer>, String),
}

impl Callers {
    /// Whether the header says what it must. Nothing is compared in a time that depends on where it differs.
    pub(super) fn may_call(&self, header: Option<&HeaderValue>) -> bool {
        let Some(given) = header.and_then(|value| value.as_bytes().strip_prefix(b"Bearer ")) else {
            return false;
        };
        match self {
            Self::Keys([primary, secondary]) => {
                same_secret(given, primary) | same_secret(given, secondary)
            }
            Self::Tokens(issuer, audience) => issuer.accepts(given, audience, clock::wall()),
        }
    }
}

/// Compares in a time that depends only on the lengths.
pub(crate) fn same_secret(given: &[u8], secret: &SecretString) -> bool {
    let secret = secret.expose_secret().as_bytes();
    aws_lc_rs::constant_time::verify_slices_are_equal(given, secret).is_ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_the_keys_open() {
        let callers = Callers::Keys(["one".into(), "two".into()]);
        let may_call = |text| callers.may_call(Some(&HeaderValue::from_static(text)));
        assert!(may_call("Bearer one") && may_call("Bearer two"));
        for wrong in ["Bearer on", "Bearer onee", "Bearer onf", "Bearer ", "one", "bearer one"] {
            assert!(!may_call(wrong), "{wrong}");
        }
        assert!(!callers.may_call(None));
    }

    #[test]
    fn a_token_opens_the_endpoint_that_it_is_for_until_it_ends() {
        let issuer = Arc::new(Issuer::new().unwrap());
        let callers = Callers::Tokens(Arc::clone(&issuer), "a".to_owned());
        let may_call = |audience, life| {
            let text = issuer.issue(audience, life, clock::wall()).text;
            callers.may_call(Some(&HeaderValue::try_from(format!("Bearer {text}")).unwrap()))
        };
        assert!(may_call("a", Duration::from_hours(1)));
        assert!(!may_call("b", Duration::from_hours(1)));
        assert!(!may_call("a", Duration::ZERO));
    }
}
