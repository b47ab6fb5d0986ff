//! The state of the load in one interval, as a block for a terminal and as one line.

use std::fmt::Write;
use std::time::Duration;

use plimsoll_domain::units::{format_duration, three_digits};
use plimsoll_domain::{Quantile, Snapshot, Tally};

use crate::results::InstanceCount;

/// What is shown of one interval.
#[derive(Debug, Clone, Default)]
pub(crate) struct Live {
    /// The scenario.
    pub(crate) scenario: String,
    /// The stage of the load.
    pub(crate) stage: String,
    /// Since the first due time.
    pub(crate) elapsed: Duration,
    /// The whole load.
    pub(crate) total: Duration,
    /// Offered, sent and ended per second.
    pub(crate) rates: [f64; 3],
    /// The 50th and 99th percentile of response time in the interval.
    pub(crate) percentiles: [Option<Quantile>; 2],
    /// Arrivals without a right answer so far (dropped ones not included).
    pub(crate) failed: u64,
    /// Arrivals dropped so far.
    pub(crate) dropped: u64,
    /// Requests in flight.
    pub(crate) in_flight: u64,
    /// Arrivals that wait for a connection.
    pub(crate) backlog: u64,
    /// Open connections.
    pub(crate) connections: u64,
    /// Instances ready and wanted.
    pub(crate) instances: Option<InstanceCount>,
}

impl Live {
    /// Takes over one interval; `all` is every tally of the snapshot, merged.
    pub(crate) fn update(&mut self, snapshot: &Snapshot, all: &Tally, stage: &str) {
        let seconds = snapshot.end.saturating_sub(snapshot.start).as_secs_f64().max(1e-3);
        stage.clone_into(&mut self.stage);
        self.elapsed = snapshot.end;
        self.rates = [all.offered, all.sent, all.ended()].map(|count| count as f64 / seconds);
        self.percentiles = [0.5, 0.99].map(|quantile| all.response_quantile(quantile));
        self.failed += all.infinite() - all.outcomes.dropped();
        self.dropped += all.outcomes.dropped();
        self.in_flight = snapshot.generator.in_flight;
        self.backlog = snapshot.generator.backlog;
        self.connections = snapshot.generator.connections;
    }

    /// Four lines for a terminal.
    pub(crate) fn block(&self) -> String {
        let [offered, sent, done] = self.rates.map(three_digits);
        let [p50, p99] = self.percentiles.map(percentile);
        let left = self.total.saturating_sub(self.elapsed);
        let mut text = format!(
            "{} · {}  {}  {} of {} s, {} s left\n",
            self.scenario,
            self.stage,
            bar(self.elapsed, self.total),
            self.elapsed.as_secs(),
            self.total.as_secs(),
            left.as_secs()
        );
        let _ = writeln!(text, "  rate       offered {offered}/s   sent {sent}/s   done {done}/s");
        let _ = writeln!(text, "  response   p50 {p50}   p99 {p99}");
        let _ = write!(text, "  errors     failed {}   dropped {}   ", self.failed, self.dropped);
        let _ = write!(
            text,
            "in flight {}   waiting {}   connections {}",
            self.in_flight, self.backlog, self.connections
        );
        if let Some(InstanceCount { ready, wanted, .. }) = self.instances {
            let _ = write!(text, "   instances {ready}/{wanted}");
        }
        text
    }

    /// One line for a log.
    pub(crate) fn line(&self) -> String {
        let [offered, sent, done] = self.rates.map(three_digits);
        let [p50, p99] = self.percentiles.map(percentile);
        let left = self.total.saturating_sub(self.elapsed);
        let mut text = format!(
            "{:>4} s  {}: offered {offered}/s, sent {sent}/s, done {done}/s, p50 {p50}, p99 {p99}, failed {}, dropped {}",
            self.elapsed.as_secs(),
            self.stage,
            self.failed,
            self.dropped
        );
        if let Some(InstanceCount { ready, wanted, .. }) = self.instances {
            let _ = write!(text, ", instances {ready}/{wanted}");
        }
        let _ = write!(text, ", {} s left", left.as_secs());
        text
    }
}

fn percentile(value: Option<Quantile>) -> String {
    match value {
        Some(Quantile::Finite(value)) => format_duration(value),
        Some(Quantile::Infinite) => "∞".to_owned(),
        None => "–".to_owned(),
    }
}

fn bar(done: Duration, total: Duration) -> String {
    const WIDTH: usize = 24;
    let share = done.as_secs_f64() / total.as_secs_f64().max(1e-9);
    let filled = ((share * WIDTH as f64) as usize).min(WIDTH);
    format!("{}{}", "█".repeat(filled), "░".repeat(WIDTH - filled))
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_domain::{Class, Key, Limits, Moment, Outcome, Sample};

    fn snapshot(outcome: Outcome) -> Snapshot {
        let due = Moment::from_nanos(0);
        let done = due + Duration::from_millis(12);
        let mut snapshot = Snapshot { end: Duration::from_secs(1), ..Snapshot::default() };
        let tally = snapshot.tallies.entry(Key::default()).or_default();
        (tally.offered, tally.sent) = (1, 1);
        tally.record(&Sample::new(due, done, outcome), &Limits::default());
        snapshot
    }

    fn update(live: &mut Live, snapshot: &Snapshot) {
        live.update(snapshot, &snapshot.all(), "hold");
    }

    #[test]
    fn a_block_says_rates_percentiles_errors_and_time_left() {
        let mut live =
            Live { scenario: "quick".into(), total: Duration::from_secs(20), ..Live::default() };
        update(&mut live, &snapshot(Outcome::status(200)));
        live.instances = Some(InstanceCount { ready: 1, wanted: 2, starting: 1 });
        let block = live.block();
        for part in
            ["quick · hold", "1 of 20 s, 19 s left", "sent 1/s", "p99 12ms", "instances 1/2"]
        {
            assert!(block.contains(part), "{part} is not in {block}");
        }
    }

    #[test]
    fn failures_are_infinite_and_add_up() {
        let mut live = Live::default();
        update(&mut live, &snapshot(Outcome::of(Class::ClientTimeout)));
        update(&mut live, &snapshot(Outcome::status(500)));
        assert_eq!(live.failed, 2);
        assert!(live.line().contains("p99 ∞"));
    }
}
