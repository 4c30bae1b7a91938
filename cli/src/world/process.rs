//! One node as a process of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use mandorla_control::{ApiError, Call, Client, ErrorCode, Role, Status};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use super::NodeSpec;
use crate::failure::{call_failed, file, internal};
use crate::settings::CONFIG_NAME;

/// A node opens its store and binds its sockets well within this, also on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// How often a starting node is asked whether it answers.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// A node finishes its transactions well within this; then its process is killed.
const STOP_WITHIN: Duration = Duration::from_secs(20);
/// Lines of a node's messages that an error quotes.
const LOG_LINES_QUOTED: usize = 3;

/// A node's process and how to call it.
#[derive(Debug)]
pub struct NodeProcess {
    program: PathBuf,
    code: String,
    data_dir: PathBuf,
    socket: PathBuf,
    log: PathBuf,
    child: Child,
}

/// What a process has used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// User and system time, seconds.
    pub cpu_s: f64,
    /// Largest resident size so far.
    pub peak_rss_bytes: u64,
}

impl NodeProcess {
    /// Makes a node in `<root>/<code>` and starts its daemon.
    pub(super) async fn start(
        program: &Path,
        root: &Path,
        spec: &NodeSpec<'_>,
    ) -> Result<Self, ApiError> {
        let name = spec.country.to_lowercase();
        let data_dir = root.join(&name);
        let log = root.join(format!("{name}.log"));
        make(program, &data_dir, spec).await?;
        configure(&data_dir.join(CONFIG_NAME), spec)?;
        Ok(Self {
            child: run(program, &data_dir, &log)?,
            program: program.to_owned(),
            code: spec.country.to_owned(),
            socket: data_dir.join("control.sock"),
            data_dir,
            log,
        })
    }

    /// Starts the daemon again after [`stop`](Self::stop) or [`kill`](Self::kill), and waits until it answers.
    pub async fn restart(&mut self) -> Result<(), ApiError> {
        self.child = run(&self.program, &self.data_dir, &self.log)?;
        self.wait_until_ready().await
    }

    /// Stops the daemon as an operator does.
    pub async fn stop(&mut self) {
        self.ask_to_stop();
        self.wait_until_gone().await;
    }

    /// Ends the process without notice, as a power cut does; returns when it is gone.
    pub async fn kill(&mut self) -> Result<(), ApiError> {
        self.child.kill().await.map_err(internal)
    }

    /// Process id of the daemon; none once it has ended.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// The file that the daemon's messages go to, over all its starts.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Party code.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Data directory.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// A client that acts as a named user.
    pub fn client(&self, user: &str) -> Client {
        Client::new(&self.socket, Some(user.to_owned()))
    }

    /// Makes a call as a named user; an error says which node it came from.
    pub async fn call<C: Call>(&self, user: &str, call: &C) -> Result<C::Reply, ApiError> {
        self.client(user)
            .call(call)
            .await
            .map_err(|error| self.failed(error))
    }

    /// An error with the node's code in front.
    pub fn failed(&self, error: mandorla_control::ClientError) -> ApiError {
        let mut error = call_failed(error, "look at the node's messages");
        error.message = format!("node {}: {}", self.code, error.message);
        error
    }

    /// Waits until the node answers on its socket.
    pub(super) async fn wait_until_ready(&mut self) -> Result<(), ApiError> {
        let deadline = Instant::now() + READY_WITHIN;
        let client = Client::new(&self.socket, None);
        let mut ask = tokio::time::interval(ASK_EVERY);
        loop {
            ask.tick().await;
            if client.call(&Status {}).await.is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait().map_err(internal)? {
                return Err(self.not_ready(&format!("ended at once ({status})")));
            }
            if Instant::now() > deadline {
                return Err(self.not_ready(&format!(
                    "does not answer after {} s",
                    READY_WITHIN.as_secs()
                )));
            }
        }
    }

    fn not_ready(&self, what: &str) -> ApiError {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().filter(|line| !line.is_empty()).collect();
        let last = lines[lines.len().saturating_sub(LOG_LINES_QUOTED)..].join(" / ");
        ApiError::new(
            ErrorCode::Internal,
            format!("node {} {what}: {last}", self.code),
        )
    }

    /// What the process has used so far.
    pub fn usage(&self) -> Result<Usage, ApiError> {
        let pid = self
            .child
            .id()
            .ok_or_else(|| internal("a node's process has ended"))?;
        let read = |name: &str| {
            let path = PathBuf::from(format!("/proc/{pid}/{name}"));
            std::fs::read_to_string(&path).map_err(|error| file(&path, error))
        };
        let ticks = cpu_ticks(&read("stat")?)
            .ok_or_else(|| internal("/proc/<pid>/stat has another form"))?;
        let peak = peak_rss_bytes(&read("status")?)
            .ok_or_else(|| internal("/proc/<pid>/status has no VmHWM"))?;
        #[expect(clippy::cast_precision_loss, reason = "ticks stay far below 2^53")]
        Ok(Usage {
            cpu_s: ticks as f64 / rustix::param::clock_ticks_per_second() as f64,
            peak_rss_bytes: peak,
        })
    }

