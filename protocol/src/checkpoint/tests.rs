use proptest::prelude::*;

use super::*;

// The key, text and signature of the example in the documentation of golang.org/x/mod/sumdb/note,
// which the C2SP signed-note specification repeats.
const EXAMPLE_VERIFIER: &str = "ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const EXAMPLE_SIGNER: &str = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const EXAMPLE_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\
    \n\
    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn example_key() -> VerifyingKey {
    let bytes = BASE64.decode(EXAMPLE_VERIFIER).unwrap();
    assert_eq!(bytes[0], ED25519_TYPE);
    VerifyingKey::from_bytes(bytes[1..].try_into().unwrap()).unwrap()
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn checkpoint() -> Checkpoint {
    Checkpoint::new("mandorla ledger north-border", 42, [5; 32]).unwrap()
}

#[test]
fn the_documented_go_note_verifies() {
    assert_eq!(
        key_id("PeterNeumann", &example_key()),
        [0xc7, 0x4f, 0x20, 0xa3]
    );
    let note = SignedNote::parse(EXAMPLE_NOTE).unwrap();
    assert_eq!(note.verify("PeterNeumann", &example_key()), Ok(()));
    assert_eq!(note.to_string(), EXAMPLE_NOTE);
}

#[test]
fn signing_the_documented_go_text_gives_the_documented_note() {
    let secret = BASE64.decode(EXAMPLE_SIGNER).unwrap();
    let signer = SigningKey::from_bytes(secret[1..].try_into().unwrap());
    let (text, _) = EXAMPLE_NOTE.split_once("\n\n").unwrap();
    let mut note = SignedNote::new(format!("{text}\n")).unwrap();
    note.sign(&signer, "PeterNeumann").unwrap();
    assert_eq!(note.to_string(), EXAMPLE_NOTE);
}

#[test]
fn every_changed_byte_of_a_note_fails() {
    let whole = checkpoint()
        .signed(&key(1), "north-border")
        .unwrap()
        .to_string();
    let verify = |note: &str| Checkpoint::verify(note, "north-border", &key(1).verifying_key());
    assert_eq!(verify(&whole), Ok(checkpoint()));
    for index in 0..whole.len() {
        for change in [1, 2, 4, 8, 16, 32, 64, 128] {
            let mut bytes = whole.clone().into_bytes();
            bytes[index] ^= change;
            if let Ok(note) = String::from_utf8(bytes) {
                assert!(verify(&note).is_err(), "byte {index} ^ {change}");
            }
        }
        if whole.is_char_boundary(index) {
            assert!(verify(&whole[..index]).is_err(), "cut to {index} bytes");
        }
    }
}

#[test]
fn two_nodes_sign_one_checkpoint_and_each_signature_stands_alone() {
    let (north, south) = (key(1), key(2));
    let mut note = checkpoint().signed(&north, "north").unwrap();
    note.add_line(&checkpoint().sign(&south, "south").unwrap())
        .unwrap();
    let whole = note.to_string();
    for (name, key) in [("north", &north), ("south", &south)] {
        assert_eq!(
            Checkpoint::verify(&whole, name, &key.verifying_key()),
            Ok(checkpoint())
        );
    }
    // A key does not answer for another name, nor a name for another key.
    for (name, key) in [("north", &south), ("south", &north), ("east", &north)] {
        let refused = Checkpoint::verify(&whole, name, &key.verifying_key());
        assert!(
            matches!(refused, Err(NoteError::NotSigned { .. })),
            "{name}"
        );
    }
}

#[test]
fn a_countersignature_of_another_checkpoint_is_found_out() {
    let other = Checkpoint::new("mandorla ledger north-border", 43, [5; 32]).unwrap();
    let mut note = checkpoint().signed(&key(1), "north").unwrap();
    note.add_line(&other.sign(&key(2), "south").unwrap())
        .unwrap();
    let refused = note.verify("south", &key(2).verifying_key());
    let key_id = key_id("south", &key(2).verifying_key());
    assert_eq!(refused, Err(NoteError::BadSignature { key_id }));
}

#[test]
fn one_key_signs_a_note_once() {
    let mut note = checkpoint().signed(&key(1), "north").unwrap();
    let again = note.sign(&key(1), "north");
    assert!(matches!(again, Err(NoteError::SignedTwice { .. })));
    let line = note.signatures()[0].to_string();
    let doubled = format!("{note}{line}");
    assert!(matches!(
        SignedNote::parse(&doubled),
        Err(NoteError::SignedTwice { .. })
    ));
}

