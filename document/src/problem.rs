//! Problems in files that people write: each shown with its file, line, column, the line itself
//! with a caret, and what to do about it.
//!
//! Reading a file collects problems instead of stopping at the first, so that one look is enough
//! to mend them all.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// One problem at one place of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    file: Arc<str>,
    source: Arc<str>,
    span: Range<usize>,
    message: String,
    hint: Option<String>,
}

impl Problem {
    /// A problem in `source`, the text of `file`, at a range of bytes.
    pub fn new(
        file: &Arc<str>,
        source: &Arc<str>,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> Self {
        let start = floor_boundary(source, span.start);
        let end = floor_boundary(source, span.end.max(start));
        let (file, source, message) = (Arc::clone(file), Arc::clone(source), message.into());
        Self { file, source, span: start..end, message, hint: None }
    }

    /// Adds what would be right.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The file it is in.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line, counted from 1.
    pub fn line(&self) -> usize {
        self.source[..self.span.start].matches('\n').count() + 1
    }

    /// The column in characters, counted from 1.
    pub fn column(&self) -> usize {
        let before = &self.source[..self.span.start];
        before.rsplit('\n').next().unwrap_or(before).chars().count() + 1
    }

    fn render(&self, renderer: &Renderer) -> String {
        if self.source.is_empty() {
            // A file that cannot be read, or is empty, has no line to show.
            let title = Group::with_title(Level::ERROR.primary_title(self.message.as_str()));
            let title = renderer.render(&[title]);
            return format!("{title}\n --> {}", self.file);
        }
        let mark = AnnotationKind::Primary.span(self.span.clone());
        let mark = match &self.hint {
            Some(hint) => mark.label(hint.as_str()),
            None => mark,
        };
        let snippet = Snippet::source(&*self.source).path(&*self.file).annotation(mark);
        renderer.render(&[Level::ERROR.primary_title(self.message.as_str()).element(snippet)])
    }
}

/// All problems found, in the order of the files and their lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// None so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// Adds all of another list.
    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// `Ok(value)` without problems; else all of them, ordered by line within each file.
    pub fn or<T>(mut self, value: Option<T>) -> Result<T, Self> {
        if let (Some(value), true) = (value, self.is_empty()) {
            return Ok(value);
        }
        let mut files: Vec<Arc<str>> = Vec::new();
        for problem in &self.0 {
            if !files.contains(&problem.file) {
                files.push(Arc::clone(&problem.file));
            }
        }
        self.0.sort_by_key(|problem| {
            (files.iter().position(|file| *file == problem.file), problem.span.start)
        });
        Err(self)
    }

    /// All problems as text for a terminal, in colour or plain.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Ascii);
        let mut text: Vec<String> = self.0.iter().map(|p| p.render(&renderer)).collect();
        let count = self.len();
        if count > 1 {
            text.push(format!("{count} problems"));
        }
        text.join("\n\n")
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Problems {}

fn floor_boundary(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_shows_its_line_with_a_caret() {
        let (file, source) =
            (Arc::from("blue.yml"), Arc::from("name: blue\ninstance_count: many\n"));
        let problem =
            Problem::new(&file, &source, 27..31, "`instance_count` must be a whole number")
                .hint("write for example `2`");
        assert_eq!((problem.line(), problem.column()), (2, 17));
        let text = Problems(vec![problem]).to_string();
        assert!(text.contains("blue.yml:2:17"), "{text}");
        assert!(text.contains("^^^^ write for example `2`"), "{text}");
    }
}
