//! The agreement on one page, for an officer who decides under it.

use std::fmt::{Result, Write};

use mandorla_linkage::{Field, MatchKeyRule, Strength};

use crate::placeholder::is_blank;
use crate::terms::{PartyType, Regime};
use crate::{Agreement, Direction, Duration, LocalPolicy, TwoPersonWhen};

/// The agreement on about one page of Markdown, in plain words: who asks whom, for what, under which law, within which
/// limits, what may leave, when answers come, how hits are reviewed, how long things are kept. It quotes the text and
/// adds nothing; the signed file alone binds.
pub fn summary(agreement: &Agreement) -> String {
    let mut out = String::with_capacity(8 * 1024);
    write_summary(&mut out, agreement).expect("writing to a String cannot fail");
    out
}

fn write_summary(out: &mut String, agreement: &Agreement) -> Result {
    let terms = agreement.terms();
    writeln!(out, "# {}\n", one_line(&terms.title))?;
    writeln!(
        out,
        "{} version {}, from {} to {}; the parties look at it again on {}. Hash {}. This page is a summary; the signed text binds.",
        terms.id,
        terms.version,
        terms.not_before,
        terms.expires,
        terms.review_due,
        hex::encode(agreement.hash())
    )?;
    parties(out, agreement)?;
    purpose_and_law(out, agreement)?;
    subjects(out, agreement)?;
    for direction in agreement.directions() {
        limits(out, &direction)?;
    }
    if let Some(absent) = absent_direction(agreement) {
        writeln!(out, "\n{absent}")?;
    }
    answers(out, agreement)?;
    review(out, agreement)?;
    handling(out, agreement)
}

fn parties(out: &mut String, agreement: &Agreement) -> Result {
    writeln!(out, "\n## Parties\n")?;
    for party in agreement.parties() {
        writeln!(
            out,
            "* **{}**: {} ({}, {}). Decides: {}. Data-protection officer: {}. Supervised by: {}.",
            party.code,
            one_line(&party.name),
            kind(party.kind),
            party.country,
            one_line(&party.authoriser_contact),
            one_line(&party.dpo_contact),
            one_line(&party.supervisory_authority)
        )?;
    }
    Ok(())
}

pub(crate) fn purpose_and_law(out: &mut String, agreement: &Agreement) -> Result {
    let terms = agreement.terms();
    let purpose = &terms.purpose;
    writeln!(out, "\n## Purpose and law\n")?;
    writeln!(
        out,
        "{} (`{}`), under {}. Offences: {}. Every round names this purpose and a case.\n",
        one_line(&purpose.text),
        purpose.code,
        match purpose.regime {
            Regime::LawEnforcement => "the law-enforcement regime of data protection",
            Regime::General => "the general regime of data protection",
        },
        listed(&purpose.offence_categories, "none named")
    )?;
    for (party, legal) in &terms.legal {
        writeln!(
            out,
            "* **{party}** relies on: {}. Processing: {}. Transfer: {}. Impact assessment: {}.",
            or_blank(&legal.instrument),
            or_blank(&legal.basis),
            or_blank(&legal.transfer_basis),
            or_blank(&legal.dpia_ref)
        )?;
    }
    if !terms.policy_context.is_empty() {
        writeln!(
            out,
            "\nContext, which is no legal ground: {}.",
            listed(&terms.policy_context, "")
        )?;
    }
    Ok(())
}

pub(crate) fn subjects(out: &mut String, agreement: &Agreement) -> Result {
    let scope = &agreement.terms().scope;
    writeln!(out, "\n## Who it is about\n")?;
    writeln!(
        out,
        "* Categories: {}.",
        listed(&scope.subject_categories, "not said")
    )?;
    writeln!(
        out,
        "* Never asked about: {}. They are left out before anything is computed.",
        words(&scope.exclude, "nobody is excluded")
    )?;
    if !scope.nationalities_in.is_empty() {
        writeln!(
            out,
            "* Only these nationalities: {}; who has no known one stays out.",
            listed(&scope.nationalities_in, "")
        )?;
    }
    if !scope.nationalities_out.is_empty() {
        let out_list = listed(&scope.nationalities_out, "");
        writeln!(out, "* Not these nationalities: {out_list}.")?;
    }
    for dataset in &agreement.terms().dataset {
        writeln!(
            out,
            "* {}'s list `{}`: at most {} subjects, loaded at most {} days ago.",
            dataset.party, dataset.id, dataset.max_records, dataset.max_age_days
        )?;
    }
    let keys: Vec<_> = agreement.match_keys().iter().map(match_key).collect();
    writeln!(out, "* Compared: {}.", keys.join("; "))
}

pub(crate) fn limits(out: &mut String, direction: &Direction<'_>) -> Result {
    let (a, b) = (&direction.requester().code, &direction.responder().code);
    let limits = direction.limits();
    writeln!(out, "\n## {a} asks about {b}'s records\n")?;
    writeln!(
        out,
        "* At most {} times a day, {} apart; {} to {} subjects a question, {} subjects a month (padded sizes count); {} to {} \
         of {b}'s subjects.",
        limits.rounds_per_day,
        limits.min_interval,
        limits.min_set,
        limits.max_set,
        limits.subjects_per_month,
        limits.min_set,
        direction.responder_subjects_max()
    )?;
    let quotas: Vec<_> = direction
        .match_keys()
        .iter()
        .filter_map(|key| {
            let quota = direction.evaluations(&key.id)?;
            Some(format!("{} {} in {}", key.id, quota.count, quota.period))
        })
        .collect();
    writeln!(
        out,
        "* {a} evaluates for {b} at most: {}.",
        quotas.join(", ")
    )?;
    let disclosure = direction.disclosure();
    writeln!(
        out,
        "* **May leave {b}, for each hit that an officer of {b} releases**: {}.",
        fields(
            &disclosure.fields_on_match,
            "nothing but the fact of the hit"
        )
    )?;
    writeln!(
        out,
        "* Never leaves: {}.",
        fields(&disclosure.forbidden_fields, "no field is named")
    )
}

