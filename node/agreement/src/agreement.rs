//! An agreement that holds together.

use mandorla_linkage::{LinkageRules, MatchKeyRule, RulesError};
use thiserror::Error;

use crate::bounds::AGREEMENT_BYTES_MAX;
use crate::checks::check;
use crate::finding::{Finding, Findings};
use crate::terms::{Dataset, Party, Terms};
use crate::text::{check_characters, clause_at};
use crate::{Direction, Severity};

/// A consistent agreement and the exact bytes it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    bytes: Vec<u8>,
    terms: Terms,
    rules: LinkageRules,
}

/// Why a file is not an agreement, or an agreement has no such clause.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AgreementError {
    /// The file is larger than any agreement.
    #[error("the agreement has {bytes} bytes, at most {max} are read")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The file is not text.
    #[error("the agreement is not UTF-8 text")]
    NotUtf8,
    /// The file cannot be read as an agreement: not TOML, an unknown or missing key, a value of the wrong kind.
    #[error("line {line}: {message}{}", in_clause(clause))]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// The clause at that line, as far as the file names one.
        clause: String,
        /// What the reader expected.
        message: String,
    },
    /// Clauses are out of bounds or contradict each other.
    #[error("{}", summary(.0))]
    Clauses(Vec<Finding>),
    /// The code names neither party.
    #[error("`{0}` is not a party of this agreement (party)")]
    UnknownParty(String),
    /// The agreement has no such direction.
    #[error(
        "the agreement does not permit {requester} to ask about {responder}'s records (limits.{requester}_to_{responder})"
    )]
    NotPermitted {
        /// Who would ask.
        requester: String,
        /// Whose records.
        responder: String,
    },
}

impl AgreementError {
    /// The clause that it is about, as a dotted path; empty if the file as a whole.
    pub fn clause(&self) -> &str {
        match self {
            Self::TooLarge { .. } | Self::NotUtf8 => "",
            Self::Syntax { clause, .. } => clause,
            Self::Clauses(findings) => findings
                .first()
                .map_or("", |finding| finding.clause.as_str()),
            Self::UnknownParty(_) => "party",
            Self::NotPermitted { .. } => "limits",
        }
    }

    /// What to do about it.
    pub fn fix(&self) -> String {
        match self {
            Self::TooLarge { .. } => "check that this is the agreement's file".into(),
            Self::NotUtf8 => "save the file as UTF-8".into(),
            Self::Syntax { line, .. } => {
                format!("correct line {line}; the reference of the agreement lists every key")
            }
            Self::Clauses(findings) => findings
                .first()
                .map(|finding| finding.fix.clone())
                .unwrap_or_default(),
            Self::UnknownParty(_) => "use the code of one of the two parties".into(),
            Self::NotPermitted { .. } => "agree on a new version with this direction".into(),
        }
    }
}

impl Agreement {
    /// Reads an agreement: TOML, every key known, every clause within bounds and consistent with the others.
    ///
    /// # Errors
    /// Names the line or the clause; [`AgreementError::Clauses`] holds everything that was found.
    pub fn parse(bytes: &[u8]) -> Result<Self, AgreementError> {
        if bytes.len() > AGREEMENT_BYTES_MAX {
            return Err(AgreementError::TooLarge {
                bytes: bytes.len(),
                max: AGREEMENT_BYTES_MAX,
            });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| AgreementError::NotUtf8)?;
        let syntax = |error: toml::de::Error| {
            let offset = error.span().map_or(0, |span| span.start);
            let (line, clause) = clause_at(text, offset);
            AgreementError::Syntax {
                line,
                clause,
                message: error.message().to_owned(),
            }
        };
        let tree: toml::Table = toml::from_str(text).map_err(syntax)?;
        let mut findings = Findings::default();
        check_characters(&tree, &mut findings);
        if findings.0.is_empty() {
            let terms: Terms = toml::from_str(text).map_err(syntax)?;
            let rules = linkage_rules(&terms)
                .map_err(|error| {
                    findings.require(
                        false,
                        rules_clause(&error),
                        error.to_string(),
                        "correct the linkage rules",
                    );
                })
                .ok();
            check(&terms, &mut findings);
            if let Some(rules) = rules.filter(|_| findings.0.is_empty()) {
                return Ok(Self {
                    bytes: bytes.to_vec(),
                    terms,
                    rules,
                });
            }
        }
        debug_assert!(
            findings
                .0
                .iter()
                .all(|finding| finding.severity == Severity::Error)
        );
        Err(AgreementError::Clauses(findings.0))
    }

