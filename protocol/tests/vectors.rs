//! The published vector `tests/vectors/round-4x4.json`: a whole round, byte by byte.
//!
//! The file's `inputs` fix every random value, its `expected` holds every message. This crate recomputes it, and so
//! does the independent Python program in `tests/reference`, which is written from the specification alone.
//! `MANDORLA_WRITE_VECTORS=1` writes the file anew.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its shared functions too"
)]

#[allow(
    dead_code,
    unused_imports,
    reason = "each test binary uses its part of the world"
)]
#[path = "world/world.rs"]
mod world;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use world::{Coins, Decision, Parties, Plan, Report, Subject, World, reference, subject, types_of};

const WRITE_ENV: &str = "MANDORLA_WRITE_VECTORS";

/// Three key types; a document shared by two of the requester's subjects; a pair that agrees in two values of one
/// type; a release that states a conflict, in slot 0; one with a redacted field, in slot 1; a pair that is refused.
fn plan_of_the_vector() -> Plan {
    let requester = vec![
        subject(&[(0, "P7654321"), (1, "ALMA HOLM 1987-03-14")]),
        subject(&[
            (0, "P7654321"),
            (1, "IVAR LUNN 1990-11-02"),
            (1, "IVO LUNN 1990-11-02"),
            (2, "BG 123"),
        ]),
        subject(&[(0, "X0000003"), (1, "NOOR VIK 2001-05-09")]),
        subject(&[(2, "NS 777")]),
    ];
    let responder = vec![
        subject(&[(0, "P7654321"), (1, "ALMA HOLM 1987-03-14")]),
        subject(&[(0, "X0000003"), (1, "NORA VIK 2001-05-09")]),
        subject(&[
            (1, "IVO LUNN 1990-11-02"),
            (1, "IVAR LUNN 1990-11-02"),
            (2, "BG 123"),
        ]),
        subject(&[(0, "Q5500001"), (1, "ČEDOMIR ILIĆ 1979-01-30")]),
    ];
    let mut plan = Plan::new(2_026, requester, responder).deciding(|found| {
        match (found.requester_subject, found.own_subject) {
            (2, 1) => Decision::release(0),
            (1, 2) => Decision::redact(60, 0b100),
            _ => Decision::refuse(0),
        }
    });
    plan.parties = Parties::from_seed(2_027);
    plan.max_pairs = 3;
    plan.max_release = 2;
    plan.item_bytes = 256;
    plan.slots_s = vec![60, 120];
    plan.fetch_window_s = 30;
    plan
}

