//! What is told at each step.

use std::cell::Cell;

use mandorla_control::{AuditReport, DatasetView, ReviewItem, RoundView};

use crate::output::Output;
use crate::when::grouped;
use crate::world::World;

/// Tells the steps, numbered; with `--json` nothing but the report is printed.
pub(super) struct Tell<'a> {
    out: &'a Output,
    step: Cell<u32>,
}

impl<'a> Tell<'a> {
    pub(super) fn new(out: &'a Output) -> Self {
        Self {
            out,
            step: Cell::new(0),
        }
    }

    /// A step and what it means.
    pub(super) fn step(&self, title: &str, text: &str) {
        let step = self.step.get() + 1;
        self.step.set(step);
        self.out
            .say(&format!("\n{step:>2}  {title}\n{}", indented(text)));
    }
}

fn indented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("    {line}")).collect();
    lines.join("\n")
}

pub(super) fn nodes(world: &World) -> String {
    format!(
        "Each agency runs its own daemon, here as two processes that share nothing but loopback.\n\
         Their keys and stores are in {}.\n\
         The requester, GB, will ask; the responder, RS, holds the records asked about.",
        world.root().display()
    )
}

pub(super) fn lists(requester: &DatasetView, responder: &DatasetView) -> String {
    format!(
        "GB: {} subjects, Latin script. RS: {} subjects, many names in Cyrillic.\n\
         Nobody in them exists. Who is on both is known to the generator alone, for the comparison at the end;\n\
         neither node is told.",
        grouped(requester.subjects),
        grouped(responder.subjects)
    )
}

pub(super) fn cards(words: &[String]) -> String {
    format!(
        "A card names a node's address and its public keys. Both operators read the same words to each other\n\
         by telephone, so that nobody can have swapped a card on the way: {}",
        words.join(" ")
    )
}

pub(super) fn agreement(slot_s: u64, max_release: u32) -> String {
    format!(
        "A file that both sign byte for byte: purpose, match keys, quotas, which fields may be released, when the\n\
         answer comes. Three match keys: the national number; the passport's state and number; the names, folded\n\
         across scripts, with the date of birth. The answer comes {slot_s} s after the question, always, with {max_release} places,\n\
         whether there are hits or not. Both have signed and neither activated it: it is in pilot, and both lists are\n\
         marked as test data, the only data that a pilot takes and that a live agreement refuses."
    )
}

pub(super) fn evaluated(round: &RoundView) -> String {
    let (chunks, _) = round.chunks.unwrap_or_default();
    format!(
        "{} is proposed by the analyst. RS blinded its match keys, GB evaluated them with keys made for this\n\
         round alone ({chunks} chunks, each with a proof), RS unblinded the results. GB saw blinded points, RS saw\n\
         nothing of GB's list. The case reference has not been sent yet.",
        round.id
    )
}

pub(super) fn approved(round: &RoundView) -> String {
    format!(
        "Nobody approves their own proposal: the authoriser p.officer approves, then the question leaves:\n\
         {} cells, padding included. A cell opens only for who holds its match key.",
        grouped(round.cells.unwrap_or(0))
    )
}

pub(super) fn matched(hits: usize) -> String {
    format!(
        "RS looked each of its own match keys up among the cells: {hits} of its subjects are on GB's list.\n\
         GB does not learn this number, now or later."
    )
}

pub(super) fn reviewed(
    released: usize,
    redacted: &ReviewItem,
    dropped: &str,
    refused: &ReviewItem,
) -> String {
    format!(
        "p.officer of RS sees each record, what agrees, and what would leave, and decides:\n\
         {released} released in full;\n\
         {} redacted: {dropped} stays here, and the match keys made from it with it;\n\
         {} refused: to GB it looks like no match at all.",
        redacted.entry.item, refused.entry.item
    )
}

pub(super) fn answered(hits: usize) -> String {
    format!(
        "At the slot RS sent one answer of the size fixed in the terms. GB opened {hits} items: it could, because it\n\
         holds the match keys that they were sealed with, and each item proves which of them agree."
    )
}

pub(super) fn compared(missed: u64, false_hits: u64) -> String {
    format!(
        "Every released pair was looked up in the generator's truth: {missed} missed, {false_hits} false. The refused hit\n\
         did not reach GB, and the redacted field did not leave RS. A hit is a link, never a merge: an analyst still looks."
    )
}

pub(super) fn audited(reports: &[AuditReport; 2]) -> String {
    let [gb, rs] = reports;
    format!(
        "The auditors recomputed both ledgers (GB {} entries, RS {}) and the pair log that the two nodes keep together.",
        gb.entries, rs.entries
    )
}

/// How to look at the nodes while they run.
pub(super) fn look_around(world: &World) -> String {
    let gb = world.requester().data_dir().display();
    let rs = world.responder().data_dir().display();
    format!(
        "\nBoth nodes still run. In another terminal:\n  \
         mandorla --data-dir {gb} --user a.analyst hit list\n  \
         mandorla --data-dir {rs} --user p.officer round list\n  \
         mandorla --data-dir {rs} --user d.auditor audit log\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_indented_under_their_step() {
        assert_eq!(indented("a\nb"), "    a\n    b");
    }
}
