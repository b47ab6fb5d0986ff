//! What is written of an instance, kept for `getLogs`, for the error of a failed start, and for the exceptions
//! of its scoring script.
//!
//! An instance has two logs, as on Azure: one of what it was given before its start, and one of what its process
//! writes. Both are kept in memory, over all its restarts, and the oldest lines go when a log has too many lines or
//! bytes. With the instance they are gone.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

use super::traceback::Reader;

/// Lines and bytes that are kept per log; the oldest lines go first. So many lines are what `az` asks for.
const LINES: usize = 5_000;
const BYTES: usize = 1024 * 1024;

/// Bytes of a line that are kept; the rest of a longer line becomes lines of its own.
const LINE_BYTES: u64 = 8 * 1024;

/// Different exceptions that are told of per instance.
const TOLD: usize = 5;

/// Last lines that follow an exception in an explanation: it may be one that the script has handled.
const AFTER_EXCEPTION: usize = 10;

/// The last lines of one log.
#[derive(Debug, Clone)]
pub(super) struct Log {
    /// Whose it is: `blue/0`.
    pub(super) name: Arc<str>,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<String>,
    /// Of all lines.
    bytes: usize,
    /// Different ones, in the order of their first coming, and the last that came.
    exceptions: Vec<String>,
    last_exception: Option<String>,
}

/// How a start failed: it decides what of the log explains it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// The process ended, most likely by an exception.
    Ended,
    /// It is there, but not ready: an exception in the log may have nothing to do with it.
    NotReady,
}

