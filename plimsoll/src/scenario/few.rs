//! What is said before a run about what it cannot decide: windows that will hold too few requests
//! for their percentile, objectives that are measured for too short a time, and alerts that cannot
//! fire.

use plimsoll_domain::units::{format_duration, three_digits};
use plimsoll_monitor::few::{largest_of_few, least_time};
use plimsoll_monitor::{AlertRule, DEFAULT_CONFIDENCE, Indicator, Objective, Part, Selector};

use super::{Place, Scenario};

/// A sentence for each objective and alert whose windows hold too few requests.
pub(super) fn notes(scenario: &Scenario) -> Vec<String> {
    let alerts = scenario.alerts.iter().map(AlertRule::objective);
    let mut notes: Vec<String> =
        scenario.objectives.iter().filter_map(|objective| too_short(scenario, objective)).collect();
    notes.extend(scenario.alerts.iter().filter_map(|alert| never_fires(scenario, alert)));
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

/// What an objective over the run needs to be met, if that is more than is measured.
fn too_short(scenario: &Scenario, objective: &Objective) -> Option<String> {
    if objective.window().is_some() {
        return None;
    }
    let profile = &scenario.load.profile;
    let time = objective.measured(profile);
    let length = time.end.checked_sub(time.start).filter(|length| !length.is_zero())?;
    let share: f64 =
        objective.selectors().iter().map(|selector| share(scenario, selector)).product();
    let requests = (profile.offered_by(time.end) - profile.offered_by(time.start)) * share;
    let rate = requests / length.as_secs_f64();
    let needed = least_time(objective, rate, DEFAULT_CONFIDENCE)?;
    (needed > length).then(|| {
        let (is, at) = (format_duration(length), three_digits(rate));
        let wanted = three_digits(rate * needed.as_secs_f64());
        format!(
            "`{objective}`: {is} at {at} requests/s cannot decide that it is met: that takes {} \
             ({wanted} requests) if all goes well; measure for longer, or give --until-decided MAX",
            format_duration(needed)
        )
    })
}

/// An alert that has to hold for longer than is left once its first window is over.
fn never_fires(scenario: &Scenario, alert: &AlertRule) -> Option<String> {
    let time = alert.objective().measured(&scenario.load.profile);
    let length = time.end.saturating_sub(time.start);
    let needed = alert.objective().window()? + alert.hold();
    (needed > length).then(|| {
        format!(
            "alert `{}` cannot fire: its window and its `for` take {}, and {} are measured",
            alert.name(),
            format_duration(needed),
            format_duration(length)
        )
    })
}

/// The lowest rate above zero of what the objective is about: of the stages in its time, its share
/// of the arrivals.
fn lowest_rate(scenario: &Scenario, objective: &Objective) -> Option<f64> {
    let profile = &scenario.load.profile;
    let time = objective.measured(profile);
    let inside = profile.ranges().filter(|(_, range)| time.contains(&range.start));
    let rates = inside.flat_map(|(stage, _)| stage.lowest_rps());
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
    fn what_the_plan_cannot_decide_is_told() {
        let wanted = "`p99.9 of ramp < 1s`: 20s at 50 requests/s cannot decide that it is met: that \
                      takes 121s (6050 requests) if all goes well; measure for longer, or give \
                      --until-decided MAX";
        assert_eq!(notes_of("objectives: [p99.9 of ramp < 1s, p99 < 1s]"), [wanted]);
        let wanted =
            "alert `a` cannot fire: its window and its `for` take 45s, and 40s are measured";
        let alerts = "alerts: [{name: a, objective: error rate < 1% in every 15s, for: 30s}, \
                      {name: b, objective: error rate < 1% in every 15s, for: 20s}]";
        assert_eq!(notes_of(alerts), [wanted]);
    }

    #[test]
    fn windows_that_hold_too_few_requests_are_told() {
        let objectives = "objectives: [p90 < 1s, error rate < 1% in every 1s, p99 < 1s in every 10s, \
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
