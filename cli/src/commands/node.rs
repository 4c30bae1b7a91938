//! `mandorla init`, `mandorla node …`: what makes and runs a daemon.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use mandorla_control::{ApiError, ErrorCode, NodeStop, Role};
use mandorla_node::{Clock, InitError, InitOptions, Node, init_logging, seal_of};
use serde_json::json;

use crate::commands::status;
use crate::context::Context;
use crate::failure::{DONE, Done, internal};
use crate::secret::{SealChoice, SecretArgs};
use crate::service;

/// `mandorla init`
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Name of the agency, for people
    #[arg(long)]
    name: String,
    /// Country, two letters, as GB or RS
    #[arg(long, value_name = "CC")]
    country: String,
    /// Party code in agreements: A-Z, 0-9 and - [default: the country]
    #[arg(long)]
    code: Option<String>,
    /// UDP address to listen on for peers
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:4433")]
    listen: SocketAddr,
    /// How the keys are sealed on the disk [default: as the file given says; at a terminal a passphrase is asked for]
    #[arg(long, value_name = "HOW")]
    seal: Option<SealChoice>,
    #[command(flatten)]
    secret: SecretArgs,
}

/// `mandorla node run`
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    secret: SecretArgs,
}

/// `mandorla node …`
#[derive(Debug, Subcommand)]
pub(crate) enum NodeCommand {
    /// Run the daemon until a signal or `node stop` ends it
    Run(RunArgs),
    /// Whether the running daemon does its work (exit 7 if something keeps it from it, 3 if none answers)
    Health,
    /// Ask the running daemon to stop; rounds pause at a durable point
    Stop,
}

/// Where a node is if nothing says otherwise.
pub(crate) fn default_data_dir() -> PathBuf {
    let service = PathBuf::from(service::DATA_DIR);
    if service::is_its_account(&service) {
        return service;
    }
    mandorla_node::default_data_dir().unwrap_or(service)
}

/// Makes a node.
pub(crate) fn init(args: &InitArgs, cx: &Context) -> Done {
    let data_dir = cx.places()?.data_dir;
    let of_service = service::access(&data_dir);
    let run = match &of_service {
        Some(_) => service::START.to_owned(),
        None => cx.command("node run"),
    };
    let mut access = of_service.unwrap_or_default();
    if let Some(socket) = &cx.global.socket {
        // The daemon reads the path from the configuration, wherever it is started.
        access.socket = Some(std::path::absolute(socket).map_err(internal)?);
    }
    let people = match access.groups.get(&Role::Analyst) {
        Some(group) => format!(
            "who may do what: usermod --append --groups mandorla,{group} NAME makes an analyst; every role has such a group"
        ),
        None => "who may do what: name groups under [roles], or add a [[user]] for each person, in the configuration".to_owned(),
    };
    let options = InitOptions {
        name: args.name.clone(),
        code: args.code.clone().unwrap_or_else(|| args.country.clone()),
        country: args.country.clone(),
        listen: args.listen,
        data_dir: data_dir.clone(),
        access,
        users: Vec::new(),
    };
    let seal = args.secret.to_seal_first(args.seal, cx)?;
    let made = mandorla_node::init(&options, seal.as_ref()).map_err(|error| {
        let code = error.code();
        let next = match &error {
            InitError::Keys(error) => error.hint(),
            InitError::Permission(error) => error.hint(),
            _ if code == ErrorCode::Exists => run.clone(),
            _ => cx.command("init --help"),
        };
        ApiError::new(code, error.to_string()).hint(next)
    })?;
    let object = json!({
        "data_dir": data_dir, "config": made.config_path,
        "auditor_key": made.auditor_key_path, "next": run,
        "keys_sealed_under": seal.as_ref().map_or("none", |seal| seal.kind().word()),
    });
    cx.out.object(&object, |_| {
        format!(
            "made a node in {}\nconfiguration {}\n",
            data_dir.display(),
            made.config_path.display()
        )
    })?;
    match &seal {
        Some(seal) => cx.out.say(&format!(
            "the keys are sealed: a lost {} cannot be replaced, so keep a copy of it elsewhere",
            seal.kind()
        )),
        None => cx
            .out
            .say("the keys are not sealed: good for a trial; before real data: mandorla key seal"),
    }
    if args.listen.ip().is_unspecified() {
        cx.out
            .say("peers need an address: write it as advertise in the configuration");
    }
    cx.out.say(&people);
    cx.out.say(&format!(
        "for the auditor: hand over {} and remove it from this host; the node does not need it",
        made.auditor_key_path.display()
    ));
    cx.out.say(&format!("next: {run}"));
    DONE
}

/// Runs the daemon in this process until it is stopped.
pub(crate) fn run_daemon(args: &RunArgs, cx: &Context) -> Done {
    let verbosity = if cx.global.quiet {
        -1
    } else {
        i8::try_from(cx.global.verbose).unwrap_or(i8::MAX)
    };
    init_logging(verbosity, cx.global.json);
    let data_dir = cx.places()?.data_dir;
    // A directory without a node has no key file either; opening says so.
    let seal = match seal_of(&data_dir) {
        Ok(Some(kind)) => Some(args.secret.to_open(kind, cx)?),
        Ok(None) | Err(_) => None,
    };
    let node = Node::open(&data_dir, Clock::System, seal.as_ref())
        .map_err(|error| ApiError::new(error.code(), error.to_string()).hint(error.hint()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(internal)?;
    let code = node.code().to_owned();
    let ready = |address| {
        cx.out.say(&format!(
            "node {code} is ready, peers reach it at {address} (UDP)"
        ));
    };
    let ran = runtime.block_on(mandorla_node::run(node, ready));
    ran.map_err(|error| ApiError::new(error.code(), error.to_string()).hint(error.hint()))?;
    DONE
}

pub(crate) async fn run(command: &NodeCommand, cx: &Context) -> Done {
    match command {
        NodeCommand::Run(_) => Err(internal("the daemon needs a runtime of its own")),
        NodeCommand::Health => status::health(cx).await,
        NodeCommand::Stop => {
            let stopped = cx.call(&NodeStop {}).await?;
            cx.out.object(&stopped, |stopped| {
                format!("process {} is stopping\n", stopped.pid)
            })?;
            DONE
        }
    }
}
