//! Comparing a copy of a pair log with the peer's.

use mandorla_protocol::merkle::{Frontier, Hash, leaf_hash};
use mandorla_protocol::{
    FactLeaf, Message, PAIR_HASHES_MAX, PAIR_LEAVES_MAX, PeerFault, kind_word,
};

use super::{Log, ask, unexpected};
use crate::control_stream::ControlStream;
use crate::events::Event;
use crate::node::Node;
use crate::records::pair::{PAIR_LEAVES, PairLogRecord};
use crate::records::round::Side;
use crate::rounds::error::RoundError;
use crate::rounds::pair::{self, Parties, load, tree_of, unhex};

/// What a comparison came to.
#[derive(Debug)]
pub(super) enum Outcome {
    /// One content.
    InStep,
    /// The peer, as requester, has not got the answer to its last offer yet.
    PeerBehind,
    /// The peer's copy is longer, and this one came from a backup.
    Adoptable(Longer),
    /// The peer's copy was longer, and was taken over.
    Adopted,
    /// This node lost facts that it had signed.
    OwnLost { own: u64, signed: u64 },
    /// The peer lost facts that it had signed.
    PeerLost { peer: u64, signed: u64 },
    /// The copies differ.
    Differ {
        first: u64,
        own: String,
        peer: String,
    },
}

/// A copy of the peer that begins with this one: hashes of all leaves, and the note over them.
#[derive(Debug)]
pub(super) struct Longer {
    hashes: Vec<Hash>,
    note: String,
}

impl Outcome {
    /// Whether both copies are of one history.
    pub(super) fn is_sound(&self) -> bool {
        matches!(self, Self::InStep | Self::PeerBehind | Self::Adopted)
    }

    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::InStep => "in step",
            Self::PeerBehind => "peer behind",
            Self::Adoptable(_) => "peer ahead",
            Self::Adopted => "adopted",
            Self::OwnLost { .. } => "own facts lost",
            Self::PeerLost { .. } => "facts lost at the peer",
            Self::Differ { .. } => "differ",
        }
    }

    pub(super) fn fault(&self) -> Option<String> {
        match self {
            Self::InStep | Self::PeerBehind | Self::Adoptable(_) | Self::Adopted => None,
            Self::OwnLost { own, signed } => Some(format!(
                "this node's copy ends after {own} facts, but it signed {signed}: its history was rolled back"
            )),
            Self::PeerLost { peer, signed } => Some(format!(
                "the peer's copy ends after {peer} facts, but it signed {signed}: its history was rolled back"
            )),
            Self::Differ { first, own, peer } => Some(format!(
                "fact {first} differs: here {own}, at the peer {peer}"
            )),
        }
    }
}

/// Two sizes and what they came to.
pub(super) struct Compared {
    pub own_size: u64,
    pub peer_size: u64,
    pub outcome: Outcome,
}

/// The peer's copy, as it says.
struct Theirs {
    size: u64,
    offered: u64,
    note: String,
    /// Over its facts, from the note.
    root: Hash,
}

pub(super) async fn compare(
    node: &Node,
    log: &Log,
    stream: &mut ControlStream,
) -> Result<Compared, RoundError> {
    if log.side == Side::Requester && pair::read(node, &log.name)?.in_flight.is_some() {
        // What was offered and not answered goes first: the peer may have taken it.
        repeat(node, log, stream).await?;
    }
    let record = pair::read(node, &log.name)?;
    let own = tree_of(&record)?;
    let theirs = state(node, log, stream).await?;
    let own_hashes = own_hashes(node, &log.name)?;
    let peer_size = theirs.size;
    let compared = |outcome| Compared {
        own_size: own.size(),
        peer_size,
        outcome,
    };
    let root = theirs.root;
    let intact = root_of(&own_hashes) == own.root() && own_hashes.len() as u64 == own.size();
    if intact && theirs.size == own.size() && root == own.root() {
        return Ok(compared(Outcome::InStep));
    }
    let peer_hashes = hashes(log, stream, theirs.size).await?;
    if root_of(&peer_hashes) != root {
        return Err(PeerFault::PairLog("the hashes do not give the signed root").into());
    }
    let differs = own_hashes
        .iter()
        .zip(&peer_hashes)
        .position(|(own, peer)| own != peer)
        // A copy that does not even have its own root lacks a fact, or has one too many.
        .or_else(|| (!intact).then(|| own_hashes.len().min(peer_hashes.len())));
    if let Some(first) = differs {
        let first = first as u64;
        let peer = if first < theirs.size {
            name_of(&leaves(log, stream, first, 1).await?[0])
        } else {
            "none".to_owned()
        };
        return Ok(compared(Outcome::Differ {
            first,
            own: own_leaf(node, &log.name, first)?,
            peer,
        }));
    }
    Ok(compared(outcome_of(
        log,
        &record,
        own.size(),
        theirs,
        peer_hashes,
    )))
}

