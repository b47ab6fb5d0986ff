use std::io::{BufReader, Cursor, Read};

use proptest::prelude::*;

use super::*;
use crate::schedule::{ArrivalProcess, Arrivals, Mix};

fn open(text: &str) -> Open {
    let text = text.to_owned();
    Arc::new(move || Ok(Box::new(Cursor::new(text.clone()))))
}

fn trace(text: &str) -> Trace {
    Trace::check(open(text)).unwrap_or_else(|wrong| panic!("{wrong}"))
}

fn arrivals(trace: &Trace, process: ArrivalProcess, seed: u64) -> Arrivals {
    Arrivals::replay(trace, &trace.profile(Duration::ZERO), process, &Mix::default(), seed)
}

fn due(trace: &Trace) -> Vec<f64> {
    arrivals(trace, ArrivalProcess::Constant, 3).map(|each| each.due.as_secs_f64()).collect()
}

const OFFSETS: &str = "# recorded\nid,offset_s\na,0\nb,0.5\n\nc,0.5\nd,2\n";
const RATES: &str = "start_s,rate_rps\n0,2\n10,0\n20,1\n";

#[test]
fn offsets_are_due_as_they_were_recorded_and_faster_at_a_speed() {
    let trace = trace(OFFSETS);
    assert_eq!((trace.kind(), trace.pass().rows), (Kind::Offsets, 4));
    assert_eq!(due(&trace), [0.0, 0.5, 0.5, 2.0]);
    assert_eq!(due(&trace.clone().at_speed(2.0)), [0.0, 0.25, 0.25, 1.0]);
    assert!((trace.pass().silence_s - 1.5).abs() < 1e-9);
    // A mean gap after the last, it begins again.
    let pass = 2.0 + 2.0 / 3.0;
    assert!((trace.duration().as_secs_f64() - pass).abs() < 1e-9);
    let twice = due(&trace.clone().repeated(Duration::from_secs_f64(pass + 1.0)));
    assert_eq!(twice.len(), 7);
    assert!((twice[5] - pass - 0.5).abs() < 1e-6, "{twice:?}");
    assert_eq!(due(&trace.cut(Duration::from_secs(1))).len(), 3);
}

#[test]
fn rates_are_held_for_a_window_each() {
    let trace = trace(RATES);
    assert_eq!((trace.kind(), trace.duration()), (Kind::Rates, Duration::from_secs(30)));
    let due_at = due(&trace);
    assert_eq!(due_at.len(), 30);
    assert_eq!((due_at[0], due_at[1], due_at[19], due_at[20]), (0.0, 0.5, 9.5, 20.0));
    assert!((trace.pass().silence_s - 10.0).abs() < 1e-9);
    let scaled = due(&trace.clone().scaled(2.0).at_speed(10.0));
    assert_eq!((scaled.len(), scaled[1]), (60, 0.025));
    let mut course = trace.course();
    let by = [0, 5, 10, 20, 25, 99].map(|t| course.by(Duration::from_secs(t)));
    assert_eq!(by.to_vec(), [0.0, 10.0, 20.0, 20.0, 25.0, 30.0]);
    let profile = trace.profile(Duration::from_secs(10));
    let rates: Vec<_> = profile.stages.iter().map(|s| (s.from_rps, s.warmup)).collect();
    assert_eq!(rates, [(2.0, true), (0.5, false)]);
    let stages: Vec<_> =
        Arrivals::replay(&trace, &profile, ArrivalProcess::Constant, &Mix::default(), 1)
            .map(|each| each.stage)
            .collect();
    assert_eq!((stages[19], stages[20]), (0, 1));
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    for (text, line, what) in [
        ("", 0, "empty"),
        ("offset_s\n", 0, "no row"),
        ("time\n1\n", 1, "names the columns"),
        ("offset_s\n1\nx\n", 3, "`x` is no number"),
        ("offset_s\n1\n-1\n", 3, "no number from 0"),
        ("offset_s\n# note\n2\n1.5\n", 4, "not in the order of time"),
        ("start_s,rate_rps\n0,1\n", 2, "one row"),
        ("start_s,rate_rps\n0,1\n60,1\n180,1\n", 4, "rows are missing"),
        ("start_s,rate_rps\n0,1\n60,1\n60,1\n", 4, "not in the order"),
        ("start_s,rate_rps\n60,1\n120,1\n", 2, "begins at 0"),
        ("start_s,rate_rps\n0,0\n60,0\n", 0, "every rate is 0"),
        ("start_s,rate_rps\n0,1\n60\n", 3, "`` is no number"),
    ] {
        let wrong = Trace::check(open(text)).expect_err(text);
        assert!(wrong.line == line && wrong.what.contains(what), "{text:?}: {wrong:?}");
    }
}

