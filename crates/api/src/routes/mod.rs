//! The table of addresses, and what all of them share. One file per resource.

mod accounts;
mod bills;
mod blocks;
mod dues;
mod events;
mod genesis;
mod governance;
mod health;
mod keys;
mod live;
mod network;
mod notary;
mod openapi;
mod pages;
mod parties;
mod readings;
mod search;
mod sessions;
mod snapshot;
mod statements;
mod stations;
mod status;
mod tariffs;
mod transactions;
mod usage_points;
mod verbs;

pub(crate) use sessions::{field, login_body, refused};
pub(crate) use transactions::kind_name;
pub use transactions::{MAX_SUBMISSIONS, MAX_SUBMISSIONS_BYTES, SUBMISSION_TYPE, SUBMISSIONS_TYPE};

/// The types of answers that belong to one handler alone.
pub(crate) mod documented {
    pub(crate) use super::snapshot::SNAPSHOT_TYPE;

    pub(crate) use super::health::Health;
    pub(crate) use super::live::Hello;
    pub(crate) use super::sessions::{Login, NonceAnswer, SessionAnswer};
    pub(crate) use super::verbs::SignedSubmission;
}

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::handler::Handler;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post};
use ledger::{Reader, Submitter, View};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::problem::{self, Problem};
use crate::request::WAIT;
use crate::rights::{self, Viewer};
use crate::session::{Sessions, Token};
use crate::{Api, hosting, html};

/// Reads that work at the same time; others wait their turn. It bounds memory and open snapshots.
const MAX_READS: usize = 64;

/// Live connections and streams at the same time.
const MAX_LIVE: usize = 1_000;

/// Snapshots that are written at the same time: each holds a view for as long as it takes.
const MAX_SNAPSHOTS: usize = 1;

/// The API, and what it keeps in memory while it runs.
pub(crate) struct Shared {
    api: Api,
    pub(crate) sessions: Arc<Sessions>,
    reads: Arc<Semaphore>,
    live: Arc<Semaphore>,
    snapshots: Arc<Semaphore>,
    requests: AtomicU64,
    /// Is it a further ledger of the node, which answers to nobody without a session?
    is_further: bool,
    /// Tells the request ids of two starts apart.
    start: u32,
}

/// The addresses of the API and the pages, and below them those of the further ledgers.
pub fn router(api: Api) -> Router {
    let sessions = Arc::clone(&api.config.hosting.sessions);
    let shared = Shared::new(api, sessions, false);
    routed(&shared, endpoints())
}

/// The addresses of a further ledger: those of the API without the pages.
pub(crate) fn further_router(api: Api) -> (Arc<Shared>, Router) {
    let shared = Shared::new(api, Arc::default(), true);
    let mut endpoints = version_one();
    endpoints.extend(watched());
    let router = routed(&shared, endpoints);
    (shared, router)
}

fn routed(shared: &Arc<Shared>, endpoints: Vec<Endpoint>) -> Router {
    let mut router = Router::new();
    for Endpoint { path, handler, .. } in endpoints {
        router = router.route(path, handler);
    }
    router
        .fallback(elsewhere)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(Arc::clone(shared), finish))
        .with_state(Arc::clone(shared))
}

/// A method of an address, and who answers it.
struct Endpoint {
    method: &'static str,
    path: &'static str,
    handler: MethodRouter<Arc<Shared>>,
}

/// Methods and addresses, as the document of the API describes them.
#[must_use]
pub fn addresses() -> Vec<(&'static str, &'static str)> {
    endpoints().into_iter().map(|endpoint| (endpoint.method, endpoint.path)).collect()
}

