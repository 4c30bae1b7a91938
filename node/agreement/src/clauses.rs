//! Every clause of an agreement, and what a change of it means.
//!
//! A path has one `*` for each name that the parties choose: `party.<code>`, `dataset.<party>.<id>`, `match_key.<id>`,
//! `limits.<A>_to_<B>`, `legal.<code>`. A test holds this table against the fields of [`crate::Terms`], and another the
//! reference page against this table.

use Reading::{Added, Flag, Items, Number, Only, Text, Time, Word};
use Side::{Narrower, Neither, Wider};

/// Whether more is asked, kept or released when a value grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Wider,
    Narrower,
    Neither,
}

/// How two values of a clause compare, and what the larger one means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// A whole number.
    Number(Side),
    /// A duration or an instant.
    Time(Side),
    /// A boolean; what `true` means.
    Flag(Side),
    /// A word, and the one that is wider than any other.
    Word(&'static str),
    /// A list; what an added entry means.
    Items(Side),
    /// A list that admits everything when it is empty; an added entry widens what is not empty.
    Only,
    /// Anything else.
    Text,
    /// A whole table; what it means that one is added.
    Added(Side),
}

/// One clause. In `says`, `{A}` asks `{B}`, `{1}` and `{2}` are the names in the path, `{old}` and `{new}` the values; a
/// list's sentence is followed by what is added and removed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clause {
    pub(crate) path: &'static str,
    pub(crate) reading: Reading,
    pub(crate) says: &'static str,
}

const fn clause(path: &'static str, reading: Reading, says: &'static str) -> Clause {
    Clause {
        path,
        reading,
        says,
    }
}

