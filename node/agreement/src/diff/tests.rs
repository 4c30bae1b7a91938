use std::collections::BTreeSet;

use super::*;
use crate::Terms;
use crate::clauses::CLAUSES;
use toml::Table;

const SAMPLE: &str = include_str!("../../samples/uk-rs.toml");

/// The sample with every key that it leaves out.
fn full() -> Table {
    let text = SAMPLE
        .replace("# supersedes = \"…\"", "supersedes = \"00\" #")
        .replace("# responder_max_set = …", "responder_max_set = 9 #")
        .replace("# keys_per_subject_max = …", "keys_per_subject_max = 9 #")
        .replace(
            "mode = \"fresh\"",
            "mode = \"fresh\"\nepoch_days = 7\nrepeat_questions = \"unlinkable\"",
        );
    text.parse().unwrap()
}

/// Paths of the tree under `table`; elements of arrays of tables by index.
fn leaves(path: &[String], value: &Value, found: &mut Vec<Vec<String>>) {
    let inner: Vec<(String, &Value)> = match value {
        Value::Table(table) if path.last().is_none_or(|key| key != "transform") => table
            .iter()
            .map(|(key, value)| (key.clone(), value))
            .collect(),
        Value::Array(values) if values.first().is_some_and(Value::is_table) => {
            let indexed = values.iter().enumerate();
            indexed
                .map(|(index, value)| (index.to_string(), value))
                .collect()
        }
        _ => {
            found.push(path.to_vec());
            return;
        }
    };
    for (key, value) in inner {
        leaves(&[path, &[key]].concat(), value, found);
    }
}

fn at<'a>(root: &'a mut Value, path: &[String]) -> &'a mut Value {
    path.iter().fold(root, |value, key| match value {
        Value::Array(values) => &mut values[key.parse::<usize>().unwrap()],
        value => &mut value[key.as_str()],
    })
}

fn mutate(value: &mut Value) {
    match value {
        Value::Integer(n) => *n += 1,
        Value::Boolean(flag) => *flag = !*flag,
        Value::Array(entries) => entries.push(Value::String("another".to_owned())),
        Value::Table(table) => drop(table.insert("another".to_owned(), Value::Integer(1))),
        other => *other = Value::String(format!("another {}", other.as_str().unwrap_or(""))),
    }
}

#[test]
fn a_change_of_any_field_of_the_file_is_reported_and_nothing_else_with_it() {
    let before = Tree::of_table(full());
    let mut paths = Vec::new();
    leaves(&[], &Value::Table(full()), &mut paths);
    let mut reported = BTreeSet::new();
    for path in paths {
        let mut table = Value::Table(full());
        mutate(at(&mut table, &path));
        let Value::Table(table) = table else {
            panic!("a table stays one")
        };
        let changes = between(&before, &Tree::of_table(table));
        let key = path.last().unwrap();
        let names = ["code", "id", "party"].contains(&key.as_str()) && path.len() == 3;
        // Another name of a party, dataset or match key is another one: one goes, one comes.
        assert_eq!(
            changes.len(),
            if names { 2 } else { 1 },
            "{path:?}: {changes:#?}"
        );
        for change in &changes {
            assert!(
                !change.meaning.is_empty() && change.before != change.after,
                "{change:?}"
            );
            assert!(
                !change.meaning.contains(['{', '}']) || key == "transform",
                "{change:?}"
            );
            assert!(
                names || change.clause.ends_with(key.as_str()),
                "{path:?}: {change:?}"
            );
            let path: Vec<_> = change.clause.split('.').map(str::to_owned).collect();
            reported.insert(Clause::of(&path).unwrap().path);
        }
        assert!(between(&before, &before).is_empty());
    }
    let never_alone = |clause: &&Clause| {
        clause.is_table()
            || ["code", "id", "party"]
                .iter()
                .any(|name| clause.path.ends_with(&format!("*.{name}")))
    };
    for clause in CLAUSES.iter().filter(|clause| !never_alone(clause)) {
        assert!(
            reported.contains(clause.path),
            "{} was never reported",
            clause.path
        );
    }
}

