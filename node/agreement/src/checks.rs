//! What must hold for a file to be an agreement. Every finding here is an error.

mod directions;

use std::collections::BTreeSet;

use mandorla_linkage::Field;

use crate::bounds::{
    ANSWER_BYTES_MAX, ANSWER_FIXED_BYTES, DAYS_MAX, FETCH_WINDOW_S_MAX, ID_CHARS_MAX,
    ITEM_BYTES_MAX, ITEM_BYTES_MIN, MATCH_KEY_BITS_MAX, QUESTION_DEADLINE_S_MAX,
    RELEASE_PLACES_MAX, SCHEMA, SET_SUBJECTS_MAX, SLOT_GAP_S_MIN, SLOT_S_MAX, SLOTS_MAX,
};
use crate::finding::Findings;
use crate::scope::is_nationality;
use crate::terms::{ResultMode, Terms};

pub(crate) fn check(terms: &Terms, findings: &mut Findings) {
    check_identity(terms, findings);
    check_scope(terms, findings);
    check_timetable(terms, findings);
    check_parties(terms, findings);
    if terms.party.len() != 2 {
        return; // everything below speaks of the two parties
    }
    check_datasets(terms, findings);
    check_match_keys(terms, findings);
    check_result(terms, findings);
    check_answer(terms, findings);
    directions::check_directions(terms, findings);
    check_retention(terms, findings);
}

fn check_identity(terms: &Terms, f: &mut Findings) {
    f.require(
        terms.schema == SCHEMA,
        "schema",
        format!("schema {} is not known to this version", terms.schema),
        format!("write schema = {SCHEMA}"),
    );
    require_id(&terms.id, "id", f);
    f.require(
        terms.version >= 1,
        "version",
        "versions start at 1",
        "write version = 1",
    );
    require_text(&terms.title, "title", f);
    if let Some(hash) = &terms.supersedes {
        let is_hash = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
        f.require(
            is_hash,
            "supersedes",
            "not the hash of an agreement",
            "write its 64 hex digits, or leave the line out",
        );
    }
    require_id(&terms.purpose.code, "purpose.code", f);
    require_text(&terms.purpose.text, "purpose.text", f);
    require_text(&terms.linkage.profile, "linkage.profile", f);
}

fn check_scope(terms: &Terms, f: &mut Findings) {
    let scope = &terms.scope;
    let lists = [
        ("scope.nationalities_in", &scope.nationalities_in),
        ("scope.nationalities_out", &scope.nationalities_out),
    ];
    for (clause, codes) in lists {
        for (index, code) in codes.iter().enumerate() {
            f.require(
                is_nationality(code),
                format!("{clause}[{index}]"),
                format!("`{code}` is not an ISO 3166 code"),
                "write two or three letters, such as \"RS\" or \"SRB\", as both agencies' records do",
            );
        }
    }
    let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
    let both = scope
        .nationalities_in
        .iter()
        .find(|a| scope.nationalities_out.iter().any(|b| same(a, b)));
    f.require(
        both.is_none(),
        "scope.nationalities_out",
        format!(
            "{} stands in nationalities_in, too",
            both.map_or("", String::as_str)
        ),
        "remove it from one of the two lists",
    );
}

fn check_timetable(terms: &Terms, f: &mut Findings) {
    f.require(
        terms.not_before < terms.expires,
        "expires",
        format!(
            "the agreement would end ({}) before it starts ({})",
            terms.expires, terms.not_before
        ),
        "write an end after not_before",
    );
    let life_s = terms.expires.as_s().saturating_sub(terms.not_before.as_s());
    let round_s = terms.answer.round_s_max();
    f.require(
        terms.not_before >= terms.expires || round_s <= life_s,
        "answer.slots",
        format!("a round may last {round_s} s, longer than the agreement's {life_s} s: no round could ever start"),
        "shorten question_deadline, the slots or the fetch window, or move expires",
    );
}

fn check_parties(terms: &Terms, f: &mut Findings) {
    f.require(
        terms.party.len() == 2,
        "party",
        format!(
            "an agreement has exactly two parties, this one has {}",
            terms.party.len()
        ),
        "write one [[party]] for each of the two agencies",
    );
    for (index, party) in terms.party.iter().enumerate() {
        let at = |field: &str| format!("party[{index}].{field}");
        f.require(
            is_code(&party.code),
            at("code"),
            format!("`{}` is not a party code", party.code),
            "write 2 to 16 of A-Z, 0-9 and -, starting with a letter",
        );
        let country_ok =
            party.country.len() == 2 && party.country.bytes().all(|b| b.is_ascii_uppercase());
        f.require(
            country_ok,
            at("country"),
            "not an ISO 3166 two-letter code",
            "write for example \"RS\"",
        );
        require_text(&party.name, &at("name"), f);
        require_text(&party.authoriser_contact, &at("authoriser_contact"), f);
        require_text(&party.dpo_contact, &at("dpo_contact"), f);
        require_text(
            &party.supervisory_authority,
            &at("supervisory_authority"),
            f,
        );
    }
    check_keys_distinct(terms, f);
    let codes: BTreeSet<&str> = terms
        .party
        .iter()
        .map(|party| party.code.as_str())
        .collect();
    f.require(
        codes.len() == terms.party.len(),
        "party.code",
        "both parties have the same code",
        "give each its own",
    );
    check_per_party("legal", terms.legal.keys(), &codes, f);
    check_per_party("review", terms.review.keys(), &codes, f);
}

