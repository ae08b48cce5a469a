//! The first transactions of a network: its organisations, stations, households and meters.
//!
//! They follow from the keys and the genesis alone, to the last byte. So an interrupted registration
//! is simply sent again: the ledger takes each transaction once and answers with what became of it.

use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use client::connection::{Connection, ConnectionError, SubmitStatus};
use client::transaction_builder::Signer;
use contracts::account::SetBackingLimit;
use contracts::governance::RegisterNode;
use contracts::metering::Registers;
use contracts::registry::{
    AppointRegulator, InstallMeter, RegisterParty, RegisterStation, RegisterUsagePoint, Role,
    UsagePointKind,
};
use contracts::{Body, Genesis, Rules};
use primitives::codec::{Bounded, Text};
use primitives::envelope::Submission;
use primitives::identifier::{PartyId, StationId, UsagePointId};
use primitives::key::SigningKey;
use primitives::units::{MicroCurrency, Sequence, Timestamp, WattHours, Watts};

use super::folder::{Folder, NetworkFile, NodeEntry};
use super::founding::{household, meter};
use super::organisations::Organisation;
use crate::commands::keys::{Passphrase, read_key};
use crate::directory::Directory;
use crate::exit::{EndWith, Ended, Exit};

/// For so long after the genesis the registration can be sent: the rules allow 24 hours.
const VALID_MS: u64 = 23 * 3_600 * 1_000;
/// Tokens that the aggregator may issue: a thousand million.
const BACKING_LIMIT: MicroCurrency = MicroCurrency::new(1_000_000_000_000_000);
/// What a household's connection carries.
const CONNECTION_WATTS: i64 = 25_000;
/// Usage points below one station; the rules allow 1,000.
const PER_STATION: u32 = 500;

/// Transactions that need those of the step before.
pub struct Step {
    /// What it does.
    pub name: &'static str,
    /// The transactions.
    pub submissions: Vec<Submission>,
}

/// A validator of the genesis, whose seat an organisation claims.
pub struct Seat {
    /// Its key.
    pub key: SigningKey,
    /// Where it listens for the others.
    pub peer: String,
}

/// The registration of a network, step after step.
///
/// # Errors
/// When a key cannot be read.
pub fn steps(
    folder: &Folder,
    genesis: Genesis,
    organisations: &[Organisation],
    network: &NetworkFile,
) -> Result<Vec<Step>, Ended> {
    let seat = |node: &NodeEntry| -> Result<Seat, Ended> {
        let directory = Directory::existing(&folder.node(&node.name))?;
        let key = read_key(&directory.node_key_file(), &Passphrase::default())?;
        Ok(Seat { key, peer: node.peer.to_string() })
    };
    let seats = network.nodes.iter().map(seat).collect::<Result<Vec<_>, _>>()?;
    let founders = Founders { owner: folder.key("owner")?, organisations, seats };
    steps_of(folder, genesis, founders, network.households)
}

/// Who founds a ledger.
pub struct Founders<'a> {
    /// The owner's key.
    pub owner: SigningKey,
    /// The organisations, whose keys lie in the network's folder.
    pub organisations: &'a [Organisation],
    /// Their validators, in the same order.
    pub seats: Vec<Seat>,
}

/// The registration of a ledger, step after step.
///
/// # Errors
/// When a key cannot be read.
pub fn steps_of(
    folder: &Folder,
    genesis: Genesis,
    founders: Founders<'_>,
    households: u32,
) -> Result<Vec<Step>, Ended> {
    let Founders { owner, organisations, seats } = founders;
    let valid_until = genesis.time.plus_milliseconds(VALID_MS).map_err(anyhow::Error::from)?;
    let rules = Rules::new(genesis).end_with(Exit::Usage)?;
    let with_key = |one: &Organisation| -> Result<Member, Ended> {
        let signer = Signer::new(folder.key(&one.name)?, rules.ledger_id(), Sequence::new(1));
        Ok(Member { organisation: one.clone(), signer, party: PartyId::default() })
    };
    let members = organisations.iter().map(with_key).collect::<Result<Vec<_>, _>>()?;
    let owner = Signer::new(owner, rules.ledger_id(), Sequence::new(1));
    let registration =
        Registration { folder, rules, valid_until, owner, members, steps: Vec::new() };
    registration.run(seats, households)
}

/// An organisation on the ledger.
struct Member {
    organisation: Organisation,
    signer: Signer,
    party: PartyId,
}

