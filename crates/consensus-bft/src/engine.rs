//! The wiring: one marshal for the whole chain, one simplex engine per epoch.
//!
//! [`run`] is generic over the runtime, so that the simulator starts the very same code as a node. All
//! of a node's tasks stand below the one that calls it: aborting that one is a crash of the node.

use std::collections::VecDeque;
use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use commonware_broadcast::buffered;
use commonware_consensus::marshal::core::{Actor as Marshal, Mailbox as MarshalMailbox};
use commonware_consensus::marshal::resolver::p2p as marshal_resolver;
use commonware_consensus::marshal::standard::{Deferred, Standard};
use commonware_consensus::marshal::{self};
use commonware_consensus::simplex::config::{Floor, ForwardPolicy, SkipPolicy};
use commonware_consensus::simplex::elector::RoundRobin;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::{self};
use commonware_consensus::types::{Epoch, FixedEpocher, Height, ViewDelta};
use commonware_consensus::{CertifiableBlock as _, Epochable as _, Heightable as _};
use commonware_cryptography::certificate::{Scheme as _, Verifier as _};
use commonware_cryptography::ed25519::PublicKey as EngineKey;
use commonware_cryptography::{Digested, Sha256, Signer as _};
use commonware_p2p::utils::mux::{self, Builder as _, MuxHandle, Muxer, SubReceiver};
use commonware_p2p::{Blocker, Message, Provider, Receiver, Sender, TrackedPeers};
use commonware_parallel::Sequential;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_runtime::{Clock, Handle, Metrics, Quota, Spawner, Storage};
use commonware_utils::{NZDuration, NZU16, NZU32, NZU64, NZUsize};
use contracts::Rules;
use ledger::LedgerError;
use node::{NodeError, Ordering};
use primitives::header::MAX_VALIDATORS;
use primitives::key::SigningKey;
use primitives::units::BlockHeight;
use rand_core::CryptoRng;

use crate::abstention::Told;
use crate::application::Application;
use crate::archive::{self, Blocks, Finalizations, Retention};
use crate::block::{Context, Digest, OrderedBlock};
use crate::bridge::bridge;
use crate::certificate::{Finalization, finalization};
use crate::connected::Connected;
use crate::delivery::{Applied, Delivery, Early, Inbox};
use crate::membership::{Schemes, engine_signer};
use crate::{ahead, gossip, private_channel};

/// marshal, as everybody else talks to it.
pub type Mailbox = MarshalMailbox<Scheme, Standard<OrderedBlock>>;

type Start = marshal::Start<Scheme, Digest, Digested<OrderedBlock>>;

/// Channels of the network: votes, certificates, resolver, backfill, broadcast, gossip, and the values
/// of a private ledger.
pub const CHANNELS: u64 = 7;
/// Messages that a peer may send on one channel within a second. A low quota throttles consensus
/// without a word; a high one costs memory for every peer and channel.
pub const MESSAGES_PER_SECOND: u32 = 512;
/// Messages of the next epoch that are kept per channel until this node enters it.
const MAX_EARLY: usize = 256;
/// Views that are kept behind the newest final one.
const VIEW_RETENTION: ViewDelta = ViewDelta::new(64);
/// Proposals of each validator that are kept in memory until others ask for them; the archives have
/// them as well.
const KEPT_PROPOSALS: usize = 3;
const MAILBOX: NonZeroUsize = NZUsize!(1024);
pub(crate) const WRITE_BUFFER: NonZeroUsize = NZUsize!(64 * 1024);

/// How fast blocks follow each other when there is little to do.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The pause before an empty block.
    pub idle: Duration,
    /// The pause before an empty block that commits to the execution of the last transactions, from
    /// that execution on and longer when they are many, or that brings an approved change of the
    /// validators nearer.
    pub closing: Duration,
    /// How long the others wait for a leader's proposal; well above `idle`.
    pub leader_timeout: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            idle: Duration::from_millis(700),
            closing: Duration::from_millis(50),
            leader_timeout: Duration::from_millis(1_000),
        }
    }
}

