//! The calls, by noun.

mod agreement;
mod audit;
mod backup;
mod dataset;
mod hit;
mod key;
mod node;
mod peer;
mod review;
mod round;

pub use agreement::*;
pub use audit::*;
pub use backup::*;
pub use dataset::*;
pub use hit::*;
pub use key::*;
pub use node::*;
pub use peer::*;
pub use review::*;
pub use round::*;

use crate::call::CallInfo;

/// Every call of the control API, sorted by path.
pub fn all_calls() -> Vec<CallInfo> {
    let nouns = [
        agreement::CALLS,
        audit::CALLS,
        dataset::CALLS,
        hit::CALLS,
        key::CALLS,
        node::CALLS,
        peer::CALLS,
        review::CALLS,
        round::CALLS,
        // Calls whose body or reply is a stream.
        &[
            CallInfo {
                path: BACKUP_CREATE_PATH,
                roles: BACKUP_CREATE_ROLES,
            },
            CallInfo {
                path: DATASET_LOAD_PATH,
                roles: DATASET_LOAD_ROLES,
            },
        ],
    ];
    let mut calls: Vec<CallInfo> = nouns.into_iter().flatten().copied().collect();
    calls.sort_by_key(|call| call.path);
    calls
}