fn inputs_of(plan: &Plan, world: &World, report: &Report) -> Value {
    let (coins, parties) = (&plan.coins, &plan.parties);
    let chunks = world.transcript.iter().filter_map(|(name, _)| {
        let mut words = name.strip_prefix("chunk-request ")?.split(' ');
        let mut number = || words.next().unwrap().parse::<u32>().unwrap();
        Some((number(), number()))
    });
    let proof_randomness: Vec<_> = chunks
        .map(|(t, chunk)| {
            let coin = coins.proofs[&(u8::try_from(t).unwrap(), chunk)];
            json!({ "key_type": t, "chunk": chunk, "bytes": hex::encode(coin) })
        })
        .collect();
    let responder: Vec<_> = plan
        .responder
        .iter()
        .zip(0..)
        .map(|(keys, i)| json!({ "reference": reference(i), "keys": keys_to_json(keys) }))
        .collect();
    let requester = plan.requester.iter();
    let requester: Vec<_> = requester
        .map(|keys| json!({ "keys": keys_to_json(keys) }))
        .collect();
    json!({
        "requester_signing_seed": hex::encode(parties.requester_signing),
        "requester_release_seed": hex::encode(parties.requester_release),
        "responder_signing_seed": hex::encode(parties.responder_signing),
        "responder_release_seed": hex::encode(parties.responder_release),
        "agreement": hex::encode(&plan.agreement),
        "purpose": plan.purpose,
        "requester_dataset": "reports",
        "responder_dataset": "register",
        "case_reference": plan.case_reference,
        "case_salt": hex::encode(coins.case_salt),
        "requester_dataset_digest": hex::encode(plan.requester_dataset_digest),
        "requester_dataset_salt": hex::encode(coins.requester_dataset_salt),
        "responder_dataset_digest": hex::encode(plan.responder_dataset_digest),
        "responder_dataset_salt": hex::encode(coins.responder_dataset_salt),
        "rules": hex::encode(plan.rules),
        "key_types": plan.key_types,
        "evaluation_keys": hex_list(&coins.evaluation_keys),
        "possession_randomness": hex_list(&coins.possession),
        "requester_nonce": hex::encode(coins.requester_nonce),
        "responder_nonce": hex::encode(coins.responder_nonce),
        "requester_time": plan.requester_time,
        "responder_time": plan.responder_time,
        "tag_bytes": plan.terms_rules().tag_bytes(),
        "slots_s": plan.slots_s,
        "max_release": plan.max_release,
        "item_bytes": plan.item_bytes,
        "fetch_window_s": plan.fetch_window_s,
        "question_deadline_s": plan.question_deadline_s,
        "requester_subjects": requester,
        "responder_subjects": responder,
        "exporter": hex::encode(coins.exporter),
        "blind_seed": hex::encode(coins.blind_seed),
        "number_seed": hex::encode(coins.number_seed),
        "pad_seed": hex::encode(coins.pad_seed),
        "item_seed": hex::encode(coins.item_seed),
        "proof_randomness": proof_randomness,
        "t0": plan.t0,
        "max_pairs": plan.max_pairs,
        "releases": releases_of(world, report),
        "responder_ledger_commitment": hex::encode(coins.responder_ledger_commitment),
        "requester_ledger_commitment": hex::encode(coins.requester_ledger_commitment),
    })
}

/// What was released, as the requester opened it.
fn releases_of(world: &World, report: &Report) -> Vec<Value> {
    let pairs = report.outcome.pairs.iter().filter_map(|pair| {
        let own = reference(pair.own_subject);
        let item_id = report.questioned.item_id(pair.subject_number, &own);
        let item = report.items.iter().find(|item| item.item_id() == item_id)?;
        let mut opened = report.opened.iter().map(|item| item.as_ref().unwrap());
        let opened = opened.find(|opened| opened.item_id == item_id).unwrap();
        let mut numbers = world.numbers.iter();
        Some(json!({
            "requester_subject": numbers.position(|&n| n == pair.subject_number).unwrap(),
            "responder_subject": pair.own_subject,
            "slot": item.slot(),
            "proven_types": opened.proven_types,
            "fields": opened.package.fields,
            "conflicting_types": opened.package.conflicting_types,
            "handling": opened.package.handling,
        }))
    });
    pairs.collect()
}

