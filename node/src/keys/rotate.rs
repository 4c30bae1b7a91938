//! New keys beside the old ones, made known to every peer before they are used.

use std::collections::BTreeMap;
use std::sync::Arc;

use mandorla_control::{
    ApiError, Call as _, ErrorCode, KeyList, KeyRotate, KeyView, KeysView, WaitsFor,
};
use mandorla_protocol::{
    Message, NodeKey, OVERLAP_MAX_S, SignedSuccession, Succession, decode, encode,
};
use mandorla_transport::CloseCode;

use super::file_failed;
use crate::control_stream::{ControlError, ControlStream, REPLY_TIMEOUT};
use crate::data_dir::seal_word;
use crate::events::Event;
use crate::failed::Failed;
use crate::identity::{KeyState, Ring, RingKeys};
use crate::node::{Caller, Node, storage};
use crate::peers;
use crate::records::key::{SUCCESSIONS, SuccessionRecord};
use crate::records::peer::PEERS;
use crate::rounds::os_rng;
use crate::server::{Serve, ServeBlocking};

/// Shortest overlap: a round over a day's slot that is open now ends within it.
const OVERLAP_MIN_S: u64 = 3_600;

impl ServeBlocking for KeyList {
    fn serve_blocking(self, node: &Arc<Node>, _: &Caller) -> Result<KeysView, ApiError> {
        view(node, &[])
    }
}

impl Serve for KeyRotate {
    async fn serve(self, node: &Arc<Node>, caller: &Caller) -> Result<KeysView, ApiError> {
        let lock = node.rounds.lock_of("own keys");
        let _turn = lock.lock().await;
        let (sequence, signed) = begin(node, &self, caller)?;
        let mut failed = Vec::new();
        for peer in waits_for(node, sequence)? {
            match offer(node, &peer, &signed).await {
                Ok(countersignature) => note(node, sequence, &peer, &countersignature)?,
                Err(error) => {
                    tracing::warn!(peer, %error, "the peer has not countersigned the new keys");
                    failed.push((peer, error.message));
                }
            }
        }
        if waits_for(node, sequence)?.is_empty() {
            promote(node, caller, &signed)?;
        }
        view(node, &failed)
    }
}

/// The change that is under way, or a new one: the secret keys are in the file before the statement is in the store.
fn begin(
    node: &Node,
    call: &KeyRotate,
    caller: &Caller,
) -> Result<(u32, SignedSuccession), ApiError> {
    let ring = node.identity.ring().map_err(file_failed)?;
    refuse_too_early(node, &ring)?;
    check_peers(node, &call.without)?;
    let next = if let Some(next) = ring.find(KeyState::Next) {
        next
    } else {
        check_overlap(call.overlap_s)?;
        let changed = node.identity.change(|ring| {
            ring.add(KeyState::Next, &mut os_rng());
            ring.find(KeyState::Next)
        });
        changed
            .map_err(file_failed)?
            .ok_or_else(|| inconsistent("the new keys are not in the key file"))?
    };
    let ring = node.identity.ring().map_err(file_failed)?;
    let secret = ring.secret(next.sequence);
    let secret = secret.ok_or_else(|| inconsistent("the new keys are not in the key file"))?;
    let now_s = node.clock.now_s();
    let signed = node.store.write(|tx| {
        let key = u64::from(next.sequence);
        let found = tx.find(SUCCESSIONS, key)?;
        let is_new = found.is_none();
        let mut record = found.unwrap_or_else(|| {
            let statement = Succession {
                party: node.code().to_owned(),
                sequence: next.sequence,
                old: node.identity.current().public(),
                new: next.public,
                issued: now_s,
                overlap_until: now_s.saturating_add(call.overlap_s),
            };
            let signed = statement.sign(&node.identity.current().signer, &secret.signer);
            SuccessionRecord {
                signed: hex::encode(encode(&signed)),
                countersigned: BTreeMap::new(),
                without: Vec::new(),
            }
        });
        for peer in &call.without {
            if !record.without.contains(peer) {
                record.without.push(peer.clone());
            }
        }
        let signed = read(&record)?;
        tx.put(SUCCESSIONS, key, &record)?;
        let event = if is_new {
            Event::KeysMade
        } else {
            Event::KeysOfferedAgain
        };
        let event = node
            .event_by(event, caller, KeyRotate::ROLES[0])
            .detail("sequence", next.sequence)
            .detail("overlap_until", signed.statement.overlap_until)
            .detail("without", record.without.clone());
        tx.append_ledger(event)?;
        Ok::<_, Failed>(signed)
    })?;
    Ok((next.sequence, signed))
}

