//! The run files of a round.
//!
//! ```text
//! requester  <round>-cells.run     tag ‖ masked payload, ascending          until the question is acknowledged
//!            <round>-hits.run      u32 number (BE) ‖ u8 type ‖ hit key      until close
//!            <round>-numbers.run   u32 number (BE) ‖ u32 subject (BE)       until close
//! responder  <round>-prf-T-I.run   F(y) by row, of chunk I of type T        until the match
//!            <round>-cells.run     as received                              until the match
//!            <round>-seeds         blinding and item seed                   until the evaluation is complete
//! ```

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use mandorla_protocol::{ChunkHeader, HitKey, HitKeys, PrfValue};
use mandorla_store::run_file::{RunError, RunKind, RunOrder, RunReader, RunWriter, remove_durably};

use super::seeds;

pub(crate) const CELLS: RunKind = RunKind(1);
pub(crate) const HIT_KEYS: RunKind = RunKind(2);
pub(crate) const NUMBERS: RunKind = RunKind(3);
const PRF: RunKind = RunKind(4);

pub(crate) const HIT_KEY_RECORD_BYTES: u16 = 37;
pub(crate) const NUMBER_RECORD_BYTES: u16 = 8;
const PRF_RECORD_BYTES: u16 = 32;

pub(crate) fn cells_name(round: &str) -> String {
    format!("{round}-cells.run")
}

pub(crate) fn hits_name(round: &str) -> String {
    format!("{round}-hits.run")
}

pub(crate) fn numbers_name(round: &str) -> String {
    format!("{round}-numbers.run")
}

fn prf_name(round: &str, header: ChunkHeader) -> String {
    format!("{round}-prf-{}-{}.run", header.key_type, header.chunk)
}

/// Writes the values of a verified chunk; a file of the same name from before a crash is replaced.
pub(crate) fn write_prf(
    dir: &Path,
    round: &str,
    header: ChunkHeader,
    values: &[PrfValue],
) -> Result<(), RunError> {
    let name = prf_name(round, header);
    remove(&dir.join(&name))?;
    let mut writer = RunWriter::create(dir, &name, PRF, PRF_RECORD_BYTES, RunOrder::Unsorted)?;
    for value in values {
        writer.push(value.as_bytes())?;
    }
    writer.finish().map(|_| ())
}

/// Reads the values of a chunk, in row order.
pub(crate) fn read_prf(
    dir: &Path,
    round: &str,
    header: ChunkHeader,
) -> Result<Vec<PrfValue>, RunError> {
    let mut reader = RunReader::open(&dir.join(prf_name(round, header)), PRF, PRF_RECORD_BYTES)?;
    let mut values = Vec::with_capacity(usize::try_from(reader.count()).unwrap_or(0));
    while let Some(record) = reader.next_record()? {
        values.push(PrfValue::from_bytes(
            record.try_into().expect("records of 32 bytes"),
        ));
    }
    Ok(values)
}

/// Removes a file if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), RunError> {
    if path.exists() {
        remove_durably(path)
    } else {
        Ok(())
    }
}

/// Removes every run file of a round whose name passes `which`.
pub(crate) fn remove_of_round(
    dir: &Path,
    round: &str,
    which: impl Fn(&str) -> bool,
) -> Result<(), RunError> {
    let prefix = format!("{round}-");
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(&prefix)) else {
            continue;
        };
        if which(rest) {
            if rest == seeds::SUFFIX {
                seeds::overwrite(&entry.path())?;
            }
            remove_durably(&entry.path())?;
        }
    }
    Ok(())
}

/// The requester's hit keys and numbers of a round, for opening answers.
pub(crate) struct HitKeyFile {
    keys: RefCell<RunReader>,
    numbers: RefCell<RunReader>,
    /// The first read that failed: what came back as "none" then means nothing.
    error: RefCell<Option<RunError>>,
}

impl HitKeyFile {
    pub(crate) fn open(dir: &Path, round: &str) -> Result<Self, RunError> {
        let open = |name: String, kind, bytes| {
            let path: PathBuf = dir.join(name);
            RunReader::open(&path, kind, bytes).map(RefCell::new)
        };
        Ok(Self {
            keys: open(hits_name(round), HIT_KEYS, HIT_KEY_RECORD_BYTES)?,
            numbers: open(numbers_name(round), NUMBERS, NUMBER_RECORD_BYTES)?,
            error: RefCell::new(None),
        })
    }

    /// The first read that failed, if one did.
    pub(crate) fn take_error(&self) -> Option<RunError> {
        self.error.borrow_mut().take()
    }

    /// The own subject behind a number.
    pub(crate) fn subject(&self, number: u32) -> Option<u32> {
        let found = find(&mut self.numbers.borrow_mut(), &number.to_be_bytes());
        let rest = self.noted(found)?.into_iter().next()?;
        Some(u32::from_be_bytes(rest.try_into().ok()?))
    }

    fn noted<T>(&self, result: Result<T, RunError>) -> Option<T> {
        result
            .map_err(|error| {
                self.error.borrow_mut().get_or_insert(error);
            })
            .ok()
    }
}

impl HitKeys for HitKeyFile {
    fn hit_keys(&self, subject_number: u32, key_type: u8) -> Vec<HitKey> {
        let mut prefix = [0; 5];
        prefix[..4].copy_from_slice(&subject_number.to_be_bytes());
        prefix[4] = key_type;
        let found = find(&mut self.keys.borrow_mut(), &prefix);
        let rests = self.noted(found).unwrap_or_default();
        rests
            .into_iter()
            .filter_map(|rest| Some(HitKey::from_bytes(rest.try_into().ok()?)))
            .collect()
    }
}

/// What follows a prefix in every record that begins with it.
fn find(reader: &mut RunReader, prefix: &[u8]) -> Result<Vec<Vec<u8>>, RunError> {
    let mut rests = Vec::new();
    let mut at = reader.lower_bound(prefix)?;
    while at < reader.count() {
        let Some(rest) = reader.record(at)?.strip_prefix(prefix) else {
            break;
        };
        rests.push(rest.to_vec());
        at += 1;
    }
    Ok(rests)
}
