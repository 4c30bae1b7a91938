//! What was measured.

use serde::Serialize;

use crate::table::{Table, pairs};
use crate::when::{bytes, grouped};

/// The JSON object of `bench round --json`.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    /// Always 1.
    pub schema: u32,
    /// `fresh`.
    pub mode: &'static str,
    /// Subjects of the requester.
    pub requester_n: u64,
    /// Subjects of the responder.
    pub responder_n: u64,
    /// Hits that the responder found.
    pub hits: u64,
    /// Subjects planted on both lists.
    pub expected_hits: u64,
    /// Hits released, as many as an answer of this benchmark has places.
    pub released: u64,
    /// Released hits that the requester received.
    pub received: u64,
    /// From the proposal to the last verified chunk.
    pub setup_wall_s: f64,
    /// From the approval to the match.
    pub question_wall_s: f64,
    /// UDP payload bytes, both ways, from the approval to the match.
    pub question_wire_bytes: u64,
    /// From the proposal to the match.
    pub wall_s: f64,
    /// From the proposal to the opened answer, with the wait for the slot.
    pub round_wall_s: f64,
    /// Answer slot, seconds after the question.
    pub slot_s: u64,
    /// The requester's process.
    pub requester: Side,
    /// The responder's process.
    pub responder: Side,
}

/// One process, from the proposal to the opened answer.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Side {
    /// User and system time.
    pub cpu_s: f64,
    /// The part of it up to the last verified chunk.
    pub setup_cpu_s: f64,
    /// VmHWM, over the whole life of the process.
    pub peak_rss_bytes: u64,
    /// UDP payload bytes sent.
    pub wire_bytes_out: u64,
}

/// The report for people.
pub(super) fn text(report: &Report) -> String {
    let mut sides = Table::new(&["NODE", "CPU", "OF IT SETUP", "PEAK MEMORY", "SENT"]);
    for (name, side) in [
        ("requester", report.requester),
        ("responder", report.responder),
    ] {
        sides.row([
            name.to_owned(),
            seconds(side.cpu_s),
            seconds(side.setup_cpu_s),
            bytes(side.peak_rss_bytes),
            bytes(side.wire_bytes_out),
        ]);
    }
    pairs(&[
        (
            "round",
            format!(
                "{}, requester {} subjects, responder {}",
                report.mode,
                grouped(report.requester_n),
                grouped(report.responder_n)
            ),
        ),
        (
            "hits",
            format!(
                "{} of {} planted",
                grouped(report.hits),
                grouped(report.expected_hits)
            ),
        ),
        ("setup", seconds(report.setup_wall_s)),
        (
            "question",
            format!(
                "{}, {}",
                seconds(report.question_wall_s),
                bytes(report.question_wire_bytes)
            ),
        ),
        ("proposal to match", seconds(report.wall_s)),
        (
            "to the answer",
            format!(
                "{}, with the slot of {} s",
                seconds(report.round_wall_s),
                report.slot_s
            ),
        ),
    ]) + "\n"
        + &sides.text_or("")
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.2} s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_has_the_fields_that_scripts_rely_on() {
        let side = Side {
            cpu_s: 1.5,
            setup_cpu_s: 1.25,
            peak_rss_bytes: 1_024,
            wire_bytes_out: 10,
        };
        let report = Report {
            schema: 1,
            mode: "fresh",
            requester_n: 1_000,
            responder_n: 1_000,
            hits: 100,
            expected_hits: 100,
            released: 64,
            received: 64,
            setup_wall_s: 1.0,
            question_wall_s: 0.5,
            question_wire_bytes: 36_000,
            wall_s: 1.75,
            round_wall_s: 9.0,
            slot_s: 8,
            requester: side,
            responder: side,
        };
        insta::assert_snapshot!(serde_json::to_string(&report).unwrap());
        insta::assert_snapshot!(text(&report));
    }
}