fn plan_from(inputs: &Value) -> Plan {
    let bytes = |name: &str| bytes32(&inputs[name]);
    let number = |name: &str| inputs[name].as_u64().unwrap();
    let text = |name: &str| inputs[name].as_str().unwrap().to_owned();
    let list = |name: &str| inputs[name].as_array().unwrap().clone();
    let subjects = |name: &str| -> Vec<Subject> {
        let subjects = list(name);
        subjects
            .iter()
            .map(|s| keys_from_json(&s["keys"]))
            .collect()
    };
    let key_types: Vec<String> = serde_json::from_value(inputs["key_types"].clone()).unwrap();
    let (releases, types) = (list("releases"), key_types.clone());
    let slots_s: Vec<u32> = serde_json::from_value(inputs["slots_s"].clone()).unwrap();
    let slots = slots_s.clone();
    let decide = move |found: &world::Found| {
        let release = releases.iter().find(|release| {
            release["requester_subject"] == found.requester_subject
                && release["responder_subject"] == found.own_subject
        });
        let Some(release) = release else {
            return Decision::refuse(0);
        };
        // A release to a slot is decided when the slot before it is due.
        let slot = usize::try_from(release["slot"].as_u64().unwrap()).unwrap();
        let after_s = if slot == 0 { 0 } else { slots[slot - 1] };
        let fields = release["fields"].as_array().unwrap();
        let redacted = (0..).zip(&types).filter(|(_, id)| {
            let mut names = fields.iter().map(|field| &field[0]);
            names.all(|name| name != id.as_str())
        });
        let redacted_types = redacted.fold(0, |mask, (t, _)| mask | 1_u32 << t);
        Decision::redact(after_s.into(), redacted_types)
    };
    let proofs = list("proof_randomness");
    let proofs = proofs.iter().map(|coin| {
        let part = |name: &str| u32::try_from(coin[name].as_u64().unwrap()).unwrap();
        let key_type = u8::try_from(part("key_type")).unwrap();
        ((key_type, part("chunk")), bytes32(&coin["bytes"]))
    });
    let coins = Coins {
        evaluation_keys: list("evaluation_keys").iter().map(bytes32).collect(),
        possession: list("possession_randomness").iter().map(bytes32).collect(),
        proofs: proofs.collect(),
        requester_nonce: bytes("requester_nonce"),
        case_salt: bytes("case_salt"),
        requester_dataset_salt: bytes("requester_dataset_salt"),
        number_seed: bytes("number_seed"),
        pad_seed: bytes("pad_seed"),
        responder_nonce: bytes("responder_nonce"),
        responder_dataset_salt: bytes("responder_dataset_salt"),
        blind_seed: bytes("blind_seed"),
        item_seed: bytes("item_seed"),
        exporter: bytes("exporter"),
        requester_ledger_commitment: bytes("requester_ledger_commitment"),
        responder_ledger_commitment: bytes("responder_ledger_commitment"),
    };
    let plan = Plan {
        parties: Parties {
            requester_signing: bytes("requester_signing_seed"),
            requester_release: bytes("requester_release_seed"),
            responder_signing: bytes("responder_signing_seed"),
            responder_release: bytes("responder_release_seed"),
        },
        coins,
        agreement: hex::decode(text("agreement")).unwrap(),
        purpose: text("purpose"),
        rules: bytes("rules"),
        key_types,
        requester_dataset_digest: bytes("requester_dataset_digest"),
        responder_dataset_digest: bytes("responder_dataset_digest"),
        case_reference: text("case_reference"),
        max_pairs: u32::try_from(number("max_pairs")).unwrap(),
        slots_s,
        max_release: u16::try_from(number("max_release")).unwrap(),
        item_bytes: u32::try_from(number("item_bytes")).unwrap(),
        fetch_window_s: u32::try_from(number("fetch_window_s")).unwrap(),
        question_deadline_s: u32::try_from(number("question_deadline_s")).unwrap(),
        requester_time: number("requester_time"),
        responder_time: number("responder_time"),
        t0: number("t0"),
        ..Plan::new(
            0,
            subjects("requester_subjects"),
            subjects("responder_subjects"),
        )
    };
    plan.deciding(decide)
}

/// Plays the plan; gives the inputs and the expected values as the file has them.
fn play(plan: &Plan) -> (Value, Value) {
    let mut world = World::new(plan.clone());
    let report = world.run().unwrap();
    let terms = report.questioned.terms();
    let contexts: Vec<_> = (0..plan.types())
        .map(|t| hex::encode(terms.domain_tag(t)))
        .collect();
    let values: Vec<Vec<_>> = world
        .values
        .iter()
        .map(|column| column.iter().map(|f| hex::encode(f.as_bytes())).collect())
        .collect();
    let pairs = report.outcome.pairs.iter();
    let pairs: Vec<_> = pairs
        .map(|pair| json!([pair.own_subject, pair.subject_number, pair.agreed_types()]))
        .collect();
    let transcript: Vec<_> = world
        .transcript
        .iter()
        .map(|(name, bytes)| json!({ "name": name, "bytes": hex::encode(bytes) }))
        .collect();
    let expected = json!({
        "round_id": terms.round_id().to_string(),
        "contexts": contexts,
        "responder_prf": values,
        "subject_numbers": world.numbers,
        "pairs": pairs,
        "transcript": transcript,
    });
    (inputs_of(plan, &world, &report), expected)
}

