//! `gridtally bill`: a bill on one page of paper.

mod page;

use std::path::PathBuf;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use primitives::identifier::BillId;
use serde_json::json;

use super::connect::{NodeAddress, OwnKey, ended};
use super::submit::write_whole;
use crate::cli::Global;
use crate::exit::{EndWith, Ended, Exit};
use crate::output;

/// Bills on paper.
#[derive(Debug, Subcommand)]
pub enum Bill {
    /// Write a bill as one A4 page of HTML, to be printed or kept.
    ///
    /// The page needs no network: style and QR code are part of it. It names the lines with
    /// quantities and tariffs, what is paid and open, and how to verify the bill.
    #[command(
        after_help = "Example:\n  gridtally bill print BILL_ID --out bill.html --key home-17.key"
    )]
    Print(Print),
}

/// A bill and where it goes.
#[derive(Debug, Args)]
pub struct Print {
    /// The bill's id.
    #[arg(value_name = "BILL")]
    bill: BillId,
    /// The file.
    #[arg(long, value_name = "FILE.html")]
    out: PathBuf,
    /// The address at which the customer looks the bill up, for the QR code; by default the node's.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    #[command(flatten)]
    node: NodeAddress,
    #[command(flatten)]
    key: OwnKey,
}

impl Bill {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        let Self::Print(print) = self;
        let node = print.node.connect_as(&print.key)?;
        let bill = node.get_json(&format!("/v1/bills/{}", print.bill)).map_err(ended)?;
        if bill["lines"].is_null() {
            let error = anyhow!(
                "the node withholds the bill's lines: give --key with the key of a party that may \
                 see them"
            );
            return Err(error).end_with(Exit::Failure);
        }
        let status = node.get_json("/v1/status").map_err(ended)?;
        let base = print.public_url.as_deref().unwrap_or(node.address()).trim_end_matches('/');
        let url = format!("{base}/bills/{}", print.bill);
        let html = page::render(&bill, &status, &url)?;
        write_whole(&print.out, html.as_bytes())?;
        let file = print.out.display().to_string();
        if global.json {
            output::json(&json!({ "file": file, "bytes": html.len(), "url": url }))?;
        } else {
            output::line(&format!("written to {file} ({} bytes)", html.len()))?;
        }
        Ok(Exit::Success)
    }
}
