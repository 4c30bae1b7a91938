//! `init`: the data directory of a new node.
//!
//! The configuration is written last and by one rename, so a directory with a `node.toml` is a whole node, and one
//! without is a beginning that `init` completes: keys that are readable there are kept.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use mandorla_control::{ErrorCode, Role};
use rand::rngs::SysRng;
use rand_core::UnwrapErr;

use crate::auditor_key::{AUDITOR_KEY_NAME, AuditorKeyError};
use crate::config::{CONFIG_NAME, Config, Finding, User};
use crate::identity::{Identity, IdentityError, KEYS_NAME};
use crate::permissions::{self, PermissionError};
use crate::private_file;
use crate::seal::{Seal, SealKind};
use crate::sealing::{AuditorKey, AuditorPublicKey};

/// Names that a beginning of `init` may have left.
const LEFTOVERS: [&str; 3] = [KEYS_NAME, "node.toml~", AUDITOR_KEY_NAME];

/// What `init` needs to know.
#[derive(Clone, Debug)]
pub struct InitOptions {
    /// Name of the agency, for people.
    pub name: String,
    /// Party code in agreements.
    pub code: String,
    /// ISO 3166 alpha-2 country code.
    pub country: String,
    /// UDP address to listen on for peers.
    pub listen: SocketAddr,
    /// The directory to make.
    pub data_dir: PathBuf,
    /// How accounts of other people reach the node.
    pub access: Access,
    /// Named users.
    pub users: Vec<User>,
}

/// How accounts of other people reach a new node. By default, not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Control socket, an absolute path, where it is not to be in the data directory.
    pub socket: Option<PathBuf>,
    /// Groups of the host whose members hold a role.
    pub groups: BTreeMap<Role, String>,
}

/// What `init` made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Initialised {
    /// The configuration, to be looked at.
    pub config_path: PathBuf,
    /// The auditor's private key, to be handed to the auditor and removed from this host.
    pub auditor_key_path: PathBuf,
    /// The next command.
    pub next: String,
}

/// Why there is no new node.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// There is a node already.
    #[error("{} holds a node already", data_dir.display())]
    Exists {
        /// The directory.
        data_dir: PathBuf,
    },
    /// The directory holds something else.
    #[error("{} holds {found:?} and no node; a node needs a directory of its own", data_dir.display())]
    NotEmpty {
        /// The directory.
        data_dir: PathBuf,
        /// One of the things in it.
        found: String,
    },
    /// Other accounts could read the directory, or it belongs to one.
    #[error(transparent)]
    Permission(#[from] PermissionError),
    /// The beginning of an earlier `init` sealed its keys in another way.
    #[error(
        "{} holds the beginning of a node whose keys are sealed under: {found}; asked for: {wanted}", data_dir.display()
    )]
    SealedOtherwise {
        /// The directory.
        data_dir: PathBuf,
        /// How the keys there are sealed.
        found: &'static str,
        /// How they were to be sealed.
        wanted: &'static str,
    },
    /// Name, code, country or users cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// The keys cannot be made or read.
    #[error(transparent)]
    Keys(#[from] IdentityError),
    /// The auditor's key cannot be made or read.
    #[error(transparent)]
    AuditorKey(#[from] AuditorKeyError),
    /// The operating system said no.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl InitError {
    /// The code that the command line reports it under.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Exists { .. } | Self::NotEmpty { .. } | Self::SealedOtherwise { .. } => {
                ErrorCode::Exists
            }
            Self::Invalid(_) => ErrorCode::BadRequest,
            Self::Permission(_) => ErrorCode::OpenToOthers,
            Self::Keys(error) => error.code(),
            Self::AuditorKey(_) | Self::Io { .. } => ErrorCode::Storage,
        }
    }
}

/// The word for how keys are sealed.
pub(crate) fn seal_word(kind: Option<SealKind>) -> &'static str {
    kind.map_or("none", SealKind::word)
}

/// `$XDG_DATA_HOME/mandorla`, else `~/.local/share/mandorla`; `None` where neither variable names a directory.
pub fn default_data_dir() -> Option<PathBuf> {
    default_in(std::env::var_os("XDG_DATA_HOME"), std::env::var_os("HOME"))
}

