//! One run as it is compared: its blocks of time, made from what each second measured.

use std::time::Duration;

use plimsoll_domain::Quantile;
use plimsoll_domain::latencies::{SparseLatencies, rank_of};
use plimsoll_monitor::{Batch, Batches, Interval, Question, infer};

use super::Metric;
use super::test::NotJudged;
use crate::prediction::Span;

/// What one interval of the measured time counted.
#[derive(Debug, Clone, Default)]
pub struct Second {
    /// How long it was.
    pub length: Duration,
    /// Response times of right answers.
    pub response: SparseLatencies,
    /// Arrivals that ended without one; each is infinite in percentiles.
    pub failed: u64,
    /// Of the right answers, the late ones.
    pub late: u64,
    /// Model times, where the server tells them.
    pub model: SparseLatencies,
}

/// What a block of time counted: the same over more seconds.
pub type Block = Second;

/// The blocks of a run, in memory that does not grow with its length.
#[derive(Debug, Clone, Default)]
pub struct Run {
    response: Batches,
    model: Batches,
    /// Counts alone; bad is what failed or was late.
    good: Batches,
    length: Duration,
}

impl Run {
    /// Nothing measured yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next interval.
    pub fn add(&mut self, second: &Second) {
        self.length += second.length;
        let [response, good, model] = Self::batches_of(second);
        self.response.add(&response);
        self.good.add(&good);
        self.model.add(&model);
    }

    /// As response times, as counts of what was not good, and as model times.
    fn batches_of(second: &Second) -> [Batch; 3] {
        let (length, failed) = (second.length, second.failed);
        let requests = second.response.count() + failed;
        let response = Batch {
            requests,
            bad: failed,
            infinite: failed,
            finite: second.response.clone(),
            length,
            ..Batch::default()
        };
        let good = Batch { requests, bad: failed + second.late, length, ..Batch::default() };
        let model = Batch {
            requests: second.model.count(),
            finite: second.model.clone(),
            length,
            ..Batch::default()
        };
        [response, good, model]
    }

    /// A run of blocks that were cut before.
    pub fn of_blocks(blocks: &[Block]) -> Self {
        let mut run = Self::default();
        let batches = blocks.iter().map(|block| {
            run.length += block.length;
            Self::batches_of(block)
        });
        let (mut response, mut good, mut model) = (Vec::new(), Vec::new(), Vec::new());
        for [of_response, of_good, of_model] in batches {
            response.push(of_response);
            good.push(of_good);
            model.push(of_model);
        }
        run.response = Batches::of(response);
        run.good = Batches::of(good);
        run.model = Batches::of(model);
        run
    }

    /// The blocks, from which [`Run::of_blocks`] makes the same run again.
    pub fn to_blocks(&self) -> Vec<Block> {
        let (good, model) = (self.good.counted(), self.model.counted());
        let parts = self.response.counted().into_iter().zip(good).zip(model);
        parts
            .map(|((response, good), model)| Block {
                length: response.length,
                failed: response.infinite,
                late: good.bad - response.bad,
                response: response.into_owned().finite,
                model: model.into_owned().finite,
            })
            .collect()
    }

    /// How many blocks there are.
    pub fn blocks(&self) -> usize {
        self.response.counted().len()
    }

    /// How long was measured.
    pub fn seconds(&self) -> f64 {
        self.length.as_secs_f64()
    }

    /// How many blocks saw a request end.
    pub(super) fn blocks_with_requests(&self) -> usize {
        self.response.counted().iter().filter(|batch| batch.requests > 0).count()
    }

    /// The batches that a metric is read from.
    pub(super) fn batches(&self, metric: Metric) -> &Batches {
        match metric {
            Metric::ModelTime => &self.model,
            Metric::Goodput => &self.good,
            _ => &self.response,
        }
    }

    /// All latencies of a metric.
    pub(super) fn pooled(&self, metric: Metric) -> Pooled {
        let mut pooled = Pooled::default();
        for batch in self.batches(metric).counted() {
            pooled.finite.merge(&batch.finite);
            pooled.infinite += batch.infinite;
            pooled.requests += batch.requests;
            pooled.bad += batch.bad;
        }
        pooled
    }

