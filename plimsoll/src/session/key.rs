//! The endpoint's key or token, as an environment variable holds it.
//!
//! What copying and pasting adds around a key (blanks, the line break of a file, the word `Bearer`)
//! is left out, and that is said. What is no key for other reasons is refused by the variable's
//! name: a header could not carry it, or the endpoint would answer 401 to everything.

use std::ffi::OsString;

use secrecy::SecretString;

/// The word before a key in a header, which is added to every request.
const SCHEME: &str = "bearer";

/// Why a variable gives no key.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("the environment variable {0} is not set; it should hold the endpoint's key")]
    Missing(String),
    #[error("the environment variable {0} is empty; it should hold the endpoint's key")]
    Empty(String),
    #[error(
        "the environment variable {0} holds no key: there is a blank, a line break or a letter \
         that is not ASCII within it; it should hold the endpoint's key and nothing else"
    )]
    NoKey(String),
}

/// The key in the variable of this name, and what was left out, if anything.
pub(super) fn read(
    name: &str,
    value: Option<OsString>,
) -> Result<(SecretString, Option<String>), Error> {
    let value = value.ok_or_else(|| Error::Missing(name.to_owned()))?;
    let value = value.into_string().map_err(|_| Error::NoKey(name.to_owned()))?;
    let trimmed = value.trim();
    let scheme = trimmed.get(..SCHEME.len()).filter(|word| word.eq_ignore_ascii_case(SCHEME));
    let after = scheme.map(|_| &trimmed[SCHEME.len()..]);
    // A key may begin with these letters; the word stands alone.
    let after = after.filter(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace));
    let key = after.map_or(trimmed, str::trim_start);
    if key.is_empty() {
        return Err(Error::Empty(name.to_owned()));
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::NoKey(name.to_owned()));
    }
    let extra = [
        after.map(|_| "the word `Bearer` before it"),
        (trimmed.len() < value.len()).then_some("the blanks or line breaks around it"),
    ];
    let extra: Vec<_> = extra.into_iter().flatten().collect();
    let told = (!extra.is_empty())
        .then(|| format!("of the key in {name}, {} is left out", extra.join(", and ")));
    Ok((SecretString::from(key), told))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn what_pasting_adds_is_left_out_and_told() {
        // (value, key, what is told)
        let table = [
            ("s3cret", "s3cret", ""),
            ("bearers", "bearers", ""),
            ("s3cret\n", "s3cret", "line breaks"),
            (" s3cret\r\n", "s3cret", "line breaks"),
            ("Bearer s3cret", "s3cret", "`Bearer`"),
            ("bearer  s3cret\n", "s3cret", "`Bearer` before it, and the blanks"),
        ];
        for (value, key, expected) in table {
            let (found, told) = read("KEY", Some(value.into())).unwrap();
            assert_eq!(found.expose_secret(), key, "{value:?}");
            let told = told.unwrap_or_default();
            assert!(told.contains(expected) && told.is_empty() == expected.is_empty(), "{told}");
            assert!(!told.contains("s3cret"), "{told}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_by_the_name_of_its_variable() {
        for value in [None, Some(""), Some(" \n"), Some("Bearer"), Some("Bearer \n")] {
            let error = read("KEY", value.map(Into::into)).unwrap_err();
            assert!(matches!(error, Error::Missing(_) | Error::Empty(_)), "{value:?}: {error}");
        }
        for value in ["s3 cret", "s3\ncret", "s3\u{7}cret", "s3crét", "Bearer s3 cret"] {
            let error = read("KEY", Some(value.into())).unwrap_err();
            assert!(matches!(&error, Error::NoKey(name) if name == "KEY"), "{value:?}: {error}");
            assert!(!error.to_string().contains("s3"), "{error}");
        }
    }
}
