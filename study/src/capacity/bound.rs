//! What keeps the rate from being higher, as far as the answers tell.
//!
//! Told from the step at the high end, beside the one at the lowest rate: what most of its bad
//! requests ended with, and, where they were right and late, whether the model itself became slower.

use plimsoll_monitor::Verdict;
use serde::Serialize;

use super::Step;

/// The model's own time grows by so much where it is not waiting alone that makes answers late.
const SLOWER: f64 = 1.3;

/// What bounds the rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// Requests above `2 × concurrency × instances` are refused.
    AdmissionCap,
    /// The endpoint limits requests per second.
    RateLimit,
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
        let point = &high.seen.point;
        let kinds = [
            (point.refused_admission, Self::AdmissionCap),
            (point.refused_rate, Self::RateLimit),
            (point.timed_out, Self::Timeouts),
            (point.failed, Self::Failures),
        ];
        let (most, kind) = kinds.into_iter().max_by(|a, b| a.0.total_cmp(&b.0))?;
        let bad = high.seen.objectives.iter().map(|asked| asked.bad).fold(0.0, f64::max);
        if most > 0.0 && most >= bad / 2.0 {
            return Some(kind);
        }
        let model = low.seen.point.model_p50_ms.zip(point.model_p50_ms);
        Some(match model {
            Some((before, now)) if now > SLOWER * before => Self::Model,
            Some(_) => Self::Slots,
            None => Self::Latency,
        })
    }

    /// As a sentence tells it.
    pub fn words(self) -> &'static str {
        match self {
            Self::AdmissionCap => {
                "the admission cap: more than 2 × concurrency × instances pending is refused (429)"
            }
            Self::RateLimit => "a limit on requests per second: the endpoint refuses with 429",
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
