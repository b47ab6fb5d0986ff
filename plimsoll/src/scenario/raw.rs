//! The scenario file as it is written: every key optional in form, so that all problems can be
//! reported together. The JSON Schema that editors complete from is derived from these types.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Address, Headers};

/// One experiment: what is deployed, what load it gets, and what is asked of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "plimsoll scenario")]
pub struct RawScenario {
    /// Ignored; lets a JSON file name its schema.
    #[serde(rename = "$schema")]
    pub schema: Option<String>,
    /// Name of the experiment: letters, digits, `-`, `_` and `.`.
    #[schemars(required, extend("format" = "scenario-name"))]
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Every random number of a run comes from this seed; 1 if absent.
    #[schemars(range(min = 0))]
    pub seed: Option<u64>,
    /// An endpoint file as `az ml online-endpoint create -f` takes it, relative to this file.
    pub endpoint: Option<String>,
    /// The deployments behind the endpoint: files as `az ml online-deployment create -f` takes
    /// them, relative to this file.
    pub deployments: Option<Vec<String>>,
    /// Percent of the requests per deployment; the sum is 100. All to the only deployment if
    /// absent.
    pub traffic: Option<BTreeMap<String, u8>>,
    /// An endpoint that exists already, instead of `endpoint` and `deployments`.
    pub target: Option<RawTarget>,
    /// What is sent: one request, or a list of which each arrival draws one by weight.
    pub request: Option<RawRequests>,
    /// How much of it, and when.
    #[schemars(required)]
    pub load: Option<RawLoad>,
    /// What must hold, for example `p99 < 200ms`, `error rate < 0.1% in every 10s` or `p95 of green
    /// < 150ms in 99% of 5s windows`; of autoscale rules `flaps <= 0` and others.
    pub objectives: Option<Vec<String>>,
    /// What is told while it happens.
    pub alerts: Option<Vec<RawAlert>>,
    /// Rules that scale a deployment while the load runs.
    pub autoscale: Option<RawAutoscale>,
    /// What the subscription may use.
    pub quota: Option<RawQuota>,
    /// Where results go.
    pub outputs: Option<RawOutputs>,
}

/// An endpoint that exists already.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawTarget {
    /// The scoring URL.
    #[schemars(with = "Option<String>")]
    pub url: Option<Address>,
    /// Instead of a URL: the name of an endpoint that `plimsoll endpoint create` has made here.
    pub endpoint: Option<String>,
    /// Name of the environment variable that holds the endpoint's key or token.
    pub key_env: Option<String>,
    /// Certificates to trust besides the system's, in PEM, relative to this file.
    pub ca_file: Option<String>,
    /// Do not verify the server's certificate: whoever answers is loaded, and gets the key.
    pub insecure: Option<bool>,
}

/// One request, or several.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RawRequests {
    /// The only one.
    One(RawRequest),
    /// One of these for each arrival, drawn from the seed.
    Several(Vec<RawRequest>),
}

/// What is sent.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawRequest {
    /// Its name in results and objectives; `score` if it is the only one and has none.
    #[schemars(extend("format" = "scenario-name"))]
    pub name: Option<String>,
    /// How often it is drawn, against the weights of the others; 1 if absent.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub weight: Option<f64>,
    /// Path and query instead of those of the scoring URL.
    #[schemars(with = "Option<String>")]
    pub path: Option<Address>,
    /// A JSON file, a `.jsonl` file with one body per line, or a folder of JSON files; relative to
    /// this file.
    pub body: Option<String>,
    /// `POST` if absent.
    pub method: Option<String>,
    /// Further headers.
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    pub headers: Option<Headers>,
    /// From the sending to the end of the answer; `10s` if absent.
    #[schemars(extend("format" = "time-span"))]
    pub timeout: Option<String>,
    /// Send everything to this deployment, past the traffic weights.
    pub deployment: Option<String>,
}

