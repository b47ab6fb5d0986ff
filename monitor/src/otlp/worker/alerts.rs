//! The loop that exports alerts, each as soon as it comes.

use std::sync::Arc;
use std::time::SystemTime;

use super::super::alert;
use super::super::courier::Courier;
use super::super::inbox::Inbox;
use super::super::request::Envelope;
use super::super::signal::Logs;

pub(super) struct Alerts {
    pub(super) courier: Courier<Logs>,
    pub(super) envelope: Envelope,
    pub(super) inbox: Arc<Inbox>,
    pub(super) run_id: String,
    pub(super) started: SystemTime,
}

impl Alerts {
    pub(super) async fn run(mut self) {
        loop {
            let last = tokio::select! {
                () = self.inbox.alert_came.notified() => false,
                _ = self.courier.ending.deadline() => true,
            };
            let alerts = self.inbox.take_alerts();
            let records = alerts.iter().map(|one| alert::record(one, &self.run_id, self.started));
            let requests = self.envelope.logs(records.collect());
            self.courier.deliver(&requests, last).await;
            if last {
                return;
            }
        }
    }
}
