//! A run in virtual time: it happens as fast as it is asked for.

use std::time::SystemTime;

use tokio_util::sync::CancellationToken;

use super::{Event, Source};
use crate::session::VirtualRun;

/// Tells what happens in a simulation.
pub(in crate::session) struct SimulatedSource {
    run: VirtualRun,
    /// Until it is told.
    begins: Option<SystemTime>,
    /// The user wants the run to end.
    interrupt: CancellationToken,
    is_cut: bool,
}

impl SimulatedSource {
    /// A run that has told nothing yet. Its first moment is called `begins`.
    pub(in crate::session) fn new(
        run: VirtualRun,
        begins: SystemTime,
        interrupt: CancellationToken,
    ) -> Self {
        Self { run, begins: Some(begins), interrupt, is_cut: false }
    }
}

impl Source for SimulatedSource {
    fn stop(&mut self) {
        self.run.stop();
    }

    async fn next(&mut self) -> Event {
        if let Some(first_due) = self.begins.take() {
            return Event::Begun { first_due };
        }
        // Whoever asks whether the session still lives gets an answer here.
        tokio::task::yield_now().await;
        if self.interrupt.is_cancelled() && !self.is_cut {
            self.is_cut = true;
            self.stop();
            return Event::Interrupted { at: self.run.now() };
        }
        self.run.next()
    }
}
