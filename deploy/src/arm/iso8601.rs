//! Durations as ARM writes them: ISO 8601, such as `PT5S`, `PT0.5S` or `PT1M30S`.

use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de};

/// Writes days to seconds, with fractions of a second down to the millisecond.
pub(crate) fn format(value: Duration) -> String {
    let millis = value.as_millis();
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = String::from("PT");
    for (amount, unit) in [(hours, 'H'), (minutes, 'M')] {
        if amount > 0 {
            let _ = write!(text, "{amount}{unit}");
        }
    }
    if millis > 0 {
        let fraction = format!("{millis:03}");
        let _ = write!(text, "{seconds}.{}S", fraction.trim_end_matches('0'));
    } else if seconds > 0 || text.len() == 2 {
        let _ = write!(text, "{seconds}S");
    }
    text
}

/// Reads days, hours, minutes and seconds; weeks, months and years are not durations of a request.
///
/// # Errors
/// A sentence that says what is wrong.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not an ISO 8601 duration; write for example `PT5S`");
    let rest = text.strip_prefix('P').ok_or_else(wrong)?;
    let (date, time) = rest.split_once('T').unwrap_or((rest, ""));
    let mut seconds = 0.0;
    for (part, units) in [(date, &[('D', 86_400.0)][..]), (time, &TIME_UNITS)] {
        let mut units = units.iter();
        let mut part = part;
        while let Some(end) = part.find(|c: char| c.is_ascii_alphabetic()) {
            let number: f64 = part[..end].parse().map_err(|_| wrong())?;
            let unit = part[end..].chars().next().ok_or_else(wrong)?;
            let (_, scale) = units.find(|(name, _)| *name == unit).ok_or_else(wrong)?;
            seconds += number * scale;
            part = &part[end + 1..];
        }
        if !part.is_empty() {
            return Err(wrong());
        }
    }
    if rest.is_empty() || rest.ends_with('T') {
        return Err(wrong());
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

const TIME_UNITS: [(char, f64); 3] = [('H', 3600.0), ('M', 60.0), ('S', 1.0)];

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
        for text in ["", "P", "PT", "5S", "PT5", "PT5X", "PT1S1M", "PT-1S", "P1M"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(millis in 0_u64..200_000_000) {
            let value = Duration::from_millis(millis);
            let back = parse(&format(value)).unwrap();
            prop_assert!(back.abs_diff(value) < Duration::from_micros(1));
        }
    }
}
