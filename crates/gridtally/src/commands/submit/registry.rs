//! Parties, keys, stations, usage points, meters.

use anyhow::anyhow;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, ValueEnum};
use contracts::metering::Registers;
use contracts::registry::{
    AddKey, AppointRegulator, AuthorizeGateway, CloseParty, GrantRole, InstallMeter, RecoverKey,
    RegisterParty, RegisterStation, RegisterUsagePoint, ReinstateParty, RemoveRegulator, RevokeKey,
    RevokeRole, Role, SuspendParty, UsagePointKind,
};
use primitives::codec::Text;
use primitives::envelope::Submission;
use primitives::identifier::{KeyAddress, PartyId, StationId, UsagePointId};
use primitives::key::PublicKey;
use primitives::units::{WattHours, Watts};

use super::signing::Signatory;
use super::values::{self, KeyOrFile, Moment};
use super::{bounded, rising};
use crate::exit::{EndWith, Ended, Exit};

/// The transactions of the registry.
#[derive(Debug, Subcommand)]
pub enum Registry {
    /// Register a new party as regulator.
    ///
    /// Sent by the owner's council, with as many signatures as its threshold asks for; the
    /// regulator's key cosigns, by itself when it is given as a file.
    #[command(after_help = "Example:\n  gridtally submit appoint-regulator --alias commission \
        --regulator-key commission.key --key owner.key --cosigner owner-2.key")]
    AppointRegulator(AppointRegulatorFlags),
    /// Take a regulator out of office.
    ///
    /// Sent by the owner's council, with as many signatures as its threshold asks for. The party
    /// and its other roles stay; one regulator must remain.
    #[command(after_help = "Example:\n  gridtally submit remove-regulator --party PARTY_ID \
        --key owner.key")]
    RemoveRegulator(PartyFlags),
    /// Register a party with its roles and keys.
    ///
    /// Sent by a regulator. Every key of the party cosigns (by itself when it is given as a file)
    /// and, by the network's parameters, a network provider and a majority of the parties.
    #[command(after_help = "Example:\n  gridtally submit register-party --alias home-17 \
        --role consumer,producer --party-key home-17.key --cosigner provider.key \
        --key regulator.key")]
    RegisterParty(RegisterPartyFlags),
    /// Give a party a further role.
    ///
    /// Sent by a regulator. The role regulator is not given this way but by the owner.
    #[command(after_help = "Example:\n  gridtally submit grant-role --party PARTY_ID \
        --role producer --key regulator.key")]
    GrantRole(RoleFlags),
    /// Take a role from a party.
    ///
    /// Sent by a regulator. What the party did in that role stays.
    #[command(after_help = "Example:\n  gridtally submit revoke-role --party PARTY_ID \
        --role producer --key regulator.key")]
    RevokeRole(RoleFlags),
    /// Suspend a party: it may only settle what is open.
    ///
    /// Sent by a regulator; regulators themselves cannot be suspended.
    #[command(after_help = "Example:\n  gridtally submit suspend-party --party PARTY_ID \
        --key regulator.key")]
    SuspendParty(PartyFlags),
    /// End a suspension.
    ///
    /// Sent by a regulator.
    #[command(after_help = "Example:\n  gridtally submit reinstate-party --party PARTY_ID \
        --key regulator.key")]
    ReinstateParty(PartyFlags),
    /// Close a party for ever, after settlement.
    ///
    /// Sent by a regulator. Every account of the party must be at zero.
    #[command(after_help = "Example:\n  gridtally submit close-party --party PARTY_ID \
        --key regulator.key")]
    CloseParty(PartyFlags),
    /// Add a key to your own party.
    ///
    /// Sent by any party, also a suspended one, with a key that it has already. The new key
    /// cosigns, by itself when it is given as a file.
    #[command(after_help = "Example:\n  gridtally submit add-key --new-key phone.key \
        --key home-17.key")]
    AddKey(AddKeyFlags),
    /// Revoke a key of your own party, for ever.
    ///
    /// Sent by any party, also a suspended one. One active key must remain. A key that a recovery
    /// brought and that does not act yet is revoked the same way.
    #[command(after_help = "Example:\n  gridtally submit revoke-key --address KEY_ADDRESS \
        --key home-17.key")]
    RevokeKey(RevokeKeyFlags),
    /// Give a party that lost its keys a new one, which acts 72 hours later.
    ///
    /// Sent by a regulator, cosigned by a majority of the regulators in office and by the new key.
    #[command(after_help = "Example:\n  gridtally submit recover-key --party PARTY_ID \
        --new-key new.key --key regulator.key --cosigner regulator-2.key")]
    RecoverKey(RecoverKeyFlags),
    /// Register a station and name the distributor that runs it.
    ///
    /// Sent by a grid operator.
    #[command(after_help = "Example:\n  gridtally submit register-station --label north-4 \
        --distributor PARTY_ID --key operator.key")]
    RegisterStation(RegisterStationFlags),
    /// Register a usage point below a station.
    ///
    /// Sent by the station's distributor for a household, by its grid operator for the boundary.
    #[command(after_help = "Example:\n  gridtally submit register-usage-point --label flat-12 \
        --station STATION_ID --customer PARTY_ID --connection-limit-w 11000 --key distributor.key")]
    RegisterUsagePoint(RegisterUsagePointFlags),
    /// Bind a meter's key to a usage point.
    ///
    /// Sent by who bills the usage point: the distributor, at a boundary the grid operator. The
    /// meter's key cosigns, by itself when it is given as a file; a former meter's key is revoked.
    /// What the former meter showed last and the new one showed first lets the registers go on.
    #[command(after_help = "Examples:\n  gridtally submit install-meter --usage-point ID \
        --meter-key meter.key --from-period 2026-07-01T00:00:00+05:30 --key distributor.key\n  \
        gridtally submit install-meter --usage-point ID --meter-key new.key \
        --from-period 2026-09-14T10:30:00+05:30 --first-import-wh 120 \
        --register-limit-wh 1000000000 --former-import-wh 4810250 --former-export-wh 0 \
        --key distributor.key")]
    InstallMeter(InstallMeterFlags),
    /// Let a gateway report for usage points, or end that.
    ///
    /// Sent by who bills the usage points: the distributor, at a boundary the grid operator.
    #[command(after_help = "Example:\n  gridtally submit authorize-gateway --usage-point ID,ID \
        --gateway PARTY_ID --key distributor.key")]
    AuthorizeGateway(AuthorizeGatewayFlags),
}

