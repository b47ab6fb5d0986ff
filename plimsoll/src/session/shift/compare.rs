//! A new version beside the old one, by what each answers to the same requests: the old one to the requests
//! themselves, the new one to copies of a share of them.
//!
//! This keeps away what is plainly worse, before anybody gets its answers; what is good enough the objectives say, once
//! it has live traffic. The new version is worse if, beyond chance, its share of wrong answers is more than
//! [`SHARE_MARGIN`] above the old one's, or the p95 of its right answers is more than [`SLOWER`] times the old one's:
//! the interval of the one must lie wholly beyond that of the other. Both are timed by the gateway, in the same time,
//! so a busy machine slows both.
//!
//! Limit: the intervals take requests for independent, so queues make them too narrow; the margins make up for that.

use std::time::Duration;

use plimsoll_deploy::arm::wire::Answers;
use plimsoll_domain::units::format_duration;
use plimsoll_monitor::interval::{quantile_ranks, share_interval};

const CONFIDENCE: f64 = 0.99;
const QUANTILE: f64 = 0.95;

/// Wrong answers that the new version may have more: one in a hundred.
const SHARE_MARGIN: f64 = 0.01;

/// How much longer the p95 of the new version may be.
const SLOWER: f64 = 1.5;

/// How a new version did, and whether the shift may go on to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::session) struct Comparison {
    /// For people.
    pub(in crate::session) text: String,
    /// Whether the new version is worse.
    pub(in crate::session) is_worse: bool,
}

/// Compares what `new` answered to copies with what `old` answered meanwhile.
pub(super) fn compare(old: (&str, &Answers), new: (&str, &Answers)) -> Comparison {
    let (ours, theirs) = (Summed::of(old.1), Summed::of(new.1));
    let fails = theirs.wrong.0 > ours.wrong.1 + SHARE_MARGIN;
    let is_slow = match (theirs.quantile.0, ours.quantile.1) {
        (Some(least), Some(most)) => least > most.mul_f64(SLOWER),
        _ => false,
    };
    let verdict = match (fails, is_slow) {
        (true, _) => "it fails more often",
        (false, true) => "it is slower",
        (false, false) if theirs.count == 0 => "no copy has been answered: nothing is known of it",
        (false, false) => "it is no worse",
    };
    let text = format!(
        "{} under mirrored load: {verdict} ({}); {} meanwhile: {}",
        new.0,
        theirs.text(),
        old.0,
        ours.text()
    );
    Comparison { text, is_worse: fails || is_slow }
}

/// What can be said of some answers.
struct Summed {
    count: u64,
    share: f64,
    /// The interval of the share of wrong ones.
    wrong: (f64, f64),
    p95: Option<Duration>,
    /// The interval of the p95 of right ones; an end that cannot be told is none.
    quantile: (Option<Duration>, Option<Duration>),
}

impl Summed {
    fn of(answers: &Answers) -> Self {
        let right = answers.latencies.count();
        let count = right + answers.wrong;
        let (low, high) = quantile_ranks(right, QUANTILE, CONFIDENCE);
        let at = |rank: u64| (rank > 0).then(|| answers.latencies.at_rank(rank).finite()).flatten();
        Self {
            count,
            share: answers.wrong as f64 / (count.max(1)) as f64,
            wrong: share_interval(answers.wrong, count, CONFIDENCE),
            p95: answers.latencies.quantile(QUANTILE),
            quantile: (at(low), at(high)),
        }
    }

    fn text(&self) -> String {
        let p95 = self.p95.map_or_else(
            || "none right".to_owned(),
            |p95| format!("p95 {}", format_duration(Duration::from_micros(p95.as_micros() as u64))),
        );
        format!("{} answers, {:.1} % wrong, {p95}", self.count, self.share * 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many right answers around a time, and so many wrong ones.
    fn answers(right: u64, ms: u64, wrong: u64) -> Answers {
        let mut answers = Answers { wrong, ..Answers::default() };
        for number in 0..right {
            answers.latencies.record(Duration::from_micros(ms * 1000 + number));
        }
        answers
    }

    fn is_worse(old: &Answers, new: &Answers) -> bool {
        compare(("blue", old), ("green", new)).is_worse
    }

    #[test]
    fn what_is_plainly_worse_is_told_from_what_is_not() {
        let blue = answers(400, 20, 0);
        assert!(!is_worse(&blue, &answers(200, 15, 0)), "faster");
        assert!(!is_worse(&blue, &answers(200, 28, 0)), "a little slower");
        assert!(is_worse(&blue, &answers(200, 40, 0)), "twice as slow");
        assert!(is_worse(&blue, &answers(200, 15, 20)), "one in eleven fails");
        assert!(!is_worse(&answers(400, 20, 40), &answers(200, 20, 20)), "both fail");
    }

    #[test]
    fn too_few_copies_hold_nothing_up() {
        let blue = answers(400, 20, 0);
        let none = compare(("blue", &blue), ("green", &Answers::default()));
        assert!(!none.is_worse && none.text.contains("nothing is known"), "{}", none.text);
        assert!(!is_worse(&blue, &answers(2, 15, 1)), "one wrong of three");
        assert!(is_worse(&blue, &answers(0, 15, 10)), "ten wrong of ten");
    }

    #[test]
    fn it_says_what_it_has_seen() {
        let comparison = compare(("blue", &answers(196, 20, 4)), ("green", &answers(50, 40, 0)));
        let text = "green under mirrored load: it is slower (50 answers, 0.0 % wrong, p95 ";
        assert!(comparison.text.starts_with(text), "{}", comparison.text);
        assert!(
            comparison.text.contains("blue meanwhile: 200 answers, 2.0 % wrong"),
            "{comparison:?}"
        );
    }
}
