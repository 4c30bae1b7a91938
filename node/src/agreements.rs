//! Agreements on this node: drafted, proposed, imported, signed, activated, suspended, resumed, amended.
//!
//! ```text
//!   draft ─► (people edit) ─► propose ──► export ─ ─ bundle ─ ─► import ─► sign      on the peer's node
//!                                 ▲                                          │
//!                              import ◄─ ─ ─ ─ ─ ─ bundle ─ ─ ─ ─ ─ ─ ─ export      then activate, likewise
//! ```
//! What is stored is each version's exact text, and signatures over its hash. The state is worked out from these each
//! time, with every signature verified again, so a row that somebody edited in the database cannot make an agreement
//! live.

mod draft;
mod held;
mod import;
mod sign;
mod suspend;
mod versions;

use std::sync::Arc;

use ed25519_dalek::Signer as _;
use mandorla_agreement::{
    Agreement, Finding, Severity, State, Statement, agreement_hash, lint, statement_bytes,
};
use mandorla_control::{
    AgreementActivate, AgreementDraft, AgreementExport, AgreementImport, AgreementLint,
    AgreementList, AgreementPropose, AgreementRead, AgreementResume, AgreementShow, AgreementSign,
    AgreementSuspend, AgreementText, AgreementView, ApiError, Call, ErrorCode, LintFinding,
    PartySignature, PartyStatement,
};
use mandorla_protocol::NodeKey;
use mandorla_store::{AgreementRef, WriteTx};

pub(crate) use self::held::{Held, verify_all};
pub(crate) use self::suspend::suspend_all;
use self::versions::Versions;
use crate::events::Event;
use crate::failed::Failed;
use crate::node::{Caller, Node};
use crate::peers::{self, CardFields};
use crate::records::agreement::{AGREEMENTS, AgreementRecord};
use crate::server::{Routes, ServeBlocking, role_of};

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .call::<AgreementDraft>()
        .call::<AgreementLint>()
        .call::<AgreementPropose>()
        .call::<AgreementImport>()
        .call::<AgreementSign>()
        .call::<AgreementActivate>()
        .call::<AgreementSuspend>()
        .call::<AgreementResume>()
        .call::<AgreementList>()
        .call::<AgreementShow>()
        .call::<AgreementRead>()
        .call::<AgreementExport>()
}

/// The version with this hash, and where it stands. `None` also if the store cannot be read, which is logged.
pub(crate) fn find_by_hash(node: &Node, hash: &[u8; 32]) -> Option<(Agreement, State)> {
    let tx = node.store.read();
    let rows = tx.and_then(|tx| tx.scan_all(AGREEMENTS));
    let rows = rows
        .inspect_err(|error| tracing::error!(%error, "agreements cannot be read"))
        .ok()?;
    let of_hash = |record: &AgreementRecord| agreement_hash(record.papers.text.as_bytes()) == *hash;
    let ((id, version), _) = rows.into_iter().find(|(_, record)| of_hash(record))?;
    let versions = Versions::find(node, &id).ok()??;
    let held = versions.version(u32::try_from(version).ok()?)?;
    Some((held.agreement.clone(), held.state))
}

/// How the ledger names an agreement.
pub(crate) fn reference(agreement: &Agreement) -> AgreementRef {
    AgreementRef {
        id: agreement.id().to_owned(),
        version: agreement.version(),
        hash: hex::encode(agreement.hash()),
    }
}

/// Every version of every agreement of this node.
pub(crate) fn all(node: &Node) -> Result<Vec<Held>, ApiError> {
    let all = Versions::all(node)?.into_iter();
    Ok(all.flat_map(Versions::into_held).collect())
}

/// The version of this agreement that new rounds are made under, or the one named by `ID@VERSION`.
pub(crate) fn find(node: &Node, name: &str) -> Result<Held, ApiError> {
    let versions = Versions::find(node, versions::split(name)?.0)?;
    versions::pick(versions, name, Versions::in_force)
}

/// The newest version of this agreement, or the one named by `ID@VERSION`.
fn newest(node: &Node, name: &str) -> Result<Held, ApiError> {
    let versions = Versions::find(node, versions::split(name)?.0)?;
    versions::pick(versions, name, Versions::newest)
}

