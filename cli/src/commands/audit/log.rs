//! Entries as lines.

use serde_json::Value;

use crate::table::Table;
use crate::when::when;

/// Longest detail shown whole: digests and receipts are for `--json`.
const VALUE_CHARS_MAX: usize = 40;

pub(super) fn text(entries: &[Value]) -> String {
    let mut table = Table::new(&[
        "ENTRY",
        "TIME",
        "EVENT",
        "OPERATION",
        "BY",
        "AGREEMENT",
        "ROUND",
        "DETAIL",
    ]);
    for entry in entries {
        let text = |name: &str| entry[name].as_str().unwrap_or("-").to_owned();
        let by = match (entry["actor"].as_str(), entry["role"].as_str()) {
            (Some(actor), Some(role)) => format!("{actor} ({role})"),
            (Some(actor), None) => actor.to_owned(),
            _ => "-".to_owned(),
        };
        let agreement = match entry["agreement"]["id"].as_str() {
            Some(id) => format!("{id} v{}", entry["agreement"]["version"]),
            None => "-".to_owned(),
        };
        let detail: Vec<String> = entry["detail"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| format!("{name}={}", short(value)))
            .collect();
        table.row([
            entry["seq"].to_string(),
            entry["time_unix_s"]
                .as_u64()
                .map_or_else(|| "-".to_owned(), when),
            text("event"),
            text("operation"),
            by,
            agreement,
            text("round"),
            detail.join(" "),
        ]);
    }
    table.text_or("no entries")
}

/// A value in a line: clauses by their names, lists joined, long digests cut.
fn short(value: &Value) -> String {
    let words = match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(short).collect::<Vec<_>>().join(","),
        Value::Object(fields) => match fields.get("clause").or(fields.get("code")) {
            Some(name) => short(name),
            None => fields
                .iter()
                .map(|(name, value)| format!("{name}:{}", short(value)))
                .collect::<Vec<_>>()
                .join(","),
        },
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    let is_long_digest =
        words.len() > VALUE_CHARS_MAX && words.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_long_digest {
        format!("{}…", &words[..16])
    } else {
        words
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_entry_is_one_line_with_who_did_what_under_which_agreement() {
        let entries = [json!({
            "seq": 4, "time_unix_s": 543_144_600, "event": "question.approved", "operation": "consultation",
            "actor": "p.officer", "role": "authoriser", "round": "R-1",
            "agreement": {"id": "UK-RS", "version": 2, "hash": "ab"},
            "detail": {"cells": 4096, "necessity": {"clause": "purpose.text", "sha256": "cd"},
                       "reason_commitment": "ab".repeat(32)},
            "salt": "00",
        })];
        assert_eq!(
            text(&entries).lines().nth(1).unwrap(),
            "4      19 Mar 1987 09:30 UTC  question.approved  consultation  p.officer (authoriser)  UK-RS v2   R-1    cells=4096 necessity=purpose.text reason_commitment=abababababababab…"
        );
        assert_eq!(text(&[]), "no entries\n");
    }
}
