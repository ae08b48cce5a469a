//! The clock of a trial ledger; nodes, seats, parameters and who decides about them.

use std::str::FromStr;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use contracts::genesis::Parameters;
use contracts::governance::{
    AdvanceClock, ApproveChange, AttestCheckpoint, Change, Endorsement, ProposeChange,
    RegisterNode, RemoveNode, RequestCheckpoint, RotateNodeKey,
};
use contracts::registry::Role;
use contracts::transaction::TABLE;
use primitives::codec::Text;
use primitives::envelope::Submission;
use primitives::hash::Hash;
use primitives::identifier::{KeyAddress, TransactionId};
use primitives::key::PublicKey;
use primitives::units::{BlockHeight, MicroCurrency, Timestamp};

use super::bounded;
use super::registry::role_name;
use super::signing::Signatory;
use super::values::{self, KeyOrFile};
use crate::exit::{Ended, Exit};

/// The transactions of governance.
#[derive(Debug, Subcommand)]
pub enum Governance {
    /// Move a virtual clock forward.
    ///
    /// Sent by the clock keeper that the genesis names; refused on ledgers that keep the system's
    /// time.
    #[command(after_help = "Example:\n  gridtally submit advance-clock \
        --to 2026-07-02T00:00:00+05:30 --key keeper.key")]
    AdvanceClock(AdvanceClockFlags),
    /// Register a node of your organisation, or claim a validator's seat of the genesis for it.
    ///
    /// Sent by a regulator, grid operator, distributor, aggregator or network provider, cosigned by
    /// the node's own key. The node follows the ledger as an
    /// observer; a seat takes a vote (propose-change seats). Sent again it changes the peer address.
    #[command(after_help = "Example:\n  gridtally submit register-node --node-key node.key \
        --peer-address ledger.example.org:7001 --key regulator.key")]
    RegisterNode(RegisterNodeFlags),
    /// Remove a node that holds no seat; its key is never registered again.
    ///
    /// Sent by any party for a node of its own, by a majority of the regulators for any other.
    #[command(after_help = "Example:\n  gridtally submit remove-node --address KEY_ADDRESS \
        --key regulator.key")]
    RemoveNode(RemoveNodeFlags),
    /// Give a validator's seat to another node of the same organisation.
    ///
    /// Sent by any party for its own nodes, cosigned by the key that holds the seat. Acts two epochs later.
    #[command(after_help = "Example:\n  gridtally submit rotate-node-key --from KEY_ADDRESS \
        --to KEY_ADDRESS --key regulator.key --cosigner node.key")]
    RotateNodeKey(RotateNodeKeyFlags),
    /// Propose a change of validators, parameters, endorsements or the protocol.
    ///
    /// Sent by any party in office: a regulator or an organisation with a seat. It needs a majority of the regulators
    /// and more than two thirds of the organisations with seats; those who cosign approve at once.
    #[command(
        subcommand_value_name = "CHANGE",
        after_help = "Example:\n  gridtally submit propose-change seats \
        --add ed25519:… --key regulator.key --cosigner grid.key"
    )]
    ProposeChange(ProposeChangeFlags),
    /// Approve a proposed change.
    ///
    /// Sent by any party in office since it was proposed: a regulator, or an organisation with a
    /// seat. Cosigners approve
    /// too. `show proposals` tells who is awaited.
    #[command(
        after_help = "Example:\n  gridtally submit approve-change --proposal TRANSACTION_ID \
        --key distributor.key"
    )]
    ApproveChange(ApproveChangeFlags),
    /// Ask the validators for a checkpoint: the root of the whole state, against which snapshots hold.
    ///
    /// Sent by a regulator, grid operator, distributor, aggregator or network provider. Every
    /// validator's node answers by itself; refused while the checkpoint before is not agreed on and
    /// younger than ten minutes.
    #[command(after_help = "Example:\n  gridtally submit request-checkpoint --key grid.key")]
    RequestCheckpoint,
    /// Attest the root of a checkpoint by hand; nodes do it by themselves.
    ///
    /// Sent by a node with the key of its seat.
    #[command(after_help = "Example:\n  gridtally submit attest-checkpoint --height 1200 \
        --root HASH --key node.key")]
    AttestCheckpoint(AttestCheckpointFlags),
}