/// What an engine is started with.
#[derive(Clone)]
pub struct Config {
    /// This node's key: a validator's, or that of one who only follows.
    pub key: SigningKey,
    /// Peers that it was told of, on the ledger or not.
    pub peers: Vec<EngineKey>,
    /// Beginning of the names of everything the engine stores.
    pub prefix: String,
    /// How fast.
    pub pace: Pace,
    /// What the engine keeps of blocks.
    pub retention: Retention,
    /// What it is told of its key.
    pub told: Told,
    /// With how many peers it is connected.
    pub connected: Connected,
}

/// The network as the engine sees it.
pub struct Network<B, P, T, S, R> {
    /// Shuts a peer out that misbehaved.
    pub blocker: B,
    /// Who the peers are.
    pub peers: P,
    /// Tells the network who the peers are from a height on; the heights rise.
    pub track: T,
    /// One sender and one receiver for each of [`CHANNELS`].
    pub channels: [(S, R); CHANNELS as usize],
}

/// What each channel of the network allows a peer.
#[must_use]
pub fn quota() -> Quota {
    Quota::per_second(NZU32!(MESSAGES_PER_SECOND))
}

/// The largest message that any channel carries. All peers agree on it, for as long as they know each
/// other.
#[must_use]
pub fn max_message_size() -> u32 {
    let validators = MAX_VALIDATORS as u32;
    commonware_p2p::max_message_size(&[
        mux::prefixed(simplex::max_payload_size::<Scheme, Digest>(validators)),
        marshal::max_payload_size::<Standard<OrderedBlock>, Scheme>(validators, &()),
        gossip::MAX_MESSAGE_BYTES,
        private_channel::MAX_MESSAGE_BYTES,
    ])
}

/// What runs in an epoch, for those who wrap it: the simulator's liars.
pub trait Automaton<E>:
    commonware_consensus::Application<
        E,
        SigningScheme = Scheme,
        Context = Context,
        Block = OrderedBlock,
        Input = (),
    >
{
}

impl<E, A> Automaton<E> for A where
    A: commonware_consensus::Application<
            E,
            SigningScheme = Scheme,
            Context = Context,
            Block = OrderedBlock,
            Input = (),
        >
{
}

/// Orders until the mempool is closed, the ledger fails, or the caller's task is aborted.
///
/// `wrap` puts something around the application; a node puts nothing.
///
/// # Errors
/// [`NodeError`] when the ledger or the engine can go on no more.
pub async fn run<E, B, P, T, S, R, A>(
    runtime: E,
    ordering: Ordering,
    config: Config,
    network: Network<B, P, T, S, R>,
    wrap: impl FnOnce(Application) -> A,
) -> Result<(), NodeError>
where
    E: CryptoRng + Spawner + Metrics + Clock + Storage,
    B: Blocker<PublicKey = EngineKey>,
    P: Provider<PublicKey = EngineKey>,
    T: FnMut(u64, TrackedPeers<EngineKey>) + Send + 'static,
    S: Sender<PublicKey = EngineKey>,
    R: Receiver<PublicKey = EngineKey>,
    A: Automaton<E>,
{
    let schemes = Schemes::new(Arc::clone(&ordering.ledger), &config.key, config.told.clone())?;
    let epocher = epocher(ordering.ledger.rules());
    let genesis = OrderedBlock::genesis(ordering.ledger.rules().genesis().header());
    let cache = CacheRef::new(NZU16!(4096), NZUsize!(512));
    let Network { blocker, peers, track, channels } = network;
    let [votes, certificates, resolver, backfill, broadcast, passed_on, private] = channels;

    let fetch = marshal_resolver::init(
        runtime.child("fetch"),
        fetch_config(&config.key, peers.clone(), blocker.clone()),
        backfill,
    );
    let (spread, buffer) =
        buffered::Engine::new(runtime.child("broadcast"), spread_config(&config.key, peers));
    spread.start(broadcast);
    let (finalizations, blocks) = archives(&runtime, &ordering, &config, &cache).await?;
    let Beginning { height: begins_at, floor, bridge } = begin(&ordering, &config.key, &schemes)?;
    // The engine of the bridge's epoch begins with it; that of an anchor's epoch learns from peers.
    let bridged = floor.clone().filter(|_| bridge.is_some());
    let start = floor.map_or_else(|| Start::Genesis(genesis.digested()), Start::Floor);
    let marshal_config =
        marshal_config(schemes.clone(), epocher.clone(), start, &config.prefix, cache.clone());
    let (marshal, mailbox, progress) = Marshal::<_, Standard<OrderedBlock>, _, _, _, _, _>::init(
        runtime.child("marshal"),
        finalizations,
        blocks,
        marshal_config,
    )
    .await;
    let paced = (config.pace, config.connected.clone());
    let application = Application::new(&ordering, &schemes, &mailbox, &epocher, paced);
    let (child, wrapped) = (runtime.child("application"), wrap(application.clone()));
    let adapter = Deferred::new(child, wrapped, mailbox.clone(), epocher.clone());
    let (inbox, updates) = Inbox::new();
    marshal.start(inbox, buffer, fetch);
    hand_over(&mailbox, bridge.filter(|_| progress.processed().is_none())).await?;
    exchange(&runtime, ordering, passed_on, private);
    let blocks = ahead::start(&runtime, application.clone(), updates);

    let (muxes, early_votes, early_certificates) = muxes(&runtime, votes, certificates, resolver);
    let epochs =
        Epochs::new(runtime, &config, schemes.clone(), adapter, (blocker, track, cache), muxes)
            .bridged(bridged);
    let next = progress.processed().map_or(begins_at, |processed| processed.height().next());
    let applied = Applied::default();
    let retention = config.retention;
    Delivery { application, mailbox, schemes, epocher, epochs, ahead: None, applied, retention }
        .run(next, blocks, early_votes, early_certificates)
        .await
}