/// How much load, and when.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawLoad {
    /// How arrivals are spread; `poisson` if absent.
    pub arrivals: Option<RawArrivals>,
    /// How much `gamma` arrivals come in bursts: the variance of their counts over the mean. 1 is
    /// `poisson`, 10 is bursty, below 1 they are more even.
    #[schemars(range(min = 0.01, max = 10_000))]
    pub dispersion: Option<f64>,
    /// One after the other; or a `trace`.
    #[schemars(length(min = 1))]
    pub stages: Option<Vec<RawStage>>,
    /// A recorded load, replayed; instead of `stages`.
    pub trace: Option<RawTrace>,
    /// Connections at most; 10000 if absent. When all are busy, arrivals wait, and their response
    /// time says so.
    #[schemars(range(min = 1))]
    pub max_connections: Option<u32>,
    /// Threads that send; chosen by the number of cores if absent.
    #[schemars(range(min = 1, max = 256))]
    pub workers: Option<u32>,
    /// A ceiling that protects the target from a mistake in the stages: what would exceed it is
    /// dropped and makes the run invalid.
    #[schemars(range(min = 1))]
    pub ceiling_rps: Option<u32>,
    /// How long to wait for answers after the last stage; the request timeout if absent.
    #[schemars(extend("format" = "time-span"))]
    pub drain: Option<String>,
    /// The load ends early when not a single request got a right answer for so long from its
    /// beginning; `30s` if absent, `never` to go on.
    #[schemars(extend("format" = "time-span-or-never"))]
    pub give_up_after: Option<String>,
}

/// A recorded load, replayed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawTrace {
    /// A CSV file, or a gzipped one (`.gz`), with a column `offset_s` (an arrival each row) or columns
    /// `start_s` and `rate_rps` (a window each row); relative to this file.
    #[schemars(required)]
    pub file: Option<String>,
    /// So many times as fast: the same arrivals in less time; 1 if absent.
    #[schemars(range(min = 0.001, max = 100_000))]
    pub speed: Option<f64>,
    /// So many times the arrivals; 1 if absent.
    #[schemars(range(min = 0.000_001, max = 1000))]
    pub scale: Option<f64>,
    /// Whether it begins again when it is over, until `duration`; `false` if absent.
    #[serde(rename = "loop")]
    pub repeats: Option<bool>,
    /// How long the load lasts; the whole trace if absent.
    #[schemars(extend("format" = "time-span"))]
    pub duration: Option<String>,
    /// So much of its beginning is shown, but never judged; nothing if absent.
    #[schemars(extend("format" = "time-span"))]
    pub warmup: Option<String>,
}

/// How arrivals are spread over time.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawArrivals {
    /// Independent users: exponential gaps.
    Poisson,
    /// Equal gaps.
    Constant,
    /// Bursts: see `dispersion`.
    Gamma,
}

/// A stretch of the load: a hold (`rps`) or a ramp (`from_rps`, `to_rps`).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawStage {
    /// Shown in progress and results; `stage 1`, `stage 2`… if absent.
    pub name: Option<String>,
    /// How long it takes.
    #[schemars(required, extend("format" = "time-span"))]
    pub duration: Option<String>,
    /// Hold this rate.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub rps: Option<f64>,
    /// Ramp from this rate; the rate at the end of the stage before if absent.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub from_rps: Option<f64>,
    /// Ramp to this rate.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub to_rps: Option<f64>,
    /// Shown, but never judged; `false` if absent.
    pub warmup: Option<bool>,
    /// What goes up and down about the rate: the rhythm of a day.
    pub wave: Option<RawWave>,
    /// Percent of the requests for each deployment from this stage on; the sum is 100. At the first
    /// breach of an objective the traffic goes back to the scenario's, and the load ends.
    pub traffic: Option<BTreeMap<String, u8>>,
    /// A share of up to 50 percent of which one deployment without traffic gets copies, from this
    /// stage on. The next shares hold only if its answers are no worse than those to the requests.
    pub mirror_traffic: Option<BTreeMap<String, u8>>,
}

