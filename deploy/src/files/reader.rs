//! What reading a file needs at every step: the document, the folder that paths start from, and
//! the list of problems.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use plimsoll_document::nearest;
use plimsoll_document::{Document, Problems};

use super::names::Wrong;
use super::values::Whole;

pub(super) struct Reader<'a> {
    pub(super) document: &'a Document,
    pub(super) problems: &'a mut Problems,
    pub(super) base: &'a Path,
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
        let problem = self.document.problem_at(at, wrong.message);
        self.problems.push(match wrong.hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        });
    }

    /// The value, or a problem in its place.
    pub(super) fn keep<T>(&mut self, at: &str, value: Result<T, Wrong>) -> Option<T> {
        value.map_err(|wrong| self.wrong(at, wrong)).ok()
    }

    /// Whether the file has a value there.
    pub(super) fn has(&self, at: &str) -> bool {
        let mut node = self.document.root();
        at.split('/').filter(|part| !part.is_empty()).all(|part| match node.child(part) {
            Some(child) => {
                node = child;
                true
            }
            None => false,
        })
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
        if limits.contains(&number) {
            return Some(number);
        }
        let key = last(at);
        let message = if number < *limits.start() {
            format!("`{key}` is {number}, but must be at least {}", limits.start())
        } else {
            format!("`{key}` is {number}, but must be at most {}", limits.end())
        };
        let wrong = Wrong::new(message);
        self.wrong(at, if why.is_empty() { wrong } else { wrong.hint(why) });
        None
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

    /// One of the known words; case and underscores do not matter, as they do not to `az`.
    pub(super) fn choice<T: Copy>(
        &mut self,
        at: &str,
        value: Option<&str>,
        known: &[(&str, T)],
    ) -> Option<T> {
        let text = value?;
        let plain = |word: &str| word.to_lowercase().replace(['_', '-'], "");
        if let Some((_, choice)) = known.iter().find(|(word, _)| plain(word) == plain(text)) {
            return Some(*choice);
        }
        let words: Vec<_> = known.iter().map(|(word, _)| format!("`{word}`")).collect();
        let key = last(at);
        let wrong = Wrong::new(format!("`{text}` is no `{key}`; known: {}", words.join(", ")));
        self.wrong(
            at,
            match nearest(text, known.iter().map(|(word, _)| *word)) {
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

/// The key at the end of a path.
fn last(at: &str) -> &str {
    at.rsplit('/').next().unwrap_or(at)
}

fn local_path(base: &Path, text: &str, want: Want) -> Result<PathBuf, Wrong> {
    if text.trim().is_empty() {
        return Err(Wrong::new("the path is empty"));
    }
    if text.starts_with("azureml:") || text.contains("://") {
        return Err(Wrong::new(format!("`{text}` is not on this machine"))
            .hint("register it in the workspace and refer to it, or give a path"));
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