#[test]
fn this_crate_recomputes_the_published_round() {
    let path = root().join("tests/vectors/round-4x4.json");
    if std::env::var_os(WRITE_ENV).is_some() {
        let (inputs, expected) = play(&plan_of_the_vector());
        let file = json!({ "inputs": inputs, "expected": expected });
        let text = serde_json::to_string_pretty(&file).unwrap();
        std::fs::write(&path, text + "\n").unwrap();
    }
    let published = published();
    let (inputs, expected) = play(&plan_from(&published["inputs"]));
    assert_same(&published["inputs"], &inputs);
    assert_same(&published["expected"], &expected);
}

#[test]
fn the_published_round_shows_what_it_claims() {
    let published = published();
    let (inputs, expected) = (&published["inputs"], &published["expected"]);
    let plan = plan_from(inputs);
    assert_eq!((plan.requester.len(), plan.responder.len()), (4, 4));
    assert_eq!((plan.types(), plan.slots_s.len()), (3, 2));
    let holders = |key| plan.requester.iter().filter(|s| s.contains(key)).count();
    assert!(plan.requester.iter().flatten().any(|key| holders(key) == 2));
    let releases = inputs["releases"].as_array().unwrap();
    let slots: Vec<_> = releases
        .iter()
        .map(|r| r["slot"].as_u64().unwrap())
        .collect();
    assert_eq!(slots, [0, 1]);
    assert_ne!(releases[0]["conflicting_types"], 0);
    // The second proves less than it agrees in.
    let own = &plan.responder[2];
    assert_ne!(releases[1]["proven_types"], types_of(own));
    assert!(expected["pairs"].as_array().unwrap().len() > releases.len());
}

#[test]
fn the_python_reference_recomputes_the_published_round() {
    let published = published();
    let inputs = Path::new(env!("CARGO_TARGET_TMPDIR")).join("round-4x4-inputs.json");
    std::fs::write(&inputs, published["inputs"].to_string()).unwrap();
    let output = python("round.py", &[inputs.to_str().unwrap()]);
    let computed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_same(&published["expected"], &computed);
}

#[test]
fn the_python_reference_passes_its_own_tests() {
    python("selftest.py", &[]);
}

/// Runs a program of the reference, which must succeed.
fn python(program: &str, arguments: &[&str]) -> Output {
    let program = root().join("tests/reference").join(program);
    let output = Command::new("python3")
        .arg("-B")
        .arg(&program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| {
            panic!("python3 (3.11 or later) is needed to run the reference implementation: {error}")
        });
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", program.display());
    output
}

/// Compares entry by entry, so that a failure names the first message that differs.
#[track_caller]
fn assert_same(published: &Value, computed: &Value) {
    let names =
        |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(names(published), names(computed));
    for (name, published) in published.as_object().unwrap() {
        let computed = &computed[name];
        if let (Value::Array(published), Value::Array(computed)) = (published, computed) {
            for (published, computed) in published.iter().zip(computed) {
                assert_eq!(published, computed, "{name}");
            }
        }
        assert_eq!(published, computed, "{name}");
    }
}

fn published() -> Value {
    let path = root().join("tests/vectors/round-4x4.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn keys_to_json(keys: &Subject) -> Value {
    let keys = keys.iter().map(|(t, x)| json!([t, hex::encode(x)]));
    keys.collect()
}

fn keys_from_json(keys: &Value) -> Subject {
    let keys = keys.as_array().unwrap().iter();
    keys.map(|key| {
        let key_type = u8::try_from(key[0].as_u64().unwrap()).unwrap();
        (key_type, hex::decode(key[1].as_str().unwrap()).unwrap())
    })
    .collect()
}

fn hex_list(list: &[[u8; 32]]) -> Vec<String> {
    list.iter().map(hex::encode).collect()
}

fn bytes32(value: &Value) -> [u8; 32] {
    let bytes = hex::decode(value.as_str().unwrap()).unwrap();
    bytes.try_into().unwrap()
}
