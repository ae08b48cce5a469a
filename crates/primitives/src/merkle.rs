//! Merkle trees in the shape of RFC 6962, and the proofs that lead to their roots.
//!
//! Rule: a leaf is SHA-256(0x00 ‖ data), a node SHA-256(0x01 ‖ left ‖ right), the empty tree
//! SHA-256 of nothing (RFC 6962 §2.1). With n leaves the left subtree holds the largest power of two
//! below n; read level by level that means: pair the hashes, and carry an odd last one up unchanged.
//!
//! [`MerkleTree`] is the tree of a list that is all there. [`Frontier`] is the same tree when leaves
//! come one by one for ever: it keeps only the roots of its complete subtrees, and hands out each
//! node the moment it is complete, so that a store can prove old leaves ([`accumulator_path`]).
//!
//! Proofs are strict: exactly the hashes that the shape asks for, no more and no fewer.

use borsh::io::{Read, Result as IoResult};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::codec::{Bounded, invalid};
use crate::hash::{Hash, Hasher};

/// The largest number of hashes in a [`MultiProof`].
pub const MAX_MULTI_PROOF_HASHES: usize = 4_096;

/// Why a proof is wrong or cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MerkleError {
    /// There is no such leaf.
    #[error("leaf {index} of a tree with {leaf_count} leaves")]
    IndexOutOfRange {
        /// The leaf asked for.
        index: u64,
        /// How many there are.
        leaf_count: u64,
    },
    /// The proof has fewer hashes than its shape asks for.
    #[error("proof has too few hashes")]
    TooFewHashes,
    /// The proof has more hashes than its shape asks for.
    #[error("proof has too many hashes")]
    TooManyHashes,
    /// The leaves of a multi-proof are none, or not strictly ascending.
    #[error("leaves of a multi-proof have to be given in strictly ascending order, at least one")]
    LeavesNotAscending,
    /// A node that is needed for the path is not in the store.
    #[error("node {index} of level {level} is missing")]
    NodeMissing {
        /// The level, 0 for the leaves.
        level: u8,
        /// The place in the level, from the left.
        index: u64,
    },
}

/// The hash of a leaf with this data.
#[must_use]
pub fn leaf_hash(data: &[u8]) -> Hash {
    leaf_hash_of(&[data])
}

/// The hash of a leaf whose data are these parts in a row.
#[must_use]
pub fn leaf_hash_of(parts: &[&[u8]]) -> Hash {
    let mut hasher = Hasher::new();
    hasher.update(&[0x00]);
    for part in parts {
        hasher.update(part);
    }
    hasher.finish()
}

/// The hash of a node over two hashes.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = Hasher::new();
    hasher.update(&[0x01]);
    hasher.update(left.as_bytes());
    hasher.update(right.as_bytes());
    hasher.finish()
}

/// The root of the tree over leaves that are already hashed with [`leaf_hash`], for who needs no
/// proof: level by level in place.
#[must_use]
pub fn root_of_leaf_hashes(mut level: Vec<Hash>) -> Hash {
    while level.len() > 1 {
        let above = level.len().div_ceil(2);
        for place in 0..above {
            level[place] = match level[place * 2..].get(..2) {
                Some(pair) => node_hash(&pair[0], &pair[1]),
                None => level[place * 2],
            };
        }
        level.truncate(above);
    }
    level.first().copied().unwrap_or_else(empty_root)
}

/// The root of a tree without leaves.
#[must_use]
pub fn empty_root() -> Hash {
    Hash::of(b"")
}

/// The tree over a list of leaves, with all its nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MerkleTree {
    /// The leaf hashes, then each level above, up to the root alone. Never empty.
    levels: Vec<Vec<Hash>>,
}

impl MerkleTree {
    /// The tree over leaves that are already hashed with [`leaf_hash`].
    #[must_use]
    pub fn from_leaf_hashes(leaves: Vec<Hash>) -> Self {
        let mut levels = vec![leaves];
        while let Some(level) = levels.last().filter(|level| level.len() > 1) {
            let above = level
                .chunks(2)
                .map(|pair| match pair {
                    [left, right] => node_hash(left, right),
                    _ => pair[0],
                })
                .collect();
            levels.push(above);
        }
        Self { levels }
    }

    /// The tree over the data of its leaves.
    #[must_use]
    pub fn from_data<T: AsRef<[u8]>>(leaves: impl IntoIterator<Item = T>) -> Self {
        Self::from_leaf_hashes(leaves.into_iter().map(|data| leaf_hash(data.as_ref())).collect())
    }

    /// The number of leaves.
    #[must_use]
    pub fn leaf_count(&self) -> u64 {
        self.levels[0].len() as u64
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.levels.last().and_then(|top| top.first()).copied().unwrap_or_else(empty_root)
    }

