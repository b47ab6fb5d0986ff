//! The state of the load in one interval, as a block for a terminal and as one line.

use std::fmt::Write;
use std::time::Duration;

use plimsoll_domain::units::{format_duration, three_digits};
use plimsoll_domain::{Quantile, Snapshot, Tally, plain};
use plimsoll_monitor::{Amount, Standing, Verdict};

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
    /// Offered, sent and ok per second.
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
    /// How each objective stands.
    pub(crate) objectives: Vec<Stand>,
}

/// How an objective stands.
#[derive(Debug, Clone)]
pub(crate) struct Stand {
    /// The objective.
    objective: String,
    /// Its value so far, or in the newest window.
    value: String,
    /// Its verdict, and when there will be one.
    verdict: String,
}

impl Stand {
    /// As the monitor says.
    pub(crate) fn new(standing: &Standing<'_>) -> Self {
        let verdict = match (standing.verdict, standing.next_look_s) {
            (Verdict::Inconclusive, Some(next)) => {
                format!("undecided; next look after {next} s of measuring")
            }
            (Verdict::Inconclusive, None) => "undecided".to_owned(),
            (Verdict::Met, _) => "met so far".to_owned(),
            (Verdict::Breached, _) => "breached".to_owned(),
        };
        Self {
            objective: standing.objective.to_string(),
            value: standing.value.map_or_else(|| "–".to_owned(), Amount::short),
            verdict,
        }
    }
}

impl Live {
    /// Takes over one interval; `all` is every tally of the snapshot, merged.
    pub(crate) fn update(&mut self, snapshot: &Snapshot, all: &Tally, stage: &str) {
        let seconds = snapshot.end.saturating_sub(snapshot.start).as_secs_f64().max(1e-3);
        stage.clone_into(&mut self.stage);
        self.elapsed = snapshot.end;
        self.rates = [all.offered, all.sent, all.outcomes.ok()].map(|count| count as f64 / seconds);
        self.percentiles = [0.5, 0.99].map(|quantile| all.response_quantile(quantile));
        self.failed += all.infinite() - all.outcomes.dropped();
        self.dropped += all.outcomes.dropped();
        self.in_flight = snapshot.generator.in_flight;
        self.backlog = snapshot.generator.backlog;
        self.connections = snapshot.generator.connections;
    }

    /// A few lines for a terminal of this width: what the last second was, what there is so far and
    /// now, and how each objective stands.
    pub(crate) fn block(&self, width: usize) -> String {
        let [offered, sent, ok] = self.rates.map(three_digits);
        let [p50, p99] = self.percentiles.map(percentile);
        let name = format!("{} · {}", plain::line(&self.scenario), plain::line(&self.stage));
        let (done_s, total_s) = (self.elapsed.as_secs(), self.total.as_secs());
        let time = format!("{done_s} of {total_s} s, {}", self.left());
        let room = width.saturating_sub(name.chars().count() + time.chars().count() + 4);
        let bar = bar(self.elapsed, self.total, room.clamp(8, 80));
        let mut text = format!("{name}  {bar}  {time}\n");
        let _ = writeln!(
            text,
            "  a second  offered {offered}/s   sent {sent}/s   ok {ok}/s   p50 {p50}   p99 {p99}"
        );
        let Self { failed, dropped, in_flight, backlog, connections, .. } = self;
        let _ = writeln!(text, "  so far    failed {failed}   dropped {dropped}");
        let _ = write!(
            text,
            "  now       in flight {in_flight}   waiting {backlog}   connections {connections}"
        );
        if let Some(InstanceCount { ready, wanted, .. }) = self.instances {
            let _ = write!(text, "   instances {ready}/{wanted}");
        }
        for Stand { objective, value, verdict } in &self.objectives {
            let _ = write!(text, "\n  {}   {value}   {verdict}", plain::line(objective));
        }
        text
    }

    /// How much time is left, or what is waited for.
    fn left(&self) -> String {
        match self.total.checked_sub(self.elapsed) {
            Some(left) if !left.is_zero() => format!("{:.0} s left", left.as_secs_f64().ceil()),
            _ => "waiting for answers".to_owned(),
        }
    }

    /// One line for a log.
    pub(crate) fn line(&self) -> String {
        let [offered, sent, ok] = self.rates.map(three_digits);
        let [p50, p99] = self.percentiles.map(percentile);
        let mut text = format!(
            "{:>4} s  {}: offered {offered}/s, sent {sent}/s, ok {ok}/s, p50 {p50}, p99 {p99}, \
             so far failed {}, dropped {}",
            self.elapsed.as_secs(),
            plain::line(&self.stage),
            self.failed,
            self.dropped
        );
        if let Some(InstanceCount { ready, wanted, .. }) = self.instances {
            let _ = write!(text, ", instances {ready}/{wanted}");
        }
        for Stand { objective, value, .. } in &self.objectives {
            let _ = write!(text, ", `{}` at {value}", plain::line(objective));
        }
        let _ = write!(text, ", {}", self.left());
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

fn bar(done: Duration, total: Duration, width: usize) -> String {
    let share = done.as_secs_f64() / total.as_secs_f64().max(1e-9);
    let filled = ((share * width as f64) as usize).min(width);
    format!("{}{}", "█".repeat(filled), "░".repeat(width - filled))
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
        let block = live.block(80);
        for part in
            ["quick · hold", "1 of 20 s, 19 s left", "sent 1/s", "p99 12ms", "instances 1/2"]
        {
            assert!(block.contains(part), "{part} is not in {block}");
        }
        let longest = |width| live.block(width).lines().map(|line| line.chars().count()).max();
        assert!(longest(80) <= Some(80) && longest(160) > Some(80), "{}", live.block(160));
        live.elapsed = live.total;
        assert!(live.block(80).contains("waiting for answers"), "nothing is left of the schedule");
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
