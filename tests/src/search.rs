//! Searching everything that a node has written and says for words that it must not know.

use std::fs;
use std::path::{Path, PathBuf};

use mandorla_cli::world::{NodeProcess, TRIAL_USERS};
use mandorla_control::{
    AgreementList, ApiError, AuditLog, AuditVerify, Call, DatasetList, HitList, HitShow, PeerList,
    ReviewInbox, ReviewShow, RoundList, RoundShow, Status,
};
use mandorla_linkage::fold;

/// More entries than any test's ledger has.
const LEDGER_ENTRIES: u64 = 10_000;

/// Places that hold bytes: files of a data directory, log lines, replies to calls.
#[derive(Debug, Default)]
pub struct Traces {
    places: Vec<(String, Vec<u8>)>,
}

impl Traces {
    /// Everything of a node: each file of its data directory, its messages, and its replies to every reading call, each
    /// asked by a role that may.
    pub async fn of(node: &NodeProcess) -> Result<Self, ApiError> {
        let mut traces = Self::default();
        traces.replies(node).await?;
        traces.file(node.log());
        traces.directory(node.data_dir());
        Ok(traces)
    }

    /// Only the files and messages: for a node that does not run.
    pub fn on_disk(node: &NodeProcess) -> Self {
        let mut traces = Self::default();
        traces.file(node.log());
        traces.directory(node.data_dir());
        traces
    }

    /// Names of the places that hold a word: as written, in any case, folded as match keys are, or as hexadecimal text.
    pub fn of_word(&self, word: &str) -> Vec<&str> {
        let forms = forms(word);
        let holds = |bytes: &[u8]| forms.iter().any(|form| contains(bytes, form));
        let places = self.places.iter();
        places
            .filter(|(_, bytes)| holds(bytes))
            .map(|(place, _)| place.as_str())
            .collect()
    }

    /// Bytes searched.
    pub fn bytes(&self) -> usize {
        self.places.iter().map(|(_, bytes)| bytes.len()).sum()
    }

    fn directory(&mut self, directory: &Path) {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        for entry in entries {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => self.directory(&path),
                Ok(kind) if kind.is_file() => self.file(&path),
                _ => {} // the socket
            }
        }
    }

    fn file(&mut self, path: &Path) {
        // A file of a round may go while this reads the directory.
        if let Ok(bytes) = fs::read(path) {
            self.add(path.display().to_string(), &bytes);
        }
    }

    fn add(&mut self, place: String, bytes: &[u8]) {
        self.places.push((place, bytes.to_ascii_lowercase()));
    }

    async fn replies(&mut self, node: &NodeProcess) -> Result<(), ApiError> {
        let [operator, analyst, officer, auditor] = TRIAL_USERS.map(|(name, _)| name);
        self.reply(node, operator, Status {}).await?;
        self.reply(node, operator, PeerList {}).await?;
        self.reply(node, operator, AgreementList {}).await?;
        self.reply(node, operator, DatasetList {}).await?;
        for known in self.reply(node, analyst, RoundList { state: None }).await? {
            let show = RoundShow {
                round: known.id,
                after_revision: None,
                wait_ms: None,
            };
            self.reply(node, analyst, show).await?;
        }
        for known in self.reply(node, analyst, HitList { round: None }).await? {
            self.reply(node, analyst, HitShow { hit: known.id }).await?;
        }
        for entry in self.reply(node, officer, ReviewInbox {}).await? {
            let item = entry.item;
            self.reply(node, officer, ReviewShow { item }).await?;
        }
        let log = AuditLog {
            from: 0,
            limit: LEDGER_ENTRIES,
        };
        self.reply(node, auditor, log).await?;
        self.reply(node, auditor, AuditVerify {}).await?;
        Ok(())
    }

    async fn reply<C: Call>(
        &mut self,
        node: &NodeProcess,
        user: &str,
        call: C,
    ) -> Result<C::Reply, ApiError> {
        let reply = node.call(user, &call).await?;
        let text = serde_json::to_vec(&reply).expect("a reply is JSON");
        self.add(format!("{} as {user}", C::PATH), &text);
        Ok(reply)
    }
}

/// Files of a node's data directory whose name ends so.
pub fn files_named(node: &NodeProcess, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![node.data_dir().to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                directories.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    found
}

/// How a word may be written; all in lower case, as the places are.
fn forms(word: &str) -> Vec<Vec<u8>> {
    let folded = fold(word).unwrap_or_default();
    let words = [
        word.to_owned(),
        word.to_uppercase(),
        word.to_lowercase(),
        folded,
    ];
    let mut forms = Vec::new();
    for word in words.iter().filter(|word| !word.is_empty()) {
        forms.push(word.as_bytes().to_ascii_lowercase());
        forms.push(hex::encode(word).into_bytes());
    }
    forms
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    let Some((&first, rest)) = word.split_first() else {
        return false;
    };
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|&byte| byte == first) {
        from += at + 1;
        if bytes[from..].starts_with(rest) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_in_each_of_its_forms_and_only_there() {
        let mut traces = Traces::default();
        let places = [
            ("raw", b"..Canary\xff".to_vec()),
            ("hexadecimal", hex::encode("xcanaryx").into_bytes()),
            ("upper", b"CANARY".to_vec()),
            ("none", b"canar".to_vec()),
        ];
        for (place, bytes) in places {
            traces.add(place.to_owned(), &bytes);
        }
        assert_eq!(traces.of_word("canary"), ["raw", "hexadecimal", "upper"]);
        assert!(traces.of_word("").is_empty());
        assert_eq!(traces.of_word("canar").len(), 4);
    }
}
