//! The ledgers and pair logs of two real nodes after a round: what they hold, what they never hold, and who finds out
//! when somebody changes them.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use mandorla_cli::world::NodeProcess;
use mandorla_control::{
    AuditEraseReason, AuditLog, AuditReason, AuditReconcile, AuditVerify, RoundView,
};
use mandorla_linkage::{Field, Subject};
use mandorla_tests::{Agencies, Asked, Deal, List, STEP_WITHIN, number_key, program};
use redb::{Builder, ReadableDatabase as _, TableDefinition};
use serde_json::Value;

/// Words of people that no ledger may hold, in any spelling.
const WORDS: [&str; 9] = [
    "Zvezdanovic",
    "Ljubomira",
    "1987-03-14",
    "14.03.1987",
    "19870314",
    "734561982",
    "own-ref",
    "their-ref",
    "known subject",
];
/// Details whose values are digests, keys that are public, or pseudonyms: no other may look like one.
const DIGESTS: [&str; 19] = [
    "agreement_hash",
    "answer_digest",
    "blinding_seed_sealed_to",
    "check_value",
    "digest",
    "evaluation_root",
    "file_digest",
    "fingerprint",
    "package_digest",
    "question_root",
    "reason_commitment",
    "receipt",
    "receipt_digest",
    "root",
    "sha256",
    "subject",
    "wire_id",
    "hash",
    "salt",
];

fn deal() -> Deal {
    Deal {
        match_keys: vec![number_key()],
        fields_on_match: vec![
            Field::CaseRef,
            Field::NationalId,
            Field::FamilyNames,
            Field::Dob,
        ],
        slots_s: vec![10],
        fetch_window_s: 20,
        ..Deal::default()
    }
}

fn people(prefix: &str) -> List {
    let person = |number: u32| {
        Subject::new(format!("{prefix}-{number}"))
            .with(Field::GivenNames, "Ljubomira".to_owned())
            .with(Field::FamilyNames, "Zvezdanovic".to_owned())
            .with(Field::Dob, "1987-03-14".to_owned())
            .with(Field::NationalId, format!("73456198{number}"))
    };
    List::of(&(0..3).map(person).collect::<Vec<_>>())
}

async fn ready(deal: &Deal) -> Agencies {
    let agencies = Agencies::two().await.unwrap();
    let lists = [people("own-ref"), people("their-ref")];
    agencies
        .prepare(deal, [&lists[0], &lists[1]])
        .await
        .unwrap();
    agencies
}

/// One released, one redacted, one refused; answered and closed at both.
async fn whole_round(agencies: &Agencies, deal: &Deal) -> Asked {
    let asked = agencies.ask(deal).await.unwrap();
    let waiting = agencies.waiting(&asked).await.unwrap();
    let [first, second, third] = waiting.as_slice() else {
        panic!("{} hits", waiting.len());
    };
    agencies.release(&first.item, &[]).await.unwrap();
    agencies
        .release(&second.item, &["family_names"])
        .await
        .unwrap();
    agencies.refuse(&third.item).await.unwrap();
    assert_eq!(agencies.answer(&asked).await.unwrap().len(), 2);
    let closed = |round: &RoundView| round.state == "closed";
    for (node, id) in [
        (agencies.requester(), &asked.own.id),
        (agencies.responder(), &asked.peer.id),
    ] {
        node.wait_for_round(id, STEP_WITHIN, closed).await.unwrap();
    }
    asked
}

async fn ledger(node: &NodeProcess) -> Vec<Value> {
    let log = AuditLog {
        from: 0,
        limit: 10_000,
    };
    node.as_auditor(&log).await.unwrap()
}

fn of<'a>(ledger: &'a [Value], event: &str) -> Vec<&'a Value> {
    ledger
        .iter()
        .filter(|entry| entry["event"] == event)
        .collect()
}

fn run(node: &NodeProcess, arguments: &[&str]) -> Output {
    let output = Command::new(program())
        .arg("--data-dir")
        .arg(node.data_dir())
        .args(["--user", "d.auditor"])
        .args(arguments)
        .output();
    output.unwrap()
}

fn alone(arguments: &[&str]) -> Output {
    Command::new(program()).args(arguments).output().unwrap()
}

fn python_check(bundle: &Path) -> Output {
    let checker = Path::new(env!("CARGO_MANIFEST_DIR")).join("reference/bundle.py");
    Command::new("python3")
        .arg("-B")
        .arg(checker)
        .arg(bundle)
        .output()
        .unwrap()
}

