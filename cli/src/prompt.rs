//! Questions before something that cannot be taken back.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use mandorla_control::{ApiError, ErrorCode};

use crate::context::Context;
use crate::output::harmless;

impl Context {
    /// Whether there is somebody to ask.
    pub(crate) fn may_ask(&self) -> bool {
        !self.global.no_input && !self.global.json && std::io::stdin().is_terminal()
    }

    /// Asks for a text: `Some(None)` for an empty answer, `None` at the end of input.
    #[expect(
        clippy::option_option,
        clippy::unused_self,
        reason = "an empty answer is not the end of the input; only commands ask"
    )]
    pub(crate) fn answer(&self, question: &str) -> Option<Option<String>> {
        let answer = ask(&format!("{question}: "))?;
        Some((!answer.is_empty()).then_some(answer))
    }

    /// Asks `question`; `--yes` answers it, and where nobody can be asked the command is refused.
    pub(crate) fn confirm(&self, question: &str) -> Result<(), ApiError> {
        if self.global.yes {
            return Ok(());
        }
        if !self.may_ask() {
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
