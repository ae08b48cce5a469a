//! Proof files: right ones verify, and whatever is changed in one is found and named.

use client::proof_file::{ProofFile, ProofFileError};
use client::verify::{TrustAnchor, VerifyError, verify};
use contracts::billing::bill_calculation::tariff_hash;
use contracts::billing::bill_proof::{BillProof, BillProofError, verify_bill_proof};
use contracts::billing::fine::{Dues, FineRules};
use contracts::billing::{BillAccount, BillLine, FineBasis, LineKind};
use contracts::tariff::{ExportRule, PriceRule, Slabs, TariffTerms};
use primitives::calendar::{BillingPeriod, LocalDay};
use primitives::codec::{Bounded, decode, encode};
use primitives::header::{Certificate, ValidatorSet};
use primitives::key::Signature;
use primitives::proof::SetChange;
use primitives::reading::DaySeed;
use primitives::units::{
    BasisPoints, BlockHeight, MicroCurrency, MilliHertz, MilliMicro, Timestamp, WattHours, Watts,
};

use crate::kit::{Ledger, curve, day, flat, full, key};

const FIRST: i8 = 1;

fn with_curve() -> Ledger {
    let mut ledger = Ledger::new();
    let first = ledger.first_period(day(FIRST));
    ledger.tariff(curve(), first);
    ledger.live_through(day(FIRST));
    ledger
}

fn one_day() -> BillingPeriod {
    BillingPeriod::Day { day: day(FIRST) }
}

/// The bill of one day, sealed by the meter.
fn by_meter() -> BillProof {
    let mut ledger = with_curve();
    let bill = ledger.bill(ledger.home, one_day());
    ledger.proof(bill).unwrap()
}

/// The bill of one day, sealed by a gateway.
fn by_gateway() -> BillProof {
    let mut ledger = with_curve();
    let bill = ledger.bill(ledger.far_home, one_day());
    ledger.proof(bill).unwrap()
}

/// The bill of one day that was estimated, with one slot corrected since.
fn estimated() -> BillProof {
    let mut ledger = Ledger::new();
    let first = ledger.first_period(day(FIRST));
    ledger.tariff(curve(), first);
    ledger.estimate_through(day(FIRST));
    ledger.correct_reading(day(FIRST), 12, 5);
    let bill = ledger.bill(ledger.home, one_day());
    ledger.proof(bill).unwrap()
}

/// The bill of two days with corrections of readings and frequencies, and a change of tariff at
/// noon of the second, before a deleted frequency.
fn corrected() -> BillProof {
    let mut ledger = with_curve();
    let noon = ledger.period(day(2), 48);
    ledger.tariff(flat(5_000_000), noon);
    ledger.live_through(day(2));
    for (slot, import) in [(3, 40), (50, 41), (95, 0)] {
        ledger.correct_reading(day(2), slot, import);
    }
    ledger.correct_reading(day(2), 50, 44);
    ledger.correct_frequency(day(1), 0, 50_049);
    ledger.correct_frequency(day(2), 7, 49_900);
    ledger.delete_frequency(day(2), 60);
    let period = BillingPeriod::Custom { first_day: day(1), last_day: day(2) };
    let bill = ledger.bill(ledger.home, period);
    ledger.proof(bill).unwrap()
}

/// The bill of one day, whose final header was signed by validators that followed the first.
fn after_set_change() -> BillProof {
    let mut proof = by_meter();
    let next = ValidatorSet::new(vec![key("second validator").public()]).unwrap();
    let anchor = &mut proof.event.anchor;
    let mut header = anchor.header.clone();
    header.height = BlockHeight::new(anchor.header.height.get() - 1);
    header.next_validators_hash = next.hash();
    header.context = vec![1, 2, 3].try_into().unwrap();
    anchor.header.epoch = 1;
    anchor.header.validators_hash = next.hash();
    anchor.header.next_validators_hash = next.hash();
    anchor.certificate = Certificate::solo(&anchor.header, &key("second validator"));
    let certificate = Certificate::solo(&header, &key("validator"));
    let change = SetChange { header, certificate, next_validators: next };
    proof.event.set_changes = vec![change].try_into().unwrap();
    proof
}

