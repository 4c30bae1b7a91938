//! One row: from cells to what it says about a subject.

use std::cell::Cell;

use csv::ByteRecord;
use unicode_normalization::UnicodeNormalization;

use super::header::Layout;
use super::report::RejectReason;
use super::{BadDates, RowLimits, VALUES_PER_SUBJECT_MAX};
use crate::field::{Field, Group};
use crate::map_file::{Filling, MapFile, Thing, flag};
use crate::subject::{Subject, Tuple};

/// What a row says.
pub(super) struct Row {
    /// Its reference, also where the row is refused, as far as it can be read.
    pub(super) reference: Option<String>,
    /// Whether it carries an exclusion, or a cell that may mean one.
    pub(super) is_flagged: bool,
    /// Whether a bad date of birth was left out.
    pub(super) date_dropped: bool,
    pub(super) subject: Result<Subject, RejectReason>,
}

impl Row {
    pub(super) fn read(
        record: &ByteRecord,
        column_count: usize,
        layout: &Layout,
        map: &MapFile,
        limits: &RowLimits,
    ) -> Self {
        let reader = RowReader {
            layout,
            map,
            limits,
            date_dropped: Cell::new(false),
        };
        if record.len() != column_count {
            return Self::refused(RejectReason::WrongFieldCount);
        }
        let cells: Result<Vec<String>, RejectReason> = layout
            .columns
            .iter()
            .map(|index| reader.cell(&record[*index]))
            .collect();
        let cells = match cells {
            Ok(cells) => cells,
            Err(reason) => {
                let reference = reader.cell(&record[layout.columns[layout.reference]]);
                return Self {
                    reference: reference.ok().filter(|reference| !reference.is_empty()),
                    ..Self::refused(reason)
                };
            }
        };
        let reference = cells[layout.reference].clone();
        let mut subject = Subject::new(reference.clone());
        let flags = reader.read_flags(&mut subject, &cells);
        Self {
            is_flagged: flags.is_err() || !subject.exclusions.is_empty(),
            subject: flags.and_then(|()| reader.read_things(subject, &cells)),
            date_dropped: reader.date_dropped.get(),
            reference: Some(reference).filter(|reference| !reference.is_empty()),
        }
    }

    fn refused(reason: RejectReason) -> Self {
        Self {
            reference: None,
            is_flagged: false,
            date_dropped: false,
            subject: Err(reason),
        }
    }
}

/// Whether a subject has more identities, documents or values than anybody has.
pub(super) fn has_too_many_values(subject: &Subject) -> bool {
    Group::ALL.iter().any(|group| {
        let tuples = subject.tuples_of(*group);
        tuples.len() > VALUES_PER_SUBJECT_MAX
            || tuples
                .iter()
                .flat_map(Tuple::values)
                .any(|values| values.len() > VALUES_PER_SUBJECT_MAX)
    })
}

struct RowReader<'a> {
    layout: &'a Layout,
    map: &'a MapFile,
    limits: &'a RowLimits,
    date_dropped: Cell<bool>,
}

