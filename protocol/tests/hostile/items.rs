//! Items of a review desk that signs what is not so: each is set aside, and the others stand.

use mandorla_protocol::requester::AwaitingAnswers;
use mandorla_protocol::responder::Questioned;
use mandorla_protocol::{
    CONTROL_BYTES_MAX, LocalFault, Package, Quarantine, Release, ReleasedItem, encode,
};

use super::plan;
use super::world::{Opened, Plan, World, sign_place, terms_of};

const MASK: usize = 21;
const PROOFS: usize = 25;
const CIPHERTEXT: usize = PROOFS + 3 * 32;

struct Desk {
    world: World,
    awaiting: AwaitingAnswers,
    questioned: Questioned,
    items: Vec<ReleasedItem>,
}

impl Desk {
    fn new() -> Self {
        let mut world = World::new(plan(1));
        let (evaluating, blinding) = world.open().unwrap();
        let (pending, evaluated) = world.evaluate(evaluating, blinding).unwrap();
        let (awaiting, questioned) = world.ask(pending, &evaluated).unwrap();
        let (_, items) = world.review(&questioned);
        assert_eq!(items.len(), 2);
        Self {
            world,
            awaiting,
            questioned,
            items,
        }
    }

    /// What the requester opens when this stands in place of the first item.
    fn open_with(&mut self, item: ReleasedItem) -> Vec<Opened> {
        self.world.now = self.questioned.t0();
        let items = [item, self.items[1].clone()];
        let answered = self
            .world
            .answer(self.awaiting.clone(), &self.questioned, &items);
        answered.unwrap().2
    }

    fn signed(&self, slot: u8, seed: &[u8; 32], change: impl FnOnce(&mut [u8])) -> ReleasedItem {
        let place = self.items[0].place();
        let mut body = place[..place.len() - 64].to_vec();
        change(&mut body);
        let place = sign_place(&self.world.plan, seed, slot, body);
        ReleasedItem::from_durable(0, place).unwrap()
    }

    #[track_caller]
    fn assert_set_aside(&mut self, item: ReleasedItem, why: Quarantine) {
        let opened = self.open_with(item);
        let set_aside: Vec<_> = opened.iter().filter_map(|o| o.as_ref().err()).collect();
        assert_eq!(set_aside.len(), 1);
        assert_eq!(set_aside[0].1, why);
        let stand: Vec<_> = opened.iter().filter_map(|o| o.as_ref().ok()).collect();
        assert_eq!(stand.len(), 1);
        assert_eq!(stand[0].item_id, self.items[1].item_id());
    }
}

type Change = Box<dyn Fn(&mut [u8])>;

#[test]
fn a_signed_item_that_is_not_so_is_set_aside() {
    let mut desk = Desk::new();
    let seed = desk.world.plan.parties.responder_release;
    let honest = desk.signed(0, &seed, |_| {});
    assert_eq!(honest, desk.items[0], "the forger signs as the desk does");
    assert!(desk.open_with(honest).iter().all(Result::is_ok));

    let number_of_another = desk.world.numbers[0].to_le_bytes();
    let lies: Vec<(Change, Quarantine)> = vec![
        // Proves nothing; proves a type that the terms do not have; a proof of a type that it says is not proven.
        (Box::new(|b| b[MASK] = 0), Quarantine::Malformed),
        (Box::new(|b| b[MASK] |= 0b1000), Quarantine::Malformed),
        (Box::new(|b| b[MASK + 3] |= 0x80), Quarantine::Malformed),
        (Box::new(|b| b[PROOFS + 64] = 1), Quarantine::Malformed),
        (Box::new(|b| b[MASK] = 0b01), Quarantine::Malformed),
        // A type without a proof; another item's name; another subject; another package.
        (Box::new(|b| b[MASK] = 0b111), Quarantine::Proof(2)),
        (Box::new(|b| b[1] ^= 1), Quarantine::Proof(0)),
        (
            Box::new(move |b| b[17..21].copy_from_slice(&number_of_another)),
            Quarantine::Proof(0),
        ),
        (Box::new(|b| b[17..21].fill(0)), Quarantine::Proof(0)),
        (Box::new(|b| b[CIPHERTEXT] ^= 1), Quarantine::Proof(0)),
        (Box::new(|b| b[PROOFS + 33] ^= 1), Quarantine::Proof(1)),
        // One proof taken away: the other holds, but the package is under both keys.
        (
            Box::new(|b| {
                b[MASK] = 0b01;
                b[PROOFS + 32..PROOFS + 64].fill(0);
            }),
            Quarantine::Package,
        ),
    ];
    for (change, why) in lies {
        let item = desk.signed(0, &seed, change);
        desk.assert_set_aside(item, why);
    }
}

#[test]
fn an_item_that_the_desk_did_not_sign_for_this_slot_is_set_aside() {
    let mut desk = Desk::new();
    let parties = desk.world.plan.parties.clone();
    for (slot, seed) in [
        (1, parties.responder_release),
        (0, parties.responder_signing),
        (0, parties.requester_release),
        (0, [3; 32]),
    ] {
        let item = desk.signed(slot, &seed, |_| {});
        desk.assert_set_aside(item, Quarantine::Signature);
    }
    // A kind that does not exist cannot even be read back by the responder.
    let mut place = desk.items[0].place().to_vec();
    place[0] = 2;
    assert_eq!(ReleasedItem::from_durable(0, place), None);
}

#[test]
fn a_package_that_could_not_be_opened_is_not_sealed() {
    let package = |bytes: usize| Package {
        fields: vec![("name".into(), vec!["x".repeat(bytes)])],
        conflicting_types: 0,
        handling: String::new(),
    };
    let overhead = encode(&package(0)).len();
    for (item_bytes, max) in [(512, 508), (100_000, CONTROL_BYTES_MAX)] {
        let terms = terms_of(&Plan {
            item_bytes,
            ..plan(1)
        });
        assert_eq!(package(max - overhead).check_size(&terms), Ok(()));
        let got = max + 1;
        assert_eq!(
            package(got - overhead).check_size(&terms),
            Err(LocalFault::PackageTooLarge { got, max })
        );
    }
}

#[test]
fn a_hit_that_is_none_cannot_be_released() {
    let mut desk = Desk::new();
    let (world, questioned) = (&desk.world, &desk.questioned);
    let round_id = questioned.terms().round_id();
    let release = |subject_number, key_type: u8, row: usize| {
        let value = &world.values[usize::from(key_type)][row];
        let release = Release {
            slot: 0,
            subject_number,
            own_reference: "s-9",
            proven: vec![(key_type, value.hit_key(round_id))],
            package: Package {
                fields: vec![("doc".into(), vec!["P99999".into()])],
                conflicting_types: 0,
                handling: String::new(),
            },
        };
        let signer = world.plan.parties.responder_desk();
        questioned.release(&release, &signer).unwrap()
    };
    // The responder has P00003 to P00008; the requester's fourth subject has P00003 and its first P00000.
    let (fourth, first) = (world.numbers[3], world.numbers[0]);
    let claims = [
        // A key that the requester does not have, for a subject that hit and for one that did not.
        (release(fourth, 0, 5), Quarantine::Proof(0)),
        (release(first, 0, 5), Quarantine::Proof(0)),
        // A key that the requester has, but on another subject; or of another type.
        (release(first, 0, 0), Quarantine::Proof(0)),
        (release(fourth, 1, 1), Quarantine::Proof(1)),
    ];
    for (item, why) in claims {
        desk.assert_set_aside(item, why);
    }
}
