//! A value that changes, for those who wait without blocking a thread.
//!
//! Waiters wake in the order in which they began to wait. The channels of tokio draw lots about it,
//! and a simulation that must repeat itself cannot have that.

use std::sync::{Mutex, MutexGuard};

use tokio::sync::Notify;

/// A value that changes.
#[derive(Debug, Default)]
pub struct Signal<T> {
    value: Mutex<T>,
    changed: Notify,
}

impl<T: Copy> Signal<T> {
    /// A signal that begins with `value`.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self { value: Mutex::new(value), changed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().expect("nothing panics while it holds a signal's value")
    }

    /// The present value.
    pub fn get(&self) -> T {
        *self.lock()
    }

    /// Changes the value and wakes those who wait.
    pub fn modify(&self, change: impl FnOnce(&mut T)) {
        change(&mut self.lock());
        self.changed.notify_waiters();
    }

    /// Completes with the first value for which `is_enough` holds.
    pub async fn wait_for(&self, mut is_enough: impl FnMut(&T) -> bool) -> T {
        loop {
            let changed = self.changed.notified();
            let mut changed = std::pin::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            let value = self.get();
            if is_enough(&value) {
                return value;
            }
            changed.await;
        }
    }
}
