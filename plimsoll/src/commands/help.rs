//! What `--help` says beyond the flags: examples, exit codes, and the language of objectives.

/// What a script or a CI job learns from the end of the command; for `plimsoll --help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
    0  all objectives met, run valid
    1  internal error, results could not be written, or refused: not there, there already, busy
    2  wrong usage, or a wrong file
    3  an objective breached, a regression, or autoscale rules with errors
    4  inconclusive, or the run is invalid
    5  deployment or quota failed
  130  interrupted; partial results are written

Validity, beside the verdict:
  valid     the load generator did what the schedule asked
  degraded  it was late or lost something, too little to decide a verdict: the exit code stands
  invalid   it could have decided a verdict, so that none is given

Environment:
  PLIMSOLL_LOG        what is logged to standard error: error, warn, info, debug, trace or off, also
                      by part: `warn,plimsoll_host=debug` [default: warn]
  PLIMSOLL_CACHE_DIR  where Python environments are kept between runs, see `plimsoll environments`
                      [default: plimsoll in XDG_CACHE_HOME, else in ~/.cache]
  PLIMSOLL_STATE_DIR  where the local host in the background is found
                      [default: plimsoll in XDG_STATE_HOME, else in ~/.local/state]
  NO_COLOR, CLICOLOR_FORCE, OTEL_*  as their standards say

`plimsoll help objectives` tells what an objective can say.";

/// For `plimsoll run --help`.
pub(crate) const RUN: &str = "\
Examples:
  plimsoll run scenarios/quickstart
  plimsoll run scenario.yml --out results/nightly --quiet
  plimsoll run scenario.yml --until-decided 10m --otlp http://localhost:4317";

/// For `plimsoll capacity --help`.
pub(crate) const CAPACITY: &str = "\
Examples:
  plimsoll capacity scenario.yml --simulate
  plimsoll capacity scenarios/quickstart --time 30m --max-rate 2000

Exit codes: 0 an interval, or all holds up to the highest rate to try; 3 no rate holds, or the endpoint
is worse for good after an overload; 4 no number, as the time, the load generator or the
confirmation did not allow one.";

/// For `plimsoll plan --help`.
pub(crate) const PLAN: &str = "\
Examples:
  plimsoll plan --rate 200 --service-time 40ms --concurrency 4 --limits usages.json
  plimsoll plan --rate 20 --service-time 10s --ramp 5 --prices prices.csv
  plimsoll plan --trace last-week.csv.gz --scale 1.5 --capacity results/x/capacity.json --html plan.html

Exit codes: 0 planned, and the simulation agrees; 3 and 4 it does not, or cannot tell; 5 no size
fits the quota.";

/// For `plimsoll load --help`.
pub(crate) const LOAD: &str = "\
Examples:
  plimsoll load http://127.0.0.1:8080/score -r 500 -d 30s -b request.json --objective \"p99 < 200ms\"
  plimsoll load https://e.westeurope.inference.ml.azure.com/score -r 50 -d 5m --key-env SCORING_KEY \\
      --data '{\"data\": [[1, 2, 3]]}' --objective \"error rate < 1% in every 10s\"
  generate | plimsoll load http://127.0.0.1:8080/score -r 20 --until-decided 10m -b - \\
      --objective \"p95 < 80ms\"";

/// For `plimsoll init --help`.
pub(crate) const INIT: &str = "\
Examples:
  plimsoll init endpoint.yml blue-deployment.yml
  plimsoll init deployments/shop --body request.json --out shop.yml
  plimsoll init https://shop.westeurope.inference.ml.azure.com/score --key-env SCORING_KEY -b request.json";

/// For `plimsoll completions --help`.
pub(crate) const COMPLETIONS: &str = "\
Examples:
  source <(plimsoll completions bash)
  plimsoll completions zsh > ~/.zfunc/_plimsoll
  plimsoll completions fish > ~/.config/fish/completions/plimsoll.fish";

/// For `plimsoll import --help`.
pub(crate) const IMPORT: &str = "\
Examples:
  plimsoll import targets.txt load-test.yaml --key-env SCORING_KEY
  plimsoll import recorded.har --origin https://shop.example --out shop/scenario.yml
  k6 inspect script.js > options.json && plimsoll import options.json

What has no mapping is named, and is a comment of the scenario.";

