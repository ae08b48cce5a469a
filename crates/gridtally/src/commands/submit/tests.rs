//! The command line against the table of transactions.

mod samples;

use std::path::Path;

use clap::FromArgMatches;
use client::genesis_file::zone_of_india;
use client::key_file::{KeyFile, Protection};
use contracts::genesis::{Clock, Currency, Owner, Parameters, Privacy};
use contracts::metering::{GatewayBatch, PrivateDayPayload, Registers, frequency_root};
use contracts::transaction::TABLE;
use contracts::{Genesis, Rules, Who};
use primitives::calendar::SettlementPeriod;
use primitives::hash::Hash;
use primitives::header::ValidatorSet;
use primitives::identifier::{BillId, KeyAddress, TransactionId};
use primitives::key::{PublicKey, SigningKey};
use primitives::reading::{DayPayload, Quality, ReadingPayload, reading_leaf, salt};
use primitives::units::{MilliHertz, Timestamp, WattHours};

use samples::samples;

use super::*;

const PARTY: PartyId = PartyId::new([0x11; 32]);
const POINT: UsagePointId = UsagePointId::new([0x22; 16]);
const OTHER_POINT: UsagePointId = UsagePointId::new([0x23; 16]);
const STATION: StationId = StationId::new([0x33; 16]);
const TARIFF: TariffId = TariffId::new([0x44; 16]);
const BILL: BillId = BillId::new([0x55; 16]);
const ADDRESS: KeyAddress = KeyAddress::new([0x77; 32]);
const PROPOSAL: TransactionId = TransactionId::new([0x88; 32]);
const KEY: PublicKey = PublicKey::ed25519([0x66; 32]);
/// 2026-07-01T00:00:00+05:30.
const MIDNIGHT: SettlementPeriod = SettlementPeriod::new(1_980_938);

fn key(number: u8) -> SigningKey {
    SigningKey::from_seed([number; 32])
}

fn rules() -> Rules {
    let genesis = Genesis {
        version: 1,
        name: "trial".parse().unwrap(),
        demo: false,
        clock: Clock::System,
        privacy: Privacy::Open,
        time: Timestamp::new(1_780_000_000_000),
        slot_minutes: 15,
        zone: zone_of_india(),
        currency: Currency { code: "INR".parse().unwrap(), minor_unit_decimals: 2 },
        owner: Owner { threshold: 1, keys: vec![key(1).public()].try_into().unwrap() },
        clock_keeper: None,
        validators: ValidatorSet::new(vec![key(2).public()]).unwrap(),
        epoch_blocks: contracts::genesis::DEFAULT_EPOCH_BLOCKS,
        parameters: Parameters::default(),
    };
    Rules::new(genesis).unwrap()
}

/// Puts the constants in the place of their names.
fn with_ids(line: &str, dir: &Path) -> String {
    line.replace("$PARTY", &PARTY.to_string())
        .replace("$POINT", &POINT.to_string())
        .replace("$OTHER", &OTHER_POINT.to_string())
        .replace("$STATION", &STATION.to_string())
        .replace("$TARIFF", &TARIFF.to_string())
        .replace("$BILL", &BILL.to_string())
        .replace("$KEY", &KEY.to_string())
        .replace("$ADDRESS", &ADDRESS.to_string())
        .replace("$PROPOSAL", &PROPOSAL.to_string())
        .replace("$DIR", &dir.display().to_string())
}

const fn registers(import: u64, export: u64) -> Registers {
    Registers { import: WattHours::new(import), export: WattHours::new(export) }
}

/// What a line of words becomes, signed by key 3.
fn submission(line: &str, dir: &Path) -> Result<Submission, String> {
    submission_on(rules(), line, dir)
}

/// The rules of a private ledger.
fn private_rules() -> Rules {
    let genesis = Genesis { privacy: Privacy::Private, ..rules().genesis().clone() };
    Rules::new(genesis).unwrap()
}

/// The same on another ledger.
fn submission_on(rules: Rules, line: &str, dir: &Path) -> Result<Submission, String> {
    let line = with_ids(line, dir);
    let words = std::iter::once("submit").chain(line.split(' '));
    let command = Submit::augment_args(clap::Command::new("submit"));
    let matches = command.try_get_matches_from(words).map_err(|error| error.to_string())?;
    let submit = Submit::from_arg_matches(&matches).map_err(|error| error.to_string())?;
    submit
        .transaction
        .submission(|| Ok(Signatory::offline(rules, key(3))))
        .map_err(|ended| ended.to_string())
}

fn body(submission: &Submission) -> Body {
    let envelope = &submission.transaction.envelope;
    Body::decode(envelope.kind, &envelope.body).unwrap()
}

