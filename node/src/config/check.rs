//! What is wrong with a `node.toml`: line, key, bound and fix.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use mandorla_control::Role;
use serde::de::DeserializeOwned;

use super::lines::{Lines, line_at};
use super::{Config, User};
use crate::peers::{is_address, is_party_code};
use crate::server::accounts;

/// Longest name of an agency: what fits on a card.
const NAME_CHARS_MAX: usize = 261;
/// More worker threads than any processor has hardware threads.
const THREADS_MAX: usize = 1_024;
/// Longest path of the control socket: the kernel's address holds 108 bytes with the end mark (unix(7)), and the socket
/// is made under a name with one sign more.
pub(crate) const SOCKET_PATH_BYTES_MAX: usize = 106;
/// More people than an agency gives access to one node; each stands in every refusal's hint.
const USERS_MAX: usize = 1_000;
/// Longest name in the ledger, and longest account or group name of Linux is 32.
const USER_NAME_BYTES_MAX: usize = 64;
/// More groups than one role needs; each is looked up at each call.
const GROUPS_MAX: usize = 32;
/// How alike two keys must be for one to be what was meant (Jaro-Winkler).
const LIKENESS_MIN: f64 = 0.8;

/// Something about a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Line in the file, from 1.
    pub line: Option<usize>,
    /// Dotted key, as `user[0].roles`; empty for the file as a whole.
    pub key: String,
    /// What is wrong.
    pub problem: String,
    /// What would be right.
    pub fix: String,
}

impl Finding {
    /// In words, for a configuration that is no file yet.
    pub fn without_line(&self) -> String {
        let problem = format!("{}; {}", self.problem, self.fix);
        if self.key.is_empty() {
            problem
        } else {
            format!("{}: {problem}", self.key)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}, {}", self.without_line()),
            None => f.write_str(&self.without_line()),
        }
    }
}

/// Collects findings about keys.
struct Findings {
    lines: Lines,
    found: Vec<Finding>,
}

impl Findings {
    fn new(text: &str) -> Self {
        Self {
            lines: Lines::of(text),
            found: Vec::new(),
        }
    }

    fn add(&mut self, key: &str, problem: impl Into<String>, fix: impl Into<String>) {
        self.found.push(Finding {
            line: self.lines.find(key),
            key: key.to_owned(),
            problem: problem.into(),
            fix: fix.into(),
        });
    }
}

pub(super) fn checked(text: &str) -> Result<Config, Vec<Finding>> {
    let config: Config = toml::from_str(text).map_err(|error| vec![unreadable(text, &error)])?;
    let mut findings = Findings::new(text);
    facts(&config, &mut findings);
    people(&config, &mut findings);
    if findings.found.is_empty() {
        Ok(config)
    } else {
        Err(findings.found)
    }
}

/// What the parser says, with the key it stumbled on and the key that was probably meant.
fn unreadable(text: &str, error: &toml::de::Error) -> Finding {
    let message = error.message();
    let line = error.span().map(|span| line_at(text, span.start));
    let names = in_backquotes(message);
    match (message, names.as_slice()) {
        (message, [unknown, known @ ..]) if message.starts_with("unknown field") => {
            let here = Lines::of(text);
            let in_line = here.ending_in(unknown).find(|(_, at)| Some(*at) == line);
            Finding {
                line,
                key: in_line.map_or_else(|| unknown.clone(), |(path, _)| path.to_owned()),
                problem: "no such key".to_owned(),
                fix: meant(unknown, known),
            }
        }
        (message, [unknown, known @ ..]) if message.starts_with("unknown variant") => Finding {
            line,
            key: String::new(),
            problem: format!("{unknown:?} is none of the words known here"),
            fix: meant(unknown, known),
        },
        (message, [missing]) if message.starts_with("missing field") => Finding {
            line,
            key: missing.clone(),
            problem: "is required".to_owned(),
            fix: format!(
                "add a line {missing} = …; docs/reference/config.md says which values it takes"
            ),
        },
        (message, _) => Finding {
            line,
            key: String::new(),
            problem: message.to_owned(),
            fix: "correct this line; texts stand in quotation marks".to_owned(),
        },
    }
}

fn in_backquotes(text: &str) -> Vec<String> {
    let parts = text.split('`').skip(1).step_by(2);
    parts.map(str::to_owned).collect()
}

