//! The checks of `mandorla doctor`: a closed list.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Declares every check once: id, where it is made, what it asks.
macro_rules! checks {
    ($($name:ident $id:literal $side:ident $asks:literal;)*) => {
        /// A check of `mandorla doctor`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Check {
            $(#[doc = $asks] #[serde(rename = $id)] $name,)*
        }

        impl Check {
            /// All checks, in the order in which they are made.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its stable id.
            pub fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }

            /// Where it is made.
            pub fn side(self) -> CheckSide {
                match self { $(Self::$name => CheckSide::$side,)* }
            }

            /// What it asks.
            pub fn asks(self) -> &'static str {
                match self { $(Self::$name => $asks,)* }
            }
        }
    };
}

checks! {
    DataDir "data-dir" Host "Is the data directory there, does it belong to this account, and is it closed to all others (mode 700)?";
    Config "config" Host "Can node.toml be used, and does this host know the groups and accounts in it?";
    KeyFiles "key-files" Host "Can only the owner read the key files, and was the auditor's private key handed over and removed?";
    FileModes "file-modes" Host "Are all other files of the data directory closed to other accounts?";
    Disk "disk" Host "Is there room on the data directory's disk?";
    Memory "memory" Host "Is there memory for a round?";
    Kernel "kernel" Host "Which level of batch arithmetic does this processor give, and is MANDORLA_KERNEL one it has?";
    Udp "udp" Host "Can the address of `listen` be bound? Not asked while the node runs and holds it.";
    TimeSync "time-sync" Host "Does a time service keep this host's clock?";
    CoreDumps "core-dumps" Host "Could a crash write the node's memory to disk?";
    OpenFiles "open-files" Host "May a process open as many files as a node needs?";
    Swap "swap" Host "Could memory with keys and records be written to a swap device?";
    Node "node" Host "Does a node answer on the control socket? The checks below are made by it.";
    Store "store" Node "Can the store be read?";
    Ledger "ledger" Node "Does the ledger verify to its end?";
    PairLogs "pair-logs" Node "Do the logs kept with each peer verify?";
    KeysSealed "keys-sealed" Node "Are the node's keys sealed on its disk?";
    Agreements "agreements" Node "Is a live agreement about to expire, or has it?";
    Datasets "datasets" Node "Are the datasets as young as the live agreements ask?";
    PeerHandshake "peer-handshake" Node "Does the peer answer with its key? If not: which class of failure it is.";
    PeerClock "peer-clock" Node "How far is the peer's clock from this node's?";
}

/// Where a check is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckSide {
    /// By the command, on the host it runs on.
    Host,
    /// By the running node.
    Node,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckStatus {
    /// As it should be.
    Ok,
    /// Works, and somebody should look at it.
    Warn,
    /// Does not work, or must not stay so.
    Fail,
}

/// The outcome of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckView {
    /// Which.
    pub check: Check,
    /// How it ended.
    pub status: CheckStatus,
    /// Whom it is about, where there are several: a peer, dataset or agreement.
    pub about: Option<String>,
    /// What was found.
    pub what: String,
    /// Why it matters; nothing where all is well.
    pub why: Option<String>,
    /// The command or change that ends it; nothing where all is well.
    pub remedy: Option<String>,
}

impl CheckView {
    /// All is well.
    pub fn ok(check: Check, what: impl Into<String>) -> Self {
        Self {
            check,
            status: CheckStatus::Ok,
            about: None,
            what: what.into(),
            why: None,
            remedy: None,
        }
    }

    /// Works, and somebody should look at it.
    pub fn warn(
        check: Check,
        what: impl Into<String>,
        why: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            status: CheckStatus::Warn,
            why: Some(why.into()),
            remedy: Some(remedy.into()),
            ..Self::ok(check, what)
        }
    }

    /// Does not work, or must not stay so.
    pub fn fail(
        check: Check,
        what: impl Into<String>,
        why: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            status: CheckStatus::Fail,
            ..Self::warn(check, what, why, remedy)
        }
    }

    /// The same about one of several.
    #[must_use]
    pub fn about(mut self, about: impl Into<String>) -> Self {
        self.about = Some(about.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_has_an_id_of_its_own_and_asks_something() {
        let ids: std::collections::BTreeSet<&str> = Check::ALL.iter().map(|c| c.id()).collect();
        assert_eq!(ids.len(), Check::ALL.len());
        for check in Check::ALL {
            assert!(check.asks().contains('?'), "{check}");
            let written = serde_json::to_string(check).unwrap();
            assert_eq!(written, format!("\"{}\"", check.id()));
        }
    }
}
