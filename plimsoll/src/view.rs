//! What a person sees while a command works: the only module that prints.
//!
//! Progress goes to standard error (a live block on a terminal, plain lines elsewhere), what was
//! asked for goes to standard output. Everything is made fit for the stream first, see `medium`.

mod live;
mod medium;

use std::fmt::Display;
use std::io::IsTerminal;
#[cfg(not(test))]
use std::io::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use plimsoll_document::Problems;
use plimsoll_domain::{Moment, clock, plain, with_causes};
use serde::Serialize;

pub(crate) use live::{Live, Stand};
use medium::Medium;

/// How often a line is printed where there is no terminal.
const PLAIN_EVERY: Duration = Duration::from_secs(5);
/// What is shown of a step, unless a terminal has less room.
const STEP_WIDTH: usize = 110;

/// Prints to standard output. A reader that went away is not an error.
pub(crate) fn print(text: &impl Display) {
    print_raw(&Medium::output().fit(&text.to_string()));
}

/// Prints a value as JSON to standard output.
///
/// # Errors
/// It is none.
pub(crate) fn json(value: &impl Serialize) -> serde_json::Result<()> {
    print_raw(&plain::json(&serde_json::to_string_pretty(value)?));
    Ok(())
}

/// Prints a script of ours to standard output, as it is: a shell reads it.
pub(crate) fn script(text: &str) {
    print_raw(text.trim_end());
}

/// Prints lines to standard output, for programs too: they stay as long as they are.
pub(crate) fn output(text: &str) {
    print_raw(&plain::text(text));
}

#[cfg_attr(test, expect(clippy::print_stdout, reason = "the test harness captures only this"))]
fn print_raw(text: &str) {
    #[cfg(not(test))]
    drop(writeln!(std::io::stdout(), "{text}"));
    #[cfg(test)]
    println!("{text}");
}

/// Prints to standard error.
pub(crate) fn note(text: &impl Display) {
    note_raw(&Medium::error().fit(&text.to_string()));
}

#[cfg_attr(test, expect(clippy::print_stderr, reason = "the test harness captures only this"))]
fn note_raw(text: &str) {
    #[cfg(not(test))]
    drop(writeln!(std::io::stderr(), "{text}"));
    #[cfg(test)]
    eprintln!("{text}");
}

/// Prints an error with its causes.
pub(crate) fn error(error: &anyhow::Error) {
    note(&format!("error: {}", with_causes(error.as_ref())));
}

/// Prints problems in files.
pub(crate) fn problems(problems: &Problems) {
    // The lines that are shown of a file are not broken.
    let medium = Medium { width: None, ..Medium::error() };
    note_raw(&medium.fit(&problems.to_string()));
}

/// A line of our own log, which is plain text: it may be read anywhere.
pub(crate) fn log(line: &[u8]) -> String {
    plain::text(&String::from_utf8_lossy(line)).into_owned()
}

/// The progress of a run.
#[derive(Debug)]
pub(crate) struct View {
    bar: Option<ProgressBar>,
    is_quiet: bool,
    last_line: Option<Duration>,
    last_step: String,
    last_detail: Moment,
}

impl View {
    /// A live block if standard error is a terminal, plain lines if not; nothing at all if quiet.
    pub(crate) fn new(is_quiet: bool) -> Self {
        let bar = (std::io::stderr().is_terminal() && !is_quiet).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
            bar.set_style(ProgressStyle::with_template("{msg}").expect("the template is constant"));
            bar
        });
        let (last_line, last_step, last_detail) = (None, String::new(), clock::now());
        Self { bar, is_quiet, last_line, last_step, last_detail }
    }

    /// Says what happens, on a line that stays.
    pub(crate) fn line(&self, text: impl Into<String>) {
        let text = text.into();
        match &self.bar {
            Some(bar) => bar.suspend(|| note(&text)),
            None if self.is_quiet => {}
            None => note(&text),
        }
    }

    /// Says what is under way, on a line that the next one replaces. Without a terminal each step
    /// is a line, and its details are told only now and then.
    pub(crate) fn step(&mut self, step: &str, detail: &str) {
        let text = if detail.is_empty() { step.to_owned() } else { format!("{step}: {detail}") };
        let medium = Medium::error();
        let width = medium.width.map_or(STEP_WIDTH, |width| width - 1);
        let short: String = plain::line(&text).chars().take(width).collect();
        if let Some(bar) = &self.bar {
            bar.set_message(short);
            return;
        }
        let now = clock::now();
        let is_due = step != self.last_step || now.since(self.last_detail) >= PLAIN_EVERY;
        if is_due && !self.is_quiet {
            step.clone_into(&mut self.last_step);
            self.last_detail = now;
            note(&short);
        }
    }

    /// Shows the state of the load.
    pub(crate) fn live(&mut self, live: &Live) {
        if let Some(bar) = &self.bar {
            let medium = Medium::error();
            // A line that fills the last column would be broken by some terminals.
            let width = medium.width.map_or(STEP_WIDTH, |width| width - 1);
            bar.set_message(Medium { width: Some(width), ..medium }.fit(&live.block(width)));
        } else if self.last_line.is_none_or(|last| live.elapsed >= last + PLAIN_EVERY) {
            self.last_line = Some(live.elapsed);
            self.line(live.line());
        }
    }

    /// Takes the live block away.
    pub(crate) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
