//! What each side gets, and when.

use plimsoll_domain::schedule::Wave;
use proptest::prelude::*;

use super::*;

fn seconds(count: f64) -> Duration {
    Duration::from_secs_f64(count)
}

fn quickstart() -> Profile {
    Profile::new(vec![
        Stage::hold("warm-up", 100.0, seconds(3.0)).as_warmup(),
        Stage::ramp("ramp", 100.0, 200.0, seconds(5.0)),
        Stage::hold("hold", 200.0, seconds(17.0)),
    ])
}

fn job(profile: &Profile, turns: Turns) -> Interleaving {
    Interleaving::new(profile, turns, 42).expect("it can be cut")
}

/// The arrivals that a profile asks for outside of warm-ups.
fn measured(profile: &Profile) -> f64 {
    let stages = profile.stages.iter().filter(|stage| !stage.warmup).cloned();
    Profile::new(stages.collect()).total()
}

#[test]
fn each_side_gets_the_whole_load_as_often_as_there_are_passes() {
    let job = job(&quickstart(), Turns::default());
    // 22 s are two blocks of 11 s; twelve pairs are six passes.
    assert_eq!(job.pairs().len(), 12);
    for side in Side::BOTH {
        let profile = job.of(side);
        assert!((measured(&profile) - 6.0 * measured(&quickstart())).abs() < 1e-6);
        assert_eq!(profile.duration(), job.profile().duration());
        for pair in job.pairs() {
            let range = &pair[side as usize];
            assert_eq!(range.end.saturating_sub(range.start), seconds(11.0));
            assert_eq!(range.start.subsec_nanos(), 0);
            let just_before = range.start.saturating_sub(Duration::from_millis(1));
            assert!(profile.is_warmup(just_before) && !profile.is_warmup(range.start));
            assert!(profile.rate_at(just_before) > 0.0, "it settles under load");
        }
    }
    assert!((measured(&job.profile()) - 12.0 * measured(&quickstart())).abs() < 1e-6);
}

#[test]
fn neighbours_get_the_same_piece_and_order_is_balanced() {
    let turns = Turns { block: seconds(5.0), settle: seconds(1.0), ..Turns::default() };
    let job = job(&quickstart(), turns);
    let rate = |side: Side, at: Duration| job.of(side).rate_at(at);
    let first = |pair: &[Range<Duration>; 2]| pair[0].start < pair[1].start;
    for two in job.pairs().chunks_exact(2) {
        assert_ne!(first(&two[0]), first(&two[1]), "A B B A or B A A B");
    }
    for [base, new] in job.pairs() {
        for step in 0..8 {
            let after = seconds(f64::from(step) * 0.5);
            let (left, right) =
                (rate(Side::Base, base.start + after), rate(Side::New, new.start + after));
            assert!((left - right).abs() < 1e-9 && left > 0.0, "{left} {right}");
        }
    }
    let other = Interleaving::new(&quickstart(), turns, 43).unwrap();
    assert_ne!(job.pairs(), other.pairs(), "the seed decides the order");
}

#[test]
fn by_request_both_get_half_at_once() {
    let turns = Turns { by: By::Request, ..Turns::default() };
    let job = job(&quickstart(), turns);
    assert!(job.turns().all(|turn| turn.is_none()));
    assert_eq!(job.pairs().len(), 12);
    assert!(job.pairs().iter().all(|[base, new]| base == new));
    let (whole, base) = (job.profile(), job.of(Side::Base));
    assert!((measured(&whole) - 6.0 * measured(&quickstart())).abs() < 1e-6);
    assert!((measured(&base) * 2.0 - measured(&whole)).abs() < 1e-6);
}

#[test]
fn what_cannot_be_cut_is_refused() {
    let of = |stages| Interleaving::new(&Profile::new(stages), Turns::default(), 1).map(drop);
    let warmup = || Stage::hold("warm", 1.0, SECOND).as_warmup();
    assert_eq!(of(vec![warmup()]), Err(Problem::NothingMeasured));
    let late = of(vec![Stage::hold("hold", 1.0, SECOND), warmup()]);
    assert_eq!(late, Err(Problem::LateWarmup("warm".to_owned())));
}

proptest! {
    // Whatever the load, its pieces are the whole, blocks do not overlap, and names are unique.
    #[test]
    fn pieces_are_the_whole(
        lengths in prop::collection::vec(700u64..40_000, 1..4),
        rates in prop::collection::vec(0.0f64..300.0, 8),
        block in 1u64..30, settle in 1u64..4, pairs in 8usize..20, seed: u64,
    ) {
        let stage = |(index, ms): (usize, &u64)| {
            let wave = Wave {
                amplitude_rps: rates[index].min(rates[index + 1]) / 2.0,
                period: Duration::from_millis(3_300),
                peak: Duration::from_millis(900),
            };
            Stage::ramp("s", rates[index], rates[index + 1], Duration::from_millis(*ms)).with_wave(wave)
        };
        let profile = Profile::new(lengths.iter().enumerate().map(stage).collect());
        let turns = Turns {
            by: By::Block, block: Duration::from_secs(block), settle: Duration::from_secs(settle), pairs,
        };
        if let Ok(job) = Interleaving::new(&profile, turns, seed) {
            prop_assert!(job.pairs().len() >= pairs);
            for side in Side::BOTH {
                let got = measured(&job.of(side));
                let passes = (got / profile.total()).round();
                prop_assert!((got - passes * profile.total()).abs() < 1e-4 * got.max(1.0), "{got}");
            }
            let mut all: Vec<_> = job.pairs().iter().flatten().cloned().collect();
            all.sort_by_key(|range| range.start);
            prop_assert!(all.windows(2).all(|two| two[0].end + SECOND <= two[1].start));
            let mut names: Vec<_> = job.profile().stages.into_iter().map(|stage| stage.name).collect();
            let count = names.len();
            names.sort();
            names.dedup();
            prop_assert_eq!(names.len(), count);
        }
    }
}
