//! Where the session leaves what is to be exported: it never waits and never fails.
//!
//! Snapshots need no queue: each is merged into what has gathered since the last export, so that a
//! slow receiver gets fewer and larger exports, and memory does not grow. The exporter takes the
//! gathered tallies out as a whole; the lock is held for that, or for one merge. Gauges replace
//! each other. Alerts are queued, since each one counts; when the queue is full the oldest gives
//! way and is counted as lost.

use plimsoll_domain::Snapshot;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

use super::delivery::Ledger;
use super::gauges::Gauges;
use crate::AlertEvent;

/// As many alerts as the specification's batch processor queues.
const ALERTS: usize = 2048;

/// What gathered since the last export.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// The snapshots since then, as one.
    pub(super) snapshot: Option<Snapshot>,
    pub(super) gauges: Option<Gauges>,
}

/// The exchange between the session and the exporter's thread.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    gathered: Mutex<Gathered>,
    alerts: Mutex<VecDeque<AlertEvent>>,
    pub(super) alert_came: Notify,
}

impl Inbox {
    pub(super) fn interval(&self, snapshot: &Snapshot) {
        let mut gathered = lock(&self.gathered);
        match &mut gathered.snapshot {
            Some(before) => before.append(snapshot),
            none => *none = Some(snapshot.clone()),
        }
    }

    pub(super) fn gauges(&self, gauges: Gauges) {
        lock(&self.gathered).gauges = Some(gauges);
    }

    pub(super) fn alert(&self, alert: AlertEvent, ledger: &Ledger) {
        let mut alerts = lock(&self.alerts);
        if alerts.len() == ALERTS {
            alerts.pop_front();
            ledger.pushed_out();
        }
        alerts.push_back(alert);
        drop(alerts);
        self.alert_came.notify_one();
    }

    /// Takes what has gathered; none if nothing has.
    pub(super) fn take(&self) -> Option<Gathered> {
        let gathered = std::mem::take(&mut *lock(&self.gathered));
        (gathered.snapshot.is_some() || gathered.gauges.is_some()).then_some(gathered)
    }

    pub(super) fn take_alerts(&self) -> Vec<AlertEvent> {
        std::mem::take(&mut *lock(&self.alerts)).into()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere must not stop the run; a half-merged tally is the worst of it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing;
    use crate::{AlertState, Amount, Severity};
    use plimsoll_domain::Tally;

    #[test]
    fn snapshots_are_merged_and_taken_once() {
        let inbox = Inbox::default();
        assert!(inbox.take().is_none());
        for second in 1..=3 {
            let tally = Tally { offered: second, ..Tally::default() };
            let snapshot = testing::second(second - 1, tally);
            inbox.interval(&snapshot);
        }
        let gathered = inbox.take().unwrap().snapshot.unwrap();
        assert_eq!((gathered.measured().offered, gathered.end), (6, Duration::from_secs(3)));
        assert!(inbox.take().is_none());
    }

    #[test]
    fn a_full_queue_gives_up_the_oldest_alert_and_says_so() {
        let (inbox, ledger) = (Inbox::default(), Ledger::default());
        for n in 0..ALERTS + 3 {
            let alert = AlertEvent {
                at: Duration::from_secs(n as u64),
                rule: "slow".to_owned(),
                severity: Severity::Warning,
                objective: "p99 < 200ms in every 10s".to_owned(),
                from: AlertState::Pending,
                to: AlertState::Firing,
                value: Amount::latency(Duration::from_millis(250)),
                threshold: Amount::latency(Duration::from_millis(200)),
                fingerprint: String::new(),
                run_ended: false,
            };
            inbox.alert(alert, &ledger);
        }
        let alerts = inbox.take_alerts();
        assert_eq!((alerts.len(), alerts[0].at), (ALERTS, Duration::from_secs(3)));
        assert_eq!(ledger.close().logs_lost, 3);
    }
}
