//! Validity: whether the generator could do what the schedule asked.
//!
//! Numbers of an overloaded generator describe the generator. A run is **invalid** where they can
//! be neither passed nor failed, and **degraded** where they are usable but worse than the truth:
//!
//! | Evidence | Degraded | Invalid |
//! |---|---|---|
//! | release lag p99 against response p99 | above 10 %, and above a quarter of what the objectives tolerate (at least 1 ms) | above 50 %, and above what they tolerate |
//! | arrivals held back by the safety ceiling, of all offered | any | above 1 % |
//! | arrivals for which this machine had no socket, of all offered | any | above 1 % |
//! | arrivals that nobody accounted for, of all offered | any | above 1 % |
//! | measured time without a snapshot | any | above 5 % |
//! | intervals with workers waiting over 20 % of it for a processor | above 10 % of them | never |
//! | arrivals at all | | none |
//!
//! The release lag is the generator's own part of the response time. It can only make an endpoint
//! look worse than it is, and it can only decide a verdict if it is not small against what the
//! objectives ask: they tolerate a tenth of the strictest limit that they set on what includes it,
//! 100 ms where they set none (an error rate does not include it, but a load that comes later still
//! is another load), and without objectives 10 ms are tolerated. So a fast endpoint on a busy
//! machine, 3 ms where 200 ms are allowed, gets a note and no more. Waiting for a connection is no
//! part of it: the scenario chose how many there may be. Where it matters it is a note, not a reason.
//! Waiting for a processor is no cause by itself either, as what it does to the numbers shows in
//! the release lag; but it also delays reading the clock when an answer comes, which nothing shows.

use std::fmt;
use std::time::Duration;

use plimsoll_domain::units::{format_duration, three_digits};
use plimsoll_domain::{Snapshot, Tally};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::objective::Objective;
use crate::window::slack;

const LAG_FLOOR: Duration = Duration::from_millis(1);
const LAG_DEGRADED: f64 = 0.1;
const LAG_TOLERATED: f64 = 0.1;
const LAG_NEGLIGIBLE: f64 = 0.25;
const LAG_TOLERATED_WITHOUT_LIMIT: Duration = Duration::from_millis(100);
const LAG_TOLERATED_WITHOUT_OBJECTIVES: Duration = Duration::from_millis(10);
const LAG_INVALID: f64 = 0.5;
const LOST_INVALID: f64 = 0.01;
const GAP_INVALID: f64 = 0.05;
const STARVED_WAIT: f64 = 0.2;
const WATCHED_AT_LEAST: Duration = Duration::from_millis(500);
const STARVED_DEGRADED: f64 = 0.1;

/// Whether a run's numbers can be relied on, and why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Validity {
    /// The worst of the reasons.
    pub state: ValidityState,
    /// Why it is not valid, each with its numbers and a remedy.
    pub reasons: Vec<String>,
    /// What a reader should know though it is the scenario's own choice.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// Whether the generator could do what the schedule asked.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ValidityState {
    /// It could.
    Valid,
    /// Nearly: the numbers are worse than the truth.
    Degraded,
    /// It could not: the numbers describe the generator.
    Invalid,
}

impl ValidityState {
    /// The name in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Degraded => "degraded",
            Self::Invalid => "invalid",
        }
    }
}

impl fmt::Display for ValidityState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the snapshots of a run said about the generator.
#[derive(Debug, Clone, Default)]
pub(crate) struct Observed {
    capped: u64,
    socket_exhausted: u64,
    /// Intervals in which waiting for a processor could be measured.
    watched: u64,
    starved: u64,
    longest_wait: f64,
    /// Measured time that no snapshot covers.
    missing: Duration,
    /// The end of the newest snapshot.
    end: Option<Duration>,
}

