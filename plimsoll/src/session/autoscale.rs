//! Autoscale rules in a session: how a scenario's become a controller, live or simulated, and what is
//! told of what it does.

use std::num::NonZeroU32;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use plimsoll_autoscale::azure::{MOST_INSTANCES, Parameters};
use plimsoll_autoscale::controller::{Controller, Happening, Plan};
use plimsoll_autoscale::verdict::objective::{Indicator, Objective};
use plimsoll_autoscale::verdict::{Asked, Course};
use plimsoll_autoscale::{Decision, Evaluation, Held, RuleTime, record_line};
use plimsoll_deploy::quota::QuotaPlan;
use plimsoll_deploy::spec::DeploymentSpec;
use plimsoll_domain::{Class, Snapshot};
use plimsoll_monitor::{Alert, AlertEvent, Amount};
use rand_pcg::Pcg64;

use super::sink::{Output, event};
use super::source::Instances;
use crate::results::{EventKind, IntervalInfo, Phase};
use crate::scenario::{Autoscale, Place, Scenario, amount};

mod worth;

pub(super) use worth::Worth;

/// The stream of random numbers that say how long machines take.
const MACHINES: u128 = 0x6d61_6368_696e_6573;

/// The controller of a scenario's rules, for a run that begins now; `None` if it has no rules.
///
/// # Errors
/// A metric of the rules that is not measured; a scenario that was read has none.
pub(super) fn controller(
    scenario: &Scenario,
    now: SystemTime,
) -> Option<Result<Controller, String>> {
    let autoscale = scenario.autoscale.as_ref()?;
    let deployments = deployments(scenario);
    let spec = deployments.iter().find(|spec| spec.name == autoscale.subject.deployment)?;
    let begins = autoscale.begins.or_else(|| Timestamp::try_from(now).ok()).unwrap_or_default();
    let mut random = Pcg64::new(scenario.seed.into(), MACHINES);
    let times = autoscale.provisioning.clone();
    let plan = Plan {
        rules: autoscale.rules.clone(),
        parameters: autoscale.parameters,
        subject: autoscale.subject.clone(),
        time: RuleTime::new(begins, autoscale.compression),
        quota: most_by_quota(scenario, &spec.name),
        provisioning: Box::new(move || Duration::from_nanos(times.draw(&mut random))),
        instances: spec.instance_count.get(),
    };
    let controller = Controller::new(plan);
    Some(
        controller.map_err(|unread| {
            unread.into_iter().map(|one| one.message).collect::<Vec<_>>().join("; ")
        }),
    )
}

fn deployments(scenario: &Scenario) -> &[DeploymentSpec] {
    match &scenario.place {
        Place::Deployed(deployed) => &deployed.deployments,
        Place::Existing(_) | Place::Standing(_) => &[],
    }
}

/// The deployments of a scenario, one of them with another count.
fn with_count(scenario: &Scenario, name: &str, count: NonZeroU32) -> Vec<DeploymentSpec> {
    let mut all = deployments(scenario).to_vec();
    for spec in all.iter_mut().filter(|spec| spec.name == name) {
        spec.instance_count = count;
    }
    all
}

/// The most instances of a deployment that the quota has room for beside the others, the reserve
/// counted in; `None` if no limits are known.
pub(crate) fn most_by_quota(scenario: &Scenario, name: &str) -> Option<u32> {
    let limits = scenario.quota.limits.as_ref()?;
    let fits = |count: &u32| {
        let count = NonZeroU32::new(*count).unwrap_or(NonZeroU32::MIN);
        let all = with_count(scenario, name, count);
        QuotaPlan::for_deployments(&all, &scenario.quota.region).check(limits, "").is_ok()
    };
    let most = (1..=MOST_INSTANCES).take_while(fits).last().unwrap_or(0);
    (most < MOST_INSTANCES).then_some(most)
}

/// Azure's words for a scale-out that the quota has no room for.
fn refusal(scenario: &Scenario, name: &str, count: u32) -> Option<String> {
    let limits = scenario.quota.limits.as_ref()?;
    let all = with_count(scenario, name, NonZeroU32::new(count)?);
    let plan = QuotaPlan::for_deployments(&all, &scenario.quota.region);
    let refusals = plan.check(limits, super::plan::LOCAL_SUBSCRIPTION).err()?;
    refusals.first().map(|refusal| format!("{}: {}", refusal.code, refusal.message))
}