/// Starts what nodes exchange beside the ordering: transactions that wait, and values of a private ledger.
fn exchange<E, S, R>(runtime: &E, ordering: Ordering, passed_on: (S, R), private: (S, R))
where
    E: Spawner + Clock,
    S: Sender<PublicKey = EngineKey>,
    R: Receiver<PublicKey = EngineKey>,
{
    gossip::start(runtime, ordering.clone(), passed_on);
    private_channel::start(runtime, ordering, private);
}

/// Gives marshal the bridge, which no peer has: it finds its floor here.
async fn hand_over(mailbox: &Mailbox, bridge: Option<OrderedBlock>) -> Result<(), NodeError> {
    let Some(bridge) = bridge else { return Ok(()) };
    let round = bridge.context().round;
    match mailbox.verified(round, bridge.digested()).await {
        true => Ok(()),
        false => Err(NodeError::Engine("marshal ended".to_owned())),
    }
}

/// Where the engine begins.
struct Beginning {
    height: Height,
    /// What makes the block there final; `None` at the genesis.
    floor: Option<Finalization>,
    /// The block there, when no peer can have it.
    bridge: Option<OrderedBlock>,
}

/// Where the engine begins, and with which key this node attests checkpoints and holds
/// private values.
///
/// A ledger that began with a snapshot has no engine's archive below the snapshot's anchor: the engine
/// begins with the anchor, whose certificate the ledger keeps. One that was begun by a node alone has
/// none below the bridge.
fn begin(ordering: &Ordering, key: &SigningKey, schemes: &Schemes) -> Result<Beginning, NodeError> {
    ordering.checkpoints.attest_with(key.clone());
    ordering.private.keep(&ordering.ledger, &key.public())?;
    let anchor = ordering.ledger.restored_at()?.map_or(0, BlockHeight::get);
    let bridge = bridge(ordering, key)?.filter(|bridge| bridge.height().get() > anchor);
    let height = bridge.as_ref().map_or(Height::new(anchor), OrderedBlock::height);
    if height == Height::zero() {
        return Ok(Beginning { height, floor: None, bridge: None });
    }
    let damaged = LedgerError::Damaged { what: "block with which the engine begins" };
    let Some(sealed) = ordering.ledger.view().sealed_header(height.get())? else {
        return Err(damaged.into());
    };
    let set = schemes.validators(Epoch::new(sealed.header.epoch))?;
    let floor = finalization(&sealed.header, &sealed.certificate, &set).ok_or(damaged)?;
    Ok(Beginning { height, floor: Some(floor), bridge })
}

