//! `docs/reference/ledger.md`, made from the table of events.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use mandorla_store::Operation;

use super::Event;

/// What each detail means, in the order of the reference.
const DETAILS: &[(&str, &str)] = &[
    ("accepted", "rows that became subjects"),
    (
        "acknowledged_at",
        "when the peer's receipt came, Unix seconds",
    ),
    ("activated_by", "parties whose activation verifies"),
    ("address", "where the peer listens, host and port"),
    ("again", "true where the same receipt came once more"),
    (
        "agreement_hash",
        "hash in the peer's offer, of an agreement that may not be known here",
    ),
    (
        "answer_digest",
        "digest of the frozen answer, as in the pair log",
    ),
    (
        "asked_at",
        "when the question was acknowledged, Unix seconds",
    ),
    (
        "backup_created_at",
        "when the backup was made, Unix seconds",
    ),
    ("backup_file_digest", "SHA-256 of the backup's file"),
    (
        "backup_ledger_entries",
        "entries of the ledger in the backup",
    ),
    ("backup_ledger_root", "root over them"),
    (
        "before",
        "`keys.sealed`: how the keys were sealed before; `peer.keys_followed`: fingerprint of the card before",
    ),
    ("blinding_seed", "why the seed of the blinds was not kept"),
    (
        "blinding_seed_sealed_to",
        "public key of the auditor who alone can open the seed of the blinds",
    ),
    ("bytes", "bytes of the backup's file"),
    ("call", "path of the call"),
    ("case_reference", "reference code of the case"),
    (
        "check_value",
        "tells two pseudonym keys apart without telling anything about either",
    ),
    ("clause", "clause of the agreement that refused it"),
    ("code", "reason code of the closed list"),
    (
        "count",
        "refusals of this rule within a minute, beyond those with entries of their own",
    ),
    ("dataset", "name of the own dataset"),
    ("decided_at", "when the officer decided, Unix seconds"),
    (
        "decided_by",
        "officer who decided; their reason is behind `reason_commitment` of `hit.released`",
    ),
    ("digest", "SHA-256 of all canonical subjects of the dataset"),
    ("direction", "`we ask` or `they ask`"),
    ("dropped", "names of the fields that the officer kept back"),
    (
        "dropped_subjects",
        "own subjects with more pairs than `max_pairs`",
    ),
    ("due_at", "time of the slot, Unix seconds"),
    (
        "earlier_disclosures",
        "earlier disclosures of the same subject",
    ),
    (
        "evaluation_root",
        "root over all chunks, as in the pair log",
    ),
    (
        "evaluations",
        "padded evaluations that count against the responder's quota",
    ),
    ("excluded", "subjects set aside at the load, by predicate"),
    (
        "excluded_*",
        "own subjects left out, by the predicate that excludes them",
    ),
    (
        "excluded_rows",
        "rows of subjects that are set aside at the load",
    ),
    ("fact", "kind of the fact, with its slot where it has one"),
    ("fields", "names of the fields disclosed"),
    ("file_digest", "SHA-256 of the file"),
    ("fingerprint", "fingerprint of the card"),
    ("first", "first fact or entry concerned, from 0"),
    (
        "flagged",
        "subjects that bear a flag which agreements may exclude, by flag",
    ),
    ("generation", "number of the rows of this load"),
    (
        "grade",
        "grade of the hit from the match keys that are proven",
    ),
    ("handling", "handling code of the agreement"),
    (
        "handling_as_agreed",
        "whether the item carries that handling code",
    ),
    ("hit", "id of the hit, the same on both nodes"),
    ("hits", "hits found"),
    (
        "ignored_numbers",
        "requester subjects whose cells contradict one another",
    ),
    ("item", "round or hit looked at"),
    ("items", "released items in the answer"),
    ("kernel", "level of batch arithmetic in use"),
    (
        "keys_sealed_under",
        "`passphrase`, `wrapping key` or nothing",
    ),
    ("ledger_entries", "entries of the ledger in the backup"),
    ("ledger_root", "root over them"),
    ("left_out", "what the backup does not hold"),
    (
        "legal_basis",
        "clauses of the agreement by name, each with the SHA-256 of its text",
    ),
    ("listen", "address listened on"),
    ("match_keys", "ids of the match keys that the item proves"),
    (
        "necessity",
        "clause of the agreement by name, with the SHA-256 of its text; the officer's own words are behind `reason_commitment`",
    ),
    ("needs", "roles that the call needs"),
    ("now", "how the keys are sealed from now on"),
    ("open_rounds", "rounds that were open"),
    (
        "outcome",
        "`in step`, `peer ahead`, `peer behind`, `adopted`, or the fault in a word",
    ),
    ("over_max_overlap", "whether a second officer is needed"),
    (
        "overlap_until",
        "until when the old keys are good beside the new ones, Unix seconds",
    ),
    ("own_size", "facts in this node's copy"),
    ("package_digest", "digest of the sealed item"),
    ("peer", "party code of the peer"),
    ("peer_size", "facts in the peer's copy"),
    ("peer_told", "whether the peer confirmed"),
    ("purpose", "purpose code of the agreement"),
    (
        "question_root",
        "root over the question's cells, as in the pair log",
    ),
    (
        "reason",
        "`hit.refused`: a code of the closed list; `round.ended`: the fault",
    ),
    (
        "reason_commitment",
        "SHA-256(salt ‖ the officer's words); the words stand in a table of their own, from which they can be erased",
    ),
    ("receipt", "the peer's signed receipt, hexadecimal"),
    (
        "receipt_digest",
        "digest of the receipt, as in the pair log",
    ),
    (
        "recipient",
        "code, name and country of the receiving agency",
    ),
    ("reconcile", "peers whose pair logs wait to be reconciled"),
    ("regime", "`law-enforcement` or `general`"),
    ("rejected", "rows refused, by reason"),
    ("released", "items accepted"),
    (
        "retention_days",
        "how long released items may be kept, by the agreement",
    ),
    ("retention_days_at_recipient", "the same, at the recipient"),
    ("rounds_ended", "open rounds that the restore ended"),
    ("rows_in", "rows read"),
    ("rule", "rule of the program that refused it"),
    (
        "second_officer",
        "why a second officer is needed: a code of the closed list",
    ),
    (
        "sent_at",
        "when the answer was served for the first time, Unix seconds",
    ),
    (
        "sequence",
        "number of the statement that was signed, or of the key set",
    ),
    ("set_aside", "reason code per item that was not accepted"),
    ("signed_by", "parties whose signature verifies"),
    ("size", "facts or entries up to which it goes"),
    ("slot", "number of the slot, from 0"),
    (
        "spent_until",
        "up to when quotas count as spent, Unix seconds",
    ),
    ("state", "state of the agreement afterwards"),
    (
        "subject",
        "pseudonym of the own subject: HMAC-SHA-256 under this node's `pseudonym.key`, 16 bytes",
    ),
    (
        "subject_categories",
        "clause of the agreement by name, with the SHA-256 of its text",
    ),
    ("subjects", "subjects removed"),
    (
        "synthetic",
        "whether the map file says that the table is test data",
    ),
    (
        "t0",
        "the responder's clock at the acknowledgement, Unix seconds",
    ),
    (
        "transfer_basis",
        "clause of the agreement by name, with the SHA-256 of its text",
    ),
    ("version", "version of the program"),
    (
        "warnings",
        "how many things the load report says to look at",
    ),
    ("why", "the cause, in words of the program"),
    (
        "wire_id",
        "id of the round on the wire, the same on both nodes",
    ),
    ("without", "peers that were not waited for"),
];

