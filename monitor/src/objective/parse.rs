//! The grammar of objectives, with a place and a remedy for everything that is refused.
//!
//! ```text
//! objective  = indicator comparison amount suffix*
//! indicator  = percentile [of (response time | service time | send lag)]
//!            | error rate | error_rate | errors | goodput
//! comparison = < | <= | > | >=
//! amount     = duration | number "%" | number | number ("/s" | "rps")
//! suffix     = within duration | in every duration | over the run | successes only
//! ```
//!
//! The text is first cut into words, each with its place; the rest reads word after word, so that
//! a message can always point at the word it is about.

use std::ops::Range;
use std::time::Duration;

use plimsoll_domain::latencies::{HIGHEST, LOWEST};
use plimsoll_domain::units::parse_duration;
use winnow::ascii::multispace0;
use winnow::combinator::{alt, delimited, preceded, repeat, terminated};
use winnow::stream::LocatingSlice;
use winnow::token::take_while;
use winnow::{ModalResult, Parser};

use super::amount::on_grid;
use super::{Amount, Comparison, Indicator, Latency, Objective};

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

const EXAMPLES: &str = "write for example `p99 < 200ms`, `error rate < 1%` or \
                        `goodput >= 95% within 200ms`";
const LONGEST_WINDOW: Duration = Duration::from_secs(3600);

type Word<'a> = (&'a str, Range<usize>);

pub(super) fn objective(text: &str) -> Result<Objective, ParseError> {
    let words = words(text)?;
    let mut reader = Reader { words: &words, at: 0, end: text.len() };
    let (indicator, indicator_span) = reader.indicator()?;
    let (comparison, comparison_span) = reader.comparison()?;
    let (indicator, threshold) = reader.threshold(indicator)?;
    check_direction(indicator, comparison, comparison_span)?;
    let suffixes = reader.suffixes()?;
    suffixes.apply(indicator, comparison, threshold, indicator_span)
}

/// Cuts the text into comparisons and words, each with its place; a comma is a space.
fn words(text: &str) -> Result<Vec<Word<'_>>, ParseError> {
    fn word<'a>(input: &mut LocatingSlice<&'a str>) -> ModalResult<Word<'a>> {
        let is_comparison = |c: char| matches!(c, '<' | '>' | '=' | '≤' | '≥' | '!');
        let other = move |c: char| !c.is_whitespace() && c != ',' && !is_comparison(c);
        alt((take_while(1.., is_comparison), take_while(1.., other))).with_span().parse_next(input)
    }
    let gap = || (multispace0, take_while(0.., ','), multispace0).void();
    let all = delimited(
        gap(),
        repeat(0.., terminated(word, gap())),
        preceded(gap(), winnow::combinator::eof),
    );
    { all }.parse(LocatingSlice::new(text)).map_err(|error| ParseError {
        span: error.offset()..text.len(),
        message: "this cannot be read".to_owned(),
        hint: EXAMPLES.to_owned(),
    })
}

