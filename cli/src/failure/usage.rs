//! Refused usage: clap's explanation in the form of every other error.

use std::ffi::OsString;

use clap::error::ErrorKind;
use mandorla_control::{ApiError, ErrorCode};

/// `error: <what is wrong> (M-101)`, ` hint: <a likely correction, or the help of that command>`.
pub(crate) fn explain(error: &clap::Error, arguments: &[OsString]) -> ApiError {
    let rendered = error.render().to_string();
    let help = format!("{} --help", command_of(arguments));
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let message = "a command is missing";
        return ApiError::new(ErrorCode::BadRequest, message).hint(help);
    }
    let body = rendered.strip_prefix("error: ").unwrap_or(&rendered);
    let mut paragraphs = body.split("\n\n").map(one_line);
    let message = paragraphs.next().unwrap_or_default();
    let tip = paragraphs
        .find_map(|paragraph| paragraph.strip_prefix("tip: ").map(str::to_owned))
        .map(|tip| format!("{tip}; {help}"));
    ApiError::new(ErrorCode::BadRequest, message).hint(tip.unwrap_or(help))
}

fn one_line(paragraph: &str) -> String {
    let words: Vec<&str> = paragraph.split_whitespace().collect();
    words.join(" ")
}

/// The words of the command that was meant, as far as they are known.
fn command_of(arguments: &[OsString]) -> String {
    let root = crate::definitions();
    let mut command = &root;
    let mut words = vec!["mandorla"];
    for argument in arguments.iter().skip(1) {
        let known = argument
            .to_str()
            .and_then(|argument| command.find_subcommand(argument));
        if let Some(known) = known {
            command = known;
            words.push(command.get_name());
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::Cli;

    fn explained(arguments: &[&str]) -> ApiError {
        let words = ["mandorla"].iter().chain(arguments);
        let words: Vec<OsString> = words.map(OsString::from).collect();
        explain(&Cli::try_parse_from(&words).unwrap_err(), &words)
    }

    #[test]
    fn each_refused_usage_names_the_fault_and_the_command_to_look_at() {
        for (arguments, message, hint) in [
            (&["peer", "add"][..], "<FILE>", "mandorla peer add --help"),
            (&["round", "lst"], "unrecognized subcommand 'lst'", "'list'"),
            (
                &["status", "--jsn"],
                "unexpected argument '--jsn'",
                "'--json'",
            ),
            (&["peer"], "a command is missing", "mandorla peer --help"),
            (&[], "a command is missing", "mandorla --help"),
            (&["--timeout", "soon", "status"], "not a duration", "--help"),
        ] {
            let error = explained(arguments);
            assert_eq!(error.code, ErrorCode::BadRequest);
            assert!(error.message.contains(message), "{arguments:?}: {error}");
            assert!(!error.message.contains('\n'), "{arguments:?}: {error}");
            let given = error.hint.unwrap();
            assert!(given.contains(hint), "{arguments:?}: {given}");
        }
    }
}
