//! The HTTP face of an instance. It is measured, so it does little: one parse, one score, one
//! answer, on the connection's own task.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, SERVER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use plimsoll_domain::clock;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::Scorer;
use super::model::Refusal;
use super::synthetic::Slots;

const RUN_TIME: HeaderName = HeaderName::from_static("x-ms-run-fn-exec-ms");
const RUN_FAILED: HeaderName = HeaderName::from_static("x-ms-run-function-failed");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
/// What is in flight when the instance ends has this long to finish.
const DRAIN: Duration = Duration::from_secs(10);

struct Shared {
    scorer: Scorer,
    slots: Slots,
}

/// Serves until `shutdown`, then finishes what is in flight.
pub(super) async fn serve(
    listener: TcpListener,
    scorer: Scorer,
    slots: Slots,
    shutdown: impl Future<Output = ()>,
) {
    let shared = Arc::new(Shared { scorer, slots });
    let graceful = GracefulShutdown::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, say: those of others will end, and free some.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        drop(stream.set_nodelay(true));
        let shared = Arc::clone(&shared);
        let service = service_fn(move |request| {
            let shared = Arc::clone(&shared);
            async move { Ok::<_, Infallible>(answer(&shared, request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move { drop(connection.await) });
    }
    drop(listener);
    drop(tokio::time::timeout(DRAIN, graceful.shutdown()).await);
}

async fn answer(shared: &Arc<Shared>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let id = request.headers().get(REQUEST_ID).cloned();
    let mut response = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/") => plain(StatusCode::OK, TEXT, "Healthy"),
        (&Method::POST, "/score") => {
            // A task of its own: it goes on when the caller leaves, as the official server's worker does.
            let scoring = tokio::spawn(score(Arc::clone(shared), request));
            scoring.await.unwrap_or_else(|_| {
                message(StatusCode::INTERNAL_SERVER_ERROR, "the instance has a fault of its own")
            })
        }
        (_, "/" | "/score") => {
            message(StatusCode::METHOD_NOT_ALLOWED, "this method is not allowed here")
        }
        _ => message(StatusCode::NOT_FOUND, "there is nothing here; POST to /score"),
    };
    let id = id.unwrap_or_else(|| {
        HeaderValue::from_str(Uuid::new_v4().hyphenated().encode_lower(&mut Uuid::encode_buffer()))
            .expect("a UUID is ASCII")
    });
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    headers.insert(SERVER, HeaderValue::from_static("plimsoll"));
    response
}

async fn score(shared: Arc<Shared>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let body = match request.into_body().collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return message(StatusCode::BAD_REQUEST, "the body did not arrive whole"),
    };
    let Some(slot) = shared.slots.take().await else {
        return message(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many requests wait for this instance",
        );
    };
    let start = clock::now();
    let result = match &shared.scorer {
        Scorer::Model(model) => {
            model.score(&body).map_err(|refusal| (status_of(&refusal), refusal.to_string()))
        }
        Scorer::Synthetic(service) => {
            let (time, right) = service.next();
            match slot.hold(time).await {
                Ok(()) if right => Ok("[0.0]".to_owned()),
                Ok(()) => Err((StatusCode::INTERNAL_SERVER_ERROR, "a synthetic error".to_owned())),
                Err(error) => Err((StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
            }
        }
    };
    let took = clock::now().since(start);
    drop(slot);
    let failed = matches!(&result, Err((StatusCode::INTERNAL_SERVER_ERROR, _)));
    let mut response = match result {
        Ok(predictions) => plain(StatusCode::OK, JSON, predictions),
        Err((status, text)) => message(status, &text),
    };
    let headers = response.headers_mut();
    let took = format!("{:.3}", took.as_secs_f64() * 1e3);
    headers.insert(RUN_TIME, HeaderValue::from_str(&took).expect("a number is ASCII"));
    headers.insert(RUN_FAILED, HeaderValue::from_static(if failed { "True" } else { "False" }));
    response
}

/// Whose fault it is: the model's, or the caller's.
fn status_of(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Score(_) => StatusCode::INTERNAL_SERVER_ERROR,
        Refusal::Form(_) | Refusal::Width { .. } | Refusal::Whole { .. } => StatusCode::BAD_REQUEST,
    }
}

fn message(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    plain(status, JSON, serde_json::json!({ "message": text }).to_string())
}

fn plain(
    status: StatusCode,
    content_type: HeaderValue,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
