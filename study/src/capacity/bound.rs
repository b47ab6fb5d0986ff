//! What keeps the rate from being higher, as far as the answers and the host tell.
//!
//! Told from the step at the high end, beside the one at the lowest rate, in this order:
//!
//! 1. *What a limit of the endpoint turned away*: most of its bad requests were refused for their rate, or found
//!    their connection closed.
//! 2. *Bandwidth*: bodies waited for it longer than for all else that is not the model's work.
//! 3. *Processor*: the instances took nearly all of the cores that their workers can have; or the machine that they
//!    share with the generator had none left. This comes before the admission cap, though both show themselves as
//!    429: with a higher cap the same processor would carry no more.
//! 4. *Dependency*: the model became slower though its processor had time left: it waits for something.
//! 5. *Admission cap, timeouts, failures*: what most of the bad requests ended with; else late answers, by whether
//!    the model became slower, or its slots are all taken.
//!
//! Limits: what a host does not tell (an endpoint that exists already, drawn service times) is not guessed, and
//! the sentence then names what it leaves open. Wherever the evidence is of two bounds at once, only one is told.

use plimsoll_monitor::Verdict;
use serde::Serialize;

use super::{Point, Step, Used};

/// The model's own time grows by so much where it is not waiting alone that makes answers late.
const SLOWER: f64 = 1.3;
/// The share of its cores that a processor takes at most before it is called the bound. Queues of
/// Poisson arrivals break most objectives between 80 and 95 %.
const BUSY: f64 = 0.8;
/// Less than this share of a machine's processor time left is none.
const NONE_LEFT: f64 = 0.05;

/// What bounds the rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// The instances' processor.
    Processor,
    /// The processor of the machine that instances, gateway, generator and all else on it share.
    Machine,
    /// Requests above `2 × concurrency × instances` are refused.
    AdmissionCap,
    /// The endpoint limits requests per second.
    RateLimit,
    /// The endpoint limits connections.
    Connections,
    /// The endpoint limits bytes per second.
    Bandwidth,
    /// The model waits for something else, which is slower at higher rates.
    Dependency,
    /// Requests wait until somebody gives up.
    Timeouts,
    /// Requests fail.
    Failures,
    /// The model itself is slower at higher rates: its processor, or something that it waits for.
    Model,
    /// Requests wait for a slot, and the model is as fast as before.
    Slots,
    /// Answers are late, and the endpoint does not tell how long the model worked.
    Latency,
}

impl Bound {
    /// Of the steps; `None` as long as nothing was breached.
    pub(super) fn of(steps: &[Step]) -> Option<Self> {
        let measured = || steps.iter().filter(|step| step.is_measured());
        let breached = measured().filter(|step| step.verdict() == Verdict::Breached);
        let high = breached.min_by(|a, b| a.rate_rps.total_cmp(&b.rate_rps))?;
        let low = measured().min_by(|a, b| a.rate_rps.total_cmp(&b.rate_rps))?;
        let bad = high.seen.objectives.iter().map(|asked| asked.bad).fold(0.0, f64::max);
        let (low, high, used) = (&low.seen.point, &high.seen.point, high.seen.used);
        let ended = Self::most(high, bad);
        let model = low.model_p50_ms.zip(high.model_p50_ms);
        let is_slower = model.map(|(before, now)| now > SLOWER * before);
        match ended {
            Some(Self::RateLimit) => return ended,
            // Where the host counts whom it turns away, a connection that is closed is not guessed about.
            Some(Self::Connections) => {
                let is_limit = used.is_none_or(|used| used.turned_away > 0.0);
                return Some(if is_limit { Self::Connections } else { Self::Failures });
            }
            _ => {}
        }
        let by_use = used.and_then(|used| Self::by_use(used, high, is_slower));
        Some(by_use.or(ended).unwrap_or(match is_slower {
            Some(true) => Self::Model,
            Some(false) => Self::Slots,
            None => Self::Latency,
        }))
    }

    /// What most of the bad requests ended with, unless they were right and late.
    fn most(point: &Point, bad: f64) -> Option<Self> {
        let kinds = [
            (point.refused_admission, Self::AdmissionCap),
            (point.refused_rate, Self::RateLimit),
            (point.disconnected, Self::Connections),
            (point.timed_out, Self::Timeouts),
            (point.failed, Self::Failures),
        ];
        let (most, kind) = kinds.into_iter().max_by(|a, b| a.0.total_cmp(&b.0))?;
        (most > 0.0 && most >= bad / 2.0).then_some(kind)
    }

    /// What the host has seen at work.
    fn by_use(used: Used, point: &Point, is_slower: Option<bool>) -> Option<Self> {
        let model = point.model_p50_ms.unwrap_or_default();
        // Without a median of response times most requests have failed: then beside the model's own time.
        let beside_model = point.p50_ms.map_or(model, |response| response - model);
        if used.delayed_ms > 0.0 && used.delayed_ms >= beside_model / 2.0 {
            return Some(Self::Bandwidth);
        }
        let processor = used.processor?;
        if processor >= BUSY {
            Some(Self::Processor)
        } else if used.idle.is_some_and(|idle| idle < NONE_LEFT) {
            Some(Self::Machine)
        } else {
            (is_slower == Some(true)).then_some(Self::Dependency)
        }
    }

