//! Tokens of the host's own: who is asked for one signs what it is for and until when, and nobody else can.
//!
//! They have the form of a JSON Web Token (HS256), so that tools that look into one find its audience and its expiry.
//! The key is made up at the host's start: a token ends with the host, at the latest.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};

/// Signs tokens and checks them.
#[derive(Debug)]
pub(super) struct Issuer {
    key: hmac::Key,
}

/// A token, and when it ends.
pub(super) struct Issued {
    pub(super) text: String,
    /// Unix seconds.
    pub(super) expires: u64,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    iat: u64,
    exp: u64,
}

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
const ISSUER: &str = "plimsoll host";

impl Issuer {
    /// With a key that nobody knows.
    pub(super) fn new() -> std::io::Result<Self> {
        hmac::Key::generate(hmac::HMAC_SHA256, &rand::SystemRandom::new())
            .map(|key| Self { key })
            .map_err(|_| std::io::Error::other("the system has no random numbers"))
    }

    /// A token for `audience` that ends after `life`.
    pub(super) fn issue(&self, audience: &str, life: Duration, now: SystemTime) -> Issued {
        let iat = seconds(now);
        let expires = iat + life.as_secs();
        let claims = Claims { iss: ISSUER.into(), aud: audience.into(), iat, exp: expires };
        let claims = serde_json::to_vec(&claims).expect("claims are strings and whole numbers");
        let signed = format!("{}.{}", BASE64.encode(HEADER), BASE64.encode(claims));
        let signature = hmac::sign(&self.key, signed.as_bytes());
        Issued { text: format!("{signed}.{}", BASE64.encode(signature.as_ref())), expires }
    }

    /// Whether it is one of ours, for this audience, and not over. The signature is compared in constant time.
    pub(super) fn accepts(&self, token: &[u8], audience: &str, now: SystemTime) -> bool {
        self.claims(token).is_some_and(|claims| claims.aud == audience && seconds(now) < claims.exp)
    }

    fn claims(&self, token: &[u8]) -> Option<Claims> {
        let token = std::str::from_utf8(token).ok()?;
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = BASE64.decode(signature).ok()?;
        hmac::verify(&self.key, signed.as_bytes(), &signature).ok()?;
        let (_, claims) = signed.split_once('.')?;
        serde_json::from_slice(&BASE64.decode(claims).ok()?).ok()
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn a_token_opens_its_own_door_until_it_ends() {
        let issuer = Issuer::new().unwrap();
        let start = UNIX_EPOCH + Duration::from_hours(500_000);
        let token = issuer.issue("endpoint/a", HOUR, start);
        assert_eq!(token.expires, 1_800_003_600);
        let accepts = |text: &str, audience, now| issuer.accepts(text.as_bytes(), audience, now);
        assert!(accepts(&token.text, "endpoint/a", start + HOUR - Duration::from_secs(1)));
        assert!(!accepts(&token.text, "endpoint/a", start + HOUR));
        assert!(!accepts(&token.text, "endpoint/b", start));
        let other = Issuer::new().unwrap().issue("endpoint/a", HOUR, start);
        assert!(!accepts(&other.text, "endpoint/a", start), "of another host");
        for wrong in ["", ".", "a.b", "a.b.c", &token.text[1..], &format!("{}A", token.text)] {
            assert!(!accepts(wrong, "endpoint/a", start), "{wrong}");
        }
    }

    /// As in an attack that changes the claims and keeps the signature.
    #[test]
    fn other_claims_under_the_same_signature_are_refused() {
        let issuer = Issuer::new().unwrap();
        let start = UNIX_EPOCH + Duration::from_hours(500_000);
        let token = issuer.issue("a", HOUR, start).text;
        let later = issuer.issue("a", 10 * HOUR, start).text;
        let [head, _, signature] = [0, 1, 2].map(|part| token.split('.').nth(part).unwrap());
        let claims = later.split('.').nth(1).unwrap();
        let forged = format!("{head}.{claims}.{signature}");
        assert!(!issuer.accepts(forged.as_bytes(), "a", start));
    }
}
