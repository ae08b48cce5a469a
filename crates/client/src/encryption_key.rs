//! The key to which private payloads of a party are encrypted.
//!
//! It is an X25519 key whose secret follows from the seed of a signing key, so a party keeps one file
//! for both and cannot lose the one without the other. The derivation is one way: whoever is handed the
//! secret cannot sign.

use curve25519_dalek::montgomery::MontgomeryPoint;
use primitives::hash::Hash;
use primitives::key::SigningKey;

/// The secret: SHA-256 of the domain and the seed.
#[must_use]
pub fn secret(key: &SigningKey) -> [u8; 32] {
    *Hash::of_domain("gridtally/encryption-key/v1", &[key.seed()]).as_bytes()
}

/// The public key of a secret (RFC 7748).
#[must_use]
pub fn public_of(secret: [u8; 32]) -> [u8; 32] {
    MontgomeryPoint::mul_base_clamped(secret).to_bytes()
}

/// The public key that a party registers.
#[must_use]
pub fn public(key: &SigningKey) -> [u8; 32] {
    public_of(secret(key))
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    #[test]
    fn keys_are_those_of_rfc_7748() {
        // Section 6.1: Bob's keys.
        let secret = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb";
        let public = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f";
        let secret: [u8; 32] = HEXLOWER.decode(secret.as_bytes()).unwrap().try_into().unwrap();
        assert_eq!(HEXLOWER.encode(&public_of(secret)), public);
    }

    #[test]
    fn each_key_has_its_own_and_it_is_not_the_seed() {
        let [one, two] = [[1; 32], [2; 32]].map(SigningKey::from_seed);
        assert_ne!(public(&one), public(&two));
        assert_eq!(public(&one), public(&SigningKey::from_seed([1; 32])));
        assert_ne!(secret(&one), *one.seed());
    }
}
