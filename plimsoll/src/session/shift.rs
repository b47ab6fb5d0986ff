//! Shifts an endpoint's traffic while it is under load, as the scenario's stages say, and takes it back at the first
//! breach. [`plimsoll_deploy::shift`] decides; a task of its own asks the control plane, so that the session waits for
//! nothing.

use std::sync::Arc;

use plimsoll_deploy::arm::{ArmDriver, Error};
use plimsoll_deploy::shift::{Action, Shares, Shift};
use plimsoll_monitor::Verdict;
use tokio::sync::mpsc::{Sender, channel};
use tokio::task::JoinHandle;

use super::failure::Failure;
use super::sink::{Output, Sink};
use super::site;

/// A shift under way.
pub(super) struct Shifter {
    shift: Shift,
    /// With a place for each step, and for one back.
    wanted: Sender<Shares>,
    asking: JoinHandle<Result<(), Error>>,
    driver: Arc<ArmDriver>,
    endpoint: String,
}

impl Shifter {
    /// Begins a shift of this endpoint.
    pub(super) fn start(shift: Shift, driver: Arc<ArmDriver>, endpoint: &str) -> Self {
        let (wanted, mut inbox) = channel::<Shares>(shift.actions());
        let (asker, name) = (Arc::clone(&driver), endpoint.to_owned());
        let asking = tokio::spawn(async move {
            while let Some(Shares { traffic, mirror }) = inbox.recv().await {
                asker.set_shares(&name, &traffic, &mirror).await?;
            }
            Ok(())
        });
        Self { shift, wanted, asking, driver, endpoint: endpoint.to_owned() }
    }

    /// Waits for what was asked for, and deletes the deployments that a whole shift has left without traffic, if all
    /// objectives are met: what is not decided is no reason to burn the way back. Returns their names.
    pub(super) async fn finish(self, is_met: bool) -> Result<Vec<String>, Failure> {
        let failed = |error| Failure::Deployment(site::Error::Deploy(error));
        drop(self.wanted);
        self.asking.await.unwrap_or(Ok(())).map_err(failed)?;
        let retired = if is_met { self.shift.retired() } else { Vec::new() };
        let retired: Vec<String> = retired.into_iter().map(str::to_owned).collect();
        for name in &retired {
            self.driver.delete_deployment(&self.endpoint, name).await.map_err(failed)?;
        }
        Ok(retired)
    }
}

impl Sink for Shifter {
    fn take(&mut self, output: &Output<'_>) -> Result<(), Failure> {
        let action = match output {
            Output::Begun { .. } => self.shift.next(std::time::Duration::ZERO, false),
            Output::Interval(interval) => {
                let mut standing = interval.monitor.current().into_iter();
                let is_breached = standing.any(|one| one.verdict == Verdict::Breached);
                self.shift.next(interval.snapshot.end, is_breached)
            }
            Output::Event(_) | Output::Alert(_) | Output::Evaluation { .. } => None,
        };
        if let Some(Action::Set(shares) | Action::RollBack(shares)) = action {
            // A task that has failed says why when it is waited for.
            let _ = self.wanted.try_send(shares);
        }
        Ok(())
    }
}
