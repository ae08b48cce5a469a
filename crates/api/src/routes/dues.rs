//! What is due: under a usage point, to a distributor; disputes over bills.

use axum::response::Response;
use contracts::billing::{Bill, BillState, fine_standing};
use contracts::registry::UsagePoint;
use contracts::state_key;
use primitives::codec::decode;
use primitives::identifier::{BillId, PartyId, UsagePointId};
use primitives::units::MicroCurrency;

use super::usage_points::{find, sees};
use super::{bills, parties};
use crate::problem::Problem;
use crate::request::{Ask, Read};
use crate::response::dues::{DisputeEntry, DuesDetail, DuesEntry, FineRulesEntry, Open, PartyDues};

/// Open bills of one answer.
const MAX_OPEN: usize = 256;
/// Usage points that one page looks at.
const MAX_LOOKED_AT: usize = 10_000;

/// What is due under a usage point.
pub(crate) async fn of_usage_point(ask: Ask) -> Result<Response, Problem> {
    let id: UsagePointId = ask.path("usage_point")?;
    ask.read(move |read| load(read, id)).await
}

fn load(read: &Read, id: UsagePointId) -> Result<DuesDetail, Problem> {
    let (usage_point, seen) = find(read, id)?;
    let fine_rules = rules_of(read, usage_point.biller)?;
    let open = open_bills(read, id)?;
    let mut disputes = Vec::new();
    for (bill_id, bill, state) in &open {
        if let Some(dispute) = read.state(|state| state.dispute(*bill_id))? {
            disputes.push(DisputeEntry::new(*bill_id, bill, state, &dispute, seen));
        }
    }
    let mut listed = Vec::with_capacity(open.len());
    for (bill_id, bill, state) in open.iter().take(MAX_OPEN) {
        listed.push(bills::entry(read, *bill_id, bill, state, seen)?);
    }
    let entry = match seen {
        true => dues(read, (id, &usage_point), &open)?,
        false => DuesEntry::withheld(id, &usage_point),
    };
    let more = open.len() > MAX_OPEN;
    Ok(DuesDetail { entry, fine_rules, bills: listed, more, disputes })
}

type OpenBill = (BillId, Bill, BillState);

/// The open bills of a usage point, oldest first, one more than an answer lists.
fn open_bills(read: &Read, id: UsagePointId) -> Result<Vec<OpenBill>, Problem> {
    let ids = read.state(|state| state.open_bills(id, 0, MAX_OPEN + 1))?;
    ids.into_iter()
        .map(|(_, id)| {
            let (bill, state) = bills::bill(read, id)?;
            Ok((id, bill, state))
        })
        .collect()
}

fn dues(
    read: &Read,
    (id, usage_point): (UsagePointId, &UsagePoint),
    bills: &[OpenBill],
) -> Result<DuesEntry, Problem> {
    let now = read.view.head().header.time;
    let rules = read.rules();
    let (account, standing) =
        read.state(|state| (state.billing_account(id), fine_standing(rules, state, id, now)))?;
    let standing = standing.map_err(Problem::internal)?;
    let sum = |of: &dyn Fn(&OpenBill) -> MicroCurrency| {
        MicroCurrency::sum(bills.iter().map(of)).map_err(Problem::internal)
    };
    let older = |bill: &OpenBill| bill.1.number < account.bills;
    let open = Open {
        all: sum(&|bill| bill.2.open)?,
        arrears: sum(&|bill| if older(bill) { bill.2.open } else { MicroCurrency::ZERO })?,
        held: sum(&|bill| bill.2.held)?,
    };
    Ok(DuesEntry::new(id, usage_point, (open, account.credit), &standing))
}

fn rules_of(read: &Read, biller: PartyId) -> Result<Option<FineRulesEntry>, Problem> {
    let rules = read.state(|state| state.fine_rules_of(biller))?;
    Ok(rules.at(read.today()).map(FineRulesEntry::from))
}

/// What is due to a party under the usage points that it bills.
pub(crate) async fn to_party(mut ask: Ask) -> Result<Response, Problem> {
    let id: PartyId = ask.path("party")?;
    let after = ask.take::<UsagePointId>("after")?;
    let limit = ask.limit()?;
    ask.read(move |read| page(read, id, after, limit)).await
}

fn page(
    read: &Read,
    party: PartyId,
    after: Option<UsagePointId>,
    limit: usize,
) -> Result<PartyDues, Problem> {
    read.state(|state| state.party(party))?.map_err(|_| parties::not_found())?;
    let fine_rules = rules_of(read, party)?;
    let after = after.map(|id| state_key::usage_point(&id));
    let all = state_key::usage_points();
    let rows: Vec<(UsagePointId, UsagePoint)> =
        parties::rows(read, &all, after, MAX_LOOKED_AT, |key, value| {
            Some((UsagePointId::new(key.try_into().ok()?), decode(value).ok()?))
        })?;
    let (mut items, mut next) = (Vec::new(), None);
    let mut last = None;
    for (looked_at, (id, usage_point)) in rows.iter().enumerate() {
        if items.len() >= limit || looked_at >= MAX_LOOKED_AT {
            next = last;
            break;
        }
        last = Some(id.to_string());
        if usage_point.biller == party {
            items.extend(line(read, *id, usage_point)?);
        }
    }
    Ok(PartyDues { party: party.to_string(), fine_rules, items, next })
}

/// A usage point in the list; `None` when nothing stands open, in credit or to be fined.
fn line(
    read: &Read,
    id: UsagePointId,
    usage_point: &UsagePoint,
) -> Result<Option<DuesEntry>, Problem> {
    if !sees(read, usage_point)? {
        return Ok(Some(DuesEntry::withheld(id, usage_point)));
    }
    let entry = dues(read, (id, usage_point), &open_bills(read, id)?)?;
    let something = entry.amounts.as_ref().is_some_and(|it| {
        [&it.open_micro, &it.credit_micro, &it.pending_fine_micro].iter().any(|it| *it != "0")
    });
    Ok(Some(entry).filter(|_| something))
}

/// The dispute over a bill.
pub(crate) async fn dispute(ask: Ask) -> Result<Response, Problem> {
    let id: BillId = ask.path("bill")?;
    ask.read(move |read| {
        let (bill, state) = bills::bill(read, id)?;
        let (_, seen) = find(read, bill.usage_point)?;
        let dispute = read.state(|state| state.dispute(id))?;
        let dispute = dispute.ok_or_else(|| Problem::not_found("dispute over this bill"))?;
        Ok(DisputeEntry::new(id, &bill, &state, &dispute, seen))
    })
    .await
}
