//! One draft of every transaction in the table that acts when its right sender sends it, and one
//! event of every kind.
//!
//! A new line of the table without a sample fails the tests that walk over the table.

use primitives::calendar::{BillingPeriod, SettlementPeriod};
use primitives::codec::Bounded;
use primitives::hash::Hash;
use primitives::header::Certificate;
use primitives::identifier::{
    BillId, KeyAddress, LedgerId, PartyId, StationId, TariffId, TransactionId, UsagePointId,
};
use primitives::proof::Anchor;
use primitives::units::{
    BasisPoints, BlockHeight, MicroCurrency, MilliMicro, Timestamp, WattHours, Watts,
};

use super::kit::{Draft, Home, Network, by, curve, flat, hertz, key, other_ledger, reading};
use crate::Event;
use crate::account::{Account, RedeemTokens, SetBackingLimit};
use crate::billing::{
    BillIssued, CarryBill, ChargeSlots, ChargeTarget, DecideDispute, DisputeBill, FineRules,
    IssueStatement, PayDues, PayOutBill, PayOutCredit, SetFineRules, WithdrawSlotCharge, bill_id,
};
use crate::genesis::{Parameters, Privacy};
use crate::governance::{
    AdvanceClock, ApproveChange, AttestCheckpoint, Change, Endorsement, ProposeChange, RemoveNode,
    RequestCheckpoint, RotateNodeKey,
};
use crate::metering::{CorrectFrequency, DeleteFrequency, PublishStandardProfile};
use crate::notary::NotariseHead;
use crate::registry::*;
use crate::tariff::{AmendTariff, AssignTariff, AssignmentTarget, PublishTariff};
use crate::transaction::Entry;

/// The network in which every sample acts: one day measured, three tariffs, money in the wallets.
/// The first home draws, the second sells, the third has its day unsealed.
pub fn stage() -> Network {
    let mut network = Network::new();
    network.northern_tariff(curve());
    let (first, second) = (network.homes[0].clone(), network.homes[1].clone());
    for member in [first.customer.clone(), second.customer.clone(), network.grid.clone()] {
        network.fund(&member, 1_000_000_000);
    }
    let day = network.day(0);
    network.measure_day(day, std::slice::from_ref(&first), reading(250, 50));
    let seal = network.seal(&second, day, &network.even_day(day, reading(0, 250)));
    network.accept(&seal);
    let (homes, aggregator) = (network.homes.clone(), network.aggregator.id);
    for home in &homes {
        network.authorize_gateway(home, Some(aggregator));
    }
    // Whoever is appointed from here on has no voice yet.
    network.enter_epoch(1);
    network
}

/// The same on a private ledger, for the transactions that belong there.
pub fn private_stage() -> Network {
    let mut network = Network::private();
    network.northern_tariff(curve());
    let first = network.homes[0].clone();
    for member in [first.customer.clone(), network.grid.clone()] {
        network.fund(&member, 1_000_000_000);
    }
    let day = network.day(0);
    network.measure_privately(day, std::slice::from_ref(&first), reading(250, 50));
    network.enter_epoch(1);
    network
}

/// The network in which the sample of a line of the table acts.
pub fn stage_of(entry: &Entry) -> Network {
    if entry.privacy == Some(Privacy::Private) { private_stage() } else { stage() }
}

