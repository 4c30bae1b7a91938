//! Merkle trees over append-only lists: RFC 6962 section 2.1 (RFC 9162 section 2.1) with SHA-256.
//!
//! ```text
//!              root = H(1 ‖ a ‖ b)                leaf hash  = H(0 ‖ leaf)
//!             /                   \               node hash  = H(1 ‖ left ‖ right)
//!        a = H(1‖d0‖d1)        b = d2             empty tree = H()
//!        /        \
//!      d0          d1                             a Frontier of this tree: size 3, hashes [a, b]
//! ```
//!
//! Every list of leaves has one root; a root proves a leaf's place ([`verify_inclusion`]) and that
//! an older list is a prefix of a newer one ([`verify_consistency`]) in a number of hashes that is
//! logarithmic in the list. Proofs carry no sizes: the verifier brings the sizes it believes in.

use std::convert::Infallible;

use sha2::{Digest, Sha256};

/// A SHA-256 value: a leaf hash, a node hash or a root.
pub type Hash = [u8; HASH_BYTES];

/// Bytes of a [`Hash`](type@Hash).
pub const HASH_BYTES: usize = 32;

/// Most hashes in a proof or a [`Frontier`]: one per level of a tree of 2^64 leaves, and one more
/// for the start of a consistency proof. A decoder may refuse anything longer.
pub const PROOF_HASHES_MAX: usize = 65;

/// The hash of a leaf, `SHA-256(0x00 ‖ leaf)` (RFC 6962 section 2.1).
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    Sha256::new()
        .chain_update([0])
        .chain_update(leaf)
        .finalize()
        .into()
}

/// The hash of an inner node, `SHA-256(0x01 ‖ left ‖ right)` (RFC 6962 section 2.1).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new()
        .chain_update([1])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

/// The root of the tree without leaves, `SHA-256("")`.
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// A list of leaf hashes that proofs are generated from.
pub trait LeafHashes {
    /// Why a leaf hash could not be read.
    type Error;

    /// How many leaves there are.
    fn len(&self) -> u64;

    /// The leaf hash with this zero-based index; only indices below [`len`](Self::len) are asked for.
    fn leaf(&self, index: u64) -> Result<Hash, Self::Error>;

    /// Whether there are no leaves.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl LeafHashes for [Hash] {
    type Error = Infallible;

    fn len(&self) -> u64 {
        <[Hash]>::len(self) as u64
    }

    fn leaf(&self, index: u64) -> Result<Hash, Infallible> {
        Ok(self[index as usize])
    }
}

/// Why a proof could not be generated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError<E> {
    /// The tree has fewer leaves than the request presupposes.
    #[error("the request names leaf or size {wanted}, but there are {available} leaves")]
    OutOfRange {
        /// The leaf index or tree size asked for.
        wanted: u64,
        /// The leaves, or the larger tree size, that bound it.
        available: u64,
    },
    /// The source failed to deliver a leaf hash.
    #[error("a leaf hash could not be read")]
    Source(#[source] E),
}

/// A proof that does not prove its claim. It does not say where it fails: a proof is right or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the Merkle proof does not lead from the claimed leaf or tree to the expected root")]
pub struct InvalidProof;

/// The right edge of a growing tree: its size and the roots of its perfect subtrees, largest first.
///
/// All that is needed to append leaves and to compute the root, in `O(log n)` space.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    /// One hash per set bit of `size`, most significant first.
    subtrees: Vec<Hash>,
}

impl Frontier {
    /// The frontier of the tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many leaves have been appended.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf, given by its [`leaf_hash`].
    pub fn append(&mut self, leaf: Hash) {
        let mut subtree = leaf;
        // Each trailing one of the old size is a perfect subtree of the size just reached.
        for _ in 0..self.size.trailing_ones() {
            let left = self
                .subtrees
                .pop()
                .expect("one subtree per set bit of the size");
            subtree = node_hash(&left, &subtree);
        }
        self.subtrees.push(subtree);
        self.size = self
            .size
            .checked_add(1)
            .expect("a tree has fewer than 2^64 leaves");
    }

    /// The root of the tree (RFC 6962 section 2.1).
    pub fn root(&self) -> Hash {
        let mut smallest_first = self.subtrees.iter().rev();
        match smallest_first.next() {
            None => empty_root(),
            Some(last) => smallest_first.fold(*last, |right, left| node_hash(left, &right)),
        }
    }

    /// The encoding: size (8 bytes, big-endian), then the subtree hashes, largest subtree first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + self.subtrees.len() * HASH_BYTES);
        bytes.extend_from_slice(&self.size.to_be_bytes());
        bytes.extend_from_slice(self.subtrees.as_flattened());
        bytes
    }

    /// Decodes [`to_bytes`](Self::to_bytes); `None` unless the number of hashes fits the size.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (size, hashes) = bytes.split_first_chunk::<8>()?;
        let size = u64::from_be_bytes(*size);
        let (subtrees, rest) = hashes.as_chunks::<HASH_BYTES>();
        let fits = rest.is_empty() && subtrees.len() == size.count_ones() as usize;
        fits.then(|| Self {
            size,
            subtrees: subtrees.to_vec(),
        })
    }
}

/// The root over all leaves of `source`.
pub fn root<S: LeafHashes + ?Sized>(source: &S) -> Result<Hash, S::Error> {
    range_root(source, 0, source.len())
}