/// See [`AdvanceClock`].
#[derive(Debug, Args)]
pub struct AdvanceClockFlags {
    /// The new time, later than the newest block's.
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    to: Timestamp,
}

/// See [`RegisterNode`].
#[derive(Debug, Args)]
pub struct RegisterNodeFlags {
    /// The node's key: ed25519:… or its key file, which then cosigns.
    #[arg(long, value_name = "KEY|FILE")]
    node_key: KeyOrFile,
    /// Where its peers reach it; leave it out for a node that only calls others.
    #[arg(long, value_name = "HOST:PORT", default_value = "")]
    peer_address: Text<255>,
}

/// See [`RemoveNode`].
#[derive(Debug, Args)]
pub struct RemoveNodeFlags {
    /// The address of the node's key.
    #[arg(long, value_name = "ADDRESS")]
    address: KeyAddress,
}

/// See [`RotateNodeKey`].
#[derive(Debug, Args)]
pub struct RotateNodeKeyFlags {
    /// The address of the key that holds the seat.
    #[arg(long, value_name = "ADDRESS")]
    from: KeyAddress,
    /// The address of the key that gets it; a registered node of the same organisation.
    #[arg(long, value_name = "ADDRESS")]
    to: KeyAddress,
}

/// See [`ProposeChange`].
#[derive(Debug, Args)]
pub struct ProposeChangeFlags {
    #[command(subcommand)]
    change: ChangeFlags,
}

/// See [`Change`].
#[derive(Debug, Subcommand)]
pub enum ChangeFlags {
    /// Take validators' seats and give them, two epochs after the approval.
    Seats {
        /// The key of a node that loses its seat; repeat it for several.
        #[arg(long, value_name = "KEY")]
        remove: Vec<PublicKey>,
        /// The key of a registered node that gets a seat; repeat it for several.
        #[arg(long, value_name = "KEY")]
        add: Vec<PublicKey>,
    },
    /// Set the parameters of the rules; what is left out is as in the genesis.
    Parameters {
        /// The height of the first block in which they hold, two epochs away at least.
        #[arg(long, value_name = "HEIGHT")]
        from_height: u64,
        /// Does a registration need a network provider's countersignature?
        #[arg(long, value_name = "BOOL")]
        registration_needs_network_provider: Option<bool>,
        /// Does a registration need the signatures of a majority of the parties?
        #[arg(long, value_name = "BOOL")]
        registration_needs_majority: Option<bool>,
        /// The price of one token in coins, at most 6 decimals.
        #[arg(long, value_name = "AMOUNT", value_parser = values::amount)]
        token_price: Option<MicroCurrency>,
        /// Ordered rejections of one party within an hour.
        #[arg(long, value_name = "NUMBER")]
        rejections_per_hour: Option<u32>,
    },
    /// Set whose signatures a kind of transaction needs beside its sender's.
    #[command(after_help = "Example: a tariff needs its distributor and a regulator\n  gridtally \
        submit propose-change endorsements --kind PublishTariff --from-height 1200 \
        --by regulator=1 --by distributor=1")]
    Endorsements {
        /// The height of the first block in which they are needed, two epochs away at least.
        #[arg(long, value_name = "HEIGHT")]
        from_height: u64,
        /// The kind of transaction, by its name.
        #[arg(long, value_name = "NAME", value_parser = kind)]
        kind: u16,
        /// A role and how many parties with it must sign; repeat it for several. Without any the
        /// sender's signature is enough again.
        #[arg(long = "by", value_name = "ROLE=COUNT")]
        by: Vec<By>,
    },
    /// Raise the version of the protocol: programs that do not know it stop before that height.
    Protocol {
        /// The height of the first block of the new version, two epochs away at least.
        #[arg(long, value_name = "HEIGHT")]
        from_height: u64,
        /// The version.
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(2..))]
        protocol_version: u8,
    },
}

/// `regulator=1`.
#[derive(Debug, Clone, Copy)]
pub struct By(Endorsement);

