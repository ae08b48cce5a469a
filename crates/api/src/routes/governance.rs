//! `/v1/governance`, `/v1/nodes`, `/v1/proposals`: how the ledger runs and who decides, public.

use std::collections::BTreeMap;

use axum::response::Response;
use contracts::governance::{Node, Proposal};
use contracts::transaction::TABLE;
use contracts::{State, state_key};
use primitives::codec::decode;
use primitives::identifier::TransactionId;
use primitives::key::PublicKey;

use super::parties::rows;
use crate::problem::Problem;
use crate::request::{Ask, Read};
use crate::response::Page;
use crate::response::governance::{
    EndorsementEntry, EndorsementsEntry, Governance, NodeEntry, ProposalEntry, ScheduledParameters,
    SeatsEntry,
};
use crate::response::status::ParametersEntry;

/// Epoch, validators, parameters and endorsements, in force and to come.
pub(crate) async fn governance(ask: Ask) -> Result<Response, Problem> {
    ask.read(|read| read.state(|state| load(read, state))).await
}

fn load(read: &Read, state: &dyn State) -> Governance {
    let rules = read.rules();
    let next = read.view.height() + 1;
    let epoch = rules.epoch_of(next);
    let nodes: BTreeMap<PublicKey, Node> =
        state.nodes().into_iter().map(|node| (node.key, node)).collect();
    let seats = |epoch: u64| {
        let set = state.validators_of(rules, epoch);
        SeatsEntry::new((epoch, rules.first_height_of(epoch)), &set, &nodes)
    };
    let to_come = state.seats();
    let to_come = to_come.iter().map(|(from, _)| from).filter(|from| *from > epoch);
    let parameters = |from_height: u64| ScheduledParameters {
        from_height: from_height.to_string(),
        parameters: ParametersEntry::new(&state.parameters(rules, from_height)),
    };
    let later = state.scheduled_parameters();
    let later = later.iter().map(|(from, _)| from).filter(|from| *from > next);
    let endorsements = TABLE.iter().flat_map(|entry| {
        let schedule = state.endorsements(entry.kind);
        let of_kind =
            |(from, needed): (u64, &contracts::governance::Endorsements)| EndorsementsEntry {
                kind: entry.kind,
                kind_name: entry.name.to_owned(),
                from_height: from.to_string(),
                endorsements: needed.iter().map(EndorsementEntry::new).collect(),
            };
        schedule.iter().map(of_kind).collect::<Vec<_>>()
    });
    Governance {
        epoch: epoch.to_string(),
        epoch_blocks: rules.genesis().epoch_blocks,
        validators: std::iter::once(epoch).chain(to_come).map(seats).collect(),
        parameters: std::iter::once(next).chain(later).map(parameters).collect(),
        protocol_version: state.protocol().at(next).copied().unwrap_or(1),
        endorsements: endorsements.collect(),
    }
}

/// Every registered node.
pub(crate) async fn nodes(ask: Ask) -> Result<Response, Problem> {
    ask.read(|read| {
        let (rules, next) = (read.rules(), read.view.height() + 1);
        let (nodes, validators) =
            read.state(|state| (state.nodes(), state.validators_of(rules, rules.epoch_of(next))))?;
        let items = nodes.iter().map(|node| NodeEntry::new(node, &validators)).collect();
        Ok(Page { items, next: None })
    })
    .await
}

/// Proposals in the order of their ids.
pub(crate) async fn proposals(mut ask: Ask) -> Result<Response, Problem> {
    let after = ask.take::<TransactionId>("after")?;
    let limit = ask.limit()?;
    ask.read(move |read| {
        let after = after.map(|id| state_key::proposal(&id));
        let rows: Vec<(TransactionId, Proposal)> =
            rows(read, &state_key::proposals(), after, limit, |key, value| {
                Some((TransactionId::new(key.try_into().ok()?), decode(value).ok()?))
            })?;
        let items = rows.iter().map(|(id, proposal)| entry(read, id, proposal));
        Ok(Page::cut(items.collect(), limit, |entry: &ProposalEntry| entry.proposal.clone()))
    })
    .await
}

/// A proposal with its approvals.
pub(crate) async fn proposal(ask: Ask) -> Result<Response, Problem> {
    let id: TransactionId = ask.path("proposal")?;
    ask.read(move |read| {
        let found = read.state(|state| state.proposal(&id))?;
        Ok(entry(read, &id, &found.map_err(|_| Problem::not_found("proposal"))?))
    })
    .await
}

fn entry(read: &Read, id: &TransactionId, proposal: &Proposal) -> ProposalEntry {
    ProposalEntry::new(id, proposal, proposal.valid_until < read.view.head().header.time)
}
