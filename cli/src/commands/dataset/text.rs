//! Datasets in words.

use std::collections::BTreeMap;

use mandorla_control::{
    DatasetUseView, DatasetView, KeyProfileView, LoadReportView, ProfileView, RemovedView,
};

use crate::commands::fields::bullets;
use crate::table::{Table, pairs};
use crate::when::{grouped, when};

/// A dataset and what its load found.
pub(super) fn dataset(dataset: &DatasetView) -> String {
    let loaded = if dataset.report.dry_run {
        "dry run: nothing was kept".to_owned()
    } else {
        when(dataset.loaded_at)
    };
    pairs(&[
        ("dataset", marked(dataset)),
        ("subjects", grouped(dataset.subjects)),
        ("fields", dataset.fields.join(", ")),
        ("loaded", loaded),
        ("digest", dataset.digest.clone()),
        ("file digest", dataset.report.file_digest.clone()),
    ]) + &report(&dataset.report)
}

/// The name, with the word that keeps test data from being taken for people.
fn marked(dataset: &DatasetView) -> String {
    if dataset.synthetic {
        format!("{} (synthetic)", dataset.name)
    } else {
        dataset.name.clone()
    }
}

fn report(report: &LoadReportView) -> String {
    let rejected: u64 = report.rejected.values().map(|rows| rows.rows).sum();
    let reasons: Vec<String> = report
        .rejected
        .iter()
        .map(|(reason, rows)| {
            let lines: Vec<String> = rows.lines.iter().map(u64::to_string).collect();
            let more = if rows.rows > rows.lines.len() as u64 {
                ", …"
            } else {
                ""
            };
            format!(
                "{} × {reason} (line {}{more})",
                grouped(rows.rows),
                lines.join(", ")
            )
        })
        .collect();
    let excluded = if report.excluded_rows > 0 {
        format!(", {} excluded", grouped(report.excluded_rows))
    } else {
        String::new()
    };
    let uses: Vec<String> = report.agreements.iter().map(of_agreement).collect();
    format!(
        "\n{} rows read, {} accepted, {} rejected{excluded}\n{}{}{}{}{}",
        grouped(report.rows_in),
        grouped(report.accepted),
        grouped(rejected),
        bullets("rejected", &reasons),
        bullets(
            "excluded by this node's policy, not stored",
            &counts(&report.excluded)
        ),
        bullets("stored and marked", &counts(&report.flagged)),
        bullets("under agreements", &uses),
        bullets("to look at", &report.warnings),
    )
}

fn counts(by_word: &BTreeMap<String, u64>) -> Vec<String> {
    let words = by_word.iter();
    words
        .map(|(word, count)| format!("{} × {word}", grouped(*count)))
        .collect()
}

fn of_agreement(of: &DatasetUseView) -> String {
    let excluded: u64 = of.excluded.values().sum();
    let kept_out = if excluded == 0 {
        "nobody is excluded".to_owned()
    } else {
        let predicates = counts(&of.excluded).join(", ");
        format!("{} excluded ({predicates})", grouped(excluded))
    };
    let mut parts = vec![
        kept_out,
        format!("match keys: {}", counts(&of.match_keys).join(", ")),
    ];
    if of.cut_subjects > 0 {
        parts.push(format!(
            "{} subjects have more than fit, the rest is left out",
            grouped(of.cut_subjects)
        ));
    }
    format!("{} ({}): {}", of.agreement, of.state, parts.join("; "))
}

/// All datasets.
pub(super) fn list(datasets: &[DatasetView]) -> String {
    let mut table = Table::new(&["DATASET", "SUBJECTS", "REJECTED", "LOADED", "FIELDS"]);
    for dataset in datasets {
        let rejected = dataset.report.rejected.values().map(|rows| rows.rows).sum();
        table.row([
            marked(dataset),
            grouped(dataset.subjects),
            grouped(rejected),
            when(dataset.loaded_at),
            dataset.fields.join(", "),
        ]);
    }
    table.text_or("no datasets; next: mandorla dataset load NAME FILE --map FILE")
}

