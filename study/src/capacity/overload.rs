//! When a rate is so far above what the endpoint carries that nothing needs to be inferred.

/// Seconds in a row that show it.
const SECONDS: u32 = 10;

/// Sees an overload while a step runs, also while it settles.
///
/// For ten seconds in a row the backlog grew, answers came, and not one of them was right and in
/// time. Endpoints that stand still for a while answer nothing meanwhile, and are not called
/// overloaded. This is no statistics, and spends nothing of the error.
#[derive(Debug, Clone, Copy, Default)]
pub struct Overload {
    seconds: u32,
    outstanding: u64,
}

impl Overload {
    /// Takes a second: how many requests wait or are under way at its end, how many ended, and how
    /// many of these were right and in time. Returns whether it is an overload.
    pub fn second(&mut self, outstanding: u64, ended: u64, good: u64) -> bool {
        let grew = outstanding > self.outstanding;
        self.outstanding = outstanding;
        self.seconds = if grew && ended > 0 && good == 0 { self.seconds + 1 } else { 0 };
        self.seconds >= SECONDS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_that_grows_for_ten_seconds_is_an_overload() {
        let mut overload = Overload::default();
        assert!((1..10).all(|second| !overload.second(second * 20, 100, 0)));
        assert!(overload.second(200, 100, 0));
    }

    #[test]
    fn a_stall_and_a_single_right_answer_are_none() {
        let mut stall = Overload::default();
        assert!((1..100).all(|second| !stall.second(second * 100, 0, 0)));
        let mut slow = Overload::default();
        assert!((1..100).all(|second| !slow.second(second, 100, u64::from(second % 9 == 0))));
        let mut steady = Overload::default();
        assert!((1..100).all(|_| !steady.second(10_000, 100, 0)));
    }
}