/// The XDG base directory specification: a relative path is to be ignored.
fn default_in(
    data_home: Option<std::ffi::OsString>,
    home: Option<std::ffi::OsString>,
) -> Option<PathBuf> {
    let absolute =
        |path: std::ffi::OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    let data_home = data_home.and_then(absolute);
    let data_home = data_home.or_else(|| Some(home.and_then(absolute)?.join(".local/share")));
    Some(data_home?.join("mandorla"))
}

/// Makes a data directory with new keys, sealed or not, and a commented configuration. Never replaces anything.
pub fn init(options: &InitOptions, seal: Option<&Seal>) -> Result<Initialised, InitError> {
    // Everything that could be wrong is found before the first file is made.
    checked(&config_text(options, None))?;
    let dir = options.data_dir.as_path();
    let config_path = dir.join(CONFIG_NAME);
    prepare(dir, &config_path)?;
    keys(dir, seal)?;
    let auditor_key_path = dir.join(AUDITOR_KEY_NAME);
    let auditor = auditor_key(&auditor_key_path)?.public();
    let text = config_text(options, Some(&auditor));
    checked(&text)?;
    write_config(dir, &config_path, &text)?;
    Ok(Initialised {
        config_path,
        auditor_key_path,
        next: "mandorla node run".to_owned(),
    })
}

/// What was asked for as a configuration; there is no file yet whose lines could be named.
fn checked(text: &str) -> Result<Config, InitError> {
    Config::checked(text).map_err(|findings| {
        let findings: Vec<String> = findings.iter().map(Finding::without_line).collect();
        InitError::Invalid(findings.join("; "))
    })
}

/// Makes the directory, or finds in it nothing but the beginning of an earlier `init`.
fn prepare(dir: &Path, config_path: &Path) -> Result<(), InitError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        |source| InitError::Io { path, source }
    };
    if config_path.symlink_metadata().is_ok() {
        return Err(InitError::Exists {
            data_dir: dir.to_owned(),
        });
    }
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir);
    made.map_err(io(dir))?;
    permissions::check_data_dir(dir)?;
    for entry in std::fs::read_dir(dir).map_err(io(dir))? {
        let found = entry
            .map_err(io(dir))?
            .file_name()
            .to_string_lossy()
            .into_owned();
        if !LEFTOVERS.contains(&found.as_str()) {
            return Err(InitError::NotEmpty {
                data_dir: dir.to_owned(),
                found,
            });
        }
    }
    Ok(())
}

/// New keys, or those of the beginning. A key file that was cut short was never used: no configuration came after it.
fn keys(dir: &Path, seal: Option<&Seal>) -> Result<Identity, InitError> {
    let path = dir.join(LEFTOVERS[0]);
    if path.symlink_metadata().is_ok() {
        match Identity::read(dir, seal) {
            Err(IdentityError::Invalid { .. }) => {
                std::fs::remove_file(&path).map_err(|source| InitError::Io { path, source })?;
            }
            Ok(identity) if identity.sealed() != seal.map(Seal::kind) => {
                return Err(InitError::SealedOtherwise {
                    data_dir: dir.to_owned(),
                    found: seal_word(identity.sealed()),
                    wanted: seal_word(seal.map(Seal::kind)),
                });
            }
            read => return Ok(read?),
        }
    }
    Ok(Identity::create(dir, seal, &mut UnwrapErr(SysRng))?)
}

/// A new key for the auditor, or that of the beginning.
fn auditor_key(path: &Path) -> Result<AuditorKey, InitError> {
    if path.symlink_metadata().is_ok() {
        match AuditorKey::read(path) {
            Err(AuditorKeyError::Invalid { .. }) => {
                std::fs::remove_file(path).map_err(|source| InitError::Io {
                    path: path.to_owned(),
                    source,
                })?;
            }
            read => return Ok(read?),
        }
    }
    Ok(AuditorKey::create(path, &mut UnwrapErr(SysRng))?)
}

