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