impl ServeBlocking for AgreementDraft {
    fn serve_blocking(self, node: &Arc<Node>, _: &Caller) -> Result<AgreementText, ApiError> {
        draft::draft(node, &self).map(|text| AgreementText { text })
    }
}

impl ServeBlocking for AgreementLint {
    fn serve_blocking(self, node: &Arc<Node>, _: &Caller) -> Result<Vec<LintFinding>, ApiError> {
        let mut findings: Vec<LintFinding> = lint(self.text.as_bytes())
            .into_iter()
            .map(finding_view)
            .collect();
        if let Ok(agreement) = Agreement::parse(self.text.as_bytes())
            && let Err(error) = check_parties(node, &agreement)
        {
            findings.insert(
                0,
                LintFinding {
                    severity: "error".to_owned(),
                    clause: "party".to_owned(),
                    message: error.message,
                    fix: error.hint.unwrap_or_default(),
                },
            );
        }
        Ok(findings)
    }
}

fn finding_view(finding: Finding) -> LintFinding {
    LintFinding {
        severity: finding.severity.to_string(),
        clause: finding.clause,
        message: finding.message,
        fix: finding.fix,
    }
}

impl ServeBlocking for AgreementList {
    fn serve_blocking(self, node: &Arc<Node>, _: &Caller) -> Result<Vec<AgreementView>, ApiError> {
        Ok(all(node)?
            .iter()
            .map(|held| held.view(node.code()))
            .collect())
    }
}

impl ServeBlocking for AgreementShow {
    fn serve_blocking(self, node: &Arc<Node>, _: &Caller) -> Result<AgreementView, ApiError> {
        newest(node, &self.id).map(|held| held.view(node.code()))
    }
}

impl ServeBlocking for AgreementRead {
    fn serve_blocking(self, node: &Arc<Node>, _: &Caller) -> Result<AgreementText, ApiError> {
        let text = newest(node, &self.id)?.record.papers.text;
        Ok(AgreementText { text })
    }
}

/// What the linter calls an error.
fn lint_errors(bytes: &[u8]) -> Vec<Finding> {
    let findings = lint(bytes).into_iter();
    findings
        .filter(|finding| finding.severity == Severity::Error)
        .collect()
}

/// Stores a changed version and its ledger entry, and works its state out anew.
fn store<C: Call>(
    node: &Node,
    tx: &WriteTx<'_>,
    held: &Held,
    event: Event,
    caller: &Caller,
    details: &[(&str, &str)],
) -> Result<Held, Failed> {
    let (id, version) = (held.agreement.id(), held.agreement.version());
    tx.put(AGREEMENTS, (id, version.into()), &held.record)?;
    let versions = Versions::find_in(node, tx, id)?;
    let stored = versions.as_ref().and_then(|all| all.version(version));
    let held = stored.ok_or_else(|| unknown(id))?.clone();
    let mut event = node
        .event_by(event, caller, role_of(caller, C::ROLES))
        .agreement(reference(&held.agreement))
        .detail("state", held.state_word());
    for (name, value) in details {
        event = event.detail(*name, *value);
    }
    tx.append_ledger(event)?;
    Ok(held)
}

/// Adds a statement of this node.
fn state_by(
    node: &Node,
    held: &mut Held,
    statement: Statement,
    sequence: u32,
) -> Result<(), ApiError> {
    let bytes = statement_bytes(statement, &held.agreement.hash(), sequence);
    let PartySignature { party, signature } = own_signature(node, &held.agreement, &bytes)?;
    held::statements_mut(&mut held.record.papers, statement).push(PartyStatement {
        party,
        sequence,
        signature,
    });
    Ok(())
}

/// What is stored as this version, if anything is; its bytes must be the same.
fn stored_as(versions: Option<&Versions>, agreement: &Agreement) -> Result<Option<Held>, ApiError> {
    let stored = versions.and_then(|versions| versions.version(agreement.version()));
    match stored {
        Some(held) if held.agreement.bytes() != agreement.bytes() => {
            let (id, version) = (agreement.id(), agreement.version());
            let message = format!(
                "this node holds another text as version {version} of {id}; a signed text never changes"
            );
            Err(ApiError::new(ErrorCode::Exists, message).hint(format!(
                "give the new text the next version, and the hash of {id}@{version} as supersedes: mandorla agreement show {id}"
            )))
        }
        stored => Ok(stored.cloned()),
    }
}

