//! The data plane of one endpoint: who may call, which deployment answers, what goes wrong how.
//!
//! | Answer | When | `ms-azureml-model-error-reason` |
//! |---|---|---|
//! | 200 | the model answered 200 in time | |
//! | 401 | no key or token, a wrong one, or one that is over | |
//! | 404 | another path, or no deployment by that name or with a weight | |
//! | 408 | waiting and work took longer than `request_timeout_ms` | |
//! | 413 | the body is larger than 1.5 MB | |
//! | 424 | the model answered anything else; its body is passed on | `model_error` |
//! | 424 | the instance broke off (502 as its status) | `model_error` |
//! | 424 | no instance is ready (503 as its status) | `model_not_ready` |
//! | 429 | more than `2 × max_concurrent × ready instances` requests at a time | `too_many_pending_request` |
//! | 429 | more requests a second than the endpoint's limit; the body says so | |
//!
//! A request that timed out, or whose caller went away, is no longer waited for, but the instance goes on working on it, and
//! it keeps its slot until the instance has answered ([`under_way`]): an overload outlasts its callers, as on Azure. An
//! answer of known and small size is read within the timeout; a longer or chunked one is passed on as it comes, and the
//! timeout then holds up to its first byte.
//!
//! A share of the requests that name no deployment is mirrored: a second deployment is asked the same, and its answer is
//! thrown away ([`mirror`]).
//!
//! The limits of an endpoint over all its deployments are Azure's, unless its properties name others
//! ([`plimsoll_deploy::limits`]): requests and connections beyond them are refused, bytes wait ([`paced`]).

mod answer;
mod callers;
mod headers;
mod mirror;
mod paced;
mod under_way;

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use plimsoll_deploy::admission::Refusal;
use plimsoll_deploy::limits::EndpointLimits;
use plimsoll_domain::clock;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use uuid::Uuid;

use answer::Body;
use headers::Ids;
use under_way::{Given, UnderWay};

pub(super) use callers::{Callers, DATA_PLANE, same_secret};

use super::connection::Sent;
use super::gate::Gate;
use super::metrics::Meter;
use super::pool::{Admission, Lease, Pool};
use super::routes::{Route, Routes};
use super::upstream::{self, Failure};
use super::usage::minute;

/// Answers up to this size are read whole before they are passed on.
const WHOLE: u64 = 256 * 1024;

/// Bodies of requests up to this size: what Azure's documentation named with the 413 when it last named a size.
const BODY_LIMIT: usize = 1536 * 1024;

/// Instances that are asked before a request is given up as undeliverable.
const ATTEMPTS: usize = 3;

/// An endpoint's data plane.
#[derive(Debug)]
pub(super) struct Gateway {
    callers: RwLock<Arc<Callers>>,
    routes: RwLock<Arc<Routes>>,
    random: Mutex<Pcg64>,
    /// Where the requests' ids come from: no seed gives it, because no two runs may have one in common.
    names: Mutex<Pcg64>,
    meter: Arc<Meter>,
    gate: Arc<Gate>,
}

/// Why a request got no answer from the model.
enum Unanswered {
    Refused(Refusal),
    Broken,
    TooLarge,
}

impl From<Refusal> for Unanswered {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Gateway {
    /// A gateway without deployments. The weights and the mirrored share draw from `seed`.
    pub(super) fn new(callers: Callers, limits: EndpointLimits, seed: u64) -> Self {
        let random = Mutex::new(Pcg64::seed_from_u64(seed));
        let names = Pcg64::new(Uuid::new_v4().as_u128(), Uuid::new_v4().as_u128());
        let names = Mutex::new(names);
        let callers = RwLock::new(Arc::new(callers));
        let (routes, meter, gate) =
            (RwLock::default(), Arc::default(), Arc::new(Gate::new(limits)));
        Self { callers, routes, random, names, meter, gate }
    }

    /// Changes who may call, for requests from now on.
    pub(super) fn set_callers(&self, callers: Callers) {
        *self.callers.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(callers);
    }

    /// Changes the deployments or their weights, for requests from now on.
    pub(super) fn set_routes(&self, routes: Routes) {
        *self.routes.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(routes);
    }

    /// What it lets through.
    pub(super) fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// What was answered, minute by minute.
    pub(super) fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// Answers one request.
    pub(super) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let began = clock::now();
        let ids = Ids::read(request.headers(), self.name());
        let mut request_delay = Duration::ZERO;
        let mut response = self.decide(request, &ids, &mut request_delay).await;
        ids.write(response.headers_mut());
        self.meter.answered(headers::told(&response), clock::now().since(began), minute());
        paced::answer(&self.gate, response, request_delay)
    }

