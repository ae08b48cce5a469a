//! How a validator behaves: as it should, with a planted bug, or as a liar.

use std::sync::{Arc, Mutex};

use commonware_consensus::marshal::ancestry::Ancestry;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_cryptography::Digested;
use commonware_runtime::{Clock, Metrics, Spawner};
use consensus_bft::block::Context;
use consensus_bft::{Application, OrderedBlock};
use contracts::Position;
use ledger::{Block, Outcome};
use primitives::codec::Bounded;
use primitives::envelope::{Submission, transactions_root};
use primitives::hash::Hash;
use primitives::units::{BlockHeight, Timestamp};

use crate::clients::Sent;
use crate::random::Random;

/// A bug to be planted, to prove that the simulator finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// Validators vote for whatever is proposed.
    VotesBlindly,
    /// A proposer forgets the transactions that it proposed, whether they become final or not.
    ForgetsProposals,
    /// A proposer answers its clients when it proposes, not when the block is final and durable.
    AnswersEarly,
    /// After a crash a validator has lost the journal of its votes.
    LosesJournal,
    /// One validator executes differently: its store gives other balances than it took.
    ExecutesDifferently,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::VotesBlindly,
        Self::ForgetsProposals,
        Self::AnswersEarly,
        Self::LosesJournal,
        Self::ExecutesDifferently,
    ];
}

/// A validator's application with its conduct around it.
#[derive(Clone)]
pub enum Conduct {
    /// As it is.
    Honest,
    /// With a bug.
    Buggy(Bug),
    /// Lies now and then.
    Liar {
        /// Which lies, and when.
        random: Arc<Mutex<Random>>,
        /// What it replays.
        sent: Sent,
    },
}

/// The application on which the engine of a simulated validator runs.
#[derive(Clone)]
pub struct Actor {
    pub inner: Application,
    pub conduct: Conduct,
}

impl<E: Clock + Spawner + Metrics> commonware_consensus::Application<E> for Actor {
    type SigningScheme = Scheme;
    type Context = Context;
    type Block = OrderedBlock;
    type Input = ();

    async fn propose(
        &mut self,
        (runtime, context): (E, Context),
        ancestry: impl Ancestry<OrderedBlock>,
        (): (),
    ) -> Option<Digested<OrderedBlock>> {
        let inner = &mut self.inner;
        let proposed =
            commonware_consensus::Application::propose(inner, (runtime, context), ancestry, ());
        let proposed = proposed.await?;
        match &self.conduct {
            Conduct::Honest => {}
            Conduct::Buggy(bug) => self.after_proposal(*bug, proposed.inner()),
            Conduct::Liar { random, sent } => {
                let mut random = random.lock().expect("no panic with the random numbers");
                if random.percent(50) {
                    return Some(lie(proposed.inner(), &mut random, sent).digested());
                }
            }
        }
        Some(proposed)
    }

    async fn verify(
        &mut self,
        context: (E, Context),
        ancestry: impl Ancestry<OrderedBlock>,
    ) -> bool {
        match self.conduct {
            Conduct::Buggy(Bug::VotesBlindly) | Conduct::Liar { .. } => true,
            _ => {
                commonware_consensus::Application::verify(&mut self.inner, context, ancestry).await
            }
        }
    }
}

impl Actor {
    fn after_proposal(&self, bug: Bug, block: &OrderedBlock) {
        let mempool = &self.inner.ordering().mempool;
        let ids = block.ids();
        match bug {
            Bug::ForgetsProposals => drop(mempool.remove(ids)),
            Bug::AnswersEarly => {
                let height = block.header().height.get();
                for (index, id) in (0_u32..).zip(ids) {
                    let position = Position { height, index };
                    mempool.answer(&id, &Ok(Outcome { id, position, code: 0 }));
                }
            }
            Bug::VotesBlindly | Bug::LosesJournal | Bug::ExecutesDifferently => {}
        }
    }
}

/// A proposal that must not become final, or that must do no harm when it does.
fn lie(honest: &OrderedBlock, random: &mut Random, sent: &Sent) -> OrderedBlock {
    let context = commonware_consensus::CertifiableBlock::context(honest);
    let mut block = honest.to_block();
    let mut submissions = block.submissions.clone().into_vec();
    let old = sent.any(random);
    match random.below(8) {
        0 => {
            if let Some(mut forged) = old.clone() {
                forged.transaction.envelope.sequence = primitives::units::Sequence::new(999);
                submissions.push(forged);
            }
        }
        // A replay has the right form: it is ordered, refused for its sequence, and moves nothing.
        1 => submissions.extend(old),
        2 => block.header.executed.state_root = Hash::of(b"a lie"),
        3 => block.header.time = Timestamp::new(block.header.time.get() + 3_600_000),
        4 => block.header.transactions_root = Hash::of(b"a lie"),
        5 => block.header.next_validators_hash = Hash::of(b"a lie"),
        6 => submissions.extend(submissions.first().cloned()),
        _ => {
            let height = block.header.height.get();
            block.header.executed.height = BlockHeight::new(height.saturating_sub(1));
            block.header.executed.receipts = Hash::of(b"a lie");
        }
    }
    if submissions.len() != block.submissions.len() {
        block = with_submissions(block, submissions);
    }
    OrderedBlock::seal_unchecked(&block, context)
}

fn with_submissions(mut block: Block, submissions: Vec<Submission>) -> Block {
    let ids: Vec<_> = submissions.iter().map(|s| s.transaction.id()).collect();
    block.header.transactions_root = transactions_root(&ids);
    block.submissions = Bounded::try_from(submissions).expect("one more than the pool gave");
    block
}