    /// Tells the process to stop; it may have stopped already.
    pub(super) fn ask_to_stop(&mut self) {
        let pid = self
            .child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process(pid, Signal::TERM); // gone already is as good
        }
    }

    /// Waits for the end of the process, and ends it if it takes too long.
    pub(super) async fn wait_until_gone(&mut self) {
        if tokio::time::timeout(STOP_WITHIN, self.child.wait())
            .await
            .is_err()
        {
            let _ = self.child.kill().await;
        }
    }
}

/// Starts a daemon; its messages follow those of the one before.
fn run(program: &Path, data_dir: &Path, log: &Path) -> Result<Child, ApiError> {
    let messages = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .map_err(|error| file(log, error))?;
    command(program, data_dir)
        .args(["node", "run"])
        .stdout(messages.try_clone().map_err(internal)?)
        .stderr(messages)
        .spawn()
        .map_err(internal)
}

/// The program, for one data directory: without this process's own settings, not reached by an interrupt typed at the
/// terminal, and gone with its owner even after a panic.
fn command(program: &Path, data_dir: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("MANDORLA_") || name_text == "CREDENTIALS_DIRECTORY" {
            command.env_remove(name);
        }
    }
    command
        .arg("--data-dir")
        .arg(data_dir)
        .stdin(Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    command
}

async fn make(program: &Path, data_dir: &Path, spec: &NodeSpec<'_>) -> Result<(), ApiError> {
    let made = command(program, data_dir)
        .args([
            "init",
            "--no-input",
            "--seal",
            "none", // a trial, gone with its directory
            "--name",
            spec.name,
            "--country",
            spec.country,
        ])
        .output()
        .await
        .map_err(internal)?;
    if made.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&made.stderr).trim().to_owned();
    Err(internal(format!(
        "node {} cannot be made: {why}",
        spec.country
    )))
}

/// Sets what a trial needs in `node.toml` and leaves the rest.
fn configure(path: &Path, spec: &NodeSpec<'_>) -> Result<(), ApiError> {
    let text = std::fs::read_to_string(path).map_err(|error| file(path, error))?;
    let mut config: toml::Table = text.parse().map_err(|error| file(path, error))?;
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, spec.port));
    config.insert("listen".into(), listen.to_string().into());
    if let Some(threads) = spec.threads {
        config.insert(
            "threads".into(),
            i64::try_from(threads).unwrap_or(i64::MAX).into(),
        );
    }
    let users = spec
        .users
        .iter()
        .map(|(name, roles)| user(name, roles))
        .collect();
    config.insert("user".into(), toml::Value::Array(users));
    std::fs::write(path, config.to_string()).map_err(|error| file(path, error))
}

fn user(name: &str, roles: &[Role]) -> toml::Value {
    let mut user = toml::Table::new();
    user.insert("name".into(), name.into());
    let words = roles.iter().map(|role| role.word().into()).collect();
    user.insert("roles".into(), toml::Value::Array(words));
    user.into()
}

/// `utime` and `stime`, fields 14 and 15 of `/proc/<pid>/stat` (proc(5)); the name in field 2 may hold anything.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let after_name = stat.rsplit_once(')')?.1;
    let mut fields = after_name.split_whitespace().skip(11); // from field 3 on
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// `VmHWM`, given in KiB.
fn peak_rss_bytes(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_behind_any_process_name() {
        let stat = "17 (a) b (c) S 1 17 17 0 -1 4194560 900 0 3 0 250 50 0 0 20 0 9 0 12345 1 1";
        assert_eq!(cpu_ticks(stat), Some(300));
        assert_eq!(cpu_ticks("17 (x) S 1"), None);
    }

    #[test]
    fn the_peak_is_vmhwm_and_not_the_size_of_now() {
        let status = "Name:\tx\nVmPeak:\t  900 kB\nVmHWM:\t   2048 kB\nVmRSS:\t 100 kB\n";
        assert_eq!(peak_rss_bytes(status), Some(2 * 1024 * 1024));
        assert_eq!(peak_rss_bytes("VmRSS:\t 100 kB\n"), None);
    }

    #[test]
    fn this_process_can_be_measured() {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        assert!(cpu_ticks(&stat).is_some());
        assert!(peak_rss_bytes(&status).unwrap() > 100_000);
    }

    #[test]
    fn a_configuration_keeps_what_the_trial_does_not_set() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.toml");
        std::fs::write(
            &path,
            "schema = 1\nname = \"A\"\nlisten = \"[::]:4433\"\n[policy]\naccept_rounds = true\n",
        )
        .unwrap();
        let spec = NodeSpec {
            country: "GB",
            name: "A",
            port: 7_001,
            threads: Some(2),
            users: &[("p.officer", &[Role::Authoriser])],
        };
        configure(&path, &spec).unwrap();
        let config: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        assert_eq!(config["listen"].as_str(), Some("127.0.0.1:7001"));
        assert_eq!(config["threads"].as_integer(), Some(2));
        assert_eq!(config["user"][0]["roles"][0].as_str(), Some("authoriser"));
        assert_eq!(config["policy"]["accept_rounds"].as_bool(), Some(true));
        assert_eq!(config["name"].as_str(), Some("A"));
    }
}
