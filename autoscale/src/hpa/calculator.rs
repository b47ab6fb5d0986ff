//! How many replicas one metric asks for: `pkg/controller/podautoscaler/replica_calculator.go` and
//! `metrics/utilization.go` of Kubernetes v1.37.2. All amounts are whole thousandths, and the
//! integer divisions are Kubernetes' own: they change answers.

use std::collections::BTreeMap;

use plimsoll_domain::quantity::milli;

use super::pods::{self, Standing};
use super::spec::{Parameters, PerPod};
use crate::{Reading, State};

/// A ratio this close to 1 changes nothing: a limit for each direction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tolerances {
    pub down: f64,
    pub up: f64,
}

impl Tolerances {
    /// `Tolerances.isWithin`. In older releases the test was `abs(1 - ratio) <= tolerance`, which
    /// differs at the boundary itself.
    fn within(self, ratio: f64) -> bool {
        1.0 - self.down <= ratio && ratio <= 1.0 + self.up
    }
}

/// What one metric asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Proposal {
    pub replicas: u32,
    /// What it would ask for without the tolerance.
    pub untolerated: u32,
    /// Usage: percent of the requests, or an amount in thousandths.
    pub usage: i64,
    /// Usage divided by the target.
    pub ratio: f64,
    pub why: Why,
}

/// How a proposal came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// The ratio, times the pods that are ready.
    Ready,
    /// The ratio, with assumptions for pods that are missing or unready.
    Assumed,
    /// The total, divided by what each is to have.
    Divided,
    /// The ratio, from nothing.
    FromZero,
    /// The ratio is close enough to 1.
    Tolerance,
    /// With the assumptions, the count would move the other way, or hardly.
    Uncertain,
}

/// What all metrics of a moment are judged with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment<'a> {
    pub state: &'a State,
    /// How many pods are ready.
    pub ready: u32,
    /// How many pods there are.
    pub present: u32,
    pub tolerances: Tolerances,
    pub parameters: &'a Parameters,
}

/// `int32(math.Ceil(…))`, within what a count can be.
fn ceil(count: f64) -> u32 {
    count.ceil().clamp(0.0, f64::from(i32::MAX)) as u32
}

