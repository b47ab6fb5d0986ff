//! The screen: the state of the load, and what happens, on lines that stay.

use super::{Failure, Output, Sink, alert_event};
use crate::results::EventKind;
use crate::view::View;

impl Sink for View {
    fn take(&mut self, output: &Output<'_>) -> Result<(), Failure> {
        match output {
            Output::Interval(interval) => self.live(interval.live),
            // The stage is in the state of the load.
            Output::Event(event)
                if event.kind == EventKind::Phase && event.details.contains_key("stage") => {}
            Output::Event(event) => self.line(&*event.message),
            Output::Alert(alert) => self.line(alert_event(alert).message),
            Output::Begun { .. } | Output::Evaluation { .. } => {}
        }
        Ok(())
    }
}
