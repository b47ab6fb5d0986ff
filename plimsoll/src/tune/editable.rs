//! A file of rules whose values can be replaced where they stand: the rest of the text stays.

use std::path::Path;

use plimsoll_autoscale::azure::is_script;
use plimsoll_autoscale::{Rules, RulesFile};
use plimsoll_document::{Document, Problem, Problems, read_text};

use super::bounds::scalar;

/// A file of rules.
#[derive(Debug, Clone)]
pub(crate) struct Editable {
    text: String,
    document: Document,
}

impl Editable {
    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it; a script has no places that could be named.
    pub(crate) fn open(path: &Path) -> Result<Self, Problems> {
        let one = |problem: Problem| {
            let mut problems = Problems::new();
            problems.push(problem);
            problems
        };
        let text = read_text(path).map_err(one)?;
        let file = path.display().to_string();
        if is_script(&text) {
            let problem = Problem::of_file(&file, "a script has no places that bounds could name");
            let hint = "give the setting as JSON, as `az monitor autoscale show` prints it";
            return Err(one(problem.hint(hint)));
        }
        Ok(Self { document: Document::parse(&file, &text)?, text })
    }

    /// Its name.
    pub(crate) fn file(&self) -> &str {
        self.document.file()
    }

    /// Its text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What stands at this place.
    ///
    /// # Errors
    /// Nothing that could be replaced.
    pub(crate) fn value(&self, path: &str) -> Result<String, String> {
        if !self.document.has(path) {
            return Err(format!("there is nothing at `{path}` in {}", self.file()));
        }
        let found = scalar(&self.document, path);
        found.ok_or_else(|| {
            let kind = self.document.find(path).kind();
            format!("`{path}` is {kind} in {}; name a single value", self.file())
        })
    }

    /// The text with these values at these places, which hold single values. Quotes stay where there are some.
    pub(crate) fn with<'a>(&self, values: impl Iterator<Item = (&'a str, &'a str)>) -> String {
        let edit = |(path, value): (&'a str, &'a str)| {
            let node = self.document.find(path);
            let written = self.text.get(node.span.clone()).unwrap_or_default();
            let quote = written.chars().next().filter(|first| matches!(first, '"' | '\''));
            let quote = quote.map_or(String::new(), String::from);
            // What is the same is not written another way.
            let is_same = scalar(&self.document, path).is_some_and(|now| now == value);
            let new = if is_same { written.to_owned() } else { format!("{quote}{value}{quote}") };
            (node.span.clone(), new)
        };
        let mut edits: Vec<_> = values.map(edit).collect();
        edits.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
        let mut text = self.text.clone();
        for (span, new) in edits {
            text.replace_range(span, &new);
        }
        text
    }

    /// The rules that a text of this file says.
    ///
    /// # Errors
    /// They are none.
    pub(crate) fn rules(&self, text: &str) -> Result<Rules, Problems> {
        RulesFile::parse(self.file(), text).map(|read| read.rules)
    }
}