    async fn decide(
        &self,
        mut request: Request<Incoming>,
        ids: &Ids,
        delay: &mut Duration,
    ) -> Response<Body> {
        let callers = Arc::clone(&self.callers.read().unwrap_or_else(PoisonError::into_inner));
        if !callers.may_call(request.headers().get(hyper::header::AUTHORIZATION)) {
            let text = "the key or token is missing, wrong or over";
            return answer::text(StatusCode::UNAUTHORIZED, text);
        }
        if !self.gate.takes_request() {
            let text = "the endpoint's limit of requests per second is reached";
            return answer::text(StatusCode::TOO_MANY_REQUESTS, text);
        }
        if !matches!(request.uri().path(), "/score" | "/" | "/swagger.json") {
            return answer::text(
                StatusCode::NOT_FOUND,
                "only /score, /swagger.json and / are here",
            );
        }
        if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
            return answer::empty(StatusCode::METHOD_NOT_ALLOWED);
        }
        let routes = Arc::clone(&self.routes.read().unwrap_or_else(PoisonError::into_inner));
        let named = request.headers().get("azureml-model-deployment").cloned();
        let Some(route) = routes.pick(named.as_ref(), |below| self.draw_below(below)) else {
            return answer::text(
                StatusCode::NOT_FOUND,
                "no deployment by that name or with a weight",
            );
        };
        headers::prepare_request(request.headers_mut(), ids);
        let mut response = if request.body().size_hint().lower() > BODY_LIMIT as u64 {
            answer_in_its_place(&Unanswered::TooLarge)
        } else {
            *delay = paced::request(&self.gate, &request).await;
            let mirror = routes.mirror.as_ref().filter(|_| named.is_none());
            let mirror = mirror.filter(|mirror| self.draw_below(100) < u32::from(mirror.weight));
            let mirror = mirror.map(|mirror| (mirror.clone(), Arc::clone(&self.meter)));
            let gate = Arc::clone(&self.gate);
            let pool = Arc::clone(&route.pool);
            let answering = UnderWay::new(async move |given| {
                let request = match mirror {
                    None => request.map(|body| {
                        let unknown = body.size_hint().exact().is_none();
                        Sent::Passing(Limited::new(body, BODY_LIMIT), unknown.then_some(gate))
                    }),
                    Some((mirror, meter)) => {
                        mirror::copy(request, BODY_LIMIT, mirror, meter, &gate).await?
                    }
                };
                forward(&pool, request, &given).await
            });
            match tokio::time::timeout(route.timeout, answering).await {
                Err(_) => answer::text(StatusCode::REQUEST_TIMEOUT, "upstream request timeout"),
                Ok(Ok(response)) => response,
                Ok(Err(unanswered)) => answer_in_its_place(&unanswered),
            }
        };
        mark(&mut response, route);
        response
    }

    /// An id that no other request has, in this run or another. The system's own random numbers cost a call of the
    /// system each.
    fn name(&self) -> Uuid {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        uuid::Builder::from_random_bytes(names.random()).into_uuid()
    }

    fn draw_below(&self, below: u32) -> u32 {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).random_range(0..below)
    }
}

/// Waits for an instance and asks it; another one if it cannot be reached.
async fn forward(
    pool: &Arc<Pool>,
    mut request: Request<Sent>,
    given: &Given,
) -> Result<Response<Body>, Unanswered> {
    let mut avoid = None;
    for _ in 0..ATTEMPTS {
        let mut lease = match pool.admit(avoid) {
            Admission::Granted(lease) => lease,
            Admission::Waiting(pending) => pending.await?,
            Admission::Refused(refusal) => return Err(refusal.into()),
        };
        let sent = clock::now();
        given.set(true);
        match upstream::send(&mut lease, request).await {
            Ok(response) => {
                let mut response = relay(response, lease).await?;
                headers::write_model_time(response.headers_mut(), clock::now().since(sent));
                return Ok(response);
            }
            Err(Failure::NotSent(again)) => {
                given.set(false);
                avoid = Some(lease.instance);
                request = *again;
            }
            Err(Failure::Broken) => return Err(Unanswered::Broken),
            Err(Failure::TooLarge) => return Err(Unanswered::TooLarge),
        }
    }
    Err(Refusal::NotReady.into())
}

/// Passes an instance's answer on. The instance stays taken until the answer is through.
async fn relay(response: Response<Incoming>, lease: Lease) -> Result<Response<Body>, Unanswered> {
    let (mut head, body) = response.into_parts();
    headers::prepare_answer(&mut head);
    let is_small = body.size_hint().exact().is_some_and(|size| size <= WHOLE);
    let mut body = Body::passing(body, lease);
    if is_small {
        let bytes = body.collect().await.map_err(|_| Unanswered::Broken)?.to_bytes();
        body = Body::whole(bytes);
    }
    Ok(Response::from_parts(head, body))
}

fn answer_in_its_place(unanswered: &Unanswered) -> Response<Body> {
    match unanswered {
        Unanswered::Refused(Refusal::TooMany) => {
            let mut response = answer::empty(StatusCode::TOO_MANY_REQUESTS);
            headers::write_reason(response.headers_mut(), "too_many_pending_request");
            response
        }
        Unanswered::Refused(Refusal::NotReady) => answer::model_error(
            StatusCode::SERVICE_UNAVAILABLE,
            "model_not_ready",
            "no instance of the deployment is ready",
        ),
        Unanswered::TooLarge => answer::text(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is larger than 1.5 MB, the limit of managed online endpoints",
        ),
        Unanswered::Broken => answer::model_error(
            StatusCode::BAD_GATEWAY,
            "model_error",
            "the instance broke off without an answer",
        ),
    }
}

fn mark(response: &mut Response<Body>, route: &Route) {
    response.headers_mut().insert(headers::SESSION, route.name.clone());
}
