//! Released hits at the requester.

use std::sync::Arc;

use mandorla_control::{ApiError, ErrorCode, FieldView, HitList, HitShow, HitView};
use mandorla_linkage::explain;

use super::inbox::record_view;
use crate::datasets::subject;
use crate::node::{Caller, Node, storage};
use crate::records::hit::{RELEASED, ReleasedRecord};
use crate::rounds::{required, ruled_of};
use crate::server::ServeBlocking;

impl ServeBlocking for HitList {
    fn serve_blocking(self, node: &Arc<Node>, _: &Caller) -> Result<Vec<HitView>, ApiError> {
        if let Some(round) = &self.round {
            required(node, round)?;
        }
        let hits = node
            .store
            .read()
            .and_then(|tx| tx.scan_all(RELEASED))
            .map_err(storage)?;
        hits.iter()
            .filter(|(_, hit)| self.round.as_ref().is_none_or(|round| hit.round == *round))
            .map(|(_, hit)| view(node, hit))
            .collect()
    }
}

impl ServeBlocking for HitShow {
    fn serve_blocking(self, node: &Arc<Node>, _: &Caller) -> Result<HitView, ApiError> {
        let found = node
            .store
            .read()
            .and_then(|tx| tx.find(RELEASED, self.hit.as_str()));
        let hit = found.map_err(storage)?.ok_or_else(|| {
            ApiError::new(
                ErrorCode::NotFound,
                format!("no hit {} was released to this node", self.hit),
            )
            .hint("mandorla hit list")
        })?;
        view(node, &hit)
    }
}

fn view(node: &Node, hit: &ReleasedRecord) -> Result<HitView, ApiError> {
    let round = required(node, &hit.round)?;
    let ruled = ruled_of(node, &round)
        .map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))?;
    let rules = ruled.agreement.linkage_rules();
    let own = subject(node, round.generation, hit.own_subject).map_err(storage)?;
    let mut explanation = explain(rules, hit.proven_types);
    for rule in rules.rules_in(hit.conflicting_types) {
        explanation.push(format!("{}: differs, as the peer states", rule.id));
    }
    Ok(HitView {
        id: hit.id.clone(),
        round: hit.round.clone(),
        peer: round.peer.clone(),
        own_reference: hit.own_reference.clone(),
        own_record: own.as_ref().map_or_else(Vec::new, record_view),
        grade: hit.grade.clone(),
        match_keys: rules
            .rules_in(hit.proven_types)
            .map(|rule| rule.id.clone())
            .collect(),
        explanation,
        released: hit
            .fields
            .iter()
            .map(|(field, values)| FieldView {
                field: field.clone(),
                values: values.clone(),
            })
            .collect(),
        handling: hit.handling.clone(),
        received_at: hit.at,
    })
}
