//! A setting from JSON: as `az monitor autoscale show` prints it, as the REST API takes it, or as a
//! resource of an ARM template, alone or among a template's `resources`.
//!
//! Source of names and bounds: REST reference `autoscalesettings` 2022-10-01.

use jiff::Timestamp;
use jiff::civil::{DateTime, Time, Weekday};
use plimsoll_document::{Document, Problems};

use super::at::At;
use super::{
    Action, Aggregation, Capacity, Change, Dimension, Direction, Operator, Profile, Rule, Setting,
    Statistic, When, Zone,
};

const MINUTE: u32 = 60;
const HOUR: u32 = 3600;
const WEEK: u32 = 604_800;
/// Source: *Understand autoscale settings*, limits.
const MOST_PROFILES: usize = 20;
const MOST_RULES: usize = 10;

const RESOURCE_KEYS: &[&str] = &[
    "$schema",
    "apiVersion",
    "comments",
    "condition",
    "dependsOn",
    "id",
    "kind",
    "location",
    "name",
    "properties",
    "resourceGroup",
    "scope",
    "systemData",
    "tags",
    "type",
];
const SETTING_KEYS: &[&str] = &[
    "enabled",
    "name",
    "notifications",
    "predictiveAutoscalePolicy",
    "profiles",
    "targetResourceLocation",
    "targetResourceUri",
];
const DAYS: &[(&str, Weekday)] = &[
    ("Monday", Weekday::Monday),
    ("Tuesday", Weekday::Tuesday),
    ("Wednesday", Weekday::Wednesday),
    ("Thursday", Weekday::Thursday),
    ("Friday", Weekday::Friday),
    ("Saturday", Weekday::Saturday),
    ("Sunday", Weekday::Sunday),
];

/// Reads a setting. `None` if it cannot be used; then `problems` say why.
pub fn read(document: &Document, problems: &mut Problems) -> Option<Setting> {
    problems.append(document.flaws().clone());
    let before = problems.len();
    let root = At::root(document);
    let resource = match root.get("resources") {
        Some(resources) => of_template(&resources, problems)?,
        None => root,
    };
    let setting = of_resource(&resource, problems);
    setting.filter(|_| problems.len() == before)
}

/// The one autoscale setting among a template's resources.
fn of_template<'a>(resources: &At<'a>, problems: &mut Problems) -> Option<At<'a>> {
    let is_setting = |resource: &At<'_>| {
        let kind = resource.get("type").and_then(|kind| kind.free_text(&mut Problems::new()));
        kind.is_some_and(|kind| kind.eq_ignore_ascii_case("Microsoft.Insights/autoscaleSettings"))
    };
    let mut found = resources.items(problems).into_iter().filter(is_setting);
    let Some(first) = found.next() else {
        let message = "no resource of this template is an autoscale setting";
        let hint = "its `type` is `Microsoft.Insights/autoscaleSettings`";
        problems.push(resources.problem(message).hint(hint));
        return None;
    };
    for other in found {
        let message = "this is a second autoscale setting, and one is read";
        problems.push(other.problem(message).hint("give one file for each"));
    }
    Some(first)
}

fn of_resource(resource: &At<'_>, problems: &mut Problems) -> Option<Setting> {
    let nested = resource.get("properties");
    let outer = match nested {
        Some(_) => RESOURCE_KEYS.to_vec(),
        None => [RESOURCE_KEYS, SETTING_KEYS].concat(),
    };
    resource.known(&outer, problems);
    let body = nested.unwrap_or_else(|| resource.clone());
    if body.path != resource.path {
        body.known(SETTING_KEYS, problems);
    }
    refuse_predictive(&body, problems);
    let text = |at: Option<At<'_>>, problems: &mut Problems| {
        at.and_then(|at| at.free_text(problems)).map(str::to_owned)
    };
    let name = text(resource.get("name").or_else(|| body.get("name")), problems);
    let enabled = body.get("enabled").map_or(Some(false), |at| at.flag(problems));
    let target = text(body.get("targetResourceUri"), problems);
    let list = body.need("profiles", problems)?;
    let items = list.items(problems);
    if items.is_empty() {
        problems.push(list.problem("`profiles` must not be empty"));
    }
    if items.len() > MOST_PROFILES {
        let message = format!("{} profiles, and Azure takes {MOST_PROFILES}", items.len());
        problems.push(list.problem(message));
    }
    let profiles: Vec<_> = items.iter().map(|at| profile(at, problems)).collect();
    let profiles = profiles.into_iter().collect::<Option<Vec<_>>>()?;
    Some(Setting { name: name.unwrap_or_default(), enabled: enabled?, target, profiles })
}

