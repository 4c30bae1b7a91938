//! The master test: nothing that the requester sees or stores after its question depends on unreleased hits.
//!
//! Worlds that differ only in what the responder holds and decides are played with the same seeds, terms and
//! clock. The requester's journal (every byte received or stored, with its time) must be the same in all of them.
//! They are played in two ways:
//!
//! * *coupled*: the blinded points are the same too. They say nothing of what they blind (for any dataset of these
//!   sizes there are blinds that give them), so the responder's values are exchanged after the evaluation. The whole
//!   journal must be the same;
//! * *loaded*: each dataset really goes through the evaluation. Blinded points then differ before the question, and
//!   through the evaluation root so do the bytes of the pair log's notes after it. Everything else from the answer to
//!   the question on must be the same, and of the notes time and length.

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

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use world::{Decision, Entry, Found, Plan, Report, Subject, Verdict, World, subject};

/// Subjects on each side.
const SUBJECTS: usize = 512;
/// Hits of the worlds that have hits, the anchor and its twin aside.
const HITS: usize = 300;
/// The own subject whose pair with the requester's first subject is released, where a world has an anchor.
const ANCHOR: u32 = 0;
/// The own subject that hits the same requester's subject as the anchor.
const TWIN: u32 = 1;
const SLOTS_S: [u32; 2] = [10_000, 20_000];

/// What the responder holds and decides about everything but the anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hidden {
    /// No subject in common.
    NoOverlap,
    /// 300 hits, each refused.
    AllRefused,
    /// 300 hits at which nobody looked.
    Undecided,
    /// As many hits as there are subjects: more than any `max_overlap`. Refused in part.
    TooManyHits,
    /// One match key on every subject of both sides: every own subject has more than `max_pairs` partners.
    PairExplosion,
}

const HIDDEN: [Hidden; 5] = [
    Hidden::NoOverlap,
    Hidden::AllRefused,
    Hidden::Undecided,
    Hidden::TooManyHits,
    Hidden::PairExplosion,
];

/// What happens to the two own subjects that may hit the requester's first subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Anchor {
    /// Nothing: both are foreign.
    None,
    /// One hit, released.
    Released,
    /// Two hits of the same subject: one released, the other refused.
    TwinRefused,
    /// Two hits of the same subject: one released, at the other nobody looked.
    TwinUndecided,
}

const SHARED: (u8, &str) = (2, "ON EVERY SUBJECT");

fn requester() -> Vec<Subject> {
    (0..SUBJECTS)
        .map(|n| {
            let (document, name) = (format!("P{n:05}"), format!("NAME {n} 1987"));
            subject(&[(0, &document), (1, &name), SHARED])
        })
        .collect()
}

/// An own subject that nobody asks about. The same number of keys as any other.
fn foreign(n: usize) -> Subject {
    let (document, name) = (format!("X{n:05}"), format!("FOREIGN {n} 1950"));
    subject(&[(0, &document), (1, &name), (2, "ON NO SUBJECT")])
}

fn responder(hidden: Hidden, anchor: Anchor) -> Vec<Subject> {
    let asked = requester();
    let hit = |n: usize| {
        let mut keys = asked[n].clone();
        keys[2] = foreign(n)[2].clone();
        keys
    };
    let mut subjects: Vec<_> = (0..SUBJECTS)
        .map(|n| match hidden {
            Hidden::AllRefused | Hidden::Undecided if n >= SUBJECTS - HITS => hit(n),
            Hidden::AllRefused | Hidden::Undecided | Hidden::NoOverlap => foreign(n),
            Hidden::TooManyHits => hit(n),
            Hidden::PairExplosion => {
                let mut keys = foreign(n);
                keys[2] = asked[n][2].clone();
                keys
            }
        })
        .collect();
    let [own, twin] = [ANCHOR, TWIN].map(|index| index as usize);
    subjects[own] = foreign(own);
    subjects[twin] = foreign(twin);
    if anchor != Anchor::None {
        subjects[own] = hit(0);
    }
    if matches!(anchor, Anchor::TwinRefused | Anchor::TwinUndecided) {
        subjects[twin][1] = asked[0][1].clone();
    }
    subjects
}

