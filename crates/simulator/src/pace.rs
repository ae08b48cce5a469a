//! How fast a simulated day goes by, and how long it really took.

use std::thread;
use std::time::{Duration, Instant};

/// The only way in which a day touches real time.
pub trait Pace {
    /// Called when slot number `slot` (from 1) of the day is done; waits until the next may begin.
    fn slot_done(&mut self, slot: u16);

    /// Real time since the day was begun.
    fn elapsed(&self) -> Duration;
}

/// No waiting and no clock: for tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unpaced;

impl Pace for Unpaced {
    fn slot_done(&mut self, _slot: u16) {}

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
}

/// The clock on the wall: a slot takes at least a certain time.
///
/// Slots are held against the first one's beginning, so the work that a slot makes does not add to
/// its length.
#[derive(Debug, Clone, Copy)]
pub struct WallPace {
    started: Instant,
    per_slot: Duration,
    first_slot: Option<Instant>,
}

impl WallPace {
    /// A day whose slots take `per_slot` each; zero is as fast as the machine goes.
    #[must_use]
    pub fn new(per_slot: Duration) -> Self {
        Self { started: Instant::now(), per_slot, first_slot: None }
    }
}

impl Pace for WallPace {
    fn slot_done(&mut self, slot: u16) {
        let now = Instant::now();
        // The first call tells when the first slot ended; it is given its full length from here.
        let first = *self.first_slot.get_or_insert(now);
        let due = first + self.per_slot * u32::from(slot);
        thread::sleep(due.saturating_duration_since(now));
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}
