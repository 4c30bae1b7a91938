//! A first text of an agreement, with every field explained.

mod input;

use std::fmt::Write;

use crate::bounds::GUESS_MARGIN_BITS_MAX;
use crate::direction::class_log2;
pub use input::{DraftContacts, DraftDataset, DraftInput, DraftLegal, DraftParty, DraftScope};

use crate::placeholder;
use crate::terms::{PartyType, Regime};

/// Values of one match-key type that a subject may have on average: aliases and two-part keys.
const VALUES_PER_KEY_TYPE: u64 = 4;

/// The margin a draft aims at: a guesser may try about a thousandth of all values in a day.
const MARGIN_BITS_WANTED: u32 = 10;

/// Comments of longer lines follow two spaces behind.
const COMMENT_COLUMN_MAX: usize = 44;

/// Writes a commented agreement. Texts that the input lacks stand in it as placeholders in capitals, which the linter
/// refuses until people replace them; it parses as it stands if the input is within
/// the bounds of [`crate::Agreement::parse`], which the caller should run on it.
pub fn draft(input: &DraftInput) -> String {
    let mut out = String::with_capacity(16 * 1024);
    write_draft(&mut out, input).expect("writing to a String cannot fail");
    align_comments(&out)
}

fn write_draft(out: &mut String, input: &DraftInput) -> std::fmt::Result {
    identity(out, input)?;
    for party in &input.parties {
        write_party(out, party)?;
    }
    law_and_scope(out, input)?;
    datasets(out, input)?;
    linkage(out, input)?;
    let [a, b] = &input.parties;
    direction(out, input, a, b)?;
    if input.both_directions {
        direction(out, input, b, a)?;
    }
    results(out, input)?;
    review_and_end(out, input)
}

fn identity(out: &mut String, input: &DraftInput) -> std::fmt::Result {
    let pilot = input.pilot_required;
    write!(
        out,
        "\
# An agreement between two agencies about rounds of record linkage. Both sign these exact bytes.
# After each field: what the program does with it.
#   enforced   a node refuses what breaks it
#   displayed  shown to people beside their decisions
#   recorded   kept in the ledger and in reports

schema = 1\t# enforced: format of this file
id = {id}\t# recorded: the same in all versions
version = 1\t# recorded
# supersedes = \"…\"\t# recorded: hash of the agreement that this one replaces
title = {title}\t# displayed

# Dates are 00:00 UTC of that day; times need an offset.
not_before = \"{not_before}\"\t# enforced: no round before
expires = \"{expires}\"\t# enforced: no answer after
review_due = \"{review_due}\"\t# displayed: when both sides look at it again
pilot_required = {pilot}\t# enforced: synthetic data first

policy_context = {context}\t# displayed: declarations and papers; never a legal ground
",
        context = list(&input.policy_context),
        id = quoted(&input.id),
        title = quoted(&input.title),
        not_before = input.not_before,
        expires = input.expires,
        review_due = input.review_due,
    )
}

fn write_party(out: &mut String, party: &DraftParty) -> std::fmt::Result {
    let kind = match party.kind {
        PartyType::Police => "police",
        PartyType::Immigration => "immigration",
        PartyType::Customs => "customs",
        PartyType::Prosecution => "prosecution",
        PartyType::Intelligence => "intelligence",
    };
    write!(
        out,
        "
[[party]]
code = {code}\t# enforced: names the party in every other clause
name = {name}\t# displayed, recorded
country = {country}\t# displayed, recorded
type = \"{kind}\"\t# displayed: police, immigration, customs, prosecution or intelligence
# Ed25519 public keys, enforced: for agreement, terms and answers; for connections; for approvals and released items
signing_key = \"{signing}\"
transport_key = \"{transport}\"
release_key = \"{release}\"
authoriser_contact = {authoriser}\t# displayed
dpo_contact = {dpo}\t# displayed
supervisory_authority = {authority}\t# displayed
",
        authoriser = text_or(party.contacts.authoriser.as_ref(), placeholder::AUTHORISER),
        dpo = text_or(party.contacts.dpo.as_ref(), placeholder::DPO),
        authority = text_or(party.contacts.supervisory_authority.as_ref(), placeholder::AUTHORITY),
        code = quoted(&party.code),
        name = quoted(&party.name),
        country = quoted(&party.country),
        signing = party.signing_key,
        transport = party.transport_key,
        release = party.release_key,
    )
}

