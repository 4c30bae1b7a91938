//! Exports of a real store, as they are and as somebody might change them.

use std::sync::Arc;

use mandorla_control::{AuditExport, AuditExportEntries, AuditProve, ExportedEntry, Role};
use mandorla_store::StoreError;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::events::Event;
use crate::node::{Caller, Node};
use crate::server::ServeBlocking as _;
use crate::test_node::node;

fn auditor() -> Caller {
    Caller {
        name: "aud".to_owned(),
        roles: vec![Role::Auditor],
        uid: None,
    }
}

/// A node with some entries, of which each second one starts a new minute.
fn with_entries(count: u64) -> (tempfile::TempDir, Arc<Node>) {
    let (dir, clock, node) = node();
    for _ in 0..count {
        clock.fetch_add(60_000, std::sync::atomic::Ordering::SeqCst);
        let event = node.event(Event::NodeStarted);
        node.store
            .write::<_, StoreError>(|tx| tx.append_ledger(event).map(|_| ()))
            .unwrap();
    }
    (dir, node)
}

/// The lines of an export, but for the end.
fn lines(node: &Arc<Node>, since_s: Option<u64>) -> Vec<BundleLine> {
    let header = AuditExport { since_s }
        .serve_blocking(node, &auditor())
        .unwrap();
    let part = AuditExportEntries {
        from: 0,
        to: header.size,
        first: header.first,
    };
    let part = part.serve_blocking(node, &auditor()).unwrap();
    let mut lines = vec![BundleLine::Header(Box::new(header))];
    for (seq, entry) in (0..).zip(part.entries) {
        lines.push(match entry {
            ExportedEntry::Leaf(leaf) => BundleLine::Leaf { seq, leaf },
            ExportedEntry::Hash(hash) => BundleLine::Hash { seq, hash },
        });
        let notes = part.checkpoints.iter().filter(|(size, _)| *size == seq + 1);
        lines.extend(notes.map(|(size, note)| BundleLine::Checkpoint {
            size: *size,
            note: note.clone(),
        }));
    }
    lines
}

/// A whole file of these lines, with an end that fits.
fn file(lines: &[BundleLine]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in lines {
        bytes.extend(serde_json::to_vec(line).unwrap());
        bytes.push(b'\n');
    }
    let end = BundleLine::End {
        lines: lines.len() as u64,
        sha256: hex::encode(Sha256::digest(&bytes)),
    };
    bytes.extend(serde_json::to_vec(&end).unwrap());
    bytes.push(b'\n');
    bytes
}

fn faults(lines: &[BundleLine]) -> Vec<String> {
    verify_bundle(&file(lines)[..], None, None).unwrap().faults
}

fn place_of(lines: &[BundleLine], wanted: u64) -> usize {
    let is = |line: &BundleLine| matches!(line, BundleLine::Leaf { seq, .. } if *seq == wanted);
    lines.iter().position(is).unwrap()
}

#[test]
fn an_export_verifies_by_itself_also_where_the_beginning_is_left_out() {
    let (_dir, node) = with_entries(6);
    let report = verify_bundle(&file(&lines(&node, None))[..], None, None).unwrap();
    assert_eq!(report.faults, Vec::<String>::new());
    assert!(report.verified);
    assert_eq!((report.first, report.checkpoints), (0, report.entries));
    let since = crate::test_node::NOON_MS / 1_000 + 180;
    let cut = lines(&node, Some(since));
    let report = verify_bundle(&file(&cut)[..], None, None).unwrap();
    assert_eq!(report.faults, Vec::<String>::new());
    assert!(report.first >= 3);
    assert!(
        cut.iter()
            .any(|line| matches!(line, BundleLine::Hash { .. }))
    );
    // The export itself is recorded, and in it.
    let last = cut.iter().rev().find_map(|line| match line {
        BundleLine::Leaf { leaf, .. } => Some(leaf.clone()),
        _ => None,
    });
    assert!(last.unwrap().contains("ledger.exported"));
}

