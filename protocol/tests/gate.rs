//! The gates: nothing about a subject leaves before its own authoriser has approved, and what leaves serves one
//! question of one pair of nodes only. (That the gates cannot be walked around in code is asserted where the types
//! are: `compile_fail` examples of `Seeking`, `QuestionApproval`, `SealedAnswer`, `VerifiedChunk`.)

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its shared functions too"
)]

#[path = "gate/replay.rs"]
mod replay;
#[allow(
    dead_code,
    unused_imports,
    reason = "each test binary uses its part of the world"
)]
#[path = "world/world.rs"]
mod world;

use std::collections::BTreeSet;

use mandorla_protocol::requester::PendingQuestion;
use mandorla_protocol::responder::Evaluated;
use mandorla_protocol::{
    AgreedKey, CHUNK_HEADER_BYTES, CLOCK_SKEW_MAX_S, LocalFault, Message, NodeSigner,
    PAYLOAD_BYTES, PeerFault, ProtocolError, Quarantine, QuestionApproval, QuestionFault,
    ReleaseSigner, chunks,
};
use world::{Decision, Entry, How, Parties, Plan, Subject, World, subject};

fn people(range: std::ops::Range<usize>) -> Vec<Subject> {
    range
        .map(|n| subject(&[(0, &format!("P{n:05}")), (1, &format!("NAME {n} 1987"))]))
        .collect()
}

fn plan(seed: u64) -> Plan {
    Plan::new(seed, people(0..5), people(3..9))
}

/// A world in which the evaluation is done and nobody has approved.
fn pending(plan: Plan) -> (World, PendingQuestion, Evaluated) {
    let mut world = World::new(plan);
    let (evaluating, blinding) = world.open().unwrap();
    let (pending, evaluated) = world.evaluate(evaluating, blinding).unwrap();
    (world, pending, evaluated)
}

fn received(journal: &[Entry]) -> Vec<Vec<u8>> {
    let received = journal.iter().filter(|entry| entry.how == How::Received);
    received.map(|entry| entry.bytes.clone()).collect()
}

#[test]
fn before_approval_the_responder_gets_nothing_that_depends_on_a_subject() {
    let (one, ..) = pending(plan(1));
    let (other, ..) = pending(Plan {
        requester: people(100..105),
        ..plan(1)
    });
    assert_ne!(one.question_cells, other.question_cells);
    assert_eq!(one.responder.journal, other.responder.journal);

    let received = received(&one.responder.journal).concat();
    let tag_bytes = usize::from(one.plan.terms_rules().tag_bytes());
    let cells = one.question_cells.chunks(tag_bytes + PAYLOAD_BYTES);
    for cell in cells {
        let tag = &cell[..tag_bytes];
        assert!(received.windows(tag_bytes).all(|window| window != tag));
    }
    let case = one.plan.case_reference.as_bytes();
    assert!(received.windows(case.len()).all(|window| window != case));
}

#[test]
fn an_approval_serves_one_question_of_one_round() {
    let desk = plan(2).parties.requester_desk();
    let (_, this, _) = pending(plan(2));
    // The same round with another dataset, another round with the same dataset, another purpose, rules, responder.
    let others = [
        Plan {
            requester: people(1..6),
            ..plan(2)
        },
        plan(3),
        Plan {
            purpose: "sanctions".into(),
            ..plan(2)
        },
        Plan {
            rules: [1; 32],
            ..plan(2)
        },
        Plan {
            parties: Parties {
                responder_signing: [3; 32],
                ..plan(2).parties
            },
            ..plan(2)
        },
        Plan {
            requester_dataset_digest: [2; 32],
            ..plan(2)
        },
        Plan {
            agreement: b"version = 2\n".to_vec(),
            ..plan(2)
        },
    ];
    for other in others {
        let (_, other, _) = pending(other);
        let approval = QuestionApproval::approve(other.summary(), &desk);
        assert_eq!(
            this.clone().approve(&approval),
            Err(LocalFault::ApprovalMismatch)
        );
    }
    let approval = QuestionApproval::approve(this.summary(), &desk);
    this.approve(&approval).unwrap();
}

