use super::{asked, moment, setting, state};
use crate::Held;

/// One example: what page it is from, the rules, the count, the values, what comes of it.
struct Example {
    source: &'static str,
    capacity: (u32, u32, u32),
    rules: &'static [&'static str],
    replicas: u32,
    values: &'static [(&'static str, f64)],
    wanted: (u32, Option<Held>),
}

const THREADS: &[&str] = &["Threads >= 600 avg 5m: out 1", "Threads <= 600 avg 5m: in 1"];
const MARGIN: &[&str] = &["Threads >= 600 avg 5m: out 1", "Threads < 400 avg 5m: in 1"];
const CPU_80: &[&str] = &["Cpu >= 80 avg 5m: out 1", "Cpu <= 60 avg 5m: in 1"];
const CPU_50: &[&str] = &["Cpu > 50 avg 5m: out 1", "Cpu < 30 avg 5m: in 1"];
const MANY: &[&str] = &["Cpu > 70 avg 5m: out 1", "Cpu < 66 avg 5m: in 10"];
const BOTH: &[&str] = &[
    "Cpu > 75 avg 5m: out 1",
    "Memory > 75 avg 5m: out 1",
    "Cpu < 30 avg 5m: in 1",
    "Memory < 50 avg 5m: in 1",
];
const ENDPOINT: &[&str] = &[
    "CpuUtilizationPercentage > 70 avg 5m: out 2",
    "CpuUtilizationPercentage < 25 avg 5m: in 1",
    "RequestLatency > 70 avg 5m: out 1",
];

const EXAMPLES: &[Example] = &[
    // Understand autoscale settings, "How multiple rules are evaluated".
    Example {
        source: "settings: two scale-out rules, the larger count",
        capacity: (1, 20, 1),
        rules: &["Cpu > 70 avg 5m: out 3", "Memory > 70 avg 5m: out 5"],
        replicas: 4,
        values: &[("Cpu", 80.0), ("Memory", 80.0)],
        wanted: (9, None),
    },
    Example {
        source: "settings: two scale-in rules, the smaller reduction",
        capacity: (1, 20, 1),
        rules: &["Cpu < 30 avg 5m: in 50%", "Memory < 30 avg 5m: in 3"],
        replicas: 10,
        values: &[("Cpu", 10.0), ("Memory", 10.0)],
        wanted: (7, None),
    },
    Example {
        source: "best practices: scale in needs all rules",
        capacity: (1, 10, 1),
        rules: BOTH,
        replicas: 4,
        values: &[("Cpu", 25.0), ("Memory", 51.0)],
        wanted: (4, None),
    },
    Example {
        source: "best practices: all rules hold",
        capacity: (1, 10, 1),
        rules: BOTH,
        replicas: 4,
        values: &[("Cpu", 25.0), ("Memory", 30.0)],
        wanted: (3, None),
    },
    Example {
        source: "best practices: scale out needs any rule",
        capacity: (1, 10, 1),
        rules: BOTH,
        replicas: 4,
        values: &[("Cpu", 25.0), ("Memory", 76.0)],
        wanted: (5, None),
    },
    // Best practices and Flapping: thresholds without a margin.
    Example {
        source: "best practices: 600 and 600 threads, 2 instances at 625",
        capacity: (1, 10, 1),
        rules: THREADS,
        replicas: 2,
        values: &[("Threads", 625.0)],
        wanted: (3, None),
    },
    Example {
        source: "best practices: 3 instances at 575, 862.5 at 2: no scale-in",
        capacity: (1, 10, 1),
        rules: THREADS,
        replicas: 3,
        values: &[("Threads", 575.0)],
        wanted: (3, Some(Held::Flapping)),
    },
    Example {
        source: "flapping: a margin, 3 instances at 394, 591 at 2",
        capacity: (1, 10, 1),
        rules: MARGIN,
        replicas: 3,
        values: &[("Threads", 394.0)],
        wanted: (2, None),
    },
    Example {
        source: "best practices: 80 and 60 per cent, 3 at 60, 90 at 2: no scale-in",
        capacity: (1, 10, 1),
        rules: CPU_80,
        replicas: 3,
        values: &[("Cpu", 60.0)],
        wanted: (3, Some(Held::Flapping)),
    },
    Example {
        source: "best practices: 80 and 60 per cent, 3 at 50, 75 at 2",
        capacity: (1, 10, 1),
        rules: CPU_80,
        replicas: 3,
        values: &[("Cpu", 50.0)],
        wanted: (2, None),
    },
    Example {
        source: "flapping: 2 at 28, 56 at 1 is above 50",
        capacity: (1, 10, 1),
        rules: CPU_50,
        replicas: 2,
        values: &[("Cpu", 28.0)],
        wanted: (2, Some(Held::Flapping)),
    },
    Example {
        source: "flapping: 30 less 10, 65 · 30 / 28 = 69.6 is the first below 70 (the page says 27, \
                 against its own rule)",
        capacity: (1, 40, 1),
        rules: MANY,
        replicas: 30,
        values: &[("Cpu", 65.0)],
        wanted: (28, Some(Held::Flapping)),
    },
    // Understand autoscale settings, capacity.
    Example {
        source: "settings: 1 by hand, minimum 3",
        capacity: (3, 6, 3),
        rules: &[],
        replicas: 1,
        values: &[],
        wanted: (3, Some(Held::Clamp)),
    },
    Example {
        source: "settings: 8 by hand, maximum 6",
        capacity: (3, 6, 3),
        rules: &[],
        replicas: 8,
        values: &[],
        wanted: (6, Some(Held::Clamp)),
    },
    Example {
        source: "best practices: no metrics, 1 instance, default 2",
        capacity: (1, 5, 2),
        rules: CPU_50,
        replicas: 1,
        values: &[],
        wanted: (2, Some(Held::MissingData)),
    },
    Example {
        source: "best practices: no metrics, 4 instances, default 2: never in",
        capacity: (1, 5, 2),
        rules: CPU_50,
        replicas: 4,
        values: &[],
        wanted: (4, Some(Held::MissingData)),
    },
    Example {
        source: "autoscale online endpoints: 4 of at most 5, two more",
        capacity: (2, 5, 2),
        rules: ENDPOINT,
        replicas: 4,
        values: &[("CpuUtilizationPercentage", 71.0), ("RequestLatency", 20.0)],
        wanted: (5, Some(Held::Clamp)),
    },
    Example {
        source: "autoscale online endpoints: latency adds one",
        capacity: (2, 5, 2),
        rules: ENDPOINT,
        replicas: 2,
        values: &[("CpuUtilizationPercentage", 24.0), ("RequestLatency", 71.0)],
        wanted: (3, None),
    },
    Example {
        source: "autoscale online endpoints: idle, one less",
        capacity: (2, 5, 2),
        rules: ENDPOINT,
        replicas: 3,
        values: &[("CpuUtilizationPercentage", 24.0), ("RequestLatency", 20.0)],
        wanted: (2, None),
    },
    Example {
        source: "autoscale online endpoints: idle by CPU, 50 ms · 3 / 2 is above 70 ms: no scale-in",
        capacity: (2, 5, 2),
        rules: ENDPOINT,
        replicas: 3,
        values: &[("CpuUtilizationPercentage", 24.0), ("RequestLatency", 50.0)],
        wanted: (3, Some(Held::Flapping)),
    },
    Example {
        source: "REST reference: ExactCount",
        capacity: (1, 9, 1),
        rules: &["Cpu > 50 avg 5m: to 7"],
        replicas: 3,
        values: &[("Cpu", 60.0)],
        wanted: (7, None),
    },
];

