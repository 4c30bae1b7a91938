//! A node's one UDP socket: it accepts its peers and connects to them.

use std::fmt;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

use crate::acceptor::Acceptor;
use crate::config::{Config, SERVER_NAME};
use crate::error::Attempt;
use crate::greeting::{self, GreetingError};
use crate::verifier::{Verdict, VerdictSlot};
use crate::{
    BindError, CloseCode, ConnectError, Connection, Limits, Observer, PeerDirectory, PeerKey,
    Stage, Tally, TransportKey,
};

/// A bound socket with this node's key. Dropping it closes every connection made through it.
pub struct Endpoint {
    quinn: quinn::Endpoint,
    local_addr: SocketAddr,
    config: Arc<Config>,
    ours: PeerKey,
    limits: Limits,
    accepted: Mutex<mpsc::Receiver<Connection>>,
}

impl Endpoint {
    /// Binds `addr` (port 0: any free one) and begins to accept, inside a tokio runtime.
    pub fn bind(
        addr: SocketAddr,
        key: &TransportKey,
        directory: Arc<dyn PeerDirectory>,
        limits: Limits,
    ) -> Result<Self, BindError> {
        Self::bind_observed(addr, key, directory, limits, Arc::new(Tally::default()))
    }

    /// As [`Endpoint::bind`], with somebody to tell what is refused and accepted.
    pub fn bind_observed(
        addr: SocketAddr,
        key: &TransportKey,
        directory: Arc<dyn PeerDirectory>,
        limits: Limits,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, BindError> {
        limits.check()?;
        let runtime = Handle::try_current().map_err(|_| BindError::NoRuntime)?;
        let io = |source| BindError::from_io(addr, source);
        let config = Arc::new(Config::new(key, Arc::clone(&directory), &limits));
        let socket = UdpSocket::bind(addr).map_err(io)?;
        let quinn = quinn::Endpoint::new(
            Config::endpoint(),
            Some(config.server()),
            socket,
            Arc::new(quinn::TokioRuntime),
        )
        .map_err(io)?;
        let local_addr = quinn.local_addr().map_err(io)?;
        let (acceptor, accepted) = Acceptor::new(
            quinn.clone(),
            Arc::clone(&config),
            directory,
            observer,
            limits.clone(),
        );
        runtime.spawn(acceptor.run());
        Ok(Self {
            quinn,
            local_addr,
            config,
            ours: key.public(),
            limits,
            accepted: Mutex::new(accepted),
        })
    }

    /// The address bound, with its real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Connects to the holder of `expected` at `remote`. Returns once the peer has proven that key, has admitted this
    /// node and has greeted back; takes no longer than the two time-outs of [`Limits`] together.
    pub async fn connect(
        &self,
        remote: SocketAddr,
        expected: &PeerKey,
    ) -> Result<Connection, ConnectError> {
        let slot = VerdictSlot::default();
        let attempt = Attempt {
            remote,
            expected: *expected,
            ours: self.ours,
            handshake_timeout: self.limits.handshake_timeout,
            greeting_timeout: self.limits.greeting_timeout,
        };
        let connecting = self
            .quinn
            .connect_with(
                self.config.connect(*expected, slot.clone()),
                remote,
                SERVER_NAME,
            )
            .map_err(|error| match error {
                quinn::ConnectError::InvalidRemoteAddress(_) => ConnectError::Address { remote },
                quinn::ConnectError::EndpointStopping
                | quinn::ConnectError::CidsExhausted
                | quinn::ConnectError::InvalidServerName(_)
                | quinn::ConnectError::NoDefaultClientConfig
                | quinn::ConnectError::UnsupportedVersion => ConnectError::EndpointClosed,
            })?;
        let quinn = timeout(attempt.handshake_timeout, connecting)
            .await
            .map_err(|_elapsed| attempt.timed_out(Stage::Handshake))?
            .map_err(|error| attempt.failed(error, slot.verdict(), Stage::Handshake))?;
        let (code, error) = match timeout(attempt.greeting_timeout, greeting::offer(&quinn)).await {
            Ok(Ok(())) if slot.verdict() == Some(Verdict::Proven(*expected)) => {
                return Ok(Connection::opened(quinn, *expected));
            }
            // rustls finishes no handshake that the verifier has not seen; should that ever change, it ends here.
            Ok(Ok(())) => (
                CloseCode::REFUSED,
                ConnectError::NoProof {
                    remote,
                    expected: *expected,
                },
            ),
            Ok(Err(error)) => {
                let code = match error {
                    GreetingError::Version { .. } => CloseCode::VERSION,
                    GreetingError::Malformed | GreetingError::Lost(_) => CloseCode::GREETING,
                };
                (code, attempt.greeting_failed(error, slot.verdict()))
            }
            Err(_elapsed) => (CloseCode::GREETING, attempt.timed_out(Stage::Greeting)),
        };
        quinn.close(code.to_wire(), b"");
        Err(error)
    }

    /// The next peer that has connected, authenticated and greeted; `None` once the endpoint is closed.
    ///
    /// Connections that ended while they waited are left out. Safe to cancel: nothing is lost.
    pub async fn accept(&self) -> Option<Connection> {
        let mut accepted = self.accepted.lock().await;
        loop {
            let connection = accepted.recv().await?;
            if connection.close_reason().is_none() {
                return Some(connection);
            }
        }
    }

    /// Closes every connection with [`CloseCode::SHUTDOWN`] and accepts no more.
    pub fn close(&self) {
        self.quinn.close(CloseCode::SHUTDOWN.to_wire(), b"");
    }

    /// Waits until peers have been told of everything that was closed, at most a few round trips.
    pub async fn drained(&self) {
        self.quinn.wait_idle().await;
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("local_addr", &self.local_addr)
            .field("key", &self.ours)
            .finish_non_exhaustive()
    }
}
