//! A run in virtual time: it happens as fast as it is asked for.

use std::time::{Duration, SystemTime};

use plimsoll_simulate::{Counts, Happening, Simulation};
use tokio_util::sync::CancellationToken;

use super::{Event, Instances, Source};

/// Tells what happens in a simulation.
pub(in crate::session) struct SimulatedSource {
    simulation: Simulation,
    /// Until it is told.
    begins: Option<SystemTime>,
    /// The user wants the run to end.
    interrupt: CancellationToken,
    is_cut: bool,
    is_stopped: bool,
}

impl SimulatedSource {
    /// A simulation that has told nothing yet. Its first moment is called `begins`.
    pub(in crate::session) fn new(
        simulation: Simulation,
        begins: SystemTime,
        interrupt: CancellationToken,
    ) -> Self {
        let (is_cut, is_stopped) = (false, false);
        Self { simulation, begins: Some(begins), interrupt, is_cut, is_stopped }
    }
}

impl Source for SimulatedSource {
    fn stop(&mut self) {
        self.is_stopped = true;
        self.simulation.stop();
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
            return Event::Interrupted { at: self.simulation.now() };
        }
        match self.simulation.advance() {
            Happening::Interval(snapshot) => Event::Interval(snapshot),
            Happening::Instances { at, counts } => instances(at, counts),
            Happening::Ended => Event::Ended { stopped_early: self.is_stopped },
        }
    }
}

fn instances(at: Duration, counts: Vec<Counts>) -> Event {
    let each = |counts: Counts| {
        let Counts { deployment, ready, wanted, starting } = counts;
        Instances { deployment, ready, wanted, starting }
    };
    Event::Instances { at, instances: counts.into_iter().map(each).collect() }
}
