//! Wakes the task of a connection, but not for what that task itself does.
//!
//! An exchange is two futures in one task: the connection's work, and the wait for the answer. Each
//! wakes the other (the head of the answer has been read; its body is wanted; here it is), and each
//! such wake-up would have the whole task polled once more. Here they are noticed while the task is
//! being polled, and followed by another round in the same poll. So a request takes two polls: one
//! that sends it, and one that reads the answer.
//!
//! The same goes for handing over a request and for dropping what is left of an answer, outside of
//! such a poll but in the same task: [`Relay::quietly`].
//!
//! What wakes it from outside is the socket; nothing else has its waker while the task is not polled.
//!
//! A connection is polled and woken on one thread only, its worker's. The flags rest on that:
//! between threads a wake-up could be lost just as a poll ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};

/// Rounds in one poll. If more are wanted the task is polled again, so that the others get a turn.
const ROUNDS: usize = 8;

/// The waker of one connection.
pub(super) struct Relay {
    inner: Arc<Inner>,
    waker: Waker,
}

#[derive(Default)]
struct Inner {
    /// A task has the same waker all its life.
    task: OnceLock<Waker>,
    polling: AtomicBool,
    woken: AtomicBool,
    stirred: AtomicBool,
}

impl Wake for Inner {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Relaxed);
        if !self.polling.load(Ordering::Relaxed) {
            self.stirred.store(true, Ordering::Relaxed);
            self.wake_task();
        }
    }
}

impl Inner {
    fn wake_task(&self) {
        if let Some(task) = self.task.get() {
            task.wake_by_ref();
        }
    }
}

impl Default for Relay {
    fn default() -> Self {
        let inner = Arc::<Inner>::default();
        // What it is for has not been polled yet, so it wants to be.
        inner.woken.store(true, Ordering::Relaxed);
        inner.stirred.store(true, Ordering::Relaxed);
        let waker = Waker::from(Arc::clone(&inner));
        Self { inner, waker }
    }
}

impl Relay {
    /// Polls `work` until it is ready or nothing wakes it any more.
    pub(super) fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        mut work: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let Inner { task, polling, woken, .. } = &*self.inner;
        task.get_or_init(|| cx.waker().clone());
        polling.store(true, Ordering::Relaxed);
        let mut own = Context::from_waker(&self.waker);
        let mut polled = Poll::Pending;
        for _ in 0..ROUNDS {
            woken.store(false, Ordering::Relaxed);
            polled = work(&mut own);
            if polled.is_ready() || !woken.load(Ordering::Relaxed) {
                break;
            }
        }
        polling.store(false, Ordering::Relaxed);
        if polled.is_pending() && woken.load(Ordering::Relaxed) {
            self.inner.wake_task();
        }
        polled
    }

    /// Does what may wake `work`, and leaves it at that: the caller polls it next, or never again.
    pub(super) fn quietly<T>(&self, does: impl FnOnce() -> T) -> T {
        self.inner.polling.store(true, Ordering::Relaxed);
        let done = does();
        self.inner.polling.store(false, Ordering::Relaxed);
        done
    }

    /// Whether the socket has woken it since this was last asked, or has never been polled with its
    /// waker.
    pub(super) fn was_stirred(&self) -> bool {
        let was = self.inner.stirred.load(Ordering::Relaxed);
        if was {
            self.inner.stirred.store(false, Ordering::Relaxed);
        }
        was
    }

    /// Whether something has woken it since it was last polled.
    pub(super) fn was_woken(&self) -> bool {
        self.inner.woken.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn what_wakes_itself_is_polled_again_at_once_and_its_task_is_left_alone() {
        let task = Arc::<Count>::default();
        let waker = Waker::from(Arc::clone(&task));
        let mut cx = Context::from_waker(&waker);
        let relay = Relay::default();
        assert!(relay.was_woken(), "it wants its first poll");
        let mut rounds = 0;
        let polled = relay.poll(&mut cx, |own| {
            rounds += 1;
            own.waker().wake_by_ref();
            if rounds == 3 { Poll::Ready(()) } else { Poll::Pending }
        });
        assert_eq!((polled, rounds, task.0.load(Ordering::SeqCst)), (Poll::Ready(()), 3, 0));
        assert!(relay.was_stirred(), "it had never been polled before");
        assert!(!relay.was_stirred(), "what it does itself is not the socket");

        let mut kept = None;
        let polled = relay.poll(&mut cx, |own| {
            kept = Some(own.waker().clone());
            Poll::<()>::Pending
        });
        assert!(polled.is_pending() && !relay.was_woken());
        kept.unwrap().wake();
        assert!(relay.was_woken() && relay.was_stirred());
        assert_eq!(task.0.load(Ordering::SeqCst), 1, "what comes from outside wakes the task");
    }

    #[test]
    fn what_never_rests_lets_the_other_tasks_have_their_turn() {
        let task = Arc::<Count>::default();
        let waker = Waker::from(Arc::clone(&task));
        let relay = Relay::default();
        let mut rounds = 0;
        let polled = relay.poll(&mut Context::from_waker(&waker), |own| {
            rounds += 1;
            own.waker().wake_by_ref();
            Poll::<()>::Pending
        });
        assert!(polled.is_pending());
        assert_eq!((rounds, task.0.load(Ordering::SeqCst)), (ROUNDS, 1));
    }
}