/// `SealDay` → `seal-day`.
fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.push(letter.to_ascii_lowercase());
    }
    kebab
}

#[test]
fn every_transaction_has_its_command_that_says_who_may_send_it() {
    let command = Submit::augment_args(clap::Command::new("submit"));
    let known: Vec<String> = TABLE.iter().map(|entry| kebab(entry.name)).collect();
    for (entry, name) in TABLE.iter().zip(&known) {
        let sub = command.find_subcommand(name).unwrap_or_else(|| panic!("no submit {name}"));
        let help = sub.get_long_about().unwrap().to_string().to_lowercase();
        for who in entry.senders {
            let word = match who {
                Who::Owner => "owner's council".to_owned(),
                Who::ClockKeeper => "clock keeper".to_owned(),
                Who::Meter => "meter".to_owned(),
                Who::Node => "node".to_owned(),
                Who::AnyParty => "any party".to_owned(),
                Who::Role(role) => kebab(&format!("{role:?}")).replace('-', " "),
            };
            let (_, sent_by) = help.split_once("sent by").unwrap_or_else(|| panic!("{name}"));
            assert!(sent_by.contains(&word), "submit {name} does not say {word}: {help}");
        }
        let also = "also a suspended one";
        assert_eq!(help.contains(also), entry.when_suspended, "submit {name}: {also}");
        let example = sub.get_after_help().unwrap().to_string();
        assert!(example.contains(&format!("gridtally submit {name} ")), "{name}: {example}");
    }
    for sub in command.get_subcommands() {
        let name = sub.get_name();
        assert!(name == "raw" || known.iter().any(|it| it == name), "{name} is not in the table");
    }
    command.debug_assert();
}

/// Those whose values travel beside them, and those of private ledgers; each has its test below.
const WITH_PAYLOAD: [&str; 10] = [
    "SubmitReading",
    "SealDay",
    "CorrectReading",
    "SealGatewayBatch",
    "SealFrequencyDay",
    "EstimateDay",
    "SealPrivateDay",
    "SubstituteDay",
    "ErasePayloads",
    "IssuePrivateBill",
];

#[test]
fn a_line_of_each_transaction_becomes_its_body() {
    let dir = tempfile::tempdir().unwrap();
    let samples = samples(dir.path());
    for (line, wanted) in &samples {
        let submission = submission(line, dir.path()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(&body(&submission), wanted, "{line}");
        submission.transaction.verify_signatures().unwrap();
        let name = wanted.entry().name;
        assert_eq!(line.split(' ').next(), Some(&*kebab(name)), "{name}: {line}");
        let expires = submission.transaction.envelope.valid_until > Timestamp::ZERO;
        assert_eq!(expires, wanted.entry().expires, "{line}");
    }
    for entry in TABLE {
        let tried = samples.iter().any(|(_, body)| body.kind() == entry.kind);
        assert!(tried || WITH_PAYLOAD.contains(&entry.name), "{} is not tried", entry.name);
    }
}

#[test]
fn a_wrong_line_says_what_is_wanted() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("short.csv"), "import_wh,export_wh\n250,0\n").unwrap();
    std::fs::write(dir.path().join("minus.csv"), "import_wh,export_wh\n-1,0\n").unwrap();
    let cases = [
        ("pay-bill --usage-point $POINT --amount 1,000", "at most 6 decimals"),
        ("pay-bill --usage-point $POINT --amount 0", "an amount is positive"),
        ("pay-bill --usage-point $PARTY --amount 1", "UsagePointId"),
        ("publish-frequency --first-period 1 --hertz 39.9", "from 40 to 70 Hz"),
        ("publish-frequency --hertz 50", "--first-period"),
        ("publish-frequency --first-period 1", "--hertz"),
        ("publish-frequency --first-period 1 --hertz 50 --millihertz 50000", "cannot be used"),
        (
            "delete-frequency --period 2026-07-01T00:07:00+05:30",
            "no period begins at 2026-06-30T18:37:00Z; it lies in period 1980938",
        ),
        ("charge-slots --usage-point $POINT --station $STATION --day 2026-07-01", "cannot be used"),
        ("charge-slots --usage-point $POINT --day 2026-02-30", "a day of the calendar"),
        ("issue-bill --usage-point $POINT --billing-period 2026-13", "a month 2026-07"),
        ("grant-role --party $PARTY --role king", "grid-operator"),
        ("advance-clock --to tomorrow", "a time with its offset"),
        ("add-key --new-key ed25519:66", "ed25519: with 64"),
        (
            "seal-day --usage-point $POINT --day 2026-07-01 --file $DIR/short.csv \
             --first-import-wh 0 --first-export-wh 0 --seal-sequence 1",
            "2026-07-01 has 96 slots, 1 values were given",
        ),
        (
            "seal-day --usage-point $POINT --day 2026-07-01 --file $DIR/minus.csv \
             --first-import-wh 0 --first-export-wh 0 --seal-sequence 1",
            "line 2: import_wh: \"-1\": wanted are whole watt-hours",
        ),
        ("admit-ledger --other $DIR/short.csv", "is not a genesis"),
        ("notarise-head --head $DIR/short.csv --since-epoch 0", "is not JSON"),
        ("raw $DIR/short.csv", "holds no submission"),
    ];
    for (line, wanted) in cases {
        let error = submission(line, dir.path()).unwrap_err();
        assert!(error.contains(wanted), "{line}: {error}");
    }
}