fn law_and_scope(out: &mut String, input: &DraftInput) -> std::fmt::Result {
    let regime = match input.regime {
        Regime::LawEnforcement => "law-enforcement",
        Regime::General => "general",
    };
    write!(
        out,
        "
[purpose]
code = {code}\t# enforced, recorded: every round names it
text = {text}\t# displayed
regime = \"{regime}\"\t# displayed, recorded: law-enforcement or general
offence_categories = {offences}\t# displayed
",
        offences = list(&input.offence_categories),
        code = text_or(Some(&input.purpose_code), placeholder::PURPOSE_CODE),
        text = text_or(Some(&input.purpose_text), placeholder::PURPOSE_TEXT),
    )?;
    for party in &input.parties {
        let legal = &party.legal;
        write!(
            out,
            "
[legal.{code}]
instrument = {instrument}\t# displayed, recorded: the law or treaty
basis = {basis}\t# displayed, recorded: ground of the processing
transfer_basis = {transfer}\t# displayed, recorded: ground of the transfer
dpia_ref = {dpia}\t# recorded: reference of the impact assessment
",
            code = party.code,
            instrument = text_or(legal.instrument.as_ref(), placeholder::INSTRUMENT),
            basis = text_or(legal.basis.as_ref(), placeholder::BASIS),
            transfer = text_or(legal.transfer_basis.as_ref(), placeholder::TRANSFER_BASIS),
            dpia = text_or(legal.dpia_ref.as_ref(), placeholder::DPIA_REF),
        )?;
    }
    let scope = &input.scope;
    write!(
        out,
        "
[scope]
subject_categories = {categories}\t# displayed: who may take part, in words
nationalities_in = {inside}\t# enforced: only these nationalities (ISO 3166); empty: all
nationalities_out = {outside}\t# enforced: none of these
exclude = {exclude}\t# enforced: asylum_claim, minor, trafficking_victim, contested_record
",
        categories = list(&scope.subject_categories),
        inside = list(&scope.nationalities_in),
        outside = list(&scope.nationalities_out),
        exclude = list(&scope.exclude),
    )
}

fn datasets(out: &mut String, input: &DraftInput) -> std::fmt::Result {
    for party in &input.parties {
        for dataset in &party.datasets {
            write!(
                out,
                "
[[dataset]]
party = {party}\t# enforced: its owner
id = {id}\t# enforced: its name on the owner's node
max_records = {max}\t# enforced by its owner
max_age_days = 30\t# enforced by its owner: oldest load
required_columns = []\t# enforced by its owner: fields that the list must have
",
                party = quoted(&party.code),
                id = quoted(&dataset.id),
                max = dataset.max_records,
            )?;
        }
    }
    Ok(())
}

fn linkage(out: &mut String, input: &DraftInput) -> std::fmt::Result {
    write!(
        out,
        "
[linkage]
profile = {}\t# enforced: normalisation profile that both nodes must have
default_dob_policy = \"missing\"\t# enforced: 1 January is a placeholder and makes no match key

# Match keys, enforced, in the order of their type numbers. strength: strong, medium or weak. alone: makes a hit by
# itself. bits: min-entropy, guessing likely values first; it bounds the quotas below.
",
        quoted(&input.profile)
    )?;
    for key in &input.match_keys {
        out.push_str("\n[[match_key]]\n");
        let rule = toml::Table::try_from(key).expect("a rule is made of texts, numbers and flags");
        for name in ["id", "fields", "transform", "strength", "alone", "bits"] {
            if let Some(value) = rule.get(name) {
                writeln!(out, "{name} = {value}")?; // a table inside prints inline
            }
        }
    }
    Ok(())
}

fn direction(
    out: &mut String,
    input: &DraftInput,
    requester: &DraftParty,
    responder: &DraftParty,
) -> std::fmt::Result {
    let (a, b) = (&requester.code, &responder.code);
    let month = (1_u64 << class_log2(input.max_set))
        .saturating_mul(u64::from(input.rounds_per_day))
        .saturating_mul(31);
    write!(
        out,
        "
# {a} asks, {b}'s records are asked about. Enforced by both nodes: exactly on the own set, by padded size on the peer's.
[limits.{a}_to_{b}]
min_set = {min}\t# fewest subjects on either side
max_set = {max}\t# most subjects in a question
# responder_max_set = …\t# most subjects of {b}; default: its largest dataset's max_records
# keys_per_subject_max = …\t# default: the number of match keys
rounds_per_day = {rounds}
subjects_per_month = {month}\t# padded question sizes, in all
min_interval = \"{interval}\"

# How often {a} evaluates each match key for {b}; enforced by {a}. Padded sizes count, and
# count <= 2^(bits - guess_margin_bits).
",
        min = input.min_set,
        max = input.max_set,
        rounds = input.rounds_per_day,
        interval = input.min_interval,
    )?;
    let responder_max = responder
        .datasets
        .iter()
        .map(|dataset| dataset.max_records)
        .max()
        .unwrap_or(1);
    let wanted = (1_u64 << class_log2(responder_max.saturating_mul(VALUES_PER_KEY_TYPE)))
        .saturating_mul(u64::from(input.rounds_per_day));
    for key in &input.match_keys {
        let (count, margin) = quota(u32::from(key.bits.unwrap_or(0)), wanted);
        write!(
            out,
            "[limits.{a}_to_{b}.evaluations.{id}]\ncount = {count}\nperiod = \"1d\"\nguess_margin_bits = {margin}\n",
            id = table_key(&key.id)
        )?;
    }
    write!(
        out,
        "
[disclosure.{a}_to_{b}]
fields_on_match = {fields}\t# enforced: fields of {b}'s records that may be released to {a}
forbidden_fields = {forbidden}\t# enforced: never
",
        fields = list(&input.fields_on_match),
        forbidden = list(&input.forbidden_fields),
    )
}

