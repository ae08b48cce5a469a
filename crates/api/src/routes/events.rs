//! `/v1/events`: what happened, as pages or as a stream of server-sent events; see [`crate::feed`].

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::Shared;
use crate::feed::{self, Cursor, EventsPage, Topics};
use crate::problem::{self, Problem};
use crate::request::{Ask, Read};
use crate::session::Token;

/// The content type of a stream.
const STREAM_TYPE: &str = "text/event-stream";
/// Events that a stream or live connection reads at a time.
pub(super) const BATCH: usize = 100;
/// How long a stream may be silent before it says that it still lives.
const SILENCE: Duration = Duration::from_secs(15);

/// Events from a height or cursor on.
pub(crate) async fn list(headers: HeaderMap, mut ask: Ask) -> Result<Response, Problem> {
    let topics = ask.take::<Topics>("topics")?.unwrap_or_else(Topics::all);
    let since = ask.take::<u64>("since")?;
    let resumed = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok());
    let after = ask.take::<Cursor>("after")?.or(resumed);
    let wants_stream = headers
        .get_all(ACCEPT)
        .iter()
        .any(|value| value.to_str().is_ok_and(|value| value.trim().starts_with(STREAM_TYPE)));
    if wants_stream {
        return stream_of(ask, after.or(since.map(Cursor::after)), topics);
    }
    let limit = ask.limit()?;
    let from = after.unwrap_or(Cursor::after(since.unwrap_or(0)));
    ask.read(move |read| feed::collect(read, from, &topics, limit).map(|(page, _)| page)).await
}

/// A page for somebody who stays connected.
pub(super) async fn page(
    shared: &Arc<Shared>,
    token: Option<Token>,
    (from, topics): (Cursor, Topics),
) -> Result<(EventsPage, Cursor), Problem> {
    let view = shared.reader().view()?;
    let owned = Arc::clone(shared);
    let work = move || {
        let read = Read::new(&owned, view, token.as_ref())?;
        feed::collect(&read, from, &topics, BATCH)
    };
    shared.blocking(work).await?
}

struct Stream {
    shared: Arc<Shared>,
    token: Option<Token>,
    topics: Topics,
    at: Cursor,
    ready: VecDeque<String>,
    _place: OwnedSemaphorePermit,
}

fn stream_of(ask: Ask, from: Option<Cursor>, topics: Topics) -> Result<Response, Problem> {
    let (shared, token) = ask.into_parts()?;
    let place = shared.live_place()?;
    let view = shared.reader().view()?;
    // Says at once what the first page would say later.
    shared.viewer(&view, token.as_ref())?;
    let at = from.unwrap_or(Cursor::after(view.height()));
    let state = Stream { shared, token, topics, at, ready: VecDeque::new(), _place: place };
    let body = Body::from_stream(stream::unfold(state, |mut state| async move {
        let text = state.next().await?;
        Some((Ok::<_, std::convert::Infallible>(text), state))
    }));
    Ok(([(CONTENT_TYPE, STREAM_TYPE)], body).into_response())
}

impl Stream {
    /// The next piece; `None` when the node stops or the session is over.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(text) = self.ready.pop_front() {
                return Some(text);
            }
            let asked = (self.at, self.topics.clone());
            let (page, at) = match page(&self.shared, self.token, asked).await {
                Ok(found) => found,
                Err(problem) => return problem_event(&problem, &mut self.ready),
            };
            self.at = at;
            for item in &page.items {
                let data = serde_json::to_string(item).ok()?;
                let (id, topic) = (&item.cursor, item.topic);
                self.ready.push_back(format!("id: {id}\nevent: {topic}\ndata: {data}\n\n"));
            }
            if page.items.is_empty() && !page.more {
                match timeout(SILENCE, self.shared.reached(at.height)).await {
                    Ok(true) => {}
                    Ok(false) => return None,
                    Err(_) => return Some(":\n\n".to_owned()),
                }
            }
        }
    }
}

/// A stream that cannot go on ends; a node that has too much to do only pauses.
fn problem_event(problem: &Problem, ready: &mut VecDeque<String>) -> Option<String> {
    ready.clear();
    (problem.code() == problem::OVERLOADED.name).then(|| ":\n\n".to_owned())
}
