//! An offer comes in: the responder answers by agreement and policy, without asking anybody.

use mandorla_kernels::{PossessionProof, PublicKey, verify_possession};
use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::error::{PeerFault, Refusal};
use crate::ids::{Digest, RoundId};
use crate::labels;
use crate::message::Message;
use crate::random::draw;
use crate::responder::Blinding;
use crate::signature::{NodeSigner, Role, SignatureBytes, bind, verify, verify_binding};
use crate::terms::{
    Offer, ResponderOffer, Terms, TermsRules, check_clock, dataset_commitment, size_class_log2,
};

/// What the responder brings to a round.
#[derive(Clone, Debug)]
pub struct ResponderInput {
    /// What the agreement prescribes in this direction.
    pub rules: TermsRules,
    /// Digest of the own dataset that is asked about.
    pub dataset_digest: Digest,
    /// Own subjects.
    pub subjects: u64,
    /// Distinct match keys per key type.
    pub match_keys: Vec<u64>,
}

/// Random values of one round at the responder.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct ResponderSecrets {
    /// Nonce of the offer.
    pub nonce: [u8; 32],
    /// Salt of the dataset commitment.
    pub dataset_salt: [u8; 32],
    /// Seed of blinds and padding rows.
    pub blind_seed: [u8; 32],
    /// Seed of the item ids.
    pub item_seed: [u8; 32],
}

impl ResponderSecrets {
    /// Draws all of them from the operating system's generator, or a test's.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self {
            nonce: draw(rng),
            dataset_salt: draw(rng),
            blind_seed: draw(rng),
            item_seed: draw(rng),
        }
    }
}

/// The responder's half is sent; waits for the requester's confirmation.
pub struct Accepting {
    terms: Terms,
    secrets: ResponderSecrets,
}

/// Checks an offer and makes the responder's half of the terms. A refusal tells the requester why and leaves nothing behind.
///
/// `exporter` gives the connection's TLS exporter for a round id.
pub fn accept_offer(
    input: &ResponderInput,
    offer: Offer,
    rng: &mut impl CryptoRng,
    now: u64,
    signer: &NodeSigner,
    exporter: impl FnOnce(RoundId) -> Option<[u8; 32]>,
) -> Result<(Accepting, Message), Refusal> {
    accept_offer_with(
        input,
        offer,
        ResponderSecrets::generate(rng),
        now,
        signer,
        exporter,
    )
}

/// The same with given secrets, for test vectors and deterministic simulation.
pub fn accept_offer_with(
    input: &ResponderInput,
    offer: Offer,
    secrets: ResponderSecrets,
    now: u64,
    signer: &NodeSigner,
    exporter: impl FnOnce(RoundId) -> Option<[u8; 32]>,
) -> Result<(Accepting, Message), Refusal> {
    check_clock(now, offer.time).map_err(PeerFault::refusal)?;
    input.rules.check_offer(&offer)?;
    let class = |n: u64| size_class_log2(n).ok_or(Refusal::SetSize);
    let own = ResponderOffer {
        dataset_commitment: dataset_commitment(&secrets.dataset_salt, &input.dataset_digest),
        rules: input.rules.rules,
        subjects_class: class(input.subjects)?,
        evaluation_classes: input
            .match_keys
            .iter()
            .map(|&n| class(n))
            .collect::<Result<_, _>>()?,
        nonce: secrets.nonce,
        time: now,
    };
    let terms = Terms::new(offer, own.clone());
    input.rules.check(&terms)?;
    let round = terms.round_id();
    let exporter = exporter(round).ok_or(Refusal::Internal)?;
    let message = Message::Accept {
        offer: own,
        signature: signer.sign(labels::TERMS, &[&Role::Responder.byte(), &round.0]),
        binding: bind(signer, Role::Responder, round, &exporter),
    };
    Ok((Accepting { terms, secrets }, message))
}

impl Accepting {
    /// The terms of the round.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Takes the requester's signature, binding and proofs of possession.
    pub fn handle_confirm(
        self,
        signature: &SignatureBytes,
        binding: &SignatureBytes,
        possession: &[SignatureBytes],
        exporter: &[u8; 32],
    ) -> Result<Blinding, PeerFault> {
        let round = self.terms.round_id();
        let requester = self.terms.offer().requester;
        verify(
            "the terms",
            &requester.0,
            labels::TERMS,
            &[&Role::Requester.byte(), &round.0],
            signature,
        )?;
        verify_binding(&requester, Role::Requester, round, exporter, binding)?;
        if possession.len() != self.terms.key_types() {
            let types = self.terms.key_types() as u64;
            let got = possession.len() as u64;
            return Err(PeerFault::Length {
                what: "the proofs of possession",
                expected: types,
                got,
            });
        }
        for ((key_type, proof), index) in self
            .terms
            .offer()
            .key_types
            .iter()
            .zip(possession)
            .zip(0_u8..)
        {
            let fault = PeerFault::Possession(index);
            let public = PublicKey::from_bytes(&key_type.public_key).map_err(|_| fault)?;
            let proof = PossessionProof::from_bytes(proof).map_err(|_| fault)?;
            verify_possession(&public, &self.terms.possession_context(index), &proof)
                .map_err(|_| fault)?;
        }
        Blinding::new(self.terms, self.secrets.blind_seed, self.secrets.item_seed)
    }
}