/// A SEEK of this pending question, approved by `desk` and signed by `signer`.
fn seek_by(pending: &PendingQuestion, desk: &ReleaseSigner, signer: &NodeSigner) -> Message {
    let approval = QuestionApproval::approve(pending.summary(), desk);
    let seeking = pending.clone().approve(&approval).unwrap();
    seeking.seek(signer, pending.terms().offer().time).unwrap()
}

#[test]
fn the_responder_refuses_a_question_that_its_peers_desk_did_not_approve() {
    let (world, pending, evaluated) = pending(plan(4));
    let parties = &world.plan.parties;
    let (desk, signer) = (parties.requester_desk(), parties.requester_signer());
    let refused = |seek: &Message| {
        let receiving = evaluated.handle_seek(seek, &desk.public(), world.plan.t0);
        receiving.map(|_| ()).unwrap_err()
    };
    let good = seek_by(&pending, &desk, &signer);
    let opened = evaluated.handle_seek(&good, &desk.public(), world.plan.t0);
    assert!(opened.is_ok());

    // A desk that is not the peer's: a stranger's, the responder's own, the requester's signing key.
    for seed in [
        [5; 32],
        parties.responder_release,
        parties.requester_signing,
    ] {
        let desk = ReleaseSigner::from_seed(&seed);
        let fault = refused(&seek_by(&pending, &desk, &signer));
        assert_eq!(fault, PeerFault::Approval.into());
    }
    // A node that is not the peer's.
    for seed in [[5; 32], parties.requester_release] {
        let fault = refused(&seek_by(&pending, &desk, &NodeSigner::from_seed(&seed)));
        assert_eq!(fault, PeerFault::Signature("the question").into());
    }
}

#[test]
fn the_responder_refuses_an_approval_of_another_root() {
    let (world, this, evaluated) = pending(plan(5));
    let (_, other, _) = pending(Plan {
        requester: people(1..6),
        ..plan(5)
    });
    assert_eq!(this.terms(), other.terms());
    let parties = &world.plan.parties;
    let (desk, signer) = (parties.requester_desk(), parties.requester_signer());
    let (this, other) = (
        seek_by(&this, &desk, &signer),
        seek_by(&other, &desk, &signer),
    );
    let (Message::Seek { approval, .. }, Message::Seek { question_root, .. }) = (&this, &other)
    else {
        unreachable!("a seek is a Seek");
    };
    // The requester's node signs everything that its officer did not approve.
    let round_id = evaluated.terms().round_id();
    let parts: [&[u8]; 3] = [round_id.as_ref(), question_root.as_ref(), approval];
    let Message::Seek {
        count,
        case_reference,
        case_salt,
        ..
    } = this.clone()
    else {
        unreachable!("a seek is a Seek");
    };
    let swapped = |count: u64, case_reference: String| Message::Seek {
        question_root: *question_root,
        count,
        case_reference,
        case_salt,
        approval: *approval,
        signature: signer.sign("mandorla/1 seek", &parts),
    };
    let fault = |seek: &Message| {
        let receiving = evaluated.handle_seek(seek, &desk.public(), world.plan.t0);
        receiving.map(|_| ()).unwrap_err()
    };
    let seek = swapped(count, case_reference.clone());
    assert_eq!(fault(&seek), PeerFault::Approval.into());

    // What no signature covers is checked against the terms.
    let with = |count: u64, case_reference: &str| {
        let mut seek = this.clone();
        if let Message::Seek {
            count: of_seek,
            case_reference: case,
            ..
        } = &mut seek
        {
            *of_seek = count;
            case_reference.clone_into(case);
        }
        fault(&seek)
    };
    let question = |fault| ProtocolError::from(PeerFault::Question(fault));
    for count in [0, count - 1, count + 1, u64::MAX] {
        let fault = with(count, &case_reference);
        assert_eq!(fault, question(QuestionFault::Count));
    }
    for case in ["", "2025/0043"] {
        assert_eq!(with(count, case), question(QuestionFault::Case));
    }
}