/// A draft of the named transaction, signed by its right sender; `network` becomes ready for it.
pub fn draft(name: &str, network: &mut Network) -> Draft {
    let day = network.day(0);
    let period = network.period(day, 8);
    let first_period = network.next();
    let (home, seller, open_home) =
        (network.homes[0].clone(), network.homes[1].clone(), network.homes[2].clone());
    let (grid, north) = (network.grid.key.clone(), network.north.key.clone());
    let regulator = network.regulators[0].key.clone();
    let second_regulator = network.regulators[1].key.clone();
    let owners = [network.owner[0].clone(), network.owner[1].clone()];
    let customer = home.customer.clone();
    let fresh = key("fresh");
    let party = open_home.customer.id;
    match name {
        "AppointRegulator" => by(
            &[&owners[0], &owners[1], &fresh],
            AppointRegulator {
                alias: "regulator 4".parse().unwrap(),
                key: fresh.public(),
                encryption_key: [7; 32],
            },
        ),
        "RemoveRegulator" => {
            by(&[&owners[0], &owners[1]], RemoveRegulator { party: network.regulators[2].id })
        }
        "RegisterParty" => by(
            &[&regulator, &fresh, &network.provider.key],
            network.registration("fresh", &[Role::Producer, Role::Consumer]),
        ),
        "GrantRole" => by(&[&regulator], GrantRole { party, role: Role::Aggregator }),
        "RevokeRole" => by(&[&regulator], RevokeRole { party, role: Role::Producer }),
        "SuspendParty" => by(&[&regulator], SuspendParty { party }),
        "ReinstateParty" => {
            network.suspend(party);
            by(&[&regulator], ReinstateParty { party })
        }
        "CloseParty" => by(&[&regulator], CloseParty { party }),
        "AddKey" => by(&[&customer.key, &fresh], AddKey { key: fresh.public() }),
        "RevokeKey" => {
            let body = AddKey { key: fresh.public() };
            network.accept(&by(&[&customer.key, &fresh], body));
            by(&[&customer.key], RevokeKey { key: fresh.public().address() })
        }
        "RecoverKey" => by(
            &[&regulator, &second_regulator, &network.regulators[2].key, &fresh],
            RecoverKey { party, key: fresh.public() },
        ),
        "RegisterStation" => by(
            &[&grid],
            RegisterStation { label: "east".parse().unwrap(), distributor: network.south.id },
        ),
        "RegisterUsagePoint" => by(
            &[&north],
            RegisterUsagePoint {
                label: "home 4".parse().unwrap(),
                station: network.north_station,
                kind: UsagePointKind::Household,
                customer: customer.id,
                connection_limit: Watts::new(5_000),
            },
        ),
        "InstallMeter" => {
            let former = network.shown_before(&home, network.day(1));
            let body = network.installation(home.point, &fresh);
            by(&[&north, &fresh], InstallMeter { former_last: Some(former), ..body })
        }
        "AuthorizeGateway" => by(
            &[&north],
            AuthorizeGateway {
                usage_points: vec![home.point].try_into().unwrap(),
                gateway: Some(network.aggregator.id),
            },
        ),
        "SubmitReading" => network.submit(&open_home, period, reading(250, 50)),
        "SealDay" => network.seal(&open_home, day, &network.even_day(day, reading(100, 0))),
        "CorrectReading" => network.correct(&home, period, reading(300, 50)),
        "SealGatewayBatch" => {
            let values = network.even_day(day, reading(100, 0));
            network.gateway_batch(&network.aggregator, day, &[(&open_home, values)])
        }
        "EstimateDay" => {
            let profile = network.accept(&by(&[&north], standard_profile())).id;
            network.estimate(&open_home, day, Some(profile))
        }
        "PublishStandardProfile" => by(&[&north], standard_profile()),
        "SealPrivateDay" => {
            network.seal_privately(&open_home, day, &network.even_day(day, reading(100, 0)))
        }
        "SubstituteDay" => network.substitute(&home, day, 200),
        "ErasePayloads" => {
            network.accept(&network.bill_privately(&home, day));
            network.erase(&home, day)
        }
        "IssuePrivateBill" => network.bill_privately(&home, day),
        "PublishFrequency" => {
            network.end_day(network.day(1));
            network.publish(network.period(network.day(1), 0), &[49_990, 50_010])
        }
        "CorrectFrequency" => by(&[&grid], CorrectFrequency { period, frequency: hertz(49_880) }),
        "DeleteFrequency" => by(&[&grid], DeleteFrequency { period }),
        "SealFrequencyDay" => {
            let next = network.day(1);
            network.end_day(next);
            network.accept(&network.publish(network.period(next, 0), &[50_000; 96]));
            network.seal_frequencies(next)
        }
        "PublishTariff" => {
            let tariff = Some(network.state().tariff_assignments(home.point)[0].1);
            let name = "curve".parse().unwrap();
            by(&[&north], PublishTariff { tariff, name, first_period, terms: flat(5_000_000) })
        }
        "AssignTariff" => {
            let tariff = network.state().tariff_assignments(home.point)[0].1;
            let target = AssignmentTarget::UsagePoint(home.point);
            by(&[&north], AssignTariff { target, tariff, first_period })
        }
        "AmendTariff" => {
            let tariff = network.state().tariff_assignments(home.point)[0].1;
            let terms = flat(5_000_000);
            by(&[&north, &regulator], AmendTariff { tariff, first_period: period, terms })
        }
        "ChargeSlots" => by(&[&north], charge(&home, period)),
        "WithdrawSlotCharge" => {
            network.accept(&by(&[&north], charge(&home, period)));
            by(&[&north], WithdrawSlotCharge { usage_point: home.point, period })
        }
        "IssueBill" => network.bill(&[&home], day),
        "PayBill" => {
            network.accept(&network.bill(&[&home], day));
            network.pay(&home, 1_000_000)
        }
        "PayOutBill" => {
            network.accept(&network.bill(&[&seller], day));
            let bill = bill_id(seller.point, BillingPeriod::Day { day }, 1);
            by(&[&grid], PayOutBill { bill })
        }
        "PayDues" => {
            network.accept(&network.bill(&[&home], day));
            let amount = MicroCurrency::new(1_000_000);
            by(&[&grid], PayDues { creditor: network.north.id, amount })
        }
        "DisputeBill" => {
            network.accept(&network.bill(&[&home], day));
            dispute(network, &home)
        }
        "DecideDispute" => {
            network.accept(&network.bill(&[&home], day));
            let raised = dispute(network, &home);
            network.accept(&raised);
            let bill = bill_id(home.point, BillingPeriod::Day { day }, 1);
            by(&[&regulator], DecideDispute { bill, upheld: MicroCurrency::new(500_000) })
        }
        "SetFineRules" => by(
            &[&regulator, &second_regulator, &network.regulators[2].key],
            SetFineRules { distributor: Some(network.north.id), rules: fine_rules() },
        ),
        "CarryBill" => {
            network.accept(&network.bill(&[&seller], day));
            let bill = bill_id(seller.point, BillingPeriod::Day { day }, 1);
            by(&[&north], CarryBill { bill })
        }
        "PayOutCredit" => {
            network.accept(&network.bill(&[&home], day));
            network.accept(&network.pay(&home, 500_000_000));
            let amount = MicroCurrency::new(1_000_000);
            by(&[&north], PayOutCredit { usage_point: home.point, amount })
        }
        "IssueStatement" => {
            for number in 30..122 {
                let day = network.day(number);
                network.measure_day(day, std::slice::from_ref(&home), reading(1, 0));
            }
            for month in 7..=9 {
                let month = BillingPeriod::Month { year: 2025, month };
                network.accept(&network.bill_over(&network.north, &[&home], month));
            }
            let period = BillingPeriod::Quarter { year: 2025, quarter: 3 };
            by(&[&north], IssueStatement { usage_point: home.point, period })
        }
        "BuyTokens" => network.purchase(&customer, "invoice 1", 2_000_000),
        "RedeemTokens" => by(
            &[&customer.key, &network.aggregator.key],
            RedeemTokens {
                aggregator: network.aggregator.id,
                reference: "invoice 2".parse().unwrap(),
                coin_amount: MicroCurrency::new(500_000),
                tokens: MicroCurrency::new(1_000_000),
            },
        ),
        "SetBackingLimit" => by(
            &[&regulator, &second_regulator, &network.regulators[2].key],
            SetBackingLimit {
                aggregator: network.aggregator.id,
                limit: MicroCurrency::new(1_000_000),
            },
        ),
        "RegisterNode" => network.node(&network.grid.clone(), &key("node of the grid")),
        "RemoveNode" => {
            let node = network.council().grid.public().address();
            by(&[&grid], RemoveNode { node })
        }
        "RotateNodeKey" => {
            let (from, to) = (network.council().regulator, key("spare node"));
            let spare = network.node(&network.regulators[0].clone(), &to);
            network.accept(&spare);
            let body = RotateNodeKey { from: from.public().address(), to: to.public().address() };
            by(&[&regulator, &from], body)
        }
        "ProposeChange" => {
            let change = network.council().four_seats();
            network.proposal(change)
        }
        "ApproveChange" => {
            let change = network.council().four_seats();
            let proposal = network.accept(&by(&[&regulator], ProposeChange { change })).id;
            by(&[&second_regulator], ApproveChange { proposal })
        }
        "AdmitLedger" => network.admission(&other_ledger("north channel", &[&key("n1")])),
        "NotariseHead" => {
            let (validator, other) = (key("n1"), other_ledger("north channel", &[&key("n1")]));
            network.accept(&network.admission(&other));
            let mut header = other.header();
            header.height = BlockHeight::new(7);
            header.time = header.time.plus_milliseconds(1).unwrap();
            let certificate = Certificate::solo(&header, &validator);
            let (ledger_id, head) = (other.ledger_id(), Anchor { header, certificate });
            by(&[&regulator], NotariseHead { ledger_id, set_changes: Bounded::new(), head })
        }
        "RequestCheckpoint" => by(&[&grid], RequestCheckpoint {}),
        "AttestCheckpoint" => {
            network.accept(&by(&[&grid], RequestCheckpoint {}));
            let height = BlockHeight::new(network.height);
            let root = Hash::of(b"state");
            by(&[&key("validator")], AttestCheckpoint { height, root })
        }
        "AdvanceClock" => by(
            &[&network.clock_keeper],
            AdvanceClock { to: network.time.plus_milliseconds(900_000).unwrap() },
        ),
        other => panic!("{other} has no sample: add one here"),
    }
}

