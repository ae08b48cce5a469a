//! Keys that everybody can compute: of a seed, a role and a number.
//!
//! They make a demonstration repeatable and are worth nothing as a protection. They are therefore
//! for a genesis with `demo: true` only, which shows in the ledger's id and on every page;
//! [`crate::run_day`] refuses any other ledger.

use primitives::hash::Hash;
use primitives::key::SigningKey;

/// Whose key it is. The numbers go into the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum DemoRole {
    /// A member of the owner's council.
    Owner = 1,
    /// The keeper of the virtual clock.
    ClockKeeper = 2,
    /// A validator.
    Validator = 3,
    /// A regulator.
    Regulator = 4,
    /// A network provider.
    NetworkProvider = 5,
    /// A grid operator.
    GridOperator = 6,
    /// A distributor.
    Distributor = 7,
    /// An aggregator.
    Aggregator = 8,
    /// A household, or another customer of a distributor.
    Household = 9,
    /// The meter of a customer.
    Meter = 10,
    /// The meter at a station's boundary.
    BoundaryMeter = 11,
}

/// All keys of one demonstration.
#[derive(Debug, Clone, Copy)]
pub struct DemoKeys {
    seed: u64,
}

impl DemoKeys {
    /// The keys of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The key of number `index`, counted from 0, of a role.
    #[must_use]
    pub fn key(&self, role: DemoRole, index: u32) -> SigningKey {
        SigningKey::from_seed(self.bytes("gridtally/demo-key/v1", role, index))
    }

    /// The secret of a meter, of which the seeds of its days are made.
    #[must_use]
    pub fn day_secret(&self, role: DemoRole, index: u32) -> [u8; 32] {
        self.bytes("gridtally/demo-day-secret/v1", role, index)
    }

    /// The X25519 key of a party. Nothing is ever encrypted to it on a demonstration ledger, where
    /// payloads are open.
    #[must_use]
    pub fn encryption_key(&self, role: DemoRole, index: u32) -> [u8; 32] {
        self.bytes("gridtally/demo-encryption-key/v1", role, index)
    }

    fn bytes(&self, tag: &'static str, role: DemoRole, index: u32) -> [u8; 32] {
        let parts: [&[u8]; 3] = [&self.seed.to_le_bytes(), &[role as u8], &index.to_le_bytes()];
        *Hash::of_domain(tag, &parts).as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_follows_from_seed_role_and_number() {
        let key = |seed, role, index| DemoKeys::new(seed).key(role, index).public();
        let first = key(1, DemoRole::Meter, 0);
        assert_eq!(first, key(1, DemoRole::Meter, 0));
        let others = [
            key(2, DemoRole::Meter, 0),
            key(1, DemoRole::BoundaryMeter, 0),
            key(1, DemoRole::Meter, 1),
        ];
        assert!(!others.contains(&first));
        let keys = DemoKeys::new(1);
        assert_ne!(keys.day_secret(DemoRole::Meter, 0), keys.encryption_key(DemoRole::Meter, 0));
        assert_ne!(&keys.day_secret(DemoRole::Meter, 0), keys.key(DemoRole::Meter, 0).seed());
    }
}
