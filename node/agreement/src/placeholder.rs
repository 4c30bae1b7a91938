//! Texts that a draft leaves for people to replace. The linter refuses them in what is to be signed.

/// Law or treaty.
pub(crate) const INSTRUMENT: &str = "INSTRUMENT";
/// Ground of the processing.
pub(crate) const BASIS: &str = "LEGAL BASIS";
/// Ground of the transfer.
pub(crate) const TRANSFER_BASIS: &str = "TRANSFER BASIS";
/// Reference of the impact assessment.
pub(crate) const DPIA_REF: &str = "DPIA REFERENCE";
/// Where the authoriser is reached.
pub(crate) const AUTHORISER: &str = "WHO DECIDES";
/// Where the data-protection officer is reached.
pub(crate) const DPO: &str = "WHO WATCHES";
/// Supervisory authority.
pub(crate) const AUTHORITY: &str = "AUTHORITY";
/// Purpose code.
pub(crate) const PURPOSE_CODE: &str = "PURPOSE-CODE";
/// Purpose.
pub(crate) const PURPOSE_TEXT: &str = "THE PURPOSE, IN WORDS";

const ALL: [&str; 9] = [
    INSTRUMENT,
    BASIS,
    TRANSFER_BASIS,
    DPIA_REF,
    AUTHORISER,
    DPO,
    AUTHORITY,
    PURPOSE_CODE,
    PURPOSE_TEXT,
];

/// Whether nobody has filled this text in: it is empty, or stands as the draft wrote it.
pub(crate) fn is_blank(text: &str) -> bool {
    text.trim().is_empty() || ALL.contains(&text.trim())
}
