//! Members: parties, usage points and meters with fresh keys, from one table.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Args;
use client::connection::Connection;
use client::transaction_builder::{Signer, new_key};
use contracts::metering::Registers;
use contracts::registry::{InstallMeter, RegisterParty, RegisterUsagePoint, Role, UsagePointKind};
use contracts::{Body, Rules};
use primitives::codec::Text;
use primitives::envelope::Submission;
use primitives::identifier::{PartyId, StationId, UsagePointId};
use primitives::key::SigningKey;
use primitives::units::{WattHours, Watts};
use serde_json::{Value, json};

use super::delivery::{Delivery, Item};
use crate::cli::Global;
use crate::commands::connect::{self, NodeAddress, ended};
use crate::commands::keys::{Protect, write_key};
use crate::commands::submit::csv_file::{self, Columns, Row};
use crate::commands::submit::{valid_until, write_whole};
use crate::exit::{EndWith, Ended, Exit};

/// How long a registration may wait for its block, in minutes.
const VALID_FOR: u64 = 60;
/// Rows of one round of requests.
const ROUND: usize = 100;

/// See [`super::Import`].
#[derive(Debug, Args)]
pub struct Members {
    /// The table: columns alias, label, station (its label or id) and, if wanted, role, region and
    /// connection_limit_w.
    #[arg(value_name = "FILE.csv")]
    file: PathBuf,
    /// The folder for key files: party-ALIAS.key and LABEL.key. Keys that are there are used.
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
    /// The regulator's key, which admits parties.
    #[arg(long, value_name = "FILE")]
    regulator_key: PathBuf,
    /// The network provider's key, which countersigns where the ledger demands it.
    #[arg(long, value_name = "FILE")]
    network_provider_key: Option<PathBuf>,
    /// The distributor's key, which registers usage points and meters.
    #[arg(long, value_name = "FILE")]
    distributor_key: PathBuf,
    /// Read and check only; no key is made, nothing is signed or sent.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    protect: Protect,
    #[command(flatten)]
    node: NodeAddress,
}

/// A row.
struct Member {
    line: u64,
    alias: Text<64>,
    label: Text<64>,
    station: String,
    roles: Vec<Role>,
    region: Text<32>,
    connection_limit: Watts,
}

/// A member with its keys and what the ledger knows of it.
struct Joining {
    member: Member,
    station: StationId,
    party_key: SigningKey,
    meter_key: SigningKey,
    party: Option<PartyId>,
    usage_point: Option<UsagePointId>,
    installed: bool,
}

impl Members {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        let members = self.read()?;
        let node = self.node.connect_with(|| self.protect.open(&self.regulator_key).map(Some))?;
        let rules = connect::rules(&node)?;
        let stations = stations(&node)?;
        for member in &members {
            station_of(member, &stations)
                .map_err(|reason| anyhow!("{}: {reason}", self.file.display()))
                .end_with(Exit::Usage)?;
        }
        if self.dry_run {
            let more = json!({ "members": members.len(), "dry_run": true });
            return Delivery::new(&node, 0, "transactions")?.finish()?.show(
                "transactions",
                &more,
                global,
            );
        }
        // Asked before anything is made or sent.
        let passphrase = self.protect.new_passphrase()?;
        let office = Office::open(&self, &node, &rules)?;
        let points = usage_points(&node)?;
        make_folder(&self.keys)?;
        let mut joining = Vec::with_capacity(members.len());
        for member in members {
            let station = station_of(&member, &stations).map_err(|reason| anyhow!(reason))?;
            joining.push(self.keys_of(&node, member, station, passphrase.as_ref(), &points)?);
        }
        self.register(&node, office, joining, global)
    }

    fn register(
        &self,
        node: &Connection,
        mut office: Office<'_>,
        mut joining: Vec<Joining>,
        global: &Global,
    ) -> Result<Exit, Ended> {
        let mut delivery = Delivery::new(node, 3 * joining.len() as u64, "transactions")?;
        for round in joining.chunks_mut(ROUND) {
            for act in [Act::Party, Act::UsagePoint, Act::Meter] {
                office.act(act, round, &mut delivery)?;
            }
            if delivery.stopped() {
                break;
            }
        }
        let report = delivery.finish()?;
        let list = self.keys.join("members.csv");
        write_whole(&list, list_of(&joining)?.as_bytes())?;
        let whole = joining.iter().filter(|it| it.installed).count();
        let more = json!({
            "members": joining.len(), "installed": whole, "list": list.display().to_string(),
        });
        report.show("transactions", &more, global)
    }

    fn read(&self) -> Result<Vec<Member>, Ended> {
        let columns = Columns {
            required: &["alias", "label", "station"],
            optional: &["role", "region", "connection_limit_w"],
        };
        let mut seen = BTreeSet::new();
        csv_file::read(&self.file, &columns, |row| {
            let member = member(row)?;
            for name in [format!("party-{}", member.alias), member.label.to_string()] {
                if !seen.insert(name.clone()) {
                    return Err(format!("{name:?} stands twice"));
                }
            }
            Ok(member)
        })
    }

    /// Opens the keys of a member, or makes them; asks the node what it knows.
    fn keys_of(
        &self,
        node: &Connection,
        member: Member,
        station: StationId,
        passphrase: Option<&String>,
        points: &Points,
    ) -> Result<Joining, Ended> {
        let key = |name: String| -> Result<(SigningKey, Value), Ended> {
            let file = self.keys.join(name);
            let key = if file.exists() {
                self.protect.open(&file)?
            } else {
                let key = new_key().context("the operating system gives no random bytes")?;
                write_key(&file, &key, passphrase)?;
                key
            };
            let path = format!("/v1/keys/{}", key.public().address());
            Ok((key, node.get_json(&path).map_err(ended)?))
        };
        let (party_key, party) = key(format!("party-{}.key", member.alias))?;
        let (meter_key, meter) = key(format!("{}.key", member.label))?;
        let party = party["party"].as_str().and_then(|id| id.parse().ok());
        let measured = meter["usage_point"].as_str().and_then(|id| id.parse().ok());
        let known = points.get(&(member.label.to_string(), station));
        let known = known.filter(|(_, customer)| Some(*customer) == party).map(|(id, _)| *id);
        let usage_point = measured.or(known);
        let installed = measured.is_some();
        Ok(Joining { member, station, party_key, meter_key, party, usage_point, installed })
    }
}

