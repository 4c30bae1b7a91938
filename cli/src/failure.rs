//! How a command ends.

use mandorla_control::{ApiError, ClientError, ErrorCode, ExitCode};

pub(crate) mod usage;

/// The end of a command: its exit code, or the error to print.
pub(crate) type Done = Result<ExitCode, ApiError>;

/// Done.
pub(crate) const DONE: Done = Ok(ExitCode::Done);

/// What a failed call means to whoever typed the command; `start` is the command that starts this node.
pub(crate) fn call_failed(error: ClientError, start: &str) -> ApiError {
    match error {
        ClientError::Unreachable { ref source, .. }
            if source.kind() == std::io::ErrorKind::PermissionDenied =>
        {
            ApiError::new(ErrorCode::Unreachable, error.to_string())
                .hint("ask the operator for the socket's group (usermod -aG), log in anew, and do the same again")
        }
        ClientError::Unreachable { .. } => {
            ApiError::new(ErrorCode::Unreachable, error.to_string()).hint(start)
        }
        ClientError::Broken(_) => ApiError::new(ErrorCode::Internal, error.to_string())
            .hint("mandorla version; node and command line must be of one version, and the node's own messages tell more"),
        ClientError::Api(error) => error,
    }
}

/// A file of the caller's that cannot be read or written.
pub(crate) fn file(path: &std::path::Path, error: impl std::fmt::Display) -> ApiError {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(std::path::Path::new("."));
    ApiError::new(ErrorCode::BadFile, format!("{}: {error}", path.display()))
        .hint(format!("ls -la {}", parent.display()))
}

/// A fault of this program.
pub(crate) fn internal(error: impl std::fmt::Display) -> ApiError {
    ApiError::new(ErrorCode::Internal, error.to_string())
}
