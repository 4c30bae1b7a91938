//! `mandorla audit …`.

mod export;
mod log;
mod reason;
mod reconcile;
mod verify;

use std::path::PathBuf;

use clap::Subcommand;
use mandorla_control::{ApiError, AuditCheckpoint, AuditProve};

use crate::context::Context;
use crate::failure::{DONE, Done};

/// Most entries that one call gives.
const LIMIT_MAX: u64 = 10_000;

/// `mandorla audit …`
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Recompute the ledger and every pair log (exit 7 if a fault is found)
    Verify {
        /// A checkpoint of this ledger that was kept elsewhere: finds a history that was rolled back or rewritten
        #[arg(long, value_name = "CHECKPOINT_FILE", conflicts_with = "proof")]
        from: Option<PathBuf>,
        /// Verify an exported file instead, without a node
        #[arg(long, value_name = "FILE", conflicts_with = "proof")]
        bundle: Option<PathBuf>,
        /// Verify the proof of one entry instead, without a node
        #[arg(long, value_name = "FILE")]
        proof: Option<PathBuf>,
        /// With --bundle or --proof: the signing key that the node must have, from its card
        #[arg(long, value_name = "HEX")]
        key: Option<String>,
    },
    /// The last entries of the ledger, or those that fit
    Log {
        /// From this entry on, from 0
        #[arg(long, value_name = "ENTRY")]
        from: Option<u64>,
        /// Most entries
        #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=LIMIT_MAX))]
        limit: u64,
        /// Only entries since this day (UTC), as 2026-11-24
        #[arg(long, value_name = "DATE")]
        since: Option<jiff::civil::Date>,
        /// Only this event, as hit.released, or its family, as hit
        #[arg(long, value_name = "EVENT")]
        event: Option<String>,
        /// Only entries of this round of this node
        #[arg(long, value_name = "ROUND")]
        round: Option<String>,
    },
    /// The signed checkpoint of the ledger: keep it elsewhere, for `audit verify --from`
    Checkpoint {
        /// Where to; standard output if not given
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// One entry with the proof that it is in the ledger, for `audit verify --proof`
    Prove {
        /// Number of the entry
        entry: u64,
        /// Where to; standard output if not given
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// The ledger, agreements and pair logs in one file, for `audit verify --bundle`
    Export {
        /// Entries before this day (UTC) by their hashes alone, as 2026-11-24
        #[arg(long, value_name = "DATE")]
        since: Option<jiff::civil::Date>,
        /// Where to; nothing is overwritten
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Compare both pair logs with a peer (exit 7 if a fault is found, 6 if the peer fails)
    Reconcile {
        /// Party code of the peer
        #[arg(long, value_name = "PEER")]
        with: String,
    },
    /// The words behind a reason_commitment of the ledger
    Reason {
        /// The commitment, 64 hexadecimal digits
        commitment: String,
        /// Erase the words; the commitment stays, and the ledger still verifies (operator)
        #[arg(long)]
        erase: bool,
    },
}

pub(crate) async fn run(command: AuditCommand, cx: &Context) -> Done {
    match command {
        AuditCommand::Verify {
            from,
            bundle,
            proof,
            key,
        } => match (bundle, proof) {
            (Some(bundle), _) => verify::bundle(&bundle, from.as_deref(), key.as_deref(), cx),
            (None, Some(proof)) => verify::proof(&proof, key.as_deref(), cx),
            (None, None) => verify::node(from.as_deref(), key.as_deref(), cx).await,
        },
        AuditCommand::Log {
            from,
            limit,
            since,
            event,
            round,
        } => {
            let since_s = since.map(day_start_s).transpose()?;
            let search = mandorla_control::AuditSearch {
                since_s,
                event,
                round,
                from,
                limit,
            };
            cx.out.list(&cx.call(&search).await?, log::text)?;
            DONE
        }
        AuditCommand::Checkpoint { output } => {
            let view = cx.call(&AuditCheckpoint {}).await?;
            if let Some(path) = output {
                export::write_new(&path, view.checkpoint.as_bytes())?;
                cx.out.say(&format!(
                    "checkpoint over {} entries in {}; keep it on another machine",
                    view.size,
                    path.display()
                ));
            } else {
                cx.out.object(&view, |view| view.checkpoint.clone())?;
            }
            DONE
        }
        AuditCommand::Prove { entry, output } => {
            let proof = cx.call(&AuditProve { entry }).await?;
            let text = serde_json::to_string_pretty(&proof).map_err(crate::failure::internal)?;
            match output {
                Some(path) => {
                    export::write_new(&path, (text + "\n").as_bytes())?;
                    cx.out.say(&format!(
                        "entry {entry} and its proof in {}; anybody can check it: mandorla audit verify --proof FILE",
                        path.display()
                    ));
                }
                None => cx.out.raw(&(text + "\n"))?,
            }
            DONE
        }
        AuditCommand::Export { since, output } => {
            let since_s = since.map(day_start_s).transpose()?;
            export::export(since_s, &output, cx).await
        }
        AuditCommand::Reconcile { with } => reconcile::reconcile(with, cx).await,
        AuditCommand::Reason { commitment, erase } => reason::reason(commitment, erase, cx).await,
    }
}

fn day_start_s(day: jiff::civil::Date) -> Result<u64, ApiError> {
    let start = jiff::tz::TimeZone::UTC.to_timestamp(day.into());
    let start = start.map_err(|error| {
        ApiError::new(mandorla_control::ErrorCode::BadRequest, error.to_string())
            .hint("a day is written as 2026-11-24")
    })?;
    Ok(u64::try_from(start.as_second()).unwrap_or(0))
}
