//! The words that two operators read aloud to each other.
//!
//! A swapped card is found out by hearing that a word differs. Each node's keys give eight of 256 words, 64 bits,
//! through a hash that costs 2^16 steps: whoever wants to put keys of their own in the place of a given node's must try
//! about 2^80 steps. The words of the two nodes are separate halves, not one hash over both: in one hash, an
//! attacker in the middle who shows each side other keys could look for any two that collide, in about 2^32 tries.

use mandorla_kernels::framed_sha256;

use super::card::CardFields;

/// Words per node.
pub(crate) const WORDS_PER_NODE: usize = 8;

/// Steps of the hash: some ten milliseconds for an operator, sixteen more bits for a guesser.
const STEPS: u32 = 1 << 16;

/// The words of two cards: the same on both nodes, those of the first party code first.
pub(crate) fn words_of(a: &CardFields, b: &CardFields) -> Vec<String> {
    let (first, second) = if a.code <= b.code { (a, b) } else { (b, a) };
    [first, second].into_iter().flat_map(words_of_one).collect()
}

fn words_of_one(card: &CardFields) -> Vec<String> {
    let mut hash = framed_sha256(
        "mandorla/1 card words",
        [
            card.code.as_bytes(),
            &card.signing_key,
            &card.transport_key,
            &card.release_key,
        ],
    );
    for _ in 0..STEPS {
        hash = framed_sha256("mandorla/1 card words step", [hash.as_slice()]);
    }
    let words = hash[..WORDS_PER_NODE].iter();
    words
        .map(|byte| WORDS[usize::from(*byte)].to_owned())
        .collect()
}

/// Common English words that differ in their first four letters and by at least three letters from each other.
#[rustfmt::skip]
const WORDS: [&str; 256] = [
    "acorn", "album", "alley", "almanac", "amber", "anchor", "ankle", "april", "artist", "aspen",
    "atlas", "autumn", "award", "badge", "baker", "bamboo", "banjo", "barn", "basil", "beach",
    "berry", "bicycle", "bishop", "blossom", "boat", "bonfire", "bonnet", "bottle", "bread",
    "broom", "bucket", "buffalo", "bugle", "butter", "cabin", "cactus", "camel", "canvas", "carpet",
    "castle", "cedar", "chalk", "chestnut", "chimney", "chorus", "cinema", "circus", "clover",
    "cobweb", "coffee", "copper", "coral", "cotton", "cricket", "crystal", "cupboard", "cushion",
    "cymbal", "daisy", "dancer", "dentist", "desert", "diamond", "dinghy", "dolphin", "donkey",
    "doughnut", "dragon", "drizzle", "drum", "dune", "dynamo", "early", "echo", "eight", "elbow",
    "elephant", "elevator", "engine", "envelope", "envoy", "fabric", "falcon", "feather", "fiddle",
    "finger", "flag", "flamingo", "flute", "forest", "fortress", "fossil", "fountain", "friday",
    "funnel", "furnace", "galaxy", "garden", "gazelle", "giraffe", "glacier", "goblet", "gold",
    "gondola", "gravel", "guitar", "gypsum", "hamster", "harbor", "harvest", "helmet", "hero",
    "hexagon", "hurdle", "hyacinth", "iceberg", "igloo", "india", "insect", "iron", "island",
    "ivory", "jaguar", "jasmine", "jelly", "jigsaw", "jukebox", "junction", "kangaroo", "kayak",
    "kerosene", "ketchup", "keyboard", "kitchen", "koala", "ladder", "lagoon", "lantern", "laundry",
    "lavender", "lemon", "library", "lizard", "lullaby", "lunch", "magnet", "magpie", "mandolin",
    "marble", "meadow", "mermaid", "meteor", "mirror", "monday", "monsoon", "mosaic", "muffin",
    "mulberry", "mustard", "napkin", "nectar", "needle", "nephew", "nickel", "north", "nurse",
    "nutmeg", "nutshell", "oatmeal", "obelisk", "oboe", "ocean", "olive", "onion", "opera",
    "orange", "orchid", "ostrich", "palace", "panda", "paprika", "parsley", "peanut", "pebble",
    "pelican", "piano", "picnic", "pillow", "poem", "poplar", "porridge", "potato", "prince",
    "pumpkin", "pyramid", "quarry", "queen", "quilt", "quiver", "rabbit", "radish", "rainbow",
    "ribbon", "salad", "sapphire", "saturn", "sawdust", "scarf", "school", "scooter", "seagull",
    "shelf", "silver", "skate", "sledge", "snow", "sofa", "spider", "squash", "stable", "summer",
    "sunset", "swan", "tadpole", "tailor", "teapot", "temple", "thunder", "toboggan", "topaz",
    "tractor", "trombone", "trumpet", "turkey", "twelve", "umbrella", "unicorn", "urban", "usher",
    "vampire", "village", "vinegar", "violet", "visitor", "volcano", "voyage", "vulture", "walnut",
    "whistle", "window", "yacht", "yogurt", "young", "zebra", "zenith", "zigzag",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn card(code: &str, seed: u8) -> CardFields {
        CardFields {
            code: code.into(),
            name: "A".into(),
            country: "GB".into(),
            address: "127.0.0.1:1".into(),
            signing_key: [seed; 32],
            transport_key: [seed + 1; 32],
            release_key: [seed + 2; 32],
        }
    }

    #[test]
    fn both_sides_see_the_same_words() {
        let (uk, rs) = (card("UK", 1), card("RS", 9));
        assert_eq!(words_of(&uk, &rs), words_of(&rs, &uk));
        assert_eq!(words_of(&uk, &rs).len(), 2 * WORDS_PER_NODE);
    }

    #[test]
    fn a_swapped_key_changes_the_half_of_its_node_only() {
        let (uk, rs) = (card("UK", 1), card("RS", 9));
        let before = words_of(&uk, &rs);
        for swap in [
            |c: &mut CardFields| c.signing_key[0] ^= 1,
            |c: &mut CardFields| c.transport_key[0] ^= 1,
            |c: &mut CardFields| c.release_key[0] ^= 1,
        ] {
            let mut other = card("UK", 1);
            swap(&mut other);
            let after = words_of(&other, &rs);
            assert_eq!(after[..WORDS_PER_NODE], before[..WORDS_PER_NODE]); // RS comes first
            assert_ne!(after[WORDS_PER_NODE..], before[WORDS_PER_NODE..]);
        }
    }

    #[test]
    fn the_words_can_be_told_apart_by_their_beginnings() {
        let beginnings: BTreeSet<&str> = WORDS.iter().map(|word| &word[..4]).collect();
        assert_eq!(beginnings.len(), WORDS.len());
        assert!(WORDS.is_sorted());
    }
}
