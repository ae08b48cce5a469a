//! Kill -9 at random moments under load: what was acknowledged is there, nothing acts twice, the
//! books are whole.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use client::connection::{Connection, SubmitStatus};
use client::key_file::KeyFile;
use client::transaction_builder::Signer;
use contracts::account::{Account, AccountKind, BuyTokens, SetBackingLimit};
use contracts::registry::{AppointRegulator, RegisterParty, Role};
use contracts::{Body, State};
use ledger::Ledger;
use ledger::store::{FjallOptions, FjallStore};
use nix::sys::signal::Signal;
use primitives::codec::Text;
use primitives::envelope::Submission;
use primitives::identifier::{PartyId, TransactionId};
use primitives::key::SigningKey;
use primitives::units::{MicroCurrency, Timestamp};

use crate::process::NodeProcess;

/// How often nodes are killed.
pub fn kills() -> u32 {
    if std::env::var_os("GRIDTALLY_LONG").is_some() { 200 } else { 20 }
}

fn key(number: u8) -> SigningKey {
    SigningKey::from_seed([number; 32])
}

/// A party that buys one token after the other, and the log of what it was told.
pub struct Load {
    connection: Connection,
    buyer: Signer,
    aggregator: PartyId,
    aggregator_key: SigningKey,
    /// Tells its references from those of other buyers.
    name: String,
    next: u64,
    /// Told "accepted", with the height.
    acknowledged: Vec<(TransactionId, u64)>,
    /// Sent without an answer.
    unanswered: Vec<Submission>,
}

/// What one purchase brings, of `gridtally load` as well.
pub const TOKENS: i64 = 2_000_000;

impl Load {
    /// Registers whoever is needed, on a fresh ledger.
    pub fn start(url: &str, dir: &str) -> Self {
        let connection = Connection::new(url).unwrap();
        let owner = KeyFile::read(&Path::new(dir).join("owner.key")).unwrap();
        let owner = owner.unlock(None).unwrap();
        let send = |key: &SigningKey, body: Body, cosigners: &[&SigningKey]| {
            let mut signer = connection.signer(key.clone()).unwrap();
            let submission = signer.submission(body, Vec::new(), cosigners, valid_until()).unwrap();
            let id = submission.transaction.id();
            let outcome = connection.submit(&[submission]).unwrap().remove(0);
            assert_eq!(outcome.status, SubmitStatus::Accepted, "{outcome:?}");
            id
        };
        let alias = |name: &str| Text::new(name).unwrap();
        let (regulator, provider, aggregator, buyer) = (key(1), key(2), key(3), key(4));
        let appoint = AppointRegulator {
            alias: alias("regulator"),
            key: regulator.public(),
            encryption_key: [0; 32],
        };
        send(&owner, appoint.into(), &[&regulator]);
        let register = |name: &str, role: Role, key: &SigningKey| RegisterParty {
            alias: alias(name),
            roles: vec![role].try_into().unwrap(),
            keys: vec![key.public()].try_into().unwrap(),
            encryption_key: [0; 32],
            region: Text::default(),
        };
        let network_provider = register("network", Role::NetworkProvider, &provider);
        send(&regulator, network_provider.into(), &[&provider]);
        let aggregator_body = register("aggregator", Role::Aggregator, &aggregator);
        let id = send(&regulator, aggregator_body.into(), &[&aggregator, &provider]);
        let aggregator_id = PartyId::from_transaction(&id);
        let limit = MicroCurrency::new(i64::MAX / 2);
        let backing = SetBackingLimit { aggregator: aggregator_id, limit };
        send(&regulator, backing.into(), &[]);
        let household = register("household", Role::Consumer, &buyer);
        send(&regulator, household.into(), &[&buyer, &provider]);
        Self::of(url, buyer, aggregator)
    }

    /// A buyer and an aggregator that are known to the ledger.
    pub fn of(url: &str, buyer: SigningKey, aggregator_key: SigningKey) -> Self {
        let connection = Connection::new(url).unwrap();
        let address = aggregator_key.public().address();
        let key = connection.get_json(&format!("/v1/keys/{address}")).unwrap();
        let aggregator = key["party"].as_str().unwrap().parse().unwrap();
        Self {
            name: buyer.public().address().to_string()[..8].to_owned(),
            buyer: connection.signer(buyer).unwrap(),
            connection,
            aggregator,
            aggregator_key,
            next: 0,
            acknowledged: Vec::new(),
            unanswered: Vec::new(),
        }
    }

    /// How many purchases were answered with "accepted".
    pub fn acknowledged(&self) -> usize {
        self.acknowledged.len()
    }

