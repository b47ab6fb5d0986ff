use super::lateness::Part;
use super::objective::{Judged, Objective};
use super::*;
use crate::controller::{Controller, Plan};
use crate::pipeline::tests::{script, snapshot, subject, time, usage};

const OUT: &str = "\"CpuUtilizationPercentage > 70 avg 5m\" --scale out 1 --cooldown 10";
const IN: &str = "\"CpuUtilizationPercentage < 30 avg 5m\" --scale in 1 --cooldown 5";

/// A run of seconds that are minutes to the rules: all slots work from second `from` to second `to`,
/// and machines take four minutes, instances no time.
fn run(seconds: u64, (from, to): (u64, u64), quota: Option<u32>) -> Findings {
    let delay = Duration::from_mins(2);
    let subject = crate::pipeline::Subject { metric_delay: delay, ..subject() };
    let plan = Plan {
        rules: script(&[OUT, IN]),
        parameters: Parameters::default(),
        subject,
        time: time(60),
        quota,
        provisioning: Box::new(|| Duration::from_mins(4)),
        instances: 1,
    };
    let mut course = Course::new(
        plan.rules.clone(),
        Parameters { metric_delay_s: 120, ..plan.parameters },
        plan.time,
        1,
        2,
    );
    let mut controller = Controller::new(plan).expect("it is measured");
    let mut worked = vec![Duration::ZERO; 20];
    for second in 0..=seconds {
        let at = Duration::from_secs(second);
        let names: Vec<_> = (0..controller.there() as usize).map(|i| format!("i{i}")).collect();
        let each: Vec<_> =
            names.iter().zip(&worked).map(|(name, worked)| (name.as_str(), *worked)).collect();
        controller.usage(usage(at, &each));
        if second > 0 {
            controller.observe(&snapshot(second - 1, "blue", &[(200, 10)], &[5]));
        }
        let turn = controller.step(at);
        for happening in &turn.happenings {
            course.happened(happening);
        }
        course.ready(at, controller.there());
        let busy = (from..to).contains(&second);
        let work = if busy { Duration::from_secs(2) } else { Duration::ZERO };
        for worked in &mut worked {
            *worked += work;
        }
        let end = at + Duration::from_secs(1);
        let asked = Asked {
            start: at,
            end,
            judged: true,
            target_rps: if busy { 20.0 } else { 1.0 },
            service: work * 2,
            served: 10,
            refused: if busy { 10 } else { 0 },
        };
        course.asked(&asked);
        course.violated(at, end, &[("p95 < 1s".to_owned(), busy)]);
    }
    course.findings(Duration::from_secs(seconds + 1))
}

fn minutes(of: &super::lateness::Lateness) -> Vec<(Part, u64)> {
    of.parts.iter().map(|(part, time)| (*part, time.as_secs() / 60)).collect()
}

/// Busy from minute 10 on. Its first grain can be read at 13; the mean of five grains is above 70 with
/// the fourth, at 16; machines come at 20. The next rule waits for the change before and its cooldown.
#[test]
fn every_minute_of_a_scale_out_has_its_cause() {
    let findings = run(60, (10, 40), None);
    let first = &findings.scale_outs[0];
    assert_eq!((first.since, first.from, first.to), (Duration::from_secs(10), 1, 2));
    assert_eq!(
        (first.decided, first.came),
        (Some(Duration::from_secs(16)), Some(Duration::from_secs(20)))
    );
    let parts = [(Part::Metric, 3), (Part::Window, 3), (Part::Provisioning, 4)];
    assert_eq!(minutes(first), parts);
    let second = &findings.scale_outs[1];
    assert_eq!(second.decided, Some(Duration::from_secs(26)));
    assert_eq!(second.longest(), Some((Part::Cooldown, Duration::from_mins(5))), "{second:?}");
    let all = second.total().as_secs();
    let whole = second.came.expect("it came").saturating_sub(second.since).as_secs() * 60;
    assert_eq!(all, whole, "the parts are all of the time: {second:?}");
}

