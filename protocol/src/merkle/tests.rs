use proptest::prelude::*;

use super::*;

/// The eight leaves of the Certificate Transparency reference tests (`testonly` in
/// transparency-dev/merkle, before it google/certificate-transparency).
const REFERENCE_LEAVES: [&[u8]; 8] = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
];

/// The roots over the first 0, 1, … 8 of them, from the same source.
const REFERENCE_ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn hash(hex: &str) -> Hash {
    let mut hash = [0; HASH_BYTES];
    for (byte, digits) in hash.iter_mut().zip(hex.as_bytes().as_chunks::<2>().0) {
        *byte = u8::from_str_radix(str::from_utf8(digits).unwrap(), 16).unwrap();
    }
    hash
}

fn reference_hashes() -> Vec<Hash> {
    REFERENCE_LEAVES
        .iter()
        .map(|leaf| leaf_hash(leaf))
        .collect()
}

fn numbered(count: u64) -> Vec<Hash> {
    (0..count)
        .map(|number| leaf_hash(&number.to_be_bytes()))
        .collect()
}

/// MTH of RFC 6962 section 2.1, as it is written there.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let mut k = 1;
            while k * 2 < leaves.len() {
                k *= 2;
            }
            node_hash(&naive_root(&leaves[..k]), &naive_root(&leaves[k..]))
        }
    }
}

#[test]
fn reference_roots_of_zero_to_eight_leaves() {
    let leaves = reference_hashes();
    let mut frontier = Frontier::new();
    for (size, root_hex) in REFERENCE_ROOTS.iter().enumerate() {
        assert_eq!(frontier.size(), size as u64);
        assert_eq!(frontier.root(), hash(root_hex), "size {size}");
        assert_eq!(
            root(&leaves[..size]).unwrap(),
            hash(root_hex),
            "size {size}"
        );
        if let Some(leaf) = leaves.get(size) {
            frontier.append(*leaf);
        }
    }
}

