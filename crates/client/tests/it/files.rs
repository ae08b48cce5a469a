//! Key files and genesis files: there and back, and errors that tell what to do.

use std::fs;
use std::path::Path;

use client::genesis_file::{self, GenesisFileError, zone_from_iana, zone_of_india};
use client::key_file::{KeyFile, KeyFileError, Protection};
use primitives::calendar::Calendar;

use crate::kit::{genesis, key};

#[test]
fn a_key_comes_back_out_of_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let key = key("somebody");
    for (name, protection, passphrase) in [
        ("plain.json", Protection::Plain, None),
        ("locked.json", Protection::Passphrase("correct horse"), Some("correct horse")),
    ] {
        let path = folder.path().join(name);
        KeyFile::write(&path, &key, protection).unwrap();
        let file = KeyFile::read(&path).unwrap();
        assert_eq!(file.public(), key.public());
        assert_eq!(file.needs_passphrase(), passphrase.is_some());
        assert_eq!(file.unlock(passphrase).unwrap().seed(), key.seed());
        let again = KeyFile::write(&path, &key, protection);
        assert!(matches!(again, Err(KeyFileError::Exists(_))), "{again:?}");
        let secret = data_encoding::BASE64URL_NOPAD.encode(key.seed());
        assert!(!format!("{file:?} {protection:?}").contains(&secret));
        assert_eq!(fs::read_to_string(&path).unwrap().contains(&secret), passphrase.is_none());
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no temporary file is left");
}

#[test]
fn key_file_errors_tell_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.json");
    let key = key("somebody");
    let empty = KeyFile::write(&path, &key, Protection::Passphrase(""));
    assert!(matches!(empty, Err(KeyFileError::EmptyPassphrase)));
    KeyFile::write(&path, &key, Protection::Passphrase("right")).unwrap();
    let file = KeyFile::read(&path).unwrap();
    assert!(matches!(file.unlock(None), Err(KeyFileError::PassphraseNeeded(_))));
    assert!(matches!(file.unlock(Some("wrong")), Err(KeyFileError::WrongPassphrase(_))));

    let text = fs::read_to_string(&path).unwrap();
    let check = |text: &str, wanted: &dyn Fn(&KeyFileError) -> bool| {
        let path = folder.path().join("changed.json");
        write_private(&path, text);
        let error = KeyFile::read(&path).and_then(|file| file.unlock(Some("right"))).unwrap_err();
        assert!(wanted(&error), "{error}");
        fs::remove_file(&path).unwrap();
    };
    let damaged = |error: &KeyFileError| matches!(error, KeyFileError::Damaged { .. });
    let other = |error: &KeyFileError| matches!(error, KeyFileError::OtherFormat { .. });
    check(&text.replace("gridtally-key/1", "gridtally-key/2"), &other);
    check("not JSON", &other);
    check(&"x".repeat(20_000), &other);
    check(&text.replace("\"memory_kib\": 65536", "\"memory_kib\": 4294967295"), &damaged);
    check(&text.replace("\"iterations\"", "\"rounds\""), &damaged);
    check(&text.replace("\"secret\": \"", "\"secret\": \"AAAA"), &damaged);
    let others = key_of_another();
    let swapped = text.replace(&key.public().to_string(), &others);
    check(&swapped, &|error| matches!(error, KeyFileError::WrongPassphrase(_)));

    let plain = folder.path().join("plain.json");
    KeyFile::write(&plain, &key, Protection::Plain).unwrap();
    let text = fs::read_to_string(&plain).unwrap();
    check(&text.replace(&key.public().to_string(), &others), &damaged);
    let missing = KeyFile::read(&folder.path().join("none.json"));
    assert!(matches!(missing, Err(KeyFileError::File { .. })));
}

fn key_of_another() -> String {
    key("somebody else").public().to_string()
}

#[cfg(unix)]
fn write_private(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[cfg(not(unix))]
fn write_private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}

#[cfg(unix)]
#[test]
fn keys_that_others_can_read_are_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.json");
    KeyFile::write(&path, &key("somebody"), Protection::Plain).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    for mode in [0o640, 0o604, 0o660] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = KeyFile::read(&path).unwrap_err();
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
}

#[test]
fn a_genesis_comes_back_out_of_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("genesis.json");
    let mut genesis = genesis();
    genesis.zone = zone_from_iana("Europe/Madrid", 2016, 2030).unwrap();
    genesis_file::write(&path, &genesis).unwrap();
    genesis_file::write(&path, &genesis).unwrap();
    assert_eq!(genesis_file::read(&path).unwrap(), genesis);

    let text = genesis_file::to_json(&genesis).unwrap();
    let refused = |from: &str, to: &str| {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        genesis_file::from_json(&changed).unwrap_err()
    };
    let other = refused("\"rejections_per_hour\": 100", "\"rejections_per_hour\": 101");
    assert!(matches!(other, GenesisFileError::OtherLedger { .. }), "{other}");
    let unknown = refused("\"demo\"", "\"colour\": 1, \"demo\"").to_string();
    assert!(unknown.contains("unknown field `colour`"), "{unknown}");
    assert!(matches!(refused("gridtally-genesis/1", "x"), GenesisFileError::Format(_)));
    assert!(matches!(
        refused("\"slot_minutes\": 15", "\"slot_minutes\": 7"),
        GenesisFileError::Genesis(_)
    ));
    let float =
        refused("\"token_price_micro_coin\": \"500000\"", "\"token_price_micro_coin\": 0.5");
    assert!(matches!(float, GenesisFileError::Json(_)), "{float}");
}

#[test]
fn zones_come_from_the_bundled_database() {
    assert_eq!(zone_from_iana("Asia/Kolkata", 1970, 2100).unwrap(), zone_of_india());
    let madrid = zone_from_iana("Europe/Madrid", 2025, 2025).unwrap();
    assert_eq!(madrid.base_offset_seconds, 3_600);
    assert_eq!(madrid.transitions[..], [(1_743_296_400, 7_200), (1_761_440_400, 3_600)]);
    let long = zone_from_iana("Europe/Madrid", 2000, 2199).unwrap();
    assert_eq!(long.transitions.len(), 400);
    assert!(Calendar::new(15, long).is_ok());
    assert!(matches!(
        zone_from_iana("Mars/Base", 2000, 2001),
        Err(GenesisFileError::UnknownZone(_))
    ));
    assert!(matches!(zone_from_iana("UTC", 2001, 2000), Err(GenesisFileError::Years(..))));
    assert!(matches!(zone_from_iana("Europe/Madrid", 1970, 2300), Err(GenesisFileError::Codec(_))));
}