struct Registration<'a> {
    folder: &'a Folder,
    rules: Rules,
    valid_until: Timestamp,
    owner: Signer,
    members: Vec<Member>,
    steps: Vec<Step>,
}

impl Registration<'_> {
    fn run(mut self, seats: Vec<Seat>, households: u32) -> Result<Vec<Step>, Ended> {
        let provider = self.first(Role::NetworkProvider)?;
        let regulator = self.first(Role::Regulator)?;
        self.appoint()?;
        self.register(regulator, provider, None)?;
        let others: Vec<usize> = (0..self.members.len())
            .filter(|member| *member != provider && !self.members[*member].is_regulator())
            .collect();
        for member in others {
            self.register(regulator, member, Some(provider))?;
        }
        self.claim_seats(seats)?;
        let aggregator = self.members[provider].party;
        let body = SetBackingLimit { aggregator, limit: BACKING_LIMIT };
        self.add("set the backing limit", regulator, body, &[])?;
        let stations = self.stations(households)?;
        self.households(households, (regulator, provider), &stations)?;
        Ok(self.steps)
    }

    fn first(&self, role: Role) -> Result<usize, Ended> {
        let place = self.members.iter().position(|member| member.organisation.is(role));
        Ok(place.context("every network has a grid operator and a regulator")?)
    }

    /// The owner's council appoints the regulators.
    fn appoint(&mut self) -> Result<(), Ended> {
        let mut submissions = Vec::new();
        for member in &mut self.members {
            if !member.is_regulator() {
                continue;
            }
            let key = member.signer.key();
            let body = AppointRegulator {
                alias: text(&member.organisation.name)?,
                key: key.public(),
                encryption_key: client::encryption_key::public(key),
            };
            let signed = self.owner.submission(body, Vec::new(), &[key], self.valid_until);
            let signed = signed.map_err(anyhow::Error::from)?;
            member.party = PartyId::from_transaction(&signed.transaction.id());
            submissions.push(signed);
        }
        self.steps.push(Step { name: "appoint the regulator", submissions });
        Ok(())
    }

    /// A regulator registers an organisation; the provider countersigns all but itself.
    fn register(
        &mut self,
        regulator: usize,
        member: usize,
        provider: Option<usize>,
    ) -> Result<(), Ended> {
        let Member { organisation, signer, .. } = &self.members[member];
        let key = signer.key().clone();
        let body = party_of(&organisation.name, organisation.roles.clone(), &key)?;
        let provider = provider.map(|provider| self.members[provider].signer.key().clone());
        let cosigners: Vec<&SigningKey> = std::iter::once(&key).chain(provider.as_ref()).collect();
        let name = if provider.is_none() {
            "register the grid operator"
        } else {
            "register the organisations"
        };
        let id = self.add(name, regulator, body, &cosigners)?;
        self.members[member].party = PartyId::from_transaction(&id);
        Ok(())
    }

    /// Every organisation claims its validator's seat in the genesis, and says where it listens.
    fn claim_seats(&mut self, seats: Vec<Seat>) -> Result<(), Ended> {
        for (member, Seat { key, peer }) in seats.into_iter().enumerate() {
            let body = RegisterNode { key: key.public(), peer_address: text(&peer)? };
            self.add("claim the validators' seats", member, body, &[&key])?;
        }
        Ok(())
    }

    /// Stations of every distributor, as many as its households need; its index beside each.
    fn stations(&mut self, households: u32) -> Result<Vec<(StationId, usize)>, Ended> {
        let operator = self.first(Role::GridOperator)?;
        let is_distributor = |member: &usize| {
            *member != operator && self.members[*member].organisation.is(Role::Distributor)
        };
        let distributors: Vec<usize> = (0..self.members.len()).filter(is_distributor).collect();
        let each = (households.div_ceil(PER_STATION * distributors.len().max(1) as u32)).max(1);
        let mut stations = Vec::new();
        for number in 1..=each {
            for &distributor in &distributors {
                let Member { organisation, party, .. } = &self.members[distributor];
                let label = text(&format!("{}-{number}", organisation.name))?;
                let body = RegisterStation { label, distributor: *party };
                let id = self.add("register the stations", operator, body, &[])?;
                stations.push((StationId::from_transaction(&id), distributor));
            }
        }
        Ok(stations)
    }

    /// Households with a usage point and a meter each, spread over the stations.
    fn households(
        &mut self,
        households: u32,
        (regulator, provider): (usize, usize),
        stations: &[(StationId, usize)],
    ) -> Result<(), Ended> {
        let provider = self.members[provider].signer.key().clone();
        let from_period = self.rules.period_at(self.rules.genesis().time);
        // One step each, not one household after the other: a step is one request.
        let mut customers = Vec::new();
        for number in 1..=households {
            let key = self.folder.key(&household(number))?;
            let roles = vec![Role::Producer, Role::Consumer];
            let body = party_of(&household(number), roles, &key)?;
            let id = self.add("register the households", regulator, body, &[&key, &provider])?;
            customers.push(PartyId::from_transaction(&id));
        }
        let places = stations.iter().cycle().copied();
        let mut points = Vec::new();
        for ((number, customer), (station, distributor)) in (1..).zip(customers).zip(places) {
            let body = RegisterUsagePoint {
                label: text(&household(number))?,
                station,
                kind: UsagePointKind::Household,
                customer,
                connection_limit: Watts::new(CONNECTION_WATTS),
            };
            let id = self.add("register the usage points", distributor, body, &[])?;
            points.push((UsagePointId::from_transaction(&id), distributor));
        }
        for (number, (usage_point, distributor)) in (1..).zip(points) {
            let key = self.folder.key(&meter(number))?;
            let body = InstallMeter {
                usage_point,
                meter: key.public(),
                from_period,
                first: Registers::ZERO,
                register_limit: WattHours::ZERO,
                former_last: None,
            };
            self.add("install the meters", distributor, body, &[&key])?;
        }
        Ok(())
    }

    /// Signs a transaction of a step.
    fn add(
        &mut self,
        step: &'static str,
        signer: usize,
        body: impl Into<Body>,
        cosigners: &[&SigningKey],
    ) -> Result<primitives::identifier::TransactionId, Ended> {
        let signer = &mut self.members[signer].signer;
        let submission = signer.submission(body, Vec::new(), cosigners, self.valid_until);
        let submission = submission.map_err(anyhow::Error::from)?;
        let id = submission.transaction.id();
        match self.steps.last_mut().filter(|last| last.name == step) {
            Some(last) => last.submissions.push(submission),
            None => self.steps.push(Step { name: step, submissions: vec![submission] }),
        }
        Ok(id)
    }
}

