//! Metrics and alerts over OTLP, to any OpenTelemetry receiver.
//!
//! An export must never change what it reports on. The session hands over snapshots, gauges and
//! alerts without waiting; a thread with a small runtime of its own does everything else. A
//! receiver that is dead, slow or full of refusals costs the run nothing but the telemetry, and
//! [`Exporter::finish`], which is bounded in time, says how much that was.
//!
//! Latencies leave as exponential histograms made from the HDR histograms, see [`exponential`];
//! counters and gauges go with them, in `metrics`; alerts are log events, in `alert`. OpenTelemetry
//! is named in this module only.
//!
//! # One way out
//!
//! Metrics and alerts are built as OTLP's own messages and leave by one sender, over gRPC and HTTP,
//! with one rule for what is tried again (`retry`), one deadline at the end (`courier`) and one
//! balance of what arrived, was lost and was rejected (`delivery`). The exporters of
//! `opentelemetry-otlp` cannot be that sender, for three reasons. They take what the SDK recorded,
//! one value at a time, where we have merged histograms. They keep what a receiver rejects in a
//! partial success to themselves, so that rejected alerts would count as delivered. And they try
//! again by a rule of their own, which says nothing of a failure while it goes on: of a request
//! that the run's end cuts off we could not say why it had not arrived.
//!
//! What is OpenTelemetry's is taken from its crates all the same: attributes, scope and severities
//! from `opentelemetry`; the names of the standard's variables and its defaults from
//! `opentelemetry-otlp`. Its exporter is the measure of ours: the tests send the same alert and the
//! same metrics by both ways to one receiver, which must get the same messages.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use plimsoll_domain::{Moment, Snapshot, clock};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use self::courier::Ending;
use self::delivery::Ledger;
use self::inbox::Inbox;
use self::worker::Context;
use crate::AlertEvent;

mod alert;
mod channel;
pub mod config;
mod courier;
mod delivery;
mod error;
pub mod exponential;
mod gauges;
mod inbox;
mod metrics;
mod post;
mod request;
mod retry;
mod run;
mod sender;
mod signal;
mod untrusted;
mod wire;
mod worker;

pub use self::config::{Config, Protocol, Temporality};
pub use self::delivery::Delivery;
pub use self::error::Error;
pub use self::gauges::{Autoscale, Gauges, Instances};
pub use self::run::Run;

/// How long [`Exporter::finish`] should be given.
pub const FINISH: Duration = Duration::from_secs(5);

/// Exports one run.
#[derive(Debug)]
pub struct Exporter {
    inbox: Arc<Inbox>,
    ledger: Arc<Ledger>,
    ending: watch::Sender<Option<Moment>>,
    done: mpsc::Receiver<()>,
    has_metrics: bool,
    has_logs: bool,
}

impl Exporter {
    /// Starts the thread that exports. No connection is made yet: a receiver that is not there is
    /// a loss at the end and no error now.
    ///
    /// # Errors
    /// When TLS cannot be set up, or the thread cannot be started.
    pub fn start(config: &Config, run: Run) -> Result<Self, Error> {
        let (inbox, ledger) = (Arc::<Inbox>::default(), Arc::<Ledger>::default());
        let (ending, known_ending) = watch::channel(None);
        let context = Context {
            inbox: Arc::clone(&inbox),
            ledger: Arc::clone(&ledger),
            ending: Ending(known_ending),
        };
        let (has_metrics, has_logs) = (config.metrics.is_some(), config.logs.is_some());
        let runtime = Builder::new_current_thread().enable_all().build().map_err(Error::Thread)?;
        let loops = {
            let _inside = runtime.enter();
            worker::prepare(config, run, &context)?
        };
        let (finished, done) = mpsc::channel();
        let work = move || {
            export(runtime, loops);
            // Nobody listens any more when the exporter was dropped; that is fine.
            let _ = finished.send(());
        };
        thread::Builder::new().name("otlp".to_owned()).spawn(work).map_err(Error::Thread)?;
        Ok(Self { inbox, ledger, ending, done, has_metrics, has_logs })
    }

    /// Takes what an interval measured. Never waits for the receiver, never fails.
    pub fn interval(&self, snapshot: &Snapshot) {
        if self.has_metrics {
            self.inbox.interval(snapshot);
        }
    }

    /// Takes what holds at the moment. Never waits for the receiver, never fails.
    pub fn gauges(&self, gauges: Gauges) {
        if self.has_metrics {
            self.inbox.gauges(gauges);
        }
    }

    /// Takes an alert, which is sent at once. Never waits for the receiver, never fails.
    pub fn alert(&self, alert: AlertEvent) {
        if self.has_logs {
            self.inbox.alert(alert, &self.ledger);
        }
    }

    /// Exports what is left, within `deadline`, and says what arrived. Blocks that long at most,
    /// but for a quarter of a second.
    pub fn finish(self, deadline: Duration) -> Delivery {
        // The receiving end lives as long as the thread; without it there is nothing to tell.
        let _ = self.ending.send(Some(clock::now() + deadline));
        if self.done.recv_timeout(deadline + Duration::from_millis(250)).is_err() {
            let left = self.inbox.take_alerts().len() as u64;
            self.ledger.begin(delivery::Kind::Logs, left);
        }
        self.ledger.close()
    }
}

fn export(runtime: Runtime, loops: impl Future<Output = ()>) {
    runtime.block_on(loops);
    // A name lookup that hangs must not keep the thread.
    runtime.shutdown_background();
}
