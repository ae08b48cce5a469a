//! One line for each transaction without payload, and the body that it must become.

use std::path::Path;

use contracts::Genesis;
use contracts::account::{BuyTokens, RedeemTokens, SetBackingLimit};
use contracts::billing::{
    CarryBill, ChargeSlots, ChargeTarget, DecideDispute, DisputeBill, FineRules, IssueBill,
    IssueStatement, PayBill, PayDues, PayOutBill, PayOutCredit, SetFineRules, WithdrawSlotCharge,
};
use contracts::genesis::Parameters;
use contracts::governance::{
    AdvanceClock, ApproveChange, AttestCheckpoint, Change, Endorsement, ProposeChange,
    RegisterNode, RemoveNode, RequestCheckpoint, RotateNodeKey,
};
use contracts::metering::{
    CorrectFrequency, DeleteFrequency, PublishFrequency, PublishStandardProfile, Registers,
};
use contracts::notary::{AdmitLedger, NotariseHead};
use contracts::registry::{
    AddKey, AppointRegulator, AuthorizeGateway, CloseParty, GrantRole, InstallMeter, RecoverKey,
    RegisterParty, RegisterStation, RegisterUsagePoint, ReinstateParty, RemoveRegulator, RevokeKey,
    RevokeRole, Role, SuspendParty, UsagePointKind,
};
use contracts::tariff::{
    AmendTariff, AssignTariff, AssignmentTarget, ExportRule, PriceRule, PublishTariff, TariffTerms,
};
use primitives::codec::Bounded;
use primitives::hash::Hash;
use primitives::header::Certificate;
use primitives::proof::{Anchor, HeadProof};
use primitives::units::{
    BasisPoints, BlockHeight, MicroCurrency, MicroPerKilowattHour, MilliHertz, Timestamp,
    WattHours, Watts,
};

use super::*;