/// Six keys, all different: a key that serves two uses or two parties would let one signature stand for another.
fn check_keys_distinct(terms: &Terms, f: &mut Findings) {
    let mut seen = BTreeSet::new();
    for (index, party) in terms.party.iter().enumerate() {
        let keys = [
            ("signing_key", party.signing_key),
            ("transport_key", party.transport_key),
            ("release_key", party.release_key),
        ];
        for (name, key) in keys {
            f.require(
                seen.insert(key),
                format!("party[{index}].{name}"),
                "the key stands in the agreement already",
                "use a key of its own for each use and party",
            );
        }
    }
}

fn check_per_party<'a>(
    table: &str,
    keys: impl Iterator<Item = &'a String>,
    codes: &BTreeSet<&str>,
    f: &mut Findings,
) {
    let present: BTreeSet<&str> = keys.map(String::as_str).collect();
    for code in codes.difference(&present) {
        f.require(
            false,
            format!("{table}.{code}"),
            format!("[{table}.{code}] is missing"),
            "add the table",
        );
    }
    for other in present.difference(codes) {
        f.require(
            false,
            format!("{table}.{other}"),
            format!("`{other}` is not a party of this agreement"),
            "use the code of one of the two parties",
        );
    }
}

fn check_datasets(terms: &Terms, f: &mut Findings) {
    let mut seen = BTreeSet::new();
    for (index, dataset) in terms.dataset.iter().enumerate() {
        let at = |field: &str| format!("dataset[{index}].{field}");
        require_id(&dataset.id, &at("id"), f);
        let has_owner = terms.party.iter().any(|party| party.code == dataset.party);
        f.require(
            has_owner,
            at("party"),
            format!("`{}` is not a party", dataset.party),
            "use a party's code",
        );
        f.require(
            seen.insert((&dataset.party, &dataset.id)),
            at("id"),
            format!("{} has two datasets called `{}`", dataset.party, dataset.id),
            "give each its own name",
        );
        require_range(
            dataset.max_records,
            1,
            SET_SUBJECTS_MAX,
            &at("max_records"),
            f,
        );
        require_range(
            u64::from(dataset.max_age_days),
            1,
            u64::from(DAYS_MAX),
            &at("max_age_days"),
            f,
        );
        require_fields(&dataset.required_columns, &at("required_columns"), f);
    }
    for party in &terms.party {
        f.require(
            terms
                .dataset
                .iter()
                .any(|dataset| dataset.party == party.code),
            "dataset",
            format!("{} brings no dataset", party.code),
            "add a [[dataset]] for it",
        );
    }
}

/// The linkage crate checks each rule; quotas need the bits besides.
fn check_match_keys(terms: &Terms, f: &mut Findings) {
    for (index, key) in terms.match_key.iter().enumerate() {
        f.require(
            key.bits
                .is_some_and(|bits| (1..=MATCH_KEY_BITS_MAX).contains(&bits)),
            format!("match_key[{index}].bits"),
            format!(
                "match key {} needs its min-entropy, from 1 to {MATCH_KEY_BITS_MAX} bits",
                key.id
            ),
            "write bits: how hard its values are to guess, likely ones first",
        );
    }
}

fn check_result(terms: &Terms, f: &mut Findings) {
    let result = &terms.result;
    f.require(
        result.mode == ResultMode::Fresh,
        "result.mode",
        "standing results are not built yet",
        "write mode = \"fresh\"",
    );
    let fresh = result.mode == ResultMode::Fresh;
    f.require(
        !fresh || result.epoch_days.is_none(),
        "result.epoch_days",
        "a fresh round has no epoch",
        "leave epoch_days out",
    );
    f.require(
        !fresh || result.repeat_questions.is_none(),
        "result.repeat_questions",
        "fresh rounds are always unlinkable",
        "leave repeat_questions out",
    );
    require_range(
        u64::from(result.max_overlap),
        1,
        SET_SUBJECTS_MAX,
        "result.max_overlap",
        f,
    );
    require_range(u64::from(result.max_pairs), 1, 1_000, "result.max_pairs", f);
}