/// The bill of one day with every kind of line, and a change of tariff at noon.
fn every_line() -> BillProof {
    let mut ledger = Ledger::new();
    let first = ledger.first_period(day(FIRST));
    ledger.tariff(full(), first);
    let by_clock = TariffTerms { import: by_clock(), ..full() };
    let noon = ledger.period(day(FIRST), 48);
    ledger.tariff(by_clock, noon);
    ledger.live_through(day(FIRST));
    let bill = ledger.bill(ledger.home, one_day());
    ledger.proof(bill).unwrap()
}

/// A bill with a fine that began on an earlier bill and went on.
fn fined() -> BillProof {
    let mut ledger = with_curve();
    ledger.fine_dues();
    ledger.bill(ledger.home, one_day());
    (2..=4).for_each(|number| ledger.live_through(day(number)));
    ledger.bill(ledger.home, BillingPeriod::Day { day: day(2) });
    (5..=7).for_each(|number| ledger.live_through(day(number)));
    let bill = ledger.bill(ledger.home, BillingPeriod::Day { day: day(3) });
    ledger.proof(bill).unwrap()
}

/// The price by the clock that `full` has for export.
fn by_clock() -> PriceRule {
    match full().export {
        ExportRule::Separate(rule) => rule,
        other => unreachable!("{other:?} has no price of its own"),
    }
}

fn text(proof: &BillProof) -> String {
    ProofFile::new(proof.clone()).unwrap().text().to_owned()
}

/// What the verifier says of a proof that was changed before it was written.
fn wrong(proof: &BillProof) -> String {
    verify(&TrustAnchor::Nothing, text(proof).as_bytes()).unwrap_err().to_string()
}

#[test]
fn right_proofs_verify_under_every_anchor() {
    for (proof, corrections) in [
        (by_meter(), 0),
        (by_gateway(), 0),
        (estimated(), 1),
        (corrected(), 6),
        (after_set_change(), 0),
        (every_line(), 0),
        (fined(), 0),
    ] {
        let text = text(&proof);
        assert_eq!(ProofFile::parse(text.as_bytes()).unwrap().proof(), &proof);
        assert_eq!(decode::<BillProof>(&encode(&proof)), Ok(proof.clone()));
        let id = proof.genesis.ledger_id();
        let anchors = [
            (TrustAnchor::Nothing, false),
            (TrustAnchor::Ledger(id), true),
            (TrustAnchor::Genesis(Box::new(proof.genesis.clone())), true),
        ];
        for (trusted, anchored) in anchors {
            let verified = verify(&trusted, text.as_bytes()).unwrap();
            assert_eq!(verified.anchored, anchored);
            assert_eq!((verified.bill, verified.total), (proof.bill.id(), proof.bill.total));
            assert_eq!(verified.corrections, corrections);
            assert_eq!(verified.sealed_by.len(), 1);
            assert_eq!(verified.ledger_id, id);
        }
    }
}

#[test]
fn another_ledger_is_named() {
    let proof = by_meter();
    let mut genesis = proof.genesis.clone();
    genesis.parameters.rejections_per_hour += 1;
    let found = proof.genesis.ledger_id();
    for trusted in
        [TrustAnchor::Ledger(genesis.ledger_id()), TrustAnchor::Genesis(Box::new(genesis.clone()))]
    {
        let error = verify(&trusted, text(&proof).as_bytes()).unwrap_err();
        let wanted = genesis.ledger_id();
        assert!(
            matches!(error, VerifyError::Proof(BillProofError::OtherLedger { found: f, wanted: w })
                if (f, w) == (found, wanted)),
            "{error}"
        );
    }
    // A genesis put in place of the right one is another ledger, whatever the file names.
    let other = BillProof { genesis: genesis.clone(), ..proof.clone() };
    let error = verify(&TrustAnchor::Nothing, text(&other).as_bytes()).unwrap_err();
    assert!(error.to_string().contains("belongs to ledger"), "{error}");
    let named = text(&proof).replace(
        &format!("\"ledger_id\": \"{found}\",\n  \"bill\""),
        &format!("\"ledger_id\": \"{}\",\n  \"bill\"", genesis.ledger_id()),
    );
    let error = verify(&TrustAnchor::Nothing, named.as_bytes()).unwrap_err();
    assert!(error.to_string().starts_with("the file names ledger"), "{error}");
}

