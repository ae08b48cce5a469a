//! A gateway seals the day of many meters with one signature.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::LocalDay;
use primitives::codec::{self, Bounded, CodecError};
use primitives::hash::Hash;
use primitives::identifier::UsagePointId;
use primitives::merkle::{MerkleTree, leaf_hash};
use primitives::reading::{DayPayload, DaySeed, day_root};

use super::seal_day::{check_day, put_seal, require_day_within_limit};
use super::submit_reading::leaf_at;
use super::{MAX_SLOTS, Seal, SealedBy, later, require_day_ended};
use crate::event::Event;
use crate::execute::Context;
use crate::genesis::{Privacy, Rules};
use crate::registry::Role;
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::state_key;
use crate::transaction::{Transaction, Who};

/// Meters of one batch.
pub const MAX_GATEWAY_ENTRIES: usize = 1_000;

/// One meter's day in a batch.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct GatewayEntry {
    /// The usage point.
    pub usage_point: UsagePointId,
    /// Its readings and their seed.
    pub day: DayPayload,
}

/// What travels beside a [`SealGatewayBatch`].
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct GatewayBatch {
    /// The meters' days, rising by usage point.
    pub entries: Bounded<GatewayEntry, MAX_GATEWAY_ENTRIES>,
}

impl GatewayBatch {
    /// The Merkle tree over (usage point, day, day root) of the entries.
    #[must_use]
    pub fn tree(&self, rules: &Rules, day: LocalDay) -> MerkleTree {
        let first = rules.calendar().periods_of(day).first;
        let leaves = self
            .entries
            .iter()
            .map(|entry| {
                let root = day_root(&entry.day.seed, entry.usage_point, first, &entry.day.readings);
                gateway_leaf(entry.usage_point, day, &root)
            })
            .collect();
        MerkleTree::from_leaf_hashes(leaves)
    }
}

/// The day of one entry of an encoded batch, without unpacking the readings of the others: a bill or
/// charge over a whole station asks for each entry in turn.
pub(super) fn entry_day(batch: &[u8], entry: u16) -> Result<DayPayload, CodecError> {
    /// Usage point, the three columns, seed: an entry as its bytes lie, columns still packed.
    type Packed = (UsagePointId, Vec<u8>, Vec<u8>, Vec<u8>, DaySeed);
    let (_count, mut rest) = codec::decode_prefix::<u32>(batch)?;
    for _ in 0..entry {
        (_, rest) = codec::decode_prefix::<Packed>(rest)?;
    }
    let (found, _) = codec::decode_prefix::<GatewayEntry>(rest)?;
    Ok(found.day)
}

/// The leaf of one meter's day in a gateway's tree.
#[must_use]
pub fn gateway_leaf(usage_point: UsagePointId, day: LocalDay, day_root: &Hash) -> Hash {
    leaf_hash(&codec::encode(&(usage_point, day, *day_root)))
}

/// Seals the same local day of many meters under one root, signed by their gateway.
///
/// The gateway is named as signer and never replaces a meter's own seal: where one exists with
/// another root, the entry is skipped and the meter's stays.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SealGatewayBatch {
    /// The local day.
    pub day: LocalDay,
    /// How many entries there are, 1..=1,000: the root alone does not commit to it.
    pub entries: u16,
    /// The Merkle root over (usage point, day, day root) of the entries.
    pub root: Hash,
}

impl Transaction for SealGatewayBatch {
    const SENDERS: &'static [Who] = &[Who::Role(Role::Aggregator), Who::Role(Role::Distributor)];
    const EXPIRES: bool = false;
    const PRIVACY: Option<Privacy> = Some(Privacy::Open);

    fn check(&self, payload: &[u8], rules: &Rules) -> Result<(), Malformed> {
        let batch: GatewayBatch = codec::decode(payload)?;
        if batch.entries.is_empty()
            || batch.entries.len() != usize::from(self.entries)
            || !batch.entries.windows(2).all(|pair| pair[0].usage_point < pair[1].usage_point)
        {
            return Err(Malformed::Payload(
                "entries rise by usage point, at least one, as many as stated",
            ));
        }
        let first = rules.calendar().periods_of(self.day).first;
        for entry in batch.entries.iter() {
            let root = day_root(&entry.day.seed, entry.usage_point, first, &entry.day.readings);
            check_day(rules, entry.usage_point, self.day, &root, &entry.day)?;
        }
        if batch.tree(rules, self.day).root() != self.root {
            return Err(Malformed::Payload("the entries do not hash to the batch's root"));
        }
        Ok(())
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let gateway = context.party()?;
        require_day_ended(context, self.day)?;
        let batch: GatewayBatch = codec::decode(context.payload).expect("checked before");
        for (index, entry) in (0_u16..).zip(batch.entries.iter()) {
            let usage_point = state.usage_point(entry.usage_point)?;
            if usage_point.gateway != Some(gateway) {
                return Err(Rejection::NotTheGateway { index: u64::from(index) });
            }
            require_day_within_limit(context.rules, &usage_point, self.day, &entry.day)?;
            self.seal_entry(context, state, index, entry)?;
        }
        Ok(())
    }
}