/// Every clause, in the order of the file. A table stands before its fields.
#[rustfmt::skip]
pub(crate) const CLAUSES: &[Clause] = &[
    clause("schema", Number(Neither), "the file's format is {new} instead of {old}"),
    clause("id", Text, "the agreement is called {new} instead of {old}"),
    clause("version", Number(Neither), "this is version {new} instead of {old}"),
    clause("supersedes", Text, "it replaces the agreement with hash {new} instead of {old}"),
    clause("title", Text, "the title is `{new}` instead of `{old}`"),
    clause("not_before", Time(Narrower), "rounds start on {new} instead of {old}"),
    clause("expires", Time(Wider), "the agreement ends on {new} instead of {old}"),
    clause("review_due", Time(Neither), "the parties look at it again on {new} instead of {old}"),
    clause("pilot_required", Flag(Narrower), "a pilot on test data comes first: {new} instead of {old}"),
    clause("policy_context", Items(Neither), "papers that explain the agreement"),
    clause("party.*", Added(Neither), "{1} as a party"),
    clause("party.*.code", Text, "the party's code is {new} instead of {old}"),
    clause("party.*.name", Text, "{1} is named `{new}` instead of `{old}`"),
    clause("party.*.country", Text, "{1} is in {new} instead of {old}"),
    clause("party.*.type", Text, "{1} is of the kind {new} instead of {old}"),
    clause("party.*.signing_key", Text, "{1} signs with key {new} instead of {old}"),
    clause("party.*.transport_key", Text, "{1} connects with key {new} instead of {old}"),
    clause("party.*.release_key", Text, "{1} releases with key {new} instead of {old}"),
    clause("party.*.authoriser_contact", Text, "{1}'s authoriser is reached at `{new}` instead of `{old}`"),
    clause("party.*.dpo_contact", Text, "{1}'s data-protection officer is reached at `{new}` instead of `{old}`"),
    clause("party.*.supervisory_authority", Text, "{1} is supervised by `{new}` instead of `{old}`"),
    clause("purpose.code", Text, "the purpose is {new} instead of {old}"),
    clause("purpose.text", Text, "the purpose is `{new}` instead of `{old}`"),
    clause("purpose.regime", Text, "the legal regime is {new} instead of {old}"),
    clause("purpose.offence_categories", Items(Wider), "offences that it serves"),
    clause("legal.*", Added(Neither), "a legal ground of {1}"),
    clause("legal.*.instrument", Text, "{1} relies on `{new}` instead of `{old}`"),
    clause("legal.*.basis", Text, "{1} bases the processing on `{new}` instead of `{old}`"),
    clause("legal.*.transfer_basis", Text, "{1} bases the transfer on `{new}` instead of `{old}`"),
    clause("legal.*.dpia_ref", Text, "{1}'s impact assessment is `{new}` instead of `{old}`"),
    clause("scope.subject_categories", Items(Wider), "categories of subjects who may take part"),
    clause("scope.nationalities_in", Only, "the only nationalities that take part are {new} instead of {old}"),
    clause("scope.nationalities_out", Items(Narrower), "nationalities that take no part"),
    clause("scope.exclude", Items(Narrower), "subjects who are never asked about"),
    clause("dataset.*.*", Added(Wider), "{1}'s dataset `{2}`"),
    clause("dataset.*.*.party", Text, "the dataset belongs to {new} instead of {old}"),
    clause("dataset.*.*.id", Text, "the dataset is called {new} instead of {old}"),
    clause("dataset.*.*.max_records", Number(Wider), "{1}'s `{2}` may have {new} subjects instead of {old}"),
    clause("dataset.*.*.max_age_days", Number(Wider), "a load of {1}'s `{2}` may be {new} days old instead of {old}"),
    clause("dataset.*.*.required_columns", Items(Narrower), "fields that {1}'s `{2}` must have"),
    clause("linkage.profile", Text, "names and dates are normalised by {new} instead of {old}"),
    clause("linkage.default_dob_policy", Word("keep"), "a birth date of 1 January counts as {new} instead of {old}"),
    clause("match_key.*", Added(Wider), "match key `{1}`"),
    clause("match_key.*.id", Text, "the match key is called {new} instead of {old}"),
    clause("match_key.*.fields", Items(Narrower), "fields that must agree for match key `{1}`"),
    clause("match_key.*.transform", Text, "the fields of match key `{1}` are compared as {new} instead of {old}"),
    clause("match_key.*.strength", Text, "match key `{1}` counts as {new} instead of {old}"),
    clause("match_key.*.alone", Flag(Wider), "match key `{1}` makes a hit alone: {new} instead of {old}"),
    clause("match_key.*.bits", Number(Neither), "match key `{1}` is taken to have {new} bits instead of {old}"),
    clause("limits.*", Added(Wider), "the direction in which {A} asks about {B}'s records"),
    clause("limits.*.min_set", Number(Narrower), "where {A} asks, each side brings at least {new} subjects instead of {old}"),
    clause("limits.*.max_set", Number(Wider), "{A} may ask about {new} subjects at a time instead of {old}"),
    clause("limits.*.responder_max_set", Number(Wider), "{A} may ask about {new} of {B}'s subjects at a time instead of {old}"),
    clause("limits.*.keys_per_subject_max", Number(Wider), "where {A} asks, a subject may have {new} match keys instead of {old}"),
    clause("limits.*.rounds_per_day", Number(Wider), "{A} may ask {new} times a day instead of {old}"),
    clause("limits.*.subjects_per_month", Number(Wider), "{A} may ask about {new} subjects a month (padded) instead of {old}"),
    clause("limits.*.min_interval", Time(Narrower), "{A} waits {new} between two rounds instead of {old}"),
    clause("limits.*.evaluations.*", Added(Wider), "a quota of match key `{2}` where {A} asks"),
    clause("limits.*.evaluations.*.count", Number(Wider), "{A} evaluates `{2}` for {B} {new} times in a period instead of {old}"),
    clause("limits.*.evaluations.*.period", Time(Narrower), "{A} counts its evaluations of `{2}` over {new} instead of {old}"),
    clause("limits.*.evaluations.*.guess_margin_bits", Number(Narrower), "where {A} asks, guessing `{2}` keeps a margin of {new} bits instead of {old}"),
    clause("result.mode", Word("standing"), "the keys of a round are {new} instead of {old}"),
    clause("result.epoch_days", Number(Wider), "keys live for {new} days instead of {old}"),
    clause("result.repeat_questions", Word("linkable"), "repeated questions are {new} instead of {old}"),
    clause("result.max_overlap", Number(Wider), "a second officer is needed above {new} hits instead of {old}"),
    clause("result.max_pairs", Number(Wider), "an own subject may match {new} subjects of the other side instead of {old}"),
    clause("answer.slots", Items(Neither), "times at which answers come"),
    clause("answer.max_release", Number(Wider), "an answer holds {new} items instead of {old}"),
    clause("answer.item_bytes", Number(Wider), "an item has room for {new} bytes instead of {old}"),
    clause("answer.fetch_window", Time(Wider), "an answer can be fetched for {new} instead of {old}"),
    clause("answer.question_deadline", Time(Neither), "a question may wait {new} for its authoriser instead of {old}"),
    clause("answer.reciprocal", Flag(Wider), "the asking side discloses in return: {new} instead of {old}"),
    clause("disclosure.*", Added(Wider), "what {A} may receive of {B}'s records"),
    clause("disclosure.*.fields_on_match", Items(Wider), "fields of {B}'s records that may be released to {A}"),
    clause("disclosure.*.forbidden_fields", Items(Narrower), "fields of {B}'s records that never leave for {A}"),
    clause("review.*", Added(Neither), "the review of {1}"),
    clause("review.*.sla_hours", Number(Neither), "{1} means to decide within {new} hours instead of {old}"),
    clause("review.*.on_expiry", Text, "what {1} leaves undecided becomes {new} instead of {old}"),
    clause("review.*.two_person_when", Items(Narrower), "cases in which {1} needs a second officer"),
    clause("handling.default_code", Text, "items are handled as `{new}` instead of `{old}`"),
    clause("handling.caveats", Items(Neither), "caveats printed with every item"),
    clause("handling.onward", Text, "passing on: `{new}` instead of `{old}`"),
    clause("retention.candidates_days", Number(Wider), "hits that were not released are kept {new} days instead of {old}"),
    clause("retention.disclosed_days", Number(Wider), "released items are kept {new} days instead of {old}"),
    clause("retention.log_years", Number(Neither), "ledgers are kept {new} years instead of {old}"),
    clause("exit.notice_days", Number(Neither), "the agreement is ended with {new} days of notice instead of {old}"),
    clause("exit.received_items", Text, "at the end, received items: `{new}` instead of `{old}`"),
];

impl Clause {
    /// The clause of a concrete path.
    pub(crate) fn of(path: &[String]) -> Option<&'static Self> {
        CLAUSES.iter().find(|clause| clause.matches(path))
    }

    /// The place of a concrete path in the order of the file; unknown ones come last.
    pub(crate) fn place(path: &[String]) -> usize {
        let place = CLAUSES.iter().position(|clause| clause.matches(path));
        place.unwrap_or(CLAUSES.len())
    }

    fn matches(&self, path: &[String]) -> bool {
        let mut names = path.iter();
        let fits = |part: &str| names.next().is_some_and(|name| part == "*" || part == name);
        self.path.split('.').all(fits) && names.next().is_none()
    }

    /// Whether it is a table, of which each field has a clause of its own.
    pub(crate) const fn is_table(&self) -> bool {
        matches!(self.reading, Added(_))
    }
}

#[cfg(test)]
mod documented;
