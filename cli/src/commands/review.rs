//! `mandorla review …`.

use clap::Subcommand;
use mandorla_control::{
    ApiError, Decided, ErrorCode, InboxEntry, REFUSAL_REASONS, ReviewApprove, ReviewDecline,
    ReviewInbox, ReviewItem, ReviewRefuse, ReviewRelease, ReviewShow,
};

use crate::commands::fields::{bullets, section};
use crate::context::Context;
use crate::failure::{DONE, Done};
use crate::table::{Table, pairs};
use crate::when::when;

/// `mandorla review …`
#[derive(Debug, Subcommand)]
pub(crate) enum ReviewCommand {
    /// What waits for a decision: own questions, and hits on own records
    Inbox,
    /// One item: record, evidence, what would leave
    Show {
        /// Id of a round (R-…) or a hit (H-…)
        item: String,
    },
    /// Approve sending the question of an own round
    Approve {
        /// Id of the round
        round: String,
        /// Why, for the ledger
        #[arg(long)]
        reason: String,
    },
    /// Decline an own round: it ends, and the peer is told that no question comes
    Decline {
        /// Id of the round
        round: String,
        /// Why, for the ledger
        #[arg(long)]
        reason: String,
    },
    /// Release a hit to the requester at the next answer slot
    Release {
        /// Id of the hit
        hit: String,
        /// Why, for the ledger
        #[arg(long)]
        reason: String,
        /// Fields that stay here, with the match keys made from them
        #[arg(long, value_name = "FIELD", num_args = 1.., value_delimiter = ',')]
        drop: Vec<String>,
    },
    /// Refuse a hit; the requester cannot tell it from no match
    Refuse {
        /// Id of the hit
        hit: String,
        /// Reason code, for the ledger
        #[arg(long, value_name = "CODE", value_parser = REFUSAL_REASONS)]
        reason: String,
    },
}

pub(crate) async fn run(command: ReviewCommand, cx: &Context) -> Done {
    match command {
        ReviewCommand::Inbox => {
            cx.out.list(&cx.call(&ReviewInbox {}).await?, inbox)?;
            DONE
        }
        ReviewCommand::Show { item } => {
            cx.out
                .object(&cx.call(&ReviewShow { item }).await?, item_text)?;
            DONE
        }
        ReviewCommand::Approve { round, reason } => {
            say(&cx.call(&ReviewApprove { round, reason }).await?, cx)
        }
        ReviewCommand::Decline { round, reason } => {
            say(&cx.call(&ReviewDecline { round, reason }).await?, cx)
        }
        ReviewCommand::Release { hit, reason, drop } => release(hit, reason, drop, cx).await,
        ReviewCommand::Refuse { hit, reason } => {
            say(&cx.call(&ReviewRefuse { hit, reason }).await?, cx)
        }
    }
}

/// What leaves cannot be called back, so it is shown before the question.
async fn release(hit: String, reason: String, drop: Vec<String>, cx: &Context) -> Done {
    if !cx.global.yes {
        let item = cx.call(&ReviewShow { item: hit.clone() }).await?;
        if item.entry.kind != "hit" {
            let message = format!("{hit} is a question of ours, not a hit on our records");
            let approve = cx.command(&format!("review approve {hit} --reason TEXT"));
            return Err(ApiError::new(ErrorCode::WrongState, message).hint(approve));
        }
        let mut leaves = item.would_leave;
        leaves.retain(|field| !drop.contains(&field.field));
        cx.out.say(&section("would leave", &leaves));
        cx.confirm(&format!("Release {hit} to {}?", item.entry.peer))?;
    }
    say(&cx.call(&ReviewRelease { hit, reason, drop }).await?, cx)
}

fn say(decided: &Decided, cx: &Context) -> Done {
    cx.out.object(decided, |decided| {
        bullets(
            &format!("{} is {}", decided.item, decided.decision),
            &decided.effect,
        )
        .trim_end()
        .to_owned()
            + "\n"
    })?;
    DONE
}

fn inbox(entries: &[InboxEntry]) -> String {
    let mut table = Table::new(&[
        "ITEM",
        "KIND",
        "PEER",
        "ROUND",
        "PURPOSE",
        "CASE",
        "GRADE",
        "MATCH KEYS",
        "DECIDE UNTIL",
        "NOTE",
    ]);
    for entry in entries {
        let keys = match entry.match_keys.as_slice() {
            [] => "-".to_owned(),
            keys => keys.join("+"),
        };
        table.row([
            entry.item.clone(),
            entry.kind.clone(),
            entry.peer.clone(),
            entry.round.clone(),
            entry.purpose.clone(),
            entry.case_reference.clone(),
            entry.grade.clone().unwrap_or_else(|| "-".to_owned()),
            keys,
            when(entry.due),
            entry.flags.join("; "),
        ]);
    }
    table.text_or("nothing waits for a decision")
}

fn item_text(item: &ReviewItem) -> String {
    let entry = &item.entry;
    let mut rows = vec![
        ("item", format!("{} ({})", entry.item, entry.kind)),
        ("decision", item.decision.clone()),
        ("peer", entry.peer.clone()),
        ("round", entry.round.clone()),
        ("purpose", entry.purpose.clone()),
        ("case", entry.case_reference.clone()),
    ];
    if let Some(grade) = &entry.grade {
        rows.push(("grade", grade.clone()));
    }
    rows.push(("decide until", when(entry.due)));
    let mut out = pairs(&rows);
    out += &bullets("to know", &entry.flags);
    out += &bullets("numbers", &item.numbers);
    if entry.kind == "hit" {
        out += &bullets("what agrees", &item.evidence);
        out += &section("own record", &item.own_record);
        out += &section("would leave on a full release", &item.would_leave);
        out += &bullets("never leaves under this agreement", &item.forbidden);
        out += &bullets(
            "hits of the same requester subject",
            &item.same_requester_subject,
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use mandorla_control::FieldView;

    use super::*;

    #[test]
    fn a_hit_is_shown_with_record_evidence_and_what_would_leave() {
        let field = |field: &str, value: &str| FieldView {
            field: field.into(),
            values: vec![value.into()],
        };
        let item = ReviewItem {
            entry: InboxEntry {
                item: "H-01".into(),
                kind: "hit".into(),
                peer: "GB".into(),
                round: "Q-20261124-001".into(),
                purpose: "oic".into(),
                case_reference: "OP-LARCH".into(),
                grade: Some("identity".into()),
                match_keys: vec!["document".into(), "name-dob".into()],
                due: 543_144_600,
                flags: vec!["default date of birth".into()],
            },
            decision: "undecided".into(),
            own_record: vec![
                field("ref", "RS-0000001"),
                field("family_names", "Јовановић"),
            ],
            evidence: vec!["passport: same state and number".into()],
            would_leave: vec![field("family_names", "Јовановић")],
            forbidden: vec!["phone".into()],
            numbers: Vec::new(),
            same_requester_subject: Vec::new(),
        };
        insta::assert_snapshot!(item_text(&item));
    }

    #[test]
    fn an_empty_inbox_says_so() {
        assert_eq!(inbox(&[]), "nothing waits for a decision\n");
    }
}
