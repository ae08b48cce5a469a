//! `gridtally show`: ask a node. One sub-command per query of the API; [`text`] makes a table or a list
//! of the answer, `--json` prints it as it is.

mod layouts;
mod search;
mod text;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use primitives::calendar::LocalDay;
use primitives::identifier::{
    BillId, KeyAddress, LedgerId, PartyId, TariffId, TransactionId, UsagePointId,
};
use primitives::key::PublicKey;
use serde_json::json;

use self::search::{Days, Disputes, Search};
use self::text::{Currency, Layout};
use super::connect::{NodeAddress, OwnKey, ended};
use super::submit::{values, write_whole};
use crate::cli::Global;
use crate::exit::{Ended, Exit};
use crate::output;

/// Ask a node.
///
/// What is not public is shown with --key, to a party that may see it: it opens a session. Without,
/// ids, hashes and codes are shown. With --json the answer is the API's document as it is.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  gridtally show status\n  gridtally show bills USAGE_POINT_ID --key \
                  home-17.key\n  gridtally show proof BILL_ID --out bill.json --key home-17.key"
)]
pub struct Show {
    #[command(subcommand)]
    query: Query,
    #[command(flatten)]
    node: NodeAddress,
    #[command(flatten)]
    key: OwnKey,
}

/// What is asked.
#[derive(Debug, Subcommand)]
enum Query {
    /// The node's ledger and how far it has come.
    #[command(after_help = "Example:\n  gridtally show status --node http://127.0.0.1:7410")]
    Status,
    /// Epoch, validators, parameters and endorsements, in force and to come.
    #[command(after_help = "Example:\n  gridtally show governance")]
    Governance,
    /// The newest final header of the node's ledger, with the proof that another ledger takes.
    #[command(after_help = "Example:\n  gridtally show head --json > head.json")]
    Head,
    /// Other ledgers that are admitted here, with their newest heads.
    #[command(after_help = "Example:\n  gridtally show ledgers")]
    Ledgers,
    /// The notarised heads of another ledger.
    #[command(after_help = "Example:\n  gridtally show heads LEDGER_ID")]
    Heads {
        /// The other ledger.
        #[arg(value_name = "LEDGER")]
        ledger: LedgerId,
        #[command(flatten)]
        page: Page,
    },
    /// Every registered node, and whether it holds a validator's seat.
    #[command(after_help = "Example:\n  gridtally show nodes")]
    Nodes,
    /// Proposed changes.
    #[command(after_help = "Example:\n  gridtally show proposals")]
    Proposals {
        #[command(flatten)]
        page: Page,
    },
    /// One proposed change: who approved it and who is awaited.
    #[command(after_help = "Example:\n  gridtally show proposal TRANSACTION_ID")]
    Proposal {
        /// Its id: that of the proposing transaction.
        #[arg(value_name = "ID")]
        id: TransactionId,
    },
    /// Blocks, the newest first.
    #[command(after_help = "Example:\n  gridtally show blocks --limit 10")]
    Blocks {
        /// Only blocks below this height.
        #[arg(long, value_name = "HEIGHT")]
        before: Option<u64>,
        #[command(flatten)]
        limit: Limit,
    },
    /// One block with its transactions.
    #[command(after_help = "Example:\n  gridtally show block 12")]
    Block {
        /// Its height.
        #[arg(value_name = "HEIGHT")]
        height: u64,
        #[command(flatten)]
        page: Page,
    },
    /// One transaction and what became of it.
    #[command(after_help = "Example:\n  gridtally show transaction TRANSACTION_ID")]
    Transaction {
        /// Its id.
        #[arg(value_name = "ID")]
        id: TransactionId,
    },
    /// Organisations and households.
    #[command(after_help = "Example:\n  gridtally show parties --key regulator.key")]
    Parties {
        #[command(flatten)]
        page: Page,
    },
    /// One party with its accounts.
    #[command(after_help = "Example:\n  gridtally show party PARTY_ID --key home-17.key")]
    Party {
        /// Its id.
        #[arg(value_name = "ID")]
        id: PartyId,
    },
    /// Distribution stations.
    #[command(after_help = "Example:\n  gridtally show stations")]
    Stations {
        #[command(flatten)]
        page: Page,
    },
    /// Where energy is delivered or taken and measured.
    #[command(after_help = "Example:\n  gridtally show usage-points --key distributor.key")]
    UsagePoints {
        #[command(flatten)]
        page: Page,
    },
    /// One usage point: meter, tariffs, credit.
    #[command(after_help = "Example:\n  gridtally show usage-point ID --key home-17.key")]
    UsagePoint {
        /// Its id.
        #[arg(value_name = "ID")]
        id: UsagePointId,
    },
    /// The readings of a usage point and day.
    #[command(after_help = "Example:\n  gridtally show readings USAGE_POINT_ID --day 2026-07-01 \
        --key home-17.key")]
    Readings(UsagePointDay),
    /// What each slot of a usage point and day costs.
    #[command(after_help = "Example:\n  gridtally show charges USAGE_POINT_ID --day 2026-07-01 \
        --key home-17.key")]
    Charges(UsagePointDay),
    /// The bills of a usage point.
    #[command(after_help = "Example:\n  gridtally show bills USAGE_POINT_ID --key home-17.key")]
    Bills {
        /// The usage point.
        #[arg(value_name = "USAGE_POINT")]
        usage_point: UsagePointId,
        #[command(flatten)]
        page: Page,
    },
    /// One bill with its lines.
    #[command(after_help = "Example:\n  gridtally show bill BILL_ID --key home-17.key")]
    Bill {
        /// Its id.
        #[arg(value_name = "ID")]
        id: BillId,
    },
    /// The proof file of a bill, for `gridtally verify`.
    #[command(after_help = "Example:\n  gridtally show proof BILL_ID --out bill.json \
        --key home-17.key\n  gridtally verify --genesis genesis.json bill.json")]
    Proof {
        /// The bill.
        #[arg(value_name = "BILL")]
        bill: BillId,
        /// Where the file is written.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// The grid's frequency of a day.
    #[command(after_help = "Example:\n  gridtally show frequency --day 2026-07-01")]
    Frequency {
        #[command(flatten)]
        day: Day,
    },
    /// Tariffs.
    #[command(after_help = "Example:\n  gridtally show tariffs")]
    Tariffs {
        #[command(flatten)]
        page: Page,
    },
    /// One tariff with its versions.
    #[command(after_help = "Example:\n  gridtally show tariff TARIFF_ID")]
    Tariff {
        /// Its id.
        #[arg(value_name = "ID")]
        id: TariffId,
    },
    /// The accounts of a party.
    #[command(after_help = "Example:\n  gridtally show accounts PARTY_ID --key home-17.key")]
    Accounts {
        /// The party.
        #[arg(value_name = "PARTY")]
        party: PartyId,
        #[command(flatten)]
        page: Page,
    },
    /// What is due: open bills, arrears, credit, fine and disputes of a usage point, or all that is due
    /// to a distributor.
    #[command(after_help = "Examples:\n  gridtally show dues USAGE_POINT_ID --key home-17.key\n  \
        gridtally show dues --party DISTRIBUTOR_ID --key distributor.key")]
    Dues {
        /// The usage point.
        #[arg(value_name = "USAGE_POINT", required_unless_present = "party")]
        usage_point: Option<UsagePointId>,
        /// Who is owed, instead of a usage point.
        #[arg(long, value_name = "ID", conflicts_with = "usage_point")]
        party: Option<PartyId>,
        #[command(flatten)]
        page: Page,
    },
    /// Disputes over bills, the newest first.
    #[command(after_help = "Example:\n  gridtally show disputes --state open --key regulator.key")]
    Disputes(Disputes),
    /// The dispute over one bill.
    #[command(after_help = "Example:\n  gridtally show dispute BILL_ID --key home-17.key")]
    Dispute {
        /// The bill.
        #[arg(value_name = "BILL")]
        bill: BillId,
    },
    /// The account of a usage point over some days: opening balance, every bill, payment, credit note
    /// and fine, closing balance.
    #[command(after_help = "Example:\n  gridtally show statement USAGE_POINT_ID \
        --from 2026-07-01 --until 2026-07-31 --key home-17.key")]
    Statement {
        /// The usage point.
        #[arg(value_name = "USAGE_POINT")]
        usage_point: UsagePointId,
        #[command(flatten)]
        days: Days,
        #[command(flatten)]
        page: Page,
    },
    /// The statements over quarters, half-years and years that were issued.
    #[command(after_help = "Example:\n  gridtally show statements USAGE_POINT_ID \
        --key home-17.key")]
    Statements {
        /// The usage point.
        #[arg(value_name = "USAGE_POINT")]
        usage_point: UsagePointId,
        #[command(flatten)]
        days: Days,
        #[command(flatten)]
        page: Page,
    },
    /// Every posting of a party's accounts, the newest first.
    #[command(after_help = "Example:\n  gridtally show history PARTY_ID --account wallet \
        --key home-17.key")]
    History {
        /// The party.
        #[arg(value_name = "PARTY")]
        party: PartyId,
        /// One account: wallet, issuing, or dues- and the other party.
        #[arg(long, value_name = "NAME", value_parser = cursor)]
        account: Option<String>,
        #[command(flatten)]
        days: Days,
        #[command(flatten)]
        page: Page,
    },
    /// Look for transactions, bills, payments, disputes, parties, meters or readings.
    #[command(subcommand)]
    Search(Search),
    /// A key: for whom it speaks, which sequence is next.
    #[command(after_help = "Example:\n  gridtally show key KEY_ADDRESS")]
    Key {
        /// Its address, or the key itself as ed25519:….
        #[arg(value_name = "ADDRESS", value_parser = key_address)]
        address: KeyAddress,
    },
}

/// How long a list is.
#[derive(Debug, Clone, Copy, Args)]
struct Limit {
    /// Rows at most, 1 to 1,000; 100 when nothing is said.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    limit: Option<u16>,
}

/// Which part of a list.
#[derive(Debug, Clone, Args)]
struct Page {
    /// Begin after this one, as the end of the former page says.
    #[arg(long, value_name = "CURSOR", value_parser = cursor)]
    after: Option<String>,
    #[command(flatten)]
    limit: Limit,
}

impl Page {
    fn of(&self, path: &str) -> String {
        with(path, &[("after", self.after.clone()), self.limit.parameter()])
    }
}

/// An id, a number or the name of an account: nothing that would change the address around it.
fn cursor(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return Ok(text.to_owned());
    }
    Err("wanted is the id or number that ends the former page".to_owned())
}

