//! Ctrl-C: what is being done is finished, then the command ends and says how to go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Whether somebody asked to stop.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

/// How often a wait looks whether it should end.
const LOOK: Duration = Duration::from_millis(50);

impl Interrupt {
    /// Listens from now on. A second Ctrl-C ends the process at once.
    ///
    /// # Errors
    /// When the system gives no thread or no signals.
    pub fn listen() -> std::io::Result<Self> {
        Self::listening(true)
    }

    /// The same for a command that has to clean up behind itself: however often it is asked, it
    /// ends by itself.
    ///
    /// # Errors
    /// When the system gives no thread or no signals.
    pub fn listen_patiently() -> std::io::Result<Self> {
        Self::listening(false)
    }

    fn listening(ends_at_the_second: bool) -> std::io::Result<Self> {
        let asked = Self::default();
        let flag = Arc::clone(&asked.0);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("interrupt".to_owned()).spawn(move || {
            runtime.block_on(async {
                asked_to_stop().await;
                flag.store(true, Ordering::Relaxed);
                asked_to_stop().await;
                if ends_at_the_second {
                    std::process::exit(1);
                }
                std::future::pending::<()>().await;
            });
        })?;
        Ok(asked)
    }

    /// Whether to stop.
    #[must_use]
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Waits, unless somebody asks to stop; tells whether to go on.
    #[must_use]
    pub fn wait(&self, duration: Duration) -> bool {
        let until = Instant::now() + duration;
        while !self.asked() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(LOOK));
        }
        false
    }
}

async fn asked_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        // No signals here: only the end of the process ends it.
        std::future::pending::<()>().await;
    }
}
