//! A scaler's counts become instances: after a while, within the quota, and without cutting work off.

use std::sync::{Arc, Mutex};

use plimsoll_domain::Class;
use plimsoll_domain::schedule::{ArrivalProcess, Profile, Stage};
use plimsoll_simulate::{Autoscale, Deployment, Evaluation, Minute, Service, Simulation};

use super::support::{SECOND, Told, count, millis, model};

const MINUTE: std::time::Duration = std::time::Duration::from_mins(1);

fn scaled(
    ceiling: u32,
    scaler: impl FnMut(&Evaluation<'_>) -> Option<u32> + Send + 'static,
) -> Deployment {
    Deployment {
        provisioning: Service::constant(90 * SECOND),
        autoscale: Some(Autoscale { every: MINUTE, ceiling, scaler: Box::new(scaler) }),
        ..Deployment::new("blue", count(1), count(2), Service::constant(millis(20)))
    }
}

#[test]
fn instances_follow_the_scaler_after_their_start() {
    let profile = Profile::hold(10.0, 10 * MINUTE);
    // Three from the second minute on, and one from the sixth.
    let blue = scaled(10, |seen| Some(if seen.now < 6 * MINUTE { 3 } else { 1 }));
    let told = Told::of(model(&profile, ArrivalProcess::Constant, blue));
    let ready = told.ready();
    assert_eq!(ready, [(0.0, 1), (60.0, 1), (150.0, 2), (150.0, 3), (360.0, 1)]);
    let counts = &told.counts[1].1[0];
    assert_eq!((counts.wanted, counts.starting), (3, 2));
}

#[test]
fn the_quota_is_a_ceiling_and_one_instance_stays() {
    let profile = Profile::hold(10.0, 10 * MINUTE);
    let blue = scaled(4, |seen| Some(if seen.now < 5 * MINUTE { 100 } else { 0 }));
    let told = Told::of(model(&profile, ArrivalProcess::Constant, blue));
    let most = told.ready().iter().map(|(_, ready)| *ready).max();
    assert_eq!((most, told.ready().last().unwrap().1), (Some(4), 1));
}

#[test]
fn an_instance_that_leaves_finishes_its_work() {
    let profile = Profile::hold(100.0, 3 * MINUTE);
    let blue = Deployment {
        instances: count(5),
        service: Service::constant(millis(45)),
        ..scaled(5, |_| Some(3))
    };
    let told = Told::of(model(&profile, ArrivalProcess::Constant, blue));
    let all = told.whole().all();
    assert_eq!(told.ready().last().unwrap().1, 3);
    assert_eq!(all.outcomes.of(Class::Ok), all.offered);
    assert_eq!(all.response.max(), Some(millis(45)));
}

#[test]
fn what_is_too_many_before_it_is_ready_never_comes() {
    let profile = Profile::hold(10.0, 10 * MINUTE);
    let blue = scaled(10, |seen| Some(if seen.now == MINUTE { 5 } else { 2 }));
    let told = Told::of(model(&profile, ArrivalProcess::Constant, blue));
    assert_eq!(told.ready(), [(0.0, 1), (60.0, 1), (120.0, 1), (150.0, 2)]);
}

#[test]
fn minutes_say_what_happened_in_them() {
    let seen: Arc<Mutex<Vec<Minute>>> = Arc::default();
    let minutes = Arc::clone(&seen);
    let profile = Profile::new(vec![
        Stage::hold("calm", 10.0, MINUTE),
        Stage::hold("busy", 50.0, MINUTE),
        Stage::hold("over", 400.0, MINUTE),
    ]);
    let blue = scaled(1, move |seen| {
        minutes.lock().unwrap().extend_from_slice(seen.minutes);
        None
    });
    let told = Told::of(model(&profile, ArrivalProcess::Constant, blue));
    let seen = seen.lock().unwrap();
    let requests: Vec<_> = seen.iter().map(|minute| minute.requests).collect();
    assert_eq!(requests, [600, 3000, 24_000]);
    // One instance of two slots: 10/s × 20 ms = 0.2 of 2.
    let busy: Vec<_> = seen.iter().map(|minute| (minute.busy * 1e3).round()).collect();
    assert_eq!(busy, [100.0, 500.0, 1000.0]);
    assert_eq!((seen[1].refused, seen[1].instances), (0, 1.0));
    assert_eq!(seen[1].latency.quantile(0.99), Some(millis(20)));
    assert_eq!(seen[1].start, MINUTE);
    assert_eq!(told.whole().all().outcomes.of(Class::RefusedAdmission), seen[2].refused);
    assert!(seen[2].refused > 10_000);
}

#[test]
fn a_scaler_that_cannot_be_asked_is_refused() {
    let profile = Profile::hold(10.0, MINUTE);
    let mut blue = scaled(1, |_| None);
    blue.instances = count(2);
    let error = Simulation::new(model(&profile, ArrivalProcess::Constant, blue)).unwrap_err();
    assert!(error.to_string().contains("ceiling"), "{error}");
}
