//! What is wrong with a text that should be JSON, in words for those who wrote it: the library's are
//! for programmers.

use serde_json::Error;
use serde_json::error::Category;

/// What is wrong, with its place if it is known.
pub fn json_words(error: &Error) -> String {
    let what = json_fault(error);
    match error.line() {
        0 => what,
        line => format!("line {line}, column {}: {what}", error.column()),
    }
}

/// What is wrong, without its place.
pub fn json_fault(error: &Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    match error.classify() {
        Category::Io => text.to_owned(),
        Category::Eof => "it ends in the middle of a value".to_owned(),
        Category::Syntax => syntax(text).to_owned(),
        Category::Data => shape(text),
    }
}

fn syntax(text: &str) -> &str {
    match text {
        "expected ident" => "no value begins like this: text stands between double quotes",
        "expected value" => "a value is missing, or begins with what no value begins with",
        "trailing characters" => "something follows the end of the value",
        "trailing comma" => "a comma stands before the closing bracket",
        "key must be a string" => "a key is not text between double quotes",
        "recursion limit exceeded" => "it is nested too deeply",
        "number out of range" => "a number is too large",
        "invalid number" => "a number is malformed",
        "invalid escape" => "a backslash begins no escape that JSON knows",
        _ if text.starts_with("control character") => {
            "a line break or another control character stands in a text: write it as an escape"
        }
        _ if text.contains("hex escape") || text.contains("surrogate") => "a \\u escape is wrong",
        // Such as: expected `,` or `}`.
        _ => text,
    }
}

/// JSON of another shape than what is read.
fn shape(text: &str) -> String {
    let parts = |start: &str| text.strip_prefix(start)?.split_once(", expected ");
    if let Some((found, wanted)) = parts("invalid type: ").or_else(|| parts("invalid value: ")) {
        return format!("{} stands where {} is expected", found_words(found), wanted_words(wanted));
    }
    if let Some((length, wanted)) = parts("invalid length ") {
        return format!("a list of {length} stands where {} is expected", wanted_words(wanted));
    }
    match text.strip_prefix("missing field ") {
        Some(key) => format!("the key {key} is missing"),
        None => {
            text.replace("unknown field", "unknown key").replace("unknown variant", "unknown value")
        }
    }
}

fn found_words(found: &str) -> String {
    let (kind, value) = found.split_once(' ').unwrap_or((found, ""));
    match (kind, value) {
        ("map", _) => "an object".to_owned(),
        ("sequence", _) => "a list".to_owned(),
        ("string", value) => format!("the text {value}"),
        ("integer" | "boolean", value) => value.to_owned(),
        ("floating", value) => value.trim_start_matches("point ").to_owned(),
        _ => found.to_owned(),
    }
}

fn wanted_words(wanted: &str) -> String {
    if let Some(length) = wanted.strip_prefix("a tuple of size ") {
        return format!("a list of {length}");
    }
    let words = match wanted {
        "a sequence" => "a list",
        "a map" => "an object",
        "a string" => "text",
        "a boolean" => "true or false",
        "f32" | "f64" => "a number",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => "a whole number from 0",
        _ if wanted.starts_with("struct ") || wanted.starts_with("internally") => "an object",
        _ => wanted,
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only how it is not read is looked at")]
    struct Entry {
        limit: i64,
        of: (u8, u8),
    }

    #[test]
    fn mistakes_are_told_in_words_for_people() {
        let of = |text: &str| {
            let read = serde_json::from_str::<BTreeMap<String, Entry>>(text);
            json_words(&read.unwrap_err())
        };
        for (text, told) in [
            ("", "line 1, column 0: it ends in the middle of a value"),
            ("{\"a\": {\"limit\": 1", "line 1, column 17: it ends in the middle of a value"),
            ("{\n\"a\": nope}", "line 2, column 7: no value begins like this"),
            ("{\"a\": }", "column 7: a value is missing"),
            ("{} x", "column 4: something follows the end of the value"),
            ("{a: 1}", "column 2: a key is not text between double quotes"),
            ("{\"a\": 5}", "`5` stands where an object is expected"),
            ("[]", "a list stands where an object is expected"),
            (
                "{\"a\": {\"limit\": \"x\"}}",
                "the text \"x\" stands where a whole number is expected",
            ),
            ("{\"a\": {\"limit\": 1.5}}", "`1.5` stands where a whole number is expected"),
            ("{\"a\": {\"limit\": null}}", "null stands where a whole number is expected"),
            ("{\"a\": {\"limit\": 1}}", "the key `of` is missing"),
            (
                "{\"a\": {\"limit\": 1, \"of\": [1]}}",
                "a list of 1 stands where a list of 2 is expected",
            ),
        ] {
            assert!(of(text).contains(told), "{text}: {}", of(text));
        }
    }
}