#[test]
fn the_worked_examples_hold() {
    for example in EXAMPLES {
        let setting = setting(example.capacity, example.rules);
        let decision = asked(&setting, &state(example.replicas, example.values));
        let got = (decision.replicas, decision.held);
        assert_eq!(got, example.wanted, "{}: {:#?}", example.source, decision.steps);
    }
}

/// Source: *Understand autoscale settings* (2026-08), cooldown: out 60 minutes, in 40; out at 10:00,
/// in at 13:00, and a spike at 13:20 is acted upon at 13:40.
#[test]
fn one_cooldown_blocks_both_directions() {
    let rules = ["Cpu > 70 avg 5m: out 1, 60", "Cpu < 30 avg 5m: in 1, 40"];
    let setting = setting((1, 10, 1), &rules);
    let mut memory = crate::Memory::default();
    let mut at = |time: &str, replicas: u32, cpu: f64| {
        let now = moment(&format!("2026-11-28T{time}:00Z"));
        let state =
            crate::State { now, memory: memory.clone(), ..state(replicas, &[("Cpu", cpu)]) };
        let decision = asked(&setting, &state);
        memory = decision.memory.clone();
        (decision.replicas, decision.held)
    };
    assert_eq!(at("10:00", 4, 80.0), (5, None));
    assert_eq!(at("10:30", 5, 20.0), (5, Some(Held::Cooldown)), "scale-in waits, too");
    assert_eq!(at("10:59", 5, 90.0), (5, Some(Held::Cooldown)));
    assert_eq!(at("13:00", 5, 20.0), (4, None));
    assert_eq!(at("13:20", 4, 90.0), (4, Some(Held::Cooldown)), "a scale-in delays a scale-out");
    assert_eq!(at("13:40", 4, 90.0), (5, None));
}

#[test]
fn what_is_under_way_or_switched_off_is_left_alone() {
    let mut setting = setting((1, 10, 1), &["Cpu > 70 avg 5m: out 1"]);
    let busy = crate::State { in_progress: true, ..state(4, &[("Cpu", 90.0)]) };
    assert_eq!(asked(&setting, &busy).held, Some(Held::InProgress));
    setting.enabled = false;
    let decision = asked(&setting, &state(99, &[("Cpu", 90.0)]));
    assert_eq!((decision.replicas, decision.held), (99, Some(Held::Disabled)));
}
