//! Files that people write (YAML, and JSON as its subset), read so that every problem is reported at once with its place.
//!
//! A [`Document`] is the parsed file with the position of every value. [`Document::read`] checks it
//! against the JSON Schema of the raw form that is wanted (the same schema that editors complete
//! from, so the two cannot disagree) and then builds that raw form from what is right; problems
//! that need more than one value to be seen are reported by the caller, at a path such as
//! `/load/stages/0/rate`.
//!
//! A raw form is a struct of `Option`s with `deny_unknown_fields` and without defaults on the
//! struct; a key that must be there is marked `#[schemars(required)]`, so that the form can be
//! built, and looked at further, even where it is missing.

mod check;
mod flags;
mod format;
mod nearest;
mod node;
pub mod placeholder;
mod problem;
mod scalar;
mod text;
mod yaml;

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

pub use format::{Format, Scalar, Wrong};
pub use nearest::nearest;
pub use node::{Node, Value};
pub use problem::{Problem, Problems, Severity};
pub use scalar::{Old, yaml_1_1};
pub use text::{decode, read_text};

/// A parsed YAML file.
#[derive(Debug, Clone)]
pub struct Document {
    file: Arc<str>,
    source: Arc<str>,
    root: Node,
    /// What was wrong already with the YAML, though it could be read.
    flaws: Problems,
}

impl Document {
    /// Reads a file. What is wrong with it, but leaves it readable (a key that is there twice), is
    /// told by [`Document::read`], or kept in [`Document::flaws`].
    ///
    /// # Errors
    /// It cannot be read, or the place where it stops being YAML.
    pub fn open(path: &Path) -> Result<Self, Problems> {
        match read_text(path) {
            Ok(text) => Self::parse(&path.display().to_string(), &text),
            Err(problem) => {
                let mut problems = Problems::new();
                problems.push(problem);
                Err(problems)
            }
        }
    }

    /// Parses `text`, which was read from `file`.
    ///
    /// # Errors
    /// The place where it stops being YAML; if a template language has yet to fill it in, the
    /// places where it has.
    pub fn parse(file: &str, text: &str) -> Result<Self, Problems> {
        let (file, source): (Arc<str>, Arc<str>) = (Arc::from(file), Arc::from(text));
        let mut flaws = Problems::new();
        match yaml::parse(text) {
            Ok((root, found)) => {
                for flaw in found {
                    flaws.push(flaw.problem(&file, &source));
                }
                Ok(Self { file, source, root, flaws })
            }
            Err(flaw) => {
                for unfilled in placeholder::in_source(text) {
                    let (message, hint) = placeholder::words(&text[unfilled.clone()]);
                    flaws.push(Problem::new(&file, &source, unfilled, message).hint(hint));
                }
                if flaws.is_empty() {
                    flaws.push(flaw.problem(&file, &source));
                }
                Err(flaws)
            }
        }
    }

    /// The file's name, as it was given.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The root value.
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// What is wrong with the YAML itself.
    pub fn flaws(&self) -> &Problems {
        &self.flaws
    }

    /// Builds the raw form `T` from everything in the file that fits T's schema; whatever does not
    /// fit is added to `problems` and left out. `None` only if nothing could be built.
    ///
    /// `formats` checks strings whose schema names a `format`.
    pub fn read<T>(&self, formats: &[Format], problems: &mut Problems) -> Option<T>
    where
        T: DeserializeOwned + JsonSchema,
    {
        let schema = schemars::schema_for!(T).to_value();
        problems.append(self.flaws.clone());
        let before = problems.len();
        let value = check::Checker::new(self, &schema, formats, problems).run()?;
        let raw = serde_json::from_value(value).ok();
        if raw.is_none() && problems.len() == before {
            problems.push(self.problem_at("", "the values of this file do not go together"));
        }
        raw
    }

    /// The same file as the value of a key: what stands in a file of its own or in place is read
    /// by one set of rules.
    #[must_use]
    pub fn within(mut self, key: &str) -> Self {
        let around = Node::scalar(self.root.span.clone(), false, Value::Null);
        let inner = std::mem::replace(&mut self.root, around);
        self.root.value = Value::Map(vec![(key.to_owned(), 0..0, inner)]);
        self
    }

    /// A problem with the value at `path` (JSON pointer syntax), or with the closest thing to it
    /// that is in the file. Of a map or list that has a key, the key is shown.
    pub fn problem_at(&self, path: &str, message: impl Into<String>) -> Problem {
        let (node, key) = self.walk(path);
        let long = matches!(node.value, Value::Map(_) | Value::List(_));
        match key.filter(|_| long && node.flag.is_none()) {
            Some(key) => self.problem(key, message),
            None => self.problem_with(node, message),
        }
    }

