//! The engine's finalization and our certificate: the same signatures over the same bytes.

use std::collections::BTreeMap;

use commonware_codec::types::lazy::Lazy;
use commonware_codec::{Copying, DecodeExt};
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::{Finalization as EngineFinalization, Proposal};
use commonware_consensus::types::{Epoch, Participant, Round, View};
use commonware_cryptography::certificate::Signers;
use commonware_cryptography::ed25519::Signature as EngineSignature;
use commonware_cryptography::ed25519::certificate::Certificate as EngineCertificate;
use primitives::codec::Bounded;
use primitives::header::{Certificate, Header, ValidatorSet};

use crate::block::{Digest, digest};
use crate::membership::{engine_key, participants, public_key};

/// The engine's proof that a block is final.
pub type Finalization = EngineFinalization<Scheme, Digest>;

/// The engine's form of a certificate, for the header that it makes final.
///
/// `None` when it is not by validators of the set.
#[must_use]
pub fn finalization(
    header: &Header,
    certificate: &Certificate,
    set: &ValidatorSet,
) -> Option<Finalization> {
    let sorted = participants(set);
    let mut signatures = BTreeMap::new();
    for (place, signature) in certificate.signatures.iter() {
        let key = engine_key(set.get(usize::from(*place))?)?;
        let signer = Participant::from_usize(sorted.position(&key)?);
        let signature = EngineSignature::decode(Copying(signature.as_bytes())).ok()?;
        signatures.insert(signer, Lazy::from(signature));
    }
    let signers = Signers::new(sorted.len() as u32, signatures.keys().copied()).ok()?;
    let round = Round::new(Epoch::new(header.epoch), View::new(certificate.view));
    let parent = View::new(certificate.parent_view);
    Some(Finalization {
        proposal: Proposal::new(round, parent, digest(&header.hash())),
        certificate: EngineCertificate { signers, signatures: signatures.into_values().collect() },
    })
}

/// Our form of a finalization by the validators of `set`.
///
/// The engine names a validator by its place among the sorted keys, we name it by its place in the
/// set. `None` when it does not belong to the set.
#[must_use]
pub fn certificate(finalization: &Finalization, set: &ValidatorSet) -> Option<Certificate> {
    let sorted = participants(set);
    let mut signatures = Vec::new();
    let certificate = &finalization.certificate;
    for (signer, signature) in certificate.signers.iter().zip(&certificate.signatures) {
        let key = public_key(sorted.get(usize::from(signer))?);
        let place = set.iter().position(|validator| *validator == key)?;
        let bytes: &[u8] = signature.get()?.as_ref();
        let signature = primitives::key::Signature::new(bytes.try_into().ok()?);
        signatures.push((u16::try_from(place).ok()?, signature));
    }
    signatures.sort_unstable_by_key(|(place, _)| *place);
    Some(Certificate {
        view: finalization.proposal.round.view().get(),
        parent_view: finalization.proposal.parent.get(),
        signatures: Bounded::try_from(signatures).ok()?,
    })
}
