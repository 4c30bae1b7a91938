//! Questions before something that cannot be taken back.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use mandorla_control::{ApiError, ErrorCode};

use crate::context::Context;
use crate::output::harmless;

impl Context {
    /// Asks `question`; `--yes` answers it, and where nobody can be asked the command is refused.
    pub(crate) fn confirm(&self, question: &str) -> Result<(), ApiError> {
        if self.global.yes {
            return Ok(());
        }
        if self.global.no_input || self.global.json || !std::io::stdin().is_terminal() {
            return Err(ApiError::new(
                ErrorCode::BadRequest,
                format!("\"{question}\" needs an answer, and nobody can be asked here"),
            )
            .hint("repeat the command with --yes"));
        }
        match ask(&format!("{question} [y/N] ")).as_deref() {
            Some("y" | "Y" | "yes") => Ok(()),
            _ => Err(ApiError::new(
                ErrorCode::BadRequest,
                "not confirmed; nothing was done",
            )),
        }
    }
}

/// Prints a prompt and reads a line; `None` at the end of input.
fn ask(prompt: &str) -> Option<String> {
    let mut stderr = std::io::stderr().lock();
    let _ = write!(stderr, "{}", harmless(prompt)).and_then(|()| stderr.flush());
    drop(stderr);
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line).ok()?;
    (read > 0).then(|| line.trim().to_owned())
}
