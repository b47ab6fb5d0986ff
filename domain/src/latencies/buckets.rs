//! The buckets of an HDR histogram of the fixed bounds, as an array of counts.
//!
//! The buckets are those of the `hdrhistogram` crate, which reads and writes them elsewhere: up to
//! 2,047 ns one for each nanosecond, and from there on 1,024 for each doubling. What the crate asks of
//! each value (may the histogram grow, which bounds has it) is fixed here, so that recording is three
//! instructions and a sum: a request is recorded in up to six of these. Only the doublings that hold
//! a value take memory, 8 kB each.

/// Buckets for each doubling.
const BLOCK: usize = 1 << BLOCK_BITS;
const BLOCK_BITS: u32 = 10;
/// Blocks: the last one ends above [`HIGHEST`](super::HIGHEST).
const BLOCKS: usize = 33;
/// Values below it have a bucket each.
const LINEAR: u64 = 2 << BLOCK_BITS;

/// Counts by bucket.
#[derive(Debug, Clone)]
pub(super) struct Buckets {
    blocks: [Option<Box<[u64; BLOCK]>>; BLOCKS],
    count: u64,
}

impl Buckets {
    pub(super) const fn new() -> Self {
        Self { blocks: [const { None }; BLOCKS], count: 0 }
    }

    /// Counts `count` more values like this one.
    #[inline]
    pub(super) fn add(&mut self, value: u64, count: u64) {
        let index = index(value).min(BLOCKS * BLOCK - 1);
        let block = self.blocks[index / BLOCK].get_or_insert_with(|| Box::new([0; BLOCK]));
        block[index % BLOCK] += count;
        self.count += count;
    }

    /// Adds all of `other`.
    pub(super) fn merge(&mut self, other: &Self) {
        for (own, theirs) in self.blocks.iter_mut().zip(&other.blocks) {
            match (own, theirs) {
                (_, None) => {}
                (own @ None, Some(theirs)) => *own = Some(theirs.clone()),
                (Some(own), Some(theirs)) => {
                    own.iter_mut().zip(&**theirs).for_each(|(own, theirs)| *own += theirs);
                }
            }
        }
        self.count += other.count;
    }

    /// How many values there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The filled buckets in ascending order: their index and count.
    pub(super) fn filled(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        self.blocks.iter().enumerate().flat_map(|(number, block)| {
            let counts = block.iter().flat_map(|block| block.iter().copied());
            let filled = counts.enumerate().filter(|(_, count)| *count > 0);
            filled.map(move |(offset, count)| (number * BLOCK + offset, count))
        })
    }

    /// The bucket of the `rank`-th smallest value, counted from 1.
    pub(super) fn at_rank(&self, rank: u64) -> Option<usize> {
        let mut seen = 0;
        for (number, block) in self.blocks.iter().enumerate() {
            let Some(block) = block else { continue };
            for (part, counts) in block.chunks_exact(16).enumerate() {
                let sum: u64 = counts.iter().sum();
                if seen + sum < rank {
                    seen += sum;
                    continue;
                }
                for (offset, count) in counts.iter().enumerate() {
                    seen += count;
                    if seen >= rank {
                        return Some(number * BLOCK + part * 16 + offset);
                    }
                }
            }
        }
        None
    }
}

/// The bucket of a value. In the doublings from [`LINEAR`] on, the highest eleven bits tell.
#[inline]
pub(super) fn index(value: u64) -> usize {
    let shift = LINEAR.leading_zeros() + 1 - (value | (LINEAR - 1)).leading_zeros();
    ((shift as usize) << BLOCK_BITS) + (value >> shift) as usize
}

/// The lowest value of a bucket, and how many values it has.
fn bounds(index: usize) -> (u64, u64) {
    let shift = (index >> BLOCK_BITS).saturating_sub(1);
    (((index - (shift << BLOCK_BITS)) as u64) << shift, 1 << shift)
}

/// The highest value of a bucket.
pub(super) fn highest(index: usize) -> u64 {
    let (lowest, width) = bounds(index);
    lowest + (width - 1)
}

/// The middle of a bucket.
pub(super) fn middle(index: usize) -> u64 {
    let (lowest, width) = bounds(index);
    lowest + width / 2
}

#[cfg(test)]
mod tests {
    use super::super::{HIGHEST, empty_histogram};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        // The crate's histogram has the same buckets, and finds the same value at each rank.
        #[test]
        fn buckets_are_those_of_the_crate(
            values in prop::collection::vec((0u32..42, any::<u64>()), 1..200),
        ) {
            let highest_value = HIGHEST.as_nanos() as u64;
            let (mut own, mut crates) = (Buckets::new(), empty_histogram());
            for (bits, value) in values {
                let value = (value >> (63 - bits)).min(highest_value);
                own.add(value, 1);
                crates.record(value).unwrap();
                prop_assert_eq!(highest(index(value)), crates.highest_equivalent(value));
                prop_assert_eq!(middle(index(value)), crates.median_equivalent(value));
            }
            let filled: Vec<_> = own.filled().map(|(at, n)| (highest(at), n)).collect();
            let recorded = crates.iter_recorded();
            let recorded: Vec<_> =
                recorded.map(|at| (at.value_iterated_to(), at.count_at_value())).collect();
            prop_assert_eq!(filled, recorded);
            for rank in 1..=own.count() {
                let theirs = crates.value_at_quantile((rank as f64 - 0.5) / own.count() as f64);
                prop_assert_eq!(own.at_rank(rank).map(highest), Some(theirs));
            }
            prop_assert_eq!(own.at_rank(own.count() + 1), None);
        }
    }

    #[test]
    fn the_last_bucket_takes_what_is_beyond() {
        let mut buckets = Buckets::new();
        buckets.add(u64::MAX, 2);
        assert_eq!(buckets.filled().collect::<Vec<_>>(), [(BLOCKS * BLOCK - 1, 2)]);
        assert!(index(HIGHEST.as_nanos() as u64) < BLOCKS * BLOCK);
    }
}
