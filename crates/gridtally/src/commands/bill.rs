//! `gridtally bill`: a bill on one page of paper, and a bill checked against one's own values.

mod check;
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

/// Bills on paper, and bills checked.
#[derive(Debug, Subcommand)]
pub enum Bill {
    /// Check a bill: against the readings that its meter sealed, and against a file of your own.
    ///
    /// The proof of the bill is asked of a node that holds the readings; on a private ledger that is one of
    /// the household or of who bills it. Everything in it is computed again here, from the meter's
    /// signatures to the last line. With --readings each value is compared with your own file as well.
    /// It says that all is equal, or names the first thing that differs.
    #[command(after_help = "Example:\n  gridtally bill check BILL_ID --key home-17.key \
        --readings my-readings.csv\n\nExit codes: 0 equal · 1 something differs, or there is no answer")]
    Check(check::Check),

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
        let print = match self {
            Self::Check(check) => return check.run(global),
            Self::Print(print) => print,
        };
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