/// Every key of a table that refuses unknown ones, as its own refusal lists them.
pub(super) fn keys_of<T: DeserializeOwned>() -> Vec<String> {
    const NOT_A_KEY: &str = "\"\" = 0";
    let refusal = toml::from_str::<T>(NOT_A_KEY).err();
    let message = refusal.as_ref().map_or("", toml::de::Error::message);
    in_backquotes(message).into_iter().skip(1).collect()
}

fn meant(unknown: &str, known: &[String]) -> String {
    let likeness = |known: &String| strsim::jaro_winkler(unknown, known);
    let likely = known
        .iter()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match likely {
        Some(likely) if likeness(likely) >= LIKENESS_MIN => format!("did you mean {likely}?"),
        _ => format!("one of: {}", known.join(", ")),
    }
}

fn facts(config: &Config, findings: &mut Findings) {
    if config.schema != 1 {
        let problem = format!("schema {} is not known", config.schema);
        findings.add("schema", problem, "this program reads schema = 1");
    }
    let printable = !config.name.trim().is_empty() && !config.name.chars().any(char::is_control);
    if !printable || config.name.chars().count() > NAME_CHARS_MAX {
        let fix = format!("1 to {NAME_CHARS_MAX} printable characters");
        findings.add("name", "the name is empty, too long or not printable", fix);
    }
    if !is_party_code(&config.code) {
        let problem = format!("{:?} is not a party code", config.code);
        let fix = "2 to 16 of A-Z, 0-9 and -, a letter first";
        findings.add("code", problem, fix);
    }
    if config.country.len() != 2 || !config.country.bytes().all(|b| b.is_ascii_uppercase()) {
        let problem = format!("{:?} is not a country code", config.country);
        findings.add("country", problem, "two letters, as GB or RS");
    }
    if let Some(advertise) = &config.advertise
        && (!is_address(advertise) || advertise.len() > NAME_CHARS_MAX)
    {
        let problem = format!("{advertise:?} is not an address");
        let fix = "host and UDP port, as node.example.org:4433 or [2001:db8::1]:4433";
        findings.add("advertise", problem, fix);
    }
    if let Some(socket) = &config.socket {
        let bytes = socket.as_os_str().len();
        if bytes > SOCKET_PATH_BYTES_MAX {
            let problem = format!("the path has {bytes} bytes");
            let fix = format!("at most {SOCKET_PATH_BYTES_MAX}: choose a shorter directory");
            findings.add("socket", problem, fix);
        }
        if !socket.is_absolute() {
            let fix = "an absolute path, as /run/mandorla/control.sock";
            findings.add("socket", "the path is relative", fix);
        }
    }
    if config
        .threads
        .is_some_and(|n| !(1..=THREADS_MAX).contains(&n))
    {
        let fix = format!("1 to {THREADS_MAX}, or no line for all cores");
        findings.add("threads", "out of bounds", fix);
    }
    if let Some(group) = &config.socket_group {
        account_name("socket_group", group, findings);
    }
}

fn account_name(key: &str, name: &str, findings: &mut Findings) {
    let fits = (1..=USER_NAME_BYTES_MAX).contains(&name.len());
    if !fits || !name.chars().all(|c| c.is_ascii_graphic() && c != ':') {
        let fix = format!("a name or number of this host, 1 to {USER_NAME_BYTES_MAX} characters");
        findings.add(key, format!("{name:?} cannot be one"), fix);
    }
}

fn people(config: &Config, findings: &mut Findings) {
    group_roles(config, findings);
    if config.user.len() > USERS_MAX {
        let problem = format!("{} users", config.user.len());
        let fix = format!("at most {USERS_MAX}; give roles to groups instead ([roles])");
        findings.add("user", problem, fix);
    }
    let mut names = BTreeSet::new();
    let mut accounts = BTreeSet::new();
    for (at, user) in config.user.iter().enumerate() {
        one_user(&format!("user[{at}]"), user, findings);
        if !names.insert(&user.name) {
            let problem = format!("user {} stands twice", user.name);
            let fix = "one [[user]] for each person";
            findings.add(&format!("user[{at}].name"), problem, fix);
        }
        let Some(os_user) = &user.os_user else {
            continue;
        };
        // By number where this host knows the account: a name and its number are one account.
        let account = accounts::account_named(os_user);
        let account = account.map_or_else(|| os_user.clone(), |known| known.uid.to_string());
        if !accounts.insert(account) {
            let problem = format!("account {os_user} belongs to two users");
            let fix = "one person, one account, one [[user]]";
            findings.add(&format!("user[{at}].os_user"), problem, fix);
        }
    }
}

