//! Blocks: header, certificate, and what stands in them.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ledger::layout::SealedHeader;
use primitives::codec::encode;
use primitives::header::{Certificate, Header};
use schemars::JsonSchema;
use serde::Serialize;

use super::Page;
use super::status::ExecutedEntry;

/// A block in a list.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct BlockEntry {
    /// Its height.
    pub height: String,
    /// Its hash.
    pub hash: String,
    /// The hash of the block before.
    pub parent: String,
    /// Its time.
    pub time: String,
    /// Its time, exact.
    pub time_ms: String,
    /// Who proposed it.
    pub proposer: String,
    /// How many transactions it holds.
    pub transactions: u32,
}

impl BlockEntry {
    /// A block in a list; the genesis holds no transactions.
    #[must_use]
    pub fn new(header: &Header, transactions: u32) -> Self {
        Self {
            height: header.height.to_string(),
            hash: header.hash().to_string(),
            parent: header.parent.to_string(),
            time: header.time.to_string(),
            time_ms: header.time.get().to_string(),
            proposer: header.proposer.to_string(),
            transactions,
        }
    }
}

/// A header, every field.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct HeaderEntry {
    /// Format version.
    pub version: u8,
    /// The ledger.
    pub ledger_id: String,
    /// The height.
    pub height: String,
    /// The hash of the header before.
    pub parent: String,
    /// The time.
    pub time: String,
    /// The time, exact.
    pub time_ms: String,
    /// Who proposed it.
    pub proposer: String,
    /// The epoch of its validators.
    pub epoch: String,
    /// The hash of its validators.
    pub validators_hash: String,
    /// The hash of the next validators.
    pub next_validators_hash: String,
    /// The root over its transactions' ids.
    pub transactions_root: String,
    /// The execution that it commits to.
    pub executed: ExecutedEntry,
    /// The engine's own bytes, hexadecimal.
    pub context: String,
    /// The canonical bytes, base64url: the hash is over them.
    pub bytes: String,
}

impl HeaderEntry {
    /// A header in readable form.
    #[must_use]
    pub fn new(header: &Header) -> Self {
        Self {
            version: header.version,
            ledger_id: header.ledger_id.to_string(),
            height: header.height.to_string(),
            parent: header.parent.to_string(),
            time: header.time.to_string(),
            time_ms: header.time.get().to_string(),
            proposer: header.proposer.to_string(),
            epoch: header.epoch.to_string(),
            validators_hash: header.validators_hash.to_string(),
            next_validators_hash: header.next_validators_hash.to_string(),
            transactions_root: header.transactions_root.to_string(),
            executed: ExecutedEntry::new(&header.executed),
            context: HEXLOWER.encode(&header.context),
            bytes: BASE64URL_NOPAD.encode(&encode(header)),
        }
    }
}

/// What makes a block final.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CertificateEntry {
    /// The view in which it was made.
    pub view: String,
    /// The view of its parent.
    pub parent_view: String,
    /// The signatures, rising by validator.
    pub signatures: Vec<VoteEntry>,
}

/// A validator's signature.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct VoteEntry {
    /// The validator's place in its set.
    pub validator: u16,
    /// The signature, hexadecimal.
    pub signature: String,
}

impl CertificateEntry {
    fn new(certificate: &Certificate) -> Self {
        let signatures = certificate.signatures.iter().map(|(validator, signature)| VoteEntry {
            validator: *validator,
            signature: signature.to_string(),
        });
        Self {
            view: certificate.view.to_string(),
            parent_view: certificate.parent_view.to_string(),
            signatures: signatures.collect(),
        }
    }
}

/// A transaction in its block.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct BlockTransaction {
    /// Its place in the block, from 0.
    pub index: u32,
    /// Its id.
    pub transaction_id: String,
    /// The number of its kind.
    pub kind: u16,
    /// The name of its kind.
    pub kind_name: &'static str,
    /// 0 when it acted, else the number of the rule that it broke.
    pub code: u16,
    /// The rule's name.
    pub code_name: &'static str,
}

/// A block.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct BlockDetail {
    /// Its hash.
    pub hash: String,
    /// Its header.
    pub header: HeaderEntry,
    /// What makes it final; the genesis needs nothing.
    pub certificate: Option<CertificateEntry>,
    /// How many transactions it holds.
    pub transaction_count: u32,
    /// A page of them; `next` is the value for `after`.
    pub transactions: Page<BlockTransaction>,
}

impl BlockDetail {
    /// A block with a page of its transactions.
    #[must_use]
    pub fn new(sealed: &SealedHeader, transactions: Page<BlockTransaction>) -> Self {
        Self {
            hash: sealed.header.hash().to_string(),
            header: HeaderEntry::new(&sealed.header),
            certificate: Some(CertificateEntry::new(&sealed.certificate)),
            transaction_count: sealed.transactions,
            transactions,
        }
    }

    /// The genesis header as the block that it is.
    #[must_use]
    pub fn genesis(header: &Header) -> Self {
        Self {
            hash: header.hash().to_string(),
            header: HeaderEntry::new(header),
            certificate: None,
            transaction_count: 0,
            transactions: Page { items: Vec::new(), next: None },
        }
    }
}
