//! `mandorla agreement …`.

mod bundle;
mod draft;
mod read;
mod text;

use std::path::PathBuf;

use clap::Subcommand;
use mandorla_control::{
    AgreementActivate, AgreementImport, AgreementLint, AgreementList, AgreementPropose,
    AgreementRead, AgreementResume, AgreementShow, AgreementSign, AgreementSuspend, ApiError,
    ErrorCode, LintFinding, SuspensionCode,
};

use crate::context::{Context, read_text};
use crate::failure::{DONE, Done};

/// `mandorla agreement …`
#[derive(Debug, Subcommand)]
pub(crate) enum AgreementCommand {
    /// A commented agreement with a peer, to be edited
    Draft(Box<draft::DraftArgs>),
    /// Check an agreement file; nothing is stored
    Lint {
        /// The agreement (TOML)
        file: PathBuf,
    },
    /// What one text changes in another, clause by clause
    Diff {
        /// The text before: a file, ID, or ID@VERSION
        a: String,
        /// The text after, likewise
        b: String,
    },
    /// Store the exact bytes of an agreement, sign them, and write the file for the peer
    Propose {
        /// The agreement (TOML)
        file: PathBuf,
        #[command(flatten)]
        bundle: BundleArgs,
    },
    /// Take a file that the peer wrote: text, signatures, activations
    Import {
        /// The file from the peer (`<id>.agreement.json`)
        file: PathBuf,
    },
    /// Sign an imported agreement, and write the file for the peer
    Sign {
        /// Id of the agreement
        id: String,
        #[command(flatten)]
        bundle: BundleArgs,
    },
    /// Move a signed agreement from pilot to live for this side, and write the file for the peer
    Activate {
        /// Id of the agreement
        id: String,
        #[command(flatten)]
        bundle: BundleArgs,
    },
    /// Stop new rounds and new releases at once, on this side alone, and write the file for the peer; slots still answer
    Suspend {
        /// Id of the agreement
        id: String,
        /// Why, in words; kept on this node
        #[arg(long)]
        reason: String,
        /// What kind of reason, for the ledger
        #[arg(long, default_value = "other", value_parser = ["operational", "legal", "incident", "other"])]
        code: String,
        #[command(flatten)]
        bundle: BundleArgs,
    },
    /// Sign that a suspension is over, and write the file for the peer; it ends once both did
    Resume {
        /// Id of the agreement
        id: String,
        #[command(flatten)]
        bundle: BundleArgs,
    },
    /// All versions of all agreements
    List,
    /// One version: parties, state, who signed
    Show {
        #[command(flatten)]
        name: Name,
    },
    /// The exact text that was signed
    Print {
        #[command(flatten)]
        name: Name,
        /// The agreement in plain words, on a page
        #[arg(long)]
        summary: bool,
        /// The skeleton of an impact assessment
        #[arg(long, conflicts_with = "summary")]
        dpia: bool,
    },
    /// Write the file for the peer again
    Export {
        /// Id of the agreement
        id: String,
        #[command(flatten)]
        bundle: BundleArgs,
    },
}

/// One version of an agreement.
#[derive(Debug, clap::Args)]
pub(crate) struct Name {
    /// Id of the agreement
    id: String,
    /// Version [default: the newest]
    #[arg(long, value_name = "N")]
    version: Option<u32>,
}

impl Name {
    /// `ID`, or `ID@VERSION`.
    fn text(self) -> String {
        match self.version {
            None => self.id,
            Some(version) => format!("{}@{version}", self.id),
        }
    }
}

