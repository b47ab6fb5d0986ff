//! States from files: one as JSON, or a sequence as JSON lines, of which each may be a line of a record.

use jiff::Timestamp;
use plimsoll_document::{Document, Format, Problems, Scalar, Wrong};

use crate::{Memory, Rules, State};

const FORMATS: &[Format] = &[Format {
    name: "date-time",
    check: |Scalar { text, .. }| {
        let hint = "write for example `2026-11-28T10:00:00Z`, with an offset or Z";
        let wrong = || Wrong::new(format!("`{text}` is no moment")).hint(hint);
        text.parse::<Timestamp>().map_or_else(|_| Err(wrong()), |_| Ok(()))
    },
    free: false,
}];

/// A state that was read, with what it says itself of the memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// The state.
    pub state: State,
    /// Whether it brings its own memory, so that none is carried on.
    pub has_memory: bool,
}

/// Reads one state, or as many as there are lines. If the rules that they are for are known, what their
/// engine would never look at is wrong, too.
///
/// # Errors
/// All that is wrong, in all lines.
pub fn read_states(file: &str, text: &str, rules: Option<&Rules>) -> Result<Vec<Given>, Problems> {
    let mut problems = Problems::new();
    let whole = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    let lines: Vec<(usize, &str)> = text.lines().enumerate().collect();
    let sequence = |line: &str| {
        line.trim_start().starts_with('{')
            && serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok()
    };
    let first = lines.iter().find(|(_, line)| !line.trim().is_empty());
    if first.is_none() {
        problems.push(plimsoll_document::Problem::of_file(file, "there is no state in it"));
        return Err(problems);
    }
    if whole || !first.is_some_and(|(_, line)| sequence(line)) {
        let given = one(&Document::parse(file, text)?, rules, &mut problems);
        return problems.or(given.map(|given| vec![given]));
    }
    let mut all = Vec::new();
    for (index, line) in lines.into_iter().filter(|(_, line)| !line.trim().is_empty()) {
        let name = format!("{file}, line {}", index + 1);
        match Document::parse(&name, line) {
            Err(found) => problems.append(found),
            Ok(document) => all.extend(one(&document, rules, &mut problems)),
        }
    }
    problems.or(Some(all))
}

fn one(document: &Document, rules: Option<&Rules>, problems: &mut Problems) -> Option<Given> {
    let before = problems.len();
    let (state, at) = if document.has("/state") {
        let line: Option<Line> = document.read(FORMATS, problems);
        (line?.state?, "/state")
    } else {
        (document.read::<State>(FORMATS, problems)?, "")
    };
    check(&state, document, at, problems);
    for (member, message) in rules.iter().flat_map(|rules| rules.unheard(&state)) {
        let problem = document.problem_at(&format!("{at}/{member}"), &message);
        problems.push(problem.hint("leave it out"));
    }
    let has_memory = document.has(&format!("{at}/memory"));
    (problems.len() == before).then_some(Given { state, has_memory })
}

/// A line of a record; its decision is not asked for.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
struct Line {
    #[schemars(required)]
    state: Option<State>,
    #[serde(rename = "decision")]
    #[expect(dead_code, reason = "it may be there")]
    decision: Option<serde_json::Value>,
}

/// What more than one value is needed to see.
fn check(state: &State, document: &Document, at: &str, problems: &mut Problems) {
    for (index, instance) in state.instances.iter().enumerate() {
        if state.instances[..index].iter().any(|other| other.name == instance.name) {
            let path = format!("{at}/instances/{index}/name");
            let message = format!("a second instance is named `{}`", instance.name);
            problems.push(document.problem_at(&path, message));
        }
    }
    for (index, metric) in state.metrics.iter().enumerate() {
        let back = metric.points.windows(2).position(|pair| pair[1].time < pair[0].time);
        if let Some(back) = back {
            let path = format!("{at}/metrics/{index}/points/{}/time", back + 1);
            let message = format!("the history of `{}` goes back in time here", metric.name);
            problems.push(document.problem_at(&path, message).hint("write the oldest point first"));
        }
        if metric.value.is_some() && !metric.points.is_empty() {
            let path = format!("{at}/metrics/{index}/value");
            let message = format!("`{}` has both a value and a history", metric.name);
            problems.push(document.problem_at(&path, message).hint("keep one of them"));
        }
    }
}