fn epocher(rules: &Rules) -> FixedEpocher {
    let blocks = NonZeroU64::new(rules.genesis().epoch_blocks.into());
    FixedEpocher::new(blocks.expect("a genesis with empty epochs is refused"))
}

/// What marshal keeps of certificates and blocks.
async fn archives<E: Storage + Metrics + Clock>(
    runtime: &E,
    ordering: &Ordering,
    Config { prefix, retention, .. }: &Config,
    cache: &CacheRef,
) -> Result<(Finalizations<E>, Blocks<E>), NodeError> {
    let unreadable =
        |error: commonware_storage::archive::Error| NodeError::Engine(error.to_string());
    let unbounded = Scheme::certificate_codec_config_unbounded();
    let child = runtime.child("finalizations");
    let recent = archive::recent(
        child,
        prefix,
        ("certificate", unbounded),
        retention.section,
        cache.clone(),
    );
    let ledger = Arc::clone(&ordering.ledger);
    let finalizations = Finalizations { recent: recent.await.map_err(unreadable)?, ledger };
    let recent = archive::recent(
        runtime.child("blocks"),
        prefix,
        ("block", ()),
        retention.section,
        cache.clone(),
    );
    let ledger = Arc::clone(&ordering.ledger);
    let blocks = Blocks { recent: recent.await.map_err(unreadable)?, ledger };
    Ok((finalizations, blocks))
}

/// Several epochs on one channel each; messages of epochs that do not run come out at the side.
fn muxes<E, S, R>(
    runtime: &E,
    votes: (S, R),
    certificates: (S, R),
    resolver: (S, R),
) -> (Muxes<S>, Early, Early)
where
    E: Spawner + Metrics,
    S: Sender<PublicKey = EngineKey>,
    R: Receiver<PublicKey = EngineKey>,
{
    let child = runtime.child("mux_votes");
    let (muxer, votes, early_votes) = Muxer::builder(child, votes.0, votes.1).with_backup().build();
    muxer.start();
    let child = runtime.child("mux_certificates");
    let (muxer, certificates, early_certificates) =
        Muxer::builder(child, certificates.0, certificates.1).with_backup().build();
    muxer.start();
    let (muxer, resolver) = Muxer::new(runtime.child("mux_resolver"), resolver.0, resolver.1);
    muxer.start();
    (Muxes { votes, certificates, resolver }, early_votes, early_certificates)
}

/// Fetching blocks and certificates that this node lacks.
fn fetch_config<P, B>(
    key: &SigningKey,
    peers: P,
    blocker: B,
) -> marshal_resolver::Config<EngineKey, P, B>
where
    P: Provider<PublicKey = EngineKey>,
    B: Blocker<PublicKey = EngineKey>,
{
    marshal_resolver::Config {
        public_key: engine_signer(key).public_key(),
        peer_provider: peers,
        blocker,
        mailbox_size: MAILBOX,
        fetch_timeout: NZDuration!(Duration::from_secs(2)),
        fetch_retry_delay: Duration::from_millis(100),
        priority_requests: false,
        priority_responses: false,
    }
}

/// Spreading proposed blocks.
fn spread_config<P: Provider<PublicKey = EngineKey>>(
    key: &SigningKey,
    peers: P,
) -> buffered::Config<EngineKey, (), P, Sequential> {
    buffered::Config {
        public_key: engine_signer(key).public_key(),
        mailbox_size: MAILBOX,
        deque_size: KEPT_PROPOSALS,
        priority: false,
        codec_config: (),
        peer_provider: peers,
        strategy: Sequential,
    }
}

