//! Data on stdout, everything else on stderr.

use std::ffi::OsString;
use std::io::{ErrorKind, IsTerminal as _, Write as _};

use mandorla_control::{API_VERSION, ApiError, ErrorBody, ErrorCode};
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::{ColorChoice, Global};
use crate::failure::internal;
use crate::hints::Hints;

/// Where and how to print.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    /// One JSON object instead of text.
    pub json: bool,
    quiet: bool,
    color: bool,
    hints: Hints,
}

impl Output {
    pub(crate) fn new(global: &Global) -> Self {
        let color = match global.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
            }
        };
        Self {
            json: global.json,
            quiet: global.quiet,
            color,
            hints: Hints::new(global),
        }
    }

    /// For errors of usage, when no flag has been understood yet.
    pub(crate) fn before_parsing(arguments: &[OsString]) -> Self {
        let wanted = |value: &std::ffi::OsStr| {
            !matches!(
                value.to_str(),
                Some("" | "0" | "false" | "no" | "off" | "n" | "f")
            )
        };
        Self {
            json: arguments.iter().any(|argument| argument == "--json")
                || std::env::var_os("MANDORLA_JSON").is_some_and(|value| wanted(&value)),
            quiet: false,
            color: false,
            hints: Hints::default(),
        }
    }

    /// One object: as JSON with `"schema": 1`, or as the text made from it.
    pub(crate) fn object<T: Serialize>(
        &self,
        object: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<(), ApiError> {
        if self.json {
            self.raw(&pretty(&with_schema(object)?))
        } else {
            self.text(&text(object))
        }
    }

    /// One object as a line of JSON.
    pub(crate) fn json_line<T: Serialize>(&self, object: &T) -> Result<(), ApiError> {
        self.raw(&format!("{}\n", with_schema(object)?))
    }

    /// A list: as JSON with `"items"`, or as the text made from it.
    pub(crate) fn list<T: Serialize>(
        &self,
        items: &[T],
        text: impl FnOnce(&[T]) -> String,
    ) -> Result<(), ApiError> {
        if self.json {
            let items = serde_json::to_value(items).map_err(internal)?;
            self.raw(&pretty(&json!({"schema": API_VERSION, "items": items})))
        } else {
            self.text(&text(items))
        }
    }

    /// Text for people: what came from a file or a peer cannot steer the terminal.
    pub(crate) fn text(&self, text: &str) -> Result<(), ApiError> {
        self.raw(&harmless(text))
    }

    /// Text as it is.
    #[expect(clippy::unused_self, reason = "the one door to standard output")]
    pub(crate) fn raw(&self, text: &str) -> Result<(), ApiError> {
        let mut stdout = std::io::stdout().lock();
        match stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
        {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(ApiError::new(
                ErrorCode::BadFile,
                format!("standard output: {error}"),
            )),
            _ => Ok(()), // a reader that has seen enough is no failure
        }
    }

    /// A message beside the data.
    pub(crate) fn say(&self, message: &str) {
        if !self.quiet && !self.json {
            eprintln_harmless(&self.hints.complete(message));
        }
    }

    /// A text with commands in it, as they can be typed here.
    pub(crate) fn hint(&self, text: &str) -> String {
        self.hints.complete(text)
    }

    /// The error, and the next command.
    pub(crate) fn error(&self, error: &ApiError) {
        let mut error = error.clone();
        error.hint = error.hint.map(|hint| self.hints.complete(&hint));
        if self.json {
            let body = serde_json::to_string(&ErrorBody::from(error))
                .expect("three texts always become JSON");
            eprintln_harmless(&body);
            return;
        }
        let (red, bold, off) = if self.color {
            ("\u{1b}[31;1m", "\u{1b}[1m", "\u{1b}[0m")
        } else {
            ("", "", "")
        };
        let mut stderr = std::io::stderr().lock();
        let _ = writeln!(stderr, "{red}error:{off} {}", harmless(&error.to_string()));
        if let Some(hint) = &error.hint {
            let _ = writeln!(stderr, " {bold}hint:{off} {}", harmless(hint));
        }
    }

    /// Whether progress may draw over its own line.
    pub(crate) fn draws(&self) -> bool {
        !self.quiet && !self.json && std::io::stderr().is_terminal()
    }
}

fn eprintln_harmless(message: &str) {
    // Nobody is left to tell if stderr is gone.
    let _ = writeln!(std::io::stderr(), "{}", harmless(message));
}

fn with_schema<T: Serialize>(object: &T) -> Result<Value, ApiError> {
    let mut value = serde_json::to_value(object).map_err(internal)?;
    let fields = value
        .as_object_mut()
        .ok_or_else(|| internal("a command printed something that is no object"))?;
    fields.entry("schema").or_insert_with(|| API_VERSION.into());
    Ok(value)
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// Escapes what could move the cursor, change colours or reverse the reading direction.
pub(crate) fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let steers = (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if steers {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_peer_cannot_steer_the_terminal() {
        assert_eq!(harmless("a\u{1b}[2Jb\r\n"), "a\\u{1b}[2Jb\\u{d}\n");
        assert_eq!(harmless("Jo\u{202e}van"), "Jo\\u{202e}van");
        assert_eq!(harmless("Đorđe Јовановић\tok\n"), "Đorđe Јовановић\tok\n");
    }

    #[test]
    fn every_object_carries_its_schema_once() {
        assert_eq!(
            with_schema(&json!({"a": 2})).unwrap(),
            json!({"a": 2, "schema": 1})
        );
        assert_eq!(
            with_schema(&json!({"schema": 1})).unwrap(),
            json!({"schema": 1})
        );
        assert!(with_schema(&[1, 2]).is_err());
    }
}
