//! The file that goes to the peer: text, signatures, activations.

use std::path::{Path, PathBuf};

use mandorla_control::{AgreementBundle, AgreementExport, AgreementView, ApiError};
use serde::Serialize;

use super::text;
use crate::context::{Context, read_text};
use crate::failure::{DONE, Done, file, internal};

#[derive(Serialize)]
struct Written<'a> {
    #[serde(flatten)]
    view: &'a AgreementView,
    file: &'a Path,
}

/// Reads a bundle file.
pub(super) fn read(path: &Path) -> Result<AgreementBundle, ApiError> {
    let text = read_text(path)?;
    serde_json::from_str(&text).map_err(|error| {
        file(path, format!("not an agreement file from a peer: {error}"))
            .hint("an agreement's own text (TOML) is taken with: mandorla agreement propose FILE")
    })
}

/// Writes the bundle of an agreement for the peer, and says so.
pub(super) async fn write(view: &AgreementView, output: Option<PathBuf>, cx: &Context) -> Done {
    let bundle = cx
        .call(&AgreementExport {
            id: view.id.clone(),
        })
        .await?;
    let path = output.unwrap_or_else(|| default_path(&view.id));
    if path.exists() && read(&path).is_err() {
        cx.confirm(&format!(
            "Replace {}, which is no agreement file?",
            path.display()
        ))?;
    }
    let text = serde_json::to_string_pretty(&bundle).map_err(internal)? + "\n";
    std::fs::write(&path, text).map_err(|error| file(&path, error))?;
    cx.out.object(&Written { view, file: &path }, |written| {
        format!("{}\nwrote {}\n", text::view(written.view), path.display())
    })?;
    cx.out.say(
        "next: hand the file to the peer's operator, who runs: mandorla agreement import FILE",
    );
    // The file is written already.
    if !view
        .next
        .as_ref()
        .is_some_and(|next| next.contains("agreement export"))
    {
        text::say_next(view, cx);
    }
    DONE
}

/// `<id>.agreement.json`; the id is made harmless as a file name, although nodes accept none that is not.
fn default_path(id: &str) -> PathBuf {
    let harmless = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') {
            c
        } else {
            '_'
        }
    };
    let name: String = id.chars().map(harmless).collect();
    PathBuf::from(format!("{name}.agreement.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_cannot_lead_out_of_the_directory() {
        assert_eq!(
            default_path("UK-RS_2026"),
            Path::new("UK-RS_2026.agreement.json")
        );
        assert_eq!(default_path("../x"), Path::new("___x.agreement.json"));
    }

    #[test]
    fn a_toml_file_is_told_apart_from_a_bundle() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.toml");
        std::fs::write(&path, "schema = 1\n").unwrap();
        let error = read(&path).unwrap_err();
        assert!(error.hint.unwrap().contains("agreement propose"));
    }
}
