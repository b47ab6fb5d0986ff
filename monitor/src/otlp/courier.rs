//! Takes requests to a receiver, within the time there is, and keeps the balance.
//!
//! When the run ends, there is a deadline. A request that is on its way then may use a third of the
//! time that is left, since the last export, which holds the run's totals, needs the rest.

use std::sync::Arc;

use plimsoll_domain::{Moment, clock};
use tokio::sync::watch;

use super::delivery::{CUT_OFF, Ledger};
use super::sender::Sender;
use super::signal::{PartialSuccess, Signal};

/// The deadline of the run's end, once it is known.
#[derive(Clone)]
pub(super) struct Ending(pub(super) watch::Receiver<Option<Moment>>);

impl Ending {
    /// Waits until the run ends; the moment by which the export must have ended, too. An exporter
    /// that is dropped without a word ends at once.
    pub(super) async fn deadline(&mut self) -> Moment {
        let known = self.0.wait_for(Option::is_some).await;
        known.ok().and_then(|moment| *moment).unwrap_or_default()
    }

    /// Waits for the work unless the run's end cuts it off.
    async fn unless_it_cuts_off<T>(
        &mut self,
        last: bool,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let cut_off = async {
            let left = self.deadline().await.since(clock::now());
            tokio::time::sleep(if last { left } else { left / 3 }).await;
        };
        tokio::select! {
            biased;
            done = work => Some(done),
            () = cut_off => None,
        }
    }
}

/// Delivers the requests of one signal.
pub(super) struct Courier<S: Signal> {
    pub(super) sender: Sender<S>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) ending: Ending,
}

impl<S: Signal> Courier<S> {
    /// Delivers the requests one after the other; whether all of them arrived as a whole. Whatever
    /// became of them is in the ledger. `last` may use all the time there is.
    pub(super) async fn deliver(&mut self, requests: &[S::Request], last: bool) -> bool {
        let counts: Vec<_> = requests.iter().map(S::count).collect();
        self.ledger.begin(S::KIND, counts.iter().sum());
        let mut complete = true;
        let mut cut_off = false;
        for (request, count) in requests.iter().zip(counts) {
            if cut_off {
                self.ledger.lost(S::KIND, count, CUT_OFF);
                continue;
            }
            let sent = self.sender.deliver(request);
            let answer = self.ending.unless_it_cuts_off(last, sent).await;
            cut_off = answer.is_none();
            complete &= self.settle(count, answer);
        }
        complete
    }

    /// Writes down what became of `count` that left; whether all of them arrived.
    fn settle(&self, count: u64, answer: Option<Result<PartialSuccess, String>>) -> bool {
        match answer {
            Some(Ok(PartialSuccess { rejected, words })) => {
                self.ledger.arrived(S::KIND, count, rejected);
                if !words.is_empty() {
                    self.ledger.note(&format!("{}: the receiver says: {words}", S::NAME));
                }
                rejected == 0
            }
            Some(Err(error)) => {
                self.ledger.lost(S::KIND, count, &error);
                false
            }
            None => {
                if let Some(failure) = self.sender.failure() {
                    self.ledger.note(failure);
                }
                self.ledger.lost(S::KIND, count, CUT_OFF);
                false
            }
        }
    }
}