fn read<H, T>(path: &'static str, handler: H) -> Endpoint
where
    H: Handler<T, Arc<Shared>>,
    T: 'static,
{
    Endpoint { method: "get", path, handler: get(handler) }
}

fn write(method: &'static str, path: &'static str, handler: MethodRouter<Arc<Shared>>) -> Endpoint {
    Endpoint { method, path, handler }
}

/// A submission in JSON is bounded before it is read.
fn json(handler: MethodRouter<Arc<Shared>>) -> MethodRouter<Arc<Shared>> {
    handler.layer(DefaultBodyLimit::max(verbs::MAX_BODY_BYTES))
}

fn endpoints() -> Vec<Endpoint> {
    let mut endpoints = version_one();
    endpoints.extend(readable_pages());
    endpoints.extend(watched());
    endpoints
}

/// What a monitoring system asks for.
fn watched() -> Vec<Endpoint> {
    vec![read("/healthz", health::alive), read("/metrics", health::metrics)]
}

fn version_one() -> Vec<Endpoint> {
    let submissions = post(transactions::submit)
        .layer(DefaultBodyLimit::max(transactions::MAX_SUBMISSIONS_BYTES));
    let login = post(sessions::open).layer(DefaultBodyLimit::max(sessions::MAX_LOGIN_BYTES));
    vec![
        read("/v1/status", status::status),
        read("/v1/genesis", genesis::genesis),
        read("/v1/network", network::network),
        read("/v1/snapshot", snapshot::write),
        write("post", "/v1/transactions", submissions),
        read("/v1/transactions/{transaction}", transactions::one),
        read("/v1/transactions/{transaction}/proof", transactions::proof),
        read("/v1/blocks", blocks::list),
        read("/v1/blocks/{height}", blocks::one),
        read("/v1/keys/{key_address}", keys::one),
        read("/v1/keys/{key_address}/sequence", keys::one),
        read("/v1/parties", parties::list),
        read("/v1/parties/{party}", parties::one),
        read("/v1/parties/{party}/dues", dues::to_party),
        read("/v1/accounts/{party}", accounts::of_party),
        read("/v1/accounts/{party}/history", statements::history),
        read("/v1/stations", stations::list),
        read("/v1/usage-points", usage_points::list),
        read("/v1/usage-points/{usage_point}", usage_points::one),
        read("/v1/usage-points/{usage_point}/readings", readings::readings),
        read("/v1/usage-points/{usage_point}/estimate", readings::estimate),
        read("/v1/usage-points/{usage_point}/registers", readings::registers),
        read("/v1/usage-points/{usage_point}/charges", readings::charges),
        read("/v1/usage-points/{usage_point}/bills", bills::of_usage_point),
        read("/v1/usage-points/{usage_point}/bill-draft", bills::draft),
        read("/v1/usage-points/{usage_point}/dues", dues::of_usage_point),
        read("/v1/usage-points/{usage_point}/statement", statements::of_account),
        read("/v1/usage-points/{usage_point}/statements", statements::issued),
        read("/v1/bills/{bill}", bills::one),
        read("/v1/bills/{bill}/dispute", dues::dispute),
        read("/v1/bills/{bill}/proof", bills::proof),
        read("/v1/frequency", verbs::frequency),
        write("post", "/v1/frequency", json(post(verbs::publish_frequency))),
        write("delete", "/v1/frequency", json(delete(verbs::delete_frequency))),
        read("/v1/unit", verbs::unit),
        write("post", "/v1/unit", json(post(verbs::submit_unit))),
        write("delete", "/v1/unit", json(delete(verbs::correct_unit))),
        read("/v1/bill", verbs::bill),
        write("post", "/v1/bill", json(post(verbs::charge))),
        write("delete", "/v1/bill", json(delete(verbs::withdraw_charge))),
        read("/v1/search/transactions", search::transactions),
        read("/v1/search/bills", search::bills),
        read("/v1/search/payments", search::payments),
        read("/v1/search/disputes", search::disputes),
        read("/v1/search/parties", search::parties),
        read("/v1/search/meters", search::meters),
        read("/v1/search/readings", readings::search),
        read("/v1/events", events::list),
        read("/v1/live", live::open),
        read("/v1/head", notary::head),
        read("/v1/ledgers", notary::ledgers),
        read("/v1/ledgers/{ledger_id}", notary::ledger),
        read("/v1/ledgers/{ledger_id}/heads", notary::heads),
        read("/v1/governance", governance::governance),
        read("/v1/nodes", governance::nodes),
        read("/v1/proposals", governance::proposals),
        read("/v1/proposals/{proposal}", governance::proposal),
        read("/v1/tariffs", tariffs::list),
        read("/v1/tariffs/{tariff}", tariffs::one),
        write("post", "/v1/session", login),
        read("/v1/session/nonce", sessions::nonce),
        read("/v1/openapi.json", openapi::json),
    ]
}

fn readable_pages() -> Vec<Endpoint> {
    vec![
        read("/", pages::home),
        read("/usage-points/{usage_point}", pages::usage_point),
        read("/bills/{bill}", pages::bill),
        read("/blocks", pages::blocks),
        read("/blocks/{height}", pages::block),
        read("/transactions/{transaction}", pages::transaction),
        read("/api", openapi::page),
    ]
}

/// What is not in the table: a further ledger, or nothing.
async fn elsewhere(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Problem> {
    let path = crate::request::shown(request.uri().path());
    hosting::answer(&shared, request).await?.ok_or_else(|| {
        Problem::new(problem::NO_SUCH_ADDRESS, format!("there is nothing at {path}"))
    })
}

async fn method_not_allowed(request: Request) -> Problem {
    let method = crate::request::shown(request.method().as_str());
    Problem::new(problem::METHOD_NOT_ALLOWED, format!("{method} is not taken here"))
}

/// The outermost layer: the request's id, problems written out, headers that every answer carries.
async fn finish(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let number = shared.requests.fetch_add(1, Ordering::Relaxed);
    let request_id = format!("{:08x}-{number:x}", shared.start);
    let path = request.uri().path();
    let is_watched = matches!(path, "/healthz" | "/metrics");
    let is_further = path.starts_with(hosting::PREFIX);
    let is_page = !is_watched && !is_further && !path.starts_with("/v1");
    tracing::debug!(request_id, method = %request.method(), path, "request");
    // Its nonces open sessions on the further ledgers that go on.
    let is_silent = !is_watched && !is_further && path != "/v1/session/nonce";
    let mut response = if shared.config().hosting.main_has_ended() && is_silent {
        Problem::new(problem::STOPPING, "this ledger has ended on this node").into_response()
    } else {
        next.run(request).await
    };
    if response.extensions().get::<hosting::PassedOn>().is_some() {
        return response;
    }
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let mut written = problem.render(&request_id, is_page);
        for (name, value) in response.headers() {
            if !written.headers().contains_key(name) {
                written.headers_mut().insert(name.clone(), value.clone());
            }
        }
        // The length of the empty answer that carried the problem.
        written.headers_mut().remove(axum::http::header::CONTENT_LENGTH);
        response = written;
    }
    harden(response.headers_mut(), is_page);
    shared.config().metrics.answered(response.status().as_u16());
    response
}

/// No guessing of types, no passing on of addresses, no copies of what somebody had rights to see.
fn harden(headers: &mut HeaderMap, is_page: bool) {
    let mut set = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(REFERRER_POLICY, "no-referrer");
    set(CACHE_CONTROL, "no-store");
    set(CONTENT_SECURITY_POLICY, if is_page { html::POLICY } else { "default-src 'none'" });
}

impl Shared {
    fn new(api: Api, sessions: Arc<Sessions>, is_further: bool) -> Arc<Self> {
        let mut start = [0; 4];
        // Request ids only have to differ; without randomness they still do within this run.
        let _ = getrandom::fill(&mut start);
        Arc::new(Self {
            api,
            sessions,
            reads: Arc::new(Semaphore::new(MAX_READS)),
            live: Arc::new(Semaphore::new(MAX_LIVE)),
            snapshots: Arc::new(Semaphore::new(MAX_SNAPSHOTS)),
            requests: AtomicU64::new(0),
            is_further,
            start: u32::from_be_bytes(start),
        })
    }

    pub(crate) fn reader(&self) -> &dyn Reader {
        &*self.api.reader
    }

    pub(crate) fn submitter(&self) -> &dyn Submitter {
        &*self.api.submitter
    }

    pub(crate) fn config(&self) -> &crate::ApiConfig {
        &self.api.config
    }

    /// Does everybody see everything? Only where all keys are public anyway.
    pub(crate) fn open_reads(&self, view: &View) -> bool {
        self.config().open_reads && view.rules().genesis().demo
    }

    /// The newest view, when it has reached `height` within 5 seconds.
    pub(crate) async fn view_at_least(&self, height: u64) -> Result<View, Problem> {
        let view = self.reader().view()?;
        if view.height() >= height {
            return Ok(view);
        }
        let reached = timeout(WAIT, self.reader().reached(height)).await.is_ok();
        let view = self.reader().view()?;
        if reached && view.height() >= height {
            return Ok(view);
        }
        let detail = format!("the node stands at {}, wanted is {height}", view.height());
        Err(Problem::new(problem::NOT_REACHED, detail))
    }

    /// A place for a live connection, while there is one.
    pub(crate) fn live_place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.live).try_acquire_owned().map_err(|_| {
            let detail = format!("{MAX_LIVE} live connections are open");
            Problem::new(problem::OVERLOADED, detail)
        })
    }

    /// The place of whoever has a snapshot written.
    pub(crate) fn snapshot_place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.snapshots).try_acquire_owned().map_err(|_| {
            Problem::new(problem::OVERLOADED, "a snapshot is being written for somebody else")
        })
    }

    /// How many live connections are open.
    pub(crate) fn live_count(&self) -> usize {
        MAX_LIVE - self.live.available_permits()
    }

    /// Waits for a height; `false` when the node ends before it.
    pub(crate) async fn reached(&self, height: u64) -> bool {
        self.reader().reached(height).await;
        self.reader().view().is_ok_and(|view| view.height() >= height)
    }

    /// The rights with which a request reads.
    pub(crate) fn viewer(&self, view: &View, token: Option<&Token>) -> Result<Viewer, Problem> {
        if self.open_reads(view) {
            return Ok(Viewer::Unrestricted);
        }
        let unknown =
            || Problem::new(problem::SESSION_UNKNOWN, "it is over or its key was revoked");
        let Some(token) = token else {
            // A live connection outlasts the session of the request that opened it.
            return if self.is_further { Err(unknown()) } else { Ok(Viewer::Stranger) };
        };
        let session = self.sessions.find(token).ok_or_else(unknown)?;
        rights::viewer(view, &session)?.ok_or_else(unknown)
    }

    /// Runs work that reads the store on a thread that may block. A panic in it is a 500.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let reads = Arc::clone(&self.reads);
        let permit = timeout(WAIT, reads.acquire_owned()).await.map_err(|_| {
            Problem::new(problem::OVERLOADED, "the node reads for many others at the moment")
        })?;
        let permit = permit.map_err(Problem::internal)?;
        let done = tokio::task::spawn_blocking(move || {
            // Held until the work ends, also when nobody waits for the answer any more.
            let _permit = permit;
            work()
        });
        done.await.map_err(Problem::internal)
    }
}
