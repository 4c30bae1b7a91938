//! A round as callers see it: no count of hits, on either side.

use mandorla_control::{RoundView, SlotView};
use mandorla_protocol::chunks;
use mandorla_store::StoreError;

use crate::node::Node;
use crate::records::round::{ANSWERS, RoundRecord, RoundState, Side};

pub(crate) fn view(node: &Node, record: &RoundRecord) -> Result<RoundView, StoreError> {
    let terms = record.terms();
    let range = (record.id.as_str(), 0)..=(record.id.as_str(), u64::MAX);
    let answers = node.store.read()?.scan(ANSWERS, range)?.into_iter();
    let answered: Vec<u64> = answers
        .filter(|(_, answer)| record.side == Side::Responder || answer.opened)
        .map(|((_, slot), _)| slot)
        .collect();
    let slots = match (&terms, record.t0) {
        (Some(terms), Some(t0)) => (0..terms.slots())
            .map(|slot| SlotView {
                due: terms.slot_time(t0, slot),
                done: answered.contains(&u64::from(slot)),
            })
            .collect(),
        _ => Vec::new(),
    };
    let waits = record.side == Side::Requester && record.state == RoundState::AwaitingApproval;
    let peer_class = terms.as_ref().map(|terms| match record.side {
        Side::Requester => terms.responder().subjects_class,
        Side::Responder => terms.offer().subjects_class,
    });
    Ok(RoundView {
        id: record.id.clone(),
        revision: record.revision,
        role: match record.side {
            Side::Requester => "requester".to_owned(),
            Side::Responder => "responder".to_owned(),
        },
        peer: record.peer.clone(),
        agreement: record.agreement.clone(),
        purpose: record.purpose.clone(),
        case_reference: record.case_reference.clone(),
        dataset: record.dataset.clone(),
        proposed_by: record.proposed_by.clone(),
        state: record.state.word().to_owned(),
        detail: record.detail.clone(),
        wire_id: terms.as_ref().map(|terms| terms.round_id().to_string()),
        chunks: terms
            .as_ref()
            .map(|terms| (record.chunks_done, chunks(terms).count() as u64)),
        subjects: record.subjects,
        peer_subjects_padded: peer_class.map(|class| 1 << class),
        cells: terms.as_ref().map(mandorla_protocol::Terms::cells),
        evaluations: terms.as_ref().map(mandorla_protocol::Terms::evaluations),
        started_at: record.started_at,
        approve_until: terms
            .as_ref()
            .filter(|_| waits)
            .map(mandorla_protocol::Terms::question_deadline),
        asked_at: record.t0,
        slots,
        closes_at: terms
            .as_ref()
            .zip(record.t0)
            .map(|(terms, t0)| terms.closes_at(t0)),
        wire_bytes: (record.wire_sent, record.wire_received),
    })
}
