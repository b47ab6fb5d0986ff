//! Admission, timeouts, connections and the laws of counting.

use std::num::NonZeroU32;
use std::time::Duration;

use plimsoll_domain::schedule::{ArrivalProcess, Arrivals, Mix, Profile, Stage};
use plimsoll_domain::{Class, Latency, Limit, Limits};
use plimsoll_simulate::{Client, Deployment, Error, Service, Simulation};
use proptest::prelude::*;

use super::support::{SECOND, Told, count, exponential, millis, model};

const CONSTANT: ArrivalProcess = ArrivalProcess::Constant;
const POISSON: ArrivalProcess = ArrivalProcess::Poisson;

fn blue(instances: u32, concurrent: u32, service: Service) -> Deployment {
    Deployment::new("blue", count(instances), count(concurrent), service)
}

#[test]
fn a_calm_run_answers_everything_in_its_service_time() {
    let profile = Profile::hold(100.0, 3 * SECOND);
    let told = Told::of(model(&profile, CONSTANT, blue(1, 2, Service::constant(millis(10)))));
    let all = told.whole().all();
    assert_eq!((all.offered, all.sent, all.outcomes.of(Class::Ok)), (300, 300, 300));
    assert_eq!((all.response.min(), all.response.max()), (Some(millis(10)), Some(millis(10))));
    let spans: Vec<_> = told.snapshots.iter().map(|s| (s.index, s.start, s.end)).collect();
    assert_eq!(spans, [(0, 0), (1, 1), (2, 2)].map(|(i, s)| (i, s * SECOND, (s + 1) * SECOND)));
    assert!(told.snapshots.iter().all(|snapshot| snapshot.all().offered == 100));
    assert_eq!(told.ready(), [(0.0, 1)]);
}

#[test]
fn an_answer_takes_its_overhead_beyond_the_work_and_holds_no_slot_for_it() {
    let profile = Profile::hold(100.0, 3 * SECOND);
    // One slot that is busy all the time: held any longer, others would wait.
    let service = Service::constant(millis(10));
    let slow = Deployment { overhead: millis(3), ..blue(1, 1, service) };
    let all = Told::of(model(&profile, CONSTANT, slow)).whole().all();
    assert_eq!((all.response.min(), all.response.max()), (Some(millis(13)), Some(millis(13))));
    assert_eq!((all.model.min(), all.model.max()), (Some(millis(10)), Some(millis(10))));
    assert_eq!(all.overhead.max(), Some(millis(3)));
}

#[test]
fn each_other_request_in_the_instance_makes_one_longer_by_the_slowdown() {
    // All four at once, which take 10, 15, 20 and 25 ms: each has those before it beside it.
    let profile = Profile::hold(100_000.0, Duration::from_micros(40));
    let slow = Deployment { slowdown: 0.5, ..blue(1, 4, Service::constant(millis(10))) };
    let all = Told::of(model(&profile, CONSTANT, slow)).whole().all();
    let took: Vec<u64> =
        all.model.buckets().map(|(nanos, _)| (nanos + 500_000) / 1_000_000).collect();
    assert_eq!((all.model.count(), took), (4, vec![10, 15, 20, 25]));
    let alone = Deployment { slowdown: 0.5, ..blue(4, 4, Service::constant(millis(10))) };
    let all = Told::of(model(&profile, CONSTANT, alone)).whole().all();
    assert_eq!(all.model.max(), Some(millis(10)), "each has an instance of its own");
    let wrong = Deployment { slowdown: -0.1, ..blue(1, 1, Service::constant(millis(1))) };
    let error = Simulation::new(model(&profile, CONSTANT, wrong)).unwrap_err();
    assert!(error.to_string().contains("slowdown"), "{error}");
}

#[test]
fn twice_the_slots_are_admitted_and_one_more_is_refused() {
    // All of 10 arrivals within a slot's time: 2 × 1 × 2 are admitted.
    let profile = Profile::hold(1000.0, millis(10));
    let told = Told::of(model(&profile, CONSTANT, blue(2, 1, Service::constant(SECOND))));
    let all = told.whole().all();
    assert_eq!(all.outcomes.of(Class::RefusedAdmission), 6);
    assert_eq!(all.outcomes.of(Class::Ok), 4);
    assert!(all.response.max().unwrap() < 2 * SECOND);
}

#[test]
fn an_overload_outlasts_the_callers_who_gave_up() {
    // The second waits 0.5 s for its slot and 0.5 s in its work, and gives up; its instance goes on
    // for 0.2 s. The third, due 50 ms later, has a slot at once, and waits 150 ms in the instance.
    let profile = Profile::new(vec![
        Stage::hold("two", 5.0, millis(400)),
        Stage::hold("pause", 0.0, millis(850)),
        Stage::hold("third", 5.0, millis(200)),
    ]);
    let slow = Deployment { timeout: SECOND, ..blue(1, 1, Service::constant(millis(700))) };
    let whole = Told::of(model(&profile, CONSTANT, slow)).whole();
    let all = whole.all();
    assert_eq!((all.outcomes.of(Class::Ok), all.outcomes.of(Class::ServerTimeout)), (2, 1));
    assert_eq!(all.outcomes.statuses().get(&408), Some(&1));
    assert_eq!(all.failed.max(), Some(SECOND));
    assert_eq!(whole.tally(|key| key.stage == 2).response.max(), Some(millis(850)));
}

