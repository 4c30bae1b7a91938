//! Checks that only the running node can make: its store, history, agreements, datasets and peers.

use std::sync::Arc;

use mandorla_agreement::State;
use mandorla_control::{ApiError, Check, CheckView, NodeDoctor};
use mandorla_protocol::CLOCK_SKEW_MAX_S;
use tokio::task::JoinSet;

use crate::agreements;
use crate::data_dir::seal_word;
use crate::node::{Caller, Node, storage};
use crate::peers::{self, PingClass, PingFailure};
use crate::records::dataset::DATASETS;
use crate::records::peer::PEERS;
use crate::rounds::pair_audit;
use crate::server::{Routes, Serve, blocking};

const DAY_S: u64 = 86_400;
/// Two agencies need some weeks to agree on a new version.
const EXPIRY_WARN_S: u64 = 30 * DAY_S;
/// A dataset is to be loaded again when this share of its agreed age is over.
const AGE_WARN_PERCENT: u64 = 80;
/// A fifth of what is allowed: a clock that a time service keeps is far below.
const CLOCK_WARN_S: u64 = CLOCK_SKEW_MAX_S / 5;

pub(crate) fn routes(routes: Routes) -> Routes {
    routes.call::<NodeDoctor>()
}

impl Serve for NodeDoctor {
    async fn serve(self, node: &Arc<Node>, _: &Caller) -> Result<Vec<CheckView>, ApiError> {
        if let Some(peer) = &self.peer {
            peers::find(node, peer)?; // a misspelt code is an error, not a peer that fails
        }
        let local = Arc::clone(node);
        let mut found = blocking(move || Ok(local_checks(&local))).await?;
        let codes = match self.peer {
            Some(peer) => vec![peer],
            None => known_peers(node).unwrap_or_default(),
        };
        let mut pings = JoinSet::new();
        for code in codes {
            let node = Arc::clone(node);
            pings.spawn(async move {
                let pong = peers::try_ping(&node, &code).await;
                peer_checks(&code, pong.map(|pong| pong.clock_offset_s))
            });
        }
        let mut of_peers: Vec<CheckView> = pings.join_all().await.into_iter().flatten().collect();
        of_peers.sort_by(|a, b| (a.check, &a.about).cmp(&(b.check, &b.about)));
        found.extend(of_peers);
        Ok(found)
    }
}

fn known_peers(node: &Node) -> Result<Vec<String>, ApiError> {
    let tx = node.store.read().map_err(storage)?;
    let peers = tx.scan_all(PEERS).map_err(storage)?.into_iter();
    Ok(peers.map(|(code, _)| code).collect())
}

fn local_checks(node: &Node) -> Vec<CheckView> {
    let mut found = vec![
        store(node),
        ledger(node),
        pair_logs(node),
        keys_sealed(node),
    ];
    found.extend(agreements_and_datasets(node));
    found
}

fn store(node: &Node) -> CheckView {
    let read = || {
        let tx = node.store.read()?;
        let datasets = tx.scan_all(DATASETS)?.len();
        Ok::<_, mandorla_store::StoreError>((tx.scan_all(PEERS)?.len(), datasets))
    };
    match read() {
        Ok((peers, datasets)) => {
            CheckView::ok(Check::Store, format!("{peers} peers, {datasets} datasets"))
        }
        Err(error) => CheckView::fail(
            Check::Store,
            error.to_string(),
            "nothing can be recorded, so nothing can be done",
            "mandorla help errors M-110",
        ),
    }
}

fn ledger(node: &Node) -> CheckView {
    match node.store.verify_ledger(&[]) {
        Ok(report) => CheckView::ok(Check::Ledger, format!("{} entries verify", report.entries)),
        Err(fault) => CheckView::fail(
            Check::Ledger,
            fault.to_string(),
            "somebody changed the history of this node, or its disk did",
            "tell the auditor; then: mandorla audit verify",
        ),
    }
}

fn pair_logs(node: &Node) -> CheckView {
    let faults = match pair_audit::audit(node) {
        Ok((logs, faults)) if faults.is_empty() => {
            return CheckView::ok(Check::PairLogs, format!("{} logs verify", logs.len()));
        }
        Ok((_, faults)) => faults.join("; "),
        Err(error) => error.to_string(),
    };
    CheckView::fail(
        Check::PairLogs,
        faults,
        "what both nodes know of their rounds does not stand here as it was countersigned",
        "tell the auditor; then: mandorla audit verify",
    )
}

fn keys_sealed(node: &Node) -> CheckView {
    match seal_word(node.identity.sealed()) {
        "none" => CheckView::warn(
            Check::KeysSealed,
            "the node's keys lie on the disk as they are",
            "who has a copy of this disk can speak for the node",
            "stop the node, then: mandorla key seal --seal passphrase",
        ),
        kind => CheckView::ok(Check::KeysSealed, format!("sealed under a {kind}")),
    }
}

