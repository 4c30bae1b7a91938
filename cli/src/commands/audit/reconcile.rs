//! Comparing pair logs with a peer.

use mandorla_control::{ApiError, AuditReconcile, ErrorCode, ReconcileReport};

use crate::commands::fields::bullets;
use crate::context::Context;
use crate::failure::{DONE, Done};
use crate::table::Table;

pub(super) async fn reconcile(peer: String, cx: &Context) -> Done {
    let report = cx.call(&AuditReconcile { peer }).await?;
    cx.out.object(&report, text)?;
    match report.faults.first() {
        None => DONE,
        Some(fault) => Err(
            ApiError::new(ErrorCode::FaultFound, fault.clone()).hint(format!(
                "call the auditor of {}; keep a copy of both data directories before anything else",
                report.peer
            )),
        ),
    }
}

fn text(report: &ReconcileReport) -> String {
    let mut table = Table::new(&[
        "PAIR LOG",
        "DIRECTION",
        "OUTCOME",
        "FACTS HERE",
        "FACTS THERE",
        "PENDING",
    ]);
    let mut dropped = Vec::new();
    for log in &report.logs {
        table.row([
            report.peer.clone(),
            log.direction.clone(),
            log.outcome.clone(),
            log.own_facts.to_string(),
            log.peer_facts.to_string(),
            log.pending.to_string(),
        ]);
        dropped.extend(
            log.dropped
                .iter()
                .map(|fact| format!("{}: {fact}", log.direction)),
        );
    }
    table.text_or("no pair logs")
        + &bullets("dropped, because the peer does not know them", &dropped)
        + &bullets("faults", &report.faults)
}

#[cfg(test)]
mod tests {
    use mandorla_control::ReconciledLog;

    use super::*;

    #[test]
    fn both_directions_and_what_was_dropped_are_shown() {
        let log = |direction: &str, dropped: &[&str]| ReconciledLog {
            direction: direction.into(),
            outcome: "in step".into(),
            own_facts: 7,
            peer_facts: 7,
            pending: 1,
            dropped: dropped.iter().map(|fact| (*fact).to_owned()).collect(),
            fault: None,
        };
        let report = ReconcileReport {
            schema: 1,
            peer: "RS".into(),
            in_step: true,
            logs: vec![
                log("we ask", &["evaluation of round 3f"]),
                log("they ask", &[]),
            ],
            faults: Vec::new(),
        };
        let expected = "\
PAIR LOG  DIRECTION  OUTCOME  FACTS HERE  FACTS THERE  PENDING
RS        we ask     in step  7           7            1
RS        they ask   in step  7           7            1
dropped, because the peer does not know them
  - we ask: evaluation of round 3f
";
        assert_eq!(text(&report), expected);
    }
}
