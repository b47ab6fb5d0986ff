//! The words of an objective and the amounts in it: durations, shares and rates.

use std::ops::Range;
use std::time::Duration;

use plimsoll_domain::units::parse_duration;
use winnow::ascii::multispace0;
use winnow::combinator::{alt, delimited, preceded, repeat, terminated};
use winnow::stream::LocatingSlice;
use winnow::token::take_while;
use winnow::{ModalResult, Parser};

use super::ParseError;
use crate::objective::amount::on_grid;

/// What to write, where nothing more fitting can be said.
pub(super) const EXAMPLES: &str = "write for example `p99 < 200ms`, `error rate < 1%` or \
                                   `goodput >= 95% within 200ms`";

/// A word and its place.
type Word<'a> = (&'a str, Range<usize>);

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
pub(super) struct Reader<'a> {
    words: Vec<Word<'a>>,
    at: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    /// Cuts `text` into words.
    pub(super) fn new(text: &'a str) -> Result<Self, ParseError> {
        Ok(Self { words: words(text)?, at: 0, end: text.len() })
    }

    /// The next word, without taking it.
    pub(super) fn peek(&self) -> Option<Word<'a>> {
        self.words.get(self.at).cloned()
    }

    /// The end of the word taken last.
    pub(super) fn taken_until(&self) -> usize {
        self.words[..self.at].last().map_or(0, |(_, span)| span.end)
    }

    /// Takes the next word.
    pub(super) fn next(&mut self) -> Option<Word<'a>> {
        let word = self.words.get(self.at).cloned();
        self.at += 1;
        word
    }

    /// Takes the next words if they are these, whatever their case.
    pub(super) fn take(&mut self, wanted: &str) -> Option<Range<usize>> {
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
    pub(super) fn here(&self) -> Range<usize> {
        self.words.get(self.at).map_or(self.end..self.end, |(_, span)| span.clone())
    }

    pub(super) fn error<T>(&self, message: &str, hint: &str) -> Result<T, ParseError> {
        refuse(self.here(), message, hint)
    }

    /// A duration, which may be written in several words: `2m 30s`, `200 ms`.
    pub(super) fn duration(
        &mut self,
        example: &str,
    ) -> Result<(Duration, Range<usize>), ParseError> {
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
    pub(super) fn share(&mut self, example: &str) -> Result<(f64, Range<usize>), ParseError> {
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
    pub(super) fn rate(&mut self) -> Result<Option<f64>, ParseError> {
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
}

/// A plain decimal number: no sign, no exponent, no `inf`.
pub(super) fn number(text: &str) -> Option<f64> {
    text.chars().all(|c| c.is_ascii_digit() || c == '.').then(|| text.parse().ok()).flatten()
}

fn is_unit(word: &str) -> bool {
    matches!(word, "ns" | "us" | "µs" | "ms" | "s" | "sec" | "m" | "min" | "h")
}

pub(super) fn refuse<T>(span: Range<usize>, message: &str, hint: &str) -> Result<T, ParseError> {
    Err(ParseError { span, message: message.to_owned(), hint: hint.to_owned() })
}
