//! # The command line
//!
//! ```text
//!   arguments, MANDORLA_<FLAG> ──► args ──► commands/<noun> ──► control socket ──► node
//!                                             │                     (mandorla-control; one call per command)
//!                            stdout ◄── output┤
//!                            stderr ◄─────────┴── messages, progress, `error:` and ` hint:`
//!
//!   demo, bench ──► world: two processes `mandorla node run` on loopback, driven over their control sockets
//! ```
//! Every command is a thin call of the control API. Data goes to stdout, everything else to stderr; with `--json`
//! both are objects of schema 1. Only `init`, `node run`, `key seal`, `backup verify` and `backup restore` reach into the
//! daemon, and what `config` and `doctor` do without a node.

mod advice;
mod args;
mod bench;
mod commands;
mod context;
mod demo;
mod failure;
mod hints;
mod output;
mod passphrase;
mod prompt;
mod reference;
mod secret;
mod service;
mod settings;
mod table;
mod trial_agreement;
mod when;
pub mod world;

use std::ffi::OsString;

use clap::Parser as _;
use mandorla_control::{ApiError, ErrorCode, ExitCode};

use crate::args::Cli;
use crate::context::Context;
use crate::failure::{Done, usage};
use crate::output::Output;
pub use crate::reference::{checks_page, commands_page, errors_page, roles_page};

/// The clap definitions, for man pages and completions.
pub fn definitions() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

/// Runs one command line; returns the exit code of the process.
pub fn main_with(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) if !error.use_stderr() => {
            // --help or --version; a reader that went away is no failure
            let _ = error.print();
            return ExitCode::Done as u8;
        }
        Err(error) => {
            let out = Output::before_parsing(&arguments);
            let error = usage::explain(&error, &arguments);
            out.error(&error);
            return error.code.exit() as u8;
        }
    };
    let out = Output::new(&cli.global);
    let cx = Context::new(cli.global, out.clone());
    let code = match run(cli.command, &cx) {
        Ok(code) => code,
        Err(error) => {
            out.error(&error);
            error.code.exit()
        }
    };
    code as u8
}

fn run(command: args::Command, cx: &Context) -> Done {
    if let args::Command::Node(commands::node::NodeCommand::Run(args)) = command {
        return commands::node::run_daemon(&args, cx); // has its own runtime and signals
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2) // a client waits; it does not compute
        .enable_all()
        .build()
        .map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))?;
    let done = runtime.block_on(commands::run(command, cx));
    // A blocked read of the terminal must not hold the process.
    runtime.shutdown_background();
    done
}
