//! `mandorla key …`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use mandorla_control::{ApiError, ExitCode, KeyList, KeyRevoke, KeyRotate, KeysView};
use mandorla_node::{Clock, Node, Seal, SealKind, seal_of};
use serde_json::json;

use crate::args::duration;
use crate::context::Context;
use crate::failure::{DONE, Done};
use crate::secret::{SealChoice, SecretArgs};
use crate::table::{Table, pairs};
use crate::when::when;

/// An overlap that rounds over a few days' slots end within.
const OVERLAP: &str = "168h";

/// `mandorla key …`
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// The node's keys, what each is good for, and which peers know the new ones
    List,
    /// Make new keys and tell every peer; again, go on with a change that was begun
    Rotate {
        /// How long the old keys are good beside the new ones, from 1h to 2160h
        #[arg(long, value_name = "DURATION", default_value = OVERLAP, value_parser = duration)]
        overlap: Duration,
        /// Do not wait for this peer; it will need the new card, and words compared anew
        #[arg(long, value_name = "PEER", value_delimiter = ',')]
        without: Vec<String>,
    },
    /// Take all trust from the present keys, make new ones, suspend every agreement, end every round, stop the node
    Revoke {
        /// Why, for the ledger
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
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

pub(crate) async fn run(command: KeyCommand, cx: &Context) -> Done {
    match command {
        KeyCommand::Seal(args) => seal(args, cx),
        KeyCommand::List => {
            let keys = cx.call(&KeyList {}).await?;
            cx.out.object(&keys, text)?;
            DONE
        }
        KeyCommand::Rotate { overlap, without } => {
            let overlap_s = overlap.as_secs();
            let keys = cx.call(&KeyRotate { overlap_s, without }).await?;
            cx.out.object(&keys, text)?;
            if let Some(next) = &keys.next {
                cx.out.say(&format!("next: {next}"));
            }
            Ok(if keys.restart_needed {
                ExitCode::Done
            } else {
                ExitCode::Pending
            })
        }
        KeyCommand::Revoke { reason } => {
            cx.confirm(
                "Revoke the keys? Every agreement is suspended, every round ends, and every peer needs the new card",
            )?;
            let revoked = cx.call(&KeyRevoke { reason }).await?;
            cx.out.object(&revoked, |revoked| {
                pairs(&[
                    ("new card", revoked.fingerprint.clone()),
                    ("suspended", words(&revoked.suspended)),
                    ("ended", words(&revoked.ended)),
                ])
            })?;
            for next in &revoked.next {
                cx.out.say(&format!("next: {next}"));
            }
            DONE
        }
    }
}

fn text(keys: &KeysView) -> String {
    let mut table = Table::new(&[
        "KEYS",
        "STATE",
        "SIGNING KEY",
        "COUNTERSIGNED BY",
        "WAITS FOR",
    ]);
    for set in &keys.keys {
        let mut state = set.state.clone();
        if let Some(until) = set.until {
            state = format!("{state} until {}", when(until));
        }
        if set.in_use && set.state != "current" {
            state.push_str(", in use");
        }
        let waits = set.waits_for.iter().map(|waits| match &waits.why {
            Some(why) => format!("{} ({why})", waits.peer),
            None => waits.peer.clone(),
        });
        table.row([
            set.sequence.to_string(),
            state,
            set.signing_key[..16].to_owned(),
            words(&set.countersigned_by),
            words(&waits.collect::<Vec<_>>()),
        ]);
    }
    let sealed = match keys.sealed_under.as_str() {
        "none" => "the key file is not sealed\n".to_owned(),
        kind => format!("the key file is sealed under a {kind}\n"),
    };
    format!("{}{sealed}", table.text_or("no keys"))
}

fn words(list: &[String]) -> String {
    if list.is_empty() {
        "-".to_owned()
    } else {
        list.join(", ")
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
    cx.out.say(&format!("next: {}", cx.start_command()));
    DONE
}
