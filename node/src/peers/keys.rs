//! The keys of a peer over time: the present ones, those before them that are still good, and those that are not.

use std::collections::HashMap;
use std::sync::PoisonError;

use mandorla_agreement::Party;
use mandorla_control::{ApiError, ErrorCode};
use mandorla_protocol::{
    NodeKey, PublicKeys, Refusal, SignatureBytes, SignedSuccession, SuccessionFault, encode,
};
use mandorla_store::{ReadTx, StoreError};
use mandorla_transport::PeerKey;

use super::card::CardFields;
use super::{find, refresh, unknown};
use crate::events::Event;
use crate::failed::Failed;
use crate::node::Node;
use crate::records::peer::{FormerKeys, PEERS, PeerRecord};
use crate::rounds::RoundError;

/// One key set of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KnownKeys {
    pub(crate) keys: PublicKeys,
    /// End of the overlap, Unix seconds; `None` for the present keys.
    until: Option<u64>,
    /// Nothing that names it is good any more.
    revoked: bool,
}

/// A transport key that may connect, as the network path looks it up.
#[derive(Clone, Debug)]
pub(crate) struct Admitted {
    pub(crate) code: String,
    until: Option<u64>,
}

impl Admitted {
    pub(crate) fn is_now(&self, now_s: u64) -> bool {
        self.until.is_none_or(|until| now_s < until)
    }
}

impl KnownKeys {
    fn is_in_force(&self, now_s: u64) -> bool {
        !self.revoked && self.until.is_none_or(|until| now_s < until)
    }
}

/// Every key set of a peer, the present one first; empty if the record is damaged.
fn sets(record: &PeerRecord) -> Vec<KnownKeys> {
    let Some(card) = CardFields::of_record(record) else {
        return Vec::new();
    };
    let present = KnownKeys {
        keys: card.public_keys(),
        until: None,
        revoked: record.revoked_at.is_some(),
    };
    let former = record.former.iter().rev().filter_map(|former| {
        Some(KnownKeys {
            keys: PublicKeys {
                signing: hex_key(&former.signing_key)?,
                transport: hex_key(&former.transport_key)?,
                release: hex_key(&former.release_key)?,
            },
            until: Some(former.until),
            revoked: former.revoked,
        })
    });
    std::iter::once(present).chain(former).collect()
}

fn hex_key(text: &str) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    hex::decode_to_slice(text, &mut key).ok()?;
    Some(key)
}

/// Whether the keys of a party in an agreement are this peer's, now or before.
pub(crate) fn names(record: &PeerRecord, party: &Party) -> bool {
    let written = keys_of_party(party);
    sets(record)
        .iter()
        .any(|set| !set.revoked && set.keys == written)
}

/// The three keys of a party in an agreement's text.
pub(crate) fn keys_of_party(party: &Party) -> PublicKeys {
    PublicKeys {
        signing: *party.signing_key.as_bytes(),
        transport: *party.transport_key.as_bytes(),
        release: *party.release_key.as_bytes(),
    }
}

/// The transport keys that a peer may have now, the present one first.
pub(super) fn transport_keys_of(record: &PeerRecord, now_s: u64) -> Vec<PeerKey> {
    let in_force = sets(record).into_iter();
    in_force
        .filter(|set| set.is_in_force(now_s))
        .map(|set| PeerKey(set.keys.transport))
        .collect()
}

/// Every transport key of every peer that may connect now or until a time.
pub(super) fn admitted(tx: &ReadTx) -> Result<HashMap<PeerKey, Admitted>, StoreError> {
    let mut keys = HashMap::new();
    for (code, record) in tx.scan_all(PEERS)? {
        for set in sets(&record).into_iter().rev().filter(|set| !set.revoked) {
            let admitted = Admitted {
                code: code.clone(),
                until: set.until,
            };
            keys.insert(PeerKey(set.keys.transport), admitted);
        }
    }
    Ok(keys)
}

