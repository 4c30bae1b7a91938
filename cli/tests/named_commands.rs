//! Every command that a page of the documentation, a hint or a message names can be typed.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::fs;
use std::path::{Path, PathBuf};

use clap::Command;

const NAME: &str = "mandorla ";

fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|of_file| of_file == extension) {
            found.push(path);
        }
    }
}

/// The command that stands behind each `mandorla `, where one does and it cannot be typed.
fn unknown_commands(text: &str, root: &Command) -> Vec<String> {
    let mut unknown = Vec::new();
    for (at, _) in text.match_indices(NAME) {
        // Not the end of another word, and not a label of the protocol.
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || "-_/.".contains(c)) {
            continue;
        }
        let line = text[at + NAME.len()..].lines().next().unwrap_or_default();
        let mut words = line.split([' ', '`', '"', ';', ',', ':', '.', ')', '|', '\\']);
        if let Some(fault) = fault(&mut words, root) {
            unknown.push(fault);
        }
    }
    unknown
}

fn fault<'t>(words: &mut impl Iterator<Item = &'t str>, root: &Command) -> Option<String> {
    let noun = loop {
        let word = words.next()?;
        let Some(flag) = word.strip_prefix("--") else {
            break word;
        };
        let argument = root
            .get_arguments()
            .find(|one| one.get_long() == Some(flag))?;
        if argument.get_action().takes_values() {
            words.next()?;
        }
    };
    let Some(command) = root.find_subcommand(noun) else {
        return None; // the project's name in a sentence
    };
    let verb = words.next()?;
    // One letter is what an escape leaves of a line's end.
    let is_verb = verb.len() > 1
        && verb.starts_with(|c: char| c.is_ascii_lowercase())
        && verb.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    let misses = command.has_subcommands() && is_verb && command.find_subcommand(verb).is_none();
    misses.then(|| format!("{noun} {verb}"))
}

#[test]
fn every_command_that_is_named_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut named_in = vec![root.join("README.md")];
    files(&root.join("docs"), "md", &mut named_in);
    for crate_dir in ["cli/src", "node"] {
        files(&root.join(crate_dir), "rs", &mut named_in);
    }
    let definitions = mandorla_cli::definitions();
    let mut faults = Vec::new();
    for path in named_in {
        let text = fs::read_to_string(&path).unwrap();
        let unknown = unknown_commands(&text, &definitions).into_iter();
        faults.extend(unknown.map(|command| format!("{}: {command}", path.display())));
    }
    assert!(faults.is_empty(), "no such command: {faults:#?}");
}

#[test]
fn a_command_that_is_none_is_found_wherever_it_stands() {
    let definitions = mandorla_cli::definitions();
    let unknown = |text: &str| unknown_commands(text, &definitions);
    assert_eq!(unknown("`mandorla audit forget`"), ["audit forget"]);
    assert_eq!(
        unknown("mandorla --data-dir DIR --json peer sing X"),
        ["peer sing"]
    );
    assert!(unknown("mandorla peer list; mandorla is a word; mandorla node run").is_empty());
    assert!(unknown("x-mandorla peer sing; mandorla peer NAME").is_empty());
}
