//! Tokens bought and given back.

use clap::{Args, Subcommand};
use contracts::account::{BuyTokens, RedeemTokens, SetBackingLimit};
use primitives::codec::Text;
use primitives::envelope::Submission;
use primitives::identifier::PartyId;
use primitives::rounding::div_floor;
use primitives::units::MicroCurrency;

use super::signing::Signatory;
use super::values;
use crate::exit::{EndWith, Ended, Exit};

/// The transactions of accounts.
#[derive(Debug, Subcommand)]
pub enum Account {
    /// Buy tokens, against a payment outside the ledger.
    ///
    /// Sent by any party; the aggregator that received the payment cosigns. A payment's reference is
    /// unique for ever.
    #[command(after_help = "Example:\n  gridtally submit buy-tokens --aggregator PARTY_ID \
        --reference invoice-88 --coin-amount 1250.00 --key home-17.key --cosigner aggregator.key")]
    BuyTokens(BuyTokensFlags),
    /// Give tokens back, against a payment outside the ledger.
    ///
    /// Sent by any party, also a suspended one; the aggregator that paid cosigns.
    #[command(after_help = "Example:\n  gridtally submit redeem-tokens --aggregator PARTY_ID \
        --reference payout-12 --tokens 300.00 --key home-17.key --cosigner aggregator.key")]
    RedeemTokens(RedeemTokensFlags),
    /// Set how many tokens an aggregator may issue.
    ///
    /// Sent by a regulator, cosigned by a majority of the regulators in office.
    #[command(after_help = "Example:\n  gridtally submit set-backing-limit --aggregator PARTY_ID \
        --limit 1000000.00 --key regulator.key --cosigner regulator-2.key")]
    SetBackingLimit(SetBackingLimitFlags),
}

/// See [`BuyTokens`].
#[derive(Debug, Args)]
pub struct BuyTokensFlags {
    /// The party that issues them.
    #[arg(long, value_name = "ID")]
    aggregator: PartyId,
    /// The payment's reference, at most 64 bytes.
    #[arg(long, value_name = "TEXT")]
    reference: Text<64>,
    /// What was paid, in the reference coin.
    #[arg(long, value_name = "AMOUNT", value_parser = values::amount)]
    coin_amount: MicroCurrency,
    /// The tokens; by default what the payment buys at the network's rate, rounded down.
    #[arg(long, value_name = "AMOUNT", value_parser = values::amount)]
    tokens: Option<MicroCurrency>,
}

/// See [`RedeemTokens`].
#[derive(Debug, Args)]
pub struct RedeemTokensFlags {
    /// The party that takes them back.
    #[arg(long, value_name = "ID")]
    aggregator: PartyId,
    /// The payment's reference, at most 64 bytes.
    #[arg(long, value_name = "TEXT")]
    reference: Text<64>,
    /// The tokens given back.
    #[arg(long, value_name = "AMOUNT", value_parser = values::amount)]
    tokens: MicroCurrency,
    /// What was paid, in the reference coin; by default the tokens at the network's rate, rounded
    /// down.
    #[arg(long, value_name = "AMOUNT", value_parser = values::amount)]
    coin_amount: Option<MicroCurrency>,
}

/// See [`SetBackingLimit`].
#[derive(Debug, Args)]
pub struct SetBackingLimitFlags {
    /// The aggregator.
    #[arg(long, value_name = "ID")]
    aggregator: PartyId,
    /// The most that it may have issued, in tokens.
    #[arg(long, value_name = "AMOUNT", value_parser = values::amount)]
    limit: MicroCurrency,
}

impl Account {
    /// Builds and signs it.
    pub fn sign(self, signatory: Signatory) -> Result<Submission, Ended> {
        let price = signatory.rules().genesis().parameters.token_price_micro_coin;
        match self {
            Self::BuyTokens(flags) => {
                let tokens = match flags.tokens {
                    Some(tokens) => tokens,
                    None => exchanged(flags.coin_amount, 1_000_000, price.get())?,
                };
                let BuyTokensFlags { aggregator, reference, coin_amount, .. } = flags;
                signatory.sign(BuyTokens { aggregator, reference, coin_amount, tokens })
            }
            Self::RedeemTokens(flags) => {
                let coin_amount = match flags.coin_amount {
                    Some(coin_amount) => coin_amount,
                    None => exchanged(flags.tokens, price.get(), 1_000_000)?,
                };
                let RedeemTokensFlags { aggregator, reference, tokens, .. } = flags;
                signatory.sign(RedeemTokens { aggregator, reference, coin_amount, tokens })
            }
            Self::SetBackingLimit(SetBackingLimitFlags { aggregator, limit }) => {
                signatory.sign(SetBackingLimit { aggregator, limit })
            }
        }
    }
}

/// `amount` × `times` / `per`, rounded down as the rules round it both ways: no token is ever
/// without its coin.
fn exchanged(amount: MicroCurrency, times: i64, per: i64) -> Result<MicroCurrency, Ended> {
    let micro = div_floor(i128::from(amount.get()) * i128::from(times), i128::from(per));
    i64::try_from(micro)
        .map(MicroCurrency::new)
        .map_err(|_| anyhow::anyhow!("the amount is beyond what the ledger can hold"))
        .end_with(Exit::Usage)
}
