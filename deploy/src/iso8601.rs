//! Durations as ARM writes them: ISO 8601, such as `PT5S`, `PT0.5S` or `PT1M30S`.

use std::time::Duration;

use jiff::SpanRelativeTo;
use jiff::fmt::temporal::{SpanParser, SpanPrinter};
use serde::{Deserialize, Deserializer, Serializer, de};

/// Writes hours to seconds, with fractions of a second.
fn format(value: Duration) -> String {
    SpanPrinter::new().unsigned_duration_to_string(&value)
}

/// Reads weeks to seconds, a day being 24 hours; months and years have no length of their own.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let parser = SpanParser::new();
    // .NET, which Azure is written in, has days as well; for jiff these belong to a calendar.
    let with_days = || {
        let span = parser.parse_span(text).ok()?;
        let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
        Duration::try_from(duration).ok()
    };
    parser.parse_unsigned_duration(text).ok().or_else(with_days).ok_or_else(|| {
        format!("`{text}` is not an ISO 8601 duration of a fixed length; write for example `PT5S`")
    })
}

pub(crate) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&format(*value))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    parse(&String::deserialize(from)?).map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_written_as_azure_writes_them() {
        let written = |millis| format(Duration::from_millis(millis));
        assert_eq!(written(5_000), "PT5S");
        assert_eq!(written(500), "PT0.5S");
        assert_eq!(written(90_000), "PT1M30S");
        assert_eq!(written(3_600_000), "PT1H");
        assert_eq!(written(0), "PT0S");
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        assert_eq!(parse("P1DT1S"), Ok(Duration::from_secs(86_401)));
        for text in ["", "P", "PT", "5S", "PT5", "PT5X", "PT1S1M", "PT-1S", "-PT1S", "P1M"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(seconds: u64, nanos in 0_u32..1_000_000_000) {
            let value = Duration::new(seconds, nanos);
            prop_assert_eq!(parse(&format(value)), Ok(value));
        }
    }
}