fn agreements_and_datasets(node: &Node) -> Vec<CheckView> {
    let held = match agreements::all(node) {
        Ok(held) => held,
        Err(error) => {
            return vec![CheckView::fail(
                Check::Agreements,
                error.to_string(),
                "no round can be held against an agreement that cannot be read",
                "mandorla agreement list",
            )];
        }
    };
    let now_s = node.clock.now_s();
    let live = held.iter().filter(|held| held.state == State::Live);
    let mut found = Vec::new();
    let mut of_datasets = Vec::new();
    for held in live {
        let terms = held.agreement.terms();
        let left_s = terms.expires.as_s().saturating_sub(now_s);
        found.push(expiry(&terms.id, left_s));
        for asked in terms
            .dataset
            .iter()
            .filter(|asked| asked.party == node.code())
        {
            let loaded = node
                .store
                .read()
                .and_then(|tx| tx.find(DATASETS, asked.id.as_str()));
            of_datasets.push(match loaded {
                Ok(record) => age(
                    &asked.id,
                    &terms.id,
                    record.map(|record| record.loaded_at),
                    asked.max_age_days,
                    now_s,
                ),
                Err(error) => CheckView::fail(
                    Check::Datasets,
                    error.to_string(),
                    "the store cannot be read",
                    "mandorla help errors M-110",
                )
                .about(&*asked.id),
            });
        }
    }
    if found.is_empty() {
        found.push(CheckView::ok(Check::Agreements, "none is live"));
    }
    if of_datasets.is_empty() {
        of_datasets.push(CheckView::ok(
            Check::Datasets,
            "no live agreement asks for any",
        ));
    }
    found.extend(of_datasets);
    found
}

fn expiry(agreement: &str, left_s: u64) -> CheckView {
    let days = left_s / DAY_S;
    let what = format!("{agreement} has {days} days left");
    if left_s < EXPIRY_WARN_S {
        CheckView::warn(
            Check::Agreements,
            what,
            "no round is possible under an agreement that ended, and a new one needs both sides",
            format!("mandorla agreement show {agreement}"),
        )
        .about(agreement)
    } else {
        CheckView::ok(Check::Agreements, what).about(agreement)
    }
}

fn age(
    name: &str,
    agreement: &str,
    loaded_at: Option<u64>,
    days_max: u32,
    now_s: u64,
) -> CheckView {
    let remedy = format!("mandorla dataset load {name} FILE --map FILE");
    let why = format!("{agreement} allows no round with it (dataset.max_age_days)");
    let Some(loaded_at) = loaded_at else {
        let what = format!("{name} is not loaded");
        return CheckView::warn(Check::Datasets, what, why, remedy).about(name);
    };
    let age_s = now_s.saturating_sub(loaded_at);
    let max_s = u64::from(days_max) * DAY_S;
    let what = format!(
        "{name} is {} days old, at most {days_max} are allowed",
        age_s / DAY_S
    );
    let view = if age_s > max_s {
        CheckView::fail(Check::Datasets, what, why, remedy)
    } else if age_s * 100 > max_s * AGE_WARN_PERCENT {
        let why = format!("soon {why}");
        CheckView::warn(Check::Datasets, what, why, remedy)
    } else {
        CheckView::ok(Check::Datasets, what)
    };
    view.about(name)
}

/// What a ping says of the connection and of the clock.
fn peer_checks(code: &str, offset_s: Result<i64, PingFailure>) -> Vec<CheckView> {
    let handshake = |what: String| CheckView::ok(Check::PeerHandshake, what).about(code);
    match offset_s {
        Ok(offset_s)
        | Err(PingFailure {
            class: PingClass::Clock(offset_s),
            ..
        }) => vec![
            handshake(format!("{code} answers with its key")),
            clock(code, offset_s),
        ],
        Err(PingFailure { class, error }) => {
            let what = format!("{class}: {}", error.message);
            let remedy = error.hint.unwrap_or_else(|| class.remedy(code));
            let view = if class.passes_by_itself() {
                CheckView::warn(Check::PeerHandshake, what, class.why(), remedy)
            } else {
                CheckView::fail(Check::PeerHandshake, what, class.why(), remedy)
            };
            vec![view.about(code)]
        }
    }
}

fn clock(code: &str, offset_s: i64) -> CheckView {
    let what = format!("the clock of {code} is {offset_s:+} s from this node's");
    let why = format!("above {CLOCK_SKEW_MAX_S} s either way every round is refused (M-404)");
    let remedy = "on both hosts: timedatectl set-ntp true";
    let view = match offset_s.unsigned_abs() {
        off if off > CLOCK_SKEW_MAX_S => CheckView::fail(Check::PeerClock, what, why, remedy),
        off if off > CLOCK_WARN_S => CheckView::warn(Check::PeerClock, what, why, remedy),
        _ => CheckView::ok(Check::PeerClock, what),
    };
    view.about(code)
}

#[cfg(test)]
mod tests;
