//! The map file as TOML, and the checks that make a [`MapFile`] of it.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Value;

use super::{DELIMITERS, Filling, MapFile, MapFileError, RepeatedRef, Thing};
use crate::date::DateFormat;
use crate::exclusion::Exclusion;
use crate::field::{Field, Group};

/// The date format of a map file that names none.
const DATE_FORMAT_DEFAULT: &str = "%Y-%m-%d";
const COLUMNS: &str = "[columns]";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MapForm {
    columns: BTreeMap<String, Value>,
    date_format: Option<String>,
    region: Option<String>,
    delimiter: Option<String>,
    #[serde(default)]
    synthetic: bool,
    #[serde(default)]
    repeated_ref: RepeatedRef,
    #[serde(default)]
    constants: BTreeMap<String, String>,
    #[serde(default)]
    split: BTreeMap<String, String>,
    #[serde(default)]
    exclude: BTreeMap<String, String>,
    #[serde(default)]
    identity: Vec<BTreeMap<String, Value>>,
    #[serde(default)]
    address: Vec<BTreeMap<String, Value>>,
    #[serde(default)]
    document: Vec<BTreeMap<String, Value>>,
    #[serde(default)]
    national_id: Vec<BTreeMap<String, Value>>,
}

impl MapForm {
    pub(super) fn check(self) -> Result<MapFile, MapFileError> {
        let (reference, mut things) = principal(self.columns, self.constants, self.split)?;
        for (group, tables) in [
            (Group::Identity, self.identity),
            (Group::Address, self.address),
            (Group::Document, self.document),
            (Group::NationalId, self.national_id),
        ] {
            for (index, table) in tables.into_iter().enumerate() {
                things.push(further(group, index, table)?);
            }
        }
        let mut flags = BTreeMap::new();
        for (word, column) in self.exclude {
            let exclusion: Exclusion = word.parse()?;
            flags.insert(exclusion, named("[exclude]", &word, &column)?);
        }
        let format = self.date_format.as_deref().unwrap_or(DATE_FORMAT_DEFAULT);
        let date_format = DateFormat::parse(format).map_err(|reason| MapFileError::DateFormat {
            format: format.to_owned(),
            reason,
        })?;
        if let Some(region) = &self.region
            && !(region.len() == 2 && region.bytes().all(|byte| byte.is_ascii_uppercase()))
        {
            return Err(MapFileError::Region {
                region: region.clone(),
            });
        }
        Ok(MapFile {
            reference,
            things,
            flags,
            date_format,
            region: self.region,
            delimiter: delimiter(self.delimiter)?,
            synthetic: self.synthetic,
            repeated_ref: self.repeated_ref,
        })
    }
}

fn delimiter(written: Option<String>) -> Result<u8, MapFileError> {
    let Some(delimiter) = written else {
        return Ok(b',');
    };
    let mut chars = delimiter.chars();
    match (chars.next(), chars.next()) {
        (Some(only), None) if DELIMITERS.contains(&only) => Ok(only as u8),
        _ => Err(MapFileError::Delimiter { delimiter }),
    }
}

/// `[columns]`, `[constants]` and `[split]`: the reference's column, and one thing per group.
fn principal(
    columns: BTreeMap<String, Value>,
    constants: BTreeMap<String, String>,
    split: BTreeMap<String, String>,
) -> Result<(String, Vec<Thing>), MapFileError> {
    let mut fillings: BTreeMap<Field, Filling> = BTreeMap::new();
    for (name, value) in columns {
        let field: Field = name.parse()?;
        let columns = column_names(COLUMNS, &name, value)?;
        fillings.insert(
            field,
            Filling::Columns {
                columns,
                split: None,
            },
        );
    }
    for (name, separator) in split {
        let field: Field = name.parse()?;
        if separator.is_empty() {
            return Err(empty("[split]", &name));
        }
        match fillings.get_mut(&field) {
            Some(Filling::Columns { split, .. }) => *split = Some(separator),
            _ => return Err(MapFileError::SplitOfNothing { field }),
        }
    }
    let reference = match fillings.remove(&Field::Ref) {
        None => return Err(MapFileError::NoRef),
        Some(filling) if filling.is_multiple() => return Err(MapFileError::SeveralRefs),
        Some(filling) => filling.columns()[0].clone(),
    };
    for (name, value) in constants {
        let field: Field = name.parse()?;
        let is_personal = matches!(
            field,
            Field::Ref | Field::Dob | Field::NationalId | Field::DocumentNumber
        );
        if is_personal {
            return Err(MapFileError::NotConstant { field });
        }
        let value = named("[constants]", &name, &value)?;
        if fillings.insert(field, Filling::Constant(value)).is_some() {
            return Err(MapFileError::TwiceFilled { field });
        }
    }
    let mut by_group: BTreeMap<Group, BTreeMap<Field, Filling>> = BTreeMap::new();
    for (field, filling) in fillings {
        by_group
            .entry(field.group())
            .or_default()
            .insert(field, filling);
    }
    let mut things = Vec::new();
    for (group, fields) in by_group {
        check_crosswise(group, &fields)?;
        things.push(Thing {
            group,
            is_principal: true,
            fields,
            list_split: None,
        });
    }
    Ok((reference, things))
}

