//! `mandorla doctor`: what is wrong here, why it matters, and what ends it.

use std::fmt::Write as _;

use clap::Args;
use mandorla_control::{ApiError, Check, CheckStatus, CheckView, ErrorCode, NodeDoctor, Status};
use mandorla_node::check_host;
use serde_json::json;

use crate::context::Context;
use crate::failure::{DONE, Done};
use crate::table::Table;

/// `mandorla doctor`
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Connect to this peer only
    #[arg(long, value_name = "PEER")]
    peer: Option<String>,
}

pub(crate) async fn run(args: &DoctorArgs, cx: &Context) -> Done {
    let data_dir = cx.places()?.data_dir;
    let answered = cx.call(&Status {}).await;
    let answers = !matches!(&answered, Err(error) if error.code == ErrorCode::Unreachable);
    let host = tokio::task::spawn_blocking(move || check_host(&data_dir, answers));
    let mut found = host.await.map_err(crate::failure::internal)?;
    if answers {
        let peer = args.peer.clone();
        match cx.call(&NodeDoctor { peer }).await {
            Ok(living) => found.extend(living),
            // What the host shows is worth seeing all the same.
            Err(error) if args.peer.is_none() => found.push(not_asked(&error)),
            Err(error) => return Err(error),
        }
    }
    let failed = found.iter().filter(|view| view.status == CheckStatus::Fail);
    let failed: Vec<&CheckView> = failed.collect();
    let object = json!({"healthy": failed.is_empty(), "checks": found});
    cx.out.object(&object, |_| text(&found, cx))?;
    let Some(first) = failed.first() else {
        return DONE;
    };
    let message = match failed.len() {
        1 => format!("{}: {}", first.check, first.what),
        n => format!(
            "{n} checks failed; the first is {}: {}",
            first.check, first.what
        ),
    };
    let error = ApiError::new(ErrorCode::FaultFound, message);
    Err(error.hint(first.remedy.clone().unwrap_or_default()))
}

fn not_asked(error: &ApiError) -> CheckView {
    CheckView::warn(
        Check::Node,
        format!("the node makes no checks for you: {}", error.message),
        "faults of store, ledger, agreements, datasets and peers are not seen",
        error
            .hint
            .clone()
            .unwrap_or_else(|| "mandorla help errors".to_owned()),
    )
}

fn text(found: &[CheckView], cx: &Context) -> String {
    let mut table = Table::new(&["", "CHECK", "FOUND"]);
    for view in found {
        let word = match view.status {
            CheckStatus::Ok => "ok",
            CheckStatus::Warn => "warn",
            CheckStatus::Fail => "FAIL",
        };
        table.row([word.to_owned(), view.check.to_string(), view.what.clone()]);
    }
    let mut text = table.text_or("");
    for view in found.iter().filter(|view| view.status != CheckStatus::Ok) {
        let _ = write!(text, "\n{}: {}\n", view.check, view.what);
        if let Some(why) = &view.why {
            let _ = writeln!(text, "   why: {why}");
        }
        if let Some(remedy) = &view.remedy {
            let _ = writeln!(text, "    do: {}", cx.out.hint(remedy));
        }
    }
    text
}
