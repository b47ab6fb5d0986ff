//! What an instance writes to its output, kept for `getLogs` and for the error of a failed start.

use std::collections::VecDeque;
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
        let skip = lines.len().saturating_sub(count);
        let mut text = String::new();
        for line in lines.iter().skip(skip) {
            text.push_str(line);
            text.push('\n');
        }
        text
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

#[cfg(test)]
mod tests {
    use super::*;

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
