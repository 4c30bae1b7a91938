//! `mandorla key …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use mandorla_control::ApiError;
use mandorla_node::{Clock, Node, Seal, SealKind, seal_of};
use serde_json::json;

use crate::context::Context;
use crate::failure::{DONE, Done};
use crate::secret::{SealChoice, SecretArgs};

/// `mandorla key …`
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Seal the keys on the disk in another way, or under another secret; the node must be stopped
    Seal(SealArgs),
}

/// `mandorla key seal`
#[derive(Debug, Args)]
pub(crate) struct SealArgs {
    /// How the keys are sealed from now on
    #[arg(long, value_name = "HOW")]
    seal: SealChoice,
    #[command(flatten)]
    present: SecretArgs,
    /// File with the new passphrase, readable by its owner only
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
    /// File with the new wrapping key, 32 bytes, readable by its owner only
    #[arg(long, value_name = "FILE")]
    new_wrapping_key: Option<PathBuf>,
}

pub(crate) fn run(command: KeyCommand, cx: &Context) -> Done {
    match command {
        KeyCommand::Seal(args) => seal(args, cx),
    }
}

/// Works on the data directory itself: the store's lock keeps a running node out.
fn seal(args: SealArgs, cx: &Context) -> Done {
    let data_dir = cx.places()?.data_dir;
    let kind = seal_of(&data_dir)
        .map_err(|error| ApiError::new(error.code(), error.to_string()).hint(error.hint()))?;
    let present = kind
        .map(|kind| args.present.to_open(kind, cx))
        .transpose()?;
    let node = Node::open(&data_dir, Clock::System, present.as_ref())
        .map_err(|error| ApiError::new(error.code(), error.to_string()).hint(error.hint()))?;
    let file = match args.seal {
        SealChoice::Passphrase => args.new_passphrase_file,
        SealChoice::Credential => args.new_wrapping_key,
        SealChoice::None => None,
    };
    let seal = args.seal.seal(file, &cx.command("key seal"), "new-", cx)?;
    node.seal_keys(seal.as_ref())
        .map_err(|error| ApiError::new(error.code(), error.to_string()).hint(error.hint()))?;
    let kind = seal.as_ref().map(Seal::kind);
    let now = kind.map_or("none", SealKind::word);
    cx.out
        .object(&json!({ "keys_sealed_under": now }), |_| match kind {
            None => "the keys are not sealed any more\n".to_owned(),
            Some(kind) => format!("the keys are sealed under the new {kind}\n"),
        })?;
    cx.out.say(&format!("next: {}", cx.command("node run")));
    DONE
}
