//! The versions of one agreement on this node: which is in force, which are superseded, what may come next.

use mandorla_agreement::{Agreement, State};
use mandorla_control::{ApiError, ErrorCode};
use mandorla_store::WriteTx;

use super::held::Held;
use super::unknown;
use crate::failed::Failed;
use crate::node::{Node, storage};
use crate::records::agreement::{AGREEMENTS, AgreementRecord};

/// All versions of one agreement, ascending; there is at least one.
#[derive(Clone)]
pub(crate) struct Versions(Vec<Held>);

impl Versions {
    /// Works out where each version stands: what was live at some time supersedes the versions before it for good.
    fn new(
        records: impl IntoIterator<Item = AgreementRecord>,
        now_s: u64,
    ) -> Result<Option<Self>, ApiError> {
        let versions = records.into_iter().map(Held::read);
        let mut versions = versions.collect::<Result<Vec<_>, _>>()?;
        versions.sort_by_key(|held| held.agreement.version());
        let live = versions.iter().rposition(|held| held.standing.was_live());
        let signed = versions.iter().rposition(|held| held.standing.is_signed());
        let Some(last) = versions.len().checked_sub(1) else {
            return Ok(None);
        };
        let in_force = live.or(signed).unwrap_or(last);
        for (index, held) in versions.iter_mut().enumerate() {
            let superseded = live.is_some_and(|live| index < live);
            let expired = now_s >= held.agreement.terms().expires.as_s();
            held.state = held
                .standing
                .state(held.pilot_required(), superseded, expired);
            let may_be = held
                .state
                .may_become(State::Suspended, held.pilot_required());
            if held.record.suspended_for_good && may_be {
                held.state = State::Suspended;
            }
            held.in_force = index == in_force;
        }
        Ok(Some(Self(versions)))
    }

    /// All versions of all agreements.
    pub(super) fn all(node: &Node) -> Result<Vec<Self>, ApiError> {
        let tx = node.store.read().map_err(storage)?;
        let rows = tx.scan_all(AGREEMENTS).map_err(storage)?;
        let of_ids = rows.chunk_by(|((a, _), _), ((b, _), _)| a == b);
        let versions = of_ids.map(|rows| {
            let records = rows.iter().map(|(_, record)| record.clone());
            Self::new(records, node.clock.now_s())
        });
        versions.filter_map(Result::transpose).collect()
    }

    /// The versions of an agreement.
    pub(super) fn find(node: &Node, id: &str) -> Result<Option<Self>, ApiError> {
        let tx = node.store.read().map_err(storage)?;
        let rows = tx.scan(AGREEMENTS, (id, 0)..=(id, u64::MAX));
        let records = rows.map_err(storage)?.into_iter().map(|(_, record)| record);
        Self::new(records, node.clock.now_s())
    }

    /// The same inside a transaction.
    pub(super) fn find_in(node: &Node, tx: &WriteTx<'_>, id: &str) -> Result<Option<Self>, Failed> {
        let rows = tx.scan(AGREEMENTS, (id, 0)..=(id, u64::MAX))?;
        let records = rows.into_iter().map(|(_, record)| record);
        Ok(Self::new(records, node.clock.now_s())?)
    }

    pub(super) fn into_held(self) -> impl Iterator<Item = Held> {
        self.0.into_iter()
    }

    pub(super) fn newest(&self) -> &Held {
        self.0.last().expect("there is at least one version")
    }

    /// The version that new rounds are made under: the newest that ever was live; before any was, the newest that both
    /// signed.
    pub(super) fn in_force(&self) -> &Held {
        let in_force = self.0.iter().find(|held| held.in_force);
        in_force.expect("one version is in force")
    }

    pub(super) fn version(&self, version: u32) -> Option<&Held> {
        self.0
            .iter()
            .find(|held| held.agreement.version() == version)
    }
}

/// What a caller wrote: `ID`, or `ID@VERSION`.
pub(super) fn split(name: &str) -> Result<(&str, Option<u32>), ApiError> {
    match name.split_once('@') {
        None => Ok((name, None)),
        Some((id, version)) => match version.parse() {
            Ok(version) => Ok((id, Some(version))),
            Err(_) => Err(ApiError::new(
                ErrorCode::BadRequest,
                format!("{version:?} is not a version of {id}"),
            )
            .hint("write ID or ID@VERSION, as UK-RS-2026@2")),
        },
    }
}

/// The version that a caller named, or else the one that `default` takes.
pub(super) fn pick(
    versions: Option<Versions>,
    name: &str,
    default: impl Fn(&Versions) -> &Held,
) -> Result<Held, ApiError> {
    let (id, version) = split(name)?;
    let versions = versions.ok_or_else(|| unknown(id))?;
    match version {
        None => Ok(default(&versions).clone()),
        Some(version) => versions
            .version(version)
            .cloned()
            .ok_or_else(|| unknown(name)),
    }
}

/// Whether a text may follow what this node holds of its agreement. It may be the first version, or the next after
/// the newest, by number and by hash.
pub(super) fn check_succession(held: Option<&Versions>, next: &Agreement) -> Result<(), ApiError> {
    let (id, version) = (next.id(), next.version());
    let Some(newest) = held.map(Versions::newest) else {
        if version == 1 {
            return Ok(());
        }
        let message = format!(
            "version {version} of {id} amends a version that this node does not hold (supersedes)"
        );
        return Err(ApiError::new(ErrorCode::Refused, message).hint(format!(
            "take the bundle of a node that holds all versions: mandorla agreement export {id}"
        )));
    };
    if newest.state == State::Expired {
        let message = format!("{id} has expired, and an amendment cannot revive it (expires)");
        return Err(ApiError::new(ErrorCode::Refused, message)
            .hint("draft a new agreement, with an id of its own"));
    }
    next.amends(&newest.agreement).map_err(|finding| {
        let message = format!("{} ({})", finding.message, finding.clause);
        ApiError::new(ErrorCode::Refused, message).hint(finding.fix)
    })
}
