//! A setting from the commands that make it: `az monitor autoscale create`, `rule create` and
//! `profile create`, as a shell script or a page of documentation has them.
//!
//! Source: azure-cli 2.91. Variables stay as they are written (`$DEPLOYMENT_RESOURCE_ID`), other
//! commands are passed over. As `az` does, a recurring profile brings a copy of the default profile,
//! named `{"name": …, "for": …}`, which starts where it ends.

mod command;
mod words;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use plimsoll_document::{Problem, Problems};

use super::Setting;
use command::Reader;
use words::commands;

/// Where the profiles and rules of a script stand in its text.
pub(crate) type Spans = BTreeMap<String, Range<usize>>;

/// Whether a text is a script that makes a setting.
pub fn is_script(text: &str) -> bool {
    text.contains("az monitor autoscale ")
}

/// Reads the setting that a script makes. `None` if it cannot be used; then `problems` say why.
pub fn read_script(
    file: &str,
    text: &str,
    problems: &mut Problems,
) -> Option<(Setting, BTreeMap<String, Range<usize>>)> {
    let (file, source): (Arc<str>, Arc<str>) = (Arc::from(file), Arc::from(text));
    let before = problems.len();
    let mut reader = Reader::new(&file, &source, problems);
    for command in commands(text) {
        reader.command(&command);
    }
    let (setting, spans) = reader.finish();
    if setting.is_none() && problems.len() == before {
        let message = "there is no `az monitor autoscale create` in this script";
        problems.push(Problem::new(&file, &source, 0..0, message));
    }
    setting.filter(|_| problems.len() == before).map(|setting| (setting, spans))
}

#[cfg(test)]
mod tests;
