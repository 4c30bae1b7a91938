use std::fs;
use std::path::{Path, PathBuf};

use mandorla_agreement::{Agreement, draft};

use crate::world::{sample, sample_input, sample_path, sample_text};

/// `UPDATE_SAMPLES=1` writes the sample anew.
#[test]
fn the_sample_file_is_what_draft_writes() {
    let drafted = draft(&sample_input());
    if std::env::var_os("UPDATE_SAMPLES").is_some() {
        fs::write(sample_path(), &drafted).unwrap();
    }
    assert_eq!(drafted, sample_text());
}

#[test]
fn drafts_at_both_ends_of_the_bounds_parse() {
    let mut small = sample_input();
    small.both_directions = false;
    small.min_set = 1;
    small.max_set = 1;
    small.slots = vec!["8s".parse().unwrap()];
    small.fetch_window = "4s".parse().unwrap();
    small.question_deadline = "60s".parse().unwrap();
    small.max_release = 1;
    small.title = "quotes \" and \\ and 'апостроф'".into();
    small.match_keys[0].id = "national+id".into();
    let agreement = Agreement::parse(draft(&small).as_bytes()).unwrap();
    assert_eq!(agreement.directions().len(), 1);
    assert_eq!(agreement.terms().title, small.title);
    assert_eq!(agreement.match_keys(), small.match_keys);
    assert_eq!(agreement.terms().answer.slots_s(), [8]);

    let mut large = sample_input();
    large.max_set = 1 << 24;
    large.parties[0].datasets[0].max_records = 1 << 24;
    large.parties[1].datasets[0].max_records = 1 << 24;
    Agreement::parse(draft(&large).as_bytes()).unwrap();
}

#[test]
fn the_draft_is_read_back_as_it_was_meant() {
    let (input, agreement) = (sample_input(), sample());
    let terms = agreement.terms();
    assert_eq!(terms.party[0].signing_key, input.parties[0].signing_key);
    assert_eq!(
        (terms.not_before, terms.expires, terms.review_due),
        (input.not_before, input.expires, input.review_due)
    );
    assert_eq!(
        agreement.linkage_rules().match_key_rules(),
        input.match_keys
    );
    assert_eq!(terms.answer.slots, input.slots);
    assert_eq!(terms.answer.fetch_window, Some(input.fetch_window));
    assert_eq!(
        terms.disclosure["UK_to_RS"].fields_on_match,
        input.fields_on_match
    );
    assert_eq!(terms.limits["RS_to_UK"].max_set, input.max_set);
}

#[test]
fn every_field_of_the_sample_says_what_is_done_with_it() {
    let mut under_enforced_heading = false;
    for line in sample_text().lines() {
        if line.is_empty() || line.starts_with('[') {
            under_enforced_heading &= line.starts_with('[') || line.is_empty();
        }
        if line.starts_with('#') {
            let heading = ["nforced", "isplayed", "ecorded"]
                .iter()
                .any(|word| line.contains(word));
            under_enforced_heading |= heading;
        } else if line.contains(" = ") {
            let own = ["enforced", "displayed", "recorded"]
                .iter()
                .any(|word| line.contains(word));
            assert!(own || under_enforced_heading, "{line}");
        }
    }
}

#[test]
fn every_sample_in_the_repository_parses() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for path in files_under(&root.join("samples")) {
        Agreement::parse(&fs::read(&path).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        count += 1;
    }
    for path in files_under(&root.join("../../docs")) {
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        for block in text.split("```toml\n").skip(1) {
            let block = block.split("```").next().unwrap();
            if block.contains("[[party]]") && block.contains("schema = ") {
                Agreement::parse(block.as_bytes())
                    .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                count += 1;
            }
        }
    }
    assert!(count > 0, "the sample was not found");
}

fn files_under(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_under(&path));
        } else {
            files.push(path);
        }
    }
    files
}
