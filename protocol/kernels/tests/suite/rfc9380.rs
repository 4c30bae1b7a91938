//! RFC 9380: `expand_message_xmd` with SHA-512.

use curve25519_dalek::ristretto::RistrettoPoint;
use mandorla_kernels::{ExpandError, expand_message_xmd_sha512, hash_to_group};
use proptest::prelude::*;
use sha2::{Digest, Sha512};

/// RFC 9380, appendix K.3.
const TAG: &[u8] = b"QUUX-V01-CS02-with-expander-SHA512-256";

#[test]
fn expansion_gives_the_published_bytes() {
    let mut lengths = Vec::new();
    for (msg, uniform_bytes) in vectors() {
        let expected = hex::decode(uniform_bytes).unwrap();
        assert_eq!(expand(&[&msg], TAG, expected.len()), expected);
        lengths.push(expected.len());
    }
    assert_eq!(lengths, [32, 32, 32, 32, 32, 128, 128, 128, 128, 128]);
}

#[test]
fn a_tag_of_255_bytes_is_used_as_it_stands_and_a_longer_one_is_hashed() {
    // RFC 9380, section 5.3.3: DST = H("H2C-OVERSIZE-DST-" || a_very_long_DST).
    let long = [b'x'; 256];
    let hashed = Sha512::new()
        .chain_update(b"H2C-OVERSIZE-DST-")
        .chain_update(long)
        .finalize();
    assert_eq!(expand(&[b"abc"], &long, 64), expand(&[b"abc"], &hashed, 64));

    let longest = &long[..255];
    assert_eq!(
        expand(&[b"abc"], longest, 64),
        one_block_by_hand(b"abc", longest)
    );
    assert_ne!(expand(&[b"abc"], longest, 64), expand(&[b"abc"], &long, 64));
}

#[test]
fn an_empty_tag_and_more_than_255_digests_are_refused() {
    let mut out = vec![0; 255 * 64 + 1];
    assert_eq!(
        expand_message_xmd_sha512(&[b"abc"], b"", &mut out[..64]),
        Err(ExpandError::EmptyTag)
    );
    assert_eq!(hash_to_group(b"", b"abc"), Err(ExpandError::EmptyTag));
    assert_eq!(
        expand_message_xmd_sha512(&[b"abc"], TAG, &mut out[..255 * 64]),
        Ok(())
    );
    let error = ExpandError::OutputTooLong {
        bytes: 16_321,
        bytes_max: 16_320,
    };
    assert_eq!(
        expand_message_xmd_sha512(&[b"abc"], TAG, &mut out),
        Err(error)
    );
}

proptest! {
    #[test]
    fn parts_of_a_message_are_concatenated(
        msg in proptest::collection::vec(any::<u8>(), 0..300),
        cut in 0usize..300,
        len in 0usize..200,
    ) {
        let (first, second) = msg.split_at(cut.min(msg.len()));
        prop_assert_eq!(expand(&[first, b"", second], TAG, len), expand(&[&msg], TAG, len));
    }

    #[test]
    fn hashing_to_the_group_is_one_block_of_expansion_into_the_map(
        input in proptest::collection::vec(any::<u8>(), 0..300),
        tag in proptest::collection::vec(any::<u8>(), 1..=255),
    ) {
        let uniform = one_block_by_hand(&input, &tag).try_into().unwrap();
        let expected = RistrettoPoint::from_uniform_bytes(&uniform).compress();
        prop_assert_eq!(hash_to_group(&tag, &input).unwrap(), expected.to_bytes());
    }
}

fn expand(msg: &[&[u8]], tag: &[u8], len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    expand_message_xmd_sha512(msg, tag, &mut out).unwrap();
    out
}