fn refuse_predictive(body: &At<'_>, problems: &mut Problems) {
    let Some(policy) = body.get("predictiveAutoscalePolicy") else { return };
    let mode = policy.get("scaleMode");
    let on = mode.and_then(|mode| mode.text(problems));
    if on.is_some_and(|mode| !mode.eq_ignore_ascii_case("Disabled")) {
        let message = "predictive autoscale is for virtual machine scale sets only";
        let hint =
            "leave it out: Azure ignores it for online endpoints, and it is not decided here";
        problems.push(policy.problem(message).hint(hint));
    }
}

fn profile(at: &At<'_>, problems: &mut Problems) -> Option<Profile> {
    at.known(&["capacity", "fixedDate", "name", "recurrence", "rules"], problems);
    let name = at.need("name", problems).and_then(|name| name.free_text(problems));
    let capacity = at.need("capacity", problems).and_then(|at| capacity(&at, problems));
    let rules = match at.get("rules") {
        None => Some(Vec::new()),
        Some(list) => {
            let items = list.items(problems);
            if items.len() > MOST_RULES {
                let message = format!("{} rules, and Azure takes {MOST_RULES}", items.len());
                problems.push(list.problem(message));
            }
            let rules: Vec<_> = items.iter().map(|at| rule(at, problems)).collect();
            rules.into_iter().collect::<Option<Vec<_>>>()
        }
    };
    let when = match (at.get("fixedDate"), at.get("recurrence")) {
        (None, None) => Some(When::Default),
        (Some(dates), None) => fixed(&dates, problems),
        (None, Some(recurrence)) => weekly(&recurrence, problems),
        (Some(_), Some(other)) => {
            let message = "a profile has either `fixedDate` or `recurrence`, not both";
            problems.push(other.problem(message));
            None
        }
    };
    let (name, at) = (name?.to_owned(), at.path.clone());
    Some(Profile { name, capacity: capacity?, rules: rules?, when: when?, at })
}

fn capacity(at: &At<'_>, problems: &mut Problems) -> Option<Capacity> {
    at.known(&["default", "maximum", "minimum"], problems);
    let mut count = |name: &str| at.need(name, problems).and_then(|at| at.count(problems));
    let (minimum, maximum, default) = (count("minimum"), count("maximum"), count("default"));
    let capacity = Capacity { minimum: minimum?, maximum: maximum?, default: default? };
    if let Some((name, message)) = capacity.contradiction() {
        let place = at.get(name).unwrap_or_else(|| at.clone());
        problems.push(place.problem(message));
    }
    Some(capacity)
}

impl Capacity {
    /// The key that is wrong, and why.
    pub(super) fn contradiction(self) -> Option<(&'static str, String)> {
        let Self { minimum, maximum, default } = self;
        if minimum > maximum {
            let message = format!("the minimum of {minimum} is above the maximum of {maximum}");
            return Some(("minimum", message));
        }
        if !(minimum..=maximum).contains(&default) {
            let message = format!("the default of {default} is not within {minimum} to {maximum}");
            return Some(("default", message));
        }
        None
    }
}

fn zone(at: &At<'_>, problems: &mut Problems) -> Option<Zone> {
    let Some(at) = at.get("timeZone") else { return Some(Zone::utc()) };
    let name = at.text(problems)?;
    let found = Zone::windows(name);
    if found.is_none() {
        let (message, hint) = unknown_zone(name);
        problems.push(at.problem(message).hint(hint));
    }
    found
}

