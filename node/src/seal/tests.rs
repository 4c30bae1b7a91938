//! What was sealed opens with the same secret for the same purpose, and in no other way.

use std::os::unix::fs::PermissionsExt as _;

use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::*;

/// As little as Argon2 allows: what is tested here does not depend on it.
const CHEAP: Cost = Cost {
    memory_kib: 32,
    passes: 1,
    lanes: 4,
};
const PLAIN: &[u8] = b"three seeds";

fn passphrase(text: &str) -> Seal {
    Seal::passphrase(Zeroizing::new(text.to_owned())).unwrap()
}

fn both() -> [Seal; 2] {
    [
        passphrase("six words picked at random"),
        Seal::wrapping_key(Zeroizing::new([7; 32])),
    ]
}

fn sealed(seal: &Seal) -> Vec<u8> {
    seal.seal_at(CHEAP, "keys", PLAIN, &mut StdRng::seed_from_u64(1))
}

#[test]
fn what_was_sealed_opens_with_the_same_secret_and_shows_nothing_before() {
    for seal in both() {
        let sealed = sealed(&seal);
        assert_eq!(sealed.len(), HEADER_BYTES + PLAIN.len() + 16 + 8);
        assert!(!sealed.windows(PLAIN.len()).any(|window| window == PLAIN));
        assert_eq!(Seal::kind_of(&sealed).unwrap(), seal.kind());
        assert_eq!(seal.open("keys", &sealed).unwrap().as_slice(), PLAIN);
    }
}

#[test]
fn the_header_states_the_second_recommended_option_of_rfc_9106() {
    let [seal, _] = both();
    let sealed = seal.seal("keys", PLAIN, &mut StdRng::seed_from_u64(2));
    let numbers: Vec<u32> = sealed[9..21]
        .chunks(4)
        .map(|bytes| u32::from_be_bytes(bytes.try_into().unwrap()))
        .collect();
    assert_eq!(numbers, [65_536, 3, 4]);
    assert_eq!(seal.open("keys", &sealed).unwrap().as_slice(), PLAIN);
}

#[test]
fn every_flipped_byte_and_every_cut_is_damage() {
    for seal in both() {
        let sealed = sealed(&seal);
        for at in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            assert!(
                matches!(seal.open("keys", &flipped), Err(SealError::Damaged)),
                "byte {at}"
            );
            let cut = seal.open("keys", &sealed[..at]);
            assert!(matches!(cut, Err(SealError::Damaged)), "cut at {at}");
        }
    }
}

/// Who alters a file can correct the checksum too: then header, nonce, ciphertext and tag are authenticated.
#[test]
fn no_byte_can_be_changed_with_the_checksum_corrected() {
    for seal in both() {
        let sealed = sealed(&seal);
        for at in 0..sealed.len() - CHECKSUM_BYTES {
            let mut altered = sealed[..sealed.len() - CHECKSUM_BYTES].to_vec();
            altered[at] ^= 1;
            let sum = checksum(&altered);
            altered.extend_from_slice(&sum);
            assert!(seal.open("keys", &altered).is_err(), "byte {at}");
        }
    }
}

#[test]
fn another_secret_is_named_as_wrong_and_another_kind_as_other() {
    let [by_passphrase, by_key] = both();
    let one = sealed(&by_passphrase);
    let wrong = passphrase("six words picked in order").open("keys", &one);
    assert!(matches!(
        wrong,
        Err(SealError::WrongSecret(SealKind::Passphrase))
    ));
    let other = by_key.open("keys", &one);
    assert!(matches!(other, Err(SealError::OtherKind { .. })));
    let two = sealed(&by_key);
    let wrong = Seal::wrapping_key(Zeroizing::new([8; 32])).open("keys", &two);
    assert!(matches!(
        wrong,
        Err(SealError::WrongSecret(SealKind::Credential))
    ));
}

#[test]
fn what_was_sealed_for_one_purpose_does_not_open_for_another() {
    for seal in both() {
        let opened = seal.open("backup", &sealed(&seal));
        assert!(matches!(opened, Err(SealError::WrongSecret(_))));
    }
}

#[test]
fn a_header_that_asks_for_all_memory_is_refused_before_any_is_taken() {
    let [seal, _] = both();
    for (at, value) in [(9, u32::MAX), (13, 17), (17, 17)] {
        let sealed = sealed(&seal);
        let mut greedy = sealed[..sealed.len() - CHECKSUM_BYTES].to_vec();
        greedy[at..at + 4].copy_from_slice(&value.to_be_bytes());
        let sum = checksum(&greedy);
        greedy.extend_from_slice(&sum);
        assert!(matches!(Seal::kind_of(&greedy), Err(SealError::Damaged)));
    }
}

#[test]
fn two_seals_of_the_same_bytes_share_nothing_but_the_start() {
    for seal in both() {
        let mut rng = StdRng::seed_from_u64(3);
        let one = seal.seal_at(CHEAP, "keys", PLAIN, &mut rng);
        let two = seal.seal_at(CHEAP, "keys", PLAIN, &mut rng);
        assert_eq!(one[..21], two[..21]);
        assert_ne!(one[21..37], two[21..37]);
        assert_ne!(one[37..61], two[37..61]);
        assert_ne!(one[61..], two[61..]);
    }
}

#[test]
fn a_short_passphrase_is_refused_and_none_is_printed() {
    let short = Seal::passphrase(Zeroizing::new("elevenchars".to_owned()));
    assert!(matches!(short, Err(SealError::PassphraseLength)));
    let [seal, _] = both();
    assert_eq!(format!("{seal:?}"), "Seal(passphrase)");
}

#[test]
fn secrets_are_read_from_files_that_are_closed_to_others() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    let write = |content: &[u8], mode| {
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let [by_passphrase, by_key] = both();
    write(b"six words picked at random\n", 0o600);
    let read = Seal::read_passphrase(&path).unwrap();
    assert!(read.open("keys", &sealed(&by_passphrase)).is_ok());
    assert!(matches!(
        Seal::read_wrapping_key(&path),
        Err(SealError::NotAWrappingKey { .. })
    ));

    for content in [[7; 32].to_vec(), "07".repeat(32).into_bytes()] {
        write(&content, 0o400);
        let read = Seal::read_wrapping_key(&path).unwrap();
        assert!(read.open("keys", &sealed(&by_key)).is_ok());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    write(b"two lines that are\nno passphrase\n", 0o600);
    assert!(matches!(
        Seal::read_passphrase(&path),
        Err(SealError::NotAPassphrase { .. })
    ));
}

#[test]
fn a_secret_that_others_can_read_is_refused_with_the_command_that_closes_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    std::fs::write(&path, [7; 32]).unwrap();
    for mode in [0o644, 0o620, 0o604] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let error = Seal::read_wrapping_key(&path).unwrap_err();
        assert!(matches!(error, SealError::Permission(_)), "{mode:o}");
        assert!(error.to_string().contains(&format!("{mode:03o}")));
        assert_eq!(error.hint(), format!("chmod 600 {}", path.display()));
    }
}