/// One copy is a prefix of the other: which side may be behind?
fn outcome_of(
    log: &Log,
    record: &PairLogRecord,
    own: u64,
    theirs: Theirs,
    hashes: Vec<Hash>,
) -> Outcome {
    if theirs.size > own {
        // Every note bears both signatures: what the peer has beyond this copy, this node has signed.
        return if record.restored {
            Outcome::Adoptable(Longer {
                hashes,
                note: theirs.note,
            })
        } else {
            Outcome::OwnLost {
                own,
                signed: theirs.size,
            }
        };
    }
    // The responder signs before the requester hears of it, and only then.
    if log.side == Side::Responder && theirs.offered >= own {
        Outcome::PeerBehind
    } else {
        Outcome::PeerLost {
            peer: theirs.size,
            signed: own,
        }
    }
}

/// Settles an offer in flight. A peer that lost the history before it cannot take it: the comparison will say so.
async fn repeat(node: &Node, log: &Log, stream: &mut ControlStream) -> Result<(), RoundError> {
    let own = tree_of(&pair::read(node, &log.name)?)?.size();
    let theirs = state(node, log, stream).await?;
    if theirs.size > own {
        // Taken, and the answer lost; if it is not that offer, the comparison says what it is.
        pair::complete_offer(node, &log.name, &theirs.note)?;
        return Ok(());
    }
    if theirs.size < own {
        return Ok(());
    }
    // Not taken. The keys that it was signed for may be erased by now on either side.
    pair::renew_offer(node, &log.name, log.parties)?;
    pair::repeat_offer(node, stream, &log.name).await
}

async fn state(node: &Node, log: &Log, stream: &mut ControlStream) -> Result<Theirs, RoundError> {
    let question = Message::PairState {
        log: log.wire as u8,
    };
    let (size, offered, note) = match ask(stream, &question).await? {
        Message::PairStateIs {
            size,
            offered,
            checkpoint,
        } => (size, offered, checkpoint),
        other => return Err(unexpected(&other, "PairStateIs")),
    };
    let mut root = Frontier::new().root();
    // Before anything is fetched: no more is believed than both have signed.
    if size > 0 {
        let parties = Parties::in_note(&note)
            .filter(|parties| parties.ever_signed(node, &log.peer, log.side))
            .ok_or(PeerFault::PairLog("the checkpoint is of other nodes' keys"))?;
        let signed = load(&PairLogRecord::default(), parties)?.verify_note(&note)?;
        if signed.size() != size {
            return Err(PeerFault::PairLog("the size is not that of the checkpoint").into());
        }
        root = *signed.root();
    }
    Ok(Theirs {
        size,
        offered,
        note,
        root,
    })
}

async fn hashes(log: &Log, stream: &mut ControlStream, size: u64) -> Result<Vec<Hash>, RoundError> {
    let mut hashes = Vec::new();
    while (hashes.len() as u64) < size {
        let first = hashes.len() as u64;
        let count = (size - first).min(PAIR_HASHES_MAX.into()) as u16;
        let question = Message::PairHashes {
            log: log.wire as u8,
            first,
            count,
        };
        match ask(stream, &question).await? {
            Message::PairHashesAre { hashes: some } if some.len() == usize::from(count) => {
                hashes.extend(some.iter().map(|digest| digest.0));
            }
            other => return Err(unexpected(&other, "PairHashesAre")),
        }
    }
    Ok(hashes)
}