/// See [`AppointRegulator`].
#[derive(Debug, Args)]
pub struct AppointRegulatorFlags {
    /// A pseudonym, at most 64 bytes; never a real name.
    #[arg(long, value_name = "TEXT")]
    alias: Text<64>,
    /// The regulator's first key: ed25519:… or its key file.
    #[arg(long, value_name = "KEY|FILE")]
    regulator_key: KeyOrFile,
    #[command(flatten)]
    encryption: Encryption,
}

/// To whom private payloads are encrypted.
#[derive(Debug, Args)]
pub struct Encryption {
    /// The party's X25519 public key, 64 hexadecimal digits. By default the one that belongs to its
    /// first key file; needed where only the public key is at hand (`gridtally keys check` shows it).
    #[arg(long, value_name = "HEX", value_parser = encryption_key)]
    encryption_key: Option<[u8; 32]>,
}

impl Encryption {
    /// The key that was given, else the one that follows from the key file.
    fn key(&self, signatory: &Signatory, of: PublicKey) -> Result<[u8; 32], Ended> {
        let derived = || signatory.signing_key(of).map(client::encryption_key::public);
        self.encryption_key
            .or_else(derived)
            .ok_or_else(|| {
                anyhow!(
                    "give --encryption-key, or the party's key file instead of its public key: \
                     private payloads are encrypted to it (`gridtally keys check FILE` shows it)"
                )
            })
            .end_with(Exit::Usage)
    }
}

/// A key to which something can be encrypted.
fn encryption_key(text: &str) -> Result<[u8; 32], String> {
    let key = values::bytes_32(text)?;
    if key == [0; 32] {
        return Err("zeros are no key: nothing could be encrypted to them".to_owned());
    }
    Ok(key)
}

/// A party.
#[derive(Debug, Args)]
pub struct PartyFlags {
    /// The party.
    #[arg(long, value_name = "ID")]
    party: PartyId,
}

/// See [`RegisterParty`].
#[derive(Debug, Args)]
pub struct RegisterPartyFlags {
    /// A pseudonym, at most 64 bytes; never a real name.
    #[arg(long, value_name = "TEXT")]
    alias: Text<64>,
    /// The party's roles; several with commas.
    #[arg(
        long = "role", value_name = "ROLE", required = true, value_delimiter = ',',
        value_parser = role()
    )]
    roles: Vec<Role>,
    /// A key of the party, ed25519:… or its key file; repeat it for several.
    #[arg(long = "party-key", value_name = "KEY|FILE", required = true)]
    party_keys: Vec<KeyOrFile>,
    #[command(flatten)]
    encryption: Encryption,
    /// The region it trades in, at most 32 bytes.
    #[arg(long, value_name = "TEXT", default_value = "")]
    region: Text<32>,
}

