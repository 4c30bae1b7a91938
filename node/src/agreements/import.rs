//! What the peer's operator hands over: every version, every signature, every statement. What is new is added.

use std::sync::Arc;

use mandorla_agreement::{Agreement, SUSPENSIONS_MAX, Standing};
use mandorla_control::{
    AgreementBundle, AgreementExport, AgreementImport, AgreementPapers, AgreementView, ApiError,
    ErrorCode,
};

use super::held::{STATEMENTS, statements, statements_mut, verify_all};
use super::versions::{Versions, check_succession};
use super::{Held, check_parties, newest, parse, store, stored_as, unknown};
use crate::events::Event;
use crate::failed::Failed;
use crate::node::{Caller, Node};
use crate::records::agreement::AgreementRecord;
use crate::server::ServeBlocking;

/// Most versions in a bundle: what is amended more often needs an agreement of its own.
const VERSIONS_MAX: usize = 64;

/// Most signatures of a kind about one version: one of each party for every suspension, and a few, so that the error
/// can name what is wrong.
const SIGNATURES_MAX: usize = 2 * SUSPENSIONS_MAX as usize + 8;

impl ServeBlocking for AgreementExport {
    fn serve_blocking(self, node: &Arc<Node>, _: &Caller) -> Result<AgreementBundle, ApiError> {
        let versions = Versions::find(node, &self.id)?.ok_or_else(|| unknown(&self.id))?;
        Ok(AgreementBundle {
            schema: 1,
            versions: versions
                .into_held()
                .map(|held| held.record.papers)
                .collect(),
        })
    }
}

impl ServeBlocking for AgreementImport {
    fn serve_blocking(self, node: &Arc<Node>, caller: &Caller) -> Result<AgreementView, ApiError> {
        let read = read(node, self.bundle)?;
        let id = read[0].0.id().to_owned();
        let known = Versions::find(node, &id)?;
        let mut news = false;
        for (agreement, papers) in &read {
            let held = stored_as(known.as_ref(), agreement)?;
            news |= held.is_none_or(|held| merge(held.record, papers).1);
        }
        if !news {
            return newest(node, &id).map(|held| held.view(node.code()));
        }
        node.store.write(|tx| {
            for (agreement, papers) in &read {
                let versions = Versions::find_in(node, tx, &id)?;
                let stored = stored_as(versions.as_ref(), agreement)?;
                let (record, new) = if let Some(held) = stored {
                    merge(held.record, papers)
                } else {
                    check_succession(versions.as_ref(), agreement)?;
                    let fresh = AgreementRecord::of_text(papers.text.clone());
                    (merge(fresh, papers).0, true)
                };
                if new {
                    let held = Held::read(record)?;
                    check_standing(&held.standing)?;
                    let (signed, activated) =
                        (held.signed_by().join(" "), held.activated_by().join(" "));
                    let details = [
                        ("signed_by", signed.as_str()),
                        ("activated_by", activated.as_str()),
                    ];
                    store::<Self>(node, tx, &held, Event::AgreementImported, caller, &details)?;
                }
            }
            Ok::<_, Failed>(())
        })?;
        newest(node, &id).map(|held| held.view(node.code()))
    }
}

/// Reads and verifies a bundle: versions of one agreement, ascending, every signature good, the newest between this
/// node and a peer with the keys that are known here. (Keys change; an earlier version may name earlier ones.)
fn read(
    node: &Node,
    bundle: AgreementBundle,
) -> Result<Vec<(Agreement, AgreementPapers)>, ApiError> {
    let bad = |message: String| ApiError::new(ErrorCode::BadFile, message);
    if bundle.schema != 1 {
        let message = format!("bundle schema {} is not known", bundle.schema);
        return Err(bad(message).hint("compare `mandorla version` on both nodes"));
    }
    if bundle.versions.is_empty() || bundle.versions.len() > VERSIONS_MAX {
        return Err(bad(format!(
            "a bundle has 1 to {VERSIONS_MAX} versions of an agreement"
        )));
    }
    let mut read: Vec<(Agreement, AgreementPapers)> = Vec::new();
    for papers in bundle.versions {
        let counts = STATEMENTS.map(|kind| statements(&papers, kind).len());
        if counts.into_iter().chain([papers.signatures.len()]).max() > Some(SIGNATURES_MAX) {
            return Err(bad(format!(
                "a bundle has at most {SIGNATURES_MAX} signatures of a kind"
            )));
        }
        let agreement = parse(&papers.text)?;
        verify_all(&agreement, &papers)?;
        if let Some((before, _)) = read.last()
            && (before.id() != agreement.id() || before.version() >= agreement.version())
        {
            let message = "a bundle has the versions of one agreement, ascending".to_owned();
            return Err(bad(message));
        }
        read.push((agreement, papers));
    }
    let (newest, _) = read.last().expect("a bundle has a version");
    check_parties(node, newest)?;
    Ok(read)
}

/// Adds what is new; whether anything was.
fn merge(mut record: AgreementRecord, papers: &AgreementPapers) -> (AgreementRecord, bool) {
    let mut new = false;
    let own = &mut record.papers;
    for one in &papers.signatures {
        if own.signatures.iter().all(|known| known.party != one.party) {
            own.signatures.push(one.clone());
            new = true;
        }
    }
    for kind in STATEMENTS {
        let own = statements_mut(own, kind);
        for one in statements(papers, kind) {
            let is_known = |known: &mandorla_control::PartyStatement| {
                (&known.party, known.sequence) == (&one.party, one.sequence)
            };
            if !own.iter().any(is_known) {
                own.push(one.clone());
                new = true;
            }
        }
    }
    (record, new)
}

/// Statements that build on suspensions which are not there come from a node that is not honest.
fn check_standing(standing: &Standing) -> Result<(), ApiError> {
    standing.check().map_err(|error| {
        ApiError::new(ErrorCode::BadFile, error.to_string())
            .hint("ask the peer's operator for the bundle again: mandorla agreement export")
    })
}
