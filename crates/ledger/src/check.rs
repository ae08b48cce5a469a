//! Form: what is wrong with a transaction or block before any state is looked at.
//!
//! [`CheckedTransaction`] has one constructor, and that constructor verifies signatures and runs
//! `check`: the type carries the proof, nobody checks twice and nobody forgets.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use contracts::{Body, Malformed, Rules};
use primitives::codec;
use primitives::envelope::{ENVELOPE_VERSION, Submission};
use primitives::identifier::{KeyAddress, TransactionId};
use primitives::key::{BatchVerifier, PublicKey, Signature, verify};
use primitives::units::{Sequence, Timestamp};

/// The longest that a transaction may stay valid: 24 hours after the block's time.
pub const MAX_VALIDITY_MS: u64 = 24 * 3_600 * 1_000;
/// Transactions that one batch equation covers; larger ones gain little.
const BATCH: usize = 4_096;
/// Fewer than this are not shared out to several threads: their equations would cost more together.
const LEAST_BATCH: usize = 1_024;
/// Of a batch that does not hold, halves are tried again down to this many; then each by itself.
const ONE_BY_ONE: usize = 16;

/// Runs independent pieces of checking work; the simulator's runs them in line.
pub trait Verifier: Send + Sync {
    /// Calls `work` for every index below `count`, in any order and on any thread, and returns when
    /// all are done.
    fn for_each(&self, count: usize, work: &(dyn Fn(usize) + Sync));

    /// How many pieces run at the same time; at least 1.
    fn threads(&self) -> usize;

    /// 32 bytes that an attacker cannot foresee: they weigh the signatures of a batch against each
    /// other. They never influence what is accepted, only how it is computed.
    fn entropy(&self) -> [u8; 32];
}

/// Checks one piece after the other on the calling thread.
#[derive(Debug, Clone, Copy, Default)]
pub struct InLine {
    /// Seed of the batch weights.
    pub entropy: [u8; 32],
}

impl Verifier for InLine {
    fn for_each(&self, count: usize, work: &(dyn Fn(usize) + Sync)) {
        (0..count).for_each(work);
    }

    fn threads(&self) -> usize {
        1
    }

    fn entropy(&self) -> [u8; 32] {
        self.entropy
    }
}

/// Looks up a transaction that was checked before, by its id.
pub type Known<'a> = &'a dyn Fn(&TransactionId) -> Option<CheckedTransaction>;

/// A submission that somebody sent or put into a block: not checked, and perhaps known already.
#[derive(Debug)]
pub struct Candidate<'s> {
    id: TransactionId,
    form: Form<'s>,
}