/// The quota wanted, with as much of the wanted margin as the key's bits leave; less than wanted where they leave none.
fn quota(bits: u32, wanted: u64) -> (u64, u32) {
    let count = wanted
        .min(1_u64.checked_shl(bits).unwrap_or(u64::MAX >> 1))
        .max(1);
    let count_log2 = u64::BITS - (count - 1).leading_zeros();
    (
        count,
        bits.saturating_sub(count_log2)
            .min(MARGIN_BITS_WANTED)
            .min(GUESS_MARGIN_BITS_MAX),
    )
}

fn results(out: &mut String, input: &DraftInput) -> std::fmt::Result {
    write!(
        out,
        "
[result]
mode = \"fresh\"\t# enforced: new keys for each round
max_overlap = {overlap}\t# enforced: more hits need a second officer; the requester never learns of it
max_pairs = 8\t# enforced: most requester subjects per own subject; a subject above it is dropped, silently

[answer]
slots = {slots}\t# enforced: when answers come after the question, always, hits or not
max_release = {places}\t# enforced: places in an answer, filled or not
item_bytes = {item}\t# enforced: room for one item, filled or not
fetch_window = \"{fetch}\"\t# enforced: how long an answer can be fetched
question_deadline = \"{deadline}\"\t# enforced: how long the requester's authoriser may take
reciprocal = false\t# enforced
",
        overlap = input.max_release.max(1),
        slots = list(&input.slots),
        places = input.max_release,
        item = input.item_bytes,
        fetch = input.fetch_window,
        deadline = input.question_deadline,
    )
}

fn review_and_end(out: &mut String, input: &DraftInput) -> std::fmt::Result {
    let last_slot_h = input.slots.last().map_or(0, |slot| slot.as_s()) / 3_600;
    let sla_hours = last_slot_h.saturating_sub(1).clamp(1, 72);
    for party in &input.parties {
        write!(
            out,
            "
[review.{}]
sla_hours = {sla_hours}\t# displayed, recorded: hours in which this party means to decide
on_expiry = \"refuse\"\t# enforced: what an undecided item becomes
two_person_when = {words}\t# enforced: always, grade-below-b, conflict, shared-document, default-dob
",
            party.code,
            words = list(&party.two_person_when),
        )?;
    }
    out.push_str(
        "
[handling]
default_code = \"OFFICIAL\"\t# displayed, recorded
caveats = []\t# displayed with every item
onward = \"no onward transfer without written consent\"\t# displayed, recorded

[retention]
candidates_days = 0\t# recorded: unreleased hits at the responder, after the round closed
disclosed_days = 180\t# displayed, recorded: released items at the requester
log_years = 5\t# recorded: ledgers

[exit]
notice_days = 30\t# displayed; suspension needs no notice
received_items = \"erase within 30 days unless part of a case file\"\t# displayed
",
    );
    Ok(())
}

/// The text, or the placeholder where nothing is given.
fn text_or(text: Option<&String>, placeholder: &str) -> String {
    let given = text.filter(|text| !text.trim().is_empty());
    quoted(given.map_or(placeholder, String::as_str))
}

/// A TOML string with everything escaped that needs it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Puts the comments of a block of lines under each other. The texts above mark them with a tab, which a value never
/// contains: TOML escapes it.
fn align_comments(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut out = String::with_capacity(text.len() * 2);
    for block in lines.split_inclusive(|line| line.is_empty()) {
        let widths = block.iter().filter_map(|line| line.split_once('\t'));
        let column = widths
            .map(|(left, _)| left.chars().count())
            .filter(|width| *width <= COMMENT_COLUMN_MAX)
            .max();
        for line in block {
            match line.split_once('\t') {
                Some((left, comment)) => {
                    out.push_str(left);
                    let gap = column.unwrap_or(0).saturating_sub(left.chars().count());
                    out.extend(std::iter::repeat_n(' ', gap + 2));
                    out.push_str(comment);
                }
                None => out.push_str(line),
            }
            out.push('\n');
        }
    }
    out
}

/// A key as it stands in a table header: quoted where it is not a bare key.
fn table_key(id: &str) -> String {
    let bare = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if id.bytes().all(bare) {
        id.to_owned()
    } else {
        quoted(id)
    }
}

fn list<T: ToString>(texts: &[T]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| quoted(&text.to_string())).collect();
    format!("[{}]", quoted.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_never_exceeds_what_the_bits_leave() {
        for bits in 1..=64 {
            for wanted in [1, 3, 4, 1000, 1 << 20, u64::MAX >> 1] {
                let (count, margin) = quota(bits, wanted);
                let max = 1_u64.checked_shl(bits - margin).unwrap_or(u64::MAX);
                assert!(
                    count >= 1 && count <= max,
                    "{bits} bits, {wanted} wanted: {count}, margin {margin}"
                );
            }
        }
    }
}
