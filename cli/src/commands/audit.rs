//! `mandorla audit …`.

use clap::Subcommand;
use mandorla_control::{ApiError, AuditLog, AuditReport, AuditVerify, ErrorCode};
use serde_json::Value;

use crate::commands::fields::{bullets, yes_no};
use crate::context::Context;
use crate::failure::{DONE, Done};
use crate::table::{Table, pairs};
use crate::when::{grouped, when};

/// Most entries that one call gives.
const LIMIT_MAX: u64 = 10_000;

/// `mandorla audit …`
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Recompute the ledger and every pair log (exit 7 if a fault is found)
    Verify,
    /// Entries of the ledger
    Log {
        /// First entry, from 0
        #[arg(long, value_name = "ENTRY", default_value_t = 0)]
        from: u64,
        /// Most entries
        #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=LIMIT_MAX))]
        limit: u64,
        /// Only entries since this day (UTC), as 2026-11-24
        #[arg(long, value_name = "DATE")]
        since: Option<jiff::civil::Date>,
    },
}

pub(crate) async fn run(command: AuditCommand, cx: &Context) -> Done {
    match command {
        AuditCommand::Verify => verify(cx).await,
        AuditCommand::Log { from, limit, since } => {
            let entries = log(from, limit, since, cx).await?;
            cx.out.list(&entries, log_text)?;
            DONE
        }
    }
}

async fn verify(cx: &Context) -> Done {
    let report = cx.call(&AuditVerify {}).await?;
    cx.out.object(&report, report_text)?;
    match report.faults.first() {
        None if report.verified => DONE,
        fault => {
            let fault = fault.map_or("the node could not verify its records", String::as_str);
            Err(ApiError::new(ErrorCode::FaultFound, fault.to_owned())
                .hint("tell the auditor; keep a copy of the data directory before anything else"))
        }
    }
}

/// Entries from `from` on; with `since`, pages through until `limit` entries of that time are found.
async fn log(
    from: u64,
    limit: u64,
    since: Option<jiff::civil::Date>,
    cx: &Context,
) -> Result<Vec<Value>, ApiError> {
    let Some(day) = since else {
        return cx.call(&AuditLog { from, limit }).await;
    };
    let since_s = jiff::tz::TimeZone::UTC
        .to_timestamp(day.into())
        .map_err(|error| ApiError::new(ErrorCode::BadRequest, error.to_string()))?
        .as_second();
    let (mut next, mut found) = (from, Vec::new());
    loop {
        let page = cx
            .call(&AuditLog {
                from: next,
                limit: LIMIT_MAX,
            })
            .await?;
        let full = page.len() as u64 == LIMIT_MAX;
        next += page.len() as u64;
        found.extend(page.into_iter().filter(|entry| {
            entry["time_unix_s"]
                .as_i64()
                .is_some_and(|time_s| time_s >= since_s)
        }));
        if !full || found.len() as u64 >= limit {
            found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            return Ok(found);
        }
    }
}

fn report_text(report: &AuditReport) -> String {
    let verdict = if report.verified {
        "verified"
    } else {
        "NOT VERIFIED"
    };
    let mut table = Table::new(&[
        "PAIR LOG",
        "DIRECTION",
        "FACTS",
        "PENDING",
        "COUNTERSIGNED",
        "ROOT",
    ]);
    for log in &report.pair_logs {
        table.row([
            log.peer.clone(),
            log.direction.clone(),
            log.facts.to_string(),
            log.pending.to_string(),
            yes_no(log.countersigned),
            log.root.clone(),
        ]);
    }
    pairs(&[
        (
            "ledger",
            format!("{verdict}, {} entries", grouped(report.entries)),
        ),
        ("root", report.root.clone()),
    ]) + "\n"
        + &table.text_or("no pair logs yet")
        + &bullets("faults", &report.faults)
}

fn log_text(entries: &[Value]) -> String {
    let mut table = Table::new(&["ENTRY", "TIME", "EVENT", "BY", "ROUND", "DETAIL"]);
    for entry in entries {
        let text = |name: &str| entry[name].as_str().unwrap_or("-").to_owned();
        let by = match (entry["actor"].as_str(), entry["role"].as_str()) {
            (Some(actor), Some(role)) => format!("{actor} ({role})"),
            (Some(actor), None) => actor.to_owned(),
            _ => "-".to_owned(),
        };
        let detail: Vec<String> = entry["detail"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| match value.as_str() {
                Some(value) => format!("{name}={value}"),
                None => format!("{name}={value}"),
            })
            .collect();
        table.row([
            entry["seq"].to_string(),
            entry["time_unix_s"]
                .as_u64()
                .map_or_else(|| "-".to_owned(), when),
            text("event"),
            by,
            text("round"),
            detail.join(" "),
        ]);
    }
    table.text_or("no entries")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_entry_is_one_line_with_who_did_what() {
        let entries = [json!({
            "seq": 4, "time_unix_s": 543_144_600, "event": "question.approved", "actor": "p.officer",
            "role": "authoriser", "round": "R-1", "detail": {"cells": 4096, "reason": "OP-LARCH"}, "salt": "00",
        })];
        assert_eq!(
            log_text(&entries).lines().nth(1).unwrap(),
            "4      19 Mar 1987 09:30 UTC  question.approved  p.officer (authoriser)  R-1    cells=4096 reason=OP-LARCH"
        );
        assert_eq!(log_text(&[]), "no entries\n");
    }
}
