//! `/v1/live`: a WebSocket over which events come as they happen; see [`crate::feed`].
//!
//! The first frame is the client's and says who reads, what about and from where; from then on only
//! the node speaks, in frames that are pages of events. Nothing is buffered for a client: the next
//! page is read when the last one is on its way. Who takes no frame for ten seconds is dropped with
//! the code 1013, and can come back with the cursor it has.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::{Instant, interval_at, timeout};

use super::{Shared, events};
use crate::feed::{Cursor, Topics};
use crate::problem::{self, Problem};
use crate::session::Token;

/// The largest frame that is taken.
const MAX_FRAME_BYTES: usize = 4_096;
/// How long the first frame may take, and how long a client may take no frame.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the node asks whether the client still lives.
const PING: Duration = Duration::from_secs(30);

/// The node stops.
const GOING_AWAY: u16 = 1001;
/// The client is too slow, or the node has too much to do: come back.
const TRY_AGAIN: u16 = 1013;
/// The first frame is wrong, or there was a second one.
const WRONG_FRAME: u16 = 4400;
/// The session is unknown or over.
const NO_SESSION: u16 = 4401;
/// The first frame did not come.
const TOO_SLOW: u16 = 4408;

/// The first frame.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hello {
    /// The token of a session; without it events come without values.
    token: Option<String>,
    /// The topics; without them `block`, `slot` and `bill`.
    topics: Option<Vec<String>>,
    /// Everything that happened above this height; without it what happens from now on.
    since: Option<u64>,
    /// Or everything behind this cursor.
    after: Option<String>,
}

/// Why a connection is closed.
struct Close(u16, String);

/// Opens the connection.
pub(crate) async fn open(
    State(shared): State<Arc<Shared>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|rejection| {
        Problem::new(problem::WRONG_HEADER, format!("wanted is a WebSocket: {rejection}"))
    })?;
    let place = shared.live_place()?;
    let upgrade = upgrade.max_message_size(MAX_FRAME_BYTES).max_frame_size(MAX_FRAME_BYTES);
    let response = upgrade.on_upgrade(move |mut socket| async move {
        let _place = place;
        let Some(Close(code, reason)) = talk(&shared, &mut socket).await else { return };
        let frame = CloseFrame { code, reason: reason.into() };
        let _ = timeout(Duration::from_secs(1), socket.send(Message::Close(Some(frame)))).await;
    });
    Ok(response.into_response())
}

/// Until one side ends it; `None` when the client has gone.
async fn talk(shared: &Arc<Shared>, socket: &mut WebSocket) -> Option<Close> {
    let first = match timeout(PATIENCE, socket.recv()).await {
        Ok(first) => first?.ok()?,
        Err(_) => return Some(Close(TOO_SLOW, "the first frame did not come".to_owned())),
    };
    let hello = match hello(&first) {
        Ok(hello) => hello,
        Err(reason) => return Some(Close(WRONG_FRAME, reason)),
    };
    follow(shared, socket, hello).await.err()
}

struct Wanted {
    token: Option<Token>,
    topics: Topics,
    from: Option<Cursor>,
}

fn hello(frame: &Message) -> Result<Wanted, String> {
    let Message::Text(text) = frame else { return Err("wanted is JSON as text".to_owned()) };
    let hello: Hello = serde_json::from_str(text).map_err(|error| short(&error.to_string()))?;
    let topics = match &hello.topics {
        Some(names) => {
            Topics::of_names(names.iter().map(String::as_str)).map_err(|it| short(&it))?
        }
        None => Topics::of_names(["block", "slot", "bill"].into_iter())?,
    };
    let token = hello.token.map(|token| token.parse()).transpose()?;
    let after = hello.after.map(|cursor| cursor.parse()).transpose()?;
    Ok(Wanted { token, topics, from: after.or(hello.since.map(Cursor::after)) })
}

/// A close frame's reason has at most 123 bytes.
fn short(text: &str) -> String {
    text.chars().filter(char::is_ascii).take(120).collect()
}

async fn follow(shared: &Arc<Shared>, socket: &mut WebSocket, wanted: Wanted) -> Result<(), Close> {
    let view = shared.reader().view().map_err(|error| close_of(&error.into()))?;
    let mut at = wanted.from.unwrap_or(Cursor::after(view.height()));
    drop(view);
    let mut is_first = true;
    let mut ping = interval_at(Instant::now() + PING, PING);
    let mut is_asked = false;
    loop {
        let asked = (at, wanted.topics.clone());
        let (page, next) =
            events::page(shared, wanted.token, asked).await.map_err(|it| close_of(&it))?;
        at = next;
        if is_first || !page.items.is_empty() {
            let text = serde_json::to_string(&page)
                .map_err(|error| close_of(&Problem::internal(error)))?;
            is_first = false;
            if !send(socket, Message::text(text)).await? {
                return Ok(());
            }
        }
        let more = page.more;
        tokio::select! {
            // What the client says comes first: it may say that it goes.
            biased;
            frame = socket.recv() => match frame {
                None | Some(Err(_) | Ok(Message::Close(_))) => return Ok(()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => is_asked = false,
                Some(Ok(_)) => {
                    return Err(Close(WRONG_FRAME, "only the first frame is the client's".to_owned()));
                }
            },
            _ = ping.tick() => {
                if is_asked {
                    return Err(Close(TRY_AGAIN, "no answer to a ping".to_owned()));
                }
                is_asked = true;
                if !send(socket, Message::Ping(Vec::new().into())).await? {
                    return Ok(());
                }
            }
            reached = shared.reached(at.height), if !more => if !reached {
                return Err(Close(GOING_AWAY, "the node is stopping".to_owned()));
            },
            () = std::future::ready(()), if more => {}
        }
    }
}

/// Sends a frame; `false` when the client has gone.
async fn send(socket: &mut WebSocket, message: Message) -> Result<bool, Close> {
    match timeout(PATIENCE, socket.send(message)).await {
        Ok(sent) => Ok(sent.is_ok()),
        Err(_) => Err(Close(TRY_AGAIN, "too slow: come back with the last cursor".to_owned())),
    }
}

fn close_of(problem: &Problem) -> Close {
    let code = match problem.status().as_u16() {
        401 => NO_SESSION,
        503 if problem.code() == problem::STOPPING.name => GOING_AWAY,
        503 => TRY_AGAIN,
        _ => 1011,
    };
    Close(code, short(problem.detail()))
}