#[test]
fn a_question_without_a_case_is_refused_although_its_commitment_opens() {
    for case_reference in ["", " \t"] {
        let (world, pending, evaluated) = pending(Plan {
            case_reference: case_reference.to_owned(),
            ..plan(9)
        });
        let parties = &world.plan.parties;
        let (desk, signer) = (parties.requester_desk(), parties.requester_signer());
        let seek = seek_by(&pending, &desk, &signer);
        let receiving = evaluated.handle_seek(&seek, &desk.public(), world.plan.t0);
        let fault = receiving.map(|_| ()).unwrap_err();
        assert_eq!(fault, PeerFault::Question(QuestionFault::NoCase).into());
    }
}

#[test]
fn a_question_lapses_at_its_deadline() {
    let (world, pending, evaluated) = pending(plan(6));
    let parties = &world.plan.parties;
    let (desk, signer) = (parties.requester_desk(), parties.requester_signer());
    let deadline = pending.terms().question_deadline();
    let seek = seek_by(&pending, &desk, &signer);
    let at = |now| {
        evaluated
            .handle_seek(&seek, &desk.public(), now)
            .map(|_| ())
    };
    // The requester's clock may be behind by as much as the terms allowed it to be.
    assert_eq!(at(deadline + CLOCK_SKEW_MAX_S), Ok(()));
    at(deadline + CLOCK_SKEW_MAX_S + 1).unwrap_err();

    let approval = QuestionApproval::approve(pending.summary(), &desk);
    let seeking = pending.approve(&approval).unwrap();
    seeking.seek(&signer, deadline).unwrap();
    assert_eq!(seeking.seek(&signer, deadline + 1), Err(LocalFault::Lapsed));
}

fn pieces(bytes: &[u8], size: usize, of: usize) -> BTreeSet<Vec<u8>> {
    let pieces = bytes.chunks_exact(size).map(|piece| piece[..of].to_vec());
    pieces.collect()
}

#[test]
fn the_same_question_asked_twice_has_nothing_in_common_but_what_the_responder_holds() {
    let mut worlds = [World::new(plan(7)), World::new(plan(8))];
    let [one, other] = worlds.each_mut().map(|world| world.run().unwrap());
    let terms = one.awaiting.terms();
    let (cell_bytes, tag_bytes) = (terms.cell_bytes(), terms.cell_bytes() - PAYLOAD_BYTES);
    let [first, second] = &worlds;

    let disjoint = |a: &BTreeSet<Vec<u8>>, b: &BTreeSet<Vec<u8>>| {
        assert!(!a.is_empty() && a.len() == b.len());
        assert!(a.is_disjoint(b));
    };
    let tags = |world: &World| pieces(&world.received_cells, cell_bytes, tag_bytes);
    disjoint(&tags(first), &tags(second));
    let payloads = |world: &World| -> BTreeSet<Vec<u8>> {
        let cells = world.received_cells.chunks_exact(cell_bytes);
        cells.map(|cell| cell[tag_bytes..].to_vec()).collect()
    };
    disjoint(&payloads(first), &payloads(second));
    for chunk in chunks(terms) {
        let (t, rows) = (chunk.key_type, chunk.rows as usize);
        let elements = |world: &World, name: &str, skip: usize| {
            let bytes = world.message_bytes(&format!("{name} {t} 0"));
            let elements = &bytes[skip..skip + 32 * rows];
            pieces(elements, 32, 32)
        };
        let request = |world| elements(world, "chunk-request", CHUNK_HEADER_BYTES);
        let reply = |world| elements(world, "chunk-reply", 0);
        disjoint(&request(first), &request(second));
        disjoint(&reply(first), &reply(second));
    }
    let numbers = |world: &World| -> BTreeSet<_> { world.numbers.iter().copied().collect() };
    assert!(numbers(first).is_disjoint(&numbers(second)));
    assert_ne!(terms.round_id(), other.awaiting.terms().round_id());

    // What is the same: its own subjects, by which keys, and which keys that number has.
    assert_eq!(held(&one), held(&other));
    assert!(!held(&one).is_empty());
}

/// What the responder learns of the hits: its own subject, by which keys, and which types that peer subject has.
fn held(report: &world::Report) -> Vec<(u32, Vec<AgreedKey>, u32)> {
    let pairs = report.outcome.pairs.iter();
    pairs
        .map(|pair| (pair.own_subject, pair.agreed.clone(), pair.peer_key_types))
        .collect()
}

