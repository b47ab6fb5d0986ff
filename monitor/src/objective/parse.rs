//! The grammar of objectives, with a place and a remedy for everything that is refused.
//!
//! ```text
//! objective  = indicator comparison amount suffix*
//! indicator  = (percentile [of (response time | service time | send lag)]
//!            | error rate | error_rate | errors | goodput) (of [stage | request | deployment] name)*
//! comparison = < | <= | > | >=
//! amount     = duration | number "%" | number | number ("/s" | "rps")
//! suffix     = within duration | in every duration | in share of duration windows
//!            | over the run | successes only
//! ```
//!
//! The text is first cut into words, each with its place; the rest reads word after word, so that
//! a message can always point at the word it is about.

mod words;

use std::ops::Range;
use std::time::Duration;

use plimsoll_domain::latencies::{HIGHEST, LOWEST};

use super::{Amount, Comparison, InWindows, Indicator, Latency, Objective, Part, Selector};
use words::{EXAMPLES, Reader, number, refuse};

const LONGEST_WINDOW: Duration = Duration::from_hours(1);

/// Why a text is not an objective.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {hint}")]
pub struct ParseError {
    /// The bytes of the text that are wrong.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: String,
}

pub(super) fn objective(text: &str) -> Result<Objective, ParseError> {
    let mut reader = Reader::new(text)?;
    let (indicator, indicator_span) = reader.indicator()?;
    let selectors = reader.selectors(indicator)?;
    let (comparison, comparison_span) = reader.comparison()?;
    let (indicator, threshold) = reader.threshold(indicator)?;
    check_direction(indicator, comparison, comparison_span)?;
    let suffixes = reader.suffixes()?;
    suffixes.apply(indicator, comparison, threshold, selectors, indicator_span)
}

