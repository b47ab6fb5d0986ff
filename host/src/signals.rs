//! Signals that end a process, unless it was started to ignore them.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for a signal that this process does not ignore; `None` for one that it does, as what
/// `nohup` starts does with SIGHUP. To be called before anything else listens for it, and in a tokio
/// runtime.
///
/// # Errors
/// It cannot be listened for.
pub fn unless_ignored(kind: SignalKind) -> io::Result<Option<Signal>> {
    let is_ignored = ignored() >> (kind.as_raw_value() - 1) & 1 == 1;
    if is_ignored { Ok(None) } else { signal(kind).map(Some) }
}

/// Returns when the signal comes; never, if nobody listens for it.
pub async fn received(signal: &mut Option<Signal>) {
    if let Some(signal) = signal
        && signal.recv().await.is_some()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// The signals that this process ignores: as it was started, where none has been listened for.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}
