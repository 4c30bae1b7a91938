//! The header line: where each mapped column stands.

use csv::ByteRecord;

use super::error::{LoadError, MissingColumn};
use crate::exclusion::Exclusion;
use crate::field::edit_distance;
use crate::map_file::{Filling, MapFile};

/// Slips of the finger in a column's name; more would suggest an unrelated column.
const EDITS_MAX: usize = 2;

/// Places of the mapped columns.
pub(super) struct Layout {
    /// The place in a row of each mapped column, each once; the places below are places in this list.
    pub(super) columns: Vec<usize>,
    pub(super) reference: usize,
    /// Per thing of the map file and field of it, the columns.
    pub(super) things: Vec<Vec<Vec<usize>>>,
    pub(super) flags: Vec<(Exclusion, usize)>,
}

pub(super) fn read_layout(header: &ByteRecord, map: &MapFile) -> Result<Layout, LoadError> {
    if header.iter().any(|cell| cell.contains(&0)) {
        return Err(LoadError::NotUtf8 {
            hint: Some("looks like UTF-16"),
        });
    }
    let names: Vec<&str> = header
        .iter()
        .map(|cell| std::str::from_utf8(cell).map(str::trim))
        .collect::<Result<_, _>>()
        .map_err(|_| LoadError::NotUtf8 { hint: None })?;
    let mapped = map.columns();
    let columns = locate(&names, &mapped, map.delimiter())?;
    let place = |column: &str| {
        mapped
            .iter()
            .position(|(mapped, _)| *mapped == column)
            .expect("every column of the map file was located")
    };
    let places = |filling: &Filling| filling.columns().iter().map(|name| place(name)).collect();
    Ok(Layout {
        columns,
        reference: place(map.reference()),
        things: map
            .things()
            .iter()
            .map(|thing| thing.fields.values().map(places).collect())
            .collect(),
        flags: map
            .flags()
            .iter()
            .map(|(exclusion, column)| (*exclusion, place(column)))
            .collect(),
    })
}

fn locate(
    names: &[&str],
    mapped: &[(&str, String)],
    delimiter: u8,
) -> Result<Vec<usize>, LoadError> {
    let mut located = Vec::new();
    let mut missing = Vec::new();
    for (column, mapped_to) in mapped {
        let mut places = names.iter().enumerate().filter(|(_, name)| *name == column);
        match (places.next(), places.next()) {
            (Some((index, _)), None) => located.push(index),
            (Some(_), Some(_)) => {
                return Err(LoadError::AmbiguousColumn {
                    mapped_to: mapped_to.clone(),
                    column: (*column).to_owned(),
                });
            }
            (None, _) => missing.push(MissingColumn {
                column: (*column).to_owned(),
                mapped_to: mapped_to.clone(),
                near: nearest(column, names),
            }),
        }
    }
    if missing.is_empty() {
        return Ok(located);
    }
    if let [line] = names[..]
        && let Some((delimiter, found)) = other_delimiter(line, delimiter)
    {
        return Err(LoadError::WrongDelimiter { found, delimiter });
    }
    if located.is_empty() {
        return Err(LoadError::NoHeader {
            mapped_count: missing.len(),
            column_count: names.len(),
        });
    }
    Err(LoadError::MissingColumns {
        missing,
        header: names.iter().map(|name| (*name).to_owned()).collect(),
    })
}

fn nearest(column: &str, names: &[&str]) -> Option<String> {
    let column = column.to_lowercase();
    names
        .iter()
        .map(|name| (edit_distance(&column, &name.to_lowercase()), *name))
        .filter(|(edits, name)| *edits <= EDITS_MAX && *edits < name.chars().count())
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, name)| name.to_owned())
}

fn other_delimiter(line: &str, used: u8) -> Option<(char, &'static str)> {
    [
        (',', "commas"),
        (';', "semicolons"),
        ('\t', "tabs"),
        ('|', "vertical bars"),
    ]
    .into_iter()
    .filter(|(delimiter, _)| *delimiter != char::from(used))
    .map(|(delimiter, words)| (line.matches(delimiter).count(), delimiter, words))
    .max_by_key(|(count, _, _)| *count)
    .filter(|(count, _, _)| *count > 0)
    .map(|(_, delimiter, words)| (delimiter, words))
}