impl Reader<'_> {
    fn indicator(&mut self) -> Result<(Indicator, Range<usize>), ParseError> {
        for name in ["error rate", "error_rate", "errors"] {
            if let Some(span) = self.take(name) {
                return Ok((Indicator::ErrorRate, span));
            }
        }
        if let Some(span) = self.take("goodput") {
            return Ok((Indicator::Goodput { within: Duration::ZERO, per_second: false }, span));
        }
        let Some((word, span)) = self.next() else {
            return self.error("the objective is empty", EXAMPLES);
        };
        let percentile = percentile(word, &span)?;
        let of = self.latency()?;
        let span = span.start..self.taken_until();
        Ok((Indicator::Latency { percentile, of }, span))
    }

    fn latency(&mut self) -> Result<Latency, ParseError> {
        let names = [
            ("of response time", Latency::Response),
            ("of service time", Latency::Service),
            ("of send lag", Latency::SendLag),
        ];
        if let Some((_, latency)) = names.into_iter().find(|(name, _)| self.take(name).is_some()) {
            return Ok(latency);
        }
        let here = self.here();
        if self.take("of model time").is_some() {
            return refuse(
                here.start..self.taken_until(),
                "this latency is not known",
                "write `of response time`, `of service time` or `of send lag`",
            );
        }
        Ok(Latency::Response)
    }

    /// What the objective is about.
    fn selectors(&mut self, indicator: Indicator) -> Result<Vec<Selector>, ParseError> {
        let mut selectors: Vec<Selector> = Vec::new();
        while self.take("of").is_some() {
            let here = self.here();
            let part = Part::ALL.into_iter().find(|part| self.take(part.name()).is_some());
            let Some((name, span)) = self.next().filter(|(word, _)| !is_comparison(word)) else {
                return refuse(
                    here,
                    "a name is missing here",
                    "write the name of a stage, request or deployment of the scenario, for \
                     example `p99 of green < 200ms`",
                );
            };
            if matches!(indicator, Indicator::Latency { of: Latency::SendLag, .. })
                && part != Some(Part::Stage)
            {
                return refuse(
                    span,
                    "send lags are known by stage only: they do not depend on what was asked of \
                     whom",
                    "write `of stage NAME`, or leave it out",
                );
            }
            let selector = Selector { part, name: name.to_owned() };
            if selectors.contains(&selector) {
                return refuse(span, "this is said twice", "keep one of them");
            }
            selectors.push(selector);
        }
        Ok(selectors)
    }

    fn comparison(&mut self) -> Result<(Comparison, Range<usize>), ParseError> {
        let here = self.here();
        let comparison = match self.peek().map(|(word, _)| word) {
            Some("<") => Comparison::Below,
            Some("<=" | "≤") => Comparison::AtMost,
            Some(">") => Comparison::Above,
            Some(">=" | "≥") => Comparison::AtLeast,
            Some("=" | "==" | "!=") => {
                return refuse(
                    here,
                    "an objective is a bound, not an equation",
                    "write `<` or `>=`",
                );
            }
            _ => {
                return refuse(
                    here,
                    "a comparison is missing here",
                    "write `<`, `<=`, `>` or `>=`",
                );
            }
        };
        self.next();
        Ok((comparison, here))
    }

    /// The threshold, in the indicator's unit; its spelling decides what unit goodput has.
    fn threshold(&mut self, indicator: Indicator) -> Result<(Indicator, Amount), ParseError> {
        match indicator {
            Indicator::Latency { .. } => {
                let (value, span) = self.duration("200ms")?;
                if value < LOWEST || value > HIGHEST {
                    return refuse(
                        span,
                        "latencies are measured from 1 ns to 1 h",
                        "write a bound in between",
                    );
                }
                Ok((indicator, Amount::latency(value)))
            }
            Indicator::ErrorRate => {
                let (share, _) = self.share("1%")?;
                Ok((indicator, Amount::share(share)))
            }
            Indicator::Goodput { within, .. } => {
                if let Some(rate) = self.rate()? {
                    return Ok((
                        Indicator::Goodput { within, per_second: true },
                        Amount::per_second(rate),
                    ));
                }
                let (share, _) = self.share("95%` or `450/s")?;
                Ok((indicator, Amount::share(share)))
            }
        }
    }

    fn suffixes(&mut self) -> Result<Suffixes, ParseError> {
        let mut suffixes = Suffixes::default();
        while self.peek().is_some() {
            let here = self.here();
            let again = if self.take("within").is_some() {
                suffixes.within.replace((self.duration("200ms")?.0, here.clone())).is_some()
            } else if self.take("in every").is_some() {
                let (window, span) = self.duration("10s")?;
                check_window(window, span)?;
                let every = InWindows { length: window, share: 1.0 };
                suffixes.scope.replace(Scope::Windows(every)).is_some()
            } else if self.take("in").is_some() {
                suffixes.scope.replace(Scope::Windows(self.some_windows()?)).is_some()
            } else if self.take("over the run").is_some() {
                suffixes.scope.replace(Scope::Run).is_some()
            } else if self.take("successes only").is_some() {
                suffixes.successes_only.replace(here.clone()).is_some()
            } else {
                return self.error(
                    "this is not understood",
                    "after the threshold may come `within 200ms`, `in every 10s`, `in 99% of 10s \
                     windows`, `over the run` and `successes only`",
                );
            };
            if again {
                return refuse(here, "this is said twice", "keep one of them");
            }
        }
        Ok(suffixes)
    }

    /// `99% of 5s windows`, after the `in`.
    fn some_windows(&mut self) -> Result<InWindows, ParseError> {
        let (share, span) = self.share("99%")?;
        if share < 0.5 {
            let hint = "write for example `in 99% of 5s windows`";
            return refuse(span, "an objective must hold in half of the windows at least", hint);
        }
        if self.take("of").is_none() {
            return self.error("`of` is missing here", "write for example `in 99% of 5s windows`");
        }
        let (length, span) = self.duration("5s")?;
        check_window(length, span)?;
        if self.take("windows").is_none() {
            return self.error("`windows` is missing", "write for example `in 99% of 5s windows`");
        }
        Ok(InWindows { length, share })
    }
}

fn is_comparison(word: &str) -> bool {
    word.starts_with(['<', '>', '=', '≤', '≥', '!'])
}

/// Over which time.
enum Scope {
    Run,
    Windows(InWindows),
}

/// What follows the threshold.
#[derive(Default)]
struct Suffixes {
    within: Option<(Duration, Range<usize>)>,
    scope: Option<Scope>,
    successes_only: Option<Range<usize>>,
}

impl Suffixes {
    fn apply(
        self,
        mut indicator: Indicator,
        comparison: Comparison,
        threshold: Amount,
        selectors: Vec<Selector>,
        place: Range<usize>,
    ) -> Result<Objective, ParseError> {
        match (&mut indicator, self.within) {
            (Indicator::Goodput { within, .. }, Some((limit, span))) => {
                if limit < LOWEST || limit > HIGHEST {
                    return refuse(
                        span,
                        "latencies are measured from 1 ns to 1 h",
                        "write a limit in between",
                    );
                }
                *within = limit;
            }
            (Indicator::Goodput { .. }, None) => {
                let hint = "add the response time up to which an answer counts, for example `within 200ms`";
                return refuse(place, "goodput needs a limit", hint);
            }
            (_, Some((_, span))) => {
                return refuse(span, "only goodput has a limit", "leave `within …` out");
            }
            (_, None) => {}
        }
        let response = matches!(indicator, Indicator::Latency { of: Latency::Response, .. });
        if let (Some(span), false) = (&self.successes_only, response) {
            let message = "only percentiles of response time can leave failures out";
            return refuse(span.clone(), message, "leave `successes only` out");
        }
        let windows = match self.scope {
            Some(Scope::Windows(windows)) => Some(windows),
            Some(Scope::Run) | None => None,
        };
        let successes_only = self.successes_only.is_some();
        Ok(Objective { indicator, comparison, threshold, selectors, windows, successes_only })
    }
}

