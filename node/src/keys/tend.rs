//! The end of an overlap: secret keys that nothing needs any more are erased.

use std::sync::Arc;
use std::time::Duration;

use mandorla_store::StoreError;
use tokio::time::sleep;

use crate::events::Event;
use crate::identity::{IdentityError, KeyState};
use crate::node::Node;
use crate::records::round::{ROUNDS, Side};

/// How often a running node looks: an overlap lasts an hour or more.
const LOOK_EVERY: Duration = Duration::from_mins(10);

/// Why keys that are due could not be erased.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// The key file cannot be changed.
    #[error(transparent)]
    Keys(#[from] IdentityError),
    /// The change cannot be recorded, or the rounds not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Looks after the keys until the node stops.
pub(crate) async fn tend(node: Arc<Node>) {
    let mut stopping = node.stopping.subscribe();
    loop {
        tokio::select! {
            () = sleep(LOOK_EVERY) => {}
            _ = stopping.changed() => return,
        }
        let inner = Arc::clone(&node);
        let erased = tokio::task::spawn_blocking(move || erase_due(&inner)).await;
        if let Ok(Err(error)) = erased {
            tracing::error!(%error, "keys whose overlap has ended could not be erased");
        }
    }
}

/// Erases every former key set whose overlap has ended and that no open round names. Returns their numbers.
pub(crate) fn erase_due(node: &Node) -> Result<Vec<u32>, EraseError> {
    let now_s = node.clock.now_s();
    let ring = node.identity.ring()?;
    let mut erased = Vec::new();
    for keys in ring.all().filter(|keys| keys.state == KeyState::Former) {
        if keys.until > now_s || is_needed(node, &keys.public.signing)? {
            continue;
        }
        if keys.sequence == node.identity.current().sequence() {
            tracing::warn!(
                "the overlap has ended and this process still works with the old keys: restart the node"
            );
            continue;
        }
        node.store.write(|tx| {
            let event = node
                .event(Event::KeysErased)
                .detail("sequence", keys.sequence);
            tx.append_ledger(event)?;
            node.identity.change(|ring| ring.erase(keys.sequence))?;
            Ok::<_, EraseError>(())
        })?;
        node.identity.forget(keys.sequence);
        erased.push(keys.sequence);
    }
    Ok(erased)
}

/// Whether the terms of an open round name this own key.
fn is_needed(node: &Node, signing: &[u8; 32]) -> Result<bool, StoreError> {
    let rounds = node.store.read()?.scan_all(ROUNDS)?;
    let names_it = |(_, record): &(String, crate::records::round::RoundRecord)| {
        let own = record.terms().map(|terms| match record.side {
            Side::Requester => terms.offer().requester,
            Side::Responder => terms.offer().responder,
        });
        !record.state.is_over() && own.is_some_and(|own| own.0 == *signing)
    };
    Ok(rounds.iter().any(names_it))
}
