//! Succession: how a node's keys are followed by new ones, and how a peer says that it knows.
//!
//! ```text
//!  statement       party ‖ u32 sequence ‖ old keys (3 × 32) ‖ new keys (3 × 32) ‖ u64 issued ‖ u64 overlap_until
//!  by_old, by_new  signatures over framed("mandorla/1 succession", party, sequence, old…, new…, issued, overlap_until)
//!  countersigned   over framed("mandorla/1 succession known", countersigner, statement parts…, by_old, by_new)
//! ```
//! Integers are little-endian, times Unix seconds. A statement follows the keys that the peer knows, and no others: so
//! statements form a chain from the keys whose words were compared.

use bincode::{Decode, Encode};

use crate::ids::NodeKey;
use crate::labels;
use crate::signature::{NodeSigner, SignatureBytes, verify};
use crate::terms::CLOCK_SKEW_MAX_S;

/// Longest overlap of old and new keys: rounds of the longest agreements end within it.
pub const OVERLAP_MAX_S: u64 = 90 * 86_400;
/// Longest party code, as in an agreement.
const PARTY_BYTES_MAX: usize = 16;

/// The public keys of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PublicKeys {
    /// Signs terms, answers, logs.
    pub signing: [u8; 32],
    /// Authenticates connections.
    pub transport: [u8; 32],
    /// Signs approvals and released items.
    pub release: [u8; 32],
}

impl PublicKeys {
    /// All three.
    pub fn all(&self) -> [[u8; 32]; 3] {
        [self.signing, self.transport, self.release]
    }

    /// Whether the two have any key in common.
    pub fn shares_with(&self, other: &Self) -> bool {
        self.all().iter().any(|key| other.all().contains(key))
    }
}

/// That a party's old keys are followed by new ones.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Succession {
    /// Party code.
    pub party: String,
    /// Counts the party's successions; each is larger than the one before.
    pub sequence: u32,
    /// The keys so far.
    pub old: PublicKeys,
    /// The keys from now on.
    pub new: PublicKeys,
    /// When it was made, Unix seconds.
    pub issued: u64,
    /// Until when the old keys are good beside the new ones, Unix seconds.
    pub overlap_until: u64,
}

/// A succession that both the old and the new key stand for.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SignedSuccession {
    /// What is said.
    pub statement: Succession,
    /// By the old signing key.
    pub by_old: SignatureBytes,
    /// By the new signing key.
    pub by_new: SignatureBytes,
}

/// Why a succession is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SuccessionFault {
    /// It is about another party.
    #[error("it is about another party than the peer that sent it")]
    Party,
    /// It does not follow the keys that are known.
    #[error("it does not follow the keys that are known of this peer")]
    OtherKeys,
    /// Its number is not larger than that of the last one.
    #[error("its number is not larger than that of the last one")]
    Sequence,
    /// A new key is an old one, or two of the new keys are the same.
    #[error("its new keys are not new")]
    NotNew,
    /// Its times are out of bounds.
    #[error("its times are out of bounds")]
    Times,
    /// A signature does not verify.
    #[error("a signature on it does not verify")]
    Signature,
}

impl Succession {
    /// Signs with the old and the new key, which must be those named.
    pub fn sign(self, old: &NodeSigner, new: &NodeSigner) -> SignedSuccession {
        let (by_old, by_new) = self.with_parts(|parts| {
            (
                old.sign(labels::SUCCESSION, parts),
                new.sign(labels::SUCCESSION, parts),
            )
        });
        SignedSuccession {
            statement: self,
            by_old,
            by_new,
        }
    }

    fn with_parts<T>(&self, use_parts: impl FnOnce(&[&[u8]]) -> T) -> T {
        let numbers = (
            self.sequence.to_le_bytes(),
            self.issued.to_le_bytes(),
            self.overlap_until.to_le_bytes(),
        );
        use_parts(&[
            self.party.as_bytes(),
            &numbers.0,
            &self.old.signing,
            &self.old.transport,
            &self.old.release,
            &self.new.signing,
            &self.new.transport,
            &self.new.release,
            &numbers.1,
            &numbers.2,
        ])
    }
}

impl SignedSuccession {
    /// Checks that this follows `known`, the present keys of `party`, after the succession number `last`.
    ///
    /// # Errors
    /// The first fault; then nothing about the peer's keys may change.
    pub fn verify(
        &self,
        party: &str,
        known: &PublicKeys,
        last: u32,
        now: u64,
    ) -> Result<(), SuccessionFault> {
        let Succession {
            sequence,
            old,
            new,
            issued,
            overlap_until,
            ..
        } = &self.statement;
        if self.statement.party != party || party.len() > PARTY_BYTES_MAX {
            return Err(SuccessionFault::Party);
        }
        if old != known {
            return Err(SuccessionFault::OtherKeys);
        }
        if *sequence <= last {
            return Err(SuccessionFault::Sequence);
        }
        let [a, b, c] = new.all();
        if new.shares_with(old) || a == b || b == c || a == c {
            return Err(SuccessionFault::NotNew);
        }
        let in_time = *issued <= now.saturating_add(CLOCK_SKEW_MAX_S)
            && *overlap_until > now
            && *overlap_until <= issued.saturating_add(OVERLAP_MAX_S);
        if !in_time {
            return Err(SuccessionFault::Times);
        }
        self.statement
            .with_parts(|parts| {
                verify(
                    "succession",
                    &old.signing,
                    labels::SUCCESSION,
                    parts,
                    &self.by_old,
                )?;
                verify(
                    "succession",
                    &new.signing,
                    labels::SUCCESSION,
                    parts,
                    &self.by_new,
                )
            })
            .map_err(|_| SuccessionFault::Signature)
    }

