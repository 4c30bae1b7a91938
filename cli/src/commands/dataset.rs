//! `mandorla dataset …`.

mod upload;

use std::path::PathBuf;

use clap::Subcommand;
use mandorla_control::{
    DatasetList, DatasetLoad, DatasetRemove, DatasetShow, DatasetView, LoadReportView,
};

use crate::commands::fields::bullets;
use crate::context::{Context, read_text};
use crate::failure::{DONE, Done};
use crate::table::{Table, pairs};
use crate::when::{grouped, when};

pub(crate) use upload::send_text as upload_text;

/// `mandorla dataset …`
#[derive(Debug, Subcommand)]
pub(crate) enum DatasetCommand {
    /// Load a CSV file as a dataset; a dataset of that name is replaced
    Load {
        /// Name of the dataset, as agreements call it
        name: String,
        /// The CSV file (UTF-8, with a header line)
        file: PathBuf,
        /// The map file: which column is which field (TOML)
        #[arg(long, value_name = "FILE")]
        map: PathBuf,
        /// Only report what a load would do
        #[arg(long)]
        dry_run: bool,
    },
    /// All datasets
    List,
    /// One dataset and what its load found; no rows
    Show {
        /// Name of the dataset
        name: String,
    },
    /// Remove a dataset that no open round uses
    Remove {
        /// Name of the dataset
        name: String,
    },
}

pub(crate) async fn run(command: DatasetCommand, cx: &Context) -> Done {
    match command {
        DatasetCommand::Load {
            name,
            file,
            map,
            dry_run,
        } => {
            let map = read_text(&map)?;
            let view = upload::load(&DatasetLoad { name, map, dry_run }, &file, cx).await?;
            cx.out.object(&view, text)?;
            DONE
        }
        DatasetCommand::List => {
            cx.out.list(&cx.call(&DatasetList {}).await?, list)?;
            DONE
        }
        DatasetCommand::Show { name } => {
            cx.out
                .object(&cx.call(&DatasetShow { name }).await?, text)?;
            DONE
        }
        DatasetCommand::Remove { name } => {
            cx.confirm(&format!("Remove the dataset {name} from this node?"))?;
            let removed = cx.call(&DatasetRemove { name }).await?;
            cx.out.object(&removed, |dataset| {
                format!(
                    "{} is removed ({} subjects)\n",
                    dataset.name,
                    grouped(dataset.subjects)
                )
            })?;
            DONE
        }
    }
}

fn text(dataset: &DatasetView) -> String {
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
    format!(
        "\n{} rows read, {} accepted, {} rejected\n{}{}",
        grouped(report.rows_in),
        grouped(report.accepted),
        grouped(rejected),
        bullets("rejected", &reasons),
        bullets("to look at", &report.warnings),
    )
}

fn list(datasets: &[DatasetView]) -> String {
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

#[cfg(test)]
mod tests {
    use mandorla_control::RejectedView;

    use super::*;

    #[test]
    fn a_load_report_accounts_for_every_row() {
        let view = DatasetView {
            name: "watch".into(),
            subjects: 1_998,
            fields: vec!["ref".into(), "dob".into()],
            digest: "ab".into(),
            loaded_at: 0,
            synthetic: true,
            report: LoadReportView {
                rows_in: 2_010,
                accepted: 1_998,
                rejected: [(
                    "no reference".to_owned(),
                    RejectedView {
                        rows: 12,
                        lines: vec![3, 9],
                    },
                )]
                .into(),
                warnings: vec!["40 births on 1 January".into()],
                file_digest: "cd".into(),
                dry_run: true,
            },
        };
        let text = text(&view);
        assert!(
            text.contains("2,010 rows read, 1,998 accepted, 12 rejected"),
            "{text}"
        );
        assert!(
            text.contains("  - 12 × no reference (line 3, 9, …)"),
            "{text}"
        );
        assert!(text.contains("  - 40 births on 1 January"), "{text}");
        assert!(text.contains("watch (synthetic)"), "{text}");
        assert!(text.contains("dry run: nothing was kept"), "{text}");
    }
}
