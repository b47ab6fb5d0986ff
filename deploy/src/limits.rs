//! What Azure limits a managed online endpoint to, over all its deployments.
//!
//! The numbers are those of *Manage and increase quotas* (2026-01). Each can be raised by Microsoft on request, so an
//! endpoint's free properties can say which hold for it; Azure keeps such properties and does nothing with them.
//!
//! | Property | Azure's limit | Beyond it |
//! |---|---|---|
//! | `plimsoll.requests_per_second` | 500 | 429 |
//! | `plimsoll.new_connections_per_second` | 500 | the connection is closed at once |
//! | `plimsoll.active_connections` | 500 | the connection is closed at once |
//! | `plimsoll.bytes_per_second` | 5,000,000 | bodies are delayed |
//!
//! Each is a whole number above 0, or `unlimited`. Microsoft writes "5 MBPS" and does not say whether it means bytes:
//! here it does.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use plimsoll_document::nearest;

/// How all properties of ours begin.
const PREFIX: &str = "plimsoll.";

const REQUESTS: &str = "plimsoll.requests_per_second";
const CONNECTIONS: &str = "plimsoll.new_connections_per_second";
const ACTIVE: &str = "plimsoll.active_connections";
const BYTES: &str = "plimsoll.bytes_per_second";

/// The limits of one endpoint; where there is none, it is not limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndpointLimits {
    /// Requests per second.
    pub requests: Option<NonZeroU32>,
    /// New connections per second.
    pub connections: Option<NonZeroU32>,
    /// Connections at a time.
    pub active: Option<NonZeroU32>,
    /// Bytes per second of the bodies of requests and answers together.
    pub bytes: Option<NonZeroU32>,
}

/// A property that is not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongLimit {
    /// Its key.
    pub key: String,
    /// What is wrong with it.
    pub message: String,
    /// What would be right.
    pub hint: String,
}

impl Default for EndpointLimits {
    /// Azure's.
    fn default() -> Self {
        let five_hundred = NonZeroU32::new(500);
        Self {
            requests: five_hundred,
            connections: five_hundred,
            active: five_hundred,
            bytes: NonZeroU32::new(5_000_000),
        }
    }
}

impl EndpointLimits {
    /// No limits.
    pub const NONE: Self = Self { requests: None, connections: None, active: None, bytes: None };

    /// Azure's limits, and where an endpoint's properties name others, those.
    ///
    /// # Errors
    /// Every property of ours that is not understood.
    pub fn read(properties: &BTreeMap<String, String>) -> Result<Self, Vec<WrongLimit>> {
        let (mut limits, mut wrong) = (Self::default(), Vec::new());
        for (key, value) in properties.iter().filter(|(key, _)| key.starts_with(PREFIX)) {
            let limit = match key.as_str() {
                REQUESTS => &mut limits.requests,
                CONNECTIONS => &mut limits.connections,
                ACTIVE => &mut limits.active,
                BYTES => &mut limits.bytes,
                _ => {
                    wrong.push(unknown(key));
                    continue;
                }
            };
            match value.trim() {
                "unlimited" => *limit = None,
                number => match number.parse() {
                    Ok(number) => *limit = Some(number),
                    Err(_) => wrong.push(WrongLimit {
                        key: key.clone(),
                        message: format!("`{value}` is no limit"),
                        hint: "write a whole number above 0, or `unlimited`".to_owned(),
                    }),
                },
            }
        }
        if wrong.is_empty() { Ok(limits) } else { Err(wrong) }
    }
}

fn unknown(key: &str) -> WrongLimit {
    let known = [REQUESTS, CONNECTIONS, ACTIVE, BYTES];
    let hint = nearest(key, known).map_or_else(
        || {
            format!(
                "plimsoll's properties of an endpoint are {}",
                known.map(|k| format!("`{k}`")).join(", ")
            )
        },
        |meant| format!("did you mean `{meant}`?"),
    );
    WrongLimit {
        key: key.to_owned(),
        message: format!("`{key}` is no property of plimsoll's"),
        hint,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(properties: &[(&str, &str)]) -> Result<EndpointLimits, Vec<WrongLimit>> {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        EndpointLimits::read(&properties.iter().map(owned).collect())
    }

    #[test]
    fn azures_limits_hold_unless_properties_name_others() {
        assert_eq!(read(&[("team", "vision")]), Ok(EndpointLimits::default()));
        let limits = read(&[
            ("plimsoll.requests_per_second", "20"),
            ("plimsoll.active_connections", "unlimited"),
        ]);
        let limits = limits.unwrap();
        assert_eq!(limits.requests, NonZeroU32::new(20));
        assert_eq!((limits.active, limits.connections), (None, NonZeroU32::new(500)));
    }

    #[test]
    fn all_that_is_wrong_is_told() {
        let wrong = read(&[
            ("plimsoll.request_per_second", "20"),
            ("plimsoll.bytes_per_second", "5 MB"),
            ("plimsoll.active_connections", "0"),
            ("plimsoll.colour", "red"),
        ]);
        let wrong = wrong.unwrap_err();
        let of = |key: &str| wrong.iter().find(|wrong| wrong.key.ends_with(key)).unwrap();
        assert_eq!(wrong.len(), 4);
        assert_eq!(of("request_per_second").hint, "did you mean `plimsoll.requests_per_second`?");
        assert!(of("colour").hint.contains("`plimsoll.bytes_per_second`"));
        assert_eq!(of("active_connections").message, "`0` is no limit");
    }
}
