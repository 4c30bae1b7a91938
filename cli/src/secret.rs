//! Where the secret that seals the node's keys comes from: never from the command line itself.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use mandorla_control::{ApiError, ErrorCode};
use mandorla_node::{Seal, SealError, SealKind};
use zeroize::Zeroizing;

use crate::context::Context;
use crate::failure::internal;

/// Where the service manager puts a service's credentials (systemd.exec(5)).
const CREDENTIALS_ENV: &str = "CREDENTIALS_DIRECTORY";
/// Name of a passphrase among them.
const PASSPHRASE_CREDENTIAL: &str = "mandorla.passphrase";
/// Name of a wrapping key among them.
const KEY_CREDENTIAL: &str = "mandorla.key";

/// How keys are to be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SealChoice {
    /// Under a passphrase
    Passphrase,
    /// Under a wrapping key of 32 bytes from outside the data directory
    Credential,
    /// Not at all: who reads the disk can speak as this node
    None,
}

/// What opens the keys.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct SecretArgs {
    /// File with the passphrase of the keys, readable by its owner only
    #[arg(
        long,
        env = "MANDORLA_PASSPHRASE_FILE",
        hide_env = true,
        value_name = "FILE"
    )]
    passphrase_file: Option<PathBuf>,
    /// File with the wrapping key of the keys, 32 bytes, readable by its owner only
    #[arg(
        long,
        env = "MANDORLA_WRAPPING_KEY",
        hide_env = true,
        value_name = "FILE"
    )]
    wrapping_key: Option<PathBuf>,
}

impl SecretArgs {
    /// Of files that were named with other flags.
    pub(crate) fn of_files(
        passphrase_file: Option<PathBuf>,
        wrapping_key: Option<PathBuf>,
    ) -> Self {
        Self {
            passphrase_file,
            wrapping_key,
        }
    }

    /// The secret that opens keys sealed in this way: from a file, from the service manager, or asked for.
    pub(crate) fn to_open(&self, kind: SealKind, cx: &Context) -> Result<Seal, ApiError> {
        if let Some(path) = self.file(kind).or_else(|| credential(kind)) {
            return read(kind, &path);
        }
        if kind == SealKind::Passphrase && cx.can_ask() {
            return Seal::passphrase(typed("Passphrase of the keys: ")?).map_err(explained);
        }
        let ways = match kind {
            SealKind::Passphrase => format!(
                "give it with --passphrase-file FILE (MANDORLA_PASSPHRASE_FILE), as the service credential \
                 {PASSPHRASE_CREDENTIAL}, or run the command at a terminal, which asks"
            ),
            SealKind::Credential => format!(
                "give it with --wrapping-key FILE (MANDORLA_WRAPPING_KEY), or as the service credential \
                 {KEY_CREDENTIAL}"
            ),
        };
        Err(not_given(format!(
            "the keys are sealed under a {kind}, and none was given"
        ))
        .hint(ways))
    }

    /// How `init` seals new keys; not at all only if that was said.
    pub(crate) fn to_seal_first(
        &self,
        choice: Option<SealChoice>,
        cx: &Context,
    ) -> Result<Option<Seal>, ApiError> {
        let command = cx.command("init");
        let choice = match (choice, &self.passphrase_file, &self.wrapping_key) {
            (Some(choice), _, _) => choice,
            (None, Some(_), None) => SealChoice::Passphrase,
            (None, None, Some(_)) => SealChoice::Credential,
            (None, Some(_), Some(_)) => {
                return Err(ApiError::new(
                    ErrorCode::BadRequest,
                    "a passphrase and a wrapping key are given; the keys are sealed under one of them",
                )
                .hint(format!("{command} with --seal passphrase or --seal credential")));
            }
            (None, None, None) if cx.can_ask() => SealChoice::Passphrase,
            (None, None, None) => {
                let message = "it was not said how to seal the keys, and nobody can be asked here";
                return Err(not_given(message).hint(format!(
                    "{command} with --passphrase-file FILE, with --wrapping-key FILE, or, for a trial, with --seal none"
                )));
            }
        };
        let path = choice
            .kind()
            .and_then(|kind| self.file(kind).or_else(|| credential(kind)));
        choice.seal(path, &command, "", cx)
    }

    fn file(&self, kind: SealKind) -> Option<PathBuf> {
        match kind {
            SealKind::Passphrase => self.passphrase_file.clone(),
            SealKind::Credential => self.wrapping_key.clone(),
        }
    }
}

impl SealChoice {
    /// The new secret, from a file or asked for; `prefix` is how the flags of files begin.
    pub(crate) fn seal(
        self,
        file: Option<PathBuf>,
        command: &str,
        prefix: &str,
        cx: &Context,
    ) -> Result<Option<Seal>, ApiError> {
        let Some(kind) = self.kind() else {
            return Ok(None);
        };
        if let Some(path) = file {
            return read(kind, &path).map(Some);
        }
        if kind == SealKind::Passphrase && cx.can_ask() {
            return new_passphrase().map(Some);
        }
        let flag = match kind {
            SealKind::Passphrase => "passphrase-file",
            SealKind::Credential => "wrapping-key",
        };
        Err(
            not_given(format!("the {kind} to seal the keys under was not given")).hint(format!(
                "{command} with --seal {kind} --{prefix}{flag} FILE"
            )),
        )
    }

    fn kind(self) -> Option<SealKind> {
        match self {
            Self::None => None,
            Self::Passphrase => Some(SealKind::Passphrase),
            Self::Credential => Some(SealKind::Credential),
        }
    }
}

/// The secret among the credentials that the service manager gave to this process.
fn credential(kind: SealKind) -> Option<PathBuf> {
    let name = match kind {
        SealKind::Passphrase => PASSPHRASE_CREDENTIAL,
        SealKind::Credential => KEY_CREDENTIAL,
    };
    let path = Path::new(&std::env::var_os(CREDENTIALS_ENV)?).join(name);
    path.exists().then_some(path)
}

fn read(kind: SealKind, path: &Path) -> Result<Seal, ApiError> {
    match kind {
        SealKind::Passphrase => Seal::read_passphrase(path),
        SealKind::Credential => Seal::read_wrapping_key(path),
    }
    .map_err(explained)
}

fn not_given(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::SecretNeeded, message)
}

impl Context {
    /// Whether somebody is there to type a passphrase.
    pub(crate) fn can_ask(&self) -> bool {
        !self.global.no_input && !self.global.json && std::io::stdin().is_terminal()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
pub(crate) fn explained(error: SealError) -> ApiError {
    ApiError::new(error.code(), error.to_string()).hint(error.hint())
}

fn new_passphrase() -> Result<Seal, ApiError> {
    let first = typed("New passphrase of the keys: ")?;
    let second = typed("The same again: ")?;
    if first != second {
        return Err(ApiError::new(
            ErrorCode::BadRequest,
            "the two passphrases differ; nothing was done",
        ));
    }
    Seal::passphrase(first).map_err(explained)
}

fn typed(prompt: &str) -> Result<Zeroizing<String>, ApiError> {
    let typed = rpassword::prompt_password(prompt);
    typed.map(Zeroizing::new).map_err(internal)
}
