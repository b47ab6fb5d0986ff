use super::{Timestamp, moment};
use crate::azure::{Setting, in_force};
use crate::{Rules, RulesFile};

const WEEKEND: &str = r#"
az monitor autoscale create -n s --min-count 2 --max-count 5 --count 2
az monitor autoscale profile create --name weekend --min-count 2 --count 2 --max-count 2 \
  --recurrence week sat sun --timezone "Pacific Standard Time"
az monitor autoscale profile create --name launch --min-count 5 --count 5 --max-count 9 \
  --start 2026-03-07T12:00 --end 2026-03-07T13:00 --timezone "W. Europe Standard Time"
"#;

fn setting() -> Setting {
    let file = RulesFile::parse("s.sh", WEEKEND).unwrap_or_else(|problems| panic!("{problems}"));
    let Rules::Azure(setting) = file.rules else { panic!("it is a setting of Azure") };
    setting
}

/// Source: `az monitor autoscale profile create`: the copy of the default starts at 23:59; Windows
/// zones follow daylight saving: Saturday starts at 08:00 UTC in winter and 07:00 UTC in summer.
#[test]
fn a_weekly_profile_follows_the_wall_clock() {
    let setting = setting();
    let copy = r#"{"for":"weekend","name":"default"}"#;
    let table: [(&str, &str); 9] = [
        ("2026-01-10T07:59:59Z", copy),
        ("2026-01-10T08:00:00Z", "weekend"),
        ("2026-01-11T07:58:59Z", "weekend"),
        ("2026-01-11T07:59:00Z", copy),
        ("2026-01-11T08:00:00Z", "weekend"),
        ("2026-01-12T07:59:00Z", copy),
        ("2026-01-14T12:00:00Z", copy),
        ("2026-07-11T06:59:59Z", copy),
        ("2026-07-11T07:00:00Z", "weekend"),
    ];
    for (now, wanted) in table {
        let now: Timestamp = moment(now);
        let name = in_force(&setting, now).map(|(profile, _)| profile.name.as_str());
        assert_eq!(name, Some(wanted), "{now}");
    }
}

#[test]
fn fixed_dates_come_first_and_hold_both_ends() {
    let setting = setting();
    let name = |now: &str| in_force(&setting, moment(now)).map(|(profile, _)| profile.name.clone());
    assert_eq!(name("2026-03-07T11:00:00Z").as_deref(), Some("launch"));
    assert_eq!(name("2026-03-07T12:00:00Z").as_deref(), Some("launch"));
    assert_eq!(name("2026-03-07T12:00:01Z").as_deref(), Some("weekend"));
}
