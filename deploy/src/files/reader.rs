//! What reading a file needs at every step: the document, the folder that paths start from, and
//! the list of problems.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use plimsoll_document::{Document, Old, Problem, Problems, Wrong, nearest, placeholder, yaml_1_1};

use super::values::{self, Anything, Version, Whole};

pub(super) struct Reader<'a> {
    pub(super) document: &'a Document,
    pub(super) problems: &'a mut Problems,
    pub(super) base: &'a Path,
}

/// Which other spellings of a word `az` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// Capital letters are small ones.
    Lower,
    /// A capital letter within the word begins a new one: `AMLToken` is `aml_token`.
    Camel,
}

/// What a path must lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    File,
    Folder,
    Either,
}

impl Reader<'_> {
    /// A problem with the value at `at`.
    pub(super) fn wrong(&mut self, at: &str, wrong: Wrong) {
        let problem = self.problem(at, wrong);
        self.problems.push(problem);
    }

    /// Something at `at` that is perhaps not what was meant.
    pub(super) fn warn(&mut self, at: &str, wrong: Wrong) {
        let problem = self.problem(at, wrong).warning();
        self.problems.push(problem);
    }

    fn problem(&self, at: &str, wrong: Wrong) -> Problem {
        let problem = self.document.problem_at(at, wrong.message);
        match wrong.hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }

    /// A note on keys that are taken and do nothing: at the first of those that the file has.
    pub(super) fn ignored(&mut self, keys: &[&str], why: &str) {
        let given: Vec<&str> = keys.iter().copied().filter(|at| self.has(at)).collect();
        let Some(first) = given.first() else { return };
        let named: Vec<String> = given.iter().map(|at| format!("`{}`", dotted(at))).collect();
        let problem = self.document.problem_at_key(first, format!("{}: {why}", named.join(", ")));
        self.problems.push(problem.note());
    }

    /// The value, or a problem in its place.
    pub(super) fn keep<T>(&mut self, at: &str, value: Result<T, Wrong>) -> Option<T> {
        value.map_err(|wrong| self.wrong(at, wrong)).ok()
    }

    /// Whether the file has a value there.
    pub(super) fn has(&self, at: &str) -> bool {
        self.document.has(at)
    }

    /// Whether a key of the file is neither there nor probably meant by one that is.
    pub(super) fn lacks(&self, key: &str) -> bool {
        let root = self.document.root();
        root.child(key).is_none() && !root.keys().any(|other| nearest(other, [key]).is_some())
    }

    /// A problem with a key that is not known, if a missing one was probably meant by it.
    pub(super) fn misspelt(&mut self, key: &str) {
        let root = self.document.root();
        if root.child(key).is_some() {
            return;
        }
        if let Some(other) = root.keys().find(|other| nearest(other, [key]).is_some()) {
            let message = format!("unknown key `{other}` in the file");
            let problem = self.document.problem_at_key(&format!("/{other}"), message);
            self.problems.push(problem.hint(format!("did you mean `{key}`?")));
        }
    }

    /// Values that are kept as they are written, with a warning where `az` sends something else.
    pub(super) fn written(
        &mut self,
        at: &str,
        values: Option<BTreeMap<String, Anything>>,
    ) -> BTreeMap<String, String> {
        let values = values.unwrap_or_default();
        for key in values.keys() {
            let at = format!("{at}/{key}");
            if let Some(plain) = self.document.spelling(&at).map(str::to_owned) {
                self.read_otherwise(&at, &plain);
            }
        }
        for (key, Anything(text)) in &values {
            if let Some(found) = placeholder::find_in_prose(text) {
                let wrong = Wrong::new(format!("`{}` looks like a placeholder", &text[found]));
                self.warn(&format!("{at}/{key}"), wrong.hint("it is sent as it is"));
            }
        }
        values.into_iter().map(|(key, Anything(text))| (key, text)).collect()
    }

    fn read_otherwise(&mut self, at: &str, plain: &str) {
        let Some(sent) = values::sent(plain) else { return };
        let text = if plain.is_empty() {
            format!("`{}` has no value: az sends nothing", last(at))
        } else {
            format!("az reads `{plain}` by YAML 1.1 and sends {sent}; this machine takes `{plain}`")
        };
        self.warn(at, Wrong::new(text).hint(format!("quote it: '{plain}'")));
    }

    /// A version, with a warning where `az` takes it for another number than it is written.
    pub(super) fn version(&mut self, at: &str, version: Option<Version>) -> Option<String> {
        let Version(version) = version?;
        let at = format!("{at}/version");
        if let Some(plain) = self.document.spelling(&at).map(str::to_owned) {
            self.read_otherwise(&at, &plain);
        }
        Some(version)
    }

    /// A number within Azure's limits; `why` is the reason for them.
    pub(super) fn number(
        &mut self,
        at: &str,
        value: Option<Whole>,
        limits: RangeInclusive<i64>,
        why: &str,
    ) -> Option<i64> {
        let Whole(number) = value?;
        self.whole(at, number);
        let (least, most) = (i128::from(*limits.start()), i128::from(*limits.end()));
        if (least..=most).contains(&number) {
            return i64::try_from(number).ok();
        }
        let key = last(at);
        let message = if number < least {
            format!("`{key}` is {number}, but must be at least {}", limits.start())
        } else {
            format!("`{key}` is {number}, but must be at most {}", limits.end())
        };
        let wrong = Wrong::new(message);
        self.wrong(at, if why.is_empty() { wrong } else { wrong.hint(why) });
        None
    }

    /// `az` cuts a fraction off, and reads some spellings in its own way.
    fn whole(&mut self, at: &str, number: i128) {
        let Some(plain) = self.document.spelling(at).map(str::to_owned) else { return };
        match yaml_1_1(&plain) {
            Old::Float(exact) if exact.fract() != 0.0 => {
                let wrong = Wrong::new(format!("az cuts `{plain}` down to {number}"));
                self.warn(at, wrong.hint(format!("write `{number}`")));
            }
            Old::Int(_) if plain.trim_start_matches(['+', '-']) != number.abs().to_string() => {
                let wrong = Wrong::new(format!("az reads `{plain}` as {number}"));
                self.warn(at, wrong.hint(format!("write `{number}`")));
            }
            _ => {}
        }
    }

    /// A count of at least one.
    pub(super) fn count(
        &mut self,
        at: &str,
        value: Option<Whole>,
        most: u32,
        why: &str,
    ) -> Option<NonZeroU32> {
        let number = self.number(at, value, 1..=i64::from(most), why)?;
        NonZeroU32::new(u32::try_from(number).ok()?)
    }

    /// A duration in whole milliseconds.
    pub(super) fn millis(
        &mut self,
        at: &str,
        value: Option<Whole>,
        limits: RangeInclusive<i64>,
        why: &str,
    ) -> Option<Duration> {
        Some(Duration::from_millis(self.number(at, value, limits, why)?.unsigned_abs()))
    }

    /// A duration in whole seconds, at least one.
    pub(super) fn seconds(&mut self, at: &str, value: Option<Whole>) -> Option<Duration> {
        let number = self.number(at, value, 1..=i64::from(u32::MAX), "in whole seconds")?;
        Some(Duration::from_secs(number.unsigned_abs()))
    }

    /// One of the known words, in the spellings that `az` takes for them.
    pub(super) fn choice<T: Copy>(
        &mut self,
        at: &str,
        value: Option<&str>,
        spelling: Spelling,
        known: &[(&str, T)],
    ) -> Option<T> {
        let text = value?;
        let plain = match spelling {
            Spelling::Lower => text.to_lowercase(),
            Spelling::Camel => snake(text),
        };
        if let Some((_, choice)) = known.iter().find(|(word, _)| *word == plain) {
            return Some(*choice);
        }
        let words: Vec<_> = known.iter().map(|(word, _)| format!("`{word}`")).collect();
        let key = last(at);
        let wrong = Wrong::new(format!("`{text}` is no `{key}`; known: {}", words.join(", ")));
        let meant = nearest(text, known.iter().map(|(word, _)| *word));
        self.wrong(
            at,
            match meant {
                Some(meant) => wrong.hint(format!("did you mean `{meant}`?")),
                None => wrong,
            },
        );
        None
    }

    /// A path on this machine that leads to what is wanted, made absolute.
    pub(super) fn path(&mut self, at: &str, text: &str, want: Want) -> Option<PathBuf> {
        let found = local_path(self.base, text, want);
        self.keep(at, found)
    }
}

