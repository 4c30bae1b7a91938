//! What every command has at hand.

use std::future::Future;
use std::path::Path;

use mandorla_control::{ApiError, Call, Client, ErrorCode, ExitCode};
use tokio::signal::unix::{SignalKind, signal};

use crate::args::Global;
use crate::failure::{Done, call_failed, internal};
use crate::output::Output;
use crate::service;
use crate::settings::Places;

/// Flags and output of one command.
#[derive(Debug)]
pub(crate) struct Context {
    /// The global flags.
    pub global: Global,
    /// Data and messages.
    pub out: Output,
}

impl Context {
    pub(crate) fn new(global: Global, out: Output) -> Self {
        Self { global, out }
    }

    /// Where the node is.
    pub(crate) fn places(&self) -> Result<Places, ApiError> {
        Places::find(&self.global)
    }

    /// A client of the node, as the user of this command.
    pub(crate) fn client(&self) -> Result<Client, ApiError> {
        Ok(Client::new(self.places()?.socket, self.global.user.clone()))
    }

    /// Makes a call.
    pub(crate) async fn call<C: Call>(&self, call: &C) -> Result<C::Reply, ApiError> {
        let reply = self.client()?.call(call).await;
        reply.map_err(|error| call_failed(error, &self.start_command()))
    }

    /// `mandorla <words>` for this data directory, to be typed next.
    pub(crate) fn command(&self, words: &str) -> String {
        self.out.hint(&format!("mandorla {words}"))
    }

    /// What starts the node whose socket this command calls.
    pub(crate) fn start_command(&self) -> String {
        match self.places() {
            Ok(places) if places.socket == Path::new(service::SOCKET) => service::START.to_owned(),
            _ => self.command("node run"),
        }
    }

    /// Runs `work` until it ends, is interrupted, or `--timeout` is over; what the node does goes on.
    pub(crate) async fn until_interrupted(&self, work: impl Future<Output = Done>) -> Done {
        let late = ApiError::new(
            ErrorCode::Pending,
            "not finished within --timeout; it goes on",
        )
        .hint(self.command("round list"));
        self.until_interrupted_or(late, work).await
    }

    /// [`Self::until_interrupted`], with what to say at `--timeout`.
    pub(crate) async fn until_interrupted_or(
        &self,
        late: ApiError,
        work: impl Future<Output = Done>,
    ) -> Done {
        let mut interrupt = signal(SignalKind::interrupt()).map_err(internal)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(internal)?;
        let timeout = async {
            match self.global.timeout {
                Some(timeout) => tokio::time::sleep(timeout).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            done = work => done,
            _ = interrupt.recv() => Ok(ExitCode::Interrupted),
            _ = terminate.recv() => Ok(ExitCode::Interrupted),
            () = timeout => Err(late),
        }
    }
}

/// Reads a text file of the caller's.
pub(crate) fn read_text(path: &Path) -> Result<String, ApiError> {
    std::fs::read_to_string(path).map_err(|error| crate::failure::file(path, error))
}
