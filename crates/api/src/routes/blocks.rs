//! `/v1/blocks`: the chain, newest first.

use axum::response::Response;
use contracts::Position;

use super::transactions::kind_name;
use crate::problem::Problem;
use crate::request::{Ask, Read};
use crate::response::Page;
use crate::response::block::{BlockDetail, BlockEntry, BlockTransaction};
use crate::response::receipt;

/// Blocks below `before`, falling; without it from the newest. The genesis is the last.
pub(crate) async fn list(mut ask: Ask) -> Result<Response, Problem> {
    let before = ask.take::<u64>("before")?;
    let limit = ask.limit()?;
    ask.read(move |read| page(read, before, limit)).await
}

/// A page of blocks.
pub(super) fn page(
    read: &Read,
    before: Option<u64>,
    limit: usize,
) -> Result<Page<BlockEntry>, Problem> {
    let above = read.view.height() + 1;
    let end = before.unwrap_or(above).min(above);
    let mut items = Vec::with_capacity(limit);
    for height in (0..end).rev().take(limit + 1) {
        items.push(entry(read, height)?);
    }
    Ok(Page::cut(items, limit, |entry: &BlockEntry| entry.height.clone()))
}

fn entry(read: &Read, height: u64) -> Result<BlockEntry, Problem> {
    if height == 0 {
        return Ok(BlockEntry::new(&read.rules().genesis().header(), 0));
    }
    let sealed = read.view.sealed_header(height)?;
    let sealed = sealed.ok_or_else(|| Problem::internal("a block below the head is missing"))?;
    Ok(BlockEntry::new(&sealed.header, sealed.transactions))
}

/// A block with its certificate and a page of its transactions.
pub(crate) async fn one(mut ask: Ask) -> Result<Response, Problem> {
    let height: u64 = ask.path("height")?;
    let after = ask.take::<u32>("after")?;
    let limit = ask.limit()?;
    ask.read(move |read| load(read, height, after, limit)).await
}

/// A block with a page of its transactions.
pub(super) fn load(
    read: &Read,
    height: u64,
    after: Option<u32>,
    limit: usize,
) -> Result<BlockDetail, Problem> {
    if height == 0 {
        return Ok(BlockDetail::genesis(&read.rules().genesis().header()));
    }
    let sealed = read.view.sealed_header(height)?.ok_or_else(|| Problem::not_found("block"))?;
    let first = after.map_or(0, |after| after.saturating_add(1));
    let mut items = Vec::new();
    for index in (first..sealed.transactions).take(limit + 1) {
        items.push(transaction(read, Position { height, index })?);
    }
    let page = Page::cut(items, limit, |it: &BlockTransaction| it.index.to_string());
    Ok(BlockDetail::new(&sealed, page))
}

fn transaction(read: &Read, position: Position) -> Result<BlockTransaction, Problem> {
    let damaged = || Problem::internal("a transaction of a block is missing");
    let kept = read.view.kept(position)?.ok_or_else(damaged)?;
    let receipt = read.view.receipt(position)?.ok_or_else(damaged)?;
    Ok(BlockTransaction {
        index: position.index,
        transaction_id: receipt.transaction.to_string(),
        kind: kept.envelope().kind,
        kind_name: kind_name(kept.envelope().kind),
        code: receipt.code,
        code_name: receipt::name(receipt.code),
    })
}
