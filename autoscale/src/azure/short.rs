//! The short condition syntax of `az monitor autoscale rule create`.
//!
//! Source: azure-cli 2.91, `az monitor autoscale rule create --help`:
//!
//! ```text
//! condition = ["NAMESPACE"] METRIC (> | >= | < | <= | == | !=) THRESHOLD
//!             (avg | min | max | total | count) PERIOD
//!             [where DIMENSION (== | !=) VALUE [or VALUE …] [and DIMENSION …]]
//! ```

use std::ops::Range;

use winnow::ascii::{digit1, float, space0, space1};
use winnow::combinator::{alt, cut_err, delimited, eof, opt, preceded, repeat, separated};
use winnow::error::{ContextError, StrContext, StrContextValue};
use winnow::prelude::*;
use winnow::token::{take_till, take_while};

use super::{Aggregation, Dimension, Operator, Statistic};

/// What a condition says.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// The metric's name.
    pub metric: String,
    /// How it is compared.
    pub operator: Operator,
    /// With what.
    pub threshold: f64,
    /// How the grains of the window are combined.
    pub aggregation: Aggregation,
    /// The window in seconds.
    pub window_s: u32,
    /// Which series count.
    pub dimensions: Vec<Dimension>,
}

/// Reads a condition.
///
/// # Errors
/// The bytes that are wrong, and what would be right.
pub fn condition(text: &str) -> Result<Condition, (Range<usize>, String)> {
    whole.parse(text).map_err(|error| {
        let at = error.offset();
        // All of the word that it is in.
        let at = text[..at].rfind(char::is_whitespace).map_or(0, |blank| blank + 1);
        let rest = text.get(at..).unwrap_or_default();
        let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
        (at..at + word.max(usize::from(!rest.is_empty())), error.inner().to_string())
    })
}

/// The seconds of `1h30m`, or the bytes that are wrong.
pub(super) fn grain(text: &str) -> Option<(Statistic, u32)> {
    let mut parser = (statistic, preceded(space1, period));
    parser.parse(text.trim()).ok()
}

fn expected(words: &'static str) -> StrContext {
    StrContext::Expected(StrContextValue::Description(words))
}

fn whole(input: &mut &str) -> ModalResult<Condition, ContextError> {
    space0.parse_next(input)?;
    opt((delimited('"', take_till(0.., '"'), '"'), space1)).parse_next(input)?;
    let metric = metric
        .context(expected(
            "a metric and a comparison, such as `CpuUtilizationPercentage > 70 avg 5m`",
        ))
        .parse_next(input)?;
    let operator = operator.context(expected("one of > >= < <= == !=")).parse_next(input)?;
    space0.parse_next(input)?;
    let threshold = cut_err(number).context(expected("a number")).parse_next(input)?;
    let aggregation = cut_err(preceded(space1, aggregation))
        .context(expected("one of avg, min, max, total, count"))
        .parse_next(input)?;
    let window_s = cut_err(preceded(space1, period))
        .context(expected("a period, such as `5m` or `1h30m`"))
        .parse_next(input)?;
    let dimensions = opt(preceded((space1, "where", space1), cut_err(dimensions)))
        .context(expected("such as `where deployment == blue or green`"))
        .parse_next(input)?;
    (space0, eof).context(expected("nothing more, or `where …`")).parse_next(input)?;
    let dimensions = dimensions.unwrap_or_default();
    Ok(Condition { metric, operator, threshold, aggregation, window_s, dimensions })
}

/// Everything before the comparison: names of other resources hold spaces.
fn metric(input: &mut &str) -> ModalResult<String, ContextError> {
    let text: &str =
        take_while(1.., |c: char| !matches!(c, '<' | '>' | '=' | '!')).parse_next(input)?;
    let name = text.trim().trim_matches('"');
    if name.is_empty() { winnow::combinator::fail.parse_next(input) } else { Ok(name.to_owned()) }
}

fn operator(input: &mut &str) -> ModalResult<Operator, ContextError> {
    alt((
        ">=".value(Operator::GreaterThanOrEqual),
        ">".value(Operator::GreaterThan),
        "<=".value(Operator::LessThanOrEqual),
        "<".value(Operator::LessThan),
        "==".value(Operator::Equals),
        "!=".value(Operator::NotEquals),
    ))
    .parse_next(input)
}

