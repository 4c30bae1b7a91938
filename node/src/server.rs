//! The control API on a Unix socket.
//!
//! ```text
//!  connection ─► account of the caller's process ─► caller and roles ─► body, bounded ─► Serve::serve ─► reply
//!                 SO_PEERCRED, its groups          M-200 to M-202        M-101            in a task of its own
//! ```
//! A call that was begun runs to its end, also when the caller goes away: what it does to the store and what it
//! tells drivers belong together.

pub(crate) mod accounts;
mod caller;
mod socket;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use http_body_util::BodyExt as _;
use mandorla_control::{ApiError, Call, ErrorBody, ErrorCode, Role};
use serde::Serialize;
use tokio::net::UnixListener;
use tokio::time::timeout;

pub(crate) use self::caller::{SocketPeer, holders};
pub(crate) use self::socket::ControlSocket;
pub use self::socket::SocketError;
use crate::events::Event;
use crate::node::{Caller, Node, storage};

/// Most bytes of a call in JSON: an agreement, the largest of them, has 256 KiB before escaping.
pub(crate) const CALL_BYTES_MAX: usize = 1 << 20;

/// How long what a refused caller still sends is read and thrown away, so that it gets to reading why.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// A call that this node answers.
pub(crate) trait Serve: Call {
    /// Does it, for a caller whose role was checked.
    fn serve(
        self,
        node: &Arc<Node>,
        caller: &Caller,
    ) -> impl Future<Output = Result<Self::Reply, ApiError>> + Send;
}

/// A call that only works on the store: it runs on a thread that may block.
pub(crate) trait ServeBlocking: Call {
    /// Does it, for a caller whose role was checked.
    fn serve_blocking(self, node: &Arc<Node>, caller: &Caller) -> Result<Self::Reply, ApiError>;
}

impl<C: ServeBlocking> Serve for C {
    async fn serve(self, node: &Arc<Node>, caller: &Caller) -> Result<C::Reply, ApiError> {
        let (node, caller) = (Arc::clone(node), caller.clone());
        blocking(move || self.serve_blocking(&node, &caller)).await
    }
}

/// Runs work on the store on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(fault()))
}

/// The calls of a node, collected noun by noun.
pub(crate) struct Routes {
    router: Router<Arc<Node>>,
    paths: Vec<String>,
}

impl Routes {
    fn new() -> Self {
        Self {
            router: Router::new(),
            paths: Vec::new(),
        }
    }

    /// Adds a call.
    pub(crate) fn call<C: Serve>(self) -> Self {
        self.route(C::PATH, post(answer::<C>))
    }

    /// Adds a path whose body is not one JSON object. It must [`admit`] the caller itself.
    pub(crate) fn route(mut self, path: &str, method: MethodRouter<Arc<Node>>) -> Self {
        self.paths.push(path.to_owned());
        self.router = self.router.route(path, method);
        self
    }
}

/// Every call. A further noun module adds its line here.
fn routes() -> Routes {
    let routes = Routes::new();
    let routes = crate::status::routes(routes);
    let routes = crate::keys::routes(routes);
    let routes = crate::doctor::routes(routes);
    let routes = crate::peers::routes(routes);
    let routes = crate::agreements::routes(routes);
    let routes = crate::datasets::routes(routes);
    let routes = crate::rounds::routes(routes);
    let routes = crate::review::routes(routes);
    let routes = crate::backup::routes(routes);
    crate::audit::routes(routes)
}

/// Answers calls until `stopped`; then those that were begun are finished.
pub(crate) async fn serve(
    node: Arc<Node>,
    listener: UnixListener,
    stopped: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let Routes { router, paths } = routes();
    tracing::debug!(calls = paths.len(), "serving the control socket");
    let router = router
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_path)
        .with_state(node);
    let service = router.into_make_service_with_connect_info::<SocketPeer>();
    axum::serve(listener, service)
        .with_graceful_shutdown(stopped)
        .await
}

async fn answer<C: Serve>(
    State(node): State<Arc<Node>>,
    ConnectInfo(peer): ConnectInfo<SocketPeer>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    reply(answered::<C>(node, peer, headers, body).await)
}