async fn leaves(
    log: &Log,
    stream: &mut ControlStream,
    first: u64,
    size: u64,
) -> Result<Vec<Vec<u8>>, RoundError> {
    let mut leaves = Vec::new();
    while (leaves.len() as u64) < size {
        let from = first + leaves.len() as u64;
        let count = (size - leaves.len() as u64).min(PAIR_LEAVES_MAX.into()) as u16;
        let question = Message::PairLeaves {
            log: log.wire as u8,
            first: from,
            count,
        };
        match ask(stream, &question).await? {
            Message::PairLeavesAre { leaves: some } if some.len() == usize::from(count) => {
                leaves.extend(some);
            }
            other => return Err(unexpected(&other, "PairLeavesAre")),
        }
    }
    Ok(leaves)
}

/// Takes over what the peer's copy has beyond this one. Its hashes gave the root of a note with both signatures.
pub(super) async fn take_over(
    node: &Node,
    peer: &str,
    log: &Log,
    stream: &mut ControlStream,
    compared: Compared,
) -> Result<Compared, RoundError> {
    let Outcome::Adoptable(longer) = compared.outcome else {
        return Ok(compared);
    };
    // A note that bears a revoked key proves nothing: whoever has that key could have written it.
    let parties = Parties::in_note(&longer.note)
        .filter(|parties| parties.are_trusted(node, &log.peer, log.side))
        .ok_or(PeerFault::PairLog(
            "the checkpoint bears a key that was revoked",
        ))?;
    let first = compared.own_size;
    let facts = compared.peer_size - first;
    let leaves = leaves(log, stream, first, facts).await?;
    let expected = longer.hashes.iter().skip(first as usize);
    if !leaves
        .iter()
        .map(|leaf| leaf_hash(leaf))
        .eq(expected.copied())
    {
        return Err(PeerFault::PairLog("a leaf does not have its hash").into());
    }
    let event = node
        .event(Event::PairLogAdopted)
        .detail("peer", peer)
        .detail("direction", log.side.direction())
        .detail("first", first)
        .detail("size", compared.peer_size);
    node.store.write::<_, RoundError>(|tx| {
        let record = tx
            .find(crate::records::pair::PAIR_LOGS, log.name.as_str())?
            .unwrap_or_default();
        let own = load(&record, parties)?;
        if own.tree().size() != first || !record.restored {
            return Err(RoundError::Void);
        }
        pair::adopt(tx, &log.name, own, &leaves, longer.note)?;
        tx.append_ledger(event)?;
        Ok(())
    })?;
    Ok(Compared {
        own_size: compared.peer_size,
        peer_size: compared.peer_size,
        outcome: Outcome::Adopted,
    })
}

fn own_hashes(node: &Node, name: &str) -> Result<Vec<Hash>, RoundError> {
    let rows = node
        .store
        .read()?
        .scan(PAIR_LEAVES, (name, 0)..=(name, u64::MAX))?;
    rows.iter()
        .map(|(_, leaf)| Ok(leaf_hash(&unhex(leaf)?)))
        .collect()
}

/// The own fact of this number in words.
fn own_leaf(node: &Node, name: &str, seq: u64) -> Result<String, RoundError> {
    let leaf = node.store.read()?.find(PAIR_LEAVES, (name, seq))?;
    Ok(match leaf {
        Some(leaf) => name_of(&unhex(&leaf)?),
        None => "none".to_owned(),
    })
}

fn root_of(hashes: &[Hash]) -> Hash {
    let mut tree = Frontier::new();
    for hash in hashes {
        tree.append(*hash);
    }
    tree.root()
}

/// A fact in words, as far as a leaf says: `answer of round 3f…`.
fn name_of(leaf: &[u8]) -> String {
    FactLeaf::parse(leaf).map_or_else(
        || "no fact".to_owned(),
        |fact| format!("{} of round {}", kind_word(fact.kind), fact.round_id),
    )
}
