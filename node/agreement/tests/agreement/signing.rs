use ed25519_dalek::Signer;
use mandorla_agreement::{
    Agreement, SignatureError, Statement, agreement_hash, signing_bytes, statement_bytes,
};
use proptest::prelude::*;

use crate::world::{sample, sample_text, signer};

/// Recomputed with `hashlib` of the Python standard library.
#[test]
fn the_hash_of_known_bytes_is_known() {
    assert_eq!(
        hex::encode(agreement_hash(b"")),
        "8cb3313e9deaf61a6ac39fff21d1c40bcd9e9a7515d665e481c2e78b6590f8f1"
    );
    assert_eq!(
        hex::encode(agreement_hash(b"schema = 1\n")),
        "ef6df8e031b46e0587214706fcd463ccc0738acf8f7c2975b3f48a2845104810"
    );
}

#[test]
fn a_comment_changes_the_hash_and_not_the_terms() {
    let commented = Agreement::parse(format!("{}# a note\n", sample_text()).as_bytes()).unwrap();
    assert_eq!(commented.terms(), sample().terms());
    assert_ne!(commented.hash(), sample().hash());
}

#[test]
fn only_the_partys_own_signature_over_these_bytes_counts() {
    let agreement = sample();
    let message = signing_bytes(&agreement.hash());
    let signature = signer(1).sign(&message).to_bytes();
    assert_eq!(agreement.verify_signature("UK", &signature), Ok(()));
    assert_eq!(
        agreement.verify_signature("RS", &signature),
        Err(SignatureError::Invalid("RS".into()))
    );
    assert_eq!(
        agreement.verify_signature("FR", &signature),
        Err(SignatureError::UnknownParty("FR".into()))
    );

    let with_release_key = signer(3).sign(&message).to_bytes();
    assert!(agreement.verify_signature("UK", &with_release_key).is_err());

    let other = Agreement::parse(format!("{}# a note\n", sample_text()).as_bytes()).unwrap();
    assert!(other.verify_signature("UK", &signature).is_err());
}

#[test]
fn an_activation_is_neither_a_signature_nor_good_for_a_second_time() {
    let agreement = sample();
    let activation = signer(11)
        .sign(&statement_bytes(
            Statement::Activation,
            &agreement.hash(),
            1,
        ))
        .to_bytes();
    assert_eq!(
        agreement.verify_statement(Statement::Activation, "RS", 1, &activation),
        Ok(())
    );
    assert!(
        agreement
            .verify_statement(Statement::Activation, "RS", 2, &activation)
            .is_err()
    );
    assert!(
        agreement
            .verify_statement(Statement::Activation, "UK", 1, &activation)
            .is_err()
    );
    assert!(agreement.verify_signature("RS", &activation).is_err());
}

proptest! {
    #[test]
    fn the_hash_changes_with_any_byte(at in any::<prop::sample::Index>(), flip in 1_u8..) {
        let bytes = sample_text().into_bytes();
        let mut changed = bytes.clone();
        changed[at.index(bytes.len())] ^= flip;
        prop_assert_ne!(agreement_hash(&bytes), agreement_hash(&changed));
    }

    #[test]
    fn every_flipped_bit_spoils_a_signature(index in 0_usize..64, bit in 0_u32..8) {
        let agreement = sample();
        let mut signature = signer(1).sign(&signing_bytes(&agreement.hash())).to_bytes();
        signature[index] ^= 1 << bit;
        prop_assert!(agreement.verify_signature("UK", &signature).is_err());
    }
}
