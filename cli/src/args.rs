//! What can be typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::bench::BenchCommand;
use crate::commands::{
    agreement::AgreementCommand, audit::AuditCommand, backup::BackupCommand, config::ConfigCommand,
    data::DataCommand, dataset::DatasetCommand, doctor::DoctorArgs, help::HelpArgs,
    hit::HitCommand, key::KeyCommand, node::InitArgs, node::NodeCommand, peer::PeerCommand,
    review::ReviewCommand, round::RoundCommand, shell::CompletionArgs, shell::ManArgs,
    status::StatusArgs,
};
use crate::demo::DemoArgs;

/// Finds the people who are on two agencies' lists and shows neither side the rest
#[derive(Debug, Parser)]
#[command(
    name = "mandorla",
    version,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = "Start with `mandorla demo`. Exit codes: `mandorla help exit-codes`; errors: `mandorla help errors`."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that every command takes; flag before environment (`MANDORLA_<FLAG>`) before file before default.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global flags")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct Global {
    /// Control socket of the node [default: as node.toml says]
    #[arg(
        long,
        global = true,
        env = "MANDORLA_SOCKET",
        hide_env = true,
        value_name = "PATH"
    )]
    pub socket: Option<PathBuf>,
    /// The node's configuration [default: node.toml in the data directory]
    #[arg(
        long,
        global = true,
        env = "MANDORLA_CONFIG",
        hide_env = true,
        value_name = "PATH"
    )]
    pub config: Option<PathBuf>,
    /// The node's data directory
    #[arg(
        long,
        global = true,
        env = "MANDORLA_DATA_DIR",
        hide_env = true,
        value_name = "DIR"
    )]
    pub data_dir: Option<PathBuf>,
    /// Act as this named user of a small installation
    #[arg(
        long,
        global = true,
        env = "MANDORLA_USER",
        hide_env = true,
        value_name = "NAME"
    )]
    pub user: Option<String>,
    /// Print one JSON object (schema 1)
    #[arg(long, global = true, env = "MANDORLA_JSON", hide_env = true, value_parser = FalseyValueParser::new())]
    pub json: bool,
    /// No messages, only data and errors
    #[arg(short, long, global = true, env = "MANDORLA_QUIET", hide_env = true, value_parser = FalseyValueParser::new())]
    pub quiet: bool,
    /// More messages; twice for details of the daemon
    #[arg(
        short,
        long,
        global = true,
        action = clap::ArgAction::Count,
        env = "MANDORLA_VERBOSE",
        hide_env = true
    )]
    pub verbose: u8,
    /// Colours on the terminal
    #[arg(
        long,
        global = true,
        env = "MANDORLA_COLOR",
        hide_env = true,
        value_name = "WHEN",
        default_value = "auto"
    )]
    pub color: ColorChoice,
    /// Never ask; where a question would be needed, refuse
    #[arg(long, global = true, env = "MANDORLA_NO_INPUT", hide_env = true, value_parser = FalseyValueParser::new())]
    pub no_input: bool,
    /// Answer yes to every question
    #[arg(long, global = true, env = "MANDORLA_YES", hide_env = true, value_parser = FalseyValueParser::new())]
    pub yes: bool,
    /// Give up waiting after this long, as 30s, 5m or 1h30m (exit 8; what was begun goes on)
    #[arg(long, global = true, env = "MANDORLA_TIMEOUT", hide_env = true, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<Duration>,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    Auto,
    Always,
    Never,
}

/// The nouns.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Two nodes on this machine, one full round, explained step by step
    Demo(DemoArgs),
    /// Make a node: keys and configuration
    Init(InitArgs),
    /// What the node is and does right now
    Status(StatusArgs),
    /// What is wrong with this host and node, and what ends it (exit 7 if a check fails)
    Doctor(DoctorArgs),
    /// The settings: what is in force, and whether node.toml can be used
    #[command(subcommand)]
    Config(ConfigCommand),
    /// The daemon
    #[command(subcommand)]
    Node(NodeCommand),
    /// The node's keys: how they are sealed, changed, revoked
    #[command(subcommand)]
    Key(KeyCommand),
    /// Peers: exchange cards, compare words, see who answers
    #[command(subcommand)]
    Peer(PeerCommand),
    /// Agreements: what two agencies may ask each other
    #[command(subcommand)]
    Agreement(AgreementCommand),
    /// Datasets: the own lists
    #[command(subcommand)]
    Dataset(DatasetCommand),
    /// Rounds: questions to a peer
    #[command(subcommand)]
    Round(RoundCommand),
    /// The authoriser's desk: approve questions, decide on hits
    #[command(subcommand)]
    Review(ReviewCommand),
    /// Hits that peers released to us
    #[command(subcommand)]
    Hit(HitCommand),
    /// The ledger and the pair logs
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Backups: encrypted copies of the node's data, without its keys
    #[command(subcommand)]
    Backup(BackupCommand),
    /// Fictional lists to try things with
    #[command(subcommand)]
    Data(DataCommand),
    /// Measure
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Help on a command, on `errors [M-NNN]` or on `exit-codes`
    Help(HelpArgs),
    /// Completions for a shell
    Completion(CompletionArgs),
    /// Manual pages
    Man(ManArgs),
    /// The version of this program
    Version,
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|signed| Duration::try_from(signed).ok())
        .ok_or_else(|| "not a duration such as 30s, 5m or 1h30m".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        assert_eq!(duration("30s").unwrap(), Duration::from_secs(30));
        assert_eq!(duration("1h30m").unwrap(), Duration::from_mins(90));
        assert_eq!(duration("250ms").unwrap(), Duration::from_millis(250));
        assert!(duration("-5s").is_err());
        assert!(duration("soon").is_err());
        assert!(duration("30").is_err());
    }

    #[test]
    fn every_command_and_flag_says_what_it_does() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                assert!(
                    argument.get_help().is_some(),
                    "{} {}",
                    command.get_name(),
                    argument.get_id()
                );
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}
