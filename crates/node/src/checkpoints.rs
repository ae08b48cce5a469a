//! Checkpoints: this node computes the root of the whole state when the ledger asks for it, and
//! attests it when its key has a seat.
//!
//! Computing takes as long as the state is large, so it happens beside the ordering, on a view of the
//! moment of the request; the orderer says on which thread ([`Checkpoints::work`]). Every node computes,
//! also one without a seat: one whose own root is not the agreed one has diverged and must stop.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering as Atomic};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use contracts::Body;
use contracts::governance::AttestCheckpoint;
use ledger::snapshot::{Checkpoint, StateFile};
use ledger::{CheckedBlock, Ledger, LedgerError, View};
use primitives::codec::Bounded;
use primitives::envelope::{ENVELOPE_VERSION, Envelope, SignedTransaction, Submission};
use primitives::hash::Hash;
use primitives::key::SigningKey;
use primitives::receipt::Receipt;
use primitives::units::{BlockHeight, Sequence, Timestamp};

use crate::orderer::Ordering;

/// How long an attestation may wait for its block before it is sent again.
const PATIENCE_MS: u64 = 60_000;

/// Work that the orderer lets run beside it.
pub type Work = Box<dyn FnOnce() + Send>;

/// What this node has to do with checkpoints.
#[derive(Default)]
pub struct Checkpoints {
    key: OnceLock<SigningKey>,
    directory: OnceLock<PathBuf>,
    progress: Mutex<Progress>,
    is_over: AtomicBool,
}

#[derive(Default)]
struct Progress {
    /// The ledger at the newest request.
    requested: Option<View>,
    is_computing: bool,
    computed: Option<Computed>,
    /// The height at which another root was agreed on than this node's.
    diverged: Option<BlockHeight>,
}

#[derive(Clone, Copy)]
struct Computed {
    height: BlockHeight,
    root: Hash,
    /// Until when the attestation that was sent may still be ordered; `None` when there is nothing to
    /// send any more.
    awaited_until: Option<Timestamp>,
}

impl Checkpoints {
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Attests with this key whenever it has a seat; the first key given holds.
    pub fn attest_with(&self, key: SigningKey) {
        let _ = self.key.set(key);
    }

    /// Keeps the state of checkpoints in this directory, so that snapshots can be made from it.
    pub fn keep_in(&self, directory: PathBuf) {
        let _ = self.directory.set(directory);
    }

    /// What is being computed is given up.
    pub fn stop(&self) {
        self.is_over.store(true, Atomic::Relaxed);
    }

    /// Looks for requests and agreements in a block that was executed.
    pub(crate) fn note(
        &self,
        ledger: &Ledger,
        block: &CheckedBlock,
        receipts: &[Receipt],
    ) -> Result<(), LedgerError> {
        let mut is_concerned = false;
        for (checked, receipt) in block.transactions().iter().zip(receipts) {
            match checked.body() {
                Body::RequestCheckpoint(_) if receipt.code == 0 => {
                    self.progress().requested = Some(ledger.view());
                }
                Body::AttestCheckpoint(_) => is_concerned = true,
                _ => {}
            }
        }
        if is_concerned {
            self.compare(&ledger.view())?;
        }
        match self.progress().diverged {
            Some(height) => Err(LedgerError::Diverged { height }),
            None => Ok(()),
        }
    }

    /// Is the agreed root this node's own?
    fn compare(&self, view: &View) -> Result<(), LedgerError> {
        let Some(agreed) = view.read(|state| state.agreed_checkpoint())? else { return Ok(()) };
        let mut progress = self.progress();
        let Some(own) = progress.computed.filter(|own| own.height == agreed.height) else {
            return Ok(());
        };
        if own.root == agreed.root {
            tracing::info!(height = agreed.height.get(), root = %agreed.root, "checkpoint agreed");
        } else {
            tracing::error!(
                height = agreed.height.get(), own = %own.root, agreed = %agreed.root,
                "the validators agreed on another state than this node's: it has diverged"
            );
            progress.diverged = Some(agreed.height);
        }
        Ok(())
    }

