//! THE table of transactions, and the trait that each of them fills.
//!
//! To add one: write the file `verb_noun.rs` with its data, rules and effect; name it in its module's
//! `mod.rs`; add its line here; add a rejection if it brings a new rule; run `cargo xtask golden` and
//! look at what it wrote. The enum, the wire numbers, decoding, the command line, the reference page
//! and the golden vectors are derived from this table.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::LocalDay;
use primitives::codec;
use primitives::identifier::UsagePointId;

use crate::account::{BuyTokens, RedeemTokens, SetBackingLimit};
use crate::billing::{
    CarryBill, ChargeSlots, DecideDispute, DisputeBill, IssueBill, IssuePrivateBill,
    IssueStatement, PayBill, PayDues, PayOutBill, PayOutCredit, SetFineRules, WithdrawSlotCharge,
};
use crate::execute::Context;
use crate::genesis::{Privacy, Rules};
use crate::governance::{
    AdvanceClock, ApproveChange, AttestCheckpoint, ProposeChange, RegisterNode, RemoveNode,
    RequestCheckpoint, RotateNodeKey,
};
use crate::metering::{
    CorrectFrequency, CorrectReading, DeleteFrequency, ErasePayloads, EstimateDay,
    PublishFrequency, PublishStandardProfile, SealDay, SealFrequencyDay, SealGatewayBatch,
    SealPrivateDay, SubmitReading, SubstituteDay,
};
use crate::notary::{AdmitLedger, NotariseHead};
use crate::registry::{
    AddKey, AppointRegulator, AuthorizeGateway, CloseParty, GrantRole, InstallMeter, RecoverKey,
    RegisterParty, RegisterStation, RegisterUsagePoint, ReinstateParty, RemoveRegulator, RevokeKey,
    RevokeRole, Role, SuspendParty,
};
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::tariff::{AmendTariff, AssignTariff, PublishTariff};

/// Who may send a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The owner's council; the threshold counts signer and cosigners.
    Owner,
    /// The keeper of a virtual clock.
    ClockKeeper,
    /// A meter, for its own usage point.
    Meter,
    /// A node, with the key that it votes with or greets its peers by.
    Node,
    /// An active party that holds this role.
    Role(Role),
    /// Any active party.
    AnyParty,
}

/// What every transaction has to say about itself.
///
/// Two phases, no third: [`check`](Transaction::check) sees the transaction, its payload and the
/// genesis, runs in parallel and already in the client. [`execute`](Transaction::execute) sees the
/// state: first every rule, in the order of precedence; then every write. On `Err` all writes are
/// dropped. Never put into `check` what depends on state or time ("the period has not ended"): a
/// block with a transaction that fails `check` is invalid, and two nodes would disagree about it.
pub trait Transaction: BorshSerialize + BorshDeserialize {
    /// Who may send it; tested before `execute`, for every role.
    const SENDERS: &'static [Who];
    /// Does the envelope's `valid_until` hold? Seals and frequencies never expire: usage point and
    /// period are their replay protection (protocol §2).
    const EXPIRES: bool = true;
    /// May a suspended party still send it?
    const WHEN_SUSPENDED: bool = false;
    /// On which ledgers it is taken; `None` = on all. What shows values, or is executed with them, has
    /// no place on a private ledger: in a block or on its way into one all nodes would see them.
    const PRIVACY: Option<Privacy> = None;

    /// What is wrong by itself. The default refuses a payload.
    ///
    /// # Errors
    /// [`Malformed`]; such a transaction never enters a block.
    fn check(&self, payload: &[u8], _rules: &Rules) -> Result<(), Malformed> {
        no_payload(payload)
    }

    /// The rules, then the writes.
    ///
    /// # Errors
    /// The first rule broken, in the order of precedence.
    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection>;

    /// The usage point and day whose values the transaction commits to and its private payload
    /// holds. Such a payload is handed to an entitled node beside the transaction and never travels
    /// with it: where the transaction goes into a block it carries none.
    fn private_day(&self) -> Option<(UsagePointId, LocalDay)> {
        None
    }

    /// Whether a private payload is the one that the transaction commits to. The default refuses
    /// every one.
    ///
    /// # Errors
    /// [`Malformed`].
    fn check_private(&self, _payload: &[u8], _rules: &Rules) -> Result<(), Malformed> {
        Err(Malformed::Payload("this transaction has no private payload"))
    }
}

/// Refuses a transaction on a ledger where it is not taken.
fn require_privacy(privacy: Option<Privacy>, rules: &Rules) -> Result<(), Malformed> {
    match privacy {
        Some(Privacy::Open) if rules.is_private() => Err(Malformed::OtherPrivacy(
            "it is private, and this kind of transaction would show all its nodes the values",
        )),
        Some(Privacy::Private) if !rules.is_private() => {
            Err(Malformed::OtherPrivacy("it is open, and this kind belongs to private ledgers"))
        }
        _ => Ok(()),
    }
}

/// Refuses a payload beside a transaction that has none.
pub(crate) fn no_payload(payload: &[u8]) -> Result<(), Malformed> {
    if payload.is_empty() {
        Ok(())
    } else {
        Err(Malformed::Payload("this transaction carries no payload"))
    }
}

/// One line of the table, for documents and programs.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The wire number.
    pub kind: u16,
    /// The name, as in Rust.
    pub name: &'static str,
    /// The module that holds it.
    pub module: &'static str,
    /// Who may send it.
    pub senders: &'static [Who],
    /// Does `valid_until` hold?
    pub expires: bool,
    /// May a suspended party still send it?
    pub when_suspended: bool,
    /// On which ledgers it is taken; `None` = on all.
    pub privacy: Option<Privacy>,
}

