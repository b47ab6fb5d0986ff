//! Go's notation of durations, which Kubernetes, KEDA and Knative use: `90s`, `1h30m`, `1.5h`.

/// Seconds of a duration in Go's notation (`time.ParseDuration`).
///
/// # Errors
/// What is wrong with it, in a sentence without its end.
pub fn parse(text: &str) -> Result<f64, String> {
    let wrong = || format!("`{text}` is not a duration such as `90s`, `5m` or `1h30m`");
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Ok(0.0);
    }
    if rest.is_empty() || rest.starts_with('-') {
        return Err(wrong());
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !matches!(c, '0'..='9' | '.')).ok_or_else(wrong)?;
        let number: f64 = rest[..end].parse().map_err(|_| wrong())?;
        rest = &rest[end..];
        let end = rest.find(|c: char| matches!(c, '0'..='9' | '.')).unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(wrong()),
        };
        seconds += number * unit;
        rest = &rest[end..];
    }
    if seconds.is_finite() && seconds < 1e10 { Ok(seconds) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, seconds) in [
            ("90s", 90.0),
            ("5m0s", 300.0),
            ("1h30m", 5400.0),
            ("1.5h", 5400.0),
            ("0", 0.0),
            ("250ms", 0.25),
        ] {
            assert_eq!(parse(text), Ok(seconds), "{text}");
        }
        for text in ["", "5", "-5s", "5 m", "m", "1d", "1h30"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