/// One change at a time: each must be in force and its overlap over before the next.
fn refuse_too_early(node: &Node, ring: &Ring) -> Result<(), ApiError> {
    let current = ring.find(KeyState::Current);
    if current.is_none_or(|current| current.sequence != node.identity.current().sequence()) {
        let message = "the new keys are known to the peers and take over at the next start";
        return Err(ApiError::new(ErrorCode::WrongState, message)
            .hint("mandorla node stop; then mandorla node run"));
    }
    let now_s = node.clock.now_s();
    let open = ring
        .all()
        .find(|keys| keys.state == KeyState::Former && keys.until > now_s);
    if let Some(former) = open {
        let message = format!(
            "the keys before the present ones are good for another {} h; then they can be changed again",
            (former.until - now_s).div_ceil(3_600)
        );
        return Err(ApiError::new(ErrorCode::WrongState, message)
            .hint("wait, or if a key may be known to others: mandorla key revoke --reason TEXT"));
    }
    Ok(())
}

fn check_overlap(overlap_s: u64) -> Result<(), ApiError> {
    if (OVERLAP_MIN_S..=OVERLAP_MAX_S).contains(&overlap_s) {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorCode::BadRequest,
        "old and new keys overlap by 1 hour to 90 days",
    )
    .hint("mandorla key rotate --overlap 168h"))
}

fn check_peers(node: &Node, codes: &[String]) -> Result<(), ApiError> {
    codes
        .iter()
        .try_for_each(|code| peers::find(node, code).map(|_| ()))
}

/// Peers that have not countersigned and are waited for. One whose keys were revoked here is none.
fn waits_for(node: &Node, sequence: u32) -> Result<Vec<String>, ApiError> {
    let tx = node.store.read().map_err(storage)?;
    let record = tx
        .find(SUCCESSIONS, u64::from(sequence))
        .map_err(storage)?
        .ok_or_else(|| inconsistent("the succession is not in the store"))?;
    let peers = tx.scan_all(PEERS).map_err(storage)?.into_iter();
    Ok(peers
        .filter(|(code, peer)| {
            peer.revoked_at.is_none()
                && !record.countersigned.contains_key(code)
                && !record.without.contains(code)
        })
        .map(|(code, _)| code)
        .collect())
}

/// Tells one peer and verifies its countersignature.
async fn offer(node: &Node, code: &str, signed: &SignedSuccession) -> Result<[u8; 64], ApiError> {
    let (address, keys) = peers::address_of(node, code).await?;
    let endpoint = node
        .endpoint
        .get()
        .ok_or_else(|| ApiError::new(ErrorCode::Unreachable, "this node does not listen yet"))?;
    let connection = peers::connect_any(endpoint, address, &keys)
        .await
        .map_err(|error| peers::connect_error(code, &error))?;
    let answer: Result<Message, ControlError> = async {
        let mut stream = ControlStream::open(&connection).await?;
        stream
            .send(&Message::Succeed(Box::new(signed.clone())))
            .await?;
        stream.receive(REPLY_TIMEOUT).await
    }
    .await;
    let proven = connection.peer();
    connection.close(CloseCode::DONE, "");
    match answer.map_err(|error| peers::control_error(code, &error))? {
        Message::Succeeded { countersignature } => {
            let key = NodeKey(peers::in_force(node, code, Some(&proven))?.signing);
            signed
                .verify_countersignature(code, &key, &countersignature)
                .map_err(|_| {
                    let message = format!("the countersignature of {code} does not verify");
                    ApiError::new(ErrorCode::PeerMisbehaved, message)
                        .hint(format!("mandorla peer verify {code}"))
                })?;
            Ok(countersignature)
        }
        other => {
            let message = format!("{code} answered a succession of keys with {}", other.name());
            Err(ApiError::new(ErrorCode::PeerMisbehaved, message)
                .hint("compare `mandorla version` on both nodes"))
        }
    }
}

