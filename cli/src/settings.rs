//! Where the node is: flag before environment before file before default.

use std::path::{Path, PathBuf};

use mandorla_control::{ApiError, ErrorCode};

use crate::args::Global;
use crate::commands::node::default_data_dir;
use crate::service;

/// The name of the configuration in the data directory.
pub(crate) const CONFIG_NAME: &str = "node.toml";
/// The control socket in the data directory, where the configuration names no other.
const SOCKET_NAME: &str = "control.sock";

/// The places of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Places {
    /// Data directory.
    pub data_dir: PathBuf,
    /// Control socket.
    pub socket: PathBuf,
}

impl Places {
    /// Finds them. A configuration that cannot be read matters only where it was asked for by name.
    pub(crate) fn find(global: &Global) -> Result<Self, ApiError> {
        let data_dir = match (&global.data_dir, &global.config) {
            (Some(data_dir), Some(config)) if *config != data_dir.join(CONFIG_NAME) => {
                return Err(ApiError::new(
                    ErrorCode::BadRequest,
                    format!("--config is not the {CONFIG_NAME} of --data-dir"),
                )
                .hint("give one of the two"));
            }
            (Some(data_dir), _) => data_dir.clone(),
            (None, Some(config)) => directory_of(config)?,
            (None, None) => default_data_dir(),
        };
        let is_named = global.data_dir.is_some() || global.config.is_some();
        let socket = match &global.socket {
            Some(socket) => socket.clone(),
            None => socket_in_config(&data_dir, global.config.is_some())?
                .unwrap_or_else(|| default_socket(&data_dir, is_named, service::SOCKET)),
        };
        Ok(Self { data_dir, socket })
    }
}

/// In the data directory. Where nobody named one and there is no node in it, that of the service, if there may be one.
fn default_socket(data_dir: &Path, is_named: bool, service: &str) -> PathBuf {
    let has_node = data_dir.join(CONFIG_NAME).exists();
    if !is_named && !has_node && service::may_listen_on(Path::new(service)) {
        PathBuf::from(service)
    } else {
        data_dir.join(SOCKET_NAME)
    }
}

fn directory_of(config: &Path) -> Result<PathBuf, ApiError> {
    if config.file_name().is_none_or(|name| name != CONFIG_NAME) {
        return Err(ApiError::new(
            ErrorCode::BadRequest,
            format!(
                "--config {}: the file is called {CONFIG_NAME}",
                config.display()
            ),
        )
        .hint("name the node.toml of a node; mandorla init makes one"));
    }
    let parent = config
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    Ok(parent.unwrap_or(Path::new(".")).to_owned())
}

fn socket_in_config(data_dir: &Path, must_exist: bool) -> Result<Option<PathBuf>, ApiError> {
    let path = data_dir.join(CONFIG_NAME);
    let bad = |message: String| {
        ApiError::new(
            ErrorCode::BadConfig,
            format!("{}: {message}", path.display()),
        )
        .hint("name the node.toml of a node; mandorla init makes one")
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if must_exist => return Err(bad(error.to_string())),
        Err(_) => return Ok(None),
    };
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => return Err(bad(error.to_string())),
    };
    Ok(table
        .get("socket")
        .and_then(|socket| socket.as_str())
        .map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::Cli;

    fn places(flags: &[&str]) -> Result<Places, ApiError> {
        let words = ["mandorla"].iter().chain(flags).chain(&["version"]);
        Places::find(&Cli::try_parse_from(words).unwrap().global)
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = dir.path().to_str().unwrap();
        let found = places(&["--data-dir", data_dir]).unwrap();
        assert_eq!(found.socket, dir.path().join("control.sock"));

        let config = dir.path().join("node.toml");
        std::fs::write(&config, "socket = \"/run/x.sock\"\n").unwrap();
        let found = places(&["--data-dir", data_dir]).unwrap();
        assert_eq!(found.socket, Path::new("/run/x.sock"));
        let found = places(&["--config", config.to_str().unwrap()]).unwrap();
        assert_eq!(found.data_dir, dir.path());
        assert_eq!(found.socket, Path::new("/run/x.sock"));
        let found = places(&["--data-dir", data_dir, "--socket", "/y"]).unwrap();
        assert_eq!(found.socket, Path::new("/y"));
    }

    #[test]
    fn who_has_no_node_of_their_own_calls_the_service() {
        let dir = tempfile::tempdir().unwrap();
        let service = dir.path().join("service.sock");
        let own = dir.path().join(SOCKET_NAME);
        let socket = |is_named| default_socket(dir.path(), is_named, service.to_str().unwrap());
        assert_eq!(socket(false), own, "no service runs");
        std::fs::write(&service, "").unwrap();
        assert_eq!(socket(false), service);
        assert_eq!(socket(true), own, "a data directory was named");
        std::fs::write(dir.path().join(CONFIG_NAME), "").unwrap();
        assert_eq!(socket(false), own, "there is a node of their own");
    }

    #[test]
    fn a_configuration_that_was_asked_for_must_be_there() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("node.toml");
        let error = places(&["--config", config.to_str().unwrap()]).unwrap_err();
        assert_eq!(error.code, ErrorCode::BadConfig);
        let error = places(&["--config", "/etc/other.toml"]).unwrap_err();
        assert_eq!(error.code, ErrorCode::BadRequest);
        let error = places(&["--config", "/a/node.toml", "--data-dir", "/b"]).unwrap_err();
        assert_eq!(error.code, ErrorCode::BadRequest);
    }
}