/// Every text in a value, with the name it stands under.
fn texts<'a>(name: &'a str, value: &'a Value, visit: &mut impl FnMut(&'a str, &'a str)) {
    match value {
        Value::String(text) => visit(name, text),
        Value::Array(items) => items.iter().for_each(|item| texts(name, item, visit)),
        Value::Object(fields) => fields
            .iter()
            .for_each(|(name, value)| texts(name, value, visit)),
        _ => {}
    }
}

fn holds_nothing_of_a_person(entries: &[Value], reference: &str) {
    let text = serde_json::to_string(entries).unwrap().to_lowercase();
    for word in WORDS {
        assert!(!text.contains(&word.to_lowercase()), "{word}");
        assert!(!text.contains(&hex::encode(word)), "{word} in hexadecimal");
    }
    for entry in entries {
        let event = entry["event"].as_str().unwrap();
        assert!(reference.contains(&format!("| `{event}` |")), "{event}");
        let row = reference
            .lines()
            .find(|line| line.starts_with(&format!("| `{event}` |")));
        for detail in entry["detail"]
            .as_object()
            .into_iter()
            .flat_map(|o| o.keys())
        {
            let names = |name: &str| row.unwrap().contains(&format!("`{name}`"));
            let is_family = detail.starts_with("excluded_") && names("excluded_*");
            assert!(names(detail) || is_family, "{event}: {detail}");
        }
        texts("", entry, &mut |name, text| {
            let looks_like_one = text.len() >= 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
            assert!(
                !looks_like_one || DIGESTS.contains(&name),
                "{event}: {name}={text}"
            );
        });
        assert!(entry["operation"].is_string() && entry["node"].is_string());
    }
}

fn says_why(own: &[Value], peers: &[Value]) {
    for (entries, event) in [
        (own, "round.proposed"),
        (own, "round.terms"),
        (peers, "round.terms"),
        (own, "question.approved"),
        (peers, "question.received"),
    ] {
        let found = of(entries, event);
        let detail = &found.first().unwrap_or_else(|| panic!("no {event}"))["detail"];
        assert_eq!(detail["purpose"], mandorla_tests::PURPOSE, "{event}");
        assert!(detail["regime"].is_string(), "{event}");
        assert_eq!(
            detail["legal_basis"].as_array().unwrap().len(),
            2,
            "{event}"
        );
        for clause in ["subject_categories", "necessity"] {
            assert_eq!(
                detail[clause]["sha256"].as_str().unwrap().len(),
                64,
                "{event}"
            );
        }
    }
    assert_eq!(
        of(own, "round.proposed")[0]["detail"]["case_reference"],
        mandorla_tests::CASE
    );
}

fn says_what_was_disclosed(own: &[Value], peers: &[Value], agencies: &Agencies, deal: &Deal) {
    let released = of(peers, "hit.released");
    let disclosed = of(peers, "item.disclosed");
    assert_eq!((released.len(), disclosed.len()), (2, 2));
    for entry in released.iter().chain(&disclosed) {
        let detail = &entry["detail"];
        assert_eq!(detail["recipient"]["code"], agencies.requester().code());
        assert!(
            detail["recipient"]["country"].is_string() && detail["recipient"]["name"].is_string()
        );
        assert_eq!(
            detail["transfer_basis"]["sha256"].as_str().unwrap().len(),
            64
        );
        assert_eq!(detail["subject"].as_str().unwrap().len(), 32);
        assert_eq!(detail["match_keys"], serde_json::json!(["number"]));
        assert_eq!(detail["earlier_disclosures"], 0);
        for name in ["grade", "package_digest", "handling", "decided_by"] {
            assert!(detail[name].is_string(), "{name}");
        }
        for name in ["retention_days_at_recipient", "asked_at", "decided_at"] {
            assert!(detail[name].is_number(), "{name}");
        }
        assert_eq!(entry["agreement"]["id"], deal.id);
    }
    let fields = |entry: &Value| entry["detail"]["fields"].as_array().unwrap().len();
    assert_eq!(
        released.iter().map(|e| fields(e)).collect::<BTreeSet<_>>(),
        BTreeSet::from([3, 4])
    );
    let refused = of(peers, "hit.refused");
    assert_eq!(refused[0]["detail"]["reason"], "insufficient-evidence");
    let receipt = &of(peers, "receipt.received")[0]["detail"];
    for name in ["asked_at", "sent_at", "acknowledged_at"] {
        assert!(receipt[name].is_number(), "{name}");
    }
    assert!(receipt["receipt"].as_str().unwrap().len() > 128);
    assert_eq!(of(own, "item.received").len(), 2);
    let loaded = &of(own, "dataset.loaded")[0]["detail"];
    assert_eq!(
        (&loaded["rows_in"], &loaded["accepted"]),
        (&3.into(), &3.into())
    );
    assert_eq!(loaded["file_digest"].as_str().unwrap().len(), 64);
}

