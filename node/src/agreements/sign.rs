//! Proposing, signing, activating.

use std::sync::Arc;

use mandorla_agreement::{Agreement, State, Statement, signing_bytes};
use mandorla_control::{
    AgreementActivate, AgreementPropose, AgreementSign, AgreementView, ApiError, Call, ErrorCode,
};
use mandorla_store::WriteTx;

use super::versions::{Versions, check_succession, pick, split};
use super::{
    Held, check_parties, lint_errors, own_signature, parse, require_verified, state_by, store,
    stored_as, wrong_state,
};
use crate::events::Event;
use crate::failed::Failed;
use crate::node::{Caller, Node};
use crate::records::agreement::AgreementRecord;
use crate::server::ServeBlocking;

impl ServeBlocking for AgreementPropose {
    fn serve_blocking(self, node: &Arc<Node>, caller: &Caller) -> Result<AgreementView, ApiError> {
        let agreement = parse(&self.text)?;
        check_parties(node, &agreement)?;
        refuse_faults(&agreement)?;
        let held = node.store.write(|tx| {
            let versions = Versions::find_in(node, tx, agreement.id())?;
            let held = if let Some(held) = stored_as(versions.as_ref(), &agreement)? {
                held
            } else {
                check_succession(versions.as_ref(), &agreement)?;
                Held::read(AgreementRecord::of_text(self.text))?
            };
            sign_in::<Self>(node, tx, held, Event::AgreementProposed, caller)
        })?;
        Ok(held.view(node.code()))
    }
}

impl ServeBlocking for AgreementSign {
    fn serve_blocking(self, node: &Arc<Node>, caller: &Caller) -> Result<AgreementView, ApiError> {
        let held = node.store.write(|tx| {
            let held = newest_in(node, tx, &self.id)?;
            refuse_faults(&held.agreement)?;
            sign_in::<Self>(node, tx, held, Event::AgreementSigned, caller)
        })?;
        Ok(held.view(node.code()))
    }
}

/// The version that a caller named, or the newest.
fn newest_in(node: &Node, tx: &WriteTx<'_>, name: &str) -> Result<Held, Failed> {
    let versions = Versions::find_in(node, tx, split(name)?.0)?;
    Ok(pick(versions, name, Versions::newest)?)
}

/// What the linter calls an error is not signed here, whoever wrote it.
fn refuse_faults(agreement: &Agreement) -> Result<(), ApiError> {
    let errors = lint_errors(agreement.bytes());
    let Some(first) = errors.first() else {
        return Ok(());
    };
    let message = match errors.len() {
        1 => first.to_string(),
        more => format!("{first}; and {} more", more - 1),
    };
    Err(ApiError::new(ErrorCode::BadAgreement, message).hint(first.fix.clone()))
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
    let may_sign = matches!(
        held.state,
        State::Draft | State::Proposed | State::SignedByOne
    );
    if !may_sign || held.of(node.code()).signed {
        return Err(wrong_state(node, &held, "signed by this node").into());
    }
    let bytes = signing_bytes(&held.agreement.hash());
    let signature = own_signature(node, &held.agreement, &bytes)?;
    held.record.papers.signatures.push(signature);
    store::<C>(node, tx, &held, event, caller, &[])
}

impl ServeBlocking for AgreementActivate {
    fn serve_blocking(self, node: &Arc<Node>, caller: &Caller) -> Result<AgreementView, ApiError> {
        let held = node.store.write(|tx| {
            let mut held = newest_in(node, tx, &self.id)?;
            check_parties(node, &held.agreement)?;
            if held.state == State::Suspended {
                let id = held.agreement.id();
                let error = wrong_state(node, &held, "activated");
                return Err(error.hint(format!("mandorla agreement resume {id}")).into());
            }
            let may_go_live = held.state.may_become(State::Live, held.pilot_required());
            if !may_go_live || held.is_activated_by(node.code()) {
                return Err(wrong_state(node, &held, "activated by this node").into());
            }
            require_verified(node, &held.agreement)?;
            let sequence = held.standing.activation_due();
            state_by(node, &mut held, Statement::Activation, sequence)?;
            let sequence = sequence.to_string();
            let details = [("sequence", sequence.as_str())];
            store::<Self>(node, tx, &held, Event::AgreementActivated, caller, &details)
        })?;
        Ok(held.view(node.code()))
    }
}
