//! A block: header, transactions, and the payloads that travel beside them.

use std::borrow::Cow;

use borsh::{BorshDeserialize, BorshSerialize};
use contracts::{Malformed, Rules};
use primitives::codec::Bounded;
use primitives::envelope::{Submission, transactions_root};
use primitives::hash::Hash;
use primitives::header::{Certificate, HEADER_VERSION, Header, MAX_CONTEXT_BYTES, ValidatorSet};
use primitives::identifier::TransactionId;

use crate::check::{Candidate, CheckedTransaction, Known, Verifier};
use crate::error::LedgerError;
use crate::layout::Head;

/// Transactions of one block at most.
pub const MAX_TRANSACTIONS: usize = 10_000;
/// Bytes of the transactions and payloads of one block at most.
pub const MAX_BLOCK_BYTES: usize = 8 << 20;

/// A block as it travels: nothing in it has been checked yet.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Block {
    /// The header.
    pub header: Header,
    /// Transactions and payloads, in order.
    pub submissions: Bounded<Submission, MAX_TRANSACTIONS>,
}

/// A block that somebody else made, for whoever checks it.
#[derive(Debug)]
pub struct UncheckedBlock<'b> {
    /// The header.
    pub header: &'b Header,
    /// Transactions and payloads, in order.
    pub submissions: Vec<Candidate<'b>>,
}

impl<'b> From<&'b Block> for UncheckedBlock<'b> {
    fn from(block: &'b Block) -> Self {
        let submissions = block.submissions.iter().map(Cow::Borrowed);
        Self { header: &block.header, submissions: submissions.map(Candidate::decoded).collect() }
    }
}

/// A block whose form is right and that follows a certain head.
#[derive(Debug, Clone)]
pub struct CheckedBlock {
    header: Header,
    transactions: Vec<CheckedTransaction>,
}

impl CheckedBlock {
    /// A block made of transactions that were checked already. `header` is completed with their
    /// root.
    ///
    /// # Panics
    /// When a transaction stands twice in it or is not valid at its time: the proposer sees to that.
    #[must_use]
    pub fn assemble(mut header: Header, transactions: Vec<CheckedTransaction>) -> Self {
        let ids: Vec<_> = transactions.iter().map(CheckedTransaction::id).collect();
        assert!(distinct(&ids), "a proposer takes each transaction once");
        assert!(
            transactions.iter().all(|t| t.check_time(header.time).is_ok()),
            "a proposer leaves out what has expired"
        );
        header.transactions_root = transactions_root(&ids);
        Self { header, transactions }
    }

    /// Checks a block that somebody else made against the head it should follow.
    ///
    /// Time against a clock is the orderer's matter: it does not hold for final blocks.
    ///
    /// # Errors
    /// [`LedgerError::Block`] with the first thing that is wrong.
    pub fn check(
        block: &Block,
        head: &Head,
        rules: &Rules,
        verifier: &dyn Verifier,
    ) -> Result<Self, LedgerError> {
        Self::check_after(block.into(), (&head.header, head.hash), rules, verifier, &|_| None)
    }

    /// The same against a header that need not be executed or final yet, without checking those
    /// transactions again that are known.
    ///
    /// # Errors
    /// As [`CheckedBlock::check`].
    pub fn check_after(
        UncheckedBlock { header, submissions }: UncheckedBlock<'_>,
        (parent, parent_hash): (&Header, Hash),
        rules: &Rules,
        verifier: &dyn Verifier,
        known: Known<'_>,
    ) -> Result<Self, LedgerError> {
        // The cheap check first: whoever sends a block that follows nothing costs no more than it.
        check_link(header, parent, parent_hash, rules)
            .map_err(|reason| LedgerError::Block { height: header.height, reason })?;
        let answers = CheckedTransaction::check_unknown(submissions, rules, verifier, known);
        Self::of_answers(header.clone(), answers, (parent, parent_hash), rules)
    }

    /// The same for blocks that follow each other, the first of them `parent`. The signatures of all of
    /// them are checked together, which costs less for each. A block is held against the header before
    /// it, whatever came of that one.
    ///
    /// # Errors
    /// As [`CheckedBlock::check`], for each block.
    pub fn check_chain(
        blocks: Vec<UncheckedBlock<'_>>,
        (parent, parent_hash): (&Header, Hash),
        rules: &Rules,
        verifier: &dyn Verifier,
        known: Known<'_>,
    ) -> Vec<Result<Self, LedgerError>> {
        let (mut headers, mut submissions) = (Vec::with_capacity(blocks.len()), Vec::new());
        for mut block in blocks {
            headers.push((block.header, block.submissions.len()));
            submissions.append(&mut block.submissions);
        }
        let mut answers =
            CheckedTransaction::check_unknown(submissions, rules, verifier, known).into_iter();
        let mut before = (parent, parent_hash);
        let mut checked = Vec::with_capacity(headers.len());
        for (header, count) in headers {
            let own = answers.by_ref().take(count).collect();
            checked.push(Self::of_answers(header.clone(), own, before, rules));
            before = (header, header.hash());
        }
        checked
    }