/// A sequence of states, each asked with what the last decision left, and the decisions.
///
/// # Errors
/// The place in the sequence at which time goes back.
pub fn carry_on(
    states: Vec<Given>,
    mut decide: impl FnMut(&State) -> crate::Decision,
) -> Result<Vec<(State, crate::Decision)>, usize> {
    let mut memory = Memory::default();
    let mut all: Vec<(State, crate::Decision)> = Vec::with_capacity(states.len());
    for (index, Given { mut state, has_memory }) in states.into_iter().enumerate() {
        if all.last().is_some_and(|(last, _)| state.now < last.now) {
            return Err(index);
        }
        if !has_memory {
            state.memory = memory;
        }
        let decision = decide(&state);
        memory = decision.memory.clone();
        all.push((state, decision));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Decision, Phase};

    const STATE: &str = r#"{"now": "2026-11-28T10:00:00Z", "replicas": 2,
  "instances": [{"name": "a", "metrics": {"cpu": {"value": 0.5}}}, {"name": "b", "phase": "pending"}],
  "metrics": [{"name": "rps", "points": [{"time": "2026-11-28T09:58:00Z", "value": 1.5}, {"time": "2026-11-28T09:59:00Z", "value": 2}]}]}"#;

    #[test]
    fn a_state_is_read_and_all_its_problems_told() {
        let all =
            read_states("s.json", STATE, None).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!((all.len(), all[0].has_memory), (1, false));
        assert_eq!(all[0].state.instances[1].phase, Phase::Pending);
        let wrong = STATE
            .replace("\"b\"", "\"a\"")
            .replace("09:58", "09:59:30")
            .replace("\"replicas\"", "\"replica\"");
        let problems = read_states("s.json", &wrong, None).expect_err("wrong").to_string();
        for words in ["unknown key `replica`", "is no moment"] {
            assert!(problems.contains(words), "{words}: {problems}");
        }
        let wrong = STATE.replace("\"b\"", "\"a\"").replace("09:58:00", "09:59:30");
        let problems = read_states("s.json", &wrong, None).expect_err("wrong").to_string();
        for words in ["a second instance is named `a`", "goes back in time", "s.json:3:"] {
            assert!(problems.contains(words), "{words}: {problems}");
        }
        for text in
            ["", "\n\n", "[]", "{}", "{\"now\": 1e999}", "{\"now\": \"x\", \"replicas\": -1}"]
        {
            assert!(read_states("s.json", text, None).is_err(), "{text}");
        }
        let nan = STATE.replace("1.5", ".nan");
        assert!(read_states("s.json", &nan, None).is_err());
    }

    #[test]
    fn what_an_engine_never_looks_at_is_refused() {
        let hpa = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nspec:\n  \
            scaleTargetRef: {kind: Deployment, name: a}\n  maxReplicas: 3\n";
        let azure = "az monitor autoscale create --count 1 --min-count 1 --max-count 3\n";
        let rules = |text: &str| crate::RulesFile::parse("r", text).expect("they are right").rules;
        let text = "{\"now\": \"2026-11-28T10:00:00Z\", \"replicas\": 2,\n \"in_progress\": true,\n \
            \"memory\": {\"azure\": {\"acted\": \"2026-11-28T09:00:00Z\", \"cooldown_s\": 9}}}";
        let told = read_states("s.json", text, Some(&rules(hpa))).expect_err("both").to_string();
        assert!(told.contains("HorizontalPodAutoscaler does not wait"), "{told}");
        assert!(told.contains("s.json:2") && told.contains("does not remember this"), "{told}");
        assert!(read_states("s.json", text, Some(&rules(azure))).is_ok());
        assert!(read_states("s.json", text, None).is_ok());
    }

    #[test]
    fn a_sequence_carries_the_memory_on() {
        let line = |minute: u8, more: &str| {
            format!("{{\"now\": \"2026-11-28T10:{minute:02}:00Z\", \"replicas\": 2{more}}}")
        };
        let given = "{\"azure\": {\"acted\": \"2026-11-28T09:00:00Z\", \"cooldown_s\": 9}}";
        let text = [
            line(0, ""),
            line(1, ""),
            line(2, &format!(", \"memory\": {given}")),
            format!("{{\"state\": {}, \"decision\": {{\"replicas\": 2}}}}", line(3, "")),
        ]
        .join("\n");
        let states =
            read_states("s.jsonl", &text, None).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(states.len(), 4);
        let answer = |state: &State| {
            let acted = state.now;
            let azure = Some(crate::azure::Memory { acted, cooldown_s: 60 });
            let memory = Memory { azure, ..Memory::default() };
            Decision { replicas: 2, unguarded: 2, held: None, steps: Vec::new(), memory }
        };
        let all = carry_on(states, answer).expect("time goes on");
        let acted = |index: usize| all[index].0.memory.azure.map(|memory| memory.acted.to_string());
        assert_eq!(acted(0), None);
        assert_eq!(acted(1).as_deref(), Some("2026-11-28T10:00:00Z"));
        assert_eq!(acted(2).as_deref(), Some("2026-11-28T09:00:00Z"));
        assert_eq!(acted(3).as_deref(), Some("2026-11-28T10:02:00Z"));
        let back = [line(1, ""), line(0, "")].join("\n");
        let states =
            read_states("s.jsonl", &back, None).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(carry_on(states, answer), Err(1));
        let problems = read_states("s.jsonl", &[line(1, ""), "{".to_owned()].join("\n"), None);
        assert!(problems.expect_err("wrong").to_string().contains("line 2"));
    }
}
