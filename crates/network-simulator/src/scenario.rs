//! Validators come, go and change their keys, step by step; what each step promises is checked.

use std::time::Duration;

use commonware_runtime::{Clock, Spawner, Supervisor};
use contracts::Position;
use contracts::genesis::Parameters;
use contracts::governance::Change;
use ledger::{Ledger, LedgerError, Outcome, View};
use primitives::codec::Bounded;
use primitives::header::{Certificate, Header, ValidatorSet};
use primitives::proof::{EventProof, TrustedGenesis, verify_event};
use primitives::units::{BlockHeight, MicroCurrency};

use crate::council::{Act, Council, node_key, seats};
use crate::world::{Faults, HEALING, SHORT_EPOCH_BLOCKS, SeedReport, Setup, TICK, World, run};

/// Between two looks at a boundary.
const MOMENT: Duration = Duration::from_millis(3);

/// The kind of a purchase of tokens in the table of transactions.
const BUY_TOKENS: u16 = 701;

/// One step of a run.
#[derive(Debug, Clone)]
pub enum Step {
    /// A node begins with an empty store.
    Start(usize),
    /// A node ends for good.
    Stop(usize),
    /// Everybody agrees to take and to give seats.
    Seats {
        /// Who loses its seat.
        remove: Vec<usize>,
        /// Who gets one.
        add: Vec<usize>,
    },
    /// The organisation of one node gives its seat to another, new node.
    Rotate {
        /// Who holds the seat.
        from: usize,
        /// Who gets it; a node without an organisation of its own.
        to: usize,
    },
    /// One organisation alone wants seats taken and given, and another's seat for itself.
    Alone {
        /// Who it is.
        organisation: usize,
        /// Whose seats it wants.
        remove: Vec<usize>,
    },
    /// These nodes crash around the last block of the running epoch, at a time that the seed chooses.
    CrashAtBoundary(Vec<usize>),
    /// An organisation asks for a checkpoint, and all that run see it agreed on.
    Checkpoint,
    /// Everybody agrees to another price of a token, from a height in three epochs.
    Price(i64),
    /// Everybody agrees to a version of the protocol that nobody has, from a height in three epochs.
    Protocol(u8),
}

/// A run.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Validators of the genesis.
    pub validators: usize,
    /// Nodes with an organisation of their own, those validators first.
    pub organisations: usize,
    /// Nodes, those of the organisations first.
    pub nodes: usize,
    /// What happens.
    pub steps: Vec<Step>,
}

/// Plays a scenario on a seed.
#[must_use]
pub fn play(seed: u64, scenario: &Scenario) -> SeedReport {
    let Scenario { validators, organisations, nodes, steps } = scenario.clone();
    run(seed, move |context| async move {
        let setup = Setup {
            faults: Faults::None,
            bug: None,
            nodes,
            validators,
            running: validators,
            epoch_blocks: SHORT_EPOCH_BLOCKS,
        };
        let mut world = World::start(context, seed, setup).await;
        if let Some((market, council)) = world.found(organisations).await {
            world.trade(&market);
            let mut play = Play {
                seated: (0..validators).collect(),
                runs: (0..nodes).collect(),
                changes: 0,
                last: None,
                council: Some(council),
                world,
            };
            // Who was appointed has a voice two epochs later.
            play.reach_epoch(play.epoch() + 2).await;
            for step in &steps {
                if play.world.violations.is_empty() {
                    play.step(step).await;
                }
            }
            return play.end().await;
        }
        world.report()
    })
}

struct Play {
    world: World,
    /// Lent out while it decides.
    council: Option<Council>,
    /// Who holds a seat when everything decided acts, in the order of the set.
    seated: Vec<usize>,
    /// Which organisation runs a node.
    runs: Vec<usize>,
    /// Changes of the set so far.
    changes: usize,
    /// The newest decision.
    last: Option<Outcome>,
}

impl Play {
    async fn step(&mut self, step: &Step) {
        match step {
            Step::Start(node) => self.start(*node).await,
            Step::Stop(node) => self.world.stop(*node).await,
            Step::Seats { remove, add } => {
                let before = self.set();
                let outcome = self.decide(Act::All(seats(remove, add))).await;
                self.seated.retain(|node| !remove.contains(node));
                self.seated.extend(add);
                self.acts(outcome, &before, add).await;
            }
            Step::Rotate { from, to } => {
                let (before, organisation) = (self.set(), self.runs[*from]);
                self.runs[*to] = organisation;
                let rotation = Act::Rotate { organisation, from: *from, to: *to };
                let outcome = self.decide(rotation).await;
                let seat = self.seated.iter_mut().find(|seat| *seat == from);
                *seat.expect("only a seat is given on") = *to;
                self.acts(outcome, &before, &[*to]).await;
            }
            Step::Alone { organisation, remove } => self.alone(*organisation, remove).await,
            Step::CrashAtBoundary(nodes) => self.crash_at_boundary(nodes).await,
            Step::Checkpoint => self.checkpoint().await,
            Step::Price(price) => self.price(*price).await,
            Step::Protocol(version) => self.protocol(*version).await,
        }
    }

