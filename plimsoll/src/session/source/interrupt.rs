//! Ctrl-C, SIGTERM and SIGHUP (a closed terminal): the first stops the load and waits for what is in
//! flight, the second skips that wait, the third ends the process on the spot. The first two do not
//! skip the removal of what the run created; after the third the host removes itself, as after a
//! kill.
//!
//! A signal that was ignored when the process began stays ignored, as `nohup` wants it.
//!
//! A thread of its own listens, since the session's may hang: in a write to a terminal or pipe that
//! nobody reads, or to a disk that is gone. If it does not take notice of a signal within
//! [`NOTICED`], the process ends with the exit code that the results have, or as interrupted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use plimsoll_host::signals::{received, unless_ignored};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::exit::Exit;

/// How long the session may take to notice a signal. Writing the results is among what it may do
/// meanwhile.
const NOTICED: Duration = Duration::from_secs(5);

/// Does work of the processor alone, which looks now and then whether the first of these was cancelled
/// (the first signal) or the second (the second signal).
///
/// # Errors
/// Signals cannot be listened to.
pub(crate) fn interruptible<T: Send>(
    work: impl FnOnce(CancellationToken, CancellationToken) -> T + Send,
) -> std::io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let interrupt = runtime.block_on(async { Interrupt::listen() })?;
    let (stop, abort) = (interrupt.stop.clone(), interrupt.abort.clone());
    let result = std::thread::scope(|scope| {
        let (working, done) = oneshot::channel::<()>();
        let worker = scope.spawn(move || {
            let _working = working;
            work(stop, abort)
        });
        // It is dropped, never sent.
        let _ = runtime.block_on(done);
        worker.join()
    });
    Ok(result.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
}

/// Tells when the user wants the run to end.
#[derive(Debug)]
pub(in crate::session) struct Interrupt {
    /// Cancelled by the first signal.
    pub(in crate::session) stop: CancellationToken,
    /// Cancelled by the second.
    pub(in crate::session) abort: CancellationToken,
    /// What the process ends with if it must end on the spot.
    exit: Arc<AtomicU8>,
    /// Ends the thread.
    over: CancellationToken,
}

impl Interrupt {
    /// Starts to listen; must be called in a tokio runtime, which is the one that is watched.
    pub(in crate::session) fn listen() -> std::io::Result<Self> {
        let interrupt = Self {
            stop: CancellationToken::new(),
            abort: CancellationToken::new(),
            exit: Arc::new(AtomicU8::new(Exit::Interrupted.code())),
            over: CancellationToken::new(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let signals = {
            let _inside = runtime.enter();
            Signals::listen()?
        };
        let (pings, mut pinged) = mpsc::unbounded_channel::<oneshot::Sender<()>>();
        // Ends with its sender, or with the runtime.
        tokio::spawn(async move {
            while let Some(answer) = pinged.recv().await {
                let _ = answer.send(());
            }
        });
        let listener = Listener {
            signals,
            steps: [interrupt.stop.clone(), interrupt.abort.clone()],
            pings,
            exit: Arc::clone(&interrupt.exit),
        };
        let over = interrupt.over.clone();
        let listen = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = listener.listen() => {}
                    () = over.cancelled() => {}
                }
            });
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(listen)?;
        Ok(interrupt)
    }

    /// The results are written and say this: a signal changes it no more.
    pub(in crate::session) fn decided(&self, exit: Exit) {
        self.exit.store(exit.code(), Ordering::Relaxed);
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.over.cancel();
    }
}

/// What the thread does.
struct Listener {
    signals: Signals,
    steps: [CancellationToken; 2],
    pings: mpsc::UnboundedSender<oneshot::Sender<()>>,
    exit: Arc<AtomicU8>,
}

impl Listener {
    async fn listen(mut self) {
        for step in self.steps.clone() {
            self.signals.next().await;
            step.cancel();
            let (answer, mut answered) = oneshot::channel();
            let _ = self.pings.send(answer);
            // The session may be over, and its runtime gone: then nobody answers, and it is fine.
            if tokio::time::timeout(NOTICED, &mut answered).await.is_err() {
                self.end();
            }
        }
        self.signals.next().await;
        self.end();
    }

    /// Ends the process.
    fn end(&self) {
        std::process::exit(self.exit.load(Ordering::Relaxed).into());
    }
}

/// The signals that end a run.
struct Signals {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
    hang_up: Option<Signal>,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            // A shell without job control has what it starts in the background ignore this one;
            // whoever sends it to such a run all the same means it.
            interrupt: Some(signal(SignalKind::interrupt())?),
            terminate: unless_ignored(SignalKind::terminate())?,
            hang_up: unless_ignored(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            () = received(&mut self.interrupt) => {}
            () = received(&mut self.terminate) => {}
            () = received(&mut self.hang_up) => {}
        }
    }
}
