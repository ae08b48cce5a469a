//! A change of the validators: proposed, voted on, waited for.
//!
//! Where it stands is read from the ledger each time, never from a file of its own. So whatever was
//! cut short goes on where it stood.

use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use client::connection::{Connection, SubmitOutcome, SubmitStatus};
use contracts::Body;
use contracts::governance::{ApproveChange, Change, ProposeChange};
use contracts::registry::Role;
use primitives::codec::Bounded;
use primitives::identifier::TransactionId;
use primitives::key::{PublicKey, SigningKey};
use serde_json::{Value, json};

use super::folder::{Folder, NetworkFile};
use super::organisations::Organisation;
use super::up::check;
use crate::commands::connect::{all, ended, field_u64};
use crate::commands::interrupt::Interrupt;
use crate::commands::submit::system_time;
use crate::exit::{EndWith, Ended, Exit};

/// How often the network is asked whether something has happened.
const ASK: Duration = Duration::from_millis(100);
/// A node that does not answer a question within this time is passed over.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a transaction stays valid.
const VALID_MS: u64 = 3_600 * 1_000;
/// How often somebody who waits reads how far the network is.
const TELL: Duration = Duration::from_secs(5);

/// Gives or takes a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Give,
    Take,
}

/// From when on a set of validators acts, and how large it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acts {
    /// The epoch.
    pub epoch: u64,
    /// The height of its first block.
    pub from_height: u64,
    /// Seats of the set.
    pub seats: usize,
}

/// A network whose validators change.
pub struct Seats<'a> {
    /// Its directory.
    pub folder: &'a Folder,
    /// What it is.
    pub network: NetworkFile,
    /// Answers for the network; not the node that comes or goes.
    pub node: Connection,
    /// Whether somebody asked to stop.
    pub interrupt: &'a Interrupt,
    /// Until when everything has to be done.
    pub until: Instant,
}

impl<'a> Seats<'a> {
    /// The network beside the node of `name`.
    ///
    /// # Errors
    /// When it is not registered yet; [`Exit::Unreachable`] when no other node answers.
    pub fn beside(
        folder: &'a Folder,
        name: &str,
        interrupt: &'a Interrupt,
        until: Instant,
    ) -> Result<Self, Ended> {
        let network = folder.founded_network()?;
        let dir = folder.path().display();
        if !network.registered {
            return Err(anyhow!(
                "the organisations are not known to the ledger yet; `gridtally network up --dir \
                 {dir}` goes on with it"
            ))
            .end_with(Exit::Failure);
        }
        let others = network.nodes.iter().filter(|node| node.name != name);
        let urls: Vec<String> = others.map(super::folder::NodeEntry::url).collect();
        for url in urls {
            let asked = Connection::with_timeout(&url, PATIENCE).map_err(ended)?;
            let status = asked.status();
            if status.is_ok_and(|status| status.ledger_id.to_string() == network.ledger_id) {
                let node = Connection::new(&url).map_err(ended)?;
                return Ok(Self { folder, network, node, interrupt, until });
            }
        }
        Err(anyhow!("no other node answers; `gridtally network up --dir {dir}` starts them"))
            .end_with(Exit::Unreachable)
    }

    /// What the ledger knows of a key.
    ///
    /// # Errors
    /// No answer.
    pub fn key(&self, key: &PublicKey) -> Result<Value, Ended> {
        self.node.get_json(&format!("/v1/keys/{}", key.address())).map_err(ended)
    }

    /// Signs and sends a transaction, unless it was done before. It may have been done by a command
    /// that was cut short and whose transaction is ordered only now: then the rules refuse ours, and
    /// that is as good.
    ///
    /// # Errors
    /// It is rejected, or no answer.
    pub fn ensure(
        &self,
        what: &str,
        is_done: impl Fn(&Self) -> Result<bool, Ended>,
        body: impl Into<Body>,
        (key, cosigners): (SigningKey, &[&SigningKey]),
    ) -> Result<(), Ended> {
        check(self.interrupt)?;
        if is_done(self)? {
            return Ok(());
        }
        tell(what);
        let outcome = self.send(key, body, cosigners)?;
        if outcome.status == SubmitStatus::Accepted || is_done(self)? {
            return Ok(());
        }
        refused(what, &outcome)
    }