impl Moment<'_> {
    /// `GetResourceReplicas`, `GetRawResourceReplicas`, `GetMetricReplicas`: a metric that pods report.
    pub(super) fn per_pod(
        &self,
        metric: &str,
        cpu: bool,
        target: PerPod,
    ) -> Result<Proposal, String> {
        let samples = pods::samples(self.state, metric);
        let standing =
            pods::group(&self.state.instances, &samples, cpu, self.state.now, self.parameters);
        let mut values: BTreeMap<usize, i64> = BTreeMap::new();
        for (index, (standing, sample)) in standing.iter().zip(&samples).enumerate() {
            if let (Standing::Ready, Some(Reading { value, .. })) = (standing, sample) {
                values.insert(index, milli(*value));
            }
        }
        if values.is_empty() {
            return Err(format!("no pod that counts reports `{metric}`"));
        }
        let requests = match target {
            PerPod::Utilization(_) => pods::requests(&self.state.instances, metric)?,
            PerPod::Average(_) => Vec::new(),
        };
        let usage = |values: &BTreeMap<usize, i64>| usage(values, &requests, target);
        let (ratio, used) = usage(&values)?;
        let which = |wanted| {
            standing.iter().enumerate().filter(move |(_, s)| **s == wanted).map(|(i, _)| i)
        };
        let up_with_unready = ratio > 1.0 && which(Standing::Unready).next().is_some();
        let ready = values.len();
        if !up_with_unready && which(Standing::Missing).next().is_none() {
            let untolerated = ceil(ratio * ready as f64);
            return Ok(self.tolerated(ratio, used, untolerated, Why::Ready));
        }
        if ratio < 1.0 {
            // On the way down a missing pod uses all that it requests, or just what is wanted.
            for index in which(Standing::Missing) {
                let assumed = match target {
                    PerPod::Utilization(percent) => {
                        requests[index].saturating_mul(i64::from(percent.max(100))) / 100
                    }
                    PerPod::Average(amount) => amount,
                };
                values.insert(index, assumed);
            }
        } else if ratio > 1.0 {
            values.extend(which(Standing::Missing).map(|index| (index, 0)));
        }
        if up_with_unready {
            values.extend(which(Standing::Unready).map(|index| (index, 0)));
        }
        let (assumed, _) = usage(&values)?;
        let kept = Proposal {
            replicas: self.state.replicas,
            untolerated: self.state.replicas,
            usage: used,
            ratio: assumed,
            why: Why::Uncertain,
        };
        if self.tolerances.within(assumed) || flips(ratio, assumed) {
            return Ok(kept);
        }
        let replicas = ceil(assumed * values.len() as f64);
        if (assumed < 1.0 && replicas > self.state.replicas)
            || (assumed > 1.0 && replicas < self.state.replicas)
        {
            return Ok(kept);
        }
        Ok(Proposal { replicas, untolerated: replicas, why: Why::Assumed, ..kept })
    }

    /// `GetObjectMetricReplicas`, `GetExternalMetricReplicas`: a total, wanted as a total.
    pub(super) fn value(&self, total: i64, target: i64) -> Proposal {
        let ratio = total as f64 / target as f64;
        if self.state.replicas > 0 {
            let untolerated = ceil(ratio * f64::from(self.ready));
            return self.tolerated(ratio, total, untolerated, Why::Ready);
        }
        let replicas = ceil(ratio);
        let why = Why::FromZero;
        Proposal { replicas, untolerated: replicas, usage: total, ratio, why }
    }

    /// `GetObjectPerPodMetricReplicas`, `GetExternalPerPodMetricReplicas`: a total, wanted for each
    /// pod. Whether they are ready does not matter; the tolerance looks at all that there are.
    pub(super) fn average(&self, total: i64, target: i64) -> Proposal {
        let present = f64::from(self.present);
        let ratio = total as f64 / (target as f64 * present);
        let usage = (total as f64 / present.max(1.0)).ceil() as i64;
        let untolerated = ceil(total as f64 / target as f64);
        if self.tolerances.within(ratio) {
            let replicas = self.present;
            return Proposal { replicas, untolerated, usage, ratio, why: Why::Tolerance };
        }
        Proposal { replicas: untolerated, untolerated, usage, ratio, why: Why::Divided }
    }

    fn tolerated(&self, ratio: f64, usage: i64, untolerated: u32, why: Why) -> Proposal {
        if self.tolerances.within(ratio) {
            return Proposal {
                replicas: self.state.replicas,
                untolerated,
                usage,
                ratio,
                why: Why::Tolerance,
            };
        }
        Proposal { replicas: untolerated, untolerated, usage, ratio, why }
    }
}

/// Whether the assumptions turned the direction round.
fn flips(ratio: f64, assumed: f64) -> bool {
    (ratio < 1.0 && assumed > 1.0) || (ratio > 1.0 && assumed < 1.0)
}

/// `GetResourceUtilizationRatio` (the whole percent of all requests, divided by the target) and
/// `GetMetricUsageRatio` (the whole average, divided by the target); and that percent or average.
fn usage(
    values: &BTreeMap<usize, i64>,
    requests: &[i64],
    target: PerPod,
) -> Result<(f64, i64), String> {
    let total: i128 = values.values().map(|value| i128::from(*value)).sum();
    match target {
        PerPod::Utilization(percent) => {
            let requested: i128 = values.keys().map(|index| i128::from(requests[*index])).sum();
            if requested == 0 {
                return Err("the pods that count request nothing".to_owned());
            }
            let used = (total * 100 / requested).clamp(i32::MIN.into(), i32::MAX.into()) as i64;
            Ok((used as f64 / f64::from(percent), used))
        }
        PerPod::Average(amount) => {
            let used =
                (total / values.len() as i128).clamp(i64::MIN.into(), i64::MAX.into()) as i64;
            Ok((used as f64 / amount as f64, used))
        }
    }
}