fn readings_csv(dir: &Path) {
    let mut table = "export_wh,import_wh,quality\n".to_owned();
    for slot in 0..96 {
        let quality = if slot == 5 { "estimated" } else { "A" };
        table.push_str(&format!("{},250,{quality}\n", slot % 2));
    }
    std::fs::write(dir.join("readings.csv"), table).unwrap();
}

#[test]
fn a_reading_sent_during_the_day_agrees_with_the_seal() {
    let dir = tempfile::tempdir().unwrap();
    readings_csv(dir.path());
    let single = "submit-reading --usage-point $POINT --period 2026-07-01T01:15:00+05:30 \
                  --import-wh 250 --export-wh 1 --quality estimated";
    let single = submission(single, dir.path()).unwrap();
    let Body::SubmitReading(reading) = body(&single) else { panic!("another body") };
    assert_eq!(reading.period, MIDNIGHT.offset(5).unwrap());
    let payload: ReadingPayload = decode(&single.payload).unwrap();
    assert_eq!(payload.reading.quality, Quality::Estimated);

    let seal = "seal-day --usage-point $POINT --day 2026-07-01 --file $DIR/readings.csv \
                --first-import-wh 1000 --first-export-wh 7 --seal-sequence 4 \
                --corrects-slot 9,3";
    let sealed = submission(seal, dir.path()).unwrap();
    let Body::SealDay(seal) = body(&sealed) else { panic!("another body") };
    assert_eq!((seal.sequence, seal.first), (4, registers(1_000, 7)));
    assert_eq!(seal.last, registers(1_000 + 96 * 250, 7 + 48));
    assert_eq!(&seal.corrects[..], [3, 9]);
    let day: DayPayload = decode(&sealed.payload).unwrap();
    let leaf = reading_leaf(&salt(&day.seed, 5), POINT, reading.period, &day.readings[5]);
    assert_eq!(leaf, reading.leaf);
    // The same again is the same: the node answers that it is recorded already.
    let again = "submit-reading --usage-point $POINT --period 1980943 --import-wh 250 \
                 --export-wh 1 --quality E";
    assert_eq!(body(&submission(again, dir.path()).unwrap()), body(&single));
}

#[test]
fn an_estimate_is_computed_from_what_the_node_knows() {
    let dir = tempfile::tempdir().unwrap();
    let known = r#"{"import_wh": "100", "export_wh": "0", "quality": "actual"}"#;
    let inputs = format!(
        r#"{{"known": [{}{known}], "weekday": [{}null], "profile": [],
            "before": {{"import_wh": "100", "export_wh": "0"}},
            "stretches": [{{"first_slot": 0, "end_slot": 96, "missing_import_wh": "903",
                            "missing_export_wh": null}}]}}"#,
        "null,".repeat(8) + &format!("{known},").repeat(87),
        "null,".repeat(95),
    );
    std::fs::write(dir.path().join("inputs.json"), inputs).unwrap();
    let line = "estimate-day --usage-point $POINT --day 2026-07-01 --inputs $DIR/inputs.json";
    let estimated = submission(line, dir.path()).unwrap();
    let Body::EstimateDay(estimate) = body(&estimated) else { panic!("another body") };
    let day: DayPayload = decode(&estimated.payload).unwrap();
    assert_eq!(estimate.day_root, day.root(POINT, MIDNIGHT));
    let imports: Vec<_> = day.readings.iter().map(|reading| reading.import_wh.get()).collect();
    assert_eq!(imports[..9], [113, 113, 113, 113, 113, 113, 113, 112, 100]);
    assert_eq!(day.readings[7].quality, Quality::Estimated);
    assert_eq!(day.readings[8].quality, Quality::Actual);
}

