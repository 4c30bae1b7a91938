//! The words of reasons: read by auditors, erased when their time is over.

use std::sync::Arc;

use mandorla_control::{ApiError, AuditEraseReason, AuditReason, Call as _, ErrorCode, ReasonView};

use crate::events::Event;
use crate::failed::Failed;
use crate::justification::commitment;
use crate::node::{Caller, Node};
use crate::records::disclosure::{REASONS, ReasonRecord};
use crate::server::{Routes, ServeBlocking, role_of};

pub(super) fn routes(routes: Routes) -> Routes {
    routes.call::<AuditReason>().call::<AuditEraseReason>()
}

impl ServeBlocking for AuditReason {
    fn serve_blocking(self, node: &Arc<Node>, caller: &Caller) -> Result<ReasonView, ApiError> {
        let event = node
            .event_by(Event::ReasonRead, caller, role_of(caller, Self::ROLES))
            .detail("reason_commitment", self.commitment.clone());
        let record = node.store.write::<_, Failed>(|tx| {
            let record = tx
                .find(REASONS, self.commitment.as_str())?
                .ok_or_else(|| unknown(&self.commitment))?;
            tx.append_ledger(event)?;
            Ok(record)
        })?;
        let salt = hex::decode(&record.salt).unwrap_or_default();
        if commitment(&salt, &record.text) != self.commitment {
            let message = format!(
                "the words kept for {} are not those of the ledger",
                self.commitment
            );
            return Err(ApiError::new(ErrorCode::FaultFound, message)
                .hint("keep a copy of the data directory before anything else"));
        }
        Ok(view(self.commitment, record))
    }
}

impl ServeBlocking for AuditEraseReason {
    fn serve_blocking(self, node: &Arc<Node>, caller: &Caller) -> Result<ReasonView, ApiError> {
        let event = node
            .event_by(Event::ReasonErased, caller, role_of(caller, Self::ROLES))
            .detail("reason_commitment", self.commitment.clone());
        let mut record = node.store.write::<_, Failed>(|tx| {
            let record = tx
                .find(REASONS, self.commitment.as_str())?
                .ok_or_else(|| unknown(&self.commitment))?;
            // The salt goes too: without it nobody can test a guess at the words.
            tx.remove(REASONS, self.commitment.as_str())?;
            tx.append_ledger(event)?;
            Ok(record)
        })?;
        record.text.clear();
        record.salt.clear();
        Ok(view(self.commitment, record))
    }
}

fn view(commitment: String, record: ReasonRecord) -> ReasonView {
    ReasonView {
        commitment,
        salt: record.salt,
        text: record.text,
        by: record.by,
        at: record.at,
    }
}

fn unknown(commitment: &str) -> ApiError {
    let message = format!("no words are kept for {commitment}: they were erased, or never were");
    ApiError::new(ErrorCode::NotFound, message)
        .hint("the commitments stand as reason_commitment in: mandorla audit log --json")
}