/// The audit path of leaf `index` in the tree of the first `size` leaves, lowest sibling first
/// (RFC 6962 section 2.1.1). Reads each of the `size` leaves at most once.
pub fn inclusion_proof<S: LeafHashes + ?Sized>(
    source: &S,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, ProofError<S::Error>> {
    check_bound(size, source.len())?;
    if index >= size {
        return Err(ProofError::OutOfRange {
            wanted: index,
            available: size,
        });
    }
    let (mut start, mut end) = (0, size);
    let mut path = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            path.push(range_root(source, middle, end).map_err(ProofError::Source)?);
            end = middle;
        } else {
            path.push(range_root(source, start, middle).map_err(ProofError::Source)?);
            start = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree of the first `old_size` leaves is a prefix of the tree of the first
/// `new_size` (RFC 6962 section 2.1.2). Empty where nothing needs proof: equal sizes, or an empty
/// old tree.
pub fn consistency_proof<S: LeafHashes + ?Sized>(
    source: &S,
    old_size: u64,
    new_size: u64,
) -> Result<Vec<Hash>, ProofError<S::Error>> {
    check_bound(new_size, source.len())?;
    check_bound(old_size, new_size)?;
    if old_size == 0 {
        return Ok(Vec::new());
    }
    let (mut start, mut end) = (0, new_size);
    let mut path = Vec::new();
    while old_size < end {
        let middle = start + split(end - start);
        if old_size <= middle {
            path.push(range_root(source, middle, end).map_err(ProofError::Source)?);
            end = middle;
        } else {
            path.push(range_root(source, start, middle).map_err(ProofError::Source)?);
            start = middle;
        }
    }
    // A subtree that starts at leaf 0 is the old tree itself, whose root the verifier has.
    if start > 0 {
        path.push(range_root(source, start, end).map_err(ProofError::Source)?);
    }
    path.reverse();
    Ok(path)
}

/// Checks that the leaf with hash `leaf` is number `index` of the tree with this `size` and `root`
/// (RFC 9162 section 2.1.3.2).
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), InvalidProof> {
    if index >= size {
        return Err(InvalidProof);
    }
    // `node` and `last` are the RFC's fn and sn: the leaf's and the last leaf's ancestors' indices.
    let (mut node, mut last) = (index, size - 1);
    let mut computed = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(InvalidProof);
        }
        if node & 1 == 1 || node == last {
            computed = node_hash(sibling, &computed);
            skip_missing_siblings(&mut node, &mut last);
        } else {
            computed = node_hash(&computed, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last == 0 && computed == *root {
        Ok(())
    } else {
        Err(InvalidProof)
    }
}

/// Checks that the tree with `old_size` and `old_root` is a prefix of the tree with `new_size` and
/// `new_root` (RFC 9162 section 2.1.4.2, which leaves out the sizes that need no proof: there the
/// proof must be empty and the roots must be the only possible ones).
pub fn verify_consistency(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), InvalidProof> {
    let holds = if old_size > new_size {
        false
    } else if old_size == new_size {
        proof.is_empty() && old_root == new_root && (old_size > 0 || *old_root == empty_root())
    } else if old_size == 0 {
        proof.is_empty() && *old_root == empty_root()
    } else {
        roots_by_consistency(old_size, old_root, new_size, proof) == Some((*old_root, *new_root))
    };
    if holds { Ok(()) } else { Err(InvalidProof) }
}

/// The old and the new root that a consistency proof leads to, for `0 < old_size < new_size`.
fn roots_by_consistency(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    proof: &[Hash],
) -> Option<(Hash, Hash)> {
    let (seed, siblings) = if old_size.is_power_of_two() {
        (*old_root, proof)
    } else {
        let (first, rest) = proof.split_first()?;
        (*first, rest)
    };
    let (mut node, mut last) = (old_size - 1, new_size - 1);
    let levels_inside_seed = node.trailing_ones();
    node >>= levels_inside_seed;
    last >>= levels_inside_seed;
    let (mut old, mut new) = (seed, seed);
    for sibling in siblings {
        if last == 0 {
            return None;
        }
        if node & 1 == 1 || node == last {
            old = node_hash(sibling, &old);
            new = node_hash(sibling, &new);
            skip_missing_siblings(&mut node, &mut last);
        } else {
            new = node_hash(&new, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    (last == 0).then_some((old, new))
}

/// Goes up past levels on which a rightmost node has no sibling.
fn skip_missing_siblings(node: &mut u64, last: &mut u64) {
    while *node & 1 == 0 && *node != 0 {
        *node >>= 1;
        *last >>= 1;
    }
}

/// The largest power of two below `size` (RFC 6962's k), for `size` at least 2.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

fn range_root<S: LeafHashes + ?Sized>(source: &S, start: u64, end: u64) -> Result<Hash, S::Error> {
    let mut frontier = Frontier::new();
    for index in start..end {
        frontier.append(source.leaf(index)?);
    }
    Ok(frontier.root())
}

fn check_bound<E>(wanted: u64, available: u64) -> Result<(), ProofError<E>> {
    if wanted <= available {
        Ok(())
    } else {
        Err(ProofError::OutOfRange { wanted, available })
    }
}

#[cfg(test)]
mod tests;
