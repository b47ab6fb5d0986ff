//! Validity: whether the generator could do what the schedule asked.
//!
//! Numbers of an overloaded generator describe the generator. A run is **invalid** where they can
//! be neither passed nor failed, and **degraded** where they are usable but worse than the truth:
//!
//! | Evidence | Degraded | Invalid |
//! |---|---|---|
//! | intervals in which the generator was saturated, of all | any | above 10 % of them |
//! | release lag p99 against response p99 | above 10 %, and above a quarter of what the objectives tolerate (at least 1 ms) | above 50 %, and above what they tolerate |
//! | arrivals held back by the safety ceiling, of all offered | any | above 1 % |
//! | arrivals for which this machine had no socket, of all offered | any | above 1 % |
//! | arrivals released late that then found no connection, of all offered | any | above 1 % |
//! | arrivals that nobody accounted for, of all offered | any | above 1 % |
//! | verdicts that the generator's own lateness or losses could have decided | any | |
//! | measured time without a snapshot, or in which the generator did not run | any above 100 ms | above 5 % |
//! | workers that ended without their last report | | any |
//! | intervals with workers waiting over 20 % of it for a processor | above 10 % of them | never |
//! | arrivals at all | | none |
//!
//! An interval is **saturated** if half of its requests left more than 10 ms late by the generator's
//! own doing, or more than 1 ms late while its busiest worker used its whole core: then the rate was
//! the generator's own, and the highest rate of an interval that was not saturated is what it held.
//!
//! The release lag is the generator's own part of the response time. It can only make an endpoint
//! look worse than it is. What it could decide is not decided (see the verdicts); it is told here
//! where it is not small against what the objectives ask: they tolerate a tenth of the strictest
//! limit that they set on what includes it, 100 ms where they set none (an error rate does not
//! include it, but a load that comes later still is another load), and without objectives 10 ms are
//! tolerated. So a fast endpoint on a busy machine, 3 ms where 200 ms are allowed, is valid. Few
//! requests decide nothing: of the lag's p99 the lower end of its 95 % interval is taken, and above
//! 1 % of all is only what cannot be chance at 95 %. Waiting for a connection is no part of it: the scenario chose how many there may be.
//! Where it matters it is a note, not a reason. Waiting for a processor is no cause by itself
//! either, as what it does to the numbers shows in the release lag; but it also delays reading the
//! clock when an answer comes, which nothing shows.

use std::fmt;
use std::time::Duration;

use plimsoll_domain::units::{format_duration, three_digits};
use plimsoll_domain::{Class, LATE_RELEASE, Lags, Latencies, Pause, Snapshot, Tally};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::few::is_beyond_chance;
use crate::interval::quantile_ranks;
use crate::objective::Objective;

const LAG_FLOOR: Duration = Duration::from_millis(1);
const LAG_DEGRADED: f64 = 0.1;
const LAG_TOLERATED: f64 = 0.1;
const LAG_NEGLIGIBLE: f64 = 0.25;
const LAG_TOLERATED_WITHOUT_LIMIT: Duration = Duration::from_millis(100);
const LAG_TOLERATED_WITHOUT_OBJECTIVES: Duration = Duration::from_millis(10);
const LAG_INVALID: f64 = 0.5;
const LOST_INVALID: f64 = 0.01;
const GAP_INVALID: f64 = 0.05;
/// Shorter pauses happen on every machine, and show in the release lag where they matter.
const PAUSE: Duration = Duration::from_millis(100);
/// The end of an interval and the start of the next may be so far apart.
const SEAM: Duration = Duration::from_millis(100);
const STARVED_WAIT: f64 = 0.2;
const WATCHED_AT_LEAST: Duration = Duration::from_millis(500);
const STARVED_DEGRADED: f64 = 0.1;
const SATURATED_LAG_WHEN_BUSY: Duration = Duration::from_millis(1);
const WHOLE_CORE: f64 = 0.95;
const SATURATED_INVALID: f64 = 0.1;
/// Of few requests, one that was late or lost says nothing about the generator.
const SURE: f64 = 0.95;
/// So few requests of one interval say nothing about a rate.
const RATED_AT_LEAST: u64 = 20;

/// Whether a run's numbers can be relied on, and why not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ValidityState {
    /// It could.
    #[default]
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
    /// Intervals in which waiting for a processor could be measured.
    watched: u64,
    starved: u64,
    longest_wait: f64,
    /// Intervals with enough requests to tell, and those in which the generator was saturated.
    rated: u64,
    saturated: u64,
    /// The highest rate of sending in an interval, per second: that it held, and at all.
    held: f64,
    reached: f64,
    /// Measured time that no snapshot covers, or in which the generator did not run.
    missing: Duration,
    pauses: Vec<Pause>,
    lost_workers: u32,
    /// The end of the newest snapshot.
    end: Option<Duration>,
}

