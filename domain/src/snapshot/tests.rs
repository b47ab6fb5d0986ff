use proptest::prelude::*;

use super::*;
use crate::{Class, Latency, Limit, Limits, Moment, Outcome, Recorder, Sample, StageName};

/// What a worker sees: stage, request, deployment, milliseconds, ending.
type Seen = (u16, u16, u8, u64, u8);

const DEPLOYMENTS: [&str; 3] = ["blue", "green", "black"];

fn recorder() -> Recorder {
    let stage = |name: &str, warmup| StageName { name: name.to_owned(), warmup };
    let stages = vec![stage("warm-up", true), stage("hold", false)];
    let requests = vec!["score".to_owned(), "explain".to_owned()];
    let limit = Limit { of: Latency::Response, at: Duration::from_millis(200) };
    let names = Names::new(stages, requests, []);
    Recorder::new(names, Limits::new([limit], Some(limit.at)))
}

/// One worker's interval.
fn interval(seen: &[Seen]) -> Snapshot {
    let mut recorder = recorder();
    for (stage, request, who, millis, ending) in seen {
        let key = Key { stage: *stage, request: *request, deployment: 0 };
        recorder.offer(key);
        let class = match ending {
            0 => Class::Ok,
            1 => Class::ModelError,
            2 => Class::ClientTimeout,
            _ => {
                recorder.drop(key, Class::Dropped);
                continue;
            }
        };
        recorder.send(key);
        let due = Moment::from_nanos(7);
        let (released, done) =
            (due + Duration::from_micros(3), due + Duration::from_millis(*millis));
        let status = (class != Class::ClientTimeout).then_some(200);
        let outcome = Outcome { class, status, model_status: None };
        let handover = Duration::from_micros(2);
        let sample =
            Sample { released, handover, sent: released, ..Sample::new(due, done, outcome) };
        let deployment = recorder.deployment(DEPLOYMENTS[usize::from(*who)]);
        recorder.record(Key { deployment, ..key }, &sample);
    }
    let mut snapshot = recorder.take(0, Duration::ZERO, Duration::from_secs(1));
    snapshot.generator.in_flight = seen.len() as u64;
    snapshot
}

fn seen() -> impl Strategy<Value = Vec<Seen>> {
    prop::collection::vec((0u16..2, 0u16..2, 0u8..3, 0u64..500, 0u8..4), 0..40)
}

/// The counts by name, whatever the numbers of the names are.
fn by_name(snapshot: &Snapshot) -> BTreeMap<(String, String, String), Tally> {
    let named = |key: &Key| {
        let (stage, request, deployment) = snapshot.names.of(*key);
        (stage.to_owned(), request.to_owned(), deployment.to_owned())
    };
    snapshot.tallies.iter().map(|(key, tally)| (named(key), tally.clone())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    // Machines may be merged in any order and grouping: the same by name, and nothing is lost.
    #[test]
    fn merging_machines_is_associative_and_loses_nothing(a in seen(), b in seen(), c in seen()) {
        let [first, second, third] = [&a, &b, &c].map(|seen| interval(seen));
        let mut left = first.clone();
        left.merge(&second);
        left.merge(&third);
        let mut right = third.clone();
        right.merge(&first);
        let mut other = second.clone();
        other.merge(&right);
        prop_assert_eq!(by_name(&left), by_name(&other));
        let whole = interval(&[a, b, c].concat());
        prop_assert_eq!(by_name(&left), by_name(&whole));
        prop_assert_eq!(left.measured_lags(), whole.measured_lags());
        prop_assert_eq!(left.generator.in_flight, whole.generator.in_flight);
    }

    // What travels arrives: the text form gives back the same snapshot.
    #[test]
    fn a_snapshot_is_read_as_it_was_written(seen in seen()) {
        let snapshot = interval(&seen);
        let text = serde_json::to_string(&snapshot).unwrap();
        prop_assert_eq!(serde_json::from_str::<Snapshot>(&text).unwrap(), snapshot);
    }

    // Every arrival is accounted for: offered = sent + dropped, and sent is what ended of it.
    #[test]
    fn counts_add_up(seen in seen()) {
        let all = interval(&seen).all();
        prop_assert_eq!(all.offered, all.sent + all.outcomes.dropped());
        prop_assert_eq!(all.sent, all.ended() - all.outcomes.dropped());
        prop_assert_eq!(all.offered, seen.len() as u64);
    }
}

/// What a machine sends each second at 10,000 requests per second: ten requests that two
/// deployments answer, with latencies as wide as those of a busy service.
#[test]
fn a_busy_second_of_ten_requests_and_two_deployments_travels_in_280_kb() {
    let requests: Vec<String> = (0..10).map(|number| format!("request-{number}")).collect();
    let stage = StageName { name: "hold".to_owned(), warmup: false };
    let names = Names::new(vec![stage], requests, ["blue", "green"].map(str::to_owned));
    let limit = Limit { of: Latency::Response, at: Duration::from_millis(200) };
    let mut recorder = Recorder::new(names, Limits::new([limit], Some(limit.at)));
    let times = rand_distr::LogNormal::new(3.0, 0.5).expect("a width");
    let mut random = <rand_pcg::Pcg64 as rand::SeedableRng>::seed_from_u64(1);
    for number in 0..10_000_u64 {
        let key = Key { request: (number % 10) as u16, ..Key::default() };
        recorder.offer(key);
        recorder.send(key);
        let millis: f64 = rand_distr::Distribution::sample(&times, &mut random);
        let due = Moment::from_nanos(number * 100_000);
        let sent = due + Duration::from_nanos(20_000 + number * 7 % 30_000);
        let outcome = Outcome { class: Class::Ok, status: Some(200), model_status: None };
        let done = due + Duration::from_secs_f64(millis / 1e3);
        let sample = Sample { released: sent, sent, ..Sample::new(due, done, outcome) };
        let key = Key { deployment: 1 + (number / 10 % 2) as u16, ..key };
        recorder.record(key, &sample);
    }
    let snapshot = recorder.take(0, Duration::ZERO, Duration::from_secs(1));
    assert_eq!((snapshot.all().sent, snapshot.tallies.len()), (10_000, 30));
    let bytes = serde_json::to_vec(&snapshot).expect("it travels").len();
    assert!((250_000..280_000).contains(&bytes), "{bytes} bytes");
}
