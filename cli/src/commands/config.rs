//! `mandorla config …`: the settings of the node and of this command, without a node.

use std::path::Path;

use clap::parser::ValueSource;
use clap::{ArgMatches, Subcommand};
use mandorla_control::{ApiError, ErrorCode};
use mandorla_node::{Config, Finding, Origin, settings};
use serde::Serialize;
use serde_json::json;

use crate::context::Context;
use crate::failure::{DONE, Done, internal};
use crate::settings::CONFIG_NAME;
use crate::table::Table;

/// `mandorla config …`
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Every setting in force, of the command line and of node.toml
    Show {
        /// With where each value comes from: flag, environment, file with its line, or default
        #[arg(long)]
        origin: bool,
    },
    /// Check node.toml: line, key, bound and fix of everything that is wrong
    Check,
}

#[derive(Serialize)]
struct Row {
    setting: String,
    value: String,
    origin: String,
}

pub(crate) fn run(command: &ConfigCommand, cx: &Context) -> Done {
    match command {
        ConfigCommand::Show { origin } => show(*origin, cx),
        ConfigCommand::Check => check(cx),
    }
}

fn show(with_origin: bool, cx: &Context) -> Done {
    let data_dir = cx.places()?.data_dir;
    let arguments: Vec<_> = std::env::args_os().collect();
    let mut rows = of_command_line(&arguments, &data_dir)?;
    let path = data_dir.join(CONFIG_NAME);
    let text = read(&path)?;
    let config = Config::checked(&text).map_err(|findings| bad(&path, &findings))?;
    rows.extend(
        settings(&config, &text, &data_dir)
            .into_iter()
            .map(|setting| Row {
                setting: setting.key,
                value: setting.value,
                origin: match setting.origin {
                    Origin::File(line) => format!("{}:{line}", path.display()),
                    Origin::Default => "default".to_owned(),
                },
            }),
    );
    cx.out.list(&rows, |rows| {
        let titles: &[&str] = if with_origin {
            &["SETTING", "VALUE", "ORIGIN"]
        } else {
            &["SETTING", "VALUE"]
        };
        let mut table = Table::new(titles);
        for row in rows {
            let mut cells = vec![row.setting.clone(), row.value.clone()];
            cells.extend(with_origin.then(|| row.origin.clone()));
            table.row(cells);
        }
        table.text_or("")
    })?;
    DONE
}

/// The global flags as this command got them.
fn of_command_line(
    arguments: &[std::ffi::OsString],
    data_dir: &Path,
) -> Result<Vec<Row>, ApiError> {
    let definitions = crate::definitions();
    let root = definitions
        .clone()
        .try_get_matches_from(arguments)
        .map_err(internal)?;
    let mut matches = &root;
    while let Some((_, inner)) = matches.subcommand() {
        matches = inner; // a global flag counts wherever it stands
    }
    let flags = definitions
        .get_arguments()
        .filter(|flag| flag.is_global_set());
    let rows = flags.map(|flag| {
        let name = format!("--{}", flag.get_long().unwrap_or_default());
        let id = flag.get_id().as_str();
        let (value, origin) = match matches.value_source(id) {
            Some(ValueSource::CommandLine) => (raw(matches, id), "flag".to_owned()),
            Some(ValueSource::EnvVariable) => {
                let variable = flag.get_env().unwrap_or_default().to_string_lossy();
                (raw(matches, id), format!("environment {variable}"))
            }
            _ => (default(flag, data_dir), "default".to_owned()),
        };
        Row {
            setting: name,
            value,
            origin,
        }
    });
    Ok(rows.collect())
}

fn raw(matches: &ArgMatches, id: &str) -> String {
    let values = matches.get_raw(id).into_iter().flatten();
    let values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
    if values.is_empty() {
        "true".to_owned() // a flag without a value
    } else {
        values.join(" ")
    }
}

fn default(flag: &clap::Arg, data_dir: &Path) -> String {
    match (flag.get_id().as_str(), flag.get_default_values()) {
        ("data_dir", _) => data_dir.display().to_string(),
        ("config", _) => data_dir.join(CONFIG_NAME).display().to_string(),
        ("socket", _) => "as node.toml says".to_owned(),
        ("verbose", _) => "0".to_owned(),
        (_, [value]) => value.to_string_lossy().into_owned(),
        _ if flag.get_action().takes_values() => "none".to_owned(),
        _ => "false".to_owned(),
    }
}

fn check(cx: &Context) -> Done {
    let data_dir = cx.places()?.data_dir;
    let path = data_dir.join(CONFIG_NAME);
    let text = read(&path)?;
    let (errors, warnings) = match Config::checked(&text) {
        Ok(config) => (Vec::new(), config.warnings(&text, &data_dir)),
        Err(errors) => (errors, Vec::new()),
    };
    let object = json!({
        "config": path, "valid": errors.is_empty(), "errors": views(&errors), "warnings": views(&warnings),
    });
    cx.out.object(&object, |_| {
        let mut lines: Vec<String> = errors
            .iter()
            .map(|finding| format!("error: {finding}\n"))
            .collect();
        lines.extend(
            warnings
                .iter()
                .map(|finding| format!("warning: {finding}\n")),
        );
        if lines.is_empty() {
            lines.push(format!("{} can be used\n", path.display()));
        }
        lines.concat()
    })?;
    if errors.is_empty() {
        DONE
    } else {
        Err(bad(&path, &errors))
    }
}

fn views(findings: &[Finding]) -> Vec<serde_json::Value> {
    let view = |finding: &Finding| json!({"line": finding.line, "key": finding.key, "problem": finding.problem, "fix": finding.fix});
    findings.iter().map(view).collect()
}

fn read(path: &Path) -> Result<String, ApiError> {
    std::fs::read_to_string(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            let message = format!("there is no {}", path.display());
            ApiError::new(ErrorCode::NotInitialised, message)
                .hint("mandorla init --name NAME --country CC")
        }
        _ => ApiError::new(ErrorCode::BadConfig, format!("{}: {error}", path.display())),
    })
}

fn bad(path: &Path, findings: &[Finding]) -> ApiError {
    let first = findings
        .first()
        .map(ToString::to_string)
        .unwrap_or_default();
    let more = match findings.len() {
        0 | 1 => String::new(),
        n => format!(", and {} more", n - 1),
    };
    ApiError::new(
        ErrorCode::BadConfig,
        format!("{}: {first}{more}", path.display()),
    )
    .hint("correct it, then: mandorla config check")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_says_that_it_came_from_the_command_line_wherever_it_stands() {
        let arguments = ["mandorla", "config", "show", "--timeout", "5s", "-v"];
        let arguments: Vec<std::ffi::OsString> = arguments.map(Into::into).into();
        let rows = of_command_line(&arguments, Path::new("/d")).unwrap();
        let of = |name: &str| {
            let row = rows.iter().find(|row| row.setting == name).unwrap();
            (row.value.as_str(), row.origin.as_str())
        };
        assert_eq!(of("--timeout"), ("5s", "flag"));
        assert_eq!(of("--verbose").1, "flag");
        assert_eq!(of("--data-dir").0, "/d");
        assert_eq!(of("--color"), ("auto", "default"));
        let flags = crate::definitions();
        let flags = flags.get_arguments().filter(|flag| flag.is_global_set());
        assert_eq!(rows.len(), flags.count(), "every flag has its row");
    }
}
