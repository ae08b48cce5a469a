//! The pages of blocks.

use super::home::more;
use super::{Markup, code, facts, link, page, section, short, table, text};
use crate::response::Page;
use crate::response::block::{BlockDetail, BlockEntry};
use crate::response::status::Status;

/// The list of blocks.
#[must_use]
pub fn blocks(status: &Status, blocks: &Page<BlockEntry>) -> String {
    let mut content = rows(blocks);
    if let Some(next) = &blocks.next {
        content.push(&more(format!("/blocks?before={next}")));
    }
    page(status, "Blocks", &content)
}

/// Blocks as a table.
pub(super) fn rows(blocks: &Page<BlockEntry>) -> Markup {
    let rows = blocks.items.iter().map(|block| {
        vec![
            link(format!("/blocks/{}", block.height), &text(&block.height)),
            text(&block.time),
            text(block.transactions),
            short(&block.hash),
        ]
    });
    table(&["#Height", "Time", "#Transactions", "Hash"], rows.collect())
}

/// The page of a block.
#[must_use]
pub fn block(status: &Status, block: &BlockDetail) -> String {
    let header = &block.header;
    let votes = block.certificate.as_ref().map_or(0, |certificate| certificate.signatures.len());
    let mut rows = vec![("Hash", code(&block.hash)), ("Time", text(&header.time))];
    let height = header.height.parse::<u64>().unwrap_or_default();
    if let Some(before) = height.checked_sub(1) {
        rows.push(("Parent", link(format!("/blocks/{before}"), &short(&header.parent))));
    }
    let next = link(format!("/blocks/{}", height.saturating_add(1)), &text(height + 1));
    if status.height.parse().is_ok_and(|head: u64| height < head) {
        rows.push(("Next", next));
    }
    rows.extend([
        ("Proposer", code(&header.proposer)),
        ("Epoch", text(&header.epoch)),
        ("Votes", text(votes)),
        ("Transactions root", code(&header.transactions_root)),
        ("Executed up to", text(&header.executed.height)),
        ("State root", code(&header.executed.state_root)),
        ("Receipts root", code(&header.executed.receipts_root)),
    ]);
    let mut content = facts(rows);
    let transactions = block.transactions.items.iter().map(|transaction| {
        let id = &transaction.transaction_id;
        vec![
            text(transaction.index),
            link(format!("/transactions/{id}"), &short(id)),
            text(transaction.kind_name),
            text(format!("{} {}", transaction.code, transaction.code_name)),
        ]
    });
    let heads = ["#Place", "Transaction", "Kind", "Outcome"];
    content.push(&section("Transactions", &table(&heads, transactions.collect())));
    if let Some(next) = &block.transactions.next {
        content.push(&more(format!("/blocks/{}?after={next}", header.height)));
    }
    page(status, &format!("Block {}", header.height), &content)
}
