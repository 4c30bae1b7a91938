//! `mandorla doctor`: what is wrong with this host and this node, why it matters, and what ends it.
//!
//! ```text
//!  host   facts are read (probe), then judged (judge)    by the command, also where no node runs
//!  living the store, ledger, agreements, datasets, peers  by the running node, over the control socket
//! ```
//! Reading and judging are apart so that a test can give each fact that is hard to bring about.

mod host;
mod judge;
mod living;

use std::path::Path;

use mandorla_control::CheckView;

pub(crate) use self::host::disk_free;
pub(crate) use self::judge::DISK_FREE_FAIL_BYTES;
pub(crate) use self::living::routes;

/// Makes the checks that need no node. `node_answers`: whether the control socket did.
pub fn check_host(data_dir: &Path, node_answers: bool) -> Vec<CheckView> {
    judge::judge(&host::probe(data_dir, node_answers))
}