    async fn checkpoint(&mut self) {
        let Some(outcome) = self.carry_out(Act::Checkpoint(0)).await else { return };
        if outcome.code != 0 {
            return self.violated(format!("a checkpoint was refused with {}", outcome.code));
        }
        let height = outcome.position.height;
        let agreed = |ledger: &Ledger| {
            let found = ledger.view().read(|state| state.agreed_checkpoint());
            found.is_ok_and(|found| found.is_some_and(|it| it.height.get() >= height))
        };
        self.until("nobody agrees on the checkpoint", |play| {
            play.world.ledgers().all(|(_, ledger)| agreed(ledger))
        })
        .await;
    }

    /// Who begins with a seat votes as soon as it has caught up.
    async fn start(&mut self, node: usize) {
        let height = self.world.observer.height();
        self.world.boot(node).await;
        if self.seated.contains(&node) {
            let what = format!("no certificate counts node {node} after its start");
            self.until(&what, |play| play.has_voted(node, height)).await;
        }
    }

    fn violated(&mut self, what: String) {
        self.world.violations.push(what);
    }

    /// The epoch of the next block.
    fn epoch(&self) -> u64 {
        (self.world.observer.height() + 1) / u64::from(SHORT_EPOCH_BLOCKS)
    }

    /// Waits until all that run have executed the first block of an epoch.
    async fn reach_epoch(&mut self, epoch: u64) {
        let first = first_of(epoch);
        self.until(&format!("nobody reaches epoch {epoch}"), |play| {
            play.world.ledgers().all(|(_, ledger)| ledger.view().height() >= first)
        })
        .await;
    }

