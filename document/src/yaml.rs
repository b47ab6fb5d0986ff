//! From the text of a file to a tree of values. With `words`, the only module that knows the YAML
//! library; its own words never reach anybody.
//!
//! What makes the rest of the file unreadable (a quote that is never closed) ends the reading. What
//! does not (a key that is there twice, a tag that nobody knows) is a [`Flaw`]: the tree is built
//! without it, so that the file can still be looked at.

mod words;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use super::node::{Node, Value};
use super::{Problem, scalar};

/// Levels of nesting. The files of people have ten.
const DEEPEST: usize = 64;
/// Values in a file, counting what an alias repeats each time.
const MOST_VALUES: usize = 100_000;

/// Something wrong at one place.
#[derive(Debug)]
pub(super) struct Flaw {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) hint: Option<&'static str>,
}

impl Flaw {
    /// Where it is, for people.
    pub(super) fn problem(self, file: &Arc<str>, source: &Arc<str>) -> Problem {
        let problem = Problem::new(file, source, self.span, self.message);
        match self.hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }

    fn new(span: Range<usize>, message: impl Into<String>, hint: &'static str) -> Self {
        Self { span, message: message.into(), hint: Some(hint) }
    }
}

/// Parses the first YAML document of a text.
pub(super) fn parse(text: &str) -> Result<(Node, Vec<Flaw>), Flaw> {
    let options = granit_parser::options! {
        flow_nesting_limit: DEEPEST,
        block_nesting_limit: DEEPEST,
    };
    let events = Parser::new_from_str_with_options(text, options);
    let mut reader =
        Reader { text, events, anchors: BTreeMap::new(), values: 0, flaws: Vec::new() };
    let root = reader.document()?;
    Ok((root, reader.flaws))
}

struct Reader<'t, E> {
    text: &'t str,
    events: E,
    /// What an alias stands for, by the parser's number for its anchor.
    anchors: BTreeMap<usize, Anchored>,
    values: usize,
    flaws: Vec<Flaw>,
}

struct Anchored {
    node: Node,
    values: usize,
    depth: usize,
}