/// Which day.
#[derive(Debug, Clone, Copy, Args)]
struct Day {
    /// The local day in the grid's zone; the ledger's today when nothing is said.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = values::day)]
    day: Option<LocalDay>,
}

/// A usage point and a day.
#[derive(Debug, Clone, Copy, Args)]
struct UsagePointDay {
    /// The usage point.
    #[arg(value_name = "USAGE_POINT")]
    usage_point: UsagePointId,
    #[command(flatten)]
    day: Day,
}

/// An address, or the one of a key.
fn key_address(text: &str) -> Result<KeyAddress, String> {
    if text.starts_with("ed25519:") {
        let key = text.parse::<PublicKey>().map_err(|error| error.to_string())?;
        return Ok(key.address());
    }
    text.parse::<KeyAddress>().map_err(|error| error.to_string())
}

impl Show {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        let node = self.node.connect_as(&self.key)?;
        let path = self.query.path();
        if let Query::Proof { out, .. } = &self.query {
            let file = node.get(&path).map_err(ended)?;
            write_whole(out, &file)?;
            let (out, bytes) = (out.display().to_string(), file.len());
            if global.json {
                output::json(&json!({ "file": out, "bytes": bytes }))?;
            } else {
                output::line(&format!("written to {out} ({bytes} bytes)"))?;
            }
            return Ok(Exit::Success);
        }
        let document = node.get_json(&path).map_err(ended)?;
        if global.json {
            output::json(&document)?;
        } else {
            let currency = Currency::of(&node.get_json("/v1/status").map_err(ended)?);
            output::line(&text::render(&document, &self.query.layout(), &currency))?;
        }
        Ok(Exit::Success)
    }
}