/// What to say of a time zone that Azure does not know.
pub(super) fn unknown_zone(name: &str) -> (String, String) {
    let hint = if let Some(windows) = Zone::windows_name_of(name) {
        format!("Azure takes the names of Windows: write `{windows}`")
    } else {
        let names = super::windows_zones().map(|(name, _)| name);
        plimsoll_document::nearest(name, names).map_or_else(
            || "Azure takes the names of Windows, such as `Pacific Standard Time`".to_owned(),
            |meant| format!("did you mean `{meant}`?"),
        )
    };
    (format!("the time zone `{name}` is not known"), hint)
}

fn fixed(at: &At<'_>, problems: &mut Problems) -> Option<When> {
    at.known(&["end", "start", "timeZone"], problems);
    let zone = zone(at, problems);
    let mut wall = |name: &str| at.need(name, problems).and_then(|at| wall(&at, problems));
    let (start, end) = (wall("start"), wall("end"));
    let (zone, start, end) = (zone?, start?, end?);
    let moments = zone.moment(start).zip(zone.moment(end));
    let Some((start, end)) = moments else {
        problems.push(at.problem("these dates are out of range"));
        return None;
    };
    if start >= end {
        let message = "`end` is not after `start`, so that the profile is never in force";
        problems.push(at.get("end").unwrap_or_else(|| at.clone()).problem(message));
        return None;
    }
    Some(When::Fixed { start, end })
}

/// A time of the profile's own wall clock. `az` prints all of them with an offset of zero, which says
/// nothing; another offset would contradict the time zone.
fn wall(at: &At<'_>, problems: &mut Problems) -> Option<DateTime> {
    let text = at.text(problems)?;
    let bare = text.trim_end_matches('Z').trim_end_matches("+00:00");
    let parsed = bare.parse::<DateTime>();
    if parsed.is_ok() && bare.parse::<Timestamp>().is_err() {
        return parsed.ok();
    }
    let message = format!("`{text}` is no time of the profile's time zone");
    let hint = "write for example `2026-12-24T18:00:00`, without an offset";
    problems.push(at.problem(message).hint(hint));
    None
}

fn weekly(at: &At<'_>, problems: &mut Problems) -> Option<When> {
    at.known(&["frequency", "schedule"], problems);
    if let Some(frequency) = at.need("frequency", problems) {
        frequency.word(&[("Week", ())], problems);
    }
    let schedule = at.need("schedule", problems)?;
    schedule.known(&["days", "hours", "minutes", "timeZone"], problems);
    let zone = zone(&schedule, problems);
    let days = schedule.need("days", problems).map(|list| {
        let items = list.items(problems);
        if items.is_empty() {
            problems.push(list.problem("`days` must not be empty"));
        }
        items.iter().filter_map(|at| at.word(DAYS, problems)).collect::<Vec<_>>()
    });
    let mut numbers = |name: &str, most: u32| {
        let list = schedule.need(name, problems)?;
        let mut found = Vec::new();
        for at in list.items(problems) {
            match at.count(problems) {
                Some(number) if number <= most => found.push(number),
                Some(number) => {
                    problems.push(at.problem(format!("{number} is none of 0 to {most}")));
                }
                None => {}
            }
        }
        if found.is_empty() {
            problems.push(list.problem(format!("`{name}` must have one of 0 to {most}")));
        }
        Some(found)
    };
    let (hours, minutes) = (numbers("hours", 23)?, numbers("minutes", 59)?);
    let times = hours.iter().flat_map(|hour| minutes.iter().map(move |minute| (*hour, *minute)));
    let times = times.filter_map(|(hour, minute)| time(hour, minute)).collect();
    Some(When::Weekly { zone: zone?, days: days?, times })
}

pub(super) fn time(hour: u32, minute: u32) -> Option<Time> {
    Time::new(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0).ok()
}

