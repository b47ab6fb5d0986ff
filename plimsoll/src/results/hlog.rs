//! `latency.hlog`: every interval's histograms as an HDR interval log, in nanoseconds.
//!
//! The format is that of Java's `HistogramLogWriter` (V2, deflated), so other HDR tools read it.
//! Tags say which latency a line holds: `response`, `service`, `send_lag`, `release_lag`, and where
//! there are any `failed`, `model` and `overhead`; `warmup_…` for arrivals that were due in a
//! warm-up. Where there are several requests or deployments, each has lines of its own beside the
//! sums: `response/score/green`, with an empty deployment where nobody told. Response
//! times are of right answers alone: failures have no place in a histogram of finite values, so
//! they are in `timeline.csv` and `summary.json`.

use std::fmt::Write as _;
use std::io::BufRead;
use std::time::{Duration, SystemTime};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogIterator, IntervalLogWriterBuilder, LogEntry,
};
use plimsoll_domain::latencies::{Decoder, Encoder};
use plimsoll_domain::{Latencies, Snapshot, SparseLatencies, Tally};

/// One histogram of one interval, as it was read back.
#[derive(Debug)]
pub struct Interval {
    /// Which latency.
    pub tag: String,
    /// Since the first due time.
    pub start: Duration,
    /// The interval's length.
    pub length: Duration,
    /// Its latencies.
    pub latencies: SparseLatencies,
}

/// The lines before the first interval. The writer knows no version line of its own, but Java's
/// reader looks for one.
pub(super) fn header(started: SystemTime, run: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let run: String = run.chars().filter(|c| !c.is_control()).collect();
    IntervalLogWriterBuilder::new()
        .add_comment(&format!("[Logged with plimsoll, run {run}; values in nanoseconds]"))
        .add_comment("[Histogram log format version 1.3]")
        .with_start_time(started)
        .begin_log_with(&mut bytes, &mut V2DeflateSerializer::new())
        .expect("a vector takes every byte");
    bytes.extend_from_slice(b"\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",");
    bytes.extend_from_slice(b"\"Interval_Compressed_Histogram\"\n");
    bytes
}

/// The lines of one interval, as [`IntervalLogWriterBuilder`]'s writer has them.
pub(super) fn lines(encoder: &mut Encoder, snapshot: &Snapshot) -> Vec<u8> {
    let mut lines = String::new();
    let (start, length) = (snapshot.start.as_secs_f64(), snapshot.length().as_secs_f64());
    let mut write = |tag: &str, latencies: &Latencies| {
        if let Some(most) = latencies.histogram_max() {
            let most = most.as_nanos();
            let _ = write!(lines, "Tag={tag},{start:.3},{length:.3},{most}.000,");
            BASE64_STANDARD.encode_string(encoder.encode(latencies), &mut lines);
            lines.push('\n');
        }
    };
    for (prefix, warmup) in [("", false), ("warmup_", true)] {
        let is_phase = |stage: u16| snapshot.names.is_warmup(stage) == warmup;
        let tally = snapshot.tally(|key| is_phase(key.stage));
        let lags = snapshot.lags(is_phase);
        for (name, latencies) in parts(&tally) {
            write(&format!("{prefix}{name}"), latencies);
        }
        write(&format!("{prefix}send_lag"), &lags.send);
        write(&format!("{prefix}release_lag"), &lags.release);
    }
    for (key, tally) in snapshot.tallies.iter().filter(|_| has_several(snapshot)) {
        let prefix = if snapshot.names.is_warmup(key.stage) { "warmup_" } else { "" };
        let (_, request, deployment) = snapshot.names.of(*key);
        for (name, latencies) in parts(tally).into_iter().take(KEYED) {
            write(&tag(&format!("{prefix}{name}/{request}/{deployment}")), latencies);
        }
    }
    lines.into_bytes()
}

/// Whether there is more than one request or one deployment to tell apart.
fn has_several(snapshot: &Snapshot) -> bool {
    let names = &snapshot.names;
    names.requests.len() > 1 || names.deployments().len() > 2
}

/// A name without what ends a tag in the log.
fn tag(name: &str) -> String {
    name.chars()
        .map(|c| if c == ',' || c.is_whitespace() || c.is_control() { '_' } else { c })
        .collect()
}

/// So many of the parts are also told by request and deployment.
const KEYED: usize = 3;

fn parts(tally: &Tally) -> [(&'static str, &Latencies); 5] {
    [
        ("response", &tally.response),
        ("service", &tally.service),
        ("failed", &tally.failed),
        ("model", &tally.model),
        ("overhead", &tally.overhead),
    ]
}

/// Reads a log line by line; what is not whole is skipped, since a killed run or a full disk may
/// have cut the last line.
pub fn read(bytes: &[u8]) -> impl Iterator<Item = Interval> + '_ {
    let mut decoder = Decoder::default();
    bytes.split_inclusive(|byte| *byte == b'\n').filter_map(move |line| parse(line, &mut decoder))
}

/// Reads the lines of some tags alone, of a log that need not be in memory; the others are not
/// even decoded.
pub fn read_tagged<'a>(
    mut log: impl BufRead + 'a,
    tags: &'a [&'a str],
) -> impl Iterator<Item = std::io::Result<Interval>> + 'a {
    let (mut decoder, mut line) = (Decoder::default(), Vec::new());
    std::iter::from_fn(move || {
        loop {
            line.clear();
            match log.read_until(b'\n', &mut line) {
                Err(error) => return Some(Err(error)),
                Ok(0) => return None,
                Ok(_) => {}
            }
            let tag = line.strip_prefix(b"Tag=").and_then(|rest| rest.split(|b| *b == b',').next());
            if !tag.is_some_and(|tag| tags.iter().any(|wanted| wanted.as_bytes() == tag)) {
                continue;
            }
            if let Some(interval) = parse(&line, &mut decoder) {
                return Some(Ok(interval));
            }
        }
    })
}