fn one_user(key: &str, user: &User, findings: &mut Findings) {
    let fits = (1..=USER_NAME_BYTES_MAX).contains(&user.name.len());
    if !fits || !user.name.chars().all(|c| c.is_ascii_graphic()) {
        let fix = format!(
            "1 to {USER_NAME_BYTES_MAX} letters, digits and signs of ASCII, without spaces"
        );
        let problem = format!("{:?} is not a user name", user.name);
        findings.add(&format!("{key}.name"), problem, fix);
    }
    if let Some(os_user) = &user.os_user {
        account_name(&format!("{key}.os_user"), os_user, findings);
    } else if user.roles.is_empty() {
        let problem = format!("user {} has no role", user.name);
        let fix = "roles = [\"analyst\"] or another; or an os_user whose groups give roles";
        findings.add(&format!("{key}.roles"), problem, fix);
    }
    if let Some((one, other)) = Role::conflict(&user.roles) {
        let problem = format!("{one} and {other} exclude each other (M-202)");
        let fix = "take one away: who decides does not audit";
        findings.add(&format!("{key}.roles"), problem, fix);
    }
}

fn group_roles(config: &Config, findings: &mut Findings) {
    for (role, holders) in &config.roles {
        let key = format!("roles.{role}");
        if holders.groups.is_empty() || holders.groups.len() > GROUPS_MAX {
            let problem = format!("{} groups", holders.groups.len());
            findings.add(
                &key,
                problem,
                format!("1 to {GROUPS_MAX}, or no line for this role"),
            );
        }
        for group in &holders.groups {
            account_name(&key, group, findings);
        }
        let excluded = config.roles.iter();
        let excluded = excluded.filter(|(other, _)| *other > role && role.excludes(**other));
        for (other, others) in excluded {
            let shared = others.groups.iter();
            for group in shared.filter(|group| holders.groups.contains(group)) {
                let problem = format!(
                    "group {group} gives {role} and {other}, which exclude each other (M-202)"
                );
                let fix = "a group of its own for each of the two: who decides does not audit";
                findings.add(&format!("roles.{other}"), problem, fix);
            }
        }
    }
}

pub(super) fn warnings(config: &Config, text: &str, data_dir: &Path) -> Vec<Finding> {
    let mut findings = Findings::new(text);
    let groups = config.roles.iter();
    let groups = groups.flat_map(|(role, holders)| {
        let groups = holders.groups.iter();
        groups.map(move |group| (format!("roles.{role}"), group))
    });
    let of_socket = config.socket_group.iter();
    let of_socket = of_socket.map(|group| ("socket_group".to_owned(), group));
    for (key, group) in groups.chain(of_socket) {
        if accounts::gid_of(group).is_none() {
            let problem = format!("this host has no group {group}");
            findings.add(&key, problem, format!("groupadd {group}"));
        }
    }
    let own_uid = rustix::process::geteuid().as_raw();
    let mut has_others = !config.roles.is_empty() || config.socket_group.is_some();
    for (at, user) in config.user.iter().enumerate() {
        let Some(os_user) = &user.os_user else {
            continue;
        };
        let account = accounts::account_named(os_user);
        has_others |= account.as_ref().is_none_or(|known| known.uid != own_uid);
        if account.is_none() {
            let problem = format!("this host has no account {os_user}");
            let fix = "useradd, or the account's number";
            findings.add(&format!("user[{at}].os_user"), problem, fix);
        }
    }
    if has_others && config.socket_path(data_dir).starts_with(data_dir) {
        let problem = "no other account can get to the socket: it lies in the data directory, which is closed to all others (mode 700)";
        let fix = "socket = \"/run/mandorla/control.sock\" in a directory that the members of socket_group may pass (mode 750)";
        findings.add("socket", problem, fix);
    }
    findings.found
}

#[cfg(test)]
mod tests;