/// RFC 9380, section 5.3.1, for 64 bytes, as one string after the other.
fn one_block_by_hand(msg: &[u8], tag: &[u8]) -> Vec<u8> {
    let tag_prime = [tag, &[tag.len() as u8]].concat();
    let msg_prime = [&[0; 128][..], msg, &[0, 64, 0], &tag_prime].concat();
    let b_0 = Sha512::digest(msg_prime);
    Sha512::digest([&b_0[..], &[1], &tag_prime].concat()).to_vec()
}

/// RFC 9380, appendix K.3: message and `uniform_bytes`.
fn vectors() -> [(Vec<u8>, &'static str); 10] {
    [
        (
            b"".to_vec(),
            "6b9a7312411d92f921c6f68ca0b6380730a1a4d982c507211a90964c394179ba",
        ),
        (
            b"abc".to_vec(),
            "0da749f12fbe5483eb066a5f595055679b976e93abe9be6f0f6318bce7aca8dc",
        ),
        (
            b"abcdef0123456789".to_vec(),
            "087e45a86e2939ee8b91100af1583c4938e0f5fc6c9db4b107b83346bc967f58",
        ),
        (
            [&b"q128_"[..], &[b'q'; 128]].concat(),
            "7336234ee9983902440f6bc35b348352013becd88938d2afec44311caf8356b3",
        ),
        (
            [&b"a512_"[..], &[b'a'; 512]].concat(),
            "57b5f7e766d5be68a6bfe1768e3c2b7f1228b3e4b3134956dd73a59b954c66f4",
        ),
        (
            b"".to_vec(),
            "41b037d1734a5f8df225dd8c7de38f851efdb45c372887be655212d07251b921\
             b052b62eaed99b46f72f2ef4cc96bfaf254ebbbec091e1a3b9e4fb5e5b619d2e\
             0c5414800a1d882b62bb5cd1778f098b8eb6cb399d5d9d18f5d5842cf5d13d7e\
             b00a7cff859b605da678b318bd0e65ebff70bec88c753b159a805d2c89c55961",
        ),
        (
            b"abc".to_vec(),
            "7f1dddd13c08b543f2e2037b14cefb255b44c83cc397c1786d975653e36a6b11\
             bdd7732d8b38adb4a0edc26a0cef4bb45217135456e58fbca1703cd6032cb134\
             7ee720b87972d63fbf232587043ed2901bce7f22610c0419751c065922b48843\
             1851041310ad659e4b23520e1772ab29dcdeb2002222a363f0c2b1c972b3efe1",
        ),
        (
            b"abcdef0123456789".to_vec(),
            "3f721f208e6199fe903545abc26c837ce59ac6fa45733f1baaf0222f8b7acb04\
             24814fcb5eecf6c1d38f06e9d0a6ccfbf85ae612ab8735dfdf9ce84c372a77c8\
             f9e1c1e952c3a61b7567dd0693016af51d2745822663d0c2367e3f4f0bed827f\
             eecc2aaf98c949b5ed0d35c3f1023d64ad1407924288d366ea159f46287e61ac",
        ),
        (
            [&b"q128_"[..], &[b'q'; 128]].concat(),
            "b799b045a58c8d2b4334cf54b78260b45eec544f9f2fb5bd12fb603eaee70db7\
             317bf807c406e26373922b7b8920fa29142703dd52bdf280084fb7ef69da78af\
             df80b3586395b433dc66cde048a258e476a561e9deba7060af40adf30c64249c\
             a7ddea79806ee5beb9a1422949471d267b21bc88e688e4014087a0b592b695ed",
        ),
        (
            [&b"a512_"[..], &[b'a'; 512]].concat(),
            "05b0bfef265dcee87654372777b7c44177e2ae4c13a27f103340d9cd11c86cb2\
             426ffcad5bd964080c2aee97f03be1ca18e30a1f14e27bc11ebbd650f305269c\
             c9fb1db08bf90bfc79b42a952b46daf810359e7bc36452684784a64952c343c5\
             2e5124cd1f71d474d5197fefc571a92929c9084ffe1112cf5eea5192ebff330b",
        ),
    ]
}