impl Query {
    /// The API's address of the query.
    fn path(&self) -> String {
        match self {
            Self::Status => "/v1/status".to_owned(),
            Self::Governance => "/v1/governance".to_owned(),
            Self::Head => "/v1/head".to_owned(),
            Self::Ledgers => "/v1/ledgers".to_owned(),
            Self::Heads { ledger, page } => page.of(&format!("/v1/ledgers/{ledger}/heads")),
            Self::Nodes => "/v1/nodes".to_owned(),
            Self::Proposals { page } => page.of("/v1/proposals"),
            Self::Proposal { id } => format!("/v1/proposals/{id}"),
            Self::Blocks { before, limit } => {
                with("/v1/blocks", &[("before", text_of(before)), limit.parameter()])
            }
            Self::Block { height, page } => page.of(&format!("/v1/blocks/{height}")),
            Self::Transaction { id } => format!("/v1/transactions/{id}"),
            Self::Parties { page } => page.of("/v1/parties"),
            Self::Party { id } => format!("/v1/parties/{id}"),
            Self::Stations { page } => page.of("/v1/stations"),
            Self::UsagePoints { page } => page.of("/v1/usage-points"),
            Self::UsagePoint { id } => format!("/v1/usage-points/{id}"),
            Self::Readings(of) => of.path("readings"),
            Self::Charges(of) => of.path("charges"),
            Self::Bills { usage_point, page } => {
                page.of(&format!("/v1/usage-points/{usage_point}/bills"))
            }
            Self::Bill { id } => format!("/v1/bills/{id}"),
            Self::Proof { bill, .. } => format!("/v1/bills/{bill}/proof"),
            Self::Frequency { day } => with("/v1/frequency", &[day.parameter()]),
            Self::Tariffs { page } => page.of("/v1/tariffs"),
            Self::Tariff { id } => format!("/v1/tariffs/{id}"),
            Self::Accounts { party, page } => page.of(&format!("/v1/accounts/{party}")),
            Self::Key { address } => format!("/v1/keys/{address}"),
            Self::Search(search) => search.path(),
            Self::Disputes(disputes) => disputes.path(),
            Self::Dispute { bill } => format!("/v1/bills/{bill}/dispute"),
            Self::Dues { .. }
            | Self::Statement { .. }
            | Self::Statements { .. }
            | Self::History { .. } => self.path_of_accounts(),
        }
    }