/// A cosine about the rate of a stage.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawWave {
    /// How far the rate goes up and down; at most the rate itself.
    #[schemars(required, range(min = 0, max = 1_000_000))]
    pub amplitude_rps: Option<f64>,
    /// From one peak to the next, for example `24h`.
    #[schemars(required, extend("format" = "time-span"))]
    pub period: Option<String>,
    /// The first peak, since the beginning of the stage; its beginning if absent.
    #[schemars(extend("format" = "time-span"))]
    pub peak: Option<String>,
}

/// Something that is told while it happens.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawAlert {
    /// The alert's name.
    #[schemars(required)]
    pub name: Option<String>,
    /// The objective whose breach it tells, with its window: `p99 < 200ms in every 5s`. Of autoscale
    /// rules it looks at the value so far: `time back under < 5m`.
    #[schemars(required)]
    pub objective: Option<String>,
    /// Breached for this long before it fires; `0s` if absent.
    #[serde(rename = "for")]
    #[schemars(extend("format" = "time-span"))]
    pub hold: Option<String>,
    /// Kept firing for this long after the breach ends; `0s` if absent.
    #[schemars(extend("format" = "time-span"))]
    pub keep_firing_for: Option<String>,
    /// `warning` if absent.
    pub severity: Option<RawSeverity>,
}

/// How bad an alert is.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawSeverity {
    /// Worth knowing.
    Info,
    /// Worth a look.
    Warning,
    /// Worth waking someone.
    Critical,
}

/// Rules that scale a deployment of this scenario. Durations are those of Azure or the cluster;
/// `time_compression` divides them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawAutoscale {
    /// The rules, relative to this file: a setting or script of Azure Monitor autoscale, a
    /// `HorizontalPodAutoscaler`, a `ScaledObject`, a Knative service, a deployment with
    /// `scale_settings`.
    #[schemars(required)]
    pub rules: Option<String>,
    /// The deployment that they scale; the only one if absent.
    pub deployment: Option<String>,
    /// How long a new instance waits for its machine, before it starts: always the same, or drawn.
    #[schemars(required)]
    pub provisioning: Option<RawProvisioning>,
    /// How long after its end a grain of the metrics can be read; `3m` for Azure's rules, `0s` for
    /// others if absent.
    #[schemars(extend("format" = "time-span"))]
    pub metric_delay: Option<String>,
    /// How many times faster rules, metrics and provisioning go than the load; 1 if absent. It divides
    /// 60.
    #[schemars(range(min = 1, max = 60))]
    pub time_compression: Option<u32>,
    /// What is assumed of Azure's engine where Microsoft documents nothing, such as `interval_s=30`: as
    /// `plimsoll autoscale decide --assume` takes it.
    pub assume: Option<Vec<String>>,
    /// For each metric that a cluster's rules name, what is measured here: `requests_per_second`,
    /// `concurrency`, `latency_p99_ms` and others.
    pub metrics: Option<BTreeMap<String, String>>,
    /// When it is for the rules as the load begins: profiles go by the time of day and the day of the
    /// week; now if absent.
    pub begins: Option<String>,
}

/// How long machines take.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RawProvisioning {
    /// Always so long, for example `4m`.
    Always(String),
    /// Drawn for each.
    Drawn(RawDrawn),
}

/// A distribution of times.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RawDrawn {
    /// Exponential.
    Exponential {
        /// The mean.
        mean: String,
    },
    /// Log-normal, by two of its percentiles.
    LogNormal {
        /// The median.
        p50: String,
        /// The 99th percentile.
        p99: String,
    },
}

/// What the subscription may use.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawQuota {
    /// The region; `local` if absent.
    pub region: Option<String>,
    /// What Azure's usages call returned, relative to this file. Without it the plan is shown but
    /// nothing is refused.
    pub limits: Option<String>,
}

/// Where results go.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawOutputs {
    /// Folder for the results, relative to this file; `results/<name>-<time>` in the current
    /// folder if absent. `--out` overrides it.
    pub folder: Option<String>,
    /// OpenTelemetry Collector, for example `http://localhost:4317`. `--otlp` overrides it.
    #[schemars(with = "Option<String>")]
    pub otlp: Option<Address>,
}