#[derive(Debug)]
enum Form<'s> {
    Decoded(Cow<'s, Submission>),
    Encoded(&'s [u8]),
}

impl<'s> Candidate<'s> {
    /// A submission.
    #[must_use]
    pub fn decoded(submission: Cow<'s, Submission>) -> Self {
        Self { id: submission.transaction.id(), form: Form::Decoded(submission) }
    }

    /// The bytes of a submission and its transaction's id, as [`Submission::id_in`] found them. What is
    /// known is compared as bytes, so that nobody decodes what waits here already.
    #[must_use]
    pub const fn encoded(id: TransactionId, bytes: &'s [u8]) -> Self {
        Self { id, form: Form::Encoded(bytes) }
    }

    /// Is it `known` in everything? `buffer` is overwritten.
    fn is(&self, known: &Submission, buffer: &mut Vec<u8>) -> bool {
        match &self.form {
            Form::Decoded(submission) => **submission == *known,
            Form::Encoded(bytes) => {
                buffer.clear();
                codec::append(known, buffer);
                buffer == bytes
            }
        }
    }

    fn into_submission(self) -> Submission {
        match self.form {
            Form::Decoded(submission) => submission.into_owned(),
            Form::Encoded(bytes) => codec::decode(bytes).expect("its id was found by decoding it"),
        }
    }
}

/// A transaction whose form is right: decoded, for this ledger, every signature valid, its payload
/// equal to what it commits to.
#[derive(Debug, Clone)]
pub struct CheckedTransaction(Arc<Checked>);

/// Shared: it is handed on many times on its way into a block, and waits elsewhere meanwhile.
#[derive(Debug)]
struct Checked {
    submission: Submission,
    id: TransactionId,
    signer: KeyAddress,
    body: Body,
}

/// What is still to be checked; the id when somebody knows it already.
#[derive(Debug)]
struct Unchecked {
    submission: Submission,
    id: Option<TransactionId>,
}

impl CheckedTransaction {
    /// Checks one submission.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(submission: Submission, rules: &Rules) -> Result<Self, Malformed> {
        let checked = Self::check_unsigned(Unchecked { submission, id: None }, rules)?;
        checked.verify_signatures()?;
        Ok(checked)
    }

    /// Checks many submissions: signatures in batches, on the verifier's threads. The answers stand
    /// in the order of the submissions.
    pub fn check_many(
        submissions: Vec<Submission>,
        rules: &Rules,
        verifier: &dyn Verifier,
    ) -> Vec<Result<Self, Malformed>> {
        let unnamed = |submission| Unchecked { submission, id: None };
        Self::check_all(submissions.into_iter().map(unnamed), rules, verifier)
    }

    fn check_all(
        unchecked: impl ExactSizeIterator<Item = Unchecked>,
        rules: &Rules,
        verifier: &dyn Verifier,
    ) -> Vec<Result<Self, Malformed>> {
        let count = unchecked.len();
        let mut numbered: Numbered<_> = unchecked.map(Box::new).enumerate().collect();
        // The equation of a batch takes each key once, however many signatures of it there are.
        numbered.sort_by_key(|(_, unchecked)| unchecked.submission.transaction.envelope.signer);
        let piece_length = count.div_ceil(verifier.threads()).clamp(LEAST_BATCH, BATCH);
        let mut pieces = Vec::with_capacity(count.div_ceil(piece_length));
        let mut numbered = numbered.into_iter();
        while numbered.len() > 0 {
            let piece: Numbered<_> = numbered.by_ref().take(piece_length).collect();
            pieces.push((Mutex::new(piece), Mutex::new(Numbered::new())));
        }
        let entropy = verifier.entropy();
        let unpoisoned = "no piece of checking work panics";
        verifier.for_each(pieces.len(), &|index| {
            let (piece, answers) = &pieces[index];
            let piece = std::mem::take(&mut *piece.lock().expect(unpoisoned));
            let mut weights = entropy;
            weights[..8].copy_from_slice(&(index as u64).to_le_bytes());
            *answers.lock().expect(unpoisoned) = check_piece(piece, rules, weights);
        });
        let mut in_order: Vec<_> = std::iter::repeat_with(|| None).take(count).collect();
        for (_, answers) in pieces {
            for (number, answer) in answers.into_inner().expect(unpoisoned) {
                in_order[number] = Some(answer);
            }
        }
        in_order.into_iter().map(|answer| answer.expect("every piece answers all of it")).collect()
    }

    /// As [`CheckedTransaction::check_many`], without checking again what is known.
    ///
    /// An id covers neither signatures nor payload. So what is known counts only when it is equal in
    /// everything; whoever puts other signatures or another payload under a known id has them checked.
    pub fn check_unknown<'s>(
        candidates: impl IntoIterator<Item = Candidate<'s>>,
        rules: &Rules,
        verifier: &dyn Verifier,
        known: Known<'_>,
    ) -> Vec<Result<Self, Malformed>> {
        let (mut answers, mut unknown) = (Vec::new(), Vec::new());
        let mut buffer = Vec::new();
        for candidate in candidates {
            let found = known(&candidate.id);
            let found = found.filter(|found| candidate.is(found.submission(), &mut buffer));
            if found.is_none() {
                let id = Some(candidate.id);
                unknown.push(Unchecked { submission: candidate.into_submission(), id });
            }
            answers.push(found.map(Ok));
        }
        let mut checked = Self::check_all(unknown.into_iter(), rules, verifier).into_iter();
        let fill = |answer: Option<_>| answer.or_else(|| checked.next());
        answers.into_iter().map(fill).map(|it| it.expect("one answer for each unknown")).collect()
    }

    fn check_unsigned(
        Unchecked { submission, id }: Unchecked,
        rules: &Rules,
    ) -> Result<Self, Malformed> {
        let envelope = &submission.transaction.envelope;
        if envelope.version != ENVELOPE_VERSION {
            return Err(Malformed::Version(envelope.version));
        }
        if envelope.ledger_id != rules.ledger_id() {
            return Err(Malformed::LedgerId);
        }
        let wanted = envelope.cosigners.len() + 1;
        let found = submission.transaction.signatures.len();
        if found != wanted {
            return Err(Malformed::SignatureCount { found: found as u16, wanted: wanted as u16 });
        }
        if wanted > 1 && envelope.signers().collect::<BTreeSet<_>>().len() != wanted {
            return Err(Malformed::SignerTwice);
        }
        let body = Body::decode(envelope.kind, &envelope.body)?;
        if !body.entry().expires && envelope.valid_until != Timestamp::new(0) {
            return Err(Malformed::Field("this kind never expires: valid_until is 0"));
        }
        body.check(&submission.payload, rules)?;
        let id = id.unwrap_or_else(|| submission.transaction.id());
        let signer = submission.transaction.envelope.signer.address();
        Ok(Self(Arc::new(Checked { submission, id, signer, body })))
    }

    fn verify_signatures(&self) -> Result<(), Malformed> {
        for (index, (key, signature)) in (0_u8..).zip(self.pairs()) {
            verify(&key, self.id().as_bytes(), &signature)
                .map_err(|_| Malformed::Signature { index })?;
        }
        Ok(())
    }

    fn pairs(&self) -> impl Iterator<Item = (PublicKey, Signature)> + '_ {
        let transaction = &self.submission().transaction;
        transaction.envelope.signers().copied().zip(transaction.signatures.iter().copied())
    }

    /// Is the transaction valid in a block of this time?
    ///
    /// # Errors
    /// [`Malformed::Expired`], [`Malformed::ValidTooLong`].
    pub fn check_time(&self, time: Timestamp) -> Result<(), Malformed> {
        if !self.body().entry().expires {
            return Ok(());
        }
        let valid_until = self.submission().transaction.envelope.valid_until.get();
        if valid_until < time.get() {
            Err(Malformed::Expired)
        } else if valid_until > time.get().saturating_add(MAX_VALIDITY_MS) {
            Err(Malformed::ValidTooLong)
        } else {
            Ok(())
        }
    }

    /// The transaction and its payload.
    #[must_use]
    pub fn submission(&self) -> &Submission {
        &self.0.submission
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> TransactionId {
        self.0.id
    }

    /// Its id, its signer's key and the sequence of it that it uses up: by these it is known whether it
    /// was ordered before.
    #[must_use]
    pub fn numbered(&self) -> (TransactionId, KeyAddress, Sequence) {
        (self.id(), self.0.signer, self.submission().transaction.envelope.sequence)
    }

    /// Its decoded body.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.0.body
    }

    /// The bytes that it takes in a block, to within a few: what bounds count.
    #[must_use]
    pub fn size(&self) -> usize {
        /// Fields of fixed width and the lengths of lists.
        const FIXED: usize = 104;
        let transaction = &self.submission().transaction;
        let keys = (transaction.envelope.cosigners.len() + 1) * (33 + 64);
        FIXED + keys + transaction.envelope.body.len() + self.submission().payload.len()
    }
}

