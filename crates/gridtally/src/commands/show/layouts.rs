//! How each answer is laid out for people: which fields come first, and what is a table. Names are
//! those of the API's documents.

use super::text::Layout;

/// The node's ledger.
pub const STATUS: Layout =
    Layout::fields(&["name", "ledger_id", "demo", "height", "time", "clock", "transactions"]);

/// Blocks, the newest first.
pub const BLOCKS: Layout = Layout::list(&["/height", "/time", "/hash", "/transactions"], 3);

/// A block and its transactions.
pub const BLOCK: Layout = Layout {
    first: &["hash", "transaction_count"],
    rows: "/transactions/items",
    columns: &["/index", "/transaction_id", "/kind_name", "/code", "/code_name"],
    first_number: 5,
};

/// A transaction and its receipt.
pub const TRANSACTION: Layout = Layout::fields(&[
    "transaction_id",
    "kind_name",
    "height",
    "index",
    "time",
    "receipt",
    "signer",
    "cosigners",
    "sequence",
    "valid_until",
    "body",
]);

/// Parties.
pub const PARTIES: Layout = Layout::list(&["/party", "/alias", "/status", "/roles"], 4);

/// A party and its accounts.
pub const PARTY: Layout = Layout {
    first: &["party", "alias", "status", "roles", "region", "keys"],
    rows: "/accounts/items",
    columns: &["/account", "/balance_micro"],
    first_number: 1,
};

/// Stations.
pub const STATIONS: Layout =
    Layout::list(&["/station", "/label", "/distributor", "/grid_operator", "/usage_points"], 4);

/// Usage points.
pub const USAGE_POINTS: Layout =
    Layout::list(&["/usage_point", "/label", "/kind", "/station", "/customer"], 5);

/// A usage point and its tariffs.
pub const USAGE_POINT: Layout = Layout {
    first: &[
        "usage_point",
        "label",
        "kind",
        "station",
        "customer",
        "biller",
        "meter",
        "gateway",
        "connection_limit_w",
        "bills",
        "credit_micro",
    ],
    rows: "/tariffs",
    columns: &["/first_period", "/tariff"],
    first_number: 2,
};

/// A day's readings, slot by slot.
pub const READINGS: Layout = Layout {
    first: &["usage_point", "day", "total", "seal", "revision", "billed"],
    rows: "/slots",
    columns: &["/starts_at", "/reading/quality", "/reading/import_wh", "/reading/export_wh"],
    first_number: 2,
};

/// A day's charges, slot by slot.
pub const CHARGES: Layout = Layout {
    first: &["usage_point", "day", "total"],
    rows: "/slots",
    columns: &[
        "/starts_at",
        "/charged",
        "/frequency_millihertz",
        "/reading/import_wh",
        "/reading/export_wh",
        "/import_price_micro_per_kwh",
        "/export_price_micro_per_kwh",
        "/amount/amount_milli_micro",
    ],
    first_number: 2,
};

/// The bills of a usage point.
pub const BILLS: Layout = Layout::list(
    &[
        "/number",
        "/bill",
        "/billing_period",
        "/status",
        "/total_micro",
        "/paid_micro",
        "/open_micro",
    ],
    4,
);

/// A bill and its lines.
pub const BILL: Layout = Layout {
    first: &[
        "bill",
        "usage_point",
        "number",
        "billing_period",
        "revision",
        "status",
        "total_micro",
        "paid_micro",
        "open_micro",
        "metered_import_wh",
        "metered_export_wh",
        "residual_import_wh",
        "residual_export_wh",
        "customer",
        "biller",
        "export_payer",
        "issued_at",
    ],
    rows: "/lines",
    columns: &["/kind", "/tariff", "/tariff_version", "/energy_wh", "/amount_micro"],
    first_number: 3,
};

/// A day's frequencies, slot by slot.
pub const FREQUENCY: Layout = Layout {
    first: &["day", "seal", "revision"],
    rows: "/slots",
    columns: &["/starts_at", "/frequency_millihertz"],
    first_number: 1,
};

/// Tariffs.
pub const TARIFFS: Layout =
    Layout::list(&["/tariff", "/name", "/publisher", "/first_period", "/versions"], 4);

/// A tariff and its versions.
pub const TARIFF: Layout = Layout::fields(&["tariff", "name", "publisher", "versions"]);

/// The accounts of a party.
pub const ACCOUNTS: Layout = Layout {
    first: &["party"],
    rows: "/items",
    columns: &["/account", "/balance_micro"],
    first_number: 1,
};

/// A key.
pub const KEY: Layout = Layout::fields(&["key_address", "key", "registered", "revoked"]);

