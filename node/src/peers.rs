//! Peers: cards, the words that verify them, and the first authenticated reply.

mod card;
mod keys;
mod ping_class;
mod reach;
mod words;

use std::sync::{Arc, PoisonError};

use mandorla_control::{
    ApiError, Call as _, Card, ErrorCode, PeerAdd, PeerExport, PeerList, PeerPing, PeerPong,
    PeerRemove, PeerRevoke, PeerRevoked, PeerShow, PeerVerify, PeerView, PeerWords, SuspensionCode,
};
use mandorla_store::{StoreError, WriteTx};
use mandorla_transport::{CloseCode, PeerKey};

pub(crate) use self::card::{CardFields, is_address, is_party_code};
pub(crate) use self::keys::{
    Admitted, accept_succession, ever_signed, in_force, keys_of_party, may_sign, names,
    release_key_of, revoked, signing_keys,
};
pub(crate) use self::ping_class::{PingClass, PingFailure};
pub(crate) use self::reach::{
    KnownPeers, address_of, answer_ping, connect_any, connect_error, control_error, note_seen,
    try_ping,
};
use crate::agreements;
use crate::events::Event;
use crate::failed::Failed;
use crate::justification::Reason;
use crate::keys::end_rounds;
use crate::node::{Caller, Node, storage};
use crate::records::agreement::AGREEMENTS;
use crate::records::peer::{PEERS, PeerRecord};
use crate::records::quota;
use crate::records::round::ROUNDS;
use crate::rounds::pair;
use crate::server::{Routes, Serve, ServeBlocking};

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .call::<PeerExport>()
        .call::<PeerAdd>()
        .call::<PeerVerify>()
        .call::<PeerList>()
        .call::<PeerShow>()
        .call::<PeerPing>()
        .call::<PeerRevoke>()
        .call::<PeerRemove>()
}

/// The peer of this code.
pub(crate) fn find(node: &Node, code: &str) -> Result<PeerRecord, ApiError> {
    let tx = node.store.read().map_err(storage)?;
    let record = tx.find(PEERS, code).map_err(storage)?;
    record.ok_or_else(|| unknown(code))
}

/// The party code of the peer with this transport key.
pub(crate) fn code_of(node: &Node, key: &PeerKey) -> Option<String> {
    let keys = node
        .peer_keys
        .read()
        .unwrap_or_else(PoisonError::into_inner);
    let admitted = keys.get(key)?;
    admitted
        .is_now(node.clock.now_s())
        .then(|| admitted.code.clone())
}

/// Reads the peers' transport keys, which the network path asks for, into memory.
pub(crate) fn refresh(node: &Node) -> Result<(), StoreError> {
    // Under the lock, so that of two refreshes the one with the older view cannot come last.
    let mut keys = node
        .peer_keys
        .write()
        .unwrap_or_else(PoisonError::into_inner);
    *keys = keys::admitted(&node.store.read()?)?;
    Ok(())
}

/// The own card with the address that peers reach this node by.
pub(crate) fn own_card(node: &Node) -> CardFields {
    let address = node.config.advertise.clone().unwrap_or_else(|| {
        let bound = node
            .endpoint
            .get()
            .map(mandorla_transport::Endpoint::local_addr);
        bound.unwrap_or(node.config.listen).to_string()
    });
    CardFields::own(&node.config, &node.identity, address)
}

impl ServeBlocking for PeerExport {
    fn serve_blocking(self, node: &Arc<Node>, _: &Caller) -> Result<Card, ApiError> {
        let card = own_card(node);
        let unspecified =
            node.config.advertise.is_none() && node.config.listen.ip().is_unspecified();
        if unspecified {
            let message = format!(
                "no peer can reach {}: it stands for every address of this host",
                card.address
            );
            return Err(ApiError::new(ErrorCode::BadConfig, message)
                .hint("write advertise = \"HOST:PORT\" into node.toml and restart the node"));
        }
        let text = card.to_text();
        CardFields::parse(&text).map_err(|error| {
            ApiError::new(
                ErrorCode::BadConfig,
                format!("no peer could read this node's card: {error}"),
            )
            .hint("correct name, listen or advertise in node.toml and restart the node")
        })?;
        Ok(Card {
            fingerprint: card.fingerprint(),
            card: text,
        })
    }
}

