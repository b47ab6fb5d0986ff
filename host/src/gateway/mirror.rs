//! Mirrored traffic: a copy of a request for a second deployment, whose answer nobody gets.
//!
//! The body is read whole before either deployment is asked, as it must be sent twice. The copy is admitted, timed out and
//! counted like any request of that deployment, and what becomes of it changes nothing for the caller. Copies wait for
//! nobody: as many may be under way as the deployment admits.

use std::sync::Arc;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::{Request, StatusCode};
use plimsoll_domain::clock;

use super::under_way::UnderWay;
use super::{Unanswered, answer, answer_in_its_place, forward, headers, mark};
use crate::connection::Sent;
use crate::gate::Gate;
use crate::metrics::Meter;
use crate::routes::Route;
use crate::usage::minute;

/// Sends a copy to the mirror's deployment and returns the request, whose body is here then.
pub(super) async fn copy(
    request: Request<Incoming>,
    limit: usize,
    mirror: Route,
    meter: Arc<Meter>,
    gate: &Gate,
) -> Result<Request<Sent>, Unanswered> {
    let (head, body) = request.into_parts();
    let known = body.size_hint().exact().is_some();
    let body = Limited::new(body, limit).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() { Unanswered::TooLarge } else { Unanswered::Broken }
    })?;
    let bytes = body.to_bytes();
    // Copies take of the endpoint's bandwidth, too; nobody waits for it, but for what comes after them.
    let copies = if known { 1 } else { 2 };
    let _ = gate.delay(copies * bytes.len() as u64);
    let whole = || Sent::Whole(Full::new(bytes.clone()));
    tokio::spawn(discard(Request::from_parts(head.clone(), whole()), mirror, meter));
    Ok(Request::from_parts(head, whole()))
}

/// Asks, counts the answer, and reads it to its end.
async fn discard(request: Request<Sent>, mirror: Route, meter: Arc<Meter>) {
    let pool = Arc::clone(&mirror.pool);
    let began = clock::now();
    let asking = UnderWay::new(async move |given| forward(&pool, request, &given).await);
    let mut response = match tokio::time::timeout(mirror.timeout, asking).await {
        Ok(Ok(response)) => response,
        Ok(Err(unanswered)) => answer_in_its_place(&unanswered),
        Err(_) => answer::empty(StatusCode::REQUEST_TIMEOUT),
    };
    mark(&mut response, &mirror);
    let took = clock::now().since(began);
    meter.answered(headers::told(&response), took, minute());
    let rest = mirror.timeout.saturating_sub(took);
    let _ = tokio::time::timeout(rest, response.into_body().collect()).await;
}
