//! Durations as Azure writes them: ISO 8601 (`PT5M`), and `0:05:00` as older versions of `az` print them.

use jiff::SpanRelativeTo;
use jiff::fmt::temporal::SpanParser;

/// The seconds of a duration.
pub(super) fn seconds(text: &str) -> Option<u32> {
    let text = text.trim();
    if text.contains(':') { clock(text) } else { iso(text) }
}

fn clock(text: &str) -> Option<u32> {
    let (days, time) = match text.split_once(',') {
        Some((days, time)) => (days.split_whitespace().next()?.parse::<u32>().ok()?, time.trim()),
        None => (0, text),
    };
    let mut parts = time.split(':');
    let mut next = || parts.next().and_then(|part| part.parse::<u32>().ok());
    let (hours, minutes, seconds) = (next()?, next()?, next()?);
    if parts.next().is_some() || minutes > 59 || seconds > 59 {
        return None;
    }
    let hours = days.checked_mul(24)?.checked_add(hours)?;
    hours.checked_mul(3600)?.checked_add(minutes * 60 + seconds)
}

/// Weeks to whole seconds, a day being 24 hours; months and years have no length of their own.
fn iso(text: &str) -> Option<u32> {
    // A sign would be read, too.
    let span = SpanParser::new().parse_span(text.starts_with(['P', 'p']).then_some(text)?).ok()?;
    let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    (length.subsec_nanos() == 0).then(|| u32::try_from(length.as_secs()).ok())?
}

/// For people: `5m`, `90s`.
pub(crate) fn short(seconds: u32) -> String {
    match seconds {
        0 => "0s".to_owned(),
        s if s % 86_400 == 0 => format!("{}d", s / 86_400),
        s if s % 3600 == 0 => format!("{}h", s / 3600),
        s if s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        let table = [
            ("PT5M", Some(300)),
            ("PT1H30M", Some(5400)),
            ("P1D", Some(86_400)),
            ("P1W", Some(604_800)),
            ("P1DT1S", Some(86_401)),
            ("0:05:00", Some(300)),
            ("1 day, 0:00:00", Some(86_400)),
            ("PT", None),
            ("P", None),
            ("5m", None),
            ("PT5", None),
            ("PT5M1H", None),
            ("0:61:00", None),
            ("PT99999999999M", None),
            ("pt5m", Some(300)),
            ("PT0.5S", None),
            ("P1M", None),
            ("P1Y", None),
            ("-PT5M", None),
            ("+PT5M", None),
        ];
        for (text, wanted) in table {
            assert_eq!(seconds(text), wanted, "{text}");
        }
        assert_eq!((short(300), short(90), short(7200)), ("5m".into(), "90s".into(), "2h".into()));
    }
}