impl ServeBlocking for PeerAdd {
    fn serve_blocking(self, node: &Arc<Node>, caller: &Caller) -> Result<PeerView, ApiError> {
        let card = CardFields::parse(&self.card).map_err(|error| {
            ApiError::new(ErrorCode::BadFile, format!("not a card: {error}"))
                .hint("ask the peer's operator for the output of `mandorla peer export`")
        })?;
        if card.code == node.code() || shares_key(&card, &own_card(node)) {
            let message = format!(
                "card {} has the code or a key of this node itself",
                card.code
            );
            return Err(ApiError::new(ErrorCode::BadFile, message)
                .hint("ask the peer's operator for the output of `mandorla peer export`"));
        }
        let view = node.store.write(|tx| {
            let (event, record) = added(tx, &card)?;
            tx.put(PEERS, card.code.as_str(), &record)?;
            // On a restored node a card may be that of a peer known before: it may know of facts that this node lost.
            if event == Event::PeerAdded && quota::spent_until_in(tx)?.is_some() {
                pair::mark_restored(tx, &card.code)?;
            }
            let event = node
                .event_by(event, caller, PeerAdd::ROLES[0])
                .detail("peer", record.code.clone())
                .detail("fingerprint", record.fingerprint.clone())
                .detail("address", record.address.clone());
            tx.append_ledger(event)?;
            Ok::<_, Failed>(view(&record))
        })?;
        refresh(node).map_err(storage)?;
        Ok(view)
    }
}

/// The record of a card that is added. A known peer may move to another address; other keys make another peer.
fn added(tx: &WriteTx<'_>, card: &CardFields) -> Result<(Event, PeerRecord), Failed> {
    let mut event = Event::PeerAdded;
    let mut kept: Option<PeerRecord> = None;
    let mut former = Vec::new();
    for (code, record) in tx.scan_all(PEERS)? {
        let known = CardFields::of_record(&record);
        let same_keys = known
            .as_ref()
            .is_some_and(|known| known.keys() == card.keys());
        if code == card.code && record.revoked_at.is_some() {
            if keys::has_had(&record, card) {
                return Err(keys::revoked(&code).into());
            }
            former = keys::buried(&record);
        } else if code == card.code && same_keys {
            event = Event::PeerUpdated;
            kept = Some(record);
        } else if code == card.code {
            let message = format!("there is a peer {code} with other keys");
            return Err(ApiError::new(ErrorCode::Exists, message)
                .hint(format!(
                    "call its operator; if these are its keys now: mandorla peer revoke {code} --reason TEXT, and add the card again"
                ))
                .into());
        } else if known.is_some_and(|known| shares_key(card, &known)) {
            let message = format!("a key of this card belongs to peer {code}");
            return Err(ApiError::new(ErrorCode::Exists, message)
                .hint(format!("mandorla peer show {code}"))
                .into());
        }
    }
    if let Some(kept) = &kept {
        former.clone_from(&kept.former);
    }
    let record = PeerRecord {
        sequence: kept.as_ref().map_or(0, |kept| kept.sequence),
        last_succession: kept.as_ref().and_then(|kept| kept.last_succession.clone()),
        revoked_at: None,
        former,
        code: card.code.clone(),
        name: card.name.clone(),
        country: card.country.clone(),
        address: card.address.clone(),
        signing_key: hex::encode(card.signing_key),
        transport_key: hex::encode(card.transport_key),
        release_key: hex::encode(card.release_key),
        fingerprint: card.fingerprint(),
        verified: kept.as_ref().is_some_and(|kept| kept.verified),
        last_seen: kept.and_then(|kept| kept.last_seen),
    };
    Ok((event, record))
}

fn shares_key(a: &CardFields, b: &CardFields) -> bool {
    a.keys().iter().any(|key| b.keys().contains(key))
}

impl ServeBlocking for PeerVerify {
    fn serve_blocking(self, node: &Arc<Node>, caller: &Caller) -> Result<PeerWords, ApiError> {
        let mut record = find(node, &self.peer)?;
        let card = CardFields::of_record(&record).ok_or_else(|| damaged(&self.peer))?;
        if self.confirmed && !record.verified {
            record = node.store.write(|tx| {
                // As it is now: what the operator compared are the words of these keys.
                let mut record = tx
                    .find(PEERS, self.peer.as_str())?
                    .ok_or_else(|| unknown(&self.peer))?;
                if CardFields::of_record(&record).is_none_or(|now| now.keys() != card.keys()) {
                    return Err(unknown(&self.peer).into());
                }
                record.verified = true;
                tx.put(PEERS, self.peer.as_str(), &record)?;
                let event = node
                    .event_by(Event::PeerVerified, caller, PeerVerify::ROLES[0])
                    .detail("peer", record.code.clone())
                    .detail("fingerprint", record.fingerprint.clone());
                tx.append_ledger(event)?;
                Ok::<_, Failed>(record)
            })?;
        }
        Ok(PeerWords {
            words: words::words_of(&own_card(node), &card),
            verified: record.verified,
            peer: record.code,
        })
    }
}

