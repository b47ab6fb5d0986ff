//! `events.jsonl`: what happened and when, one JSON object per line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Seconds since the first due time; negative before it.
    pub t_s: f64,
    /// What kind of thing.
    pub kind: EventKind,
    /// A sentence, without secrets.
    pub message: String,
    /// Further facts, by name.
    #[serde(flatten)]
    pub details: BTreeMap<String, serde_json::Value>,
}

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The run or the load went on to another phase or stage.
    Phase,
    /// An endpoint or deployment was created, became ready, failed or was removed.
    Deployment,
    /// The number of instances changed, or was decided to.
    Scale,
    /// An alert changed its state.
    Alert,
    /// Something is not as it should be; the run goes on.
    Warning,
    /// Something could not be done.
    Error,
}

impl EventKind {
    /// The word shown in reports.
    pub fn label(self) -> &'static str {
        match self {
            Self::Phase => "phase",
            Self::Deployment => "deployment",
            Self::Scale => "scale",
            Self::Alert => "alert",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Event {
    /// An event without further facts.
    pub fn new(t_s: f64, kind: EventKind, message: impl Into<String>) -> Self {
        Self { t_s, kind, message: message.into(), details: BTreeMap::new() }
    }

    /// The same event with one more fact.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// The line in the file.
    pub(super) fn line(&self) -> String {
        let json = serde_json::to_string(self).expect("an event has only string keys");
        format!("{json}\n")
    }
}

/// Reads the lines that are whole; a killed run or a full disk may have cut the last.
pub fn read(text: &str) -> Vec<Event> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_as_it_was_written_and_a_cut_line_is_skipped() {
        let event = Event::new(3.5, EventKind::Scale, "2 → 3 instances").with("to", 3);
        let text = format!("{}{}{{\"t_s\": 4", event.line(), event.line());
        assert_eq!(read(&text), [event.clone(), event]);
    }
}
