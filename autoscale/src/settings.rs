//! What a cluster decides and no rules file of it says (a controller's flags, what is not
//! documented) stands in the file as annotations `plimsoll/<name>`, which clusters keep and ignore.

use std::collections::BTreeMap;

use plimsoll_document::{Document, Problems, escape, nearest};

use crate::span;

const PREFIX: &str = "plimsoll/";

/// The annotations of one file, and which of them were asked for.
pub(crate) struct Settings<'a> {
    document: &'a Document,
    given: &'a BTreeMap<String, String>,
    path: &'a str,
    problems: &'a mut Problems,
    known: Vec<&'static str>,
}

impl<'a> Settings<'a> {
    /// The annotations `given`, which stand at `path`.
    pub(crate) fn new(
        document: &'a Document,
        given: &'a BTreeMap<String, String>,
        path: &'a str,
        problems: &'a mut Problems,
    ) -> Self {
        Self { document, given, path, problems, known: Vec::new() }
    }

    /// A number of at least 0.
    pub(crate) fn number(&mut self, name: &'static str, value: &mut f64) {
        self.with(name, value, |text| {
            let number = text.parse().ok().filter(|n: &f64| n.is_finite() && *n >= 0.0);
            number.ok_or_else(|| format!("`{text}` is not a number of at least 0"))
        });
    }

    /// A duration in Go's notation; `value` is in seconds.
    pub(crate) fn span(&mut self, name: &'static str, value: &mut f64) {
        self.with(name, value, span::parse);
    }

    fn with(&mut self, name: &'static str, value: &mut f64, read: fn(&str) -> Result<f64, String>) {
        self.known.push(name);
        let key = format!("{PREFIX}{name}");
        match self.given.get(&key).map(|text| read(text)) {
            None => {}
            Some(Ok(given)) => *value = given,
            Some(Err(wrong)) => self.wrong(&key, format!("{key}: {wrong}"), None),
        }
    }

    /// Tells those that nothing asked for.
    pub(crate) fn end(&mut self) {
        for key in self.given.keys() {
            let Some(name) = key.strip_prefix(PREFIX) else { continue };
            if !self.known.contains(&name) {
                let near = nearest(name, self.known.iter().copied());
                let hint = match near {
                    Some(near) => format!("did you mean `{PREFIX}{near}`?"),
                    None => format!("there are: {}", self.known.join(", ")),
                };
                self.wrong(key, format!("`{key}` is no setting of these rules"), Some(hint));
            }
        }
    }

    fn wrong(&mut self, key: &str, message: String, hint: Option<String>) {
        let path = format!("{}/{}", self.path, escape(key));
        let problem = self.document.problem_at(&path, message);
        self.problems.push(match hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        });
    }
}