#[test]
fn the_first_wrong_thing_is_named() {
    let one_more = |energy: &mut WattHours| *energy = WattHours::new(energy.get() + 1);
    let check = |base: fn() -> BillProof, wanted: &str, edit: &dyn Fn(&mut BillProof)| {
        let mut proof = base();
        edit(&mut proof);
        let error = wrong(&proof);
        assert!(error.contains(wanted), "{error}\nwanted: {wanted}");
    };
    let root = "the readings of 2016-06-01 do not hash to the day's root sealed by the";
    let edit_day = |proof: &mut BillProof, edit: &dyn Fn(&mut Vec<_>)| {
        let mut readings = proof.days[0].readings.to_vec();
        edit(&mut readings);
        let mut days = proof.days.to_vec();
        days[0].readings = readings.try_into().unwrap();
        proof.days = days.try_into().unwrap();
    };
    check(by_meter, &format!("{root} meter"), &|proof| {
        edit_day(proof, &|readings| one_more(&mut readings[17].import_wh));
    });
    check(by_meter, &format!("{root} meter"), &|proof| {
        edit_day(proof, &|readings| one_more(&mut readings[95].export_wh));
    });
    check(by_gateway, &format!("{root} gateway"), &|proof| {
        edit_day(proof, &|readings| one_more(&mut readings[0].import_wh));
    });
    check(by_meter, "the frequencies of 2016-06-01 do not hash to the day's root", &|proof| {
        let mut days = proof.frequency_days.to_vec();
        let mut values = days[0].frequencies.to_vec();
        let value = values[40].unwrap().get();
        values[40] = Some(MilliHertz::new(value + 1).unwrap());
        days[0].frequencies = values.try_into().unwrap();
        proof.frequency_days = days.try_into().unwrap();
    });
    check(by_meter, "line 1: amount in micro is", &|proof| {
        let mut lines = proof.bill.lines.to_vec();
        lines[0].amount = MicroCurrency::new(lines[0].amount.get() + 1);
        proof.bill.lines = lines.try_into().unwrap();
    });
    check(by_meter, "the bill hashes to", &|proof| {
        proof.bill.issued_at = Timestamp::new(proof.bill.issued_at.get() + 1);
    });
    check(by_meter, "the tariff is not the one that the bill commits to", &|proof| {
        let mut segments = proof.segments.to_vec();
        segments[0].version.terms = flat(1);
        segments[0].version.terms.export = curve().export;
        segments[0].version.terms.import = match curve().import {
            contracts::tariff::PriceRule::FrequencyLinked(mut it) => {
                it.reference_price = primitives::units::MicroPerKilowattHour::new(6_200_001);
                contracts::tariff::PriceRule::FrequencyLinked(it)
            }
            flat => flat,
        };
        proof.segments = segments.try_into().unwrap();
    });
    check(by_meter, "certificate of height", &|proof| {
        proof.event.anchor.certificate.view += 1;
    });
    check(corrected, "the reading of slot 50 of 2016-06-02 does not hash to the leaf", &|proof| {
        let mut days = proof.days.to_vec();
        let mut readings = days[1].readings.to_vec();
        one_more(&mut readings[50].import_wh);
        days[1].readings = readings.try_into().unwrap();
        proof.days = days.try_into().unwrap();
    });
    check(corrected, "the frequency of slot 7 of 2016-06-02 is not that of its", &|proof| {
        let mut days = proof.frequency_days.to_vec();
        let mut values = days[1].frequencies.to_vec();
        values[7] = Some(MilliHertz::new(49_901).unwrap());
        days[1].frequencies = values.try_into().unwrap();
        proof.frequency_days = days.try_into().unwrap();
    });
}

