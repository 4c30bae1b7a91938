//! What changes between two versions, in words.

mod tree;

use std::fmt;

use toml::Value;

use crate::clauses::{Clause, Reading, Side};
use crate::{Agreement, Duration, Instant};
use tree::{Path, Tree};

/// What a change does to what may be asked, kept or released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// More may be asked, kept or released than before.
    Wider,
    /// Less.
    Narrower,
    /// More in one respect, less in another.
    Both,
    /// Neither; or it takes a person to tell.
    Neither,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Wider => "wider",
            Self::Narrower => "narrower",
            Self::Both => "wider and narrower",
            Self::Neither => "neither wider nor narrower",
        })
    }
}

/// One clause that differs. Texts quote the agreements and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The clause: parties, datasets and match keys by name, such as `party.UK.name` or `dataset.RS.registry.max_records`.
    pub clause: String,
    /// The value before; `none` where there was none.
    pub before: String,
    /// The value after.
    pub after: String,
    /// What it means: `UK may ask 3 times a day instead of 2 (wider)`.
    pub meaning: String,
    /// Whether more or less may be asked, kept or released.
    pub effect: Effect,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.clause, self.meaning)
    }
}

/// Every clause in which two agreements differ, in the order of the file. Comments, layout and ways to write the same
/// value (`24h`, `1d`; a default left out) are no difference, but they change the hash.
pub fn diff(before: &Agreement, after: &Agreement) -> Vec<Change> {
    between(&Tree::of(before), &Tree::of(after))
}

fn between(before: &Tree, after: &Tree) -> Vec<Change> {
    let mut paths: Vec<&Path> = before.0.keys().chain(after.0.keys()).collect();
    paths.sort_by_cached_key(|path| (Clause::place(path), *path));
    paths.dedup();
    let mut changes = Vec::new();
    let mut whole_tables: Vec<&Path> = Vec::new();
    for path in paths {
        if whole_tables.iter().any(|table| path.starts_with(table)) {
            continue; // its table came or went as a whole
        }
        let (old, new) = (before.0.get(path), after.0.get(path));
        let Some(clause) = Clause::of(path) else {
            continue; // `Tree::of` keeps clauses only
        };
        if clause.is_table() {
            if old.is_some() != new.is_some() {
                whole_tables.push(path);
                changes.push(table_change(clause, path, old, new));
            }
        } else if let Some(effect) = effect(clause.reading, old, new) {
            changes.push(change(clause, path, old, new, effect));
        }
    }
    if let Some(change) = order_change(before, after) {
        changes.push(change);
    }
    changes
}

fn table_change(clause: &Clause, path: &Path, old: Option<&Value>, new: Option<&Value>) -> Change {
    let side = match clause.reading {
        Reading::Added(side) => side,
        _ => Side::Neither,
    };
    let (verb, effect) = if new.is_some() {
        ("new", of_growth(side))
    } else {
        ("no longer there", of_shrinking(side))
    };
    let what = fill(clause.says, path, "", "");
    Change {
        clause: path.join("."),
        before: shown(old),
        after: shown(new),
        meaning: with_effect(format!("{verb}: {what}"), effect),
        effect,
    }
}

fn change(
    clause: &Clause,
    path: &Path,
    old: Option<&Value>,
    new: Option<&Value>,
    effect: Effect,
) -> Change {
    let (before, after) = (shown(old), shown(new));
    let mut meaning = fill(clause.says, path, &before, &after);
    if matches!(clause.reading, Reading::Items(_)) {
        let (added, removed) = (only_in(new, old), only_in(old, new));
        let parts = [("added", added), ("removed", removed)];
        let parts = parts.iter().filter(|(_, items)| !items.is_empty());
        let parts: Vec<_> = parts
            .map(|(word, items)| format!("{word} {}", items.join(", ")))
            .collect();
        meaning.push_str(": ");
        meaning.push_str(&if parts.is_empty() {
            "in another order".to_owned()
        } else {
            parts.join("; ")
        });
    }
    Change {
        clause: path.join("."),
        before,
        after,
        meaning: with_effect(meaning, effect),
        effect,
    }
}

/// The order of match keys numbers their types.
fn order_change(before: &Tree, after: &Tree) -> Option<Change> {
    let common = |own: &[String], other: &[String]| -> Vec<String> {
        own.iter()
            .filter(|id| other.contains(id))
            .cloned()
            .collect()
    };
    let (old, new) = (&before.1, &after.1);
    (common(old, new) != common(new, old)).then(|| Change {
        clause: "match_key".to_owned(),
        before: old.join(", "),
        after: new.join(", "),
        meaning: "the match keys stand in another order, which numbers their types".to_owned(),
        effect: Effect::Neither,
    })
}

