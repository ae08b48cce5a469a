//! Every key of the state, in one place: a readable tree with a golden file.
//!
//! A key is one tag byte, then fixed-width parts (integers big endian, so that keys sort as their
//! numbers do). No part is text, so no two different things ever share a key.
//!
//! | tag | key | value |
//! |---|---|---|
//! | `k` | key address | `KeyRecord` |
//! | `s` | key address | `SequenceWindow` |
//! | `p` | party | `Party` |
//! | `n` | – | `Census` |
//! | `l` | station or ZERO, hash of a label | the id that bears it |
//! | `t` | station | `Station` |
//! | `u` | usage point | `UsagePoint` |
//! | `v` | station, usage point | empty |
//! | `M` | usage point | `InstalledMeter` |
//! | `y` | usage point, period | `RegisterMark` |
//! | `r` | day, usage point, slot | `Position` of a reading not yet sealed |
//! | `d` | usage point, day | `MeteredDay` |
//! | `j` | transaction | `StandardProfile` |
//! | `f` | day | `FrequencyDay` |
//! | `q` | tariff | `Tariff` |
//! | `w` | tariff, version | `TariffVersion` |
//! | `g` | usage point | `TariffAssignments` |
//! | `b` | bill | `Bill` |
//! | `c` | bill | `BillState` |
//! | `h` | bill | `BillSources` |
//! | `m` | bill | `CreditNote` |
//! | `o` | usage point, bill number | bill id, while something is open |
//! | `e` | usage point | `BillingAccount` |
//! | `B` | grid operator, distributor | what is owed on bills of boundaries |
//! | `a` | party, account kind, counterparty | balance |
//! | `i` | party | `BackingLimit` |
//! | `x` | hash of a payment reference | position |
//! | `z` | – | virtual clock |
//! | `D` | bill | `Dispute` |
//! | `F` | usage point | `FineAccount` |
//! | `R` | distributor or ZERO | `FineRulesHistory` |
//! | `S` | usage point, first and last day | `Statement` |
//! | `N` | key address | `Node` |
//! | `O` | – | the regulators' times in office |
//! | `V` | – | `Schedule` of the validators, by epoch |
//! | `G` | transaction | `Proposal` |
//! | `P` | – | `Schedule` of the parameters, by height |
//! | `E` | transaction kind | `Schedule` of its endorsements, by height |
//! | `L` | ledger | `AdmittedLedger` |
//! | `H` | ledger, height | `NotarisedHead` |
//! | `U` | – | `Schedule` of the protocol's versions, by height |
//! | `C` | – | `OpenCheckpoint` |
//! | `A` | – | `AgreedCheckpoint` |
//! | `X` | usage point, first and last day | `Erasure` |

use primitives::calendar::{LocalDay, SettlementPeriod};
use primitives::hash::Hash;
use primitives::identifier::{
    BillId, KeyAddress, LedgerId, PartyId, StationId, TariffId, TransactionId, UsagePointId,
};
use primitives::units::BlockHeight;

use crate::account::Account;

fn key(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = vec![tag];
    for part in parts {
        key.extend_from_slice(part);
    }
    key
}

/// Days sort as numbers: the sign bit is flipped.
fn day_bytes(day: LocalDay) -> [u8; 4] {
    (day.get().cast_unsigned() ^ 0x8000_0000).to_be_bytes()
}

/// A registered key and whom it speaks for.
#[must_use]
pub fn key_record(address: &KeyAddress) -> Vec<u8> {
    key(b'k', &[address.as_bytes()])
}

/// The sequences a key has used.
#[must_use]
pub fn sequence_window(address: &KeyAddress) -> Vec<u8> {
    key(b's', &[address.as_bytes()])
}

/// A party.
#[must_use]
pub fn party(id: &PartyId) -> Vec<u8> {
    key(b'p', &[id.as_bytes()])
}

/// All parties, for lists.
#[must_use]
pub fn parties() -> Vec<u8> {
    key(b'p', &[])
}