fn rule(at: &At<'_>, problems: &mut Problems) -> Option<Rule> {
    at.known(&["metricTrigger", "scaleAction"], problems);
    let action = at.need("scaleAction", problems).and_then(|at| action(&at, problems));
    let trigger = at.need("metricTrigger", problems)?;
    trigger.known(
        &[
            "dimensions",
            "dividePerInstance",
            "metricName",
            "metricNamespace",
            "metricResourceLocation",
            "metricResourceUri",
            "operator",
            "statistic",
            "threshold",
            "timeAggregation",
            "timeGrain",
            "timeWindow",
        ],
        problems,
    );
    let metric = trigger.need("metricName", problems).and_then(|at| at.text(problems));
    let resource = trigger.get("metricResourceUri").and_then(|at| at.free_text(problems));
    let mut duration = |name: &str, bounds| {
        trigger.need(name, problems).and_then(|at| at.duration(bounds, problems))
    };
    let grain_s = duration("timeGrain", (MINUTE, 12 * HOUR));
    let window_s = duration("timeWindow", (5 * MINUTE, 12 * HOUR));
    if let (Some(grain), Some(window)) = (grain_s, window_s)
        && window < grain
    {
        let message = "the window is shorter than one grain, so that it never holds a sample";
        problems
            .push(trigger.get("timeWindow").unwrap_or_else(|| trigger.clone()).problem(message));
    }
    let statistic = trigger.need("statistic", problems);
    let statistic = statistic.and_then(|at| at.word(Statistic::ALL, problems));
    let aggregation = trigger.need("timeAggregation", problems);
    let aggregation = aggregation.and_then(|at| at.word(Aggregation::ALL, problems));
    let operator = trigger.need("operator", problems);
    let operator = operator.and_then(|at| at.word(Operator::ALL, problems));
    let threshold = trigger.need("threshold", problems).and_then(|at| at.number(problems));
    let divide = trigger.get("dividePerInstance").map_or(Some(false), |at| at.flag(problems));
    let dimensions = match trigger.get("dimensions") {
        None => Some(Vec::new()),
        Some(list) => {
            let all: Vec<_> =
                list.items(problems).iter().map(|at| dimension(at, problems)).collect();
            all.into_iter().collect()
        }
    };
    Some(Rule {
        metric: metric?.to_owned(),
        resource: resource.map(str::to_owned),
        grain_s: grain_s?,
        statistic: statistic?,
        window_s: window_s?,
        aggregation: aggregation?,
        operator: operator?,
        threshold: threshold?,
        dimensions: dimensions?,
        divide_per_instance: divide?,
        action: action?,
        at: at.path.clone(),
    })
}

fn dimension(at: &At<'_>, problems: &mut Problems) -> Option<Dimension> {
    at.known(&["DimensionName", "Operator", "Values"], problems);
    let name = at.need("DimensionName", problems).and_then(|at| at.text(problems));
    let operator = at.need("Operator", problems);
    let equals =
        operator.and_then(|at| at.word(&[("Equals", true), ("NotEquals", false)], problems));
    let list = at.need("Values", problems)?;
    let items = list.items(problems);
    if items.is_empty() {
        problems.push(list.problem("`Values` must not be empty"));
    }
    let values = items.iter().filter_map(|at| at.text(problems)).map(str::to_owned).collect();
    Some(Dimension { name: name?.to_owned(), equals: equals?, values })
}

fn action(at: &At<'_>, problems: &mut Problems) -> Option<Action> {
    at.known(&["cooldown", "direction", "type", "value"], problems);
    let direction = at.need("direction", problems);
    let direction = direction.and_then(|at| at.word(Direction::ALL, problems));
    let change = at.need("type", problems).and_then(|at| at.word(Change::ALL, problems));
    let cooldown = at.need("cooldown", problems);
    let cooldown_s = cooldown.and_then(|at| at.duration((MINUTE, WEEK), problems));
    let value = match at.get("value") {
        None => Some(1),
        Some(value) => {
            let count = value.count(problems);
            if count == Some(0) {
                problems.push(value.problem("`value` must be at least 1"));
            }
            count
        }
    };
    Some(Action { direction: direction?, change: change?, value: value?, cooldown_s: cooldown_s? })
}
