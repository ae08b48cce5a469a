//! Accounts and their balances.

use contracts::account::{Account, AccountKind};
use primitives::identifier::PartyId;
use primitives::units::MicroCurrency;
use schemars::JsonSchema;
use serde::Serialize;

/// The accounts of a party, as far as the reader may see them.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Accounts {
    /// The party.
    pub party: String,
    /// Accounts that are not zero.
    pub items: Vec<Balance>,
    /// Where the next page begins.
    pub next: Option<String>,
    /// There may be more that the reader may not see.
    #[serde(skip_serializing_if = "super::is_false")]
    pub withheld: bool,
}

/// An account that is not zero.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Balance {
    /// `wallet`, `issuing` or `dues-` and the other party: the account's name among those of a party.
    pub account: String,
    /// The other party of dues.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counterparty: Option<String>,
    /// The balance. Dues below zero are owed by the party, above zero owed to it.
    pub balance_micro: String,
}

impl Balance {
    /// An account with its balance.
    #[must_use]
    pub fn new(account: &Account, balance: MicroCurrency) -> Self {
        let counterparty = match account.kind {
            AccountKind::Dues { counterparty } => Some(counterparty.to_string()),
            AccountKind::Wallet | AccountKind::Issuing => None,
        };
        let account = AccountName(account.kind).to_string();
        Self { account, counterparty, balance_micro: balance.get().to_string() }
    }
}

/// The name of an account among those of its party, and the cursor of their list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountName(pub AccountKind);

impl std::fmt::Display for AccountName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            AccountKind::Wallet => formatter.write_str("wallet"),
            AccountKind::Issuing => formatter.write_str("issuing"),
            AccountKind::Dues { counterparty } => write!(formatter, "dues-{counterparty}"),
        }
    }
}

impl std::str::FromStr for AccountName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let refused = "wanted is wallet, issuing or dues- with a party";
        match text {
            "wallet" => Ok(Self(AccountKind::Wallet)),
            "issuing" => Ok(Self(AccountKind::Issuing)),
            _ => {
                let party = text.strip_prefix("dues-").ok_or(refused)?;
                let counterparty: PartyId = party.parse().map_err(|_| refused)?;
                Ok(Self(AccountKind::Dues { counterparty }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_accounts_are_read_as_written() {
        let counterparty = PartyId::new([7; 32]);
        for kind in [AccountKind::Wallet, AccountKind::Issuing, AccountKind::Dues { counterparty }]
        {
            assert_eq!(AccountName(kind).to_string().parse(), Ok(AccountName(kind)));
        }
        assert!("dues-7".parse::<AccountName>().is_err());
    }
}
