//! Hashing does not hide an identifier that can be guessed; a round does, from all but who holds its secrets.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use mandorla_kernels::hash_to_group;
use mandorla_tests::recover::{Attack, CapturedRound, HashedList, Jmbg, Knowledge, Space};
use rand::SeedableRng;
use rand::rngs::StdRng;
use sha2::{Digest, Sha256};

/// Small enough to try every number against a round, large enough that chance finds nothing: two birth years, serials
/// of one region.
fn space() -> Space {
    Space {
        years: 1987..=1988,
        regions: 66..=66,
        serials: 0..=3,
    }
}

/// All numbers of a birth date.
fn space_of(number: Jmbg) -> Vec<Jmbg> {
    let same_day = |other: &Jmbg| other.as_bytes()[..7] == number.as_bytes()[..7];
    let all = draw(0, usize::try_from(space().count()).expect("a small space"));
    all.into_iter().filter(same_day).collect()
}

fn draw(seed: u64, count: usize) -> Vec<Jmbg> {
    space().draw(&mut StdRng::seed_from_u64(seed), count)
}

/// The requester asks about the first 24, the responder holds the last 24; 8 are on both lists.
fn lists() -> (Vec<Jmbg>, Vec<Jmbg>) {
    let numbers = draw(1, 40);
    (numbers[..24].to_vec(), numbers[16..].to_vec())
}

fn round() -> CapturedRound {
    let (requester, responder) = lists();
    CapturedRound::play(11, &requester, &responder)
}

#[test]
fn hashed_numbers_are_recovered_whole() {
    let numbers = draw(3, 200);
    let (found, searched) = HashedList::publish(b"", &numbers).recover(&space(), None);
    assert!(searched.is_complete());
    assert_eq!(found, numbers);
}

#[test]
fn a_salt_that_both_sides_share_changes_nothing() {
    let numbers = draw(4, 200);
    let list = HashedList::publish(b"a secret of both agencies", &numbers);
    assert_eq!(list.recover(&space(), None).0, numbers);

    // The control: the search does not find what is not there.
    let list = list.seen_with_salt(b"another salt");
    assert_eq!(list.recover(&space(), None).0, []);
}

#[test]
fn a_list_gives_up_only_what_was_enumerated() {
    let numbers = draw(5, 200);
    let half = Space {
        years: 1987..=1987,
        ..space()
    };
    let (found, _) = HashedList::publish(b"", &numbers).recover(&half, None);
    let expected: Vec<Jmbg> = numbers
        .iter()
        .filter(|n| &n.as_bytes()[4..7] == b"987")
        .copied()
        .collect();
    assert!(!expected.is_empty() && expected.len() < numbers.len());
    assert_eq!(found, expected);
}

#[test]
fn every_byte_of_a_round_confirms_no_guess() {
    let round = round();
    assert_eq!((round.pairs(), round.released()), (8, 8));
    let attack = Attack::new(&round, Knowledge::default());
    assert!(!attack.has_the_rounds_key());
    assert_eq!(attack.items(), 8);
    let (found, searched) = attack.run(&space(), None);
    assert!(searched.is_complete());
    assert_eq!(found, []);
}

/// The control for hashes and unblinded points: were one of them anywhere in the messages, it would be found.
#[test]
fn a_hash_or_unblinded_point_among_the_messages_would_be_found() {
    let number = draw(8, 1)[0];
    let x = [&[13, 0], number.as_bytes().as_slice()].concat();
    let terms = round().terms().clone();
    let (salt, key) = (terms.round_id().0, terms.offer().nonce);
    let mut keyed = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    keyed.update(&x);
    let leaks: [Vec<u8>; 4] = [
        Sha256::digest(number.as_bytes()).to_vec(),
        Sha256::digest([&salt[..], &x].concat()).to_vec(),
        keyed.finalize().into_bytes().to_vec(),
        hash_to_group(&terms.domain_tag(0), &x).unwrap().to_vec(),
    ];
    for leak in leaks {
        let careless = round().with_message([b"some bytes before", leak.as_slice()].concat());
        let attack = Attack::new(&careless, Knowledge::default());
        assert_eq!(attack.confirmed(&space_of(number)), [number]);
    }
}

/// The positive control: the same code, given the key, finds the whole question, and still nothing of the
/// responder's subjects that nobody asked about.
#[test]
fn the_rounds_key_opens_the_question_and_nothing_else() {
    let (round, (requester, _)) = (round(), lists());
    let attack = Attack::new(&round, round.requesters_knowledge());
    assert!(attack.has_the_rounds_key());
    assert_eq!(attack.run(&space(), None).0, requester);
}

/// The same for the blinded points.
#[test]
fn the_seed_of_the_blinds_opens_the_responders_list_and_nothing_else() {
    let (round, (requester, responder)) = (round(), lists());
    let attack = Attack::new(&round, round.responders_knowledge());
    let mut both = [requester, responder.clone()].concat();
    both.sort_unstable();
    both.dedup();
    assert_eq!(attack.confirmed(&both), responder);
    assert_eq!(
        attack
            .confirmed(&draw(6, 20))
            .iter()
            .find(|n| !responder.contains(n)),
        None
    );
}

/// The secrets of another round are worth nothing.
#[test]
fn the_key_of_another_round_opens_nothing() {
    let (requester, responder) = lists();
    let other = CapturedRound::play(12, &requester, &responder);
    let round = round();
    let attack = Attack::new(&round, other.requesters_knowledge());
    assert_eq!(attack.confirmed(&requester), []);
    let attack = Attack::new(&round, other.responders_knowledge());
    assert_eq!(attack.confirmed(&responder), []);
}

/// The bytes of an item are a function of its own pair, so each place is opened by one number only.
#[test]
fn an_item_alone_confirms_the_number_it_was_released_for() {
    let (round, (requester, responder)) = (round(), lists());
    let common: Vec<Jmbg> = requester
        .iter()
        .filter(|n| responder.contains(n))
        .copied()
        .collect();
    let attack = Attack::new(&round, round.requesters_knowledge());
    let proven: Vec<Jmbg> = requester
        .iter()
        .filter(|n| attack.proves_an_item(n))
        .copied()
        .collect();
    assert_eq!(proven, common);
}

#[test]
fn a_search_that_ran_out_of_time_says_so() {
    let list = HashedList::publish(b"", &draw(7, 1));
    let (found, searched) = list.recover(&Space::century(), Some(Duration::ZERO));
    assert!(!searched.is_complete());
    assert_eq!((found.len(), searched.candidates), (0, 0));
}
