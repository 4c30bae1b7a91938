//! Notes over another log, facts that are not known, lines of somebody else.

use mandorla_protocol::checkpoint::Checkpoint;
use mandorla_protocol::{FactName, Message, PeerFault, Role};

use super::{Lie, assert_found_out, plan};

/// The requester's offer with another note.
fn offer_note(bytes: &mut Vec<u8>, note: impl FnOnce(Checkpoint) -> String) {
    let Message::PairOffer { facts, checkpoint } = Message::from_bytes(bytes).unwrap() else {
        unreachable!("an offer is a PairOffer");
    };
    let (text, _) = checkpoint.split_once("\n\n").unwrap();
    let honest = Checkpoint::parse(&format!("{text}\n")).unwrap();
    let checkpoint = note(honest);
    *bytes = Message::PairOffer { facts, checkpoint }.to_bytes();
}

fn signed(seed: [u8; 32], name: &str, origin: &str, size: u64, root: [u8; 32]) -> String {
    let key = ed25519_dalek::SigningKey::from_bytes(&seed);
    let checkpoint = Checkpoint::new(origin, size, root).unwrap();
    checkpoint.signed(&key, name).unwrap().to_string()
}

#[test]
fn the_responder_countersigns_its_own_log_and_no_other() {
    let offer = "pair-offer 0";
    let differ = PeerFault::PairLog("size or root differ");
    let lies: [Lie; 3] = [
        (offer, |b| {
            offer_note(b, |c| {
                let seed = plan(1).parties.requester_signing;
                let name = plan(1).parties.requester_signer().public().to_string();
                signed(seed, &name, c.origin(), c.size() + 1, *c.root())
            });
        }),
        (offer, |b| {
            offer_note(b, |c| {
                let seed = plan(1).parties.requester_signing;
                let name = plan(1).parties.requester_signer().public().to_string();
                signed(seed, &name, c.origin(), c.size(), [0; 32])
            });
        }),
        (offer, |b| {
            offer_note(b, |c| {
                let seed = plan(1).parties.requester_signing;
                let name = plan(1).parties.requester_signer().public().to_string();
                signed(seed, &name, "mandorla/pair/another", c.size(), *c.root())
            });
        }),
    ];
    assert_found_out(Role::Responder, differ, &lies);

    let unsigned = PeerFault::PairLog("the checkpoint's signature does not verify");
    let lies: [Lie; 2] = [
        (offer, |b| {
            offer_note(b, |c| {
                let name = plan(1).parties.requester_signer().public().to_string();
                signed([3; 32], &name, c.origin(), c.size(), *c.root())
            });
        }),
        (offer, |b| {
            offer_note(b, |c| {
                let seed = plan(1).parties.responder_signing;
                let name = plan(1).parties.responder_signer().public().to_string();
                signed(seed, &name, c.origin(), c.size(), *c.root())
            });
        }),
    ];
    assert_found_out(Role::Responder, unsigned, &lies);
}

#[test]
fn the_responder_appends_what_it_knows_and_in_the_order_that_was_signed() {
    fn facts(bytes: &mut Vec<u8>, change: impl FnOnce(&mut Vec<FactName>)) {
        let Message::PairOffer {
            mut facts,
            checkpoint,
        } = Message::from_bytes(bytes).unwrap()
        else {
            unreachable!("an offer is a PairOffer");
        };
        change(&mut facts);
        *bytes = Message::PairOffer { facts, checkpoint }.to_bytes();
    }
    let offer = "pair-offer 0";
    let lies: [Lie; 3] = [
        (offer, |b| facts(b, Vec::clear)),
        (offer, |b| facts(b, |f| f.reverse())),
        (offer, |b| facts(b, |f| f.push(f[0]))),
    ];
    let differ = PeerFault::PairLog("size or root differ");
    assert_found_out(Role::Responder, differ, &lies);
    let lies: [Lie; 3] = [
        (offer, |b| facts(b, |f| f[0].kind = 3)),
        (offer, |b| facts(b, |f| f[0].index = 1)),
        (offer, |b| facts(b, |f| f[0].round_id.0[0] ^= 1)),
    ];
    let unknown = PeerFault::PairLog("a fact is not known here");
    assert_found_out(Role::Responder, unknown, &lies);
}

#[test]
fn the_requester_keeps_a_note_that_the_responder_signed_and_no_other() {
    fn line(bytes: &mut Vec<u8>, change: impl FnOnce(String) -> String) {
        let Message::PairAccept { signature_line } = Message::from_bytes(bytes).unwrap() else {
            unreachable!("an acceptance is a PairAccept");
        };
        let signature_line = change(signature_line);
        *bytes = Message::PairAccept { signature_line }.to_bytes();
    }
    let accept = "pair-accept 0";
    let lies: [Lie; 5] = [
        (accept, |b| line(b, |_| String::new())),
        (accept, |b| line(b, |line| format!("{line}\n{line}"))),
        (accept, |b| line(b, |line| line + "\n")),
        // The responder signs another log; somebody else signs this one.
        (accept, |b| {
            line(b, |_| {
                let (seed, signer) = (
                    plan(1).parties.responder_signing,
                    plan(1).parties.responder_signer(),
                );
                let note = signed(seed, &signer.public().to_string(), "another", 2, [0; 32]);
                note.lines().last().unwrap().to_owned()
            });
        }),
        (accept, |b| {
            line(b, |line| {
                let (name, signature) = line.rsplit_once(' ').unwrap();
                let other = "00".repeat(32);
                assert!(name.ends_with(char::is_alphanumeric));
                format!("\u{2014} {other} {signature}")
            });
        }),
    ];
    let fault = PeerFault::PairLog("the countersignature does not verify");
    assert_found_out(Role::Requester, fault, &lies);
}
