//! The commands, by noun.

pub(crate) mod agreement;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod config;
pub(crate) mod data;
pub(crate) mod dataset;
pub(crate) mod doctor;
mod fields;
pub(crate) mod help;
pub(crate) mod hit;
pub(crate) mod key;
pub(crate) mod node;
pub(crate) mod peer;
pub(crate) mod review;
pub(crate) mod round;
pub(crate) mod shell;
pub(crate) mod status;

use crate::args::Command;
use crate::context::Context;
use crate::failure::Done;
use crate::{bench, demo};

/// Runs a command; an interrupt ends it, except where processes must be stopped first.
pub(crate) async fn run(command: Command, cx: &Context) -> Done {
    match command {
        Command::Demo(args) => demo::run(args, cx).await,
        Command::Bench(command) => bench::run(command, cx).await,
        other => cx.until_interrupted(run_here(other, cx)).await,
    }
}

async fn run_here(command: Command, cx: &Context) -> Done {
    match command {
        Command::Init(args) => node::init(&args, cx),
        Command::Status(args) => status::run(&args, cx).await,
        Command::Doctor(args) => doctor::run(&args, cx).await,
        Command::Config(command) => config::run(&command, cx),
        Command::Node(command) => node::run(&command, cx).await,
        Command::Key(command) => key::run(command, cx).await,
        Command::Peer(command) => peer::run(command, cx).await,
        Command::Agreement(command) => agreement::run(command, cx).await,
        Command::Dataset(command) => dataset::run(command, cx).await,
        Command::Round(command) => round::run(command, cx).await,
        Command::Review(command) => review::run(command, cx).await,
        Command::Hit(command) => hit::run(command, cx).await,
        Command::Audit(command) => audit::run(command, cx).await,
        Command::Backup(command) => backup::run(command, cx).await,
        Command::Data(command) => data::run(&command, cx),
        Command::Help(args) => help::run(&args, cx),
        Command::Completion(args) => shell::completion(&args, cx),
        Command::Man(args) => shell::man(&args, cx),
        Command::Version => shell::version(cx),
        Command::Demo(_) | Command::Bench(_) => unreachable!("run above takes these"),
    }
}