impl Member {
    fn is_regulator(&self) -> bool {
        self.organisation.is(Role::Regulator)
    }
}

pub fn text<const MAX: usize>(text: &str) -> Result<Text<MAX>, Ended> {
    Ok(Text::new(text.to_owned()).map_err(anyhow::Error::from)?)
}

pub fn party_of(name: &str, roles: Vec<Role>, key: &SigningKey) -> Result<RegisterParty, Ended> {
    Ok(RegisterParty {
        alias: text(name)?,
        roles: Bounded::try_from(roles).map_err(anyhow::Error::from)?,
        keys: Bounded::try_from(vec![key.public()]).map_err(anyhow::Error::from)?,
        encryption_key: client::encryption_key::public(key),
        region: Text::default(),
    })
}

/// Sends a step until it is answered, in a session of `reader` where the ledger demands one. Sending
/// again what was taken before changes nothing.
///
/// # Errors
/// When it is not accepted, or not answered in time.
pub fn send(
    url: &str,
    reader: Option<&SigningKey>,
    step: &Step,
    until: Instant,
) -> Result<(), Ended> {
    for batch in step.submissions.chunks(1_000) {
        let outcomes = loop {
            let connection = Connection::with_timeout(url, Duration::from_secs(10));
            let result = connection.and_then(|connection| {
                if let Some(reader) = reader {
                    connection.enter(reader.clone())?;
                }
                connection.submit(batch)
            });
            match result {
                Ok(outcomes) => break outcomes,
                Err(error) if Instant::now() < until && may_pass(&error) => {
                    std::thread::sleep(Duration::from_millis(100));
                }
                Err(error) => return Err(crate::commands::connect::ended(error)),
            }
        };
        for outcome in outcomes {
            if outcome.status != SubmitStatus::Accepted {
                return Err(anyhow!(
                    "{}: not accepted: {} {}",
                    step.name,
                    outcome.name,
                    outcome.detail
                ))
                .end_with(Exit::Failure);
            }
        }
    }
    Ok(())
}

const fn may_pass(error: &ConnectionError) -> bool {
    matches!(error, ConnectionError::Unreachable { .. } | ConnectionError::Overloaded { .. })
}
