//! The tutorial, word for word: its commands are run in order, one shell for each agency, and what it shows must come.
//!
//! A block `sh gb` or `sh rs` is run in that agency's terminal; each line of a block `text` must be a line that the
//! block before it printed, where `…` stands for anything. Two things differ from what a reader types: the ports are
//! free ones, and the answer comes sooner.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const TUTORIAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/start/tutorial.md");
/// A starting daemon answers well within this, also on a busy machine.
const READY_WITHIN: Duration = Duration::from_mins(1);
/// What a reader types, and what the test runs instead.
const INSTEAD: [(&str, &str); 3] = [
    ("--listen 127.0.0.1:4433", "--listen 127.0.0.1:0"),
    ("--listen 127.0.0.1:4434", "--listen 127.0.0.1:0"),
    ("--slot 5m", "--slot 20s"),
];
/// Keeps a terminal's variables and directory between two blocks; variables become exported ones.
const BEFORE: &str = "set -euo pipefail; set -a; if [ -f \"$STATE\" ]; then . \"$STATE\"; fi\n";
const AFTER: &str = "\nexport -p > \"$STATE\"; printf 'cd %q\\n' \"$PWD\" >> \"$STATE\"\n";

#[test]
fn the_tutorial_works_word_for_word() {
    let dir = tempfile::tempdir().unwrap();
    let mut text = std::fs::read_to_string(TUTORIAL).unwrap();
    for (typed, run) in INSTEAD {
        assert_eq!(
            text.matches(typed).count(),
            1,
            "the tutorial says {typed:?} once"
        );
        text = text.replace(typed, run);
    }
    let nodes = ["gb", "rs"].map(|agency| Node(dir.path().join("trial").join(agency)));
    let (mut ran, mut printed) = (0, String::new());
    for (kind, body) in fences(&text) {
        match kind.split_once(' ') {
            Some(("sh", agency)) => {
                printed = run(agency, &body, dir.path());
                ran += 1;
            }
            None if kind == "text" => assert_shown(&body, &printed),
            None if kind == "sh" => {} // building is done, and the path is the test's
            other => panic!("a block of kind {other:?}"),
        }
        if body.contains("mandorla node run") {
            let node = nodes.iter().find(|node| kind.ends_with(node.agency()));
            node.unwrap().wait_until_ready();
        }
    }
    assert!(ran >= 15, "only {ran} blocks were found to run");

    let hits = std::fs::read_to_string(dir.path().join("trial/hits.csv")).unwrap();
    assert_eq!(hits.lines().count(), 3, "{hits}");
    for node in &nodes {
        assert!(!node.answers(), "{} still runs", node.agency());
    }
}

/// Kind and text of each fenced block.
fn fences(text: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(kind)) => open = Some((kind.to_owned(), String::new())),
            (Some(_), Some("")) => blocks.extend(open.take()),
            (Some((_, body)), _) => body.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

/// Runs a block in its agency's terminal; returns what it printed.
fn run(agency: &str, block: &str, directory: &Path) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_mandorla")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let script = format!("{BEFORE}exec 2>&1\n{block}{AFTER}");
    let mut command = without_settings("bash");
    let output = command
        .args(["-c", &script])
        .current_dir(directory)
        .env("PATH", format!("{}:{path}", binary.display()))
        .env("STATE", directory.join(format!("{agency}.terminal")))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{agency}:\n{block}\nprinted:\n{printed}"
    );
    printed
}

fn without_settings(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MANDORLA_") {
            command.env_remove(name);
        }
    }
    command
}

/// Every line of `shown` is a line of `printed`, in this order.
fn assert_shown(shown: &str, printed: &str) {
    let mut lines = printed.lines();
    for line in shown.lines() {
        assert!(
            lines.any(|printed| fits(line, printed)),
            "the tutorial shows {line:?}, which did not come in its place in:\n{printed}"
        );
    }
}

/// Whether `line` is `pattern` with something for each `…`.
fn fits(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[test]
fn a_shown_line_fits_only_a_line_of_its_form() {
    assert!(fits("H-… is released", "H-01 is released"));
    assert!(fits("…a…", "banana"));
    assert!(fits("state  live", "state  live"));
    assert!(!fits("state  live", "state  live again"));
    assert!(!fits("H-… is released", "H-01 is refused"));
    assert!(!fits("a…b…c", "acb"));
}

/// A node of the tutorial; stopped however the test ends.
struct Node(PathBuf);

impl Node {
    fn agency(&self) -> &str {
        self.0.file_name().unwrap().to_str().unwrap()
    }

    fn mandorla(&self, words: &[&str]) -> bool {
        let mut command = without_settings(env!("CARGO_BIN_EXE_mandorla"));
        command.arg("--data-dir").arg(&self.0).args(words);
        command.output().unwrap().status.success()
    }

    fn answers(&self) -> bool {
        self.mandorla(&["status"])
    }

    fn wait_until_ready(&self) {
        let deadline = Instant::now() + READY_WITHIN;
        while !self.answers() {
            assert!(
                Instant::now() < deadline,
                "{} does not answer",
                self.agency()
            );
            std::thread::yield_now();
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if self.answers() {
            self.mandorla(&["node", "stop"]);
        }
    }
}