/// What is due under a usage point, bill by bill.
pub const DUES: Layout = Layout {
    first: &[
        "usage_point",
        "customer",
        "biller",
        "open_micro",
        "arrears_micro",
        "held_micro",
        "credit_micro",
        "dues_micro",
        "exceeded_on",
        "pending_fine_micro",
        "fine_rules",
        "disputes",
    ],
    rows: "/bills",
    columns: &["/number", "/bill", "/billing_period", "/total_micro", "/paid_micro", "/open_micro"],
    first_number: 3,
};

/// What is due to a distributor.
pub const DUES_OF_PARTY: Layout = Layout {
    first: &["party", "fine_rules"],
    rows: "/items",
    columns: &[
        "/usage_point",
        "/exceeded_on",
        "/open_micro",
        "/arrears_micro",
        "/credit_micro",
        "/pending_fine_micro",
    ],
    first_number: 2,
};

/// A dispute.
pub const DISPUTE: Layout = Layout::fields(&[
    "bill",
    "state",
    "amount_micro",
    "held_micro",
    "upheld_micro",
    "usage_point",
    "customer",
    "biller",
    "raised_at",
    "decided_at",
    "reason_hash",
]);

/// Disputes.
pub const DISPUTES: Layout = Layout::list(
    &["/bill", "/raised_at", "/state", "/amount_micro", "/held_micro", "/upheld_micro"],
    3,
);

/// The account of a usage point over some days.
pub const STATEMENT: Layout = Layout {
    first: &["usage_point", "from_day", "to_day", "opening_micro", "closing_micro"],
    rows: "/items",
    columns: &["/time", "/kind", "/bill", "/transaction_id", "/amount_micro", "/balance_micro"],
    first_number: 4,
};

/// Statements that were issued.
pub const STATEMENTS: Layout = Layout::list(
    &[
        "/billing_period",
        "/revision",
        "/issued_at",
        "/statement_hash",
        "/metered_import_wh",
        "/metered_export_wh",
        "/total_micro",
    ],
    4,
);

/// Postings of a party's accounts.
pub const HISTORY: Layout = Layout::list(
    &["/time", "/kind_name", "/account", "/other_party", "/transaction_id", "/amount_micro"],
    5,
);

/// Transactions that were found.
pub const TRANSACTIONS_FOUND: Layout =
    Layout::list(&["/time", "/kind_name", "/transaction_id", "/code_name", "/height", "/index"], 4);

/// Bills that were found.
pub const BILLS_FOUND: Layout = Layout::list(
    &[
        "/bill",
        "/usage_point",
        "/billing_period",
        "/status",
        "/stale_since",
        "/total_micro",
        "/open_micro",
    ],
    5,
);

/// Movements of tokens.
pub const PAYMENTS: Layout = Layout::list(
    &["/time", "/kind_name", "/payer", "/payee", "/transaction_id", "/amount_micro"],
    5,
);

/// Meters.
pub const METERS: Layout =
    Layout::list(&["/meter", "/usage_point", "/state", "/from_period", "/until_period"], 5);

/// Readings, slot by slot.
pub const READINGS_FOUND: Layout = Layout::list(
    &[
        "/starts_at",
        "/state",
        "/transaction_id",
        "/reading/quality",
        "/reading/import_wh",
        "/reading/export_wh",
    ],
    4,
);

/// How the ledger runs.
pub const GOVERNANCE: Layout = Layout::fields(&[
    "epoch",
    "epoch_blocks",
    "protocol_version",
    "validators",
    "parameters",
    "endorsements",
]);

/// A final header.
pub const HEAD: Layout =
    Layout::fields(&["ledger_id", "height", "header_hash", "time", "epoch", "set_changes"]);

/// Other ledgers.
pub const LEDGERS: Layout = Layout::list(
    &["/ledger_id", "/name", "/newest/height", "/newest/time", "/forked_at_height"],
    2,
);

/// Their heads.
pub const HEADS: Layout =
    Layout::list(&["/height", "/time", "/epoch", "/header_hash", "/state_root"], 3);

/// Nodes.
pub const NODES: Layout =
    Layout::list(&["/node", "/organisation", "/peer_address", "/holds_seat"], 4);

/// Proposals.
pub const PROPOSALS: Layout = Layout::list(
    &[
        "/proposal",
        "/change/change",
        "/status",
        "/regulators_approving",
        "/regulators_needed",
        "/organisations_approving",
        "/organisations_needed",
    ],
    3,
);

/// A proposal.
pub const PROPOSAL: Layout = Layout::fields(&[
    "proposal",
    "proposer",
    "status",
    "change",
    "valid_until",
    "approvals",
    "awaited",
    "acts_from_height",
]);
