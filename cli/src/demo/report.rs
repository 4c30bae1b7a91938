//! What a demonstration found.

use serde::Serialize;

use crate::table::pairs;
use crate::when::{bytes, grouped};

/// The JSON object of `demo --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Report {
    /// Always 1.
    pub schema: u32,
    /// Subjects on the requester's list.
    pub requester_subjects: u64,
    /// Subjects on the responder's list.
    pub responder_subjects: u64,
    /// People who are on both, by the generator's truth.
    pub true_overlap: u64,
    /// Hits that the responder found.
    pub hits: u64,
    /// Hits released in full.
    pub released: u64,
    /// Hits released without a field.
    pub redacted: u64,
    /// Hits refused.
    pub refused: u64,
    /// Hits on people who are not on both lists, at either node.
    pub false_hits: u64,
    /// People on both lists whom the responder did not find, or whom it released and the requester did not get.
    pub missed: u64,
    /// Wall-clock time of all steps.
    pub seconds: f64,
    /// UDP payload bytes of the round, both ways.
    pub wire_bytes: u64,
    /// Both ledgers and pair logs were recomputed without a fault.
    pub ledger_verified: bool,
}

impl Report {
    /// What a demonstration must not find.
    pub(super) fn fault(&self) -> Option<String> {
        if self.missed > 0 || self.false_hits > 0 {
            return Some(format!(
                "{} people were missed, {} hits are false",
                self.missed, self.false_hits
            ));
        }
        if self.hits != self.released + self.redacted + self.refused {
            return Some("not every hit was decided on".to_owned());
        }
        (!self.ledger_verified).then(|| "a ledger or pair log does not verify".to_owned())
    }
}

/// The report for people.
pub(super) fn text(report: &Report) -> String {
    let compared = format!("{} missed, {} false", report.missed, report.false_hits);
    let decided = format!(
        "{} released, {} redacted, {} refused",
        report.released, report.redacted, report.refused
    );
    let verified = if report.ledger_verified {
        "verified on both nodes"
    } else {
        "NOT VERIFIED"
    };
    format!(
        "\n{}",
        pairs(&[
            (
                "lists",
                format!(
                    "{} and {} subjects",
                    grouped(report.requester_subjects),
                    grouped(report.responder_subjects)
                ),
            ),
            ("on both", grouped(report.true_overlap)),
            ("hits", format!("{} ({decided})", grouped(report.hits))),
            ("compared with the truth", compared),
            ("ledgers and pair logs", verified.to_owned()),
            ("on the wire", bytes(report.wire_bytes)),
            ("time", format!("{:.1} s", report.seconds)),
        ])
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Report {
        Report {
            schema: 1,
            requester_subjects: 1_000,
            responder_subjects: 1_000,
            true_overlap: 40,
            hits: 40,
            released: 38,
            redacted: 1,
            refused: 1,
            false_hits: 0,
            missed: 0,
            seconds: 14.25,
            wire_bytes: 400_000,
            ledger_verified: true,
        }
    }

    #[test]
    fn every_shortfall_is_a_fault() {
        assert_eq!(good().fault(), None);
        for bad in [
            Report {
                missed: 1,
                ..good()
            },
            Report {
                false_hits: 1,
                ..good()
            },
            Report {
                refused: 0,
                ..good()
            },
            Report {
                ledger_verified: false,
                ..good()
            },
        ] {
            assert!(bad.fault().is_some(), "{bad:?}");
        }
    }

    #[test]
    fn the_object_has_the_fields_that_scripts_rely_on() {
        insta::assert_snapshot!(serde_json::to_string(&good()).unwrap());
    }
}
