//! Scalars as `az` takes them.
//!
//! `az` reads YAML 1.1, where `yes` is a switch and `0755` is 493, and then is strict where it
//! wants text, and generous where it wants a number: a quoted `"2"` is one, and so is `2.0`. All of
//! these become text on the way, are checked by their `format`, and arrive here already right.

use std::borrow::Cow;

use plimsoll_document::{Format, Old, Scalar, Wrong, yaml_1_1};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// Checks the formats of this module; text without a format is [`text`].
pub(super) const FORMATS: &[Format] = &[
    Format { name: "", check: text, free: false },
    Format { name: "whole", check: |scalar| Whole::read(scalar).map(drop), free: false },
    Format { name: "real", check: |scalar| Real::read(scalar).map(drop), free: false },
    Format { name: "flag", check: |scalar| Flag::read(scalar).map(drop), free: false },
    Format { name: "quoted-flag", check: quoted_flag, free: false },
    Format { name: "anything", check: |_| Ok(()), free: true },
    Format { name: "version", check: version, free: false },
];

/// Text: without quotes it must not look like something else.
fn text(scalar: Scalar<'_>) -> Result<(), Wrong> {
    let written = scalar.text;
    let taken_for = match yaml_1_1(written) {
        _ if !scalar.plain => return Ok(()),
        Old::Text => return Ok(()),
        Old::Null => "nothing",
        Old::Bool(_) => "true or false",
        Old::Int(_) | Old::Float(_) => "a number",
        Old::Date => "a date",
    };
    let wrong = Wrong::new(format!("`{written}` must be text, and az takes it for {taken_for}"));
    Err(wrong.hint(format!("quote it: '{written}'")))
}

/// A switch that `az` wants to be text: with quotes, or it is no text.
fn quoted_flag(scalar: Scalar<'_>) -> Result<(), Wrong> {
    let written = scalar.text;
    if !scalar.plain && ["true", "false"].contains(&written.to_lowercase().as_str()) {
        return Ok(());
    }
    if let (true, Old::Bool(value)) = (scalar.plain, yaml_1_1(written)) {
        let quoted = if value { "'True'" } else { "'False'" };
        let wrong = Wrong::new(format!("`enabled` must be text, and `{written}` is a switch"));
        return Err(wrong.hint(format!("quote it: {quoted}")));
    }
    let wrong = Wrong::new(format!("`{written}` is no `enabled`"));
    Err(wrong.hint("write 'True' or 'False', in quotes"))
}

/// A version may be a number, too.
fn version(scalar: Scalar<'_>) -> Result<(), Wrong> {
    match yaml_1_1(scalar.text) {
        Old::Int(_) | Old::Float(_) => Ok(()),
        _ => text(scalar),
    }
}

/// What `az` sends for a plain scalar that it does not take for the text that it is; `None` where
/// both are the same.
pub(super) fn sent(plain: &str) -> Option<String> {
    let sent = match yaml_1_1(plain) {
        Old::Text => return None,
        Old::Null => "nothing".to_owned(),
        Old::Bool(value) => value.to_string(),
        Old::Int(value) => value.to_string(),
        Old::Float(value) if value.is_finite() => format!("{value:?}"),
        Old::Float(_) => "a number that is none".to_owned(),
        Old::Date => "a date".to_owned(),
    };
    (sent != plain).then_some(sent)
}

/// A whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Whole(pub(super) i128);

/// A number.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Real(pub(super) f64);

/// A switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Flag(pub(super) bool);

/// A scalar of any kind, as it is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub(super) struct Anything(pub(super) String);

/// The version of an asset: text, or a number as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(super) struct Version(pub(super) String);

impl Whole {
    fn read(scalar: Scalar<'_>) -> Result<Self, Wrong> {
        let text = scalar.text;
        let wrong = || Wrong::new(format!("`{text}` must be a whole number, such as `2`"));
        if !scalar.plain {
            // As Python's `int` reads it.
            let text = text.trim();
            let clean = text.replace('_', "");
            let between = !text.starts_with('_') && !text.ends_with('_') && !text.contains("__");
            return clean.parse().ok().filter(|_| between).map(Self).ok_or_else(wrong);
        }
        match yaml_1_1(text) {
            Old::Int(number) => Ok(Self(number)),
            // The fraction goes, as it does in Python; the reader of the file says so.
            Old::Float(number) if number.abs() < 1e30 => Ok(Self(number.trunc() as i128)),
            _ => Err(wrong()),
        }
    }
}