    /// The same for what is owed and what moved.
    fn path_of_accounts(&self) -> String {
        match self {
            Self::Dues { party: Some(party), page, .. } => {
                page.of(&format!("/v1/parties/{party}/dues"))
            }
            Self::Dues { usage_point, .. } => {
                let point = usage_point.unwrap_or_default();
                format!("/v1/usage-points/{point}/dues")
            }
            Self::Statement { usage_point, days, page } => {
                let path = format!("/v1/usage-points/{usage_point}/statement");
                page.of(&with(&path, &days.parameters()))
            }
            Self::Statements { usage_point, days, page } => {
                let path = format!("/v1/usage-points/{usage_point}/statements");
                page.of(&with(&path, &days.parameters()))
            }
            Self::History { party, account, days, page } => {
                let path = format!("/v1/accounts/{party}/history");
                let path = with(&path, &[("account", account.clone())]);
                page.of(&with(&path, &days.parameters()))
            }
            _ => String::new(),
        }
    }

    /// How the answer is laid out for people.
    const fn layout(&self) -> Layout {
        match self {
            Self::Status => layouts::STATUS,
            Self::Governance => layouts::GOVERNANCE,
            Self::Head => layouts::HEAD,
            Self::Ledgers => layouts::LEDGERS,
            Self::Heads { .. } => layouts::HEADS,
            Self::Nodes => layouts::NODES,
            Self::Proposals { .. } => layouts::PROPOSALS,
            Self::Proposal { .. } => layouts::PROPOSAL,
            Self::Blocks { .. } => layouts::BLOCKS,
            Self::Block { .. } => layouts::BLOCK,
            Self::Transaction { .. } => layouts::TRANSACTION,
            Self::Parties { .. } => layouts::PARTIES,
            Self::Party { .. } => layouts::PARTY,
            Self::Stations { .. } => layouts::STATIONS,
            Self::UsagePoints { .. } => layouts::USAGE_POINTS,
            Self::UsagePoint { .. } => layouts::USAGE_POINT,
            Self::Readings(_) => layouts::READINGS,
            Self::Charges(_) => layouts::CHARGES,
            Self::Bills { .. } => layouts::BILLS,
            Self::Bill { .. } => layouts::BILL,
            Self::Frequency { .. } => layouts::FREQUENCY,
            Self::Tariffs { .. } => layouts::TARIFFS,
            Self::Tariff { .. } => layouts::TARIFF,
            Self::Accounts { .. } => layouts::ACCOUNTS,
            Self::Key { .. } => layouts::KEY,
            Self::Search(search) => search.layout(),
            Self::Disputes(_) => layouts::DISPUTES,
            Self::Dispute { .. } => layouts::DISPUTE,
            Self::Dues { party: Some(_), .. } => layouts::DUES_OF_PARTY,
            Self::Dues { .. } => layouts::DUES,
            Self::Statement { .. } => layouts::STATEMENT,
            Self::Statements { .. } => layouts::STATEMENTS,
            Self::History { .. } => layouts::HISTORY,
            // Its file is written, not shown.
            Self::Proof { .. } => Layout::fields(&[]),
        }
    }
}

impl Limit {
    fn parameter(self) -> (&'static str, Option<String>) {
        ("limit", text_of(&self.limit))
    }
}

impl Day {
    fn parameter(self) -> (&'static str, Option<String>) {
        ("day", text_of(&self.day))
    }
}

impl UsagePointDay {
    fn path(&self, what: &str) -> String {
        let path = format!("/v1/usage-points/{}/{what}", self.usage_point);
        with(&path, &[self.day.parameter()])
    }
}

fn text_of(value: &Option<impl ToString>) -> Option<String> {
    value.as_ref().map(ToString::to_string)
}

/// An address with those of its parameters that were given.
fn with(path: &str, parameters: &[(&str, Option<String>)]) -> String {
    let mut address = path.to_owned();
    for (name, value) in parameters {
        if let Some(value) = value {
            let mark = if address.contains('?') { '&' } else { '?' };
            address.push_str(&format!("{mark}{name}={value}"));
        }
    }
    address
}
