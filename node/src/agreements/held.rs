//! A version of an agreement as stored, and what its signatures amount to.

use mandorla_agreement::{Agreement, PartyStanding, SignatureError, Standing, State, Statement};
use mandorla_control::{
    AgreementPapers, AgreementView, ApiError, ErrorCode, PartySignature, PartyStatement,
};

use crate::records::agreement::AgreementRecord;

/// Every kind of statement, with where it stands in the papers.
pub(super) const STATEMENTS: [Statement; 3] = [
    Statement::Activation,
    Statement::Suspension,
    Statement::Resumption,
];

/// A version of an agreement on this node. What counts in it are the signatures that verified just now.
#[derive(Clone)]
pub(crate) struct Held {
    pub record: AgreementRecord,
    pub agreement: Agreement,
    pub standing: Standing,
    pub state: State,
    /// Whether new rounds are made under this version of its agreement.
    pub in_force: bool,
}

impl Held {
    /// Reads a record; where it stands depends on the other versions: see [`super::Versions`].
    ///
    /// # Errors
    /// The stored text is no agreement (any more).
    pub(super) fn read(record: AgreementRecord) -> Result<Self, ApiError> {
        let agreement = Agreement::parse(record.papers.text.as_bytes()).map_err(|error| {
            ApiError::new(
                ErrorCode::BadAgreement,
                format!("a stored agreement cannot be read: {error}"),
            )
            .hint(error.fix())
        })?;
        let standing = standing(&agreement, &record.papers);
        Ok(Self {
            record,
            agreement,
            standing,
            state: State::Draft,
            in_force: false,
        })
    }

    /// What a party signed.
    pub(super) fn of(&self, code: &str) -> &PartyStanding {
        let [first, _] = self.agreement.parties();
        &self.standing.parties[usize::from(first.code != code)]
    }

    pub(super) fn pilot_required(&self) -> bool {
        self.agreement.terms().pilot_required
    }

    fn codes(&self, which: impl Fn(&PartyStanding) -> bool) -> Vec<String> {
        let parties = self.agreement.parties().into_iter();
        parties
            .zip(&self.standing.parties)
            .filter(|(_, standing)| which(standing))
            .map(|(party, _)| party.code.clone())
            .collect()
    }

    /// Parties that signed the text.
    pub(super) fn signed_by(&self) -> Vec<String> {
        self.codes(|party| party.signed)
    }

    /// Parties that activated it above every suspension.
    pub(super) fn activated_by(&self) -> Vec<String> {
        let due = self.standing.activation_due();
        self.codes(|party| party.activations.contains(&due))
    }

    pub(super) fn is_activated_by(&self, code: &str) -> bool {
        let due = self.standing.activation_due();
        self.of(code).activations.contains(&due)
    }

    /// Whether this party has done its part for the end of a suspension.
    pub(super) fn is_resumed_by(&self, code: &str) -> bool {
        self.standing.has_resumed(self.of(code))
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
        let other = self.agreement.other_party(code);
        let peer = other.map_or("the peer", |party| party.code.as_str());
        let hand_over = format!("mandorla agreement export {id}, and {peer} imports it");
        match self.state {
            State::Proposed | State::SignedByOne if self.of(code).signed => Some(hand_over),
            State::Draft | State::Proposed | State::SignedByOne => {
                Some(format!("mandorla agreement sign {id}"))
            }
            State::SignedByBoth | State::Pilot if self.is_activated_by(code) => Some(hand_over),
            State::SignedByBoth | State::Pilot => Some(format!("mandorla agreement activate {id}")),
            State::Suspended if self.is_resumed_by(code) => Some(hand_over),
            State::Suspended if self.is_resumed_by(peer) => {
                Some(format!("mandorla agreement resume {id}"))
            }
            State::Live | State::Suspended | State::Superseded | State::Expired => None,
        }
    }