macro_rules! transactions {
    ($( $module:ident { $( $kind:literal $name:ident, )+ } )+) => {
        /// The body of a transaction, by kind.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Body { $( $(
            #[doc = concat!("See [`crate::", stringify!($module), "::", stringify!($name), "`].")]
            $name($name),
        )+ )+ }

        /// Every transaction, in the order of the wire numbers.
        pub const TABLE: &[Entry] = &[ $( $( Entry {
            kind: $kind,
            name: stringify!($name),
            module: stringify!($module),
            senders: <$name as Transaction>::SENDERS,
            expires: <$name as Transaction>::EXPIRES,
            when_suspended: <$name as Transaction>::WHEN_SUSPENDED,
            privacy: <$name as Transaction>::PRIVACY,
        }, )+ )+ ];

        impl Body {
            /// The table's line of this kind.
            #[must_use]
            pub fn entry(&self) -> &'static Entry {
                let kind = self.kind();
                TABLE.iter().find(|entry| entry.kind == kind).expect("the macro lists every variant")
            }

            /// The wire number.
            #[must_use]
            pub const fn kind(&self) -> u16 {
                match self { $( $( Self::$name(_) => $kind, )+ )+ }
            }

            /// The canonical bytes of the body, without its number.
            #[must_use]
            pub fn encode(&self) -> Vec<u8> {
                match self { $( $( Self::$name(body) => codec::encode(body), )+ )+ }
            }

            /// Decodes the body of a kind.
            ///
            /// # Errors
            /// [`Malformed::Kind`] or [`Malformed::Codec`].
            pub fn decode(kind: u16, bytes: &[u8]) -> Result<Self, Malformed> {
                match kind {
                    $( $( $kind => Ok(Self::$name(codec::decode(bytes)?)), )+ )+
                    unknown => Err(Malformed::Kind(unknown)),
                }
            }

            /// See [`Transaction::check`].
            ///
            /// # Errors
            /// What is wrong by itself.
            pub fn check(&self, payload: &[u8], rules: &Rules) -> Result<(), Malformed> {
                match self { $( $( Self::$name(body) => {
                    require_privacy(<$name as Transaction>::PRIVACY, rules)?;
                    body.check(payload, rules)
                } )+ )+ }
            }

            /// The kind must be one that this ledger takes, open or private.
            ///
            /// # Errors
            /// [`Malformed::OtherPrivacy`].
            pub fn require_privacy(&self, rules: &Rules) -> Result<(), Malformed> {
                require_privacy(self.entry().privacy, rules)
            }

            /// See [`Transaction::private_day`].
            #[must_use]
            pub fn private_day(&self) -> Option<(UsagePointId, LocalDay)> {
                match self { $( $( Self::$name(body) => body.private_day(), )+ )+ }
            }

            /// See [`Transaction::check_private`].
            ///
            /// # Errors
            /// What does not fit.
            pub fn check_private(&self, payload: &[u8], rules: &Rules) -> Result<(), Malformed> {
                match self { $( $( Self::$name(body) => body.check_private(payload, rules), )+ )+ }
            }

            /// See [`Transaction::execute`].
            ///
            /// # Errors
            /// The first rule broken.
            pub fn execute(
                &self,
                context: &Context<'_>,
                state: &mut dyn State,
            ) -> Result<(), Rejection> {
                match self { $( $( Self::$name(body) => body.execute(context, state), )+ )+ }
            }
        }

        $( $( impl From<$name> for Body {
            fn from(body: $name) -> Self { Self::$name(body) }
        } )+ )+
    };
}

transactions! {
    registry {
        101 AppointRegulator,
        102 RemoveRegulator,
        103 RegisterParty,
        104 GrantRole,
        105 RevokeRole,
        106 SuspendParty,
        107 ReinstateParty,
        108 CloseParty,
        109 AddKey,
        110 RevokeKey,
        111 RecoverKey,
        112 RegisterStation,
        113 RegisterUsagePoint,
        114 InstallMeter,
        115 AuthorizeGateway,
    }
    metering {
        201 SubmitReading,
        202 SealDay,
        203 CorrectReading,
        204 SealGatewayBatch,
        205 PublishFrequency,
        206 CorrectFrequency,
        207 DeleteFrequency,
        208 SealFrequencyDay,
        209 EstimateDay,
        210 PublishStandardProfile,
        211 SealPrivateDay,
        212 SubstituteDay,
        213 ErasePayloads,
    }
    tariff {
        301 PublishTariff,
        302 AssignTariff,
        303 AmendTariff,
    }
    billing {
        401 ChargeSlots,
        402 WithdrawSlotCharge,
        403 IssueBill,
        404 PayBill,
        405 PayOutBill,
        406 PayDues,
        407 DisputeBill,
        408 DecideDispute,
        409 SetFineRules,
        410 CarryBill,
        411 IssueStatement,
        412 IssuePrivateBill,
        413 PayOutCredit,
    }
    account {
        701 BuyTokens,
        702 RedeemTokens,
        703 SetBackingLimit,
    }
    notary {
        801 AdmitLedger,
        802 NotariseHead,
    }
    governance {
        901 AdvanceClock,
        902 RegisterNode,
        903 RemoveNode,
        904 RotateNodeKey,
        905 ProposeChange,
        906 ApproveChange,
        907 RequestCheckpoint,
        908 AttestCheckpoint,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_numbers_are_unique_and_rise() {
        for pair in TABLE.windows(2) {
            assert!(pair[0].kind < pair[1].kind, "{} and {}", pair[0].name, pair[1].name);
        }
    }
}
