//! The reference pages of the command line and its errors, made from the definitions.

use std::fmt::Write as _;

use mandorla_control::{Check, CheckSide, ErrorCode, Role, all_calls};

use crate::advice::{EXIT_CODES, advice, causes};

/// `docs/reference/cli.md`: every command with its usage, arguments and flags.
pub fn commands_page() -> String {
    let mut root = crate::definitions();
    root.build(); // so that subcommands know their full names
    let mut page = String::from(
        "# The command line\n\n\
         Made from the definitions that `mandorla help` prints; `UPDATE_DOCS=1 cargo test -p mandorla --test reference` writes it anew.\n\n\
         Data goes to stdout, messages to stderr. With `--json` a command prints one object with `\"schema\": 1`, a list as its `items`,\n\
         and an error as `{\"error\": {\"code\", \"message\", \"hint\"}}` on stderr. Every error is one of [these](errors.md).\n\n\
         ## Global flags\n\n\
         Every command takes them. A flag goes before its environment variable, that before `node.toml`, that before the default.\n\n\
         | flag | environment | meaning |\n|---|---|---|\n",
    );
    for flag in root
        .get_arguments()
        .filter(|argument| argument.is_global_set())
    {
        let environment = flag
            .get_env()
            .map_or_else(String::new, |name| format!("`{}`", name.to_string_lossy()));
        row(&mut page, &[&spelled(flag), &environment, &meaning(flag)]);
    }
    for command in root.get_subcommands() {
        section(&mut page, command, 2);
    }
    page
}

/// `docs/reference/errors.md`: exit codes, and every error with its advice.
pub fn errors_page() -> String {
    let mut page = String::from(
        "# Errors and exit codes\n\n\
         Made from the definitions that `mandorla help errors` prints; `UPDATE_DOCS=1 cargo test -p mandorla --test reference` writes it\n\
         anew. An error says what is wrong and why, with its code, and in the next line, after `hint:`, what to do. No error holds data of\n\
         a subject.\n\n\
         | exit | meaning |\n|---|---|\n",
    );
    for (exit, meaning) in EXIT_CODES {
        row(&mut page, &[&(exit as u8).to_string(), meaning]);
    }
    page += "\n| code | exit | meaning | usual causes | what to do |\n|---|---|---|---|---|\n";
    for code in ErrorCode::ALL {
        let (number, exit) = (format!("`{code}`"), (code.exit() as u8).to_string());
        let cells = [&number, &exit, code.meaning(), causes(*code), advice(*code)];
        row(&mut page, &cells);
    }
    page
}

/// `docs/reference/doctor.md`: the closed list of checks.
pub fn checks_page() -> String {
    let mut page = String::from(
        "# The checks of `mandorla doctor`\n\n\
         Made from the definitions; `UPDATE_DOCS=1 cargo test -p mandorla --test reference` writes it anew.\n\n\
         Each check ends `ok`, `warn` or `fail`; the last two say what was found, why it matters, and the command or change that ends it.\n\
         With a failed check the command exits with 7. Checks of the host need no node; the others are made by the running node, which only\n\
         its operator may ask, and are left out where none answers. With `--peer PEER` only that peer is connected to.\n\n\
         | check | made by | asks |\n|---|---|---|\n",
    );
    for check in Check::ALL {
        let side = match check.side() {
            CheckSide::Host => "the command",
            CheckSide::Node => "the node",
        };
        row(&mut page, &[&format!("`{check}`"), side, check.asks()]);
    }
    page += "\nA peer that does not answer fails with one of these classes: bad address, nothing listens, UDP blocked, timeout, wrong key, refused,\n\
             later, protocol mismatch.\n";
    page
}

/// `docs/reference/roles.md`: every call of the control API and who may make it.
pub fn roles_page() -> String {
    let mut page = String::from(include_str!("reference/roles.md"));
    page += "\n| role | for |\n|---|---|\n";
    for role in Role::ALL {
        row(&mut page, &[&format!("`{role}`"), role.meaning()]);
    }
    page += "\n## Calls\n\n| call |";
    for role in Role::ALL {
        let _ = write!(page, " {role} |");
    }
    page += "\n|---|---|---|---|---|\n";
    for call in all_calls() {
        let name = format!("`{}`", call.words());
        let may = |role| call.roles.is_empty() || call.roles.contains(&role);
        let cells = Role::ALL.map(|role| if may(role) { "yes" } else { "" });
        let [a, b, c, d] = cells;
        row(&mut page, &[&name, a, b, c, d]);
    }
    page
}

fn section(page: &mut String, command: &clap::Command, level: usize) {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let about = command.get_about().map(ToString::to_string);
    let heading = "#".repeat(level);
    let _ = write!(
        page,
        "\n{heading} `{name}`\n\n{}.\n",
        about.unwrap_or_default()
    );
    if command.has_subcommands() {
        for command in command.get_subcommands() {
            section(page, command, level + 1);
        }
        return;
    }
    let usage = command.clone().render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage);
    let _ = write!(page, "\n```text\n{}\n```\n", usage.trim_end());
    let own: Vec<&clap::Arg> = command
        .get_arguments()
        .filter(|argument| !argument.is_global_set() && argument.get_id() != "help")
        .collect();
    if own.is_empty() {
        return;
    }
    *page += "\n| argument | meaning |\n|---|---|\n";
    for argument in own {
        row(page, &[&spelled(argument), &meaning(argument)]);
    }
}

fn row(page: &mut String, cells: &[&str]) {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    let _ = writeln!(page, "| {} |", cells.join(" | "));
}

/// `-o`, `--output FILE`; a positional argument as `FILE`.
fn spelled(argument: &clap::Arg) -> String {
    let mut names = Vec::new();
    names.extend(argument.get_short().map(|short| format!("`-{short}`")));
    let takes_value = argument.get_action().takes_values();
    let value = argument
        .get_value_names()
        .and_then(|names| names.first())
        .map(ToString::to_string)
        .unwrap_or_default();
    match argument.get_long() {
        Some(long) if takes_value => names.push(format!("`--{long} {value}`")),
        Some(long) => names.push(format!("`--{long}`")),
        None if argument.is_positional() => names.push(format!("`{value}`")),
        None => {}
    }
    names.join(", ")
}

/// Help, default and possible values.
fn meaning(argument: &clap::Arg) -> String {
    let mut text = argument
        .get_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    if !argument.get_action().takes_values() {
        return text;
    }
    let values: Vec<String> = argument
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if !values.is_empty() {
        let _ = write!(text, "; one of {}", values.join(", "));
    }
    if let [default] = argument.get_default_values() {
        let _ = write!(text, "; default `{}`", default.to_string_lossy());
    }
    text
}
