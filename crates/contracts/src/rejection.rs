//! Every rule that can be broken, with its stable number. This list is the rulebook.
//!
//! Codes 1–99 ([`Malformed`]) are matters of form: they need no state, never enter a block, and a
//! block that holds one is invalid. Codes from 100 on ([`Rejection`]) are rules: the transaction was
//! ordered, its receipt keeps the code, the state is unchanged but for the used-up sequence.
//!
//! A number is never changed or given to another rule; one that is dropped stays here as a comment.
//! A receipt stores code and numbers, never text: rewording a message changes no hash.

use thiserror::Error;

/// What is wrong with a transaction by itself, before any state is looked at (codes 1–99).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Malformed {
    /// The bytes are not one canonical encoding.
    #[error("the bytes are not a canonical encoding: {0}")]
    Codec(String),
    /// A signature does not fit its key and the transaction's id.
    #[error("signature {index} does not fit its key and this transaction")]
    Signature {
        /// 0 is the signer, 1.. are the cosigners in their order.
        index: u8,
    },
    /// There is not exactly one signature for each signer and cosigner.
    #[error("{found} signatures for {wanted} signers")]
    SignatureCount {
        /// Signatures found.
        found: u16,
        /// Signers named by the envelope.
        wanted: u16,
    },
    /// The transaction was signed for another ledger.
    #[error("signed for another ledger")]
    LedgerId,
    /// `valid_until` lies before the block's time.
    #[error("expired")]
    Expired,
    /// `valid_until` lies more than 24 hours after the block's time.
    #[error("valid_until lies more than 24 hours ahead")]
    ValidTooLong,
    /// The same transaction stands twice in one block.
    #[error("the same transaction stands twice in one block")]
    TwiceInBlock,
    /// The envelope's version is not known.
    #[error("unknown envelope version {0}")]
    Version(u8),
    /// The transaction kind is not in the table.
    #[error("unknown transaction kind {0}")]
    Kind(u16),
    /// The payload does not fit the root or leaf that the transaction commits to.
    #[error("the payload does not fit the commitment: {0}")]
    Payload(&'static str),
    /// A field's value is impossible by itself.
    #[error("impossible value: {0}")]
    Field(&'static str),
    /// The same key stands twice among signer and cosigners.
    #[error("the same key signs twice")]
    SignerTwice,
    /// The kind shows values where only some may see them, or hides them where all have to.
    #[error("not on this ledger: {0}")]
    OtherPrivacy(&'static str),
}

impl Malformed {
    /// The stable number, 1–99.
    #[must_use]
    pub const fn code(&self) -> u16 {
        match self {
            Self::Codec(_) => 1,
            Self::Signature { .. } => 2,
            Self::SignatureCount { .. } => 3,
            Self::LedgerId => 4,
            Self::Expired => 5,
            Self::ValidTooLong => 6,
            Self::TwiceInBlock => 7,
            Self::Version(_) => 8,
            Self::Kind(_) => 9,
            Self::Payload(_) => 10,
            Self::Field(_) => 11,
            Self::SignerTwice => 12,
            Self::OtherPrivacy(_) => 13,
        }
    }

    /// Code and name of every form error, in order of code.
    pub const ALL: &'static [(u16, &'static str)] = &[
        (1, "Codec"),
        (2, "Signature"),
        (3, "SignatureCount"),
        (4, "LedgerId"),
        (5, "Expired"),
        (6, "ValidTooLong"),
        (7, "TwiceInBlock"),
        (8, "Version"),
        (9, "Kind"),
        (10, "Payload"),
        (11, "Field"),
        (12, "SignerTwice"),
        (13, "OtherPrivacy"),
    ];
}

impl From<primitives::codec::CodecError> for Malformed {
    fn from(error: primitives::codec::CodecError) -> Self {
        Self::Codec(error.to_string())
    }
}

