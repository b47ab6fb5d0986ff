//! A value with its place in the text.

use std::ops::Range;
use std::sync::Arc;

/// A value and the bytes it was written in.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it is.
    pub span: Range<usize>,
    /// Where its text is: of an alias, at the anchor.
    pub(super) written: Range<usize>,
    /// Whether it is a scalar without quotes, so that its spelling decides what it is.
    pub(super) plain: bool,
    /// The flag that gave it, if it is not in the file.
    pub(super) flag: Option<Arc<Flag>>,
    /// What it is.
    pub value: Value,
}

/// A value that the command line gave, as `key=value` under the flag's name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flag {
    /// Such as `--set`.
    pub(super) name: Arc<str>,
    /// Such as `instance_count=2`.
    pub(super) text: Arc<str>,
}

/// A YAML value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing after the colon, or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// Any other number.
    Float(f64),
    /// A string.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file: key, the key's place, value.
    Map(Vec<(String, Range<usize>, Node)>),
    /// Something that could not be read, and was reported where the file was parsed.
    Unreadable,
}

impl Node {
    /// A scalar.
    pub(super) fn scalar(span: Range<usize>, plain: bool, value: Value) -> Self {
        Self { written: span.clone(), span, plain, flag: None, value }
    }

    /// The member named `part` of a map, or the element with that index of a list.
    pub fn child(&self, part: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(members) => members.iter().find(|(key, ..)| key == part).map(|m| &m.2),
            Value::List(items) => items.get(part.parse::<usize>().ok()?),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The keys of a map, in the order of the file.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let members = match &self.value {
            Value::Map(members) => members.as_slice(),
            _ => &[],
        };
        members.iter().map(|(key, ..)| key.as_str())
    }

    /// Where the key of that member of a map is written.
    pub(super) fn key(&self, part: &str) -> Option<Range<usize>> {
        let Value::Map(members) = &self.value else { return None };
        members.iter().find(|(key, ..)| key == part).map(|member| member.1.clone())
    }

    /// What kind of value it is, for a sentence.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Int(_) | Value::Float(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
            Value::Unreadable => "unreadable",
        }
    }
}
