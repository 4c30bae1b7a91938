//! The file as text: which characters it may hold, and which clause stands at an offset.

use toml::{Table, Value};

use crate::bounds::{LIST_ENTRIES_MAX, TEXT_CHARS_MAX};
use crate::finding::Findings;

/// Refuses text that could deceive whoever reads the agreement on a terminal or a page: control characters,
/// bidirectional overrides, invisible characters; and text or lists that are too long.
pub(crate) fn check_characters(table: &Table, findings: &mut Findings) {
    for (key, value) in table {
        check_value(key, value, findings);
    }
}

/// Line (from 1) and clause at a byte offset: the last table header before it, and the key of its line.
pub(crate) fn clause_at(text: &str, offset: usize) -> (usize, String) {
    let offset = text.floor_char_boundary(offset);
    let before = &text[..offset];
    let line_index = before.matches('\n').count();
    let mut table = "";
    let mut line_text = "";
    for line in text.split('\n').take(line_index + 1) {
        line_text = line.trim();
        if let Some(header) = line_text.strip_prefix('[') {
            table = header
                .split(']')
                .next()
                .unwrap_or_default()
                .trim_matches('[')
                .trim();
        }
    }
    let key = match line_text.split_once('=') {
        Some((key, _)) if !line_text.starts_with(['[', '#', '"']) => key.trim(),
        _ => "",
    };
    let clause = match (table.is_empty(), key.is_empty()) {
        (false, false) => format!("{table}.{key}"),
        (false, true) => table.to_owned(),
        (true, _) => key.to_owned(),
    };
    (line_index + 1, clause)
}

fn check_value(path: &str, value: &Value, findings: &mut Findings) {
    match value {
        Value::String(text) => check_text(path, text, findings),
        Value::Array(values) => {
            findings.require(
                values.len() <= LIST_ENTRIES_MAX,
                path,
                format!(
                    "the list has {} entries, at most {LIST_ENTRIES_MAX} are read",
                    values.len()
                ),
                "shorten the list",
            );
            for (index, value) in values.iter().enumerate().take(LIST_ENTRIES_MAX) {
                check_value(&format!("{path}[{index}]"), value, findings);
            }
        }
        Value::Table(table) => {
            for (key, value) in table {
                check_value(&format!("{path}.{key}"), value, findings);
            }
        }
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
    }
}

fn check_text(path: &str, text: &str, findings: &mut Findings) {
    let length_chars = text.chars().count();
    findings.require(
        length_chars <= TEXT_CHARS_MAX,
        path,
        format!("the text has {length_chars} characters, at most {TEXT_CHARS_MAX} are read"),
        "shorten the text",
    );
    if let Some(c) = text.chars().find(|&c| is_deceptive(c)) {
        findings.require(
            false,
            path,
            format!(
                "the text contains the invisible or control character U+{:04X}",
                c as u32
            ),
            "remove it",
        );
    }
}

/// Characters that change how the text around them is shown.
fn is_deceptive(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{00AD}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clause_is_the_last_header_and_the_key_of_the_line() {
        let text = "id = \"x\"\n[purpose]\ncode = 1\n\n[[match_key]]\nid = 2\n";
        let at = |needle: &str| clause_at(text, text.find(needle).unwrap());
        assert_eq!(at("\"x\""), (1, "id".into()));
        assert_eq!(at("1\n"), (3, "purpose.code".into()));
        assert_eq!(at("[[match"), (5, "match_key".into()));
        assert_eq!(at("2\n"), (6, "match_key.id".into()));
        assert_eq!(clause_at(text, 10_000), (7, "match_key".into()));
    }
}
