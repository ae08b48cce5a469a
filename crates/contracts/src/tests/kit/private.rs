//! The small network on a private ledger: seals without values, and what the test knows beside them.

use contracts::billing::{IssuePrivateBill, StatedAmounts, draft_bill};
use contracts::execute::{Context, Sender};
use contracts::genesis::Privacy;
use contracts::metering::{
    DayCommitment, ErasePayloads, PrivateDayPayload, Registers, SealPrivateDay, SubstituteDay,
};
use contracts::{Genesis, Position, State};
use primitives::calendar::{BillingPeriod, LocalDay};
use primitives::hash::Hash;
use primitives::identifier::TransactionId;
use primitives::reading::{DayPayload, Quality, Reading};
use primitives::units::WattHours;

use super::{Draft, Home, Network, by, genesis, kolkata, reading};

/// The genesis of the small network, private.
pub fn private_genesis() -> Genesis {
    let day = LocalDay::from_civil(2025, 6, 1).expect("a date");
    Genesis { privacy: Privacy::Private, ..genesis(kolkata(), day) }
}

impl Network {
    /// Kolkata, from 2025-06-01 on, on a private ledger.
    pub fn private() -> Self {
        Self::founded(private_genesis())
    }

    /// What lies behind the meter's seal of a day, whose registers count from zero each day.
    pub fn private_values(
        &self,
        _home: &Home,
        _day: LocalDay,
        values: &DayPayload,
    ) -> PrivateDayPayload {
        let sum = |value: fn(&Reading) -> WattHours| {
            WattHours::sum(values.readings.iter().map(value)).expect("a day's energy")
        };
        let last = Registers { import: sum(|r| r.import_wh), export: sum(|r| r.export_wh) };
        PrivateDayPayload { values: values.clone(), first: Registers::ZERO, last }
    }

    /// The meter's seal of a day; nothing travels with it.
    pub fn seal_privately(&self, home: &Home, day: LocalDay, values: &DayPayload) -> Draft {
        let meter = self.state().installed_meter(home.point);
        let payload = self.private_values(home, day, values);
        let body = SealPrivateDay {
            usage_point: home.point,
            day,
            sequence: meter.map_or(0, |meter| meter.seal_sequence) + 1,
            day_root: values.root(home.point, self.periods(day).first),
            registers: payload.registers(home.point, day),
        };
        by(&[&home.meter], body).handing_over(&payload)
    }

    /// The values of a substitute in which every slot draws the same.
    pub fn substituted(&self, day: LocalDay, import: u64) -> DayPayload {
        let value = Reading { quality: Quality::Substituted, ..reading(import, 0) };
        self.even_day(day, value)
    }

    /// The northern distributor's substitute for a day in which every slot draws the same.
    pub fn substitute(&self, home: &Home, day: LocalDay, import: u64) -> Draft {
        let values = self.substituted(day, import);
        let day_root = values.root(home.point, self.periods(day).first);
        let body = SubstituteDay { usage_point: home.point, day, day_root };
        by(&[&self.north.key], body).handing_over(&values)
    }

    /// A whole day: it ends, frequencies stand at 50 Hz, every home seals `reading` per slot.
    pub fn measure_privately(&mut self, day: LocalDay, homes: &[Home], reading: Reading) {
        self.end_day(day);
        self.frequencies(day, |_| 50_000);
        for home in homes {
            let seal = self.seal_privately(home, day, &self.even_day(day, reading));
            self.accept(&seal);
        }
    }

    /// The northern distributor's bill over a day, computed from what the seals in force hold: the state
    /// of a node that has the values. Where a rule stands against it, an empty bill.
    pub fn bill_privately(&self, home: &Home, day: LocalDay) -> Draft {
        let period = BillingPeriod::Day { day };
        let signer = self.north.key.public();
        let context = Context {
            rules: &self.rules,
            transaction: TransactionId::new([0; 32]),
            position: Position { height: self.height + 1, index: 0 },
            time: self.time,
            period: self.now(),
            sender: Sender::Party(self.north.id),
            signer,
            cosigners: &[],
            payload: &[],
        };
        let body = draft_bill(&context, &Held(self), home.point, period);
        let body = body.unwrap_or_else(|_| IssuePrivateBill {
            usage_point: home.point,
            period,
            readings_root: Hash::ZERO,
            frequency_root: Hash::ZERO,
            tariff_hash: Hash::ZERO,
            amounts: StatedAmounts::Plain {
                lines: Vec::new().try_into().expect("no line"),
                total: primitives::units::MicroCurrency::ZERO,
            },
        });
        by(&[&self.north.key], body)
    }

    /// The root over the frequencies of a day as they stand now.
    pub fn basis_root(&self, _home: &Home, day: LocalDay) -> Hash {
        let frequencies = self.state().frequency_day(day);
        let seal = frequencies.seal.expect("the day is sealed");
        let corrections: Vec<_> =
            frequencies.corrections.iter().map(|it| (it.slot, it.transaction)).collect();
        let corrections = corrections.try_into().expect("a day's slots");
        let (seal, day_root) = (seal.transaction, seal.day_root);
        DayCommitment::root(&[DayCommitment {
            usage_point: None,
            day,
            seal,
            day_root,
            corrections,
        }])
    }

    /// The customer's erasure of a day.
    pub fn erase(&self, home: &Home, day: LocalDay) -> Draft {
        let body = ErasePayloads { usage_point: home.point, first_day: day, last_day: day };
        by(&[&home.customer.key], body)
    }
}

/// The state of a node that holds the values.
struct Held<'a>(&'a Network);

impl State for Held<'_> {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.state.get(key)
    }

    fn put(&mut self, _key: Vec<u8>, _value: Vec<u8>) {
        unreachable!("a draft writes nothing");
    }

    fn delete(&mut self, _key: &[u8]) {
        unreachable!("a draft writes nothing");
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.0.state.scan(prefix, after, limit)
    }

    fn payload(&self, position: Position) -> Option<Vec<u8>> {
        self.0.private_payloads.get(&position).cloned()
    }

    fn transaction(&self, position: Position) -> Option<primitives::envelope::SignedTransaction> {
        self.0.state.transaction(position)
    }

    fn emit(&mut self, _event: contracts::Event) {
        unreachable!("a draft tells nothing");
    }
}
