//! Schedules as KEDA's cron trigger reads them: five fields, in a time zone
//! (`robfig/cron` v3, `parser.go` and `spec.go`; `pkg/scalers/cron_scaler.go`).

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// A schedule: bits of what fits, by field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Schedule {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether any day of the month, and any of the week, is meant.
    any_day: (bool, bool),
}

const MONTHS: &str = "jan feb mar apr may jun jul aug sep oct nov dec";
const WEEKDAYS: &str = "sun mon tue wed thu fri sat";

impl Schedule {
    /// Reads five fields: minute, hour, day of the month, month, day of the week.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            return Err(format!("`{text}` has {} fields, not 5", fields.len()));
        };
        let (minutes, _) = field(minute, 0, 59, "")?;
        let (hours, _) = field(hour, 0, 23, "")?;
        let (days, any_day) = field(day, 1, 31, "")?;
        let (months, _) = field(month, 1, 12, MONTHS)?;
        let (weekdays, any_weekday) = field(weekday, 0, 6, WEEKDAYS)?;
        Ok(Self { minutes, hours, days, months, weekdays, any_day: (any_day, any_weekday) })
    }

    /// Where both are said, one of day of the month and day of the week is enough.
    fn fits(&self, date: Date) -> bool {
        let has = |bits: u64, value: i8| bits >> value & 1 == 1;
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset());
        let either = if self.any_day.0 || self.any_day.1 { day && weekday } else { day || weekday };
        has(self.months, date.month()) && either
    }

    /// The first moment after `now` that fits, within five years.
    fn next(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut date = zone.to_datetime(now).date();
        for _ in 0..=5 * 366 {
            if self.fits(date) {
                let times = (0..24).filter(|hour| self.hours >> hour & 1 == 1).flat_map(|hour| {
                    (0..60).filter(|m| self.minutes >> m & 1 == 1).map(move |minute| (hour, minute))
                });
                for (hour, minute) in times {
                    let civil = date.to_datetime(Time::constant(hour, minute, 0, 0));
                    // A time that a clock change leaves out does not fit; one that comes twice, twice.
                    let ambiguous = zone.to_ambiguous_timestamp(civil);
                    let moments = [ambiguous.earlier(), ambiguous.later()];
                    let real =
                        moments.into_iter().flatten().filter(|t| zone.to_datetime(*t) == civil);
                    if let Some(moment) = real.filter(|moment| *moment > now).min() {
                        return Some(moment);
                    }
                }
            }
            date = date.checked_add(1.day()).ok()?;
        }
        None
    }
}

/// Whether `now` lies between a start and its end. As KEDA has it: the next end comes no later than
/// the next start.
pub(super) fn within(start: &Schedule, end: &Schedule, zone: &TimeZone, now: Timestamp) -> bool {
    // No next one is earlier than any.
    start.next(now, zone) >= end.next(now, zone)
}

/// The bits of a field, and whether it says any.
fn field(field: &str, least: u32, most: u32, words: &str) -> Result<(u64, bool), String> {
    let (mut bits, mut any) = (0, false);
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (part, None),
        };
        let value = |text: &str| -> Result<u32, String> {
            let word = |word: &str| !word.is_empty() && word.eq_ignore_ascii_case(text);
            let named = words.split(' ').position(word);
            let value = named.map(|index| index as u32 + least).or_else(|| text.parse().ok());
            let value = value.filter(|value| (least..=most).contains(value));
            value.ok_or_else(|| format!("`{part}` is not from {least} to {most}"))
        };
        let wild = matches!(range, "*" | "?");
        let (from, to) = match range.split_once('-') {
            _ if wild => (least, most),
            Some((from, to)) => (value(from)?, value(to)?),
            // `5/15` goes on to the end.
            None if step.is_some() => (value(range)?, most),
            None => (value(range)?, value(range)?),
        };
        let step: u32 = match step {
            None => 1,
            Some(step) => step
                .parse()
                .ok()
                .filter(|step| *step > 0)
                .ok_or_else(|| format!("`{part}` has no step"))?,
        };
        if from > to {
            return Err(format!("`{part}` ends before it begins"));
        }
        any |= wild && step == 1;
        bits |= (from..=to).step_by(step as usize).fold(0, |bits, value| bits | 1 << value);
    }
    Ok((bits, any))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within_at(start: &str, end: &str, zone: &str, now: &str) -> bool {
        let zone = TimeZone::get(zone).expect("a zone");
        let schedule = |text| Schedule::parse(text).unwrap_or_else(|wrong| panic!("{wrong}"));
        within(&schedule(start), &schedule(end), &zone, now.parse().expect("a moment"))
    }

    #[test]
    fn an_interval_begins_and_ends_on_the_minute_of_its_zone() {
        for (now, inside) in [
            ("2026-01-05T07:59:59Z", false),
            ("2026-01-05T08:00:00Z", true),
            ("2026-01-05T17:59:59Z", true),
            ("2026-01-05T18:00:00Z", false),
        ] {
            assert_eq!(within_at("0 8 * * *", "0 18 * * *", "UTC", now), inside, "{now}");
        }
        // Berlin is an hour ahead in winter, two in summer.
        assert!(within_at("0 8 * * *", "0 18 * * *", "Europe/Berlin", "2026-01-05T07:00:00Z"));
        assert!(!within_at("0 8 * * *", "0 18 * * *", "Europe/Berlin", "2026-07-06T05:59:00Z"));
        assert!(within_at("0 8 * * *", "0 18 * * *", "Europe/Berlin", "2026-07-06T06:00:00Z"));
        // Over midnight, and over a weekend.
        assert!(within_at("0 22 * * *", "0 6 * * *", "UTC", "2026-01-05T02:00:00Z"));
        assert!(within_at("0 8 * * fri", "0 8 * * MON", "UTC", "2026-01-04T12:00:00Z"));
        assert!(!within_at("0 8 * * 5", "0 8 * * 1", "UTC", "2026-01-06T12:00:00Z"));
    }

    #[test]
    fn fields_are_read_as_the_parser_does() {
        let bits = |text: &str| field(text, 0, 59, "");
        assert_eq!(bits("*/20"), Ok((1 | 1 << 20 | 1 << 40, false)));
        assert_eq!(bits("1-3,7"), Ok((0b1000_1110, false)));
        assert_eq!(bits("50/5"), Ok((1 << 50 | 1 << 55, false)));
        assert!(bits("*").is_ok_and(|(_, any)| any));
        for text in ["60", "3-1", "*/0", "", "a"] {
            assert!(bits(text).is_err(), "{text}");
        }
        assert!(Schedule::parse("0 8 * *").is_err());
        // The 13th or a Friday.
        let both = Schedule::parse("0 0 13 * fri").expect("it is one");
        let next = |now: &str| both.next(now.parse().expect("a moment"), &TimeZone::UTC);
        assert_eq!(next("2026-01-09T12:00:00Z"), "2026-01-13T00:00:00Z".parse().ok());
        assert_eq!(next("2026-01-13T12:00:00Z"), "2026-01-16T00:00:00Z".parse().ok());
    }
}
