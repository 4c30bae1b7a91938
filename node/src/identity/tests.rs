//! Keys come back as they were written, and only to whom they belong.

use std::os::unix::fs::PermissionsExt as _;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tempfile::TempDir;

use super::*;

fn seal(text: &str) -> Seal {
    Seal::passphrase(Zeroizing::new(text.to_owned())).unwrap()
}

fn made(seal: Option<&Seal>) -> (TempDir, Identity) {
    let dir = tempfile::tempdir().unwrap();
    let identity = Identity::create(dir.path(), seal, &mut StdRng::seed_from_u64(9)).unwrap();
    (dir, identity)
}

fn public(identity: &Identity) -> [[u8; 32]; 3] {
    [
        identity.node_key().0,
        identity.transport_key().0,
        identity.release_key(),
    ]
}

fn text(dir: &TempDir) -> String {
    std::fs::read_to_string(dir.path().join(KEYS_NAME)).unwrap()
}

#[test]
fn sealed_keys_open_with_their_secret_and_stand_nowhere_in_the_file() {
    for seal in [
        seal("six words picked at random"),
        Seal::wrapping_key(Zeroizing::new([7; 32])),
    ] {
        let (dir, identity) = made(Some(&seal));
        let read = Identity::read(dir.path(), Some(&seal)).unwrap();
        assert_eq!(public(&read), public(&identity));
        assert_eq!(read.sealed(), Some(seal.kind()));
        assert_eq!(seal_of(dir.path()).unwrap(), Some(seal.kind()));
        let seed = hex::encode(identity.current().signer.signing_key().as_bytes());
        assert!(!text(&dir).contains(&seed));
    }
}

#[test]
fn a_wrong_passphrase_and_a_missing_one_are_told_from_a_damaged_file() {
    let right = seal("six words picked at random");
    let (dir, _) = made(Some(&right));
    let wrong = Identity::read(dir.path(), Some(&seal("six words picked in order")));
    let wrong = wrong.err().unwrap();
    assert_eq!(wrong.code(), ErrorCode::WrongSecret);
    assert!(
        wrong.hint().contains("--passphrase-file"),
        "{}",
        wrong.hint()
    );
    let missing = Identity::read(dir.path(), None).err().unwrap();
    assert_eq!(missing.code(), ErrorCode::SecretNeeded);
    assert!(missing.hint().contains("mandorla.passphrase"));
    let other = Seal::wrapping_key(Zeroizing::new([7; 32]));
    let other = Identity::read(dir.path(), Some(&other)).err().unwrap();
    assert_eq!(other.code(), ErrorCode::SecretNeeded);

    let whole = text(&dir);
    for broken in [
        whole.replace("passphrase", "credential"),
        whole.replace("passphrase", "none"),
        whole.replace("schema = 2", "schema = 1"),
        whole[..whole.len() - 20].to_owned() + "\"\n",
    ] {
        std::fs::write(dir.path().join(KEYS_NAME), broken).unwrap();
        let error = Identity::read(dir.path(), Some(&right)).err().unwrap();
        assert!(matches!(error, IdentityError::Invalid { .. }), "{error}");
    }
}

#[test]
fn keys_that_are_not_sealed_need_no_secret_and_take_one_in_vain() {
    let (dir, identity) = made(None);
    assert_eq!(seal_of(dir.path()).unwrap(), None);
    for given in [None, Some(&seal("six words picked at random"))] {
        let read = Identity::read(dir.path(), given).unwrap();
        assert_eq!(public(&read), public(&identity));
        assert_eq!(read.sealed(), None);
    }
}

#[test]
fn sealing_anew_keeps_the_keys_and_leaves_no_old_file() {
    let (dir, identity) = made(None);
    let plain = text(&dir);
    let held_open = std::fs::File::open(dir.path().join(KEYS_NAME)).unwrap();
    let seal = seal("six words picked at random");
    identity.write_sealed(Some(&seal)).unwrap();
    let read = Identity::read(dir.path(), Some(&seal)).unwrap();
    assert_eq!(public(&read), public(&identity));
    let names: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, [KEYS_NAME]);
    // What the old file held is overwritten in place.
    let mut left = String::new();
    std::io::Read::read_to_string(&mut &held_open, &mut left).unwrap();
    assert_eq!(left, "\0".repeat(plain.len()));

    read.write_sealed(None).unwrap();
    assert!(Identity::read(dir.path(), None).is_ok());
}

#[test]
fn a_key_file_that_others_can_read_is_refused_with_the_command_that_closes_it() {
    let (dir, _) = made(None);
    let path = dir.path().join(KEYS_NAME);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = Identity::read(dir.path(), None).err().unwrap();
    assert_eq!(error.code(), ErrorCode::OpenToOthers);
    assert_eq!(error.hint(), format!("chmod 600 {}", path.display()));
    assert!(error.to_string().contains("644"));
}

#[test]
fn rings_go_through_their_states_and_keep_public_keys_of_what_is_erased() {
    let (dir, identity) = made(None);
    let old = identity.current().public();
    let next = identity
        .change(|ring| {
            ring.add(KeyState::Next, &mut StdRng::seed_from_u64(11));
            ring.find(KeyState::Next).unwrap()
        })
        .unwrap();
    // Until it is promoted, the next start goes on with the old keys.
    let read = Identity::read(dir.path(), None).unwrap();
    assert_eq!(read.current().public(), old);
    identity.change(|ring| ring.promote(500)).unwrap();
    let read = Identity::read(dir.path(), None).unwrap();
    assert_eq!(read.current().public(), next.public);
    assert_eq!(read.current().sequence(), 1);
    assert!(read.signer_for(&NodeKey(old.signing)).is_some());
    assert_eq!(read.trusted(), [next.public, old]);

    read.change(|ring| ring.erase(0)).unwrap();
    read.forget(0);
    assert!(read.signer_for(&NodeKey(old.signing)).is_none());
    let plain = text(&dir);
    let seed = hex::encode(identity.current().signer.signing_key().as_bytes());
    assert!(!plain.contains(&seed));
    let read = Identity::read(dir.path(), None).unwrap();
    assert!(read.signer_for(&NodeKey(old.signing)).is_none());
    assert_eq!(read.trusted(), [next.public, old]);
    assert_eq!(read.earlier_ledger_keys().len(), 1);

    read.change(|ring| ring.revoke(&mut StdRng::seed_from_u64(12)))
        .unwrap();
    let read = Identity::read(dir.path(), None).unwrap();
    assert_eq!(read.trusted().len(), 1);
    assert!(!read.trusted()[0].shares_with(&old));
    assert!(!read.trusted()[0].shares_with(&next.public));
    assert_eq!(read.earlier_ledger_keys().len(), 2);
}
