//! Rounds in words.

use mandorla_control::{RoundPlanned, RoundView, SlotView};

use crate::commands::fields::bullets;
use crate::table::{Table, pairs};
use crate::when::{bytes, grouped, span, when};

/// What would happen.
pub(super) fn plan(plan: &RoundPlanned) -> String {
    let keys: Vec<String> = plan
        .match_keys
        .iter()
        .map(|(key, count)| format!("{} {key}", grouped(*count)))
        .collect();
    let slots: Vec<String> = plan.slots_s.iter().map(|s| span(*s)).collect();
    let verdict = if plan.refusals.is_empty() {
        "it would be admitted; nothing was sent\n".to_owned()
    } else {
        bullets("it would be refused now:", &plan.refusals)
    };
    let excluded = plan
        .excluded
        .iter()
        .map(|(predicate, count)| format!("{} {predicate}", grouped(*count)))
        .collect::<Vec<_>>();
    let excluded = if excluded.is_empty() {
        "none".to_owned()
    } else {
        excluded.join(", ")
    };
    pairs(&[
        ("agreement", plan.agreement.clone()),
        ("own subjects", grouped(plan.subjects)),
        ("left out", excluded),
        ("own match keys", keys.join(", ")),
        (
            "question",
            format!(
                "{} cells, padding included, {}",
                grouped(plan.cells),
                bytes(plan.question_bytes)
            ),
        ),
        ("each answer", bytes(plan.answer_bytes)),
        (
            "answers come",
            format!("{} after the question", slots.join(", ")),
        ),
    ]) + &verdict
}

/// One round.
pub(super) fn view(round: &RoundView) -> String {
    let mut rows = vec![
        ("round", round.id.clone()),
        ("state", round.state.clone()),
        ("", round.detail.clone()),
        ("we are", format!("the {}; peer {}", round.role, round.peer)),
        (
            "agreement",
            format!("{}, purpose {}", round.agreement, round.purpose),
        ),
    ];
    if let Some(case) = &round.case_reference {
        rows.push(("case", case.clone()));
    }
    rows.push((
        "dataset",
        format!("{}, {} subjects", round.dataset, grouped(round.subjects)),
    ));
    if let Some(name) = &round.proposed_by {
        rows.push(("proposed", format!("{} by {name}", when(round.started_at))));
    } else {
        rows.push(("began", when(round.started_at)));
    }
    if let Some((done, all)) = round.chunks {
        rows.push((
            "evaluation",
            format!("{} of {} chunks", grouped(done), grouped(all)),
        ));
    }
    if let Some(padded) = round.peer_subjects_padded {
        rows.push((
            "peer's subjects",
            format!("at most {}, padded", grouped(padded)),
        ));
    }
    if let Some(cells) = round.cells {
        rows.push((
            "question",
            format!("{} cells, padding included", grouped(cells)),
        ));
    }
    if let Some(until) = round.approve_until {
        rows.push(("approve until", when(until)));
    }
    if let Some(asked) = round.asked_at {
        rows.push(("asked", when(asked)));
    }
    for slot in &round.slots {
        rows.push(("answer slot", slot_text(slot, &round.role)));
    }
    if let Some(closes) = round.closes_at {
        rows.push(("closes", when(closes)));
    }
    let (sent, received) = round.wire_bytes;
    rows.push((
        "bytes",
        format!("{} sent, {} received", bytes(sent), bytes(received)),
    ));
    rows.retain(|(name, value)| !(name.is_empty() && value.is_empty()));
    pairs(&rows)
}

fn slot_text(slot: &SlotView, role: &str) -> String {
    let done = match (slot.done, role) {
        (true, "requester") => "fetched",
        (true, _) => "answer fixed",
        (false, _) => "to come",
    };
    format!("{}, {done}", when(slot.due))
}

/// All rounds.
pub(super) fn list(rounds: &[RoundView]) -> String {
    let mut table = Table::new(&["ROUND", "PEER", "AGREEMENT", "CASE", "STATE", "BEGAN"]);
    for round in rounds {
        table.row([
            round.id.clone(),
            round.peer.clone(),
            round.agreement.clone(),
            round
                .case_reference
                .clone()
                .unwrap_or_else(|| "-".to_owned()),
            round.state.clone(),
            when(round.started_at),
        ]);
    }
    table.text_or("no rounds")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::commands::round) fn view_of_a_round() -> RoundView {
        RoundView {
            id: "R-20261124-001".into(),
            revision: 3,
            role: "requester".into(),
            peer: "RS".into(),
            agreement: "UK-RS".into(),
            purpose: "oic".into(),
            case_reference: Some("OP-LARCH".into()),
            dataset: "watch".into(),
            proposed_by: Some("a.analyst".into()),
            state: "awaiting-answers".into(),
            detail: "the slot".into(),
            wire_id: None,
            chunks: Some((6, 6)),
            subjects: 1_000,
            peer_subjects_padded: Some(1_024),
            cells: Some(4_096),
            evaluations: Some(4_096),
            started_at: 543_144_600,
            approve_until: None,
            asked_at: Some(543_144_660),
            slots: vec![SlotView {
                due: 543_144_720,
                done: false,
            }],
            closes_at: None,
            wire_bytes: (200_000, 1_000),
        }
    }

    #[test]
    fn a_round_is_shown_with_what_it_waits_for() {
        insta::assert_snapshot!(view(&view_of_a_round()));
    }

    #[test]
    fn a_plan_says_whether_it_would_be_admitted() {
        let mut planned = RoundPlanned {
            agreement: "UK-RS, live".into(),
            subjects: 1_000,
            excluded: vec![("minor".into(), 3)],
            match_keys: vec![("passport".into(), 750), ("name-dob".into(), 990)],
            cells: 2_048,
            question_bytes: 36_864,
            answer_bytes: 73_000,
            slots_s: vec![8, 86_400],
            refusals: Vec::new(),
        };
        insta::assert_snapshot!(plan(&planned));
        planned.refusals = vec!["limits.GB_to_RS.rounds_per_day: 10 of 10 used".into()];
        assert!(plan(&planned).contains("refused now:\n  - limits.GB_to_RS.rounds_per_day"));
    }
}
