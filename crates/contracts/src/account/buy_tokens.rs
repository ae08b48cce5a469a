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
        let buyer = context.party()?;
        state.party_with_role(self.aggregator, Role::Aggregator)?;
        if buyer == self.aggregator {
            return Err(Rejection::CosignatureMissing);
        }
        require_cosigner(context, state, self.aggregator)?;
        require_rate(context.rules, self.coin_amount, self.tokens)?;
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
    rules: &Rules,
    coin_amount: MicroCurrency,
    tokens: MicroCurrency,
) -> Result<(), Rejection> {
    let price = rules.genesis().parameters.token_price_micro_coin;
    // Rule: rounded down, so that no token is ever without its coin.
    let wanted = div_floor(i128::from(coin_amount.get()) * 1_000_000, i128::from(price.get()));
    if wanted == i128::from(tokens.get()) {
        Ok(())
    } else {
        Err(Rejection::RateDiffers { tokens_micro: u64::try_from(wanted).unwrap_or(u64::MAX) })
    }
}

/// An active key of the party must have cosigned.
pub(super) fn require_cosigner(
    context: &Context<'_>,
    state: &dyn State,
    party: PartyId,
) -> Result<(), Rejection> {
    if context.signing_parties(state).contains(&party) {
        Ok(())
    } else {
        Err(Rejection::CosignatureMissing)
    }
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
