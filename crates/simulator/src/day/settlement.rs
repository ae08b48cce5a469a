//! After midnight: days are sealed, slots charged, bills issued, paid and paid out, dues settled.

use std::collections::BTreeMap;

use client::transaction_builder::{MeterDay, Signer, derived_seed};
use contracts::account::Account;
use contracts::billing::{
    ChargeSlots, ChargeTarget, IssueBill, PayBill, PayDues, PayOutBill, bill_id,
};
use contracts::metering::Registers;
use contracts::{Event, State};
use primitives::calendar::BillingPeriod;
use primitives::codec::{self, Bounded};
use primitives::identifier::{BillId, PartyId, UsagePointId};
use primitives::units::{MicroCurrency, WattHours};

use super::DayError;
use super::founding::buy;
use super::network::{Actor, MeteredPoint, Network};
use super::stage::{Stage, rule};
use crate::report::FixedPoint;

/// Bills of one transaction.
const BILLS_PER_TRANSACTION: usize = contracts::billing::MAX_BILLED;
/// Every third home pays its bill in two parts.
const IN_PARTS: usize = 3;
/// What the customer on the flat rate pays first (the published system BX: 2000 of 2500).
const FIRST_PAYMENT: MicroCurrency = MicroCurrency::new(2_000_000_000);

/// Every meter seals its day, and the grid operator the frequencies.
pub(super) fn seal(stage: &mut Stage<'_>, network: &mut Network) -> Result<(), DayError> {
    let day = stage.plan.day;
    let mut batch = Vec::with_capacity(network.homes.len() + network.stations.len());
    for point in network.points_mut() {
        let MeteredPoint { usage_point, meter, day_secret, readings, .. } = point;
        let day = MeterDay {
            usage_point: *usage_point,
            day,
            seal_sequence: 1,
            first: Registers::ZERO,
            register_limit: WattHours::ZERO,
            former_slots: 0,
            readings,
            seed: derived_seed(day_secret, *usage_point, day),
            corrects: &[],
        };
        batch.push(meter.seal_day(&stage.rules, &day)?);
    }
    stage.send("seal the day of every meter", batch)?;
    let grid_operator = &mut network.grid_operator.signer;
    let seal = grid_operator.seal_frequency_day(&stage.rules, day, &stage.plan.frequency)?;
    stage.send("seal the frequencies of the day", vec![seal]).map(drop)
}

/// All slots of the day are charged, station by station; those charged before are left out.
pub(super) fn charge_the_day(stage: &mut Stage<'_>, network: &mut Network) -> Result<(), DayError> {
    let periods = stage.plan.periods();
    let mut batch = Vec::with_capacity(2 * network.stations.len());
    for station in &network.stations {
        let charge = ChargeSlots {
            target: ChargeTarget::Station(station.id),
            first_period: periods.first,
            count: periods.count,
        };
        let distributor = &mut network.distributors[station.distributor].signer;
        batch.push(stage.sign(distributor, charge.clone(), &[])?);
        batch.push(stage.sign(&mut network.grid_operator.signer, charge, &[])?);
    }
    stage.send("charge the slots of the day", batch).map(drop)
}

/// Distributors bill their customers in bulk, the grid operator the boundaries.
pub(super) fn issue_bills(stage: &mut Stage<'_>, network: &mut Network) -> Result<(), DayError> {
    for index in 0..network.distributors.len() {
        let customers = network.customers_of(index);
        issue(stage, &mut network.distributors[index].signer, &customers)?;
    }
    let boundaries = network.boundaries();
    issue(stage, &mut network.grid_operator.signer, &boundaries)
}

fn issue(
    stage: &mut Stage<'_>,
    biller: &mut Signer,
    usage_points: &[UsagePointId],
) -> Result<(), DayError> {
    const STEP: &str = "issue the bills of the day";
    let period = BillingPeriod::Day { day: stage.plan.day };
    let mut batch = Vec::new();
    for chunk in usage_points.chunks(BILLS_PER_TRANSACTION) {
        let usage_points = Bounded::try_from(chunk).expect("a chunk is shorter than the bound");
        batch.push(stage.sign(biller, IssueBill { usage_points, period }, &[])?);
    }
    let outcomes = stage.send(STEP, batch)?;
    // In bulk a usage point that cannot be billed is told by an event, not by the code.
    let view = stage.view()?;
    for outcome in outcomes {
        let receipt = view.receipt(outcome.position)?;
        for event in receipt.iter().flat_map(|receipt| receipt.events.iter()) {
            if let Ok(Event::BillRefused { code, .. }) = codec::decode(event) {
                let (rule, text) = rule(code);
                let transaction = outcome.id;
                return Err(DayError::Rejected { step: STEP, transaction, code, rule, text });
            }
        }
    }
    Ok(())
}

