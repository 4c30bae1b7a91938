//! `mandorla peer …`.

use serde::{Deserialize, Serialize};

use crate::call::calls;

/// The own card, to be handed to a peer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PeerExport {}

/// Takes a peer's card.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PeerAdd {
    /// The card file's text (TOML).
    pub card: String,
}

/// Shows the words to compare by voice, or records that they were compared.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PeerVerify {
    /// Party code of the peer.
    pub peer: String,
    /// The operator has compared the words with the peer's.
    pub confirmed: bool,
}

/// All peers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PeerList {}

/// One peer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PeerShow {
    /// Party code.
    pub peer: String,
}

/// Connects and waits for the first authenticated reply.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PeerPing {
    /// Party code.
    pub peer: String,
}

/// Forgets a peer that no agreement names.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PeerRemove {
    /// Party code.
    pub peer: String,
}

/// Takes all trust from a peer's keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PeerRevoke {
    /// Party code of the peer.
    pub peer: String,
    /// Why, in words: the ledger commits to them, and they stay on this node.
    pub reason: String,
}

/// What a revocation of a peer's keys did.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PeerRevoked {
    /// Party code of the peer.
    pub peer: String,
    /// Agreements that were suspended.
    pub suspended: Vec<String>,
    /// Rounds that were ended.
    pub ended: Vec<String>,
}

calls! {
    "peer/export" [] PeerExport -> Card;
    "peer/add" [Operator] PeerAdd -> PeerView;
    "peer/verify" [Operator] PeerVerify -> PeerWords;
    "peer/list" [] PeerList -> Vec<PeerView>;
    "peer/show" [] PeerShow -> PeerView;
    "peer/ping" [Operator, Analyst] PeerPing -> PeerPong;
    "peer/revoke" [Operator] PeerRevoke -> PeerRevoked;
    "peer/remove" [Operator] PeerRemove -> PeerView;
}

/// A card: what a peer must know of a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Card {
    /// TOML text: code, name, country, address, three public keys.
    pub card: String,
    /// First 16 hexadecimal digits of its hash.
    pub fingerprint: String,
}

/// A peer as this node knows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PeerView {
    /// Party code.
    pub code: String,
    /// Name.
    pub name: String,
    /// Country.
    pub country: String,
    /// Where it listens (UDP), host and port.
    pub address: String,
    /// Fingerprint of its card.
    pub fingerprint: String,
    /// Whether the words were compared.
    pub verified: bool,
    /// When the last authenticated connection was, Unix seconds.
    pub last_seen: Option<u64>,
    /// Whether all trust was taken from its keys.
    #[serde(default)]
    pub revoked: bool,
}

/// Words made from both cards: the same on both nodes if neither card was swapped.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PeerWords {
    /// Party code of the peer.
    pub peer: String,
    /// To be read aloud by both sides.
    pub words: Vec<String>,
    /// Whether it is recorded that they were compared.
    pub verified: bool,
}

/// An authenticated reply.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PeerPong {
    /// Party code.
    pub peer: String,
    /// Round trip including the handshake, milliseconds.
    pub handshake_ms: u64,
    /// The peer's clock minus ours, seconds.
    pub clock_offset_s: i64,
}
