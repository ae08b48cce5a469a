//! A party gives tokens back to an aggregator.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::codec::Text;
use primitives::identifier::PartyId;
use primitives::rounding::div_floor;
use primitives::units::MicroCurrency;

use super::buy_tokens::{check_purchase, require_both, use_reference};
use super::{Account, posting, require_funds};
use crate::event::Event;
use crate::execute::Context;
use crate::genesis::Rules;
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::transaction::{Transaction, Who, no_payload};

/// Takes tokens back against a payment made outside the ledger. Signed by the holder, cosigned by
/// the aggregator that paid; the payment's reference is unique for ever. An aggregator takes back at
/// most what it has issued.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RedeemTokens {
    /// Who takes them back.
    pub aggregator: PartyId,
    /// The payment's reference, 1..=64 bytes.
    pub reference: Text<64>,
    /// What was paid, in micro of the reference coin: tokens × token price, rounded down.
    pub coin_amount: MicroCurrency,
    /// The tokens given back; positive.
    pub tokens: MicroCurrency,
}

impl Transaction for RedeemTokens {
    const SENDERS: &'static [Who] = &[Who::AnyParty];
    const WHEN_SUSPENDED: bool = true;

    fn check(&self, payload: &[u8], _rules: &Rules) -> Result<(), Malformed> {
        no_payload(payload)?;
        check_purchase(&self.reference, self.coin_amount, self.tokens)
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let holder = require_both(context, state, self.aggregator)?;
        let price = context.parameters(state).token_price_micro_coin;
        let coin = div_floor(i128::from(self.tokens.get()) * i128::from(price.get()), 1_000_000);
        if coin != i128::from(self.coin_amount.get()) {
            return Err(Rejection::RateDiffers { tokens_micro: self.tokens.get().unsigned_abs() });
        }
        require_funds(state, holder, self.tokens)?;
        let issuing = Account::issuing(self.aggregator);
        let issued = state.balance(&issuing).get().unsigned_abs();
        if issued < self.tokens.get().unsigned_abs() {
            return Err(Rejection::MoreThanOwed { owed_micro: issued });
        }
        use_reference(context, state, &self.reference)?;
        posting::post(state, Account::wallet(holder), issuing, self.tokens)?;
        state.emit(Event::TokensRedeemed {
            holder,
            aggregator: self.aggregator,
            coin_amount: self.coin_amount,
            tokens: self.tokens,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Role;
    use crate::tests::kit::*;

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let holder = network.homes[0].customer.clone();
        network.fund(&holder, 4_000_000);
        let issuer = network.aggregator.clone();
        let other = network.admit("second aggregator", &[Role::Aggregator]);
        let suspended = network.admit("third aggregator", &[Role::Aggregator]);
        network.suspend(suspended.id);
        let body = |aggregator, reference: &str, coin_amount, tokens| RedeemTokens {
            aggregator,
            reference: reference.parse().unwrap(),
            coin_amount: MicroCurrency::new(coin_amount),
            tokens: MicroCurrency::new(tokens),
        };
        let bad = |aggregator| by(&[&holder.key], body(aggregator, "p", 1, 5_000_000));
        let signed = |aggregator: &Member, reference: &str, coin, tokens| {
            by(&[&holder.key, &aggregator.key], body(aggregator.id, reference, coin, tokens))
        };
        network.check(&[
            (by(&[&holder.key], body(PartyId::default(), "", 1, 1)), WRONG_FIELD),
            (by(&[&holder.key], body(PartyId::default(), "p", 0, 1)), WRONG_FIELD),
            (by(&[&holder.key], body(PartyId::default(), "p", 1, 0)), WRONG_FIELD),
            (bad(PartyId::default()), breaks(Rejection::PartyUnknown)),
            (bad(network.north.id), breaks(Rejection::PartyLacksRole)),
            (bad(suspended.id), breaks(Rejection::PartyStatusDiffers)),
            (bad(other.id), breaks(Rejection::CosignatureMissing)),
            (bad(other.id).sent_by(&other.key), breaks(Rejection::CosignatureMissing)),
            (
                signed(&other, "p", 1, 5_000_000),
                breaks(Rejection::RateDiffers { tokens_micro: 5_000_000 }),
            ),
            (
                signed(&other, "p", 2_500_000, 5_000_000),
                breaks(Rejection::InsufficientFunds { balance_micro: 4_000_000 }),
            ),
            (
                signed(&other, "p", 1_000_000, 2_000_000),
                breaks(Rejection::MoreThanOwed { owed_micro: 0 }),
            ),
            (signed(&issuer, "p", 500_000, 1_000_000), emits(&["Posted", "TokensRedeemed"])),
            (signed(&issuer, "p", 500_000, 1_000_000), breaks(Rejection::ReferenceUsed)),
            (signed(&issuer, "q", 1_500_000, 3_000_000), emits(&["Posted", "TokensRedeemed"])),
        ]);
        assert!(network.state().accounts(None, 10).is_empty(), "all tokens are back");
    }
}
