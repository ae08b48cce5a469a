//! The one place where the time of day is read.

use std::time::{SystemTime, UNIX_EPOCH};

use primitives::units::Timestamp;

/// A clock on the wall. The simulator's has faults.
pub trait WallClock: Send + Sync {
    /// Milliseconds since 1970 in UTC.
    fn now(&self) -> Timestamp;

    /// A block was made while this clock stood so many milliseconds behind the newest one. For who
    /// watches the clock; it changes nothing.
    fn found_behind(&self, _behind_ms: u64) {}
}

/// The operating system's clock, moved by an offset on test networks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock {
    /// Milliseconds added to the system's time.
    pub offset_ms: i64,
}

impl WallClock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let milliseconds = u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX);
        Timestamp::new(milliseconds.saturating_add_signed(self.offset_ms))
    }
}