/// What a run should have been.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Planned {
    /// When the measured time should have ended.
    pub(crate) until: Duration,
    /// How long it should have been.
    pub(crate) length: Duration,
    /// The release lag that cannot decide a verdict.
    pub(crate) tolerated: Duration,
}

impl Observed {
    /// Takes one interval into account; `from` is when the measured time begins. What happened to
    /// the generator in the warm-up does not count.
    pub(crate) fn add(&mut self, snapshot: &Snapshot, from: Duration) {
        let gap = snapshot.start.saturating_sub(self.end.unwrap_or(from).max(from));
        if gap > SEAM {
            self.missing += gap;
        }
        self.end = Some(snapshot.end);
        self.lost_workers += snapshot.generator.lost_workers;
        if snapshot.end <= from {
            return;
        }
        snapshot.generator.pauses.iter().for_each(|pause| self.pause(*pause, from));
        self.rate(snapshot);
        // The last interval may be a few milliseconds of drain, of which one wait is a large share.
        let wait = snapshot.generator.cpu_wait;
        if let Some(wait) = wait.filter(|_| snapshot.length() >= WATCHED_AT_LEAST) {
            self.watched += 1;
            self.starved += u64::from(wait > STARVED_WAIT);
            self.longest_wait = self.longest_wait.max(wait);
        }
    }

    /// Notes a pause once, though each worker tells of it.
    fn pause(&mut self, pause: Pause, from: Duration) {
        let end = pause.start + pause.length;
        let known = self.pauses.iter().map(|other| other.start + other.length).max();
        let start = pause.start.max(from).max(known.unwrap_or_default());
        let length = end.saturating_sub(start);
        if pause.length >= PAUSE && !length.is_zero() {
            self.missing += length;
            self.pauses.push(Pause { start, length });
        }
    }

    fn rate(&mut self, snapshot: &Snapshot) {
        let lags = snapshot.lags(|_| true);
        if lags.release.count() < RATED_AT_LEAST || snapshot.length() < WATCHED_AT_LEAST {
            return;
        }
        let lag = lags.release.quantile(0.5).unwrap_or_default();
        let is_busy = snapshot.generator.cpu_busiest.is_some_and(|share| share >= WHOLE_CORE);
        let saturated = lag > LATE_RELEASE || (is_busy && lag > SATURATED_LAG_WHEN_BUSY);
        let sent: u64 = snapshot.tallies.values().map(|tally| tally.sent).sum();
        let rate = sent as f64 / snapshot.length().as_secs_f64();
        self.rated += 1;
        self.saturated += u64::from(saturated);
        self.reached = self.reached.max(rate);
        if !saturated {
            self.held = self.held.max(rate);
        }
    }

    /// The end of the newest snapshot.
    pub(crate) fn end(&self) -> Duration {
        self.end.unwrap_or_default()
    }

    /// Judges the run by the measured arrivals and what the snapshots said.
    pub(crate) fn judge(&self, totals: &Tally, lags: &Lags, planned: Planned) -> Validity {
        let mut validity = Validity::default();
        self.workers(&mut validity);
        if totals.offered == 0 {
            let nothing = "no arrival was due in the measured time, so there is nothing to judge; \
                           make the run longer, the rate higher or the warm-up shorter";
            validity.because(ValidityState::Invalid, nothing.to_owned());
            return validity;
        }
        self.saturation(&mut validity);
        validity.lateness(totals, lags, planned.tolerated);
        validity.losses(totals, totals.ended());
        self.silence(&mut validity, planned);
        self.processors(&mut validity);
        validity.connections(totals, lags);
        validity
    }

    /// The state of a run that still goes on; `None` before its first measured arrival. What is in
    /// flight is not lost, and the time to come is not missing.
    pub(crate) fn so_far(
        &self,
        totals: &Tally,
        lags: &Lags,
        tolerated: Duration,
    ) -> Option<ValidityState> {
        let mut validity = Validity::default();
        self.workers(&mut validity);
        self.saturation(&mut validity);
        validity.lateness(totals, lags, tolerated);
        validity.losses(totals, totals.offered);
        self.processors(&mut validity);
        (totals.offered > 0).then_some(validity.state)
    }

    fn workers(&self, validity: &mut Validity) {
        if self.lost_workers > 0 {
            validity.because(
                ValidityState::Invalid,
                format!(
                    "{} of the generator's workers ended without their last report, so part of \
                     what happened is not known; the log says why",
                    self.lost_workers
                ),
            );
        }
    }

    fn saturation(&self, validity: &mut Validity) {
        if self.saturated == 0 {
            return;
        }
        let share = self.saturated as f64 / self.rated as f64;
        let held = if self.held > 0.0 {
            format!("the highest rate that it held is {}/s", three_digits(self.held))
        } else {
            format!("it sent {}/s at most, and did not hold that", three_digits(self.reached))
        };
        validity.because(
            state_of(share > SATURATED_INVALID),
            format!(
                "the load generator itself was saturated in {} of {} intervals: {held}; give it \
                 more cores or workers, or ask for less",
                self.saturated, self.rated
            ),
        );
    }

