//! The loop that exports metrics, once in each interval and once at the end.

use std::sync::Arc;
use std::time::Duration;

use plimsoll_domain::Snapshot;

use super::super::config::Temporality;
use super::super::courier::Courier;
use super::super::gauges::Gauges;
use super::super::inbox::Inbox;
use super::super::metrics::{View, metrics};
use super::super::request::Envelope;
use super::super::run::Run;
use super::super::signal::Metrics;

pub(super) struct Measurements {
    courier: Courier<Metrics>,
    envelope: Envelope,
    inbox: Arc<Inbox>,
    temporality: Temporality,
    interval: Duration,
    run: Run,
    state: State,
    /// Whether the receiver has everything so far.
    complete: bool,
}

/// What the next export says.
#[derive(Default)]
struct State {
    /// The snapshots that it is about, as one.
    snapshot: Snapshot,
    gauges: Option<Gauges>,
}

impl Measurements {
    pub(super) fn new(
        courier: Courier<Metrics>,
        envelope: Envelope,
        inbox: Arc<Inbox>,
        temporality: Temporality,
        interval: Duration,
        run: Run,
    ) -> Self {
        let state = State::default();
        Self { courier, envelope, inbox, temporality, interval, run, state, complete: true }
    }

    pub(super) async fn run(mut self) {
        loop {
            let last = tokio::select! {
                () = tokio::time::sleep(self.interval) => false,
                _ = self.courier.ending.deadline() => true,
            };
            self.export(last).await;
            if last {
                return;
            }
        }
    }

    async fn export(&mut self, last: bool) {
        let new = self.gather();
        let cumulative = self.temporality == Temporality::Cumulative;
        let again = last && cumulative && !self.complete;
        if !new && !again {
            return;
        }
        let State { snapshot, gauges } = &self.state;
        let view = View::new(&self.run, self.temporality, snapshot, gauges.as_ref());
        let requests = self.envelope.metrics(metrics(&view));
        let delivered = self.courier.deliver(&requests, last).await;
        // A cumulative export makes up for all that failed before; a delta export for nothing.
        self.complete = delivered && (cumulative || self.complete);
        self.courier.ledger.set_complete(self.complete);
        if !cumulative {
            let State { snapshot, .. } = &mut self.state;
            // The states of the generator hold until others come.
            let Snapshot { end, generator, names, .. } = std::mem::take(snapshot);
            *snapshot = Snapshot { start: end, end, generator, names, ..Snapshot::default() };
        }
    }

    /// Adds what has gathered; whether anything has.
    fn gather(&mut self) -> bool {
        let Some(gathered) = self.inbox.take() else {
            return false;
        };
        let state = &mut self.state;
        if let Some(snapshot) = gathered.snapshot {
            state.snapshot.append(&snapshot);
        }
        state.gauges = gathered.gauges.or(state.gauges.take());
        true
    }
}