/// What is told of a controller.
#[derive(Debug)]
pub(super) struct Teller {
    deployment: String,
    parameters: Parameters,
    /// For the words of refusals.
    scenario: Box<Scenario>,
    /// Why the count changes, if it does: of the newest evaluation.
    reason: String,
    /// The guard that holds the rules back, and the count that they would want: told when it changes.
    held: Option<(Held, u32)>,
    /// How it stands.
    pub(super) standing: Standing,
    course: Course,
    objectives: Vec<Objective>,
    alerts: Vec<(Objective, Alert)>,
    /// Those whose state changed since they were taken.
    changed: Vec<AlertEvent>,
    /// Until when intervals were told.
    until: Duration,
}

/// How rules and their instances stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// The deployment that they scale.
    pub(super) deployment: String,
    /// Instances that are wanted.
    pub(super) wanted: u32,
    /// Instances that would be wanted without any guard.
    pub(super) unguarded: u32,
    /// Instances that have a machine.
    pub(super) provisioned: u32,
    /// Evaluations so far.
    pub(super) evaluations: u64,
    /// Changes of the count so far.
    pub(super) changes: u64,
    /// Changes that the quota refused so far.
    pub(super) refused: u64,
    /// The guard that holds the rules back.
    pub(super) held: Option<Held>,
}

impl Teller {
    /// Of a scenario's rules, if it has any.
    pub(super) fn new(scenario: &Scenario) -> Option<Self> {
        let autoscale = scenario.autoscale.as_ref()?;
        let Autoscale { subject, parameters, compression, .. } = autoscale;
        let delay = u32::try_from(subject.metric_delay.as_secs()).unwrap_or(u32::MAX);
        let all = deployments(scenario).iter();
        let spec = all.clone().find(|spec| spec.name == subject.deployment);
        let count = spec.map_or(0, |spec| spec.instance_count.get());
        let parameters = Parameters { metric_delay_s: delay, ..*parameters };
        // Only how fast it goes matters to the course, not when it is.
        let time = RuleTime::new(Timestamp::UNIX_EPOCH, *compression);
        let slots = subject.machine.slots;
        Some(Self {
            course: Course::new(autoscale.rules.clone(), parameters, time, count, slots),
            objectives: autoscale.objectives.clone(),
            alerts: autoscale
                .alerts
                .iter()
                .map(|alert| (alert.objective, Alert::new(alert.terms.clone())))
                .collect(),
            changed: Vec::new(),
            until: Duration::ZERO,
            deployment: subject.deployment.clone(),
            parameters,
            scenario: Box::new(scenario.clone()),
            reason: String::new(),
            held: None,
            standing: Standing {
                deployment: subject.deployment.clone(),
                wanted: count,
                unguarded: count,
                provisioned: count,
                ..Standing::default()
            },
        })
    }

