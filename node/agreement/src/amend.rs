//! Whether one version may follow another.

use std::collections::BTreeSet;

use crate::{Agreement, Finding, Severity};

impl Agreement {
    /// Whether this is the next version of `old`: the same id and parties, the version after it, and its hash in
    /// `supersedes`. Keys and names of the parties may change; [`crate::diff`] shows it.
    ///
    /// # Errors
    /// The first clause that says otherwise.
    pub fn amends(&self, old: &Self) -> Result<(), Finding> {
        let refuse = |clause: &str, message: String, fix: String| {
            Err(Finding {
                severity: Severity::Error,
                clause: clause.to_owned(),
                message,
                fix,
            })
        };
        let (id, version) = (old.id(), old.version());
        if self.id() != id {
            return refuse(
                "id",
                format!("{} is another agreement than {id}", self.id()),
                format!("write id = \"{id}\", or propose it as a new agreement"),
            );
        }
        if version.checked_add(1) != Some(self.version()) {
            return refuse(
                "version",
                format!(
                    "version {} of {id} is not the next after {version}",
                    self.version()
                ),
                format!("write version = {}", version.saturating_add(1)),
            );
        }
        let hash = hex::encode(old.hash());
        let names = |superseded: &str| superseded.eq_ignore_ascii_case(&hash);
        if !self.terms().supersedes.as_deref().is_some_and(names) {
            return refuse(
                "supersedes",
                format!(
                    "version {} of {id} does not name version {version} as the one it replaces",
                    self.version()
                ),
                format!("write supersedes = \"{hash}\""),
            );
        }
        let codes = |agreement: &Self| -> BTreeSet<String> {
            let parties = agreement.parties().into_iter();
            parties.map(|party| party.code.clone()).collect()
        };
        let (own, before) = (codes(self), codes(old));
        if own != before {
            let list =
                |codes: BTreeSet<String>| codes.into_iter().collect::<Vec<_>>().join(" and ");
            return refuse(
                "party.code",
                format!(
                    "{id} is between {}, and this text between {}",
                    list(before),
                    list(own)
                ),
                "keep both codes, or propose a new agreement".to_owned(),
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../samples/uk-rs.toml");

    fn parsed(text: &str) -> Agreement {
        Agreement::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn only_the_next_version_of_the_same_parties_amends() {
        let old = parsed(SAMPLE);
        let hash = hex::encode(old.hash());
        let next = SAMPLE.replacen("version = 1 ", "version = 2 ", 1).replace(
            "# supersedes = \"…\"",
            &format!("supersedes = \"{hash}\" #"),
        );
        assert_eq!(parsed(&next).amends(&old), Ok(()));
        let renamed = next
            .replace("\"RS\"", "\"SR\"")
            .replace("legal.RS", "legal.SR")
            .replace("review.RS", "review.SR")
            .replace("UK_to_RS", "UK_to_SR")
            .replace("RS_to_UK", "SR_to_UK");
        for (text, clause) in [
            (
                next.replacen("id = \"UK-RS-SAMPLE\"", "id = \"OTHER\"", 1),
                "id",
            ),
            (next.replacen("version = 2 ", "version = 3 ", 1), "version"),
            (next.replacen("version = 2 ", "version = 1 ", 1), "version"),
            (next.replace(&hash, &"ab".repeat(32)), "supersedes"),
            (
                SAMPLE.replacen("version = 1 ", "version = 2 ", 1),
                "supersedes",
            ),
            (renamed, "party.code"),
        ] {
            let finding = parsed(&text).amends(&old).unwrap_err();
            assert_eq!(finding.clause, clause, "{finding}");
            assert!(!finding.fix.is_empty());
        }
    }
}