    async fn until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let deadline = self.world.context.current() + 2 * HEALING;
        while self.world.violations.is_empty() && !holds(self) {
            self.world.tick(TICK).await;
            self.world.look().await;
            if self.world.context.current() > deadline {
                let heights: Vec<_> = self
                    .world
                    .ledgers()
                    .map(|(node, ledger)| (node, ledger.view().height()))
                    .collect();
                self.violated(format!("no progress: {what}; heights by node {heights:?}"));
            }
        }
    }

    /// Lets the council work while everything else goes on.
    async fn carry_out(&mut self, act: Act) -> Option<Outcome> {
        let mut council = self.council.take()?;
        let task = self.world.context.child("council").spawn(move |context| async move {
            let outcome = council.carry_out(&context, act).await;
            (council, outcome)
        });
        let (council, outcome) = self.world.while_it_works(task).await?;
        self.council = Some(council);
        Some(outcome)
    }

    /// What everybody agrees to.
    async fn decide(&mut self, act: Act) -> Option<Outcome> {
        let outcome = self.carry_out(act).await?;
        if outcome.code != 0 {
            self.violated(format!("a decision was refused with code {}", outcome.code));
            return None;
        }
        self.last = Some(outcome.clone());
        Some(outcome)
    }

    fn set(&self) -> ValidatorSet {
        set_of(&self.seated)
    }

    /// A decision about seats acts two epochs after its block, on all nodes alike, and the newcomers'
    /// votes count from then on.
    async fn acts(&mut self, outcome: Option<Outcome>, before: &ValidatorSet, newcomers: &[usize]) {
        let Some(outcome) = outcome else { return };
        self.changes += 1;
        let after = self.set();
        let epoch = outcome.position.height / u64::from(SHORT_EPOCH_BLOCKS) + 2;
        self.reach_epoch(epoch).await;
        let first = first_of(epoch);
        let expected =
            [(first - 1, before.hash(), after.hash()), (first, after.hash(), after.hash())];
        let differing = self.world.ledgers().find_map(|(node, ledger)| {
            expected.iter().find_map(|(height, now, next)| {
                let header = ledger.view().header(*height).ok()??;
                let differs =
                    (header.validators_hash, header.next_validators_hash) != (*now, *next);
                differs.then_some((node, *height))
            })
        });
        if let Some((node, height)) = differing {
            return self.violated(format!("node {node}: height {height} names other validators"));
        }
        for newcomer in newcomers {
            if self.world.ledger(*newcomer).is_none() {
                continue;
            }
            let what = format!("no certificate of epoch {epoch} or later counts node {newcomer}");
            self.until(&what, |play| play.has_voted(*newcomer, first)).await;
        }
    }

    /// Does a certificate from a height on carry a node's signature?
    fn has_voted(&self, node: usize, from: u64) -> bool {
        let key = node_key(node).public();
        self.world.ledgers().any(|(_, ledger)| {
            let view = ledger.view();
            (from..=view.height()).any(|height| {
                let Ok(Some(sealed)) = view.sealed_header(height) else { return false };
                let Ok(Some(set)) = view.validators_in(sealed.header.epoch) else { return false };
                let mut places = sealed.certificate.signatures.iter().map(|(place, _)| place);
                places.any(|place| set.keys().get(usize::from(*place)) == Some(&key))
            })
        })
    }

    async fn alone(&mut self, organisation: usize, remove: &[usize]) {
        let proposed = self.carry_out(Act::Alone(organisation, seats(remove, &[]))).await;
        let Some(proposed) = proposed else { return };
        let stolen = self.carry_out(Act::Steal { organisation, from: remove[0] }).await;
        let Some(stolen) = stolen else { return };
        if stolen.code == 0 {
            self.violated("an organisation took another's seat".to_owned());
        }
        self.reach_epoch(
            stolen.position.height.max(proposed.position.height) / u64::from(SHORT_EPOCH_BLOCKS)
                + 3,
        )
        .await;
        let expected = self.set();
        let epoch = self.epoch();
        let changed = self.world.ledgers().find(|(_, ledger)| {
            let set = ledger.view().validators_in(epoch);
            set.ok().flatten().is_some_and(|set| set != expected)
        });
        if let Some((node, _)) = changed {
            self.violated(format!("node {node}: one organisation alone changed the validators"));
        }
    }

    async fn crash_at_boundary(&mut self, nodes: &[usize]) {
        let last = first_of(self.epoch() + 1) - 1;
        let deadline = self.world.context.current() + HEALING;
        // A little before, in the middle of it, or a little after.
        let height = last - self.world.random.between(0, 1);
        while self.world.observer.height() < height && self.world.context.current() < deadline {
            self.world.tick(MOMENT).await;
            self.world.look().await;
        }
        for node in nodes {
            let pause = Duration::from_millis(self.world.random.between(0, 40));
            self.world.tick(pause).await;
            let down = Duration::from_millis(self.world.random.between(50, 900));
            self.world.crash(*node, down).await;
        }
        self.reach_epoch(last / u64::from(SHORT_EPOCH_BLOCKS) + 2).await;
    }

    /// A height three epochs on, for what acts from a height.
    fn later(&self) -> BlockHeight {
        BlockHeight::new(first_of(self.epoch() + 3) + 3)
    }

    /// Purchases at the old price are accepted up to the height before, and none from then on.
    async fn price(&mut self, price: i64) {
        let from_height = self.later();
        let token_price_micro_coin = MicroCurrency::new(price);
        let parameters = Parameters { token_price_micro_coin, ..Parameters::default() };
        let change = Change::Parameters { from_height, parameters };
        if self.decide(Act::All(change)).await.is_none() {
            return;
        }
        let from = from_height.get();
        self.until("the height of the new price is not reached", |play| {
            play.world.ledgers().all(|(_, ledger)| ledger.view().height() >= from + 15)
        })
        .await;
        let mut found = Vec::new();
        for (node, ledger) in self.world.ledgers() {
            match purchases(&ledger.view(), from) {
                Ok((before, 0)) if before > 0 => {}
                Ok((before, after)) => found.push(format!(
                    "node {node}: {before} purchases at the old price before height {from}, {after} \
                     from then on"
                )),
                Err(error) => found.push(error.to_string()),
            }
        }
        self.world.violations.extend(found);
    }

    /// All stop before the height, and lose nothing.
    async fn protocol(&mut self, version: u8) {
        let from_height = self.later();
        if self.decide(Act::All(Change::Protocol { from_height, version })).await.is_none() {
            return;
        }
        let nodes = self.world.ledgers().count();
        self.until("not everybody stops before the new version", |play| {
            play.world.outdated.len() == nodes
        })
        .await;
        let from = from_height.get();
        let heights: Vec<_> =
            self.world.ledgers().map(|(_, ledger)| ledger.view().height()).collect();
        if heights.iter().any(|height| height + 1 != from)
            || self.world.outdated.iter().any(|(_, height)| *height != from)
        {
            self.violated(format!(
                "version {version} acts from {from}, and they stop at {heights:?}"
            ));
        }
    }

    async fn end(mut self) -> SeedReport {
        // Those who stopped before a new version do not go on.
        if self.world.outdated.is_empty() {
            self.world.settle().await;
        }
        if self.world.violations.is_empty() && self.changes > 0 {
            self.prove().await;
        }
        self.world.report()
    }

    /// Whoever trusts the genesis follows the changes; the keys of those who left forge nothing that
    /// holds against that.
    async fn prove(&mut self) {
        let Some(position) = self.last.as_ref().map(|outcome| outcome.position) else { return };
        self.until("the last decision cannot be proven", |play| {
            play.world.ledger(play.seated[0]).is_some_and(|ledger| {
                matches!(ledger.view().proven_height(), Ok(height) if height >= position.height)
            })
        })
        .await;
        let Some(ledger) = self.world.ledger(self.seated[0]) else { return };
        let genesis = ledger.rules().genesis();
        let (ledger_id, validators) = (ledger.rules().ledger_id(), genesis.validators.clone());
        let trusted = TrustedGenesis { ledger_id, validators };
        let proof = match ledger.view().event_proof(position, 0) {
            Ok(Some(proof)) => proof,
            other => return self.violated(format!("no proof of the last decision: {other:?}")),
        };
        if let Err(error) = verify_event(Some(&trusted), &proof) {
            self.violated(format!("the proof from the genesis: {error}"));
        }
        if proof.set_changes.len() != self.changes {
            let found = proof.set_changes.len();
            self.violated(format!("{} changes of validators, {found} in the proof", self.changes));
        }
        let founders: Vec<_> = (0..trusted.validators.len()).collect();
        for (what, forged) in forgeries(&proof, &trusted.validators, &founders) {
            if verify_event(Some(&trusted), &forged).is_ok() {
                self.violated(format!("the first validators forged a proof: {what}"));
            }
        }
    }
}