    /// The alerts on the rules.
    pub(super) fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.iter().map(|(_, alert)| alert)
    }

    /// The run is over, and the alerts with it.
    pub(super) fn end_alerts(&mut self) -> Vec<AlertEvent> {
        let end = self.until;
        self.alerts.iter_mut().filter_map(|(_, alert)| alert.end(end)).collect()
    }

    /// The alerts whose state has changed.
    pub(super) fn take_alerts(&mut self) -> Vec<AlertEvent> {
        std::mem::take(&mut self.changed)
    }

    /// What the indicators come to so far; those of which something is known.
    pub(super) fn indicators(&self) -> Vec<(&'static str, Amount)> {
        let findings = self.course.clone().so_far(self.until);
        let known = Indicator::ALL.iter().filter_map(|(name, indicator)| {
            let figure = indicator.figure(&findings).ok()?;
            Some((*name, amount(*indicator, figure.value)))
        });
        known.collect()
    }

    /// An interval is over; `wrong` says of each objective in windows whether the newest is.
    pub(super) fn interval(
        &mut self,
        snapshot: &Snapshot,
        info: &IntervalInfo,
        wrong: &[(String, bool)],
    ) {
        let mut asked = Asked {
            start: snapshot.start,
            end: snapshot.end,
            judged: info.phase == Phase::Measured,
            target_rps: info.target_rps,
            service: Duration::ZERO,
            served: 0,
            refused: 0,
        };
        for (key, tally) in &snapshot.tallies {
            if snapshot.names.of(*key).2 == self.deployment {
                let nanos = u64::try_from(tally.service.sum_ns()).unwrap_or(u64::MAX);
                asked.service += Duration::from_nanos(nanos);
                asked.served += tally.service.count();
                asked.refused += tally.outcomes.of(Class::RefusedAdmission);
            }
        }
        self.course.asked(&asked);
        if asked.judged {
            self.course.violated(snapshot.start, snapshot.end, wrong);
        }
        self.until = snapshot.end;
        if !self.alerts.is_empty() {
            self.step_alerts();
        }
    }

    fn step_alerts(&mut self) {
        let findings = self.course.clone().so_far(self.until);
        let step = |(objective, alert): &mut (Objective, Alert)| {
            let value = objective.indicator.figure(&findings).ok()?.value;
            alert.step(self.until, amount(objective.indicator, value), objective.holds(value))
        };
        self.changed.extend(self.alerts.iter_mut().filter_map(step));
    }

    /// So many instances are ready.
    pub(super) fn ready(&mut self, at: Duration, instances: &[Instances]) {
        if let Some(own) = instances.iter().find(|one| one.deployment == self.deployment) {
            self.course.ready(at, own.ready);
        }
    }

    /// What the rules were worth until `end`.
    pub(super) fn worth(self, end: Duration) -> Worth {
        let compression = self.scenario.autoscale.as_ref().map_or(1, |of| of.compression.factor());
        let findings = self.course.findings(end);
        let judge = |objective: Objective| (objective, objective.judge(&findings));
        let judged = self.objectives.into_iter().map(judge).collect();
        Worth { deployment: self.deployment, compression, judged, findings }
    }

    /// Takes something that the controller did into account, and tells nothing.
    pub(super) fn note(&mut self, happening: &Happening) {
        self.course.happened(happening);
    }

    /// What there is to tell of something that the controller did.
    pub(super) fn tell(&mut self, happening: &Happening) -> Vec<Output<'static>> {
        self.course.happened(happening);
        let name = &self.deployment;
        let told = |at: Duration, kind: EventKind, message: String| {
            event(at, kind, message).with("deployment", name.as_str())
        };
        match happening {
            Happening::Decided { at, evaluation, .. } => self.decided(*at, evaluation),
            Happening::Scaled { at, from, to } => {
                self.standing.wanted = *to;
                self.standing.changes += 1;
                let message = format!("{from} → {to} instances of {name} wanted: {}", self.reason);
                let event =
                    told(*at, EventKind::Scale, message).with("from", *from).with("to", *to);
                vec![Output::Event(event.with("reason", self.reason.as_str()))]
            }
            Happening::Refused { at, from, to, most } => {
                self.standing.refused += 1;
                let why = refusal(&self.scenario, name, *to);
                let why = why.unwrap_or_else(|| "the quota has no room".to_owned());
                let message = format!(
                    "{from} → {to} instances of {name} failed, at most {most} fit with the reserve: {why}"
                );
                let event = told(*at, EventKind::Warning, message).with("from", *from);
                vec![Output::Event(
                    event.with("to", *to).with("most", *most).with("reason", "quota"),
                )]
            }
            Happening::Provisioned { at, there } => {
                self.standing.provisioned = *there;
                let message = format!("{there} instances of {name} have a machine");
                let event = told(*at, EventKind::Scale, message).with("provisioned", *there);
                vec![Output::Event(event)]
            }
        }
    }

    fn decided(&mut self, at: Duration, evaluation: &Evaluation) -> Vec<Output<'static>> {
        let Evaluation { state, decision } = evaluation;
        self.reason = reason(decision);
        self.standing.evaluations += 1;
        self.standing.unguarded = decision.unguarded;
        self.standing.held = decision.held;
        // A scale-in has no machines to wait for.
        self.standing.provisioned = self.standing.provisioned.min(decision.replicas);
        let line = record_line(self.parameters, state, decision);
        let mut outputs = vec![Output::Evaluation { line }];
        // What lies within a tolerance is wanted by nobody.
        let held = decision
            .held
            .filter(|held| *held != Held::Tolerance && decision.unguarded != decision.replicas);
        let held = held.map(|held| (held, decision.unguarded));
        if held != self.held
            && let Some((guard, wanted)) = held
        {
            let (name, stays) = (&self.deployment, decision.replicas);
            let guard = guard.words();
            let message = format!("{name} stays at {stays} instances, not {wanted}: {guard}");
            let event = event(at, EventKind::Scale, message).with("deployment", name.as_str());
            outputs.push(Output::Event(event.with("held", guard).with("unguarded", wanted)));
        }
        self.held = held;
        outputs
    }
}

/// The rules or metrics that led to a decision.
fn reason(decision: &Decision) -> String {
    let steps = decision.steps.iter();
    let observed: Vec<String> = steps
        .filter(|step| step.replicas.is_some_and(|count| count == decision.unguarded))
        .filter_map(|step| Some(format!("{} ({:.4})", step.what, step.value?)))
        .collect();
    if !observed.is_empty() {
        return observed.join(", ");
    }
    let last = decision.steps.iter().rfind(|step| step.replicas == Some(decision.replicas));
    let last = last.or(decision.steps.last());
    last.map_or_else(String::new, |step| format!("{}: {}", step.what, step.result))
}