impl Real {
    fn read(scalar: Scalar<'_>) -> Result<Self, Wrong> {
        let text = scalar.text;
        let number = match yaml_1_1(text) {
            Old::Int(number) if scalar.plain => Some(number as f64),
            Old::Float(number) if scalar.plain => Some(number),
            Old::Text | Old::Int(_) | Old::Float(_) => text.trim().parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| number.is_finite()).map(Self);
        number.ok_or_else(|| Wrong::new(format!("`{text}` must be a number, such as `0.5`")))
    }
}

impl Flag {
    fn read(scalar: Scalar<'_>) -> Result<Self, Wrong> {
        let text = scalar.text;
        match text {
            "true" | "True" | "TRUE" | "t" | "T" | "on" | "On" | "ON" | "y" | "Y" | "yes"
            | "Yes" | "YES" | "1" => Ok(Self(true)),
            "false" | "False" | "FALSE" | "f" | "F" | "off" | "Off" | "OFF" | "n" | "N" | "no"
            | "No" | "NO" | "0" => Ok(Self(false)),
            _ => Err(Wrong::new(format!("`{text}` must be `true` or `false`"))),
        }
    }
}

/// Values that have been checked arrive without their quotes: each way of reading is tried.
macro_rules! from_text {
    ($type:ident) => {
        impl TryFrom<String> for $type {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                let read = |plain| Self::read(Scalar { text: &text, plain });
                read(true).or_else(|_| read(false)).map_err(|wrong| wrong.message)
            }
        }
    };
}

from_text!(Whole);
from_text!(Real);
from_text!(Flag);

/// A scalar's schema, for editors and for the checks above.
macro_rules! schema {
    ($type:ident, $json:tt) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($json)
            }
        }
    };
}

schema!(Whole, { "type": ["integer", "string"], "format": "whole" });
schema!(Real, { "type": ["number", "string"], "format": "real" });
schema!(Flag, { "type": ["boolean", "string", "integer"], "format": "flag" });
schema!(Anything, { "type": ["string", "number", "boolean", "null"], "format": "anything" });
schema!(Version, { "type": ["string", "number"], "format": "version" });

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Scalar<'_> {
        Scalar { text, plain: true }
    }

    fn quoted(text: &str) -> Scalar<'_> {
        Scalar { text, plain: false }
    }

    #[test]
    fn whole_numbers_are_read_as_az_reads_them() {
        for (scalar, number) in [
            (plain("2"), 2),
            (quoted("2"), 2),
            (quoted(" 2 "), 2),
            (plain("-3"), -3),
            (plain("2.0"), 2),
            (plain("2.7"), 2),
            (plain("010"), 8),
            (quoted("010"), 10),
            (plain("1_000"), 1000),
            (plain("12:30"), 750),
            (plain("99999999999999999999"), 99_999_999_999_999_999_999),
        ] {
            assert_eq!(Whole::read(scalar), Ok(Whole(number)), "{scalar:?}");
        }
        for bad in [quoted("2.0"), plain("yes"), plain("1e3"), plain("many"), plain(".inf")] {
            assert!(Whole::read(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn switches_and_numbers_may_be_quoted() {
        assert_eq!(Flag::read(quoted("True")), Ok(Flag(true)));
        assert_eq!(Flag::read(plain("off")), Ok(Flag(false)));
        assert!(Flag::read(plain("maybe")).is_err());
        assert_eq!(Real::read(quoted("0.5")), Ok(Real(0.5)));
        assert_eq!(Real::read(plain("1")), Ok(Real(1.0)));
        assert!(Real::read(plain("yes")).is_err());
    }

    #[test]
    fn text_without_quotes_must_look_like_text() {
        for fine in [plain("blue"), quoted("5"), quoted("yes"), plain("1e3"), plain("1.2.3")] {
            assert_eq!(text(fine), Ok(()), "{fine:?}");
        }
        for (bad, taken_for) in [
            ("5", "a number"),
            ("0.5", "a number"),
            ("on", "true or false"),
            ("2024-01-01", "a date"),
        ] {
            let wrong = text(plain(bad)).unwrap_err();
            assert!(wrong.message.contains(taken_for), "{wrong:?}");
            assert_eq!(wrong.hint, Some(format!("quote it: '{bad}'")));
        }
        assert_eq!(version(plain("2")), Ok(()));
        assert!(version(plain("yes")).is_err());
    }

    #[test]
    fn what_is_sent_may_differ_from_what_is_written() {
        for (written, other) in
            [("yes", "true"), ("0755", "493"), ("1.10", "1.1"), ("12:30", "750"), ("True", "true")]
        {
            assert_eq!(sent(written).as_deref(), Some(other));
        }
        for same in ["2", "true", "1.5", "text", "1e3", "v1.10"] {
            assert_eq!(sent(same), None, "{same}");
        }
    }
}
