//! Every map file in the documents is one.

use mandorla_linkage::{Exclusion, FLAG_NO, FLAG_YES, Field, MapFile, RejectReason};

fn page(name: &str) -> String {
    let path = format!("{}/../../docs/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_map_file_in_the_documents_parses() {
    for (name, at_least) in [("reference/map-file.md", 7), ("guides/datasets.md", 1)] {
        let text = page(name);
        let examples: Vec<&str> = text
            .split("```toml\n")
            .skip(1)
            .filter_map(|rest| rest.split("```").next())
            .filter(|example| example.contains("[columns]"))
            .collect();
        assert!(examples.len() >= at_least, "{name}: {}", examples.len());
        for example in examples {
            if let Err(error) = MapFile::parse(example) {
                panic!("{name}: {error}\n{example}");
            }
        }
    }
}

#[test]
fn the_reference_names_every_field_word_and_reason() {
    let text = page("reference/map-file.md");
    let fields = Field::ALL.iter().map(|field| field.name());
    let exclusions = Exclusion::ALL.iter().map(|exclusion| exclusion.word());
    let words = FLAG_YES.iter().chain(FLAG_NO).copied();
    for word in fields.chain(exclusions).chain(words) {
        assert!(text.contains(&format!("`{word}`")), "{word}");
    }
    for reason in RejectReason::ALL {
        assert!(
            text.contains(&format!("| {} |", reason.words())),
            "{reason:?}"
        );
    }
}