    pub(super) fn view(&self, code: &str) -> AgreementView {
        let terms = self.agreement.terms();
        let suspended = self.state == State::Suspended;
        let to = self.standing.suspended_to();
        let of_suspension = |codes: Vec<String>| if suspended { codes } else { Vec::new() };
        let because = self.record.suspended_because.last();
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
            signed_by: self.signed_by(),
            activated_by: self.activated_by(),
            suspended_by: of_suspension(self.codes(|party| party.suspensions.contains(&to))),
            resumed_by: of_suspension(self.codes(|party| self.standing.has_resumed(party))),
            suspended_because: because
                .filter(|because| suspended && because.sequence == to)
                .map(|because| because.reason.clone()),
            in_force: self.in_force,
            not_before: terms.not_before.as_s(),
            expires: terms.expires.as_s(),
            purpose: terms.purpose.code.clone(),
            match_keys: terms.match_key.iter().map(|rule| rule.id.clone()).collect(),
            next: self.next(code),
        }
    }
}

/// The statements of a kind in the papers.
pub(super) fn statements(papers: &AgreementPapers, kind: Statement) -> &Vec<PartyStatement> {
    match kind {
        Statement::Activation => &papers.activations,
        Statement::Suspension => &papers.suspensions,
        Statement::Resumption => &papers.resumptions,
    }
}

/// The same, to add one.
pub(super) fn statements_mut(
    papers: &mut AgreementPapers,
    kind: Statement,
) -> &mut Vec<PartyStatement> {
    match kind {
        Statement::Activation => &mut papers.activations,
        Statement::Suspension => &mut papers.suspensions,
        Statement::Resumption => &mut papers.resumptions,
    }
}

/// What the signatures that verify amount to; the others do not count.
fn standing(agreement: &Agreement, papers: &AgreementPapers) -> Standing {
    let mut standing = Standing::default();
    for (party, standing) in agreement.parties().iter().zip(&mut standing.parties) {
        let mut signatures = papers.signatures.iter();
        standing.signed = signatures
            .any(|one| one.party == party.code && verify_signature(agreement, one).is_ok());
        for kind in STATEMENTS {
            let verified = statements(papers, kind).iter().filter(|one| {
                one.party == party.code && verify_statement(agreement, kind, one).is_ok()
            });
            for one in verified {
                standing.add(kind, one.sequence);
            }
        }
    }
    standing
}

fn verify_signature(agreement: &Agreement, one: &PartySignature) -> Result<(), ApiError> {
    let bytes = bytes(&one.party, &one.signature)?;
    let verified = agreement.verify_signature(&one.party, &bytes);
    verified.map_err(|error| bad_signature(&error))
}

fn verify_statement(
    agreement: &Agreement,
    kind: Statement,
    one: &PartyStatement,
) -> Result<(), ApiError> {
    let bytes = bytes(&one.party, &one.signature)?;
    let verified = agreement.verify_statement(kind, &one.party, one.sequence, &bytes);
    verified.map_err(|error| bad_signature(&error))
}

/// Every signature of a bundle must verify: one that does not says that the bundle was tampered with.
pub(crate) fn verify_all(agreement: &Agreement, papers: &AgreementPapers) -> Result<(), ApiError> {
    for one in &papers.signatures {
        verify_signature(agreement, one)?;
    }
    for kind in STATEMENTS {
        for one in statements(papers, kind) {
            verify_statement(agreement, kind, one)?;
        }
    }
    Ok(())
}

fn bytes(party: &str, signature: &str) -> Result<[u8; 64], ApiError> {
    let mut bytes = [0; 64];
    hex::decode_to_slice(signature, &mut bytes)
        .map_err(|_| bad_signature(&SignatureError::Invalid(party.to_owned())))?;
    Ok(bytes)
}

fn bad_signature(error: &SignatureError) -> ApiError {
    ApiError::new(ErrorCode::BadSignature, error.to_string())
        .hint("ask the peer's operator for the bundle again: mandorla agreement export")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_that_do_not_verify_do_not_count() {
        let text = include_str!("../../agreement/samples/uk-rs.toml").to_owned();
        let mut record = AgreementRecord::of_text(text);
        for party in ["UK", "RS"] {
            let (party, signature) = (party.to_owned(), "00".repeat(64));
            let statement = PartyStatement {
                party: party.clone(),
                sequence: 1,
                signature: signature.clone(),
            };
            record.papers.activations.push(statement.clone());
            record.papers.suspensions.push(statement);
            record
                .papers
                .signatures
                .push(PartySignature { party, signature });
        }
        let held = Held::read(record).unwrap();
        assert_eq!(held.standing, Standing::default());
    }
}
