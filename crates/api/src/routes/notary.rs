//! `/v1/head`, `/v1/ledgers`: this ledger's newest final header, and those of other ledgers that are
//! notarised here, public.

use axum::response::Response;
use contracts::State;
use contracts::notary::NotarisedHead;
use primitives::identifier::LedgerId;
use primitives::units::BlockHeight;

use crate::problem::{self, Problem};
use crate::request::Ask;
use crate::response::Page;
use crate::response::notary::{HeadEntry, LedgerEntry, NotarisedHeadEntry};

/// The newest final header, as another ledger takes it.
pub(crate) async fn head(ask: Ask) -> Result<Response, Problem> {
    ask.read(|read| {
        let proof = read.view.head_proof()?.ok_or_else(|| {
            Problem::new(problem::NOT_PROVABLE, "the ledger has no block yet".to_owned())
        })?;
        Ok(HeadEntry::new(&proof))
    })
    .await
}

/// Every admitted ledger.
pub(crate) async fn ledgers(ask: Ask) -> Result<Response, Problem> {
    ask.read(|read| {
        let items = read.state(|state| {
            let ledgers = state.admitted_ledgers();
            ledgers.iter().map(|ledger| LedgerEntry::new(ledger, state)).collect()
        })?;
        Ok(Page { items, next: None })
    })
    .await
}

/// One of them.
pub(crate) async fn ledger(ask: Ask) -> Result<Response, Problem> {
    let id: LedgerId = ask.path("ledger_id")?;
    ask.read(move |read| {
        let entry = read.state(|state| {
            state.admitted_ledger(&id).map(|ledger| LedgerEntry::new(&ledger, state))
        })?;
        entry.map_err(|_| Problem::not_found("admitted ledger"))
    })
    .await
}

/// Its heads, by rising height.
pub(crate) async fn heads(mut ask: Ask) -> Result<Response, Problem> {
    let id: LedgerId = ask.path("ledger_id")?;
    let after = ask.take::<u64>("after")?.map(BlockHeight::new);
    let limit = ask.limit()?;
    ask.read(move |read| {
        let heads = |state: &dyn State| -> Option<Vec<NotarisedHead>> {
            state.admitted_ledger(&id).ok()?;
            Some(state.notarised_heads(&id, after, limit + 1))
        };
        let heads = read.state(heads)?.ok_or_else(|| Problem::not_found("admitted ledger"))?;
        let items = heads.iter().map(NotarisedHeadEntry::new).collect();
        Ok(Page::cut(items, limit, |entry: &NotarisedHeadEntry| entry.height.clone()))
    })
    .await
}
