//! What a person sees while a command works: the only module that prints.
//!
//! Progress goes to standard error (a live block on a terminal, plain lines elsewhere), what was
//! asked for goes to standard output.

mod live;

use std::fmt::Display;
use std::io::IsTerminal;
#[cfg(not(test))]
use std::io::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use plimsoll_document::Problems;
use plimsoll_domain::{Moment, clock};

pub(crate) use live::Live;

/// How often a line is printed where there is no terminal.
const PLAIN_EVERY: Duration = Duration::from_secs(5);
/// What fits on a line of a terminal.
const STEP_WIDTH: usize = 110;

/// Prints to standard output. A reader that went away is not an error.
#[cfg_attr(test, expect(clippy::print_stdout, reason = "the test harness captures only this"))]
pub(crate) fn print(text: &impl Display) {
    #[cfg(not(test))]
    drop(writeln!(std::io::stdout(), "{text}"));
    #[cfg(test)]
    println!("{text}");
}

/// Prints to standard error.
#[cfg_attr(test, expect(clippy::print_stderr, reason = "the test harness captures only this"))]
pub(crate) fn note(text: &impl Display) {
    #[cfg(not(test))]
    drop(writeln!(std::io::stderr(), "{text}"));
    #[cfg(test)]
    eprintln!("{text}");
}

/// Prints an error with its causes.
pub(crate) fn error(error: &anyhow::Error) {
    note(&format!("error: {error:#}"));
}

/// Prints problems in files, in colour on a terminal.
pub(crate) fn problems(problems: &Problems) {
    note(&problems.render(std::io::stderr().is_terminal()));
}

/// The progress of a run.
#[derive(Debug)]
pub(crate) struct View {
    bar: Option<ProgressBar>,
    last_line: Option<Duration>,
    last_step: String,
    last_detail: Moment,
}

impl View {
    /// A live block if standard error is a terminal, plain lines if not.
    pub(crate) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
            bar.set_style(ProgressStyle::with_template("{msg}").expect("the template is constant"));
            bar
        });
        Self { bar, last_line: None, last_step: String::new(), last_detail: clock::now() }
    }

    /// Says what happens, on a line that stays.
    pub(crate) fn line(&self, text: impl Into<String>) {
        let text = text.into();
        match &self.bar {
            Some(bar) => bar.suspend(|| note(&text)),
            None => note(&text),
        }
    }

    /// Says what is under way, on a line that the next one replaces. Without a terminal each step
    /// is a line, and its details are told only now and then.
    pub(crate) fn step(&mut self, step: &str, detail: &str) {
        let text = if detail.is_empty() { step.to_owned() } else { format!("{step}: {detail}") };
        let short: String = text.chars().take(STEP_WIDTH).collect();
        if let Some(bar) = &self.bar {
            bar.set_message(short);
            return;
        }
        let now = clock::now();
        if step != self.last_step || now.since(self.last_detail) >= PLAIN_EVERY {
            step.clone_into(&mut self.last_step);
            self.last_detail = now;
            note(&short);
        }
    }

    /// Shows the state of the load.
    pub(crate) fn live(&mut self, live: &Live) {
        if let Some(bar) = &self.bar {
            bar.set_message(live.block());
        } else if self.last_line.is_none_or(|last| live.elapsed >= last + PLAIN_EVERY) {
            self.last_line = Some(live.elapsed);
            note(&live.line());
        }
    }

    /// Takes the live block away.
    pub(crate) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
