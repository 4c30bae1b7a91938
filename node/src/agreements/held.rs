//! An agreement as stored, and what its signatures amount to.

use mandorla_agreement::{Agreement, SignatureError, State};
use mandorla_control::{AgreementView, ApiError, ErrorCode, PartySignature};

use crate::records::agreement::AgreementRecord;

/// An agreement goes live once: after a suspension the parties sign a new text.
pub(super) const ACTIVATION_SEQUENCE: u32 = 1;

/// No bundle has more than two parties' signatures; a few more are read so that the error can name what is wrong.
const SIGNATURES_MAX: usize = 8;

/// An agreement of this node. The parties listed are those whose signatures verified just now.
pub(crate) struct Held {
    pub record: AgreementRecord,
    pub agreement: Agreement,
    pub state: State,
    pub signed_by: Vec<String>,
    pub activated_by: Vec<String>,
}

impl Held {
    /// Reads a record and works out where it stands.
    ///
    /// # Errors
    /// The stored text is no agreement (any more).
    pub(crate) fn new(record: AgreementRecord, now_s: u64) -> Result<Self, ApiError> {
        let agreement = Agreement::parse(record.text.as_bytes()).map_err(|error| {
            ApiError::new(
                ErrorCode::BadAgreement,
                format!("a stored agreement cannot be read: {error}"),
            )
            .hint(error.fix())
        })?;
        let parties_of = |signatures: &[PartySignature], verify: Verify| -> Vec<String> {
            let codes = agreement
                .parties()
                .map(|party| party.code.clone())
                .into_iter();
            codes
                .filter(|code| {
                    let own = signatures
                        .iter()
                        .filter(|signature| signature.party == *code);
                    own.into_iter()
                        .any(|signature| verify(&agreement, signature).is_ok())
                })
                .collect()
        };
        let signed_by = parties_of(&record.signatures, verify_signature);
        let activated_by = parties_of(&record.activations, verify_activation);
        let state = state(
            &agreement,
            signed_by.len(),
            activated_by.len(),
            record.suspended,
            now_s,
        );
        Ok(Self {
            record,
            agreement,
            state,
            signed_by,
            activated_by,
        })
    }

    pub(super) fn is_signed_by(&self, code: &str) -> bool {
        self.signed_by.iter().any(|signer| signer == code)
    }

    pub(super) fn is_activated_by(&self, code: &str) -> bool {
        self.activated_by.iter().any(|party| party == code)
    }

    /// Whether a bundle holds nothing new.
    pub(super) fn has_all(
        &self,
        signatures: &[PartySignature],
        activations: &[PartySignature],
    ) -> bool {
        signatures.iter().all(|one| self.is_signed_by(&one.party))
            && activations
                .iter()
                .all(|one| self.is_activated_by(&one.party))
    }

    /// The state in the words of the control API.
    pub(crate) fn state_word(&self) -> String {
        match self.state {
            State::Pilot => "pilot".to_owned(),
            state => state.to_string(),
        }
    }

    /// The next command of the operator of `code`, if one is due.
    pub(super) fn next(&self, code: &str) -> Option<String> {
        let id = self.agreement.id();
        let peer = self
            .agreement
            .other_party(code)
            .map_or("the peer", |party| party.code.as_str());
        let hand_over = format!("mandorla agreement export {id}, and {peer} imports it");
        match self.state {
            State::Proposed | State::SignedByOne if self.is_signed_by(code) => Some(hand_over),
            State::Draft | State::Proposed | State::SignedByOne => {
                Some(format!("mandorla agreement sign {id}"))
            }
            State::SignedByBoth | State::Pilot if self.is_activated_by(code) => Some(hand_over),
            State::SignedByBoth | State::Pilot => Some(format!("mandorla agreement activate {id}")),
            State::Live | State::Suspended | State::Expired => None,
        }
    }

    pub(super) fn view(&self, code: &str) -> AgreementView {
        let terms = self.agreement.terms();
        AgreementView {
            id: terms.id.clone(),
            version: terms.version,
            title: terms.title.clone(),
            parties: self
                .agreement
                .parties()
                .map(|party| party.code.clone())
                .to_vec(),
            state: self.state_word(),
            hash: hex::encode(self.agreement.hash()),
            signed_by: self.signed_by.clone(),
            activated_by: self.activated_by.clone(),
            not_before: terms.not_before.as_s(),
            expires: terms.expires.as_s(),
            purpose: terms.purpose.code.clone(),
            match_keys: terms.match_key.iter().map(|rule| rule.id.clone()).collect(),
            next: self.next(code),
        }
    }
}

/// Walks the life of an agreement as far as the facts carry it.
fn state(
    agreement: &Agreement,
    signed: usize,
    activated: usize,
    suspended: bool,
    now_s: u64,
) -> State {
    let terms = agreement.terms();
    let pilot = terms.pilot_required;
    let signed_by_both = signed == 2;
    let steps = [
        (true, State::Proposed),
        (signed >= 1, State::SignedByOne),
        (signed_by_both, State::SignedByBoth),
        (signed_by_both && pilot, State::Pilot),
        (signed_by_both && activated == 2, State::Live),
        (suspended, State::Suspended),
        (now_s >= terms.expires.as_s(), State::Expired),
    ];
    let holding = steps.into_iter().filter(|(holds, _)| *holds);
    holding.fold(State::Draft, |state, (_, next)| {
        state.step(next, pilot).unwrap_or(state)
    })
}