    fn send(
        &self,
        key: SigningKey,
        body: impl Into<Body>,
        cosigners: &[&SigningKey],
    ) -> Result<SubmitOutcome, Ended> {
        let mut signer = self.node.signer(key).map_err(ended)?;
        let valid_until =
            system_time()?.plus_milliseconds(VALID_MS).map_err(anyhow::Error::from)?;
        let signed = signer.submission(body, Vec::new(), cosigners, valid_until);
        let signed = signed.map_err(anyhow::Error::from)?;
        let outcomes = self.node.submit(std::slice::from_ref(&signed)).map_err(ended)?;
        Ok(outcomes.into_iter().next().context("one outcome for each submission")?)
    }

    /// The first organisation with a role.
    ///
    /// # Errors
    /// When there is none.
    pub fn first(&self, role: Role) -> Result<&Organisation, Ended> {
        let found = self.network.organisations.iter().find(|one| one.is(role));
        Ok(found.context("every network has a grid operator and a regulator")?)
    }

    /// From when on the key holds a seat, or holds none, as far as it is settled.
    ///
    /// # Errors
    /// No answer.
    pub fn settled(&self, step: Step, key: &PublicKey) -> Result<Option<Acts>, Ended> {
        let governance = self.node.get_json("/v1/governance").map_err(ended)?;
        let sets = governance["validators"].as_array().map(Vec::as_slice).unwrap_or_default();
        let text = key.to_string();
        let seats = |set: &Value| set["seats"].as_array().cloned().unwrap_or_default();
        let fits = |set: &&Value| {
            seats(set).iter().any(|seat| seat["node_key"] == *text) == (step == Step::Give)
        };
        // The newest set tells whether it is so at last, the first of those that agree since when.
        let Some(first) = sets.iter().rev().take_while(fits).last() else { return Ok(None) };
        let mut from_height = field_u64(first, "from_height").unwrap_or_default();
        if first["epoch"] == governance["epoch"] {
            // What acts already may have begun in an earlier epoch.
            let accepted = self.proposals(step, key, "accepted")?;
            let since = accepted.iter().filter_map(|it| field_u64(it, "acts_from_height"));
            from_height = since.max().unwrap_or(from_height);
        }
        let epoch = from_height / field_u64(&governance, "epoch_blocks").unwrap_or(1).max(1);
        Ok(Some(Acts { epoch, from_height, seats: seats(first).len() }))
    }

    /// Proposes that a node gets a seat or loses it, and collects the votes until it is settled.
    ///
    /// # Errors
    /// The rules refuse it, the votes of those whose keys lie here are not enough, or no answer.
    pub fn vote(&self, step: Step, name: &str, key: PublicKey) -> Result<Acts, Ended> {
        if let Some(acts) = self.settled(step, &key)? {
            return Ok(acts);
        }
        let open = self.proposals(step, &key, "open")?;
        let known = open.first().and_then(|it| it["proposal"].as_str()?.parse().ok());
        let proposal = known.map_or_else(|| self.propose(step, name, key), Ok)?;
        // Each vote is one fewer that is awaited.
        while let Some(voter) = self.next_voter(&proposal, name)? {
            check(self.interrupt)?;
            tell(&format!("{} approves", voter.name));
            let outcome =
                self.send(self.folder.key(&voter.name)?, ApproveChange { proposal }, &[])?;
            if outcome.status != SubmitStatus::Accepted
                && self.settled(step, &key)?.is_none()
                && self.awaited(&proposal)?.1.contains(&voter.name)
            {
                return refused("the vote", &outcome);
            }
        }
        let settled = self.settled(step, &key)?;
        Ok(settled.context("an accepted change is scheduled")?)
    }

    fn propose(&self, step: Step, name: &str, key: PublicKey) -> Result<TransactionId, Ended> {
        let regulator = self.first(Role::Regulator)?;
        let seat = || Bounded::try_from(vec![key]).expect("one is not too many");
        let (remove, add, what) = match step {
            Step::Give => (Bounded::default(), seat(), format!("a validator's seat for {name}")),
            Step::Take => (seat(), Bounded::default(), format!("that {name} loses its seat")),
        };
        tell(&format!("{} proposes {what}", regulator.name));
        let body = ProposeChange { change: Change::Seats { remove, add } };
        let outcome = self.send(self.folder.key(&regulator.name)?, body, &[])?;
        match outcome.status {
            SubmitStatus::Accepted => Ok(outcome.transaction_id),
            _ => refused("the proposal", &outcome),
        }
    }