#[test]
fn the_figures_are_those_of_the_load() {
    let findings = run(60, (10, 40), None);
    assert_eq!(findings.violation, Duration::from_mins(30));
    assert_eq!(findings.back_under, [("p95 < 1s".to_owned(), Duration::from_mins(30), true)]);
    assert_eq!(findings.refused, (300, 910));
    // Three scale-outs in that time: each waited four minutes for its machine, two of them five for a cooldown.
    assert_eq!(findings.culprit, Some((Part::Provisioning, Duration::from_mins(12))));
    assert_eq!((findings.largest_step, findings.flaps), (1, 0));
    // Eight seconds of work a second, of two slots each: four instances, one of which is there.
    assert_eq!(findings.undershoot, 3);
    assert!(findings.instance_hours > 61.0 / 60.0 && findings.instance_hours < 4.0);
    let judge = |text: &str| Objective::parse(text).expect(text).judge(&findings);
    assert_eq!(judge("time to first extra ready instance < 11m"), Judged::Met(600.0));
    assert_eq!(judge("time to first extra ready instance < 10m"), Judged::Breached(600.0));
    assert_eq!(judge("violation time <= 30m"), Judged::Met(1800.0));
    assert_eq!(judge("time back under < 5m"), Judged::Breached(1800.0));
    assert_eq!(judge("refused share < 1%"), Judged::Breached(300.0 / 910.0));
    assert_eq!(judge("undershoot <= 3"), Judged::Met(3.0));
}

#[test]
fn what_the_quota_refuses_waits_for_the_quota_and_never_comes() {
    let findings = run(30, (10, 31), Some(1));
    let first = &findings.scale_outs[0];
    assert_eq!((first.decided, first.came), (None, None));
    assert_eq!(first.longest().map(|(part, _)| part), Some(Part::Quota), "{first:?}");
    let judge = |text: &str| Objective::parse(text).expect(text).judge(&findings);
    assert_eq!(judge("time to first extra ready instance < 5m"), Judged::Breached(f64::INFINITY));
    assert!(matches!(judge("time to first extra ready instance < 5h"), Judged::Undecided(_)));
    assert!(matches!(judge("time back under < 5h"), Judged::Undecided(_)), "it goes on");
    let idle = run(20, (30, 31), None);
    let objective = Objective::parse("time to first extra ready instance < 5m").expect("right");
    assert!(matches!(objective.judge(&idle), Judged::Undecided(_)));
}

#[test]
fn objectives_are_read_and_printed_alike() {
    for text in [
        "time to first extra ready instance < 6m",
        "time back under <= 90s",
        "refused share < 0.1%",
        "overshoot <= 2",
        "instance hours < 3.5",
    ] {
        let objective = Objective::parse(text).expect(text);
        assert_eq!(Objective::parse(&objective.to_string()), Ok(objective), "{text}");
        assert!(Objective::is_meant(text));
    }
    for wrong in [
        "flaps",
        "flaps > 1",
        "flaps < x",
        "violation time < soon",
        "refused share < 1",
        "speed < 1",
    ] {
        assert!(Objective::parse(wrong).is_err(), "{wrong}");
    }
    assert!(!Objective::is_meant("p99 < 200ms"));
    let spans = [0, 59, 60, 3600, 3725].map(|seconds| span(Duration::from_secs(seconds)));
    assert_eq!(spans, ["0s", "59s", "1m", "1h", "1h 2m 5s"]);
}

/// Idle from minute 40 on, with the count that 30 minutes of work left. The first idle grain, 40, can be
/// read at 43. The mean of five grains is below 30 with the fourth, at 46.
#[test]
fn every_minute_of_a_scale_in_has_its_cause() {
    let findings = run(90, (10, 40), None);
    let first = &findings.scale_ins[0];
    assert_eq!(first.since, Duration::from_secs(40), "{first:?}");
    assert_eq!(first.to, first.from - 1);
    assert_eq!(minutes(first)[..2], [(Part::Metric, 3), (Part::Window, 3)], "{first:?}");
    let whole = first.came.expect("it came").saturating_sub(first.since).as_secs() * 60;
    assert_eq!(first.total().as_secs(), whole, "the parts are all of the time: {first:?}");
    // The next waits for the cooldown of five minutes, and for the change before.
    let second = &findings.scale_ins[1];
    let waited: Vec<Part> = second.parts.iter().map(|(part, _)| *part).collect();
    assert!(waited.contains(&Part::Cooldown), "{second:?}");
    let last = findings.scale_ins.last().expect("there are some");
    assert_eq!((last.to, last.came.is_some()), (1, true), "down to the minimum, and no further");
}
