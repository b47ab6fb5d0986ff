//! What each `az monitor autoscale` command adds to the setting.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use jiff::civil::{DateTime, Time, Weekday};
use plimsoll_document::{Problem, Problems, nearest};

use super::super::read::{time, unknown_zone};
use super::super::{
    Action, Capacity, Change, Direction, Profile, Rule, Setting, Statistic, When, Zone, condition,
    short,
};
use super::Spans;
use super::words::Word;

/// Options that say nothing about what the rules decide.
const PASSED_OVER: &[&str] = &[
    "--action",
    "--debug",
    "--email-administrator",
    "--email-coadministrators",
    "--location",
    "--only-show-errors",
    "--output",
    "--query",
    "--resource-group",
    "--resource-namespace",
    "--resource-parent",
    "--resource-type",
    "--subscription",
    "--tags",
    "--verbose",
    "-a",
    "-g",
    "-l",
    "-o",
];

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

pub(super) struct Reader<'a> {
    file: &'a Arc<str>,
    source: &'a Arc<str>,
    problems: &'a mut Problems,
    setting: Option<Setting>,
    spans: Spans,
}

/// The options of one command.
type Options<'w> = BTreeMap<String, (&'w Word, &'w [Word])>;

impl<'a> Reader<'a> {
    pub(super) fn new(
        file: &'a Arc<str>,
        source: &'a Arc<str>,
        problems: &'a mut Problems,
    ) -> Self {
        Self { file, source, problems, setting: None, spans: Spans::new() }
    }

    pub(super) fn finish(self) -> (Option<Setting>, Spans) {
        (self.setting, self.spans)
    }

    fn wrong(&mut self, span: Range<usize>, message: impl Into<String>, hint: &str) {
        let problem = Problem::new(self.file, self.source, span, message);
        self.problems.push(if hint.is_empty() { problem } else { problem.hint(hint) });
    }

    pub(super) fn command(&mut self, words: &[Word]) {
        let texts: Vec<_> = words.iter().map(|word| word.text.as_str()).collect();
        let (Some(first), Some(last)) = (words.first(), words.last()) else { return };
        let span = first.span.start..last.span.end;
        match texts.as_slice() {
            ["az", "monitor", "autoscale", "create", ..] => self.create(&words[4..], span),
            ["az", "monitor", "autoscale", "rule", "create", ..] => self.rule(&words[5..], span),
            ["az", "monitor", "autoscale", "profile", "create", ..] => {
                self.profile(&words[5..], span);
            }
            ["az", "monitor", "autoscale", "update", ..]
            | ["az", "monitor", "autoscale", "rule", "copy" | "delete", ..]
            | ["az", "monitor", "autoscale", "profile", "delete", ..] => {
                let message = "this command changes what others made, and is not followed";
                self.wrong(span, message, "give what az monitor autoscale show prints instead");
            }
            _ => {}
        }
    }