/// What the first validators can make of a proof with the keys they keep.
fn forgeries(
    proof: &EventProof,
    first: &ValidatorSet,
    founders: &[usize],
) -> Vec<(&'static str, EventProof)> {
    let mut resigned = proof.clone();
    resigned.anchor.certificate = signed_by(founders, &proof.anchor.header);
    let mut shortened = proof.clone();
    shortened.set_changes = Bounded::default();
    let mut named = resigned.clone();
    named.anchor.header.validators_hash = first.hash();
    named.anchor.certificate = signed_by(founders, &named.anchor.header);
    let mut both = resigned.clone();
    both.set_changes = Bounded::default();
    vec![
        ("the anchor signed again", resigned),
        ("the changes left out", shortened),
        ("an anchor that names the first set", named),
        ("the anchor signed again, and the changes left out", both),
    ]
}

fn signed_by(nodes: &[usize], header: &Header) -> Certificate {
    let mut certificate = Certificate { view: 9, parent_view: 8, signatures: Bounded::default() };
    let message = certificate.message(header);
    let signatures: Vec<_> = (0_u16..)
        .zip(nodes)
        .map(|(place, node)| (place, node_key(*node).sign_bytes(&message)))
        .collect();
    certificate.signatures = Bounded::try_from(signatures).expect("a few signatures");
    certificate
}

fn set_of(nodes: &[usize]) -> ValidatorSet {
    let keys = nodes.iter().map(|node| node_key(*node).public()).collect();
    ValidatorSet::new(keys).expect("a set")
}

fn first_of(epoch: u64) -> u64 {
    epoch * u64::from(SHORT_EPOCH_BLOCKS)
}

/// Accepted purchases before a height, and from it on.
fn purchases(view: &View, from: u64) -> Result<(usize, usize), LedgerError> {
    let (mut before, mut after) = (0, 0);
    for height in 1..=view.height() {
        let Some((block, _)) = view.block(height)? else { continue };
        for (index, submission) in (0..).zip(&block.submissions) {
            let receipt = view.receipt(Position { height, index })?;
            let is_accepted = receipt.is_some_and(|receipt| receipt.code == 0);
            if is_accepted && submission.transaction.envelope.kind == BUY_TOKENS {
                *(if height < from { &mut before } else { &mut after }) += 1;
            }
        }
    }
    Ok((before, after))
}