const HEAD: &str = "\
# The ledger

<!-- Made from node/src/events.rs: UPDATE_DOCS=1 cargo nextest run -p mandorla-node ledger_reference -->

Every entry has these fields; [audit](../guides/audit.md) says how to read, prove and export them.

| field | meaning |
|---|---|
| `seq` | its number, from 0 without gaps |
| `time_unix_s` | UTC, by the node's clock |
| `node` | party code of the node |
| `operation` | the kind of processing, as below |
| `event` | what happened, as below |
| `actor`, `role` | who caused it, and in which role: a user of this node, or a peer (`peer`) |
| `agreement` | `id`, `version` and `hash` of the text it happened under |
| `round` | id of the round on this node |
| `detail` | further fields, by event |
| `salt` | 32 random bytes: the hash of an entry lets nobody guess it |

An entry never holds names, dates of birth, document numbers, free text, group elements or keys. Details are there where they apply.

Operations are those of Directive (EU) 2016/680, article 25; `admin` touches no personal data.

";

fn text() -> String {
    let mut out = HEAD.to_owned();
    out += "## Events\n\n| event | operation | what happened | detail |\n|---|---|---|---|\n";
    for (name, operation, meaning) in [
        (
            "store.created",
            Operation::Admin,
            "The database was made. `schema`: version of its tables.",
        ),
        (
            "store.migrated",
            Operation::Admin,
            "Its tables were brought `from` one version `to` another.",
        ),
    ] {
        writeln!(out, "| `{name}` | {} | {meaning} | |", operation.word()).unwrap();
    }
    for event in Event::ALL {
        let details: Vec<_> = event
            .details()
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        writeln!(
            out,
            "| `{}` | {} | {} | {} |",
            event.name(),
            event.operation().word(),
            event.meaning(),
            details.join(" ")
        )
        .unwrap();
    }
    out += "\n## Details\n\n| detail | meaning |\n|---|---|\n";
    for (name, meaning) in DETAILS {
        writeln!(out, "| `{name}` | {meaning} |").unwrap();
    }
    out
}

#[test]
fn the_ledger_reference_is_made_from_the_table_of_events() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/ledger.md");
    let expected = text();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        found == expected,
        "docs/reference/ledger.md is not up to date: UPDATE_DOCS=1"
    );
}

/// Names behind `.detail(` in the sources of a folder, tests left out.
fn details_in(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            details_in(&path, found);
            continue;
        }
        let source = std::fs::read_to_string(&path).unwrap();
        let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
        if path.ends_with("tests.rs") || path.ends_with("reference.rs") {
            continue;
        }
        for after in source.split(".detail(").skip(1) {
            let name = after.trim_start().strip_prefix('"');
            let name = name.and_then(|name| name.split('"').next());
            found.extend(name.map(str::to_owned));
        }
    }
}

#[test]
fn every_detail_that_the_node_writes_is_in_the_table() {
    let mut written = BTreeSet::new();
    details_in(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut written,
    );
    assert!(written.len() > 50, "the search finds them");
    let explained: BTreeSet<String> = DETAILS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let missing: Vec<_> = written.difference(&explained).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_detail_is_explained_once_and_no_other_is() {
    let used: BTreeSet<&str> = Event::ALL
        .iter()
        .flat_map(|event| event.details())
        .copied()
        .collect();
    let explained: Vec<&str> = DETAILS.iter().map(|(name, _)| *name).collect();
    assert!(explained.is_sorted());
    assert_eq!(explained.into_iter().collect::<BTreeSet<_>>(), used);
}
