//! ZIP-215: the edge cases, alone and in batches.

use data_encoding::HEXLOWER;

use super::{golden, sample};
use crate::hash::Hash;
use crate::key::{BatchVerifier, PublicKey, Signature, SignatureError, SigningKey, verify};

/// The encodings of all points of small order: the eight canonical ones, then the six others.
const SMALL_ORDER: [&str; 14] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

/// The message of the published ZIP-215 vectors.
const MESSAGE: &[u8] = b"Zcash";

const ENTROPY: [u8; 32] = [5; 32];

/// The group order, little endian.
const ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

fn point(text: &str) -> [u8; 32] {
    HEXLOWER.decode(text.as_bytes()).unwrap().try_into().unwrap()
}

fn signature(r: &[u8], s: &[u8]) -> Signature {
    Signature::new([r, s].concat().try_into().unwrap())
}

/// Checks one signature alone, in a batch of its own, and among others that hold.
fn agree(key: PublicKey, message: &[u8], signature: Signature) -> Result<(), SignatureError> {
    let single = verify(&key, message, &signature);
    let mut alone = BatchVerifier::new();
    alone.queue(key, signature, message);
    assert_eq!(alone.verify(ENTROPY), single.is_ok(), "{key:?} {signature:?}");
    let mut among = BatchVerifier::new();
    for number in 1..=3 {
        let other = sample::key(number);
        among.queue(other.public(), other.sign_bytes(&[number]), [number]);
    }
    among.queue(key, signature, message);
    assert_eq!(among.verify(ENTROPY), single.is_ok(), "{key:?} {signature:?}");
    single
}

/// Rule: ZIP-215 accepts every small-order key and nonce, however encoded, with s = 0.
#[test]
fn small_order_points_are_accepted_by_single_and_batch() {
    let mut lines = Vec::new();
    let mut batch = BatchVerifier::new();
    for (row, key) in SMALL_ORDER.iter().enumerate() {
        for (column, nonce) in SMALL_ORDER.iter().enumerate() {
            let key = PublicKey::ed25519(point(key));
            let signature = signature(&point(nonce), &[0; 32]);
            assert_eq!(agree(key, MESSAGE, signature), Ok(()), "key {row}, nonce {column}");
            batch.queue(key, signature, MESSAGE);
            let bytes = [&key.bytes[..], signature.as_bytes()].concat();
            lines.push((format!("key_{row:02}_nonce_{column:02}"), bytes));
        }
    }
    assert_eq!(batch.len(), 196);
    assert!(batch.verify(ENTROPY));
    golden::compare("zip215.txt", &lines);
}

#[test]
fn wrong_signatures_are_refused_by_single_and_batch() {
    let key = sample::key(1);
    let public = key.public();
    let right = key.sign_bytes(MESSAGE);
    assert_eq!(agree(public, MESSAGE, right), Ok(()));
    let (r, s) = right.as_bytes().split_at(32);

    // s + order is the same scalar, and the second encoding that ZIP-215 refuses.
    let mut carry = 0;
    let mut shifted = [0; 32];
    for (place, order) in point(ORDER).into_iter().enumerate() {
        carry += u16::from(s[place]) + u16::from(order);
        shifted[place] = carry as u8;
        carry >>= 8;
    }
    // y = 2 is no point of the curve.
    let mut no_point = [0; 32];
    no_point[0] = 2;
    let mut other_s = [0; 32];
    other_s.copy_from_slice(s);
    other_s[0] ^= 1;

    let cases = [
        ("other message", public, &b"zcash"[..], right),
        ("other key", sample::key(2).public(), MESSAGE, right),
        ("other s", public, MESSAGE, signature(r, &other_s)),
        ("s above the order", public, MESSAGE, signature(r, &shifted)),
        (
            "s is the order",
            PublicKey::ed25519(point(SMALL_ORDER[0])),
            MESSAGE,
            signature(&point(SMALL_ORDER[0]), &point(ORDER)),
        ),
        ("nonce no point", public, MESSAGE, signature(&no_point, s)),
        ("key no point", PublicKey::ed25519(no_point), MESSAGE, right),
    ];
    for (what, key, message, signature) in cases {
        assert_eq!(agree(key, message, signature), Err(SignatureError), "{what}");
    }
}

#[test]
fn known_answer() {
    // RFC 8032 §7.1, test 2.
    let seed = point("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
    let key = SigningKey::from_seed(seed);
    let public = "ed25519:3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    let signature = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                     085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
    assert_eq!(key.public().to_string(), public);
    assert_eq!(public.parse(), Ok(key.public()));
    assert_eq!(key.sign_bytes(&[0x72]).to_string(), signature);
    assert_eq!(signature.parse(), Ok(key.sign_bytes(&[0x72])));
    assert!(!format!("{key:?}").contains("4ccd"), "a private key is never printed");
    for wrong in ["ed25519:", &public[8..], &public.to_uppercase(), &format!("{public}00")] {
        assert!(wrong.parse::<PublicKey>().is_err(), "{wrong}");
    }
}

#[test]
fn a_batch_of_nothing_holds_and_one_bad_signature_fails_it() {
    assert!(BatchVerifier::new().is_empty());
    assert!(BatchVerifier::new().verify(ENTROPY));
    for bad in 0..20_u8 {
        let mut batch = BatchVerifier::new();
        for number in 0..20_u8 {
            // Four keys sign five messages each, so that signatures of one key are put together.
            let key = sample::key(number % 4);
            let message = Hash::of(&[number]);
            let signed = if number == bad { Hash::ZERO } else { message };
            batch.queue(key.public(), key.sign_hash(&signed), message);
        }
        assert!(!batch.verify([bad; 32]));
    }
}

#[test]
fn every_signer_of_a_transaction_has_to_sign() {
    let transaction = sample::transaction();
    assert_eq!(transaction.verify_signatures(), Ok(()));
    assert_eq!(transaction.signature_pairs().unwrap().len(), 2);

    let mut signatures = transaction.signatures.clone().into_vec();
    signatures.swap(0, 1);
    let mut swapped = transaction.clone();
    swapped.signatures = signatures.try_into().unwrap();
    let mut missing = transaction.clone();
    missing.signatures = transaction.signatures[..1].try_into().unwrap();
    let mut superfluous = transaction.clone();
    superfluous.signatures.push(transaction.signatures[0]).unwrap();
    let mut changed = transaction.clone();
    changed.envelope.kind += 1;
    for wrong in [swapped, missing, superfluous, changed] {
        assert_eq!(wrong.verify_signatures(), Err(SignatureError));
    }
}
