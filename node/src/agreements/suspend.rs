//! Suspending, alone and at once, under every version; and resuming, by both.

use std::sync::Arc;

use mandorla_agreement::{SUSPENSIONS_MAX, State, Statement};
use mandorla_control::{
    AgreementResume, AgreementSuspend, AgreementView, ApiError, ErrorCode, SuspensionCode,
};
use mandorla_store::WriteTx;

use super::versions::Versions;
use super::{Held, check_parties, require_verified, state_by, store, unknown, wrong_state};
use crate::events::Event;
use crate::failed::Failed;
use crate::node::{Caller, Node};
use crate::records::agreement::SuspensionRecord;
use crate::server::ServeBlocking;

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
        node.store.write(|tx| {
            let versions = versions_in(node, tx, &self.id)?;
            let newest = versions.newest().clone();
            let mut done = false;
            // An agreement that goes on under an earlier text, or would under the next one, is not suspended.
            for held in versions.into_held() {
                done |= suspend_one(node, tx, held, (self.code, self.reason.trim()), caller)?;
            }
            if !done {
                return Err(wrong_state(node, &newest, "suspended").into());
            }
            Ok::<_, Failed>(())
        })?;
        super::newest(node, &self.id).map(|held| held.view(node.code()))
    }
}

/// Suspends every agreement, or every one that names a party; returns their ids.
pub(crate) fn suspend_all(
    node: &Node,
    tx: &WriteTx<'_>,
    party: Option<&str>,
    why: (SuspensionCode, &str),
    caller: &Caller,
) -> Result<Vec<String>, Failed> {
    let mut suspended = Vec::new();
    for versions in Versions::all(node)? {
        let id = versions.newest().agreement.id().to_owned();
        let mut done = false;
        for held in versions.into_held() {
            let names_it = |party| held.agreement.party(party).is_some();
            if party.is_none_or(names_it) {
                done |= suspend_one(node, tx, held, why, caller)?;
            }
        }
        if done {
            suspended.push(id);
        }
    }
    Ok(suspended)
}

/// Suspends one version, if it is one that can be: with a signed statement, or for good where the key that the text names
/// is erased.
fn suspend_one(
    node: &Node,
    tx: &WriteTx<'_>,
    mut held: Held,
    (code, reason): (SuspensionCode, &str),
    caller: &Caller,
) -> Result<bool, Failed> {
    let Some(sequence) = suspends_with(node, &held) else {
        return Ok(false);
    };
    held.record.suspended_because.push(SuspensionRecord {
        sequence,
        code,
        reason: reason.to_owned(),
        by: caller.name.clone(),
        at: node.clock.now_s(),
    });
    let stated = state_by(node, &mut held, Statement::Suspension, sequence);
    held.record.suspended_for_good |= stated.is_err();
    let sequence = sequence.to_string();
    let details = [("code", code.word()), ("sequence", &sequence)];
    store::<AgreementSuspend>(node, tx, &held, Event::AgreementSuspended, caller, &details)?;
    Ok(true)
}

/// The sequence of the suspension that this node signs now, if one is due for this version.
fn suspends_with(node: &Node, held: &Held) -> Option<u32> {
    let can_be = held.state == State::Suspended
        || held
            .state
            .may_become(State::Suspended, held.pilot_required());
    let own = held.of(node.code());
    let sequence = held.standing.suspends_with(own, held.pilot_required());
    sequence.filter(|sequence| can_be && *sequence <= SUSPENSIONS_MAX)
}

impl ServeBlocking for AgreementResume {
    fn serve_blocking(self, node: &Arc<Node>, caller: &Caller) -> Result<AgreementView, ApiError> {
        node.store.write(|tx| {
            let versions = versions_in(node, tx, &self.id)?;
            let newest = versions.newest().clone();
            check_parties(node, &newest.agreement)?;
            let mut done = false;
            for mut held in versions.into_held() {
                if held.state != State::Suspended || held.is_resumed_by(node.code()) {
                    continue;
                }
                let (statement, sequence) = held.standing.resumes_with(held.pilot_required());
                if sequence > SUSPENSIONS_MAX {
                    return Err(worn_out(&held).into());
                }
                if statement == Statement::Activation {
                    require_verified(node, &held.agreement)?;
                }
                state_by(node, &mut held, statement, sequence)?;
                let sequence = sequence.to_string();
                let details = [("sequence", sequence.as_str())];
                store::<Self>(node, tx, &held, Event::AgreementResumed, caller, &details)?;
                done = true;
            }
            if !done {
                return Err(wrong_state(node, &newest, "resumed by this node").into());
            }
            Ok::<_, Failed>(())
        })?;
        super::newest(node, &self.id).map(|held| held.view(node.code()))
    }
}

fn versions_in(node: &Node, tx: &WriteTx<'_>, id: &str) -> Result<Versions, Failed> {
    let versions = Versions::find_in(node, tx, id)?;
    Ok(versions.ok_or_else(|| unknown(id))?)
}

fn worn_out(held: &Held) -> ApiError {
    let message = format!(
        "version {} of {} was suspended {SUSPENSIONS_MAX} times and is not resumed any more",
        held.agreement.version(),
        held.agreement.id()
    );
    ApiError::new(ErrorCode::Refused, message).hint("agree on the next version")
}