#[test]
fn whoever_waits_for_the_shorter_time_says_how_it_ended() {
    let profile = Profile::hold(1.0, SECOND);
    let mut model = model(&profile, CONSTANT, blue(1, 1, Service::constant(6 * SECOND)));
    model.client.timeout = SECOND;
    let all = Told::of(model).whole().all();
    assert_eq!(all.outcomes.of(Class::ClientTimeout), 1);
    assert_eq!((all.service.count(), all.failed.max()), (0, Some(SECOND)));
}

#[test]
fn those_who_wait_for_a_slot_give_up_in_their_order() {
    // Both are admitted; the first takes 3 s of work, the second waits in the backlog and gives up.
    let profile = Profile::hold(10.0, millis(200));
    let slow = Deployment { timeout: SECOND, ..blue(1, 1, Service::constant(millis(999))) };
    let all = Told::of(model(&profile, CONSTANT, slow)).whole().all();
    assert_eq!((all.outcomes.of(Class::Ok), all.outcomes.of(Class::ServerTimeout)), (1, 1));
}

#[test]
fn an_arrival_waits_for_a_connection_and_its_response_time_says_so() {
    let profile = Profile::hold(100.0, millis(30));
    let mut model = model(&profile, CONSTANT, blue(1, 4, Service::constant(millis(100))));
    model.client.max_connections = 1;
    let all = Told::of(model).whole().all();
    assert_eq!(all.outcomes.of(Class::Ok), 3);
    // Due at 0, 10 and 20 ms, done at 100, 200 and 300.
    assert_eq!(all.response.max(), Some(millis(280)));
    assert_eq!(all.service.max(), Some(millis(100)));
}

#[test]
fn who_finds_no_connection_in_time_is_dropped_and_what_exceeds_the_ceiling_is_capped() {
    let profile = Profile::hold(10.0, millis(300));
    let mut slow = model(&profile, CONSTANT, blue(1, 4, Service::constant(2 * SECOND)));
    slow.client.max_connections = 1;
    slow.client.timeout = SECOND;
    let all = Told::of(slow).whole().all();
    assert_eq!((all.outcomes.of(Class::Dropped), all.outcomes.of(Class::ClientTimeout)), (1, 2));

    let profile = Profile::hold(200.0, 10 * SECOND);
    let mut fast = model(&profile, CONSTANT, blue(1, 4, Service::constant(millis(1))));
    fast.client.ceiling_rps = NonZeroU32::new(100);
    let all = Told::of(fast).whole().all();
    assert!((990..=1010).contains(&all.sent), "{}", all.sent);
    assert_eq!(all.outcomes.of(Class::Capped), all.offered - all.sent);
}

#[test]
fn what_is_not_over_after_the_drain_is_aborted() {
    let profile = Profile::hold(1.0, SECOND);
    let mut model = model(&profile, CONSTANT, blue(1, 1, Service::constant(8 * SECOND)));
    model.deployments[0].timeout = 60 * SECOND;
    model.client.timeout = 60 * SECOND;
    model.client.drain = 2 * SECOND;
    let told = Told::of(model);
    assert_eq!(told.whole().all().outcomes.of(Class::Aborted), 1);
    assert_eq!(told.snapshots.last().unwrap().end, 3 * SECOND);
}

#[test]
fn what_has_not_ended_is_overdue() {
    let profile = Profile::hold(1.0, SECOND);
    let mut model = model(&profile, CONSTANT, blue(1, 1, Service::constant(millis(2500))));
    let limit = Limit { of: Latency::Response, at: SECOND };
    model.counted = Limits::new([limit], None);
    let told = Told::of(model);
    let overdue: Vec<_> = told.snapshots.iter().map(|s| s.all().limits[0].overdue).collect();
    assert_eq!(overdue, [1, 1, 0]);
}

#[test]
fn requests_go_where_the_weights_and_their_names_say() {
    let profile = Profile::hold(1000.0, 10 * SECOND);
    let mut model = model(&profile, CONSTANT, blue(4, 4, Service::constant(millis(1))));
    let green = Deployment { weight: 10, ..model.deployments.remove(0) };
    let blue = Deployment { weight: 90, ..blue(4, 4, Service::constant(millis(1))) };
    let named =
        Deployment { weight: 0, name: "gray".to_owned(), ..self::blue(4, 4, exponential(1.0)) };
    model.deployments = vec![blue, Deployment { name: "green".to_owned(), ..green }, named];
    model.arrivals = Arrivals::new(&profile, CONSTANT, &Mix::new(&[3.0, 1.0]).unwrap(), 7);
    model.routes = vec![None, Some(2)];
    let whole = Told::of(model).whole();
    let of = |deployment| whole.tally(|key| key.deployment == deployment).ended();
    // The binomial's standard deviation is about 43 for the named, 26 for green.
    assert!(of(3).abs_diff(2500) < 150, "{}", of(3));
    assert!(of(2).abs_diff(750) < 100, "{}", of(2));
    assert_eq!(of(1) + of(2) + of(3), 10_000);
}

