//! What an instance writes to its output, kept for `getLogs` and for the error of a failed start.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

/// Lines that are kept per instance; the oldest go first.
const LINES: usize = 5_000;

/// Bytes of a line that are kept; the rest of a longer line becomes lines of its own.
const LINE_BYTES: u64 = 8 * 1024;

/// The last lines of one instance, over all its restarts.
#[derive(Debug, Clone, Default)]
pub(super) struct Log {
    lines: Arc<Mutex<VecDeque<String>>>,
}

impl Log {
    /// Adds a line.
    pub(super) fn push(&self, line: String) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// The last `count` lines, oldest first.
    pub(super) fn tail(&self, count: usize) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        end_of(&lines, 0..lines.len(), count)
    }

    /// Why it failed, in at most `count` lines: the exception of a Python program, which says much
    /// about itself after it; else the last lines.
    pub(super) fn explanation(&self, count: usize) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        end_of(&lines, exception(&lines).unwrap_or(0..lines.len()), count)
    }

    /// Adds what is read, line by line, until the writer closes.
    pub(super) async fn follow(self, from: impl AsyncRead + Unpin) {
        let mut reader = BufReader::new(from);
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let read = (&mut reader).take(LINE_BYTES).read_until(b'\n', &mut bytes).await;
            if !matches!(read, Ok(count) if count > 0) {
                return;
            }
            let line = String::from_utf8_lossy(&bytes);
            self.push(line.trim_end_matches(['\n', '\r']).to_owned());
        }
    }
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

/// The last exception, from its heading to its message. Where the server gives one of the scoring
/// script as the cause of its own, it is the script's.
fn exception(lines: &VecDeque<String>) -> Option<Range<usize>> {
    let caused = |line: &String| line.contains("was the direct cause of the following exception");
    let end = lines.iter().rposition(caused).unwrap_or(lines.len());
    let heading = |line: &String| line.contains("Traceback (most recent call last):");
    let start = lines.range(..end).rposition(heading)?;
    let message = |line: &String| !line.is_empty() && !line.starts_with(' ');
    let message = lines.range(start + 1..).position(message)?;
    Some(start..start + 1 + message + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(text: &str) -> Log {
        let log = Log::default();
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
        let alone = log(&format!("starting\n{script}{last}"));
        assert_eq!(alone.explanation(9), script);
        assert_eq!(alone.explanation(2), "    raise\nValueError: no\n");
        let handled = log(&format!("{server}{script}{cause}{server}{last}"));
        assert_eq!(handled.explanation(9), script, "neither an earlier one nor the server's own");
        assert_eq!(log(last).explanation(1), "E - shutting down\n");
        let cut = log("Traceback (most recent call last):\n  File a");
        assert_eq!(cut.explanation(9), cut.tail(9));
    }

    #[tokio::test]
    async fn lines_are_split_cut_and_bounded() {
        let log = Log::default();
        let overlong = "x".repeat(LINE_BYTES as usize + 1);
        log.clone().follow(format!("one\r\n{overlong}\nlast").as_bytes()).await;
        assert_eq!(log.tail(1), "last\n");
        assert_eq!(log.tail(9).lines().map(str::len).collect::<Vec<_>>(), [3, 8192, 1, 4]);
        for number in 0..2 * LINES {
            log.push(number.to_string());
        }
        assert_eq!(log.tail(usize::MAX).lines().count(), LINES);
        assert_eq!(log.tail(1), format!("{}\n", 2 * LINES - 1));
    }
}
