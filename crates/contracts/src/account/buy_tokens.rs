//! A party buys tokens from an aggregator.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::codec::Text;
use primitives::identifier::PartyId;
use primitives::rounding::div_floor;
use primitives::units::MicroCurrency;

use super::{Account, posting, require_positive};
use crate::event::Event;
use crate::execute::Context;
use crate::genesis::Rules;
use crate::registry::Role;
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::state_key;
use crate::transaction::{Transaction, Who, no_payload};

/// Issues tokens against a payment made outside the ledger. Signed by the buyer, cosigned by the
/// aggregator that received the payment; the payment's reference is unique for ever, so one payment
/// never issues twice. Tokens are never made without a recorded payment.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct BuyTokens {
    /// Who issues.
    pub aggregator: PartyId,
    /// The payment's reference, 1..=64 bytes.
    pub reference: Text<64>,
    /// What was paid, in micro of the reference coin; positive.
    pub coin_amount: MicroCurrency,
    /// The tokens issued: coin amount ÷ token price, rounded down.
    pub tokens: MicroCurrency,
}

impl Transaction for BuyTokens {
    const SENDERS: &'static [Who] = &[Who::AnyParty];

    fn check(&self, payload: &[u8], _rules: &Rules) -> Result<(), Malformed> {
        no_payload(payload)?;
        check_purchase(&self.reference, self.coin_amount, self.tokens)
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let buyer = require_both(context, state, self.aggregator)?;
        let price = context.parameters(state).token_price_micro_coin;
        require_rate(price, self.coin_amount, self.tokens)?;
        let issuing = Account::issuing(self.aggregator);
        let issued = i128::from(state.balance(&issuing).get()) - i128::from(self.tokens.get());
        if issued < -i128::from(state.backing_limit(self.aggregator).get()) {
            return Err(Rejection::BackingLimitExceeded);
        }
        use_reference(context, state, &self.reference)?;
        posting::post(state, issuing, Account::wallet(buyer), self.tokens)?;
        state.emit(Event::TokensBought {
            buyer,
            aggregator: self.aggregator,
            coin_amount: self.coin_amount,
            tokens: self.tokens,
        });
        Ok(())
    }
}

/// Reference, coin amount and tokens must be possible by themselves.
pub(super) fn check_purchase(
    reference: &str,
    coin_amount: MicroCurrency,
    tokens: MicroCurrency,
) -> Result<(), Malformed> {
    if reference.is_empty() {
        return Err(Malformed::Field("a payment has a reference"));
    }
    require_positive(coin_amount)?;
    require_positive(tokens)
}

/// The tokens must be what the coin amount buys at the network's rate.
pub(super) fn require_rate(
    price: MicroCurrency,
    coin_amount: MicroCurrency,
    tokens: MicroCurrency,
) -> Result<(), Rejection> {
    // Rule: rounded down, so that no token is ever without its coin.
    let wanted = div_floor(i128::from(coin_amount.get()) * 1_000_000, i128::from(price.get()));
    if wanted == i128::from(tokens.get()) {
        Ok(())
    } else {
        Err(Rejection::RateDiffers { tokens_micro: u64::try_from(wanted).unwrap_or(u64::MAX) })
    }
}

/// Two parties sign: who buys or redeems, and an aggregator. Gives the first.
pub(super) fn require_both(
    context: &Context<'_>,
    state: &dyn State,
    aggregator: PartyId,
) -> Result<PartyId, Rejection> {
    let party = context.party()?;
    state.party_with_role(aggregator, Role::Aggregator)?;
    if party == aggregator || !context.signing_parties(state).contains(&aggregator) {
        return Err(Rejection::CosignatureMissing);
    }
    Ok(party)
}

/// Marks a payment reference as used, for ever.
pub(super) fn use_reference(
    context: &Context<'_>,
    state: &mut dyn State,
    reference: &str,
) -> Result<(), Rejection> {
    let key = state_key::payment_reference(reference);
    if state.get(&key).is_some() {
        return Err(Rejection::ReferenceUsed);
    }
    state.write(key, &context.position);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let buyer = network.homes[0].customer.clone();
        let suspended = network.admit("second aggregator", &[Role::Aggregator]);
        network.suspend(suspended.id);
        network.back(3_000_000);
        let aggregator = network.aggregator.clone();
        let body = |aggregator, reference: &str, coin_amount, tokens| BuyTokens {
            aggregator,
            reference: reference.parse().unwrap(),
            coin_amount: MicroCurrency::new(coin_amount),
            tokens: MicroCurrency::new(tokens),
        };
        let bad = |aggregator| by(&[&buyer.key], body(aggregator, "p", 1, 5_000_000));
        let signed = |reference: &str, coin, tokens| {
            by(&[&buyer.key, &aggregator.key], body(aggregator.id, reference, coin, tokens))
        };
        network.check(&[
            (by(&[&buyer.key], body(PartyId::default(), "", 1, 1)), WRONG_FIELD),
            (by(&[&buyer.key], body(PartyId::default(), "p", 0, 1)), WRONG_FIELD),
            (by(&[&buyer.key], body(PartyId::default(), "p", 1, -1)), WRONG_FIELD),
            (bad(PartyId::default()), breaks(Rejection::PartyUnknown)),
            (bad(network.north.id), breaks(Rejection::PartyLacksRole)),
            (bad(suspended.id), breaks(Rejection::PartyStatusDiffers)),
            (bad(aggregator.id), breaks(Rejection::CosignatureMissing)),
            (bad(aggregator.id).sent_by(&aggregator.key), breaks(Rejection::CosignatureMissing)),
            (
                by(&[&buyer.key, &suspended.key], body(aggregator.id, "p", 1, 5_000_000)),
                breaks(Rejection::CosignatureMissing),
            ),
            (signed("p", 1, 5_000_000), breaks(Rejection::RateDiffers { tokens_micro: 2 })),
            (signed("p", 1_000_000, 2_000_000), emits(&["Posted", "TokensBought"])),
            (signed("p", 1_000_000, 2_000_000), breaks(Rejection::BackingLimitExceeded)),
            (signed("p", 500_000, 1_000_000), breaks(Rejection::ReferenceUsed)),
            (signed("q", 500_000, 1_000_000), emits(&["Posted", "TokensBought"])),
        ]);
        assert_eq!(network.balance(Account::wallet(buyer.id)), 3_000_000);
        network.assert_books();
    }

    #[test]
    fn a_wallet_has_an_end() {
        let mut network = Network::new();
        let buyer = network.homes[0].customer.clone();
        network.back(i64::MAX);
        let most = i64::MAX - 1;
        network.accept(&network.purchase(&buyer, "first", most));
        // The second aggregator has a limit of its own, the buyer's wallet has none left.
        network.aggregator = network.admit("second aggregator", &[Role::Aggregator]);
        network.back(i64::MAX);
        let second = network.purchase(&buyer, "second", 2);
        network.check(&[(second, breaks(Rejection::AmountOutOfRange))]);
        network.assert_books();
    }
}