    /// The value of a metric in each block that has one, with the end of the block in seconds of
    /// measured time: latencies in milliseconds, shares as they are. An infinite one is none.
    pub fn per_block(&self, metric: Metric) -> Vec<(f64, f64)> {
        let mut end = 0.0;
        let batches = self.batches(metric).counted();
        let value = |batch: &Batch| match metric.quantile() {
            Some(quantile) => {
                let rank = rank_of(quantile, batch.finite.count() + batch.infinite);
                batch.finite.bucket_at_rank(rank).map(|value| value.as_secs_f64() * 1e3)
            }
            None => (batch.requests > 0).then(|| metric.of_bad(batch.bad, batch.requests)),
        };
        batches
            .iter()
            .filter_map(|batch| {
                end += batch.length.as_secs_f64();
                Some((end, value(batch)?))
            })
            .collect()
    }

    /// The value of a metric over the whole run: latencies in milliseconds, shares as they are.
    /// `None` where there is none, it is infinite, or it would be one of too few requests.
    pub fn value(&self, metric: Metric) -> Option<f64> {
        let pooled = self.pooled(metric);
        let Some(quantile) = metric.quantile() else {
            return (pooled.requests > 0).then(|| metric.of_bad(pooled.bad, pooled.requests));
        };
        pooled.check(quantile, 1.0).ok()?;
        pooled.quantile(quantile).map(|ns| ns / 1e6)
    }

    /// A percentile of response time in milliseconds, with its interval; what ended without a right
    /// answer is infinite.
    pub fn span(&self, quantile: f64, confidence: f64) -> Span {
        let ms = |end: Quantile| end.finite().map(|time| time.as_secs_f64() * 1e3);
        let inference = infer(&self.response, Question::Percentile { quantile }, confidence);
        let (low, high) = match inference.interval {
            Interval::Latency(low, high) => (ms(low), ms(high)),
            Interval::Share(..) | Interval::PerSecond(..) => (None, None),
        };
        let value = self.percentiles(&[quantile])[0];
        Span { value, low: low.unwrap_or(f64::INFINITY), high }
    }

    /// The response time below which this share of all requests lies, in milliseconds; `None` where
    /// it is infinite, or there is nothing.
    pub fn percentiles(&self, quantiles: &[f64]) -> Vec<Option<f64>> {
        let pooled = self.pooled(Metric::P50);
        quantiles.iter().map(|quantile| pooled.quantile(*quantile).map(|ns| ns / 1e6)).collect()
    }
}

/// All requests of a run together.
#[derive(Debug, Clone, Default)]
pub(super) struct Pooled {
    pub(super) finite: SparseLatencies,
    pub(super) infinite: u64,
    pub(super) requests: u64,
    pub(super) bad: u64,
}

impl Pooled {
    /// In nanoseconds; `None` if infinite.
    pub(super) fn quantile(&self, quantile: f64) -> Option<f64> {
        let rank = rank_of(quantile, self.finite.count() + self.infinite);
        Some(self.finite.bucket_at_rank(rank)?.as_secs_f64() * 1e9)
    }

    /// Refuses where this quantile is one of too few requests, each block having to show it.
    pub(super) fn check(&self, quantile: f64, blocks: f64) -> Result<(), NotJudged> {
        if self.requests == 0 {
            return Err(NotJudged::Absent);
        }
        let needs = (blocks * REQUESTS_BEYOND / (1.0 - quantile)).round() as u64;
        if self.requests < needs {
            return Err(NotJudged::TooFew { requests: self.requests, needs });
        }
        Ok(())
    }
}

/// So many requests beyond a percentile, on average, make it one.
pub(super) const REQUESTS_BEYOND: f64 = 5.0;

impl Metric {
    /// The share that it is, of so many bad requests.
    pub(super) fn of_bad(self, bad: u64, requests: u64) -> f64 {
        let share = bad as f64 / requests.max(1) as f64;
        if self == Self::Goodput { 1.0 - share } else { share }
    }
}