/// The keys that a peer works with now: those whose transport key made a connection, or the present ones.
///
/// # Errors
/// No such peer, or its keys were revoked.
pub(crate) fn in_force(
    node: &Node,
    code: &str,
    connected_as: Option<&PeerKey>,
) -> Result<PublicKeys, ApiError> {
    let record = find(node, code)?;
    let now_s = node.clock.now_s();
    let good = sets(&record)
        .into_iter()
        .filter(|set| set.is_in_force(now_s))
        .find(|set| connected_as.is_none_or(|key| key.0 == set.keys.transport));
    good.map(|set| set.keys).ok_or_else(|| revoked(code))
}

pub(crate) fn revoked(code: &str) -> ApiError {
    ApiError::new(
        ErrorCode::Refused,
        format!("the keys of {code} are not trusted any more"),
    )
    .hint("add its new card and compare words: mandorla peer add FILE")
}

/// The release key that belongs to a signing key of this peer, whether or not its time has passed: what was agreed under it
/// is finished under it.
pub(crate) fn release_key_of(
    node: &Node,
    code: &str,
    signing: &NodeKey,
) -> Result<[u8; 32], RoundError> {
    let record = find(node, code).map_err(|error| RoundError::Storage(error.to_string()))?;
    let set = sets(&record)
        .into_iter()
        .find(|set| !set.revoked && set.keys.signing == signing.0);
    set.map(|set| set.keys.release)
        .ok_or_else(|| RoundError::NotAllowed(format!("the round's keys are not keys of {code}")))
}

/// Every signing key that a peer has or had: old histories are verified with them, also after a revocation.
pub(crate) fn signing_keys(record: &PeerRecord) -> Vec<NodeKey> {
    let sets = sets(record).into_iter();
    sets.map(|set| NodeKey(set.keys.signing)).collect()
}

/// Whether a key signs, or ever signed, for this peer: old histories are verified with it, also after a revocation.
pub(crate) fn ever_signed(record: &PeerRecord, key: &NodeKey) -> bool {
    sets(record).iter().any(|set| set.keys.signing == key.0)
}

/// Whether a peer may sign for new facts with this key.
pub(crate) fn may_sign(record: &PeerRecord, key: &NodeKey) -> bool {
    sets(record)
        .iter()
        .any(|set| !set.revoked && set.keys.signing == key.0)
}

/// A peer says that its keys are followed by new ones. They are durable when this returns the countersignature; the same
/// statement again gets the same.
pub(crate) fn accept_succession(
    node: &Node,
    code: &str,
    signed: &SignedSuccession,
) -> Result<SignatureBytes, RoundError> {
    let bytes = hex::encode(encode(signed));
    let now_s = node.clock.now_s();
    let accepted = node.store.write(|tx| {
        let mut record = tx.find(PEERS, code)?.ok_or(Rejected::Unknown)?;
        if record.last_succession.as_ref() == Some(&bytes) && record.revoked_at.is_none() {
            return Err(Rejected::Known);
        }
        let card = CardFields::of_record(&record).ok_or(Rejected::Unknown)?;
        if record.revoked_at.is_some() {
            return Err(Rejected::Unknown);
        }
        signed.verify(code, &card.public_keys(), record.sequence, now_s)?;
        let statement = &signed.statement;
        let others = tx.scan_all(PEERS)?;
        let taken = others.iter().flat_map(|(_, other)| sets(other));
        let own = node.identity.trusted().iter().copied();
        let mut used = taken.map(|set| set.keys).chain(own);
        if used.any(|keys| keys.shares_with(&statement.new)) {
            return Err(SuccessionFault::NotNew.into());
        }
        record.former.push(FormerKeys {
            signing_key: record.signing_key,
            transport_key: record.transport_key,
            release_key: record.release_key,
            until: statement.overlap_until,
            revoked: false,
        });
        record.signing_key = hex::encode(statement.new.signing);
        record.transport_key = hex::encode(statement.new.transport);
        record.release_key = hex::encode(statement.new.release);
        let before = std::mem::take(&mut record.fingerprint);
        record.sequence = statement.sequence;
        record.last_succession = Some(bytes);
        let card = CardFields::of_record(&record).ok_or(SuccessionFault::NotNew)?;
        record.fingerprint = card.fingerprint();
        tx.put(PEERS, code, &record)?;
        let event = node
            .event(Event::PeerKeysFollowed)
            .by(code, "peer")
            .detail("peer", code)
            .detail("before", before)
            .detail("fingerprint", record.fingerprint.clone())
            .detail("sequence", statement.sequence)
            .detail("overlap_until", statement.overlap_until);
        tx.append_ledger(event)?;
        Ok(())
    });
    match accepted {
        Ok(()) => refresh(node)?,
        Err(Rejected::Known) => {}
        Err(Rejected::Store(error)) => return Err(error.into()),
        Err(Rejected::Unknown) => return Err(RoundError::Refused(Refusal::Succession)),
        Err(Rejected::Fault(fault)) => {
            tracing::warn!(peer = code, %fault, "a succession of keys was refused");
            return Err(RoundError::Refused(Refusal::Succession));
        }
    }
    Ok(signed.countersign(node.code(), &node.identity.current().signer))
}

