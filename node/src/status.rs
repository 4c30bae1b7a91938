//! The node at a glance, and its end.

use std::sync::Arc;

use mandorla_agreement::State;
use mandorla_control::{
    ApiError, Call as _, NodeStop, PeerSeen, ReviewInbox, Status, StatusReply, Stopped,
};

use crate::agreements;
use crate::data_dir::seal_word;
use crate::doctor::{DISK_FREE_FAIL_BYTES, disk_free};
use crate::node::{Caller, Node, storage};
use crate::peers;
use crate::records::dataset::DATASETS;
use crate::records::peer::PEERS;
use crate::records::round::{ROUNDS, RoundRecord, RoundState, Side};
use crate::rounds;
use crate::server::{Routes, ServeBlocking};

pub(crate) fn routes(routes: Routes) -> Routes {
    routes.call::<Status>().call::<NodeStop>()
}

impl ServeBlocking for Status {
    fn serve_blocking(self, node: &Arc<Node>, caller: &Caller) -> Result<StatusReply, ApiError> {
        let tx = node.store.read().map_err(storage)?;
        let live = agreements::all(node)?;
        let live = live.iter().filter(|held| held.state == State::Live);
        let rounds = tx.scan_all(ROUNDS).map_err(storage)?;
        let own = || {
            rounds
                .iter()
                .filter(|(_, round)| round.side == Side::Requester)
        };
        let listen = node
            .endpoint
            .get()
            .map(mandorla_transport::Endpoint::local_addr);
        Ok(StatusReply {
            schema: 1,
            node: node.config.name.clone(),
            country: node.code().to_owned(),
            fingerprint: peers::own_card(node).fingerprint(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            listen: listen.unwrap_or(node.config.listen).to_string(),
            kernel: node.kernel.level().to_string(),
            keys_sealed_under: seal_word(node.identity.sealed()).to_owned(),
            peers: count(tx.scan_all(PEERS).map_err(storage)?.len()),
            agreements_live: count(live.count()),
            datasets: count(tx.scan_all(DATASETS).map_err(storage)?.len()),
            rounds_open: count(own().filter(|(_, round)| !round.state.is_over()).count()),
            rounds_waiting_for_approval: count(
                own()
                    .filter(|(_, round)| round.state == RoundState::AwaitingApproval)
                    .count(),
            ),
            items_due: items_due(node, caller)?,
            next_slot: next_slot(node, &rounds)?,
            peers_seen: tx
                .scan_all(PEERS)
                .map_err(storage)?
                .into_iter()
                .map(|(peer, record)| PeerSeen {
                    peer,
                    last_seen: record.last_seen,
                })
                .collect(),
            disk_free_bytes: disk_free(node.data_dir()),
            ledger_entries: tx.ledger().map_err(storage)?.size(),
            faults: faults(node),
            uptime_s: node.clock.now_s().saturating_sub(node.started_s),
            user: caller.name.clone(),
            roles: caller
                .roles
                .iter()
                .map(|role| role.word().to_owned())
                .collect(),
        })
    }
}

/// What waits at the desk, for who may see it.
fn items_due(node: &Arc<Node>, caller: &Caller) -> Result<Option<u32>, ApiError> {
    if !caller.has_any(ReviewInbox::ROLES) {
        return Ok(None);
    }
    let items = ReviewInbox {}.serve_blocking(node, caller)?;
    Ok(Some(count(items.len())))
}

/// The earliest slot of any round that is not over.
fn next_slot(node: &Node, rounds: &[(String, RoundRecord)]) -> Result<Option<u64>, ApiError> {
    let open = rounds.iter().filter(|(_, round)| !round.state.is_over());
    let mut due = Vec::new();
    for (_, round) in open {
        let slots = rounds::view(node, round).map_err(storage)?.slots;
        due.extend(slots.iter().filter(|slot| !slot.done).map(|slot| slot.due));
    }
    Ok(due.into_iter().min())
}

fn faults(node: &Node) -> Vec<String> {
    let mut faults = Vec::new();
    if let Some(free) = disk_free(node.data_dir())
        && free < DISK_FREE_FAIL_BYTES
    {
        faults.push(format!(
            "{} MiB of disk left, at least {} are needed",
            free >> 20,
            DISK_FREE_FAIL_BYTES >> 20
        ));
    }
    if node.endpoint.get().is_none() {
        faults.push("the node does not listen for peers".to_owned());
    }
    faults
}

fn count(rows: usize) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX)
}

impl ServeBlocking for NodeStop {
    fn serve_blocking(self, node: &Arc<Node>, caller: &Caller) -> Result<Stopped, ApiError> {
        tracing::info!(user = caller.name, "asked to stop");
        // The reply still goes out: the server finishes what was begun.
        node.stopping.send_replace(true);
        Ok(Stopped {
            pid: std::process::id(),
        })
    }
}
