//! Problems in files that people write: each shown with its file, line, column, the line itself
//! with a caret, and what to do about it.
//!
//! Reading a file collects problems instead of stopping at the first, so that one look is enough
//! to mend them all. What is worth saying though nothing is wrong is a problem of a lower level: it
//! is shown in the same way, and counts for nothing.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Perhaps not what was meant.
    Warning,
    /// The file cannot be used.
    Error,
}

/// One problem at one place of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    severity: Severity,
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
        Self { severity: Severity::Error, file, source, span: start..end, message, hint: None }
    }

    /// A problem with a file as a whole, of which no line can be shown.
    pub fn of_file(file: &str, message: impl Into<String>) -> Self {
        Self::new(&Arc::from(file), &Arc::from(""), 0..0, message)
    }

    /// The same, but as a note: nothing is wrong.
    #[must_use]
    pub fn note(self) -> Self {
        Self { severity: Severity::Note, ..self }
    }

    /// The same, but as a warning: it may not be what was meant.
    #[must_use]
    pub fn warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }

    /// Adds what would be right.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.severity
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
        let level = match self.severity {
            Severity::Note => Level::NOTE,
            Severity::Warning => Level::WARNING,
            Severity::Error => Level::ERROR,
        };
        if self.source.is_empty() {
            // A file that cannot be read, or is empty, has no line to show.
            let title = Group::with_title(level.primary_title(self.message.as_str()));
            let title = renderer.render(&[title]);
            let hint = self.hint.as_ref().map_or_else(String::new, |hint| format!(": {hint}"));
            return format!("{title}\n --> {}{hint}", self.file);
        }
        let mark = AnnotationKind::Primary.span(self.span.clone());
        let mark = match &self.hint {
            Some(hint) => mark.label(hint.as_str()),
            None => mark,
        };
        let snippet = Snippet::source(&*self.source).path(&*self.file).annotation(mark);
        renderer.render(&[level.primary_title(self.message.as_str()).element(snippet)])
    }
}

/// All problems found, in the order of the files and their lines. None is in it twice. Notes and
/// warnings are kept too, but do not count: a list that has only these is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// None so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one, unless it is known already: two files may name a third.
    pub fn push(&mut self, problem: Problem) {
        if !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    /// Adds all of another list.
    pub fn append(&mut self, other: Self) {
        for problem in other.0 {
            self.push(problem);
        }
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many errors there are.
    pub fn len(&self) -> usize {
        self.0.iter().filter(|problem| problem.severity == Severity::Error).count()
    }

    /// Whether there is nothing to say either.
    pub fn is_silent(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them, with notes and warnings.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// `Ok(value)` if nothing is wrong; else all problems, ordered by line within each file.
    ///
    /// # Errors
    /// What is wrong.
    pub fn or<T>(self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.is_empty() => Ok(value),
            _ => Err(self.sorted()),
        }
    }

    /// Ordered by line within each file; the files in the order in which they came.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        let mut files: Vec<Arc<str>> = Vec::new();
        for problem in &self.0 {
            if !files.contains(&problem.file) {
                files.push(Arc::clone(&problem.file));
            }
        }
        self.0.sort_by_key(|problem| {
            (files.iter().position(|file| *file == problem.file), problem.span.start)
        });
        self
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

    #[test]
    fn notes_are_shown_and_do_not_count() {
        let (file, source) = (Arc::from("blue.yml"), Arc::from("name: blue\n"));
        let problem = |text: &str| Problem::new(&file, &source, 6..10, text);
        let mut problems = Problems::new();
        problems.push(problem("as it should be").note());
        problems.push(problem("as it may be").warning());
        assert!(problems.is_empty() && !problems.is_silent());
        let text = problems.to_string();
        assert!(text.contains("note: as it should be"), "{text}");
        assert!(text.contains("warning: as it may be") && !text.contains("2 problems"), "{text}");
        assert_eq!(problems.clone().or(Some(1)), Ok(1));
        problems.push(problem("wrong"));
        problems.push(problem("wrong"));
        assert_eq!(problems.len(), 1, "nothing is told twice");
        assert_eq!(problems.or(Some(1)).unwrap_err().iter().count(), 3);
    }

    #[test]
    fn a_file_without_lines_keeps_its_hint() {
        let text =
            Problems(vec![Problem::of_file("a.yml", "in UTF-16").hint("save it")]).to_string();
        assert!(text.contains("a.yml: save it"), "{text}");
    }
}
