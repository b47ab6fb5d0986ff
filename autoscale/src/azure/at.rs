//! A value of a file with its place: the members that Azure knows, whatever the case of their letters.
//!
//! Azure Resource Manager does not mind the case of keys, its tools print `null` for what is not set,
//! and counts are text in one tool and numbers in another. What is no known key is a problem: it
//! would be ignored without a word.

use plimsoll_document::{Document, Node, Problem, Problems, Value, nearest};

/// A value and the path to it.
#[derive(Debug, Clone)]
pub(super) struct At<'a> {
    document: &'a Document,
    node: &'a Node,
    pub(super) path: String,
}

impl<'a> At<'a> {
    pub(super) fn root(document: &'a Document) -> Self {
        Self { document, node: document.root(), path: String::new() }
    }

    /// The member of that name, if it is there and not null.
    pub(super) fn get(&self, name: &str) -> Option<Self> {
        let Value::Map(members) = &self.node.value else { return None };
        let (key, _, node) = members.iter().find(|(key, ..)| key.eq_ignore_ascii_case(name))?;
        (node.value != Value::Null).then(|| self.child(key, node))
    }

    fn child(&self, key: &str, node: &'a Node) -> Self {
        Self { document: self.document, node, path: format!("{}/{key}", self.path) }
    }

    /// The member of that name; a problem if it is not there.
    pub(super) fn need(&self, name: &str, problems: &mut Problems) -> Option<Self> {
        let found = self.get(name);
        if found.is_none() {
            problems.push(self.problem(format!("`{name}` is missing")));
        }
        found
    }

    /// The elements of a list.
    pub(super) fn items(&self, problems: &mut Problems) -> Vec<Self> {
        let Value::List(items) = &self.node.value else {
            self.wrong("a list", problems);
            return Vec::new();
        };
        let items = items.iter().enumerate();
        items.map(|(index, node)| self.child(&index.to_string(), node)).collect()
    }

    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        self.document.problem_at(&self.path, message)
    }

    /// Tells of keys that are none of those known.
    pub(super) fn known(&self, known: &[&str], problems: &mut Problems) {
        let Value::Map(members) = &self.node.value else {
            self.wrong("a map", problems);
            return;
        };
        for (key, ..) in members {
            if known.iter().any(|name| name.eq_ignore_ascii_case(key)) {
                continue;
            }
            let path = format!("{}/{key}", self.path);
            let problem = self.document.problem_at_key(&path, format!("unknown key `{key}`"));
            problems.push(match nearest(key, known.iter().copied()) {
                Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
                None => problem.hint(format!("known here: {}", known.join(", "))),
            });
        }
    }

    /// How the key is written.
    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    pub(super) fn wrong(&self, wanted: &str, problems: &mut Problems) {
        let name = self.name();
        let subject = if name.is_empty() { "the file".to_owned() } else { format!("`{name}`") };
        problems
            .push(self.problem(format!("{subject} must be {wanted}, not {}", self.node.kind())));
    }

    pub(super) fn text(&self, problems: &mut Problems) -> Option<&'a str> {
        match self.node.text() {
            Some(text) if text.starts_with('[') && text.ends_with(']') => {
                let message = format!("`{text}` is an expression of a template, not yet evaluated");
                let hint = "give what is deployed: az monitor autoscale show";
                problems.push(self.problem(message).hint(hint));
                None
            }
            Some(text) => Some(text),
            None => {
                self.wrong("text", problems);
                None
            }
        }
    }

    /// A text that may hold an expression, such as a name or an ARM id.
    pub(super) fn free_text(&self, problems: &mut Problems) -> Option<&'a str> {
        let text = self.node.text();
        if text.is_none() {
            self.wrong("text", problems);
        }
        text
    }

    pub(super) fn flag(&self, problems: &mut Problems) -> Option<bool> {
        match &self.node.value {
            Value::Bool(value) => Some(*value),
            Value::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Value::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => {
                self.wrong("true or false", problems);
                None
            }
        }
    }

    /// A whole number, as a number or as text.
    pub(super) fn count(&self, problems: &mut Problems) -> Option<u32> {
        let name = self.name();
        let number = match &self.node.value {
            Value::Int(number) => *number,
            Value::Float(_) => {
                problems.push(self.problem(format!("`{name}` must be a whole number")));
                return None;
            }
            _ => {
                let text = self.text(problems)?;
                let Ok(number) = text.trim().parse::<i128>() else {
                    let message = format!("`{name}` is `{text}`, which is no whole number");
                    problems.push(self.problem(message));
                    return None;
                };
                number
            }
        };
        let count = u32::try_from(number).ok();
        if count.is_none() {
            let message = format!("`{name}` is {number}, which is no count of instances");
            problems.push(self.problem(message));
        }
        count
    }

    /// A finite number, as a number or as text.
    pub(super) fn number(&self, problems: &mut Problems) -> Option<f64> {
        let number = match &self.node.value {
            Value::Int(number) => *number as f64,
            Value::Float(number) => *number,
            _ => {
                let text = self.text(problems)?;
                let Ok(number) = text.trim().parse::<f64>() else {
                    let message = format!("`{}` is `{text}`, which is no number", self.name());
                    problems.push(self.problem(message));
                    return None;
                };
                number
            }
        };
        if number.is_finite() {
            return Some(number);
        }
        let message = format!("`{}` is {number}: nothing can be compared with it", self.name());
        problems.push(self.problem(message));
        None
    }

    /// One of Azure's words, whatever the case of its letters.
    pub(super) fn word<T: Copy>(
        &self,
        known: &[(&'static str, T)],
        problems: &mut Problems,
    ) -> Option<T> {
        let text = self.text(problems)?;
        let found = known.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
        if found.is_none() {
            let words: Vec<_> = known.iter().map(|(word, _)| format!("`{word}`")).collect();
            let message = format!("`{text}` is no `{}`; known: {}", self.name(), words.join(", "));
            let problem = self.problem(message);
            let meant = nearest(text, known.iter().map(|(word, _)| *word));
            problems.push(match meant {
                Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
                None => problem,
            });
        }
        found.map(|(_, value)| *value)
    }

    /// A duration in seconds, within bounds.
    pub(super) fn duration(
        &self,
        (least, most): (u32, u32),
        problems: &mut Problems,
    ) -> Option<u32> {
        let text = self.text(problems)?;
        let Some(seconds) = super::duration::seconds(text) else {
            let message = format!("`{text}` is no duration");
            problems.push(self.problem(message).hint("write for example `PT5M` for five minutes"));
            return None;
        };
        if (least..=most).contains(&seconds) {
            return Some(seconds);
        }
        let (least, most) = (super::duration::short(least), super::duration::short(most));
        let message = format!("`{}` is `{text}`, but must be {least} to {most}", self.name());
        problems.push(self.problem(message));
        None
    }
}