#[test]
fn an_altered_dropped_or_reordered_entry_is_named() {
    let (_dir, node) = with_entries(6);
    let whole = lines(&node, None);
    let at = place_of(&whole, 4);

    let mut altered = whole.clone();
    let BundleLine::Leaf { leaf, .. } = &mut altered[at] else {
        unreachable!()
    };
    *leaf = leaf.replace("node.started", "node.stopped");
    let found = faults(&altered);
    assert!(found[0].contains("before size 5"), "{found:?}");

    let mut dropped = whole.clone();
    dropped.remove(at);
    let found = faults(&dropped);
    assert!(
        found
            .iter()
            .any(|fault| fault.contains("entry 4 is missing")),
        "{found:?}"
    );

    let mut reordered = whole.clone();
    let next = place_of(&whole, 5);
    reordered.swap(at, next);
    let found = faults(&reordered);
    assert!(
        found[0].contains("entry 4 is missing: entry 5 stands in its place"),
        "{found:?}"
    );

    let mut claims = whole.clone();
    let BundleLine::Leaf { leaf, .. } = &mut claims[at] else {
        unreachable!()
    };
    *leaf = leaf.replace("\"seq\":4", "\"seq\":3");
    let found = faults(&claims);
    assert!(
        found[0].contains("entry 4 claims to be entry 3"),
        "{found:?}"
    );
}

#[test]
fn a_file_that_was_cut_off_or_changed_is_found_out() {
    let (_dir, node) = with_entries(4);
    let whole = lines(&node, None);
    let bytes = file(&whole);
    let cut = &bytes[..bytes.len()
        - 1
        - bytes
            .iter()
            .rev()
            .skip(1)
            .position(|b| *b == b'\n')
            .unwrap()];
    let report = verify_bundle(cut, None, None).unwrap();
    assert_eq!(report.faults, ["the file has no end: it was cut off"]);

    let shorter = &whole[..whole.len() - 2];
    let found = faults(shorter);
    assert!(
        found.iter().any(|fault| fault.starts_with("the file has")),
        "{found:?}"
    );

    let text = String::from_utf8(bytes).unwrap();
    let changed = text.replace("Fictional agency", "Fictitious agency");
    let report = verify_bundle(changed.as_bytes(), None, None).unwrap();
    assert_eq!(report.faults, ["the file was changed after it was written"]);
    assert!(verify_bundle(&b"{\"no\": 1}\n"[..], None, None).is_err());
    assert!(verify_bundle(&b""[..], None, None).is_err());
}

#[test]
fn a_history_that_was_rolled_back_or_rewritten_is_found_by_a_kept_checkpoint() {
    let (_dir, node) = with_entries(4);
    let older = lines(&node, None);
    let kept_early = node.store.checkpoint().unwrap();
    lines(&node, None);
    let kept_late = node.store.checkpoint().unwrap();
    let newer = lines(&node, None);
    let check = |lines: &[BundleLine], note: &str| {
        verify_bundle(&file(lines)[..], Some(note), None)
            .unwrap()
            .faults
    };
    assert_eq!(check(&newer, &kept_early), Vec::<String>::new());
    assert_eq!(check(&newer, &kept_late), Vec::<String>::new());
    let found = check(&older, &kept_late);
    assert!(
        found[0].contains("it was cut off or rolled back"),
        "{found:?}"
    );
    // A checkpoint of the same size that the same key signed over something else: a fork.
    let size = Checkpoint::parse(SignedNote::parse(&kept_early).unwrap().text())
        .unwrap()
        .size();
    let forked =
        Checkpoint::new(mandorla_store::ledger_origin(node.code()), size, [9; 32]).unwrap();
    let forked = forked
        .signed(&node.identity.ledger_key(), node.code())
        .unwrap();
    let found = check(&newer, &forked.to_string());
    assert!(
        found[0].contains(&format!("another content at size {size}")),
        "{found:?}"
    );
    // And one of somebody else.
    let (_other_dir, _, other) = node_of_rs();
    let found = check(&newer, &other.store.checkpoint().unwrap());
    assert!(
        found[0].starts_with("the checkpoint kept elsewhere"),
        "{found:?}"
    );
}