fn member(row: &Row<'_>) -> Result<Member, String> {
    let name = |column| {
        row.read(column, |cell| {
            if cell.contains(['/', '\\']) || cell.starts_with('.') {
                return Err(format!("{cell:?} is no name of a key file"));
            }
            Text::<64>::new(cell).map_err(|error| error.to_string())
        })
    };
    let roles = match row.cell("role").unwrap_or("consumer") {
        "consumer" => vec![Role::Consumer],
        "producer" => vec![Role::Producer],
        "prosumer" => vec![Role::Producer, Role::Consumer],
        other => return Err(format!("role: {other:?}: wanted is consumer, producer or prosumer")),
    };
    let limit = row.cell("connection_limit_w").unwrap_or("11000").parse().ok();
    let limit = limit.filter(|limit: &i64| *limit > 0);
    Ok(Member {
        line: row.line,
        alias: name("alias")?,
        label: name("label")?,
        station: row.read("station", |cell| Ok(cell.to_owned()))?,
        roles,
        region: Text::new(row.cell("region").unwrap_or("")).map_err(|error| error.to_string())?,
        connection_limit: Watts::new(
            limit.ok_or("connection_limit_w: wanted are whole watts above 0")?,
        ),
    })
}

/// Stations by label.
fn stations(node: &Connection) -> Result<BTreeMap<String, StationId>, Ended> {
    let items = connect::all(node, "/v1/stations")?;
    let row = |item: &Value| {
        Some((item["label"].as_str()?.to_owned(), item["station"].as_str()?.parse().ok()?))
    };
    Ok(items.iter().filter_map(row).collect())
}

fn station_of(member: &Member, known: &BTreeMap<String, StationId>) -> Result<StationId, String> {
    if let Some(id) = known.get(&member.station) {
        return Ok(*id);
    }
    let id = member.station.parse().ok().filter(|id| known.values().any(|known| known == id));
    id.ok_or_else(|| format!("line {}: there is no station {:?}", member.line, member.station))
}

/// Usage points by label and station, with their customers.
type Points = BTreeMap<(String, StationId), (UsagePointId, PartyId)>;

/// The usage points whose labels the node shows.
fn usage_points(node: &Connection) -> Result<Points, Ended> {
    let items = connect::all(node, "/v1/usage-points")?;
    let row = |item: &Value| {
        let field = |name: &str| item[name].as_str();
        let label = field("label")?.to_owned();
        let place = (label, field("station")?.parse().ok()?);
        Some((place, (field("usage_point")?.parse().ok()?, field("customer")?.parse().ok()?)))
    };
    Ok(items.iter().filter_map(row).collect())
}

fn make_folder(folder: &Path) -> Result<(), Ended> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    Ok(())
}

/// Those who admit members.
struct Office<'a> {
    node: &'a Connection,
    rules: &'a Rules,
    regulator: Signer,
    distributor: Signer,
    network_provider: Option<SigningKey>,
}

/// The three transactions of a member, in their order.
#[derive(Debug, Clone, Copy)]
enum Act {
    Party,
    UsagePoint,
    Meter,
}