    /// The signature of the peer `countersigner`, which knows the new keys from now on.
    pub fn countersign(&self, countersigner: &str, signer: &NodeSigner) -> SignatureBytes {
        self.with_known_parts(countersigner, |parts| {
            signer.sign(labels::SUCCESSION_KNOWN, parts)
        })
    }

    /// Checks a peer's countersignature.
    ///
    /// # Errors
    /// [`SuccessionFault::Signature`].
    pub fn verify_countersignature(
        &self,
        countersigner: &str,
        key: &NodeKey,
        signature: &SignatureBytes,
    ) -> Result<(), SuccessionFault> {
        self.with_known_parts(countersigner, |parts| {
            verify(
                "countersignature",
                &key.0,
                labels::SUCCESSION_KNOWN,
                parts,
                signature,
            )
        })
        .map_err(|_| SuccessionFault::Signature)
    }

    fn with_known_parts<T>(&self, countersigner: &str, use_parts: impl FnOnce(&[&[u8]]) -> T) -> T {
        self.statement.with_parts(|statement| {
            let mut parts = vec![countersigner.as_bytes()];
            parts.extend_from_slice(statement);
            parts.extend_from_slice(&[&self.by_old, &self.by_new]);
            use_parts(&parts)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{decode, encode};

    const NOW: u64 = 1_795_521_600;

    fn signer(seed: u8) -> NodeSigner {
        NodeSigner::from_seed(&[seed; 32])
    }

    fn keys(seed: u8) -> PublicKeys {
        PublicKeys {
            signing: signer(seed).public().0,
            transport: [seed + 1; 32],
            release: [seed + 2; 32],
        }
    }

    fn statement() -> Succession {
        Succession {
            party: "UK".into(),
            sequence: 3,
            old: keys(10),
            new: keys(20),
            issued: NOW,
            overlap_until: NOW + 7 * 86_400,
        }
    }

    fn signed() -> SignedSuccession {
        statement().sign(&signer(10), &signer(20))
    }

    fn check(signed: &SignedSuccession) -> Result<(), SuccessionFault> {
        signed.verify("UK", &keys(10), 2, NOW)
    }

    #[test]
    fn a_succession_follows_the_known_keys_of_its_party_and_no_others() {
        assert_eq!(check(&signed()), Ok(()));
        let of_other = signed().verify("RS", &keys(10), 2, NOW);
        assert_eq!(of_other, Err(SuccessionFault::Party));
        let of_other = signed().verify("UK", &keys(30), 2, NOW);
        assert_eq!(of_other, Err(SuccessionFault::OtherKeys));
        // Again after it was accepted, and one from before.
        let again = signed().verify("UK", &keys(20), 3, NOW);
        assert_eq!(again, Err(SuccessionFault::OtherKeys));
        let older = signed().verify("UK", &keys(10), 3, NOW);
        assert_eq!(older, Err(SuccessionFault::Sequence));
    }

    #[test]
    fn both_keys_must_have_signed_and_every_field_is_signed() {
        let forged = statement().sign(&signer(30), &signer(20));
        assert_eq!(check(&forged), Err(SuccessionFault::Signature));
        let forged = statement().sign(&signer(10), &signer(30));
        assert_eq!(check(&forged), Err(SuccessionFault::Signature));
        let changes: [fn(&mut Succession); 6] = [
            |s| s.sequence += 1,
            |s| s.new.signing = keys(40).signing,
            |s| s.new.transport[0] ^= 1,
            |s| s.new.release[0] ^= 1,
            |s| s.issued -= 1,
            |s| s.overlap_until += 1,
        ];
        for change in changes {
            let mut altered = signed();
            change(&mut altered.statement);
            assert_eq!(check(&altered), Err(SuccessionFault::Signature));
        }
    }

    #[test]
    fn new_keys_are_new_and_times_are_bounded() {
        let refused = |change: fn(&mut Succession)| {
            let mut statement = statement();
            change(&mut statement);
            check(&statement.sign(&signer(10), &signer(20))).unwrap_err()
        };
        assert_eq!(
            refused(|s| s.new.transport = s.old.release),
            SuccessionFault::NotNew
        );
        assert_eq!(
            refused(|s| s.new.transport = s.new.release),
            SuccessionFault::NotNew
        );
        assert_eq!(
            refused(|s| s.issued += CLOCK_SKEW_MAX_S + 1),
            SuccessionFault::Times
        );
        assert_eq!(refused(|s| s.overlap_until = NOW), SuccessionFault::Times);
        assert_eq!(
            refused(|s| s.overlap_until = s.issued + OVERLAP_MAX_S + 1),
            SuccessionFault::Times
        );
    }

    #[test]
    fn a_countersignature_is_of_this_peer_for_this_statement() {
        let signed = signed();
        let signature = signed.countersign("RS", &signer(50));
        let key = signer(50).public();
        assert_eq!(
            signed.verify_countersignature("RS", &key, &signature),
            Ok(())
        );
        let refused = Err(SuccessionFault::Signature);
        assert_eq!(
            signed.verify_countersignature("FR", &key, &signature),
            refused
        );
        let other = signer(51).public();
        assert_eq!(
            signed.verify_countersignature("RS", &other, &signature),
            refused
        );
        let mut altered = signed.clone();
        altered.by_new[0] ^= 1;
        assert_eq!(
            altered.verify_countersignature("RS", &key, &signature),
            refused
        );
    }

    #[test]
    fn its_bytes_are_read_back() {
        let bytes = encode(&signed());
        assert_eq!(decode::<SignedSuccession>(&bytes).unwrap(), signed());
        assert!(bytes.len() < 512);
    }
}