/// One line for each transaction without payload, and the body that it must become.
#[expect(clippy::too_many_lines, reason = "a list of cases")]
pub(super) fn samples(dir: &Path) -> Vec<(&'static str, Body)> {
    let alias = || "home-17".parse().unwrap();
    let flat = PriceRule::Flat { price: MicroPerKilowattHour::new(5_000_000) };
    std::fs::write(
        dir.join("flat.toml"),
        "format = \"gridtally-tariff/1\"\nname = \"home-17\"\n\n[import]\nkind = \"flat\"\n\
         price = \"5\"\n\n[export]\nkind = \"same-as-import\"\n",
    )
    .unwrap();
    let mut day = "date,time,freq_hz\n2026-06-30,23:45,49.5\n".to_owned();
    for slot in 0..96 {
        day.push_str(&format!("2026-07-01,{:02}:{:02},50.01\n", slot / 4, slot % 4 * 15));
    }
    std::fs::write(dir.join("day.csv"), day).unwrap();
    let profile = format!("import_wh,export_wh\n{}", "250,7\n".repeat(96));
    std::fs::write(dir.join("profile.csv"), profile).unwrap();
    let other = other_ledger();
    client::genesis_file::write(&dir.join("other.json"), &other).unwrap();
    let (head, file) = other_head(&other);
    std::fs::write(dir.join("head.json"), file).unwrap();
    vec![
        (
            "appoint-regulator --alias home-17 --regulator-key $KEY --encryption-key \
             0707070707070707070707070707070707070707070707070707070707070707",
            AppointRegulator { alias: alias(), key: KEY, encryption_key: [7; 32] }.into(),
        ),
        ("remove-regulator --party $PARTY", RemoveRegulator { party: PARTY }.into()),
        (
            "register-party --alias home-17 --role producer,consumer --role grid-operator \
             --party-key $KEY --region north --encryption-key \
             0909090909090909090909090909090909090909090909090909090909090909",
            RegisterParty {
                alias: alias(),
                roles: vec![Role::GridOperator, Role::Producer, Role::Consumer].try_into().unwrap(),
                keys: vec![KEY].try_into().unwrap(),
                encryption_key: [9; 32],
                region: "north".parse().unwrap(),
            }
            .into(),
        ),
        (
            "grant-role --party $PARTY --role network-provider",
            GrantRole { party: PARTY, role: Role::NetworkProvider }.into(),
        ),
        (
            "revoke-role --party $PARTY --role aggregator",
            RevokeRole { party: PARTY, role: Role::Aggregator }.into(),
        ),
        ("suspend-party --party $PARTY", SuspendParty { party: PARTY }.into()),
        ("reinstate-party --party $PARTY", ReinstateParty { party: PARTY }.into()),
        ("close-party --party $PARTY", CloseParty { party: PARTY }.into()),
        ("add-key --new-key $KEY", AddKey { key: KEY }.into()),
        ("revoke-key --address $ADDRESS", RevokeKey { key: ADDRESS }.into()),
        ("recover-key --party $PARTY --new-key $KEY", RecoverKey { party: PARTY, key: KEY }.into()),
        (
            "register-station --label home-17 --distributor $PARTY",
            RegisterStation { label: alias(), distributor: PARTY }.into(),
        ),
        (
            "register-usage-point --label home-17 --station $STATION --kind boundary \
             --customer $PARTY --connection-limit-w 11000",
            RegisterUsagePoint {
                label: alias(),
                station: STATION,
                kind: UsagePointKind::Boundary,
                customer: PARTY,
                connection_limit: Watts::new(11_000),
            }
            .into(),
        ),
        (
            "install-meter --usage-point $POINT --meter-key $KEY --from-period 1980938",
            InstallMeter {
                usage_point: POINT,
                meter: KEY,
                from_period: MIDNIGHT,
                first: Registers::ZERO,
                register_limit: WattHours::ZERO,
                former_last: None,
            }
            .into(),
        ),
        (
            "install-meter --usage-point $POINT --meter-key $KEY --from-period 1980938 \
             --first-import-wh 120 --first-export-wh 3 --register-limit-wh 1000000 \
             --former-import-wh 4810250 --former-export-wh 7",
            InstallMeter {
                usage_point: POINT,
                meter: KEY,
                from_period: MIDNIGHT,
                first: registers(120, 3),
                register_limit: WattHours::new(1_000_000),
                former_last: Some(registers(4_810_250, 7)),
            }
            .into(),
        ),
        (
            "authorize-gateway --usage-point $OTHER,$POINT --gateway $PARTY",
            AuthorizeGateway {
                usage_points: vec![POINT, OTHER_POINT].try_into().unwrap(),
                gateway: Some(PARTY),
            }
            .into(),
        ),
        (
            "authorize-gateway --usage-point $POINT --end",
            AuthorizeGateway { usage_points: vec![POINT].try_into().unwrap(), gateway: None }
                .into(),
        ),
        (
            "publish-frequency --first-period 2026-07-01T00:00:00+05:30 --hertz 50.012,49.98",
            PublishFrequency {
                first_period: MIDNIGHT,
                frequencies: millihertz(&[50_012, 49_980]).try_into().unwrap(),
            }
            .into(),
        ),
        (
            "publish-standard-profile --name home-17 --file $DIR/profile.csv",
            PublishStandardProfile {
                name: alias(),
                import_wh: vec![250; 96].try_into().unwrap(),
                export_wh: vec![7; 96].try_into().unwrap(),
            }
            .into(),
        ),
        (
            "publish-frequency --day 2026-07-01 --file $DIR/day.csv",
            PublishFrequency {
                first_period: MIDNIGHT,
                frequencies: millihertz(&[50_010; 96]).try_into().unwrap(),
            }
            .into(),
        ),
        (
            "correct-frequency --period 1980938 --millihertz 50013",
            CorrectFrequency { period: MIDNIGHT, frequency: MilliHertz::new(50_013).unwrap() }
                .into(),
        ),
        (
            "delete-frequency --period 2026-06-30T18:30:00Z",
            DeleteFrequency { period: MIDNIGHT }.into(),
        ),
        (
            "publish-tariff $DIR/flat.toml --first-period 1980938",
            PublishTariff {
                tariff: None,
                name: alias(),
                first_period: MIDNIGHT,
                terms: TariffTerms::energy(flat.clone(), ExportRule::SameAsImport),
            }
            .into(),
        ),
        (
            "amend-tariff $DIR/flat.toml --tariff $TARIFF --first-period 1980938",
            AmendTariff {
                tariff: TARIFF,
                first_period: MIDNIGHT,
                terms: TariffTerms::energy(flat, ExportRule::SameAsImport),
            }
            .into(),
        ),
        (
            "assign-tariff --station $STATION --tariff $TARIFF --first-period 1980938",
            AssignTariff {
                target: AssignmentTarget::Station(STATION),
                tariff: TARIFF,
                first_period: MIDNIGHT,
            }
            .into(),
        ),
        (
            "charge-slots --station $STATION --day 2026-07-01",
            ChargeSlots {
                target: ChargeTarget::Station(STATION),
                first_period: MIDNIGHT,
                count: 96,
            }
            .into(),
        ),
        (
            "charge-slots --usage-point $POINT --first-period 1980938 --count 3",
            ChargeSlots {
                target: ChargeTarget::UsagePoint(POINT),
                first_period: MIDNIGHT,
                count: 3,
            }
            .into(),
        ),
        (
            "withdraw-slot-charge --usage-point $POINT --period 1980938",
            WithdrawSlotCharge { usage_point: POINT, period: MIDNIGHT }.into(),
        ),
        (
            "issue-bill --usage-point $OTHER,$POINT,$POINT --billing-period 2026-07",
            IssueBill {
                usage_points: vec![POINT, OTHER_POINT].try_into().unwrap(),
                period: "2026-07".parse().unwrap(),
            }
            .into(),
        ),
        (
            "pay-bill --usage-point $POINT --amount 2000.00",
            PayBill { usage_point: POINT, amount: MicroCurrency::new(2_000_000_000) }.into(),
        ),
        ("pay-out-bill --bill $BILL", PayOutBill { bill: BILL }.into()),
        (
            "pay-out-credit --usage-point $POINT --amount 80.00",
            PayOutCredit { usage_point: POINT, amount: MicroCurrency::new(80_000_000) }.into(),
        ),
        (
            "pay-dues --creditor $PARTY --amount 0.000001",
            PayDues { creditor: PARTY, amount: MicroCurrency::new(1) }.into(),
        ),
        (
            "dispute-bill --bill $BILL --amount 12.5 --reason-hash \
             0909090909090909090909090909090909090909090909090909090909090909",
            DisputeBill {
                bill: BILL,
                amount: MicroCurrency::new(12_500_000),
                reason_hash: primitives::hash::Hash::new([9; 32]),
            }
            .into(),
        ),
        (
            "decide-dispute --bill $BILL --upheld 0",
            DecideDispute { bill: BILL, upheld: MicroCurrency::ZERO }.into(),
        ),
        (
            "set-fine-rules --distributor $PARTY --threshold 500 --grace-days 15 \
             --daily-basis-points 5 --cap-basis-points 2000",
            SetFineRules {
                distributor: Some(PARTY),
                rules: FineRules {
                    threshold: MicroCurrency::new(500_000_000),
                    grace_days: 15,
                    fixed: MicroCurrency::ZERO,
                    daily: BasisPoints::new(5).unwrap(),
                    cap: BasisPoints::new(2_000).unwrap(),
                },
            }
            .into(),
        ),
        ("carry-bill --bill $BILL", CarryBill { bill: BILL }.into()),
        (
            "issue-statement --usage-point $POINT --billing-period 2026-H2",
            IssueStatement { usage_point: POINT, period: "2026-H2".parse().unwrap() }.into(),
        ),
        (
            "buy-tokens --aggregator $PARTY --reference home-17 --coin-amount 1250",
            BuyTokens {
                aggregator: PARTY,
                reference: alias(),
                coin_amount: MicroCurrency::new(1_250_000_000),
                tokens: MicroCurrency::new(2_500_000_000),
            }
            .into(),
        ),
        (
            "redeem-tokens --aggregator $PARTY --reference home-17 --tokens 0.000003",
            RedeemTokens {
                aggregator: PARTY,
                reference: alias(),
                coin_amount: MicroCurrency::new(1),
                tokens: MicroCurrency::new(3),
            }
            .into(),
        ),
        (
            "set-backing-limit --aggregator $PARTY --limit 1000000",
            SetBackingLimit { aggregator: PARTY, limit: MicroCurrency::new(1_000_000_000_000) }
                .into(),
        ),
        ("admit-ledger --other $DIR/other.json", AdmitLedger { genesis: other.clone() }.into()),
        (
            "notarise-head --head $DIR/head.json --since-epoch 0",
            NotariseHead { ledger_id: other.ledger_id(), set_changes: Bounded::new(), head }.into(),
        ),
        (
            "advance-clock --to 2026-07-01T00:00:00+05:30",
            AdvanceClock { to: Timestamp::new(1_782_844_200_000) }.into(),
        ),
        (
            "register-node --node-key $KEY --peer-address ledger.example.org:7001",
            RegisterNode { key: KEY, peer_address: "ledger.example.org:7001".parse().unwrap() }
                .into(),
        ),
        ("remove-node --address $ADDRESS", RemoveNode { node: ADDRESS }.into()),
        (
            "rotate-node-key --from $ADDRESS --to $ADDRESS",
            RotateNodeKey { from: ADDRESS, to: ADDRESS }.into(),
        ),
        (
            "propose-change seats --add $KEY",
            ProposeChange {
                change: Change::Seats {
                    remove: Bounded::default(),
                    add: vec![KEY].try_into().unwrap(),
                },
            }
            .into(),
        ),
        (
            "propose-change parameters --from-height 1200 --token-price 0.25",
            ProposeChange {
                change: Change::Parameters {
                    from_height: BlockHeight::new(1_200),
                    parameters: Parameters {
                        token_price_micro_coin: MicroCurrency::new(250_000),
                        ..Parameters::default()
                    },
                },
            }
            .into(),
        ),
        (
            "propose-change endorsements --kind PublishTariff --from-height 1200 \
             --by distributor=1 --by regulator=2",
            ProposeChange {
                change: Change::Endorsements {
                    from_height: BlockHeight::new(1_200),
                    kind: 301,
                    endorsements: vec![
                        Endorsement { role: Role::Regulator, count: 2 },
                        Endorsement { role: Role::Distributor, count: 1 },
                    ]
                    .try_into()
                    .unwrap(),
                },
            }
            .into(),
        ),
        (
            "propose-change protocol --from-height 1200 --protocol-version 2",
            ProposeChange {
                change: Change::Protocol { from_height: BlockHeight::new(1_200), version: 2 },
            }
            .into(),
        ),
        ("approve-change --proposal $PROPOSAL", ApproveChange { proposal: PROPOSAL }.into()),
        ("request-checkpoint", RequestCheckpoint {}.into()),
        (
            "attest-checkpoint --height 1200 --root $ADDRESS",
            AttestCheckpoint {
                height: BlockHeight::new(1_200),
                root: Hash::new(*ADDRESS.as_bytes()),
            }
            .into(),
        ),
    ]
}

fn other_ledger() -> Genesis {
    Genesis { name: "north channel".parse().unwrap(), ..rules().genesis().clone() }
}

/// A head of the other ledger, and as a node of it answers.
fn other_head(other: &Genesis) -> (Anchor, String) {
    let mut header = other.header();
    header.height = BlockHeight::new(7);
    let head = Anchor { certificate: Certificate::solo(&header, &key(2)), header };
    let proof = HeadProof { set_changes: Bounded::new(), head: head.clone() };
    let proof = data_encoding::BASE64URL_NOPAD.encode(&primitives::codec::encode(&proof));
    (head, serde_json::json!({ "proof": proof }).to_string())
}

fn millihertz(values: &[u32]) -> Vec<MilliHertz> {
    values.iter().map(|value| MilliHertz::new(*value).unwrap()).collect()
}