fn note(
    node: &Node,
    sequence: u32,
    peer: &str,
    countersignature: &[u8; 64],
) -> Result<(), ApiError> {
    node.store.write(|tx| {
        let key = u64::from(sequence);
        let record = tx.find(SUCCESSIONS, key)?;
        let mut record =
            record.ok_or_else(|| inconsistent("the succession is not in the store"))?;
        record
            .countersigned
            .insert(peer.to_owned(), hex::encode(countersignature));
        tx.put(SUCCESSIONS, key, &record)?;
        let event = node
            .event(Event::KeysCountersigned)
            .by(peer, "peer")
            .detail("peer", peer)
            .detail("sequence", sequence);
        tx.append_ledger(event)?;
        Ok::<_, Failed>(())
    })?;
    Ok(())
}

/// Every peer knows: the next start goes on with the new keys.
fn promote(node: &Node, caller: &Caller, signed: &SignedSuccession) -> Result<(), ApiError> {
    let statement = &signed.statement;
    let event = node
        .event_by(Event::KeysPromoted, caller, KeyRotate::ROLES[0])
        .detail("sequence", statement.sequence)
        .detail("overlap_until", statement.overlap_until);
    node.store.write(|tx| {
        tx.append_ledger(event)?;
        // Last: the file must not be changed without the entry.
        let promoted = node
            .identity
            .change(|ring| ring.promote(statement.overlap_until));
        Ok::<_, Failed>(promoted.map_err(file_failed)?)
    })?;
    Ok(())
}

fn view(node: &Node, failed: &[(String, String)]) -> Result<KeysView, ApiError> {
    let ring = node.identity.ring().map_err(file_failed)?;
    let keys = ring
        .all()
        .map(|keys| key_view(node, &keys, failed))
        .collect::<Result<Vec<_>, ApiError>>()?;
    let in_file = ring.find(KeyState::Current).map(|keys| keys.sequence);
    let restart_needed = in_file != Some(node.identity.current().sequence());
    let waiting = keys.iter().find(|keys| !keys.waits_for.is_empty());
    let next = match (restart_needed, waiting) {
        (true, _) => Some("mandorla node stop; then mandorla node run".to_owned()),
        (false, Some(keys)) => Some(format!(
            "when {} answers: mandorla key rotate; not to wait for it: mandorla key rotate --without {}",
            keys.waits_for[0].peer, keys.waits_for[0].peer
        )),
        (false, None) => None,
    };
    Ok(KeysView {
        schema: 1,
        sealed_under: seal_word(node.identity.sealed()).to_owned(),
        keys,
        restart_needed,
        next,
    })
}

fn key_view(
    node: &Node,
    keys: &RingKeys,
    failed: &[(String, String)],
) -> Result<KeyView, ApiError> {
    let tx = node.store.read().map_err(storage)?;
    let record = tx
        .find(SUCCESSIONS, u64::from(keys.sequence))
        .map_err(storage)?;
    let waits = match keys.state {
        KeyState::Next if record.is_some() => waits_for(node, keys.sequence)?,
        _ => Vec::new(),
    };
    let why = |peer: &str| {
        let of_peer = failed.iter().find(|(code, _)| code == peer);
        of_peer.map(|(_, why)| why.clone())
    };
    Ok(KeyView {
        sequence: keys.sequence,
        state: match keys.state {
            KeyState::Current => "current",
            KeyState::Next => "next",
            KeyState::Former => "former",
            KeyState::Erased => "erased",
            KeyState::Revoked => "revoked",
        }
        .to_owned(),
        in_use: keys.sequence == node.identity.current().sequence(),
        signing_key: hex::encode(keys.public.signing),
        transport_key: hex::encode(keys.public.transport),
        release_key: hex::encode(keys.public.release),
        until: (keys.state == KeyState::Former).then_some(keys.until),
        countersigned_by: record.map_or_else(Vec::new, |record| {
            record.countersigned.into_keys().collect()
        }),
        waits_for: waits
            .into_iter()
            .map(|peer| WaitsFor {
                why: why(&peer),
                peer,
            })
            .collect(),
    })
}

fn read(record: &SuccessionRecord) -> Result<SignedSuccession, ApiError> {
    let bytes = hex::decode(&record.signed).ok();
    bytes
        .and_then(|bytes| decode(&bytes).ok())
        .ok_or_else(|| inconsistent("the stored succession cannot be read"))
}

fn inconsistent(message: &str) -> ApiError {
    ApiError::new(ErrorCode::Storage, message).hint("mandorla key list")
}