    fn options<'w>(&mut self, words: &'w [Word], known: &[&str]) -> Options<'w> {
        let mut options = Options::new();
        let mut at = 0;
        while let Some(word) = words.get(at) {
            let is_option = |word: &Word| {
                word.text.starts_with('-')
                    && !word.text[1..].starts_with(|c: char| c.is_ascii_digit())
            };
            let length = words[at + 1..].iter().take_while(|word| !is_option(word)).count();
            let values = &words[at + 1..=at + length];
            let name = match word.text.as_str() {
                "-n" => "--name",
                text => text,
            };
            if known.contains(&name) {
                options.insert(name.to_owned(), (word, values));
            } else if !PASSED_OVER.contains(&name) {
                let hint = nearest(name, known.iter().copied())
                    .map_or_else(String::new, |meant| format!("did you mean `{meant}`?"));
                self.wrong(
                    word.span.clone(),
                    format!("`{name}` is no option of this command"),
                    &hint,
                );
            }
            at += 1 + length;
        }
        options
    }

    /// The one value of an option.
    fn one<'w>(&mut self, options: &Options<'w>, name: &str) -> Option<&'w Word> {
        let (option, values) = options.get(name)?;
        let [value] = values else {
            self.wrong(option.span.clone(), format!("`{name}` takes one value"), "");
            return None;
        };
        Some(value)
    }

    fn count(&mut self, options: &Options<'_>, name: &str) -> Option<u32> {
        let value = self.one(options, name)?;
        let count = value.text.parse().ok();
        if count.is_none() {
            let message = format!("`{}` is no count of instances", value.text);
            self.wrong(value.span.clone(), message, "");
        }
        count
    }

    fn capacity(&mut self, options: &Options<'_>, span: &Range<usize>) -> Option<Capacity> {
        if !options.contains_key("--count") {
            self.wrong(span.clone(), "`--count` is missing", "it is the default count");
            return None;
        }
        let default = self.count(options, "--count")?;
        let minimum = self.count(options, "--min-count").unwrap_or(default);
        let maximum = self.count(options, "--max-count").unwrap_or(default);
        let capacity = Capacity { minimum, maximum, default };
        if let Some((_, message)) = capacity.contradiction() {
            self.wrong(span.clone(), message, "");
        }
        Some(capacity)
    }

    fn create(&mut self, words: &[Word], span: Range<usize>) {
        let known = ["--name", "--resource", "--count", "--min-count", "--max-count", "--disabled"];
        let options = self.options(words, &known);
        if self.setting.is_some() {
            self.wrong(span, "this is a second autoscale setting, and one is read", "");
            return;
        }
        let Some(capacity) = self.capacity(&options, &span) else { return };
        let name = self.one(&options, "--name").map(|word| word.text.clone()).unwrap_or_default();
        let target = self.one(&options, "--resource").map(|word| word.text.clone());
        let disabled = options.get("--disabled").is_some_and(|(_, values)| {
            values.first().is_none_or(|value| value.text.eq_ignore_ascii_case("true"))
        });
        self.spans.insert(String::new(), span.clone());
        let profile = Profile {
            name: "default".to_owned(),
            capacity,
            rules: Vec::new(),
            when: When::Default,
            at: self.place("/profiles/0".to_owned(), span),
        };
        self.setting = Some(Setting { name, enabled: !disabled, target, profiles: vec![profile] });
    }

    fn place(&mut self, at: String, span: Range<usize>) -> String {
        self.spans.insert(at.clone(), span);
        at
    }

    fn rule(&mut self, words: &[Word], span: Range<usize>) {
        let known = [
            "--autoscale-name",
            "--condition",
            "--cooldown",
            "--profile-name",
            "--resource",
            "--scale",
            "--timegrain",
        ];
        let options = self.options(words, &known);
        if self.setting.is_none() {
            self.wrong(span, "this rule comes before `az monitor autoscale create`", "");
            return;
        }
        let condition = self.condition(&options, &span);
        let action = self.action(&options, &span);
        let grain = self.grain(&options);
        let profile = self.one(&options, "--profile-name").cloned();
        let resource = self.one(&options, "--resource").map(|word| word.text.clone());
        let (Some(condition), Some(action), Some((statistic, grain_s))) =
            (condition, action, grain)
        else {
            return;
        };
        let Some(index) = self.profile_named(profile.as_ref()) else { return };
        let Some(setting) = &self.setting else { return };
        let place = format!("/profiles/{index}/rules/{}", setting.profiles[index].rules.len());
        let at = self.place(place, span);
        let rule = Rule {
            metric: condition.metric,
            resource,
            grain_s,
            statistic,
            window_s: condition.window_s,
            aggregation: condition.aggregation,
            operator: condition.operator,
            threshold: condition.threshold,
            dimensions: condition.dimensions,
            divide_per_instance: false,
            action,
            at,
        };
        if let Some(setting) = &mut self.setting {
            setting.profiles[index].rules.push(rule);
        }
    }

    fn profile_named(&mut self, name: Option<&Word>) -> Option<usize> {
        let wanted = name.map_or("default", |word| word.text.as_str());
        let profiles = &self.setting.as_ref()?.profiles;
        let found = profiles.iter().position(|profile| profile.name == wanted);
        if let (None, Some(name)) = (found, name) {
            self.wrong(name.span.clone(), format!("there is no profile `{wanted}` yet"), "");
        }
        found
    }

    fn condition(
        &mut self,
        options: &Options<'_>,
        span: &Range<usize>,
    ) -> Option<short::Condition> {
        let Some(_) = options.get("--condition") else {
            self.wrong(span.clone(), "`--condition` is missing", "");
            return None;
        };
        let word = self.one(options, "--condition")?;
        match condition(&word.text) {
            Ok(condition) if (300..=43_200).contains(&condition.window_s) => Some(condition),
            Ok(_) => {
                let message = "the window must be 5m to 12h";
                self.wrong(word.span.clone(), message, "");
                None
            }
            Err((within, expected)) => {
                // Inside of the quotes, if it is written there as it is meant.
                let written = self.source.get(word.span.clone()).unwrap_or_default();
                let start = written.find(&word.text).map(|start| word.span.start + start);
                let span = start
                    .map_or(word.span.clone(), |start| start + within.start..start + within.end);
                self.wrong(span, "this is no condition", &expected);
                None
            }
        }
    }

    fn action(&mut self, options: &Options<'_>, span: &Range<usize>) -> Option<Action> {
        let cooldown_s = match options.get("--cooldown") {
            None => 300,
            Some(_) => self.count(options, "--cooldown")?.saturating_mul(60),
        };
        let Some((option, values)) = options.get("--scale").copied() else {
            self.wrong(span.clone(), "`--scale` is missing", "such as `--scale out 2`");
            return None;
        };
        // Both `out 2` and `"out 2"`.
        let texts: Vec<&str> =
            values.iter().flat_map(|word| word.text.split_whitespace()).collect();
        let parsed = match texts.as_slice() {
            [way, value] => scale(way, value),
            _ => None,
        };
        if parsed.is_none() {
            let hint = "write `out 2`, `in 1`, `out 50%` or `to 5`";
            self.wrong(option.span.clone(), "this is no `--scale`", hint);
        }
        let (direction, change, value) = parsed?;
        Some(Action { direction, change, value, cooldown_s })
    }

    fn grain(&mut self, options: &Options<'_>) -> Option<(Statistic, u32)> {
        let Some((option, values)) = options.get("--timegrain").copied() else {
            return Some((Statistic::Average, 60));
        };
        let text = values.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
        let found = short::grain(&text).filter(|(_, seconds)| *seconds >= 60);
        if found.is_none() {
            self.wrong(
                option.span.clone(),
                format!("`{text}` is no time grain"),
                "such as `avg 1m`",
            );
        }
        found
    }

    fn profile(&mut self, words: &[Word], span: Range<usize>) {
        let known = [
            "--autoscale-name",
            "--copy-rules",
            "--count",
            "--end",
            "--max-count",
            "--min-count",
            "--name",
            "--recurrence",
            "--start",
            "--timezone",
        ];
        let options = self.options(words, &known);
        let Some(capacity) = self.capacity(&options, &span) else { return };
        let name = self.one(&options, "--name").map(|word| word.text.clone()).unwrap_or_default();
        let zone = self.zone(&options);
        let copied = self.one(&options, "--copy-rules").cloned();
        let mut rules = Vec::new();
        if copied.is_some() {
            let Some(index) = self.profile_named(copied.as_ref()) else { return };
            if let Some(setting) = &self.setting {
                rules.clone_from(&setting.profiles[index].rules);
            }
        }
        let Some(setting) = &self.setting else {
            self.wrong(span, "this profile comes before `az monitor autoscale create`", "");
            return;
        };
        let default = setting.profiles[0].clone();
        // Also where the zone is not known, so that what else is wrong is told.
        let when = self.when(&options, &zone.unwrap_or_else(Zone::utc), &span);
        let Some((when, back)) = when else { return };
        self.push(name.clone(), capacity, rules, when, &span);
        if let Some(back) = back {
            let copy = serde_json::json!({ "name": default.name, "for": name }).to_string();
            self.push(copy, default.capacity, default.rules, back, &span);
        }
    }

    fn push(
        &mut self,
        name: String,
        capacity: Capacity,
        mut rules: Vec<Rule>,
        when: When,
        span: &Range<usize>,
    ) {
        let Some(setting) = &mut self.setting else { return };
        let at = format!("/profiles/{}", setting.profiles.len());
        for (index, rule) in rules.iter_mut().enumerate() {
            let place = format!("{at}/rules/{index}");
            let span = self.spans.get(&rule.at).cloned().unwrap_or_else(|| span.clone());
            self.spans.insert(place.clone(), span);
            rule.at = place;
        }
        self.spans.insert(at.clone(), span.clone());
        setting.profiles.push(Profile { name, capacity, rules, when, at });
    }

    fn zone(&mut self, options: &Options<'_>) -> Option<Zone> {
        if !options.contains_key("--timezone") {
            return Some(Zone::utc());
        }
        let word = self.one(options, "--timezone")?;
        let zone = Zone::windows(&word.text);
        if zone.is_none() {
            let (message, hint) = unknown_zone(&word.text);
            self.wrong(word.span.clone(), message, &hint);
        }
        zone
    }

    /// When the profile is in force, and when the default is again if it recurs.
    fn when(
        &mut self,
        options: &Options<'_>,
        zone: &Zone,
        span: &Range<usize>,
    ) -> Option<(When, Option<When>)> {
        let Some((option, values)) = options.get("--recurrence").copied() else {
            return self.dates(options, zone, span).map(|when| (when, None));
        };
        let is_week = values.first().is_some_and(|word| word.text == "week");
        if !is_week || values.len() < 2 {
            let message = "`--recurrence` is `week` and days";
            self.wrong(option.span.clone(), message, "such as `week sat sun`");
            return None;
        }
        let mut days = Vec::new();
        for word in &values[1..] {
            let text = word.text.to_lowercase();
            let known = text.get(..3).and_then(|start| DAYS.iter().find(|(day, _)| *day == start));
            match known {
                Some((_, day)) => days.push(*day),
                None => self.wrong(word.span.clone(), format!("`{}` is no day", word.text), ""),
            }
        }
        let start = self.clock(options, "--start", (0, 0))?;
        let end = self.clock(options, "--end", (23, 59))?;
        let weekly =
            |time| When::Weekly { zone: zone.clone(), days: days.clone(), times: vec![time] };
        Some((weekly(start), Some(weekly(end))))
    }

    fn clock(
        &mut self,
        options: &Options<'_>,
        name: &str,
        (hour, minute): (u32, u32),
    ) -> Option<Time> {
        if !options.contains_key(name) {
            return time(hour, minute);
        }
        let word = self.one(options, name)?;
        let parsed = word
            .text
            .split_once(':')
            .and_then(|(hour, minute)| time(hour.parse().ok()?, minute.parse().ok()?));
        if parsed.is_none() {
            let message = format!("`{}` is no time", word.text);
            self.wrong(word.span.clone(), message, "such as `09:30`");
        }
        parsed
    }

    fn dates(&mut self, options: &Options<'_>, zone: &Zone, span: &Range<usize>) -> Option<When> {
        let mut moment = |name: &str| {
            if !options.contains_key(name) {
                let message =
                    format!("`{name}` is missing: a profile has dates, or `--recurrence`");
                self.wrong(span.clone(), message, "");
                return None;
            }
            let word = self.one(options, name)?;
            let moment = word.text.parse::<DateTime>().ok().and_then(|wall| zone.moment(wall));
            if moment.is_none() {
                let message = format!("`{}` is no date", word.text);
                self.wrong(word.span.clone(), message, "such as `2026-12-24T18:00`");
            }
            moment
        };
        let (start, end) = (moment("--start"), moment("--end"));
        let (start, end) = (start?, end?);
        if start >= end {
            self.wrong(span.clone(), "`--end` is not after `--start`", "");
            return None;
        }
        Some(When::Fixed { start, end })
    }
}

fn scale(way: &str, value: &str) -> Option<(Direction, Change, u32)> {
    let (number, change) = match value.strip_suffix('%') {
        Some(number) => (number, Change::PercentChangeCount),
        None => (value, Change::ChangeCount),
    };
    let number = number.parse().ok().filter(|number| *number > 0)?;
    match way {
        "out" => Some((Direction::Increase, change, number)),
        "in" => Some((Direction::Decrease, change, number)),
        "to" if change == Change::ChangeCount => {
            Some((Direction::None, Change::ExactCount, number))
        }
        _ => None,
    }
}