fn write_config(dir: &Path, config_path: &Path, text: &str) -> Result<(), InitError> {
    let fresh = dir.join(LEFTOVERS[1]);
    let write = || {
        private_file::write(&fresh, text.as_bytes())?;
        // A link fails where a rename would replace.
        std::fs::hard_link(&fresh, config_path)?;
        std::fs::remove_file(&fresh)?;
        private_file::sync_dir(dir)
    };
    write().map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => InitError::Exists {
            data_dir: dir.to_owned(),
        },
        _ => InitError::Io {
            path: config_path.to_owned(),
            source,
        },
    })
}

/// `node.toml` with every setting explained.
fn config_text(options: &InitOptions, auditor: Option<&AuditorPublicKey>) -> String {
    let mut text = format!(
        "\
# A Mandorla node. Keys are in keys.toml beside it. Restart the node after a change.

schema = 1
name = {name}
code = {code}         # names this party in agreements
country = {country}      # ISO 3166, two letters
listen = \"{listen}\"  # UDP, for peers
# advertise = \"node.example.org:4433\"   # what the card says where peers reach the node by another address
{socket} # control socket; control.sock in this directory if not given. No other account
#                                       # can get to it there: this directory is closed to all others (mode 700)
# socket_group = \"mandorla\"              # whose members may connect (mode 660); the group of the node's process if not given
# threads = 4                           # worker threads for group arithmetic; all cores if not given

# The seed of every round's blinds is sealed to this key, of which the auditor has the private half (auditor.key, to be
# handed to the auditor and removed from this host). Without it the seed is dropped, and no audit can check what was
# put to a peer.
{auditor}

# Local limits. The effective rule is always the agreement and these.
[policy]
accept_rounds = true             # whether peers may propose rounds at all
open_rounds_per_peer_max = 16

# Who may do what: operator, analyst, authoriser, auditor. One person never proposes and approves the same
# round, and an auditor never decides: nobody can be authoriser and auditor.
#
# By groups of this host; who is a member, also by a supplementary group, holds the role.
#
{roles}
#
# By name. os_user is the account (name or number) that may use the socket as this user; without it only the account
# that the node runs under can act as this user.
",
        name = quoted(&options.name),
        code = quoted(&options.code),
        country = quoted(&options.country),
        listen = options.listen,
        socket = socket_line(options.access.socket.as_deref()),
        roles = roles_lines(&options.access.groups),
        auditor = auditor.map_or_else(
            || "# auditor_key = \"64 hexadecimal digits\"".to_owned(),
            |key| format!("auditor_key = \"{key}\"")
        ),
    );
    if options.users.is_empty() {
        text.push_str("#\n# [[user]]\n# name = \"p.shah\"\n# roles = [\"authoriser\"]\n# os_user = \"pshah\"\n");
    }
    for user in &options.users {
        let roles: Vec<String> = user.roles.iter().map(|role| quoted(role.word())).collect();
        let roles = roles.join(", ");
        let written = match &user.os_user {
            None => write!(
                text,
                "\n[[user]]\nname = {}\nroles = [{roles}]\n",
                quoted(&user.name)
            ),
            Some(os_user) => write!(
                text,
                "\n[[user]]\nname = {}\nroles = [{roles}]\nos_user = {}\n",
                quoted(&user.name),
                quoted(os_user)
            ),
        };
        written.expect("writing to a String cannot fail");
    }
    text
}

/// The socket, or how one would be named.
fn socket_line(socket: Option<&Path>) -> String {
    match socket {
        None => "# socket = \"/run/mandorla/control.sock\"".to_owned(),
        Some(socket) => format!("socket = {}", quoted(&socket.to_string_lossy())),
    }
}

/// The table of roles, or what one would look like.
fn roles_lines(groups: &BTreeMap<Role, String>) -> String {
    let (mark, groups) = if groups.is_empty() {
        let samples = Role::ALL.map(|role| (role, format!("mandorla-{role}")));
        ("# ", samples.into())
    } else {
        ("", groups.clone())
    };
    let mut lines = vec![format!("{mark}[roles]")];
    for (role, group) in &groups {
        lines.push(format!("{mark}{role} = {{ groups = [{}] }}", quoted(group)));
    }
    lines.join("\n")
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests;
