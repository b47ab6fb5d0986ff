//! Counts that are wanted from outside become instances: after a while, one change after the other,
//! and without cutting work off.

use std::time::Duration;

use plimsoll_domain::Class;
use plimsoll_domain::schedule::{ArrivalProcess, Profile};
use plimsoll_simulate::{Deployment, Happening, InstanceLook, Looked, Service, Simulation};

use super::support::{SECOND, Told, count, millis, model};

const MINUTE: Duration = Duration::from_mins(1);

fn blue(instances: u32, service_ms: u64) -> Deployment {
    Deployment {
        provisioning: Service::constant(90 * SECOND),
        ..Deployment::new("blue", count(instances), count(2), Service::constant(millis(service_ms)))
    }
}

/// Ten minutes at a rate, in which counts are wanted at times.
fn run(rate: f64, blue: Deployment, wanted: &[(Duration, u32)]) -> Told {
    let profile = Profile::hold(rate, 10 * MINUTE);
    let mut simulation =
        Simulation::new(model(&profile, ArrivalProcess::Constant, blue)).expect("a model");
    let mut told = Told::default();
    for (at, count) in wanted {
        while let Some(happening) = simulation.advance_to(*at) {
            told.take(happening);
        }
        assert_eq!(simulation.now(), *at);
        simulation.want(0, *count);
    }
    while told.take(simulation.advance()) {}
    told
}

#[test]
fn instances_follow_what_is_wanted_after_their_start() {
    let told = run(10.0, blue(1, 20), &[(MINUTE, 3), (6 * MINUTE, 0)]);
    let ready = told.ready();
    assert_eq!(ready, [(0.0, 1), (60.0, 1), (150.0, 2), (150.0, 3), (360.0, 1)]);
    let counts = &told.counts[1].1[0];
    assert_eq!((counts.wanted, counts.starting), (3, 2));
}

#[test]
fn a_change_waits_for_the_one_before_and_then_only_the_newest_is_made() {
    let told = run(10.0, blue(1, 20), &[(MINUTE, 3), (70 * SECOND, 5), (80 * SECOND, 2)]);
    assert_eq!(told.ready(), [(0.0, 1), (60.0, 1), (150.0, 2), (150.0, 3), (150.0, 2)]);
}

#[test]
fn an_instance_that_leaves_finishes_its_work_before_the_next_change() {
    let told = run(1.0, blue(5, 4000), &[(MINUTE, 3), (MINUTE + SECOND, 4)]);
    let all = told.whole().all();
    assert_eq!(all.outcomes.of(Class::Ok), all.offered);
    assert_eq!(all.response.max(), Some(4 * SECOND));
    // The work of those that left takes up to 4 s, and then an instance starts in 90 s.
    let ready = told.ready();
    assert_eq!((ready[1], ready.last().expect("a count").1), ((60.0, 3), 4));
    let took = ready.last().expect("a count").0 - 60.0 - 90.0;
    assert!((1.5..4.0).contains(&took), "{ready:?}");
}

#[test]
fn a_look_shows_what_an_instance_did_so_far() {
    // Four requests a second of 1.5 s each, on 4 instances of 2 slots: 6 slots are taken.
    let profile = Profile::hold(4.0, 10 * MINUTE);
    let model = model(&profile, ArrivalProcess::Constant, blue(4, 1500));
    let mut simulation = Simulation::new(model).expect("a model");
    let at = |simulation: &mut Simulation, until: Duration| {
        while simulation.advance_to(until).is_some() {}
        simulation.look(0)
    };
    let a_moment = millis(100);
    let early = at(&mut simulation, MINUTE + a_moment);
    let busy: u32 = early.instances.iter().map(|one| one.in_flight).sum();
    assert_eq!((early.waiting, busy), (0, 6));
    simulation.want(0, 5);
    let late = at(&mut simulation, 2 * MINUTE + a_moment);
    let worked = |looked: &Looked| looked.instances.iter().map(|one| one.working).sum::<Duration>();
    assert_eq!(worked(&late), worked(&early) + 6 * MINUTE);
    let starts = InstanceLook { number: 4, ready: false, working: Duration::ZERO, in_flight: 0 };
    assert_eq!(late.instances[4], starts);
    let numbers: Vec<_> = at(&mut simulation, 3 * MINUTE).instances;
    let numbers: Vec<_> = numbers.iter().map(|one| (one.number, one.ready)).collect();
    assert_eq!(numbers, [(0, true), (1, true), (2, true), (3, true), (4, true)]);
}

#[test]
fn nobody_who_asks_for_moments_changes_what_happens() {
    let whole = run(30.0, blue(1, 50), &[]);
    let moments: Vec<_> = (1..1200).map(|half| (half * Duration::from_millis(500), 1)).collect();
    let parts = run(30.0, blue(1, 50), &moments);
    assert_eq!(whole.snapshots, parts.snapshots);
    assert!(matches!(
        Simulation::new(model(&Profile::hold(1.0, SECOND), ArrivalProcess::Constant, blue(1, 1)))
            .expect("a model")
            .advance_to(Duration::ZERO),
        Some(Happening::Instances { .. })
    ));
}