#[test]
fn how_many_keys_other_subjects_have_and_which_they_share_is_not_seen() {
    let each = |keys: fn(usize) -> Subject| (0..6).map(keys).collect::<Vec<_>>();
    let others = [
        each(|n| subject(&[(0, &format!("Q{n}")), (1, &format!("NO {n} 1990"))])),
        each(|n| {
            subject(&[
                (0, &format!("Q{n}")),
                (1, &format!("NO {n}")),
                (2, &format!("PL {n}")),
            ])
        }),
        each(|_| subject(&[(0, "Q"), (1, "ONE NAME 1990")])),
        each(|n| subject(&[(0, &format!("Q{n}")), (2, &format!("PLATE {}", n / 3))])),
    ];
    let played = others.map(|others| {
        let mut world = World::new(Plan::new(11, [people(3..6), others].concat(), people(3..9)));
        let report = world.run().unwrap();
        (world, report)
    });
    let shape = |world: &World| -> Vec<_> {
        let received = world.responder.journal.iter();
        let received = received.filter(|entry| entry.how == How::Received);
        received
            .map(|entry| (entry.at, entry.name.clone(), entry.bytes.len()))
            .collect()
    };
    let (first, report) = &played[0];
    let terms = report.awaiting.terms();
    let (cell_bytes, tag_bytes) = (terms.cell_bytes(), terms.cell_bytes() - PAYLOAD_BYTES);
    for (world, other) in &played {
        assert_eq!(shape(world), shape(first));
        assert_eq!(held(other), held(report));
        assert_eq!(held(other).len(), 3);
        // Nothing stands twice, though all six share their keys in one world.
        let cells = world.received_cells.len() / cell_bytes;
        assert_eq!(
            pieces(&world.received_cells, cell_bytes, tag_bytes).len(),
            cells
        );
        let payloads = world.received_cells.chunks_exact(cell_bytes);
        let payloads: BTreeSet<_> = payloads.map(|cell| &cell[tag_bytes..]).collect();
        assert_eq!(payloads.len(), cells);
    }
}

#[test]
fn a_redacted_field_takes_its_match_key_with_it() {
    let plan = Plan::new(19, people(0..1), people(0..1)).deciding(|_| Decision::redact(0, 0b010));
    let mut world = World::new(plan);
    let report = world.run().unwrap();
    assert_eq!(report.outcome.pairs[0].agreed_types(), 0b011);
    let item = report.opened[0].as_ref().unwrap();
    assert_eq!(item.proven_types, 0b001);
    let names: Vec<_> = item
        .package
        .fields
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["doc"]);
    // Its proof is zeros: the place says nothing of it.
    let place = report.items[0].place();
    assert!(place[25 + 32..25 + 64].iter().all(|&byte| byte == 0));

    let open_without = |key_type: u8| {
        let mut keys = world.hit_keys.clone();
        assert!(keys.0.remove(&(item.subject_number, key_type)).is_some());
        let mut awaiting = report.awaiting.clone();
        let bytes = report.answers[0].bytes().to_vec();
        let sealed = awaiting.handle_answer(0, bytes).unwrap();
        let terms = awaiting.terms().clone();
        let signer = world.plan.parties.requester_signer();
        let commitment = mandorla_protocol::Digest([0; 32]);
        let (_, receipted) = sealed.receipt(&terms, commitment, &signer);
        let desk = world.plan.parties.responder_desk().public();
        receipted.open(&terms, &desk, &keys)
    };
    assert_eq!(open_without(1), report.opened);
    assert_eq!(open_without(0), [Err((0, Quarantine::Proof(0)))]);
}

#[test]
fn a_hit_of_which_everything_is_redacted_cannot_be_released() {
    use mandorla_protocol::{Package, Release};

    let mut world = World::new(plan(20));
    let report = world.run().unwrap();
    let release = Release {
        slot: 0,
        subject_number: world.numbers[3],
        own_reference: "s-0",
        proven: Vec::new(),
        package: Package {
            fields: Vec::new(),
            conflicting_types: 0,
            handling: String::new(),
        },
    };
    let desk = world.plan.parties.responder_desk();
    assert_eq!(
        report.questioned.release(&release, &desk),
        Err(LocalFault::NothingProven)
    );
}