#[test]
fn changed_lines_and_terms_are_named() {
    use LineKind::{
        EnergyExport, EnergyImport, FixedCharge, MinimumCharge, SlabImport, TaxExclusive,
        TaxInclusive,
    };
    let right = every_line();
    let kinds: Vec<_> = right.bill.lines.iter().map(|line| line.kind).collect();
    let slab = |number| SlabImport { number };
    let rest = [EnergyExport, FixedCharge, FixedCharge, MinimumCharge, TaxExclusive, TaxInclusive];
    let wanted = [&[slab(1), slab(2), slab(3)][..], &rest, &[EnergyImport], &rest].concat();
    assert_eq!(kinds, wanted);
    let check = |wanted: &str, edit: &dyn Fn(&mut BillProof)| {
        let mut proof = right.clone();
        edit(&mut proof);
        let found = verify_bill_proof(None, &proof).unwrap_err().to_string();
        assert!(found.starts_with(wanted), "{found}\nwanted: {wanted}");
    };
    let line = |proof: &mut BillProof, index: usize, edit: &dyn Fn(&mut BillLine)| {
        let mut lines = proof.bill.lines.to_vec();
        edit(&mut lines[index]);
        proof.bill.lines = lines.try_into().unwrap();
    };
    let subject = "of the bill is about another subject";
    check(&format!("line 2 {subject}"), &|proof| line(proof, 1, &|it| it.kind = slab(3)));
    check(&format!("line 5 {subject}"), &|proof| {
        line(proof, 4, &|it| it.name = "Gift".parse().unwrap());
    });
    check("line 9: exact amount", &|proof| {
        line(proof, 8, &|it| it.exact = MilliMicro::new(it.exact.get() + 1));
    });
    check("line 9: amount in micro is", &|proof| {
        line(proof, 8, &|it| it.amount = MicroCurrency::new(10_000));
    });
    // The demand charge follows the limit of the connection.
    check("line 6: exact amount", &|proof| {
        proof.bill.connection_limit = Watts::new(proof.bill.connection_limit.get() - 1);
    });
    let terms = |proof: &mut BillProof, edit: &dyn Fn(&mut TariffTerms)| {
        let mut segments = proof.segments.to_vec();
        edit(&mut segments[0].version.terms);
        proof.segments = segments.try_into().unwrap();
        proof.bill.tariff_hash = tariff_hash(&proof.segments);
    };
    check("the bill has 16 lines", &|proof| terms(proof, &|it| it.taxes = Bounded::new()));
    check("the tariff cannot be: impossible value: slabs rise", &|proof| {
        terms(proof, &|it| it.import = PriceRule::Slabs(Slabs { steps: Bounded::new() }));
    });
    check("the tariff cannot be: impossible value: an amount per day", &|proof| {
        terms(proof, &|it| it.minimum = Some(MicroCurrency::MAX));
    });
}

#[test]
fn an_estimated_day_names_the_biller_and_shows_which_slots() {
    let proof = estimated();
    let verified = verify_bill_proof(None, &proof).unwrap();
    assert_eq!(verified.sealed_by, [key("distributor").public()]);
    let readings = &proof.days[0].readings;
    let letters = [9, 10, 11, 12, 13, 17, 18, 20].map(|slot| readings[slot].quality.letter());
    assert_eq!(&letters, b"EAASEEAE");
    let mut days = proof.days.to_vec();
    let mut values = days[0].readings.to_vec();
    values[0].import_wh = WattHours::new(91);
    days[0].readings = values.try_into().unwrap();
    let changed = BillProof { days: days.try_into().unwrap(), ..proof };
    let wanted = "the readings of 2016-06-01 do not hash to the day's root sealed by the biller's";
    assert!(wrong(&changed).starts_with(wanted), "{}", wrong(&changed));
}

#[test]
fn one_byte_of_a_signature_is_named() {
    let mut proof = by_meter();
    let mut days = proof.days.to_vec();
    let contracts::billing::bill_proof::DaySeal::Meter(seal) = &mut days[0].seal else {
        unreachable!("sealed by the meter")
    };
    let mut bytes = *seal.signatures[0].as_bytes();
    bytes[40] ^= 1;
    seal.signatures = vec![Signature::new(bytes)].try_into().unwrap();
    proof.days = days.try_into().unwrap();
    let wanted = "the meter's seal of 2016-06-01: the signature does not fit its key";
    assert!(wrong(&proof).starts_with(wanted), "{}", wrong(&proof));
}

/// Flips one bit of each byte of the canonical encoding: no field is left unchecked.
#[test]
fn no_bit_of_the_typed_proof_is_free() {
    for proof in [after_set_change(), by_gateway(), estimated(), corrected(), every_line(), fined()]
    {
        let bytes = encode(&proof);
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1 << (place % 8);
            let Ok(changed) = decode::<BillProof>(&changed) else { continue };
            let verified = verify_bill_proof(None, &changed);
            assert!(verified.is_err(), "byte {place}: {verified:?}");
        }
    }
}

/// Changes the value on each line of the file, keeping the file's form.
#[test]
fn every_changed_value_is_refused() {
    for proof in [after_set_change(), by_gateway(), estimated(), corrected(), every_line(), fined()]
    {
        let text = text(&proof);
        let lines: Vec<&str> = text.lines().collect();
        let mut changes = 0;
        for (number, line) in lines.iter().enumerate() {
            for changed in changed_values(line) {
                let mut lines = lines.clone();
                lines[number] = &changed;
                let changed_text = lines.join("\n") + "\n";
                assert_ne!(changed_text, text);
                let verified = verify(&TrustAnchor::Nothing, changed_text.as_bytes());
                assert!(verified.is_err(), "line {}: {changed}", number + 1);
                changes += 1;
            }
        }
        assert!(changes > 200, "{changes} changes");
    }
}

