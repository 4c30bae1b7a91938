//! `mandorla status`.

use std::time::Duration;

use clap::Args;
use mandorla_control::{ApiError, ErrorCode, Status, StatusReply};
use serde_json::json;

use crate::context::Context;
use crate::failure::{DONE, Done};
use crate::table::pairs;
use crate::when::{bytes, grouped, span, when, when_known};

/// How often `--watch` looks.
const WATCH_EVERY: Duration = Duration::from_secs(2);

/// `mandorla status`
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Print again whenever something changes, until interrupted
    #[arg(long)]
    watch: bool,
}

pub(crate) async fn run(args: &StatusArgs, cx: &Context) -> Done {
    let mut shown = cx.call(&Status {}).await?;
    cx.out.object(&shown, text)?;
    if !args.watch {
        return DONE;
    }
    loop {
        tokio::time::sleep(WATCH_EVERY).await;
        let now = cx.call(&Status {}).await?;
        // What always moves is no news.
        let still = StatusReply {
            uptime_s: shown.uptime_s,
            disk_free_bytes: shown.disk_free_bytes,
            ..now.clone()
        };
        if text(&still) == text(&shown) {
            continue;
        }
        if cx.out.json {
            cx.out.json_line(&now)?;
        } else {
            cx.out.text(&format!("\n{}", text(&now)))?;
        }
        shown = now;
    }
}

fn text(status: &StatusReply) -> String {
    let roles = if status.roles.is_empty() {
        "no role".to_owned()
    } else {
        status.roles.join(", ")
    };
    let mut rows = vec![
        ("node", format!("{} ({})", status.node, status.country)),
        ("fingerprint", status.fingerprint.clone()),
        (
            "version",
            format!("{}, process {}", status.version, status.pid),
        ),
        ("listens on", format!("{} (UDP)", status.listen)),
        ("kernel", status.kernel.clone()),
        (
            "keys",
            match status.keys_sealed_under.as_str() {
                "none" => "not sealed".to_owned(),
                kind => format!("sealed under a {kind}"),
            },
        ),
        ("peers", peers(status)),
        ("agreements", format!("{} live", status.agreements_live)),
        ("datasets", status.datasets.to_string()),
        (
            "own rounds",
            format!(
                "{} open, {} waiting for an authoriser",
                status.rounds_open, status.rounds_waiting_for_approval
            ),
        ),
        ("next answer", when_known(status.next_slot)),
        ("disk", disk(status)),
        (
            "ledger",
            format!("{} entries", grouped(status.ledger_entries)),
        ),
        ("running for", span(status.uptime_s)),
        ("you are", format!("{} ({roles})", status.user)),
    ];
    if let Some(due) = status.items_due {
        rows.push(("at your desk", format!("{due} items")));
    }
    rows.extend(status.faults.iter().map(|fault| ("fault", fault.clone())));
    pairs(&rows)
}

fn peers(status: &StatusReply) -> String {
    if status.peers_seen.is_empty() {
        return status.peers.to_string();
    }
    let seen = status.peers_seen.iter();
    let seen = seen.map(|peer| match peer.last_seen {
        Some(at) => format!("{} (last seen {})", peer.peer, when(at)),
        None => format!("{} (never seen)", peer.peer),
    });
    seen.collect::<Vec<_>>().join(", ")
}

fn disk(status: &StatusReply) -> String {
    status
        .disk_free_bytes
        .map_or_else(|| "-".to_owned(), |free| format!("{} free", bytes(free)))
}

/// `mandorla node health`: exit 0 where the node does its work, 7 where something keeps it from it, 3 where none answers.
pub(crate) async fn health(cx: &Context) -> Done {
    let status = cx.call(&Status {}).await?;
    let is_healthy = status.faults.is_empty();
    let object = json!({
        "healthy": is_healthy, "faults": status.faults, "version": status.version, "kernel": status.kernel,
        "keys_sealed_under": status.keys_sealed_under, "uptime_s": status.uptime_s, "rounds_open": status.rounds_open,
        "items_due": status.items_due, "next_slot": status.next_slot, "peers": status.peers_seen,
        "disk_free_bytes": status.disk_free_bytes, "ledger_entries": status.ledger_entries,
    });
    cx.out.object(&object, |_| {
        let word = if is_healthy { "healthy" } else { "not healthy" };
        format!(
            "{word}: running for {}, {}, {} own rounds open\n",
            span(status.uptime_s),
            disk(&status),
            status.rounds_open
        )
    })?;
    match status.faults.first() {
        None => DONE,
        Some(fault) => {
            Err(ApiError::new(ErrorCode::FaultFound, fault.clone()).hint("mandorla doctor"))
        }
    }
}
