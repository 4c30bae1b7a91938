//! From nothing to signed terms.

use std::sync::Arc;

use mandorla_kernels::{EvaluationKey, prove_possession};
use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::error::{LocalFault, PeerFault, ProtocolError};
use crate::ids::Digest;
use crate::labels;
use crate::message::Message;
use crate::random::draw;
use crate::requester::Evaluating;
use crate::signature::{NodeSigner, Role, SignatureBytes, bind, verify, verify_binding};
use crate::terms::{
    KeyType, Offer, ResponderOffer, SUITE, Terms, TermsRules, case_commitment, check_clock,
    clock_skew_in_terms, dataset_commitment, size_class_log2,
};

/// What the requester brings to a round.
#[derive(Clone, Debug)]
pub struct RequesterInput {
    /// What the agreement prescribes in this direction.
    pub rules: TermsRules,
    /// Opened to the responder in SEEK only.
    pub case_reference: String,
    /// Agreement name of the own dataset.
    pub requester_dataset: String,
    /// Agreement name of the peer's dataset.
    pub responder_dataset: String,
    /// Digest of the own dataset.
    pub dataset_digest: Digest,
    /// Own subjects.
    pub subjects: u64,
    /// (subject, match key) incidences, which become cells.
    pub cells: u64,
}

/// Random values of one round at the requester.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct RequesterSecrets {
    /// Nonce of the offer.
    pub nonce: [u8; 32],
    /// Salt of the case commitment.
    pub case_salt: [u8; 32],
    /// Salt of the dataset commitment.
    pub dataset_salt: [u8; 32],
    /// Seed of the subject numbers.
    pub number_seed: [u8; 32],
    /// Seed of the padding cells.
    pub pad_seed: [u8; 32],
}

impl RequesterSecrets {
    /// Draws all of them.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self {
            nonce: draw(rng),
            case_salt: draw(rng),
            dataset_salt: draw(rng),
            number_seed: draw(rng),
            pad_seed: draw(rng),
        }
    }
}

/// An offer was made; waits for the responder's half.
pub struct Offered {
    input: RequesterInput,
    offer: Offer,
    keys: Vec<EvaluationKey>,
    secrets: RequesterSecrets,
}

impl Offered {
    /// Makes new keys, one per match-key type, and the offer. `now`: own clock, Unix seconds.
    pub fn new(
        input: RequesterInput,
        rng: &mut impl CryptoRng,
        now: u64,
    ) -> Result<(Self, Message), LocalFault> {
        let keys = input
            .rules
            .key_types
            .iter()
            .map(|_| EvaluationKey::generate(rng))
            .collect();
        let secrets = RequesterSecrets::generate(rng);
        Self::with_secrets(input, keys, secrets, now)
    }

    /// The same with given keys and secrets, for test vectors and deterministic simulation.
    pub fn with_secrets(
        input: RequesterInput,
        keys: Vec<EvaluationKey>,
        secrets: RequesterSecrets,
        now: u64,
    ) -> Result<(Self, Message), LocalFault> {
        let rules = &input.rules;
        let class = |n: u64| size_class_log2(n).ok_or(LocalFault::SetTooLarge(n));
        let key_types = rules
            .key_types
            .iter()
            .zip(&keys)
            .map(|(id, key)| KeyType {
                id: id.clone(),
                public_key: key.public().to_bytes(),
            })
            .collect();
        let offer = Offer {
            suite: SUITE,
            agreement: rules.agreement,
            requester: rules.requester,
            responder: rules.responder,
            purpose: rules.purpose.clone(),
            case_commitment: case_commitment(&secrets.case_salt, &input.case_reference),
            requester_dataset: input.requester_dataset.clone(),
            responder_dataset: input.responder_dataset.clone(),
            dataset_commitment: dataset_commitment(&secrets.dataset_salt, &input.dataset_digest),
            rules: rules.rules,
            key_types,
            subjects_class: class(input.subjects)?,
            cells_class: class(input.cells)?,
            tag_bytes: rules.tag_bytes(),
            slots_s: rules.slots_s.clone(),
            max_release: rules.max_release,
            item_bytes: rules.item_bytes,
            fetch_window_s: rules.fetch_window_s,
            question_deadline_s: rules.question_deadline_s,
            clock_skew_max_s: clock_skew_in_terms(),
            nonce: secrets.nonce,
            time: now,
        };
        let message = Message::Offer(offer.clone());
        Ok((
            Self {
                input,
                offer,
                keys,
                secrets,
            },
            message,
        ))
    }

    /// The own half of the terms.
    pub fn offer(&self) -> &Offer {
        &self.offer
    }

    /// Takes the responder's half and its signature.
    pub fn handle_accept(
        self,
        offer: ResponderOffer,
        signature: &SignatureBytes,
        now: u64,
    ) -> Result<Accepted, ProtocolError> {
        check_clock(now, offer.time)?;
        let terms = Terms::new(self.offer, offer);
        self.input.rules.check(&terms).map_err(PeerFault::Terms)?;
        verify(
            "the terms",
            &terms.offer().responder.0,
            labels::TERMS,
            &[&Role::Responder.byte(), &terms.round_id().0],
            signature,
        )?;
        Ok(Accepted {
            terms,
            keys: self.keys,
            secrets: self.secrets,
            case_reference: self.input.case_reference,
        })
    }
}

/// The responder signed the terms. The caller charges the responder's quota with
/// [`Terms::rows`] of each key type, durably, before it goes on.
pub struct Accepted {
    terms: Terms,
    keys: Vec<EvaluationKey>,
    secrets: RequesterSecrets,
    case_reference: String,
}

impl Accepted {
    /// The terms of the round.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Checks that the responder is bound to this connection, signs the terms and proves possession of every key.
    pub fn confirm(
        self,
        peer_binding: &SignatureBytes,
        exporter: &[u8; 32],
        signer: &NodeSigner,
        rng: &mut impl CryptoRng,
    ) -> Result<(Evaluating, Message), PeerFault> {
        let randomness = self.keys.iter().map(|_| draw(rng)).collect::<Vec<_>>();
        self.confirm_with(peer_binding, exporter, signer, &randomness)
    }

    /// The same with given randomness for the proofs, one value per key type.
    pub fn confirm_with(
        self,
        peer_binding: &SignatureBytes,
        exporter: &[u8; 32],
        signer: &NodeSigner,
        randomness: &[[u8; 32]],
    ) -> Result<(Evaluating, Message), PeerFault> {
        let round = self.terms.round_id();
        verify_binding(
            &self.terms.offer().responder,
            Role::Responder,
            round,
            exporter,
            peer_binding,
        )?;
        let possession = self
            .keys
            .iter()
            .zip(randomness)
            .zip(0_u8..)
            .map(|((key, randomness), key_type)| {
                let context = self.terms.possession_context(key_type);
                prove_possession(key, &context, randomness).to_bytes()
            })
            .collect();
        let message = Message::Confirm {
            signature: signer.sign(labels::TERMS, &[&Role::Requester.byte(), &round.0]),
            binding: bind(signer, Role::Requester, round, exporter),
            possession,
        };
        let machine = Evaluating::new(
            self.terms,
            Arc::new(self.keys),
            self.secrets,
            self.case_reference,
        );
        Ok((machine, message))
    }
}
