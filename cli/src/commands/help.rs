//! `mandorla help …`.

use clap::Args;
use mandorla_control::{ApiError, ErrorCode};
use serde::Serialize;

use crate::advice::{EXIT_CODES, advice, causes, exit_meaning};
use crate::context::Context;
use crate::failure::{DONE, Done};
use crate::table::Table;

/// `mandorla help`
#[derive(Debug, Args)]
pub(crate) struct HelpArgs {
    /// A command, `errors`, `errors M-NNN` or `exit-codes`
    topic: Vec<String>,
}

#[derive(Serialize)]
struct ErrorHelp {
    code: String,
    name: String,
    meaning: &'static str,
    causes: &'static str,
    advice: &'static str,
    exit: u8,
    exit_meaning: &'static str,
}

impl ErrorHelp {
    fn of(code: ErrorCode) -> Self {
        Self {
            code: code.to_string(),
            name: format!("{code:?}"),
            meaning: code.meaning(),
            causes: causes(code),
            advice: advice(code),
            exit: code.exit() as u8,
            exit_meaning: exit_meaning(code.exit()),
        }
    }
}

#[derive(Serialize)]
struct ExitHelp {
    exit: u8,
    meaning: &'static str,
}

pub(crate) fn run(args: &HelpArgs, cx: &Context) -> Done {
    let topic: Vec<&str> = args.topic.iter().map(String::as_str).collect();
    match topic.as_slice() {
        ["errors"] => {
            let codes: Vec<ErrorHelp> = ErrorCode::ALL.iter().copied().map(ErrorHelp::of).collect();
            cx.out.list(&codes, errors)?;
        }
        ["errors", code] => {
            let unknown = || {
                ApiError::new(
                    ErrorCode::BadRequest,
                    format!("there is no error code {code}"),
                )
                .hint("mandorla help errors")
            };
            let code = ErrorCode::from_text(code).ok_or_else(unknown)?;
            cx.out.object(&ErrorHelp::of(code), error)?;
        }
        ["exit-codes"] => {
            let codes = EXIT_CODES.map(|(code, meaning)| ExitHelp {
                exit: code as u8,
                meaning,
            });
            cx.out.list(&codes, exits)?;
        }
        words => {
            let help = command_help(words)?;
            cx.out
                .object(&serde_json::json!({"help": help}), |_| help.clone())?;
        }
    }
    DONE
}

fn command_help(words: &[&str]) -> Result<String, ApiError> {
    let mut root = crate::definitions();
    root.build(); // so that subcommands know the global flags and their full names
    let mut command = &mut root;
    for word in words {
        let name = command.get_name().to_owned();
        command = command.find_subcommand_mut(word).ok_or_else(|| {
            ApiError::new(
                ErrorCode::BadRequest,
                format!("{name} has no command {word}"),
            )
            .hint("mandorla help, mandorla help errors or mandorla help exit-codes")
        })?;
    }
    Ok(command.render_help().to_string())
}

fn errors(codes: &[ErrorHelp]) -> String {
    let mut table = Table::new(&["CODE", "EXIT", "MEANING"]);
    for help in codes {
        table.row([
            help.code.clone(),
            help.exit.to_string(),
            help.meaning.to_owned(),
        ]);
    }
    table.text_or("")
}

fn error(help: &ErrorHelp) -> String {
    format!(
        "{}  {}\n\nUsual causes: {}\nNext: {}\n\nThe command exits with {}: {}.\n",
        help.code, help.meaning, help.causes, help.advice, help.exit, help.exit_meaning
    )
}

fn exits(codes: &[ExitHelp]) -> String {
    let mut table = Table::new(&["EXIT", "MEANING"]);
    for help in codes {
        table.row([help.exit.to_string(), help.meaning.to_owned()]);
    }
    table.text_or("")
}
