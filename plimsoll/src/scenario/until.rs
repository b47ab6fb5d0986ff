//! A load that goes on until its verdict is decided.

use std::time::Duration;

use plimsoll_domain::units::format_duration;

use super::{LONGEST_STAGE, Scenario};

impl Scenario {
    /// Has the last stage last until the verdict is decided, which is looked at after 32, 64, 128 …
    /// seconds of measuring, and at most until so much has been measured.
    ///
    /// # Errors
    /// What of the scenario does not go with that, and what would.
    pub(crate) fn until_decided(&mut self, most: Duration) -> Result<(), String> {
        if !self.objectives.iter().any(|objective| objective.window().is_none()) {
            return Err("needs an objective over the run, such as \"p99 < 200ms\": windows are \
                        facts, and decided when they are over"
                .to_owned());
        }
        if self.load.trace.is_some() {
            return Err("goes on with the last stage, and the load is a trace; give that a \
                        `duration`, with `loop: true` if it is to be longer"
                .to_owned());
        }
        if most > LONGEST_STAGE {
            return Err("is at most 30 days".to_owned());
        }
        let profile = &mut self.load.profile;
        let measured = profile.measured();
        let length = measured.end.saturating_sub(measured.start);
        let more = most.checked_sub(length).ok_or_else(|| {
            format!("is less than the {} that are measured anyway", format_duration(length))
        })?;
        let end = profile.duration();
        for objective in self.objectives.iter().filter(|objective| objective.window().is_none()) {
            if objective.measured(profile).end < end {
                return Err(format!(
                    "goes on with the last stage, and `{objective}` is about an earlier one; \
                     leave one of them out"
                ));
            }
        }
        let last = profile.stages.last_mut().ok_or("needs a stage")?;
        if (last.from_rps - last.to_rps).abs() > 0.0 {
            return Err(format!(
                "goes on with the last stage, and `{}` is a ramp; end with a hold (`rps`)",
                last.name
            ));
        }
        last.duration += more;
        self.until_decided = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::read_text;

    fn scenario(last: &str, objectives: &str) -> Scenario {
        let text = format!(
            "name: x\ntarget: {{url: 'http://127.0.0.1:1/'}}\nrequest: {{method: GET}}\nload:\n  \
             stages:\n    - {{name: warm-up, duration: 5s, rps: 10, warmup: true}}\n    - {{name: \
             first, duration: 10s, rps: 10}}\n    - {{name: last, duration: 10s, {last}}}\n\
             objectives: [{objectives}]\n"
        );
        read_text(&text).unwrap()
    }

    #[test]
    fn the_last_stage_goes_on() {
        let mut scenario = scenario("rps: 20", "p99 < 1s, p95 of last < 1s");
        scenario.until_decided(Duration::from_mins(2)).unwrap();
        let lengths = scenario.load.profile.stages.iter().map(|stage| stage.duration.as_secs());
        assert_eq!(lengths.collect::<Vec<_>>(), [5, 10, 110]);
        assert!(scenario.until_decided);
    }

    #[test]
    fn what_does_not_go_with_it_is_said() {
        let cases = [
            ("rps: 20", "p99 < 1s in every 5s", 120, "an objective over the run"),
            ("rps: 20", "p99 of first < 1s", 120, "about an earlier one"),
            ("from_rps: 1, to_rps: 20", "p99 < 1s", 120, "is a ramp"),
            ("rps: 20", "p99 < 1s", 19, "less than the 20s"),
        ];
        for (last, objective, most, said) in cases {
            let error = scenario(last, objective).until_decided(Duration::from_secs(most));
            assert!(error.clone().is_err_and(|text| text.contains(said)), "{objective}: {error:?}");
        }
    }
}