async fn answered<C: Serve>(
    node: Arc<Node>,
    peer: SocketPeer,
    headers: HeaderMap,
    body: Body,
) -> Result<C::Reply, ApiError> {
    // The body first: a caller that is refused while it still writes may never read why.
    let body = read(body).await?;
    let caller = admit(&node, peer, &headers, C::PATH, C::ROLES).await?;
    let call: C = serde_json::from_slice(&body).map_err(|error| {
        let message = format!("the request is not a {} call: {error}", C::PATH);
        ApiError::new(ErrorCode::BadRequest, message)
            .hint("mandorla version: the command line and the node must be of the same version")
    })?;
    let run = async move { call.serve(&node, &caller).await };
    tokio::spawn(run).await.unwrap_or_else(|_| Err(fault()))
}

/// The role in which a caller makes a call: the first that allows it.
pub(crate) fn role_of(caller: &Caller, roles: &[Role]) -> Role {
    let of_call = roles.iter().find(|role| caller.roles.contains(role));
    let first = of_call.or(caller.roles.first());
    first.copied().unwrap_or(Role::Operator)
}

/// Who calls, if they hold one of the roles; a refusal is in the ledger.
pub(crate) async fn admit(
    node: &Arc<Node>,
    peer: SocketPeer,
    headers: &HeaderMap,
    path: &'static str,
    roles: &'static [Role],
) -> Result<Caller, ApiError> {
    let named = caller::named(headers)?;
    let looking = Arc::clone(node);
    // Accounts and groups may come from a directory service.
    let identified = blocking(move || {
        let host = caller::HostAccounts;
        caller::identify(&looking.config, peer, named.as_deref(), &host)
    });
    let caller = identified.await?;
    if caller.has_any(roles) {
        return Ok(caller);
    }
    let refusal = caller::wrong_role(&node.config, &caller, path, roles);
    let node = Arc::clone(node);
    blocking(move || {
        let held: Vec<&str> = caller.roles.iter().map(|role| role.word()).collect();
        let needed: Vec<&str> = roles.iter().map(|role| role.word()).collect();
        let event = node
            .event(Event::CallRefused)
            .by(caller.name, held.join("+"))
            .detail("call", path)
            .detail("needs", needed.join("|"));
        node.store
            .write(|tx| tx.append_ledger(event))
            .map_err(storage)
    })
    .await?;
    Err(refusal)
}

/// The JSON of a reply, or of an error with its status.
pub(crate) fn reply<T: Serialize>(result: Result<T, ApiError>) -> Response {
    let (status, body) = match result {
        Ok(value) => (StatusCode::OK, serde_json::to_vec(&value)),
        Err(error) => {
            let status = StatusCode::from_u16(error.code.http_status());
            (
                status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
                serde_json::to_vec(&ErrorBody::from(error)),
            )
        }
    };
    match body {
        Ok(body) => (status, [(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn unknown_path(uri: Uri, body: Body) -> Response {
    drain(body).await;
    let message = format!("this node has no call POST {}", uri.path());
    let error = ApiError::new(ErrorCode::NotFound, message)
        .hint("mandorla version: the command line and the node must be of the same version");
    reply::<()>(Err(error))
}

/// Reads the body of a call, which is bounded.
pub(crate) async fn read(body: Body) -> Result<Vec<u8>, ApiError> {
    let mut body = body;
    let mut bytes = Vec::new();
    while let Some(piece) = next_piece(&mut body).await? {
        if bytes.len() + piece.len() > CALL_BYTES_MAX {
            drain(body).await;
            let message = format!("the request has more than {CALL_BYTES_MAX} bytes");
            return Err(ApiError::new(ErrorCode::BadRequest, message));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// The next bytes of a body; `None` at its proper end.
///
/// # Errors
/// The body broke off.
pub(crate) async fn next_piece(body: &mut Body) -> Result<Option<Bytes>, ApiError> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            Some(Ok(frame)) => {
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
            Some(Err(_)) => {
                let message = "the request broke off before its end";
                return Err(ApiError::new(ErrorCode::BadRequest, message));
            }
        }
    }
}

/// Reads what is left of a body and keeps nothing.
pub(crate) async fn drain(mut body: Body) {
    let rest = async { while matches!(next_piece(&mut body).await, Ok(Some(_))) {} };
    let _ = timeout(DRAIN_TIMEOUT, rest).await;
}

fn fault() -> ApiError {
    ApiError::new(ErrorCode::Internal, "the call ended in a fault of the node")
        .hint("the node's log on stderr names the place")
}
