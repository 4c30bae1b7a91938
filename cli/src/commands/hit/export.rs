//! Hits in a file, for the follow-up.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use mandorla_control::{API_VERSION, ApiError, FieldView, HitView};
use serde_json::json;

use super::Format;
use crate::context::Context;
use crate::failure::{DONE, Done, file, internal};
use crate::when::when;

/// Writes the hits; an existing file is replaced only after a yes.
pub(super) fn write(hits: &[HitView], path: &Path, format: Format, cx: &Context) -> Done {
    let text = match format {
        Format::Csv => csv(hits)?,
        Format::Json => format!("{:#}\n", json!({"schema": API_VERSION, "items": hits})),
    };
    if path == Path::new("-") {
        cx.out.raw(&text)?;
        return DONE;
    }
    if path.exists() {
        cx.confirm(&format!("Replace {}?", path.display()))?;
    }
    let write = || {
        let mut out = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600) // personal data
            .open(path)?;
        out.write_all(text.as_bytes())?;
        out.sync_all()
    };
    write().map_err(|error| file(path, error))?;
    cx.out
        .object(&json!({"file": path, "hits": hits.len()}), |_| {
            format!("wrote {} ({} hits)\n", path.display(), hits.len())
        })?;
    DONE
}

/// One line per hit; own and released fields are columns `own.<field>` and `released.<field>`.
fn csv(hits: &[HitView]) -> Result<String, ApiError> {
    let names = |of: fn(&HitView) -> &[FieldView]| -> BTreeSet<&str> {
        hits.iter()
            .flat_map(of)
            .map(|field| field.field.as_str())
            .collect()
    };
    let own = names(|hit| &hit.own_record);
    let released = names(|hit| &hit.released);
    let fixed = [
        "hit",
        "round",
        "peer",
        "own_reference",
        "grade",
        "match_keys",
        "explanation",
        "handling",
        "received",
    ];
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = fixed
        .iter()
        .map(ToString::to_string)
        .chain(own.iter().map(|name| format!("own.{name}")))
        .chain(released.iter().map(|name| format!("released.{name}")));
    writer.write_record(header).map_err(internal)?;
    for hit in hits {
        let cells = [
            hit.id.clone(),
            hit.round.clone(),
            hit.peer.clone(),
            hit.own_reference.clone(),
            hit.grade.clone(),
            hit.match_keys.join(" | "),
            hit.explanation.join(" | "),
            hit.handling.clone(),
            when(hit.received_at),
        ];
        let row = cells
            .into_iter()
            .chain(own.iter().map(|name| values(&hit.own_record, name)))
            .chain(released.iter().map(|name| values(&hit.released, name)));
        writer
            .write_record(row.map(|cell| no_formula(&cell)))
            .map_err(internal)?;
    }
    String::from_utf8(writer.into_inner().map_err(internal)?).map_err(internal)
}

fn values(fields: &[FieldView], name: &str) -> String {
    let field = fields.iter().find(|field| field.field == name);
    field
        .map(|field| field.values.join(" | "))
        .unwrap_or_default()
}

/// A peer's value must not run when somebody opens the file in a spreadsheet.
fn no_formula(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::a_hit;
    use super::*;

    #[test]
    fn every_field_has_its_column_and_no_value_is_a_formula() {
        let mut other = a_hit();
        other.id = "H-02".into();
        other.released[0].values = vec!["=HYPERLINK(\"x\")".into()];
        other.released.pop();
        let text = csv(&[a_hit(), other]).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[0].ends_with("own.family_names,released.family_names,released.phone"),
            "{text}"
        );
        assert!(
            lines[1].ends_with("JOVANOVIC | Petrovic,Јовановић,'+381 60"),
            "{text}"
        );
        assert!(lines[2].ends_with("\"'=HYPERLINK(\"\"x\"\")\","), "{text}");
    }

    #[test]
    fn no_hits_still_give_a_header() {
        assert_eq!(csv(&[]).unwrap().lines().count(), 1);
    }
}
