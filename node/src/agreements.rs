//! Agreements on this node: drafted, proposed, imported, signed, activated, suspended.
//!
//! ```text
//!   draft ─► (people edit) ─► propose ──► export ─ ─ bundle ─ ─► import ─► sign      on the peer's node
//!                                 ▲                                          │
//!                              import ◄─ ─ ─ ─ ─ ─ bundle ─ ─ ─ ─ ─ ─ ─ export      then activate, likewise
//! ```
//! What is stored is the exact text and signatures over its hash. The state is worked out from these each time, with
//! every signature verified again, so a row that somebody edited in the database cannot make an agreement live.

mod draft;
mod held;

use std::sync::Arc;

use ed25519_dalek::Signer as _;
use mandorla_agreement::{
    Agreement, Finding, State, activation_bytes, agreement_hash, lint, signing_bytes,
};
use mandorla_control::{
    AgreementActivate, AgreementBundle, AgreementDraft, AgreementExport, AgreementImport,
    AgreementLint, AgreementList, AgreementPropose, AgreementShow, AgreementSign, AgreementSuspend,
    AgreementText, AgreementView, ApiError, Call, ErrorCode, LintFinding, PartySignature,
};
use mandorla_store::{AgreementRef, WriteTx};

pub(crate) use self::held::Held;
use crate::events::Event;
use crate::failed::Failed;
use crate::node::{Caller, Node, storage};
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
        .call::<AgreementList>()
        .call::<AgreementShow>()
        .call::<AgreementExport>()
}

/// The agreement with this hash, and where it stands. `None` also if the store cannot be read, which is logged.
pub(crate) fn find_by_hash(node: &Node, hash: &[u8; 32]) -> Option<(Agreement, State)> {
    let tx = node.store.read();
    let rows = tx.and_then(|tx| tx.scan_all(AGREEMENTS));
    let rows = rows
        .inspect_err(|error| tracing::error!(%error, "agreements cannot be read"))
        .ok()?;
    let of_hash = |record: &AgreementRecord| agreement_hash(record.text.as_bytes()) == *hash;
    let (_, record) = rows.into_iter().find(|(_, record)| of_hash(record))?;
    let held = Held::new(record, node.clock.now_s()).ok()?;
    Some((held.agreement, held.state))
}

/// How the ledger names an agreement.
pub(crate) fn reference(agreement: &Agreement) -> AgreementRef {
    AgreementRef {
        id: agreement.id().to_owned(),
        version: agreement.version(),
        hash: hex::encode(agreement.hash()),
    }
}

/// Every agreement of this node.
pub(crate) fn all(node: &Node) -> Result<Vec<Held>, ApiError> {
    let now_s = node.clock.now_s();
    let tx = node.store.read().map_err(storage)?;
    let rows = tx.scan_all(AGREEMENTS).map_err(storage)?.into_iter();
    rows.map(|(_, record)| Held::new(record, now_s)).collect()
}

/// The agreement of this id.
pub(crate) fn find(node: &Node, id: &str) -> Result<Held, ApiError> {
    let tx = node.store.read().map_err(storage)?;
    let record = tx.find(AGREEMENTS, id).map_err(storage)?;
    Held::new(record.ok_or_else(|| unknown(id))?, node.clock.now_s())
}

