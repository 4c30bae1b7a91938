//! Errors: what, why, and the next command.

use serde::{Deserialize, Serialize};

/// The exit codes of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// Done; an empty list is done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// Wrong usage.
    Usage = 2,
    /// The node is not reachable.
    NodeUnreachable = 3,
    /// Not permitted in this role.
    NotPermitted = 4,
    /// Refused by agreement, policy or an officer.
    Refused = 5,
    /// The peer failed or misbehaved.
    Peer = 6,
    /// A check found a fault.
    FaultFound = 7,
    /// Still pending at `--timeout`.
    Pending = 8,
    /// Interrupted.
    Interrupted = 130,
}

/// Declares every error code once: number, name, exit code, what it means.
macro_rules! error_codes {
    ($($number:literal $name:ident $exit:ident $meaning:literal;)*) => {
        /// A stable error code, `M-NNN`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $(#[doc = $meaning] $name,)*
        }

        impl ErrorCode {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The number in `M-NNN`.
            pub fn number(self) -> u16 {
                match self { $(Self::$name => $number,)* }
            }

            /// How the command line exits.
            pub fn exit(self) -> ExitCode {
                match self { $(Self::$name => ExitCode::$exit,)* }
            }

            /// What it means, for `help errors`.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }
        }
    };
}

error_codes! {
    100 Internal Failed "A fault inside the node. Nothing was half-done: the step that failed is not recorded.";
    101 BadRequest Usage "The request cannot be read.";
    102 NotFound Failed "No such peer, agreement, dataset, round or hit on this node.";
    103 Exists Failed "Something of that name exists already.";
    104 InUse Failed "It is in use by an agreement or an open round.";
    110 Storage Failed "The data directory cannot be read or written: disk full, wrong owner, or damaged.";
    111 Unreachable NodeUnreachable "No node answers on the control socket.";
    112 NotInitialised Failed "The data directory holds no node yet.";
    113 AlreadyRunning Failed "Another daemon holds this data directory or port.";
    114 BadConfig Failed "The configuration cannot be used.";
    115 OpenToOthers Failed "A file or directory of the node could be read or changed by other accounts; the command that closes it is named.";
    116 SecretNeeded Failed "The keys are sealed, and the passphrase or wrapping key that opens them was not given.";
    117 WrongSecret Failed "The keys do not open with this passphrase or wrapping key. Nothing was changed.";
    200 UnknownUser NotPermitted "The node does not know this user.";
    201 WrongRole NotPermitted "The command needs another role.";
    202 RoleConflict NotPermitted "The caller holds two roles that exclude each other: who decides does not audit.";
    214 OwnProposal NotPermitted "Nobody decides on their own proposal.";
    300 Refused Refused "The agreement or the node's policy does not allow it; the clause is named.";
    301 BadAgreement Refused "The agreement file is not valid; the clause is named.";
    302 BadSignature Refused "A signature does not verify.";
    303 WrongState Refused "The agreement, round or hit is not in a state that allows this.";
    304 TooLate Refused "The time for this decision has passed; undecided counts as refused.";
    305 NoPlace Refused "Every place of the remaining answers is taken.";
    306 GradeLost Refused "Without the dropped fields the remaining match keys do not reach a hit.";
    307 PackageTooLarge Refused "The released fields do not fit into an item of the agreement.";
    320 BadFile Failed "The file cannot be read as what it should be.";
    321 BadMap Failed "The map file does not fit the data file.";
    330 BadBackup FaultFound "The backup is damaged, cut short or altered. Nothing of it was used.";
    331 NewerVersion Failed "Another version of the program wrote it.";
    332 OtherKeys Failed "The keys are not those of the node that the backup is of.";
    333 WrongPassphrase Failed "The passphrase does not open it.";
    400 PeerUnreachable Peer "The peer does not answer.";
    401 PeerKey Peer "The peer has another key than its card says.";
    402 PeerRefused Peer "The peer refused.";
    403 PeerMisbehaved Peer "The peer broke the protocol. The round ended; nothing was disclosed by it.";
    404 PeerClock Peer "The clocks of the two nodes are too far apart.";
    700 FaultFound FaultFound "A check found a fault; it is named.";
    800 Pending Pending "Not finished within the given time; it goes on.";
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "M-{}", self.number())
    }
}

impl ErrorCode {
    /// Reads `M-NNN`.
    pub fn from_text(text: &str) -> Option<Self> {
        let number: u16 = text.strip_prefix("M-")?.parse().ok()?;
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.number() == number)
    }

    /// The HTTP status that carries it.
    pub fn http_status(self) -> u16 {
        match self.exit() {
            ExitCode::Usage => 400,
            ExitCode::NotPermitted => 403,
            ExitCode::Refused => 409,
            ExitCode::Peer => 502,
            _ if self == Self::NotFound => 404,
            _ => 500,
        }
    }
}

/// An error with its code, what happened, and the next command. It carries no personal data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({code})")]
pub struct ApiError {
    /// Which.
    pub code: ErrorCode,
    /// What happened, and why.
    pub message: String,
    /// The exact next command, or what to look at.
    pub hint: Option<String>,
}

impl ApiError {
    /// Without a hint.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
        }
    }

    /// With the next command.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The body of a reply that is not 200.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorFields,
}

/// An [`ApiError`] in JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErrorFields {
    /// `M-NNN`.
    pub code: String,
    /// What and why.
    pub message: String,
    /// The next command.
    pub hint: Option<String>,
}

impl From<ApiError> for ErrorBody {
    fn from(error: ApiError) -> Self {
        Self {
            error: ErrorFields {
                code: error.code.to_string(),
                message: error.message,
                hint: error.hint,
            },
        }
    }
}

impl From<ErrorBody> for ApiError {
    fn from(body: ErrorBody) -> Self {
        let code = ErrorCode::from_text(&body.error.code).unwrap_or(ErrorCode::Internal);
        Self {
            code,
            message: body.error.message,
            hint: body.error.hint,
        }
    }
}