    /// The proof that leaf `index` belongs to the root.
    ///
    /// # Errors
    /// [`MerkleError::IndexOutOfRange`] when there is no such leaf.
    pub fn path(&self, index: u64) -> Result<MerklePath, MerkleError> {
        let leaf_count = self.leaf_count();
        collect_path(index, leaf_count, |level, place| {
            Ok(self.levels[usize::from(level)][place as usize])
        })
    }

    /// One proof for several leaves, given by strictly ascending indices.
    ///
    /// # Errors
    /// [`MerkleError`] when a leaf does not exist, the order is wrong or the proof would exceed
    /// [`MAX_MULTI_PROOF_HASHES`].
    pub fn multi_proof(&self, indices: &[u64]) -> Result<MultiProof, MerkleError> {
        let leaf_count = self.leaf_count();
        let known: Vec<_> = indices.iter().map(|&index| (index, Hash::ZERO)).collect();
        let mut hashes = Vec::new();
        climb(leaf_count, known, |level, place| {
            let hash = self.levels[usize::from(level)][place as usize];
            hashes.push(hash);
            Ok(hash)
        })?;
        let hashes = hashes.try_into().map_err(|_| MerkleError::TooManyHashes)?;
        Ok(MultiProof { leaf_count, hashes })
    }
}

/// The proof that one leaf belongs to a root.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct MerklePath {
    /// The leaf's place, counted from 0.
    pub index: u64,
    /// The number of leaves in the tree.
    pub leaf_count: u64,
    /// The hash beside the way at each level, from the leaves up; levels at which the way is
    /// carried up alone have none.
    pub siblings: Bounded<Hash, 64>,
}

impl MerklePath {
    /// The root to which the path leads from this leaf hash.
    ///
    /// # Errors
    /// [`MerkleError`] when the index does not exist or the number of siblings is not exactly that
    /// of the shape.
    pub fn root_of(&self, leaf_hash: &Hash) -> Result<Hash, MerkleError> {
        check_index(self.index, self.leaf_count)?;
        let mut siblings = self.siblings.iter();
        let mut hash = *leaf_hash;
        let (mut place, mut last) = (self.index, self.leaf_count - 1);
        while last > 0 {
            if place % 2 == 1 {
                let left = siblings.next().ok_or(MerkleError::TooFewHashes)?;
                hash = node_hash(left, &hash);
            } else if place < last {
                let right = siblings.next().ok_or(MerkleError::TooFewHashes)?;
                hash = node_hash(&hash, right);
            }
            place /= 2;
            last /= 2;
        }
        if siblings.next().is_some() {
            return Err(MerkleError::TooManyHashes);
        }
        Ok(hash)
    }
}

/// The proof that several leaves belong to a root, with no hash that the leaves themselves give.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct MultiProof {
    /// The number of leaves in the tree.
    pub leaf_count: u64,
    /// The missing hashes, level by level from the leaves up, in each level from the left.
    pub hashes: Bounded<Hash, MAX_MULTI_PROOF_HASHES>,
}

impl MultiProof {
    /// The root to which the proof leads from these (index, leaf hash) pairs in strictly ascending
    /// order.
    ///
    /// # Errors
    /// [`MerkleError`] when an index does not exist, the order is wrong or the number of hashes is
    /// not exactly that of the shape.
    pub fn root_of(&self, leaves: &[(u64, Hash)]) -> Result<Hash, MerkleError> {
        let mut hashes = self.hashes.iter();
        let root = climb(self.leaf_count, leaves.to_vec(), |_, _| {
            hashes.next().copied().ok_or(MerkleError::TooFewHashes)
        })?;
        if hashes.next().is_some() {
            return Err(MerkleError::TooManyHashes);
        }
        Ok(root)
    }
}

fn check_index(index: u64, leaf_count: u64) -> Result<(), MerkleError> {
    if index >= leaf_count {
        return Err(MerkleError::IndexOutOfRange { index, leaf_count });
    }
    Ok(())
}

/// Walks from leaf `index` to the root and asks `node` for the hash beside each step.
fn collect_path(
    index: u64,
    leaf_count: u64,
    mut node: impl FnMut(u8, u64) -> Result<Hash, MerkleError>,
) -> Result<MerklePath, MerkleError> {
    check_index(index, leaf_count)?;
    let mut siblings = Bounded::new();
    let (mut place, mut last, mut level) = (index, leaf_count - 1, 0);
    while last > 0 {
        let beside = place ^ 1;
        if beside <= last {
            siblings.push(node(level, beside)?).expect("a tree of 2⁶⁴ leaves has 64 levels");
        }
        place /= 2;
        last /= 2;
        level += 1;
    }
    Ok(MerklePath { index, leaf_count, siblings })
}

