//! The engine's finalization and our certificate: the same signatures over the same bytes.

use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::Finalization as EngineFinalization;
use primitives::codec::Bounded;
use primitives::header::{Certificate, ValidatorSet};

use crate::block::Digest;
use crate::membership::{participants, public_key};

/// The engine's proof that a block is final.
pub type Finalization = EngineFinalization<Scheme, Digest>;

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
