//! The highest rate at which the objectives hold, as an interval: a search that may be looked at.
//!
//! A search runs *steps*. A step loads one rate, lets it settle, and measures. It is looked at only
//! after 32, 64, 128, … 1,024 s, when the measured time has 32 batches, and the verdict of
//! [`plimsoll_monitor`] at that look (dependent requests, effective samples) is final for the step.
//! A met step raises the low end, a breached one lowers the high end, and an undecided one bounds the
//! next probe from both sides. The answer is **[highest met, lowest breached]**.
//!
//! **The error is spent.** A search looks many times, so each look has a part of the allowed error α
//! and no more: see [`budget`]. Whichever look decides, all verdicts together are right with
//! 1 − α, and with them the interval: it holds the true rate unless one of them is wrong. That needs
//! one thing of the endpoint: that it does not get better with more load.
//!
//! **Where to look next**: until something is breached, half as much again, with one look at each; then
//! beside the rate at which the [fitted](Fit) share of bad requests crosses what the objective
//! allows, on the side that is still wider ([`probe`]). Where to look never makes a verdict wrong, as
//! each step's requests are its own.
//!
//! **Not waited for**: a step whose look says that the longest one would not decide ends as
//! undecided; a rate under which the backlog only grows ends as breached ([`Overload`], which is no
//! statistics and spends nothing).
//!
//! **Confirmed**: the last step runs at 0.95 × the low end, with an error of its own. An endpoint
//! that was met there before and is breached now has changed: it says [`Ending::NotConfirmed`].
//!
//! Limits: what differs between runs of one endpoint (placement, neighbours) is not in the interval;
//! a level that drifts with a time constant above some 10 s is seen late (see the monitor's text).

mod answer;
mod bound;
mod budget;
mod fit;
mod overload;
mod probe;
mod step;
#[cfg(test)]
mod tests;
mod used;
mod watch;

pub use answer::{Answer, Confirmation, Ending, Knee};
pub use bound::Bound;
pub use budget::{FIRST_LOOK_S, MOST_LOOKS};
pub use fit::Fit;
pub use overload::Overload;
pub use step::{Asked, Point, Purpose, Seen, State, Step};
pub use used::Used;
pub use watch::Watch;

use plimsoll_monitor::Verdict;

use budget::Budget;
use probe::Where;

/// What is asked of a search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// The first rate, requests per second.
    pub start_rps: f64,
    /// Rates above are not tried.
    pub ceiling_rps: f64,
    /// Rates below are not tried.
    pub floor_rps: f64,
    /// With which the interval holds the true rate, such as 0.95.
    pub confidence: f64,
    /// How wide the interval may be, as a share of its low end: it ends the search.
    pub width: f64,
    /// Seconds of load, with what settles, after which no further step or look begins. The
    /// confirmation is beyond it.
    pub load_s: f64,
    /// Steps at most, without the confirmation.
    pub steps: u32,
    /// Looks at a step at most, at doubled times from 32 s on; 1 to [`MOST_LOOKS`].
    pub looks: u32,
    /// Objectives over the run that are judged.
    pub objectives: u32,
    /// Whether the highest rate that was met is tried again after the first overload: an endpoint
    /// may be the worse for it.
    pub recheck: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            start_rps: 10.0,
            ceiling_rps: 10_000.0,
            floor_rps: 0.1,
            confidence: 0.95,
            width: 0.1,
            load_s: 3600.0,
            steps: 20,
            looks: MOST_LOOKS,
            objectives: 1,
            recheck: true,
        }
    }
}

/// A look that a step is to come to: what to load, and until when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// From 0, over the whole search.
    pub step: u32,
    /// What it is for.
    pub purpose: Purpose,
    /// Requests per second.
    pub rate_rps: f64,
    /// Whether a new step begins, which settles first; else more of the same is asked for.
    pub fresh: bool,
    /// Measured seconds at which it is looked at.
    pub until_s: u64,
    /// Measured seconds that the step may come to.
    pub longest_s: u64,
    /// The confidence of the look.
    pub confidence: f64,
}

/// A search for the highest rate.
#[derive(Debug, Clone)]
pub struct Search {
    settings: Settings,
    budget: Budget,
    steps: Vec<Step>,
    /// What goes on or comes next.
    next: Option<Load>,
    /// What ended it, apart from having found the interval.
    ending: Option<Ending>,
    confirmation: Option<Confirmation>,
}

impl Search {
    /// A search that has loaded nothing.
    ///
    /// # Panics
    /// Settings outside their ranges.
    pub fn new(settings: Settings) -> Self {
        let Settings { start_rps, ceiling_rps, floor_rps, confidence, looks, .. } = settings;
        assert!((0.5..1.0).contains(&confidence), "confidence is from 0.5 to below 1");
        assert!((1..=MOST_LOOKS).contains(&looks), "1 to {MOST_LOOKS} looks");
        assert!(0.0 < floor_rps && floor_rps <= start_rps && start_rps <= ceiling_rps, "rates");
        assert!(settings.steps > 0 && settings.objectives > 0 && settings.width > 0.0, "above 0");
        let budget = Budget::new(&settings);
        let mut search = Self {
            settings,
            budget,
            steps: Vec::new(),
            next: None,
            ending: None,
            confirmation: None,
        };
        search.next = Some(search.begin(settings.start_rps, Purpose::Search));
        search
    }

    /// What to load next; `None` once the answer is there.
    pub fn next(&self) -> Option<Load> {
        self.next
    }