impl Observed {
    /// Takes one interval into account; `from` is when the measured time begins. What happened to
    /// the generator in the warm-up does not count.
    pub(crate) fn add(&mut self, snapshot: &Snapshot, from: Duration) {
        let gap = snapshot.start.saturating_sub(self.end.unwrap_or(from).max(from));
        if gap > slack(snapshot.start, snapshot.end) {
            self.missing += gap;
        }
        self.end = Some(snapshot.end);
        if snapshot.end <= from {
            return;
        }
        let generator = &snapshot.generator;
        self.capped += generator.capped;
        self.socket_exhausted += generator.socket_exhausted;
        // The last interval may be a few milliseconds of drain, of which one wait is a large share.
        let length = snapshot.end.saturating_sub(snapshot.start);
        if let Some(wait) = generator.cpu_wait.filter(|_| length >= WATCHED_AT_LEAST) {
            self.watched += 1;
            self.starved += u64::from(wait > STARVED_WAIT);
            self.longest_wait = self.longest_wait.max(wait);
        }
    }

    /// The end of the newest snapshot.
    pub(crate) fn end(&self) -> Duration {
        self.end.unwrap_or_default()
    }

    /// Judges the run by the measured arrivals and what the snapshots said; `until` is when the
    /// measured time should have ended, `length` how long it should have been, `tolerated` the
    /// release lag that cannot decide a verdict.
    pub(crate) fn judge(
        &self,
        totals: &Tally,
        until: Duration,
        length: Duration,
        tolerated: Duration,
    ) -> Validity {
        let mut validity =
            Validity { state: ValidityState::Valid, reasons: Vec::new(), notes: Vec::new() };
        if totals.offered == 0 {
            let nothing = "no arrival was due in the measured time, so there is nothing to judge; \
                           make the run longer, the rate higher or the warm-up shorter";
            validity.because(ValidityState::Invalid, nothing.to_owned());
            return validity;
        }
        validity.lateness(totals, tolerated);
        self.losses(&mut validity, totals, totals.ended());
        self.feeder(&mut validity, until, length);
        self.processors(&mut validity);
        validity.connections(totals, self.capped);
        validity
    }

    /// The state of a run that still goes on; `None` before its first measured arrival. What is in
    /// flight is not lost, and the time to come is not missing.
    pub(crate) fn so_far(&self, totals: &Tally, tolerated: Duration) -> Option<ValidityState> {
        let mut validity =
            Validity { state: ValidityState::Valid, reasons: Vec::new(), notes: Vec::new() };
        validity.lateness(totals, tolerated);
        self.losses(&mut validity, totals, totals.offered);
        self.processors(&mut validity);
        (totals.offered > 0).then_some(validity.state)
    }

    fn losses(&self, validity: &mut Validity, totals: &Tally, accounted: u64) {
        let losses = [
            (
                self.capped,
                "were held back by the safety ceiling on the send rate; raise the ceiling or ask \
                 for less",
            ),
            (
                self.socket_exhausted,
                "found no socket, port or file descriptor on this machine; raise `ulimit -n`, \
                 widen `net.ipv4.ip_local_port_range` or reuse connections",
            ),
            (
                totals.offered.abs_diff(accounted),
                "are not accounted for: what was offered and what ended differ; the run was cut \
                 off, or this is a fault of plimsoll",
            ),
        ];
        for (count, what) in losses.into_iter().filter(|(count, _)| *count > 0) {
            let share = count as f64 / totals.offered as f64;
            let state = state_of(share > LOST_INVALID);
            let offered = totals.offered;
            validity.because(
                state,
                format!("{count} of {offered} arrivals ({}) {what}", percent(share)),
            );
        }
    }

    fn feeder(&self, validity: &mut Validity, until: Duration, length: Duration) {
        let end = self.end();
        let slack = Duration::from_secs(1).min(length / 10);
        let cut = until.saturating_sub(end);
        let missing = self.missing + if cut > slack { cut } else { Duration::ZERO };
        if missing.is_zero() {
            return;
        }
        let share = missing.as_secs_f64() / length.as_secs_f64().max(f64::MIN_POSITIVE);
        validity.because(
            state_of(share > GAP_INVALID),
            format!(
                "nothing was measured during {} of {} ({}): the generator stalled or stopped; give \
                 it more cores or a lower rate",
                format_duration(missing),
                format_duration(length),
                percent(share)
            ),
        );
    }