/// The line with other values: digits counted on, letters replaced, switches turned.
fn changed_values(line: &str) -> Vec<String> {
    let value = line.find("\": ").map_or(0, |place| place + 3);
    let (name, value) = line.split_at(value);
    let mut changed = Vec::new();
    for (from, to) in [("true", "false"), ("false", "true"), ("null", "\"x\""), ("[]", "[null]")] {
        if value.contains(from) {
            changed.push(format!("{name}{}", value.replacen(from, to, 1)));
        }
    }
    let places: Vec<usize> = value
        .char_indices()
        .filter(|(_, char)| char.is_ascii_alphanumeric())
        .map(|(place, _)| place)
        .collect();
    // The first, the last and one in between of each value.
    for place in [places.first(), places.get(places.len() / 2), places.last()].into_iter().flatten()
    {
        let other = match value.as_bytes()[*place] {
            b'9' => '8',
            digit @ b'0'..=b'8' => char::from(digit + 1),
            b'f' => 'e',
            b'z' => 'y',
            b'Z' => 'Y',
            letter => char::from(letter + 1),
        };
        let mut text = value.to_owned();
        text.replace_range(*place..=*place, other.encode_utf8(&mut [0; 4]));
        changed.push(format!("{name}{text}"));
    }
    changed
}

#[test]
fn a_thousand_changed_bytes_are_refused() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % below as u64) as usize
    };
    for proof in [after_set_change(), by_gateway(), corrected(), every_line(), fined()] {
        let bytes = text(&proof).into_bytes();
        for _ in 0..267 {
            let mut changed = bytes.clone();
            let place = next(bytes.len());
            changed[place] = changed[place].wrapping_add(1 + next(255) as u8);
            assert!(verify(&TrustAnchor::Nothing, &changed).is_err(), "byte {place}");
        }
    }
}

#[test]
fn the_form_of_the_file_is_one() {
    let text = text(&by_meter());
    let not_canonical = |text: &str| {
        let error = ProofFile::parse(text.as_bytes()).unwrap_err();
        assert!(matches!(error, ProofFileError::NotCanonical { .. }), "{error}");
        assert!(!error.is_not_a_proof());
    };
    not_canonical(&text.replace("\n", "\r\n"));
    not_canonical(text.trim_end());
    not_canonical(&format!("{text}\n"));
    not_canonical(&text.replacen("  \"", "   \"", 1));
    let refused = |text: &str, wanted: &str| {
        let error = ProofFile::parse(text.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(wanted), "{error}");
        error.is_not_a_proof()
    };
    let unknown = text.replacen("\"bill_hash\"", "\"note\": 1,\n  \"bill_hash\"", 1);
    assert!(!refused(&unknown, "unknown field `note`"));
    let zeroed = text.replacen("\"total_micro\": \"", "\"total_micro\": \"0", 1);
    assert!(!refused(&zeroed, "write it as"));
    assert!(refused("", "not a proof file"));
    assert!(refused("{}", "it names no format"));
    assert!(refused("[1]", "not a proof file"));
    assert!(refused(&text[..text.len() / 2], "not a proof file"));
    assert!(refused("{\"format\": \"gridtally-genesis/1\"}", "it says that it is"));
    assert!(ProofFile::parse(&[0xff, 0xfe]).unwrap_err().is_not_a_proof());
}

#[test]
fn a_month_is_small_and_quick() {
    let mut ledger = Ledger::new();
    let first = ledger.first_period(day(1));
    ledger.tariff(curve(), first);
    for number in 1..=30 {
        ledger.live_through(day(number));
    }
    let month = BillingPeriod::Month { year: 2016, month: 6 };
    let bill = ledger.bill(ledger.home, month);
    let text = text(&ledger.proof(bill).unwrap());
    assert!(text.len() <= 60_000, "{} bytes", text.len());
    let started = std::time::Instant::now();
    let verified = verify(&TrustAnchor::Nothing, text.as_bytes()).unwrap();
    println!("month: {} bytes, verified in {:?}", text.len(), started.elapsed());
    assert_eq!((verified.signatures, verified.corrections), (60, 0));
}