type Verify = fn(&Agreement, &PartySignature) -> Result<(), ApiError>;

fn verify_signature(agreement: &Agreement, one: &PartySignature) -> Result<(), ApiError> {
    let verified = agreement.verify_signature(&one.party, &bytes(one)?);
    verified.map_err(|error| bad_signature(&error))
}

fn verify_activation(agreement: &Agreement, one: &PartySignature) -> Result<(), ApiError> {
    let verified = agreement.verify_activation(&one.party, ACTIVATION_SEQUENCE, &bytes(one)?);
    verified.map_err(|error| bad_signature(&error))
}

/// Every signature of a bundle must verify: one that does not says that the bundle was tampered with.
pub(super) fn verify_all(
    agreement: &Agreement,
    signatures: &[PartySignature],
    activations: &[PartySignature],
) -> Result<(), ApiError> {
    if signatures.len().max(activations.len()) > SIGNATURES_MAX {
        let message = format!("a bundle has at most {SIGNATURES_MAX} signatures of a kind");
        return Err(ApiError::new(ErrorCode::BadFile, message));
    }
    signatures
        .iter()
        .try_for_each(|one| verify_signature(agreement, one))?;
    activations
        .iter()
        .try_for_each(|one| verify_activation(agreement, one))
}

/// Adds the signatures of parties that had none.
pub(super) fn add_new(known: &mut Vec<PartySignature>, more: &[PartySignature]) {
    for one in more {
        if known.iter().all(|known| known.party != one.party) {
            known.push(one.clone());
        }
    }
}

fn bytes(one: &PartySignature) -> Result<[u8; 64], ApiError> {
    let mut bytes = [0; 64];
    hex::decode_to_slice(&one.signature, &mut bytes)
        .map_err(|_| bad_signature(&SignatureError::Invalid(one.party.clone())))?;
    Ok(bytes)
}

fn bad_signature(error: &SignatureError) -> ApiError {
    ApiError::new(ErrorCode::BadSignature, error.to_string())
        .hint("ask the peer's operator for the bundle again: mandorla agreement export")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &[u8] = include_bytes!("../../agreement/samples/uk-rs.toml");

    fn sample() -> Agreement {
        Agreement::parse(SAMPLE).unwrap()
    }

    fn at(signed: usize, activated: usize, suspended: bool) -> State {
        let agreement = sample();
        let now = agreement.terms().not_before.as_s();
        state(&agreement, signed, activated, suspended, now)
    }

    #[test]
    fn only_both_signatures_and_both_activations_make_it_live() {
        assert!(sample().terms().pilot_required);
        assert_eq!(at(0, 0, false), State::Proposed);
        assert_eq!(at(1, 2, false), State::SignedByOne);
        assert_eq!(at(2, 0, false), State::Pilot);
        assert_eq!(at(2, 1, false), State::Pilot);
        assert_eq!(at(2, 2, false), State::Live);
    }

    #[test]
    fn suspension_and_the_end_win_over_everything() {
        assert_eq!(at(2, 2, true), State::Suspended);
        assert_eq!(at(2, 0, true), State::Suspended);
        let agreement = sample();
        let end = agreement.terms().expires.as_s();
        assert_eq!(state(&agreement, 2, 2, false, end), State::Expired);
        assert_eq!(state(&agreement, 2, 2, true, end), State::Expired);
        assert_eq!(state(&agreement, 2, 2, false, end - 1), State::Live);
    }

    #[test]
    fn without_a_pilot_it_still_needs_both_activations() {
        let text = std::str::from_utf8(SAMPLE).unwrap();
        let text = text.replace("pilot_required = true", "pilot_required = false");
        let agreement = Agreement::parse(text.as_bytes()).unwrap();
        let now = agreement.terms().not_before.as_s();
        assert_eq!(state(&agreement, 2, 1, false, now), State::SignedByBoth);
        assert_eq!(state(&agreement, 2, 2, false, now), State::Live);
    }

    #[test]
    fn signatures_that_do_not_verify_do_not_count() {
        let forged = |party: &str| PartySignature {
            party: party.into(),
            signature: "00".repeat(64),
        };
        let record = AgreementRecord {
            text: String::from_utf8(SAMPLE.to_vec()).unwrap(),
            signatures: vec![forged("UK"), forged("RS")],
            activations: vec![forged("UK"), forged("RS")],
            suspended: false,
        };
        let held = Held::new(record, sample().terms().not_before.as_s()).unwrap();
        assert_eq!(held.state, State::Proposed);
        assert!(held.signed_by.is_empty() && held.activated_by.is_empty());
    }
}
