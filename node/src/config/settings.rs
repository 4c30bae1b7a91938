//! Every setting of `node.toml` with its value and where the value comes from.

use std::path::Path;

use mandorla_agreement::LocalPolicy;

use super::Config;
use super::check::keys_of;
use super::lines::Lines;

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This line of the file.
    File(usize),
    /// The program.
    Default,
}

/// A setting in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Dotted key.
    pub key: String,
    /// Its value in TOML, or in words where there is none.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// The settings of a configuration, which was read from this text.
pub fn settings(config: &Config, text: &str, data_dir: &Path) -> Vec<Setting> {
    let lines = Lines::of(text);
    let mut found = Vec::new();
    // What a serialized configuration leaves out, because it has no value of its own.
    let socket = config.socket_path(data_dir).display().to_string();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let unset = [
        (
            "advertise",
            config.advertise.is_none(),
            format!("\"{}\" (listen)", config.listen),
        ),
        (
            "auditor_key",
            config.auditor_key.is_none(),
            "none: blinding seeds are dropped".to_owned(),
        ),
        ("roles", config.roles.is_empty(), "none by group".to_owned()),
        ("socket", config.socket.is_none(), format!("{socket:?}")),
        (
            "socket_group",
            config.socket_group.is_none(),
            "the group of the node's process".to_owned(),
        ),
        (
            "threads",
            config.threads.is_none(),
            format!("{cores} (all cores)"),
        ),
        ("user", config.user.is_empty(), "none by name".to_owned()),
    ];
    for (key, _, value) in unset.into_iter().filter(|(_, is_unset, _)| *is_unset) {
        found.push(Setting {
            key: key.to_owned(),
            value,
            origin: Origin::Default,
        });
    }
    let policy = toml::Table::try_from(&config.policy).expect("a policy is TOML");
    let unset = keys_of::<LocalPolicy>().into_iter();
    for key in unset.filter(|key| !policy.contains_key(key)) {
        found.push(Setting {
            key: format!("policy.{key}"),
            value: "not narrower than the agreement".to_owned(),
            origin: Origin::Default,
        });
    }
    let table = toml::Value::try_from(config).expect("a configuration is TOML");
    flatten("", &table, &lines, &mut found);
    found.sort_by(|a, b| {
        (a.key.contains(['.', '[']), &a.key).cmp(&(b.key.contains(['.', '[']), &b.key))
    });
    found
}

fn flatten(path: &str, value: &toml::Value, lines: &Lines, found: &mut Vec<Setting>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                flatten(&path, value, lines, found);
            }
        }
        toml::Value::Array(array) if array.iter().any(toml::Value::is_table) => {
            for (at, value) in array.iter().enumerate() {
                flatten(&format!("{path}[{at}]"), value, lines, found);
            }
        }
        value => found.push(Setting {
            key: path.to_owned(),
            value: value.to_string(),
            origin: lines.exactly(path).map_or(Origin::Default, Origin::File),
        }),
    }
}