/// Everybody with an open bill pays: most at once, some in two parts, the customer on the flat rate
/// 2000 and then 500. The distributors pay for their boundaries after that.
pub(super) fn pay_bills(
    stage: &mut Stage<'_>,
    network: &mut Network,
) -> Result<FixedPoint, DayError> {
    let usage_point = network.flat_rate_home().point.usage_point;
    let total = open_amount(stage, usage_point)?;
    let last = network.homes.len() - 1;
    let minor_unit = stage.rules.minor_unit_micro();
    let part = |home: usize, open: MicroCurrency| {
        if home == last {
            FIRST_PAYMENT.min(open)
        } else if home.is_multiple_of(IN_PARTS) {
            half(open, minor_unit)
        } else {
            open
        }
    };
    pay_homes(stage, network, "pay bills, whole or in part", &part)?;
    let open_after_first = open_amount(stage, usage_point)?;
    pay_homes(stage, network, "pay the rest of the bills", &|_, open| open)?;
    let open_after_second = open_amount(stage, usage_point)?;
    pay_boundaries(stage, network)?;
    Ok(FixedPoint {
        usage_point,
        total,
        first_payment: total.checked_sub(open_after_first)?,
        open_after_first,
        second_payment: open_after_first.checked_sub(open_after_second)?,
        open_after_second,
    })
}

/// Half of a positive amount, rounded down to whole minor units; the second payment takes the rest.
const fn half(amount: MicroCurrency, minor_unit_micro: i64) -> MicroCurrency {
    let halves = amount.get() / (2 * minor_unit_micro);
    MicroCurrency::new(halves * minor_unit_micro)
}

/// Each home with an open bill pays the part of it that `part` tells.
fn pay_homes(
    stage: &mut Stage<'_>,
    network: &mut Network,
    step: &'static str,
    part: &dyn Fn(usize, MicroCurrency) -> MicroCurrency,
) -> Result<(), DayError> {
    let points: Vec<_> = network.homes.iter().map(|home| home.point.usage_point).collect();
    let open = open_amounts(stage, &points)?;
    let mut due = Vec::new();
    for (index, open) in open.into_iter().enumerate() {
        let amount = if open > MicroCurrency::ZERO { part(index, open) } else { open };
        if amount > MicroCurrency::ZERO {
            due.push((index, amount));
        }
    }
    let mut wanted = BTreeMap::new();
    for (index, amount) in &due {
        wanted.insert(network.homes[*index].actor.party, *amount);
    }
    let buyers = network.homes.iter_mut().map(|home| &mut home.actor);
    fill_wallets(stage, (buyers, &network.aggregator), &mut network.purchases, &wanted)?;
    let mut batch = Vec::with_capacity(due.len());
    for (index, amount) in due {
        let home = &mut network.homes[index];
        let payment = PayBill { usage_point: home.point.usage_point, amount };
        batch.push(stage.sign(&mut home.actor.signer, payment, &[])?);
    }
    stage.send(step, batch).map(drop)
}

/// The distributors pay for the energy that came in through their stations' boundaries.
fn pay_boundaries(stage: &mut Stage<'_>, network: &mut Network) -> Result<(), DayError> {
    let points: Vec<_> = network.stations.iter().map(|it| it.boundary.usage_point).collect();
    let open = open_amounts(stage, &points)?;
    let mut wanted = BTreeMap::new();
    let mut due = Vec::new();
    for (station, amount) in network.stations.iter().zip(open) {
        if amount > MicroCurrency::ZERO {
            let party = network.distributors[station.distributor].party;
            let sum = wanted.entry(party).or_insert(MicroCurrency::ZERO);
            *sum = sum.checked_add(amount)?;
            due.push((station.distributor, station.boundary.usage_point, amount));
        }
    }
    let buyers = network.distributors.iter_mut();
    fill_wallets(stage, (buyers, &network.aggregator), &mut network.purchases, &wanted)?;
    let mut batch = Vec::with_capacity(due.len());
    for (distributor, usage_point, amount) in due {
        let payer = &mut network.distributors[distributor].signer;
        batch.push(stage.sign(payer, PayBill { usage_point, amount }, &[])?);
    }
    stage.send("pay for the boundaries", batch).map(drop)
}

