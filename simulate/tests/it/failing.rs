//! Instances that fail.

use plimsoll_domain::Class;
use plimsoll_domain::schedule::{ArrivalProcess, Profile};
use plimsoll_simulate::{Deployment, Service};

use super::support::{SECOND, Told, count, millis, model};

#[test]
fn a_failed_instance_breaks_off_its_work_and_another_is_started() {
    let profile = Profile::hold(50.0, 600 * SECOND);
    let blue = Deployment {
        mean_time_to_failure: Some(60 * SECOND),
        provisioning: Service::constant(5 * SECOND),
        ..Deployment::new("blue", count(2), count(4), Service::constant(millis(50)))
    };
    let told = Told::of(model(&profile, ArrivalProcess::Poisson, blue));
    let ready: Vec<_> = told.ready();
    let failures = ready.windows(2).filter(|two| two[1].1 < two[0].1).count();
    // Two instances, each fails every 60 s: 20 on average, with a deviation of 4.5.
    assert!((7..34).contains(&failures), "{failures}");
    for two in ready.windows(2).filter(|two| two[0].1 == 1 && two[1].1 == 2) {
        assert!(two[1].0 - two[0].0 <= 5.0 + 1e-9, "{two:?}");
    }
    let all = told.whole().all();
    let broken: Vec<_> = all
        .outcomes
        .iter()
        .filter(|(outcome, _)| outcome.class == Class::ModelError)
        .map(|(outcome, _)| outcome.model_status)
        .collect();
    assert!(broken.contains(&Some(502)), "{broken:?}");
    assert_eq!(all.ended(), all.offered);
}

#[test]
fn without_any_instance_nothing_waits() {
    let profile = Profile::hold(10.0, 60 * SECOND);
    let blue = Deployment {
        mean_time_to_failure: Some(5 * SECOND),
        provisioning: Service::constant(5 * SECOND),
        ..Deployment::new("blue", count(1), count(1), Service::constant(millis(20)))
    };
    let all = Told::of(model(&profile, ArrivalProcess::Constant, blue)).whole().all();
    let unready = all.outcomes.iter().find(|(outcome, _)| outcome.model_status == Some(503));
    let (outcome, count) = unready.expect("some find no instance");
    assert_eq!((outcome.status, outcome.class), (Some(424), Class::ModelError));
    assert!((100..500).contains(&count), "{count}");
}
