//! Money as double entry: every posting debits one account and credits another.
//!
//! An account is a party and a kind. *Wallet* holds tokens, the ledger's unit of account. *Issuing*
//! belongs to an aggregator and goes below zero as it issues them, down to a backing limit. *Dues*
//! stand between two parties: what one owes is negative on its side and positive on the other's.
//!
//! Invariants: Σ over all accounts = 0; Σ wallets = −Σ issuing; dues(a → b) = −dues(b → a).

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::identifier::PartyId;
use primitives::units::MicroCurrency;

use crate::rejection::Rejection;
use crate::state::State;
use crate::state_key;

mod buy_tokens;
pub mod posting;
mod redeem_tokens;
mod set_backing_limit;

pub use buy_tokens::BuyTokens;
pub use redeem_tokens::RedeemTokens;
pub use set_backing_limit::SetBackingLimit;

/// What an account is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum AccountKind {
    /// Tokens held; never below zero.
    Wallet,
    /// Tokens issued by an aggregator; never above zero, never below its backing limit.
    Issuing,
    /// What stands open with another party: negative = owed to it, positive = owed by it.
    Dues {
        /// The other party.
        counterparty: PartyId,
    },
}

impl AccountKind {
    /// Number and counterparty (zero when there is none), as in the state's key.
    #[must_use]
    pub const fn parts(&self) -> (u8, PartyId) {
        match self {
            Self::Wallet => (0, PartyId::new([0; 32])),
            Self::Issuing => (1, PartyId::new([0; 32])),
            Self::Dues { counterparty } => (2, *counterparty),
        }
    }

    fn from_parts(kind: u8, counterparty: PartyId) -> Self {
        match kind {
            0 => Self::Wallet,
            1 => Self::Issuing,
            2 => Self::Dues { counterparty },
            _ => unreachable!("only the kinds above are written"),
        }
    }
}

/// An account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct Account {
    /// Whose it is.
    pub party: PartyId,
    /// What it is for.
    pub kind: AccountKind,
}

impl Account {
    /// A party's tokens.
    #[must_use]
    pub const fn wallet(party: PartyId) -> Self {
        Self { party, kind: AccountKind::Wallet }
    }

    /// An aggregator's issuing account.
    #[must_use]
    pub const fn issuing(party: PartyId) -> Self {
        Self { party, kind: AccountKind::Issuing }
    }

    /// What stands open between `party` and `counterparty`, seen from `party`.
    #[must_use]
    pub const fn dues(party: PartyId, counterparty: PartyId) -> Self {
        Self { party, kind: AccountKind::Dues { counterparty } }
    }
}

impl dyn State + '_ {
    /// The balance of an account, zero when it was never used.
    #[must_use]
    pub fn balance(&self, account: &Account) -> MicroCurrency {
        self.read(&state_key::balance(account)).unwrap_or(MicroCurrency::ZERO)
    }

    /// Has the party an account that is not zero?
    #[must_use]
    pub fn has_balance(&self, party: PartyId) -> bool {
        !self.scan(&state_key::balances_of(&party), None, 1).is_empty()
    }

    /// How far an aggregator's issuing account may go below zero.
    #[must_use]
    pub fn backing_limit(&self, aggregator: PartyId) -> MicroCurrency {
        self.read(&state_key::backing_limit(&aggregator)).unwrap_or(MicroCurrency::ZERO)
    }

    /// Up to `limit` accounts of the whole ledger that are not zero, after `after`.
    #[must_use]
    pub fn accounts(&self, after: Option<&Account>, limit: usize) -> Vec<(Account, MicroCurrency)> {
        let after = after.map(state_key::balance);
        self.accounts_under(&state_key::balances(), after.as_deref(), limit)
    }

    /// Up to `limit` accounts of a party that are not zero.
    #[must_use]
    pub fn accounts_of(&self, party: PartyId, limit: usize) -> Vec<(Account, MicroCurrency)> {
        self.accounts_under(&state_key::balances_of(&party), None, limit)
    }

    /// Σ of all accounts, and of wallets and issuing accounts alone. Every posting debits and
    /// credits, so both are zero: else money or tokens came from nowhere.
    #[must_use]
    pub fn sums(&self) -> (i128, i128) {
        const PAGE: usize = 1_000;
        let (mut accounts, mut tokens, mut after) = (0_i128, 0_i128, None);
        loop {
            let page = self.accounts(after.as_ref(), PAGE);
            for (account, balance) in &page {
                accounts += i128::from(balance.get());
                if !matches!(account.kind, AccountKind::Dues { .. }) {
                    tokens += i128::from(balance.get());
                }
            }
            match page.last() {
                Some((account, _)) => after = Some(*account),
                None => return (accounts, tokens),
            }
        }
    }

    fn accounts_under(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Vec<(Account, MicroCurrency)> {
        self.scan(prefix, after, limit)
            .into_iter()
            .map(|(key, value)| {
                let party = PartyId::new(key[1..33].try_into().expect("32 bytes of party"));
                let other = PartyId::new(key[34..66].try_into().expect("32 bytes of party"));
                let account = Account { party, kind: AccountKind::from_parts(key[33], other) };
                let balance = primitives::codec::decode(&value).expect("a balance");
                (account, balance)
            })
            .collect()
    }
}

/// Refuses amounts that are not positive, as a matter of form.
pub(crate) fn require_positive(amount: MicroCurrency) -> Result<(), crate::rejection::Malformed> {
    if amount.get() > 0 {
        Ok(())
    } else {
        Err(crate::rejection::Malformed::Field("an amount is positive"))
    }
}

/// The wallet must hold the amount.
pub(crate) fn require_funds(
    state: &dyn State,
    party: PartyId,
    amount: MicroCurrency,
) -> Result<(), Rejection> {
    let balance = state.balance(&Account::wallet(party));
    if balance < amount {
        return Err(Rejection::InsufficientFunds { balance_micro: balance.get().unsigned_abs() });
    }
    Ok(())
}
