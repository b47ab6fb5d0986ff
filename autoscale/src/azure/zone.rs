//! Time zones by the Windows names that Azure uses, with the daylight-saving rules of IANA's database.
//!
//! The names come from Unicode CLDR (`windows_zones.csv` names its source); the rules are bundled, so
//! that a machine without a time zone database decides alike.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const TABLE: &str = include_str!("windows_zones.csv");

/// A time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

/// All Windows names with their IANA names.
pub fn windows_zones() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#')).skip(1);
    lines.filter_map(|line| line.split_once(','))
}

impl Zone {
    /// UTC, which Azure takes where none is given.
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), zone: TimeZone::UTC }
    }

    /// The zone of a Windows name; Azure takes IANA's names for none.
    pub fn windows(name: &str) -> Option<Self> {
        let (name, iana) = windows_zones().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        let zone = TimeZone::get(iana).ok()?;
        Some(Self { name: name.to_owned(), zone })
    }

    /// The Windows name of an IANA one, for a hint.
    pub fn windows_name_of(iana: &str) -> Option<&'static str> {
        windows_zones().find(|(_, known)| known.eq_ignore_ascii_case(iana)).map(|(name, _)| name)
    }

    /// Its Windows name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its clocks show.
    pub fn wall(&self, now: Timestamp) -> DateTime {
        self.zone.to_datetime(now)
    }

    /// The moment at which its clocks show `wall`: the first where they show it twice, and what they
    /// show an hour later where they skip it.
    pub fn moment(&self, wall: DateTime) -> Option<Timestamp> {
        self.zone.to_timestamp(wall).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn every_name_has_a_zone() {
        let mut count = 0;
        for (windows, iana) in windows_zones() {
            assert!(Zone::windows(windows).is_some(), "{windows} is {iana}, which is not known");
            count += 1;
        }
        assert!(count > 130, "{count}");
    }

    #[test]
    fn daylight_saving_is_right() {
        let zone = Zone::windows("pacific standard time").expect("known");
        let moment = |wall: DateTime| zone.moment(wall).expect("in range").to_string();
        assert_eq!(moment(date(2026, 1, 5).at(9, 0, 0, 0)), "2026-01-05T17:00:00Z");
        assert_eq!(moment(date(2026, 7, 6).at(9, 0, 0, 0)), "2026-07-06T16:00:00Z");
        // Skipped on 8 March, shown twice on 1 November.
        assert_eq!(moment(date(2026, 3, 8).at(2, 30, 0, 0)), "2026-03-08T10:30:00Z");
        assert_eq!(moment(date(2026, 11, 1).at(1, 30, 0, 0)), "2026-11-01T08:30:00Z");
        assert_eq!(Zone::windows("Europe/Berlin"), None);
        assert_eq!(Zone::windows_name_of("Europe/Berlin"), Some("W. Europe Standard Time"));
    }
}
