//! What Azure takes its time for, or does not get done: told to the host, so that it can be rehearsed.

use std::num::NonZeroU32;
use std::time::Duration;

/// All that is slower, or fails, beyond what this machine needs itself. By default nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rehearsal {
    /// Until an instance has its machine, before its process starts. One that is started again has it already.
    pub provisioning: Duration,
    /// Until a deployment has its image, before its first instance.
    pub image_build: Duration,
    /// How much older than now the newest metric is.
    pub metric_delay: Duration,
    /// Of each deployment the instance that never gets ready, counted from 1 over all that were ever started.
    pub failing_instance: Option<NonZeroU32>,
}

impl Rehearsal {
    /// Why the instance with that number, counted from 0, must fail; nothing if it need not.
    pub(super) fn fails(&self, number: u32) -> Option<String> {
        let failing = self.failing_instance.filter(|failing| failing.get() - 1 == number)?;
        Some(format!("the host was told that instance number {failing} of each deployment fails"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_instance_fails_and_no_other() {
        let rehearsal = Rehearsal { failing_instance: NonZeroU32::new(2), ..Rehearsal::default() };
        let failing: Vec<_> = (0..5).filter(|number| rehearsal.fails(*number).is_some()).collect();
        assert_eq!(failing, [1]);
        assert!((0..5).all(|number| Rehearsal::default().fails(number).is_none()));
    }
}