    fn processors(&self, validity: &mut Validity) {
        let share = self.starved as f64 / self.watched.max(1) as f64;
        if share > STARVED_DEGRADED {
            validity.because(
                ValidityState::Degraded,
                format!(
                    "in {} of {} intervals the workers waited more than {} of the time for a \
                     processor, at worst {}; give the generator its own cores or run the endpoint \
                     on another machine",
                    self.starved,
                    self.watched,
                    percent(STARVED_WAIT),
                    percent(self.longest_wait)
                ),
            );
        }
    }
}

/// The release lag that cannot decide the verdict of any of these objectives.
pub(crate) fn tolerated_lag<'a>(objectives: impl IntoIterator<Item = &'a Objective>) -> Duration {
    let tolerates = |objective: &Objective| {
        let limit = objective.lag_limit();
        limit.map_or(LAG_TOLERATED_WITHOUT_LIMIT, |limit| limit.mul_f64(LAG_TOLERATED))
    };
    let strictest = objectives.into_iter().map(tolerates).min();
    strictest.unwrap_or(LAG_TOLERATED_WITHOUT_OBJECTIVES)
}

impl Validity {
    fn because(&mut self, state: ValidityState, reason: String) {
        self.state = self.state.max(state);
        self.reasons.push(reason);
    }

    fn lateness(&mut self, totals: &Tally, tolerated: Duration) {
        let (Some(lag), Some(response)) =
            (totals.release_lag.quantile(0.99), slow_response(totals))
        else {
            return;
        };
        let share = lag.as_secs_f64() / response.as_secs_f64().max(f64::MIN_POSITIVE);
        if lag <= LAG_FLOOR || share <= LAG_DEGRADED {
            return;
        }
        let lateness = format!(
            "the generator released requests late: p99 of the release lag is {}, {} of the p99 of \
             response time ({})",
            format_duration(lag),
            percent(share),
            format_duration(response)
        );
        if lag > tolerated.mul_f64(LAG_NEGLIGIBLE).max(LAG_FLOOR) {
            let remedy = format!("{lateness}; give it more cores or a lower rate");
            self.because(state_of(share > LAG_INVALID && lag > tolerated), remedy);
        } else {
            self.notes.push(format!("{lateness}; that is too little to matter to the objectives"));
        }
    }

    /// Notes where the limit on connections, which the scenario chose, shows in the numbers.
    fn connections(&mut self, totals: &Tally, capped: u64) {
        // Arrivals without a socket are no drops: their connection was tried, and failed.
        let dropped = totals.outcomes.dropped.saturating_sub(capped);
        if dropped > 0 {
            let share = dropped as f64 / totals.offered as f64;
            self.notes.push(format!(
                "{dropped} of {} arrivals ({}) were dropped because no connection was free within \
                 the limits; they count as infinitely slow",
                totals.offered,
                percent(share)
            ));
        }
        let lag = |latencies: &plimsoll_domain::Latencies| latencies.quantile(0.99);
        let (Some(send), Some(release), Some(response)) =
            (lag(&totals.send_lag), lag(&totals.release_lag), slow_response(totals))
        else {
            return;
        };
        let waited = send.saturating_sub(release);
        if waited > LAG_FLOOR && waited.as_secs_f64() > LAG_DEGRADED * response.as_secs_f64() {
            self.notes.push(format!(
                "requests waited for a free connection: p99 of the send lag is {}, of which the \
                 generator's own part is {}; response time ({} at p99) includes it, service time \
                 does not",
                format_duration(send),
                format_duration(release),
                format_duration(response)
            ));
        }
    }
}

/// The p99 of response time; of everything that has one where that is infinite.
fn slow_response(totals: &Tally) -> Option<Duration> {
    totals.response_quantile(0.99)?.finite().or_else(|| {
        let mut all = totals.response.clone();
        all.merge(&totals.failed);
        all.quantile(0.99)
    })
}

