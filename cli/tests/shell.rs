//! Manual pages and completions know every command.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::process::{Command, Output};

fn ran(arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_mandorla"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}");
    output
}

/// Names of all commands as the names of their pages: `mandorla-peer-add`.
fn pages(command: &clap::Command, prefix: &str, found: &mut Vec<String>) {
    found.push(prefix.to_owned());
    for inner in command.get_subcommands() {
        pages(inner, &format!("{prefix}-{}", inner.get_name()), found);
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let dir = tempfile::tempdir().unwrap();
    ran(&["man", dir.path().to_str().unwrap()]);
    let mut names = Vec::new();
    pages(&mandorla_cli::definitions(), "mandorla", &mut names);
    assert!(names.len() > 40, "{names:?}");
    for name in names {
        let page = std::fs::read_to_string(dir.path().join(format!("{name}.1")));
        let page = page.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(
            page.contains(".SH NAME") && page.contains(".SH SYNOPSIS"),
            "{name}"
        );
    }
}

#[test]
fn completions_of_each_shell_know_every_noun_and_verb() {
    let mut names = Vec::new();
    pages(&mandorla_cli::definitions(), "", &mut names);
    for shell in ["bash", "zsh", "fish"] {
        let script = String::from_utf8(ran(&["completion", shell]).stdout).unwrap();
        for name in &names {
            for word in name.split('-').filter(|word| !word.is_empty()) {
                assert!(script.contains(word), "{shell}: {word} of {name}");
            }
        }
    }
}