/// How many parties and regulators there are.
#[must_use]
pub fn census() -> Vec<u8> {
    key(b'n', &[])
}

/// Who bears a label. Station labels are unique on the ledger (`station` is `None`), usage point
/// labels within their station. The label is hashed, so "1" + "12" and "11" + "2" never meet.
#[must_use]
pub fn label(station: Option<&StationId>, label: &str) -> Vec<u8> {
    let station = station.map_or([0; 16], |id| *id.as_bytes());
    let hash = Hash::of_domain("gridtally/label/v1", &[label.as_bytes()]);
    key(b'l', &[&station, hash.as_bytes()])
}

/// A station.
#[must_use]
pub fn station(id: &StationId) -> Vec<u8> {
    key(b't', &[id.as_bytes()])
}

/// All stations, for lists.
#[must_use]
pub fn stations() -> Vec<u8> {
    key(b't', &[])
}

/// A usage point.
#[must_use]
pub fn usage_point(id: &UsagePointId) -> Vec<u8> {
    key(b'u', &[id.as_bytes()])
}

/// All usage points, for lists.
#[must_use]
pub fn usage_points() -> Vec<u8> {
    key(b'u', &[])
}

/// Membership of a usage point in a station.
#[must_use]
pub fn station_member(station: &StationId, usage_point: &UsagePointId) -> Vec<u8> {
    key(b'v', &[station.as_bytes(), usage_point.as_bytes()])
}

/// All members of a station.
#[must_use]
pub fn station_members(station: &StationId) -> Vec<u8> {
    key(b'v', &[station.as_bytes()])
}

/// The meter in service at a usage point.
#[must_use]
pub fn installed_meter(usage_point: &UsagePointId) -> Vec<u8> {
    key(b'M', &[usage_point.as_bytes()])
}

/// What the meter of a usage point showed at the beginning of a period.
#[must_use]
pub fn register_mark(usage_point: &UsagePointId, period: SettlementPeriod) -> Vec<u8> {
    key(b'y', &[usage_point.as_bytes(), &period.get().to_be_bytes()])
}

/// All marks of a usage point's registers.
#[must_use]
pub fn register_marks(usage_point: &UsagePointId) -> Vec<u8> {
    key(b'y', &[usage_point.as_bytes()])
}

/// A single reading that no seal covers yet. There are many, and they come day by day: the day stands
/// first, so that a new row lies beside those of lately.
#[must_use]
pub fn slot_reading(usage_point: &UsagePointId, day: LocalDay, slot: u16) -> Vec<u8> {
    key(b'r', &[&day_bytes(day), usage_point.as_bytes(), &slot.to_be_bytes()])
}

/// All unsealed readings of a day.
#[must_use]
pub fn slot_readings(usage_point: &UsagePointId, day: LocalDay) -> Vec<u8> {
    key(b'r', &[&day_bytes(day), usage_point.as_bytes()])
}

/// A usage point's day.
#[must_use]
pub fn metered_day(usage_point: &UsagePointId, day: LocalDay) -> Vec<u8> {
    key(b'd', &[usage_point.as_bytes(), &day_bytes(day)])
}

/// All days of a usage point.
#[must_use]
pub fn metered_days(usage_point: &UsagePointId) -> Vec<u8> {
    key(b'd', &[usage_point.as_bytes()])
}

/// The day in the key of a usage point's day.
pub(crate) fn day_of_metered_day(key: &[u8]) -> Option<LocalDay> {
    let day = key.get(1 + size_of::<UsagePointId>()..)?.try_into().ok()?;
    LocalDay::new((u32::from_be_bytes(day) ^ 0x8000_0000).cast_signed()).ok()
}

/// A standard profile, by the transaction that published it.
#[must_use]
pub fn standard_profile(id: &TransactionId) -> Vec<u8> {
    key(b'j', &[id.as_bytes()])
}

/// All standard profiles, for lists.
#[must_use]
pub fn standard_profiles() -> Vec<u8> {
    key(b'j', &[])
}