    /// A problem with the key at `path`, if it is in the file.
    pub fn problem_at_key(&self, path: &str, message: impl Into<String>) -> Problem {
        let (node, key) = self.walk(path);
        match key.filter(|_| node.flag.is_none()) {
            Some(key) => self.problem(key, message),
            None => self.problem_with(node, message),
        }
    }

    /// A problem with the bytes `within` of the string `text` that was read at `path`. Where the
    /// string is written differently from what it means (escapes, folded lines), the whole of it.
    pub fn problem_within(
        &self,
        path: &str,
        text: &str,
        within: Range<usize>,
        message: impl Into<String>,
    ) -> Problem {
        let node = self.find(path);
        if node.flag.is_some() {
            return self.problem_with(node, message);
        }
        let span = node.span.clone();
        let written = &self.source[span.clone()];
        match written.find(text) {
            Some(start) => {
                let start = span.start + start;
                self.problem(start + within.start..start + within.end, message)
            }
            None => self.problem(span, message),
        }
    }

    /// Whether there is a value at `path`.
    pub fn has(&self, path: &str) -> bool {
        parts(path).try_fold(&self.root, |node, part| node.child(&part)).is_some()
    }

    /// The value at `path`, or the innermost one on the way to it.
    pub fn find(&self, path: &str) -> &Node {
        self.walk(path).0
    }

    /// That value, and the place of its key if it is in a map.
    fn walk(&self, path: &str) -> (&Node, Option<Range<usize>>) {
        let (mut node, mut key) = (&self.root, None);
        for part in parts(path) {
            let Some(child) = node.child(&part) else { break };
            key = node.key(&part);
            node = child;
        }
        (node, key)
    }

    /// How a scalar is written, without quotes if it has none.
    pub fn written<'a>(&'a self, node: &'a Node) -> &'a str {
        let source = node.flag.as_ref().map_or(&self.source, |flag| &flag.text);
        source.get(node.written.clone()).unwrap_or_default()
    }

    /// How a scalar at `path` is written, if it has no quotes, so that its spelling decides what it is.
    pub fn spelling(&self, path: &str) -> Option<&str> {
        let node = self.find(path);
        node.plain.then(|| self.written(node))
    }

    /// A problem with a node: in the file, or in the flag that gave it.
    fn problem_with(&self, node: &Node, message: impl Into<String>) -> Problem {
        match &node.flag {
            Some(flag) => Problem::new(&flag.name, &flag.text, node.span.clone(), message),
            None => self.problem(node.span.clone(), message),
        }
    }

    /// A problem with a key: in the file, where it has that place, or in the flag that gave it.
    fn problem_with_key(
        &self,
        key: &str,
        place: Range<usize>,
        value: &Node,
        message: impl Into<String>,
    ) -> Problem {
        let Some(flag) = &value.flag else { return self.problem(place, message) };
        let start = flag.text.find(key).unwrap_or_default();
        Problem::new(&flag.name, &flag.text, start..start + key.len(), message)
    }

    fn problem(&self, span: Range<usize>, message: impl Into<String>) -> Problem {
        Problem::new(&self.file, &self.source, self.first_line(span), message)
    }

    /// A map or list spans many lines: the caret belongs under the first.
    fn first_line(&self, span: Range<usize>) -> Range<usize> {
        let text = &self.source[span.start.min(self.source.len())..span.end.min(self.source.len())];
        let length = text.find('\n').unwrap_or(text.len()).max(usize::from(!text.is_empty()));
        span.start..span.start + length
    }
}

/// The keys of a path: `/` within a key is written `~1`, and `~` is written `~0` (RFC 6901).
fn parts(path: &str) -> impl Iterator<Item = Cow<'_, str>> {
    path.split('/').filter(|part| !part.is_empty()).map(|part| {
        if part.contains('~') {
            Cow::Owned(part.replace("~1", "/").replace("~0", "~"))
        } else {
            Cow::Borrowed(part)
        }
    })
}

