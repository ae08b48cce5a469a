//! With how many peers this node is connected.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use commonware_runtime::Clock;

/// How often a node that waits for connections looks.
const LOOK: Duration = Duration::from_millis(10);

type Count = Box<dyn Fn() -> usize + Send>;

/// Counts the peers that are connected; 0 while nobody orders.
#[derive(Clone, Default)]
pub struct Connected {
    source: Arc<Mutex<Option<Count>>>,
    had_enough: Arc<AtomicBool>,
}

impl Connected {
    /// For a network without connections, where everybody is reached from the start.
    #[must_use]
    pub fn with_everybody() -> Self {
        let connected = Self::default();
        connected.count_by(Some(Box::new(|| usize::MAX)));
        connected.had_enough.store(true, Ordering::Relaxed);
        connected
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> usize {
        self.source().as_ref().map_or(0, |count| count())
    }

    pub(crate) fn count_by(&self, count: Option<Count>) {
        self.had_enough.store(false, Ordering::Relaxed);
        *self.source() = count;
    }

    /// Waits until there were as many once since the node started, `at_most` so long.
    ///
    /// A node that has just started hears of the newest view from the first peer that it meets. A block
    /// of its own that reaches this one alone is lost, and costs all of them the whole view.
    pub(crate) async fn enough(&self, runtime: &impl Clock, wanted: usize, at_most: Duration) {
        if self.had_enough.load(Ordering::Relaxed) {
            return;
        }
        let until = runtime.current() + at_most;
        while self.count() < wanted {
            if runtime.current() >= until {
                return;
            }
            runtime.sleep(LOOK).await;
        }
        // A peer is counted a moment before messages find the way to it.
        runtime.sleep(LOOK).await;
        self.had_enough.store(true, Ordering::Relaxed);
    }

    fn source(&self) -> MutexGuard<'_, Option<Count>> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connections in the engine's metrics: one line for each connected peer.
pub(crate) fn connections(metrics: &str) -> usize {
    let is_connection =
        |line: &&str| line.split_once('{').is_some_and(|(name, _)| name.ends_with("_connected"));
    metrics.lines().filter(is_connection).count()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use commonware_runtime::{Runner as _, deterministic};

    use super::*;

    #[test]
    fn whoever_has_just_started_waits_for_connections_once() {
        deterministic::Runner::default().start(|context| async move {
            let (peers, at_most) = (Arc::new(AtomicUsize::new(1)), Duration::from_millis(500));
            let (connected, counted) = (Connected::default(), Arc::clone(&peers));
            connected.count_by(Some(Box::new(move || counted.load(Ordering::Relaxed))));
            let waited = async || {
                let began = context.current();
                connected.enough(&context, 2, at_most).await;
                context.current().duration_since(began).unwrap()
            };
            assert!(waited().await >= at_most, "one of two is not enough");
            peers.store(2, Ordering::Relaxed);
            assert!(waited().await < LOOK * 2);
            peers.store(0, Ordering::Relaxed);
            assert!(waited().await < LOOK, "they were there once");
            connected.count_by(Some(Box::new(|| 1)));
            assert!(waited().await >= at_most, "it orders anew");
        });
    }
}