impl RowReader<'_> {
    fn cell(&self, bytes: &[u8]) -> Result<String, RejectReason> {
        if bytes.len() > self.limits.field_bytes_max {
            return Err(RejectReason::FieldTooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| RejectReason::NotUtf8)?;
        Ok(text.trim().nfc().collect())
    }

    fn read_flags(&self, subject: &mut Subject, cells: &[String]) -> Result<(), RejectReason> {
        let mut all_read = Ok(());
        for (exclusion, place) in &self.layout.flags {
            match flag(&cells[*place]) {
                Some(true) => {
                    subject.exclusions.insert(*exclusion);
                }
                Some(false) => {}
                None => all_read = Err(RejectReason::BadFlag),
            }
        }
        all_read
    }

    fn read_things(&self, mut subject: Subject, cells: &[String]) -> Result<Subject, RejectReason> {
        for (thing, columns) in self.map.things().iter().zip(&self.layout.things) {
            let tuples = match &thing.list_split {
                None => vec![self.read_thing(thing, columns, cells)?],
                Some(separator) => self.read_list(thing, columns, cells, separator)?,
            };
            for tuple in tuples {
                let tuple = complete(&subject, thing, tuple);
                subject.push_tuple(thing.group, tuple);
            }
        }
        if has_too_many_values(&subject) {
            return Err(RejectReason::TooManyValues);
        }
        if subject.reference.is_empty() {
            return Err(RejectReason::MissingRef);
        }
        Ok(subject)
    }

    /// The values of its columns, without constants.
    fn read_thing(
        &self,
        thing: &Thing,
        columns: &[Vec<usize>],
        cells: &[String],
    ) -> Result<Tuple, RejectReason> {
        let mut tuple = Tuple::new();
        for ((field, filling), places) in thing.fields.iter().zip(columns) {
            let Filling::Columns { split, .. } = filling else {
                continue;
            };
            for place in places {
                let cell = cells[*place].as_str();
                match split {
                    None => self.put(&mut tuple, *field, cell)?,
                    Some(separator) => {
                        for part in cell.split(separator.as_str()) {
                            self.put(&mut tuple, *field, part.trim())?;
                        }
                    }
                }
            }
        }
        Ok(tuple)
    }

    /// Cells that hold lists: the first of each goes together, then the second; one alone goes with all.
    fn read_list(
        &self,
        thing: &Thing,
        columns: &[Vec<usize>],
        cells: &[String],
        separator: &str,
    ) -> Result<Vec<Tuple>, RejectReason> {
        let mut lists: Vec<(Field, Vec<&str>)> = Vec::new();
        for (field, places) in thing.fields.keys().zip(columns) {
            for place in places {
                if !cells[*place].is_empty() {
                    let parts = cells[*place].split(separator).map(str::trim);
                    lists.push((*field, parts.collect()));
                }
            }
        }
        let count = lists.iter().map(|(_, parts)| parts.len()).max();
        let count = count.unwrap_or(0);
        if count > VALUES_PER_SUBJECT_MAX {
            return Err(RejectReason::TooManyValues);
        }
        if lists
            .iter()
            .any(|(_, parts)| parts.len() != 1 && parts.len() != count)
        {
            return Err(RejectReason::UnevenLists);
        }
        (0..count)
            .map(|index| {
                let mut tuple = Tuple::new();
                for (field, parts) in &lists {
                    let part = if parts.len() == 1 {
                        parts[0]
                    } else {
                        parts[index]
                    };
                    self.put(&mut tuple, *field, part)?;
                }
                Ok(tuple)
            })
            .collect()
    }

    fn put(&self, tuple: &mut Tuple, field: Field, text: &str) -> Result<(), RejectReason> {
        if text.is_empty() {
            return Ok(());
        }
        let value = if field == Field::Dob {
            match self.map.date_format().read(text) {
                Some(date) => date.to_iso(),
                None if self.limits.bad_dates == BadDates::DropValue => {
                    self.date_dropped.set(true);
                    return Ok(());
                }
                None => return Err(RejectReason::BadDate),
            }
        } else {
            text.to_owned()
        };
        let values = tuple.entry(field).or_default();
        if !values.contains(&value) {
            values.push(value);
        }
        Ok(())
    }
}

/// Adds the constants, and to a further identity what it shares with the principal one. A document, a number or a further
/// thing that has nothing but constants does not exist.
fn complete(subject: &Subject, thing: &Thing, mut tuple: Tuple) -> Tuple {
    let makes_one = match thing.group {
        Group::Document if !thing.is_principal => tuple.contains_key(&Field::DocumentNumber),
        Group::NationalId if !thing.is_principal => tuple.contains_key(&Field::NationalId),
        Group::Identity | Group::Other if thing.is_principal => true,
        _ => !tuple.is_empty(),
    };
    if !makes_one {
        return Tuple::new();
    }
    if thing.group == Group::Identity
        && !thing.is_principal
        && let Some(principal) = subject.tuples_of(Group::Identity).first()
    {
        share(principal, &mut tuple);
    }
    for (field, filling) in &thing.fields {
        if let Filling::Constant(value) = filling {
            tuple.insert(*field, vec![value.nfc().collect()]);
        }
    }
    tuple
}

/// Somebody known under another name was born on the same day, unless the row says otherwise; somebody known with another
/// birth date has the same name. A name in one piece stands instead of given and family names.
fn share(principal: &Tuple, further: &mut Tuple) {
    let has_full = further.contains_key(&Field::FullName);
    let has_parts =
        further.contains_key(&Field::GivenNames) || further.contains_key(&Field::FamilyNames);
    for (field, values) in principal {
        let is_replaced = match field {
            Field::GivenNames | Field::FamilyNames => has_full,
            Field::FullName => has_parts,
            Field::Aliases => true,
            _ => false,
        };
        if !is_replaced && !further.contains_key(field) {
            further.insert(*field, values.clone());
        }
    }
}
