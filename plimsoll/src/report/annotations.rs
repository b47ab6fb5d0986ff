//! What is not as it should be, as annotations that a CI server shows beside the job.
//!
//! Sources: GitHub, *Workflow commands* (`%`, line ends, and in properties `:` and `,` are escaped);
//! Microsoft, *Azure Pipelines logging commands* (`%`, line ends, and in properties `;` and `]`).

use clap::ValueEnum;
use plimsoll_domain::plain;
use plimsoll_monitor::{ValidityState, Verdict};
use plimsoll_study::compare::Answer;

use super::comparison::Compared;
use super::words;
use crate::results::Summary;

/// Whose annotations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Annotations {
    /// Of GitHub Actions
    Github,
    /// Of Azure Pipelines
    Azure,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Error,
    Warning,
}

impl Annotations {
    /// Of a run: its validity, and each objective that is not met.
    pub(crate) fn of_run(self, summary: &Summary) -> Vec<String> {
        let name = &summary.scenario.name;
        let mut lines = Vec::new();
        let reasons = summary.validity.reasons.join("; ");
        match summary.validity.state {
            ValidityState::Invalid => {
                lines.push(self.line(Level::Error, &format!("{name}: invalid"), &reasons));
                return lines;
            }
            ValidityState::Degraded => {
                lines.push(self.line(Level::Warning, &format!("{name}: degraded"), &reasons));
            }
            ValidityState::Valid => {}
        }
        for objective in &summary.objectives {
            let (level, word) = match objective.verdict {
                Verdict::Met => continue,
                Verdict::Breached => (Level::Error, "breached"),
                Verdict::Inconclusive => (Level::Warning, "inconclusive"),
            };
            let title = format!("{name}: {word}");
            lines.push(self.line(level, &title, &words::evidence(objective)));
        }
        lines
    }

    /// Of a comparison: each metric that has regressed, or is open.
    pub(crate) fn of_comparison(self, compared: &Compared) -> Vec<String> {
        let sentences = compared.sentences();
        let line = |(answer, sentence): (Answer, String)| {
            let level = match answer {
                Answer::NoChange | Answer::Improved => return None,
                Answer::Regressed => Level::Error,
                Answer::Inconclusive => Level::Warning,
            };
            let title = format!("{}: {}", compared.scenario(), answer.name());
            Some(self.line(level, &title, &sentence))
        };
        sentences.into_iter().filter_map(line).collect()
    }

    fn line(self, level: Level, title: &str, message: &str) -> String {
        let ends = |text: &str| text.replace('\r', "%0D").replace('\n', "%0A");
        let (title, message) = (plain::line(title), plain::line(message));
        match self {
            Self::Github => {
                let data = |text: &str| ends(&text.replace('%', "%25"));
                let title = data(&title).replace(':', "%3A").replace(',', "%2C");
                let level = if level == Level::Error { "error" } else { "warning" };
                format!("::{level} title={title}::{}", data(&message))
            }
            Self::Azure => {
                let data = |text: &str| ends(&text.replace('%', "%AZP25"));
                let level = if level == Level::Error { "error" } else { "warning" };
                format!("##vso[task.logissue type={level}]{}: {}", data(&title), data(&message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_command_is_escaped() {
        let line = |of: Annotations| of.line(Level::Error, "a: b, 5 %", "more than\n1 % :]");
        assert_eq!(
            line(Annotations::Github),
            "::error title=a%3A b%2C 5 %25::more than\\n1 %25 :]"
        );
        assert_eq!(
            line(Annotations::Azure),
            "##vso[task.logissue type=error]a: b, 5 %AZP25: more than\\n1 %AZP25 :]"
        );
    }
}