/// The grid operator pays out every negative bill and then what it still owes to the distributors:
/// the export credits that they collected for their customers.
pub(super) fn pay_out_and_settle(
    stage: &mut Stage<'_>,
    network: &mut Network,
) -> Result<(), DayError> {
    let points: Vec<_> = network.points().map(|point| point.usage_point).collect();
    let open = open_amounts(stage, &points)?;
    let negative: Vec<_> =
        points.into_iter().zip(open).filter(|(_, open)| *open < MicroCurrency::ZERO).collect();
    let owed = negative.iter().map(|(_, open)| *open).map(MicroCurrency::checked_neg);
    let owed = MicroCurrency::sum(owed.collect::<Result<Vec<_>, _>>()?)?;
    fill_grid_operator(stage, network, owed)?;
    let period = BillingPeriod::Day { day: stage.plan.day };
    let mut batch = Vec::with_capacity(negative.len());
    for (usage_point, _) in negative {
        let payment = PayOutBill { bill: bill_id(usage_point, period, 1) };
        batch.push(stage.sign(&mut network.grid_operator.signer, payment, &[])?);
    }
    stage.send("pay out negative bills", batch)?;

    let payer = network.grid_operator.party;
    let creditors: Vec<PartyId> = network.distributors.iter().map(|actor| actor.party).collect();
    let dues = stage.read(|state| {
        let owed = |creditor: &PartyId| state.balance(&Account::dues(payer, *creditor));
        creditors.iter().map(owed).collect::<Vec<_>>()
    })?;
    let mut payments = Vec::new();
    for (creditor, balance) in creditors.into_iter().zip(dues) {
        if balance < MicroCurrency::ZERO {
            payments.push(PayDues { creditor, amount: balance.checked_neg()? });
        }
    }
    let owed = MicroCurrency::sum(payments.iter().map(|payment| payment.amount))?;
    fill_grid_operator(stage, network, owed)?;
    let mut batch = Vec::with_capacity(payments.len());
    for payment in payments {
        batch.push(stage.sign(&mut network.grid_operator.signer, payment, &[])?);
    }
    stage.send("settle dues with the distributors", batch).map(drop)
}

fn fill_grid_operator(
    stage: &mut Stage<'_>,
    network: &mut Network,
    wanted: MicroCurrency,
) -> Result<(), DayError> {
    let wanted = BTreeMap::from([(network.grid_operator.party, wanted)]);
    let buyers = std::iter::once(&mut network.grid_operator);
    fill_wallets(stage, (buyers, &network.aggregator), &mut network.purchases, &wanted)
}

/// Whoever has less in the wallet than it is about to pay buys the missing tokens.
fn fill_wallets<'n>(
    stage: &mut Stage<'_>,
    (buyers, aggregator): (impl Iterator<Item = &'n mut Actor>, &Actor),
    purchases: &mut u32,
    wanted: &BTreeMap<PartyId, MicroCurrency>,
) -> Result<(), DayError> {
    let wallets = stage.read(|state| {
        let wallet = |party: &PartyId| (*party, state.balance(&Account::wallet(*party)));
        wanted.keys().map(wallet).collect::<BTreeMap<_, _>>()
    })?;
    let mut batch = Vec::new();
    for buyer in buyers {
        let Some(amount) = wanted.get(&buyer.party) else { continue };
        let missing = amount.checked_sub(wallets[&buyer.party])?;
        if missing > MicroCurrency::ZERO {
            batch.push(buy(stage, (buyer, aggregator), purchases, missing)?);
        }
    }
    stage.send("buy the tokens that are missing", batch).map(drop)
}

/// What is open of a usage point's bill.
fn open_amount(
    stage: &mut Stage<'_>,
    usage_point: UsagePointId,
) -> Result<MicroCurrency, DayError> {
    Ok(open_amounts(stage, &[usage_point])?[0])
}

/// What is open of usage points' bills, in their order; negative where the customer is owed.
fn open_amounts(
    stage: &mut Stage<'_>,
    usage_points: &[UsagePointId],
) -> Result<Vec<MicroCurrency>, DayError> {
    let period = BillingPeriod::Day { day: stage.plan.day };
    let open = |state: &dyn State, bill: BillId| match state.bill_state(bill) {
        Ok(bill) => Ok(bill.open),
        Err(rejection) => Err(DayError::Missing { what: format!("bill {bill}"), rejection }),
    };
    stage.read(|state| {
        usage_points.iter().map(|point| open(state, bill_id(*point, period, 1))).collect()
    })?
}