fn absent_direction(agreement: &Agreement) -> Option<String> {
    let directions = agreement.directions();
    let [only] = directions.as_slice() else {
        return None;
    };
    let (a, b) = (&only.requester().code, &only.responder().code);
    Some(format!("{b} may not ask about {a}'s records."))
}

fn answers(out: &mut String, agreement: &Agreement) -> Result {
    let terms = agreement.terms();
    let answer = &terms.answer;
    let slots: Vec<_> = answer.slots.iter().map(ToString::to_string).collect();
    writeln!(out, "\n## Answers\n")?;
    writeln!(
        out,
        "An answer comes {} after the question, always, whether or not anybody was found, and always of the same size: {} \
         places of {} bytes. It can be fetched for {}. What is undecided before the last answer is refused. The asking \
         side learns of released hits only, and not how many were refused.",
        slots.join(" and "),
        answer.max_release,
        answer.item_bytes,
        Duration::from_s(answer.fetch_window_s())
    )
}

pub(crate) fn review(out: &mut String, agreement: &Agreement) -> Result {
    writeln!(out, "\n## Review\n")?;
    let max_overlap = agreement.terms().result.max_overlap;
    for direction in agreement.directions() {
        let (code, review) = (&direction.responder().code, direction.responder_review());
        let words: Vec<_> = direction
            .two_person_when(&LocalPolicy::default())
            .into_iter()
            .map(|word| match word {
                TwoPersonWhen::OverMaxOverlap => {
                    format!("where a round has more than {max_overlap} hits")
                }
                other => other.in_words().to_owned(),
            })
            .collect();
        writeln!(
            out,
            "* An officer of **{code}** decides on every hit in its records, and means to within {} hours; what expires is \
             refused. A second officer releases, too, {}.",
            review.sla_hours,
            words.join("; ")
        )?;
    }
    writeln!(
        out,
        "* A link is never a merge, and a shared document is no proof of the same person."
    )
}

pub(crate) fn handling(out: &mut String, agreement: &Agreement) -> Result {
    let terms = agreement.terms();
    writeln!(out, "\n## Afterwards\n")?;
    writeln!(
        out,
        "* Released items are handled as {}; caveats: {}. Passing on: {}.",
        one_line(&terms.handling.default_code),
        listed(&terms.handling.caveats, "none"),
        or_blank(&terms.handling.onward)
    )?;
    writeln!(
        out,
        "* Kept: hits that were not released {} days after the round closed, released items {} days, ledgers {} years.",
        terms.retention.candidates_days, terms.retention.disclosed_days, terms.retention.log_years
    )?;
    writeln!(
        out,
        "* Either side may stop everything at once. An orderly end takes {} days of notice; then, received items: {}.",
        terms.exit.notice_days,
        or_blank(&terms.exit.received_items)
    )
}

pub(crate) const fn kind(kind: PartyType) -> &'static str {
    match kind {
        PartyType::Police => "police",
        PartyType::Immigration => "immigration",
        PartyType::Customs => "customs",
        PartyType::Prosecution => "prosecution",
        PartyType::Intelligence => "intelligence",
    }
}

fn match_key(key: &MatchKeyRule) -> String {
    let strength = match key.strength {
        Strength::Strong => "strong",
        Strength::Medium => "medium",
        Strength::Weak => "weak",
    };
    let alone = if key.alone { ", enough alone" } else { "" };
    format!(
        "`{}` ({}; {strength}{alone})",
        key.id,
        fields(&key.fields, "")
    )
}

pub(crate) fn fields(fields: &[Field], none: &str) -> String {
    words(fields, none)
}

/// Words of the program, which need no quoting.
pub(crate) fn words<T: ToString>(words: &[T], none: &str) -> String {
    if words.is_empty() {
        return none.to_owned();
    }
    let words: Vec<_> = words.iter().map(ToString::to_string).collect();
    words.join(", ")
}

pub(crate) fn listed(texts: &[String], none: &str) -> String {
    if texts.is_empty() {
        return none.to_owned();
    }
    let texts: Vec<_> = texts.iter().map(|text| one_line(text)).collect();
    texts.join(", ")
}

/// A text of the agreement as one line of Markdown in which it cannot become a heading, a list or markup of its own.
pub(crate) fn one_line(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    let line = words.join(" ");
    let line = line.trim_end_matches('.');
    let mut out = String::with_capacity(line.len());
    for c in line.chars() {
        if matches!(
            c,
            '*' | '_' | '`' | '#' | '[' | ']' | '<' | '>' | '|' | '\\'
        ) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

pub(crate) fn or_blank(text: &str) -> String {
    if is_blank(text) {
        "(to be filled in)".to_owned()
    } else {
        one_line(text)
    }
}
