//! What the ledger says of a release: to whom, on what basis, of whom by pseudonym, which fields by name.

use std::collections::BTreeMap;

use mandorla_store::{StoreError, WriteTx};
use serde_json::{Value, json};

use super::release::Draft;
use crate::justification::{clause, justification};
use crate::node::Node;
use crate::records::disclosure::{DISCLOSURES, DisclosureRecord};
use crate::records::hit::HitRecord;
use crate::records::round::RoundRecord;
use crate::rounds::Ruled;

/// A decided release of one hit.
pub(super) struct Disclosed<'a> {
    pub node: &'a Node,
    pub ruled: &'a Ruled,
    pub round: &'a RoundRecord,
    pub hit: &'a HitRecord,
    pub draft: &'a Draft,
    /// Who decided, and when.
    pub by: &'a str,
    pub at: u64,
    /// The slot that it leaves with, and the digest of its place.
    pub slot: u8,
    pub package_digest: String,
}

impl Disclosed<'_> {
    /// Remembers the release under the subject's pseudonym; gives the details of its ledger entry.
    pub(super) fn record(self, tx: &WriteTx<'_>) -> Result<BTreeMap<String, Value>, StoreError> {
        let pseudonym = self
            .node
            .pseudonyms
            .of(&self.round.dataset, &self.hit.own_reference);
        let mut detail = self.detail();
        detail.insert(
            "earlier_disclosures".to_owned(),
            earlier(tx, &pseudonym, &self.hit.id)?.into(),
        );
        detail.insert("subject".to_owned(), pseudonym.clone().into());
        let record = DisclosureRecord {
            round: self.round.id.clone(),
            frozen_in: None,
            detail: detail.clone(),
        };
        tx.put(
            DISCLOSURES,
            (pseudonym.as_str(), self.hit.id.as_str()),
            &record,
        )?;
        Ok(detail)
    }

    fn detail(&self) -> BTreeMap<String, Value> {
        let terms = self.ruled.agreement.terms();
        let recipient = self.ruled.agreement.party(&self.ruled.requester);
        let own = &self.ruled.responder;
        let transfer = terms.legal.get(own).map_or(Value::Null, |legal| {
            clause(
                &format!("legal.{own}.transfer_basis"),
                &legal.transfer_basis,
            )
        });
        let rules = self.ruled.agreement.linkage_rules();
        let proven = rules.rules_in(self.draft.proven_types());
        let keys: Vec<Value> = proven.map(|rule| rule.id.clone().into()).collect();
        let fields: Vec<Value> = self
            .draft
            .fields
            .iter()
            .map(|(field, _)| field.to_string().into())
            .collect();
        let rows = [
            (
                "recipient",
                recipient.map_or(Value::Null, |party| {
                    json!({"code": party.code, "name": party.name, "country": party.country})
                }),
            ),
            ("transfer_basis", transfer),
            ("hit", self.hit.id.clone().into()),
            ("match_keys", keys.into()),
            (
                "grade",
                self.draft
                    .grade
                    .map_or(Value::Null, |grade| grade.name().into()),
            ),
            ("fields", fields.into()),
            ("package_digest", self.package_digest.clone().into()),
            ("handling", terms.handling.default_code.clone().into()),
            (
                "retention_days_at_recipient",
                terms.retention.disclosed_days.into(),
            ),
            ("decided_by", self.by.into()),
            ("asked_at", self.round.t0.map_or(Value::Null, Value::from)),
            ("decided_at", self.at.into()),
            ("slot", self.slot.into()),
        ];
        let case = self.round.case_reference.as_deref();
        let mut detail = justification(&self.ruled.agreement, own, case);
        let rows = rows.into_iter();
        detail.extend(rows.map(|(name, value)| (name.to_owned(), value)));
        detail
    }
}

/// Disclosures of the same person that were frozen into an answer, but for this one.
pub(crate) fn earlier(tx: &WriteTx<'_>, pseudonym: &str, hit: &str) -> Result<usize, StoreError> {
    let rows = tx.scan(DISCLOSURES, (pseudonym, "")..=(pseudonym, "~"))?;
    let before = rows
        .iter()
        .filter(|((_, other), record)| other != hit && record.frozen_in.is_some());
    Ok(before.count())
}