/// The home's customer disputes 1 of its bill over the first day.
fn dispute(network: &Network, home: &Home) -> Draft {
    let period = BillingPeriod::Day { day: network.day(0) };
    let body = DisputeBill {
        bill: bill_id(home.point, period, 1),
        amount: MicroCurrency::new(1_000_000),
        reason_hash: Hash::new([8; 32]),
    };
    by(&[&home.customer.key], body)
}

fn fine_rules() -> FineRules {
    FineRules {
        threshold: MicroCurrency::new(500_000_000),
        grace_days: 15,
        fixed: MicroCurrency::new(50_000_000),
        daily: BasisPoints::new(5).expect("a share"),
        cap: BasisPoints::new(2_000).expect("a share"),
    }
}

/// A change of everything that is scheduled by height.
pub fn changes(network: &Network) -> Vec<Change> {
    // Two epochs after that of the next few blocks, in which they are proposed.
    let epoch = network.rules.epoch_of(network.height + 8).max(1) + 2;
    let from_height = BlockHeight::new(network.rules.first_height_of(epoch));
    let parameters = Parameters { rejections_per_hour: 200, ..Parameters::default() };
    let endorsements = vec![
        Endorsement { role: Role::Regulator, count: 1 },
        Endorsement { role: Role::Distributor, count: 1 },
    ];
    let endorsements = endorsements.try_into().unwrap();
    vec![
        Change::Parameters { from_height, parameters },
        Change::Endorsements { from_height, kind: 301, endorsements },
        Change::Protocol { from_height, version: 2 },
    ]
}

