//! Rounds: questions to peers, and peers' questions.
//!
//! ```text
//!  calls (plan, propose, list, show, cancel) ─► record in the store ─► driver task per round
//!                                                                       requester: asks, waits for slots
//!  connections of peers ─► responder: answers by agreement ─► record ─► driver: lapse, cut-offs, close
//! ```
//! A driver holds nothing that a restart needs, but for the keys of an evaluation under way.

mod calls;
mod commitment;
pub(crate) mod error;
mod files;
mod index;
pub(crate) mod pair;
pub(crate) mod pair_audit;
mod reconcile;
mod refusals;
mod requester;
mod responder;
mod rules;
mod seeds;
mod update;
mod view;
mod worker;

use std::sync::Arc;

use mandorla_protocol::responder::Questioned;
use mandorla_protocol::{ItemId, LocalFault, NodeKey, ProtocolError};
use rand_core::UnwrapErr;

use crate::agreements;
use crate::events::Event;
use crate::identity::KeySet;
use crate::node::Node;
use crate::records::round::{ROUNDS, RoundRecord, RoundState, Side};
pub(crate) use error::RoundError;
pub(crate) use rules::Ruled;

pub(crate) use calls::{end_own_round, routes};
pub(crate) use reconcile::reconcile;
pub(crate) use requester::pending_question;
pub(crate) use responder::serve;
pub use seeds::OpenSeedError;
pub(crate) use seeds::sweep as sweep_seeds;
pub(crate) use update::{Runtime, required, update, update_saying};
pub(crate) use view::view;
pub(crate) use worker::Workers;

/// Removes the run files of rounds that are over or unknown: the node may have died between a round's end and their
/// removal.
fn sweep_files(node: &Node, open: &[String]) -> Result<(), RoundError> {
    let dir = node.store.runs_dir();
    for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_of = |id: &String| {
            name.strip_prefix(id.as_str())
                .is_some_and(|rest| rest.starts_with('-'))
        };
        if !open.iter().any(is_of) {
            files::remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Takes up every round that is not over: at the start of the daemon.
pub(crate) fn resume_all(node: &Arc<Node>) -> Result<(), mandorla_store::StoreError> {
    let rounds = node.store.read()?.scan_all(ROUNDS)?;
    let open: Vec<_> = rounds
        .into_iter()
        .filter(|(_, record)| !record.state.is_over())
        .collect();
    let ids: Vec<String> = open.iter().map(|(id, _)| id.clone()).collect();
    if let Err(error) = sweep_files(node, &ids) {
        tracing::error!(%error, "files of ended rounds could not be removed");
    }
    for (id, record) in open {
        start(node, id, &record);
    }
    Ok(())
}

/// Starts the driver of a round.
fn start(node: &Arc<Node>, id: String, record: &RoundRecord) {
    let node = Arc::clone(node);
    match record.side {
        Side::Requester => {
            tokio::spawn(requester::drive(node, id));
        }
        Side::Responder => {
            keep_quiet_again(&node, record);
            match record.state {
                RoundState::Questioned => {
                    tokio::spawn(responder::rematch(Arc::clone(&node), id.clone()));
                }
                // The node may have died between the match and the removal of what it was made from.
                RoundState::Matched => {
                    if let Err(error) =
                        files::remove_of_round(&node.store.runs_dir(), &id, |_| true)
                    {
                        tracing::error!(round = %id, %error, "files of a matched round could not be removed");
                    }
                }
                _ => {}
            }
            tokio::spawn(responder::drive(node, id));
        }
    }
}

/// A restart in the quiet time after a question does not end it.
fn keep_quiet_again(node: &Node, record: &RoundRecord) {
    if !matches!(record.state, RoundState::Questioned | RoundState::Matched) {
        return;
    }
    let Some(questioned) = record.machine::<Questioned>() else {
        return;
    };
    let peer = crate::peers::find(node, &record.peer);
    if let Some(key) = peer.ok().and_then(|peer| peer.transport_key.parse().ok()) {
        node.keep_quiet(&key, questioned.quiet_until_ms()); // and with it every other key of this peer
    }
}

/// The text that a round runs under, in the round's direction.
pub(crate) fn ruled_of(node: &Node, record: &RoundRecord) -> Result<Ruled, RoundError> {
    // By its hash: other versions of the agreement may have come since.
    let mut hash = [0; 32];
    let found = hex::decode_to_slice(&record.agreement_hash, &mut hash)
        .ok()
        .and_then(|()| agreements::find_by_hash(node, &hash));
    let (agreement, state) = found
        .ok_or_else(|| RoundError::NotAllowed(format!("agreement {} is gone", record.agreement)))?;
    let own = node.code();
    let (requester, responder) = match record.side {
        Side::Requester => (own, record.peer.as_str()),
        Side::Responder => (record.peer.as_str(), own),
    };
    Ok(Ruled::new(agreement, state, requester, responder))
}

/// A round is over: its run files go, and with them rows of a dataset that was replaced meanwhile.
pub(crate) fn clean_up(node: &Node, id: &str) -> Result<(), RoundError> {
    files::remove_of_round(&node.store.runs_dir(), id, |_| true)?;
    Ok(crate::datasets::sweep(node)?)
}

/// The id of a hit: the same on both nodes, from the random-looking id of its item.
pub(crate) fn hit_id(item: ItemId) -> String {
    format!("H-{}", hex::encode(&item.0[..8]))
}

/// The own key set that a round's terms name by its signing key.
pub(crate) fn signer_of(node: &Node, key: &NodeKey) -> Result<Arc<KeySet>, RoundError> {
    let set = node.identity.signer_for(key);
    set.ok_or_else(|| ProtocolError::from(LocalFault::KeysErased).into())
}

/// The operating system's generator.
pub(crate) fn os_rng() -> UnwrapErr<rand::rngs::SysRng> {
    UnwrapErr(rand::rngs::SysRng)
}

/// Ends a round at once, whatever it waits for, and forgets what could still be disclosed by it.
pub(crate) fn end_now(node: &Node, id: &str, why: &str) -> Result<(), RoundError> {
    let event = node.event(Event::RoundEnded).detail("why", why);
    update::<RoundError>(node, id, &RoundState::OPEN, event, |tx, record| {
        record.state = RoundState::Ended;
        record.machine = None;
        why.clone_into(&mut record.detail);
        Ok(responder::forget(tx, record)?)
    })?;
    // The round's driver may clean up at the same time; what both leave goes at the next start.
    if let Err(error) = clean_up(node, id) {
        tracing::error!(round = %id, %error, "files of an ended round could not be removed");
    }
    Ok(())
}