fn marshal_config(
    schemes: Schemes,
    epocher: FixedEpocher,
    start: Start,
    prefix: &str,
    cache: CacheRef,
) -> marshal::Config<Schemes, FixedEpocher, Sequential, OrderedBlock, Digested<OrderedBlock>> {
    marshal::Config {
        provider: schemes,
        epocher,
        start,
        partition_prefix: prefix.to_owned(),
        mailbox_size: MAILBOX,
        view_retention: VIEW_RETENTION,
        prunable_items_per_section: NZU64!(256),
        page_cache: cache,
        replay_buffer: WRITE_BUFFER,
        key_write_buffer: WRITE_BUFFER,
        value_write_buffer: WRITE_BUFFER,
        block_codec_config: (),
        max_repair: NZUsize!(64),
        max_pending_acks: NZUsize!(64),
        strategy: Sequential,
    }
}

/// A faster peer's first votes of the next epoch reach us while we still close ours. Nobody sends
/// them twice, and without them the epoch's first view would run into its timeout: they are kept, and
/// the next engine reads them first.
#[derive(Debug)]
struct Kept {
    kept: VecDeque<Message<EngineKey>>,
    inner: SubReceiver<EngineKey>,
}

impl Receiver for Kept {
    type Error = mux::Error;
    type PublicKey = EngineKey;

    async fn recv(&mut self) -> Result<Message<EngineKey>, mux::Error> {
        match self.kept.pop_front() {
            Some(message) => Ok(message),
            None => self.inner.recv().await,
        }
    }

    fn capacity(&self) -> NonZeroUsize {
        self.inner.capacity()
    }
}

type Adapter<E, A> = Deferred<E, Scheme, A, OrderedBlock, FixedEpocher>;
type SimplexEngine<E, A, B> = simplex::Engine<
    E,
    Scheme,
    RoundRobin<Sha256>,
    B,
    Digest,
    Adapter<E, A>,
    Adapter<E, A>,
    Adapter<E, A>,
    Sequential,
>;

/// The engines of the epochs, one at a time.
pub(crate) struct Epochs<E, A, B, T, S>
where
    E: Spawner + Metrics + Clock,
    A: Automaton<E>,
    S: Sender,
{
    runtime: E,
    pace: Pace,
    prefix: String,
    told: Vec<EngineKey>,
    schemes: Schemes,
    adapter: Adapter<E, A>,
    blocker: B,
    track: T,
    cache: CacheRef,
    muxes: Muxes<S>,
    /// The bridge, with which the engine of its epoch begins.
    bridged: Option<Finalization>,
    engine: Option<Handle<()>>,
    kept_votes: VecDeque<Message<EngineKey>>,
    kept_certificates: VecDeque<Message<EngineKey>>,
}

/// The channels that carry several epochs.
struct Muxes<S: Sender> {
    votes: MuxHandle<S>,
    certificates: MuxHandle<S>,
    resolver: MuxHandle<S>,
}

/// A channel of the network that carries several epochs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum EpochChannel {
    Votes,
    Certificates,
}

