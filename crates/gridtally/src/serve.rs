//! A node with its API, from start to a graceful stop: one process, one listener, and all ledgers of a
//! directory. A ledger that ends by itself takes no other with it.

mod further;
mod ledger;
mod network;
mod timed_store;
mod watched_clock;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use anyhow::{Context, anyhow};
use api::Hosting;
use node::Node;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, oneshot};

pub use self::further::FurtherLedgers;
pub use self::ledger::LedgerParts;
use self::ledger::{RunningLedger, Surroundings};
pub use self::network::NetworkConfig;
use crate::exit::{EndWith, Ended, Exit};

/// How often the directory is looked at for further ledgers.
const LOOK: Duration = Duration::from_secs(1);

/// What is served and where.
pub struct Serve {
    /// The main ledger.
    pub ledger: LedgerParts,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Milliseconds added to the system's clock; test networks only.
    pub clock_offset_ms: i64,
    /// Further names under which clients reach the API.
    pub hosts: Vec<String>,
    /// The ledgers beside the main one, when there may be any.
    pub further: Option<FurtherLedgers>,
}

/// A node and its API while they run.
pub struct Running {
    /// The runtime that both live on.
    pub runtime: Runtime,
    /// Where it listens.
    pub address: SocketAddr,
    main: RunningLedger,
    main_ended: bool,
    further: Option<FurtherLedgers>,
    around: Surroundings,
    hosting: Arc<Hosting>,
    stop_api: oneshot::Sender<()>,
    api: tokio::task::JoinHandle<std::io::Result<()>>,
    signals: Signals,
}

/// Threads that read the ledger, check requests or write the read model at the same time. Each keeps
/// the memory of the largest request that it ever saw; hundreds would not make two cores faster.
fn blocking_threads() -> usize {
    2 * std::thread::available_parallelism().map_or(1, std::num::NonZero::get) + 2
}

impl Serve {
    /// Starts all of it. When this returns, the API answers.
    ///
    /// # Errors
    /// The main ledger cannot be opened, or the port is taken.
    pub fn start(self) -> Result<Running, Ended> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .max_blocking_threads(blocking_threads())
            .build()
            .context("the runtime cannot be started")?;
        let signals = Signals::listen(&runtime)?;
        // The port first: whoever is told that it is taken has lost nothing yet.
        let listener = runtime
            .block_on(TcpListener::bind(self.listen))
            .map_err(|error| listen_error(self.listen, error))?;
        let address = listener.local_addr()?;
        let mut hosts: Vec<String> =
            ["localhost", "127.0.0.1"].map(|host| format!("{host}:{}", address.port())).into();
        hosts.extend(self.hosts);
        let around = Surroundings {
            runtime: runtime.handle().clone(),
            hosts,
            clock_offset_ms: self.clock_offset_ms,
        };
        let hosting = Arc::new(Hosting::default());
        let (main, api) = self.ledger.start(&around, Arc::clone(&hosting))?;
        let (stop_api, stopped) = oneshot::channel();
        let api = runtime.spawn(api::serve(listener, api::router(api), async {
            // A dropped sender stops the API as well.
            let _ = stopped.await;
        }));
        let mut further = self.further;
        if let Some(further) = &mut further {
            further.look(&around, &hosting);
            further.ask_no_more();
        }
        Ok(Running {
            runtime,
            address,
            main,
            main_ended: false,
            further,
            around,
            hosting,
            stop_api,
            api,
            signals,
        })
    }
}

/// What to say when an address cannot be listened on.
pub fn listen_error(listen: SocketAddr, error: std::io::Error) -> Ended {
    let exit = match error.kind() {
        std::io::ErrorKind::AddrInUse => Exit::Taken,
        _ => Exit::Failure,
    };
    let hint = match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "another program listens there: stop it, or choose another with --listen"
        }
        std::io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege",
        std::io::ErrorKind::AddrNotAvailable => "this machine has no such address",
        _ => "choose another with --listen",
    };
    let error = anyhow!("cannot listen on {listen} ({error}): {hint}");
    Ended { exit, error }
}