    /// The exact bytes: what is hashed, signed and sent.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// All clauses.
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Name of the agreement.
    pub fn id(&self) -> &str {
        &self.terms.id
    }

    /// Version of the agreement.
    pub const fn version(&self) -> u32 {
        self.terms.version
    }

    /// Both parties, in the file's order.
    pub fn parties(&self) -> [&Party; 2] {
        [&self.terms.party[0], &self.terms.party[1]]
    }

    /// The party with this code.
    pub fn party(&self, code: &str) -> Option<&Party> {
        self.terms.party.iter().find(|party| party.code == code)
    }

    /// The party whose node has this signing key.
    pub fn party_of_signing_key(&self, key: &[u8; 32]) -> Option<&Party> {
        self.terms
            .party
            .iter()
            .find(|party| party.signing_key.as_bytes() == key)
    }

    /// The party that is not `code`.
    pub fn other_party(&self, code: &str) -> Option<&Party> {
        match self.parties() {
            [a, b] if a.code == code => Some(b),
            [a, b] if b.code == code => Some(a),
            _ => None,
        }
    }

    /// The dataset of this party with this name.
    pub fn dataset(&self, party_code: &str, id: &str) -> Option<&Dataset> {
        self.terms
            .dataset
            .iter()
            .find(|dataset| dataset.party == party_code && dataset.id == id)
    }

    /// Match keys in the order of their type numbers.
    pub fn match_keys(&self) -> &[MatchKeyRule] {
        &self.terms.match_key
    }

    /// The linkage rules: profile, default birth date, match keys. Their hash stands in the terms of a round.
    pub const fn linkage_rules(&self) -> &LinkageRules {
        &self.rules
    }

    /// The direction in which `requester` asks about `responder`'s records.
    ///
    /// # Errors
    /// [`AgreementError::UnknownParty`] and [`AgreementError::NotPermitted`].
    pub fn direction(
        &self,
        requester: &str,
        responder: &str,
    ) -> Result<Direction<'_>, AgreementError> {
        for code in [requester, responder] {
            if self.party(code).is_none() {
                return Err(AgreementError::UnknownParty(code.to_owned()));
            }
        }
        Direction::find(self, requester, responder).ok_or_else(|| AgreementError::NotPermitted {
            requester: requester.to_owned(),
            responder: responder.to_owned(),
        })
    }

    /// Every direction that the agreement permits, one or two.
    pub fn directions(&self) -> Vec<Direction<'_>> {
        let [a, b] = self.parties();
        [(a, b), (b, a)]
            .into_iter()
            .filter_map(|(requester, responder)| {
                Direction::find(self, &requester.code, &responder.code)
            })
            .collect()
    }
}

fn linkage_rules(terms: &Terms) -> Result<LinkageRules, RulesError> {
    LinkageRules::new(
        terms.linkage.profile.clone(),
        terms.linkage.default_dob_policy,
        terms.match_key.clone(),
    )
}

const fn rules_clause(error: &RulesError) -> &'static str {
    match error {
        RulesError::UnknownProfile { .. } => "linkage.profile",
        RulesError::MatchKeyCount { .. } | RulesError::NothingCanHit => "match_key",
        RulesError::InvalidId { .. } | RulesError::DuplicateId { .. } => "match_key.id",
        RulesError::FieldCount { .. }
        | RulesError::RefField { .. }
        | RulesError::DuplicateField { .. } => "match_key.fields",
        RulesError::YearOfNoDate { .. } | RulesError::TransformOfOtherField { .. } => {
            "match_key.transform"
        }
    }
}

fn in_clause(clause: &str) -> String {
    if clause.is_empty() {
        String::new()
    } else {
        format!(" ({clause})")
    }
}

fn summary(findings: &[Finding]) -> String {
    match findings {
        [] => "the agreement is not consistent".into(),
        [one] => one.to_string(),
        [first, rest @ ..] => format!("{first}; and {} more", rest.len()),
    }
}
