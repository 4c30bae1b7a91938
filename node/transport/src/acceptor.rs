//! The accepting side: from a stranger's first packet to a connection, or to a refusal with its reason.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use quinn::Incoming;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::config::Config;
use crate::greeting::{self, GreetingError};
use crate::quota::{Place, Quota};
use crate::refusal::handshake_refusal;
use crate::verifier::{Verdict, VerdictSlot};
use crate::{
    Admission, CloseCode, Connection, Limits, Observer, PeerDirectory, PeerKey, Refusal,
    RefusalReason,
};

/// Takes first packets and runs the handshakes side by side, so that a slow stranger holds up nobody.
pub(crate) struct Acceptor {
    pub(crate) endpoint: quinn::Endpoint,
    gate: Arc<Gate>,
}

/// What every handshake needs.
struct Gate {
    config: Arc<Config>,
    directory: Arc<dyn PeerDirectory>,
    observer: Arc<dyn Observer>,
    limits: Limits,
    handshakes: Arc<Quota<()>>,
    handshakes_by_address: Arc<Quota<IpAddr>>,
    connections: Arc<Quota<PeerKey>>,
    accepted: mpsc::Sender<Connection>,
}

/// Held while a handshake is going on.
struct HandshakePlace {
    _any: Place<()>,
    _address: Place<IpAddr>,
}

impl Acceptor {
    pub(crate) fn new(
        endpoint: quinn::Endpoint,
        config: Arc<Config>,
        directory: Arc<dyn PeerDirectory>,
        observer: Arc<dyn Observer>,
        limits: Limits,
    ) -> (Self, mpsc::Receiver<Connection>) {
        let (accepted, queue) = mpsc::channel(limits.accept_queue_max);
        let gate = Gate {
            config,
            directory,
            observer,
            handshakes: Quota::new(limits.handshakes_max),
            handshakes_by_address: Quota::new(limits.handshakes_per_address_max),
            connections: Quota::new(limits.connections_per_peer_max),
            limits,
            accepted,
        };
        (
            Self {
                endpoint,
                gate: Arc::new(gate),
            },
            queue,
        )
    }

    /// Runs until the endpoint is closed; handshakes still going on end with it.
    pub(crate) async fn run(self) {
        let mut handshakes = JoinSet::new();
        loop {
            tokio::select! {
                incoming = self.endpoint.accept() => match incoming {
                    Some(incoming) => self.gate.begin(incoming, &mut handshakes),
                    None => return,
                },
                Some(_ended) = handshakes.join_next(), if !handshakes.is_empty() => {}
            }
        }
    }
}

impl Gate {
    /// Asks for proof of the address first: before it, nothing is computed and no place is taken.
    fn begin(self: &Arc<Self>, incoming: Incoming, handshakes: &mut JoinSet<()>) {
        let remote = incoming.remote_address();
        if !incoming.remote_address_validated() {
            match incoming.retry() {
                Ok(()) => self.observer.retried(remote),
                Err(error) => error.into_incoming().ignore(),
            }
            return;
        }
        match self.handshake_place(remote) {
            Ok(place) => {
                let gate = Arc::clone(self);
                handshakes.spawn(async move {
                    gate.admit(incoming, remote).await;
                    drop(place);
                });
            }
            Err(reason) => {
                incoming.refuse();
                self.refuse(Refusal {
                    remote,
                    peer: None,
                    reason,
                });
            }
        }
    }

    fn handshake_place(&self, remote: SocketAddr) -> Result<HandshakePlace, RefusalReason> {
        let address = self
            .handshakes_by_address
            .take(network(remote.ip()))
            .ok_or(RefusalReason::AddressFull)?;
        let any = self
            .handshakes
            .take(())
            .ok_or(RefusalReason::HandshakesFull)?;
        Ok(HandshakePlace {
            _any: any,
            _address: address,
        })
    }

    async fn admit(&self, incoming: Incoming, remote: SocketAddr) {
        let slot = VerdictSlot::default();
        let quinn = match self.handshake(incoming, &slot).await {
            Ok(quinn) => quinn,
            Err(reason) => {
                let peer = match slot.verdict() {
                    Some(
                        Verdict::Presented(key)
                        | Verdict::Proven(key)
                        | Verdict::Unknown(key)
                        | Verdict::OtherKey(key),
                    ) => Some(key),
                    Some(Verdict::NotAKey) | None => None,
                };
                return self.refuse(Refusal {
                    remote,
                    peer,
                    reason,
                });
            }
        };
        // rustls finishes no handshake before a mandatory client verifier has accepted a key (and resumption, which would
        // skip it, is off). Should that ever change, the connection ends here.
        let Some(Verdict::Proven(peer)) = slot.verdict() else {
            quinn.close(CloseCode::REFUSED.to_wire(), b"");
            return self.refuse(Refusal {
                remote,
                peer: None,
                reason: RefusalReason::NotAKey,
            });
        };
        if let Err((code, reason)) = self.welcome(&quinn, peer, remote).await {
            quinn.close(code.to_wire(), b"");
            self.refuse(Refusal {
                remote,
                peer: Some(peer),
                reason,
            });
        }
    }

    /// The TLS handshake: afterwards the peer's key is known and proven.
    async fn handshake(
        &self,
        incoming: Incoming,
        slot: &VerdictSlot,
    ) -> Result<quinn::Connection, RefusalReason> {
        let failed = |error| handshake_refusal(&error, slot.verdict());
        let connecting = incoming
            .accept_with(self.config.accept(slot.clone()))
            .map_err(failed)?;
        timeout(self.limits.handshake_timeout, connecting)
            .await
            .map_err(|_elapsed| RefusalReason::HandshakeTimeout)?
            .map_err(failed)
    }

    /// Everything between a proven key and a connection for the node.
    async fn welcome(
        &self,
        quinn: &quinn::Connection,
        peer: PeerKey,
        remote: SocketAddr,
    ) -> Result<(), (CloseCode, RefusalReason)> {
        match self.directory.admit(&peer) {
            Admission::Known => {}
            Admission::Quiet => return Err((CloseCode::QUIET, RefusalReason::Quiet)),
            Admission::Unknown => return Err((CloseCode::REFUSED, RefusalReason::UnknownPeer)),
        }
        let place = self
            .connections
            .take(peer)
            .ok_or((CloseCode::BUSY, RefusalReason::PeerFull))?;
        // Reserved before the reply: a peer that was greeted is a peer that will be accepted.
        let queue = self
            .accepted
            .try_reserve()
            .map_err(|_full| (CloseCode::BUSY, RefusalReason::QueueFull))?;
        timeout(self.limits.greeting_timeout, greeting::answer(quinn))
            .await
            .map_err(|_elapsed| (CloseCode::GREETING, RefusalReason::GreetingTimeout))?
            .map_err(|error| match error {
                GreetingError::Lost(error) => (CloseCode::DONE, RefusalReason::Gone(error.into())),
                GreetingError::Malformed => (CloseCode::GREETING, RefusalReason::Greeting),
                GreetingError::Version { theirs } => (
                    CloseCode::VERSION,
                    RefusalReason::GreetingVersion { theirs },
                ),
            })?;
        self.observer.accepted(remote, &peer);
        tracing::info!(target: "mandorla::transport", %remote, %peer, "connection accepted");
        queue.send(Connection::accepted(quinn.clone(), place, peer));
        Ok(())
    }

    fn refuse(&self, refusal: Refusal) {
        refusal.log();
        self.observer.refused(&refusal);
    }
}

/// What one holder of addresses has: one IPv4 address, or a /64 of IPv6 (RFC 6177 gives a site at least that).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_holder_count_together() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
