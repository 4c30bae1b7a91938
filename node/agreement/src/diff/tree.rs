//! An agreement as a list of clauses with values, written one way only.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::Agreement;
use crate::clauses::Clause;

/// Names from the root to a clause; parties, datasets and match keys by name.
pub(super) type Path = Vec<String>;

/// Every clause that is written or has a default, and the ids of the match keys in their order.
pub(super) struct Tree(pub(super) BTreeMap<Path, Value>, pub(super) Vec<String>);

/// Tables in arrays, and the fields that name each.
const NAMED: [(&str, &[&str]); 3] = [
    ("party", &["code"]),
    ("dataset", &["party", "id"]),
    ("match_key", &["id"]),
];

/// A clause's path and what it stands for where it is absent.
type Default = (&'static str, fn() -> Value);

/// What absent clauses stand for.
const DEFAULTS: [Default; 9] = [
    ("policy_context", empty),
    ("scope.nationalities_in", empty),
    ("scope.nationalities_out", empty),
    ("disclosure.*.forbidden_fields", empty),
    ("review.*.two_person_when", empty),
    ("handling.caveats", empty),
    ("answer.reciprocal", no),
    ("match_key.*.alone", no),
    ("match_key.*.transform", exact),
];

impl Tree {
    pub(super) fn of(agreement: &Agreement) -> Self {
        let text = std::str::from_utf8(agreement.bytes()).expect("an agreement is UTF-8");
        let mut table: Table = text.parse().expect("an agreement is TOML");
        for direction in agreement.directions() {
            let limits = table
                .get_mut("limits")
                .and_then(|limits| limits.get_mut(direction.name()))
                .and_then(Value::as_table_mut)
                .expect("a direction has limits");
            let derived = [
                ("responder_max_set", direction.responder_subjects_max()),
                (
                    "keys_per_subject_max",
                    direction.keys_per_subject_max().into(),
                ),
            ];
            for (key, value) in derived {
                let value = i64::try_from(value).unwrap_or(i64::MAX);
                limits.entry(key).or_insert(Value::Integer(value));
            }
        }
        Self::of_table(table)
    }

    pub(super) fn of_table(mut table: Table) -> Self {
        if let Some(answer) = table.get_mut("answer").and_then(Value::as_table_mut)
            && let Some(hours) = answer.remove("fetch_hours")
        {
            answer.insert(
                "fetch_window".to_owned(),
                Value::String(format!("{hours}h")),
            );
        }
        let mut ids = Vec::new();
        for (array, names) in NAMED {
            let Some(Value::Array(tables)) = table.remove(array) else {
                continue;
            };
            let mut named = Table::new();
            for element in tables {
                let name = |key: &&str| element.get(key).and_then(Value::as_str).unwrap_or("");
                let path: Vec<String> = names.iter().map(|key| name(key).to_owned()).collect();
                if array == "match_key" {
                    ids.extend(path.clone());
                }
                insert(&mut named, &path, element);
            }
            table.insert(array.to_owned(), Value::Table(named));
        }
        let mut clauses = BTreeMap::new();
        walk(&mut Vec::new(), Value::Table(table), &mut clauses);
        add_defaults(&mut clauses);
        Self(clauses, ids)
    }
}

fn insert(table: &mut Table, path: &[String], value: Value) {
    match path {
        [] => {}
        [last] => {
            table.insert(last.clone(), value);
        }
        [first, rest @ ..] => {
            let inner = table
                .entry(first.clone())
                .or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

fn walk(path: &mut Path, value: Value, clauses: &mut BTreeMap<Path, Value>) {
    let clause = Clause::of(path);
    if clause.is_some() {
        clauses.insert(path.clone(), value.clone());
    }
    if clause.is_some_and(|clause| !clause.is_table()) {
        return;
    }
    if let Value::Table(table) = value {
        for (key, value) in table {
            path.push(key);
            walk(path, value, clauses);
            path.pop();
        }
    }
}

/// A default belongs to each table that is there.
fn add_defaults(clauses: &mut BTreeMap<Path, Value>) {
    for (pattern, value) in DEFAULTS {
        let (table, key) = pattern.rsplit_once('.').unwrap_or(("", pattern));
        let tables: Vec<Path> = if table.contains('*') {
            let of_table =
                |path: &&Path| Clause::of(path).is_some_and(|clause| clause.path == table);
            clauses.keys().filter(of_table).cloned().collect()
        } else {
            let parts = table.split('.').filter(|part| !part.is_empty());
            vec![parts.map(str::to_owned).collect()]
        };
        for mut path in tables {
            path.push(key.to_owned());
            clauses.entry(path).or_insert_with(value);
        }
    }
}

fn empty() -> Value {
    Value::Array(Vec::new())
}

fn no() -> Value {
    Value::Boolean(false)
}

fn exact() -> Value {
    Value::String("exact".to_owned())
}
