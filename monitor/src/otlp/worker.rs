//! The exporter's own work: two loops, one for metrics and one for alerts, so that neither waits
//! for the other's receiver.

use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;

use super::config::Config;
use super::config::receiver::Receiver;
use super::courier::{Courier, Ending};
use super::delivery::Ledger;
use super::error::Error;
use super::inbox::Inbox;
use super::request::Envelope;
use super::run::Run;
use super::sender::Sender;
use super::signal::{Logs, Metrics, Signal};

mod alerts;
mod measurements;

/// What both loops share.
pub(super) struct Context {
    pub(super) inbox: Arc<Inbox>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) ending: Ending,
}

/// Builds both loops. Must be called inside the runtime that runs them.
pub(super) fn prepare(
    config: &Config,
    run: Run,
    context: &Context,
) -> Result<impl Future<Output = ()> + use<>, Error> {
    let resource = run.resource(config.service_name.as_deref(), &config.attributes);
    let envelope = Envelope::new(&resource, &run.version);
    let logs = config.logs.as_ref().map(|receiver| {
        Ok(alerts::Alerts {
            courier: courier::<Logs>(receiver, &run, context)?,
            envelope: envelope.clone(),
            inbox: Arc::clone(&context.inbox),
            run_id: run.id.clone(),
            started: run.started,
        })
    });
    let logs = logs.transpose()?;
    let metrics = config.metrics.as_ref().map(|receiver| {
        let courier = courier::<Metrics>(receiver, &run, context)?;
        let inbox = Arc::clone(&context.inbox);
        let (temporality, interval) = (config.temporality, config.interval);
        Ok(measurements::Measurements::new(courier, envelope, inbox, temporality, interval, run))
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

fn courier<S: Signal>(
    receiver: &Receiver,
    run: &Run,
    context: &Context,
) -> Result<Courier<S>, Error> {
    Ok(Courier {
        sender: Sender::new(receiver, seed(&run.id, S::NAME))?,
        ledger: Arc::clone(&context.ledger),
        ending: context.ending.clone(),
    })
}

/// A seed for the jitter, another one for each run and signal.
fn seed(run_id: &str, signal: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(run_id.as_bytes());
    hasher.write(signal.as_bytes());
    hasher.finish()
}
