//! Whose turn it is to check what other nodes sent.
//!
//! A node gets most transactions twice, passed on and in a block, often at the same moment. Checked one
//! after the other, whichever comes second finds what the first one checked; checked beside each other,
//! every signature would be paid twice. Both use all threads anyway.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// One checks at a time. A block waits for the one who is at it and no longer: what is passed on goes
/// behind every block, and is checked in pieces, so that no peer can keep a vote back by sending a lot.
#[derive(Debug, Default)]
pub struct Checking {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_busy: bool,
    blocks_wait: usize,
}

/// A turn; it ends when this is dropped.
#[derive(Debug)]
#[must_use = "the turn is over when this is dropped"]
pub struct Turn<'a>(&'a Checking);

impl Checking {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, on the calling thread, for the turn of a block.
    pub fn of_block(&self) -> Turn<'_> {
        let mut state = self.state();
        state.blocks_wait += 1;
        let waited = self.changed.wait_while(state, |state| state.is_busy);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.blocks_wait -= 1;
        state.is_busy = true;
        Turn(self)
    }

    /// Waits, on the calling thread, for the turn of what peers passed on.
    pub fn of_passed_on(&self) -> Turn<'_> {
        let is_held = |state: &mut State| state.is_busy || state.blocks_wait > 0;
        let waited = self.changed.wait_while(self.state(), is_held);
        waited.unwrap_or_else(PoisonError::into_inner).is_busy = true;
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.state().is_busy = false;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn one_at_a_time_and_blocks_first() {
        let checking = Checking::default();
        let (sender, order) = mpsc::channel();
        thread::scope(|scope| {
            let running = checking.of_passed_on();
            let (passed_on, block, checking) = (sender.clone(), sender, &checking);
            scope.spawn(move || {
                let _turn = checking.of_passed_on();
                passed_on.send("passed on").expect("received below");
            });
            // The one above came first, or comes later: a block is before it either way.
            scope.spawn(move || {
                let _turn = checking.of_block();
                block.send("block").expect("received below");
            });
            while checking.state().blocks_wait == 0 {
                thread::yield_now();
            }
            assert!(order.try_recv().is_err(), "nobody checks beside another");
            drop(running);
        });
        assert_eq!(order.try_iter().collect::<Vec<_>>(), ["block", "passed on"]);
        drop(checking.of_block());
        drop(checking.of_passed_on());
    }
}