/// The frequencies of a day.
#[must_use]
pub fn frequency_day(day: LocalDay) -> Vec<u8> {
    key(b'f', &[&day_bytes(day)])
}

/// All days with frequencies.
#[must_use]
pub fn frequency_days() -> Vec<u8> {
    key(b'f', &[])
}

/// A tariff.
#[must_use]
pub fn tariff(id: &TariffId) -> Vec<u8> {
    key(b'q', &[id.as_bytes()])
}

/// All tariffs, for lists.
#[must_use]
pub fn tariffs() -> Vec<u8> {
    key(b'q', &[])
}

/// One version of a tariff.
#[must_use]
pub fn tariff_version(id: &TariffId, version: u16) -> Vec<u8> {
    key(b'w', &[id.as_bytes(), &version.to_be_bytes()])
}

/// Which tariff holds for a usage point from which period on.
#[must_use]
pub fn tariff_assignments(usage_point: &UsagePointId) -> Vec<u8> {
    key(b'g', &[usage_point.as_bytes()])
}

/// An issued bill, as issued.
#[must_use]
pub fn bill(id: &BillId) -> Vec<u8> {
    key(b'b', &[id.as_bytes()])
}

/// All bills, for lists.
#[must_use]
pub fn bills() -> Vec<u8> {
    key(b'b', &[])
}

/// What has been paid of a bill.
#[must_use]
pub fn bill_state(id: &BillId) -> Vec<u8> {
    key(b'c', &[id.as_bytes()])
}

/// What a bill was computed from.
#[must_use]
pub fn bill_sources(id: &BillId) -> Vec<u8> {
    key(b'h', &[id.as_bytes()])
}

/// The credit note over a bill.
#[must_use]
pub fn credit_note(id: &BillId) -> Vec<u8> {
    key(b'm', &[id.as_bytes()])
}

/// The dispute over a bill.
#[must_use]
pub fn dispute(bill: &BillId) -> Vec<u8> {
    key(b'D', &[bill.as_bytes()])
}

/// The dues of a usage point and the fine on them.
#[must_use]
pub fn fine_account(usage_point: &UsagePointId) -> Vec<u8> {
    key(b'F', &[usage_point.as_bytes()])
}

/// The fine rules of a distributor; `None` = the general ones.
#[must_use]
pub fn fine_rules(distributor: Option<&PartyId>) -> Vec<u8> {
    let distributor = distributor.map_or([0; 32], |id| *id.as_bytes());
    key(b'R', &[&distributor])
}

/// The newest statement over some days.
#[must_use]
pub fn statement(usage_point: &UsagePointId, (first, last): (LocalDay, LocalDay)) -> Vec<u8> {
    key(b'S', &[usage_point.as_bytes(), &day_bytes(first), &day_bytes(last)])
}

/// All statements of a usage point, by their days.
#[must_use]
pub fn statements(usage_point: &UsagePointId) -> Vec<u8> {
    key(b'S', &[usage_point.as_bytes()])
}

/// An open bill of a usage point; they sort oldest first.
#[must_use]
pub fn open_bill(usage_point: &UsagePointId, number: u32) -> Vec<u8> {
    key(b'o', &[usage_point.as_bytes(), &number.to_be_bytes()])
}

/// All open bills of a usage point.
#[must_use]
pub fn open_bills(usage_point: &UsagePointId) -> Vec<u8> {
    key(b'o', &[usage_point.as_bytes()])
}

/// Credit and bill count of a usage point.
#[must_use]
pub fn billing_account(usage_point: &UsagePointId) -> Vec<u8> {
    key(b'e', &[usage_point.as_bytes()])
}

/// What a grid operator owes a distributor on the bills of its boundaries.
#[must_use]
pub fn boundary_claims(grid_operator: &PartyId, distributor: &PartyId) -> Vec<u8> {
    key(b'B', &[grid_operator.as_bytes(), distributor.as_bytes()])
}