/// What the rows have and lack.
pub(super) fn profile(profile: &ProfileView) -> String {
    let mut table = Table::new(&["FIELD", "USABLE", "PLACEHOLDER", "MISSING", "SEVERAL"]);
    for field in &profile.fields {
        table.row([
            field.field.clone(),
            grouped(field.usable),
            grouped(field.placeholders),
            grouped(field.missing),
            grouped(field.several),
        ]);
    }
    let agreements: Vec<String> = profile.agreements.iter().map(keys).collect();
    pairs(&[
        ("dataset", profile.name.clone()),
        ("subjects", grouped(profile.subjects)),
        ("born on 1 January", grouped(profile.default_dates)),
        ("mixed scripts", grouped(profile.mixed_scripts)),
        (
            "JMBG",
            format!(
                "{}, {} with a wrong check digit",
                grouped(profile.jmbg),
                grouped(profile.jmbg_bad)
            ),
        ),
    ]) + "\n"
        + &table.text_or("no subject has any field")
        + &bullets("marked", &counts(&profile.flagged))
        + &bullets("match keys", &agreements)
}

fn keys(of: &KeyProfileView) -> String {
    let subjects: Vec<String> = of
        .subjects_by_keys
        .iter()
        .map(|(keys, subjects)| format!("{} with {keys}", grouped(*subjects)))
        .collect();
    format!(
        "{}: subjects by number of match keys: {}; sharing one with another subject: {}",
        of.agreement,
        subjects.join(", "),
        counts(&of.sharing).join(", ")
    )
}

/// A dataset that is gone.
pub(super) fn removed(removed: &RemovedView) -> String {
    let mut lines = vec![format!(
        "{} is removed ({} subjects); ledger entry {} records it\n",
        removed.dataset.name,
        grouped(removed.dataset.subjects),
        removed.proof.seq
    )];
    if removed.rows_in_use > 0 {
        lines.push(format!(
            "{} rows of an earlier load stay until the open round that reads them is over\n",
            grouped(removed.rows_in_use)
        ));
    }
    if !removed.compacted {
        let why = "the database was in use and not compacted: freed pages may still hold rows until they are written over\n";
        lines.push(why.to_owned());
    }
    lines.concat()
}

#[cfg(test)]
mod tests {
    use mandorla_control::RejectedView;

    use super::*;

    #[test]
    fn a_load_report_accounts_for_every_row() {
        let view = DatasetView {
            name: "watch".into(),
            subjects: 1_990,
            fields: vec!["ref".into(), "dob".into()],
            digest: "ab".into(),
            loaded_at: 0,
            synthetic: true,
            report: LoadReportView {
                rows_in: 2_010,
                accepted: 1_990,
                rejected: [(
                    "no reference".to_owned(),
                    RejectedView {
                        rows: 12,
                        lines: vec![3, 9],
                    },
                )]
                .into(),
                excluded_rows: 8,
                excluded: [("minor".to_owned(), 8)].into(),
                flagged: [("asylum_claim".to_owned(), 7)].into(),
                agreements: vec![DatasetUseView {
                    agreement: "GB-RS".into(),
                    state: "pilot".into(),
                    excluded: [("asylum_claim".to_owned(), 7)].into(),
                    match_keys: [("name-dob".to_owned(), 1_700)].into(),
                    cut_subjects: 2,
                }],
                warnings: vec!["14 % of birth dates (280 of 2000) are 1 January".into()],
                file_digest: "cd".into(),
                dry_run: true,
            },
        };
        let text = dataset(&view);
        for expected in [
            "2,010 rows read, 1,990 accepted, 12 rejected, 8 excluded",
            "  - 12 × no reference (line 3, 9, …)",
            "  - 8 × minor",
            "  - 7 × asylum_claim",
            "  - GB-RS (pilot): 7 excluded (7 × asylum_claim); match keys: 1,700 × name-dob; 2 subjects",
            "  - 14 % of birth dates (280 of 2000) are 1 January",
            "dry run: nothing was kept",
            "watch (synthetic)",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }
}
