//! A metric history replayed through rules, evaluation after evaluation; and the record of one.
//!
//! The history does not answer to the decisions: what it would have been with other counts is the
//! simulator's business. A record is JSON lines, each with what an evaluation was asked, what was
//! assumed, and what it decided; whoever evaluates writes the same, and deciding again what a line was
//! asked gives the same line, to the byte.

use jiff::Timestamp;
use plimsoll_domain::json_words;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::azure::{self, Parameters};
use crate::samples::Samples;
use crate::{Decision, Memory, Rules, State, read_states};

/// How a history is replayed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// The count at the beginning. If left out, the default count of the profile in force, or for
    /// rules without one the minimum, and at least one.
    pub replicas: Option<u32>,
    /// How many seconds a change is under way.
    pub provisioning_s: u32,
    /// What is assumed of the engine.
    pub parameters: Parameters,
}

/// One evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// What it was asked.
    pub state: State,
    /// What it decided.
    pub decision: Decision,
}

/// A line of a record.
#[derive(Serialize)]
struct Line<'a> {
    parameters: Parameters,
    state: &'a State,
    decision: &'a Decision,
}

/// Replays a history. The first evaluation is one interval after the first sample, the last when the
/// last sample is a whole grain.
pub fn backtest(rules: &Rules, samples: &Samples, plan: Plan) -> Vec<Evaluation> {
    let Some((first, last)) = samples.span() else { return Vec::new() };
    let Plan { parameters, .. } = plan;
    let interval = i64::from(rules.interval_s(parameters).max(1));
    let end = last.as_second() + interval + i64::from(parameters.metric_delay_s);
    let lookback_s = rules.lookback_s(parameters);
    let mut replicas = plan.replicas.unwrap_or_else(|| beginning(rules, first));
    let mut memory = Memory::default();
    let mut changed: Option<i64> = None;
    let mut all = Vec::new();
    let mut second = first.as_second() + interval;
    while second <= end {
        let Ok(now) = Timestamp::from_second(second) else { break };
        let provisioning = i64::from(plan.provisioning_s);
        let state = State {
            now,
            replicas,
            instances: Vec::new(),
            in_progress: changed.is_some_and(|at| second < at + provisioning),
            metrics: samples.visible(now, lookback_s),
            memory,
        };
        let decision = rules.decide(parameters, &state);
        if decision.replicas != replicas {
            changed = Some(second);
        }
        replicas = decision.replicas;
        memory = decision.memory.clone();
        all.push(Evaluation { state, decision });
        second += interval;
    }
    all
}

fn beginning(rules: &Rules, first: Timestamp) -> u32 {
    match rules {
        Rules::Azure(setting) => {
            let profile = azure::in_force(setting, first).map(|(profile, _)| profile);
            profile.or(setting.profiles.first()).map_or(1, |profile| profile.capacity.default)
        }
        Rules::Hpa(hpa) => hpa.min.max(1),
        Rules::ScaledObject(object) => object.bounds().0.max(1),
        Rules::Knative(kpa) => kpa.bounds().0.max(1),
        Rules::Utilization(rules) => rules.min.max(1),
    }
}

/// The line of a record that an evaluation is.
pub fn record_line(parameters: Parameters, state: &State, decision: &Decision) -> String {
    let line = Line { parameters, state, decision };
    serde_json::to_string(&line).expect("a state and a decision are JSON")
}

/// What is assumed in a line of a record.
#[derive(Deserialize, JsonSchema)]
struct Assumed {
    parameters: Parameters,
}

/// What deciding a record again came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// How many lines were decided again.
    pub count: usize,
    /// The number of the first line that came out otherwise, and what it is now.
    pub differs: Option<(usize, String)>,
}

/// Decides again what each line of a record was asked, up to the first that comes out otherwise.
///
/// # Errors
/// The line that is none of a record, and why.
pub fn replay(rules: &Rules, file: &str, text: &str) -> Result<Replayed, (usize, String)> {
    let mut count = 0;
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
        let number = index + 1;
        let assumed: Assumed =
            serde_json::from_str(line).map_err(|error| (number, json_words(&error)))?;
        let states =
            read_states(file, line, None).map_err(|problems| (number, problems.to_string()))?;
        let [given] = states.as_slice() else { continue };
        let decision = rules.decide(assumed.parameters, &given.state);
        let again = record_line(assumed.parameters, &given.state, &decision);
        count += 1;
        if again != line {
            return Ok(Replayed { count, differs: Some((number, again)) });
        }
    }
    if count == 0 {
        return Err((1, "there is no evaluation in it".to_owned()));
    }
    Ok(Replayed { count, differs: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Held, RulesFile};

    const RULES: &str = "az monitor autoscale create --count 2 --min-count 2 --max-count 5\n\
        az monitor autoscale rule create --condition \"Cpu > 70 avg 5m\" --scale out 2\n\
        az monitor autoscale rule create --condition \"Cpu < 25 avg 5m\" --scale in 1\n";

    fn rules() -> Rules {
        RulesFile::parse("r.sh", RULES).unwrap_or_else(|problems| panic!("{problems}")).rules
    }

    fn history(cpu: impl Fn(u32) -> f64) -> Samples {
        let lines = (0..60).map(|minute| format!("{},Cpu,{},a\n", minute * 60, cpu(minute)));
        let text = format!("time,metric,value,instance\n{}", lines.collect::<String>());
        Samples::read("m.csv", &text, Timestamp::UNIX_EPOCH).unwrap_or_else(|p| panic!("{p}"))
    }

    fn plan() -> Plan {
        Plan { replicas: None, provisioning_s: 0, parameters: Parameters::default() }
    }

    /// A peak of ten minutes from minute 10: the mean of five minutes is above 70 at the end of minute
    /// 13; one step, a cooldown, the next; and back once the window holds none of the peak, one at a time.
    #[test]
    fn a_peak_is_followed_with_cooldowns() {
        let samples = history(|m| if (10..20).contains(&m) { 100.0 } else { 10.1 });
        let all = backtest(&rules(), &samples, plan());
        assert_eq!(all.len(), 60);
        let changes: Vec<(i64, u32)> = all
            .iter()
            .filter(|one| one.decision.replicas != one.state.replicas)
            .map(|one| (one.state.now.as_second() / 60, one.decision.replicas))
            .collect();
        assert_eq!(changes, [(14, 4), (19, 5), (25, 4), (30, 3), (35, 2)]);
        let held = |minute: usize| all[minute - 1].decision.held;
        assert_eq!(held(16), Some(Held::Cooldown));
        let slow = Plan { provisioning_s: 240, ..plan() };
        let all = backtest(&rules(), &samples, slow);
        assert_eq!(all[14].decision.held, Some(Held::InProgress));
    }

    #[test]
    fn a_record_replays_to_the_byte() {
        let samples = history(|m| 30.0 + 50.0 * f64::from(m * m % 17) / 17.0);
        let evaluations = backtest(&rules(), &samples, plan());
        let lines =
            evaluations.iter().map(|one| record_line(plan().parameters, &one.state, &one.decision));
        let record = lines.collect::<Vec<_>>().join("\n");
        assert_eq!(replay(&rules(), "r.jsonl", &record), Ok(Replayed { count: 60, differs: None }));
        let changed = record.replacen("\"replicas\":2", "\"replicas\":3", 2);
        let replayed = replay(&rules(), "r.jsonl", &changed).expect("a record");
        assert_eq!(replayed.differs.map(|(line, _)| line), Some(1));
        assert!(replay(&rules(), "r.jsonl", "{}").is_err());
        assert!(replay(&rules(), "r.jsonl", "").is_err());
    }
}
