//! Values of environment variables: blank is unset, everything else must be understood.

use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

use super::super::error::Error;

/// The environment; a function, so that a test brings its own.
pub(super) struct Environment<'a>(pub(super) &'a dyn Fn(&str) -> Option<String>);

impl Environment<'_> {
    /// A variable's value, unless it is unset or blank.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// The first of two variables that has a value: its name and its value.
    pub(super) fn first(&self, names: [&'static str; 2]) -> Option<(&'static str, String)> {
        names.into_iter().find_map(|name| Some((name, self.get(name)?)))
    }
}

/// One of some words, whatever their case.
pub(super) fn choice<T: Copy>(
    env: &Environment<'_>,
    name: &str,
    known: &[(&str, T)],
) -> Result<Option<T>, Error> {
    env.get(name).map(|value| pick(name, &value, known)).transpose()
}

pub(super) fn pick<T: Copy>(name: &str, value: &str, known: &[(&str, T)]) -> Result<T, Error> {
    let found = known.iter().find(|(word, _)| word.eq_ignore_ascii_case(value));
    found.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let words: Vec<_> = known.iter().map(|(word, _)| format!("`{word}`")).collect();
        let problem = format!("`{value}` is not supported");
        Error::setting(name, &problem, &format!("use {}", words.join(" or ")))
    })
}

pub(super) fn millis(env: &Environment<'_>, name: &str) -> Result<Option<Duration>, Error> {
    env.get(name).map(|value| to_millis(name, &value)).transpose()
}

pub(super) fn to_millis(name: &str, value: &str) -> Result<Duration, Error> {
    match value.parse::<u64>() {
        Ok(millis) if millis > 0 => Ok(Duration::from_millis(millis)),
        _ => {
            let problem = format!("`{value}` is not a whole number of milliseconds above 0");
            Err(Error::setting(name, &problem, "write for example `10000`"))
        }
    }
}

/// `key=value,…` with percent-encoded values.
pub(super) fn attributes(
    env: &Environment<'_>,
    name: &str,
) -> Result<Vec<(String, String)>, Error> {
    env.get(name).map_or(Ok(Vec::new()), |list| pairs(name, &list))
}

/// Headers from `key=value,…`. They may hold secrets, so that no message repeats a value and no
/// `Debug` shows one.
pub(super) fn headers(name: &str, list: &str) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    for (key, value) in pairs(name, list)? {
        let header = HeaderName::try_from(key.to_ascii_lowercase());
        let (Ok(header), Ok(mut value)) = (header, HeaderValue::try_from(value)) else {
            let problem = format!("the entry `{key}` is no header name with a header value");
            return Err(Error::setting(name, &problem, "use printable ASCII characters"));
        };
        value.set_sensitive(true);
        headers.insert(header, value);
    }
    Ok(headers)
}

fn pairs(name: &str, list: &str) -> Result<Vec<(String, String)>, Error> {
    let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    entries
        .enumerate()
        .map(|(index, entry)| {
            let pair = entry.split_once('=').and_then(|(key, value)| {
                let key = key.trim();
                (!key.is_empty()).then_some(())?;
                Some((decode(key)?, decode(value.trim())?))
            });
            pair.ok_or_else(|| {
                let problem = format!("entry {} is not `key=value`", index + 1);
                let remedy = "write `key=value,key=value`, and `%2C`, `%3D` and `%25` for a comma, \
                              an equals sign and a percent sign within a value";
                Error::setting(name, &problem, remedy)
            })
        })
        .collect()
}

/// Percent-decodes; `None` for a broken escape or for what is not UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push((high * 16 + low) as u8);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}