#[test]
fn a_note_has_a_bounded_number_of_signatures() {
    let mut note = SignedNote::new("text\n").unwrap();
    for seed in 0..NOTE_SIGNATURES_MAX {
        note.sign(&key(seed as u8), "north").unwrap();
    }
    assert_eq!(
        note.sign(&key(200), "north"),
        Err(NoteError::TooManySignatures)
    );
    let long = format!("{}\n\n", "a".repeat(NOTE_BYTES_MAX));
    assert!(matches!(
        SignedNote::parse(&long),
        Err(NoteError::TooLong { .. })
    ));
}

#[test]
fn malformed_notes_are_refused() {
    let line = checkpoint().sign(&key(1), "north").unwrap();
    let text = checkpoint().to_body();
    for (note, why) in [
        (format!("{text}{line}"), "no empty line"),
        (format!("{text}\n"), "no signature"),
        (format!("{text}\n{}", line.trim_end()), "no last newline"),
        (format!("{text}\n{line}\n"), "an empty last line"),
        (format!("{text}\n{}", line.replace("— ", "- ")), "a hyphen"),
        (
            format!("{text}\n{}", line.replace(" north ", "  ")),
            "no name",
        ),
        (
            format!("{text}\n{}", line.replace(" north ", " no+rth ")),
            "a plus in the name",
        ),
        (
            format!("{text}\n{}", line.replace('\n', "\r\n")),
            "carriage return",
        ),
        (
            format!("{text}\n— north eA==\n"),
            "a signature too short for its key id",
        ),
        (format!("{text}\u{1}\n\n{line}"), "a control character"),
        (
            format!("\n\n{line}"),
            "an empty text is laid out, but no checkpoint",
        ),
    ] {
        let key = key(1).verifying_key();
        assert!(Checkpoint::verify(&note, "north", &key).is_err(), "{why}");
    }
}

#[test]
fn malformed_checkpoints_are_refused() {
    let root = BASE64.encode([5; 32]);
    let short = BASE64.encode([5; 31]);
    // The last character of 32 bytes in base64 carries two unused bits.
    let trailing_bits = root.replace("U=", "V=");
    assert_ne!(root, trailing_bits);
    for (body, why) in [
        (String::new(), NoteError::Layout),
        (format!("o\n1\n{root}"), NoteError::Layout),
        ("o\n1\n".to_owned(), NoteError::Layout),
        (format!("o\n1\n{root}\nextension\n"), NoteError::Layout),
        (format!("o\n1\n{root}\n\n"), NoteError::Layout),
        (format!("\n1\n{root}\n"), NoteError::Origin),
        (format!("o\t\n1\n{root}\n"), NoteError::Origin),
        (format!("o\n\n{root}\n"), NoteError::Size),
        (format!("o\n01\n{root}\n"), NoteError::Size),
        (format!("o\n+1\n{root}\n"), NoteError::Size),
        (format!("o\n-1\n{root}\n"), NoteError::Size),
        (
            format!("o\n18446744073709551616\n{root}\n"),
            NoteError::Size,
        ),
        (format!("o\n1\n{short}\n"), NoteError::Root),
        (format!("o\n1\n{trailing_bits}\n"), NoteError::Root),
        (
            format!("o\n1\n{}\n", root.trim_end_matches('=')),
            NoteError::Root,
        ),
        (format!("o\n1\n {root}\n"), NoteError::Root),
    ] {
        assert_eq!(Checkpoint::parse(&body), Err(why), "{body:?}");
    }
}

proptest! {
    #[test]
    fn a_checkpoint_survives_its_encoding(
        origin in "[^\\p{Cc}]{1,40}", size in any::<u64>(), root in any::<[u8; 32]>(),
    ) {
        let checkpoint = Checkpoint::new(origin, size, root).unwrap();
        prop_assert_eq!(Checkpoint::parse(&checkpoint.to_body()), Ok(checkpoint.clone()));
        let note = checkpoint.signed(&key(3), "node").unwrap();
        let read = Checkpoint::verify(&note.to_string(), "node", &key(3).verifying_key());
        prop_assert_eq!(read, Ok(checkpoint));
    }

    #[test]
    fn whatever_parses_is_the_canonical_encoding(
        body in "o\n[0+]{0,1}[0-9]{0,3}\n[A-Z]{42,43}[A-Z=]{0,1}=\n",
    ) {
        if let Ok(checkpoint) = Checkpoint::parse(&body) {
            prop_assert_eq!(checkpoint.to_body(), body);
        }
    }

    #[test]
    fn arbitrary_text_never_panics(text in "(?s).{0,200}", tail in "[— a-z0-9+/=\n]{0,100}") {
        let note = format!("{text}\n\n{tail}\n");
        if let Ok(parsed) = SignedNote::parse(&note) {
            prop_assert_eq!(parsed.to_string(), note);
        }
    }
}
