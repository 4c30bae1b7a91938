//! `mandorla agreement …`.

use serde::{Deserialize, Serialize};

use crate::call::calls;

/// A commented agreement between this node and a peer, to be edited.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgreementDraft {
    /// Party code of the peer.
    pub peer: String,
    /// Id of the agreement.
    pub id: String,
    /// Title.
    pub title: String,
    /// What is known already; the rest is a careful default or a placeholder in capitals.
    #[serde(default)]
    pub choices: DraftChoices,
}

/// Choices for a draft; each that is absent is left to the node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DraftChoices {
    /// Purpose code.
    pub purpose: Option<String>,
    /// The purpose in words.
    pub purpose_text: Option<String>,
    /// `law-enforcement` or `general`.
    pub regime: Option<String>,
    /// Only this node asks.
    pub one_way: bool,
    /// No pilot on synthetic data comes first.
    pub no_pilot: bool,
    /// Days that it lasts, from today.
    pub days: Option<u32>,
    /// This node's part.
    pub own: DraftPartyChoices,
    /// The peer's part.
    pub other: DraftPartyChoices,
    /// Fewest subjects on either side.
    pub min_set: Option<u64>,
    /// Most subjects in a question.
    pub max_set: Option<u64>,
    /// Rounds per day and direction.
    pub rounds_per_day: Option<u32>,
    /// Time between two rounds of a direction: a duration, as `1h`.
    pub min_interval: Option<String>,
    /// Answer slots: durations after the question, as `24h`.
    pub slots: Vec<String>,
    /// Places in an answer.
    pub max_release: Option<u32>,
    /// Fields that may be released.
    pub fields: Vec<String>,
    /// Fields that never leave.
    pub forbidden: Vec<String>,
}

/// One party's part of a draft.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DraftPartyChoices {
    /// Law or treaty.
    pub instrument: Option<String>,
    /// Ground of the processing.
    pub basis: Option<String>,
    /// Ground of the transfer.
    pub transfer_basis: Option<String>,
    /// Reference of the impact assessment.
    pub dpia_ref: Option<String>,
    /// Where the authoriser is reached.
    pub authoriser: Option<String>,
    /// Where the data-protection officer is reached.
    pub dpo: Option<String>,
    /// Supervisory authority.
    pub supervisory_authority: Option<String>,
    /// Datasets: `NAME`, or `NAME=MOST_SUBJECTS`.
    pub datasets: Vec<String>,
}

/// Checks an agreement file without storing it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgreementLint {
    /// Exact text.
    pub text: String,
}

/// Stores the exact bytes and signs them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgreementPropose {
    /// Exact text.
    pub text: String,
}

/// Takes a bundle that the peer exported: every version's text, signatures and statements. It adds what is new.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgreementImport {
    /// The bundle.
    pub bundle: AgreementBundle,
}

/// Signs an imported agreement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgreementSign {
    /// Id of the agreement: its newest version; or `ID@VERSION`.
    pub id: String,
}

/// Moves a signed agreement from pilot to live, for this side; live once both sides did. The versions before it are
/// superseded then.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgreementActivate {
    /// Id of the agreement: its newest version; or `ID@VERSION`.
    pub id: String,
}

/// Stops new rounds and new releases at once, under every version; slots still answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgreementSuspend {
    /// Id of the agreement.
    pub id: String,
    /// What kind of reason, for the ledger.
    #[serde(default)]
    pub code: SuspensionCode,
    /// Why, in words; kept with the agreement on this node.
    pub reason: String,
}

/// Signs, for this side, that every suspension is over; live again, or in pilot again, once both sides did.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgreementResume {
    /// Id of the agreement.
    pub id: String,
}

/// All versions of all agreements.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgreementList {}

/// One agreement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgreementShow {
    /// Id of the agreement: its newest version; or `ID@VERSION`.
    pub id: String,
}

/// The exact text of one version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgreementRead {
    /// Id of the agreement: its newest version; or `ID@VERSION`.
    pub id: String,
}

/// The bundle to hand to the peer: every version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgreementExport {
    /// Id of the agreement.
    pub id: String,
}

