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

/// Takes a bundle that the peer exported: text, signatures, activations. It adds what is new.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgreementImport {
    /// The bundle.
    pub bundle: AgreementBundle,
}

/// Signs an imported agreement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgreementSign {
    /// Id of the agreement.
    pub id: String,
}

/// Moves a signed agreement from pilot to live, for this side; live once both sides did.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgreementActivate {
    /// Id of the agreement.
    pub id: String,
}

/// Stops new rounds and new releases at once; slots still answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgreementSuspend {
    /// Id of the agreement.
    pub id: String,
    /// Why, for the ledger.
    pub reason: String,
}

/// All agreements.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgreementList {}

/// One agreement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgreementShow {
    /// Id of the agreement.
    pub id: String,
}

/// The bundle to hand to the peer.
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
    "agreement/list" [] AgreementList -> Vec<AgreementView>;
    "agreement/show" [] AgreementShow -> AgreementView;
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

/// What travels between two nodes' operators: the exact text and who signed it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgreementBundle {
    /// Always 1.
    pub schema: u32,
    /// Exact text of the agreement.
    pub text: String,
    /// Signatures over its hash.
    pub signatures: Vec<PartySignature>,
    /// Signatures that move it to live.
    pub activations: Vec<PartySignature>,
}

/// A party's signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartySignature {
    /// Party code.
    pub party: String,
    /// Ed25519 signature, 128 hexadecimal digits.
    pub signature: String,
}

/// An agreement as this node holds it.
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
    /// `proposed`, `signed by one`, `signed by both`, `pilot`, `live`, `suspended`, `expired`.
    pub state: String,
    /// Hash of the exact text, hexadecimal.
    pub hash: String,
    /// Parties that signed.
    pub signed_by: Vec<String>,
    /// Parties that activated.
    pub activated_by: Vec<String>,
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
