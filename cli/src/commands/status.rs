//! `mandorla status`.

use std::time::Duration;

use clap::Args;
use mandorla_control::{Status, StatusReply};

use crate::context::Context;
use crate::failure::{DONE, Done};
use crate::table::pairs;
use crate::when::span;

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
        if text(&StatusReply {
            uptime_s: shown.uptime_s,
            ..now.clone()
        }) == text(&shown)
        {
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
    pairs(&[
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
        ("peers", status.peers.to_string()),
        ("agreements", format!("{} live", status.agreements_live)),
        ("datasets", status.datasets.to_string()),
        (
            "own rounds",
            format!(
                "{} open, {} waiting for an authoriser",
                status.rounds_open, status.rounds_waiting_for_approval
            ),
        ),
        ("running for", span(status.uptime_s)),
        ("you are", format!("{} ({roles})", status.user)),
    ])
}