/// The decisions of a world; `at` gives the time of the k-th decision.
fn decide(
    hidden: Hidden,
    anchor: Anchor,
    anchor_at: u64,
    others_at: u64,
) -> impl Fn(&Found) -> Decision {
    move |found| {
        let others_at = (others_at + u64::from(found.own_subject) * 31) % 17_000;
        match found.own_subject {
            ANCHOR => Decision::release(anchor_at),
            TWIN if anchor == Anchor::TwinUndecided => Decision::undecided(),
            _ if hidden == Hidden::Undecided => Decision::undecided(),
            _ => Decision::refuse(others_at),
        }
    }
}

struct Case {
    hidden: Hidden,
    anchor: Anchor,
    anchor_at: u64,
    others_at: u64,
    coupled: bool,
}

impl Case {
    fn plan(&self) -> Plan {
        let truth = responder(self.hidden, self.anchor);
        let decide = decide(self.hidden, self.anchor, self.anchor_at, self.others_at);
        let mut plan = Plan::new(42, requester(), truth.clone()).deciding(decide);
        if self.coupled {
            plan.responder = responder(Hidden::NoOverlap, Anchor::None);
            plan.coupled = Some(truth);
        }
        plan.slots_s = SLOTS_S.into();
        plan
    }

    /// What the requester sees and stores: coupled, in the whole round; loaded, from the answer to its question on.
    fn play(&self) -> (Vec<Entry>, Report) {
        let mut world = World::new(self.plan());
        let report = world.run().unwrap();
        self.require_hidden_world(&report);
        let journal = if self.coupled {
            world.requester.journal
        } else {
            note_lengths(world.requester.journal_from("seek-ack"))
        };
        (journal, report)
    }

    /// The world is the one that its name says: a test of five equal worlds would prove nothing.
    fn require_hidden_world(&self, report: &Report) {
        let is_other = |own: &&u32| **own != ANCHOR && **own != TWIN;
        let own: Vec<u32> = report.outcome.pairs.iter().map(|p| p.own_subject).collect();
        let hits = own.iter().filter(is_other).count();
        let dropped = report
            .outcome
            .dropped_subjects
            .iter()
            .filter(is_other)
            .count();
        let expected = match self.hidden {
            Hidden::NoOverlap => (0, 0),
            Hidden::AllRefused | Hidden::Undecided => (HITS, 0),
            Hidden::TooManyHits => (SUBJECTS - 2, 0),
            Hidden::PairExplosion => (0, SUBJECTS - 2),
        };
        assert_eq!((hits, dropped), expected, "{:?}", self.hidden);
        let twins = match self.anchor {
            Anchor::None => 0,
            Anchor::Released => 1,
            Anchor::TwinRefused | Anchor::TwinUndecided => 2,
        };
        assert_eq!(own.len() - hits, twins, "{:?}", self.anchor);
        assert_eq!(report.opened.len(), usize::from(twins > 0));
    }
}

#[track_caller]
fn assert_same(name: &str, one: &[Entry], other: &[Entry]) {
    assert_eq!(one.len(), other.len(), "{name}: number of entries");
    for (one, other) in one.iter().zip(other) {
        assert_eq!(one, other, "{name}");
    }
}

/// Notes of the pair log are over the evaluation root, so of them only name, time and length are compared.
fn note_lengths(journal: &[Entry]) -> Vec<Entry> {
    let mut journal = journal.to_vec();
    for entry in &mut journal {
        if entry.name.starts_with("pair") {
            entry.bytes.fill(0);
        }
    }
    journal
}

/// All five hidden worlds against the first, with this anchor.
fn require_alike(coupled: bool, anchors: &[Anchor], anchor_at: u64, others_at: u64) {
    let mut first = None;
    for hidden in HIDDEN {
        for &anchor in anchors {
            let case = Case {
                hidden,
                anchor,
                anchor_at,
                others_at,
                coupled,
            };
            let (journal, _) = case.play();
            let first = first.get_or_insert_with(|| journal.clone());
            assert_same(&format!("{hidden:?} {anchor:?}"), first, &journal);
        }
    }
}

#[test]
fn five_worlds_look_alike_to_the_requester() {
    require_alike(true, &[Anchor::None], 0, 600);
}

#[test]
fn five_worlds_look_alike_around_a_released_anchor() {
    require_alike(true, &[Anchor::Released], 500, 600);
}

#[test]
fn a_second_hit_of_the_released_subject_is_not_seen_whether_refused_or_undecided_or_absent() {
    let anchors = [Anchor::Released, Anchor::TwinRefused, Anchor::TwinUndecided];
    require_alike(true, &anchors, 500, 600);
}

