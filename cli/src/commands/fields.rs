//! Fields and their values, and lists in words.

use mandorla_control::FieldView;

/// `  family_names   Jovanović | Jovanovic` lines under a title.
pub(crate) fn section(title: &str, fields: &[FieldView]) -> String {
    if fields.is_empty() {
        return format!("{title}: nothing\n");
    }
    let width = fields
        .iter()
        .map(|field| field.field.len())
        .max()
        .unwrap_or(0);
    let lines = fields
        .iter()
        .map(|field| format!("  {:<width$}  {}", field.field, field.values.join(" | ")));
    under(title, lines)
}

/// `  - line` lines under a title; nothing if there are none.
pub(crate) fn bullets(title: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    under(title, lines.iter().map(|line| format!("  - {line}")))
}

fn under(title: &str, lines: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = std::iter::once(title.to_owned()).chain(lines).collect();
    all.join("\n") + "\n"
}

/// `yes` or `no`.
pub(crate) fn yes_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}