fn number(input: &mut &str) -> ModalResult<f64, ContextError> {
    float.verify(|value: &f64| value.is_finite()).parse_next(input)
}

fn aggregation(input: &mut &str) -> ModalResult<Aggregation, ContextError> {
    alt((
        "avg".value(Aggregation::Average),
        "min".value(Aggregation::Minimum),
        "max".value(Aggregation::Maximum),
        "total".value(Aggregation::Total),
        "count".value(Aggregation::Count),
    ))
    .parse_next(input)
}

fn statistic(input: &mut &str) -> ModalResult<Statistic, ContextError> {
    alt((
        "avg".value(Statistic::Average),
        "min".value(Statistic::Min),
        "max".value(Statistic::Max),
        "sum".value(Statistic::Sum),
        "count".value(Statistic::Count),
    ))
    .parse_next(input)
}

fn period(input: &mut &str) -> ModalResult<u32, ContextError> {
    let part =
        (digit1.parse_to::<u32>(), alt(('d'.value(86_400u32), 'h'.value(3600), 'm'.value(60))));
    let part = part.verify_map(|(number, unit)| number.checked_mul(unit));
    let parts: Vec<u32> = repeat(1.., part).parse_next(input)?;
    Ok(parts.into_iter().fold(0, u32::saturating_add))
}

fn dimensions(input: &mut &str) -> ModalResult<Vec<Dimension>, ContextError> {
    separated(1.., dimension, (space1, "and", space1)).parse_next(input)
}

fn dimension(input: &mut &str) -> ModalResult<Dimension, ContextError> {
    let name = word.parse_next(input)?;
    space1.parse_next(input)?;
    let equals = alt(("==".value(true), "!=".value(false))).parse_next(input)?;
    space1.parse_next(input)?;
    let values = separated(1.., word, (space1, "or", space1)).parse_next(input)?;
    Ok(Dimension { name, equals, values })
}

fn word(input: &mut &str) -> ModalResult<String, ContextError> {
    let plain = take_while(1.., |c: char| !c.is_whitespace() && c != '\'' && c != '"');
    let quoted = delimited('\'', take_till(1.., '\''), '\'');
    alt((quoted, plain)).map(str::to_owned).parse_next(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_az_are_read() {
        let cpu = condition("Percentage CPU > 75 avg 5m").expect("right");
        assert_eq!((cpu.metric.as_str(), cpu.operator), ("Percentage CPU", Operator::GreaterThan));
        assert_eq!(
            (cpu.threshold, cpu.aggregation, cpu.window_s),
            (75.0, Aggregation::Average, 300)
        );
        let text =
            "\"Microsoft.X/y\" ReadLatency <= 0.5 max 1h30m where VMName == a or b and Z != c";
        let latency = condition(text).expect("right");
        assert_eq!((latency.window_s, latency.metric.as_str()), (5400, "ReadLatency"));
        let [vm, z] = latency.dimensions.as_slice() else { panic!("{latency:?}") };
        assert_eq!(
            (vm.values.as_slice(), vm.equals),
            (["a".to_owned(), "b".to_owned()].as_slice(), true)
        );
        assert_eq!((z.name.as_str(), z.equals), ("Z", false));
        assert_eq!(grain("max 2m"), Some((Statistic::Max, 120)));
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        let table = [
            ("Cpu > lots avg 5m", "lots", "a number"),
            ("Cpu > 70 mean 5m", " mean", "avg"),
            ("Cpu > 70 avg 5x", "5x", "period"),
            ("Cpu > 70 avg 5m where", "where", "where"),
            ("Cpu", "", "one of"),
            ("Cpu > inf avg 5m", "inf", "a number"),
            ("> 70 avg 5m", ">", "metric"),
        ];
        for (text, place, hint) in table {
            let (span, message) = condition(text).expect_err(text);
            assert!(message.contains(hint), "{text}: {message}");
            assert!(
                place.trim().is_empty() || text[span.start..].contains(place.trim()),
                "{text}: {span:?}"
            );
        }
    }
}
