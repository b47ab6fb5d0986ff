//! Liveness and readiness probes, as Kubernetes understands their settings, and with it Azure.
//!
//! The first probe comes `initial_delay` after the start, further ones every `period`. So many successes in a row
//! make an instance good, so many failures in a row make it bad; what lies between changes nothing.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::time::Duration;

use plimsoll_deploy::spec::Probe;
use plimsoll_domain::clock;

use super::upstream;

/// What the answers in a row make of an instance.
#[derive(Debug)]
pub(super) struct Judge {
    success_threshold: u32,
    failure_threshold: u32,
    good: bool,
    in_a_row: u32,
}

impl Judge {
    /// Before the first answer it is as `good` says.
    pub(super) fn new(probe: &Probe, good: bool) -> Self {
        let Probe { success_threshold, failure_threshold, .. } = *probe;
        Self { success_threshold, failure_threshold, good, in_a_row: 0 }
    }

    /// What the instance is from now on, if this answer changes it.
    pub(super) fn hear(&mut self, answered: bool) -> Option<bool> {
        self.in_a_row = if answered == self.good { 0 } else { self.in_a_row + 1 };
        let enough = if answered { self.success_threshold } else { self.failure_threshold };
        if answered == self.good || self.in_a_row < enough {
            return None;
        }
        self.in_a_row = 0;
        self.good = answered;
        Some(answered)
    }
}

/// How long an instance may take until it is ready for the first time.
pub(super) fn patience(readiness: &Probe) -> Duration {
    let Probe { initial_delay, period, success_threshold, failure_threshold, .. } = *readiness;
    let probes = failure_threshold.saturating_add(success_threshold).saturating_sub(1);
    initial_delay.saturating_add(period.saturating_mul(probes))
}

/// Probes an instance that was started a moment ago, until `hear` breaks off.
pub(super) async fn watch<T>(
    probe: &Probe,
    address: SocketAddr,
    mut hear: impl FnMut(Result<(), String>) -> ControlFlow<T>,
) -> T {
    tokio::time::sleep(probe.initial_delay).await;
    loop {
        let asked = clock::now();
        if let ControlFlow::Break(end) = hear(upstream::probe(address, probe.timeout).await) {
            return end;
        }
        tokio::time::sleep(probe.period.saturating_sub(clock::now().since(asked))).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(judge: &mut Judge, answers: &str) -> String {
        let word = |change| match change {
            None => '.',
            Some(true) => 'G',
            Some(false) => 'B',
        };
        answers.chars().map(|answer| word(judge.hear(answer == '+'))).collect()
    }

    #[test]
    fn only_enough_answers_in_a_row_change_anything() {
        let probe = Probe { success_threshold: 2, failure_threshold: 3, ..Probe::default() };
        let mut readiness = Judge::new(&probe, false);
        assert_eq!(
            changes(&mut readiness, "--+-++++--+---+++"),
            ".....".to_owned() + "G.......B.G."
        );
        let mut liveness = Judge::new(&Probe { success_threshold: 1, ..probe }, true);
        assert_eq!(changes(&mut liveness, "--+---"), ".....B");
    }

    #[test]
    fn the_defaults_of_azure_have_a_patience_of_310_seconds() {
        assert_eq!(patience(&Probe::default()), Duration::from_secs(310));
        let long = Probe { period: Duration::MAX, ..Probe::default() };
        assert_eq!(patience(&long), Duration::MAX);
    }
}