impl ServeBlocking for PeerList {
    fn serve_blocking(self, node: &Arc<Node>, _: &Caller) -> Result<Vec<PeerView>, ApiError> {
        let tx = node.store.read().map_err(storage)?;
        let rows = tx.scan_all(PEERS).map_err(storage)?;
        Ok(rows.iter().map(|(_, record)| view(record)).collect())
    }
}

impl ServeBlocking for PeerShow {
    fn serve_blocking(self, node: &Arc<Node>, _: &Caller) -> Result<PeerView, ApiError> {
        find(node, &self.peer).map(|record| view(&record))
    }
}

impl Serve for PeerPing {
    async fn serve(self, node: &Arc<Node>, _: &Caller) -> Result<PeerPong, ApiError> {
        reach::ping(node, &self.peer).await
    }
}

impl ServeBlocking for PeerRemove {
    fn serve_blocking(self, node: &Arc<Node>, caller: &Caller) -> Result<PeerView, ApiError> {
        let view = node.store.write(|tx| {
            let record = tx
                .find(PEERS, self.peer.as_str())?
                .ok_or_else(|| unknown(&self.peer))?;
            for ((id, _), agreement) in tx.scan_all(AGREEMENTS)? {
                let names_it =
                    mandorla_agreement::Agreement::parse(agreement.papers.text.as_bytes())
                        .is_ok_and(|agreement| agreement.party(&self.peer).is_some());
                if names_it {
                    let message = format!("agreement {id} names {}", self.peer);
                    return Err(ApiError::new(ErrorCode::InUse, message)
                        .hint(format!(
                            "to stop working with it: mandorla agreement suspend {id} --reason TEXT"
                        ))
                        .into());
                }
            }
            for (id, round) in tx.scan_all(ROUNDS)? {
                if round.peer == self.peer && !round.state.is_over() {
                    let message = format!("round {id} with {} is open", self.peer);
                    return Err(ApiError::new(ErrorCode::InUse, message)
                        .hint(format!("mandorla round show {id}"))
                        .into());
                }
            }
            tx.remove(PEERS, self.peer.as_str())?;
            let event = node
                .event_by(Event::PeerRemoved, caller, PeerRemove::ROLES[0])
                .detail("peer", record.code.clone())
                .detail("fingerprint", record.fingerprint.clone());
            tx.append_ledger(event)?;
            Ok::<_, Failed>(view(&record))
        })?;
        refresh(node).map_err(storage)?;
        Ok(view)
    }
}

impl ServeBlocking for PeerRevoke {
    fn serve_blocking(self, node: &Arc<Node>, caller: &Caller) -> Result<PeerRevoked, ApiError> {
        if self.reason.trim().is_empty() {
            let message = "a revocation needs a reason";
            return Err(ApiError::new(ErrorCode::BadRequest, message)
                .hint(format!("mandorla peer revoke {} --reason TEXT", self.peer)));
        }
        let why = format!("the keys of {} were revoked", self.peer);
        let reason = Reason::new(self.reason.trim(), &caller.name, node.clock.now_s());
        let (open, suspended) = node.store.write(|tx| {
            let (record, open) = keys::revoke_in(node, tx, &self.peer)?;
            let event = node
                .event_by(Event::PeerRevoked, caller, PeerRevoke::ROLES[0])
                .detail("peer", record.code.clone())
                .detail("fingerprint", record.fingerprint.clone())
                .detail("reason_commitment", reason.commitment());
            reason.keep(tx)?;
            tx.append_ledger(event)?;
            let why = (SuspensionCode::Incident, why.as_str());
            let suspended = agreements::suspend_all(node, tx, Some(&self.peer), why, caller)?;
            Ok::<_, Failed>((open, suspended))
        })?;
        refresh(node).map_err(storage)?;
        node.close_connections(&open, CloseCode::REFUSED);
        Ok(PeerRevoked {
            ended: end_rounds(node, Some(&self.peer), &why)?,
            peer: self.peer,
            suspended,
        })
    }
}

fn view(record: &PeerRecord) -> PeerView {
    PeerView {
        code: record.code.clone(),
        name: record.name.clone(),
        country: record.country.clone(),
        address: record.address.clone(),
        fingerprint: record.fingerprint.clone(),
        verified: record.verified,
        revoked: record.revoked_at.is_some(),
        last_seen: record.last_seen,
    }
}

fn unknown(code: &str) -> ApiError {
    ApiError::new(ErrorCode::NotFound, format!("this node has no peer {code}"))
        .hint("mandorla peer list; a card is added with: mandorla peer add FILE")
}

fn damaged(code: &str) -> ApiError {
    ApiError::new(
        ErrorCode::Storage,
        format!("the stored card of {code} cannot be read"),
    )
    .hint(format!(
        "mandorla peer remove {code}; then add the card again"
    ))
}