/// The keys of a table, from what serde says that it expects instead of an unknown one.
fn keys_of_terms(path: &[&str]) -> BTreeSet<String> {
    let mut root = Value::Table(full());
    let path: Vec<String> = path.iter().map(|key| (*key).to_owned()).collect();
    let Value::Table(table) = at(&mut root, &path) else {
        panic!("{path:?} is no table")
    };
    table.insert("zzz".to_owned(), Value::Integer(1));
    let Value::Table(table) = root else {
        panic!("a table stays one")
    };
    let error = toml::from_str::<Terms>(&toml::to_string(&table).unwrap()).unwrap_err();
    let message = error.message();
    assert!(message.contains("unknown field `zzz`"), "{message}");
    let expected = message.split_once("expected").unwrap().1;
    expected
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_clauses_are_the_fields_of_the_terms() {
    let tables: &[(&[&str], &str)] = &[
        (&[], ""),
        (&["party", "0"], "party.*."),
        (&["purpose"], "purpose."),
        (&["legal", "UK"], "legal.*."),
        (&["scope"], "scope."),
        (&["dataset", "0"], "dataset.*.*."),
        (&["linkage"], "linkage."),
        (&["match_key", "0"], "match_key.*."),
        (&["limits", "UK_to_RS"], "limits.*."),
        (
            &["limits", "UK_to_RS", "evaluations", "document"],
            "limits.*.evaluations.*.",
        ),
        (&["result"], "result."),
        (&["answer"], "answer."),
        (&["disclosure", "UK_to_RS"], "disclosure.*."),
        (&["review", "UK"], "review.*."),
        (&["handling"], "handling."),
        (&["retention"], "retention."),
        (&["exit"], "exit."),
    ];
    let mut fields = BTreeSet::new();
    for (path, prefix) in tables {
        for key in keys_of_terms(path) {
            fields.insert(format!("{prefix}{key}"));
        }
    }
    // `fetch_hours` is another way to write `fetch_window`; what holds only tables has no value of its own.
    assert!(fields.remove("answer.fetch_hours"));
    let is_leaf = |field: &String| {
        !fields
            .iter()
            .any(|other| other.starts_with(&format!("{field}.")))
    };
    let leaves: BTreeSet<&str> = fields
        .iter()
        .filter(|field| is_leaf(field))
        .map(String::as_str)
        .collect();
    let clauses: BTreeSet<&str> = CLAUSES
        .iter()
        .filter(|clause| !clause.is_table())
        .map(|clause| clause.path)
        .collect();
    assert_eq!(leaves, clauses);
}

fn parsed(text: &str) -> Agreement {
    Agreement::parse(text.as_bytes()).unwrap()
}

fn meanings(from: &str, to: &str) -> Vec<String> {
    assert!(SAMPLE.contains(from), "{from}");
    let after = parsed(&SAMPLE.replacen(from, to, 1));
    let changes = diff(&parsed(SAMPLE), &after);
    changes.iter().map(ToString::to_string).collect()
}

#[test]
fn changes_are_told_in_plain_words() {
    for (from, to, told) in [
        (
            "rounds_per_day = 2",
            "rounds_per_day = 3",
            "limits.UK_to_RS.rounds_per_day: UK may ask 3 times a day instead of 2 (wider)",
        ),
        (
            "rounds_per_day = 2",
            "rounds_per_day = 1",
            "limits.UK_to_RS.rounds_per_day: UK may ask 1 times a day instead of 2 (narrower)",
        ),
        (
            "min_set = 20",
            "min_set = 30",
            "limits.UK_to_RS.min_set: where UK asks, each side brings at least 30 subjects instead of 20 (narrower)",
        ),
        (
            "\"phone\", \"iban\"]",
            "\"phone\", \"plate\"]",
            "disclosure.UK_to_RS.forbidden_fields: fields of RS's records that never leave for UK: added plate; removed iban (wider and narrower)",
        ),
        (
            "\"dob\", \"document_number\", \"document_state\"]  # enforced",
            "\"dob\"] # enforced",
            "disclosure.UK_to_RS.fields_on_match: fields of RS's records that may be released to UK: removed document_number, document_state (narrower)",
        ),
        (
            "nationalities_in = []",
            "nationalities_in = [\"AL\"]",
            "scope.nationalities_in: the only nationalities that take part are AL instead of none (narrower)",
        ),
        (
            "min_interval = \"1h\"",
            "min_interval = \"30m\"",
            "limits.UK_to_RS.min_interval: UK waits 30m between two rounds instead of 1h (wider)",
        ),
        (
            "expires = \"2027-12-01T00:00:00Z\"",
            "expires = \"2028-01-01\"",
            "expires: the agreement ends on 2028-01-01 instead of 2027-12-01T00:00:00Z (wider)",
        ),
        (
            "name = \"Fictional Border Police\"",
            "name = \"Another {old} Police\"",
            "party.RS.name: RS is named `Another {old} Police` instead of `Fictional Border Police`",
        ),
        (
            "# responder_max_set = …",
            "responder_max_set = 20000 #",
            "limits.UK_to_RS.responder_max_set: UK may ask about 20000 of RS's subjects at a time instead of 30000 (narrower)",
        ),
    ] {
        assert_eq!(meanings(from, to), [told]);
    }
}

#[test]
fn another_way_to_write_the_same_is_no_change() {
    for (from, to) in [
        ("min_interval = \"1h\"", "min_interval = \"60m\""),
        ("expires = \"2027-12-01T00:00:00Z\"", "expires = 2027-12-01"),
        ("fetch_window = \"2d\"", "fetch_hours = 48"),
        ("reciprocal = false", ""),
        ("# keys_per_subject_max = …", "keys_per_subject_max = 3 #"),
        ("# An agreement", "# The agreement"),
        ("policy_context = [", "\npolicy_context=["),
    ] {
        assert_eq!(meanings(from, to), [] as [&str; 0], "{to}");
    }
}

#[test]
fn a_direction_that_comes_or_goes_is_one_change_of_its_own() {
    let start = SAMPLE.find("# RS asks").unwrap();
    let end = SAMPLE.find("[result]").unwrap();
    let one_way = parsed(&format!("{}{}", &SAMPLE[..start], &SAMPLE[end..]));
    let clauses = |changes: Vec<Change>| -> Vec<(String, Effect)> {
        changes
            .into_iter()
            .map(|change| (change.clause, change.effect))
            .collect()
    };
    let names = ["limits.RS_to_UK", "disclosure.RS_to_UK"];
    let sample = parsed(SAMPLE);
    assert_eq!(
        clauses(diff(&one_way, &sample)),
        names.map(|name| (name.to_owned(), Effect::Wider))
    );
    assert_eq!(
        clauses(diff(&sample, &one_way)),
        names.map(|name| (name.to_owned(), Effect::Narrower))
    );
}

#[test]
fn the_order_of_match_keys_is_part_of_the_agreement() {
    let document = SAMPLE.find("[[match_key]]\nid = \"document\"").unwrap();
    let name = SAMPLE.find("[[match_key]]\nid = \"name-dob\"").unwrap();
    let end = SAMPLE.find("# UK asks").unwrap();
    let swapped = [
        &SAMPLE[..document],
        &SAMPLE[name..end],
        &SAMPLE[document..name],
        &SAMPLE[end..],
    ]
    .concat();
    let changes = diff(&parsed(SAMPLE), &parsed(&swapped));
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].clause, "match_key");
    assert_eq!(changes[0].after, "national-id, name-dob, document");
}
