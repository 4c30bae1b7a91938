//! Where in `node.toml` a key stands.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

/// Lines by dotted path, as `policy.accept_rounds` or `user[1].roles`. Lines count from 1.
pub(super) struct Lines(BTreeMap<String, usize>);

impl Lines {
    /// Of a text; empty where it is not TOML.
    pub(super) fn of(text: &str) -> Self {
        let mut lines = BTreeMap::new();
        if let Ok(table) = DeTable::parse(text) {
            walk(text, "", table.get_ref(), &mut lines);
        }
        Self(lines)
    }

    /// The line of a key, else that of the nearest key around it.
    pub(super) fn find(&self, path: &str) -> Option<usize> {
        let mut path = path;
        loop {
            if let Some(line) = self.0.get(path) {
                return Some(*line);
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }

    /// The line where exactly this key is written.
    pub(super) fn exactly(&self, path: &str) -> Option<usize> {
        self.0.get(path).copied()
    }

    /// Every path that ends with this key.
    pub(super) fn ending_in(&self, key: &str) -> impl Iterator<Item = (&str, usize)> {
        let of_key = move |path: &str| path.rsplit('.').next() == Some(key);
        let paths = self.0.iter().map(|(path, line)| (path.as_str(), *line));
        paths.filter(move |(path, _)| of_key(path))
    }
}

/// The line of a byte.
pub(super) fn line_at(text: &str, byte: usize) -> usize {
    let before = text.get(..byte).unwrap_or(text);
    1 + before.matches('\n').count()
}

fn walk(text: &str, prefix: &str, table: &DeTable<'_>, lines: &mut BTreeMap<String, usize>) {
    for (key, value) in table {
        let name = key.get_ref();
        let path = if prefix.is_empty() {
            name.to_string()
        } else {
            format!("{prefix}.{name}")
        };
        lines.insert(path.clone(), line_at(text, key.span().start));
        walk_value(text, &path, value.get_ref(), lines);
    }
}

fn walk_value(text: &str, path: &str, value: &DeValue<'_>, lines: &mut BTreeMap<String, usize>) {
    match value {
        DeValue::Table(table) => walk(text, path, table, lines),
        DeValue::Array(array) => {
            for (index, item) in array.iter().enumerate() {
                let path = format!("{path}[{index}]");
                lines.insert(path.clone(), line_at(text, item.span().start));
                walk_value(text, &path, item.get_ref(), lines);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_found_on_its_line_also_in_tables_and_in_tables_of_an_array() {
        let text =
            "a = 1\n[p]\nb = 2\n\n[[user]]\nname = \"x\"\n[[user]]\nname = \"y\"\nroles = []\n";
        let lines = Lines::of(text);
        for (path, line) in [
            ("a", 1),
            ("p.b", 3),
            ("user[0].name", 6),
            ("user[1].name", 8),
            ("user[1].roles", 9),
        ] {
            assert_eq!(lines.exactly(path), Some(line), "{path}");
        }
        assert_eq!(lines.exactly("user[0].roles"), None);
        assert_eq!(lines.find("user[1].os_user"), lines.exactly("user[1]"));
        assert_eq!(lines.find("zzz"), None);
        assert_eq!(lines.ending_in("name").count(), 2);
    }
}
