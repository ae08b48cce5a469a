//! The table of operations: what each address takes and gives.

use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::feed::EventsPage;
use crate::problem::{self, Kind};
use crate::response::Page;
use crate::response::account::Accounts;
use crate::response::bill::{BillDetail, BillDraft, BillEntry};
use crate::response::block::{BlockDetail, BlockEntry};
use crate::response::day::{ChargesDay, FrequenciesDay, ReadingsDay};
use crate::response::dues::{DisputeEntry, DuesDetail, PartyDues};
use crate::response::estimate::{EstimateInputs, RegistersBefore};
use crate::response::governance::{Governance, NodeEntry, ProposalEntry};
use crate::response::network::NetworkEntry;
use crate::response::notary::{HeadEntry, LedgerEntry, NotarisedHeadEntry};
use crate::response::party::{KeyEntry, PartyDetail, PartyEntry, StationEntry};
use crate::response::search::{MeterFound, PaymentFound, ReadingFound, TransactionFound};
use crate::response::statement::{AccountStatement, PostingEntry, StatementEntry};
use crate::response::status::{GenesisEntry, Status};
use crate::response::submit::Results;
use crate::response::tariff::{TariffDetail, TariffEntry};
use crate::response::transaction::TransactionDetail;
use crate::response::usage_point::{UsagePointDetail, UsagePointEntry};
use crate::routes::documented::{
    Health, Hello, Login, NonceAnswer, SNAPSHOT_TYPE, SessionAnswer, SignedSubmission,
};

/// Gives the schema of a type, or a reference to it.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What a request carries.
#[derive(Clone, Copy)]
pub enum Takes {
    /// No body.
    Nothing,
    /// Submissions in canonical encoding.
    Submissions,
    /// JSON of this type.
    Json(SchemaOf),
}

/// What an answer carries when all goes well.
#[derive(Clone, Copy)]
pub enum Answer {
    /// 200 with JSON of this type.
    Json(SchemaOf),
    /// 201 with JSON of this type.
    Created(SchemaOf),
    /// 200 with text of this content type.
    Document(&'static str),
    /// 200 with a page of this type, or a stream.
    Events(SchemaOf),
    /// A WebSocket: the client's first frame, and the node's frames.
    Live(SchemaOf, SchemaOf),
    /// 200 with bytes of this content type.
    Bytes(&'static str),
    /// 200 with a proof file, whose form belongs to those who verify it.
    Proof,
}

/// A method of an address.
#[derive(Clone, Copy)]
pub struct Operation {
    /// In small letters.
    pub method: &'static str,
    /// With the names of its parts in braces.
    pub path: &'static str,
    /// The section in which it stands.
    pub tag: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// The query parameters that it takes beside `at_least`.
    pub query: &'static [&'static str],
    /// The request's body.
    pub takes: Takes,
    /// The answer's body.
    pub answer: Answer,
    /// Problems of its own.
    problems: &'static [Kind],
}

impl Operation {
    const fn with(mut self, query: &'static [&'static str]) -> Self {
        self.query = query;
        self
    }

    const fn problem(mut self, problems: &'static [Kind]) -> Self {
        self.problems = problems;
        self
    }