    /// The same when the transactions were checked before, together with those of other blocks.
    pub(crate) fn of_answers(
        header: Header,
        answers: Vec<Result<CheckedTransaction, Malformed>>,
        (parent, parent_hash): (&Header, Hash),
        rules: &Rules,
    ) -> Result<Self, LedgerError> {
        let refuse = |reason: String| LedgerError::Block { height: header.height, reason };
        check_link(&header, parent, parent_hash, rules).map_err(&refuse)?;
        let mut transactions = Vec::with_capacity(answers.len());
        for (index, answer) in answers.into_iter().enumerate() {
            let at = |malformed| refuse(format!("transaction {index}: {malformed}"));
            let checked = answer.map_err(at)?;
            checked.check_time(header.time).map_err(at)?;
            transactions.push(checked);
        }
        let ids: Vec<_> = transactions.iter().map(CheckedTransaction::id).collect();
        if !distinct(&ids) {
            return Err(refuse("a transaction stands twice in it".to_owned()));
        }
        if transactions_root(&ids) != header.transactions_root {
            return Err(refuse("its transactions do not hash to their root".to_owned()));
        }
        Ok(Self { header, transactions })
    }

    /// A block whose form and link were checked while a snapshot was read.
    pub(crate) fn of_checked(
        header: Header,
        transactions: Vec<CheckedTransaction>,
    ) -> Result<Self, LedgerError> {
        let ids: Vec<_> = transactions.iter().map(CheckedTransaction::id).collect();
        if distinct(&ids) {
            return Ok(Self { header, transactions });
        }
        let reason = "a transaction stands twice in it".to_owned();
        Err(LedgerError::Block { height: header.height, reason })
    }

    /// The same with the engine's context in the header, which is opaque to every check.
    #[must_use]
    pub fn with_context(mut self, context: Bounded<u8, MAX_CONTEXT_BYTES>) -> Self {
        self.header.context = context;
        self
    }

    /// The header.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The transactions, in order.
    #[must_use]
    pub fn transactions(&self) -> &[CheckedTransaction] {
        &self.transactions
    }

    /// The block as it travels.
    #[must_use]
    pub fn to_block(&self) -> Block {
        let submissions: Vec<_> =
            self.transactions.iter().map(|t| t.submission().clone()).collect();
        Block {
            header: self.header.clone(),
            submissions: Bounded::try_from(submissions).expect("a block is bounded when made"),
        }
    }
}

/// A header must follow its parent.
pub(crate) fn check_link(
    header: &Header,
    parent: &Header,
    parent_hash: Hash,
    rules: &Rules,
) -> Result<(), String> {
    let checks = [
        (header.version == HEADER_VERSION, "its version is not known"),
        (header.ledger_id == rules.ledger_id(), "it belongs to another ledger"),
        (header.height.get() == parent.height.get() + 1, "it does not follow the head"),
        (header.parent == parent_hash, "its parent is not the head"),
        (header.epoch == rules.epoch_of(header.height.get()), "it names another epoch"),
        (header.time > parent.time, "its time is not later than its parent's"),
        (
            header.time.get() <= contracts::genesis::LATEST_MS,
            "its time is later than the year 9999",
        ),
        (
            header.executed.height >= parent.executed.height,
            "it knows less of execution than its parent",
        ),
        (header.executed.height < header.height, "it claims to know its own execution"),
    ];
    match checks.iter().find(|(holds, _)| !holds) {
        Some((_, reason)) => Err((*reason).to_owned()),
        None => Ok(()),
    }
}

/// The certificate must make the header final under the set that the header names.
///
/// # Errors
/// [`LedgerError::Block`] with what is wrong.
pub fn check_certificate(
    header: &Header,
    certificate: &Certificate,
    validators: &ValidatorSet,
) -> Result<(), LedgerError> {
    certificate
        .verify(header, validators)
        .map_err(|error| LedgerError::Block { height: header.height, reason: error.to_string() })
}

fn distinct(ids: &[TransactionId]) -> bool {
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).all(|pair| pair[0] != pair[1])
}