/// `None` where the two mean the same.
fn effect(reading: Reading, old: Option<&Value>, new: Option<&Value>) -> Option<Effect> {
    if old == new {
        return None;
    }
    let number = |value: Option<&Value>| value.and_then(Value::as_integer);
    Some(match reading {
        Reading::Number(side) => grown(side, number(old), number(new)),
        Reading::Time(side) => {
            let (old, new) = (seconds(old), seconds(new));
            if old.is_some() && old == new {
                return None;
            }
            grown(side, old, new)
        }
        Reading::Flag(side) => {
            let flag = |value: Option<&Value>| value.and_then(Value::as_bool);
            grown(side, flag(old), flag(new))
        }
        Reading::Word(widest) => {
            let is_widest = |value: Option<&Value>| value.and_then(Value::as_str) == Some(widest);
            match (is_widest(old), is_widest(new)) {
                (false, true) => Effect::Wider,
                (true, false) => Effect::Narrower,
                _ => Effect::Neither,
            }
        }
        Reading::Items(side) => {
            let (added, removed) = (only_in(new, old), only_in(old, new));
            match (added.is_empty(), removed.is_empty()) {
                (false, true) => of_growth(side),
                (true, false) => of_shrinking(side),
                (false, false) if side != Side::Neither => Effect::Both,
                _ => Effect::Neither,
            }
        }
        Reading::Only => {
            let (added, removed) = (only_in(new, old), only_in(old, new));
            match (is_empty(old), is_empty(new)) {
                (true, false) => Effect::Narrower,
                (false, true) => Effect::Wider,
                _ => match (added.is_empty(), removed.is_empty()) {
                    (false, true) => Effect::Wider,
                    (true, false) => Effect::Narrower,
                    (false, false) => Effect::Both,
                    (true, true) => Effect::Neither,
                },
            }
        }
        Reading::Text | Reading::Added(_) => Effect::Neither,
    })
}

fn grown<T: Ord>(side: Side, old: Option<T>, new: Option<T>) -> Effect {
    match (old, new) {
        (Some(old), Some(new)) if new > old => of_growth(side),
        (Some(old), Some(new)) if new < old => of_shrinking(side),
        _ => Effect::Neither,
    }
}

const fn of_growth(side: Side) -> Effect {
    match side {
        Side::Wider => Effect::Wider,
        Side::Narrower => Effect::Narrower,
        Side::Neither => Effect::Neither,
    }
}

const fn of_shrinking(side: Side) -> Effect {
    match side {
        Side::Wider => Effect::Narrower,
        Side::Narrower => Effect::Wider,
        Side::Neither => Effect::Neither,
    }
}

fn seconds(value: Option<&Value>) -> Option<u64> {
    let text = match value? {
        Value::Datetime(datetime) => datetime.to_string(),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    let duration = text.parse::<Duration>().map(Duration::as_s);
    duration
        .or_else(|_| text.parse::<Instant>().map(Instant::as_s))
        .ok()
}

fn is_empty(list: Option<&Value>) -> bool {
    list.and_then(Value::as_array).is_none_or(Vec::is_empty)
}

/// Entries of one list that the other lacks. A nationality is the same in either case.
fn only_in(list: Option<&Value>, other: Option<&Value>) -> Vec<String> {
    let entries = |list: Option<&Value>| -> Vec<String> {
        let array = list.and_then(Value::as_array).into_iter().flatten();
        array.map(|entry| shown(Some(entry))).collect()
    };
    let other = entries(other);
    let mut own = entries(list);
    own.retain(|entry| !other.contains(entry));
    own
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None => "none".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(entries)) if entries.is_empty() => "none".to_owned(),
        Some(Value::Array(entries)) => {
            let entries: Vec<_> = entries.iter().map(|entry| shown(Some(entry))).collect();
            entries.join(", ")
        }
        Some(value) => value.to_string(),
    }
}

/// Puts names and values into a clause's sentence. Values go in last: they are texts of the agreement.
fn fill(says: &str, path: &[String], old: &str, new: &str) -> String {
    let pattern = Clause::of(path).map_or("", |clause| clause.path);
    let names: Vec<&str> = pattern
        .split('.')
        .zip(path)
        .filter(|(part, _)| *part == "*")
        .map(|(_, name)| name.as_str())
        .collect();
    let (a, b) = names
        .first()
        .and_then(|name| name.split_once("_to_"))
        .unwrap_or(("", ""));
    let mut out = String::new();
    let mut rest = says;
    while let Some((text, after)) = rest.split_once('{') {
        let (key, after) = after.split_once('}').unwrap_or((after, ""));
        out.push_str(text);
        out.push_str(match key {
            "A" => a,
            "B" => b,
            "1" => names.first().copied().unwrap_or_default(),
            "2" => names.get(1).copied().unwrap_or_default(),
            "old" => old,
            _ => new,
        });
        rest = after;
    }
    out.push_str(rest);
    out
}

fn with_effect(meaning: String, effect: Effect) -> String {
    match effect {
        Effect::Neither => meaning,
        effect => format!("{meaning} ({effect})"),
    }
}

#[cfg(test)]
mod tests;