#[test]
fn reference_proofs() {
    let leaves = reference_hashes();
    let path = inclusion_proof(&leaves[..], 0, 8).unwrap();
    let expected = [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ];
    assert_eq!(path, expected.map(hash));

    let path = consistency_proof(&leaves[..], 6, 8).unwrap();
    let expected = [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(path, expected.map(hash));

    let path = consistency_proof(&leaves[..], 2, 5).unwrap();
    let expected = [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ];
    assert_eq!(path, expected.map(hash));
}

#[test]
fn every_inclusion_proof_up_to_40_leaves_verifies_at_its_own_place_only() {
    let leaves = numbered(40);
    for size in 1..=40 {
        let tree = &leaves[..size as usize];
        let root = naive_root(tree);
        for index in 0..size {
            let proof = inclusion_proof(&leaves[..], index, size).unwrap();
            for claimed in 0..size {
                let verdict =
                    verify_inclusion(&leaves[index as usize], claimed, size, &proof, &root);
                assert_eq!(
                    verdict.is_ok(),
                    claimed == index,
                    "{index} as {claimed} of {size}"
                );
            }
        }
    }
}

#[test]
fn every_consistency_proof_up_to_40_leaves_verifies() {
    let leaves = numbered(40);
    let roots: Vec<Hash> = (0..=40).map(|size| naive_root(&leaves[..size])).collect();
    for new in 0..=40_usize {
        for old in 0..=new {
            let proof = consistency_proof(&leaves[..], old as u64, new as u64).unwrap();
            let check = |old_root, new_root| {
                verify_consistency(old as u64, old_root, new as u64, new_root, &proof)
            };
            assert_eq!(check(&roots[old], &roots[new]), Ok(()), "{old} to {new}");
            assert_eq!(
                check(&[7; 32], &roots[new]),
                Err(InvalidProof),
                "{old} to {new}"
            );
            if old > 0 {
                assert_eq!(
                    check(&roots[old], &[7; 32]),
                    Err(InvalidProof),
                    "{old} to {new}"
                );
            }
        }
    }
}

#[test]
fn a_smaller_tree_is_never_consistent_with_a_larger_older_one() {
    let leaves = numbered(5);
    let (three, five) = (naive_root(&leaves[..3]), naive_root(&leaves));
    let proof = consistency_proof(&leaves[..], 3, 5).unwrap();
    assert_eq!(
        verify_consistency(5, &five, 3, &three, &proof),
        Err(InvalidProof)
    );
    assert_eq!(
        verify_consistency(5, &five, 3, &three, &[]),
        Err(InvalidProof)
    );
}

#[test]
fn requests_beyond_the_leaves_are_refused() {
    let leaves = numbered(3);
    let out_of_range = |wanted, available| Err(ProofError::OutOfRange { wanted, available });
    assert_eq!(inclusion_proof(&leaves[..], 3, 3), out_of_range(3, 3));
    assert_eq!(inclusion_proof(&leaves[..], 0, 4), out_of_range(4, 3));
    assert_eq!(inclusion_proof(&leaves[..], 0, 0), out_of_range(0, 0));
    assert_eq!(consistency_proof(&leaves[..], 3, 2), out_of_range(3, 2));
    assert_eq!(consistency_proof(&leaves[..], 1, 9), out_of_range(9, 3));
}

#[test]
fn a_frontier_with_too_many_or_too_few_hashes_is_refused() {
    let mut frontier = Frontier::new();
    for leaf in numbered(11) {
        frontier.append(leaf);
    }
    let bytes = frontier.to_bytes();
    assert_eq!(bytes.len(), 8 + 3 * HASH_BYTES);
    assert_eq!(Frontier::from_bytes(&bytes), Some(frontier));
    for length in 0..bytes.len() {
        assert_eq!(
            Frontier::from_bytes(&bytes[..length]),
            None,
            "{length} bytes"
        );
    }
    let longer = [bytes, vec![0; HASH_BYTES]].concat();
    assert_eq!(Frontier::from_bytes(&longer), None);
}

proptest! {
    #[test]
    fn a_frontier_resumed_from_bytes_has_the_naive_root(before in 0_u64..300, after in 0_u64..60) {
        let leaves = numbered(before + after);
        let mut frontier = Frontier::new();
        leaves[..before as usize].iter().for_each(|leaf| frontier.append(*leaf));
        let mut resumed = Frontier::from_bytes(&frontier.to_bytes()).unwrap();
        leaves[before as usize..].iter().for_each(|leaf| resumed.append(*leaf));
        prop_assert_eq!(resumed.root(), naive_root(&leaves));
        prop_assert_eq!(resumed.size(), before + after);
    }

    #[test]
    fn proofs_of_large_trees_verify(size in 1_u64..1500, a in any::<u64>(), b in any::<u64>()) {
        let leaves = numbered(size);
        let root = naive_root(&leaves);
        let index = a % size;
        let proof = inclusion_proof(&leaves[..], index, size).unwrap();
        prop_assert!(proof.len() <= PROOF_HASHES_MAX);
        prop_assert_eq!(verify_inclusion(&leaves[index as usize], index, size, &proof, &root), Ok(()));
        let old = b % (size + 1);
        let old_root = naive_root(&leaves[..old as usize]);
        let proof = consistency_proof(&leaves[..], old, size).unwrap();
        prop_assert_eq!(verify_consistency(old, &old_root, size, &root, &proof), Ok(()));
    }

    #[test]
    fn every_changed_bit_of_a_proof_fails(size in 2_u64..70, a in any::<u64>(), b in any::<u64>()) {
        let leaves = numbered(size);
        let root = naive_root(&leaves);
        let index = a % size;
        let old = 1 + b % (size - 1);
        let old_root = naive_root(&leaves[..old as usize]);
        let inclusion = inclusion_proof(&leaves[..], index, size).unwrap();
        let consistency = consistency_proof(&leaves[..], old, size).unwrap();
        let included = |proof: &[Hash]| {
            verify_inclusion(&leaves[index as usize], index, size, proof, &root)
        };
        let consistent = |proof: &[Hash]| verify_consistency(old, &old_root, size, &root, proof);
        for (proof, check) in [
            (inclusion, &included as &dyn Fn(&[Hash]) -> Result<(), InvalidProof>),
            (consistency, &consistent),
        ] {
            prop_assert_eq!(check(&proof), Ok(()));
            for bit in 0..proof.len() * 256 {
                let mut changed = proof.clone();
                changed[bit / 256][bit % 256 / 8] ^= 1 << (bit % 8);
                prop_assert_eq!(check(&changed), Err(InvalidProof));
            }
            let longer = [proof.clone(), vec![root]].concat();
            prop_assert_eq!(check(&longer), Err(InvalidProof));
            if !proof.is_empty() {
                prop_assert_eq!(check(&proof[1..]), Err(InvalidProof));
                prop_assert_eq!(check(&proof[..proof.len() - 1]), Err(InvalidProof));
            }
        }
    }
}