impl<'t, E: Iterator<Item = Result<(Event<'t>, Span), ScanError>>> Reader<'t, E> {
    fn document(&mut self) -> Result<Node, Flaw> {
        let empty = || Flaw { span: 0..0, message: "the file is empty".to_owned(), hint: None };
        let root = loop {
            match self.next()? {
                Some((Event::StreamStart | Event::DocumentStart(..), _)) => {}
                Some((Event::StreamEnd, _)) | None => return Err(empty()),
                Some((event, span)) => break self.node(event, &span, 0)?,
            }
        };
        if root.value == Value::Null {
            return Err(empty());
        }
        while let Some((event, span)) = self.next()? {
            if matches!(event, Event::DocumentStart(..)) {
                let span = self.bytes(&span);
                let message = "a second document begins here";
                self.flaws.push(Flaw::new(span, message, "put it into a file of its own"));
                break;
            }
        }
        Ok(root)
    }

    fn next(&mut self) -> Result<Option<(Event<'t>, Span)>, Flaw> {
        match self.events.next() {
            None => Ok(None),
            Some(Ok(event)) => Ok(Some(event)),
            Some(Err(error)) => Err(words::flaw(&error, self.text)),
        }
    }

    fn some(&mut self) -> Result<(Event<'t>, Span), Flaw> {
        let end = self.text.len();
        let cut = || Flaw { span: end..end, message: "the file is cut short".into(), hint: None };
        self.next()?.ok_or_else(cut)
    }

    /// The node that begins with `event`.
    fn node(&mut self, event: Event<'t>, span: &Span, depth: usize) -> Result<Node, Flaw> {
        let place = self.bytes(span);
        let before = self.values;
        self.count(&place, 1)?;
        let (anchor, node) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                (anchor, self.scalar(&text, style, tag.as_deref(), span, place))
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.tag(tag.as_deref(), span, &["seq"]);
                (anchor, self.list(place, depth)?)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.tag(tag.as_deref(), span, &["map"]);
                (anchor, self.map(place, depth)?)
            }
            Event::Alias(id) => return self.alias(id, place, depth),
            _ => {
                let message = "not valid YAML: a value is missing here".to_owned();
                return Err(Flaw { span: place, message, hint: None });
            }
        };
        if anchor > 0 {
            let (values, depth) = (self.values - before, deepest(&node));
            self.anchors.insert(anchor, Anchored { node: node.clone(), values, depth });
        }
        Ok(node)
    }

    fn list(&mut self, start: Range<usize>, depth: usize) -> Result<Node, Flaw> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.some()?;
            if event == Event::SequenceEnd {
                let span = start.start..self.bytes(&span).end.max(start.end);
                return Ok(Node::scalar(span, false, Value::List(items)));
            }
            items.push(self.node(event, &span, depth + 1)?);
        }
    }

    fn map(&mut self, start: Range<usize>, depth: usize) -> Result<Node, Flaw> {
        let mut members: Vec<(String, Range<usize>, Node)> = Vec::new();
        let mut merged = Vec::new();
        let mut template = false;
        let end = loop {
            let (event, span) = self.some()?;
            if event == Event::MappingEnd {
                break self.bytes(&span).end.max(start.end);
            }
            let key = self.node(event, &span, depth + 1)?;
            let (event, span) = self.some()?;
            let value = self.node(event, &span, depth + 1)?;
            let place = key.span.clone();
            let Some(name) = self.key(&key) else {
                template |= self.text[start.start..].starts_with("{{");
                if !template {
                    let hint = "quote it, if text was meant";
                    self.flaws.push(Flaw::new(place, "a key has to be text", hint));
                }
                continue;
            };
            if name == "<<" && key.plain {
                merged.push((place, value));
            } else if let Some((_, first, _)) = members.iter().find(|(known, ..)| *known == name) {
                let line = self.text[..first.start].matches('\n').count() + 1;
                let message =
                    format!("`{name}` is here a second time; the first is in line {line}");
                self.flaws.push(Flaw::new(place, message, "keep one of them"));
            } else {
                members.push((name, place, value));
            }
        };
        let span = start.start..end;
        if template {
            let value = Value::Text(self.text[span.clone()].trim_end().to_owned());
            return Ok(Node::scalar(span, true, value));
        }
        for (place, value) in merged {
            self.merge(&mut members, &place, value);
        }
        Ok(Node::scalar(span, false, Value::Map(members)))
    }

    /// `<<: *other` adds the members of another map, or of several, that are not there yet.
    fn merge(
        &mut self,
        members: &mut Vec<(String, Range<usize>, Node)>,
        place: &Range<usize>,
        value: Node,
    ) {
        match value.value {
            Value::Map(others) => {
                for other in others {
                    if !members.iter().any(|(known, ..)| *known == other.0) {
                        members.push(other);
                    }
                }
            }
            Value::List(items) => {
                for item in items {
                    self.merge(members, place, item);
                }
            }
            Value::Unreadable => {}
            _ => {
                let message = "`<<` takes in the keys of a map, and this is none";
                let hint = "give it an alias, such as `<<: *defaults`";
                self.flaws.push(Flaw::new(place.clone(), message, hint));
            }
        }
    }

    /// The text of a key; a number is the key that it is written as.
    fn key(&self, key: &Node) -> Option<String> {
        match &key.value {
            Value::Text(text) => Some(text.clone()),
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
                Some(self.text[key.written.clone()].to_owned())
            }
            Value::List(_) | Value::Map(_) | Value::Unreadable => None,
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        span: &Span,
        place: Range<usize>,
    ) -> Node {
        let plain = style == ScalarStyle::Plain;
        let Some(tag) = tag else {
            let value = if plain { scalar::core(text) } else { Value::Text(text.to_owned()) };
            return Node::scalar(place, plain, value);
        };
        match tag.core_suffix() {
            Some("int" | "float" | "bool" | "null") => {
                // The tag overrules the quotes.
                let quote = usize::from(!plain && place.len() > 1);
                let written = place.start + quote..place.end - quote;
                Node { written, ..Node::scalar(place, true, scalar::core(text)) }
            }
            Some("str") => Node::scalar(place, false, Value::Text(text.to_owned())),
            _ if tag.original() == "!" => Node::scalar(place, false, Value::Text(text.to_owned())),
            _ => {
                self.tag(Some(tag), span, &[]);
                Node::scalar(place, false, Value::Unreadable)
            }
        }
    }

    /// A tag that is none of the known ones.
    fn tag(&mut self, tag: Option<&Tag>, span: &Span, known: &[&str]) {
        let Some(tag) = tag else { return };
        if tag.core_suffix().is_some_and(|suffix| known.contains(&suffix)) {
            return;
        }
        let place = span.tag_span().map_or_else(|| self.bytes(span), |tag| self.bytes(&tag));
        let written = self.text[place.clone()].to_owned();
        let message = format!("the tag `{written}` is not known");
        self.flaws.push(Flaw::new(place, message, "leave it out, and write the value itself"));
    }

    fn alias(&mut self, id: usize, place: Range<usize>, depth: usize) -> Result<Node, Flaw> {
        let Some(Anchored { node, values, depth: below }) = self.anchors.get(&id) else {
            let hint = "write out what is meant";
            let message =
                format!("`{}` stands within what it stands for", &self.text[place.clone()]);
            self.flaws.push(Flaw::new(place.clone(), message, hint));
            return Ok(Node::scalar(place, false, Value::Unreadable));
        };
        let (mut node, values, below) = (node.clone(), *values, *below);
        if depth + below > DEEPEST {
            return Err(words::too_deep(place));
        }
        self.count(&place, values)?;
        node.span = place;
        Ok(node)
    }

    fn count(&mut self, place: &Range<usize>, values: usize) -> Result<(), Flaw> {
        self.values += values;
        if self.values <= MOST_VALUES {
            return Ok(());
        }
        let message = format!("the file has more than {MOST_VALUES} values");
        Err(Flaw::new(place.clone(), message, "what an alias repeats counts each time"))
    }

    fn bytes(&self, span: &Span) -> Range<usize> {
        let place = span.byte_range().unwrap_or(0..0);
        let start = place.start.min(self.text.len());
        start..place.end.clamp(start, self.text.len())
    }
}

/// Levels below a node, itself among them.
fn deepest(node: &Node) -> usize {
    1 + match &node.value {
        Value::List(items) => items.iter().map(deepest).max().unwrap_or(0),
        Value::Map(members) => members.iter().map(|(_, _, node)| deepest(node)).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