    /// The names of the parts of its address.
    pub fn path_parameters(&self) -> impl Iterator<Item = &'static str> {
        self.path
            .split('/')
            .filter(|part| part.starts_with('{'))
            .map(|it| it.trim_matches(['{', '}']))
    }

    /// Is it answered for people?
    #[must_use]
    pub fn is_page(&self) -> bool {
        matches!(self.answer, Answer::Document("text/html"))
    }

    /// Does it read one view, with the reader's rights?
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.method == "get" && !matches!(self.answer, Answer::Live(..))
    }

    /// Does it order transactions?
    #[must_use]
    pub fn submits(&self) -> bool {
        !matches!(self.takes, Takes::Nothing) && self.tag != "session"
    }

    /// Every problem it may answer with, but for rules and form errors.
    #[must_use]
    pub fn problems(&self) -> Vec<Kind> {
        let mut kinds =
            vec![problem::WRONG_QUERY, problem::INTERNAL, problem::OVERLOADED, problem::STOPPING];
        if self.path.contains('{') {
            kinds.extend([problem::WRONG_PATH, problem::NOT_FOUND]);
        }
        if self.is_read() {
            kinds.extend([
                problem::WRONG_HEADER,
                problem::SESSION_UNKNOWN,
                problem::PRUNED,
                problem::NOT_REACHED,
            ]);
        }
        if !matches!(self.takes, Takes::Nothing) {
            kinds.extend([
                problem::WRONG_BODY,
                problem::BODY_TOO_SLOW,
                problem::BODY_TOO_LARGE,
                problem::WRONG_CONTENT_TYPE,
            ]);
        }
        if matches!(self.answer, Answer::Live(..)) {
            kinds.push(problem::WRONG_HEADER);
        }
        if self.submits() {
            kinds.extend([problem::KEY_NOT_REGISTERED, problem::QUOTA_EXCEEDED]);
        }
        kinds.extend(self.problems);
        kinds.sort_by_key(|kind| (kind.status, kind.name));
        kinds
    }
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

const fn read<T: JsonSchema>(
    path: &'static str,
    tag: &'static str,
    summary: &'static str,
) -> Operation {
    let (query, takes, answer) = (&[] as &[_], Takes::Nothing, Answer::Json(schema::<T>));
    Operation { method: "get", path, tag, summary, query, takes, answer, problems: &[] }
}

const fn document(
    path: &'static str,
    (tag, content_type): (&'static str, &'static str),
    summary: &'static str,
) -> Operation {
    let (query, takes, answer) = (&[] as &[_], Takes::Nothing, Answer::Document(content_type));
    Operation { method: "get", path, tag, summary, query, takes, answer, problems: &[] }
}

const fn page(path: &'static str, summary: &'static str) -> Operation {
    document(path, ("pages", "text/html"), summary)
}

const fn send(
    (method, path): (&'static str, &'static str),
    (tag, summary): (&'static str, &'static str),
    (takes, answer): (Takes, Answer),
) -> Operation {
    Operation { method, path, tag, summary, query: &[], takes, answer, problems: &[] }
}

/// A transaction in the verbs of the Energy Blocks system.
const fn signed(method: &'static str, path: &'static str, summary: &'static str) -> Operation {
    let (takes, answer) =
        (Takes::Json(schema::<SignedSubmission>), Answer::Json(schema::<Results>));
    send((method, path), ("energy blocks", summary), (takes, answer))
        .problem(&[problem::WRONG_KIND])
}

const PAGED: &[&str] = &["after", "limit"];