fn parse(line: &[u8], decoder: &mut Decoder) -> Option<Interval> {
    // The line of column names is no comment, and the crate's reader knows it only at its
    // place behind the header.
    if line.starts_with(b"\"") || !line.ends_with(b"\n") {
        return None;
    }
    let LogEntry::Interval(entry) = IntervalLogIterator::new(line).next()?.ok()? else {
        return None;
    };
    Some(Interval {
        tag: entry.tag().map_or_else(String::new, |tag| tag.as_str().to_owned()),
        start: entry.start_timestamp(),
        length: entry.duration(),
        latencies: decode(decoder, entry.encoded_histogram())?,
    })
}

/// A histogram as a log holds it, in base64.
pub(super) fn encoded(latencies: &SparseLatencies) -> String {
    BASE64_STANDARD.encode(Encoder::default().encode(&Latencies::from(latencies.clone())))
}

/// Reads it back; `None` if it is none.
pub(super) fn decoded(encoded: &str) -> Option<SparseLatencies> {
    decode(&mut Decoder::default(), encoded)
}

fn decode(decoder: &mut Decoder, encoded: &str) -> Option<SparseLatencies> {
    decoder.decode(&BASE64_STANDARD.decode(encoded).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_domain::{Key, Names, StageName, clock};

    fn snapshot() -> Snapshot {
        let mut snapshot = Snapshot {
            start: Duration::from_secs(4),
            end: Duration::from_secs(5),
            ..Snapshot::default()
        };
        let stage = |name: &str, warmup| StageName { name: name.to_owned(), warmup };
        let stages = vec![stage("warm-up", true), stage("hold", false)];
        snapshot.names = Names::new(stages, vec!["score".to_owned()], []);
        for ms in 1..=100 {
            let key = Key { stage: 1, ..Key::default() };
            let measured = snapshot.tallies.entry(key).or_default();
            measured.response.record(Duration::from_millis(ms));
            measured.service.record(Duration::from_micros(ms));
            snapshot.lags.entry(0).or_default().send.record(Duration::from_nanos(ms * 777));
        }
        snapshot
    }

    #[test]
    fn a_log_is_read_back_as_it_was_written() {
        let snapshot = snapshot();
        let mut log = header(clock::wall(), "run\n1");
        log.extend_from_slice(&lines(&mut Encoder::default(), &snapshot));
        log.extend_from_slice(b"Tag=response,5.000,1.000,7.0,HISTFAAA");
        let read: Vec<Interval> = read(&log).collect();
        let tags: Vec<&str> = read.iter().map(|interval| interval.tag.as_str()).collect();
        assert_eq!(tags, ["response", "service", "warmup_send_lag"]);
        assert_eq!(read[0].start, snapshot.start);
        assert_eq!(read[0].length, Duration::from_secs(1));
        let buckets = |latencies: &SparseLatencies| latencies.buckets().collect::<Vec<_>>();
        let (response, lag) =
            (snapshot.measured().response.sparse(), snapshot.lags[&0].send.sparse());
        assert_eq!(buckets(&read[0].latencies), buckets(&response));
        assert_eq!(buckets(&read[2].latencies), buckets(&lag));
    }

    #[test]
    fn lines_are_those_of_the_crates_writer() {
        let (mut snapshot, mut log) = (snapshot(), Vec::new());
        // The longest second that a service can have.
        let slow = &mut snapshot.tallies.values_mut().next().expect("there is one").service;
        slow.record(Duration::from_hours(2));
        let (mut serializer, length) = (V2DeflateSerializer::new(), snapshot.length());
        let all = snapshot.measured();
        let mut writer = IntervalLogWriterBuilder::new()
            .begin_log_with(&mut log, &mut serializer)
            .expect("a vector takes every byte");
        for (name, latencies) in [
            ("response", &all.response),
            ("service", &all.service),
            ("warmup_send_lag", &snapshot.lags[&0].send),
        ] {
            let tag = hdrhistogram::serialization::interval_log::Tag::new(name);
            let histogram = latencies.histogram();
            writer.write_histogram(&histogram, snapshot.start, length, tag).unwrap();
        }
        let text = |bytes| String::from_utf8(bytes).expect("a log is text");
        assert_eq!(text(lines(&mut Encoder::default(), &snapshot)), text(log));
    }

    #[test]
    fn only_the_tags_that_are_wanted_are_read() {
        let mut log = header(clock::wall(), "id");
        log.extend_from_slice(&lines(&mut Encoder::default(), &snapshot()));
        log.extend_from_slice(b"Tag=response,5.000,1.000,7.0,HISTFAAA");
        let read: Vec<_> = read_tagged(log.as_slice(), &["service", "model"]).collect();
        assert_eq!(read.len(), 1);
        let service = read[0].as_ref().expect("memory is read");
        assert_eq!(service.tag, "service");
        assert!(service.latencies.buckets().eq(snapshot().measured().service.sparse().buckets()));
    }

    #[test]
    fn the_header_is_what_other_readers_look_for() {
        let text = String::from_utf8(header(clock::wall(), "id")).unwrap();
        assert!(text.contains("#[Histogram log format version 1.3]\n"), "{text}");
        assert!(text.contains("#[StartTime: "), "{text}");
        let entries = IntervalLogIterator::new(text.as_bytes());
        assert!(entries.into_iter().all(|entry| entry.is_ok()), "the crate's reader refuses it");
    }
}