impl<E, A, B, T, S> Epochs<E, A, B, T, S>
where
    E: CryptoRng + Spawner + Metrics + Clock + Storage,
    A: Automaton<E>,
    B: Blocker<PublicKey = EngineKey>,
    T: FnMut(u64, TrackedPeers<EngineKey>) + Send + 'static,
    S: Sender<PublicKey = EngineKey>,
{
    fn new(
        runtime: E,
        config: &Config,
        schemes: Schemes,
        adapter: Adapter<E, A>,
        (blocker, track, cache): (B, T, CacheRef),
        muxes: Muxes<S>,
    ) -> Self {
        Self {
            runtime,
            pace: config.pace,
            prefix: config.prefix.clone(),
            told: config.peers.clone(),
            schemes,
            adapter,
            blocker,
            track,
            cache,
            muxes,
            bridged: None,
            engine: None,
            kept_votes: VecDeque::new(),
            kept_certificates: VecDeque::new(),
        }
    }

    /// The engine of a bridge's epoch begins with it.
    fn bridged(self, bridged: Option<Finalization>) -> Self {
        Self { bridged, ..self }
    }

    pub(crate) const fn runtime(&self) -> &E {
        &self.runtime
    }

    /// Keeps a message of the epoch after the running one.
    pub(crate) fn keep(&mut self, channel: EpochChannel, message: Message<EngineKey>) {
        let kept = match channel {
            EpochChannel::Votes => &mut self.kept_votes,
            EpochChannel::Certificates => &mut self.kept_certificates,
        };
        if kept.len() < MAX_EARLY {
            kept.push_back(message);
        }
    }

    /// Leaves the running epoch for `epoch`, whose root is the last block before it.
    pub(crate) async fn enter(
        &mut self,
        epoch: Epoch,
        (last, root): (Height, Digest),
    ) -> Result<(), NodeError> {
        let validators = self.schemes.validators(epoch)?.len();
        self.track_from(last.next(), epoch)?;
        let scheme = self.schemes.of(epoch)?;
        let votes_here = scheme.me().is_some();
        let context = self.runtime.child("simplex").with_attribute("epoch", epoch);
        let engine = self.engine_of(context, epoch, (*scheme).clone(), root);
        let closed = |_| NodeError::Engine("the network's channels ended".to_owned());
        let Muxes { votes, certificates, resolver } = &mut self.muxes;
        let votes = votes.register(epoch.get()).await.map_err(closed)?;
        let certificates = certificates.register(epoch.get()).await.map_err(closed)?;
        let resolver = resolver.register(epoch.get()).await.map_err(closed)?;
        let kept_votes = Kept { kept: std::mem::take(&mut self.kept_votes), inner: votes.1 };
        let kept_certificates =
            Kept { kept: std::mem::take(&mut self.kept_certificates), inner: certificates.1 };
        let running =
            engine.start((votes.0, kept_votes), (certificates.0, kept_certificates), resolver);
        if let Some(before) = self.engine.replace(running) {
            before.abort();
            // It was aborted; how it ended says nothing.
            let _ = before.await;
        }
        // The journal of the epoch before has to last until its last block is acknowledged; the one
        // before that is not needed any more.
        if let Some(old) = epoch.previous().and_then(Epoch::previous) {
            let _ = self.runtime.remove(&self.partition(old), None).await;
        }
        tracing::info!(epoch = epoch.get(), validators, votes_here, "epoch");
        Ok(())
    }

    /// Lets in who is a peer from a height of an epoch on.
    pub(crate) fn track_from(&mut self, height: Height, epoch: Epoch) -> Result<(), NodeError> {
        (self.track)(height.get(), self.schemes.peers(epoch, &self.told)?);
        Ok(())
    }

    fn engine_of(
        &self,
        context: E,
        epoch: Epoch,
        scheme: Scheme,
        root: Digest,
    ) -> SimplexEngine<E, A, B> {
        let bridged = self.bridged.clone().filter(|bridge| bridge.epoch() == epoch);
        simplex::Engine::new(
            context,
            simplex::Config {
                scheme,
                elector: RoundRobin::<Sha256>::default(),
                blocker: self.blocker.clone(),
                automaton: self.adapter.clone(),
                relay: self.adapter.clone(),
                reporter: self.adapter.clone(),
                strategy: Sequential,
                partition: self.partition(epoch),
                mailbox_size: MAILBOX,
                epoch,
                floor: bridged.map_or(Floor::Genesis(root), Floor::Finalized),
                replay_buffer: WRITE_BUFFER,
                write_buffer: WRITE_BUFFER,
                page_cache: self.cache.clone(),
                leader_timeout: self.pace.leader_timeout,
                certification_timeout: self.pace.leader_timeout * 2,
                // Nodes that come back need the votes of those who waited for them.
                timeout_retry: self.pace.leader_timeout,
                view_retention: VIEW_RETENTION,
                skip: SkipPolicy::Disabled,
                fetch_timeout: NZDuration!(Duration::from_secs(2)),
                fetch_retry_delay: Duration::from_millis(200),
                forward: ForwardPolicy::Disabled,
                track_historical_votes: false,
            },
        )
    }

    fn partition(&self, epoch: Epoch) -> String {
        format!("{}-simplex-{epoch}", self.prefix)
    }
}