    /// The proposals of this step with a status.
    fn proposals(&self, step: Step, key: &PublicKey, status: &str) -> Result<Vec<Value>, Ended> {
        let (mut remove, mut add) = (json!([]), json!([]));
        *(if step == Step::Give { &mut add } else { &mut remove }) = json!([key.to_string()]);
        let wanted = json!({ "change": "seats", "remove": remove, "add": add });
        let mut proposals = all(&self.node, "/v1/proposals")?;
        proposals.retain(|it| it["status"] == status && it["change"] == wanted);
        Ok(proposals)
    }

    /// A proposal, and the organisations that have not approved it yet.
    fn awaited(&self, proposal: &TransactionId) -> Result<(Value, Vec<String>), Ended> {
        let document = self.node.get_json(&format!("/v1/proposals/{proposal}")).map_err(ended)?;
        let mut awaited = Vec::new();
        for organisation in &self.network.organisations {
            let party = self.key(&self.folder.key(&organisation.name)?.public())?["party"].clone();
            let parties = document["awaited"].as_array();
            if parties.is_some_and(|parties| parties.contains(&party)) {
                awaited.push(organisation.name.clone());
            }
        }
        Ok((document, awaited))
    }

    /// Whose vote comes next; none when it is accepted. The one that leaves is asked last.
    fn next_voter(
        &self,
        proposal: &TransactionId,
        leaving: &str,
    ) -> Result<Option<&Organisation>, Ended> {
        let (document, awaited) = self.awaited(proposal)?;
        if document["status"] == "accepted" {
            return Ok(None);
        }
        let count = |field| field_u64(&document, field).unwrap_or_default();
        let needs_regulator = count("regulators_approving") < count("regulators_needed");
        let mut voters: Vec<&Organisation> =
            awaited.iter().filter_map(|name| self.network.organisation(name)).collect();
        voters.sort_by_key(|voter| {
            (voter.name == leaving, voter.is(Role::Regulator) != needs_regulator)
        });
        let next = voters.first().copied().filter(|_| document["status"] == "open");
        if next.is_none() {
            return Err(anyhow!(
                "the proposal {proposal} is {}: {} of {} regulators and {} of {} organisations \
                 approve it, and nobody else whose key lies here has a vote",
                document["status"].as_str().unwrap_or_default(),
                count("regulators_approving"),
                count("regulators_needed"),
                count("organisations_approving"),
                count("organisations_needed")
            ))
            .end_with(Exit::Failure);
        }
        Ok(next)
    }

    /// Waits until something holds; tells how far the network is meanwhile.
    ///
    /// # Errors
    /// It takes too long, or somebody asked to stop.
    pub fn wait(
        &self,
        what: &str,
        mut holds: impl FnMut() -> Result<bool, Ended>,
    ) -> Result<(), Ended> {
        let mut tells = Instant::now();
        loop {
            check(self.interrupt)?;
            if holds()? {
                return Ok(());
            }
            if Instant::now() > self.until {
                return Err(anyhow!(
                    "{what}: not within the time of --timeout; the same command goes on waiting"
                ))
                .end_with(Exit::Failure);
            }
            if tells.elapsed() >= TELL {
                tells = Instant::now();
                tell(&format!("{what}: the network is at block {}", self.height()?));
            }
            std::thread::sleep(ASK);
        }
    }

    /// How far the network is.
    ///
    /// # Errors
    /// No answer.
    pub fn height(&self) -> Result<u64, Ended> {
        Ok(self.node.status().map_err(ended)?.height.get())
    }
}

/// A line for those who wait.
pub fn tell(what: &str) {
    eprintln!("gridtally: {what}");
}

fn refused<T>(what: &str, outcome: &SubmitOutcome) -> Result<T, Ended> {
    Err(anyhow!("{what} is not accepted: {} {}", outcome.name, outcome.detail))
        .end_with(Exit::Failure)
}