fn node_of_rs() -> (
    tempfile::TempDir,
    Arc<std::sync::atomic::AtomicU64>,
    Arc<Node>,
) {
    crate::test_node::node_of("RS", "RS", |_| {})
}

#[test]
fn a_foreign_key_signs_no_export_and_no_proof() {
    let (_dir, node) = with_entries(2);
    let (_other_dir, _, other) = node_of_rs();
    let bytes = file(&lines(&node, None));
    let own = node.identity.node_key().to_string();
    let foreign = other.identity.node_key().to_string();
    assert!(
        verify_bundle(&bytes[..], None, Some(&own))
            .unwrap()
            .verified
    );
    let report = verify_bundle(&bytes[..], None, Some(&foreign)).unwrap();
    assert_eq!(
        report.faults,
        [format!("the file is not signed by key {foreign}")]
    );

    let proof = AuditProve { entry: 1 }
        .serve_blocking(&node, &auditor())
        .unwrap();
    assert_eq!(verify_entry_proof(&proof, Some(&own)).unwrap().seq, 1);
    assert!(verify_entry_proof(&proof, Some(&foreign)).is_err());
    let mut exchanged = proof.clone();
    exchanged.keys = vec![foreign.clone()];
    assert!(verify_entry_proof(&exchanged, None).is_err());

    // Named beside the known key, the foreign one signs everything, and still not for who knows the key.
    let forge = |size: u64, note: &str| {
        let signed = SignedNote::parse(note).unwrap();
        let root = *Checkpoint::parse(signed.text()).unwrap().root();
        let origin = mandorla_store::ledger_origin(node.code());
        let forged = Checkpoint::new(origin, size, root).unwrap();
        let key = other.identity.ledger_key();
        forged.signed(&key, node.code()).unwrap().to_string()
    };
    let mut forged = proof.clone();
    forged.keys = vec![own.clone(), foreign.clone()];
    forged.checkpoint = forge(proof.size, &proof.checkpoint);
    assert!(verify_entry_proof(&forged, None).is_ok());
    assert!(verify_entry_proof(&forged, Some(&own)).is_err());
    let mut lines = lines(&node, None);
    let BundleLine::Header(header) = &mut lines[0] else {
        unreachable!()
    };
    header.keys = vec![own.clone(), foreign];
    header.checkpoint = forge(header.size, &header.checkpoint);
    let report = verify_bundle(&file(&lines)[..], None, Some(&own)).unwrap();
    assert_eq!(
        report.faults,
        [format!("the file is not signed by key {own}")]
    );
}

#[test]
fn a_proof_proves_its_entry_and_no_other() {
    let (_dir, node) = with_entries(5);
    for entry in 0..5 {
        let proof = AuditProve { entry }
            .serve_blocking(&node, &auditor())
            .unwrap();
        assert_eq!(verify_entry_proof(&proof, None).unwrap().seq, entry);
        let mut altered = proof.clone();
        altered.leaf = altered.leaf.replace("\"admin\"", "\"erasure\"");
        assert!(verify_entry_proof(&altered, None).is_err());
        let mut moved = proof.clone();
        moved.seq += 1;
        assert!(verify_entry_proof(&moved, None).is_err());
        let mut shorter = proof.clone();
        shorter.proof.pop();
        assert!(verify_entry_proof(&shorter, None).is_err());
    }
    let beyond = AuditProve { entry: 99 }.serve_blocking(&node, &auditor());
    assert_eq!(
        beyond.unwrap_err().code,
        mandorla_control::ErrorCode::NotFound
    );
}
