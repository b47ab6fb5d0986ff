//! The exporter's own thread: two loops, one for metrics and one for alerts, so that neither waits
//! for the other's receiver.
//!
//! When the run ends, both loops have until a deadline. A request that is on its way then may use
//! a third of the time that is left, since the last export, which holds the run's totals, needs
//! the rest.

use std::sync::Arc;
use std::time::Duration;

use plimsoll_domain::{Generator, Moment, Tally, clock};
use tokio::sync::watch;

use super::config::{Config, Temporality};
use super::delivery::{Kind, Ledger};
use super::event::Events;
use super::inbox::Inbox;
use super::metrics::View;
use super::request::{Envelope, LARGEST, points};
use super::sender::Sender;
use super::{Error, Gauges, PartialSuccess, Run};

/// The deadline of the run's end, once it is known.
pub(super) type Ending = watch::Receiver<Option<Moment>>;

/// What both loops share.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) inbox: Arc<Inbox>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) ending: Ending,
}

/// Alerts in one request.
const BATCH: usize = 512;

/// Builds both loops. Must be called inside the runtime that runs them.
pub(super) fn prepare(
    config: &Config,
    run: Run,
    context: &Context,
) -> Result<impl Future<Output = ()> + use<>, Error> {
    let resource = run.resource(config.service_name.as_deref(), &config.attributes);
    let logs = config.logs.as_ref().map(|signal| {
        Ok(Alerts {
            events: Events::new(signal, &resource, &run.version, &run.id, run.started)?,
            context: context.clone(),
        })
    });
    let logs = logs.transpose()?;
    let metrics = config.metrics.as_ref().map(|signal| {
        Ok(Metrics {
            sender: Sender::new(signal, seed(&run.id))?,
            envelope: Envelope::new(&resource, &run.version),
            temporality: config.temporality,
            interval: config.interval,
            state: State::default(),
            complete: true,
            context: context.clone(),
            run,
        })
    });
    let metrics = metrics.transpose()?;
    Ok(async move {
        let metrics = async {
            if let Some(metrics) = metrics {
                metrics.run().await;
            }
        };
        let logs = async {
            if let Some(logs) = logs {
                logs.run().await;
            }
        };
        tokio::join!(metrics, logs);
    })
}

struct Metrics {
    sender: Sender,
    envelope: Envelope,
    run: Run,
    temporality: Temporality,
    interval: Duration,
    state: State,
    /// Whether the receiver has everything so far.
    complete: bool,
    context: Context,
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

impl Metrics {
    async fn run(mut self) {
        loop {
            let last = tokio::select! {
                () = tokio::time::sleep(self.interval) => false,
                _ = deadline(&mut self.context.ending) => true,
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
        let delivered = self.deliver(last).await;
        // A cumulative export makes up for all that failed before; a delta export for nothing.
        self.complete = delivered && (cumulative || self.complete);
        self.context.ledger.set_complete(self.complete);
        if !cumulative {
            let State { to, generator, gauges, .. } = std::mem::take(&mut self.state);
            self.state = State { from: to, to, generator, gauges, ..State::default() };
        }
    }

    /// Adds what has gathered; whether anything has.
    fn gather(&mut self) -> bool {
        let Some(gathered) = self.context.inbox.take() else {
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

    /// Sends every request; whether all of them arrived.
    async fn deliver(&mut self, last: bool) -> bool {
        let ledger = &self.context.ledger;
        let view = self.state.view(&self.run, self.temporality);
        let mut complete = true;
        let mut cut_off = false;
        for request in self.envelope.pack(view.metrics(), LARGEST) {
            let count = points(&request);
            ledger.begin(Kind::Points, count);
            if cut_off {
                ledger.lost(Kind::Points, count, CUT_OFF);
                continue;
            }
            let sent = self.sender.deliver(request);
            let answer = before_the_end(&mut self.context.ending, last, sent).await;
            cut_off = answer.is_none();
            if let (true, Some(failure)) = (cut_off, self.sender.failure()) {
                ledger.note(failure);
            }
            complete &= settle(ledger, Kind::Points, count, answer);
        }
        complete
    }
}

impl State {
    fn view<'a>(&'a self, run: &'a Run, temporality: Temporality) -> View<'a> {
        View {
            run,
            temporality,
            from: self.from,
            to: self.to,
            warmup: &self.warmup,
            measured: &self.measured,
            generator: self.generator.as_ref(),
            gauges: self.gauges.as_ref(),
        }
    }
}

struct Alerts {
    events: Events,
    context: Context,
}

impl Alerts {
    async fn run(mut self) {
        loop {
            let last = tokio::select! {
                () = self.context.inbox.alert_came.notified() => false,
                _ = deadline(&mut self.context.ending) => true,
            };
            let alerts = self.context.inbox.take_alerts();
            self.context.ledger.begin(Kind::Logs, alerts.len() as u64);
            for batch in alerts.chunks(BATCH) {
                let sent = self.events.send(batch);
                let answer = before_the_end(&mut self.context.ending, last, sent).await;
                settle(&self.context.ledger, Kind::Logs, batch.len() as u64, answer);
            }
            if last {
                return;
            }
        }
    }
}

const CUT_OFF: &str = "no answer before the export had to end";

/// Writes down what became of `count` that left; whether all of them arrived.
fn settle(
    ledger: &Ledger,
    kind: Kind,
    count: u64,
    answer: Option<Result<PartialSuccess, String>>,
) -> bool {
    match answer {
        Some(Ok(PartialSuccess { rejected, message })) => {
            ledger.arrived(kind, count, rejected);
            if !message.is_empty() {
                ledger.note(&format!("the receiver says: {message}"));
            }
            rejected == 0
        }
        Some(Err(error)) => {
            ledger.lost(kind, count, &error);
            false
        }
        None => {
            ledger.lost(kind, count, CUT_OFF);
            false
        }
    }
}

/// Waits for the work unless the run's end cuts it off.
async fn before_the_end<T>(
    ending: &mut Ending,
    last: bool,
    work: impl Future<Output = T>,
) -> Option<T> {
    let cut_off = async {
        let left = deadline(ending).await.since(clock::now());
        tokio::time::sleep(if last { left } else { left / 3 }).await;
    };
    tokio::select! {
        biased;
        done = work => Some(done),
        () = cut_off => None,
    }
}

/// Waits until the run ends; the moment by which the export must have ended, too. An exporter that
/// is dropped without a word ends at once.
async fn deadline(ending: &mut Ending) -> Moment {
    let known = ending.wait_for(Option::is_some).await;
    known.ok().and_then(|moment| *moment).unwrap_or_default()
}

/// A seed for the jitter from the run's identity (FNV-1a).
fn seed(run_id: &str) -> u64 {
    run_id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
