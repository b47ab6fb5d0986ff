//! Mirrored traffic: a copy of a request for a second deployment, whose answer nobody gets.
//!
//! The body is read whole before either deployment is asked, as it must be sent twice. The copy is admitted, timed out and
//! counted like any request of that deployment, and what becomes of it changes nothing for the caller. Copies wait for
//! nobody: as many may be under way as the deployment admits.

use std::sync::Arc;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response};

use super::answer::Body;
use super::{Unanswered, forward};
use crate::connection::Sent;
use crate::routes::Route;

/// Sends a copy to the mirror's deployment and returns the request, whose body is here then.
pub(super) async fn copy(
    request: Request<Incoming>,
    limit: usize,
    mirror: &Route,
) -> Result<Request<Sent>, Unanswered> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, limit).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() { Unanswered::TooLarge } else { Unanswered::Broken }
    })?;
    let bytes = body.to_bytes();
    let whole = || Sent::Whole(Full::new(bytes.clone()));
    tokio::spawn(discard(Request::from_parts(head.clone(), whole()), mirror.clone()));
    Ok(Request::from_parts(head, whole()))
}

/// Asks, and reads the answer to its end.
async fn discard(request: Request<Sent>, mirror: Route) {
    let pool = Arc::clone(&mirror.pool);
    let asking = async {
        if let Ok(response) = forward(&pool, request).await {
            let _ = Response::<Body>::into_body(response).collect().await;
        }
    };
    let _ = tokio::time::timeout(mirror.timeout, asking).await;
}
