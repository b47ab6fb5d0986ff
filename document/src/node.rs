//! A YAML value with its place in the text. The only module that knows the YAML library.

use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

/// A value and the bytes it was written in.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it is.
    pub span: Range<usize>,
    /// Where its text is: of an alias, at the anchor.
    pub(super) written: Range<usize>,
    /// What it is.
    pub value: Value,
}

/// A YAML value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing after the colon, or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A string.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file: key, the key's place, value.
    Map(Vec<(String, Range<usize>, Node)>),
}

impl Node {
    /// The member named `part` of a map, or the element with that index of a list.
    pub fn child(&self, part: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(members) => members.iter().find(|(key, ..)| key == part).map(|m| &m.2),
            Value::List(items) => items.get(part.parse::<usize>().ok()?),
            _ => None,
        }
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
        }
    }
}

/// Parses one YAML document; the error is a place and a message.
pub(super) fn parse(text: &str) -> Result<Node, (Range<usize>, String)> {
    if text.trim().is_empty() {
        return Err((0..0, "the file is empty".to_owned()));
    }
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    let parsed = serde_saphyr::from_str_with_options::<Spanned<Tree>>(text, options);
    parsed.map(|spanned| node(spanned, text)).map_err(|error| {
        let span = error.location().map_or(0..0, |location| bytes(location, text));
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or(&message);
        (span, format!("not valid YAML: {message}"))
    })
}

fn node(spanned: Spanned<Tree>, text: &str) -> Node {
    let (span, written) = (bytes(spanned.referenced, text), bytes(spanned.defined, text));
    let value = match spanned.value {
        Tree::Scalar(value) => value,
        Tree::List(items) => Value::List(items.into_iter().map(|item| node(item, text)).collect()),
        Tree::Map(members) => Value::Map(
            members
                .into_iter()
                .map(|(key, value)| {
                    let place = bytes(key.referenced, text);
                    (key.value, place, node(value, text))
                })
                .collect(),
        ),
    };
    Node { span, written, value }
}

fn bytes(location: Location, text: &str) -> Range<usize> {
    let span = location.span();
    if let Some(start) = span.byte_offset() {
        let start = (start as usize).min(text.len());
        let length = span.byte_len().unwrap_or(0) as usize;
        return start..(start + length).min(text.len());
    }
    let before = (location.line() as usize).saturating_sub(1);
    let start: usize = text.split_inclusive('\n').take(before).map(str::len).sum();
    let start = (start + (location.column() as usize).saturating_sub(1)).min(text.len());
    start..start
}

/// What the YAML library builds: like [`Value`], with its own spans.
enum Tree {
    Scalar(Value),
    List(Vec<Spanned<Tree>>),
    Map(Vec<(Spanned<String>, Spanned<Tree>)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Scalar(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Scalar(Value::Int(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        let value = i64::try_from(value).map_or(Value::Float(value as f64), Value::Int);
        Ok(Tree::Scalar(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Scalar(Value::Float(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Scalar(Value::Text(value.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Scalar(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree, A::Error> {
        let mut map = Vec::new();
        while let Some(member) = members.next_entry()? {
            map.push(member);
        }
        Ok(Tree::Map(map))
    }
}
