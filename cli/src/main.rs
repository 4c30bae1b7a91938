//! The `mandorla` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(mandorla_cli::main_with(std::env::args_os()))
}
