//! Values that the command line gives beside a file, as `--set a.b=1` does.

use std::ops::Range;
use std::sync::Arc;

use serde_json::Value as Json;

use super::node::Flag;
use super::{Document, Node, Problem, Value, yaml};

impl Document {
    /// Sets the value at a path such as `request_settings.request_timeout_ms`, over what the file
    /// has there. The value is JSON, or else text. Problems with it are shown in the flag `name`.
    ///
    /// # Errors
    /// The path leads through something that has no members.
    pub fn set(&mut self, name: &str, path: &str, value: &str) -> Result<(), Problem> {
        let json = serde_json::from_str(value).unwrap_or_else(|_| Json::from(value));
        let (node, flag) = assigned(name, path, value, &json);
        let Err(on_the_way) = put(&mut self.root, path, node) else { return Ok(()) };
        let message = format!("`{path}` cannot be set: `{on_the_way}` is no map");
        let problem = Problem::new(&flag.name, &flag.text, 0..path.len(), message);
        Err(problem.hint(format!("set `{on_the_way}` as a whole")))
    }

    /// Sets a key of the file itself to a text, as [`Document::set`] does.
    pub fn set_text(&mut self, name: &str, key: &str, text: &str) {
        let (node, _) = assigned(name, key, text, &Json::from(text));
        let Value::Map(members) = &mut self.root.value else { return };
        members.retain(|(known, ..)| known != key);
        members.push((key.to_owned(), 0..0, node));
    }

    /// Gives the text of a key that the file does not have, and that is known from elsewhere.
    pub fn supply(&mut self, key: &str, text: &str) {
        if self.root.child(key).is_none() {
            let file = Arc::clone(&self.file);
            self.set_text(&file, key, text);
        }
    }
}

/// The value of an assignment, and how it was given.
fn assigned(name: &str, path: &str, value: &str, json: &Json) -> (Node, Arc<Flag>) {
    let text = format!("{path}={value}");
    let span = path.len() + 1..text.len();
    let flag = Arc::new(Flag { name: Arc::from(name), text: Arc::from(text) });
    // JSON is YAML, whose reader tells where each part of it is.
    let node = match (json, yaml::parse(value)) {
        (Json::Object(_) | Json::Array(_), Ok((node, _))) => placed(node, span.start, &flag),
        _ => given(json, &span, &flag),
    };
    (node, flag)
}

/// The same value, as part of the flag's text.
fn placed(node: Node, offset: usize, flag: &Arc<Flag>) -> Node {
    let shift = |range: &Range<usize>| range.start + offset..range.end + offset;
    let value = match node.value {
        Value::List(items) => {
            Value::List(items.into_iter().map(|item| placed(item, offset, flag)).collect())
        }
        Value::Map(members) => {
            let members = members.into_iter();
            Value::Map(members.map(|(k, _, v)| (k, 0..0, placed(v, offset, flag))).collect())
        }
        other => other,
    };
    let (span, written) = (shift(&node.span), shift(&node.written));
    Node { span, written, flag: Some(Arc::clone(flag)), value, plain: node.plain }
}

/// A value that is not in the file.
fn given(json: &Json, span: &Range<usize>, flag: &Arc<Flag>) -> Node {
    let value = match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::Int(number.into()),
            None => number.as_u64().map_or_else(
                || Value::Float(number.as_f64().unwrap_or(f64::INFINITY)),
                |number| Value::Int(number.into()),
            ),
        },
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(items) => Value::List(items.iter().map(|i| given(i, span, flag)).collect()),
        Json::Object(members) => {
            let members = members.iter();
            Value::Map(members.map(|(k, v)| (k.clone(), 0..0, given(v, span, flag))).collect())
        }
    };
    let plain = matches!(value, Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Null);
    Node { plain, flag: Some(Arc::clone(flag)), ..Node::scalar(span.clone(), plain, value) }
}

/// Puts a node in its place; the error is the part of the path that is no map.
fn put<'p>(root: &mut Node, path: &'p str, node: Node) -> Result<(), &'p str> {
    let (mut at, mut walked) = (root, 0);
    loop {
        let rest = &path[walked..];
        let (key, last) = match rest.find('.') {
            Some(end) => (&rest[..end], false),
            None => (rest, true),
        };
        let Value::Map(members) = &mut at.value else {
            return Err(path[..walked].trim_end_matches('.'));
        };
        let index = members.iter().position(|(known, ..)| known == key).unwrap_or_else(|| {
            let empty = Node { value: Value::Map(Vec::new()), ..node.clone() };
            members.push((key.to_owned(), 0..0, empty));
            members.len() - 1
        });
        at = &mut members[index].2;
        if last {
            *at = node;
            return Ok(());
        }
        walked += key.len() + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Document {
        Document::parse("t.yml", "a: {b: 1}\nc: azureml:x:1\n").expect("it is YAML")
    }

    #[test]
    fn each_part_of_a_map_is_what_is_written_of_it() {
        let mut document = document();
        document.set("--set", "a", r#"{"blue": 50, "green": "x"}"#).expect("it can be set");
        assert_eq!(document.spelling("/a/blue"), Some("50"));
        assert_eq!(document.find("/a/green").text(), Some("x"));
        let problem = document.problem_at("/a/blue", "no");
        assert_eq!((problem.file(), problem.column()), ("--set", 12));
    }

    #[test]
    fn a_value_takes_the_place_of_what_the_file_has() {
        let mut document = document();
        for (path, value) in [("a.b", "2"), ("a.c.d", "true"), ("c", "new"), ("e", "[1]")] {
            document.set("--set", path, value).expect("it can be set");
        }
        assert_eq!(document.find("/a/b").value, Value::Int(2));
        assert_eq!(document.find("/a/c/d").value, Value::Bool(true));
        assert_eq!(document.find("/c").text(), Some("new"));
        assert!(matches!(document.find("/e").value, Value::List(_)));
        assert_eq!(document.spelling("/a/b"), Some("2"));
        let problem = document.problem_at("/a/b", "wrong");
        assert_eq!((problem.file(), problem.column()), ("--set", 5));
    }

    #[test]
    fn a_path_through_text_leads_nowhere() {
        let problem = document().set("--set", "c.name", "x").expect_err("no map");
        assert!(problem.message().contains("`c` is no map"), "{}", problem.message());
    }

    #[test]
    fn what_the_file_says_stays_when_more_is_known() {
        let mut document = document();
        document.supply("c", "other");
        document.supply("d", "more");
        assert_eq!(document.find("/c").text(), Some("azureml:x:1"));
        assert_eq!(document.find("/d").text(), Some("more"));
    }
}
