//! What is said before a run about windows that will hold too few requests for their percentile.

use plimsoll_domain::schedule::Stage;
use plimsoll_monitor::few::largest_of_few;
use plimsoll_monitor::{AlertRule, Indicator, Objective, Part, Selector};

use super::{Place, Scenario};

/// A sentence for each objective and alert whose windows hold too few requests.
pub(super) fn notes(scenario: &Scenario) -> Vec<String> {
    let alerts = scenario.alerts.iter().map(AlertRule::objective);
    let mut notes = Vec::new();
    for objective in scenario.objectives.iter().chain(alerts) {
        if let Some(few) = few(scenario, objective) {
            let note = format!("`{objective}`: {few}");
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    notes
}

fn few(scenario: &Scenario, objective: &Objective) -> Option<String> {
    let Indicator::Latency { percentile, .. } = objective.indicator() else { return None };
    let rate = lowest_rate(scenario, objective)?;
    // Weights make thirds of a rate, which nobody wants to read whole.
    let rate = (rate * 100.0).round() / 100.0;
    largest_of_few(rate, objective.window()?, percentile / 100.0)
}

/// The lowest rate above zero of what the objective is about: of the stages in its time, its share
/// of the arrivals.
fn lowest_rate(scenario: &Scenario, objective: &Objective) -> Option<f64> {
    let profile = &scenario.load.profile;
    let time = objective.measured(profile);
    let inside = profile.ranges().filter(|(_, range)| time.contains(&range.start));
    let rates = inside.flat_map(|(Stage { from_rps, to_rps, .. }, _)| [*from_rps, *to_rps]);
    let lowest = rates.filter(|rate| *rate > 0.0).reduce(f64::min)?;
    let shares = objective.selectors().iter().map(|selector| share(scenario, selector));
    Some(lowest * shares.product::<f64>())
}

/// The share of all arrivals that have this name, as far as that is known.
fn share(scenario: &Scenario, Selector { part, name }: &Selector) -> f64 {
    let may_be = |of: Part| part.is_none_or(|part| part == of);
    let weights = scenario.requests.iter().map(|request| request.weight).sum::<f64>();
    let request = scenario.requests.iter().find(|request| request.name == *name);
    if let Some(request) = request.filter(|_| may_be(Part::Request)) {
        return request.weight / weights;
    }
    match &scenario.place {
        Place::Deployed(deployed) if may_be(Part::Deployment) => {
            deployed.traffic.get(name).map_or(1.0, |percent| f64::from(*percent) / 100.0)
        }
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use crate::scenario::read_text;

    fn notes_of(objectives: &str) -> Vec<String> {
        let text = format!(
            "name: few\ntarget: {{url: 'http://127.0.0.1:1/'}}\nrequest:\n  - {{name: score, weight: 2, \
             method: GET}}\n  - {{name: explain, method: GET}}\nload:\n  stages:\n    - {{name: \
             warm-up, duration: 9s, rps: 1, warmup: true}}\n    - {{name: ramp, duration: 20s, \
             from_rps: 0, to_rps: 100}}\n    - {{name: peak, duration: 20s, rps: 300}}\n{objectives}"
        );
        read_text(&text).unwrap().notes()
    }

    #[test]
    fn windows_that_hold_too_few_requests_are_told() {
        let objectives = "objectives: [p99 < 1s, error rate < 1% in every 1s, p99 < 1s in every 10s, \
                          p99 < 1s in every 5s, p99 of peak < 1s in every 5s, \
                          p90 of explain of peak < 1s in every 1s, p95 of explain < 1s in every 5s]\n\
                          alerts: [{name: slow, objective: p99 < 1s in every 5s}]";
        let wanted = [
            "`p99 < 1s in every 5s`: p99 of 5s at 100 requests/s is the 6th largest value: use 10s \
             or p95",
            "`p95 of explain < 1s in every 5s`: p95 of 5s at 33.33 requests/s is the 9th largest \
             value: use 7s or p90",
        ];
        assert_eq!(notes_of(objectives), wanted);
    }
}
