//! The loop that exports metrics, once in each interval and once at the end.

use std::sync::Arc;
use std::time::Duration;

use plimsoll_domain::{Generator, Tally};

use super::super::config::Temporality;
use super::super::courier::Courier;
use super::super::gauges::Gauges;
use super::super::inbox::Inbox;
use super::super::metrics::{Series, View, metrics};
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
    warmup: Tally,
    measured: Tally,
    from: Duration,
    to: Duration,
    generator: Option<Generator>,
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
        let view = self.state.view(&self.run, self.temporality);
        let requests = self.envelope.metrics(metrics(&view));
        let delivered = self.courier.deliver(&requests, last).await;
        // A cumulative export makes up for all that failed before; a delta export for nothing.
        self.complete = delivered && (cumulative || self.complete);
        self.courier.ledger.set_complete(self.complete);
        if !cumulative {
            let State { to, generator, gauges, .. } = std::mem::take(&mut self.state);
            self.state = State { from: to, to, generator, gauges, ..State::default() };
        }
    }

    /// Adds what has gathered; whether anything has.
    fn gather(&mut self) -> bool {
        let Some(gathered) = self.inbox.take() else {
            return false;
        };
        let state = &mut self.state;
        state.warmup.merge(&gathered.warmup);
        state.measured.merge(&gathered.measured);
        if gathered.generator.is_some() {
            state.generator = gathered.generator;
            state.to = gathered.end;
        }
        state.gauges = gathered.gauges.or(state.gauges.take());
        true
    }
}

impl State {
    fn view<'a>(&'a self, run: &'a Run, temporality: Temporality) -> View<'a> {
        View {
            run,
            temporality,
            from: self.from,
            to: self.to,
            series: vec![
                Series::phase("warmup", &self.warmup),
                Series::phase("measured", &self.measured),
            ],
            generator: self.generator.as_ref(),
            gauges: self.gauges.as_ref(),
        }
    }
}