#[test]
fn corrections_after_the_bill_leave_its_proof_alone() {
    let mut ledger = with_curve();
    ledger.correct_reading(day(1), 5, 1);
    ledger.correct_frequency(day(1), 6, 50_001);
    let bill = ledger.bill(ledger.home, one_day());
    let proof = ledger.proof(bill).unwrap();
    ledger.correct_reading(day(1), 8, 2);
    ledger.correct_frequency(day(1), 9, 50_002);
    ledger.delete_frequency(day(1), 10);
    let later = ledger.proof(bill).unwrap();
    assert_eq!((&later.days, &later.frequency_days), (&proof.days, &proof.frequency_days));
    assert!(verify(&TrustAnchor::Nothing, text(&later).as_bytes()).is_ok());
    // The same slots again, and a new bill: each of the two is proven by its own values.
    ledger.correct_reading(day(1), 5, 3);
    ledger.correct_frequency(day(1), 6, 50_003);
    ledger.correct_frequency(day(1), 10, 50_004);
    let again = ledger.bill(ledger.home, one_day());
    assert_eq!(again, bill, "the period's first bill; the second revision follows");
    let second = contracts::billing::bill_id(ledger.home, one_day(), 2);
    let former = ledger.proof(bill).unwrap();
    assert_eq!((&former.days, &former.frequency_days), (&proof.days, &proof.frequency_days));
    let new = ledger.proof(second).unwrap();
    assert_eq!(new.days[0].readings[5].import_wh.get(), 3);
    for proof in [former, new] {
        assert!(verify(&TrustAnchor::Nothing, text(&proof).as_bytes()).is_ok());
    }
}

#[test]
fn a_fine_is_counted_again_from_the_dues() {
    let right = fined();
    let fine = right.bill.lines.last().unwrap();
    assert_eq!(fine.kind, LineKind::Fine);
    assert!(right.fine.account.count.run.is_some(), "it goes on from the bill before");
    let verified = verify_bill_proof(None, &right).unwrap();
    assert_eq!((verified.fine, verified.account), (fine.amount, right.bill.account));
    assert_eq!(verified.open_at_issue, right.bill.total);
    assert!(right.bill.account.arrears > right.fine.account.dues(), "a fine is among the arrears");
    let check = |wanted: &str, edit: &dyn Fn(&mut BillProof)| {
        let mut proof = right.clone();
        edit(&mut proof);
        let found = verify_bill_proof(None, &proof).unwrap_err().to_string();
        assert!(found.starts_with(wanted), "{found}\nwanted: {wanted}");
    };
    let lines = right.bill.lines.len();
    let edit_lines = |proof: &mut BillProof, edit: &dyn Fn(&mut Vec<BillLine>)| {
        let mut lines = proof.bill.lines.to_vec();
        edit(&mut lines);
        proof.bill.lines = lines.try_into().unwrap();
    };
    let last = |proof: &mut BillProof, edit: &dyn Fn(&mut BillLine)| {
        edit_lines(proof, &|lines| edit(lines.last_mut().unwrap()));
    };
    let subject = format!("line {lines} of the bill is about another subject");
    check(&subject, &|proof| last(proof, &|it| it.version = 1));
    check(&subject, &|proof| last(proof, &|it| it.name = "Fee".parse().unwrap()));
    check(&format!("line {lines}: exact"), &|proof| {
        last(proof, &|it| it.exact = MilliMicro::new(1))
    });
    check(&format!("line {lines}: energy"), &|proof| {
        last(proof, &|it| it.energy = WattHours::new(1))
    });
    check(&format!("line {lines}: amount"), &|proof| {
        last(proof, &|it| it.amount = MicroCurrency::new(it.amount.get() + 10_000));
    });
    check("the bill has", &|proof| edit_lines(proof, &|lines| lines.extend(lines.last().cloned())));
    check("the bill has", &|proof| edit_lines(proof, &|lines| drop(lines.pop())));
}

type Changes = Vec<(LocalDay, Dues)>;

