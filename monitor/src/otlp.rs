//! Metrics and alerts over OTLP, to any OpenTelemetry receiver.
//!
//! An export must never change what it reports on. The session hands over snapshots, gauges and
//! alerts without waiting; a thread with a small runtime of its own does everything else. A
//! receiver that is dead, slow or full of refusals costs the run nothing but the telemetry, and
//! [`Exporter::finish`], which is bounded in time, says how much that was.
//!
//! Latencies leave as exponential histograms made from the HDR histograms, see [`exponential`];
//! counters and gauges go with them, in `metrics`; alerts are log events, in `event`. OpenTelemetry
//! is named in this module only.

use std::io;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use opentelemetry_otlp::ExporterBuildError;
use plimsoll_domain::{Moment, Snapshot, clock};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use self::delivery::Ledger;
use self::inbox::Inbox;
use self::worker::Context;

mod backoff;
mod channel;
pub mod config;
mod delivery;
mod event;
pub mod exponential;
mod inbox;
mod metrics;
mod post;
mod record;
mod request;
mod sender;
mod worker;

pub use self::config::{Config, Protocol, Temporality};
pub use self::delivery::Delivery;
pub use self::record::{Gauges, Run};

use crate::AlertEvent;

/// How long [`Exporter::finish`] should be given.
pub const FINISH: Duration = Duration::from_secs(5);

/// Why nothing can be exported.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A flag or a variable has a value that cannot be used.
    #[error("{name}: {problem}; {remedy}")]
    Setting {
        /// The flag or the variable.
        name: String,
        /// What is wrong.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
    /// The flag asks for an export, and the environment forbids it.
    #[error("--otlp asks for an export, but OTEL_SDK_DISABLED is true; leave one of them out")]
    Disabled,
    /// The file with the certificates to trust cannot be read.
    #[error("{name}: cannot read `{file}` ({source}); name a readable PEM file")]
    Certificate {
        /// The variable.
        name: String,
        /// The file that it names.
        file: String,
        /// Why not.
        source: io::Error,
    },
    /// No encrypted connection can be set up.
    #[error("cannot set up TLS for {endpoint}: {source}; check OTEL_EXPORTER_OTLP_CERTIFICATE")]
    Tls {
        /// The receiver.
        endpoint: String,
        /// Why not.
        source: io::Error,
    },
    /// The exporter of the alerts cannot be built.
    #[error(
        "cannot export alerts to {endpoint}: {source}; check the OTEL_EXPORTER_OTLP_ variables"
    )]
    Logs {
        /// The receiver.
        endpoint: String,
        /// Why not.
        source: ExporterBuildError,
    },
    /// The exporter's thread or its runtime cannot be started.
    #[error("cannot start the thread that exports: {0}; check the limits on threads and files")]
    Thread(#[source] io::Error),
}

impl Error {
    fn setting(name: &str, problem: &str, remedy: &str) -> Self {
        let [name, problem, remedy] = [name, problem, remedy].map(str::to_owned);
        Self::Setting { name, problem, remedy }
    }
}

/// What a receiver answered: taken, but for so many.
#[derive(Debug, Default)]
struct PartialSuccess {
    rejected: u64,
    message: String,
}

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
            ending: known_ending,
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
