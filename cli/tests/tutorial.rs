//! The tutorial and the operator's guide, word for word: their commands are run in order, one shell for each agency, and
//! what they show must come.
//!
//! A block `sh gb` or `sh rs` is run in that agency's terminal; each line of a block `text` must be a line that the
//! block before it printed, where `…` stands for anything. What differs from what a reader types: the ports are
//! free ones, and answers come sooner.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::path::Path;

use terminals::{Node, follow, without_settings};

#[path = "tutorial/terminals.rs"]
mod terminals;

const TUTORIAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/start/tutorial.md");
const GUIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guides/operate.md");

#[test]
fn the_tutorial_works_word_for_word() {
    let instead = [
        ("--listen 127.0.0.1:4433", "--listen 127.0.0.1:0"),
        ("--listen 127.0.0.1:4434", "--listen 127.0.0.1:0"),
        ("--slot 5m", "--slot 20s"),
    ];
    let dir = tempfile::tempdir().unwrap();
    let nodes = ["gb", "rs"].map(|agency| Node::new(agency, dir.path().join("trial").join(agency)));
    let ran = follow(TUTORIAL, &instead, dir.path(), &nodes);
    assert!(ran >= 15, "only {ran} blocks were found to run");

    let hits = std::fs::read_to_string(dir.path().join("trial/hits.csv")).unwrap();
    assert_eq!(hits.lines().count(), 3, "{hits}");
    for node in &nodes {
        assert!(!node.answers(), "{} still runs", node.terminal);
    }
}

#[test]
fn the_operators_guide_works_word_for_word() {
    let instead = [
        ("--listen 192.0.2.10:4433", "--listen 127.0.0.1:0"),
        ("--listen 198.51.100.20:4433", "--listen 127.0.0.1:0"),
        (
            "--slot 5m --min-interval 5m",
            "--slot 20s --min-interval 1s",
        ),
        (r#"s/slots = \["5m"\]/"#, r#"s/slots = \["20s"\]/"#),
    ];
    let dir = tempfile::tempdir().unwrap();
    real_lists(dir.path());
    let nodes = [("uk", "uk-node"), ("rs", "rs-node")]
        .map(|(side, at)| Node::new(side, dir.path().join(at)));
    let ran = follow(GUIDE, &instead, dir.path(), &nodes);
    assert!(ran >= 25, "only {ran} blocks were found to run");

    let hits = std::fs::read_to_string(dir.path().join("hits.csv")).unwrap();
    assert_eq!(hits.lines().count(), 2, "{hits}");
    let next = std::fs::read_to_string(dir.path().join("next.toml")).unwrap();
    assert!(next.contains("\nversion = 2") && next.contains(r#"slots = ["24h"]"#));
}

/// What the readers of the guide have already: a list each, and its map file, under the names that the guide uses.
fn real_lists(directory: &Path) {
    let made = without_settings(env!("CARGO_BIN_EXE_mandorla"))
        .args(["data", "generate", "--seed", "2", "-o"])
        .arg(directory.join("real"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    for (generated, name) in [("uk", "persons"), ("rs", "evidencija")] {
        for kind in ["csv", "map.toml"] {
            let from = directory.join(format!("real/{generated}.{kind}"));
            let text = std::fs::read_to_string(from).unwrap();
            let text = text.replace("synthetic = true\n", "");
            std::fs::write(directory.join(format!("{name}.{kind}")), text).unwrap();
        }
    }
}
