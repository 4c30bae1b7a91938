//! Whose pair log it is.

use mandorla_protocol::{NodeKey, Terms};

use crate::node::Node;
use crate::peers;
use crate::records::peer::PeerRecord;
use crate::records::round::Side;

/// Whose log it is: the signing keys of both nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parties {
    pub requester: NodeKey,
    pub responder: NodeKey,
}

impl Parties {
    pub(super) fn of(terms: &Terms) -> Self {
        Self {
            requester: terms.offer().requester,
            responder: terms.offer().responder,
        }
    }

    /// The present keys of the log with this peer in which this node has that side.
    pub(crate) fn with(node: &Node, peer: NodeKey, side: Side) -> Self {
        let own = node.identity.node_key();
        match side {
            Side::Requester => Self {
                requester: own,
                responder: peer,
            },
            Side::Responder => Self {
                requester: peer,
                responder: own,
            },
        }
    }

    /// Those that a checkpoint's origin names: they change when a node changes its keys.
    pub(crate) fn in_note(note: &str) -> Option<Self> {
        let origin = note.lines().next()?.strip_prefix("mandorla/pair/")?;
        let (requester, responder) = origin.split_once('/')?;
        Some(Self {
            requester: requester.parse().ok()?,
            responder: responder.parse().ok()?,
        })
    }

    /// This node's key and the peer's, where this node has that side.
    fn own_and_peers(self, side: Side) -> (NodeKey, NodeKey) {
        match side {
            Side::Requester => (self.requester, self.responder),
            Side::Responder => (self.responder, self.requester),
        }
    }

    /// Whether this node and the peer sign with these keys, or ever did, also before a revocation: old histories are
    /// compared by them.
    pub(crate) fn ever_signed(self, node: &Node, peer: &PeerRecord, side: Side) -> bool {
        let (own, peers_own) = self.own_and_peers(side);
        node.identity.ever_signed(&own) && peers::ever_signed(peer, &peers_own)
    }

    /// Whether nobody has taken trust from these keys: what is signed by a revoked one may be anybody's.
    pub(crate) fn are_trusted(self, node: &Node, peer: &PeerRecord, side: Side) -> bool {
        let (own, peers_own) = self.own_and_peers(side);
        let trusted = node.identity.trusted();
        trusted.iter().any(|keys| keys.signing == own.0) && peers::may_sign(peer, &peers_own)
    }
}

/// The side that this node has in a log.
pub(crate) fn side_of(name: &str) -> Side {
    if name.ends_with("/asked-by-us") {
        Side::Requester
    } else {
        Side::Responder
    }
}