/// A party and a role.
#[derive(Debug, Args)]
pub struct RoleFlags {
    /// The party.
    #[arg(long, value_name = "ID")]
    party: PartyId,
    /// The role.
    #[arg(long, value_name = "ROLE", value_parser = role())]
    role: Role,
}

/// See [`AddKey`].
#[derive(Debug, Args)]
pub struct AddKeyFlags {
    /// The new key: ed25519:… or its key file.
    #[arg(long, value_name = "KEY|FILE")]
    new_key: KeyOrFile,
}

/// See [`RevokeKey`].
#[derive(Debug, Args)]
pub struct RevokeKeyFlags {
    /// The key's address.
    #[arg(long, value_name = "ADDRESS")]
    address: KeyAddress,
}

/// See [`RecoverKey`].
#[derive(Debug, Args)]
pub struct RecoverKeyFlags {
    /// The party.
    #[arg(long, value_name = "ID")]
    party: PartyId,
    /// Its new key: ed25519:… or its key file.
    #[arg(long, value_name = "KEY|FILE")]
    new_key: KeyOrFile,
}

/// See [`RegisterStation`].
#[derive(Debug, Args)]
pub struct RegisterStationFlags {
    /// The label, unique on the ledger, at most 64 bytes.
    #[arg(long, value_name = "TEXT")]
    label: Text<64>,
    /// The party that runs it.
    #[arg(long, value_name = "ID")]
    distributor: PartyId,
}

/// See [`RegisterUsagePoint`].
#[derive(Debug, Args)]
pub struct RegisterUsagePointFlags {
    /// The label, unique in its station, at most 64 bytes.
    #[arg(long, value_name = "TEXT")]
    label: Text<64>,
    /// The station it hangs below.
    #[arg(long, value_name = "ID")]
    station: StationId,
    /// What kind of point it is.
    #[arg(long, value_enum, default_value = "household")]
    kind: KindOfPoint,
    /// The party that is billed; at a boundary the station's distributor.
    #[arg(long, value_name = "ID")]
    customer: PartyId,
    /// The most that the connection carries either way, in watts.
    #[arg(long, value_name = "W", value_parser = clap::value_parser!(i64).range(1..))]
    connection_limit_w: i64,
}

/// See [`UsagePointKind`].
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum KindOfPoint {
    /// A household, shop or plant: billed by the distributor.
    Household,
    /// The station's own boundary: billed by the grid operator.
    Boundary,
}

/// See [`InstallMeter`].
#[derive(Debug, Args)]
pub struct InstallMeterFlags {
    /// The usage point.
    #[arg(long, value_name = "ID")]
    usage_point: UsagePointId,
    /// The meter's key: ed25519:… or its key file.
    #[arg(long, value_name = "KEY|FILE")]
    meter_key: KeyOrFile,
    /// The first period that it measures: its number, or the time at which it begins.
    #[arg(long, value_name = "PERIOD|TIME")]
    from_period: Moment,
    /// What its import register shows then, in watt-hours.
    #[arg(long, value_name = "WH", default_value_t = 0)]
    first_import_wh: u64,
    /// What its export register shows then, in watt-hours.
    #[arg(long, value_name = "WH", default_value_t = 0)]
    first_export_wh: u64,
    /// The value in watt-hours at which its registers start again at zero; 0 = never.
    #[arg(long, value_name = "WH", default_value_t = 0)]
    register_limit_wh: u64,
    /// What the import register of the former meter showed last, in watt-hours.
    #[arg(long, value_name = "WH", requires = "former_export_wh")]
    former_import_wh: Option<u64>,
    /// What the export register of the former meter showed last, in watt-hours.
    #[arg(long, value_name = "WH", requires = "former_import_wh")]
    former_export_wh: Option<u64>,
}