fn state_of(invalid: bool) -> ValidityState {
    if invalid { ValidityState::Invalid } else { ValidityState::Degraded }
}

fn percent(share: f64) -> String {
    format!("{} %", three_digits(share * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{answered, second};
    use ValidityState::{Degraded, Invalid, Valid};

    const LENGTH: Duration = Duration::from_secs(10);
    const TOLERATED: Duration = Duration::from_millis(5);

    /// Ten seconds of a hundred answers after 10 ms each, every second changed by `change`.
    fn run(change: impl Fn(&mut Snapshot)) -> (Observed, Tally) {
        let (mut observed, mut totals) = (Observed::default(), Tally::default());
        for index in 0..10 {
            let mut snapshot = second(index, answered(100, Duration::from_millis(10)));
            change(&mut snapshot);
            if snapshot.index != u64::MAX {
                observed.add(&snapshot, Duration::ZERO);
                totals.merge(&snapshot.measured);
            }
        }
        (observed, totals)
    }

    fn judge(change: impl Fn(&mut Snapshot)) -> Validity {
        let (observed, totals) = run(change);
        observed.judge(&totals, LENGTH, LENGTH, TOLERATED)
    }

    fn late(snapshot: &mut Snapshot, lag: Duration) {
        let measured = &mut snapshot.measured;
        measured.release_lag = plimsoll_domain::Latencies::new();
        (0..100).for_each(|_| measured.release_lag.record(lag));
    }

    #[test]
    fn a_generator_that_keeps_up_is_valid() {
        let validity = judge(|_| {});
        assert_eq!((validity.state, validity.reasons, validity.notes), (Valid, vec![], vec![]));
    }

    #[test]
    fn lateness_that_cannot_decide_a_verdict_is_no_reason_to_throw_a_run_away() {
        let (observed, totals) = run(|snapshot| late(snapshot, Duration::from_millis(9)));
        let state = |objectives: &[&str]| {
            let objectives: Vec<Objective> =
                objectives.iter().map(|o| o.parse().unwrap()).collect();
            observed.judge(&totals, LENGTH, LENGTH, tolerated_lag(&objectives)).state
        };
        assert_eq!(state(&["p99 < 400ms"]), Valid, "9 ms of 400 ms");
        assert_eq!(state(&["p99 < 200ms"]), Degraded, "9 ms of 200 ms");
        assert_eq!(state(&["p99 < 50ms", "error rate < 1%"]), Invalid, "9 ms of 50 ms");
        assert_eq!(state(&["goodput > 99% within 50ms"]), Invalid);
        assert_eq!(state(&["p99 of send lag < 50ms"]), Invalid);
        assert_eq!(state(&["p99 of service time < 20ms"]), Valid, "it does not include the lag");
        assert_eq!(state(&[]), Degraded);
    }

    #[test]
    fn a_rate_that_the_generator_cannot_reach_is_invalid_whatever_is_asked() {
        let (observed, totals) = run(|snapshot| late(snapshot, Duration::from_millis(300)));
        let error_rate: Objective = "error rate < 1%".parse().unwrap();
        for tolerated in [tolerated_lag([&error_rate]), tolerated_lag([])] {
            assert_eq!(observed.judge(&totals, LENGTH, LENGTH, tolerated).state, Invalid);
        }
    }

    #[test]
    fn every_reason_says_how_much_and_what_to_do() {
        type Change = fn(&mut Snapshot);
        let cases: [(&str, Change, ValidityState, &str); 11] = [
            ("late below the floor", |s| late(s, Duration::from_micros(900)), Valid, ""),
            ("late", |s| late(s, Duration::from_millis(2)), Degraded, "2ms, 20 % of the p99"),
            ("too late", |s| late(s, Duration::from_millis(6)), Invalid, "more cores"),
            ("capped", |s| s.generator.capped = 1, Degraded, "10 of 1000 arrivals (1 %)"),
            ("capped much", |s| s.generator.capped = 2, Invalid, "raise the ceiling"),
            ("no sockets", |s| s.generator.socket_exhausted = 2, Invalid, "ulimit -n"),
            ("lost", |s| s.measured.offered += 1, Degraded, "not accounted for"),
            ("starved", |s| s.generator.cpu_wait = Some(0.3), Degraded, "at worst 30 %"),
            ("seldom starved", |s| s.generator.cpu_wait = Some(0.1), Valid, ""),
            (
                "stalled",
                |s| {
                    if s.index == 4 {
                        s.index = u64::MAX;
                    }
                },
                Invalid,
                "1s of 10s (10 %)",
            ),
            (
                "stopped",
                |s| {
                    if s.index > 5 {
                        s.index = u64::MAX;
                    }
                },
                Invalid,
                "4s of 10s (40 %)",
            ),
        ];
        for (name, change, state, part) in cases {
            let validity = judge(change);
            assert_eq!(validity.state, state, "{name}: {validity:?}");
            let said = validity.reasons.join("\n");
            assert!(said.contains(part), "{name}: {said}");
            assert_eq!(said.is_empty(), state == Valid, "{name}: {said}");
        }
    }

    #[test]
    fn a_run_that_goes_on_has_a_validity_and_loses_nothing_in_flight() {
        let so_far = |change: fn(&mut Snapshot)| {
            let (observed, totals) = run(change);
            observed.so_far(&totals, TOLERATED)
        };
        assert_eq!(so_far(|snapshot| snapshot.measured.offered += 50), Some(Valid));
        assert_eq!(so_far(|snapshot| late(snapshot, Duration::from_millis(6))), Some(Invalid));
        assert_eq!(so_far(|snapshot| snapshot.generator.capped = 2), Some(Invalid));
        assert_eq!(so_far(|snapshot| snapshot.measured = Tally::default()), None);
    }

    #[test]
    fn the_warm_up_does_not_count() {
        let (mut observed, from) = (Observed::default(), Duration::from_secs(1));
        let totals = answered(100, Duration::from_millis(10));
        let mut warm_up = second(0, Tally::default());
        warm_up.generator.capped = 100;
        warm_up.generator.cpu_wait = Some(1.0);
        observed.add(&warm_up, from);
        observed.add(&second(1, totals.clone()), from);
        let validity =
            observed.judge(&totals, Duration::from_secs(2), Duration::from_secs(1), TOLERATED);
        assert_eq!(validity.state, Valid, "{validity:?}");
    }

    #[test]
    fn a_moment_of_drain_is_no_interval_to_judge_a_machine_by() {
        let (mut observed, totals) = run(|_| {});
        let mut drain = second(10, Tally::default());
        drain.end = drain.start + Duration::from_millis(3);
        drain.generator.cpu_wait = Some(0.85);
        for _ in 0..5 {
            observed.add(&drain, Duration::ZERO);
        }
        assert_eq!(observed.judge(&totals, LENGTH, LENGTH, TOLERATED).state, Valid);
    }

    #[test]
    fn nothing_due_is_invalid() {
        let validity = judge(|s| s.measured = Tally::default());
        assert_eq!(validity.state, Invalid);
        assert!(validity.reasons[0].contains("no arrival"), "{validity:?}");
    }

    #[test]
    fn the_limit_on_connections_is_a_note() {
        let validity = judge(|snapshot| {
            let measured = &mut snapshot.measured;
            measured.offered += 5;
            (0..5).for_each(|_| measured.drop_one());
            measured.send_lag = plimsoll_domain::Latencies::new();
            (0..100).for_each(|_| measured.send_lag.record(Duration::from_millis(8)));
        });
        assert_eq!(validity.state, Valid, "{validity:?}");
        assert!(validity.notes[0].contains("50 of 1050 arrivals"), "{validity:?}");
        assert!(validity.notes[1].contains("waited for a free connection"), "{validity:?}");
    }
}
