//! Checking work on all cores.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ledger::Verifier;

/// Spreads checking work over threads that live as long as the call.
#[derive(Debug, Clone, Copy)]
pub struct Threads {
    count: usize,
}

impl Threads {
    /// As many threads as given; at least one, the calling one.
    #[must_use]
    pub const fn new(count: usize) -> Self {
        Self { count: if count == 0 { 1 } else { count } }
    }

    /// One per core.
    #[must_use]
    pub fn per_core() -> Self {
        Self::new(thread::available_parallelism().map_or(1, std::num::NonZero::get))
    }
}

impl Verifier for Threads {
    fn for_each(&self, count: usize, work: &(dyn Fn(usize) + Sync)) {
        let next = AtomicUsize::new(0);
        let take = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return;
                }
                work(index);
            }
        };
        thread::scope(|scope| {
            for _ in 1..self.count.min(count) {
                scope.spawn(take);
            }
            take();
        });
    }

    fn threads(&self) -> usize {
        self.count
    }

    fn entropy(&self) -> [u8; 32] {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).expect("the operating system gives random bytes");
        seed
    }
}