impl SealGatewayBatch {
    fn seal_entry(
        &self,
        context: &Context<'_>,
        state: &mut dyn State,
        index: u16,
        entry: &GatewayEntry,
    ) -> Result<(), Rejection> {
        let first = context.rules.calendar().periods_of(self.day).first;
        let root = day_root(&entry.day.seed, entry.usage_point, first, &entry.day.readings);
        let mut metered_day = state.metered_day(entry.usage_point, self.day);
        match metered_day.seal {
            Some(seal) if seal.by == SealedBy::Meter || seal.day_root == root => {
                state.emit(Event::AlreadyRecorded {});
                return Ok(());
            }
            // An estimate gives way to what was measured, unless it was corrected since.
            Some(Seal { by: SealedBy::Estimate { .. }, .. })
                if metered_day.corrections.is_empty() => {}
            Some(_) => return Err(Rejection::DayAlreadySealed),
            None => {}
        }
        // Single readings that a meter signed itself weigh more than the gateway's word: a slot
        // that differs from one refuses the batch.
        let prefix = state_key::slot_readings(&entry.usage_point, self.day);
        for (key, position) in state.scan(&prefix, None, MAX_SLOTS) {
            let slot = key[prefix.len()..].try_into().expect("the key ends with a slot");
            let slot = u16::from_be_bytes(slot);
            let period = later(first, slot);
            let position = codec::decode(&position).expect("a slot reading is a position");
            let single = leaf_at(state, position)?;
            let sealed = primitives::reading::reading_leaf(
                &primitives::reading::salt(&entry.day.seed, u32::from(slot)),
                entry.usage_point,
                period,
                &entry.day.readings[usize::from(slot)],
            );
            if single != sealed {
                return Err(Rejection::SealDisagreesWithReading { slot: u64::from(slot) });
            }
            state.delete(&key);
        }
        put_seal(
            context,
            state,
            (entry.usage_point, self.day),
            &mut metered_day,
            root,
            SealedBy::Gateway { entry: index },
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;
    use crate::transaction::Body;

    fn batch_root(draft: &Draft) -> Hash {
        let Body::SealGatewayBatch(body) = &draft.body else { unreachable!("a batch") };
        body.root
    }

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let (day, running) = (network.day(0), network.day(1));
        network.end_day(day);
        let gateway = network.aggregator.clone();
        let (home, other) = (network.homes[0].clone(), network.homes[1].clone());
        let mut unknown = home.clone();
        unknown.point = UsagePointId::default();
        network.authorize_gateway(&home, Some(gateway.id));
        let even = |day, import| network.even_day(day, reading(import, 0));
        let (small, large) = (even(day, 5), even(day, 25_000_001));
        let batch = |homes: &[(&Home, DayPayload)]| network.gateway_batch(&gateway, day, homes);
        let good = batch(&[(&home, small.clone())]);
        let mut bare = good.clone();
        bare.payload.clear();
        let twice = batch(&[(&home, small.clone()), (&home, small.clone())]);
        let short = batch(&[(&home, network.payload(vec![reading(1, 0); 95]))]);
        let mut other_root = good.clone();
        other_root.body = SealGatewayBatch { day, entries: 1, root: Hash::ZERO }.into();
        let mut other_count = good.clone();
        let root = batch_root(&good);
        other_count.body = SealGatewayBatch { day, entries: 2, root }.into();
        let not_ended =
            network.gateway_batch(&gateway, running, &[(&unknown, even(running, 25_000_001))]);
        let first = u64::from(network.period(day, 0).get());
        let single = network.submit(&home, network.period(day, 9), reading(5, 0));
        let contradicted = batch(&[(&home, even(day, 6))]);
        // The refused one of a pair stands in the order of usage points.
        let index = u64::from(other.point > home.point);
        let cases = [
            (bare, WRONG_ENCODING),
            (batch(&[]), WRONG_PAYLOAD),
            (twice, WRONG_PAYLOAD),
            (short, WRONG_PAYLOAD),
            (other_root, WRONG_PAYLOAD),
            (other_count, WRONG_PAYLOAD),
            (not_ended, breaks(Rejection::DayNotEnded)),
            (batch(&[(&unknown, large.clone())]), breaks(Rejection::UsagePointUnknown)),
            (
                batch(&[(&home, small.clone()), (&other, large.clone())]),
                breaks(Rejection::NotTheGateway { index }),
            ),
            (
                batch(&[(&home, large)]),
                breaks(Rejection::AboveConnectionLimit { period: first, limit_wh: 25_000_000 }),
            ),
            (single, emits(&["ReadingSubmitted"])),
            (contradicted.clone(), breaks(Rejection::SealDisagreesWithReading { slot: 9 })),
            (good.clone(), emits(&["DaySealed"])),
            (good, KNOWN),
            (contradicted, breaks(Rejection::DayAlreadySealed)),
        ];
        network.check(&cases);
    }

    #[test]
    fn every_entry_is_found_in_the_packed_batch() {
        let network = Network::new();
        let day = network.day(0);
        let homes: Vec<_> = (0..3)
            .map(|home| {
                (&network.homes[home], network.even_day(day, reading(home as u64 * 300, 1)))
            })
            .collect();
        let bytes = network.gateway_batch(&network.aggregator, day, &homes).payload;
        let batch: GatewayBatch = codec::decode(&bytes).unwrap();
        for (index, entry) in (0_u16..).zip(batch.entries.iter()) {
            assert_eq!(entry_day(&bytes, index).as_ref(), Ok(&entry.day));
        }
        assert!(entry_day(&bytes, 3).is_err());
    }
}
