//! Settings that stand in a map of texts: annotations of an object, data of a `ConfigMap`.
//!
//! What a cluster decides and no rules file of it says (a controller's flags, what is not
//! documented) stands in the file as annotations `plimsoll/<name>`, which clusters keep and ignore.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use plimsoll_document::{Document, Problems, escape, nearest};

use crate::span;

/// The prefix of our own annotations.
pub(crate) const OURS: &str = "plimsoll/";

/// The settings under one prefix of one map, and which of them were asked for.
pub(crate) struct Settings<'a> {
    document: &'a Document,
    given: &'a BTreeMap<String, String>,
    path: &'a str,
    prefix: &'static str,
    problems: &'a mut Problems,
    known: Vec<&'static str>,
}

impl<'a> Settings<'a> {
    /// The settings of `given` with this prefix; the map stands at `path`.
    pub(crate) fn new(
        document: &'a Document,
        given: &'a BTreeMap<String, String>,
        path: &'a str,
        prefix: &'static str,
        problems: &'a mut Problems,
    ) -> Self {
        Self { document, given, path, prefix, problems, known: Vec::new() }
    }

    /// Whether they are our own annotations.
    pub(crate) fn is_ours(&self) -> bool {
        self.prefix == OURS
    }

    /// A number within a range.
    pub(crate) fn number(
        &mut self,
        name: &'static str,
        range: RangeInclusive<f64>,
        value: &mut f64,
    ) {
        self.with(name, value, |text| {
            let number = text.parse().ok().filter(|n: &f64| n.is_finite() && range.contains(n));
            number.ok_or_else(|| {
                let (least, most) = (range.start(), range.end());
                let bounds = if most.is_finite() {
                    format!("a number from {least} to {most}")
                } else {
                    format!("a number of at least {least}")
                };
                format!("`{text}` is not {bounds}")
            })
        });
    }

    /// A count of at least `least`.
    pub(crate) fn count(&mut self, name: &'static str, least: u32, value: &mut u32) {
        self.with(name, value, |text| {
            let count = text.parse().ok().filter(|n: &u32| (least..=i32::MAX as u32).contains(n));
            count.ok_or_else(|| format!("`{text}` is not a whole number of at least {least}"))
        });
    }

    /// A duration in Go's notation within a range; in seconds.
    pub(crate) fn span(&mut self, name: &'static str, range: RangeInclusive<f64>, value: &mut f64) {
        self.with(name, value, |text| {
            let seconds = span::parse(text)?;
            if range.contains(&seconds) {
                return Ok(seconds);
            }
            Err(format!("`{text}` is not from {} s to {} s", range.start(), range.end()))
        });
    }

    /// One of some words.
    pub(crate) fn choice<T: Copy>(
        &mut self,
        name: &'static str,
        words: &[(&str, T)],
        value: &mut T,
    ) {
        self.with(name, value, |text| {
            let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            found.ok_or_else(|| format!("`{text}` is none of {}", known.join(", ")))
        });
    }

    /// The text of a setting.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        self.given.get(&format!("{}{name}", self.prefix)).cloned()
    }

    fn with<T>(
        &mut self,
        name: &'static str,
        value: &mut T,
        read: impl Fn(&str) -> Result<T, String>,
    ) {
        let Some(text) = self.text(name) else { return };
        match read(&text) {
            Ok(given) => *value = given,
            Err(wrong) => self.wrong(name, &wrong),
        }
    }

    /// Something is wrong with a setting.
    pub(crate) fn wrong(&mut self, name: &str, wrong: &str) {
        let key = format!("{}{name}", self.prefix);
        let path = format!("{}/{}", self.path, escape(&key));
        self.problems.push(self.document.problem_at(&path, format!("{key}: {wrong}")));
    }

    /// Tells those that nothing asked for; as errors, if they would be silently ignored else.
    pub(crate) fn end(self) {
        for key in self.given.keys() {
            let Some(name) = key.strip_prefix(self.prefix) else { continue };
            if self.known.contains(&name) {
                continue;
            }
            let near = nearest(name, self.known.iter().copied());
            let hint = match near {
                Some(near) => format!("did you mean `{}{near}`?", self.prefix),
                None => format!("there are: {}", self.known.join(", ")),
            };
            let path = format!("{}/{}", self.path, escape(key));
            let message = format!("`{key}` is no setting of these rules");
            self.problems.push(self.document.problem_at(&path, message).hint(hint));
        }
    }
}