/// Things with their places in the order of the submissions.
type Numbered<T> = Vec<(usize, T)>;

/// Checks a piece: what needs no signature of each transaction, then all signatures together.
fn check_piece(
    piece: Numbered<Box<Unchecked>>,
    rules: &Rules,
    entropy: [u8; 32],
) -> Numbered<Result<CheckedTransaction, Malformed>> {
    let mut answers: Numbered<_> = piece
        .into_iter()
        .map(|(number, one)| (number, CheckedTransaction::check_unsigned(*one, rules)))
        .collect();
    verify_together(&mut answers, entropy);
    answers
}

/// One equation for all signatures. If it does not hold, each half has its own, so that a few bad
/// signatures do not make everybody dear. Both ways accept exactly the same signatures (ZIP-215).
fn verify_together(
    answers: &mut [(usize, Result<CheckedTransaction, Malformed>)],
    entropy: [u8; 32],
) {
    let mut batch = BatchVerifier::new();
    for checked in answers.iter().filter_map(|(_, answer)| answer.as_ref().ok()) {
        for (key, signature) in checked.pairs() {
            batch.queue(key, signature, checked.id().as_bytes());
        }
    }
    if batch.len() == 1 || (!batch.is_empty() && !batch.verify(entropy)) {
        if answers.len() <= ONE_BY_ONE {
            return verify_one_by_one(answers);
        }
        let (first, second) = answers.split_at_mut(answers.len() / 2);
        verify_together(first, entropy);
        verify_together(second, entropy);
    }
}

fn verify_one_by_one(answers: &mut [(usize, Result<CheckedTransaction, Malformed>)]) {
    for (_, answer) in answers {
        if let Ok(checked) = answer
            && let Err(malformed) = checked.verify_signatures()
        {
            *answer = Err(malformed);
        }
    }
}
