//! Targets of vegeta: its text format and its JSON lines (<https://github.com/tsenart/vegeta>, "targets").
//!
//! ```text
//! POST https://shop.example/score
//! Content-Type: application/json
//! @body.json
//! ```
//!
//! A blank line or the next method ends a target; `#` begins a comment. A file named by `@` is looked for
//! from the folder that the targets lie in.

use std::fs;
use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::Deserialize;

use super::traffic::Sent;

/// A JSON line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    method: String,
    url: String,
    /// Base64.
    body: Option<String>,
    header: Option<std::collections::BTreeMap<String, Vec<String>>>,
}

/// Whether the first line that says something is one of vegeta's.
pub(super) fn is_one(text: &str) -> bool {
    let first = text.lines().map(str::trim).find(|line| is_said(line));
    first.is_some_and(|line| begins(line) || is_json(line))
}

/// Reads all targets.
///
/// # Errors
/// The line, what is wrong with it, and what would be right.
pub(super) fn read(text: &str, place: &Path) -> Result<Vec<Sent>, String> {
    let lines: Vec<(usize, &str)> =
        text.lines().map(str::trim).enumerate().map(|(at, line)| (at + 1, line)).collect();
    let first = lines.iter().find(|(_, line)| is_said(line));
    if first.is_some_and(|(_, line)| is_json(line)) {
        let said = lines.iter().filter(|(_, line)| is_said(line));
        return said
            .map(|(at, line)| json(line).map_err(|wrong| format!("{at}: {wrong}")))
            .collect();
    }
    let (mut sent, mut open) = (Vec::<Sent>::new(), false);
    for (at, line) in lines {
        let wrong = |why: &str| {
            format!("{at}: `{}` {why}", line.split(['?', ' ']).next().unwrap_or_default())
        };
        if line.starts_with('#') {
            continue;
        }
        if line.is_empty() {
            open = false;
        } else if begins(line) {
            let (method, url) =
                line.split_once(' ').expect("a target begins with a method and a space");
            sent.push(Sent {
                method: method.to_owned(),
                url: url.trim().to_owned(),
                ..Sent::default()
            });
            open = true;
        } else if !open {
            return Err(wrong(
                "begins no target; write a method and a URL, such as `POST https://shop.example/score`",
            ));
        } else if line.starts_with("@<<") {
            return Err(wrong("is a body in place; write it to a file, and `@` with its name"));
        } else if let Some(file) = line.strip_prefix('@') {
            let path = place.join(file);
            let body = fs::read(&path).map_err(|error| {
                format!("{at}: cannot read the body {}: {error}", path.display())
            })?;
            last(&mut sent).body = Some(body);
            open = false;
        } else {
            let header = line.split_once(':').map(|(name, value)| (name.trim(), value.trim()));
            let (name, value) = header
                .filter(|(name, value)| !name.is_empty() && !value.is_empty())
                .ok_or_else(|| wrong("is no header; write `Name: value`"))?;
            last(&mut sent).add_header(name, value);
        }
    }
    Ok(sent)
}

fn last(sent: &mut [Sent]) -> &mut Sent {
    sent.last_mut().expect("a target is open")
}

fn json(line: &str) -> Result<Sent, String> {
    let Line { method, url, body, header } =
        serde_json::from_str(line).map_err(|error| format!("{error}"))?;
    let decode = |body: String| {
        BASE64_STANDARD
            .decode(body)
            .map_err(|error| format!("`body` is not base64, which vegeta's is: {error}"))
    };
    let body = body.map(decode).transpose()?;
    let mut sent = Sent { method, url, body, ..Sent::default() };
    for (name, value) in
        header.iter().flatten().flat_map(|(name, all)| all.iter().map(move |one| (name, one)))
    {
        sent.add_header(name, value);
    }
    Ok(sent)
}

fn is_said(line: &str) -> bool {
    !line.is_empty() && !line.starts_with('#')
}

fn is_json(line: &str) -> bool {
    let value = serde_json::from_str::<serde_json::Value>(line).unwrap_or_default();
    value.get("method").is_some() && value.get("url").is_some()
}

/// Whether a line begins a target.
fn begins(line: &str) -> bool {
    line.split_once(' ').is_some_and(|(method, rest)| {
        !method.is_empty()
            && method.bytes().all(|byte| byte.is_ascii_uppercase())
            && rest.contains("://")
    })
}