/// A key as a part of a path.
pub fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Raw {
        #[schemars(required)]
        name: Option<String>,
        #[schemars(range(min = 1, max = 50))]
        instance_count: Option<u32>,
        #[schemars(extend("format" = "duration"))]
        timeout: Option<String>,
        auth_mode: Option<Mode>,
        #[serde(default)]
        stages: Vec<Stage>,
        #[serde(default)]
        tags: std::collections::BTreeMap<String, String>,
    }

    #[derive(Debug, Deserialize, JsonSchema, PartialEq)]
    #[serde(rename_all = "snake_case")]
    enum Mode {
        /// With a key.
        Key,
        /// With a token.
        AmlToken,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Stage {
        #[schemars(required)]
        rate: Option<f64>,
    }

    const FORMATS: &[Format] = &[Format {
        name: "duration",
        check: |Scalar { text, .. }| {
            let has_unit = text.ends_with(|c: char| c.is_ascii_alphabetic());
            if has_unit { Ok(()) } else { Err(Wrong::new(format!("`{text}` has no unit"))) }
        },
        free: false,
    }];

    fn read(text: &str) -> (Option<Raw>, Problems) {
        let document = Document::parse("t.yml", text).expect("it is YAML");
        let mut problems = Problems::new();
        let raw = document.read::<Raw>(FORMATS, &mut problems);
        (raw, problems)
    }

    #[test]
    fn an_unknown_key_is_shown_where_it_was_given() {
        let mut document = Document::parse("t.yml", "name: blue\n").expect("it is YAML");
        document.set("--set", "nonsense", "1").expect("it can be set");
        let mut problems = Problems::new();
        document.read::<Raw>(FORMATS, &mut problems);
        let text = problems.to_string();
        assert!(text.contains("--set:1:1") && text.contains("unknown key `nonsense`"), "{text}");
        assert!(!text.contains("t.yml"), "{text}");
    }

    #[test]
    fn a_right_file_becomes_its_raw_form() {
        let (raw, problems) = read(
            "name: blue\ninstance_count: 2\ntimeout: 5s\nauth_mode: aml_token\nstages:\n- rate: 10\n- {rate: 2.5}\ntags: {version: 1.10}\n",
        );
        assert_eq!(problems.to_string(), "");
        let raw = raw.expect("built");
        assert_eq!(raw.name.as_deref(), Some("blue"));
        assert_eq!((raw.instance_count, raw.timeout.as_deref()), (Some(2), Some("5s")));
        assert_eq!(raw.stages[1].rate, Some(2.5));
        assert_eq!(raw.auth_mode, Some(Mode::AmlToken));
        assert_eq!(raw.tags["version"], "1.10", "a plain scalar keeps its spelling");
    }

    #[test]
    fn all_problems_are_reported_at_once_with_their_places() {
        let (raw, problems) = read(
            "nam: blue\ninstance_count: 99\ntimeout: 5\nauth_mode: keyy\nstages:\n- rate: fast\n- speed: 1\n",
        );
        let text = problems.to_string();
        for part in [
            "t.yml:1:1",
            "unknown key `nam`",
            "did you mean `name`?",
            "t.yml:2:17",
            "at most 50",
            "t.yml:3:10",
            "has no unit",
            "t.yml:4:12",
            "`key`",
            "t.yml:6:9",
            "must be a number",
            "t.yml:7:3",
            "unknown key `speed`",
            "`rate` is missing",
        ] {
            assert!(text.contains(part), "{part} is not in:\n{text}");
        }
        assert!(!text.contains("`name` is missing"), "a wrong key is told once:\n{text}");
        assert!(raw.is_some(), "what is right can still be looked at");
    }

    #[test]
    fn a_problem_with_a_map_points_at_its_key() {
        let document = Document::parse("t.yml", "a: 1\ntags:\n  b: 2\n").expect("it is YAML");
        let place = |path: &str| {
            let problem = document.problem_at(path, "wrong");
            (problem.line(), problem.column())
        };
        assert_eq!(place("/tags"), (2, 1));
        assert_eq!(place("/tags/missing"), (2, 1));
        assert_eq!(place("/tags/b"), (3, 6));
        assert_eq!(place("/missing"), (1, 1));
    }

    #[test]
    fn a_key_with_a_slash_has_a_place() {
        let document = Document::parse("t.yml", "tags:\n  a/b: 2\n  c~d: 3\n").expect("it is YAML");
        for (key, line) in [("a/b", 2), ("c~d", 3)] {
            let path = format!("/tags/{}", escape(key));
            assert!(document.has(&path), "{path}");
            assert_eq!(document.problem_at(&path, "wrong").line(), line, "{path}");
        }
    }

    #[test]
    fn an_alias_means_what_its_anchor_means() {
        let (raw, problems) =
            read("name: &n blue\nauth_mode: key\ntags: {a: &v 1.10, b: *v, c: *n}\n");
        assert_eq!(problems.to_string(), "");
        let tags = raw.expect("built").tags;
        assert_eq!((&*tags["a"], &*tags["b"], &*tags["c"]), ("1.10", "1.10", "blue"));
    }

    #[test]
    fn broken_yaml_names_the_line() {
        let problems = Document::parse("t.yml", "name: [a\nb: c\n").expect_err("not YAML");
        assert!(problems.to_string().contains("t.yml:"), "{problems}");
        let (_, problems) = read("name: blue\nname: green\n");
        assert!(problems.to_string().contains("t.yml:2:1"), "{problems}");
    }
}
