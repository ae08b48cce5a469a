//! From a listener to answers, until it is told to stop.

use std::future::Future;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// How long requests under way may take after the stop; then their connections are left.
const DRAIN: Duration = Duration::from_secs(10);

/// Serves until `shutdown` completes: then no connection is taken any more, and requests under way
/// have 10 seconds to end.
///
/// # Errors
/// What the system says when the listener fails.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let (stop, stopped) = oneshot::channel::<()>();
    let server = axum::serve(listener, router).with_graceful_shutdown(async move {
        // A dropped sender means the same: stop.
        let _ = stopped.await;
    });
    let deadline = async move {
        shutdown.await;
        let _ = stop.send(());
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        result = server.into_future() => result,
        () = deadline => Ok(()),
    }
}
