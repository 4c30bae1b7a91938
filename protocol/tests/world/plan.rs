//! What a round is made from: parties, datasets, terms, times, decisions, and every random value.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use mandorla_kernels::EvaluationKey;
use mandorla_protocol::requester::{RequesterInput, RequesterSecrets};
use mandorla_protocol::responder::{ResponderInput, ResponderSecrets};
use mandorla_protocol::{Digest, NodeSigner, ReleaseSigner, TermsRules, agreement_digest};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// The match keys of one subject: (key type, canonical value).
pub(crate) type Subject = Vec<(u8, Vec<u8>)>;

/// The canonical value of a match key with one field.
pub(crate) fn match_key(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap();
    [&length.to_le_bytes()[..], text.as_bytes()].concat()
}

/// A subject from (key type, text) pairs.
pub(crate) fn subject(keys: &[(u8, &str)]) -> Subject {
    keys.iter().map(|&(t, text)| (t, match_key(text))).collect()
}

/// The text of the one field behind a match key.
pub(crate) fn text_of(match_key: &[u8]) -> String {
    String::from_utf8(match_key[2..].to_vec()).unwrap()
}

/// The reference that the responder's file gives its subject with this index.
pub(crate) fn reference(own_subject: u32) -> String {
    format!("s-{own_subject}")
}

/// Bit t says that the subject has a match key of type t.
pub(crate) fn types_of(subject: &Subject) -> u32 {
    subject.iter().fold(0, |mask, (t, _)| mask | 1 << t)
}

/// Distinct match keys of one type, ascending: the rows that the responder evaluates.
pub(crate) fn rows(subjects: &[Subject], key_type: u8) -> Vec<Vec<u8>> {
    let of_type = subjects.iter().flatten().filter(|(t, _)| *t == key_type);
    let distinct: BTreeSet<_> = of_type.map(|(_, x)| x.clone()).collect();
    distinct.into_iter().collect()
}

/// The secret seeds of both nodes; the same from round to round.
#[derive(Clone)]
pub(crate) struct Parties {
    pub(crate) requester_signing: [u8; 32],
    pub(crate) requester_release: [u8; 32],
    pub(crate) responder_signing: [u8; 32],
    pub(crate) responder_release: [u8; 32],
}

impl Parties {
    pub(crate) fn from_seed(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        Self {
            requester_signing: draw(&mut rng),
            requester_release: draw(&mut rng),
            responder_signing: draw(&mut rng),
            responder_release: draw(&mut rng),
        }
    }

    pub(crate) fn requester_signer(&self) -> NodeSigner {
        NodeSigner::from_seed(&self.requester_signing)
    }

    pub(crate) fn responder_signer(&self) -> NodeSigner {
        NodeSigner::from_seed(&self.responder_signing)
    }

    pub(crate) fn requester_desk(&self) -> ReleaseSigner {
        ReleaseSigner::from_seed(&self.requester_release)
    }

    pub(crate) fn responder_desk(&self) -> ReleaseSigner {
        ReleaseSigner::from_seed(&self.responder_release)
    }
}

/// Every random value of one round.
#[derive(Clone)]
pub(crate) struct Coins {
    pub(crate) evaluation_keys: Vec<[u8; 32]>,
    pub(crate) possession: Vec<[u8; 32]>,
    pub(crate) proofs: BTreeMap<(u8, u32), [u8; 32]>,
    pub(crate) requester_nonce: [u8; 32],
    pub(crate) case_salt: [u8; 32],
    pub(crate) requester_dataset_salt: [u8; 32],
    pub(crate) number_seed: [u8; 32],
    pub(crate) pad_seed: [u8; 32],
    pub(crate) responder_nonce: [u8; 32],
    pub(crate) responder_dataset_salt: [u8; 32],
    pub(crate) blind_seed: [u8; 32],
    pub(crate) item_seed: [u8; 32],
    pub(crate) exporter: [u8; 32],
    pub(crate) requester_ledger_commitment: [u8; 32],
    pub(crate) responder_ledger_commitment: [u8; 32],
}

/// Chunks per key type that a plan of the tests may have.
const CHUNKS_MAX: u32 = 4;

