//! Keys that may be known to others: nothing that names them is good any more.

use std::sync::Arc;

use mandorla_control::{ApiError, Call as _, ErrorCode, KeyRevoke, KeysRevoked, SuspensionCode};

use super::file_failed;
use crate::agreements;
use crate::events::Event;
use crate::justification::Reason;
use crate::node::{Caller, Node, storage};
use crate::peers::{self, CardFields};
use crate::records::round::ROUNDS;
use crate::rounds::{self, os_rng};
use crate::server::ServeBlocking;

impl ServeBlocking for KeyRevoke {
    fn serve_blocking(self, node: &Arc<Node>, caller: &Caller) -> Result<KeysRevoked, ApiError> {
        if self.reason.trim().is_empty() {
            let message = "a revocation needs a reason";
            return Err(ApiError::new(ErrorCode::BadRequest, message)
                .hint("mandorla key revoke --reason TEXT"));
        }
        let reason = Reason::new(self.reason.trim(), &caller.name, node.clock.now_s());
        // The file first: if the node dies after it, nothing that names the old keys works any more.
        node.identity
            .change(|ring| ring.revoke(&mut os_rng()))
            .map_err(file_failed)?;
        let suspended = node.store.write(|tx| {
            let event = node
                .event_by(Event::KeysRevoked, caller, KeyRevoke::ROLES[0])
                .detail("reason_commitment", reason.commitment())
                .detail("fingerprint", peers::own_card(node).fingerprint());
            reason.keep(tx)?;
            tx.append_ledger(event)?;
            let why = (
                SuspensionCode::Incident,
                "the keys of this node were revoked",
            );
            agreements::suspend_all(node, tx, None, why, caller)
        })?;
        let ended = end_rounds(node, None, "the keys of this node were revoked")?;
        let fingerprint = new_fingerprint(node)?;
        // No further step with the old keys: what is open is closed, and the next start has the new ones.
        node.stopping.send_replace(true);
        Ok(KeysRevoked {
            fingerprint,
            suspended,
            ended,
            next: [
                "mandorla node run",
                "tell every peer's operator by voice: they run mandorla peer revoke for this node",
                "mandorla peer export -o CARD, and hand the new card to every peer",
                "both compare words anew: mandorla peer verify PEER",
                "sign new agreements, which name the new keys: mandorla agreement draft",
            ]
            .map(str::to_owned)
            .to_vec(),
        })
    }
}

fn new_fingerprint(node: &Node) -> Result<String, ApiError> {
    let identity = node.identity.reread().map_err(file_failed)?;
    let address = peers::own_card(node).address;
    Ok(CardFields::own(&node.config, &identity, address).fingerprint())
}

/// Ends every open round, or every one with a peer; returns their ids.
pub(crate) fn end_rounds(
    node: &Node,
    peer: Option<&str>,
    why: &str,
) -> Result<Vec<String>, ApiError> {
    let rounds = node
        .store
        .read()
        .and_then(|tx| tx.scan_all(ROUNDS))
        .map_err(storage)?;
    let mut ended = Vec::new();
    for (id, record) in rounds {
        let concerned = peer.is_none_or(|peer| record.peer == peer);
        if concerned && !record.state.is_over() {
            rounds::end_now(node, &id, why).map_err(|error| {
                ApiError::new(ErrorCode::Storage, error.to_string())
                    .hint(format!("mandorla round show {id}"))
            })?;
            ended.push(id);
        }
    }
    Ok(ended)
}