    /// As a sentence tells it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Processor => {
                "the instances' processor: they take nearly all of the cores that their workers can have"
            }
            Self::Machine => {
                "the processor of this machine, of which nothing was left to instances, gateway and load generator: \
                 what bounds instances with machines of their own cannot be told here"
            }
            Self::AdmissionCap => {
                "the admission cap: more than 2 × concurrency × instances pending is refused (429)"
            }
            Self::RateLimit => {
                "a limit on requests per second: the endpoint refuses, and not for its admission cap"
            }
            Self::Connections => "a limit on connections: the endpoint closes them at once",
            Self::Bandwidth => "the endpoint's limit on bytes per second: bodies wait for it",
            Self::Dependency => {
                "something that the model waits for: it is slower at this rate, and its processor has time left"
            }
            Self::Timeouts => "timeouts: requests wait until somebody gives up",
            Self::Failures => "failures: requests end wrong at this rate",
            Self::Model => {
                "the model itself, which is slower at this rate: its processor, or something that it \
                 waits for"
            }
            Self::Slots => "waiting for a free slot: the model is as fast as at a low rate",
            Self::Latency => "late answers; the endpoint does not tell how long its model works",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Asked, Purpose, Seen, State};
    use super::*;

    fn step(rate_rps: f64, verdict: Verdict, point: Point, used: Option<Used>) -> Step {
        let bad = if verdict == Verdict::Breached { 0.1 } else { 0.0 };
        let asked = Asked { verdict, allowed: 0.05, bad, effective: 1e3, more_s: None };
        let seen = Seen {
            measured_s: 32,
            load_s: 42.0,
            confidence: 0.99,
            state: State::Judged,
            objectives: vec![asked],
            point,
            used,
        };
        Step { purpose: Purpose::Search, rate_rps, seen }
    }

    /// Of a low rate at which all is well, and of a high one like this.
    fn bound(point: Point, used: Option<Used>) -> Bound {
        let calm = Point { p50_ms: Some(12.0), model_p50_ms: Some(10.0), ..Point::default() };
        let idle = used.map(|_| Used { processor: Some(0.1), idle: Some(0.8), ..Used::default() });
        let steps = [
            step(10.0, Verdict::Met, calm, idle),
            // A farther one does not tell: there everything breaks.
            step(90.0, Verdict::Breached, Point { failed: 0.9, ..point }, used),
            step(40.0, Verdict::Breached, point, used),
        ];
        assert_eq!(Bound::of(&steps[..1]), None);
        Bound::of(&steps).unwrap()
    }

    /// Late answers of a model that is as fast as before.
    fn late() -> Point {
        Point { p50_ms: Some(60.0), model_p50_ms: Some(10.0), ..Point::default() }
    }

    fn used(processor: f64) -> Used {
        Used { processor: Some(processor), idle: Some(0.5), slots: 0.9, ..Used::default() }
    }

    #[test]
    fn every_ending_has_its_bound() {
        let refused = Point { refused_admission: 0.1, ..late() };
        assert_eq!(bound(refused, None), Bound::AdmissionCap);
        assert_eq!(bound(refused, Some(used(0.3))), Bound::AdmissionCap);
        assert_eq!(bound(Point { refused_rate: 0.1, ..late() }, Some(used(0.9))), Bound::RateLimit);
        assert_eq!(bound(Point { timed_out: 0.1, ..late() }, Some(used(0.3))), Bound::Timeouts);
        assert_eq!(bound(Point { failed: 0.1, ..late() }, Some(used(0.3))), Bound::Failures);
        let few = Point { refused_admission: 0.04, ..late() };
        assert_eq!(bound(few, None), Bound::Slots, "most were right and late");
        assert_eq!(bound(Point { model_p50_ms: None, ..late() }, None), Bound::Latency);
    }

    #[test]
    fn a_connection_is_closed_by_a_limit_or_by_a_failure() {
        let closed = Point { disconnected: 0.1, ..late() };
        let by_limit = Some(Used { turned_away: 0.1, ..used(0.2) });
        assert_eq!(bound(closed, by_limit), Bound::Connections);
        assert_eq!(bound(closed, Some(used(0.2))), Bound::Failures, "the host turned nobody away");
        assert_eq!(bound(closed, None), Bound::Connections);
    }

    #[test]
    fn a_busy_processor_is_the_bound_however_it_shows_itself() {
        let slower = Point { model_p50_ms: Some(20.0), ..late() };
        for point in [late(), slower, Point { refused_admission: 0.1, ..late() }] {
            assert_eq!(bound(point, Some(used(0.85))), Bound::Processor);
        }
        let full = Some(Used { idle: Some(0.02), ..used(0.5) });
        assert_eq!(bound(late(), full), Bound::Machine);
        assert_eq!(bound(late(), Some(used(0.5))), Bound::Slots);
    }

    #[test]
    fn a_model_that_is_slower_with_an_idle_processor_waits_for_something() {
        let slower = Point { model_p50_ms: Some(20.0), ..late() };
        assert_eq!(bound(slower, Some(used(0.2))), Bound::Dependency);
        assert_eq!(bound(slower, None), Bound::Model, "nobody knows of its processor");
        let drawn = Some(Used { processor: None, ..used(0.0) });
        assert_eq!(bound(slower, drawn), Bound::Model);
    }

    #[test]
    fn bodies_that_wait_longer_than_all_else_are_bound_by_bandwidth() {
        let delayed = |delayed_ms| Some(Used { delayed_ms, ..used(0.9) });
        assert_eq!(bound(late(), delayed(30.0)), Bound::Bandwidth);
        assert_eq!(bound(late(), delayed(3.0)), Bound::Processor);
        let most_time_out = Point { p50_ms: None, timed_out: 0.8, ..late() };
        assert_eq!(bound(most_time_out, delayed(900.0)), Bound::Bandwidth);
    }
}