fn find_in(node: &Node, tx: &WriteTx<'_>, id: &str) -> Result<Held, Failed> {
    let record = tx.find(AGREEMENTS, id)?.ok_or_else(|| unknown(id))?;
    Ok(Held::new(record, node.clock.now_s())?)
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

impl ServeBlocking for AgreementPropose {
    fn serve_blocking(self, node: &Arc<Node>, caller: &Caller) -> Result<AgreementView, ApiError> {
        let agreement = parse(&self.text)?;
        check_parties(node, &agreement)?;
        let fresh = AgreementRecord {
            text: self.text,
            signatures: Vec::new(),
            activations: Vec::new(),
            suspended: false,
        };
        let held = node.store.write(|tx| {
            let held = match stored_as(tx, &agreement, &fresh.text)? {
                Some(record) => Held::new(record, node.clock.now_s())?,
                None => Held::new(fresh, node.clock.now_s())?,
            };
            sign_in::<Self>(node, tx, held, Event::AgreementProposed, caller)
        })?;
        Ok(held.view(node.code()))
    }
}

impl ServeBlocking for AgreementSign {
    fn serve_blocking(self, node: &Arc<Node>, caller: &Caller) -> Result<AgreementView, ApiError> {
        let held = node.store.write(|tx| {
            let held = find_in(node, tx, &self.id)?;
            sign_in::<Self>(node, tx, held, Event::AgreementSigned, caller)
        })?;
        Ok(held.view(node.code()))
    }
}

/// Adds this node's signature, once.
fn sign_in<C: Call>(
    node: &Node,
    tx: &WriteTx<'_>,
    mut held: Held,
    event: Event,
    caller: &Caller,
) -> Result<Held, Failed> {
    check_parties(node, &held.agreement)?;
    let may_sign = matches!(held.state, State::Proposed | State::SignedByOne);
    if !may_sign || held.is_signed_by(node.code()) {
        return Err(wrong_state(node, &held, "signed by this node").into());
    }
    let bytes = signing_bytes(&held.agreement.hash());
    held.record.signatures.push(own_signature(node, &bytes));
    store::<C>(node, tx, held, event, caller, &[])
}

impl ServeBlocking for AgreementActivate {
    fn serve_blocking(self, node: &Arc<Node>, caller: &Caller) -> Result<AgreementView, ApiError> {
        let held = node.store.write(|tx| {
            let mut held = find_in(node, tx, &self.id)?;
            check_parties(node, &held.agreement)?;
            let state = held.state;
            let may_go_live = state.may_become(State::Live, held.agreement.terms().pilot_required);
            if !may_go_live || held.is_activated_by(node.code()) {
                return Err(wrong_state(node, &held, "activated by this node").into());
            }
            let other = held.agreement.other_party(node.code());
            let other = other
                .expect("check_parties found this node's party")
                .code
                .clone();
            // Real data depends on it: a card that nobody compared may be that of somebody in between.
            if !peers::find(node, &other)?.verified {
                let message = format!("the card of {other} was never compared by voice");
                return Err(ApiError::new(ErrorCode::Refused, message)
                    .hint(format!("mandorla peer verify {other}"))
                    .into());
            }
            let bytes = activation_bytes(&held.agreement.hash(), held::ACTIVATION_SEQUENCE);
            held.record.activations.push(own_signature(node, &bytes));
            store::<Self>(node, tx, held, Event::AgreementActivated, caller, &[])
        })?;
        Ok(held.view(node.code()))
    }
}

impl ServeBlocking for AgreementSuspend {
    fn serve_blocking(self, node: &Arc<Node>, caller: &Caller) -> Result<AgreementView, ApiError> {
        if self.reason.trim().is_empty() {
            return Err(
                ApiError::new(ErrorCode::BadRequest, "a suspension needs a reason").hint(format!(
                    "mandorla agreement suspend {} --reason TEXT",
                    self.id
                )),
            );
        }
        let held = node.store.write(|tx| {
            let mut held = find_in(node, tx, &self.id)?;
            if !held
                .state
                .may_become(State::Suspended, held.agreement.terms().pilot_required)
            {
                return Err(wrong_state(node, &held, "suspended").into());
            }
            held.record.suspended = true;
            let reason = [("reason", self.reason.as_str())];
            store::<Self>(node, tx, held, Event::AgreementSuspended, caller, &reason)
        })?;
        Ok(held.view(node.code()))
    }
}

impl ServeBlocking for AgreementImport {
    fn serve_blocking(self, node: &Arc<Node>, caller: &Caller) -> Result<AgreementView, ApiError> {
        let bundle = self.bundle;
        if bundle.schema != 1 {
            let message = format!("bundle schema {} is not known", bundle.schema);
            return Err(ApiError::new(ErrorCode::BadFile, message)
                .hint("compare `mandorla version` on both nodes"));
        }
        let agreement = parse(&bundle.text)?;
        check_parties(node, &agreement)?;
        held::verify_all(&agreement, &bundle.signatures, &bundle.activations)?;
        let known = find(node, agreement.id());
        if let Ok(known) = known
            && known.record.text == bundle.text
            && known.has_all(&bundle.signatures, &bundle.activations)
        {
            return Ok(known.view(node.code()));
        }
        let held = node.store.write(|tx| {
            let mut record = stored_as(tx, &agreement, &bundle.text)?.unwrap_or(AgreementRecord {
                text: bundle.text.clone(),
                signatures: Vec::new(),
                activations: Vec::new(),
                suspended: false,
            });
            held::add_new(&mut record.signatures, &bundle.signatures);
            held::add_new(&mut record.activations, &bundle.activations);
            let held = Held::new(record, node.clock.now_s())?;
            let (signed, activated) = (held.signed_by.join(" "), held.activated_by.join(" "));
            let details = [
                ("signed_by", signed.as_str()),
                ("activated_by", activated.as_str()),
            ];
            store::<Self>(node, tx, held, Event::AgreementImported, caller, &details)
        })?;
        Ok(held.view(node.code()))
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
        find(node, &self.id).map(|held| held.view(node.code()))
    }
}

impl ServeBlocking for AgreementExport {
    fn serve_blocking(self, node: &Arc<Node>, _: &Caller) -> Result<AgreementBundle, ApiError> {
        let record = find(node, &self.id)?.record;
        Ok(AgreementBundle {
            schema: 1,
            text: record.text,
            signatures: record.signatures,
            activations: record.activations,
        })
    }
}

/// Stores a changed agreement and its ledger entry, and works its state out anew.
fn store<C: Call>(
    node: &Node,
    tx: &WriteTx<'_>,
    held: Held,
    event: Event,
    caller: &Caller,
    details: &[(&str, &str)],
) -> Result<Held, Failed> {
    let held = Held::new(held.record, node.clock.now_s())?;
    tx.put(AGREEMENTS, held.agreement.id(), &held.record)?;
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

/// The stored record of this agreement, if there is one with the same bytes.
fn stored_as(
    tx: &WriteTx<'_>,
    agreement: &Agreement,
    text: &str,
) -> Result<Option<AgreementRecord>, Failed> {
    let id = agreement.id();
    match tx.find(AGREEMENTS, id)? {
        Some(record) if record.text != text => {
            let message =
                format!("this node holds another text as {id}; a signed text never changes");
            Err(ApiError::new(ErrorCode::Exists, message)
                .hint(
                    "give the new text an id of its own, and the hash of the old one as supersedes",
                )
                .into())
        }
        found => Ok(found),
    }
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
    let own_keys = peers::own_card(node).keys();
    compare_keys(own, &own_keys, "this node's own")?;
    let peer = peers::find(node, &other.code)?;
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

fn own_signature(node: &Node, bytes: &[u8]) -> PartySignature {
    let signature = node.identity.signer.signing_key().sign(bytes);
    PartySignature {
        party: node.code().to_owned(),
        signature: hex::encode(signature.to_bytes()),
    }
}

fn wrong_state(node: &Node, held: &Held, wanted: &str) -> ApiError {
    let message = format!(
        "agreement {} is {} and cannot be {wanted}",
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
