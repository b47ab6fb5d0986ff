//! YAML. A string is quoted, as JSON quotes it, wherever a reader could take it for anything else.

use std::fmt::Write;

use serde_json::Value;

/// Block style, except of what is empty.
pub(super) fn render(value: &Value) -> String {
    let mut text = String::new();
    block(&mut text, value, 0);
    text.trim_end_matches('\n').to_owned()
}

/// A value that begins a line.
fn block(text: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                let _ = write!(text, "{indent}{}:", scalar(&Value::from(key.as_str())));
                nested(text, value, depth + 1);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let mut inner = String::new();
                block(&mut inner, item, depth + 1);
                // The first line of the item stands beside its dash.
                let _ = write!(text, "{indent}- {}", inner.trim_start_matches(' '));
            }
        }
        other => {
            let _ = writeln!(text, "{indent}{}", scalar(other));
        }
    }
}

/// A value behind its key.
fn nested(text: &mut String, value: &Value, depth: usize) {
    let is_empty = match value {
        Value::Object(members) => members.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => true,
    };
    if is_empty {
        let _ = writeln!(text, " {}", scalar(value));
    } else {
        text.push('\n');
        block(text, value, depth);
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether a string without quotes is that string, by YAML 1.1 and 1.2.
fn is_plain(text: &str) -> bool {
    let word =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ' ' | ':');
    let first = text.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '/');
    let meant = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    first
        && text.chars().all(word)
        && !text.contains(": ")
        && !text.ends_with([':', ' '])
        && !meant.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_document::{Document, Node, Value as Read};
    use serde_json::json;

    fn read(node: &Node) -> Value {
        match &node.value {
            Read::Null | Read::Unreadable => Value::Null,
            Read::Bool(value) => json!(value),
            Read::Int(number) => json!(i64::try_from(*number).unwrap()),
            Read::Float(number) => json!(number),
            Read::Text(text) => json!(text),
            Read::List(items) => items.iter().map(read).collect(),
            Read::Map(members) => {
                members.iter().map(|(key, _, value)| (key.clone(), read(value))).collect()
            }
        }
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let value = json!({
            "name": "blue", "count": 2, "rate": 0.5, "none": null, "empty": {}, "list": [],
            "tags": {"a": "true", "b": "No", "c": "1", "d": "x: y", "e": "#", "f": "a\nb", "g": ""},
            "items": [{"name": "a", "in": {"x": 1}}, [1, 2], "- no", "C:", "azureml:/a/b:1"],
            "odd key:": "ä\u{1}",
        });
        let text = render(&value);
        let document = Document::parse("t.yml", &text).unwrap();
        assert_eq!(read(document.root()), value, "{text}");
        assert!(text.contains("name: blue\n"), "{text}");
        assert_eq!(render(&json!("blue")), "blue");
    }
}