    /// The newest purchase that was answered with "accepted", with the height.
    pub fn last_acknowledged(&self) -> (TransactionId, u64) {
        *self.acknowledged.last().expect("something was bought")
    }

    /// Buys once more.
    pub fn step(&mut self) -> Result<(), ()> {
        self.next += 1;
        let body = BuyTokens {
            aggregator: self.aggregator,
            reference: Text::new(format!("payment-{}-{}", self.name, self.next)).unwrap(),
            coin_amount: MicroCurrency::new(TOKENS / 2),
            tokens: MicroCurrency::new(TOKENS),
        };
        let submission = self
            .buyer
            .submission(body, Vec::new(), &[&self.aggregator_key], valid_until())
            .unwrap();
        let id = submission.transaction.id();
        match self.connection.submit(std::slice::from_ref(&submission)) {
            Ok(outcomes) if outcomes[0].status == SubmitStatus::Accepted => {
                self.acknowledged.push((id, outcomes[0].height.unwrap().get()));
                Ok(())
            }
            // The node went away, or says that it is going: nothing is known of this one.
            _ => {
                self.unanswered.push(submission);
                Err(())
            }
        }
    }

    /// After a restart: everything acknowledged is there at its height, and what had no answer is
    /// sent again, the very same bytes, and acts once.
    pub fn compare(&mut self, url: &str) {
        self.connection = Connection::new(url).unwrap();
        // Another node than the one that answered may be a block behind it.
        let newest = self.acknowledged.iter().map(|(_, height)| *height).max().unwrap_or(0);
        self.connection.get(&format!("/v1/status?at_least={newest}")).unwrap();
        for (id, height) in &self.acknowledged {
            let document =
                self.connection.get_json(&format!("/v1/transactions/{id}")).expect("acknowledged");
            assert_eq!(document["height"], height.to_string(), "{document}");
        }
        for submission in std::mem::take(&mut self.unanswered) {
            for _ in 0..2 {
                let again = std::slice::from_ref(&submission);
                let outcome = self.connection.submit(again).unwrap().remove(0);
                assert_eq!(outcome.status, SubmitStatus::Accepted, "{outcome:?}");
                if self.acknowledged.iter().all(|(id, _)| *id != submission.transaction.id()) {
                    let height = outcome.height.unwrap().get();
                    self.acknowledged.push((submission.transaction.id(), height));
                }
            }
        }
    }

    /// What the buyer must hold: each acknowledged purchase once.
    fn expected(&self) -> i64 {
        TOKENS * i64::try_from(self.acknowledged.len()).unwrap()
    }
}

fn valid_until() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::new(u64::try_from(since.as_millis()).unwrap() + 3_600_000)
}

#[test]
fn what_was_acknowledged_survives_kills_at_random_moments() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("node");
    let mut node = NodeProcess::start(&path, &[]);
    let load = Load::start(&node.url, path.to_str().unwrap());
    let load = Arc::new(Mutex::new(load));
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..kills() {
        let worker = {
            let load = Arc::clone(&load);
            std::thread::spawn(move || while load.lock().unwrap().step().is_ok() {})
        };
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        std::thread::sleep(Duration::from_millis(seed >> 33 & 0x7f));
        node.signal(Signal::SIGKILL);
        worker.join().unwrap();
        assert_eq!(node.wait(), None, "killed");
        node = NodeProcess::start(&path, &[]);
        load.lock().unwrap().compare(&node.url);
        let load = load.lock().unwrap();
        println!("kill {round}: {} acknowledged", load.acknowledged.len());
    }
    node.signal(Signal::SIGTERM);
    assert_eq!(node.wait(), Some(0));

    let expected = load.lock().unwrap().expected();
    assert!(expected > 0);
    assert_eq!(wallets(&path), [expected], "every purchase acted once");
}

/// What the wallets on a stopped node hold, after all its accounts were added up to zero.
pub fn wallets(node: &Path) -> Vec<i64> {
    let store = FjallStore::open(node.join("ledger"), FjallOptions::default()).unwrap();
    let ledger = Ledger::open(Arc::new(store), None).unwrap();
    let balances = |state: &dyn State| state.accounts(None, 1_000);
    let balances = ledger.view().read(balances).unwrap();
    let sum: i128 = balances.iter().map(|(_, balance)| i128::from(balance.get())).sum();
    assert_eq!(sum, 0, "every account adds up to zero");
    let of_wallet = |(account, _): &(Account, MicroCurrency)| account.kind == AccountKind::Wallet;
    balances.iter().filter(|one| of_wallet(one)).map(|(_, balance)| balance.get()).collect()
}
