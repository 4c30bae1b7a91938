//! What a check found.

use std::fmt;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing before signing.
    Note,
    /// Permitted, and probably not what was meant.
    Warning,
    /// The file is not an agreement, or one that must not be proposed or signed as it stands.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One finding about one clause. Texts quote the agreement at most; they never hold subject data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The clause as a dotted path, such as `limits.UK_to_RS.max_set`.
    pub clause: String,
    /// What is the matter.
    pub message: String,
    /// What to write instead.
    pub fix: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.clause.is_empty() {
            write!(f, "{}", self.message)
        } else {
            write!(f, "{} ({})", self.message, self.clause)
        }
    }
}

/// Collects findings while a check walks through the terms.
#[derive(Debug, Default)]
pub(crate) struct Findings(pub(crate) Vec<Finding>);

impl Findings {
    /// Notes an error at `clause` unless `holds`.
    pub(crate) fn require(
        &mut self,
        holds: bool,
        clause: impl Into<String>,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) {
        if !holds {
            self.add(Severity::Error, clause, message, fix);
        }
    }

    pub(crate) fn add(
        &mut self,
        severity: Severity,
        clause: impl Into<String>,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.0.push(Finding {
            severity,
            clause: clause.into(),
            message: message.into(),
            fix: fix.into(),
        });
    }
}
