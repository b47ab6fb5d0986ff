//! Shifts an endpoint's traffic while it is under load, as the scenario's stages say, and takes it back at the first
//! breach. [`plimsoll_deploy::shift`] decides; a task of its own asks the control plane, so that the session waits for
//! nothing. A stage that follows a mirrored one begins only if who worked on the copies was no worse ([`compare`]).

mod compare;

use std::sync::{Arc, mpsc};

use plimsoll_deploy::arm::wire::Answers;
use plimsoll_deploy::arm::{ArmDriver, Error};
use plimsoll_deploy::shift::{Action, Shares, Shift};
use plimsoll_monitor::Verdict;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

use super::failure::Failure;
use super::sink::{Output, Sink};
use super::site;
pub(super) use compare::Comparison;
use compare::compare;

/// A shift under way.
pub(super) struct Shifter {
    shift: Shift,
    /// Those that hold, as far as they were asked for.
    shares: Shares,
    /// With a place for each step, and for one back.
    wanted: Sender<Step>,
    asking: JoinHandle<Result<Option<String>, Error>>,
    driver: Arc<ArmDriver>,
    endpoint: String,
}

/// Shares to set, after a comparison of who worked on copies with who had the requests.
struct Step {
    shares: Shares,
    after: Option<Shares>,
}

/// Sets shares, one after the other.
struct Hands {
    driver: Arc<ArmDriver>,
    endpoint: String,
    before: Shares,
    told: mpsc::Sender<Comparison>,
}

impl Shifter {
    /// Begins a shift of this endpoint. Comparisons of what worked on copies come by the channel.
    pub(super) fn start(
        shift: Shift,
        driver: Arc<ArmDriver>,
        endpoint: &str,
    ) -> (Self, mpsc::Receiver<Comparison>) {
        let (wanted, inbox) = channel::<Step>(shift.actions());
        let (told, comparisons) = mpsc::channel();
        let (shares, endpoint) = (shift.before().clone(), endpoint.to_owned());
        let (hands, name) = (Arc::clone(&driver), endpoint.clone());
        let hands = Hands { driver: hands, endpoint: name, before: shares.clone(), told };
        let asking = tokio::spawn(hands.work(inbox));
        (Self { shift, shares, wanted, asking, driver, endpoint }, comparisons)
    }

    /// Waits for what was asked for, and deletes the deployments that a whole shift has left without traffic, if all
    /// objectives are met: what is not decided is no reason to burn the way back. Returns their names, or why the shift
    /// was held up.
    pub(super) async fn finish(self, is_met: bool) -> Result<Finished, Failure> {
        let failed = |error| Failure::Deployment(site::Error::Deploy(error));
        drop(self.wanted);
        let held_up = self.asking.await.unwrap_or(Ok(None)).map_err(failed)?;
        let is_whole = is_met && held_up.is_none();
        let retired = if is_whole { self.shift.retired() } else { Vec::new() };
        let retired: Vec<String> = retired.into_iter().map(str::to_owned).collect();
        for name in &retired {
            self.driver.delete_deployment(&self.endpoint, name).await.map_err(failed)?;
        }
        Ok(Finished { retired, held_up })
    }
}

/// How a shift ended.
pub(super) struct Finished {
    /// The deployments that were deleted.
    pub(super) retired: Vec<String>,
    /// What was worse under mirrored load, if anything was.
    pub(super) held_up: Option<String>,
}

impl Hands {
    /// Returns why it has held the shift up, if it has: then the shares are again those of the beginning.
    async fn work(self, mut inbox: Receiver<Step>) -> Result<Option<String>, Error> {
        while let Some(Step { shares, after }) = inbox.recv().await {
            if let Some(after) = after
                && let Some(worse) = self.compare(&after).await?
            {
                self.set(&self.before).await?;
                return Ok(Some(worse));
            }
            self.set(&shares).await?;
            if !shares.mirror.is_empty() {
                // From here on it is counted.
                self.driver.take_answers(&self.endpoint).await?;
            }
        }
        Ok(None)
    }

    async fn set(&self, Shares { traffic, mirror }: &Shares) -> Result<(), Error> {
        self.driver.set_shares(&self.endpoint, traffic, mirror).await.map(drop)
    }

    /// Tells how who worked on copies did; returns it if it is worse.
    async fn compare(&self, shares: &Shares) -> Result<Option<String>, Error> {
        let Some(new) = shares.mirror.keys().next() else { return Ok(None) };
        let mut answers = self.driver.take_answers(&self.endpoint).await?;
        let copies = answers.remove(new).unwrap_or_default();
        let mut live = Answers::default();
        for name in shares.traffic.keys() {
            let of_it = answers.remove(name).unwrap_or_default();
            live.wrong += of_it.wrong;
            live.latencies.merge(&of_it.latencies);
        }
        let old = shares.traffic.keys().map(String::as_str).collect::<Vec<_>>().join(" and ");
        let comparison = compare((&old, &live), (new, &copies));
        let worse = comparison.is_worse.then(|| comparison.text.clone());
        // Nobody listens once the load has ended; `finish` says it then.
        let _ = self.told.send(comparison);
        Ok(worse)
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
        let step = match action {
            None => return Ok(()),
            Some(Action::RollBack(shares)) => Step { shares, after: None },
            Some(Action::Set(shares)) => {
                let before = std::mem::replace(&mut self.shares, shares.clone());
                Step { shares, after: Some(before).filter(|before| !before.mirror.is_empty()) }
            }
        };
        // A task that has failed, or has held the shift up, says why when it is waited for.
        let _ = self.wanted.try_send(step);
        Ok(())
    }
}