/// Writes the enum, `code`, `numbers`, `is_transient`, `ALL` and `describe` from one list.
macro_rules! rejections {
    ($( $(#[$doc:meta])* $code:literal $name:ident $( { $($field:ident),+ } )? $(, transient = $transient:literal)? => $text:literal; )+) => {
        /// A rule that an ordered transaction broke (codes ≥ 100). Fields are the numbers that the
        /// receipt keeps beside the code.
        #[derive(Debug, Clone, PartialEq, Eq, Error)]
        pub enum Rejection {
            $(
                $(#[$doc])*
                #[error($text $( , $($field = $field),+ )?)]
                $name $( { $(
                    #[doc = concat!("`", stringify!($field), "` of the refused transaction.")]
                    $field: u64
                ),+ } )?,
            )+
        }

        impl Rejection {
            /// The stable number.
            #[must_use]
            pub const fn code(&self) -> u16 {
                match self { $( Self::$name { .. } => $code, )+ }
            }

            /// The rule's name, as in the reference and the API.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $( Self::$name { .. } => stringify!($name), )+ }
            }

            /// The numbers that the receipt keeps, in the order of the fields.
            #[must_use]
            pub fn numbers(&self) -> Vec<u64> {
                match self { $( Self::$name $( { $($field),+ } )? => vec![ $( $(*$field),+ )? ], )+ }
            }

            /// May the same content succeed later, sent again with a new sequence?
            #[must_use]
            pub const fn is_transient(&self) -> bool {
                match self { $( Self::$name { .. } => false $( || $transient )?, )+ }
            }

            /// Code, name and text of every rule, in order of code.
            pub const ALL: &'static [(u16, &'static str, &'static str)] =
                &[ $( ($code, stringify!($name), $text), )+ ];
        }
    };
}

rejections! {
    /// The key has already used this sequence.
    100 SequenceUsed { sequence } => "sequence {sequence} was used before by this key";
    /// The sequence is more than 1,024 away from the highest the key has used.
    101 SequenceOutsideWindow { sequence, highest } => "sequence {sequence} is more than 1024 away from {highest}, the highest used";
    /// Nobody on this ledger holds the key.
    102 KeyUnknown => "the signer's key is not registered";
    /// The key was revoked.
    103 KeyRevoked => "the signer's key was revoked";
    /// The party is suspended and the transaction is not one that it may still send.
    104 PartySuspended => "the party is suspended";
    /// The party was closed.
    105 PartyClosed => "the party is closed";
    /// The sender holds none of the roles that may send this transaction.
    106 SenderNotPermitted => "the sender's role does not permit this transaction";
    // 107 CosignerUnknown: dropped before the first release. An unknown cosigner counts for nothing,
    // and a signature that is needed and missing is 108 or 109.
    /// A signature that the transaction needs beside the sender's is missing.
    108 CosignatureMissing => "a required countersignature is missing";
    /// Too few of the named body signed.
    109 QuorumNotReached { signed, wanted } => "{signed} of {wanted} required members signed";
    /// No such party.
    110 PartyUnknown => "no such party";
    /// A regulator cannot grant this role, or the owner cannot.
    111 RoleNotGrantable => "this role cannot be granted by this transaction";
    /// The party holds the role already.
    112 RoleAlreadyHeld => "the party holds this role already";
    /// The party does not hold the role.
    113 RoleNotHeld => "the party does not hold this role";
    /// At least one regulator must remain.
    114 LastRegulator => "the last regulator cannot be removed";
    /// The key is, or once was, registered.
    115 KeyAlreadyRegistered => "the key is or was registered before";
    /// A party keeps at least one active key.
    116 LastKey => "the last active key of a party cannot be revoked";
    /// The party has as many keys as one may have.
    117 TooManyKeys { bound } => "a party may have at most {bound} keys";
    /// No such station.
    118 StationUnknown => "no such station";
    /// Another usage point or station bears this label.
    119 LabelTaken => "this label is taken";
    /// The station has as many usage points as one may have.
    120 StationFull { bound } => "a station may have at most {bound} usage points";
    /// No such usage point.
    121 UsagePointUnknown => "no such usage point";
    /// The named party does not hold the role that it would need.
    122 PartyLacksRole => "the named party does not hold the needed role";
    /// An account of the party is not zero.
    123 BalanceNotZero => "an account of the party is not zero";
    /// The key belongs to somebody else.
    124 KeyNotOfParty => "the key does not belong to the party";
    /// The sender is not the distributor of this station.
    125 NotTheDistributor => "the sender is not the distributor of this station";
    /// A replacement key acts 72 hours after its recovery.
    126 KeyNotYetActive { from_ms }, transient = true => "the key acts only from {from_ms} ms on";
    /// The party is not suspended, or not active, as the transaction wants it.
    127 PartyStatusDiffers => "the party's status does not allow this";
    /// One party would stand on both sides of a bill.
    128 SamePartyTwice => "the same party would bill and be billed";

    /// The settlement period has not ended by the parent block's time.
    200 PeriodNotEnded { period }, transient = true => "settlement period {period} has not ended";
    /// The local day has not ended by the parent block's time.
    201 DayNotEnded, transient = true => "the day has not ended";
    /// The sender is not the meter of this usage point, nor its gateway.
    202 SenderIsNotTheMeter => "the sender is not the meter of this usage point";
    /// Another reading stands under the same usage point and period.
    203 ReadingExists { period } => "another reading of period {period} exists; send a correction";
    /// There is no reading to correct or to charge.
    204 ReadingMissing { period }, transient = true => "there is no reading of period {period}";
    /// The day is sealed with another root.
    205 DayAlreadySealed => "the day is sealed with another root; send corrections";
    /// A reading submitted before differs from the seal, which does not name the slot as corrected.
    206 SealDisagreesWithReading { slot } => "slot {slot} differs from the submitted reading and is not named as corrected";
    /// The meter's seal sequence does not rise.
    207 SealSequenceUsed { sequence, last } => "seal sequence {sequence} does not follow {last}";
    /// More energy than the connection can carry in one period.
    208 AboveConnectionLimit { period, limit_wh } => "period {period} exceeds the connection's limit of {limit_wh} Wh";
    /// Only the meter itself reports an actual value.
    209 ActualOnlyFromMeter => "only the meter itself reports quality A";
    /// The sender is not the gateway of a usage point in the batch.
    210 NotTheGateway { index } => "the sender is not the gateway of usage point {index} of the batch";
    /// Another frequency stands under the period.
    211 FrequencyExists { period } => "another frequency of period {period} is published; send a correction";
    /// No frequency is published for the period.
    212 FrequencyMissing { period }, transient = true => "no frequency is published for period {period}";
    /// The root differs from that of the published frequencies.
    213 FrequencySealDisagrees => "the root differs from that of the published frequencies";
    /// The meter's seal or the frequency's seal of the day is missing.
    214 DayNotSealed { day }, transient = true => "day {day} of the billing period is not sealed";
    /// The frequencies of the day are not sealed.
    215 FrequencyDayNotSealed { day }, transient = true => "the frequencies of day {day} of the billing period are not sealed";
    /// The values were erased; what depends on them can no longer be computed.
    216 PayloadErased => "the values were erased";
    /// A register (0 import, 1 export) shows less than before, and no roll-over explains it.
    217 RegisterWentBackwards { register, before_wh, now_wh } => "register {register} went backwards, from {before_wh} to {now_wh} Wh";
    /// A register (0 import, 1 export) moved by more than the connection carries in the slots between.
    218 RegisterJumped { register, before_wh, now_wh, bound_wh } => "register {register} jumped from {before_wh} to {now_wh} Wh, possible are {bound_wh} Wh";
    /// A register (0 import, 1 export) does not move by what the readings add up to.
    219 RegistersDisagree { register, moved_wh, readings_wh } => "register {register} moves by {moved_wh} Wh, the readings add up to {readings_wh} Wh";
    /// A register shows a value at or above the one at which it starts again.
    220 RegisterAboveLimit { register_wh, limit_wh } => "a register shows {register_wh} Wh and starts again at {limit_wh} Wh";
    /// The meter was not yet installed.
    221 BeforeInstallation { period, from_period } => "the meter measures from period {from_period} on, not in period {period}";
    /// The new meter would measure slots that the former one has sealed.
    222 SwapBeforeSealedDay { period, sealed_until } => "the meter would measure from period {period} on, the former one sealed up to period {sealed_until}";
    /// Last registers are given of a former meter that does not exist.
    223 NoFormerMeter => "there is no former meter whose last registers could be given";
    /// An estimate is not what the ledger's rule gives.
    224 EstimateDiffers { slot } => "slot {slot} is not what the rule of estimation gives";
    /// No such standard profile, or another party's.
    225 StandardProfileUnknown => "no such standard profile of the sender";
    /// Nothing but a standard profile tells the slot, and none is named.
    226 StandardProfileMissing { slot } => "slot {slot} needs a standard profile, and none is named";
    /// Without a regulator only values are erased that were billed.
    227 DayNotBilled { day } => "day {day} is sealed and not billed: a regulator has to cosign its erasure";
    /// The values are wanted for a decision.
    228 DayInDispute { day } => "day {day} belongs to a bill in dispute: its values are kept until that is decided";
    /// A usage point has as many erasures as one may have.
    229 TooManyErasures { bound } => "a usage point has at most {bound} erasures: erase longer stretches of days";

    /// No such tariff.
    300 TariffUnknown => "no such tariff";
    /// The tariff belongs to another publisher.
    301 NotThePublisher => "the tariff belongs to another publisher";
    /// A version or an assignment would act on a period that has begun.
    302 TariffStartsInThePast { period } => "period {period} has begun already";
    /// Versions begin one after the other.
    303 TariffVersionsOutOfOrder => "a new version must begin after the last one";
    /// The usage point has no tariff in the period.
    304 TariffMissing { period } => "no tariff is assigned in period {period}";
    /// The tariff has as many versions as one may have.
    305 TooManyVersions { bound } => "at most {bound} versions or assignments";
    /// The tariff prices the energy of a month, in slabs; a single slot has no price.
    306 TariffNotBySlot { period } => "the tariff of period {period} prices the month's energy, not single slots";

    /// The sender does not bill this usage point.
    400 NotTheBiller => "the sender does not bill this usage point";
    /// A day of the period is billed already.
    401 DayAlreadyBilled { day } => "day {day} of the billing period is billed already";
    /// No such bill.
    402 BillUnknown => "no such bill";
    /// Nothing is open under the usage point.
    403 NothingOpen => "nothing is open here";
    /// The sender is not the customer of the usage point.
    404 NotTheCustomer => "the sender is not the customer of this usage point";
    /// Only a bill with a negative total is paid out.
    405 BillNotNegative => "the bill's total is not negative";
    /// The slot has not been charged.
    406 SlotNotCharged { period } => "period {period} is not charged";
    /// The amount is larger than what is owed.
    407 MoreThanOwed { owed_micro } => "more than the {owed_micro} micro that are owed";
    /// One transaction would bill more days, write more lines or tell more events than it may.
    408 TooMuchWork { bound } => "more than {bound} usage point days, lines or events in one transaction";
    /// The bill was replaced by its next revision.
    409 BillReplaced => "the bill was replaced by another one";
    /// A bill is disputed once, with one amount and reason.
    410 DisputeExists => "the bill is or was disputed already";
    /// A bill is disputed until 60 days after it was paid, paid out or carried.
    411 DisputeTooLate { until_ms } => "the bill could be disputed until {until_ms} ms";
    /// There is no dispute to decide.
    412 NotDisputed => "the bill is not in dispute";
    /// More would be upheld than is disputed.
    413 MoreThanDisputed { disputed_micro } => "more than the {disputed_micro} micro in dispute";
    /// A month of the statement has no bill of its own.
    414 MonthNotBilled { month } => "month {month} has no bill of its own";
    /// A stated bill was computed from something else than what holds (0 readings, 1 frequencies, 2 tariff).
    415 BasisDiffers { part } => "part {part} of what the bill was computed from (0 readings, 1 frequencies, 2 tariff) is not what the ledger holds";
    /// A line of a stated bill is not what tariff, days and the other lines give.
    416 LineDiffers { line } => "line {line} of the stated bill is not what tariff, days and the lines before it give";
    /// More would be disputed than stands on the bill.
    417 MoreThanBilled { billed_micro } => "more than the {billed_micro} micro that stand on the bill";

    /// The wallet holds less than the amount.
    700 InsufficientFunds { balance_micro } => "the wallet holds only {balance_micro} micro";
    /// A balance or amount would leave its range.
    701 AmountOutOfRange => "an amount or balance leaves its range";
    /// The payment reference was used before.
    702 ReferenceUsed => "the payment reference was used before";
    /// The issuing account would go below its backing limit.
    703 BackingLimitExceeded => "the issuing account would exceed its backing limit";
    /// Tokens and coin amount do not fit the network's rate.
    704 RateDiffers { tokens_micro } => "at the network's rate this coin amount buys {tokens_micro} micro tokens";

    /// No ledger with this id was admitted.
    800 LedgerUnknown => "no such ledger is admitted here";
    /// Bounds the work of lists.
    801 TooManyLedgers { bound } => "a ledger admits at most {bound} others";
    /// A newer head is notarised already.
    802 HeadNotNewer { newest } => "a head of height {newest} is notarised already";
    /// Certificate or changes of validators do not hold from the newest head on.
    803 HeadNotFinal { height } => "the header of height {height} is not proven final from the newest head here";
    /// Two final headers of one height were shown.
    804 LedgerForked { height } => "that ledger has two final headers of height {height}: nothing of it is notarised any more";

    /// The ledger keeps the system's time.
    900 ClockIsNotVirtual => "this ledger's clock is not virtual";
    /// A virtual clock only moves forward.
    901 ClockNotForward => "a virtual clock only moves forward";
    /// No such node.
    902 NodeUnknown => "no such node is registered";
    /// The ledger has as many nodes as one may have.
    903 TooManyNodes { bound } => "a ledger may have at most {bound} nodes";
    /// A validator gives up its seat before it leaves.
    904 NodeHoldsSeat => "the node holds a validator's seat, now or in a coming epoch";
    /// The node holds a seat already.
    905 SeatTaken => "the node holds a seat already";
    /// The node holds no seat.
    906 NoSeat => "the node holds no seat";
    /// A set of validators has at least one seat and at most so many.
    907 SeatsOutOfRange { seats, bound } => "{seats} seats, there are 1 to {bound}";
    /// One organisation would hold a third of the seats or more.
    908 TooManySeats { seats, of } => "one organisation would hold {seats} of {of} seats";
    /// A regulator's organisation holds a seat.
    909 NoRegulatorSeat => "no regulator would hold a seat";
    /// The sender had no office when the change was proposed.
    910 NotInOffice => "the sender neither regulates nor runs a validator since the proposal";
    /// No such proposal.
    911 ProposalUnknown => "no such proposal";
    /// The proposal was accepted or has expired.
    912 ProposalEnded => "the proposal was accepted or has expired";
    /// Everybody who signed has approved before.
    913 ApprovedBefore => "everybody who signed has approved before";
    /// A change acts two epochs after its approval at the earliest.
    914 ActsTooEarly { earliest } => "the change acts at height {earliest} at the earliest";
    /// Too many changes of one kind wait for their time.
    915 TooManyScheduled { bound } => "at most {bound} values of one kind are scheduled";
    /// A version of the protocol follows a lower one.
    916 ProtocolNotNewer { version } => "the protocol has version {version} already";
    /// Governance wants more signatures for this kind of transaction.
    917 EndorsementMissing { role, signed, wanted } => "{signed} of {wanted} parties with role {role} endorsed this kind of transaction";
    /// There are as many regulators as may be in office.
    918 TooManyRegulators { bound } => "at most {bound} regulators are in office, coming or going";
    /// A checkpoint is asked for while validators still attest the one before.
    919 CheckpointOpen { until_ms }, transient = true => "a checkpoint waits for its attestations, until {until_ms} ms at most";
    /// No checkpoint of this height waits for attestations.
    920 CheckpointUnknown => "no checkpoint of this height waits for attestations";
    /// Another root was attested by this validator, or agreed on, at this height.
    921 AttestationDiffers => "another root was attested at this height";
}
