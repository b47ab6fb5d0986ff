use super::*;
use crate::pipeline::tests::{script, snapshot, subject, time, usage};
use crate::{Held, record_line, replay};

const OUT: &str = "\"CpuUtilizationPercentage > 70 avg 5m\" --scale out 2";
const IN: &str = "\"CpuUtilizationPercentage < 30 avg 5m\" --scale in 1";

fn plan(provisioning: Duration) -> Plan {
    Plan {
        rules: script(&[OUT, IN]),
        parameters: Parameters::default(),
        subject: subject(),
        time: time(60),
        quota: None,
        provisioning: Box::new(move || provisioning),
        instances: 1,
    }
}

/// A run of so many seconds, each a minute of rule time, with all slots at work until `busy`. What the
/// target is told it has at once.
fn run(controller: &mut Controller, seconds: u64, busy: u64) -> Vec<Happening> {
    let mut target = controller.there();
    let mut worked = vec![Duration::ZERO; 100];
    let mut all = Vec::new();
    for second in 0..=seconds {
        let names: Vec<_> = (0..target as usize).map(|i| format!("i{i}")).collect();
        let each: Vec<_> =
            names.iter().zip(&worked).map(|(name, worked)| (name.as_str(), *worked)).collect();
        controller.usage(usage(Duration::from_secs(second), &each));
        if second > 0 {
            controller.observe(&snapshot(second - 1, "blue", &[(200, 10)], &[5]));
        }
        let turn = controller.step(Duration::from_secs(second));
        target = turn.target.unwrap_or(target);
        all.extend(turn.happenings);
        if second < busy {
            for worked in &mut worked {
                *worked += Duration::from_secs(2);
            }
        }
    }
    all
}

fn scaled(all: &[Happening]) -> Vec<(u64, u32, u32)> {
    let scaled = |one: &Happening| match one {
        Happening::Scaled { at, from, to } => Some((at.as_secs(), *from, *to)),
        _ => None,
    };
    all.iter().filter_map(scaled).collect()
}

#[test]
fn instances_come_when_their_machines_do_and_changes_hold_the_rules_back() {
    let mut controller = Controller::new(plan(Duration::from_mins(7))).expect("it is measured");
    let all = run(&mut controller, 70, 16);
    // The first minute is whole after a second; seven minutes to the machines, and one to be seen.
    assert_eq!(scaled(&all)[..2], [(1, 1, 3), (9, 3, 5)]);
    let provisioned = all.iter().find(|one| matches!(one, Happening::Provisioned { .. }));
    assert_eq!(provisioned, Some(&Happening::Provisioned { at: Duration::from_secs(8), there: 3 }));
    let held = all.iter().find_map(|one| match one {
        Happening::Decided { at, evaluation, .. } if at.as_secs() == 5 => evaluation.decision.held,
        _ => None,
    });
    assert_eq!(held, Some(Held::InProgress));
    assert_eq!((controller.wanted(), controller.there()), (1, 1), "{:?}", scaled(&all));
}

#[test]
fn what_is_not_wanted_any_more_leaves_before_its_machine_came() {
    let mut controller = Controller::new(plan(Duration::from_mins(7))).expect("it is measured");
    let at = Duration::from_secs(1);
    controller.scale(at, 4);
    controller.scale(at, 2);
    assert_eq!((controller.there(), controller.coming.len()), (1, 1));
    controller.scale(at, 1);
    assert_eq!((controller.there(), controller.coming.len()), (1, 0));
}

#[test]
fn a_scale_out_beyond_the_quota_fails_whole_and_is_tried_again() {
    let mut controller =
        Controller::new(Plan { quota: Some(2), ..plan(Duration::ZERO) }).expect("it is measured");
    let all = run(&mut controller, 4, 4);
    let refused: Vec<_> =
        all.iter().filter(|one| matches!(one, Happening::Refused { .. })).collect();
    assert_eq!(refused.len(), 4);
    let at = Duration::from_secs(1);
    assert_eq!(*refused[0], Happening::Refused { at, from: 1, to: 3, most: 2 });
    assert_eq!((controller.wanted(), controller.there()), (1, 1));
}

#[test]
fn what_it_records_decides_again_to_the_byte() {
    let plan = plan(Duration::from_secs(90));
    let rules = plan.rules.clone();
    let mut controller = Controller::new(plan).expect("it is measured");
    let all = run(&mut controller, 40, 13);
    let parameters = controller.parameters();
    let lines: Vec<String> = all
        .iter()
        .filter_map(|one| match one {
            Happening::Decided { evaluation, .. } => {
                Some(record_line(parameters, &evaluation.state, &evaluation.decision))
            }
            _ => None,
        })
        .collect();
    let replayed = replay(&rules, "record", &lines.join("\n")).expect("a record");
    assert_eq!((replayed.count, replayed.differs), (40, None));
    assert!(scaled(&all).len() > 3);
}

#[test]
fn an_evaluation_waits_for_what_it_looks_at_but_not_for_ever() {
    let mut controller = Controller::new(plan(Duration::ZERO)).expect("it is measured");
    let second = Duration::from_secs(1);
    assert_eq!(controller.step(second), Turn::default());
    assert_eq!(controller.next_wake(), second + PATIENCE);
    let turn = controller.step(second + PATIENCE);
    assert_eq!(turn.happenings.len(), 1);
    controller.observe(&snapshot(1, "blue", &[(200, 10)], &[5]));
    assert_eq!(controller.next_wake(), second * 2);
}

const EXTERNAL: &str = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\nspec:\n  \
    scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: d}\n  maxReplicas: 9\n  metrics:\n  \
    - type: External\n    external: {metric: {name: requests_per_second}, target: {type: AverageValue, averageValue: 10}}\n";

/// Ten answers a second until second 100, then twenty. The mean of a minute is beyond the tolerance of
/// 10 % with the seventh such second, and can be read 5 s later, at 112; the next evaluation is at 120.
#[test]
fn what_a_cluster_waits_for_is_split_into_delay_window_and_tick() {
    let subject = Subject { metric_delay: Duration::from_secs(5), ..subject() };
    let rules = crate::pipeline::tests::rules(EXTERNAL);
    let plan = Plan { rules, subject, time: time(1), ..plan(Duration::ZERO) };
    let mut controller = Controller::new(plan).expect("it is measured");
    let mut needs = Vec::new();
    for second in 0..=140 {
        let at = Duration::from_secs(second);
        controller.usage(usage(at, &[("a", Duration::ZERO)]));
        if second > 0 {
            let answers = if second - 1 < 100 { 10 } else { 20 };
            controller.observe(&snapshot(second - 1, "blue", &[(200, answers)], &[5]));
        }
        for happening in controller.step(at).happenings {
            if let Happening::Decided { at, need: Some(need), .. } = happening {
                needs.push((at.as_secs(), need));
            }
        }
    }
    let seconds = Duration::from_secs;
    let need = Need { metric: seconds(5), window: seconds(7), tick: seconds(8) };
    assert_eq!(needs.first(), Some(&(120, need)), "{needs:?}");
}
