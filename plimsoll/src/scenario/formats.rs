//! The string formats that scenario files use.

use std::time::Duration;

use plimsoll_document::{Format, Scalar, Wrong};
use plimsoll_domain::units::parse_duration;

/// Each format's name in the schema, and its check. JSON Schema has a `duration` of its own, which
/// is ISO 8601's and refuses `30s`.
pub const FORMATS: &[Format] = &[
    Format {
        name: "time-span",
        check: |Scalar { text, .. }| parse_duration(text).map(drop).map_err(Wrong::new),
        free: false,
    },
    Format {
        name: "time-span-or-never",
        check: |Scalar { text, .. }| give_up_after(text).map(drop).map_err(Wrong::new),
        free: false,
    },
    Format {
        name: "scenario-name",
        check: |Scalar { text, .. }| scenario_name(text).map_err(Wrong::new),
        free: false,
    },
];

/// After how long without a right answer a load ends; `None` for `never`.
///
/// # Errors
/// It is neither a duration above 0 nor `never`.
pub(crate) fn give_up_after(text: &str) -> Result<Option<Duration>, String> {
    if text == "never" {
        return Ok(None);
    }
    match parse_duration(text) {
        Ok(Duration::ZERO) => Err("is longer than 0, or `never`".to_owned()),
        Ok(span) => Ok(Some(span)),
        Err(wrong) => Err(format!("{wrong}, or `never`")),
    }
}

/// A name that can be part of a file name.
fn scenario_name(text: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if starts_well && text.chars().all(allowed) && text.len() <= 64 {
        return Ok(());
    }
    Err(format!(
        "`{text}` is no name: at most 64 letters, digits, `-`, `_` and `.`, starting with a letter or digit"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn giving_up_is_after_a_while_or_never() {
        assert_eq!(give_up_after("never"), Ok(None));
        assert_eq!(give_up_after("1m"), Ok(Some(Duration::from_mins(1))));
        assert!(give_up_after("0s").is_err());
        assert!(give_up_after("soon").is_err_and(|text| text.contains("or `never`")));
    }

    #[test]
    fn names_can_be_part_of_a_file_name() {
        assert!(scenario_name("score-py_2.1").is_ok());
        for bad in ["", "../up", "a b", "-x", &"x".repeat(65)] {
            assert!(scenario_name(bad).is_err(), "{bad}");
        }
    }
}