/// See [`AuthorizeGateway`].
#[derive(Debug, Args)]
pub struct AuthorizeGatewayFlags {
    /// The usage points; several with commas, at most 1,000.
    #[arg(long = "usage-point", value_name = "ID", required = true, value_delimiter = ',')]
    usage_points: Vec<UsagePointId>,
    /// The gateway's party.
    #[arg(long, value_name = "ID", required_unless_present = "end")]
    gateway: Option<PartyId>,
    /// End the authorisation.
    #[arg(long, conflicts_with = "gateway")]
    end: bool,
}

impl Registry {
    /// Builds and signs it.
    pub fn sign(self, mut signatory: Signatory) -> Result<Submission, Ended> {
        match self {
            Self::AppointRegulator(flags) => {
                let key = signatory.key(&flags.regulator_key)?;
                let encryption_key = flags.encryption.key(&signatory, key)?;
                signatory.sign(AppointRegulator { alias: flags.alias, key, encryption_key })
            }
            Self::RemoveRegulator(flags) => signatory.sign(RemoveRegulator { party: flags.party }),
            Self::RegisterParty(flags) => register_party(flags, signatory),
            Self::GrantRole(RoleFlags { party, role }) => signatory.sign(GrantRole { party, role }),
            Self::RevokeRole(RoleFlags { party, role }) => {
                signatory.sign(RevokeRole { party, role })
            }
            Self::SuspendParty(flags) => signatory.sign(SuspendParty { party: flags.party }),
            Self::ReinstateParty(flags) => signatory.sign(ReinstateParty { party: flags.party }),
            Self::CloseParty(flags) => signatory.sign(CloseParty { party: flags.party }),
            Self::AddKey(flags) => {
                let key = signatory.key(&flags.new_key)?;
                signatory.sign(AddKey { key })
            }
            Self::RevokeKey(flags) => signatory.sign(RevokeKey { key: flags.address }),
            Self::RecoverKey(flags) => {
                let key = signatory.key(&flags.new_key)?;
                signatory.sign(RecoverKey { party: flags.party, key })
            }
            Self::RegisterStation(RegisterStationFlags { label, distributor }) => {
                signatory.sign(RegisterStation { label, distributor })
            }
            Self::RegisterUsagePoint(flags) => signatory.sign(RegisterUsagePoint {
                label: flags.label,
                station: flags.station,
                kind: match flags.kind {
                    KindOfPoint::Household => UsagePointKind::Household,
                    KindOfPoint::Boundary => UsagePointKind::Boundary,
                },
                customer: flags.customer,
                connection_limit: Watts::new(flags.connection_limit_w),
            }),
            Self::InstallMeter(flags) => {
                let meter = signatory.key(&flags.meter_key)?;
                let from_period = signatory.period(flags.from_period)?;
                let registers = |import, export| Registers {
                    import: WattHours::new(import),
                    export: WattHours::new(export),
                };
                let former = flags.former_import_wh.zip(flags.former_export_wh);
                signatory.sign(InstallMeter {
                    usage_point: flags.usage_point,
                    meter,
                    from_period,
                    first: registers(flags.first_import_wh, flags.first_export_wh),
                    register_limit: WattHours::new(flags.register_limit_wh),
                    former_last: former.map(|(import, export)| registers(import, export)),
                })
            }
            Self::AuthorizeGateway(flags) => {
                let usage_points = bounded("--usage-point", rising(flags.usage_points))?;
                signatory.sign(AuthorizeGateway { usage_points, gateway: flags.gateway })
            }
        }
    }
}

fn register_party(
    flags: RegisterPartyFlags,
    mut signatory: Signatory,
) -> Result<Submission, Ended> {
    let mut keys = Vec::with_capacity(flags.party_keys.len());
    for key in &flags.party_keys {
        keys.push(signatory.key(key)?);
    }
    let encryption_key = flags.encryption.key(&signatory, keys[0])?;
    signatory.sign(RegisterParty {
        alias: flags.alias,
        roles: bounded("--role", rising(flags.roles))?,
        keys: bounded("--party-key", keys)?,
        encryption_key,
        region: flags.region,
    })
}

/// A role by its name.
fn role() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new(Role::ALL.iter().map(|role| role_name(*role))).map(|name| {
        let known = Role::ALL.iter().find(|role| role_name(**role) == name);
        *known.expect("the parser lets only the names of roles pass")
    })
}

/// A role as the command line writes it.
pub const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Regulator => "regulator",
        Role::GridOperator => "grid-operator",
        Role::Distributor => "distributor",
        Role::Aggregator => "aggregator",
        Role::NetworkProvider => "network-provider",
        Role::Producer => "producer",
        Role::Consumer => "consumer",
    }
}
