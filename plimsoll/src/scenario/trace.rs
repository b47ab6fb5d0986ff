//! Recorded loads: from a file to a trace.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use plimsoll_domain::schedule::{Profile, Trace};
use plimsoll_domain::units::parse_duration;

use super::parts::Reader;
use super::raw::{RawLoad, RawTrace};
use super::{LONGEST_STAGE, Scenario};

impl Reader<'_> {
    /// What a load replays, if it does, and its profile.
    pub(super) fn replayed(&mut self, raw: &RawLoad) -> Option<(Trace, Profile)> {
        // One that is there and wrong was told already; one that says nothing was not.
        let is_there = ["/load/stages", "/load/trace"].iter().any(|key| self.document.has(key));
        match (&raw.trace, &raw.stages) {
            (Some(_), Some(_)) => {
                self.push("/load/trace", "a load has either `stages` or a `trace`, not both");
            }
            (None, None) if !is_there || self.problems.is_empty() => {
                self.push("/load", "a load needs `stages`, or a `trace` to replay");
            }
            _ => {}
        }
        self.trace(raw.trace.as_ref()?)
    }

    /// The trace that a load names, and its profile.
    fn trace(&mut self, raw: &RawTrace) -> Option<(Trace, Profile)> {
        let path = self.folder.join(raw.file.as_ref()?);
        let trace = match read(&path) {
            Ok(trace) => trace,
            Err(wrong) => {
                self.push("/load/trace/file", &wrong);
                return None;
            }
        };
        let span = |text: &Option<String>| parse_duration(text.as_deref()?).ok();
        let trace = trace.at_speed(raw.speed.unwrap_or(1.0)).scaled(raw.scale.unwrap_or(1.0));
        let trace = match (raw.repeats.unwrap_or(false), span(&raw.duration)) {
            (_, Some(Duration::ZERO)) => {
                self.push("/load/trace/duration", "a load of no duration does nothing");
                return None;
            }
            (true, Some(duration)) => trace.repeated(duration),
            (true, None) => {
                if !self.document.has("/load/trace/duration") {
                    let what = "a trace that begins again needs a `duration` to end after";
                    self.push("/load/trace/loop", what);
                }
                return None;
            }
            (false, Some(duration)) if duration > trace.duration() => {
                let what =
                    "the trace is shorter than that; give `loop: true` to have it begin again";
                self.push("/load/trace/duration", what);
                return None;
            }
            (false, Some(duration)) => trace.cut(duration),
            (false, None) => trace,
        };
        let warmup = span(&raw.warmup).unwrap_or_default();
        if warmup >= trace.duration() {
            let what = "the whole trace is a warm-up, so nothing would be judged";
            self.push("/load/trace/warmup", what);
            return None;
        }
        match profile(&trace, warmup) {
            Ok(profile) => Some((trace, profile)),
            Err(wrong) => {
                self.push("/load/trace", wrong);
                None
            }
        }
    }
}

impl Scenario {
    /// Replays the trace of this file instead of the scenario's load.
    ///
    /// # Errors
    /// What is wrong with the file, or does not fit the scenario.
    pub(crate) fn replay(&mut self, file: &Path) -> Result<(), String> {
        self.replay_as(file, 1.0, 1.0)
    }

    /// The same so many times as fast, and with so many times the arrivals.
    ///
    /// # Errors
    /// As [`Scenario::replay`].
    pub(crate) fn replay_as(&mut self, file: &Path, speed: f64, scale: f64) -> Result<(), String> {
        self.replays(read(file)?.at_speed(speed).scaled(scale), Duration::ZERO)
    }

    /// The same of the text of a trace, with a warm-up.
    ///
    /// # Errors
    /// As [`Scenario::replay`].
    pub(crate) fn replay_text(&mut self, text: String, warmup: Duration) -> Result<(), String> {
        let text: Arc<[u8]> = text.into_bytes().into();
        let open = move || -> io::Result<Box<dyn BufRead + Send>> {
            Ok(Box::new(io::Cursor::new(Arc::clone(&text))))
        };
        let trace = Trace::check(Arc::new(open)).map_err(|error| error.to_string())?;
        self.replays(trace, warmup)
    }

    fn replays(&mut self, trace: Trace, warmup: Duration) -> Result<(), String> {
        self.load.profile = profile(&trace, warmup)?;
        self.load.trace = Some(trace);
        match self.misfit() {
            None => Ok(()),
            Some((objective, what, hint)) => Err(format!(
                "does not fit `{objective}`: {what} ({hint}); the load of a trace has one stage, \
                 `trace`"
            )),
        }
    }
}

fn profile(trace: &Trace, warmup: Duration) -> Result<Profile, &'static str> {
    if trace.duration() > LONGEST_STAGE {
        return Err("a load takes at most 30 days; give a `speed` or a `duration`");
    }
    let profile = trace.profile(warmup);
    if profile.total() <= 0.0 {
        return Err("no arrival of the trace lies in that time, so nothing would be sent");
    }
    Ok(profile)
}

/// Reads and checks a trace. What is wrong with it is told with file and line.
pub(crate) fn read(path: &Path) -> Result<Trace, String> {
    let wrong = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
    let file = Arc::new(File::open(path).map_err(|error| wrong(&error))?);
    if !file.metadata().is_ok_and(|data| data.is_file()) {
        return Err(wrong(&"it is no file; a trace is read more than once, so a pipe will not do"));
    }
    let is_gzipped = path.extension().is_some_and(|extension| extension == "gz");
    let open = move || -> io::Result<Box<dyn BufRead + Send>> {
        let text = Held { file: Arc::clone(&file), at: 0 };
        Ok(if is_gzipped {
            Box::new(BufReader::new(MultiGzDecoder::new(BufReader::new(text))))
        } else {
            Box::new(BufReader::new(text))
        })
    };
    Trace::check(Arc::new(open)).map_err(|error| wrong(&error))
}

/// A file that is held open, so that another of its name does not change what is replayed. Each
/// reader has a place of its own.
struct Held {
    file: Arc<File>,
    at: u64,
}

impl Read for Held {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read_at(buffer, self.at)?;
        self.at += length as u64;
        Ok(length)
    }
}