    fn silence(&self, validity: &mut Validity, planned: Planned) {
        for pause in self.pauses.iter().take(3) {
            validity.notes.push(format!(
                "the generator did not run for {} from {} on (its process was stopped, or the \
                 machine paused); what that could have decided is not judged",
                format_duration(pause.length),
                format_duration(pause.start)
            ));
        }
        let cut = planned.until.saturating_sub(self.end());
        let slack = Duration::from_secs(1).min(planned.length / 10);
        let missing = self.missing + if cut > slack { cut } else { Duration::ZERO };
        if missing.is_zero() {
            return;
        }
        let share = missing.as_secs_f64() / planned.length.as_secs_f64().max(f64::MIN_POSITIVE);
        validity.because(
            state_of(share > GAP_INVALID),
            format!(
                "nothing was measured during {} of {} ({}): the generator stalled or stopped; give \
                 it more cores or a lower rate",
                format_duration(missing),
                format_duration(planned.length),
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

    /// A verdict was not given, because the generator itself could have decided it.
    pub(crate) fn withheld(&mut self, objective: &Objective) {
        let reason = format!(
            "`{objective}` is not decided, because what the load generator itself delayed or lost \
             could have decided it"
        );
        self.because(ValidityState::Degraded, reason);
    }

    fn losses(&mut self, totals: &Tally, accounted: u64) {
        let losses = [
            (
                totals.outcomes.of(Class::Capped),
                "were held back by the safety ceiling on the send rate; raise the ceiling or ask \
                 for less",
            ),
            (
                totals.outcomes.of(Class::ClientFault),
                "found no socket, port or file descriptor on this machine; raise `ulimit -n`, \
                 widen `net.ipv4.ip_local_port_range` or reuse connections",
            ),
            (
                totals.outcomes.of(Class::Missed),
                "were released late and then found no connection within the limits; give the \
                 generator more cores or a lower rate",
            ),
            (
                totals.offered.abs_diff(accounted),
                "are not accounted for: what was offered and what ended differ; the run was cut \
                 off, or this is a fault of plimsoll",
            ),
        ];
        for (count, what) in losses.into_iter().filter(|(count, _)| *count > 0) {
            let share = count as f64 / totals.offered.max(1) as f64;
            let offered = totals.offered;
            let is_sure = count > 1 && is_beyond_chance(count, offered, LOST_INVALID, 1.0, 1, SURE);
            let state = state_of(share > LOST_INVALID && is_sure);
            self.because(
                state,
                format!("{count} of {offered} arrivals ({}) {what}", percent(share)),
            );
        }
    }

    fn lateness(&mut self, totals: &Tally, lags: &Lags, tolerated: Duration) {
        let (Some(lag), Some(response)) = (sure_p99(&lags.release), slow_response(totals)) else {
            return;
        };
        let share = lag.as_secs_f64() / response.as_secs_f64().max(f64::MIN_POSITIVE);
        let negligible = tolerated.mul_f64(LAG_NEGLIGIBLE).max(LAG_FLOOR);
        if lag <= negligible || share <= LAG_DEGRADED {
            return;
        }
        let lateness = format!(
            "the generator released requests late: p99 of the release lag is at least {}, {} of the \
             p99 of response time ({})",
            format_duration(lag),
            percent(share),
            format_duration(response)
        );
        let remedy = format!("{lateness}; give it more cores or a lower rate");
        self.because(state_of(share > LAG_INVALID && lag > tolerated), remedy);
    }

    /// Notes where the limit on connections, which the scenario chose, shows in the numbers.
    fn connections(&mut self, totals: &Tally, lags: &Lags) {
        let dropped = totals.outcomes.of(Class::Dropped);
        if dropped > 0 {
            let share = dropped as f64 / totals.offered as f64;
            self.notes.push(format!(
                "{dropped} of {} arrivals ({}) were dropped because no connection was free within \
                 the limits; they count as infinitely slow",
                totals.offered,
                percent(share)
            ));
        }
        let (Some(send), Some(release), Some(response)) =
            (lags.send.quantile(0.99), lags.release.quantile(0.99), slow_response(totals))
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

/// What the p99 is at least, so far as the number of values tells: of few, a single one decides
/// nothing. `None` if nothing can be told.
fn sure_p99(latencies: &Latencies) -> Option<Duration> {
    let count = latencies.count();
    let rank = quantile_ranks(count, 0.99, SURE).0.min(count.saturating_sub(1));
    latencies.quantile(rank as f64 / count.max(1) as f64).filter(|_| rank > 0)
}

/// The p99 of response time; of everything that has one where that is infinite.
fn slow_response(totals: &Tally) -> Option<Duration> {
    totals.response_quantile(0.99)?.finite().or_else(|| {
        let mut all: Latencies = totals.response.clone();
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
mod tests;
