//! Watches a step while it runs: takes the looks, and says when it is over.

use std::time::Duration;

use plimsoll_domain::{Class, Quantile, Snapshot, Tally};
use plimsoll_monitor::{Indicator, Judgement, Monitor, ValidityState, Verdict};

use super::{Asked, Load, Overload, Point, Search, Seen, State};

/// A step of a search that runs. It is told every interval, after the monitor was.
#[derive(Debug, Clone)]
pub struct Watch {
    search: Search,
    load: Load,
    overload: Overload,
    seen: Option<Seen>,
}

impl Watch {
    /// The step that the search asks for. Its monitor must look only [when asked].
    ///
    /// [when asked]: Monitor::looking_when_asked
    ///
    /// # Panics
    /// The search asks for none.
    pub fn new(search: &Search) -> Self {
        let load = search.next().expect("the search goes on");
        Self { search: search.clone(), load, overload: Overload::default(), seen: None }
    }

    /// The look that is to come.
    pub fn load(&self) -> &Load {
        &self.load
    }

    /// Takes an interval; returns whether the step is over.
    pub fn interval(&mut self, snapshot: &Snapshot, monitor: &mut Monitor) -> bool {
        let outcomes = snapshot.tallies.values();
        let (ended, good) = outcomes.fold((0, 0), |(ended, good), tally| {
            (ended + tally.ended(), good + tally.outcomes.of(Class::Ok))
        });
        let outstanding = snapshot.generator.in_flight + snapshot.generator.backlog;
        let is_overload = self.overload.second(outstanding, ended, good);
        let is_limited = monitor.validity() == Some(ValidityState::Invalid);
        let is_due = monitor.looked_at() >= self.load.until_s;
        if !(is_overload || is_due) {
            return false;
        }
        let judgements = monitor.look(self.load.confidence);
        let withheld = judgements.iter().any(|judgement| judgement.withheld);
        let state = if is_limited || withheld {
            State::Limited("the load generator could not send as the schedule asks".to_owned())
        } else if is_overload {
            State::Overloaded
        } else {
            State::Judged
        };
        let seen = self.seen(snapshot.end, monitor, &judgements, state);
        let more = self.search.more(&self.load, &seen);
        self.seen = Some(seen);
        match more {
            Some(more) => {
                self.load = more;
                false
            }
            None => true,
        }
    }

    /// What was seen at the last look. `end` is when the step ended, and whether `cut` by something
    /// else than this; a step that was cut keeps what it has, and says nothing.
    pub fn finish(self, end: Duration, monitor: &mut Monitor, cut: bool) -> Seen {
        let over = self.seen.clone().filter(|seen| self.search.more(&self.load, seen).is_none());
        match over {
            Some(seen) if !cut => seen,
            _ => {
                let judgements = monitor.look(self.load.confidence);
                self.seen(end, monitor, &judgements, State::Cut)
            }
        }
    }

    fn seen(&self, end: Duration, monitor: &Monitor, of: &[Judgement], state: State) -> Seen {
        Seen {
            measured_s: monitor.looked_at(),
            load_s: end.as_secs_f64(),
            confidence: self.load.confidence,
            state,
            objectives: of.iter().filter_map(asked).collect(),
            point: point(monitor.totals(), monitor.measured_time()),
            used: None,
        }
    }
}

/// How an objective stands; `None` for one that is no share of requests.
fn asked(judgement: &Judgement) -> Option<Asked> {
    let objective = &judgement.objective;
    let allowed = objective.allowed_share()?;
    let value = judgement.value.map_or(1.0, |value| value.number);
    let bad = match objective.indicator() {
        Indicator::Latency { .. } => {
            judgement.missed.map_or(1.0, |(bad, of)| bad as f64 / of as f64)
        }
        Indicator::ErrorRate => value,
        Indicator::Goodput { .. } => 1.0 - value,
    };
    let evidence = judgement.evidence.as_ref();
    let more_s = evidence.and_then(|evidence| evidence.more_time).map(|more| more.as_secs_f64());
    Some(Asked {
        verdict: judgement.verdict,
        allowed,
        bad: if judgement.value.is_none() { 1.0 } else { bad },
        effective: evidence
            .map_or(0.0, |evidence| judgement.samples as f64 / evidence.design_effect),
        more_s: more_s.filter(|_| judgement.verdict == Verdict::Inconclusive),
    })
}

fn point(totals: &Tally, measured: Duration) -> Point {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let response = |quantile| totals.response_quantile(quantile).and_then(Quantile::finite).map(ms);
    let ended = totals.ended().max(1) as f64;
    let share = |classes: &[Class]| {
        let counts = classes.iter().map(|class| totals.outcomes.of(*class));
        counts.sum::<u64>() as f64 / ended
    };
    let refused_admission = share(&[Class::RefusedAdmission]);
    let refused_rate = share(&[Class::RefusedRate, Class::Throttled]);
    let timed_out = share(&[Class::ServerTimeout, Class::ClientTimeout, Class::Dropped]);
    let disconnected = share(&[Class::Connect, Class::Tls, Class::Closed]);
    let bad = totals.infinite() as f64 / ended;
    Point {
        p50_ms: response(0.5),
        p99_ms: response(0.99),
        goodput_rps: totals.outcomes.of(Class::Ok) as f64 / measured.as_secs_f64().max(1e-9),
        refused_admission,
        refused_rate,
        disconnected,
        timed_out,
        failed: (bad - refused_admission - refused_rate - disconnected - timed_out).max(0.0),
        model_p50_ms: totals.model.quantile(0.5).map(ms),
        model_mean_ms: totals.model.mean().map(ms),
    }
}
