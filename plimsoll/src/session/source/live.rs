//! A run that happens: a load generator, a site that may go away, and a user at the keyboard.

mod scaling;

use std::time::{Duration, SystemTime};

use plimsoll_autoscale::controller::Controller;
use plimsoll_domain::{Moment, Snapshot, clock, with_causes};
use plimsoll_loadgen::{Error, Finished, LoadPlan, Running, Target};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{Event, Instances, Interrupt, Source};
use crate::session::secrets::Secrets;
use crate::session::site::Site;

pub(in crate::session) use scaling::Scaling;

/// Snapshots that may wait for the session; the generator merges further ones.
const SNAPSHOT_QUEUE: usize = 16;

/// Turns everything that can happen in a live run into events. Dropping it aborts the load.
pub(in crate::session) struct LiveSource<'a> {
    site: &'a mut Site,
    interrupt: &'a Interrupt,
    snapshots: mpsc::Receiver<Snapshot>,
    instances: Option<watch::Receiver<Vec<Instances>>>,
    running: Option<Running>,
    t0: Moment,
    /// Until it is told.
    first_due: Option<SystemTime>,
    /// Ends the schedule; what is in flight is waited for.
    stop: CancellationToken,
    /// Ends everything.
    abort: CancellationToken,
    secrets: Secrets,
    /// The load was cut by the user or by the end of the site, which is told once.
    is_cut: bool,
    /// What is told last, if something else had to be told before it.
    last: Option<Event>,
    /// Autoscale rules at work, if the scenario has any.
    scaling: Option<Scaling>,
    /// The newest count of instances.
    counted: Vec<Instances>,
}

impl<'a> LiveSource<'a> {
    /// Starts the load.
    pub(in crate::session) async fn start(
        plan: LoadPlan,
        target: Target,
        secrets: Secrets,
        site: &'a mut Site,
        controller: Option<Controller>,
        interrupt: &'a Interrupt,
    ) -> Result<Self, Error> {
        let (sender, snapshots) = mpsc::channel(SNAPSHOT_QUEUE);
        let stop = CancellationToken::new();
        let running = plan.start(target, sender, stop.clone()).await?;
        let (t0, abort) = (running.t0(), running.aborter());
        let instances = site.instances();
        let scaling = controller.and_then(|controller| site.scaling(controller));
        let first_due = Some(running.first_due());
        let running = Some(running);
        Ok(Self {
            site,
            interrupt,
            snapshots,
            instances,
            running,
            t0,
            first_due,
            stop,
            abort,
            secrets,
            is_cut: false,
            last: None,
            scaling,
            counted: Vec::new(),
        })
    }

    fn at(&self) -> Duration {
        clock::now().since(self.t0)
    }

    /// What is told after the last snapshot: the end, unless the site's comes first.
    async fn last(&mut self, stopping: bool) -> Event {
        let ended = self.ended().await;
        if stopping {
            return ended;
        }
        match self.site.gone().await {
            None => ended,
            Some(why) => {
                self.last = Some(ended);
                Event::Lost { at: self.at(), why }
            }
        }
    }

    async fn ended(&mut self) -> Event {
        let running = self.running.take().expect("a source is not asked after its last event");
        match running.finished().await {
            Ok(Finished { lost_workers: 0, stopped_early, .. }) => Event::Ended { stopped_early },
            Ok(Finished { lost_workers, .. }) => Event::Failed {
                why: format!("{lost_workers} of the load generator's workers ended early"),
            },
            Err(error) => {
                Event::Failed { why: format!("the load generator failed: {}", with_causes(&error)) }
            }
        }
    }
}

impl Source for LiveSource<'_> {
    fn stop(&mut self) {
        self.stop.cancel();
    }

    async fn next(&mut self) -> Event {
        if let Some(first_due) = self.first_due.take() {
            return Event::Begun { first_due };
        }
        if let Some(last) = self.last.take() {
            return last;
        }
        loop {
            if let Some(scaling) = &mut self.scaling {
                let happenings = scaling.turn(self.t0);
                if !happenings.is_empty() {
                    return Event::Scaling(happenings);
                }
                let before = self.counted.clone();
                scaling.count(&mut self.counted);
                if self.counted != before {
                    return Event::Instances { at: self.at(), instances: self.counted.clone() };
                }
            }
            let (stopping, aborting) = (self.is_cut, self.abort.is_cancelled());
            tokio::select! {
                told = due(&mut self.scaling, self.t0) => {
                    if let Some(told) = told {
                        return told;
                    }
                }
                snapshot = self.snapshots.recv() => return match snapshot {
                    Some(mut snapshot) => {
                        self.secrets.hide_in(&mut snapshot.generator.examples);
                        if let Some(scaling) = &mut self.scaling {
                            scaling.observe(&snapshot);
                        }
                        Event::Interval(Box::new(snapshot))
                    }
                    None => self.last(stopping).await,
                },
                mut instances = change(&mut self.instances) => {
                    if let Some(scaling) = &self.scaling {
                        scaling.count(&mut instances);
                    }
                    self.counted.clone_from(&instances);
                    return Event::Instances { at: self.at(), instances };
                }
                why = self.site.lost(), if !stopping => {
                    self.is_cut = true;
                    self.stop.cancel();
                    self.abort.cancel();
                    return Event::Lost { at: self.at(), why };
                }
                () = self.interrupt.stop.cancelled(), if !stopping => {
                    self.is_cut = true;
                    self.stop.cancel();
                    return Event::Interrupted { at: self.at() };
                }
                () = self.interrupt.abort.cancelled(), if !aborting => self.abort.cancel(),
            }
        }
    }
}

/// Waits until autoscale rules have something to do; for ever, if there are none.
async fn due(scaling: &mut Option<Scaling>, t0: Moment) -> Option<Event> {
    match scaling {
        Some(scaling) => scaling.wait(t0).await,
        None => std::future::pending().await,
    }
}

/// The next count of instances; never, if nobody counts.
async fn change(counts: &mut Option<watch::Receiver<Vec<Instances>>>) -> Vec<Instances> {
    if let Some(counts) = counts
        && counts.changed().await.is_ok()
    {
        return counts.borrow_and_update().clone();
    }
    std::future::pending().await
}
