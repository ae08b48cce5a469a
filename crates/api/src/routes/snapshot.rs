//! `/v1/snapshot`: the ledger in one file, written while the node goes on.
//!
//! It holds every reading that the node has, so it is for the organisation that runs the node and for
//! regulators. One is written at a time. Whoever takes nothing for a minute is dropped; what was sent
//! then lacks its end, which whoever reads it finds out.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use ledger::View;
use ledger::snapshot::SnapshotError;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, Sender};
use tokio::time::timeout;

use super::Shared;
use crate::problem::{self, Problem};
use crate::request::{Ask, HEIGHT_HEADER, Read};

/// The content type of a snapshot.
pub(crate) const SNAPSHOT_TYPE: &str = "application/vnd.gridtally.snapshot";
/// Bytes of a piece, and pieces that wait for the client.
const PIECE_BYTES: usize = 64 << 10;
const PIECES: usize = 4;
/// How long a client may take nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// Writes the snapshot of the newest agreed checkpoint.
pub(crate) async fn write(ask: Ask) -> Result<Response, Problem> {
    let shared = Arc::clone(&ask.shared);
    let own = (shared.config().network)().key.address();
    let (height, view) = ask
        .with_view(move |read| {
            require_entitled(read, &own)?;
            Ok(read.view.clone())
        })
        .await?;
    let mut response = match view {
        Ok(view) => stream_of(&shared, view).await?,
        Err(problem) => problem.into_response(),
    };
    response.headers_mut().insert(HEIGHT_HEADER, height.into());
    Ok(response)
}

/// The organisation that runs this node sees all that the node has anyway.
fn require_entitled(read: &Read, own: &primitives::identifier::KeyAddress) -> Result<(), Problem> {
    let organisation = read.state(|state| state.node(own))?.ok().map(|node| node.organisation);
    let is_own = organisation.is_some_and(|organisation| read.viewer.is(organisation));
    if is_own || read.viewer.sees_all() {
        return Ok(());
    }
    let detail = "a snapshot holds all readings: it is for the organisation of this node and for \
                  regulators";
    Err(Problem::new(problem::NOT_ENTITLED, detail))
}

async fn stream_of(shared: &Arc<Shared>, view: View) -> Result<Response, Problem> {
    let not_ready = |detail: &str| Problem::new(problem::SNAPSHOT_NOT_READY, detail);
    let writer = shared.config().snapshot_writer.clone();
    let writer = writer.ok_or_else(|| not_ready("this node keeps no states of checkpoints"))?;
    let place = shared.snapshot_place()?;
    let (sender, mut pieces) = mpsc::channel(PIECES);
    tokio::task::spawn_blocking(move || {
        // Held until the work ends, also when nobody waits for it any more.
        let _place = place;
        let mut out = Pieces { sender, waiting: Vec::with_capacity(PIECE_BYTES) };
        if let Err(error) = writer(&view, &mut out).and_then(|()| Ok(out.flush()?)) {
            tracing::debug!(%error, "a snapshot was not written to its end");
            // The client may have gone.
            let _ = out.send(Err(error));
        }
    });
    let first = match pieces.recv().await {
        Some(Ok(first)) => first,
        Some(Err(SnapshotError::NotReady(detail))) => return Err(not_ready(detail)),
        Some(Err(error)) => return Err(Problem::internal(error)),
        None => return Err(Problem::internal("the snapshot was not begun")),
    };
    let rest = stream::unfold((Some(first), pieces), |(first, mut pieces)| async move {
        let piece = match first {
            Some(first) => Ok(first),
            // An error cuts the answer off: nobody takes what came for the whole.
            None => pieces.recv().await?.map_err(io::Error::other),
        };
        Some((piece, (None, pieces)))
    });
    Ok(([(CONTENT_TYPE, SNAPSHOT_TYPE)], Body::from_stream(rest)).into_response())
}

/// Hands what is written to the client, a piece at a time; runs on a thread that may block.
struct Pieces {
    sender: Sender<Result<Bytes, SnapshotError>>,
    waiting: Vec<u8>,
}

impl Pieces {
    fn send(&self, piece: Result<Bytes, SnapshotError>) -> io::Result<()> {
        let gone = || io::Error::new(io::ErrorKind::BrokenPipe, "the client takes nothing more");
        let sent = Handle::current().block_on(timeout(PATIENCE, self.sender.send(piece)));
        sent.map_err(|_| gone())?.map_err(|_| gone())
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::take(&mut self.waiting));
        self.send(Ok(piece))
    }
}