/// For `plimsoll check --help`.
pub(crate) const CHECK: &str = "\
Examples:
  plimsoll check scenarios/*/*.yml
  plimsoll check blue.yml --endpoint-name shop --set model=azureml:prices:4";

/// For `plimsoll quota --help`.
pub(crate) const QUOTA: &str = "\
Examples:
  plimsoll quota -f blue-deployment.yml --region westeurope
  plimsoll quota -f scenario.yml --limits usages.json --json";

/// For `plimsoll autoscale calibrate --help`.
pub(crate) const AUTOSCALE_CALIBRATE: &str = "\
Examples:
  plimsoll autoscale calibrate results/low results/high --scenario low.yml --scenario high.yml
  plimsoll autoscale calibrate results/low --predict results/two-instances --scenario low.yml --scenario two.yml

Fitted are service times (and how they grow with the requests in an instance), overhead, errors and starts;
predicted are p50, p95 and p99 of response time and, with autoscale rules, the count of instances, for the very
arrivals of each run. A prediction holds if all of its interval is within 20 %, all together if the median is
within 8 %. Models that are wrong on purpose go through the same gate.

Exit codes: 0 the model holds, 3 it does not, 4 the runs are too short or too easy to say, 2 a folder or scenario
that will not do.";

/// For `plimsoll autoscale decide --help`.
pub(crate) const AUTOSCALE_DECIDE: &str = "\
Examples:
  plimsoll autoscale decide --rules setting.json --state state.json
  az monitor autoscale show -g GROUP -n NAME > setting.json
  echo '{\"now\": \"2026-11-28T10:00:00Z\", \"replicas\": 2, \"metrics\": \\
      [{\"name\": \"CpuUtilizationPercentage\", \"value\": 85}]}' | \\
      plimsoll autoscale decide --rules setting.json --state -

`plimsoll schema autoscale-state` says all that a state can hold.";

/// For `plimsoll autoscale lint --help`.
pub(crate) const AUTOSCALE_LINT: &str = "\
Examples:
  plimsoll autoscale lint setting.json
  plimsoll autoscale lint autoscale.sh --deployment blue.yml --service-time 20ms --ramp 10m
  plimsoll autoscale lint setting.json --format github

Exit codes:
    0  no errors (there may be warnings)
    2  a file cannot be read as rules
    3  errors in the rules";

/// For `plimsoll autoscale explain --help`.
pub(crate) const AUTOSCALE_EXPLAIN: &str = "\
Examples:
  plimsoll autoscale explain --rules setting.json --metrics cpu.csv --html explained.html
  plimsoll autoscale explain --rules setting.json --metrics cpu.csv --record record.jsonl
  plimsoll autoscale explain --rules setting.json --replay record.jsonl

The history does not answer to the decisions. Gaps in it are told, never filled.";

/// For `plimsoll autoscale translate --help`.
pub(crate) const AUTOSCALE_TRANSLATE: &str = "\
Examples:
  plimsoll autoscale translate rules.sh > hpa.json
  plimsoll autoscale translate scenarios/autoscale-hpa/hpa.yaml --json

Nothing is dropped in silence: what has no equivalent is told with its reason, and so is what is only near. With
steps of one and no tolerance upwards both decide the same count from the same state; over time they never do the
same, since Azure looks at whole minutes and waits out one cooldown for both directions.";

/// For `plimsoll autoscale tune --help`.
pub(crate) const AUTOSCALE_TUNE: &str = "\
Examples:
  plimsoll autoscale tune scenarios/autoscale-too-slow \\
      --within scenarios/autoscale-too-slow/bounds.yaml
  plimsoll autoscale tune scenario.yml --within bounds.yml --budget 5000 --out tuned
  plimsoll autoscale tune scenario.yml --within bounds.yml --resume tuned

The bounds name values of the rules' file and what they may be:
  parameters:
    - {name: out above, path: /properties/profiles/0/rules/0/metricTrigger/threshold, from: 40, to: 80, step: 5}
    - {name: cooldown, path: /properties/profiles/0/rules/0/scaleAction/cooldown, values: [PT1M, PT5M, PT10M]}
  allowed_violation: 2m

Exit codes: 0 found; 3 all violate longer than is allowed; 4 no candidate was tried on every load; 130 interrupted";

/// For `plimsoll autoscale what-if --help`.
pub(crate) const AUTOSCALE_WHAT_IF: &str = "\
Examples:
  plimsoll autoscale what-if results/night --scenario scenarios/autoscale-azure --rules faster.sh

Arrivals (in each second) and service times are those of the run; slots, limits and provisioning are the
scenario's. The run's own rules are simulated, too, so that the error of the model is seen.";

/// For `plimsoll endpoint --help`.
pub(crate) const ENDPOINT: &str = "\
Examples:
  plimsoll endpoint create -n shop -f endpoint.yml
  plimsoll endpoint invoke -n shop -r sample-request.json --deployment-name green
  plimsoll endpoint update -n shop --traffic \"blue=90 green=10\" --set tags.team=prices
  KEY=$(plimsoll endpoint get-credentials -n shop --query primaryKey -o tsv)
  plimsoll endpoint delete -n shop --yes
  plimsoll endpoint create -n shop --target azure -g GROUP -w WORKSPACE --dry-run

An endpoint goes on after the command, on a local host that the first one starts; `plimsoll host`
tells how it is looked at and stopped. With --target azure it is in a workspace of Azure ML, and
stays, and costs, until it is deleted.

Who asks Azure is found in this order: a token in PLIMSOLL_AZURE_TOKEN or the file that
PLIMSOLL_AZURE_TOKEN_FILE names; AZURE_CLIENT_SECRET or AZURE_FEDERATED_TOKEN_FILE with AZURE_TENANT_ID
and AZURE_CLIENT_ID; IDENTITY_ENDPOINT; `az login`. AZURE_TOKEN_CREDENTIALS picks one, such as
ManagedIdentityCredential.";

/// For `plimsoll deployment --help`.
pub(crate) const DEPLOYMENT: &str = "\
Examples:
  plimsoll deployment create -f blue-deployment.yml --all-traffic
  plimsoll deployment update -f blue-deployment.yml
  plimsoll deployment update -n blue -e shop --set instance_count=2 tags.owner=me
  plimsoll deployment get-logs -n blue -e shop --lines 50
  plimsoll deployment list -e shop -o table
  plimsoll deployment delete -n blue -e shop --yes

A deployment that does not come up is exit code 5, with the reason and the end of its log.";

/// For `plimsoll model --help`.
pub(crate) const MODEL: &str = "\
Examples:
  plimsoll model create -n prices -p model/prices.onnx
  plimsoll model create -f model.yml --version 4
  plimsoll model show -n prices -v 4
A deployment refers to it by `model: azureml:prices:4`.";

/// For `plimsoll environment --help`.
pub(crate) const ENVIRONMENT: &str = "\
Examples:
  plimsoll environment create -f environment.yml
  plimsoll environment create -n sk -v 2 -i IMAGE -c conda.yml
  plimsoll environment show -n sk -v 2 --query conda_file -o tsv
A deployment refers to it by `environment: azureml:sk:2`.";

/// For `plimsoll ab --help`.
pub(crate) const AB: &str = "\
Examples:
  plimsoll ab scenarios/quickstart --new model/smaller.onnx
  plimsoll ab scenarios/score-py --base git:main:scenarios/score-py --new scenarios/score-py
  plimsoll ab scenario.yml --base blue-deployment.yml --new green-deployment.yml --margin p99=10%

The folder of the results has those of each side (`base`, `new`), which `plimsoll report` and
`plimsoll compare` read, and comparison.html, comparison.md, comparison.json and junit.xml.

Exit codes:
    0  no change, or improved
    3  regressed
    4  inconclusive, or the two sides cannot be compared
    5  a deployment failed";

/// For `plimsoll aa --help`.
pub(crate) const AA: &str = "\
Examples:
  plimsoll aa scenarios/quickstart
  plimsoll aa scenario.yml -n 40 --block 5s --pairs 8 --out results/calibration

Each run brings both sides up anew, as `plimsoll ab` does. The folder has a folder of each run and
calibration.json.

Exit codes:
    0  done, and no more false alarms than were accepted, as far as so many runs can tell
    4  more false alarms than were accepted, or no run that counts
    5  a deployment failed";

/// For `plimsoll host --help`.
pub(crate) const HOST: &str = "\
Examples:
  plimsoll host                        serve here, until Ctrl-C
  plimsoll host start                  serve in the background; `plimsoll endpoint create` does so, too
  plimsoll host status -o table
  plimsoll host stop

What is known of the host in the background is in PLIMSOLL_STATE_DIR [default: plimsoll in the user's
state folder], which only you can read.";

/// For `plimsoll history --help`.
pub(crate) const HISTORY: &str = "\
A history is a plain folder with a file for each night, which may lie in a branch of git or in a cache of CI.
`plimsoll compare FOLDER… --baseline DIR` compares a night with the last good ones of it.

Examples:
  plimsoll history add history results/nightly-* --keep 400
  plimsoll history list history
  plimsoll history trend history --html trend.html";

/// For `plimsoll history add --help`.
pub(crate) const HISTORY_ADD: &str = "\
The folders are one night: what their runs differ by is not what nights differ by. Runs that are invalid,
cut off, or of different scenarios are refused.

Examples:
  plimsoll history add history results/nightly
  plimsoll history add history results/nightly-* --commit $GITHUB_SHA --keep 400";

/// For `plimsoll history trend --help`.
pub(crate) const HISTORY_TREND: &str = "\
Only nights like the last one are looked at: of the same scenario, load, objectives and machine. The others are
named. Found with change points of the mean (E-divisive), which random orders of the nights seldom show.

Examples:
  plimsoll history trend history
  plimsoll history trend history --metric p99 --margin p99=10% --html trend.html";

/// For `plimsoll compare --help`.
pub(crate) const COMPARE: &str = "\
Metrics: p50, p95, p99, p99.9, model-time (its median), error-rate, goodput. The margin is 5 % of a latency, 0.5
percentage points of the error rate and 1 of goodput unless `--margin` says otherwise.

Exit codes: 0 no change or improved, 3 regressed, 4 inconclusive, 2 the folders cannot be compared.

With `--baseline` all folders are of the new night, and the base is the last good nights of a history: those of the
same scenario, load, objectives and machine whose objectives were not breached, none from before the last change.
Each night is one value, and the new one is held against how much nights differ.

Two single runs show nothing of what differs from run to run: give at least three of each, better five of a minute
than one of five minutes; or with `--paired` at least eight of each that ran in turn.

Examples:
  plimsoll compare results/base results/new
  plimsoll compare results/base-* --new results/new-* --margin p99=10% --html comparison.html
  plimsoll compare results/nightly-* --baseline history --html comparison.html
  plimsoll compare results/base results/new --metric p99 --markdown - --junit junit.xml";

/// For `plimsoll help objectives`.
pub(crate) const OBJECTIVES: &str = "\
An objective is an indicator, a comparison and a threshold, over the run or in windows.

  p99 < 200ms                              the 99th percentile of response time, over the run
  p95 of service time < 50ms               from sending to the end of the answer
  p99.9 of send lag < 5ms                  how late the generator itself sends
  error rate < 1%                          arrivals without a right answer
  goodput >= 95% within 200ms              right answers within a limit, of all arrivals
  goodput > 450/s within 200ms             the same, per second

Of one stage, request or deployment (write `of deployment green` where a name is of two things):
  p99 of peak < 400ms      p99 of green < 200ms      error rate of explain of peak < 2%

In windows it is a statement of fact about this run; over the run it is judged with confidence 99 %:
  p99 < 200ms in every 10s                 no window may be wrong
  p99 < 200ms in 95% of 10s windows        one in twenty may be
  error rate < 1% over the run             as without it

Response time counts from the moment at which a request was due, and what got no right answer counts
as infinitely slow; `p99 < 200ms successes only` leaves that out. There is no mean and no max.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use plimsoll_monitor::Objective;

    #[test]
    fn what_is_shown_as_an_objective_is_one() {
        let starts = |line: &str| {
            let line = line.trim_start();
            line.starts_with('p') || line.starts_with("error rate") || line.starts_with("goodput")
        };
        let examples: Vec<&str> = OBJECTIVES
            .lines()
            .filter(|line| line.starts_with("  ") && starts(line))
            .flat_map(|line| line.split("  ").map(str::trim))
            .filter(|text| starts(text) && text.contains(['<', '>']))
            .collect();
        assert!(examples.len() >= 12, "{examples:?}");
        for example in examples {
            Objective::parse(example).unwrap_or_else(|error| panic!("{example}: {error}"));
        }
    }

    #[test]
    fn every_exit_code_is_explained() {
        use Exit::{Breached, Deployment, Inconclusive, Internal, Interrupted, Success, Usage};
        for exit in [Success, Internal, Usage, Breached, Inconclusive, Deployment, Interrupted] {
            let line = format!("  {}  ", exit.code());
            assert!(EXIT_CODES.lines().any(|text| text.contains(&line)), "{exit:?}");
        }
    }
}
