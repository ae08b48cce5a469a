//! A clock that tells the metrics when it was found to stand behind the newest block.

use std::sync::Arc;

use api::Metrics;
use node::{SystemClock, WallClock};
use primitives::units::Timestamp;

/// The system's clock, watched.
pub struct WatchedClock {
    /// The clock itself.
    pub clock: SystemClock,
    /// Who is told.
    pub metrics: Arc<Metrics>,
}

impl WallClock for WatchedClock {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn found_behind(&self, behind_ms: u64) {
        self.clock.found_behind(behind_ms);
        self.metrics.clock_behind();
    }
}
