//! Ctrl-C and SIGTERM: the first stops the load and waits for what is in flight, the second skips
//! that wait. Neither skips the removal of what the run created.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Tells when the user wants the run to end.
#[derive(Debug)]
pub(in crate::session) struct Interrupt {
    /// Cancelled by the first signal.
    pub(in crate::session) stop: CancellationToken,
    /// Cancelled by the second.
    pub(in crate::session) abort: CancellationToken,
    listener: JoinHandle<()>,
}

impl Interrupt {
    /// Starts to listen; must be called in a tokio runtime.
    pub(in crate::session) fn listen() -> std::io::Result<Self> {
        let (stop, abort) = (CancellationToken::new(), CancellationToken::new());
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        let tokens = (stop.clone(), abort.clone());
        let listener = tokio::spawn(async move {
            let (mut interrupt, mut terminate) = (interrupt, terminate);
            next(&mut interrupt, &mut terminate).await;
            tokens.0.cancel();
            next(&mut interrupt, &mut terminate).await;
            tokens.1.cancel();
        });
        Ok(Self { stop, abort, listener })
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn next(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