/// `SystemAssigned` as `system_assigned`, in the way of `az`.
fn snake(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let mut snake = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| letters[before]);
        let after = letters.get(at + 1);
        let begins = letter.is_ascii_uppercase()
            && before.is_some_and(|before| {
                before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || after.is_some_and(char::is_ascii_lowercase)
            });
        if begins {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// A path as people write it: `/model/path` as `model.path`.
fn dotted(at: &str) -> String {
    at.trim_start_matches('/').replace('/', ".")
}

/// The key at the end of a path.
fn last(at: &str) -> &str {
    at.rsplit('/').next().unwrap_or(at)
}

/// Whether a text is an address, so that there is nothing to look for on this machine.
pub(super) fn is_address(text: &str) -> bool {
    let scheme = |scheme: &str| {
        let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        scheme.len() > 1 && scheme.chars().all(letters)
    };
    let known = ["azureml:", "runs:", "models:"];
    known.iter().any(|known| text.starts_with(known))
        || text.split_once("://").is_some_and(|(before, _)| scheme(before))
}

fn local_path(base: &Path, text: &str, want: Want) -> Result<PathBuf, Wrong> {
    if text.trim().is_empty() {
        return Err(Wrong::new("the path is empty"));
    }
    if is_address(text) {
        return Err(Wrong::new(format!("`{text}` is not on this machine"))
            .hint("give a path on this machine"));
    }
    let path = std::path::absolute(base.join(text))
        .map_err(|error| Wrong::new(format!("`{text}` is no path: {error}")))?;
    let missing = || Wrong::new(format!("`{text}` does not exist"));
    let found = match std::fs::metadata(&path) {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(missing().hint(format!("looked for {}", path.display())));
        }
        Err(error) => {
            return Err(Wrong::new(format!("`{text}` cannot be read: {error}")));
        }
    };
    match want {
        Want::File if !found.is_file() => {
            Err(Wrong::new(format!("`{text}` must be a file, and is a folder")))
        }
        Want::Folder if !found.is_dir() => {
            Err(Wrong::new(format!("`{text}` must be a folder, and is a file")))
        }
        _ => Ok(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each as `az` spells it.
    #[test]
    fn words_are_taken_apart_at_their_capitals() {
        for (text, snaked) in [
            ("key", "key"),
            ("KEY", "key"),
            ("AMLToken", "aml_token"),
            ("AML_TOKEN", "aml_token"),
            ("aadToken", "aad_token"),
            ("SystemAssigned", "system_assigned"),
            ("System_Assigned", "system__assigned"),
            ("system-assigned", "system-assigned"),
        ] {
            assert_eq!(snake(text), snaked, "{text}");
        }
    }

    #[test]
    fn addresses_are_told_from_paths() {
        for address in
            ["azureml://datastores/d/paths/p", "runs:/r/m", "https://x.y/z", "wasbs://a@b/c"]
        {
            assert!(is_address(address), "{address}");
        }
        for path in ["model/", "./a:b", "C:\\model", "a//b", "../x"] {
            assert!(!is_address(path), "{path}");
        }
    }
}