fn percentile(word: &str, span: &Range<usize>) -> Result<f64, ParseError> {
    let lower = word.to_ascii_lowercase();
    let hint = match lower.as_str() {
        "mean" | "avg" | "average" => {
            return refuse(
                span.clone(),
                "a mean hides the tail, and is infinite as soon as one request fails",
                "bound a percentile instead, for example `p50 < 50ms` or `p99 < 200ms`",
            );
        }
        "max" | "maximum" | "p100" => {
            return refuse(
                span.clone(),
                "no number of samples can bound a maximum",
                "bound a high percentile instead, for example `p99.9 < 500ms`",
            );
        }
        "median" => return Ok(50.0),
        _ => EXAMPLES,
    };
    let digits = lower.strip_prefix('p').filter(|d| d.starts_with(|c: char| c.is_ascii_digit()));
    let Some(percentile) = digits.and_then(number) else {
        return refuse(span.clone(), &format!("`{word}` is not an indicator"), hint);
    };
    if percentile <= 0.0 || percentile > 99.9999 {
        return refuse(
            span.clone(),
            "a percentile is above 0 and at most 99.9999",
            "write for example `p99.9`",
        );
    }
    Ok(percentile)
}

/// Bounds must be on the side on which worse values lie.
fn check_direction(
    indicator: Indicator,
    comparison: Comparison,
    span: Range<usize>,
) -> Result<(), ParseError> {
    let more_is_better = matches!(indicator, Indicator::Goodput { .. });
    match (more_is_better, comparison.is_upper_bound()) {
        (false, false) => {
            refuse(span, &format!("`{indicator}` needs an upper bound"), "write `<` or `<=`")
        }
        (true, true) => refuse(span, "goodput needs a lower bound", "write `>=` or `>`"),
        _ => Ok(()),
    }
}

