//! A file that is no list says what is wrong with it and what to type next; the list that was there stays.

use std::fmt::Write as _;
use std::path::Path;

use super::harness::{Daemon, audit_log, made, ran, refused, stderr, stdout, with_auditor};

const MAP: &str = r#"
date_format = "%Y-%m-%d"
[columns]
ref = "ref"
family_names = "name"
given_names = "given"
dob = "born"
"#;
const HEADER: &str = "ref,name,given,born\n";
/// Longer than any field of a person, and than a row may be.
const HUGE_FIELD: usize = 10_000_000;

fn rows(count: usize, separator: &str) -> String {
    let mut rows = String::new();
    for index in 0..count {
        let fields = [&format!("S{index}"), "Petrović", "Ana", "1990-05-17"];
        writeln!(rows, "{}", fields.join(separator)).unwrap();
    }
    rows
}

fn utf16(text: &str) -> Vec<u8> {
    let units = std::iter::once(0xFEFF).chain(text.encode_utf16());
    units.flat_map(u16::to_le_bytes).collect()
}

/// File, code, what the message says, what the hint says.
fn bad_files() -> Vec<(
    &'static str,
    Vec<u8>,
    &'static str,
    &'static str,
    &'static str,
)> {
    let good = format!("{HEADER}{}", rows(30, ","));
    let huge = format!("{HEADER}S1,{},Ana,1990-05-17\n", "X".repeat(HUGE_FIELD));
    let again = "dataset load watch";
    vec![
        ("nothing", Vec::new(), "M-320", "the file is empty", again),
        (
            "mark",
            b"\xEF\xBB\xBF".to_vec(),
            "M-320",
            "the file is empty",
            again,
        ),
        (
            "headerless",
            rows(30, ",").into(),
            "M-321",
            "have a header line",
            again,
        ),
        (
            "semicolons",
            good.replace(',', ";").into(),
            "M-320",
            "delimiter = ';'",
            again,
        ),
        (
            "tabs",
            good.replace(',', "\t").into(),
            "M-320",
            "delimiter = '\\t'",
            again,
        ),
        (
            "utf-16",
            utf16(&good),
            "M-320",
            "not UTF-8 but UTF-16",
            "iconv",
        ),
        (
            "bytes",
            (0..100_000_u32).map(|i| (i * 7 + 131) as u8).collect(),
            "M-320",
            "not UTF-8",
            "iconv",
        ),
        (
            "huge",
            huge.into(),
            "M-320",
            "line 2 is longer than",
            "correct the file",
        ),
        (
            "unclosed",
            good.replacen("Ana", "\"Ana", 1).into(),
            "M-320",
            "none of",
            "--dry-run says why",
        ),
        (
            "without-column",
            good.replacen("born", "date", 1).into(),
            "M-321",
            "no column \"born\" (`dob`)",
            again,
        ),
        (
            "column-twice",
            good.replacen("given", "name", 1).into(),
            "M-321",
            "more than once",
            again,
        ),
    ]
}

#[test]
fn a_file_that_is_no_list_is_refused_with_the_next_command_and_the_old_list_stays() {
    let (dir, node) = made();
    with_auditor(&node);
    let _daemon = Daemon::start(&node);
    let map = dir.path().join("map.toml");
    std::fs::write(&map, MAP).unwrap();
    let load = |file: &Path, map: &Path| {
        let file = [file.to_str().unwrap(), "--map", map.to_str().unwrap()];
        ran(&node, &[&["dataset", "load", "watch"][..], &file].concat())
    };
    let good = dir.path().join("good.csv");
    std::fs::write(&good, format!("{HEADER}{}", rows(30, ","))).unwrap();
    let loaded = load(&good, &map);
    assert!(loaded.status.success(), "{}", stderr(&loaded));
    let before = stdout(&ran(&node, &["dataset", "show", "watch"]));
    let entries = audit_log(&node);

    for (name, bytes, code, says, hint) in bad_files() {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let answer = load(&path, &map);
        refused(&answer, 1, code, says, hint);
        let error = stderr(&answer);
        assert!(error.len() < 2_000, "{name}: {} bytes", error.len());
        for canary in ["Petrović", "1990-05-17"] {
            assert!(!error.contains(canary), "{name}: {error}");
        }
    }
    let missing = dir.path().join("missing");
    refused(&load(&missing, &map), 1, "M-320", "No such file", "ls -la");
    refused(&load(&good, &missing), 1, "M-320", "No such file", "ls -la");
    refused(
        &load(dir.path(), &map),
        1,
        "M-320",
        "is a directory",
        "ls -la",
    );
    let unknown = dir.path().join("unknown.toml");
    std::fs::write(&unknown, MAP.replace("dob", "birthday")).unwrap();
    refused(
        &load(&good, &unknown),
        1,
        "M-321",
        "birthday",
        "dataset load watch",
    );

    assert_eq!(stdout(&ran(&node, &["dataset", "show", "watch"])), before);
    assert_eq!(audit_log(&node), entries);
    let status = ran(&node, &["node", "health"]);
    assert!(status.status.success(), "{}", stderr(&status));
}
