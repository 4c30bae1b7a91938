//! Matching at the responder, and its authoriser's decisions.

use std::collections::BTreeMap;

use mandorla_protocol::responder::Questioned;
use mandorla_protocol::{
    AgreedKey, Cells, MatchOutcome, Matcher, Package, Pair, Release, ReleasedItem, Role,
};

use super::{Decision, Found, Subject, Verdict, World, reference, rows, text_of, types_of};

impl World {
    /// Matches, applies the threshold, asks for decisions, seals what is released.
    pub(crate) fn review(&mut self, questioned: &Questioned) -> (MatchOutcome, Vec<ReleasedItem>) {
        let outcome = self.find_pairs(questioned);
        let mut items = Vec::new();
        let mut places: BTreeMap<u8, u16> = BTreeMap::new();
        for pair in &outcome.pairs {
            if !(self.plan.threshold)(pair.agreed_types()) {
                continue;
            }
            let found = self.found(pair);
            let decision = (self.plan.decide)(&found);
            self.now = questioned.t0() + decision.after_s;
            let line = format!("{found:?} {decision:?}");
            self.store(Role::Responder, "decision", line.as_bytes());
            let Some(slot) = questioned.open_slot(self.now) else {
                continue;
            };
            let taken = places.entry(slot).or_default();
            if *taken == self.plan.max_release {
                continue;
            }
            if let Some(release) = self.release(questioned, pair, decision, slot) {
                *taken += 1;
                items.push(release);
            }
        }
        self.now = questioned.t0();
        (outcome, items)
    }

    pub(crate) fn find_pairs(&self, questioned: &Questioned) -> MatchOutcome {
        let terms = questioned.terms();
        let cells = Cells::new(terms, &self.received_cells);
        let mut matcher = Matcher::new(terms, cells, self.plan.max_pairs);
        let subjects = self.plan.responder_truth();
        for key_type in 0..self.plan.types() {
            let holders = holders(subjects, key_type);
            let own = rows(subjects, key_type);
            let values = &self.values[usize::from(key_type)];
            assert_eq!(own.len(), values.len(), "a value for each match key");
            for ((x, value), row) in own.iter().zip(values).zip(0..) {
                let key = AgreedKey { key_type, row };
                matcher.look_up(&key, value, &holders[x.as_slice()]);
            }
        }
        matcher.finish()
    }

    fn found(&self, pair: &Pair) -> Found {
        let mut numbers = self.numbers.iter();
        let requester_subject = numbers.position(|&number| number == pair.subject_number);
        Found {
            own_subject: pair.own_subject,
            requester_subject: u32::try_from(requester_subject.unwrap()).unwrap(),
            agreed_types: pair.agreed_types(),
        }
    }

    fn release(
        &self,
        questioned: &Questioned,
        pair: &Pair,
        decision: Decision,
        slot: u8,
    ) -> Option<ReleasedItem> {
        let Verdict::Release { redacted_types } = decision.verdict else {
            return None;
        };
        let round_id = questioned.terms().round_id();
        let mut proven = Vec::new();
        for key_type in 0..self.plan.types() {
            let smallest = pair.agreed.iter().find(|key| key.key_type == key_type);
            if let Some(key) = smallest.filter(|_| redacted_types & 1 << key_type == 0) {
                let value = &self.values[usize::from(key_type)][key.row as usize];
                proven.push((key_type, value.hit_key(round_id)));
            }
        }
        let release = Release {
            slot,
            subject_number: pair.subject_number,
            own_reference: &reference(pair.own_subject),
            proven,
            package: self.package(pair, redacted_types),
        };
        let desk = self.plan.parties.responder_desk();
        Some(questioned.release(&release, &desk).unwrap())
    }

    /// What a release of this pair tells: a field per key type that is not redacted.
    pub(crate) fn package(&self, pair: &Pair, redacted_types: u32) -> Package {
        let own = &self.plan.responder_truth()[pair.own_subject as usize];
        let fields = (0..self.plan.types())
            .filter(|t| types_of(own) & !redacted_types & 1 << t != 0)
            .map(|t| {
                let values = own.iter().filter(|(of, _)| *of == t);
                let name = self.plan.key_types[usize::from(t)].clone();
                (name, values.map(|(_, x)| text_of(x)).collect())
            })
            .collect();
        let disagree = pair.peer_key_types & types_of(own) & !pair.agreed_types();
        Package {
            fields,
            conflicting_types: disagree & !redacted_types,
            handling: "restricted".into(),
        }
    }
}

/// Own subjects by match key of one type, each once.
fn holders(subjects: &[Subject], key_type: u8) -> BTreeMap<&[u8], Vec<u32>> {
    let mut holders: BTreeMap<&[u8], Vec<u32>> = BTreeMap::new();
    for (keys, index) in subjects.iter().zip(0..) {
        for (_, x) in keys.iter().filter(|(t, _)| *t == key_type) {
            let of_key = holders.entry(x).or_default();
            if of_key.last() != Some(&index) {
                of_key.push(index);
            }
        }
    }
    holders
}
