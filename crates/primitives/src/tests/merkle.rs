//! Trees, paths, multi-proofs and the growing tree against each other.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::codec::{decode, encode};
use crate::hash::Hash;
use crate::merkle::{
    Frontier, MerkleError, MerkleTree, accumulator_path, empty_root, leaf_hash, node_hash,
    root_of_leaf_hashes,
};

fn leaf(number: u64) -> Hash {
    leaf_hash(&number.to_le_bytes())
}

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(leaf).collect()
}

/// RFC 6962 §2.1, word for word: split at the largest power of two below the number of leaves.
fn by_definition(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [one] => *one,
        _ => {
            let split = leaves.len().next_power_of_two() / 2;
            node_hash(&by_definition(&leaves[..split]), &by_definition(&leaves[split..]))
        }
    }
}

#[test]
fn known_roots() {
    // The test vectors of the Certificate Transparency implementation.
    let data: [&[u8]; 3] = [b"", b"\x00", b"\x10"];
    let wanted = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    ];
    for (count, wanted) in wanted.into_iter().enumerate() {
        assert_eq!(MerkleTree::from_data(&data[..count]).root().to_string(), wanted);
    }
}

#[test]
fn every_size_agrees_with_the_definition() {
    let mut frontier = Frontier::new();
    let mut stored = BTreeMap::new();
    for count in 0..=70 {
        let leaves = leaves(count);
        let tree = MerkleTree::from_leaf_hashes(leaves.clone());
        let root = by_definition(&leaves);
        assert_eq!(tree.root(), root, "{count} leaves");
        assert_eq!(root_of_leaf_hashes(leaves.clone()), root, "{count} leaves");
        assert_eq!(frontier.root(), root, "{count} leaves");
        assert_eq!((tree.leaf_count(), frontier.leaf_count()), (count, count));
        assert_eq!(decode(&encode(&frontier)), Ok(frontier.clone()));
        for index in 0..count {
            let path = tree.path(index).unwrap();
            assert_eq!(path.root_of(&leaves[index as usize]), Ok(root));
            let accumulated = accumulator_path(index, count, &mut |level, place| {
                stored.get(&(level, place)).copied()
            });
            assert_eq!(accumulated, Ok(path), "leaf {index} of {count}");
        }
        let missing = MerkleError::IndexOutOfRange { index: count, leaf_count: count };
        assert_eq!(tree.path(count), Err(missing));
        for (level, place, hash) in frontier.append(leaf(count)) {
            assert_eq!(stored.insert((level, place), hash), None, "completed twice");
        }
    }
    let nothing = accumulator_path(3, 4, &mut |_, _| None);
    assert_eq!(nothing, Err(MerkleError::NodeMissing { level: 0, index: 2 }));
}

#[test]
fn paths_of_the_wrong_shape_are_refused() {
    for count in 1..=70 {
        let tree = MerkleTree::from_leaf_hashes(leaves(count));
        for index in 0..count {
            let path = tree.path(index).unwrap();
            let mut longer = path.clone();
            longer.siblings.push(Hash::ZERO).unwrap();
            assert_eq!(longer.root_of(&leaf(index)), Err(MerkleError::TooManyHashes));
            let mut shorter = path.siblings.clone().into_vec();
            if shorter.pop().is_some() {
                let mut cut = path.clone();
                cut.siblings = shorter.try_into().unwrap();
                assert_eq!(cut.root_of(&leaf(index)), Err(MerkleError::TooFewHashes));
            }
            let mut outside = path.clone();
            outside.index = count;
            assert!(matches!(
                outside.root_of(&leaf(index)),
                Err(MerkleError::IndexOutOfRange { .. })
            ));
            assert_ne!(path.root_of(&leaf(index + 1)), Ok(tree.root()));
        }
    }
}

proptest! {
    #[test]
    fn multi_proofs_prove_just_their_leaves(
        count in 1..=70_u64,
        picks in prop::collection::btree_set(0..70_u64, 1..20),
        change in any::<prop::sample::Index>(),
    ) {
        let indices: Vec<_> = picks.into_iter().filter(|&index| index < count).collect();
        prop_assume!(!indices.is_empty());
        let tree = MerkleTree::from_leaf_hashes(leaves(count));
        let proof = tree.multi_proof(&indices).unwrap();
        let proven: Vec<_> = indices.iter().map(|&index| (index, leaf(index))).collect();
        prop_assert_eq!(proof.root_of(&proven), Ok(tree.root()));
        prop_assert_eq!(decode(&encode(&proof)), Ok(proof.clone()));

        let mut other_leaf = proven.clone();
        other_leaf[change.index(proven.len())].1 = Hash::ZERO;
        prop_assert_ne!(proof.root_of(&other_leaf), Ok(tree.root()));

        let mut longer = proof.clone();
        longer.hashes.push(Hash::ZERO).unwrap();
        prop_assert_eq!(longer.root_of(&proven), Err(MerkleError::TooManyHashes));

        let mut hashes = proof.hashes.clone().into_vec();
        if !hashes.is_empty() {
            let place = change.index(hashes.len());
            hashes[place] = Hash::ZERO;
            let mut other_hash = proof.clone();
            other_hash.hashes = hashes.clone().try_into().unwrap();
            prop_assert_ne!(other_hash.root_of(&proven), Ok(tree.root()));
            hashes.pop();
            let mut shorter = proof.clone();
            shorter.hashes = hashes.try_into().unwrap();
            prop_assert_eq!(shorter.root_of(&proven), Err(MerkleError::TooFewHashes));
        }
    }
}

#[test]
fn multi_proofs_want_ascending_leaves() {
    let tree = MerkleTree::from_leaf_hashes(leaves(9));
    for wrong in [&[][..], &[3, 3], &[4, 3]] {
        assert_eq!(tree.multi_proof(wrong), Err(MerkleError::LeavesNotAscending));
    }
    assert!(matches!(tree.multi_proof(&[3, 9]), Err(MerkleError::IndexOutOfRange { .. })));
    let all: Vec<_> = (0..9).collect();
    assert!(tree.multi_proof(&all).unwrap().hashes.is_empty());
}
