//! Verifying: the node's records by the node, a file by this program alone.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use mandorla_control::{
    ApiError, AuditReport, AuditVerify, AuditVerifyFrom, EntryProof, ErrorCode,
};
use mandorla_node::{BundleReport, verify_bundle, verify_entry_proof};

use crate::commands::fields::{bullets, yes_no};
use crate::context::{Context, read_text};
use crate::failure::{DONE, Done, file};
use crate::table::{Table, pairs};
use crate::when::{grouped, when};

pub(super) async fn node(from: Option<&Path>, key: Option<&str>, cx: &Context) -> Done {
    if key.is_some() {
        return Err(ApiError::new(
            ErrorCode::BadRequest,
            "--key is for files: --bundle FILE or --proof FILE",
        )
        .hint(cx.command("audit verify --help")));
    }
    let report = match from {
        Some(path) => {
            let checkpoint = read_text(path)?;
            cx.call(&AuditVerifyFrom { checkpoint }).await?
        }
        None => cx.call(&AuditVerify {}).await?,
    };
    cx.out.object(&report, report_text)?;
    outcome(report.verified, report.faults.first())
}

/// An exported file.
pub(super) fn bundle(path: &Path, from: Option<&Path>, key: Option<&str>, cx: &Context) -> Done {
    let known = from.map(read_text).transpose()?;
    let opened = File::open(path).map_err(|error| file(path, error))?;
    let report = verify_bundle(BufReader::new(opened), known.as_deref(), key);
    let report = report.map_err(|error| file(path, error))?;
    cx.out.object(&report, bundle_text)?;
    outcome(report.verified, report.faults.first())
}

/// The proof of one entry.
pub(super) fn proof(path: &Path, key: Option<&str>, cx: &Context) -> Done {
    let proof: EntryProof = serde_json::from_str(&read_text(path)?)
        .map_err(|_| file(path, "the file is no proof of a ledger entry"))?;
    match verify_entry_proof(&proof, key) {
        Ok(entry) => {
            cx.out.object(&entry, |_| {
                let entry = serde_json::to_value(&entry).unwrap_or_default();
                let rows = pairs(&[
                    (
                        "verified",
                        format!("entry {} of {} of {}", proof.seq, proof.size, proof.node),
                    ),
                    ("signed by", proof.keys.join(", ")),
                ]);
                rows + &super::log::text(&[entry])
            })?;
            DONE
        }
        Err(why) => outcome(false, Some(&why)),
    }
}

fn outcome(verified: bool, fault: Option<&String>) -> Done {
    match fault {
        None if verified => DONE,
        fault => {
            let fault = fault.map_or("the records could not be verified", String::as_str);
            Err(ApiError::new(ErrorCode::FaultFound, fault.to_owned())
                .hint("tell the auditor; keep a copy of the data directory before anything else"))
        }
    }
}

fn verdict(verified: bool) -> &'static str {
    if verified { "verified" } else { "NOT VERIFIED" }
}

fn report_text(report: &AuditReport) -> String {
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
    let ledger = format!(
        "{}, {} entries",
        verdict(report.verified),
        grouped(report.entries)
    );
    pairs(&[("ledger", ledger), ("root", report.root.clone())])
        + "\n"
        + &table.text_or("no pair logs yet")
        + &bullets("faults", &report.faults)
}

fn bundle_text(report: &BundleReport) -> String {
    let entries = match report.first {
        0 => grouped(report.entries),
        first => format!("{}, in full from {first} on", grouped(report.entries)),
    };
    pairs(&[
        ("export", verdict(report.verified).to_owned()),
        ("node", report.node.clone()),
        ("signing keys", report.keys.join(", ")),
        ("made", when(report.exported_at)),
        ("entries", entries),
        ("checkpoints", grouped(report.checkpoints)),
        ("root", report.root.clone()),
        (
            "pair logs",
            format!("{}, {} facts", report.pair_logs, grouped(report.facts)),
        ),
        ("agreements", report.agreements.to_string()),
    ]) + &bullets("agreements not in the file", &report.agreements_missing)
        + &bullets("faults", &report.faults)
}