/// Two lists of values of one thing would be combined crosswise: the number of one document with the state of another.
/// Nationalities, places and other names belong to one identity however many they are.
fn check_crosswise(group: Group, fields: &BTreeMap<Field, Filling>) -> Result<(), MapFileError> {
    let table = match group {
        Group::Other => return Ok(()),
        Group::Identity => "identity",
        Group::Address => "address",
        Group::Document => "document",
        Group::NationalId => "national_id",
    };
    let mut multiple = fields
        .iter()
        .filter(|(field, filling)| {
            filling.is_multiple()
                && !matches!(
                    field,
                    Field::Aliases | Field::Nationality | Field::PlaceOfBirth | Field::Sex
                )
        })
        .map(|(field, _)| *field);
    match (multiple.next(), multiple.next()) {
        (Some(first), Some(second)) => Err(MapFileError::Crosswise {
            first,
            second,
            table,
        }),
        _ => Ok(()),
    }
}

/// Names in a further thing, with the field, the one that makes it a thing first.
fn parts_of(group: Group) -> Vec<(&'static str, Field)> {
    match group {
        Group::Document => vec![
            ("number", Field::DocumentNumber),
            ("state", Field::DocumentState),
            ("type", Field::DocumentType),
        ],
        Group::NationalId => vec![
            ("number", Field::NationalId),
            ("type", Field::NationalIdType),
        ],
        _ => Field::ALL
            .iter()
            .filter(|field| field.group() == group)
            .map(|field| (field.name(), *field))
            .collect(),
    }
}

/// One `[[document]]`, `[[national_id]]`, `[[identity]]` or `[[address]]`.
fn further(
    group: Group,
    index: usize,
    mut table: BTreeMap<String, Value>,
) -> Result<Thing, MapFileError> {
    let name = match group {
        Group::Identity => "identity",
        Group::Address => "address",
        Group::Document => "document",
        Group::NationalId => "national_id",
        Group::Other => unreachable!("what stands alone has no table"),
    };
    let place = format!("[[{name}]] {}", index + 1);
    let list_split = match table.remove("split") {
        None => None,
        Some(Value::String(separator)) if !separator.is_empty() => Some(separator),
        Some(_) => return Err(empty(&place, "split")),
    };
    let parts = parts_of(group);
    let mut fields = BTreeMap::new();
    for (name, value) in table {
        let Some((_, field)) = parts.iter().find(|(part, _)| *part == name) else {
            return Err(MapFileError::UnknownPart {
                place,
                name,
                known: parts.iter().map(|(part, _)| *part).collect(),
            });
        };
        fields.insert(*field, filling(&place, &name, value)?);
    }
    let has_column = |field: &Field| {
        fields
            .get(field)
            .is_some_and(|filling: &Filling| !filling.columns().is_empty())
    };
    match group {
        Group::Document | Group::NationalId if !has_column(&parts[0].1) => {
            Err(MapFileError::NoColumn {
                place,
                needed: parts[0].0,
            })
        }
        Group::Identity | Group::Address if !fields.keys().any(has_column) => {
            Err(MapFileError::NoColumn {
                place,
                needed: "one of its fields",
            })
        }
        _ => Ok(Thing {
            group,
            is_principal: false,
            fields,
            list_split,
        }),
    }
}

fn filling(place: &str, name: &str, value: Value) -> Result<Filling, MapFileError> {
    match value {
        Value::String(column) => Ok(Filling::Columns {
            columns: vec![named(place, name, &column)?],
            split: None,
        }),
        Value::Table(table) => match table.get("constant") {
            Some(Value::String(constant)) if table.len() == 1 => {
                Ok(Filling::Constant(named(place, name, constant)?))
            }
            _ => Err(not_filling(place, name)),
        },
        _ => Err(not_filling(place, name)),
    }
}

fn column_names(place: &str, name: &str, value: Value) -> Result<Vec<String>, MapFileError> {
    match value {
        Value::String(column) => Ok(vec![named(place, name, &column)?]),
        Value::Array(columns) if !columns.is_empty() => columns
            .iter()
            .map(|column| {
                let column = column.as_str().ok_or_else(|| not_filling(place, name))?;
                named(place, name, column)
            })
            .collect(),
        _ => Err(not_filling(place, name)),
    }
}

fn named(place: &str, name: &str, text: &str) -> Result<String, MapFileError> {
    let text = text.trim();
    if text.is_empty() {
        Err(empty(place, name))
    } else {
        Ok(text.to_owned())
    }
}

fn empty(place: &str, name: &str) -> MapFileError {
    MapFileError::Empty {
        place: place.to_owned(),
        name: name.to_owned(),
    }
}

fn not_filling(place: &str, name: &str) -> MapFileError {
    MapFileError::NotFilling {
        place: place.to_owned(),
        name: name.to_owned(),
    }
}
