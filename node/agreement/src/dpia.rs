//! A first text of an impact assessment: the agreement's facts, and the questions that it leaves open.

use std::fmt::{Result, Write};

use crate::summary::{
    fields, handling, kind, limits, one_line, or_blank, purpose_and_law, review, subjects, words,
};
use crate::{Agreement, Severity};

/// Below this many subjects a question is about single people rather than a list.
const SINGLE_CASES_BELOW: u64 = 20;

/// A skeleton, in Markdown, of an impact assessment (EU Directive 2016/680, article 27; Regulation 2016/679, article
/// 35; UK Data Protection Act 2018, section 64): a description of the processing taken from the agreement, the risks
/// that it shows with what the program does about each, and open questions for people. It is no legal advice, and says
/// so.
pub fn dpia(agreement: &Agreement) -> String {
    let mut out = String::with_capacity(16 * 1024);
    write_dpia(&mut out, agreement).expect("writing to a String cannot fail");
    out
}

fn write_dpia(out: &mut String, agreement: &Agreement) -> Result {
    let terms = agreement.terms();
    writeln!(
        out,
        "# Impact assessment: {}\n\n\
         *A first text made from the agreement {} version {} (hash {}). It is not legal advice, and it assesses nothing by \
         itself: each* **open** *line is for people to answer, and the data-protection officer of each party to comment on.*",
        one_line(&terms.title),
        terms.id,
        terms.version,
        hex::encode(agreement.hash())
    )?;
    controllers(out, agreement)?;
    purpose_and_law(out, agreement)?;
    writeln!(
        out,
        "\n**Open**: does each ground cover this processing, and this transfer? Is the other country's protection adequate, \
         and if not, which safeguards apply? Who checked it, and when?"
    )?;
    subjects(out, agreement)?;
    writeln!(
        out,
        "\n**Open**: how did these people come to be on the lists, and what were they told? How are children, asylum seekers, \
         victims and disputed records recognised, and how many are missed? How old and how accurate are the lists?"
    )?;
    for direction in agreement.directions() {
        limits(out, &direction)?;
        writeln!(
            out,
            "\n**Open**: why is each of these fields necessary for the purpose? Why are these numbers the smallest that serve \
             it?"
        )?;
    }
    risks(out, agreement)?;
    review(out, agreement)?;
    handling(out, agreement)?;
    rights(out, agreement)?;
    findings(out, agreement)?;
    sign_off(out, agreement)
}

fn controllers(out: &mut String, agreement: &Agreement) -> Result {
    writeln!(out, "\n## Controllers\n")?;
    for party in agreement.parties() {
        writeln!(
            out,
            "* **{}**: {}, {} of {}. Data-protection officer: {}. Supervisory authority: {}.",
            party.code,
            one_line(&party.name),
            kind(party.kind),
            party.country,
            or_blank(&party.dpo_contact),
            or_blank(&party.supervisory_authority)
        )?;
    }
    writeln!(
        out,
        "\n**Open**: was each data-protection officer asked for advice? Must a supervisory authority be consulted before?"
    )
}

fn risks(out: &mut String, agreement: &Agreement) -> Result {
    let terms = agreement.terms();
    let released: Vec<_> = agreement
        .directions()
        .iter()
        .map(|direction| {
            let disclosed = fields(&direction.disclosure().fields_on_match, "no field");
            format!("{} may receive {disclosed}", direction.requester().code)
        })
        .collect();
    let smallest = agreement
        .directions()
        .iter()
        .map(|direction| direction.limits().min_set)
        .min()
        .unwrap_or(0);
    let rows = [
        (
            "Two different people are taken for one (default dates, common names, shared documents)",
            "every hit is graded, shown to an officer with its weak spots, and released by a person only".to_owned(),
        ),
        (
            "A released item is passed on or kept too long",
            format!(
                "{}; handling code {}; kept {} days; passing on: {}",
                released.join("; "),
                one_line(&terms.handling.default_code),
                terms.retention.disclosed_days,
                or_blank(&terms.handling.onward)
            ),
        ),
        (
            "The asking side learns of people who were not released",
            format!(
                "answers come at fixed times and always with {} places; nothing that it receives depends on unreleased hits",
                terms.answer.max_release
            ),
        ),
        (
            "A question is about a single person, or a list is invented to fish",
            if smallest < SINGLE_CASES_BELOW {
                format!("quotas per match key; the smallest set is {smallest}, which does not keep single persons out")
            } else {
                format!("quotas per match key, a smallest set of {smallest}, commitments to the lists, audits of inputs")
            },
        ),
        (
            "A number that can be guessed is tried out",
            "the agreement bounds the evaluations of each match key by its bits; see the limits above".to_owned(),
        ),
        (
            "People who must never be asked about are on a list",
            format!(
                "left out before anything is computed: {}",
                words(&terms.scope.exclude, "nobody")
            ),
        ),
        (
            "A thief takes one node's disk",
            "secret keys are sealed outside the database; a fresh round's keys never touch the disk".to_owned(),
        ),
    ];
    writeln!(
        out,
        "\n## Risks\n\n| risk | what the agreement and the program do | likelihood and severity that remain |\n|---|---|---|"
    )?;
    for (risk, measure) in rows {
        writeln!(out, "| {risk} | {measure} | **open** |")?;
    }
    writeln!(
        out,
        "\n**Open**: which risks are missing here (bias of the lists, effects on asylum, misuse in the other country)? What does \
         a wrong link cost the person?"
    )
}

fn rights(out: &mut String, agreement: &Agreement) -> Result {
    writeln!(out, "\n## Rights of the people concerned\n")?;
    writeln!(
        out,
        "* Every disclosure stands in the ledger of the party that made it, for {} years: to whom, when, why, which fields.",
        agreement.terms().retention.log_years
    )?;
    writeln!(
        out,
        "* **Open**: how does a person ask whether they were disclosed, who answers, and which restrictions apply? How does a \
         correction or an erasure reach the other party?"
    )
}

fn findings(out: &mut String, agreement: &Agreement) -> Result {
    writeln!(out, "\n## What the linter found\n")?;
    let findings = agreement.lint();
    for finding in findings
        .iter()
        .filter(|finding| finding.severity > Severity::Note)
    {
        writeln!(
            out,
            "* {}: `{}`: {}. To do: {}.",
            finding.severity,
            finding.clause,
            one_line(&finding.message),
            one_line(&finding.fix)
        )?;
    }
    if findings
        .iter()
        .all(|finding| finding.severity == Severity::Note)
    {
        writeln!(out, "Nothing graver than a note.")?;
    }
    Ok(())
}

fn sign_off(out: &mut String, agreement: &Agreement) -> Result {
    writeln!(out, "\n## Outcome\n")?;
    for party in agreement.parties() {
        writeln!(
            out,
            "* **{}** (**open**): residual risk accepted by … on …; advice of the data-protection officer: …; next review: {}; \
             reference: {}.",
            party.code,
            agreement.terms().review_due,
            agreement
                .terms()
                .legal
                .get(&party.code)
                .map_or_else(String::new, |legal| or_blank(&legal.dpia_ref))
        )?;
    }
    Ok(())
}