#[test]
fn the_seed_decides_everything() {
    let told = |seed| {
        let profile = Profile::hold(300.0, 5 * SECOND);
        let mut model = model(&profile, POISSON, blue(2, 2, exponential(12.0)));
        model.seed = seed;
        Told::of(model).snapshots
    };
    assert_eq!(told(1), told(1));
    assert_ne!(told(1), told(2));
}

#[test]
fn other_instance_counts_have_the_same_work_to_do() {
    let sum = |instances| {
        let profile = Profile::hold(300.0, 5 * SECOND);
        let told = Told::of(model(&profile, POISSON, blue(instances, 8, exponential(12.0))));
        let all = told.whole().all();
        (all.outcomes.ok(), all.model.sum_ns())
    };
    assert_eq!(sum(4), sum(7));
}

#[test]
fn stopping_ends_the_schedule_and_waits_for_what_is_under_way() {
    let profile = Profile::hold(100.0, 60 * SECOND);
    let model = model(&profile, CONSTANT, blue(1, 100, Service::constant(millis(250))));
    let mut simulation = Simulation::new(model).unwrap();
    let mut told = Told::default();
    loop {
        match simulation.advance() {
            plimsoll_simulate::Happening::Interval(snapshot) => told.snapshots.push(*snapshot),
            plimsoll_simulate::Happening::Instances { .. } => {}
            plimsoll_simulate::Happening::Ended => break,
        }
        if told.snapshots.len() == 3 {
            simulation.stop();
        }
    }
    let all = told.whole().all();
    assert_eq!((all.offered, all.outcomes.of(Class::Ok)), (300, 300));
    assert_eq!(told.snapshots.last().unwrap().end, 3 * SECOND + millis(240));
}

#[test]
fn a_model_that_makes_no_sense_is_refused_by_name() {
    let profile = Profile::hold(1.0, SECOND);
    let good = || model(&profile, CONSTANT, blue(1, 1, Service::constant(millis(1))));
    let mut model = good();
    model.deployments[0].weight = 0;
    assert_eq!(Simulation::new(model).unwrap_err(), Error::NoRoute);
    let mut model = good();
    model.deployments[0].error_rate = 1.5;
    let error = Simulation::new(model).unwrap_err().to_string();
    assert!(error.contains("`blue`") && error.contains("error rate"), "{error}");
    let mut model = good();
    model.client = Client { max_connections: 0, ..model.client };
    assert!(matches!(Simulation::new(model).unwrap_err(), Error::Client(_)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    // Offered is sent and dropped, everything sent ends once, nothing is left under way, and the
    // intervals lie one after another, whatever fails.
    #[test]
    fn nothing_is_lost(
        seed: u64,
        rates in (1.0f64..2000.0, 0.0f64..2000.0),
        (instances, concurrent) in (1u32..5, 1u32..5),
        mean_ms in 0.5f64..200.0,
        (timeout_ms, client_ms) in (20u64..500, 20u64..500),
        connections in 1usize..200,
        ceiling in prop::option::of(1u32..3000),
        failure_ms in prop::option::of(50u64..5000),
        error_rate in 0.0f64..1.0,
        drain_ms in 0u64..400,
    ) {
        let stage = Stage::ramp("up", rates.0, rates.1, 3 * SECOND);
        let profile = Profile::new(vec![stage]);
        let mut blue = blue(instances, concurrent, exponential(mean_ms));
        blue.timeout = millis(timeout_ms);
        blue.error_rate = error_rate;
        blue.mean_time_to_failure = failure_ms.map(millis);
        blue.provisioning = exponential(300.0);
        let mut model = model(&profile, POISSON, blue);
        model.seed = seed;
        model.client = Client {
            max_connections: connections,
            timeout: millis(client_ms),
            drain: millis(drain_ms),
            ceiling_rps: ceiling.and_then(NonZeroU32::new),
        };
        let told = Told::of(model);
        let all = told.whole().all();
        prop_assert_eq!(all.offered, all.sent + all.outcomes.dropped());
        prop_assert_eq!(all.ended(), all.offered);
        let last = told.snapshots.last().unwrap();
        prop_assert_eq!(last.generator.in_flight + last.generator.backlog, 0);
        let limit = Duration::from_millis(timeout_ms.min(client_ms));
        prop_assert!(all.service.max().unwrap_or_default() <= limit);
        for two in told.snapshots.windows(2) {
            prop_assert_eq!((two[0].end, two[0].index + 1), (two[1].start, two[1].index));
        }
    }
}
