//! Agreements in words.

use mandorla_control::{AgreementView, LintFinding};

use crate::context::Context;
use crate::table::{Table, pairs};
use crate::when::when;

/// One agreement.
pub(super) fn view(agreement: &AgreementView) -> String {
    let mut lines = vec![
        (
            "agreement",
            format!("{}, version {}", agreement.id, agreement.version),
        ),
        ("title", agreement.title.clone()),
        ("parties", agreement.parties.join(", ")),
        ("state", agreement.state.clone()),
        ("signed by", or_nobody(&agreement.signed_by)),
        ("activated by", or_nobody(&agreement.activated_by)),
        (
            "valid",
            format!(
                "{} to {}",
                when(agreement.not_before),
                when(agreement.expires)
            ),
        ),
        ("purpose", agreement.purpose.clone()),
        ("match keys", agreement.match_keys.join(", ")),
        ("hash", agreement.hash.clone()),
    ];
    let of_suspension = [
        ("suspended by", agreement.suspended_by.join(", ")),
        (
            "because",
            agreement.suspended_because.clone().unwrap_or_default(),
        ),
        ("resumed by", agreement.resumed_by.join(", ")),
    ];
    lines.extend(
        of_suspension
            .into_iter()
            .filter(|(_, text)| !text.is_empty()),
    );
    pairs(&lines)
}

/// All versions of all agreements.
pub(super) fn list(agreements: &[AgreementView]) -> String {
    let mut table = Table::new(&[
        "AGREEMENT",
        "VERSION",
        "PARTIES",
        "STATE",
        "PURPOSE",
        "EXPIRES",
        "TITLE",
    ]);
    for agreement in agreements {
        table.row([
            agreement.id.clone(),
            agreement.version.to_string(),
            agreement.parties.join(", "),
            agreement.state.clone(),
            agreement.purpose.clone(),
            when(agreement.expires),
            agreement.title.clone(),
        ]);
    }
    table.text_or("no agreements; next: mandorla agreement draft --peer PEER --id ID --title TEXT")
}

/// What the linter found.
pub(super) fn findings(findings: &[LintFinding]) -> String {
    if findings.is_empty() {
        return "nothing to correct\n".to_owned();
    }
    let lines = findings.iter().map(|finding| {
        format!(
            "{}: {}: {}\n  fix: {}\n",
            finding.severity, finding.clause, finding.message, finding.fix
        )
    });
    lines.collect()
}

/// Tells the operator the next command, if one is due.
pub(super) fn say_next(agreement: &AgreementView, cx: &Context) {
    if let Some(next) = &agreement.next {
        cx.out.say(&format!("next: {next}"));
    }
}

fn or_nobody(parties: &[String]) -> String {
    if parties.is_empty() {
        "nobody yet".to_owned()
    } else {
        parties.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_names_its_clause_and_the_fix() {
        let finding = LintFinding {
            severity: "warning".into(),
            clause: "legal.RS.basis".into(),
            message: "the text is empty".into(),
            fix: "write the ground of the processing".into(),
        };
        assert_eq!(
            findings(&[finding]),
            "warning: legal.RS.basis: the text is empty\n  fix: write the ground of the processing\n"
        );
        assert_eq!(findings(&[]), "nothing to correct\n");
    }
}
