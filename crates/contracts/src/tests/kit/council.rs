//! The nodes of the small network's organisations, and how its council decides.

use contracts::Genesis;
use contracts::governance::{Change, ProposeChange, RegisterNode};
use contracts::notary::AdmitLedger;
use primitives::calendar::LocalDay;
use primitives::codec::Bounded;
use primitives::header::ValidatorSet;
use primitives::key::{PublicKey, SigningKey};

use super::{Draft, Member, Network, by, genesis, key, kolkata};

/// A node for each of four organisations. The first regulator has claimed the seat of the genesis.
#[derive(Clone)]
pub struct Council {
    pub regulator: SigningKey,
    pub grid: SigningKey,
    pub north: SigningKey,
    pub south: SigningKey,
}

impl Council {
    /// Three further seats beside the one of the genesis.
    pub fn four_seats(&self) -> Change {
        seats(&[], &[&self.grid, &self.north, &self.south])
    }
}

/// A change of seats.
pub fn seats(remove: &[&SigningKey], add: &[&SigningKey]) -> Change {
    let public = |keys: &[&SigningKey]| -> Bounded<PublicKey, 128> {
        let keys: Vec<_> = keys.iter().map(|key| key.public()).collect();
        keys.try_into().expect("few seats")
    };
    Change::Seats { remove: public(remove), add: public(add) }
}

/// The genesis of another ledger with these validators.
pub fn other_ledger(name: &str, validators: &[&SigningKey]) -> Genesis {
    let mut genesis = Network::new().rules.genesis().clone();
    genesis.name = name.parse().expect("a short name");
    let keys = validators.iter().map(|key| key.public()).collect();
    genesis.validators = ValidatorSet::new(keys).expect("different keys");
    genesis
}

impl Network {
    /// The first regulator admits another ledger.
    pub fn admission(&self, other: &Genesis) -> Draft {
        by(&[&self.regulators[0].key], AdmitLedger { genesis: other.clone() })
    }

    /// A registration of a node.
    pub fn node(&self, member: &Member, node: &SigningKey) -> Draft {
        let peer_address = "127.0.0.1:7001".parse().expect("a short address");
        by(&[&member.key, node], RegisterNode { key: node.public(), peer_address })
    }

    /// The same network with other validators in the genesis; nobody has claimed their seats.
    pub fn validated_by(validators: &[SigningKey]) -> Self {
        let day = LocalDay::from_civil(2025, 6, 1).expect("a date");
        let keys = validators.iter().map(SigningKey::public).collect();
        let validators = ValidatorSet::new(keys).expect("some validators");
        Self::founded(Genesis { validators, ..genesis(kolkata(), day) })
    }

    /// The organisations register their nodes.
    pub fn council(&mut self) -> Council {
        let council = Council {
            regulator: key("validator"),
            grid: key("node of the grid"),
            north: key("node of north"),
            south: key("node of south"),
        };
        let nodes = [
            (self.regulators[0].clone(), &council.regulator),
            (self.grid.clone(), &council.grid),
            (self.north.clone(), &council.north),
            (self.south.clone(), &council.south),
        ];
        for (member, node) in nodes {
            let draft = self.node(&member, node);
            self.accept(&draft);
        }
        council
    }

    /// A proposal of two of the three regulators: enough as long as only they hold seats.
    pub fn proposal(&self, change: Change) -> Draft {
        let [one, two] = [0, 1].map(|index: usize| &self.regulators[index].key);
        by(&[one, two], ProposeChange { change })
    }

    /// The next block is the first of an epoch.
    pub fn enter_epoch(&mut self, epoch: u64) {
        self.height = self.rules.first_height_of(epoch) - 1;
    }
}