/// A household that draws most in the evening and sells at noon.
pub fn standard_profile() -> PublishStandardProfile {
    let import = |slot: u32| if slot < 68 { 40 + slot / 4 } else { 200 };
    let export = |slot: u32| if (40..56).contains(&slot) { 90 } else { 0 };
    PublishStandardProfile {
        name: "household with panels".parse().unwrap(),
        import_wh: (0..96).map(import).collect::<Vec<_>>().try_into().unwrap(),
        export_wh: (0..96).map(export).collect::<Vec<_>>().try_into().unwrap(),
    }
}

fn charge(home: &Home, first_period: SettlementPeriod) -> ChargeSlots {
    ChargeSlots { target: ChargeTarget::UsagePoint(home.point), first_period, count: 2 }
}

/// A made-up event of each kind.
pub fn event(name: &str) -> Event {
    let party = PartyId::new([1; 32]);
    let other = PartyId::new([2; 32]);
    let (key, node) = (KeyAddress::new([3; 32]), KeyAddress::new([10; 32]));
    let proposal = TransactionId::new([11; 32]);
    let usage_point = UsagePointId::new([4; 16]);
    let (station, tariff) = (StationId::new([5; 16]), TariffId::new([6; 16]));
    let bill = BillId::new([7; 16]);
    let root = Hash::new([8; 32]);
    let ledger_id = LedgerId::new([6; 32]);
    let period = SettlementPeriod::new(1_943_018);
    let day = "2025-06-01".parse().unwrap();
    let micro = MicroCurrency::new;
    match name {
        "AlreadyRecorded" => Event::AlreadyRecorded {},
        "Rejected" => Event::Rejected { numbers: vec![1, 2].try_into().unwrap() },
        "PartyRegistered" => Event::PartyRegistered { party },
        "RoleGranted" => Event::RoleGranted { party, role: Role::Distributor },
        "RoleRevoked" => Event::RoleRevoked { party, role: Role::Consumer },
        "PartyStatusChanged" => Event::PartyStatusChanged { party, status: PartyStatus::Suspended },
        "KeyAdded" => {
            Event::KeyAdded { party, key, active_from: Timestamp::new(1_748_716_200_000) }
        }
        "KeyRevoked" => Event::KeyRevoked { key },
        "StationRegistered" => Event::StationRegistered { station },
        "UsagePointRegistered" => Event::UsagePointRegistered { usage_point },
        "MeterInstalled" => Event::MeterInstalled { usage_point, meter: key, from_period: period },
        "GatewayAuthorized" => Event::GatewayAuthorized { usage_point, gateway: Some(party) },
        "ReadingSubmitted" => Event::ReadingSubmitted { usage_point, period },
        "DaySealed" => Event::DaySealed { usage_point, day, day_root: root, revision: 1 },
        "ReadingCorrected" => Event::ReadingCorrected { usage_point, period, revision: 2 },
        "FrequencyPublished" => Event::FrequencyPublished { first_period: period, count: 96 },
        "FrequencyCorrected" => Event::FrequencyCorrected {
            period,
            before: Some(hertz(50_000)),
            after: None,
            revision: 1,
        },
        "FrequencyDaySealed" => Event::FrequencyDaySealed { day, day_root: root },
        "TariffPublished" => Event::TariffPublished { tariff, version: 1, first_period: period },
        "TariffAssigned" => Event::TariffAssigned { usage_point, tariff, first_period: period },
        "SlotsCharged" => Event::SlotsCharged {
            usage_point,
            first_period: period,
            charged: 95,
            skipped: 1,
            import: WattHours::new(24_000),
            export: WattHours::new(0),
            amount: MilliMicro::new(-148_800_000_000),
        },
        "SlotChargeWithdrawn" => Event::SlotChargeWithdrawn { usage_point, period },
        "BillIssued" => Event::BillIssued(BillIssued {
            bill,
            usage_point,
            number: 1,
            period: BillingPeriod::Month { year: 2025, month: 6 },
            revision: 1,
            total: micro(-2_500_000_000),
            bill_hash: root,
            readings_root: root,
            frequency_root: root,
            tariff_hash: root,
        }),
        "BillRefused" => {
            Event::BillRefused { usage_point, period: BillingPeriod::Day { day }, code: 214 }
        }
        "BillPaid" => Event::BillPaid { bill, amount: micro(2_000_000), open: micro(500_000) },
        "CreditChanged" => Event::CreditChanged { usage_point, credit: micro(1) },
        "BillPaidOut" => Event::BillPaidOut { bill, amount: micro(2) },
        "Posted" => Event::Posted {
            debit: Account::dues(party, other),
            credit: Account::wallet(other),
            amount: micro(3),
        },
        "TokensBought" => Event::TokensBought {
            buyer: party,
            aggregator: other,
            coin_amount: micro(1),
            tokens: micro(2),
        },
        "TokensRedeemed" => Event::TokensRedeemed {
            holder: party,
            aggregator: other,
            coin_amount: micro(1),
            tokens: micro(2),
        },
        "BackingLimitSet" => Event::BackingLimitSet { aggregator: other, limit: micro(4) },
        "CreditNoteIssued" => Event::CreditNoteIssued {
            bill,
            amount: micro(2_500_000),
            released: micro(2_000_000),
            replaced_by: BillId::new([9; 16]),
        },
        "BillDisputed" => Event::BillDisputed { bill, amount: micro(5), reason_hash: root },
        "DisputeDecided" => Event::DisputeDecided { bill, amount: micro(5), upheld: micro(3) },
        "FineReversed" => {
            Event::FineReversed { usage_point, amount: micro(20_000), credited: micro(10_000) }
        }
        "FineRulesSet" => {
            Event::FineRulesSet { distributor: Some(party), from: day, rules: fine_rules() }
        }
        "BillCarried" => Event::BillCarried { bill, amount: micro(6) },
        "StatementIssued" => Event::StatementIssued {
            usage_point,
            period: BillingPeriod::Year { year: 2025 },
            revision: 1,
            total: micro(7),
            statement_hash: root,
        },
        "ReadingLate" => Event::ReadingLate { usage_point, period, late_periods: 193 },
        "DayEstimated" => Event::DayEstimated {
            usage_point,
            day,
            interpolated: 8,
            same_weekday: 36,
            standard_profile: 4,
            unmoved: 1,
        },
        "StandardProfilePublished" => Event::StandardProfilePublished {
            publisher: party,
            profile: TransactionId::new([9; 32]),
        },
        "NodeRegistered" => Event::NodeRegistered { organisation: party, node },
        "NodeRemoved" => Event::NodeRemoved { organisation: party, node },
        "ChangeProposed" => Event::ChangeProposed { proposal, proposer: party },
        "ChangeApproved" => Event::ChangeApproved { proposal, party },
        "ChangeAccepted" => Event::ChangeAccepted { proposal, acts_from: 901 },
        "ValidatorsScheduled" => Event::ValidatorsScheduled { epoch: 3, validators_hash: root },
        "LedgerAdmitted" => Event::LedgerAdmitted { ledger_id, regulator: party },
        "HeadNotarised" => {
            Event::HeadNotarised { ledger_id, height: 7, header_hash: root, regulator: party }
        }
        "ForkProven" => Event::ForkProven { ledger_id, height: 7, first: root, second: Hash::ZERO },
        "CheckpointRequested" => Event::CheckpointRequested { height: BlockHeight::new(300) },
        "CheckpointAttested" => {
            Event::CheckpointAttested { height: BlockHeight::new(300), root, validator: node }
        }
        "PayloadsErased" => {
            Event::PayloadsErased { usage_point, first_day: day, last_day: day, by: party }
        }
        "CreditPaidOut" => Event::CreditPaidOut { usage_point, amount: micro(8) },
        "CheckpointAgreed" => Event::CheckpointAgreed { height: BlockHeight::new(300), root },
        "ClockAdvanced" => Event::ClockAdvanced { to: Timestamp::new(1_748_716_200_000) },
        other => panic!("{other} has no sample: add one here"),
    }
}