impl<'a> Office<'a> {
    fn open(members: &Members, node: &'a Connection, rules: &'a Rules) -> Result<Self, Ended> {
        let key = |file: &Path| members.protect.open(file);
        let distributor = key(&members.distributor_key)?;
        // It sees the labels of its own usage points.
        node.log_in(distributor.clone()).map_err(ended)?;
        let provider = members.network_provider_key.as_deref().map(key).transpose()?;
        Ok(Self {
            node,
            rules,
            regulator: node.signer(key(&members.regulator_key)?).map_err(ended)?,
            distributor: node.signer(distributor).map_err(ended)?,
            network_provider: provider,
        })
    }

    /// Sends one act of each member, and notes what it led to.
    fn act(
        &mut self,
        act: Act,
        round: &mut [Joining],
        delivery: &mut Delivery<'_>,
    ) -> Result<(), Ended> {
        let mut sent = Vec::new();
        for (index, joining) in round.iter().enumerate() {
            if joining.has(act) {
                delivery.already();
                continue;
            }
            // What it waits for was refused, and is told there.
            let Some(submission) = self.build(act, joining)? else { continue };
            let Member { line, alias, label, .. } = &joining.member;
            let what = format!("{alias} with {label}");
            sent.push((index, submission.clone()));
            if !delivery.send(Item { line: *line, what, submission })? {
                return Ok(());
            }
        }
        for (taken, (index, submission)) in delivery.flush()?.into_iter().zip(sent) {
            if taken {
                round[index].note(&submission);
            }
        }
        Ok(())
    }

    fn build(&mut self, act: Act, joining: &Joining) -> Result<Option<Submission>, Ended> {
        let Joining { member, party_key, meter_key, .. } = joining;
        let until = valid_until(self.rules, Some(self.node), VALID_FOR)?;
        let (signer, body, cosigners): (_, Body, _) = match act {
            Act::Party => {
                let body = RegisterParty {
                    alias: member.alias.clone(),
                    roles: member.roles.clone().try_into().end_with(Exit::Usage)?,
                    keys: vec![party_key.public()].try_into().end_with(Exit::Usage)?,
                    encryption_key: client::encryption_key::public(party_key),
                    region: member.region.clone(),
                };
                let mut cosigners = vec![party_key];
                cosigners.extend(self.network_provider.as_ref());
                (&mut self.regulator, body.into(), cosigners)
            }
            Act::UsagePoint => {
                let Some(customer) = joining.party else { return Ok(None) };
                let body = RegisterUsagePoint {
                    label: member.label.clone(),
                    station: joining.station,
                    kind: UsagePointKind::Household,
                    customer,
                    connection_limit: member.connection_limit,
                };
                (&mut self.distributor, body.into(), Vec::new())
            }
            Act::Meter => {
                let Some(usage_point) = joining.usage_point else { return Ok(None) };
                // From the ledger's first period on, so that files of the past can be imported.
                let body = InstallMeter {
                    usage_point,
                    meter: meter_key.public(),
                    from_period: self.rules.period_at(self.rules.genesis().time),
                    first: Registers::ZERO,
                    register_limit: WattHours::ZERO,
                    former_last: None,
                };
                (&mut self.distributor, body.into(), vec![meter_key])
            }
        };
        signer.submission(body, Vec::new(), &cosigners, until).map(Some).end_with(Exit::Usage)
    }
}

impl Joining {
    /// Whether the ledger has it already.
    const fn has(&self, act: Act) -> bool {
        match act {
            Act::Party => self.party.is_some(),
            Act::UsagePoint => self.usage_point.is_some(),
            Act::Meter => self.installed,
        }
    }

    /// Takes down what an accepted transaction made.
    fn note(&mut self, submission: &Submission) {
        let id = submission.transaction.id();
        if self.party.is_none() {
            self.party = Some(PartyId::from_transaction(&id));
        } else if self.usage_point.is_none() {
            self.usage_point = Some(UsagePointId::from_transaction(&id));
        } else {
            self.installed = true;
        }
    }
}

/// The list of the members with their ids.
fn list_of(joining: &[Joining]) -> Result<String, Ended> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = |cells: [&str; 4]| writer.write_record(cells).map_err(anyhow::Error::from);
    write(["alias", "label", "party", "usage_point"])?;
    for it in joining.iter().filter(|it| it.installed) {
        let party = it.party.map(|id| id.to_string()).unwrap_or_default();
        let usage_point = it.usage_point.map(|id| id.to_string()).unwrap_or_default();
        write([it.member.alias.as_str(), it.member.label.as_str(), &party, &usage_point])?;
    }
    let bytes = writer.into_inner().map_err(|error| anyhow!("{error}"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
