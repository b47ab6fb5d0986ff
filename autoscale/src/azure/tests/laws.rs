use proptest::prelude::*;

use super::{asked, moment, setting, state};
use crate::{Held, State};

fn conditions() -> impl Strategy<Value = (Vec<String>, (u32, u32, u32))> {
    let rule = (0..2u8, any::<bool>(), 0..100u32, 1..9u32, any::<bool>(), 1..60u32);
    let rules = prop::collection::vec(rule, 0..10).prop_map(|rules| {
        let rule = |(metric, out, threshold, value, percent, cooldown)| {
            let (sign, way) = if out { (">", "out") } else { ("<", "in") };
            let unit = if percent { "0%" } else { "" };
            format!("M{metric} {sign} {threshold} avg 5m: {way} {value}{unit}, {cooldown}")
        };
        rules.into_iter().map(rule).collect()
    });
    (
        rules,
        (1..20u32, 0..20u32, 0..20u32)
            .prop_map(|(min, more, default)| (min, min + more, min + default.min(more))),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// A count is within the capacity; the same input gives the same decision, to the byte.
    #[test]
    fn bounds_and_sameness((rules, capacity) in conditions(), n in 0..60u32, a in 0..100u32, b in 0..100u32) {
        let rules: Vec<_> = rules.iter().map(String::as_str).collect();
        let setting = setting(capacity, &rules);
        let state = state(n, &[("M0", f64::from(a)), ("M1", f64::from(b))]);
        let decision = asked(&setting, &state);
        prop_assert!((capacity.0..=capacity.1).contains(&decision.replicas));
        let text = |d| serde_json::to_string(d).expect("JSON");
        prop_assert_eq!(text(&decision), text(&asked(&setting, &state)));
    }

    /// Until the cooldown has passed no rule acts, whatever the metrics.
    #[test]
    fn cooldown_holds((rules, capacity) in conditions(), a in 0..100u32, b in 0..100u32, later in 0..3600i64) {
        let rules: Vec<_> = rules.iter().map(String::as_str).collect();
        let setting = setting(capacity, &rules);
        let first = asked(&setting, &state(capacity.0, &[("M0", f64::from(a)), ("M1", f64::from(b))]));
        let Some(memory) = first.memory.azure else { return Ok(()) };
        let now = moment("2026-11-28T10:00:00Z").as_second() + later;
        let now = jiff::Timestamp::from_second(now).expect("in range");
        let values = [("M0", f64::from(b)), ("M1", f64::from(a))];
        let state = State { now, memory: first.memory.clone(), ..state(first.replicas, &values) };
        let second = asked(&setting, &state);
        if now < memory.until() {
            prop_assert_eq!((second.replicas, second.held), (first.replicas, Some(Held::Cooldown)));
        } else {
            prop_assert_ne!(second.held, Some(Held::Cooldown));
        }
    }

    /// Without a value nothing goes beyond the default, and nothing goes in.
    #[test]
    fn no_data_no_action((rules, capacity) in conditions(), n in 1..40u32) {
        let rules: Vec<_> = rules.iter().map(String::as_str).collect();
        let inside = n.clamp(capacity.0, capacity.1);
        let decision = asked(&setting(capacity, &rules), &state(inside, &[]));
        let least = if rules.is_empty() { inside } else { inside.max(capacity.2) };
        prop_assert_eq!(decision.replicas, least);
    }

    /// Rules of one metric that go out above and in below: more load never means fewer instances.
    #[test]
    fn monotone(
        out in prop::collection::vec((0..100u32, 1..9u32), 0..5),
        inward in prop::collection::vec((0..100u32, 1..9u32), 0..5),
        n in 1..20u32, a in 0..100u32, b in 0..100u32,
    ) {
        let out = out.iter().map(|(t, v)| format!("M > {t} avg 5m: out {v}"));
        let inward = inward.iter().map(|(t, v)| format!("M < {t} avg 5m: in {v}"));
        let rules: Vec<_> = out.chain(inward).collect();
        let rules: Vec<_> = rules.iter().map(String::as_str).collect();
        let setting = setting((1, 20, 1), &rules);
        let count = |value: u32| asked(&setting, &state(n, &[("M", f64::from(value))])).replicas;
        prop_assert!(count(a.min(b)) <= count(a.max(b)));
    }
}
