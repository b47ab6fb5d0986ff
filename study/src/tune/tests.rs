use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

fn cost(violation_s: f64, instance_h: f64) -> Cost {
    Cost { violation_s, instance_h }
}

fn space(levels: &[usize]) -> Space {
    let parameter = |(index, &levels): (usize, &usize)| Parameter {
        name: format!("p{index}"),
        values: (0..levels).map(|level| level.to_string()).collect(),
    };
    Space::new(levels.iter().enumerate().map(parameter).collect()).expect("parameters with values")
}

/// A world whose front is known: instances cost, too few violate, and the other parameters only do harm away from
/// their best place. Cases differ by what they have in common for all candidates.
fn world(candidate: &Candidate, case: usize) -> Cost {
    let harm: f64 = candidate.0[1..]
        .iter()
        .enumerate()
        .map(|(index, &place)| (place as f64 - (3 + index) as f64).abs())
        .sum();
    let instances = candidate.0[0] as f64;
    let weather = case as f64;
    cost((100.0 - 10.0 * instances + weather).max(0.0) + 5.0 * harm, 10.0 + instances + 0.2 * harm)
}

fn run(space: Space, settings: Settings, given: Vec<Candidate>) -> Search {
    let mut search = Search::new(space, settings, given);
    loop {
        let tasks = search.next();
        if tasks.is_empty() {
            return search;
        }
        let costs: Vec<Cost> = tasks
            .iter()
            .map(|task| world(&search.trials()[task.trial].candidate, task.case))
            .collect();
        search.observe(&costs);
    }
}

const SETTINGS: Settings = Settings { cases: 4, budget: 3_000, generation: 32, seed: 7 };

#[test]
fn the_front_of_a_known_world_is_found_without_trying_it_all() {
    let space = space(&[11, 9, 9, 9, 9]);
    assert_eq!(space.size(), Some(72_171));
    let search = run(space, SETTINGS, vec![]);
    let found = search.front();
    let best = |instances: usize| world(&Candidate(vec![instances, 3, 4, 5, 6]), 0);
    let holds = found.iter().filter(|(trial, _)| {
        let instances = trial.candidate.0[0];
        world(&trial.candidate, 0) == best(instances)
    });
    assert!(holds.count() >= 9, "{found:?}");
    assert!(search.spent() < SETTINGS.budget + SETTINGS.generation * SETTINGS.cases);
}

#[test]
fn racing_spends_less_than_trying_all_on_every_case() {
    let search = run(space(&[11, 9, 9, 9, 9]), Settings { budget: 1, ..SETTINGS }, vec![]);
    let whole = search.trials().iter().filter(|trial| trial.costs.len() == 4).count();
    assert!(search.spent() < 32 * 4, "{}", search.spent());
    assert!((1..32).contains(&whole), "{whole}");
}

#[test]
fn what_is_given_is_tried_on_every_case_however_bad_it_is() {
    let bad = Candidate(vec![0, 8, 8, 0, 0]);
    let search = run(space(&[11, 9, 9, 9, 9]), SETTINGS, vec![bad.clone()]);
    let trial = search.trials().iter().find(|trial| trial.candidate == bad).expect("was given");
    assert_eq!(trial.costs.len(), 4);
}

#[test]
fn a_small_space_is_tried_and_then_the_search_ends() {
    let search = run(space(&[2, 2, 1]), SETTINGS, vec![]);
    assert_eq!(search.trials().len(), 4);
    assert!(search.spent() <= 16);
}

#[test]
fn the_same_seed_gives_the_same_search_and_kept_costs_carry_it_on() {
    let first = run(space(&[11, 9, 9]), SETTINGS, vec![]);
    let second = run(space(&[11, 9, 9]), SETTINGS, vec![]);
    assert_eq!(first.trials(), second.trials());
    let other = run(space(&[11, 9, 9]), Settings { seed: 8, ..SETTINGS }, vec![]);
    assert_ne!(first.trials(), other.trials());
    // Broken off and begun again: what was kept answers first.
    let mut kept: HashMap<(Candidate, usize), Cost> = HashMap::new();
    let mut broken = Search::new(space(&[11, 9, 9]), SETTINGS, vec![]);
    for _ in 0..5 {
        let tasks = broken.next();
        let costs: Vec<Cost> = tasks
            .iter()
            .map(|task| {
                let candidate = &broken.trials()[task.trial].candidate;
                let cost = world(candidate, task.case);
                kept.insert((candidate.clone(), task.case), cost);
                cost
            })
            .collect();
        broken.observe(&costs);
    }
    let mut measured = 0;
    let mut again = Search::new(space(&[11, 9, 9]), SETTINGS, vec![]);
    loop {
        let tasks = again.next();
        if tasks.is_empty() {
            break;
        }
        let costs: Vec<Cost> = tasks
            .iter()
            .map(|task| {
                let candidate = &again.trials()[task.trial].candidate;
                kept.get(&(candidate.clone(), task.case)).copied().unwrap_or_else(|| {
                    measured += 1;
                    world(candidate, task.case)
                })
            })
            .collect();
        again.observe(&costs);
    }
    assert_eq!(again.trials(), first.trials());
    assert_eq!(measured, first.spent() - kept.len());
}

#[test]
fn neighbours_are_one_step_away_and_within_the_grid() {
    let neighbours = space(&[3, 2]).neighbours(&Candidate(vec![0, 1]));
    let expected = vec![(0, Candidate(vec![1, 1])), (1, Candidate(vec![0, 0]))];
    assert_eq!(neighbours, expected);
}

#[test]
fn a_space_without_values_is_refused_by_name() {
    assert_eq!(Space::new(vec![]), Err(SpaceError::Empty));
    let empty = Parameter { name: "cooldown".to_owned(), values: vec![] };
    assert_eq!(Space::new(vec![empty]), Err(SpaceError::NoValue("cooldown".to_owned())));
}

#[test]
fn the_cheapest_that_is_allowed_is_taken_and_else_the_least_bad() {
    let costs = [cost(90.0, 10.0), cost(20.0, 12.0), cost(5.0, 15.0), cost(0.0, 30.0)];
    let taken = |allowed| choose(&costs, allowed).expect("a front");
    assert_eq!(taken(30.0), Choice { place: 1, reason: Reason::Cheapest });
    assert_eq!(taken(0.0), Choice { place: 3, reason: Reason::Cheapest });
    let none = choose(&costs[..2], 1.0).expect("a front");
    assert_eq!(none, Choice { place: 1, reason: Reason::LeastViolation });
    assert_eq!(choose(&[], 1.0), None);
}

proptest! {
    /// Nothing on the front is beaten, and everything off it is beaten or equal to something on it.
    #[test]
    fn a_front_is_what_nothing_beats(values in prop::collection::vec((0_u8..20, 0_u8..20), 1..40)) {
        let costs: Vec<Cost> =
            values.iter().map(|&(a, b)| cost(f64::from(a), f64::from(b))).collect();
        let on = front(&costs);
        for (index, candidate) in costs.iter().enumerate() {
            let is_beaten = costs.iter().any(|other| other.beats(candidate));
            if on.contains(&index) {
                prop_assert!(!is_beaten);
            } else {
                prop_assert!(is_beaten || on.iter().any(|&place| costs[place] == *candidate));
            }
        }
        let sorted = on.windows(2).all(|pair| costs[pair[0]].instance_h < costs[pair[1]].instance_h);
        prop_assert!(sorted);
    }
}