enum Rejected {
    Known,
    Unknown,
    Fault(SuccessionFault),
    Store(StoreError),
}

impl From<StoreError> for Rejected {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<SuccessionFault> for Rejected {
    fn from(fault: SuccessionFault) -> Self {
        Self::Fault(fault)
    }
}

/// Takes all trust from a peer's keys. What they signed can still be verified.
pub(super) fn distrust(record: &mut PeerRecord, now_s: u64) {
    record.revoked_at = Some(now_s);
    record.verified = false;
    for former in &mut record.former {
        former.revoked = true;
    }
}

/// What is kept of a distrusted peer when a new card takes its place.
pub(super) fn buried(record: &PeerRecord) -> Vec<FormerKeys> {
    let mut former = record.former.clone();
    former.push(FormerKeys {
        signing_key: record.signing_key.clone(),
        transport_key: record.transport_key.clone(),
        release_key: record.release_key.clone(),
        until: 0,
        revoked: true,
    });
    former
}

/// Whether a card has a key that this peer has or had.
pub(super) fn has_had(record: &PeerRecord, card: &CardFields) -> bool {
    sets(record)
        .iter()
        .any(|set| set.keys.shares_with(&card.public_keys()))
}

/// Every transport key of the peer with this one.
pub(super) fn keys_beside(node: &Node, key: &PeerKey) -> Vec<PeerKey> {
    let keys = node
        .peer_keys
        .read()
        .unwrap_or_else(PoisonError::into_inner);
    let code = keys.get(key).map(|admitted| admitted.code.clone());
    let mut all: Vec<PeerKey> = keys
        .iter()
        .filter(|(_, admitted)| Some(&admitted.code) == code.as_ref())
        .map(|(key, _)| *key)
        .collect();
    if !all.contains(key) {
        all.push(*key);
    }
    all
}

/// `mandorla peer revoke`: the record, changed, and what is to be closed.
pub(super) fn revoke_in(
    node: &Node,
    tx: &mandorla_store::WriteTx<'_>,
    code: &str,
) -> Result<(PeerRecord, Vec<PeerKey>), Failed> {
    let mut record = tx.find(PEERS, code)?.ok_or_else(|| unknown(code))?;
    if record.revoked_at.is_some() {
        return Err(revoked(code).into());
    }
    let open = sets(&record)
        .into_iter()
        .map(|set| PeerKey(set.keys.transport))
        .collect();
    distrust(&mut record, node.clock.now_s());
    tx.put(PEERS, code, &record)?;
    Ok((record, open))
}