/// Climbs from the known leaves to the root, asking `missing` for every hash that they do not give.
/// The maker and the checker of a multi-proof share this, so they cannot differ in its order.
fn climb(
    leaf_count: u64,
    mut known: Vec<(u64, Hash)>,
    mut missing: impl FnMut(u8, u64) -> Result<Hash, MerkleError>,
) -> Result<Hash, MerkleError> {
    let ascending = known.windows(2).all(|pair| pair[0].0 < pair[1].0);
    let Some(&(greatest, _)) = known.last().filter(|_| ascending) else {
        return Err(MerkleError::LeavesNotAscending);
    };
    check_index(greatest, leaf_count)?;
    let (mut last, mut level) = (leaf_count - 1, 0);
    while last > 0 {
        let mut above = Vec::with_capacity(known.len());
        let mut nodes = known.iter().copied().peekable();
        while let Some((place, hash)) = nodes.next() {
            let parent = if place % 2 == 1 {
                node_hash(&missing(level, place - 1)?, &hash)
            } else if let Some((_, right)) = nodes.next_if(|&(next, _)| next == place + 1) {
                node_hash(&hash, &right)
            } else if place < last {
                node_hash(&hash, &missing(level, place + 1)?)
            } else {
                hash
            };
            above.push((place / 2, parent));
        }
        known = above;
        last /= 2;
        level += 1;
    }
    Ok(known[0].1)
}

/// A complete node of a growing tree: (level, 0 for the leaves; place in the level; hash).
pub type CompleteNode = (u8, u64, Hash);

/// The growing tree: the roots of its complete subtrees, and nothing else.
///
/// Bytes: leaf count `u64`, then the list of the roots, the largest subtree first; there is one for
/// each bit set in the count.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize)]
pub struct Frontier {
    leaf_count: u64,
    peaks: Bounded<Hash, 64>,
}

impl Frontier {
    /// The tree without leaves.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of leaves.
    #[must_use]
    pub const fn leaf_count(&self) -> u64 {
        self.leaf_count
    }

    /// Appends a leaf and returns every node that is now complete, the leaf first. A store that
    /// keeps them all can prove any leaf at any later size with [`accumulator_path`].
    ///
    /// # Panics
    /// After 2⁶⁴ − 1 leaves.
    pub fn append(&mut self, leaf_hash: Hash) -> Vec<CompleteNode> {
        let (mut level, mut index, mut hash) = (0, self.leaf_count, leaf_hash);
        let mut completed = vec![(level, index, hash)];
        let mut peaks = std::mem::take(&mut self.peaks).into_vec();
        while index % 2 == 1 {
            let left = peaks.pop().expect("every bit set in the count has its peak");
            hash = node_hash(&left, &hash);
            index /= 2;
            level += 1;
            completed.push((level, index, hash));
        }
        peaks.push(hash);
        self.peaks = peaks.try_into().expect("a count of 64 bits has at most 64 peaks");
        self.leaf_count = self.leaf_count.checked_add(1).expect("no ledger has 2⁶⁴ blocks");
        completed
    }

    /// The root: the peaks, bagged from right to left.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(smallest) = peaks.next() else { return empty_root() };
        peaks.fold(*smallest, |right, left| node_hash(left, &right))
    }
}

impl BorshDeserialize for Frontier {
    fn deserialize_reader<R: Read>(reader: &mut R) -> IoResult<Self> {
        let leaf_count = u64::deserialize_reader(reader)?;
        let peaks = Bounded::<Hash, 64>::deserialize_reader(reader)?;
        if peaks.len() != leaf_count.count_ones() as usize {
            return Err(invalid("frontier whose peaks do not fit its number of leaves"));
        }
        Ok(Self { leaf_count, peaks })
    }
}

/// The path of leaf `index` in the growing tree as it was with `leaf_count` leaves, built from the
/// complete nodes that [`Frontier::append`] gave and `stored` finds again by (level, index).
///
/// # Errors
/// [`MerkleError`] when there is no such leaf or a complete node is not in the store.
pub fn accumulator_path(
    index: u64,
    leaf_count: u64,
    stored: &mut dyn FnMut(u8, u64) -> Option<Hash>,
) -> Result<MerklePath, MerkleError> {
    collect_path(index, leaf_count, |level, place| node_at(level, place, leaf_count, stored))
}

/// The node at a place, from the store when it is complete, else from its two halves.
fn node_at(
    level: u8,
    index: u64,
    leaf_count: u64,
    stored: &mut dyn FnMut(u8, u64) -> Option<Hash>,
) -> Result<Hash, MerkleError> {
    // In u128, so that the edge of the last level does not overflow.
    let end = (u128::from(index) + 1) << level;
    if end <= u128::from(leaf_count) {
        return stored(level, index).ok_or(MerkleError::NodeMissing { level, index });
    }
    // Only the last node of a level above the leaves is incomplete, so this goes down 64 times at
    // most, and its left half is in turn either complete or all there is.
    let (below, left) = (level - 1, index * 2);
    let left_hash = node_at(below, left, leaf_count, stored)?;
    if (u128::from(left) + 1) << below >= u128::from(leaf_count) {
        return Ok(left_hash);
    }
    Ok(node_hash(&left_hash, &node_at(below, left + 1, leaf_count, stored)?))
}
