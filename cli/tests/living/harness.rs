//! The real binary, free of the developer's own settings, and its daemon.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A starting daemon answers well within this, also on a busy machine.
const READY_WITHIN: Duration = Duration::from_mins(1);

/// The program without arguments.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mandorla"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MANDORLA_") {
            command.env_remove(name);
        }
    }
    command
        .env_remove("CREDENTIALS_DIRECTORY")
        .stdin(Stdio::null());
    command
}

/// A command about the node in a data directory.
pub(crate) fn mandorla(data_dir: &Path, arguments: &[&str]) -> Command {
    let mut command = program();
    command.arg("--data-dir").arg(data_dir).args(arguments);
    command
}

pub(crate) fn ran(data_dir: &Path, arguments: &[&str]) -> Output {
    mandorla(data_dir, arguments).output().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Makes a node on a free port, its keys not sealed.
pub(crate) fn init(data_dir: &Path) -> Output {
    init_as(data_dir, "GB")
}

pub(crate) fn init_as(data_dir: &Path, country: &str) -> Output {
    init_at(data_dir, country, "127.0.0.1:0")
}

pub(crate) fn init_at(data_dir: &Path, country: &str, listen: &str) -> Output {
    let who = ["init", "--name", "Agency", "--country", country];
    let how = ["--listen", listen, "--seal", "none"];
    ran(data_dir, &[&who[..], &how].concat())
}

/// A new node on a free port, in a directory of its own.
pub(crate) fn made() -> (TempDir, PathBuf) {
    made_with("127.0.0.1:0")
}

pub(crate) fn made_with(listen: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let node = dir.path().join("node");
    let made = init_at(&node, "GB", listen);
    assert!(made.status.success(), "{}", stderr(&made));
    (dir, node)
}

/// The refusal of a command: its exit, its code, and a hint.
pub(crate) fn refused(output: &Output, exit: i32, code: &str, says: &str, hint: &str) {
    let error = stderr(output);
    assert_eq!(output.status.code(), Some(exit), "{error}");
    let (message, next) = error.split_once("\n hint: ").expect("an error and a hint");
    assert!(message.contains(&format!("({code})")), "{error}");
    assert!(message.contains(says), "{error}");
    assert!(next.contains(hint), "{error}");
}

/// Gives a node that does not run yet the auditor `dora`.
pub(crate) fn with_auditor(node: &Path) {
    let path = node.join("node.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let user = "\n[[user]]\nname = \"dora\"\nroles = [\"auditor\"]\n";
    std::fs::write(&path, config + user).unwrap();
}

/// The ledger of a running node that [has an auditor](with_auditor), as JSON.
pub(crate) fn audit_log(node: &Path) -> String {
    let log = ran(node, &["--user", "dora", "audit", "log", "--json"]);
    assert!(log.status.success(), "{}", stderr(&log));
    stdout(&log)
}

/// A daemon that is ended with the test.
pub(crate) struct Daemon(pub(crate) Child);

impl Daemon {
    pub(crate) fn start(data_dir: &Path) -> Self {
        Self::start_with(data_dir, &[])
    }

    pub(crate) fn start_with(data_dir: &Path, flags: &[&str]) -> Self {
        let arguments = [&["node", "run"][..], flags].concat();
        let mut command = mandorla(data_dir, &arguments);
        command.stderr(Stdio::null());
        Self::start_by(command, data_dir)
    }

    pub(crate) fn start_by(mut command: Command, data_dir: &Path) -> Self {
        let child = command.stdout(Stdio::null()).spawn().unwrap();
        let daemon = Self(child);
        let deadline = Instant::now() + READY_WITHIN;
        while !ran(data_dir, &["status"]).status.success() {
            assert!(Instant::now() < deadline, "the daemon does not answer");
            std::thread::yield_now();
        }
        daemon
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