impl FromStr for By {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || "wanted is a role and how many, as in regulator=1".to_owned();
        let (name, count) = text.split_once('=').ok_or_else(wanted)?;
        let known = Role::ALL.iter().find(|role| role_name(**role) == name);
        let role = *known.ok_or_else(wanted)?;
        let count = count.parse().map_err(|_| wanted())?;
        Ok(Self(Endorsement { role, count }))
    }
}

fn kind(text: &str) -> Result<u16, String> {
    let entry = TABLE.iter().find(|entry| entry.name == text);
    entry.map(|entry| entry.kind).ok_or_else(|| {
        "wanted is the name of a transaction, as in PublishTariff; see docs/reference".to_owned()
    })
}

/// See [`ApproveChange`].
#[derive(Debug, Args)]
pub struct ApproveChangeFlags {
    /// The proposal: the id of the proposing transaction.
    #[arg(long, value_name = "ID")]
    proposal: TransactionId,
}

/// See [`AttestCheckpoint`].
#[derive(Debug, Args)]
pub struct AttestCheckpointFlags {
    /// The height of the request.
    #[arg(long, value_name = "HEIGHT")]
    height: u64,
    /// The root of the state after that block.
    #[arg(long, value_name = "HASH")]
    root: Hash,
}

impl Governance {
    /// Builds and signs it.
    pub fn sign(self, mut signatory: Signatory) -> Result<Submission, Ended> {
        match self {
            Self::AdvanceClock(AdvanceClockFlags { to }) => signatory.sign(AdvanceClock { to }),
            Self::RegisterNode(RegisterNodeFlags { node_key, peer_address }) => {
                let key = signatory.key(&node_key)?;
                signatory.sign(RegisterNode { key, peer_address })
            }
            Self::RemoveNode(RemoveNodeFlags { address: node }) => {
                signatory.sign(RemoveNode { node })
            }
            Self::RotateNodeKey(RotateNodeKeyFlags { from, to }) => {
                signatory.sign(RotateNodeKey { from, to })
            }
            Self::ProposeChange(ProposeChangeFlags { change }) => {
                let genesis = signatory.rules().genesis().parameters.clone();
                let change = change.change(genesis)?;
                signatory.sign(ProposeChange { change })
            }
            Self::ApproveChange(ApproveChangeFlags { proposal }) => {
                signatory.sign(ApproveChange { proposal })
            }
            Self::RequestCheckpoint => signatory.sign(RequestCheckpoint {}),
            Self::AttestCheckpoint(AttestCheckpointFlags { height, root }) => {
                signatory.sign(AttestCheckpoint { height: BlockHeight::new(height), root })
            }
        }
    }
}

impl ChangeFlags {
    fn change(self, genesis: Parameters) -> Result<Change, Ended> {
        Ok(match self {
            Self::Seats { remove, add } => {
                if remove.is_empty() && add.is_empty() {
                    let error = anyhow!("name the seats with --add and --remove");
                    return Err(Ended { exit: Exit::Usage, error });
                }
                Change::Seats { remove: bounded("--remove", remove)?, add: bounded("--add", add)? }
            }
            Self::Parameters {
                from_height,
                registration_needs_network_provider,
                registration_needs_majority,
                token_price,
                rejections_per_hour,
            } => Change::Parameters {
                from_height: BlockHeight::new(from_height),
                parameters: Parameters {
                    registration_needs_network_provider: registration_needs_network_provider
                        .unwrap_or(genesis.registration_needs_network_provider),
                    registration_needs_majority: registration_needs_majority
                        .unwrap_or(genesis.registration_needs_majority),
                    token_price_micro_coin: token_price.unwrap_or(genesis.token_price_micro_coin),
                    rejections_per_hour: rejections_per_hour.unwrap_or(genesis.rejections_per_hour),
                },
            },
            Self::Endorsements { from_height, kind, by } => {
                let mut endorsements: Vec<_> = by.into_iter().map(|By(it)| it).collect();
                endorsements.sort_by_key(|it| it.role);
                Change::Endorsements {
                    from_height: BlockHeight::new(from_height),
                    kind,
                    endorsements: bounded("--by", endorsements)?,
                }
            }
            Self::Protocol { from_height, protocol_version: version } => {
                Change::Protocol { from_height: BlockHeight::new(from_height), version }
            }
        })
    }
}