/// Reads words in order.
struct Reader<'a> {
    words: &'a [Word<'a>],
    at: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<Word<'a>> {
        let word = self.words.get(self.at).cloned();
        self.at += 1;
        word
    }

    /// Takes the next words if they are these, whatever their case.
    fn take(&mut self, wanted: &str) -> Option<Range<usize>> {
        let wanted: Vec<&str> = wanted.split(' ').collect();
        let ahead = self.words.get(self.at..self.at + wanted.len())?;
        let same =
            ahead.iter().zip(&wanted).all(|((word, _), want)| word.eq_ignore_ascii_case(want));
        let span = ahead.first()?.1.start..ahead.last()?.1.end;
        same.then(|| {
            self.at += wanted.len();
            span
        })
    }

    /// The place of the next word, or of the end.
    fn here(&self) -> Range<usize> {
        self.words.get(self.at).map_or(self.end..self.end, |(_, span)| span.clone())
    }

    fn error<T>(&self, message: &str, hint: &str) -> Result<T, ParseError> {
        refuse(self.here(), message, hint)
    }

    fn indicator(&mut self) -> Result<(Indicator, Range<usize>), ParseError> {
        for name in ["error rate", "error_rate", "errors"] {
            if let Some(span) = self.take(name) {
                return Ok((Indicator::ErrorRate, span));
            }
        }
        if let Some(span) = self.take("goodput") {
            return Ok((Indicator::Goodput { within: Duration::ZERO, per_second: false }, span));
        }
        let Some((word, span)) = self.words.get(self.at).cloned() else {
            return self.error("the objective is empty", EXAMPLES);
        };
        let percentile = percentile(word, &span)?;
        self.at += 1;
        let of = self.latency()?;
        let span = span.start..self.words[self.at - 1].1.end;
        Ok((Indicator::Latency { percentile, of }, span))
    }

    fn latency(&mut self) -> Result<Latency, ParseError> {
        if self.take("of").is_none() {
            return Ok(Latency::Response);
        }
        let names = [
            ("response time", Latency::Response),
            ("service time", Latency::Service),
            ("send lag", Latency::SendLag),
        ];
        match names.into_iter().find(|(name, _)| self.take(name).is_some()) {
            Some((_, latency)) => Ok(latency),
            None => self.error(
                "this latency is not known",
                "write `of response time`, `of service time` or `of send lag`",
            ),
        }
    }

    fn comparison(&mut self) -> Result<(Comparison, Range<usize>), ParseError> {
        let here = self.here();
        let comparison = match self.words.get(self.at).map(|(word, _)| *word) {
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
        self.at += 1;
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
                        "latencies are measured from 1 µs to 1 h",
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

    /// A duration, which may be written in several words: `2m 30s`, `200 ms`.
    fn duration(&mut self, example: &str) -> Result<(Duration, Range<usize>), ParseError> {
        let here = self.here();
        let (mut text, mut span) = (String::new(), here.clone());
        while let Some((word, place)) = self.words.get(self.at) {
            let starts = word.starts_with(|c: char| c.is_ascii_digit() || c == '.');
            let unit_apart = text.ends_with(|c: char| c.is_ascii_digit()) && is_unit(word);
            if !(text.is_empty() || starts || unit_apart) {
                break;
            }
            let gap = if starts && !text.is_empty() { " " } else { "" };
            text = format!("{text}{gap}{word}");
            span.end = place.end;
            self.at += 1;
        }
        if text.is_empty() {
            return refuse(
                here,
                "a duration is missing here",
                &format!("write for example `{example}`"),
            );
        }
        parse_duration(&text).map(|value| (value, span.clone())).or_else(|message| {
            let (message, hint) =
                message.split_once("; ").unwrap_or((&message, "write a duration"));
            refuse(span, message, hint)
        })
    }

    /// A share: `1%`, `1 %` or `0.01`.
    fn share(&mut self, example: &str) -> Result<(f64, Range<usize>), ParseError> {
        let hint = format!("write for example `{example}`");
        let Some((word, mut span)) = self.next() else {
            return self.error("a share is missing here", &hint);
        };
        let (digits, percent) = match word.strip_suffix('%') {
            Some(digits) => (digits, true),
            None => (word, self.take("%").inspect(|sign| span.end = sign.end).is_some()),
        };
        let Some(number) = number(digits) else {
            return refuse(span, &format!("`{word}` is not a share"), &hint);
        };
        let share = on_grid(if percent { number / 100.0 } else { number });
        if share > 1.0 {
            let meant = format!("a share is at most 100 %; write `{number}%` if that was meant");
            return refuse(span, &format!("`{word}` is more than everything"), &meant);
        }
        if share <= 0.0 || share >= 1.0 {
            return refuse(
                span,
                "no number of samples can show a share of exactly 0 % or 100 %",
                "write what may be missed at most, for example `0.1%` or `99.9%`",
            );
        }
        Ok((share, span))
    }

    /// A rate, if the next words are one: `450/s`, `450 /s`, `450rps`, `450 rps`.
    fn rate(&mut self) -> Result<Option<f64>, ParseError> {
        let Some((word, span)) = self.words.get(self.at).cloned() else { return Ok(None) };
        let apart = self.words.get(self.at + 1).map(|(word, _)| *word);
        let (digits, words) = match word.strip_suffix("/s").or_else(|| word.strip_suffix("rps")) {
            Some(digits) => (digits, 1),
            None if matches!(apart, Some("/s" | "rps")) => (word, 2),
            None => return Ok(None),
        };
        match number(digits).filter(|rate| *rate > 0.0) {
            Some(rate) => {
                self.at += words;
                Ok(Some(rate))
            }
            None => refuse(span, "a rate is a number above 0", "write for example `450/s`"),
        }
    }

    fn suffixes(&mut self) -> Result<Suffixes, ParseError> {
        let mut suffixes = Suffixes::default();
        while self.at < self.words.len() {
            let here = self.here();
            let again = if self.take("within").is_some() {
                suffixes.within.replace((self.duration("200ms")?.0, here.clone())).is_some()
            } else if self.take("in every").is_some() {
                let (window, span) = self.duration("10s")?;
                check_window(window, span)?;
                suffixes.scope.replace(Some(window)).is_some()
            } else if self.take("over the run").is_some() {
                suffixes.scope.replace(None).is_some()
            } else if self.take("successes only").is_some() {
                suffixes.successes_only.replace(here.clone()).is_some()
            } else {
                return self.error(
                    "this is not understood",
                    "after the threshold may come `within 200ms`, `in every 10s`, `over the run` \
                     and `successes only`",
                );
            };
            if again {
                return refuse(here, "this is said twice", "keep one of them");
            }
        }
        Ok(suffixes)
    }
}

/// What follows the threshold.
#[derive(Default)]
struct Suffixes {
    within: Option<(Duration, Range<usize>)>,
    /// The window, or `None` for the run; outer `None` where nothing is said.
    scope: Option<Option<Duration>>,
    successes_only: Option<Range<usize>>,
}

impl Suffixes {
    fn apply(
        self,
        mut indicator: Indicator,
        comparison: Comparison,
        threshold: Amount,
        place: Range<usize>,
    ) -> Result<Objective, ParseError> {
        match (&mut indicator, self.within) {
            (Indicator::Goodput { within, .. }, Some((limit, span))) => {
                if limit < LOWEST || limit > HIGHEST {
                    return refuse(
                        span,
                        "latencies are measured from 1 µs to 1 h",
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
        let (window, successes_only) = (self.scope.flatten(), self.successes_only.is_some());
        Ok(Objective { indicator, comparison, threshold, window, successes_only })
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

/// A plain decimal number: no sign, no exponent, no `inf`.
fn number(text: &str) -> Option<f64> {
    text.chars().all(|c| c.is_ascii_digit() || c == '.').then(|| text.parse().ok()).flatten()
}

fn is_unit(word: &str) -> bool {
    matches!(word, "ns" | "us" | "µs" | "ms" | "s" | "sec" | "m" | "min" | "h")
}

fn refuse<T>(span: Range<usize>, message: &str, hint: &str) -> Result<T, ParseError> {
    Err(ParseError { span, message: message.to_owned(), hint: hint.to_owned() })
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
            ("p99 of model time < 200ms", "model", "not known"),
            ("p99 < 200", "200", "no unit"),
            ("p99 <", "", "duration is missing"),
            ("p99 < fast", "fast", "not a duration"),
            ("p99 < 2h", "2h", "1 µs to 1 h"),
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
            window in prop::option::of(1u64..=3600),
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
                window: window.map(Duration::from_secs),
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