impl Log {
    /// Nothing yet.
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.into(), kept: Arc::default() }
    }

    /// Adds a line.
    pub(super) fn push(&self, line: String) {
        let mut kept = self.lock();
        kept.bytes += line.len();
        kept.lines.push_back(line);
        while kept.lines.len() > LINES || kept.bytes > BYTES {
            let Some(oldest) = kept.lines.pop_front() else { break };
            kept.bytes -= oldest.len();
        }
    }

    /// The last `count` lines, oldest first.
    pub(super) fn tail(&self, count: usize) -> String {
        let lines = &self.lock().lines;
        end_of(lines, 0..lines.len(), count)
    }

    /// The last exception that a request ended with.
    pub(super) fn last_exception(&self) -> Option<String> {
        self.lock().last_exception.clone()
    }

    /// Why a start failed: what is known of `init()`, and the lines that tell more, about `count` of them.
    pub(super) fn explanation(&self, failure: Failure, count: usize) -> String {
        let lines = &self.lock().lines;
        let whole = 0..lines.len();
        let init = init_of(lines).map_or_else(String::new, |init| format!("; {init}"));
        let cause = caused(lines).or_else(|| exception(lines, whole.end));
        let text = match cause.filter(|_| failure == Failure::Ended) {
            // The server says itself what kept it from starting.
            Some(cause) if caused(lines).is_some() => end_of(lines, cause, count),
            Some(cause) if cause.end + AFTER_EXCEPTION < whole.end => {
                let after = end_of(lines, whole, AFTER_EXCEPTION);
                format!("{}…\n{after}", end_of(lines, cause, count))
            }
            _ => end_of(lines, whole, count),
        };
        format!("{init}\n{text}")
    }

    /// Adds what is read, line by line, until the writer closes.
    pub(super) async fn follow(self, from: impl AsyncRead + Unpin) {
        let mut reader = BufReader::new(from);
        let mut exceptions = Reader::default();
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let read = (&mut reader).take(LINE_BYTES).read_until(b'\n', &mut bytes).await;
            if !matches!(read, Ok(count) if count > 0) {
                break;
            }
            let line = String::from_utf8_lossy(&bytes);
            let line = line.trim_end_matches(['\n', '\r']).to_owned();
            let raised = exceptions.read(&line);
            self.push(line);
            if let Some(raised) = raised {
                self.raised(raised.to_string());
            }
        }
        if let Some(raised) = exceptions.end() {
            self.raised(raised.to_string());
        }
    }

    /// Keeps an exception of `run()`, and tells of it when it is a new one.
    fn raised(&self, exception: String) {
        let mut kept = self.lock();
        let known = kept.exceptions.contains(&exception);
        if !known && kept.exceptions.len() < TOLD {
            let instance = &*self.name;
            // As a value, so that the subscriber escapes what a script may have put into it.
            let text = exception.as_str();
            tracing::warn!(instance, exception = text, "the scoring script raises an exception");
            kept.exceptions.push(exception.clone());
        }
        kept.last_exception = Some(exception);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last `count` lines of each log, under its name if there is more than one, as `tail` does it.
pub(super) fn together(logs: impl IntoIterator<Item = Log>, count: usize) -> String {
    let logs: Vec<Log> = logs.into_iter().collect();
    if let [only] = logs.as_slice() {
        return only.tail(count);
    }
    let named = |log: &Log| format!("==> {} <==\n{}", log.name, log.tail(count));
    logs.iter().map(named).collect::<Vec<_>>().join("\n")
}

/// The last `count` lines of a part.
fn end_of(lines: &VecDeque<String>, part: Range<usize>, count: usize) -> String {
    let start = part.start.max(part.end.saturating_sub(count));
    let mut text = String::new();
    for line in lines.range(start..part.end) {
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// The exception of the scoring script that the server gives as the cause of its own.
fn caused(lines: &VecDeque<String>) -> Option<Range<usize>> {
    let caused = |line: &String| line.contains("was the direct cause of the following exception");
    exception(lines, lines.iter().rposition(caused)?)
}

/// The last exception before a line, from its heading to its message.
fn exception(lines: &VecDeque<String>, end: usize) -> Option<Range<usize>> {
    let heading = |line: &String| line.contains("Traceback (most recent call last):");
    let start = lines.range(..end).rposition(heading)?;
    let message = |line: &String| !line.is_empty() && !line.starts_with(' ');
    let message = lines.range(start + 1..).position(message)?;
    Some(start..start + 1 + message + 1)
}

/// What the inference server's log says about an `init()` that neither returned nor raised.
fn init_of(lines: &VecDeque<String>) -> Option<String> {
    let invoked = lines.iter().rposition(|line| line.contains("Invoking user's init function"))?;
    let over = ["init has completed successfully", "init function failed"];
    if lines.range(invoked..).any(|line| over.iter().any(|words| line.contains(words))) {
        return None;
    }
    let ended = |line: &&String| {
        line.contains("Worker (pid:") && (line.contains(" exited ") || line.contains(" was sent "))
    };
    Some(match lines.iter().rev().find(ended) {
        Some(line) => {
            let how = line.rsplit(" - ").next().unwrap_or(line);
            format!("`init()` of the scoring script ends its process: {how}")
        }
        None => "`init()` of the scoring script has not returned".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(text: &str) -> Log {
        let log = Log::new("blue/0");
        text.lines().for_each(|line| log.push(line.to_owned()));
        log
    }

    #[test]
    fn an_exception_explains_more_than_the_last_lines() {
        let script =
            "E - Traceback (most recent call last):\n  File a\n    raise\nValueError: no\n";
        let server = "Traceback (most recent call last):\n  File b\nServerError: caught it\n";
        let cause = "\nThe above exception was the direct cause of the following exception:\n\n";
        let last = "I - contents:\nE - shutting down\n";
        let explanation = |text: &str, count| {
            log(text).explanation(Failure::Ended, count).trim_start().to_owned()
        };
        let alone = format!("starting\n{script}{last}");
        assert_eq!(explanation(&alone, 9), alone);
        let far = format!("starting\n{script}{}{last}", "more\n".repeat(AFTER_EXCEPTION));
        let more = "more\n".repeat(AFTER_EXCEPTION - 2);
        assert_eq!(explanation(&far, 9), format!("{script}…\n{more}{last}"));
        let handled = format!("{server}{script}{cause}{server}{last}");
        assert_eq!(explanation(&handled, 9), script, "neither an earlier one nor the server's own");
        assert_eq!(explanation(&handled, 2), "    raise\nValueError: no\n".trim_start());
        assert_eq!(explanation(last, 1), "E - shutting down\n");
        let cut = "Traceback (most recent call last):\n  File a\n";
        assert_eq!(explanation(cut, 9), cut);
    }

    /// A script may print what it has handled.
    #[test]
    fn an_init_that_hangs_or_leaves_is_not_explained_by_a_harmless_traceback() {
        let harmless = "Traceback (most recent call last):\n  File a\nZeroDivisionError: no\n";
        let invoked = "I [1] azmlinfsrv.user_script - Invoking user's init function\n";
        let last = "I [1] azmlinfsrv.print - waiting for the feature store\n";
        let hangs = log(&format!("{harmless}{invoked}{last}"));
        let expected = "; `init()` of the scoring script has not returned\n";
        assert_eq!(hangs.explanation(Failure::NotReady, 1), format!("{expected}{last}"));
        let left = "E [1] gunicorn.error - Worker (pid:9) exited with code 7.\n";
        let leaves = log(&format!("{harmless}{invoked}{left}{invoked}"));
        let text = leaves.explanation(Failure::NotReady, 2);
        assert!(text.starts_with("; `init()` of the scoring script ends its process: Worker (pid:9) exited with code 7."), "{text}");
        let done = "I [1] azmlinfsrv.user_script - Users's init has completed successfully\n";
        let slow = log(&format!("{invoked}{done}"));
        assert_eq!(slow.explanation(Failure::NotReady, 1), format!("\n{done}"));
    }

    #[tokio::test]
    async fn the_exceptions_of_requests_are_kept() {
        let log = Log::new("blue/0");
        let raised = |word| {
            format!(
                "E [1] azmlinfsrv - Encountered Exception: Traceback (most recent call last):\n  File \"/c/score.py\", line 2, in run\nKeyError: '{word}'\n"
            )
        };
        log.clone().follow(raised("age").as_bytes()).await;
        log.clone().follow(raised("name").as_bytes()).await;
        let expected = "KeyError: 'name' (score.py, line 2, in run)";
        assert_eq!(log.last_exception().as_deref(), Some(expected));
        assert_eq!(log.lock().exceptions.len(), 2);
    }

    #[tokio::test]
    async fn lines_are_split_cut_and_bounded() {
        let log = Log::new("blue/0");
        let overlong = "x".repeat(LINE_BYTES as usize + 1);
        log.clone().follow(format!("one\r\n{overlong}\nlast").as_bytes()).await;
        assert_eq!(log.tail(1), "last\n");
        assert_eq!(log.tail(9).lines().map(str::len).collect::<Vec<_>>(), [3, 8192, 1, 4]);
        for number in 0..2 * LINES {
            log.push(number.to_string());
        }
        assert_eq!(log.tail(usize::MAX).lines().count(), LINES);
        assert_eq!(log.tail(1), format!("{}\n", 2 * LINES - 1));
        let widest = "x".repeat(LINE_BYTES as usize);
        (0..LINES).for_each(|_| log.push(widest.clone()));
        assert_eq!(log.tail(usize::MAX).lines().count(), BYTES / LINE_BYTES as usize);
    }

    #[test]
    fn logs_are_told_apart_when_there_is_more_than_one() {
        let (first, second) = (log("a\nb\n"), Log::new("blue/7"));
        second.push("c".to_owned());
        assert_eq!(together([first.clone()], 1), "b\n");
        let both = "==> blue/0 <==\nb\n\n==> blue/7 <==\nc\n";
        assert_eq!(together([first, second], 1), both);
        assert_eq!(together([], 1), "");
    }
}
