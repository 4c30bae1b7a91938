//! The reference page names every clause and no other.

use std::collections::BTreeSet;

use super::CLAUSES;
use crate::LocalPolicy;

const AGREEMENT: &str = include_str!("../../../../docs/reference/agreement.md");
const CONFIG: &str = include_str!("../../../../docs/reference/config.md");

/// What stands in a row: its keys, and the last cell.
struct Row<'a> {
    heading: &'a str,
    keys: Vec<&'a str>,
    last: &'a str,
}

/// The rows of tables whose head starts with `| first |`.
fn rows<'a>(page: &'a str, first: &str) -> Vec<Row<'a>> {
    let (mut heading, mut inside, mut rows) = ("", false, Vec::new());
    for line in page.lines() {
        if line.starts_with("## ") {
            heading = line;
        }
        if !line.starts_with('|') {
            inside = false;
        } else if line.starts_with(&format!("| {first} |")) {
            inside = true;
        } else if inside && !line.starts_with("|---") {
            let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            rows.push(Row {
                heading,
                keys: cells[0].split('`').skip(1).step_by(2).collect(),
                last: cells.last().copied().unwrap_or(""),
            });
        }
    }
    rows
}

/// A key as the page writes it under its heading, as a path of the table.
fn path(heading: &str, key: &str) -> String {
    let prefix = match heading {
        _ if heading.contains("[[party]]") => "party.*.",
        _ if heading.contains("[[dataset]]") => "dataset.*.*.",
        _ if heading.contains("[limits.A_to_B]") => "limits.*.",
        _ if heading.contains("[disclosure.A_to_B]") => "disclosure.*.",
        _ => "",
    };
    let key = key.replace("<PARTY>", "*").replace("<match key>", "*");
    let key = key.replacen("match_key.", "match_key.*.", 1);
    format!("{prefix}{key}")
}

#[test]
fn every_clause_is_documented_and_every_documented_key_is_one() {
    let mut documented = BTreeSet::new();
    for row in rows(AGREEMENT, "field") {
        let says = ["nforced", "isplayed", "ecorded"]
            .iter()
            .any(|word| row.last.contains(word));
        assert!(
            says,
            "{:?} does not say what the program does: {}",
            row.keys, row.last
        );
        for key in row.keys {
            let path = path(row.heading, key);
            assert!(documented.insert(path.clone()), "{path} stands twice");
        }
    }
    assert!(documented.remove("answer.fetch_hours")); // another way to write `fetch_window`
    let of_tables = |path: &String| {
        CLAUSES
            .iter()
            .any(|clause| clause.path.starts_with(&format!("{path}.")))
    };
    documented.retain(|path| !of_tables(path));
    let fields = CLAUSES.iter().filter(|clause| !clause.is_table());
    let fields: BTreeSet<_> = fields.map(|clause| clause.path.to_owned()).collect();
    assert_eq!(documented, fields);
}

#[test]
fn every_key_of_a_policy_is_documented_and_every_documented_key_is_one() {
    let policy_rows = rows(CONFIG, "key");
    let policy_rows = policy_rows
        .iter()
        .filter(|row| row.heading.contains("[policy]"));
    let documented: BTreeSet<String> = policy_rows
        .flat_map(|row| &row.keys)
        .map(|key| key.split('.').next().unwrap_or("").to_owned())
        .collect();
    let error = toml::from_str::<LocalPolicy>("zzz = 1").unwrap_err();
    let (_, expected) = error.message().split_once("expected").unwrap();
    let known: BTreeSet<_> = expected
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    assert_eq!(documented, known);
}