#[test]
fn a_private_day_shows_nothing_and_its_values_stand_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let rows = "250,0\n".repeat(96);
    std::fs::write(dir.path().join("day.csv"), format!("import_wh,export_wh\n{rows}")).unwrap();
    let line = "seal-private-day --usage-point $POINT --day 2026-07-01 --file $DIR/day.csv \
                --first-import-wh 1000 --first-export-wh 0 --seal-sequence 4";
    let sealed = submission_on(private_rules(), line, dir.path()).unwrap();
    let Body::SealPrivateDay(seal) = body(&sealed) else { panic!("another body") };
    let values: PrivateDayPayload = decode(&sealed.payload).unwrap();
    assert_eq!((seal.sequence, seal.day_root), (4, values.values.root(POINT, MIDNIGHT)));
    assert_eq!(seal.registers, values.registers(POINT, seal.day));
    assert_eq!((values.first, values.last), (registers(1_000, 0), registers(25_000, 0)));
    let bare = format!("{line} --without-values");
    let bare = submission_on(private_rules(), &bare, dir.path()).unwrap();
    assert!(bare.payload.is_empty());
    assert_eq!(bare.transaction.id(), sealed.transaction.id());

    let line = "substitute-day --usage-point $POINT --day 2026-07-01 --file $DIR/day.csv";
    let substituted = submission_on(private_rules(), line, dir.path()).unwrap();
    let values: DayPayload = decode(&substituted.payload).unwrap();
    assert_eq!(values.readings[0].quality, Quality::Substituted);
    let Body::SubstituteDay(substitute) = body(&substituted) else { panic!("another body") };
    assert_eq!(substitute.day_root, values.root(POINT, MIDNIGHT));

    // What would show values does not leave this machine, and what belongs elsewhere neither.
    let open = "seal-day --usage-point $POINT --day 2026-07-01 --file $DIR/day.csv \
                --first-import-wh 0 --first-export-wh 0 --seal-sequence 1";
    let single = "submit-reading --usage-point $POINT --period 1980938 --import-wh 250";
    for line in [open, single] {
        let error = submission_on(private_rules(), line, dir.path()).unwrap_err();
        assert!(error.contains("would show all its nodes the values"), "{error}");
    }
    let error = submission(line, dir.path()).unwrap_err();
    assert!(error.contains("belongs to private ledgers"), "{error}");
}

#[test]
fn an_erasure_and_a_stated_bill_become_their_bodies() {
    let dir = tempfile::tempdir().unwrap();
    let line = "erase-payloads --usage-point $POINT --first-day 2026-07-01 --last-day 2026-07-31";
    let erasure = submission_on(private_rules(), line, dir.path()).unwrap();
    let Body::ErasePayloads(erasure) = body(&erasure) else { panic!("another body") };
    assert_eq!((erasure.first_day.to_string(), erasure.usage_point), ("2026-07-01".into(), POINT));
    let hash = Hash::new(*ADDRESS.as_bytes());
    let draft = serde_json::json!({
        "usage_point": POINT.to_string(), "billing_period": "2026-07",
        "readings_root": hash.to_string(), "frequency_root": hash.to_string(),
        "tariff_hash": hash.to_string(), "total_micro": "0", "lines": [],
    });
    std::fs::write(dir.path().join("draft.json"), draft.to_string()).unwrap();
    let line = "issue-private-bill --usage-point $POINT --draft $DIR/draft.json --billing-period ";
    let bill = submission_on(private_rules(), &format!("{line}2026-07"), dir.path()).unwrap();
    let Body::IssuePrivateBill(bill) = body(&bill) else { panic!("another body") };
    assert_eq!((bill.usage_point, bill.readings_root), (POINT, hash));
    let other = submission_on(private_rules(), &format!("{line}2026-08"), dir.path()).unwrap_err();
    assert!(other.contains("the draft is about"), "{other}");
}

#[test]
fn a_correction_has_a_fresh_salt() {
    let dir = tempfile::tempdir().unwrap();
    let line = "correct-reading --usage-point $POINT --period 1980938 --import-wh 240 --quality S";
    let leaf = || match body(&submission(line, dir.path()).unwrap()) {
        Body::CorrectReading(correction) => correction.leaf,
        _ => panic!("another body"),
    };
    assert_ne!(leaf(), leaf());
}

