//! What tuned rules are measured against: what the vendor proposes, and a schedule that knows the load.

use std::num::NonZeroU32;
use std::time::Duration;

use plimsoll_autoscale::{Rules, RulesFile};
use plimsoll_deploy::service_time::ServiceTimes;
use plimsoll_domain::schedule::Trace;
use rand_pcg::Pcg64;

use crate::scenario::{Place, Scenario};

/// Shares of the slots that a schedule may have at work: each is a schedule of its own.
pub(super) const SHARES: [f64; 9] = [0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0];

/// How often a schedule may change, in rule time.
const EVERY: Duration = Duration::from_mins(1);

/// The stream of random numbers that a mean service time is taken from.
const MEAN: u128 = 0x6d65_616e;
/// How many are taken.
const DRAWS: u32 = 20_000;

/// The rules that the vendor of an engine proposes, within the same counts of instances; `None` where
/// none are proposed.
///
/// Azure: the rules of the sample `deploy-moe-autoscale.sh` of azureml-examples on processor use (out
/// by 2 above 70 %, in by 1 below 25 %, both over 5 minutes); its rule on latency is about its own
/// model. Kubernetes: a `HorizontalPodAutoscaler` on processor use without `behavior`, at 80 %, which is
/// the default of autoscaling/v1 and of `KServe`. Knative and `target_utilization`: what they do where
/// nothing is said. KEDA proposes nothing: there is no trigger without a threshold of the user's.
pub(super) fn vendor(rules: &Rules) -> Option<(&'static str, Rules)> {
    let (words, text) = match rules {
        Rules::Azure(setting) => {
            let capacity = setting.profiles.first()?.capacity;
            let (least, most) = (capacity.minimum, capacity.maximum);
            let text = format!(
                "az monitor autoscale create --count {least} --min-count {least} --max-count {most}\n\
                 az monitor autoscale rule create --condition \"CpuUtilizationPercentage > 70 avg 5m\" \
                 --scale out 2\n\
                 az monitor autoscale rule create --condition \"CpuUtilizationPercentage < 25 avg 5m\" \
                 --scale in 1\n"
            );
            ("Azure's sample: CPU > 70 % out 2, < 25 % in 1", text)
        }
        Rules::Hpa(hpa) => {
            let (least, most) = (hpa.min, hpa.max);
            let text = format!(
                "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{name: default}}\n\
                 spec:\n  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: default}}\n  \
                 minReplicas: {least}\n  maxReplicas: {most}\n  metrics:\n    - type: Resource\n      \
                 resource: {{name: cpu, target: {{type: Utilization, averageUtilization: 80}}}}\n"
            );
            ("the default of Kubernetes: CPU at 80 %", text)
        }
        Rules::Knative(kpa) => {
            let (least, most) = kpa.bounds();
            let text = format!(
                "apiVersion: serving.knative.dev/v1\nkind: Revision\nmetadata:\n  annotations:\n    \
                 autoscaling.knative.dev/min-scale: '{least}'\n    \
                 autoscaling.knative.dev/max-scale: '{most}'\n"
            );
            ("Knative's defaults: 100 requests in flight a pod, 70 % of it used", text)
        }
        Rules::Utilization(rules) => {
            let (least, most) = (rules.min, rules.max);
            let text = format!(
                "type: kubernetes\nscale_settings: {{type: target_utilization, min_instances: {least}, \
                 max_instances: {most}}}\n"
            );
            ("Azure's defaults of `target_utilization`", text)
        }
        // Every trigger and threshold is the user's: KEDA's documentation proposes none.
        Rules::ScaledObject(_) => return None,
    };
    RulesFile::parse("the vendor's default", &text).ok().map(|file| (words, file.rules))
}

/// A schedule that knows each minute's rate beforehand, and has its instances at once: at most this
/// share of their slots is at work on average.
pub(super) fn clairvoyant(scenario: &Scenario, share: f64) -> Option<Vec<(Duration, u32)>> {
    let autoscale = scenario.autoscale.as_ref()?;
    let Place::Deployed(deployed) = &scenario.place else { return None };
    let name = &autoscale.subject.deployment;
    let spec = deployed.deployments.iter().find(|spec| spec.name == *name)?;
    let times = ServiceTimes::new(&spec.synthetic.as_ref()?.service_time).ok()?;
    let mut random = Pcg64::new(scenario.seed.into(), MEAN);
    let drawn: f64 = (0..DRAWS).map(|_| times.draw(&mut random) as f64).sum();
    let mean_s = drawn / f64::from(DRAWS) / 1e9;
    let weights = deployed.traffic.values().map(|weight| f64::from(*weight)).sum::<f64>();
    let own =
        deployed.traffic.get(name).copied().map_or(1.0, |own| f64::from(own) / weights.max(1.0));
    let most = crate::session::most_by_quota(scenario, name).unwrap_or(u32::MAX);
    let profile = &scenario.load.profile;
    let mut course = scenario.load.trace.as_ref().map(Trace::course);
    let mut by = |at: Duration| match &mut course {
        Some(course) => course.by(at),
        None => profile.offered_by(at),
    };
    let every = EVERY / autoscale.compression.factor();
    let slots = f64::from(autoscale.subject.machine.slots) * share;
    let mut steps: Vec<(Duration, u32)> = Vec::new();
    let (mut from, mut due) = (Duration::ZERO, by(Duration::ZERO));
    while from < profile.duration() {
        let to = from + every;
        let by_then = by(to.min(profile.duration()));
        let at_work = (by_then - due) / every.as_secs_f64() * own * mean_s;
        let count =
            NonZeroU32::new((at_work / slots - 1e-9).ceil() as u32).unwrap_or(NonZeroU32::MIN);
        let count = count.get().min(most);
        if steps.last().is_none_or(|(_, before)| *before != count) {
            steps.push((from, count));
        }
        (from, due) = (to, by_then);
    }
    Some(steps)
}
