//! The banner and the key figures: what is read first.

use plimsoll_monitor::{ValidityState, Verdict};

use super::objectives::verdict_words;
use super::words;
use crate::results::summary::Summary;

/// The verdict in one glance and one sentence.
#[derive(Debug)]
pub(super) struct Banner {
    pub(super) class: &'static str,
    pub(super) symbol: &'static str,
    pub(super) headline: String,
    pub(super) why: String,
    pub(super) validity: &'static str,
    pub(super) exit_code: String,
}

/// One number with its name.
#[derive(Debug)]
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) detail: String,
}

/// The banner of a run.
pub(super) fn banner(summary: &Summary) -> Banner {
    let (class, symbol, headline, why) = headline(summary);
    Banner {
        class,
        symbol,
        headline: if summary.is_simulated() {
            format!("Simulated: {headline}")
        } else {
            headline.to_owned()
        },
        why,
        validity: summary.validity.state.name(),
        exit_code: summary.exit_code.map_or("none".to_owned(), |code| code.to_string()),
    }
}

fn headline(summary: &Summary) -> (&'static str, &'static str, &'static str, String) {
    let of_rules = || summary.autoscale.iter().flat_map(|of| &of.objectives);
    let first = |verdict: Verdict| {
        let own = summary.objectives.iter().filter(|o| o.verdict == verdict).map(words::evidence);
        let of_rules = of_rules().filter(|o| o.verdict == verdict);
        let mut all = own.chain(of_rules.map(|o| format!("{}: {}", o.name, o.shown)));
        let evidence = all.next().unwrap_or_default();
        (evidence, all.count())
    };
    let others = |n: usize| if n == 0 { String::new() } else { format!(" (and {n} more)") };
    if !summary.run.complete {
        let why = "The run did not end; this is what it measured until then. Nothing is judged.";
        return ("inconclusive", "…", "Incomplete run", why.to_owned());
    }
    if summary.exit_code == Some(5) {
        let reason = summary.validity.reasons.first().cloned().unwrap_or_default();
        let reason = reason.lines().next().unwrap_or_default().to_owned();
        if summary.load.offered == 0 {
            return ("breached", "!", "Deployment failed", format!("{reason} See the events."));
        }
        let why = "What the run had brought up went away before its end; see the events.";
        return ("breached", "!", "Deployment failed", format!("{why} {reason}"));
    }
    if summary.validity.state == ValidityState::Invalid {
        let reason = summary.validity.reasons.first().cloned().unwrap_or_default();
        let why = format!("The run can be neither passed nor failed. {reason}");
        return ("inconclusive", "!", "Invalid run", why);
    }
    match summary.verdict {
        _ if summary.run.interrupted => {
            let why = "Somebody stopped the run early; this is what it measured until then.";
            ("inconclusive", "…", "Interrupted", why.to_owned())
        }
        _ if summary.run.gave_up && summary.verdict != Some(Verdict::Breached) => {
            let why = "The load ended early: not a single request had got a right answer.";
            ("inconclusive", "!", "Given up", why.to_owned())
        }
        None if summary.outcomes.ok == 0 => {
            let why = "No arrival got a right answer, so there is nothing to judge.";
            ("inconclusive", "?", "Nothing measured", why.to_owned())
        }
        None => {
            let why = "The scenario has no objectives, so there is nothing to meet or breach.";
            ("neutral", "–", "Not judged", why.to_owned())
        }
        Some(Verdict::Breached) => {
            let (evidence, more) = first(Verdict::Breached);
            let culprit = summary.autoscale.as_ref().and_then(|of| of.culprit.as_ref());
            let culprit = culprit.map_or_else(String::new, |wait| {
                format!(" Instances came late, most of all for: {}.", wait.part)
            });
            let why = format!("{evidence}{}.{culprit}{}", others(more), first_failure(summary));
            ("breached", "✕", "Objectives breached", why)
        }
        Some(Verdict::Inconclusive) => {
            let (evidence, more) = first(Verdict::Inconclusive);
            ("inconclusive", "?", "Inconclusive", format!("{evidence}{}.", others(more)))
        }
        Some(Verdict::Met) => {
            let (class, symbol, _) = verdict_words(Verdict::Met);
            let (evidence, more) = first(Verdict::Met);
            (class, symbol, "Objectives met", format!("{evidence}{}.", others(more)))
        }
    }
}

/// The first failed connection in its own words.
fn first_failure(summary: &Summary) -> String {
    let example = summary.generator.examples.iter().next();
    example.map_or_else(String::new, |(kind, text)| format!(" The first failure ({kind}): {text}."))
}

/// The key figures of a run.
pub(super) fn figures(summary: &Summary) -> Vec<Figure> {
    let (load, ends, latency) = (&summary.load, &summary.outcomes, &summary.latency_ms.response);
    let ended = latency.count + latency.infinite;
    let failed = latency.infinite - ends.dropped().min(latency.infinite);
    vec![
        Figure {
            name: "Response time p99",
            value: words::at(latency, 0.99),
            detail: format!(
                "p99.9 {}, longest {}",
                words::at(latency, 0.999),
                latency.max.map_or("–".to_owned(), words::ms)
            ),
        },
        Figure {
            name: "Response time p50",
            value: words::at(latency, 0.5),
            detail: format!("mean {}", latency.mean.map_or("–".to_owned(), words::ms)),
        },
        Figure {
            name: "Achieved rate",
            value: words::rate(load.achieved_rps),
            detail: format!("of {} offered", words::rate(load.offered_rps)),
        },
        Figure {
            name: "Goodput",
            value: words::rate(load.goodput_rps),
            detail: "ok, and not late".to_owned(),
        },
        Figure {
            name: "Errors",
            value: words::percent(latency.infinite, ended),
            detail: format!(
                "{} failed, {} dropped",
                words::count(failed),
                words::count(ends.dropped())
            ),
        },
        Figure {
            name: "Measured",
            value: words::span(load.duration_s),
            detail: summary.warmup.as_ref().map_or_else(
                || words::counted(load.offered, "arrival"),
                |warmup| {
                    format!(
                        "{}, {} more in warm-up",
                        words::counted(load.offered, "arrival"),
                        words::count(warmup.offered)
                    )
                },
            ),
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::synthetic::{Shape, header};

    // What was not judged never looks judged, whatever verdict stands in the file.
    #[test]
    fn an_invalid_or_unfinished_run_is_neither_green_nor_red() {
        let header = header(&Shape::small("quickstart"));
        let mut summary = Summary::begun(header.run, header.scenario);
        summary.verdict = Some(Verdict::Met);
        assert_eq!(banner(&summary).headline, "Incomplete run");
        assert_eq!(summary.validity.state, ValidityState::Invalid, "nobody has judged it");
        summary.run.complete = true;
        summary.validity.state = ValidityState::Valid;
        assert_eq!(banner(&summary).class, "met");
        summary.run.interrupted = true;
        assert_eq!(banner(&summary).headline, "Interrupted");
        summary.validity.state = ValidityState::Invalid;
        assert_eq!((banner(&summary).class, banner(&summary).symbol), ("inconclusive", "!"));
        summary.validity.state = ValidityState::Valid;
        summary.run.interrupted = false;
        summary.verdict = None;
        assert_eq!(banner(&summary).headline, "Nothing measured");
        summary.outcomes.ok = 1;
        assert_eq!(banner(&summary).headline, "Not judged");
        summary.exit_code = Some(5);
        assert_eq!(banner(&summary).headline, "Deployment failed");
    }
}