/// Every operation, in the order of the reference.
pub const OPERATIONS: &[Operation] = &[
    read::<Status>(
        "/v1/status",
        "ledger",
        "The ledger, its clock and currency, height, time and roots.",
    ),
    read::<GenesisEntry>(
        "/v1/genesis",
        "ledger",
        "The first agreement, as canonical bytes and readable.",
    ),
    read::<NetworkEntry>(
        "/v1/network",
        "ledger",
        "The node among the others: role, peers, round, and what each validator signed last.",
    ),
    Operation {
        answer: Answer::Bytes(SNAPSHOT_TYPE),
        ..read::<()>(
            "/v1/snapshot",
            "ledger",
            "The snapshot of the newest agreed checkpoint, for the node's organisation and regulators.",
        )
    }
    .problem(&[problem::NOT_ENTITLED, problem::SNAPSHOT_NOT_READY]),
    read::<HeadEntry>(
        "/v1/head",
        "ledger",
        "The newest final header, with its certificate and every change of validators.",
    )
    .problem(&[problem::NOT_PROVABLE]),
    read::<Page<LedgerEntry>>("/v1/ledgers", "notary", "Other ledgers that are admitted here."),
    read::<LedgerEntry>("/v1/ledgers/{ledger_id}", "notary", "An admitted ledger."),
    read::<Page<NotarisedHeadEntry>>(
        "/v1/ledgers/{ledger_id}/heads",
        "notary",
        "The notarised heads of an admitted ledger, oldest first.",
    )
    .with(PAGED),
    read::<Governance>(
        "/v1/governance",
        "governance",
        "Epoch, validators, parameters and endorsements, in force and to come.",
    ),
    read::<Page<NodeEntry>>("/v1/nodes", "governance", "Every registered node."),
    read::<Page<ProposalEntry>>("/v1/proposals", "governance", "Proposed changes.").with(PAGED),
    read::<ProposalEntry>(
        "/v1/proposals/{proposal}",
        "governance",
        "A proposed change with its approvals.",
    ),
    read::<Page<BlockEntry>>("/v1/blocks", "ledger", "Blocks, newest first.")
        .with(&["before", "limit"]),
    read::<BlockDetail>(
        "/v1/blocks/{height}",
        "ledger",
        "A block with a page of its transactions.",
    )
    .with(PAGED),
    send(
        ("post", "/v1/transactions"),
        (
            "transactions",
            "Submits signed transactions; answers when they are executed and durable.",
        ),
        (Takes::Submissions, Answer::Json(schema::<Results>)),
    ),
    read::<TransactionDetail>(
        "/v1/transactions/{transaction}",
        "transactions",
        "A transaction with its receipt.",
    ),
    Operation {
        answer: Answer::Proof,
        ..read::<()>(
            "/v1/transactions/{transaction}/proof",
            "transactions",
            "The proof file of what became of a transaction; waits until it is provable.",
        )
    }
    .problem(&[problem::NOT_ENTITLED, problem::NOT_PROVABLE]),
    read::<KeyEntry>(
        "/v1/keys/{key_address}",
        "registry",
        "A key: for whom it speaks, which sequence is next.",
    ),
    read::<KeyEntry>(
        "/v1/keys/{key_address}/sequence",
        "registry",
        "The same, for clients that look for a sequence.",
    ),
    read::<Page<PartyEntry>>("/v1/parties", "registry", "Organisations and households.")
        .with(PAGED),
    read::<PartyDetail>("/v1/parties/{party}", "registry", "A party with its accounts."),
    read::<PartyDues>(
        "/v1/parties/{party}/dues",
        "billing",
        "What is due to a distributor or grid operator, by usage point.",
    )
    .with(PAGED),
    read::<Accounts>(
        "/v1/accounts/{party}",
        "registry",
        "The accounts of a party that are not zero.",
    )
    .with(PAGED),
    read::<Page<PostingEntry>>(
        "/v1/accounts/{party}/history",
        "registry",
        "Every posting of a party's accounts, newest first.",
    )
    .with(&["account", "from_day", "to_day", "after", "limit"])
    .problem(&[problem::READ_MODEL_NOT_READY]),
    read::<Page<StationEntry>>("/v1/stations", "registry", "Distribution stations.").with(PAGED),
    read::<Page<UsagePointEntry>>(
        "/v1/usage-points",
        "registry",
        "Where energy is delivered or taken.",
    )
    .with(PAGED),
    read::<UsagePointDetail>(
        "/v1/usage-points/{usage_point}",
        "registry",
        "A usage point with its tariffs.",
    ),
    read::<ReadingsDay>(
        "/v1/usage-points/{usage_point}/readings",
        "metering",
        "The readings of a local day.",
    )
    .with(&["day"]),
    read::<EstimateInputs>(
        "/v1/usage-points/{usage_point}/estimate",
        "metering",
        "What is known about a local day, from which its gaps are estimated.",
    )
    .with(&["day", "profile"]),
    read::<RegistersBefore>(
        "/v1/usage-points/{usage_point}/registers",
        "metering",
        "What the meter showed last before a local day.",
    )
    .with(&["day"]),
    read::<BillDraft>(
        "/v1/usage-points/{usage_point}/bill-draft",
        "billing",
        "The bill over a period as it would be issued now, from the readings that this node holds.",
    )
    .with(&["billing_period"])
    .problem(&[problem::NOT_ENTITLED, problem::VALUES_NOT_HELD]),
    read::<ChargesDay>(
        "/v1/usage-points/{usage_point}/charges",
        "billing",
        "What each slot of a local day costs.",
    )
    .with(&["day"]),
    read::<Page<BillEntry>>(
        "/v1/usage-points/{usage_point}/bills",
        "billing",
        "The bills of a usage point.",
    )
    .with(PAGED),
    read::<DuesDetail>(
        "/v1/usage-points/{usage_point}/dues",
        "billing",
        "What is due: open bills, arrears, credit, fine, disputes.",
    ),
    read::<AccountStatement>(
        "/v1/usage-points/{usage_point}/statement",
        "billing",
        "The account over some days: opening, every bill, payment, credit note and fine, closing.",
    )
    .with(&["from_day", "to_day", "after", "limit"])
    .problem(&[problem::READ_MODEL_NOT_READY]),
    read::<Page<StatementEntry>>(
        "/v1/usage-points/{usage_point}/statements",
        "billing",
        "The statements over quarters, half-years and years that were issued.",
    )
    .with(&["from_day", "to_day", "after", "limit"]),
    read::<BillDetail>("/v1/bills/{bill}", "billing", "A bill with its lines."),
    read::<DisputeEntry>("/v1/bills/{bill}/dispute", "billing", "The dispute over a bill."),
    Operation {
        answer: Answer::Proof,
        ..read::<()>(
            "/v1/bills/{bill}/proof",
            "billing",
            "The proof file of a bill; waits until it is provable.",
        )
    }
    .problem(&[problem::NOT_ENTITLED, problem::NOT_PROVABLE]),
    read::<FrequenciesDay>(
        "/v1/frequency",
        "energy blocks",
        "The grid's frequency of a period or local day.",
    )
    .with(&["day", "period"]),
    signed("post", "/v1/frequency", "Publishes frequencies: PublishFrequency."),
    signed("delete", "/v1/frequency", "Deletes a frequency: DeleteFrequency."),
    read::<ReadingsDay>(
        "/v1/unit",
        "energy blocks",
        "The reading of a usage point in a period or local day.",
    )
    .with(&["usage_point", "day", "period"])
    .problem(&[problem::NOT_FOUND]),
    signed("post", "/v1/unit", "Submits readings: SubmitReading or SealDay."),
    signed("delete", "/v1/unit", "Corrects a reading: CorrectReading."),
    read::<ChargesDay>(
        "/v1/bill",
        "energy blocks",
        "What a period or each slot of a local day costs.",
    )
    .with(&["usage_point", "day", "period"])
    .problem(&[problem::NOT_FOUND]),
    signed("post", "/v1/bill", "Charges slots or issues a bill: ChargeSlots or IssueBill."),
    signed("delete", "/v1/bill", "Withdraws the charge of a slot: WithdrawSlotCharge."),
    read::<Page<TransactionFound>>(
        "/v1/search/transactions",
        "search",
        "Finds transactions, newest first; for accepted single readings see /v1/search/readings.",
    )
    .with(&[
        "party",
        "usage_point",
        "bill",
        "meter",
        "kind",
        "code",
        "from_day",
        "to_day",
        "from_period",
        "to_period",
        "after",
        "limit",
    ])
    .problem(&[problem::READ_MODEL_NOT_READY]),
    read::<Page<BillEntry>>(
        "/v1/search/bills",
        "search",
        "Finds bills, newest first, with the time since when one is stale.",
    )
    .with(&[
        "party",
        "usage_point",
        "bill",
        "state",
        "amount_min",
        "amount_max",
        "from_day",
        "to_day",
        "after",
        "limit",
    ])
    .problem(&[problem::READ_MODEL_NOT_READY]),
    read::<Page<PaymentFound>>(
        "/v1/search/payments",
        "search",
        "Finds movements of tokens, newest first.",
    )
    .with(&[
        "party",
        "usage_point",
        "bill",
        "kind",
        "amount_min",
        "amount_max",
        "from_day",
        "to_day",
        "after",
        "limit",
    ])
    .problem(&[problem::READ_MODEL_NOT_READY]),
    read::<Page<DisputeEntry>>("/v1/search/disputes", "search", "Finds disputes, newest first.")
        .with(&[
            "party",
            "usage_point",
            "bill",
            "state",
            "amount_min",
            "amount_max",
            "from_day",
            "to_day",
            "after",
            "limit",
        ])
        .problem(&[problem::READ_MODEL_NOT_READY]),
    read::<Page<PartyEntry>>(
        "/v1/search/parties",
        "search",
        "Finds organisations and households, newest first.",
    )
    .with(&["party", "role", "state", "alias", "region", "after", "limit"])
    .problem(&[problem::READ_MODEL_NOT_READY]),
    read::<Page<MeterFound>>(
        "/v1/search/meters",
        "search",
        "Finds meters, newest first, those in service and former ones.",
    )
    .with(&[
        "meter",
        "usage_point",
        "state",
        "from_day",
        "to_day",
        "from_period",
        "to_period",
        "after",
        "limit",
    ])
    .problem(&[problem::READ_MODEL_NOT_READY]),
    read::<Page<ReadingFound>>(
        "/v1/search/readings",
        "search",
        "The readings of a usage point or meter over a range of slots, oldest first.",
    )
    .with(&[
        "usage_point",
        "meter",
        "state",
        "from_day",
        "to_day",
        "from_period",
        "to_period",
        "after",
        "limit",
    ])
    .problem(&[problem::NOT_FOUND]),
    Operation {
        answer: Answer::Events(schema::<EventsPage>),
        ..read::<()>(
            "/v1/events",
            "events",
            "What happened, from a height or cursor on, as pages or as server-sent events.",
        )
    }
    .with(&["since", "after", "limit", "topics"]),
    Operation {
        answer: Answer::Live(schema::<Hello>, schema::<EventsPage>),
        ..read::<()>("/v1/live", "events", "Events as they happen, over a WebSocket.")
    },
    read::<Page<TariffEntry>>("/v1/tariffs", "tariffs", "Tariffs.").with(PAGED),
    read::<TariffDetail>("/v1/tariffs/{tariff}", "tariffs", "A tariff with all its versions."),
    read::<NonceAnswer>("/v1/session/nonce", "session", "A nonce, good once and for a minute."),
    send(
        ("post", "/v1/session"),
        ("session", "Opens a session for a party that shows one of its keys."),
        (Takes::Json(schema::<Login>), Answer::Created(schema::<SessionAnswer>)),
    )
    .problem(&[problem::SESSION_REFUSED]),
    read::<Health>("/healthz", "operation", "The process answers and its ledger can be read."),
    document(
        "/metrics",
        ("operation", crate::metrics::CONTENT_TYPE),
        "Counters and heights for a monitoring system.",
    ),
    document("/v1/openapi.json", ("description", "application/json"), "This document."),
    page("/", "Usage points with a day's energy, bills, the newest blocks.").with(&[
        "after",
        "bills_after",
        "day",
    ]),
    page("/usage-points/{usage_point}", "A day slot by slot, and its bills.").with(&["day"]),
    page("/bills/{bill}", "A bill."),
    page("/blocks", "Blocks, newest first.").with(&["before"]),
    page("/blocks/{height}", "A block.").with(&["after"]),
    page("/transactions/{transaction}", "A transaction."),
    page("/api", "The reference of the API, made from this document."),
];