/// A balance.
#[must_use]
pub fn balance(account: &Account) -> Vec<u8> {
    let (kind, counterparty) = account.kind.parts();
    key(b'a', &[account.party.as_bytes(), &[kind], counterparty.as_bytes()])
}

/// All accounts of a party.
#[must_use]
pub fn balances_of(party: &PartyId) -> Vec<u8> {
    key(b'a', &[party.as_bytes()])
}

/// All accounts of the ledger.
#[must_use]
pub fn balances() -> Vec<u8> {
    key(b'a', &[])
}

/// How far an aggregator may issue tokens.
#[must_use]
pub fn backing_limit(aggregator: &PartyId) -> Vec<u8> {
    key(b'i', &[aggregator.as_bytes()])
}

/// A used payment reference.
#[must_use]
pub fn payment_reference(reference: &str) -> Vec<u8> {
    let hash = Hash::of_domain("gridtally/payment-reference/v1", &[reference.as_bytes()]);
    key(b'x', &[hash.as_bytes()])
}

/// A ledger whose heads are notarised here.
#[must_use]
pub fn admitted_ledger(id: &LedgerId) -> Vec<u8> {
    key(b'L', &[id.as_bytes()])
}

/// All admitted ledgers, for lists.
#[must_use]
pub fn admitted_ledgers() -> Vec<u8> {
    key(b'L', &[])
}

/// A notarised head of another ledger; they sort by height.
#[must_use]
pub fn notarised_head(id: &LedgerId, height: BlockHeight) -> Vec<u8> {
    key(b'H', &[id.as_bytes(), &height.get().to_be_bytes()])
}

/// All notarised heads of another ledger.
#[must_use]
pub fn notarised_heads(id: &LedgerId) -> Vec<u8> {
    key(b'H', &[id.as_bytes()])
}

/// A registered node.
#[must_use]
pub fn node(key_address: &KeyAddress) -> Vec<u8> {
    key(b'N', &[key_address.as_bytes()])
}

/// All nodes, for lists.
#[must_use]
pub fn nodes() -> Vec<u8> {
    key(b'N', &[])
}

/// The regulators' times in office.
#[must_use]
pub fn offices() -> Vec<u8> {
    key(b'O', &[])
}

/// The validators, by epoch.
#[must_use]
pub fn seats() -> Vec<u8> {
    key(b'V', &[])
}

/// A proposal.
#[must_use]
pub fn proposal(id: &TransactionId) -> Vec<u8> {
    key(b'G', &[id.as_bytes()])
}

/// All proposals, for lists.
#[must_use]
pub fn proposals() -> Vec<u8> {
    key(b'G', &[])
}

/// The parameters, by height.
#[must_use]
pub fn parameters() -> Vec<u8> {
    key(b'P', &[])
}

/// What a kind of transaction needs beside its sender's signature, by height.
#[must_use]
pub fn endorsements(kind: u16) -> Vec<u8> {
    key(b'E', &[&kind.to_be_bytes()])
}

/// The protocol's versions, by height.
#[must_use]
pub fn protocol() -> Vec<u8> {
    key(b'U', &[])
}

/// The checkpoint that waits for attestations.
#[must_use]
pub fn open_checkpoint() -> Vec<u8> {
    key(b'C', &[])
}

/// The newest checkpoint that was agreed on.
#[must_use]
pub fn agreed_checkpoint() -> Vec<u8> {
    key(b'A', &[])
}

/// The erasure of a stretch of days.
#[must_use]
pub fn erasure(usage_point: &UsagePointId, (first, last): (LocalDay, LocalDay)) -> Vec<u8> {
    key(b'X', &[usage_point.as_bytes(), &day_bytes(first), &day_bytes(last)])
}

/// All erasures of a usage point, by their days.
#[must_use]
pub fn erasures(usage_point: &UsagePointId) -> Vec<u8> {
    key(b'X', &[usage_point.as_bytes()])
}

/// The virtual clock.
#[must_use]
pub fn virtual_clock() -> Vec<u8> {
    key(b'z', &[])
}
