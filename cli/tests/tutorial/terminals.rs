//! Terminals of two agencies, and a page of the documentation that is typed into them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A starting daemon answers well within this, also on a busy machine.
const READY_WITHIN: Duration = Duration::from_mins(1);
/// Keeps a terminal's variables and directory between two blocks; variables become exported ones.
const BEFORE: &str = "set -euo pipefail; set -a; if [ -f \"$STATE\" ]; then . \"$STATE\"; fi\n";
const AFTER: &str = "\nexport -p > \"$STATE\"; printf 'cd %q\\n' \"$PWD\" >> \"$STATE\"\n";

/// Runs every block of a page in order, with other words for what a test cannot have; returns how many ran.
///
/// A terminal is named in the block's kind, and each of `nodes` begins to run in the block of its terminal that says so.
pub(crate) fn follow(
    page: &str,
    instead: &[(&str, &str)],
    directory: &Path,
    nodes: &[Node],
) -> usize {
    let mut text = std::fs::read_to_string(page).unwrap();
    for (typed, run) in instead {
        assert_eq!(
            text.matches(typed).count(),
            1,
            "the page says {typed:?} once"
        );
        text = text.replace(typed, run);
    }
    let (mut ran, mut printed) = (0, String::new());
    for (kind, body) in fences(&text) {
        match kind.split_once(' ') {
            Some(("sh", agency)) => {
                printed = run(agency, &body, directory);
                ran += 1;
                if body.contains("mandorla node run") {
                    let node = nodes.iter().find(|node| node.terminal == agency);
                    node.unwrap().wait_until_ready();
                }
            }
            None if kind == "text" => assert_shown(&body, &printed),
            None if kind == "sh" => {} // building is done, and the path is the test's
            None if kind == "toml" => {} // shown, not typed
            other => panic!("a block of kind {other:?}"),
        }
    }
    ran
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

pub(crate) fn without_settings(program: &str) -> Command {
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
            "the page shows {line:?}, which did not come in its place in:\n{printed}"
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

/// A node of a page; stopped however the test ends.
pub(crate) struct Node {
    pub(crate) terminal: &'static str,
    data_dir: PathBuf,
}

impl Node {
    pub(crate) fn new(terminal: &'static str, data_dir: PathBuf) -> Self {
        Self { terminal, data_dir }
    }

    fn mandorla(&self, words: &[&str]) -> bool {
        let mut command = without_settings(env!("CARGO_BIN_EXE_mandorla"));
        command.arg("--data-dir").arg(&self.data_dir).args(words);
        command.output().unwrap().status.success()
    }

    pub(crate) fn answers(&self) -> bool {
        self.mandorla(&["status"])
    }

    fn wait_until_ready(&self) {
        let deadline = Instant::now() + READY_WITHIN;
        while !self.answers() {
            assert!(
                Instant::now() < deadline,
                "{} does not answer",
                self.terminal
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