calls! {
    "agreement/draft" [Operator] AgreementDraft -> AgreementText;
    "agreement/lint" [] AgreementLint -> Vec<LintFinding>;
    "agreement/propose" [Operator] AgreementPropose -> AgreementView;
    "agreement/import" [Operator] AgreementImport -> AgreementView;
    "agreement/sign" [Operator] AgreementSign -> AgreementView;
    "agreement/activate" [Operator] AgreementActivate -> AgreementView;
    "agreement/suspend" [Operator, Authoriser] AgreementSuspend -> AgreementView;
    "agreement/resume" [Operator] AgreementResume -> AgreementView;
    "agreement/list" [] AgreementList -> Vec<AgreementView>;
    "agreement/show" [] AgreementShow -> AgreementView;
    "agreement/read" [] AgreementRead -> AgreementText;
    "agreement/export" [] AgreementExport -> AgreementBundle;
}

/// A file's text.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgreementText {
    /// TOML.
    pub text: String,
}

/// What the linter has to say.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LintFinding {
    /// `error`, `warning` or `note`.
    pub severity: String,
    /// Clause it is about.
    pub clause: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub fix: String,
}

/// What travels between two nodes' operators: everything that is signed about one agreement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgreementBundle {
    /// Always 1.
    pub schema: u32,
    /// Its versions, ascending.
    pub versions: Vec<AgreementPapers>,
}

/// One version: the exact text, and who signed what about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgreementPapers {
    /// Exact text of the agreement.
    pub text: String,
    /// Signatures over its hash.
    pub signatures: Vec<PartySignature>,
    /// Statements that move it to live.
    pub activations: Vec<PartyStatement>,
    /// Statements that suspend it.
    pub suspensions: Vec<PartyStatement>,
    /// Statements that end the suspension of a pilot.
    pub resumptions: Vec<PartyStatement>,
}

/// Why an agreement was suspended, as the ledger says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SuspensionCode {
    /// Works on a node, a line, a dataset.
    Operational,
    /// A law, a court, an authority.
    Legal,
    /// Something went wrong, or may have.
    Incident,
    /// Anything else.
    #[default]
    Other,
}

impl SuspensionCode {
    /// The word in the ledger.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Operational => "operational",
            Self::Legal => "legal",
            Self::Incident => "incident",
            Self::Other => "other",
        }
    }
}

/// A party's signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartySignature {
    /// Party code.
    pub party: String,
    /// Ed25519 signature, 128 hexadecimal digits.
    pub signature: String,
}

/// A party's signed statement about a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartyStatement {
    /// Party code.
    pub party: String,
    /// Its place in the version's history: the first activation has 1, and each suspension asks for one more.
    pub sequence: u32,
    /// Ed25519 signature, 128 hexadecimal digits.
    pub signature: String,
}

/// A version of an agreement as this node holds it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgreementView {
    /// Id.
    pub id: String,
    /// Version.
    pub version: u32,
    /// Title.
    pub title: String,
    /// Party codes.
    pub parties: Vec<String>,
    /// `proposed`, `signed by one`, `signed by both`, `pilot`, `live`, `suspended`, `superseded`, `expired`.
    pub state: String,
    /// Hash of the exact text, hexadecimal.
    pub hash: String,
    /// Parties that signed.
    pub signed_by: Vec<String>,
    /// Parties that activated, above every suspension.
    pub activated_by: Vec<String>,
    /// Parties whose suspension holds.
    pub suspended_by: Vec<String>,
    /// Parties that resumed, while the suspension holds.
    pub resumed_by: Vec<String>,
    /// Why this node suspended it, in words; while the suspension holds.
    pub suspended_because: Option<String>,
    /// Whether new rounds are made under this version, as far as its state allows.
    pub in_force: bool,
    /// First day of validity, Unix seconds.
    pub not_before: u64,
    /// End of validity, Unix seconds.
    pub expires: u64,
    /// Purpose code.
    pub purpose: String,
    /// Match-key ids.
    pub match_keys: Vec<String>,
    /// The next command for the operator, if one is due.
    pub next: Option<String>,
}
