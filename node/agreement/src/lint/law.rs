//! What the parties base the agreement on.

use crate::Agreement;
use crate::finding::{Findings, Severity};
use crate::placeholder::is_blank;

/// Words of papers that bind nobody.
const POLITICAL: &[&str] = &[
    "declaration",
    "communiqué",
    "communique",
    "joint statement",
    "political statement",
    "letter of intent",
    "memorandum of understanding",
    "memorandum of intent",
    "press release",
    "press statement",
];

/// Words that name a rule of law beside such a paper.
const LAW: &[&str] = &[
    "act",
    "agreement",
    "code",
    "constitution",
    "convention",
    "decree",
    "directive",
    "law",
    "ordinance",
    "regulation",
    "regulations",
    "statute",
    "treaty",
    "zakon",
];

pub(super) fn lint(agreement: &Agreement, f: &mut Findings) {
    let terms = agreement.terms();
    for (party, legal) in &terms.legal {
        let clauses = [
            ("instrument", &legal.instrument),
            ("basis", &legal.basis),
            ("transfer_basis", &legal.transfer_basis),
        ];
        for (name, text) in clauses {
            let clause = format!("legal.{party}.{name}");
            if is_blank(text) {
                f.add(
                    Severity::Error,
                    clause,
                    format!("{party} names no {name}"),
                    "fill in the law; policy_context is no legal ground",
                );
            } else if is_political(text, &terms.policy_context) {
                f.add(
                    Severity::Error,
                    clause,
                    format!(
                        "`{}`: a political declaration is no legal basis",
                        text.trim()
                    ),
                    "name the law or treaty, and move the declaration to policy_context",
                );
            }
        }
        if is_blank(&legal.dpia_ref) {
            f.add(
                Severity::Warning,
                format!("legal.{party}.dpia_ref"),
                format!("{party} names no impact assessment"),
                "make one and fill in its reference",
            );
        }
    }
    let mut fill_in = |clause: String, text: &str| {
        if is_blank(text) {
            f.add(
                Severity::Error,
                clause,
                format!("`{}` is a placeholder of the draft", text.trim()),
                "fill in the text",
            );
        }
    };
    fill_in("purpose.code".to_owned(), &terms.purpose.code);
    fill_in("purpose.text".to_owned(), &terms.purpose.text);
    for (index, party) in terms.party.iter().enumerate() {
        let at = |name: &str| format!("party[{index}].{name}");
        fill_in(at("authoriser_contact"), &party.authoriser_contact);
        fill_in(at("dpo_contact"), &party.dpo_contact);
        fill_in(at("supervisory_authority"), &party.supervisory_authority);
    }
}

/// Whether a text names a political paper and nothing else: it repeats the policy context, or speaks of a declaration
/// and of no law.
fn is_political(text: &str, context: &[String]) -> bool {
    let text = normalised(text);
    let repeats = |paper: &String| {
        let paper = normalised(paper);
        !paper.trim().is_empty() && (paper.contains(&text) || text == paper)
    };
    let has = |words: &[&str]| words.iter().any(|word| text.contains(&format!(" {word} ")));
    context.iter().any(repeats) || (has(POLITICAL) && !has(LAW))
}

/// Lower case, single spaces, no punctuation, a space at both ends: so that whole words are found.
fn normalised(text: &str) -> String {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    format!(" {} ", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paper_that_binds_nobody_is_told_from_a_law() {
        let context = ["Joint Declaration on organised immigration crime, 2023".to_owned()];
        for political in [
            "The 2023 Joint Declaration",
            "Joint declaration on organised immigration crime",
            "Organised immigration crime",
            "Memorandum of Understanding between the ministries",
            "Communiqué of the ministers",
            "press release, 3 May",
        ] {
            assert!(is_political(political, &context), "{political}");
        }
        for law in [
            "Data Protection Act 2018, Part 3",
            "Fictional Border Act 2021, section 4",
            "Treaty of 2020, which replaces the joint declaration",
            "Zakon o zaštiti podataka o ličnosti",
            "Declarations Act 1990",
        ] {
            assert!(!is_political(law, &context), "{law}");
        }
    }
}