fn check_window(window: Duration, span: Range<usize>) -> Result<(), ParseError> {
    if window.subsec_nanos() != 0 || window.is_zero() || window > LONGEST_WINDOW {
        let hint = "write for example `in every 10s`";
        return refuse(span, "a window is whole seconds, from 1s to 1h", hint);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_spelling_has_one_canonical_text() {
        let cases = [
            ("p99 < 200ms", "p99 < 200ms"),
            ("P99<200ms", "p99 < 200ms"),
            ("  p99.9 <= 1s ", "p99.9 <= 1s"),
            ("p99 of response time < 1.5s", "p99 < 1500ms"),
            ("p50 of service time < 20 ms over the run", "p50 of service time < 20ms"),
            ("p99 of send lag ≤ 500us", "p99 of send lag <= 500us"),
            ("median < 2m 30s", "p50 < 150s"),
            ("p99 < 200ms in every 1m", "p99 < 200ms in every 60s"),
            ("p95 < 200ms in 99% of 5 s windows", "p95 < 200ms in 99% of 5s windows"),
            ("p99 of green < 200ms", "p99 of green < 200ms"),
            ("p99 of deployment Green<200ms", "p99 of deployment Green < 200ms"),
            ("p99 of service time of score < 1s", "p99 of service time of score < 1s"),
            ("p99 of service < 1s", "p99 of service < 1s"),
            (
                "error rate of request score of green < 1%",
                "error rate of request score of green < 1%",
            ),
            ("goodput of score >= 95% within 1s", "goodput of score >= 95% within 1s"),
            ("p99 of send lag of stage hold < 1ms", "p99 of send lag of stage hold < 1ms"),
            (
                "p99 < 200ms, successes only, in every 10s",
                "p99 < 200ms in every 10s, successes only",
            ),
            ("error rate < 1%", "error rate < 1%"),
            ("errors <= 0.001", "error rate <= 0.1%"),
            ("error_rate < 0.7 %", "error rate < 0.7%"),
            ("error rate < 0.007", "error rate < 0.7%"),
            ("goodput >= 95% within 200ms", "goodput >= 95% within 200ms"),
            ("goodput>0.999 within 1s in every 5s", "goodput > 99.9% within 1s in every 5s"),
            ("goodput >= 450/s within 200ms", "goodput >= 450/s within 200ms"),
            ("goodput >= 0.5 rps within 200ms", "goodput >= 0.5/s within 200ms"),
        ];
        for (text, canonical) in cases {
            let objective = objective(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(objective.to_string(), canonical, "{text}");
            assert_eq!(super::objective(canonical).as_ref(), Ok(&objective), "{canonical}");
        }
    }

    #[test]
    fn whatever_is_refused_is_pointed_at_with_a_remedy() {
        let cases = [
            ("", "", "empty"),
            ("p99", "", "comparison is missing"),
            ("p99 200ms", "200ms", "comparison is missing"),
            ("p99 > 200ms", ">", "upper bound"),
            ("error rate >= 1%", ">=", "upper bound"),
            ("goodput < 95% within 1s", "<", "lower bound"),
            ("goodput >= 95%", "goodput", "needs a limit"),
            ("p99 = 200ms", "=", "not an equation"),
            ("mean < 200ms", "mean", "mean hides the tail"),
            ("max < 200ms", "max", "bound a maximum"),
            ("p100 < 200ms", "p100", "bound a maximum"),
            ("p0 < 200ms", "p0", "above 0"),
            ("latency < 200ms", "latency", "not an indicator"),
            ("p99 of model time < 200ms", "of model time", "not known"),
            ("p99 of < 200ms", "<", "a name is missing"),
            ("p99 of send lag of green < 200ms", "green", "by stage only"),
            ("p99 of green of green < 200ms", "green", "said twice"),
            ("p99 < 200ms in 40% of 5s windows", "40%", "half of the windows"),
            ("p99 < 200ms in 99% of 5s", "", "`windows` is missing"),
            ("p99 < 200", "200", "no unit"),
            ("p99 <", "", "duration is missing"),
            ("p99 < fast", "fast", "not a duration"),
            ("p99 < 2h", "2h", "1 ns to 1 h"),
            ("error rate < 1", "1", "exactly 0 % or 100 %"),
            ("error rate <= 0%", "0%", "exactly 0 % or 100 %"),
            ("error rate < 3", "3", "more than everything"),
            ("error rate < some", "some", "not a share"),
            ("goodput >= 0/s within 1s", "0/s", "above 0"),
            ("p99 < 200ms within 1s", "within", "only goodput"),
            ("p99 < 200ms in every 500ms", "500ms", "whole seconds"),
            ("p99 < 200ms in every 2h", "2h", "whole seconds"),
            ("p99 < 200ms in every 10s over the run", "over", "said twice"),
            ("p99 < 200ms please", "please", "not understood"),
            ("error rate < 1% successes only", "successes", "only percentiles"),
            ("p99 of service time < 1s successes only", "successes", "only percentiles"),
        ];
        for (text, place, message) in cases {
            let error = objective(text).expect_err(text);
            assert_eq!(&text[error.span.clone()], place, "{text}: {error}");
            assert!(error.message.contains(message), "{text}: {error}");
            assert!(!error.hint.is_empty(), "{text}");
        }
    }

    proptest! {
        // The canonical text reads as the same objective, whatever the objective.
        #[test]
        fn canonical_text_reads_back(
            kind in 0u8..6,
            percentile in 1u32..999_999,
            nanos in 1_000u64..3_600_000_000_000,
            parts in 1u64..10_000_000_000,
            rate in 0.001f64..1e9,
            strict: bool,
            window in prop::option::of((1u64..=3600, 5_000u64..=10_000)),
            selectors in prop::collection::vec("[a-z][a-z0-9-]{8,12}", 0..2),
            successes_only: bool,
        ) {
            let latency = |of| Indicator::Latency { percentile: f64::from(percentile) / 1e4, of };
            let within = Duration::from_nanos(nanos);
            let indicator = match kind {
                0 => latency(Latency::Response),
                1 => latency(Latency::Service),
                2 => latency(Latency::SendLag),
                3 => Indicator::ErrorRate,
                _ => Indicator::Goodput { within, per_second: kind == 4 },
            };
            let comparison = match (kind, strict) {
                (0..=3, true) => Comparison::Below,
                (0..=3, false) => Comparison::AtMost,
                (_, true) => Comparison::Above,
                (_, false) => Comparison::AtLeast,
            };
            let threshold = match kind {
                0..=2 => Amount::latency(within),
                4 => Amount::per_second(rate),
                _ => Amount::share(parts as f64 / 1e10),
            };
            let wanted = Objective {
                indicator,
                comparison,
                threshold,
                selectors: selectors.into_iter().filter(|_| kind != 2)
                    .map(|name| Selector { part: (!strict).then_some(Part::Request), name })
                    .collect(),
                windows: window.map(|(length, parts)| InWindows {
                    length: Duration::from_secs(length),
                    share: parts as f64 / 1e4,
                }),
                successes_only: successes_only && kind == 0,
            };
            prop_assert_eq!(objective(&wanted.to_string()), Ok(wanted));
        }

        // No text makes the parser panic, and every error points into the text.
        #[test]
        fn any_text_is_read_or_refused(text in "[pgew0-9.<>=%/, µ≤a-z]{0,40}") {
            if let Err(error) = objective(&text) {
                prop_assert!(text.get(error.span).is_some());
            }
        }
    }
}