/// The officer's words can be read, and erased, and the ledger still verifies.
async fn words_can_be_erased(agencies: &Agencies, peers: &[Value]) {
    let released = of(peers, "hit.released");
    let commitment = released[0]["detail"]["reason_commitment"].as_str().unwrap();
    let read = AuditReason {
        commitment: commitment.to_owned(),
    };
    let words = agencies.responder().as_auditor(&read).await.unwrap();
    assert_eq!(words.text, "known subject");
    let erase = AuditEraseReason {
        commitment: commitment.to_owned(),
    };
    agencies.responder().as_operator(&erase).await.unwrap();
    agencies.responder().as_auditor(&read).await.unwrap_err();
    assert!(
        agencies
            .responder()
            .as_auditor(&AuditVerify {})
            .await
            .unwrap()
            .verified
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_round_is_in_both_ledgers_with_its_reasons_and_nothing_of_a_person() {
    let deal = deal();
    let agencies = ready(&deal).await;
    whole_round(&agencies, &deal).await;
    let reference = fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/ledger.md"),
    )
    .unwrap();
    let (own, peers) = (
        ledger(agencies.requester()).await,
        ledger(agencies.responder()).await,
    );
    for entries in [&own, &peers] {
        holds_nothing_of_a_person(entries, &reference);
    }
    says_why(&own, &peers);
    says_what_was_disclosed(&own, &peers, &agencies, &deal);
    words_can_be_erased(&agencies, &peers).await;

    // The same person again: the earlier disclosure is counted.
    let again = agencies.ask(&deal).await.unwrap();
    let entry = &agencies.waiting(&again).await.unwrap()[0];
    agencies.release(&entry.item, &[]).await.unwrap();
    let peers = ledger(agencies.responder()).await;
    let last = *of(&peers, "hit.released").last().unwrap();
    let before = of(&peers, "item.disclosed");
    let known = before
        .iter()
        .any(|e| e["detail"]["subject"] == last["detail"]["subject"]);
    assert_eq!(last["detail"]["earlier_disclosures"], u64::from(known));
}

/// A backup of the whole database, another round, and the backup back in its place.
async fn is_found_rolled_back(agencies: &mut Agencies, deal: &Deal, kept: &str) {
    let later = agencies
        .world
        .root()
        .join("later.txt")
        .display()
        .to_string();
    let store = agencies.responder().data_dir().join("store.redb");
    agencies.world.node_mut(1).stop().await;
    let older = fs::read(&store).unwrap();
    agencies.world.node_mut(1).restart().await.unwrap();
    agencies.ask(deal).await.unwrap();
    assert!(
        run(agencies.responder(), &["audit", "checkpoint", "-o", &later])
            .status
            .success()
    );
    agencies.world.node_mut(1).stop().await;
    fs::write(&store, older).unwrap();
    agencies.world.node_mut(1).restart().await.unwrap();

    let node = agencies.responder();
    assert!(
        run(node, &["audit", "verify"]).status.success(),
        "by itself it looks whole"
    );
    assert!(
        run(node, &["audit", "verify", "--from", kept])
            .status
            .success()
    );
    let found = run(node, &["audit", "verify", "--from", &later]);
    assert_eq!(found.status.code(), Some(7), "{found:?}");
    let requesters = agencies.requester().code();
    let found = run(node, &["audit", "reconcile", "--with", requesters]);
    assert_eq!(found.status.code(), Some(7), "{found:?}");
    let told = String::from_utf8_lossy(&found.stderr);
    assert!(
        told.contains("this node's copy ends after 6 facts"),
        "{told}"
    );
    let peer = node.code().to_owned();
    let report = agencies
        .requester()
        .as_auditor(&AuditReconcile { peer })
        .await
        .unwrap();
    assert_eq!(report.logs[0].outcome, "facts lost at the peer");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_reconcile_and_what_they_export_is_verified_without_them() {
    let deal = deal();
    let mut agencies = ready(&deal).await;
    let asked = whole_round(&agencies, &deal).await;
    for (node, peer) in [(0, 1), (1, 0)] {
        let peer = agencies.world.node(peer).code().to_owned();
        let report = agencies
            .world
            .node(node)
            .as_auditor(&AuditReconcile { peer })
            .await
            .unwrap();
        assert_eq!(report.faults, Vec::<String>::new());
        assert!(report.in_step);
    }
    // Terms, evaluation, question, answer, receipt, and the close, which no exchange was left to settle.
    let peer = agencies.responder().code().to_owned();
    let report = agencies
        .requester()
        .as_auditor(&AuditReconcile { peer })
        .await
        .unwrap();
    assert_eq!((report.logs[0].own_facts, report.logs[0].pending), (6, 0));

    let root = agencies.world.root().to_owned();
    let path = |name: &str| root.join(name).display().to_string();
    let node = agencies.responder();
    let bundle = path("bundle.jsonl");
    let written = run(node, &["audit", "export", "-o", &bundle]);
    assert!(written.status.success(), "{written:?}");
    let proof = path("proof.json");
    let released = of(&ledger(node).await, "hit.released")[0]["seq"].to_string();
    assert!(
        run(node, &["audit", "prove", &released, "-o", &proof])
            .status
            .success()
    );
    let kept = path("checkpoint.txt");
    assert!(
        run(node, &["audit", "checkpoint", "-o", &kept])
            .status
            .success()
    );
    assert!(
        run(node, &["audit", "verify", "--from", &kept])
            .status
            .success()
    );
    let shown = run(
        node,
        &[
            "--json",
            "audit",
            "log",
            "--event",
            "hit",
            "--round",
            &asked.peer.id,
        ],
    );
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let items = shown["items"].as_array().unwrap();
    assert_eq!(items.len(), 3, "two releases and a refusal");

    is_found_rolled_back(&mut agencies, &deal, &kept).await;

    // No node is needed for what was exported.
    agencies.world.node_mut(0).stop().await;
    agencies.world.node_mut(1).stop().await;
    let checked = alone(&["--json", "audit", "verify", "--bundle", &bundle]);
    assert!(checked.status.success(), "{checked:?}");
    let checked: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(
        (&checked["verified"], &checked["facts"]),
        (&true.into(), &6.into())
    );
    assert_eq!(checked["agreements_missing"], serde_json::json!([]));
    assert!(
        alone(&["audit", "verify", "--proof", &proof])
            .status
            .success()
    );
    let checked = python_check(Path::new(&bundle));
    assert!(checked.status.success(), "{checked:?}");
    let text = fs::read_to_string(&bundle).unwrap();
    let changed = path("changed.jsonl");
    fs::write(&changed, text.replacen("hit.refused", "hit.accused", 1)).unwrap();
    assert_eq!(
        alone(&["audit", "verify", "--bundle", &changed])
            .status
            .code(),
        Some(7)
    );
    assert!(!python_check(Path::new(&changed)).status.success());
}

/// Changes a fact of the pair log in a database that no node has open.
fn alter_fact(store: &Path, log: &str, seq: u64, change: impl FnOnce(&str) -> String) {
    const LEAVES: TableDefinition<(&str, u64), &[u8]> = TableDefinition::new("pair_leaves");
    let database = Builder::new().open(store).unwrap();
    let read = database.begin_read().unwrap();
    let leaf = {
        let table = read.open_table(LEAVES).unwrap();
        let stored = table.get((log, seq)).unwrap().unwrap();
        serde_json::from_slice::<String>(stored.value()).unwrap()
    };
    drop(read);
    let write = database.begin_write().unwrap();
    {
        let changed = serde_json::to_vec(&change(&leaf)).unwrap();
        let mut table = write.open_table(LEAVES).unwrap();
        table.insert((log, seq), changed.as_slice()).unwrap();
    }
    write.commit().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fact_changed_in_the_database_is_named_by_the_node_alone() {
    let deal = deal();
    let mut agencies = ready(&deal).await;
    agencies.evaluated(&deal).await.unwrap();
    let peer = agencies.responder().code().to_owned();
    let reconciled = agencies
        .requester()
        .as_auditor(&AuditReconcile { peer: peer.clone() })
        .await;
    assert!(reconciled.unwrap().in_step);
    let store = agencies.requester().data_dir().join("store.redb");
    agencies.world.node_mut(0).stop().await;
    alter_fact(&store, &format!("{peer}/asked-by-us"), 1, |leaf| {
        let (before, last) = leaf.split_at(leaf.len() - 1);
        format!("{before}{}", if last == "0" { "1" } else { "0" })
    });
    agencies.world.node_mut(0).restart().await.unwrap();
    let report = agencies
        .requester()
        .as_auditor(&AuditVerify {})
        .await
        .unwrap();
    assert!(!report.verified);
    let named = report
        .faults
        .iter()
        .any(|fault| fault.contains("fact 1 has no entry"));
    assert!(named, "{:?}", report.faults);
    let report = agencies
        .requester()
        .as_auditor(&AuditReconcile { peer })
        .await
        .unwrap();
    let fault = report.logs[0].fault.as_ref().unwrap();
    assert!(fault.starts_with("fact 1 differs"), "{fault}");
}
