//! The way from an event to a final header, in JSON.

use primitives::codec::CodecError;
use primitives::hash::Hash;
use primitives::header::{Certificate, Executed, Header, ValidatorSet};
use primitives::identifier::LedgerId;
use primitives::key::{PublicKey, Signature};
use primitives::merkle::MerklePath;
use primitives::proof::{Anchor, EventPath, SetChange};
use primitives::units::{BlockHeight, Timestamp};
use serde::{Deserialize, Serialize};

use crate::json::{Base64, Written, unwritten, written};
use crate::proof_file::ProofFileError;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PathJson {
    index: Written<u64>,
    leaf_count: Written<u64>,
    siblings: Vec<Written<Hash>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventPathJson {
    event_in_receipt: PathJson,
    receipt_in_block: PathJson,
    block_in_accumulator: PathJson,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnchorJson {
    header: HeaderJson,
    certificate: CertificateJson,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetChangeJson {
    header: HeaderJson,
    certificate: CertificateJson,
    next_validators: Vec<Written<PublicKey>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeaderJson {
    version: u8,
    ledger_id: Written<LedgerId>,
    height: Written<u64>,
    parent: Written<Hash>,
    time: Written<Timestamp>,
    proposer: Written<PublicKey>,
    epoch: Written<u64>,
    validators_hash: Written<Hash>,
    next_validators_hash: Written<Hash>,
    transactions_root: Written<Hash>,
    executed: ExecutedJson,
    context: Base64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExecutedJson {
    height: Written<u64>,
    state_root: Written<Hash>,
    receipts: Written<Hash>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CertificateJson {
    view: Written<u64>,
    parent_view: Written<u64>,
    signatures: Vec<SignatureJson>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignatureJson {
    validator: u16,
    signature: Written<Signature>,
}

impl EventPathJson {
    pub(crate) fn of(path: &EventPath) -> Self {
        Self {
            event_in_receipt: PathJson::of(&path.event_in_receipt),
            receipt_in_block: PathJson::of(&path.receipt_in_block),
            block_in_accumulator: PathJson::of(&path.block_in_accumulator),
        }
    }

    pub(crate) fn path(self) -> Result<EventPath, CodecError> {
        Ok(EventPath {
            event_in_receipt: self.event_in_receipt.path()?,
            receipt_in_block: self.receipt_in_block.path()?,
            block_in_accumulator: self.block_in_accumulator.path()?,
        })
    }
}

impl AnchorJson {
    pub(crate) fn of(anchor: &Anchor) -> Self {
        Self {
            header: HeaderJson::of(&anchor.header),
            certificate: CertificateJson::of(&anchor.certificate),
        }
    }

    pub(crate) fn anchor(self) -> Result<Anchor, CodecError> {
        Ok(Anchor { header: self.header.header()?, certificate: self.certificate.certificate()? })
    }
}

impl SetChangeJson {
    pub(crate) fn of(change: &SetChange) -> Self {
        Self {
            header: HeaderJson::of(&change.header),
            certificate: CertificateJson::of(&change.certificate),
            next_validators: written(&change.next_validators),
        }
    }

    pub(crate) fn change(self) -> Result<SetChange, ProofFileError> {
        Ok(SetChange {
            header: self.header.header()?,
            certificate: self.certificate.certificate()?,
            next_validators: ValidatorSet::new(unwritten(self.next_validators))
                .map_err(|error| ProofFileError::Value(error.to_string()))?,
        })
    }
}

impl PathJson {
    pub(crate) fn of(path: &MerklePath) -> Self {
        Self {
            index: Written(path.index),
            leaf_count: Written(path.leaf_count),
            siblings: written(&path.siblings),
        }
    }

    pub(crate) fn path(self) -> Result<MerklePath, CodecError> {
        Ok(MerklePath {
            index: self.index.0,
            leaf_count: self.leaf_count.0,
            siblings: unwritten(self.siblings).try_into()?,
        })
    }
}

impl HeaderJson {
    pub(crate) fn of(header: &Header) -> Self {
        Self {
            version: header.version,
            ledger_id: Written(header.ledger_id),
            height: Written(header.height.get()),
            parent: Written(header.parent),
            time: Written(header.time),
            proposer: Written(header.proposer),
            epoch: Written(header.epoch),
            validators_hash: Written(header.validators_hash),
            next_validators_hash: Written(header.next_validators_hash),
            transactions_root: Written(header.transactions_root),
            executed: ExecutedJson {
                height: Written(header.executed.height.get()),
                state_root: Written(header.executed.state_root),
                receipts: Written(header.executed.receipts),
            },
            context: Base64(header.context.to_vec()),
        }
    }

    pub(crate) fn header(self) -> Result<Header, CodecError> {
        Ok(Header {
            version: self.version,
            ledger_id: self.ledger_id.0,
            height: BlockHeight::new(self.height.0),
            parent: self.parent.0,
            time: self.time.0,
            proposer: self.proposer.0,
            epoch: self.epoch.0,
            validators_hash: self.validators_hash.0,
            next_validators_hash: self.next_validators_hash.0,
            transactions_root: self.transactions_root.0,
            executed: Executed {
                height: BlockHeight::new(self.executed.height.0),
                state_root: self.executed.state_root.0,
                receipts: self.executed.receipts.0,
            },
            context: self.context.0.try_into()?,
        })
    }
}

impl CertificateJson {
    pub(crate) fn of(certificate: &Certificate) -> Self {
        let signature = |&(validator, signature): &(u16, Signature)| SignatureJson {
            validator,
            signature: Written(signature),
        };
        Self {
            view: Written(certificate.view),
            parent_view: Written(certificate.parent_view),
            signatures: certificate.signatures.iter().map(signature).collect(),
        }
    }

    pub(crate) fn certificate(self) -> Result<Certificate, CodecError> {
        let signatures = self.signatures.into_iter().map(|it| (it.validator, it.signature.0));
        Ok(Certificate {
            view: self.view.0,
            parent_view: self.parent_view.0,
            signatures: signatures.collect::<Vec<_>>().try_into()?,
        })
    }
}
