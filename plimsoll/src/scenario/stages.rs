//! Stages of load: from holds and ramps as they are written to the rate over time.

use std::time::Duration;

use plimsoll_domain::schedule::{Stage, Wave};
use plimsoll_domain::units::parse_duration;

use super::raw::{RawStage, RawWave};

/// The longest stage: long enough for every soak test, and far from what a clock can count.
pub(crate) const LONGEST_STAGE: Duration = Duration::from_hours(30 * 24);

/// The stages that `raw` describes, and what is wrong with it: the index of the stage and a
/// sentence.
pub(super) fn stages(raw: &[RawStage]) -> (Vec<Stage>, Vec<(usize, String)>) {
    let mut problems = Vec::new();
    let mut stages = Vec::new();
    let mut end = 0.0;
    for (index, stage) in raw.iter().enumerate() {
        match rates(stage, end) {
            Ok((from_rps, to_rps)) => {
                end = to_rps;
                let duration = stage.duration.as_deref().and_then(|text| parse_duration(text).ok());
                if duration > Some(LONGEST_STAGE) {
                    problems.push((index, "a stage takes at most 30 days".to_owned()));
                }
                if duration == Some(Duration::ZERO) {
                    problems.push((
                        index,
                        "a stage of no duration does nothing; leave it out".to_owned(),
                    ));
                }
                let wave = stage.wave.as_ref().and_then(wave);
                stages.push(Stage {
                    wave,
                    name: stage.name.clone().unwrap_or_else(|| format!("stage {}", index + 1)),
                    duration: duration.unwrap_or_default().min(LONGEST_STAGE),
                    from_rps,
                    to_rps,
                    warmup: stage.warmup.unwrap_or(false),
                });
            }
            Err(message) => problems.push((index, message.to_owned())),
        }
    }
    for (index, stage) in stages.iter().enumerate() {
        if stage.wave.is_some_and(|wave| wave.period.is_zero()) {
            problems.push((index, "a wave needs a `period` longer than 0".to_owned()));
        } else if !stage.is_possible() {
            problems.push((
                index,
                "the wave takes the rate below 0; its `amplitude_rps` is at most the lowest rate"
                    .to_owned(),
            ));
        }
        if stages[..index].iter().any(|before: &Stage| before.name == stage.name) {
            problems.push((index, format!("there are two stages named `{}`", stage.name)));
        }
    }
    let mut judged = false;
    for (index, stage) in raw.iter().enumerate() {
        let warmup = stage.warmup.unwrap_or(false);
        if warmup && judged {
            problems.push((index, "a warm-up comes before everything that is judged".to_owned()));
        }
        judged |= !warmup;
    }
    let no_problem = problems.is_empty() && !stages.is_empty();
    if no_problem && stages.iter().all(|stage| stage.warmup) {
        problems.push((0, "every stage is a warm-up, so nothing would be judged".to_owned()));
    }
    if no_problem && stages.iter().all(|stage| stage.from_rps == 0.0 && stage.to_rps == 0.0) {
        problems.push((0, "every stage has a rate of 0, so nothing would be sent".to_owned()));
    }
    (stages, problems)
}

/// The wave, unless something of it is missing, which is told elsewhere.
fn wave(raw: &RawWave) -> Option<Wave> {
    let span = |text: &Option<String>| parse_duration(text.as_deref()?).ok();
    Some(Wave {
        amplitude_rps: raw.amplitude_rps?,
        period: span(&raw.period)?,
        peak: span(&raw.peak).unwrap_or_default(),
    })
}

fn rates(stage: &RawStage, before: f64) -> Result<(f64, f64), &'static str> {
    match (stage.rps, stage.from_rps, stage.to_rps) {
        (Some(rps), None, None) => Ok((rps, rps)),
        (None, from, Some(to)) => Ok((from.unwrap_or(before), to)),
        (None, _, None) => Err("a stage needs `rps` (hold) or `to_rps` (ramp)"),
        (Some(_), ..) => Err("a stage has either `rps` (hold) or `to_rps` (ramp), not both"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(rps: Option<f64>, from_rps: Option<f64>, to_rps: Option<f64>) -> RawStage {
        let duration = Some("1s".to_owned());
        RawStage {
            name: None,
            duration,
            rps,
            from_rps,
            to_rps,
            warmup: None,
            wave: None,
            traffic: None,
            mirror_traffic: None,
        }
    }

    #[test]
    fn a_ramp_starts_where_the_stage_before_ended() {
        let (stages, problems) =
            stages(&[raw(Some(50.0), None, None), raw(None, None, Some(200.0))]);
        assert!(problems.is_empty());
        assert_eq!((stages[1].from_rps, stages[1].to_rps), (50.0, 200.0));
        assert_eq!(stages[1].name, "stage 2");
    }

    #[test]
    fn a_stage_that_is_both_or_neither_is_refused() {
        let both = raw(Some(1.0), None, Some(2.0));
        let neither = raw(None, Some(1.0), None);
        let (_, problems) = stages(&[both, neither]);
        assert_eq!(problems.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0, 1]);
    }

    #[test]
    fn a_wave_stays_above_nothing() {
        let day = |amplitude_rps| RawStage {
            wave: Some(RawWave {
                amplitude_rps: Some(amplitude_rps),
                period: Some("24h".to_owned()),
                peak: Some("14h".to_owned()),
            }),
            ..raw(Some(50.0), None, None)
        };
        let (stages, problems) = stages(&[day(50.0), RawStage { name: None, ..day(50.5) }]);
        assert_eq!(stages[0].wave.map(|wave| wave.peak), Some(Duration::from_hours(14)));
        assert_eq!(problems.len(), 1);
        assert!(problems[0].0 == 1 && problems[0].1.contains("below 0"), "{problems:?}");
    }

    #[test]
    fn a_stage_longer_than_a_clock_counts_is_refused() {
        let long = || RawStage {
            duration: Some("10000000000000000000s".to_owned()),
            ..raw(Some(1.0), None, None)
        };
        let (stages, problems) = stages(&[long(), long()]);
        assert_eq!(problems.len(), 2);
        assert_eq!(plimsoll_domain::schedule::Profile::new(stages).duration(), 2 * LONGEST_STAGE);
    }

    #[test]
    fn a_name_is_of_one_stage_only() {
        let named =
            |name: &str| RawStage { name: Some(name.to_owned()), ..raw(Some(1.0), None, None) };
        let (_, problems) = stages(&[named("hold"), named("stage 3"), raw(Some(2.0), None, None)]);
        assert_eq!(problems, [(2, "there are two stages named `stage 3`".to_owned())]);
    }

    #[test]
    fn a_load_that_judges_or_sends_nothing_is_refused() {
        let mut warm = raw(Some(10.0), None, None);
        warm.warmup = Some(true);
        assert_eq!(stages(&[warm]).1.len(), 1);
        assert_eq!(stages(&[raw(Some(0.0), None, None)]).1.len(), 1);
    }
}