/// Where the file for the peer goes.
#[derive(Debug, clap::Args)]
pub(crate) struct BundleArgs {
    /// File for the peer [default: <id>.agreement.json in the current directory]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) async fn run(command: AgreementCommand, cx: &Context) -> Done {
    match command {
        AgreementCommand::Draft(args) => draft::run(*args, cx).await,
        AgreementCommand::Lint { file } => lint(read_text(&file)?, cx).await,
        AgreementCommand::Diff { a, b } => read::difference(&a, &b, cx).await,
        AgreementCommand::Propose { file, bundle } => {
            let text = read_text(&file)?;
            refuse_faults(&text, cx).await?;
            let view = cx.call(&AgreementPropose { text }).await?;
            bundle::write(&view, bundle.output, cx).await
        }
        AgreementCommand::Import { file } => {
            let bundle = bundle::read(&file)?;
            let view = cx.call(&AgreementImport { bundle }).await?;
            cx.out.object(&view, text::view)?;
            text::say_next(&view, cx);
            DONE
        }
        AgreementCommand::Sign { id, bundle } => {
            let view = cx.call(&AgreementSign { id }).await?;
            bundle::write(&view, bundle.output, cx).await
        }
        AgreementCommand::Activate { id, bundle } => {
            let view = cx.call(&AgreementActivate { id }).await?;
            bundle::write(&view, bundle.output, cx).await
        }
        AgreementCommand::Suspend {
            id,
            reason,
            code,
            bundle,
        } => {
            let code = suspension_code(&code);
            let view = cx.call(&AgreementSuspend { id, code, reason }).await?;
            bundle::write(&view, bundle.output, cx).await
        }
        AgreementCommand::Resume { id, bundle } => {
            let view = cx.call(&AgreementResume { id }).await?;
            bundle::write(&view, bundle.output, cx).await
        }
        AgreementCommand::List => {
            cx.out
                .list(&cx.call(&AgreementList {}).await?, text::list)?;
            DONE
        }
        AgreementCommand::Show { name } => {
            let id = name.text();
            cx.out
                .object(&cx.call(&AgreementShow { id }).await?, text::view)?;
            DONE
        }
        AgreementCommand::Print {
            name,
            summary: true,
            ..
        } => read::plain(name.text(), cx).await,
        AgreementCommand::Print {
            name, dpia: true, ..
        } => read::assessment(name.text(), cx).await,
        AgreementCommand::Print { name, .. } => {
            let read = cx.call(&AgreementRead { id: name.text() }).await?;
            cx.out.object(&read, |read| read.text.clone())?;
            DONE
        }
        AgreementCommand::Export { id, bundle } => {
            let view = cx.call(&AgreementShow { id }).await?;
            bundle::write(&view, bundle.output, cx).await
        }
    }
}

/// The parser lets no other word through.
fn suspension_code(word: &str) -> SuspensionCode {
    match word {
        "operational" => SuspensionCode::Operational,
        "legal" => SuspensionCode::Legal,
        "incident" => SuspensionCode::Incident,
        _ => SuspensionCode::Other,
    }
}

async fn lint(text: String, cx: &Context) -> Done {
    let findings = cx.call(&AgreementLint { text }).await?;
    cx.out.list(&findings, text::findings)?;
    match errors_in(&findings) {
        0 => DONE,
        errors => Err(faulty(errors)),
    }
}

/// Prints what the linter calls an error, if there is any, and stops.
async fn refuse_faults(text: &str, cx: &Context) -> Result<(), ApiError> {
    let text = text.to_owned();
    let mut findings = cx.call(&AgreementLint { text }).await?;
    findings.retain(|finding| finding.severity == "error");
    if findings.is_empty() {
        return Ok(());
    }
    cx.out.list(&findings, text::findings)?;
    Err(faulty(findings.len()))
}

fn errors_in(findings: &[LintFinding]) -> usize {
    let errors = findings.iter();
    errors.filter(|finding| finding.severity == "error").count()
}

fn faulty(errors: usize) -> ApiError {
    ApiError::new(
        ErrorCode::BadAgreement,
        format!("{errors} clause(s) must be corrected before the agreement can be proposed"),
    )
    .hint("correct each clause as its fix says, then lint again")
}
