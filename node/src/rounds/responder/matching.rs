//! The match: silent, bounded, and over in one transaction that keeps the hits and drops the rest.

use std::collections::BTreeMap;
use std::sync::Arc;

use std::time::Duration;

use mandorla_linkage::{LinkageRules, grade};
use mandorla_protocol::responder::Questioned;
use mandorla_protocol::{AgreedKey, Cells, MatchOutcome, Matcher, Pair, PrfValue, chunks};
use mandorla_store::run_file::RunReader;

use super::damaged;
use crate::datasets::subject;
use crate::events::Event;
use crate::node::Node;
use crate::records::hit::{AgreedRecord, HIT_ROUNDS, HITS, HitRecord};
use crate::records::round::{RoundRecord, RoundState};
use crate::rounds::error::RoundError;
use crate::rounds::files::{CELLS, cells_name, read_prf, remove_of_round};
use crate::rounds::index::OwnIndex;
use crate::rounds::update::{find, update};
use crate::rounds::{hit_id, ruled_of};

/// A full disk is seldom freed sooner.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// Matches a question. What fails here is told to nobody else: trouble with the store is tried again until the round
/// is over, and an unfinished match answers with dummies, as an undecided one does.
pub(crate) async fn run(node: &Arc<Node>, id: &str) {
    let mut stopping = node.stopping.subscribe();
    loop {
        let record = match find(node, id) {
            Ok(Some(record)) if record.state == RoundState::Questioned => record,
            _ => return,
        };
        let inner = Arc::clone(node);
        let outcome = node.workers.run(move || match_all(&inner, &record)).await;
        let Err(error) = outcome.and_then(|outcome| outcome) else {
            return;
        };
        tracing::error!(round = %id, %error, "the match did not finish");
        if !error.is_passing() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(TRY_AGAIN) => {}
            _ = stopping.changed() => return,
        }
    }
}

fn match_all(node: &Node, record: &RoundRecord) -> Result<(), RoundError> {
    let questioned: Questioned = record.machine().ok_or_else(damaged)?;
    let ruled = ruled_of(node, record)?;
    let rules = ruled.agreement.linkage_rules();
    let result = &ruled.agreement.terms().result;
    let index = OwnIndex::of_round(node, record, &ruled.agreement)?;
    let found = look_up(node, record, &questioned, &index, result.max_pairs)?;
    let hits = found
        .outcome
        .pairs
        .iter()
        .filter_map(|pair| hit(node, record, &questioned, rules, &index, &found, pair).transpose())
        .collect::<Result<Vec<_>, RoundError>>()?;
    let over = hits.len() > result.max_overlap as usize;
    let event = node
        .event(Event::RoundMatched)
        .detail("hits", hits.len())
        .detail("dropped_subjects", found.outcome.dropped_subjects.len())
        .detail("ignored_numbers", found.outcome.ignored_numbers.len())
        .detail("over_max_overlap", over);
    update::<RoundError>(
        node,
        &record.id,
        &[RoundState::Questioned],
        event,
        |tx, record| {
            record.state = RoundState::Matched;
            record.over_max_overlap = over;
            "hits wait for decisions until the slots".clone_into(&mut record.detail);
            for hit in &hits {
                tx.put(HITS, (record.id.as_str(), hit.id.as_str()), hit)?;
                tx.put(HIT_ROUNDS, hit.id.as_str(), &record.id)?;
            }
            Ok(())
        },
    )?;
    // Cells, values of the other match keys, pairs below the threshold: gone.
    Ok(remove_of_round(&node.store.runs_dir(), &record.id, |_| {
        true
    })?)
}

/// Pairs, and the values of the match keys that agree in them.
struct Found {
    outcome: MatchOutcome,
    values: BTreeMap<AgreedKey, PrfValue>,
}

fn look_up(
    node: &Node,
    record: &RoundRecord,
    questioned: &Questioned,
    index: &OwnIndex,
    max_pairs: u32,
) -> Result<Found, RoundError> {
    let terms = questioned.terms();
    let dir = node.store.runs_dir();
    let bytes = read_cells(node, record, terms.cell_bytes())?;
    let mut matcher = Matcher::new(terms, Cells::new(terms, &bytes), max_pairs);
    for header in chunks(terms) {
        let of_type = index.of_type(header.key_type);
        for (value, row) in read_prf(&dir, &record.id, header)?
            .iter()
            .zip(header.row_range())
        {
            let key = AgreedKey {
                key_type: header.key_type,
                row,
            };
            matcher.look_up(&key, value, of_type.holders(row as usize));
        }
    }
    let outcome = matcher.finish();
    let mut wanted: Vec<&AgreedKey> = outcome.pairs.iter().flat_map(|pair| &pair.agreed).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut values = BTreeMap::new();
    let mut wanted = wanted.into_iter().peekable();
    for header in chunks(terms) {
        let rows = header.row_range();
        let in_chunk = |key: &AgreedKey| key.key_type == header.key_type && rows.contains(&key.row);
        if !wanted.peek().is_some_and(|key| in_chunk(key)) {
            continue;
        }
        let chunk = read_prf(&dir, &record.id, header)?;
        while let Some(key) = wanted.next_if(|key| in_chunk(key)) {
            values.insert(key.clone(), chunk[(key.row - rows.start) as usize].clone());
        }
    }
    Ok(Found { outcome, values })
}

fn read_cells(node: &Node, record: &RoundRecord, cell_bytes: usize) -> Result<Vec<u8>, RoundError> {
    let path = node.store.runs_dir().join(cells_name(&record.id));
    let width = u16::try_from(cell_bytes).expect("a cell has at most 24 bytes");
    let mut reader = RunReader::open(&path, CELLS, width)?;
    let count = usize::try_from(reader.count()).map_err(|_| damaged())?;
    let mut bytes = Vec::with_capacity(count * cell_bytes);
    while let Some(records) = reader.next_records()? {
        bytes.extend_from_slice(records);
    }
    Ok(bytes)
}

/// A pair becomes a hit if the linkage rules grade it.
fn hit(
    node: &Node,
    record: &RoundRecord,
    questioned: &Questioned,
    rules: &LinkageRules,
    index: &OwnIndex,
    found: &Found,
    pair: &Pair,
) -> Result<Option<HitRecord>, RoundError> {
    let own_key_types = index.key_types_of(pair.own_subject);
    let Some(grade) = grade(
        rules,
        pair.agreed_types(),
        own_key_types,
        pair.peer_key_types,
    ) else {
        return Ok(None);
    };
    let own_reference = subject(node, record.generation, pair.own_subject.into())?
        .ok_or_else(damaged)?
        .reference;
    let round = questioned.terms().round_id();
    let agreed = pair
        .agreed
        .iter()
        .map(|key| AgreedRecord {
            key_type: key.key_type,
            match_key: hex::encode(index.of_type(key.key_type).key(key.row as usize)),
            hit_key: hex::encode(found.values[key].hit_key(round).as_bytes()),
        })
        .collect();
    Ok(Some(HitRecord {
        id: hit_id(questioned.item_id(pair.subject_number, &own_reference)),
        own_subject: pair.own_subject.into(),
        own_reference,
        subject_number: pair.subject_number,
        own_key_types,
        peer_key_types: pair.peer_key_types,
        agreed,
        grade: grade.name().to_owned(),
        decision: None,
        first_release: None,
    }))
}
