//! What an agreement says, for people: the difference between two texts, the page in plain words, the skeleton of an
//! impact assessment.

use std::path::Path;

use mandorla_agreement::{Agreement, Change, diff, dpia, summary};
use mandorla_control::{AgreementRead, ApiError, ErrorCode};
use serde::Serialize;
use serde_json::json;

use crate::context::{Context, read_text};
use crate::failure::{DONE, Done};

#[derive(Serialize)]
struct Changed<'a> {
    clause: &'a str,
    before: &'a str,
    after: &'a str,
    meaning: &'a str,
    effect: String,
}

/// Clause by clause, what `b` changes in `a`; each is a file, `ID`, or `ID@VERSION`.
pub(super) async fn difference(a: &str, b: &str, cx: &Context) -> Done {
    let (before, after) = (agreement(a, cx).await?, agreement(b, cx).await?);
    let changes = diff(&before, &after);
    let changed: Vec<_> = changes.iter().map(Changed::of).collect();
    cx.out.list(&changed, |_| text(&changes, &before, &after))?;
    DONE
}

/// The agreement in plain words, in Markdown.
pub(super) async fn plain(name: String, cx: &Context) -> Done {
    page(name, "summary", summary, cx).await
}

/// The skeleton of an impact assessment, in Markdown.
pub(super) async fn assessment(name: String, cx: &Context) -> Done {
    page(name, "dpia", dpia, cx).await
}

async fn page(name: String, what: &str, write: fn(&Agreement) -> String, cx: &Context) -> Done {
    let agreement = parse(&held(name, cx).await?)?;
    let page = json!({
        "id": agreement.id(),
        "version": agreement.version(),
        what: write(&agreement),
    });
    cx.out.object(&page, |_| write(&agreement))?;
    DONE
}

/// A file where there is one of this name, or what the node holds.
async fn agreement(name: &str, cx: &Context) -> Result<Agreement, ApiError> {
    let path = Path::new(name);
    // An id has neither a dot nor a slash.
    let text = if path.exists() || name.contains(['.', '/']) {
        read_text(path)?
    } else {
        held(name.to_owned(), cx).await?
    };
    parse(&text)
}

async fn held(id: String, cx: &Context) -> Result<String, ApiError> {
    Ok(cx.call(&AgreementRead { id }).await?.text)
}

fn parse(text: &str) -> Result<Agreement, ApiError> {
    Agreement::parse(text.as_bytes()).map_err(|error| {
        ApiError::new(ErrorCode::BadAgreement, error.to_string()).hint(error.fix())
    })
}

impl<'a> Changed<'a> {
    fn of(change: &'a Change) -> Self {
        Self {
            clause: &change.clause,
            before: &change.before,
            after: &change.after,
            meaning: &change.meaning,
            effect: change.effect.to_string(),
        }
    }
}

fn text(changes: &[Change], before: &Agreement, after: &Agreement) -> String {
    if !changes.is_empty() {
        let lines: Vec<String> = changes.iter().map(Change::to_string).collect();
        return lines.join("\n") + "\n";
    }
    if before.bytes() == after.bytes() {
        return "the same text\n".to_owned();
    }
    "no clause differs; comments or layout do, so the hashes differ\n".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../../../../node/agreement/samples/uk-rs.toml");

    #[test]
    fn a_difference_names_the_clause_and_a_comment_is_none() {
        let sample = parse(SAMPLE).unwrap();
        let changed = |from: &str, to: &str| {
            assert!(SAMPLE.contains(from), "{from}");
            let other = parse(&SAMPLE.replace(from, to)).unwrap();
            text(&diff(&sample, &other), &sample, &other)
        };
        let titled = changed("\ntitle = \"", "\ntitle = \"Another ");
        assert!(titled.starts_with("title: "), "{titled}");
        assert_eq!(titled.lines().count(), 1);
        assert!(changed("# recorded", "# Recorded").starts_with("no clause differs"));
        assert_eq!(text(&[], &sample, &sample), "the same text\n");
    }
}