/// A text longer than any memory: rows, or one line.
struct Endless(&'static [u8]);

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        for (byte, from) in buffer.iter_mut().zip(self.0.iter().cycle()) {
            *byte = *from;
        }
        Ok(buffer.len() / self.0.len() * self.0.len())
    }
}

#[test]
fn a_text_longer_than_memory_is_read_row_by_row_and_one_without_lines_is_refused() {
    let open: Open = Arc::new(|| {
        let names: &[u8] = b"offset_s\n";
        Ok(Box::new(BufReader::new(names.chain(Endless(b"1.5\n").take(4_000_000)))))
    });
    let trace = Trace::check(open).unwrap();
    assert_eq!(trace.pass().rows, 1_000_000);
    let endless: Open = Arc::new(|| Ok(Box::new(BufReader::new(Endless(b"no line ")))));
    let wrong = Trace::check(endless).unwrap_err();
    assert!(wrong.line == 1 && wrong.what.contains("longer than any row"), "{wrong}");
}

fn traces() -> impl Strategy<Value = Trace> {
    let offsets = prop::collection::vec(0u32..2_000, 1..60).prop_map(|gaps| {
        let mut at = 0;
        let rows = gaps.iter().map(|gap| {
            at += gap;
            format!("{}\n", f64::from(at) / 1e3)
        });
        trace(&format!("offset_s\n{}", rows.collect::<String>()))
    });
    let rates = prop::collection::vec(0u32..40, 2..20).prop_map(|rates| {
        let rows = (0..).zip(&rates).map(|(index, rate)| format!("{},{rate}\n", index * 3));
        let rows: String = rows.collect();
        trace(&format!("start_s,rate_rps\n{rows}{},1\n", rates.len() * 3))
    });
    (prop_oneof![offsets, rates], 0.1f64..5.0, 0.2f64..3.0, any::<bool>()).prop_map(
        |(trace, speed, scale, repeats)| {
            let trace = trace.at_speed(speed).scaled(scale);
            if repeats { trace.clone().repeated(trace.duration().mul_f64(2.5)) } else { trace }
        },
    )
}

proptest! {
    // Due times never fall and lie within the replay; the shares of all workers together are the
    // whole, also of a copy that has begun; the same seed gives the same.
    #[test]
    fn shares_are_the_whole(trace in traces(), seed: u64, shards in 1u64..5) {
        for process in [ArrivalProcess::Constant, ArrivalProcess::Poisson] {
            let all: Vec<_> = arrivals(&trace, process, seed).collect();
            prop_assert!(all.windows(2).all(|two| two[0].due <= two[1].due));
            prop_assert!(all.iter().all(|arrival| arrival.due < trace.duration()));
            let whole = arrivals(&trace, process, seed);
            let mut parts: Vec<_> =
                (0..shards).flat_map(|shard| whole.clone().shard(shard, shards)).collect();
            parts.sort_by_key(|arrival| arrival.number);
            prop_assert_eq!(&parts, &all);
            let mut begun = arrivals(&trace, process, seed);
            let before = all.len() / 2;
            prop_assert_eq!(begun.by_ref().take(before).count(), before);
            prop_assert_eq!(begun.clone().collect::<Vec<_>>(), &all[before..]);
        }
    }

    // By any time, the arrivals of constant rates are the course, to within one.
    #[test]
    fn the_course_counts_what_comes(trace in traces(), share in 0.0f64..1.0) {
        prop_assume!(trace.kind() == Kind::Rates || trace.scale.fract() == 0.0);
        let t = trace.duration().mul_f64(share);
        let by = due(&trace).iter().filter(|at| **at < t.as_secs_f64()).count() as f64;
        prop_assert!((by - trace.course().by(t)).abs() <= 1.0 + 1e-6);
    }
}

#[test]
fn half_of_a_trace_is_half_of_it() {
    let rows: Vec<String> = (0..20_000).map(|row| row.to_string()).collect();
    let rows = rows.join("\n") + "\n";
    let whole = trace(&format!("offset_s\n{rows}"));
    for (scale, expected) in [(0.5, 10_000), (1.5, 30_000), (3.0, 60_000)] {
        let got = due(&whole.clone().scaled(scale)).len();
        // Four standard deviations of a binomial count are 283.
        assert!(got.abs_diff(expected) < 283, "{scale}: {got}");
    }
}