#[test]
fn a_batch_brings_meters_and_slots_into_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut rows: Vec<String> = Vec::new();
    for slot in (0..96).rev() {
        rows.push(format!("{OTHER_POINT},{slot},{},0", slot * 2));
        rows.push(format!("{POINT},{slot},{slot},0"));
    }
    let write = |rows: &[String]| {
        let table = format!("usage_point,slot,import_wh,export_wh\n{}\n", rows.join("\n"));
        std::fs::write(dir.path().join("batch.csv"), table).unwrap();
    };
    write(&rows);
    let line = "seal-gateway-batch --day 2026-07-01 --file $DIR/batch.csv";
    let sealed = submission(line, dir.path()).unwrap();
    let Body::SealGatewayBatch(seal) = body(&sealed) else { panic!("another body") };
    assert_eq!(seal.entries, 2);
    let batch: GatewayBatch = decode(&sealed.payload).unwrap();
    assert_eq!(batch.entries[0].usage_point, POINT);
    assert_eq!(batch.entries[1].day.readings[95].import_wh, WattHours::new(190));

    let missing = rows.remove(0);
    write(&rows[..rows.len() - 1]);
    let error = submission(line, dir.path()).unwrap_err();
    assert!(error.contains(&format!("slot 0 of usage point {POINT} is missing")), "{error}");
    rows.extend([missing.clone(), missing]);
    write(&rows);
    let error = submission(line, dir.path()).unwrap_err();
    assert!(error.contains("slot 95 of usage point 2323"), "{error}");
}

#[test]
fn a_frequency_day_is_sealed_over_the_files_values() {
    let dir = tempfile::tempdir().unwrap();
    samples(dir.path());
    let line = "seal-frequency-day --day 2026-07-01 --file $DIR/day.csv";
    let Body::SealFrequencyDay(seal) = body(&submission(line, dir.path()).unwrap()) else {
        panic!("another body")
    };
    let slots = vec![Some(MilliHertz::new(50_010).unwrap()); 96];
    let day = "2026-07-01".parse().unwrap();
    assert_eq!(Some(seal.day_root), frequency_root(&rules(), day, &slots));
    let other = "seal-frequency-day --day 2026-06-30 --file $DIR/day.csv";
    let error = submission(other, dir.path()).unwrap_err();
    assert!(error.contains("1 rows of 2026-06-30, which has 96 slots"), "{error}");
}

#[test]
fn a_key_given_as_its_file_cosigns_once() {
    let dir = tempfile::tempdir().unwrap();
    for number in [3, 4] {
        let file = dir.path().join(format!("{number}.key"));
        KeyFile::write(&file, &key(number), Protection::Plain).unwrap();
    }
    let line = "register-party --alias home-17 --role consumer --party-key $DIR/4.key \
                --party-key $DIR/3.key";
    let envelope = submission(line, dir.path()).unwrap().transaction.envelope;
    let body = Body::decode(envelope.kind, &envelope.body).unwrap();
    let Body::RegisterParty(party) = body else { panic!("{body:?}") };
    assert_eq!(party.encryption_key, client::encryption_key::public(&key(4)), "of its first file");
    // Key 3 signs already.
    assert_eq!(&envelope.cosigners[..], [key(4).public()]);
    let error = submission("add-key --new-key $DIR/none.key", dir.path()).unwrap_err();
    assert!(error.contains("none.key"), "{error}");
}

#[test]
fn what_is_written_to_a_file_is_sent_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let signed = submission("pay-out-bill --bill $BILL", dir.path()).unwrap();
    let file = dir.path().join("signed.bin");
    write_whole(&file, &encode(&signed)).unwrap();
    assert_eq!(submission("raw $DIR/signed.bin", dir.path()).unwrap(), signed);
    assert_eq!(created(&signed), None);
    let line = "register-party --alias home-17 --role consumer --party-key $KEY";
    // Nobody could encrypt to a party without a key, and a public one does not tell it.
    assert!(submission(line, dir.path()).unwrap_err().contains("--encryption-key"));
    let zeros = format!("{line} --encryption-key {}", "0".repeat(64));
    assert!(submission(&zeros, dir.path()).is_err());
    let party = submission(&format!("{line} --encryption-key {}", "07".repeat(32)), dir.path());
    let party = party.unwrap();
    let id = PartyId::from_transaction(&party.transaction.id()).to_string();
    assert_eq!(created(&party), Some(("party", id)));
}

#[test]
fn common_flags_stand_before_or_behind_the_transaction() {
    let command = || Submit::augment_args(clap::Command::new("submit"));
    let bill = BILL.to_string();
    for line in [
        ["submit", "--node", "http://node:1", "pay-out-bill", "--bill", &bill],
        ["submit", "pay-out-bill", "--bill", &bill, "--node", "http://node:1"],
    ] {
        let matches = command().try_get_matches_from(line).unwrap();
        let submit = Submit::from_arg_matches(&matches).unwrap();
        assert_eq!(submit.signing.node.node, "http://node:1");
    }
}