/// The basis of a fine changed, and the bill made to commit to it: as a ledger would whose nodes
/// count wrongly.
#[test]
fn a_ledger_that_fines_wrongly_is_found_out() {
    let right = fined();
    let forged = |edit: &dyn Fn(&mut FineBasis)| {
        let mut proof = right.clone();
        edit(&mut proof.fine);
        let unsaid = verify_bill_proof(None, &proof).unwrap_err().to_string();
        assert_eq!(unsaid, "what the fine is counted from is not what the bill commits to");
        proof.bill.fine_hash = proof.fine.hash();
        verify_bill_proof(None, &proof).unwrap_err().to_string()
    };
    let micro = |amount: MicroCurrency, by: i64| MicroCurrency::new(amount.get() + by);
    let changes = |basis: &mut FineBasis, edit: &dyn Fn(&mut Changes)| {
        let mut changes = basis.account.changes.to_vec();
        edit(&mut changes);
        basis.account.changes = changes.try_into().unwrap();
    };
    let rules = |basis: &mut FineBasis, edit: &dyn Fn(&mut FineRules)| {
        let mut rules = basis.rules.general.to_vec();
        rules.iter_mut().for_each(|(_, rules)| edit(rules));
        basis.rules.general = rules.try_into().unwrap();
    };
    let counted: [&dyn Fn(&mut FineBasis); 6] = [
        &|it| changes(it, &|changes| changes[0].1.at_end = micro(changes[0].1.at_end, 100_000_000)),
        &|it| it.account.opening = micro(it.account.opening, -1_000_000_000),
        &|it| it.account.charged = micro(it.account.charged, -10_000),
        &|it| it.account.count.accrued += 10_000 * 10_000,
        &|it| rules(it, &|rules| rules.daily = BasisPoints::new(200).unwrap()),
        &|it| rules(it, &|rules| rules.threshold = micro(rules.threshold, 100_000_000)),
    ];
    for edit in counted {
        let found = forged(edit);
        let other = found.contains("what is proven gives") || found.contains("the bill has");
        assert!(other, "{found}");
    }
    let before = |day: LocalDay| day.offset(-1).unwrap();
    let impossible: [&dyn Fn(&mut FineBasis); 9] = [
        &|it| it.today = before(it.today),
        &|it| it.account.from = it.today.next().unwrap(),
        &|it| it.account.count.accrued = i128::MAX,
        &|it| it.account.count.accrued = -1,
        &|it| it.account.count.run.as_mut().unwrap().total = i128::MIN,
        &|it| it.account.count.run.as_mut().unwrap().exceeded_on = it.today,
        &|it| changes(it, &|changes| changes.push(changes[0])),
        &|it| changes(it, &|changes| changes[0].0 = LocalDay::MAX),
        &|it| rules(it, &|rules| rules.fixed = MicroCurrency::new(-1)),
    ];
    for edit in impossible {
        assert_eq!(forged(edit), "what the fine is counted from cannot be");
    }
}

#[test]
fn an_account_that_contradicts_its_bill_is_named() {
    let check = |wanted: &str, edit: &dyn Fn(&mut BillAccount)| {
        let mut proof = fined();
        edit(&mut proof.bill.account);
        let found = verify_bill_proof(None, &proof).unwrap_err().to_string();
        assert!(found.contains(wanted), "{found}\nwanted: {wanted}");
    };
    let (one, minus) = (MicroCurrency::new(1), MicroCurrency::new(-1));
    check("an amount is below zero", &|account| account.payments = minus);
    check("an amount is below zero", &|account| account.credit = minus);
    check("there is none", &|account| account.paid_out = one);
    check("there is none", &|account| account.upheld = one);
    check("the arrears are less", &|account| account.arrears = one);
    check("more credit is used up", &|account| account.credit = MicroCurrency::new(1 << 40));
    // What contradicts nothing is still not what the ledger's event says.
    check("the bill hashes to", &|account| account.payments = one);
    check("the bill hashes to", &|account| account.credit = one);
}

#[test]
fn a_day_whose_every_slot_is_corrected_needs_no_seed() {
    let mut ledger = with_curve();
    for slot in 0..96 {
        ledger.correct_reading(day(1), slot, u64::from(slot) + 1);
    }
    let bill = ledger.bill(ledger.home, one_day());
    let mut proof = ledger.proof(bill).unwrap();
    assert!(verify(&TrustAnchor::Nothing, text(&proof).as_bytes()).is_ok());
    let mut days = proof.days.to_vec();
    days[0].seed = DaySeed::new([1; 32]);
    proof.days = days.try_into().unwrap();
    assert_eq!(
        wrong(&proof),
        "the readings of 2016-06-01 are all corrected, and yet there is a seed"
    );
}
