//! The pages that promise something name the test that shows it; each name must be that of a test.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Shorter names in backticks are those of things, not of tests.
const WORDS_MIN: usize = 5;

const PAGES: [&str; 2] = [
    "docs/concepts/threat-model.md",
    "docs/concepts/what-is-revealed.md",
];

fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest
        .parent()
        .expect("the folder of a member")
        .to_owned()
}

/// Names of every function behind a test attribute, over all sources.
fn tests_of(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                tests_of(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source in UTF-8");
            found.extend(test_names(&text));
        }
    }
}

fn test_names(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let (mut is_test, mut is_set_aside) = (false, false);
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            (is_test, is_set_aside) = (true, false);
        } else if line.starts_with("#[ignore") {
            is_set_aside = true;
        } else if let Some(rest) = line
            .strip_prefix("async ")
            .unwrap_or(line)
            .strip_prefix("fn ")
        {
            let name = rest.split(['(', '<']).next().unwrap_or_default();
            if is_test && !is_set_aside {
                names.push(name.to_owned());
            }
            is_test = false;
        }
    }
    names
}

/// What stands in backticks and looks like a sentence with underscores.
fn named_in(page: &str) -> Vec<&str> {
    let pieces = page.split('`').skip(1).step_by(2);
    let is_name = |text: &&str| {
        text.split('_').count() >= WORDS_MIN
            && text
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    pieces.filter(is_name).collect()
}

#[test]
fn every_test_that_a_promise_names_exists() {
    let mut tests = BTreeSet::new();
    tests_of(&root(), &mut tests);
    let mut missing = Vec::new();
    for page in PAGES {
        let text = fs::read_to_string(root().join(page)).expect("a page of the documentation");
        let named = named_in(&text);
        assert!(named.len() > 20, "{page} names {} tests", named.len());
        missing.extend(
            named
                .into_iter()
                .filter(|name| !tests.contains(*name))
                .map(|name| format!("{page}: {name}")),
        );
    }
    assert!(missing.is_empty(), "no such test: {missing:#?}");
}

#[test]
fn what_is_no_test_or_is_set_aside_does_not_count() {
    let text = "#[test]\nfn one_that_is_a_test() {}\nfn one_that_is_none() {}\n#[tokio::test(flavor = \"x\")]\nasync fn another_test() {}\n#[test]\n#[ignore = \"slow\"]\nfn one_that_is_set_aside() {}";
    assert_eq!(test_names(text), ["one_that_is_a_test", "another_test"]);
    assert_eq!(
        named_in("`a_b_c_d_e` and `x_y` and `A_b_c_d_e` and `tests/a_b_c_d_e.rs`"),
        ["a_b_c_d_e"]
    );
}