fn check_answer(terms: &Terms, f: &mut Findings) {
    let answer = &terms.answer;
    require_range(
        answer.slots.len() as u64,
        1,
        SLOTS_MAX as u64,
        "answer.slots",
        f,
    );
    let mut earlier_s = 0;
    for (index, slot) in answer.slots.iter().enumerate() {
        let slot_s = slot.as_s();
        f.require(
            slot_s >= earlier_s + SLOT_GAP_S_MIN && slot_s <= SLOT_S_MAX,
            format!("answer.slots[{index}]"),
            format!("slot {slot} must come at least {SLOT_GAP_S_MIN} s after the one before, and within 30 days"),
            "write the slots in ascending order, further apart",
        );
        earlier_s = slot_s.min(SLOT_S_MAX);
    }
    require_range(
        u64::from(answer.max_release),
        1,
        u64::from(RELEASE_PLACES_MAX),
        "answer.max_release",
        f,
    );
    require_range(
        u64::from(answer.item_bytes),
        u64::from(ITEM_BYTES_MIN),
        u64::from(ITEM_BYTES_MAX),
        "answer.item_bytes",
        f,
    );
    f.require(
        answer.fetch_hours.is_some() != answer.fetch_window.is_some(),
        "answer.fetch_hours",
        "write either fetch_hours or fetch_window",
        "write for example fetch_window = \"48h\"",
    );
    require_range(
        answer.fetch_window_s(),
        1,
        FETCH_WINDOW_S_MAX,
        "answer.fetch_window",
        f,
    );
    require_range(
        answer.question_deadline.as_s(),
        1,
        QUESTION_DEADLINE_S_MAX,
        "answer.question_deadline",
        f,
    );
    f.require(
        !answer.reciprocal,
        "answer.reciprocal",
        "reciprocal answers are not built yet",
        "write reciprocal = false",
    );
    let answer_bytes = ANSWER_FIXED_BYTES
        + u64::from(answer.max_release) * answer.place_bytes(terms.match_key.len());
    f.require(
        answer_bytes <= ANSWER_BYTES_MAX,
        "answer.max_release",
        format!("an answer would have {answer_bytes} bytes, at most {ANSWER_BYTES_MAX} are sent"),
        "lower max_release or item_bytes",
    );
}

fn check_retention(terms: &Terms, f: &mut Findings) {
    for (party, review) in &terms.review {
        require_range(
            u64::from(review.sla_hours),
            1,
            24 * u64::from(DAYS_MAX),
            &format!("review.{party}.sla_hours"),
            f,
        );
    }
    let days_max = u64::from(DAYS_MAX);
    require_range(
        u64::from(terms.retention.candidates_days),
        0,
        days_max,
        "retention.candidates_days",
        f,
    );
    require_range(
        u64::from(terms.retention.disclosed_days),
        1,
        days_max,
        "retention.disclosed_days",
        f,
    );
    require_range(
        u64::from(terms.retention.log_years),
        1,
        100,
        "retention.log_years",
        f,
    );
    require_range(
        u64::from(terms.exit.notice_days),
        0,
        days_max,
        "exit.notice_days",
        f,
    );
    require_text(&terms.handling.default_code, "handling.default_code", f);
}

fn require_range(value: u64, min: u64, max: u64, clause: &str, f: &mut Findings) {
    f.require(
        (min..=max).contains(&value),
        clause,
        format!("{value} is out of bounds"),
        format!("write a value from {min} to {max}"),
    );
}

fn require_text(text: &str, clause: &str, f: &mut Findings) {
    f.require(
        !text.trim().is_empty(),
        clause,
        "the text is empty",
        "write it out",
    );
}

/// Identifiers appear in file names, clauses and tables.
fn require_id(id: &str, clause: &str, f: &mut Findings) {
    let known = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let fits = id.len() <= ID_CHARS_MAX
        && id.bytes().all(known)
        && id.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    f.require(
        fits,
        clause,
        format!("`{id}` is not an identifier"),
        "write letters, digits, - and _, starting with a letter or digit, at most 64",
    );
}

fn require_fields(fields: &[Field], clause: &str, f: &mut Findings) {
    let mut seen = BTreeSet::new();
    for field in fields {
        f.require(
            seen.insert(field),
            clause,
            format!("`{field}` stands twice"),
            "write it once",
        );
    }
}

fn is_code(code: &str) -> bool {
    let rest = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-';
    (2..=16).contains(&code.len())
        && code.as_bytes()[0].is_ascii_uppercase()
        && code.bytes().skip(1).all(rest)
}
