//! Long-running operations, as ARM has them: begun by a request, asked about until they are done.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use plimsoll_deploy::arm::wire::{OperationProgress, OperationStatus, ProvisioningState};
use uuid::Uuid;

use super::fault::Fault;
use super::stamp;

/// Operations that are remembered; the oldest are forgotten first.
const REMEMBERED: usize = 1_000;

/// Lines that an operation shows of its progress.
const LINES: usize = 500;

/// All operations that are remembered.
#[derive(Debug, Default)]
pub(super) struct Operations {
    by_id: BTreeMap<String, Arc<Operation>>,
    order: VecDeque<String>,
}

/// One operation.
#[derive(Debug)]
pub(super) struct Operation {
    /// `oe:` for an endpoint's, `odidp:` for a deployment's.
    pub(super) id: String,
    began: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    outcome: Option<Result<(), Fault>>,
    ended: Option<String>,
    before: usize,
    lines: VecDeque<String>,
}

impl Operations {
    /// Begins an operation.
    pub(super) fn begin(&mut self, kind: &str) -> Arc<Operation> {
        let id = format!("{kind}:{}:{}", Uuid::new_v4(), Uuid::new_v4());
        let operation =
            Arc::new(Operation { id: id.clone(), began: stamp::now(), state: Mutex::default() });
        self.by_id.insert(id.clone(), Arc::clone(&operation));
        self.order.push_back(id);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_id.remove(&oldest);
        }
        operation
    }

    /// The operation by that id.
    pub(super) fn get(&self, id: &str) -> Option<Arc<Operation>> {
        self.by_id.get(id).cloned()
    }
}

impl Operation {
    /// Says what is going on.
    pub(super) fn report(&self, line: String) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.lines.len() == LINES {
            state.lines.pop_front();
            state.before += 1;
        }
        state.lines.push_back(line);
    }

    /// Ends it.
    pub(super) fn finish(&self, outcome: Result<(), Fault>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.outcome = Some(outcome);
        state.ended = Some(stamp::now());
    }

    /// How it ended, if it did.
    pub(super) fn outcome(&self) -> Option<Result<(), Fault>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).outcome.clone()
    }

    /// What its status URL answers.
    pub(super) fn status(&self) -> OperationStatus {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let status = match &state.outcome {
            None => "InProgress",
            Some(Ok(())) => "Succeeded",
            Some(Err(fault)) if fault.state() == ProvisioningState::Canceled => "Canceled",
            Some(Err(_)) => "Failed",
        };
        let lines = state.lines.iter().cloned().collect();
        OperationStatus {
            id: self.id.clone(),
            name: self.id.clone(),
            status: status.to_owned(),
            error: state
                .outcome
                .as_ref()
                .and_then(|outcome| Some(outcome.as_ref().err()?.to_arm())),
            start_time: Some(self.began.clone()),
            end_time: state.ended.clone(),
            properties: OperationProgress { from: state.before, lines },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_ends_and_old_ones_are_forgotten() {
        let mut operations = Operations::default();
        let first = operations.begin("oe");
        assert_eq!(operations.get(&first.id).unwrap().status().status, "InProgress");
        first.finish(Err(Fault::bad_argument("no")));
        let status = first.status();
        assert_eq!(
            (status.status.as_str(), status.error.unwrap().code.as_str()),
            ("Failed", "BadArgument")
        );
        for _ in 0..REMEMBERED {
            operations.begin("oe");
        }
        assert!(operations.get(&first.id).is_none());
    }

    #[test]
    fn progress_is_bounded_and_numbered() {
        let operation = Operations::default().begin("oe");
        for number in 0..LINES + 3 {
            operation.report(number.to_string());
        }
        let progress = operation.status().properties;
        assert_eq!((progress.from, progress.lines.len()), (3, LINES));
        assert_eq!(progress.lines[0], "3");
    }
}