/// Real data depends on it: a card that nobody compared may be that of somebody in between.
fn require_verified(node: &Node, agreement: &Agreement) -> Result<(), ApiError> {
    let other = agreement.other_party(node.code());
    let other = &other.ok_or_else(|| unknown(agreement.id()))?.code;
    if peers::find(node, other)?.verified {
        return Ok(());
    }
    let message = format!("the card of {other} was never compared by voice");
    Err(ApiError::new(ErrorCode::Refused, message).hint(format!("mandorla peer verify {other}")))
}

fn parse(text: &str) -> Result<Agreement, ApiError> {
    Agreement::parse(text.as_bytes()).map_err(|error| {
        ApiError::new(ErrorCode::BadAgreement, error.to_string()).hint(error.fix())
    })
}

/// The text must name this node and a peer of it, each with the keys that are known here.
pub(crate) fn check_parties(node: &Node, agreement: &Agreement) -> Result<(), ApiError> {
    let code = node.code();
    let (Some(own), Some(other)) = (agreement.party(code), agreement.other_party(code)) else {
        let [a, b] = agreement.parties();
        let message = format!(
            "the agreement is between {} and {}; this node is {code} (party)",
            a.code, b.code
        );
        return Err(ApiError::new(ErrorCode::Refused, message)
            .hint("a node takes part in agreements that name its code; see `code` in node.toml"));
    };
    // Keys that were followed by new ones stand for the same party; revoked ones stand for nobody.
    if !node.identity.trusted().contains(&peers::keys_of_party(own)) {
        let own_keys = peers::own_card(node).keys();
        compare_keys(own, &own_keys, "this node's own")?;
    }
    let peer = peers::find(node, &other.code)?;
    if peers::names(&peer, other) {
        return Ok(());
    }
    if peer.revoked_at.is_some() {
        return Err(peers::revoked(&other.code));
    }
    let card = CardFields::of_record(&peer).ok_or_else(|| {
        ApiError::new(
            ErrorCode::Storage,
            format!("the stored card of {} cannot be read", other.code),
        )
    })?;
    compare_keys(other, &card.keys(), "that of its card")
}

fn compare_keys(
    party: &mandorla_agreement::Party,
    known: &[[u8; 32]; 3],
    whose: &str,
) -> Result<(), ApiError> {
    let written = [
        ("signing_key", party.signing_key),
        ("transport_key", party.transport_key),
        ("release_key", party.release_key),
    ];
    for ((name, key), known) in written.iter().zip(known) {
        if key.as_bytes() != known {
            let code = &party.code;
            let message =
                format!("{name} of party {code} in the text is not {whose} (party.{name})");
            return Err(ApiError::new(ErrorCode::Refused, message)
                .hint("draft it anew with the present cards: mandorla agreement draft"));
        }
    }
    Ok(())
}

/// Signed with the key that the text names, which may be one whose overlap has not ended.
fn own_signature(
    node: &Node,
    agreement: &Agreement,
    bytes: &[u8],
) -> Result<PartySignature, ApiError> {
    let named = agreement.party(node.code()).map(peers::keys_of_party);
    let set = named.and_then(|keys| node.identity.signer_for(&NodeKey(keys.signing)));
    let set = set.ok_or_else(|| {
        let message = format!(
            "agreement {} names keys of this node that are erased (party.signing_key)",
            agreement.id()
        );
        ApiError::new(ErrorCode::Refused, message)
            .hint("draft it anew with the present cards: mandorla agreement draft")
    })?;
    Ok(PartySignature {
        party: node.code().to_owned(),
        signature: hex::encode(set.signer.signing_key().sign(bytes).to_bytes()),
    })
}

fn wrong_state(node: &Node, held: &Held, wanted: &str) -> ApiError {
    let message = format!(
        "version {} of agreement {} is {} and cannot be {wanted}",
        held.agreement.version(),
        held.agreement.id(),
        held.state_word()
    );
    let done = held.next(node.code());
    ApiError::new(ErrorCode::WrongState, message)
        .hint(done.unwrap_or_else(|| format!("mandorla agreement show {}", held.agreement.id())))
}

fn unknown(id: &str) -> ApiError {
    ApiError::new(
        ErrorCode::NotFound,
        format!("this node has no agreement {id}"),
    )
    .hint("mandorla agreement list")
}
