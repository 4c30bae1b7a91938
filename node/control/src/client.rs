//! A client for the Unix socket: one connection per call.

use std::path::{Path, PathBuf};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use crate::call::{Call, USER_HEADER};
use crate::error::{ApiError, ErrorBody};

/// Largest reply that is read: a list of every round and hit stays far below.
const REPLY_BYTES_MAX: usize = 64 << 20;

/// Calls a node over its control socket.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
    user: Option<String>,
}

/// Why a call did not give a reply.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No node listens on the socket.
    #[error("no node answers on {socket}: {source}")]
    Unreachable {
        /// The socket tried.
        socket: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The connection broke, or what came back is not a reply of this version.
    #[error("the node's reply cannot be read: {0}")]
    Broken(String),
    /// The node said no.
    #[error(transparent)]
    Api(#[from] ApiError),
}

impl Client {
    /// `user`: the named user to act as, in a small installation.
    pub fn new(socket: impl Into<PathBuf>, user: Option<String>) -> Self {
        Self {
            socket: socket.into(),
            user,
        }
    }

    /// The socket this client calls.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Makes a call.
    pub async fn call<C: Call>(&self, call: &C) -> Result<C::Reply, ClientError> {
        let body = serde_json::to_vec(call).map_err(broken)?;
        self.post(C::PATH, Full::new(Bytes::from(body))).await
    }

    /// Posts a body, which may be a stream, and reads the reply.
    pub async fn post<B, R>(&self, path: &str, body: B) -> Result<R, ClientError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        R: serde::de::DeserializeOwned,
    {
        let bytes = whole(self.stream(path, body).await?).await?;
        serde_json::from_slice(&bytes).map_err(broken)
    }

    /// Posts a body and gives the reply as it comes: for replies that are larger than any memory.
    pub async fn stream<B>(&self, path: &str, body: B) -> Result<Incoming, ClientError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let stream =
            UnixStream::connect(&self.socket)
                .await
                .map_err(|source| ClientError::Unreachable {
                    socket: self.socket.clone(),
                    source,
                })?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        // Ends with the reply, or when the reply is dropped.
        tokio::spawn(connection);
        let mut request = Request::post(path)
            .header("host", "node")
            .header("connection", "close")
            .header("content-type", "application/json");
        if let Some(user) = &self.user {
            request = request.header(USER_HEADER, user);
        }
        let request = request.body(body).map_err(broken)?;
        let response = sender.send_request(request).await.map_err(broken)?;
        let status = response.status();
        if status == StatusCode::OK {
            return Ok(response.into_body());
        }
        match serde_json::from_slice::<ErrorBody>(&whole(response.into_body()).await?) {
            Ok(body) => Err(ApiError::from(body).into()),
            Err(_) => Err(ClientError::Broken(format!("status {status}"))),
        }
    }
}

async fn whole(body: Incoming) -> Result<Bytes, ClientError> {
    let collected = Limited::new(body, REPLY_BYTES_MAX).collect().await;
    collected
        .map(http_body_util::Collected::to_bytes)
        .map_err(broken)
}

fn broken(error: impl std::fmt::Display) -> ClientError {
    ClientError::Broken(error.to_string())
}