    /// Whether more of the same is to be loaded, after what was seen at this look.
    pub fn more(&self, load: &Load, seen: &Seen) -> Option<Load> {
        let step = Step::new(load, seen.clone());
        let time_left = self.settings.load_s - self.load_s() - seen.load_s;
        self.budget.after(*load, &step, time_left)
    }

    /// What was asked.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Every step so far, in their order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Seconds of load so far, with what settled.
    pub fn load_s(&self) -> f64 {
        self.steps.iter().map(|step| step.seen.load_s).sum()
    }

    /// Takes what was seen of a step that is over.
    ///
    /// # Panics
    /// Nothing was to be loaded.
    pub fn observe(&mut self, seen: Seen) {
        let load = self.next.expect("something is loaded");
        self.steps.push(Step::new(&load, seen));
        self.next = self.after_step();
    }

    /// The search is to end now: what is known is the answer.
    pub fn interrupt(&mut self) {
        self.next = None;
        self.ending.get_or_insert(Ending::Interrupted);
    }

    /// What is known.
    pub fn answer(&self) -> Answer {
        Answer::new(self)
    }

    /// A step that begins.
    fn begin(&self, rate_rps: f64, purpose: Purpose) -> Load {
        let step = self.steps.len() as u32;
        self.budget.first(step, rate_rps, purpose, self.most_looks(purpose, rate_rps))
    }

    /// How often a step may be looked at. As long as nothing is breached, what is not decided at once
    /// is passed by: at a higher rate there is more to see. Not the first step, where an endpoint may be
    /// the worse for an overload: without a rate that was met before, nobody would see it.
    fn most_looks(&self, purpose: Purpose, rate_rps: f64) -> u32 {
        let is_kept = self.settings.recheck && self.steps.is_empty();
        let is_passed_by =
            self.lowest_breached().is_none() && rate_rps < self.settings.ceiling_rps && !is_kept;
        let most = match purpose {
            Purpose::Search if is_passed_by => 1,
            Purpose::Recheck => 2,
            Purpose::Search | Purpose::Confirm => MOST_LOOKS,
        };
        most.min(self.settings.looks)
    }

    /// What comes after a step that is over.
    fn after_step(&mut self) -> Option<Load> {
        let step = self.steps.last().expect("a step is over");
        match (step.purpose, &step.seen.state) {
            (_, State::Cut) => {
                self.ending.get_or_insert(Ending::Interrupted);
                return None;
            }
            (purpose, State::Limited(why)) => {
                let (rate_rps, why) = (step.rate_rps, why.clone());
                let before = self.steps.iter().rev().nth(1);
                let again = before.is_some_and(|before| {
                    before.is_limited() && (before.rate_rps - rate_rps).abs() < f64::EPSILON
                });
                if again || self.is_spent() {
                    self.ending = Some(Ending::Generator { rate_rps, why });
                    return None;
                }
                return Some(self.begin(rate_rps, purpose));
            }
            (Purpose::Confirm, _) => {
                let confirmation = Confirmation::of(step);
                if confirmation.verdict == Verdict::Breached {
                    self.ending = Some(Ending::NotConfirmed { rate_rps: step.rate_rps });
                }
                self.confirmation = Some(confirmation);
                return None;
            }
            (Purpose::Recheck, _) if step.verdict() == Verdict::Breached => {
                self.ending = Some(Ending::Degraded { rate_rps: step.rate_rps });
                return None;
            }
            _ => {}
        }
        if let Some(rate) = self.to_recheck() {
            return Some(self.begin(rate, Purpose::Recheck));
        }
        let place = if self.is_spent() { None } else { Some(self.place()) };
        match place {
            Some(Where::At(rate)) => Some(self.begin(rate, Purpose::Search)),
            Some(Where::Nowhere(ending)) => {
                self.ending = Some(ending);
                self.confirm()
            }
            Some(Where::Found) => self.confirm(),
            None => {
                let both = self.highest_met().and(self.lowest_breached());
                self.ending = both.is_none().then_some(Ending::Spent);
                self.confirm()
            }
        }
    }

    fn place(&self) -> Where {
        probe::next(&self.settings, &self.steps, Fit::new(&self.steps).as_ref())
    }

    /// Whether no further step may begin.
    fn is_spent(&self) -> bool {
        let shortest = FIRST_LOOK_S as f64;
        self.steps.len() as u32 >= self.settings.steps
            || self.load_s() + shortest > self.settings.load_s
    }

    /// The rate to try again after the first overload.
    fn to_recheck(&self) -> Option<f64> {
        let step = self.steps.last().filter(|step| step.verdict() == Verdict::Breached)?;
        let met = self.highest_met()?;
        let first =
            self.steps.iter().filter(|each| each.verdict() == Verdict::Breached).count() == 1;
        let wanted = self.settings.recheck && first && step.rate_rps > met && !self.is_spent();
        wanted.then_some(met)
    }

    /// The confirmation, if there is something to confirm.
    fn confirm(&self) -> Option<Load> {
        let low = self.highest_met().filter(|_| self.lowest_breached().is_some())?;
        Some(self.begin(CONFIRM_AT * low, Purpose::Confirm))
    }

    fn highest_met(&self) -> Option<f64> {
        step::highest_met(&self.steps)
    }

    fn lowest_breached(&self) -> Option<f64> {
        step::lowest_breached(&self.steps)
    }
}

/// The rate of the confirmation, as a share of the low end.
const CONFIRM_AT: f64 = 0.95;
