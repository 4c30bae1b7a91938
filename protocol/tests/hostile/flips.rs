//! One flipped bit in each byte of each message of a round, one round per byte: every one ends the round, at the
//! latest when the pair log is countersigned, and never in a panic or an opened item.

use mandorla_protocol::{Message, PeerFault};

use super::world::{Plan, World, subject};

/// As small as a round can be that has a hit, an answer with an item, and a pair log.
fn small() -> Plan {
    let both = [subject(&[(0, "P1")]), subject(&[(0, "P2")])];
    let mut plan = Plan::new(1, both.to_vec(), both[1..].to_vec());
    plan.key_types.truncate(1);
    plan.coins = super::world::Coins::from_seed(1, 1);
    plan.max_release = 1;
    plan.item_bytes = 96;
    plan
}

fn transcript() -> Vec<(String, Vec<u8>)> {
    let mut world = World::new(small());
    let report = world.run().unwrap();
    assert_eq!(report.opened.len(), 1);
    world.transcript
}

/// Messages by the part of the round that they belong to.
fn part(name: &str) -> &'static str {
    match name.split(' ').next().unwrap() {
        "offer" | "accept" | "confirm" => "terms",
        "chunk-request" | "chunk-reply" | "evaluated" | "evaluated-ack" => "evaluation",
        "resume" | "resumed" | "seek" | "cells" | "seek-ack" => "question",
        "fetch" | "answer-header" | "answer" | "receipt" | "receipt-ack" => "answer",
        "pair-offer" | "pair-accept" => "pair log",
        other => panic!("{other} is not covered"),
    }
}

fn is_control(name: &str) -> bool {
    let raw = ["chunk-request ", "chunk-reply ", "cells", "answer "];
    !raw.iter().any(|prefix| name.starts_with(prefix))
}

fn flip_every_byte_of(of_part: &str) {
    let messages = transcript();
    let messages = messages.iter().filter(|(name, _)| part(name) == of_part);
    for (message, bytes) in messages {
        for at in 0..bytes.len() {
            let flipped = message.clone();
            let mut world = World::tampered(small(), move |name, bytes| {
                if name == flipped {
                    bytes[at] ^= 1 << (at % 8);
                }
            });
            let outcome = world.run().map(|_| ());
            assert!(outcome.is_err(), "{message}, byte {at}");
            // The log that follows an answer is about what has been opened already; nothing else comes so late.
            let opened = world.requester.journal.iter().any(|e| e.name == "item");
            assert_eq!(
                opened,
                message == "pair-offer 1" || message == "pair-accept 1"
            );
        }
    }
}

#[test]
fn a_flipped_bit_in_the_terms_ends_the_round() {
    flip_every_byte_of("terms");
}

#[test]
fn a_flipped_bit_in_the_evaluation_ends_the_round() {
    flip_every_byte_of("evaluation");
}

#[test]
fn a_flipped_bit_in_the_question_ends_the_round() {
    flip_every_byte_of("question");
}

#[test]
fn a_flipped_bit_in_the_answer_ends_the_round() {
    flip_every_byte_of("answer");
}

#[test]
fn a_flipped_bit_in_the_pair_log_ends_the_round() {
    flip_every_byte_of("pair log");
}

#[test]
fn a_control_message_out_of_place_or_cut_or_continued_is_refused() {
    type Change = fn(&mut Vec<u8>);
    type Tell = Box<dyn Fn(&mut Vec<u8>)>;
    let out_of_place: [(&str, Message); 3] = [
        ("Done", Message::Done),
        ("Refuse", Message::Refuse { code: 20 }),
        ("Ping", Message::Ping { nonce: 1 }),
    ];
    let malformed: [Change; 3] = [
        |bytes| bytes.truncate(bytes.len() - 1),
        |bytes| bytes.push(0),
        Vec::clear,
    ];
    for (message, _) in transcript().iter().filter(|(name, _)| is_control(name)) {
        let fault = |tell: Tell| {
            let told = message.clone();
            let mut world = World::tampered(small(), move |name, bytes| {
                if name == told {
                    tell(bytes);
                }
            });
            let stop = world.run().map(|_| ()).unwrap_err();
            assert_eq!(stop.step, *message);
            stop.fault()
        };
        for (name, instead) in &out_of_place {
            let instead = instead.to_bytes();
            let fault = fault(Box::new(move |bytes| bytes.clone_from(&instead)));
            assert!(matches!(fault, PeerFault::Unexpected { got, .. } if got == *name));
        }
        for tell in malformed {
            let fault = fault(Box::new(tell));
            assert!(matches!(fault, PeerFault::Malformed(_)), "{message}");
        }
    }
}
