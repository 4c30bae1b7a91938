//! Recovers national numbers that were "hashed for privacy", and fails to recover any from a Mandorla round.
//!
//! ```sh
//! cargo run --release -p mandorla-tests --example recover_hashed_ids            # about 20 seconds
//! cargo run --release -p mandorla-tests --example recover_hashed_ids -- --full  # a whole century of numbers
//! ```
//! All numbers are fictional: their region codes, 60 to 69, were never given to anybody.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "rates and times for people"
)]

use std::process::ExitCode;
use std::time::Duration;

use mandorla_tests::recover::{
    Attack, CapturedRound, HashedList, Jmbg, Knowledge, Searched, Space,
};
use rand::SeedableRng;
use rand::rngs::StdRng;

/// Numbers on each list.
const LISTED: usize = 200;
/// Numbers on both.
const COMMON: usize = 40;
/// Seed of everything that is drawn, so that the program prints the same numbers each time.
const SEED: u64 = 1;
/// How long the default run takes, at most.
const SECONDS: u64 = 20;
/// What the sample agreement lets the responder of a round try in a day (`limits.UK_to_RS.evaluations.national-id`).
const EVALUATIONS_PER_DAY: u64 = 262_144;
const DAYS_PER_YEAR: u64 = 365;

struct Options {
    full: bool,
    seconds: u64,
}

fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!("usage: recover_hashed_ids [--full] [--seconds N]");
        return ExitCode::from(2);
    };
    // Births of 1980 to 1999 and the region codes of nobody: a fiftieth of all numbers.
    let part = Space {
        years: 1980..=1999,
        regions: 60..=69,
        serials: 0..=999,
    };
    let numbers = part.draw(&mut StdRng::seed_from_u64(SEED), 2 * LISTED - COMMON);
    let (asked, held) = (&numbers[..LISTED], &numbers[LISTED - COMMON..]);
    let space = if options.full {
        Space::century()
    } else {
        part.clone()
    };
    let fifth = Duration::from_secs(options.seconds) / 5;
    let limit = (!options.full).then_some(2 * fifth);

    hashed(held, &space, limit);
    let closed = round(asked, held, &part, fifth);
    what_a_party_can_do();
    if closed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn options() -> Option<Options> {
    let mut options = Options {
        full: false,
        seconds: SECONDS,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--full" => options.full = true,
            "--seconds" => options.seconds = arguments.next()?.parse().ok()?,
            _ => return None,
        }
    }
    Some(options)
}

fn hashed(held: &[Jmbg], space: &Space, limit: Option<Duration>) {
    println!("1  A list of {} numbers, hashed", held.len());
    println!(
        "   trying {} of {} numbers of a century",
        thousands(space.count()),
        thousands(Space::century().count())
    );
    let lists = [
        ("SHA-256(number)", HashedList::publish(b"", held)),
        (
            "SHA-256(secret salt of both agencies, number)",
            HashedList::publish(&[0x5a; 32], held),
        ),
    ];
    for (what, list) in lists {
        let (found, searched) = list.recover(space, limit);
        assert!(
            found.iter().all(|number| held.contains(number)),
            "a recovered number was on the list"
        );
        println!("\n   {what}");
        println!(
            "   recovered   {} of {}{}",
            found.len(),
            list.len(),
            first(&found)
        );
        report(&searched);
        let century_s = Space::century().count() as f64 / searched.rate();
        println!("   a century   {} on this machine", duration(century_s));
    }
}

/// Whether nothing was recovered from the round, and the control found everything.
fn round(asked: &[Jmbg], held: &[Jmbg], space: &Space, limit: Duration) -> bool {
    let round = CapturedRound::play(SEED, asked, held);
    let bytes: usize = round.messages().map(<[u8]>::len).sum();
    println!("\n2  The same list in a Mandorla round");
    println!(
        "   asked about {}, held {}, {} on both; {} hits, {} released; {} messages, {} bytes, all captured and decrypted",
        asked.len(),
        held.len(),
        COMMON,
        round.pairs(),
        round.released(),
        round.messages().count(),
        thousands(bytes as u64),
    );
    let attack = Attack::new(&round, Knowledge::default());
    let (mut asked_confirmed, held_confirmed) = (attack.confirmed(asked), attack.confirmed(held));
    println!(
        "\n   every byte, without a key: hashes, blinded points, evaluations, cells, proofs of items"
    );
    println!(
        "   confirmed   {} of {} asked about, {} of {} held, though each was tried first",
        asked_confirmed.len(),
        asked.len(),
        held_confirmed.len(),
        held.len()
    );
    let (found, searched) = attack.run(space, Some(limit));
    println!("   confirmed   {} of all others", found.len());
    report(&searched);
    let closed = asked_confirmed.is_empty() && held_confirmed.is_empty() && found.is_empty();

    println!("\n   the same code with the requester's key k (the control)");
    let attack = Attack::new(&round, round.requesters_knowledge());
    asked_confirmed = attack.confirmed(asked);
    let others: Vec<Jmbg> = held
        .iter()
        .filter(|number| !asked.contains(number))
        .copied()
        .collect();
    let others_confirmed = attack.confirmed(&others);
    println!(
        "   confirmed   {} of {} asked about (its own question); {} of {} that only the responder holds",
        asked_confirmed.len(),
        asked.len(),
        others_confirmed.len(),
        others.len(),
    );
    closed && asked_confirmed == asked && others_confirmed.is_empty()
}

fn what_a_party_can_do() {
    let century = Space::century().count();
    let years = century / EVALUATIONS_PER_DAY / DAYS_PER_YEAR;
    println!("\n3  What an agency that takes part can do");
    println!(
        "   The responder may put guesses on its own list. Each costs an evaluation by the requester, and the"
    );
    println!(
        "   sample agreement allows {} a day: {years} years for a century of numbers, and each guess",
        thousands(EVALUATIONS_PER_DAY)
    );
    println!(
        "   is tested against one question only. The requester may put guesses into its question, and learns"
    );
    println!(
        "   what an officer of the responder releases. Neither can guess alone, offline, or unseen."
    );
}

fn report(searched: &Searched) {
    println!(
        "   tried       {} in {} ({} a second){}",
        thousands(searched.candidates),
        duration(searched.elapsed.as_secs_f64()),
        thousands(searched.rate() as u64),
        if searched.is_complete() {
            ", all of them"
        } else {
            ", then the time was up"
        },
    );
}

fn first(found: &[Jmbg]) -> String {
    let Some(number) = found.first() else {
        return String::new();
    };
    format!(", the first: {number}")
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7_200.0 => format!("{:.1} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3_600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}

fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