impl Coins {
    pub(crate) fn from_seed(seed: u64, key_types: usize) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let types = u8::try_from(key_types).unwrap();
        Self {
            evaluation_keys: (0..types)
                .map(|_| *EvaluationKey::generate(&mut rng).to_bytes())
                .collect(),
            possession: (0..types).map(|_| draw(&mut rng)).collect(),
            proofs: (0..types)
                .flat_map(|t| (0..CHUNKS_MAX).map(move |chunk| (t, chunk)))
                .map(|chunk| (chunk, draw(&mut rng)))
                .collect(),
            requester_nonce: draw(&mut rng),
            case_salt: draw(&mut rng),
            requester_dataset_salt: draw(&mut rng),
            number_seed: draw(&mut rng),
            pad_seed: draw(&mut rng),
            responder_nonce: draw(&mut rng),
            responder_dataset_salt: draw(&mut rng),
            blind_seed: draw(&mut rng),
            item_seed: draw(&mut rng),
            exporter: draw(&mut rng),
            requester_ledger_commitment: draw(&mut rng),
            responder_ledger_commitment: draw(&mut rng),
        }
    }

    pub(crate) fn keys(&self) -> Vec<EvaluationKey> {
        let keys = self.evaluation_keys.iter();
        keys.map(|bytes| EvaluationKey::from_bytes(bytes).unwrap())
            .collect()
    }

    pub(crate) fn requester_secrets(&self) -> RequesterSecrets {
        RequesterSecrets {
            nonce: self.requester_nonce,
            case_salt: self.case_salt,
            dataset_salt: self.requester_dataset_salt,
            number_seed: self.number_seed,
            pad_seed: self.pad_seed,
        }
    }

    pub(crate) fn responder_secrets(&self) -> ResponderSecrets {
        ResponderSecrets {
            nonce: self.responder_nonce,
            dataset_salt: self.responder_dataset_salt,
            blind_seed: self.blind_seed,
            item_seed: self.item_seed,
        }
    }
}

fn draw(rng: &mut StdRng) -> [u8; 32] {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// A hit as the responder's authoriser sees it, with what only the test knows: whose number it is.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) own_subject: u32,
    pub(crate) requester_subject: u32,
    pub(crate) agreed_types: u32,
}

/// What the authoriser says about a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Release, without the fields behind these key types.
    Release { redacted_types: u32 },
    /// Refuse.
    Refuse,
    /// Nobody has looked.
    Undecided,
}

/// A verdict and when it became durable, in seconds after `t0`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decision {
    pub(crate) after_s: u64,
    pub(crate) verdict: Verdict,
}

impl Decision {
    pub(crate) fn release(after_s: u64) -> Self {
        Self::redact(after_s, 0)
    }

    pub(crate) fn redact(after_s: u64, redacted_types: u32) -> Self {
        let verdict = Verdict::Release { redacted_types };
        Self { after_s, verdict }
    }

    pub(crate) fn refuse(after_s: u64) -> Self {
        let verdict = Verdict::Refuse;
        Self { after_s, verdict }
    }

    pub(crate) fn undecided() -> Self {
        let verdict = Verdict::Undecided;
        Self {
            after_s: 0,
            verdict,
        }
    }
}

/// Everything a round is made from. The same plan gives the same bytes.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) parties: Parties,
    pub(crate) coins: Coins,
    pub(crate) agreement: Vec<u8>,
    pub(crate) purpose: String,
    pub(crate) rules: [u8; 32],
    pub(crate) key_types: Vec<String>,
    pub(crate) requester: Vec<Subject>,
    pub(crate) responder: Vec<Subject>,
    /// The dataset whose values the responder holds after the evaluation, if not `responder`: blinded points say
    /// nothing of what they blind, so for any other dataset of these sizes there are blinds that give the same points.
    pub(crate) coupled: Option<Vec<Subject>>,
    /// What a dishonest requester sends instead of its own cells.
    pub(crate) replayed_cells: Option<Vec<u8>>,
    pub(crate) requester_dataset_digest: [u8; 32],
    pub(crate) responder_dataset_digest: [u8; 32],
    pub(crate) case_reference: String,
    pub(crate) max_pairs: u32,
    pub(crate) slots_s: Vec<u32>,
    pub(crate) max_release: u16,
    pub(crate) item_bytes: u32,
    pub(crate) fetch_window_s: u32,
    pub(crate) question_deadline_s: u32,
    pub(crate) requester_time: u64,
    pub(crate) responder_time: u64,
    pub(crate) t0: u64,
    /// Whether these agreed key types make a pair a hit.
    pub(crate) threshold: Rc<dyn Fn(u32) -> bool>,
    pub(crate) decide: Rc<dyn Fn(&Found) -> Decision>,
}

