//! Durations and shares as people write them.

use std::time::Duration;

/// Reads a duration such as `200ms`, `1.5s` or `2m 30s`.
///
/// # Errors
/// A sentence that says what is wrong; months and years are refused, because their letter `M` is so
/// easily confused with the `m` of a minute.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let unit_of =
        |part: &str| part.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').to_owned();
    let long = ["M", "month", "months", "y", "year", "years"];
    if text.split_whitespace().any(|part| long.contains(&unit_of(part).as_str())) {
        return Err(format!(
            "`{text}` has a unit of a month or more; write minutes as `m`, days as `d`"
        ));
    }
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '.') && text != "0" {
        return Err(format!("`{text}` has no unit; write for example `{text}s` or `{text}ms`"));
    }
    humantime::parse_duration(text).map_err(|error| {
        format!("`{text}` is not a duration ({error}); write for example `200ms`, `1.5s`, `2m`")
    })
}

/// Writes a duration with three significant digits and the unit that suits it: `12.3ms`.
pub fn format_duration(value: Duration) -> String {
    let nanos = value.as_nanos() as f64;
    let (scaled, unit) = match nanos {
        n if n < 1e3 => (n, "ns"),
        n if n < 1e6 => (n / 1e3, "µs"),
        n if n < 1e9 => (n / 1e6, "ms"),
        n => (n / 1e9, "s"),
    };
    format!("{}{unit}", three_digits(scaled))
}

/// Writes a number with three significant digits and no trailing zeros.
pub fn three_digits(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let decimals = (2 - value.abs().log10().floor() as i32).max(0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// Milliseconds as a number: the unit of results.
pub fn millis(value: Duration) -> f64 {
    value.as_nanos() as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_written() {
        assert_eq!(parse_duration("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_duration("2m 30s"), Ok(Duration::from_secs(150)));
        assert_eq!(parse_duration("0"), Ok(Duration::ZERO));
    }

    #[test]
    fn a_missing_unit_and_a_month_are_refused_with_a_remedy() {
        assert!(parse_duration("30").expect_err("no unit").contains("`30s`"));
        assert!(parse_duration("1M").expect_err("a month").contains("minutes as `m`"));
        assert!(parse_duration("fast").expect_err("not a duration").contains("`200ms`"));
        assert!(parse_duration("").is_err());
    }

    #[test]
    fn durations_are_written_with_three_digits() {
        assert_eq!(format_duration(Duration::from_micros(12_345)), "12.3ms");
        assert_eq!(format_duration(Duration::from_millis(200)), "200ms");
        assert_eq!(format_duration(Duration::from_millis(1500)), "1.5s");
        assert_eq!(format_duration(Duration::ZERO), "0ns");
    }
}
