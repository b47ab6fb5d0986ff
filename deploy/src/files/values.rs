//! Numbers and switches as `az` takes them: also between quotes.
//!
//! A quoted `"2"` is a number to `az`, and `'True'` is a switch. Both become text on the way, are
//! checked by their `format`, and arrive here already right.

use std::borrow::Cow;

use plimsoll_document::Format;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// Checks the formats of this module.
pub(super) const FORMATS: &[Format] =
    &[("whole", |text| Whole::parse(text).map(drop)), ("flag", |text| Flag::parse(text).map(drop))];

/// A whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Whole(pub(super) i64);

/// A switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Flag(pub(super) bool);

impl Whole {
    fn parse(text: &str) -> Result<Self, String> {
        let number = text.trim().parse().map(Self);
        number.map_err(|_| format!("`{text}` must be a whole number, such as `2`"))
    }
}

impl Flag {
    fn parse(text: &str) -> Result<Self, String> {
        match text.trim().to_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "on" | "1" => Ok(Self(true)),
            "false" | "f" | "no" | "n" | "off" | "0" => Ok(Self(false)),
            _ => Err(format!("`{text}` must be `true` or `false`")),
        }
    }
}

impl TryFrom<String> for Whole {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl TryFrom<String> for Flag {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl JsonSchema for Whole {
    fn schema_name() -> Cow<'static, str> {
        "Whole".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["integer", "string"], "format": "whole" })
    }
}

impl JsonSchema for Flag {
    fn schema_name() -> Cow<'static, str> {
        "Flag".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["boolean", "string"], "format": "flag" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_and_plain_are_the_same() {
        assert_eq!(Whole::parse("2"), Ok(Whole(2)));
        assert_eq!(Whole::parse("-3"), Ok(Whole(-3)));
        assert!(Whole::parse("2.5").is_err());
        assert_eq!(Flag::parse("True"), Ok(Flag(true)));
        assert_eq!(Flag::parse("no"), Ok(Flag(false)));
        assert!(Flag::parse("maybe").is_err());
    }
}