#[test]
fn worlds_loaded_and_evaluated_for_real_look_alike() {
    require_alike(false, &[Anchor::None], 0, 600);
    let anchors = [Anchor::Released, Anchor::TwinRefused];
    require_alike(false, &anchors, 500, 600);
}

#[test]
fn the_time_of_a_decision_is_not_seen_within_its_slot() {
    let mut rng = StdRng::seed_from_u64(7);
    let case = |anchor_at, others_at| Case {
        hidden: Hidden::AllRefused,
        anchor: Anchor::TwinRefused,
        anchor_at,
        others_at,
        coupled: true,
    };
    // Slot 1 freezes 300 s before 20,000 s, slot 0 before 10,000 s.
    for slot in [0..9_700, 9_700..19_700] {
        let (first, _) = case(slot.start, 0).play();
        for _ in 0..4 {
            let (at, others) = (rng.random_range(slot.clone()), rng.random_range(0..17_000));
            let (journal, _) = case(at, others).play();
            assert_same(&format!("decided at {at}"), &first, &journal);
        }
    }
}

#[test]
fn before_its_slot_an_anchor_is_not_seen() {
    let play = |anchor, anchor_at| {
        let case = Case {
            hidden: Hidden::AllRefused,
            anchor,
            anchor_at,
            others_at: 0,
            coupled: true,
        };
        let (journal, report) = case.play();
        let end = journal.iter().position(|entry| entry.name == "resumed 1");
        (journal[..end.unwrap()].to_vec(), report)
    };
    let (nothing, _) = play(Anchor::None, 0);
    let (released_in_slot_1, report) = play(Anchor::Released, 9_700);
    assert_eq!(report.items[0].slot(), 1);
    assert_same("slot 0", &nothing, &released_in_slot_1);
}

#[test]
fn what_the_requester_gets_says_nothing_of_a_dropped_subject() {
    // Subject 5 of the responder hits alone in one world; in the other it also carries the crowded key and is dropped.
    let play = |crowded: bool| {
        let mut truth = responder(Hidden::NoOverlap, Anchor::Released);
        truth[5] = requester()[5].clone();
        if !crowded {
            truth[5].pop();
        }
        let decide = decide(Hidden::AllRefused, Anchor::Released, 500, 600);
        let mut plan = Plan::new(42, requester(), responder(Hidden::NoOverlap, Anchor::None));
        plan.coupled = Some(truth);
        plan.slots_s = SLOTS_S.into();
        let mut world = World::new(plan.deciding(decide));
        let report = world.run().unwrap();
        assert_eq!(report.outcome.dropped_subjects.len(), usize::from(crowded));
        world.requester.journal_from("seek-ack").to_vec()
    };
    assert_same("dropped", &play(true), &play(false));
}

/// The negative control: were a hidden hit released, or released to another slot, the comparison would see it.
#[test]
fn a_release_is_seen() {
    const HIT: u32 = 400;
    let journal = |verdict: Verdict, after_s: u64| {
        let truth = responder(Hidden::AllRefused, Anchor::Released);
        let mut plan = Plan::new(42, requester(), responder(Hidden::NoOverlap, Anchor::None));
        plan.coupled = Some(truth);
        plan.slots_s = SLOTS_S.into();
        let mut world = World::new(plan.deciding(move |found| match found.own_subject {
            ANCHOR => Decision::release(500),
            HIT => Decision { after_s, verdict },
            _ => Decision::refuse(600),
        }));
        world.run().unwrap();
        world.requester.journal_from("seek-ack").to_vec()
    };
    let release = Verdict::Release { redacted_types: 0 };
    let redact = Verdict::Release { redacted_types: 2 };
    let journals = [
        journal(Verdict::Refuse, 500),
        journal(release, 500),
        journal(release, 15_000),
        journal(redact, 500),
    ];
    assert_same("the control", &journals[0], &journal(Verdict::Undecided, 0));
    for (i, one) in journals.iter().enumerate() {
        for other in &journals[..i] {
            assert!(one != other, "two different releases look alike");
        }
    }
    // Even then only the place differs: same entries, same sizes, same times, but for the opened item itself.
    let shape = |journal: &[Entry]| -> Vec<(u64, String, usize)> {
        let fixed = journal.iter().filter(|entry| entry.name != "item");
        fixed
            .map(|entry| (entry.at, entry.name.clone(), entry.bytes.len()))
            .collect()
    };
    for journal in &journals[1..] {
        assert_eq!(shape(&journals[0]), shape(journal));
    }
}
