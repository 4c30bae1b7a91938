//! `mandorla hit …`.

mod export;

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use mandorla_control::{HitList, HitShow, HitView};

use crate::commands::fields::{bullets, section};
use crate::context::Context;
use crate::failure::{DONE, Done};
use crate::table::{Table, pairs};
use crate::when::when;

/// What a hit is not; stands under every explanation.
const NOT_A_MERGE: &str = "A hit is a link between two records, never a merge of them, and a shared document is no proof \
of the same person: documents are lent, stolen and forged. Both agencies keep their own record.";

/// `mandorla hit …`
#[derive(Debug, Subcommand)]
pub(crate) enum HitCommand {
    /// Released hits
    List {
        /// Only those of this round
        #[arg(long)]
        round: Option<String>,
    },
    /// One hit: own record and what the peer released
    Show {
        /// Id of the hit
        hit: String,
    },
    /// Why it is a hit, in words fit for a report
    Explain {
        /// Id of the hit
        hit: String,
    },
    /// Write the hits of a round to a file
    Export {
        /// Id of the round
        round: String,
        /// File to write, readable by its owner only; - for standard output
        #[arg(short, long, value_name = "FILE", default_value = "-")]
        output: PathBuf,
        /// Format; in csv a value that a spreadsheet would run as a formula gets an apostrophe in front
        #[arg(long, default_value = "csv")]
        format: Format,
    },
}

/// Formats of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Csv,
    Json,
}

pub(crate) async fn run(command: HitCommand, cx: &Context) -> Done {
    match command {
        HitCommand::List { round } => {
            cx.out.list(&cx.call(&HitList { round }).await?, list)?;
            DONE
        }
        HitCommand::Show { hit } => {
            cx.out.object(&cx.call(&HitShow { hit }).await?, show)?;
            DONE
        }
        HitCommand::Explain { hit } => {
            cx.out.object(&cx.call(&HitShow { hit }).await?, explain)?;
            DONE
        }
        HitCommand::Export {
            round,
            output,
            format,
        } => {
            let hits = cx.call(&HitList { round: Some(round) }).await?;
            export::write(&hits, &output, format, cx)
        }
    }
}

fn list(hits: &[HitView]) -> String {
    let mut table = Table::new(&[
        "HIT",
        "ROUND",
        "PEER",
        "OWN REFERENCE",
        "GRADE",
        "MATCH KEYS",
        "RECEIVED",
    ]);
    for hit in hits {
        table.row([
            hit.id.clone(),
            hit.round.clone(),
            hit.peer.clone(),
            hit.own_reference.clone(),
            hit.grade.clone(),
            hit.match_keys.join(", "),
            when(hit.received_at),
        ]);
    }
    table.text_or("no released hits")
}

fn head(hit: &HitView) -> String {
    pairs(&[
        ("hit", hit.id.clone()),
        ("round", hit.round.clone()),
        ("peer", hit.peer.clone()),
        ("own reference", hit.own_reference.clone()),
        ("grade", hit.grade.clone()),
        ("match keys", hit.match_keys.join(", ")),
        ("handling", hit.handling.clone()),
        ("received", when(hit.received_at)),
    ])
}

fn show(hit: &HitView) -> String {
    let released = section(&format!("released by {}", hit.peer), &hit.released);
    head(hit) + &section("own record", &hit.own_record) + &released
}

fn explain(hit: &HitView) -> String {
    let agreed = bullets("what agrees", &hit.explanation);
    let released = section(&format!("released by {}", hit.peer), &hit.released);
    format!(
        "{}{}{agreed}{released}\n{NOT_A_MERGE}\n",
        head(hit),
        section("own record", &hit.own_record)
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use mandorla_control::FieldView;

    use super::*;

    pub(crate) fn a_hit() -> HitView {
        let field = |field: &str, values: &[&str]| FieldView {
            field: field.into(),
            values: values.iter().map(|value| (*value).into()).collect(),
        };
        HitView {
            id: "H-01".into(),
            round: "R-20261124-001".into(),
            peer: "RS".into(),
            own_reference: "UK-0000007".into(),
            own_record: vec![field("family_names", &["JOVANOVIC", "Petrovic"])],
            grade: "identity".into(),
            match_keys: vec!["passport".into(), "name-dob".into()],
            explanation: vec!["the passport's state and number are the same".into()],
            released: vec![
                field("family_names", &["Јовановић"]),
                field("phone", &["+381 60"]),
            ],
            handling: "police use only".into(),
            received_at: 543_144_600,
        }
    }

    #[test]
    fn an_explanation_ends_with_what_a_hit_is_not() {
        insta::assert_snapshot!(explain(&a_hit()));
    }

    #[test]
    fn no_hits_are_said_aloud() {
        assert_eq!(list(&[]), "no released hits\n");
    }
}
