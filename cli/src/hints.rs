//! Hints that can be run as they stand: with the flags that this command was given.
//!
//! The node and most commands write `mandorla peer list`; who typed `mandorla --data-dir X …` must type it again.

use std::path::Path;

use crate::args::Global;

/// Commands that no node and no configuration is needed for.
const PLACELESS: [&str; 7] = [
    "help",
    "version",
    "demo",
    "man",
    "completion",
    "data",
    "bench",
];

/// Commands that work on the data directory or run as the node itself: neither a socket nor a user is of use to them.
const OF_DIRECTORY: [&str; 6] = [
    "init",
    "config",
    "key seal",
    "node run",
    "backup verify",
    "backup restore",
];

/// Commands that only the operator may give; the node's owner is it without naming anybody.
const OF_OPERATOR: [&str; 2] = ["node", "doctor"];

/// The places that a command was given, to be given to the next one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hints {
    directory: String,
    socket: String,
    user: String,
}

impl Hints {
    pub(crate) fn new(global: &Global) -> Self {
        let flag = |name: &str, path: &Option<std::path::PathBuf>| {
            path.as_deref()
                .map_or_else(String::new, |path| format!(" --{name} {}", quoted(path)))
        };
        let user = global.user.as_deref();
        Self {
            directory: flag("data-dir", &global.data_dir) + &flag("config", &global.config),
            socket: flag("socket", &global.socket),
            user: user.map_or_else(String::new, |user| {
                format!(" --user {}", quoted(Path::new(user)))
            }),
        }
    }

    /// The text with these flags behind each `mandorla` that begins a command of this host. One in backquotes is about
    /// the program in general, or for somebody else to type.
    pub(crate) fn complete(&self, text: &str) -> String {
        const NAME: &str = "mandorla ";
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(NAME) {
            let (before, from_name) = rest.split_at(at);
            let after = &from_name[NAME.len()..];
            out.push_str(before);
            out.push_str(NAME.trim_end());
            if !out[..out.len() - NAME.trim_end().len()].ends_with(['`', '-', '_', '/', '.'])
                && is_command(after)
            {
                out.push_str(&self.flags_of(after));
            }
            out.push(' ');
            rest = after;
        }
        out.push_str(rest);
        out
    }

    fn flags_of(&self, command: &str) -> String {
        let is = |words: &&str| {
            command.strip_prefix(*words).is_some_and(|rest| {
                !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-')
            })
        };
        let mut flags = String::new();
        if PLACELESS.iter().any(is) {
            return flags;
        }
        flags += &self.directory;
        if !OF_DIRECTORY.iter().any(is) {
            flags += &self.socket;
            if !OF_OPERATOR.iter().any(is) {
                flags += &self.user;
            }
        }
        flags
    }
}

/// Whether the words after the program's name are a command of it.
fn is_command(after: &str) -> bool {
    let end = after
        .find(|c: char| !c.is_ascii_lowercase() && c != '-')
        .unwrap_or(after.len());
    let noun = &after[..end];
    crate::definitions().find_subcommand(noun).is_some()
}

/// As a shell reads it back.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+:,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::Cli;

    fn hints(flags: &[&str]) -> Hints {
        let words = ["mandorla"].iter().chain(flags).chain(&["version"]);
        Hints::new(&Cli::try_parse_from(words).unwrap().global)
    }

    #[test]
    fn a_hint_carries_the_flags_that_its_command_was_given() {
        let of = hints(&["--data-dir", "/d", "--user", "ana"]);
        for (hint, completed) in [
            (
                "mandorla round list",
                "mandorla --data-dir /d --user ana round list",
            ),
            ("mandorla node run", "mandorla --data-dir /d node run"),
            ("mandorla help errors", "mandorla help errors"),
            (
                "mandorla status; mandorla node stop",
                "mandorla --data-dir /d --user ana status; mandorla --data-dir /d node stop",
            ),
            (
                "ask RS for a new card: mandorla peer add FILE",
                "ask RS for a new card: mandorla --data-dir /d --user ana peer add FILE",
            ),
            (
                "compare `mandorla version` on both nodes",
                "compare `mandorla version` on both nodes",
            ),
            (
                "mandorla --data-dir /d node run",
                "mandorla --data-dir /d node run",
            ),
            ("the mandorla project", "the mandorla project"),
            ("groupadd mandorla", "groupadd mandorla"),
        ] {
            assert_eq!(of.complete(hint), completed);
        }
        assert_eq!(
            hints(&[]).complete("mandorla peer list"),
            "mandorla peer list"
        );
    }

    #[test]
    fn a_socket_is_passed_on_but_not_to_what_makes_it() {
        let of = hints(&["--socket", "/run/x y.sock"]);
        assert_eq!(of.complete("mandorla node run"), "mandorla node run");
        assert_eq!(
            of.complete("mandorla peer list"),
            "mandorla --socket '/run/x y.sock' peer list"
        );
        assert_eq!(
            of.complete("mandorla node stop"),
            "mandorla --socket '/run/x y.sock' node stop"
        );
        assert_eq!(quoted(Path::new("it's")), "'it'\\''s'");
    }
}
