//! A peer that is not there, or is another, is told apart from one that answers; and nothing is asked of it.

use std::path::{Path, PathBuf};

use super::harness::{Daemon, init_as, ran, refused, stderr, stdout};

/// A node in `dir`, and its daemon.
fn node(dir: &Path, country: &str) -> (PathBuf, Daemon) {
    let node = dir.join(country);
    let made = init_as(&node, country);
    assert!(made.status.success(), "{}", stderr(&made));
    let daemon = Daemon::start(&node);
    (node, daemon)
}

fn done(node: &Path, arguments: &[&str]) -> String {
    let output = ran(node, arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

/// Each takes the other's card and says that the words were compared.
fn paired(dir: &Path, nodes: [&Path; 2], codes: [&str; 2]) -> [PathBuf; 2] {
    let cards = codes.map(|code| dir.join(format!("{code}.card")));
    for (node, card) in nodes.iter().zip(&cards) {
        done(node, &["peer", "export", "-o", card.to_str().unwrap()]);
    }
    for (own, other) in [(0, 1), (1, 0)] {
        done(nodes[own], &["peer", "add", cards[other].to_str().unwrap()]);
        done(nodes[own], &["peer", "verify", codes[other], "--confirmed"]);
    }
    cards
}

#[test]
fn a_peer_that_is_down_is_named_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let (gb, _running) = node(dir.path(), "GB");
    let (rs, down) = node(dir.path(), "RS");
    paired(dir.path(), [&gb, &rs], ["GB", "RS"]);
    assert!(done(&gb, &["peer", "ping", "RS"]).contains("RS answered"));
    drop(down);
    let ping = ran(&gb, &["peer", "ping", "RS"]);
    refused(&ping, 6, "M-400", "RS", "ask RS to start its node");
}

#[test]
fn whoever_answers_at_a_peers_address_with_another_key_is_not_the_peer() {
    let dir = tempfile::tempdir().unwrap();
    let (gb, _gb) = node(dir.path(), "GB");
    let (rs, _rs) = node(dir.path(), "RS");
    let (me, _me) = node(dir.path(), "ME");
    let [_, card] = paired(dir.path(), [&gb, &rs], ["GB", "RS"]);
    // RS's address leads to ME: GB holds RS's keys with ME's address.
    done(
        &me,
        &[
            "peer",
            "export",
            "-o",
            dir.path().join("ME.card").to_str().unwrap(),
        ],
    );
    let line = |card: &Path| {
        let text = std::fs::read_to_string(card).unwrap();
        let found = text.lines().find(|line| line.starts_with("address"));
        found.expect("a card has an address").to_owned()
    };
    let moved = std::fs::read_to_string(&card).unwrap();
    let moved = moved.replace(&line(&card), &line(&dir.path().join("ME.card")));
    let without_check: String = moved
        .lines()
        .filter(|line| !line.starts_with("fingerprint"))
        .flat_map(|line| [line, "\n"])
        .collect();
    std::fs::write(&card, without_check).unwrap();
    done(&gb, &["peer", "add", card.to_str().unwrap()]);
    let ping = ran(&gb, &["peer", "ping", "RS"]);
    refused(&ping, 6, "M-401", "RS", "compare the words");
}
