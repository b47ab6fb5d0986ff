//! What callers of an endpoint show: its keys, and tokens for it.

use std::time::Duration;

use hyper::StatusCode;
use plimsoll_deploy::arm::wire::{KeyType, Keys, RegenerateKeys, Token};
use plimsoll_deploy::spec::AuthMode;
use plimsoll_domain::clock;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::{Answer, accepted, begun, json};
use crate::Host;
use crate::fault::Fault;

/// How long a token of an endpoint is good for. Azure does not say how long its own are.
const TOKEN_LIFE: Duration = Duration::from_hours(1);

/// Of no use for anything before the endpoint is asked for it: made up.
pub(super) fn new_key() -> SecretString {
    Uuid::new_v4().simple().to_string().into()
}

impl Host {
    pub(super) fn list_keys(&self, name: &str) -> Answer {
        let mut store = self.store();
        let endpoint = store.endpoint(name)?;
        check_mode(name, endpoint.resource.properties.auth_mode, AuthMode::Key, "key")?;
        let [primary_key, secondary_key] =
            endpoint.keys.each_ref().map(|key| key.expose_secret().to_owned());
        Ok(json(StatusCode::OK, &Keys { primary_key, secondary_key }))
    }

    /// Azure's own clients send the present key as the new one: they mean one that is made up.
    pub(super) fn regenerate_keys(&self, name: &str, request: RegenerateKeys) -> Answer {
        let mut store = self.store();
        let endpoint = store.endpoint(name)?;
        endpoint.check_idle()?;
        check_mode(name, endpoint.resource.properties.auth_mode, AuthMode::Key, "key")?;
        let place = match request.key_type {
            KeyType::Primary => 0,
            KeyType::Secondary => 1,
        };
        let present = endpoint.keys[place].expose_secret();
        let given = request.key_value.filter(|key| !key.is_empty() && key != present);
        endpoint.keys[place] = match given {
            Some(key) if !key.bytes().all(|byte| byte.is_ascii_graphic()) => {
                let message = "keyValue has characters that no header may have";
                return Err(Fault::bad_argument(message));
            }
            Some(key) => key.into(),
            None => new_key(),
        };
        endpoint.publish_callers();
        let operation = store.operations.begin("oe");
        drop(store);
        operation.finish(Ok(()));
        // This POST alone names it in both ways.
        Ok(begun(self, &operation, accepted(self, &operation)))
    }

    pub(super) fn endpoint_token(&self, name: &str) -> Answer {
        let mut store = self.store();
        let endpoint = store.endpoint(name)?;
        let mode = endpoint.resource.properties.auth_mode;
        check_mode(name, mode, AuthMode::AmlToken, "aml_token")?;
        let id = endpoint.resource.id.as_deref().unwrap_or_default();
        let issued = self.issuer.issue(id, TOKEN_LIFE, clock::wall());
        Ok(json(
            StatusCode::OK,
            &Token {
                access_token: issued.text,
                expiry_time_utc: issued.expires,
                refresh_after_time_utc: issued.expires - TOKEN_LIFE.as_secs() / 2,
                token_type: "Bearer".to_owned(),
            },
        ))
    }
}

fn check_mode(name: &str, mode: AuthMode, wanted: AuthMode, word: &str) -> Result<(), Fault> {
    if mode == wanted {
        return Ok(());
    }
    Err(Fault::bad_argument(format!("the auth_mode of endpoint `{name}` is not {word}")))
}
