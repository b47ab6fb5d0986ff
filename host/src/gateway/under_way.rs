//! A request that an instance works on, whether or not anybody still waits for it.
//!
//! Neither a timeout nor a caller that goes away reaches the model: an instance works on what it was given to the end. So
//! such a request keeps its slot until the instance has answered, and what it answers is thrown away. One that was not
//! given to an instance yet is forgotten at once.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use http_body_util::BodyExt;
use hyper::Response;
use tokio::runtime::Handle;

use super::Unanswered;
use super::answer::Body;

type Outcome = Result<Response<Body>, Unanswered>;

/// Whether an instance has the request.
#[derive(Debug, Clone, Default)]
pub(super) struct Given(Arc<AtomicBool>);

impl Given {
    /// An instance is being given the request, or did not get it.
    pub(super) fn set(&self, given: bool) {
        self.0.store(given, Ordering::Relaxed);
    }
}

/// What asks an instance. When it is dropped before it is done, it goes on by itself if an instance has the request.
pub(super) struct UnderWay {
    asking: Option<Pin<Box<dyn Future<Output = Outcome> + Send>>>,
    given: Given,
}

impl UnderWay {
    pub(super) fn new<F>(ask: impl FnOnce(Given) -> F) -> Self
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let given = Given::default();
        Self { asking: Some(Box::pin(ask(given.clone()))), given }
    }
}

impl Future for UnderWay {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let asking = self.asking.as_mut().expect("nobody polls what is done");
        let outcome = std::task::ready!(asking.as_mut().poll(context));
        self.asking = None;
        Poll::Ready(outcome)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let Some(asking) = self.asking.take().filter(|_| self.given.0.load(Ordering::Relaxed))
        else {
            return;
        };
        // Without one the host is ending, and the instance with it.
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            if let Ok(response) = asking.await {
                let _ = response.into_body().collect().await;
            }
        });
    }
}
