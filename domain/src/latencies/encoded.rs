//! HDR's encoding of a histogram, from its filled buckets alone.
//!
//! The bytes are those of `hdrhistogram`'s `V2DeflateSerializer`: `HdrHistogram`'s `V2` format, in which
//! the counts of all buckets up to the last filled one follow each other as zigzag LEB128 numbers of at
//! most 9 bytes, a run of empty ones as its length below zero; deflated. The crate walks all 33,000
//! buckets of an array that has to be made for it, and makes a compressor for each histogram. There are
//! several of each in every interval, so that was most of what an interval cost.

use flate2::{Compress, Compression, FlushCompress, Status};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;

use super::{HIGHEST, LOWEST, Latencies, SIGNIFICANT_DIGITS, SparseLatencies};

/// The cookies of the format, of counts in bytes of LEB128.
const V2: u32 = 0x1c84_9303 | 0x10;
const V2_DEFLATED: u32 = 0x1c84_9304 | 0x10;

/// Encodes latencies, one after another.
#[derive(Debug)]
pub struct Encoder {
    counts: Vec<u8>,
    plain: Vec<u8>,
    bytes: Vec<u8>,
    deflate: Compress,
}

impl Default for Encoder {
    fn default() -> Self {
        let (counts, plain, bytes) = <_>::default();
        Self { counts, plain, bytes, deflate: Compress::new(Compression::default(), true) }
    }
}

impl Encoder {
    /// Their histogram, in nanoseconds.
    pub fn encode(&mut self, latencies: &Latencies) -> &[u8] {
        self.encode_plain(latencies);
        self.bytes.clear();
        self.bytes.extend(V2_DEFLATED.to_be_bytes());
        self.bytes.extend([0; 4]);
        // What cannot be deflated grows by 5 bytes in every 16 kB, and by 6 at the ends.
        self.bytes.reserve(self.plain.len() + self.plain.len() / 1024 + 64);
        self.deflate.reset();
        let status = self.deflate.compress_vec(&self.plain, &mut self.bytes, FlushCompress::Finish);
        assert_eq!(status.ok(), Some(Status::StreamEnd), "there is room for all of it");
        let length = self.bytes.len() as u32 - 8;
        self.bytes[4..8].copy_from_slice(&length.to_be_bytes());
        &self.bytes
    }

    fn encode_plain(&mut self, latencies: &Latencies) {
        self.counts.clear();
        let mut next = 0;
        for (place, count) in latencies.places() {
            match place - next {
                0 => {}
                // As the crate has it: a single empty bucket is a count.
                1 => varint(&mut self.counts, 0),
                empty => varint(&mut self.counts, zigzag(-(empty as u64).cast_signed())),
            }
            varint(&mut self.counts, zigzag(count.cast_signed()));
            next = place + 1;
        }
        if self.counts.is_empty() {
            self.counts.push(0);
        }
        let plain = &mut self.plain;
        plain.clear();
        plain.extend(V2.to_be_bytes());
        plain.extend((self.counts.len() as u32).to_be_bytes());
        // No offset of the buckets.
        plain.extend([0; 4]);
        plain.extend(u32::from(SIGNIFICANT_DIGITS).to_be_bytes());
        plain.extend((LOWEST.as_nanos() as u64).to_be_bytes());
        plain.extend((HIGHEST.as_nanos() as u64).to_be_bytes());
        // What a value is multiplied by.
        plain.extend(1f64.to_be_bytes());
        plain.extend_from_slice(&self.counts);
    }
}

/// Decodes what an [`Encoder`] or another HDR tool wrote, one after another.
pub struct Decoder(Deserializer);

impl Default for Decoder {
    fn default() -> Self {
        Self(Deserializer::new())
    }
}

impl Decoder {
    /// The filled buckets of a histogram of nanoseconds; `None` if these bytes are none.
    pub fn decode(&mut self, mut bytes: &[u8]) -> Option<SparseLatencies> {
        let histogram: Histogram<u64> = self.0.deserialize(&mut bytes).ok()?;
        let filled = histogram.iter_recorded().map(|bucket| {
            (histogram.median_equivalent(bucket.value_iterated_to()), bucket.count_at_value())
        });
        Some(SparseLatencies::from_buckets(filled))
    }
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

/// Seven bits a byte, but all eight of the ninth.
fn varint(bytes: &mut Vec<u8>, mut number: u64) {
    for _ in 0..8 {
        if number < 0x80 {
            break;
        }
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer, V2Serializer};
    use rand::RngExt;
    use rand_pcg::Pcg64;

    use super::*;

    // The crate's own serializers say the same to the byte, one histogram after another.
    #[test]
    fn the_bytes_are_those_of_the_crate() {
        let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
        let mut random = Pcg64::new(1, 1);
        for round in 0..200usize {
            // None, one, a few anywhere in the bounds and beyond them, and many in a few doublings.
            let (values, bits) = if round % 10 == 9 { (4000, 20..26) } else { (round % 60, 0..44) };
            let mut latencies = Latencies::new();
            for _ in 0..values {
                let nanos = random.random::<u64>() >> (63 - random.random_range(bits.clone()));
                latencies.record(Duration::from_nanos(nanos));
            }
            let histogram = latencies.histogram();
            let (mut plain, mut deflated) = (Vec::new(), Vec::new());
            V2Serializer::new().serialize(&histogram, &mut plain).unwrap();
            V2DeflateSerializer::new().serialize(&histogram, &mut deflated).unwrap();
            assert_eq!(encoder.encode(&latencies), deflated, "round {round}");
            assert_eq!(encoder.plain, plain, "round {round}");
            let read = decoder.decode(&deflated).expect("it was just written");
            assert!(read.buckets().eq(latencies.sparse().buckets()), "round {round}");
        }
    }

    #[test]
    fn what_is_no_histogram_is_not_decoded() {
        let mut latencies = Latencies::new();
        latencies.record(Duration::from_millis(3));
        let bytes = Encoder::default().encode(&latencies).to_vec();
        let mut decoder = Decoder::default();
        assert_eq!(decoder.decode(&bytes[..bytes.len() / 2]), None);
        assert_eq!(decoder.decode(b""), None);
        assert_eq!(decoder.decode(&bytes).map(|read| read.count()), Some(1));
    }

    #[test]
    fn large_counts_are_written_as_the_crate_reads_them() {
        for number in [0, 127, 128, u64::from(u32::MAX), i64::MAX as u64, u64::MAX] {
            let mut bytes = Vec::new();
            varint(&mut bytes, number);
            let read = bytes.iter().enumerate().fold(0u64, |sum, (index, byte)| {
                let bits = if index == 8 { *byte } else { byte & 0x7f };
                sum | u64::from(bits) << (7 * index)
            });
            assert_eq!((read, bytes.len() <= 9), (number, true));
        }
    }
}