    /// What is to be done after the block with this time, if anything.
    #[must_use]
    pub fn work(self: &Arc<Self>, ordering: &Ordering, time: Timestamp) -> Option<Work> {
        let mut progress = self.progress();
        let waits = |own: &Computed| own.awaited_until.is_some_and(|until| until < time);
        let is_free = !progress.is_computing;
        let view = match progress.requested.take_if(|_| is_free) {
            Some(view) => Some(view),
            None if is_free && progress.computed.as_ref().is_some_and(waits) => None,
            None => return None,
        };
        progress.is_computing |= view.is_some();
        drop(progress);
        let (this, ordering) = (Arc::clone(self), ordering.clone());
        Some(Box::new(move || {
            if let Err(error) = this.run(&ordering, view)
                && !this.is_over.load(Atomic::Relaxed)
            {
                tracing::error!(%error, "the checkpoint cannot be attested");
            }
        }))
    }

    fn run(&self, ordering: &Ordering, view: Option<View>) -> Result<(), LedgerError> {
        if let Some(view) = view {
            let computed = self.compute(&view);
            self.progress().is_computing = false;
            let checkpoint = computed?;
            let (height, root) = (checkpoint.head.header.height, checkpoint.root());
            tracing::info!(height = height.get(), %root, rows = checkpoint.rows, "checkpoint");
            let awaited_until = Some(Timestamp::new(0));
            self.progress().computed = Some(Computed { height, root, awaited_until });
            self.compare(&ordering.ledger.view())?;
        }
        self.attest(ordering)
    }

    fn compute(&self, view: &View) -> Result<Checkpoint, LedgerError> {
        let go_on = || match self.is_over.load(Atomic::Relaxed) {
            true => Err(LedgerError::Stopping),
            false => Ok(()),
        };
        let Some(directory) = self.directory.get() else {
            return Checkpoint::compute(view, |_| go_on());
        };
        let files = StateFile::new(directory);
        let agreed = view.read(|state| state.agreed_checkpoint())?;
        let kept: Vec<_> = agreed.iter().map(|agreed| agreed.height.get()).collect();
        files.keep_only(&kept);
        files.compute(view, go_on)
    }

    /// Sends the attestation, unless it stands on the ledger or nobody waits for it.
    fn attest(&self, ordering: &Ordering) -> Result<(), LedgerError> {
        let Some(own) = self.progress().computed else { return Ok(()) };
        let until = match self.key.get() {
            Some(key) => self.send(ordering, key, own)?,
            None => None,
        };
        if let Some(computed) = &mut self.progress().computed {
            computed.awaited_until = until;
        }
        Ok(())
    }

    fn send(
        &self,
        ordering: &Ordering,
        key: &SigningKey,
        own: Computed,
    ) -> Result<Option<Timestamp>, LedgerError> {
        let view = ordering.ledger.view();
        let (public, address) = (key.public(), key.public().address());
        let (open, highest) =
            view.read(|state| (state.open_checkpoint(), state.highest_sequence(&address)))?;
        let is_awaited = open.is_some_and(|open| {
            open.height == own.height && open.attestations.iter().all(|it| it.validator != address)
        });
        let has_seat = view.validators_at(view.height() + 1)?.current.contains(&public);
        if !is_awaited || !has_seat {
            return Ok(None);
        }
        let now = ordering.ledger.next_time(ordering.clock.now())?;
        let until = Timestamp::new(now.get().saturating_add(PATIENCE_MS));
        let body = Body::from(AttestCheckpoint { height: own.height, root: own.root });
        let envelope = Envelope {
            version: ENVELOPE_VERSION,
            ledger_id: ordering.ledger.rules().ledger_id(),
            signer: public,
            cosigners: Bounded::default(),
            sequence: Sequence::new(highest + 1),
            valid_until: until,
            kind: body.kind(),
            body: Bounded::try_from(body.encode()).expect("a height and a hash"),
        };
        let transaction = SignedTransaction::sign(envelope, &[key]);
        // Whether it was ordered shows on the ledger; nobody waits here.
        drop(ordering.doors.admit(vec![Submission { transaction, payload: Bounded::default() }])?);
        Ok(Some(until))
    }
}