/// Completes when the first of these nodes ends.
async fn first_end(nodes: impl Iterator<Item = &Node>) {
    let mut ends: Vec<Pin<Box<dyn Future<Output = ()> + '_>>> = Vec::new();
    for node in nodes {
        ends.push(Box::pin(node.ended()));
    }
    std::future::poll_fn(|context| {
        match ends.iter_mut().any(|end| end.as_mut().poll(context).is_ready()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
}

impl Running {
    /// The node of the main ledger.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.main.node
    }

    /// The further ledgers.
    #[must_use]
    pub const fn further(&self) -> Option<&FurtherLedgers> {
        self.further.as_ref()
    }

    /// From now on the first signal stops gracefully; before, it ends the process at once.
    pub fn stop_gracefully_from_now_on(&self) {
        self.signals.graceful.store(true, Ordering::SeqCst);
    }

    /// Waits for Ctrl-C or a termination signal, or until no ledger runs any more; then stops
    /// everything. Further ledgers come and go meanwhile.
    ///
    /// # Errors
    /// What the main ledger failed with, else why a further one is not served that should be.
    pub fn until_stopped(mut self) -> Result<(), Ended> {
        self.stop_gracefully_from_now_on();
        while !self.is_asked_to_stop() {
            self.look();
            let others = self.further.as_ref().map_or(0, |further| further.nodes().count());
            if self.main_ended && others == 0 {
                break;
            }
        }
        self.stop()
    }

    /// Waits for a signal; or until a node ends, or it is time to look at the directory.
    fn is_asked_to_stop(&self) -> bool {
        let main = (!self.main_ended).then_some(&*self.main.node);
        let further = self.further.as_ref().into_iter().flat_map(FurtherLedgers::nodes);
        let watches = self.further.is_some();
        self.runtime.block_on(async {
            tokio::select! {
                () = self.signals.first.notified() => {
                    tracing::info!("stopping");
                    true
                }
                () = first_end(main.into_iter().chain(further)) => false,
                () = tokio::time::sleep(LOOK), if watches => false,
            }
        })
    }

    fn look(&mut self) {
        if !self.main_ended && self.main.node.has_ended() {
            tracing::error!("the node ended");
            self.main_ended = true;
            self.hosting.has_ended(None);
        }
        if let Some(further) = &mut self.further {
            further.look(&self.around, &self.hosting);
        }
    }

    /// Stops gracefully: requests under way are answered, what waits is ordered, then all end. A
    /// further signal ends the process at once.
    ///
    /// # Errors
    /// What the main ledger failed with, else why a further one is not served that should be.
    pub fn stop(self) -> Result<(), Ended> {
        let Self { runtime, main, further, stop_api, api, .. } = self;
        // An API that ended already needs no word.
        let _ = stop_api.send(());
        let grace = Duration::from_secs(10);
        let (others, failed) = further.map_or_else(Default::default, FurtherLedgers::into_parts);
        // The nodes order what waits, so that requests under way get their answers.
        let stopping: Vec<_> = std::iter::once(main)
            .chain(others)
            .map(|ledger| std::thread::spawn(move || ledger.stop()))
            .collect();
        let served = runtime.block_on(async { tokio::time::timeout(grace, api).await });
        let mut results = Vec::with_capacity(stopping.len());
        for stopping in stopping {
            results.push(stopping.join().map_err(|_| anyhow!("the orderer panicked"))?);
        }
        runtime.shutdown_timeout(Duration::from_secs(1));
        // The main ledger's comes first.
        results.into_iter().collect::<Result<(), _>>()?;
        failed.map_or(Ok(()), Err)?;
        match served {
            Ok(Ok(served)) => served.end_with(Exit::Failure),
            Ok(Err(error)) => Err(anyhow::Error::from(error).into()),
            Err(_) => {
                tracing::warn!("requests were still open after {grace:?}; they were cut off");
                Ok(())
            }
        }
    }
}

/// Signals that end the process, listened to from the start on, so that none falls into a gap.
struct Signals {
    graceful: Arc<AtomicBool>,
    first: Arc<Notify>,
}

impl Signals {
    fn listen(runtime: &Runtime) -> Result<Self, Ended> {
        let signals = Self { graceful: Arc::default(), first: Arc::default() };
        let (graceful, first) = (Arc::clone(&signals.graceful), Arc::clone(&signals.first));
        // The handlers are installed here, not when the task first runs.
        let mut incoming = runtime.block_on(async { Incoming::install() })?;
        runtime.spawn(async move {
            let mut count = 0;
            loop {
                incoming.next().await;
                count += 1;
                if count > 1 || !graceful.load(Ordering::SeqCst) {
                    eprintln!(
                        "gridtally: stopped at once; the ledger is whole up to its last block"
                    );
                    std::process::exit(130);
                }
                first.notify_one();
            }
        });
        Ok(signals)
    }
}

/// Ctrl-C, and a termination signal where there is one.
#[cfg(unix)]
struct Incoming {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Incoming {
    fn install() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Incoming;

#[cfg(not(unix))]
impl Incoming {
    fn install() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