impl Plan {
    /// Three key types, one slot a day after the question, every pair a hit, every hit released at once.
    pub(crate) fn new(seed: u64, requester: Vec<Subject>, responder: Vec<Subject>) -> Self {
        let key_types: Vec<String> = ["doc", "name-dob", "plate"].map(String::from).into();
        Self {
            parties: Parties::from_seed(1),
            coins: Coins::from_seed(seed, key_types.len()),
            agreement: b"version = 1\n".to_vec(),
            purpose: "missing-persons".into(),
            rules: [7; 32],
            key_types,
            requester,
            responder,
            coupled: None,
            replayed_cells: None,
            requester_dataset_digest: [8; 32],
            responder_dataset_digest: [9; 32],
            case_reference: "2025/0042 é".into(),
            max_pairs: 8,
            slots_s: vec![86_400],
            max_release: 8,
            item_bytes: 512,
            fetch_window_s: 3_600,
            question_deadline_s: 7_200,
            requester_time: 1_760_000_000,
            responder_time: 1_760_000_002,
            t0: 1_760_000_600,
            threshold: Rc::new(|_| true),
            decide: Rc::new(|_| Decision::release(60)),
        }
    }

    pub(crate) fn deciding(mut self, decide: impl Fn(&Found) -> Decision + 'static) -> Self {
        self.decide = Rc::new(decide);
        self
    }

    /// The dataset whose values the responder holds after the evaluation.
    pub(crate) fn responder_truth(&self) -> &[Subject] {
        self.coupled.as_deref().unwrap_or(&self.responder)
    }

    pub(crate) fn types(&self) -> u8 {
        u8::try_from(self.key_types.len()).unwrap()
    }

    pub(crate) fn terms_rules(&self) -> TermsRules {
        TermsRules {
            agreement: agreement_digest(&self.agreement),
            requester: self.parties.requester_signer().public(),
            responder: self.parties.responder_signer().public(),
            purpose: self.purpose.clone(),
            requester_datasets: vec!["reports".into()],
            responder_datasets: vec!["register".into()],
            rules: Digest(self.rules),
            key_types: self.key_types.clone(),
            subjects_min: 0,
            requester_subjects_max: 1 << 16,
            responder_subjects_max: 1 << 16,
            keys_per_subject_max: 32,
            slots_s: self.slots_s.clone(),
            max_release: self.max_release,
            item_bytes: self.item_bytes,
            fetch_window_s: self.fetch_window_s,
            question_deadline_s: self.question_deadline_s,
        }
    }

    pub(crate) fn requester_input(&self) -> RequesterInput {
        let distinct = |subject: &Subject| subject.iter().collect::<BTreeSet<_>>().len() as u64;
        RequesterInput {
            rules: self.terms_rules(),
            case_reference: self.case_reference.clone(),
            requester_dataset: "reports".into(),
            responder_dataset: "register".into(),
            dataset_digest: Digest(self.requester_dataset_digest),
            subjects: self.requester.len() as u64,
            cells: self.requester.iter().map(distinct).sum(),
        }
    }

    pub(crate) fn responder_input(&self) -> ResponderInput {
        ResponderInput {
            rules: self.terms_rules(),
            dataset_digest: Digest(self.responder_dataset_digest),
            subjects: self.responder.len() as u64,
            match_keys: (0..self.types())
                .map(|t| rows(&self.responder, t).len() as u64)
                .collect(),
        }
    }
}
