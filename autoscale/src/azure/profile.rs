//! Which profile is in force.
//!
//! Source: *Understand autoscale settings*, profiles: a fixed date comes before a recurrence, and this
//! before the default; where several fit, the first in the file. A recurring profile has a start and no
//! end: it lasts until the next start of any recurring profile, so that the default profile is never
//! in force beside one (`az` therefore writes copies of the default profile as recurring ones).

use jiff::{Timestamp, ToSpan};

use super::{Profile, Setting, When};

/// The profile that is in force at `now`, and why.
pub fn in_force(setting: &Setting, now: Timestamp) -> Option<(&Profile, String)> {
    if let Some(profile) = setting.profiles.iter().find(|profile| match profile.when {
        When::Fixed { start, end } => start <= now && now <= end,
        _ => false,
    }) {
        return Some((profile, "its fixed dates hold this moment".to_owned()));
    }
    let mut newest: Option<(&Profile, Timestamp)> = None;
    for profile in &setting.profiles {
        if let Some(start) = last_start(profile, now)
            && newest.is_none_or(|(_, best)| start > best)
        {
            newest = Some((profile, start));
        }
    }
    if let Some((profile, start)) = newest {
        return Some((profile, format!("it started last of the recurring ones, at {start}")));
    }
    let default = setting.profiles.iter().find(|profile| profile.when == When::Default)?;
    Some((default, "no other one is in force".to_owned()))
}

/// When a recurring profile started last.
fn last_start(profile: &Profile, now: Timestamp) -> Option<Timestamp> {
    let When::Weekly { zone, days, times } = &profile.when else { return None };
    let today = zone.wall(now).date();
    // One day more than a week: today's start may be yet to come.
    (0..=7).find_map(|back: i32| {
        let date = today.checked_sub(back.days()).ok()?;
        if !days.contains(&date.weekday()) {
            return None;
        }
        let starts = times.iter().filter_map(|time| zone.moment(date.to_datetime(*time)));
        starts.filter(|start| *start <= now).max()
    })
}
