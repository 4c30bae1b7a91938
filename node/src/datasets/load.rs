//! One load: rows into a new generation, then the switch.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::MutexGuard;

use mandorla_agreement::{ID_CHARS_MAX, SET_SUBJECTS_MAX};
use mandorla_control::{
    ApiError, DATASET_LOAD_ROLES, DatasetLoad, DatasetUseView, DatasetView, ErrorCode,
    LoadReportView, RejectedView,
};
use mandorla_linkage::{
    Field, LoadError, LoadReport, LocalExclusions, MapFile, RowLimits, load_csv,
};
use sha2::{Digest as _, Sha256};

use super::rows::{NewRows, sweep_locked, try_lock};
use super::uses::{Use, naming};
use super::{by_word, view};
use crate::events::Event;
use crate::failed::Failed;
use crate::node::{Caller, Node};
use crate::records::dataset::{DATASETS, DatasetRecord};
use crate::server::role_of;

/// Loads a file, or only reports on it.
pub(super) fn load(
    node: &Node,
    caller: &Caller,
    header: &DatasetLoad,
    file: impl Read,
) -> Result<DatasetView, ApiError> {
    check_name(&header.name)?;
    let map = MapFile::parse(&header.map).map_err(|error| {
        ApiError::new(ErrorCode::BadMap, error.to_string())
            .hint("correct the map file, then: mandorla dataset load … --dry-run")
    })?;
    if header.dry_run {
        let facts = read(node, &header.name, file, &map, |_| Ok(()))?;
        return Ok(view(facts.into_record(node, header, 0)));
    }
    let lock = try_lock(node).ok_or_else(|| {
        ApiError::new(ErrorCode::InUse, "another load is under way")
            .hint("wait for its end: mandorla dataset list")
    })?;
    let loaded = store(node, caller, header, &map, file);
    clean_up(node, &lock);
    loaded.map(view)
}

/// The old rows, or those of a load that broke off. The next load or start tries again if this fails.
fn clean_up(node: &Node, lock: &MutexGuard<'_, ()>) {
    if let Err(error) = sweep_locked(node, lock) {
        tracing::warn!(%error, "rows that nothing needs were not removed");
    }
}

fn store(
    node: &Node,
    caller: &Caller,
    header: &DatasetLoad,
    map: &MapFile,
    file: impl Read,
) -> Result<DatasetRecord, ApiError> {
    let mut rows = NewRows::begin(node)?;
    let facts = read(node, &header.name, file, map, |subject| rows.push(subject))?;
    // A list that nobody is on is a list; a list of which nothing could be read is a mistake.
    if facts.report.rows_in > 0 && facts.report.rejected_rows() == facts.report.rows_in {
        let message = format!(
            "none of {} rows became a subject; nothing was kept",
            facts.report.rows_in
        );
        return Err(ApiError::new(ErrorCode::BadFile, message)
            .hint("mandorla dataset load … --dry-run says why each row was refused"));
    }
    let record = facts.into_record(node, header, rows.generation);
    let report = &record.report;
    let rejected: serde_json::Map<String, serde_json::Value> = report
        .rejected
        .iter()
        .map(|(reason, rows)| (reason.clone(), rows.rows.into()))
        .collect();
    let counts = |of: &BTreeMap<String, u64>| serde_json::json!(of);
    let event = node
        .event_by(
            Event::DatasetLoaded,
            caller,
            role_of(caller, DATASET_LOAD_ROLES),
        )
        .detail("dataset", record.name.clone())
        .detail("generation", record.generation)
        .detail("rows_in", report.rows_in)
        .detail("accepted", report.accepted)
        .detail("rejected", rejected)
        .detail("excluded_rows", report.excluded_rows)
        .detail("excluded", counts(&report.excluded))
        .detail("flagged", counts(&report.flagged))
        .detail("warnings", report.warnings.len())
        .detail("file_digest", report.file_digest.clone())
        .detail("digest", record.digest.clone())
        .detail("synthetic", record.synthetic);
    node.store.write(|tx| {
        rows.put(tx)?;
        tx.put(DATASETS, record.name.as_str(), &record)?;
        tx.append_ledger(event)?;
        Ok::<_, Failed>(())
    })?;
    Ok(record)
}

/// What a file holds.
struct Facts {
    subjects: u64,
    fields: BTreeSet<Field>,
    digest: [u8; 32],
    synthetic: bool,
    report: LoadReport,
    agreements: Vec<DatasetUseView>,
}

/// Reads a file and hands on the bytes of each subject.
fn read(
    node: &Node,
    name: &str,
    file: impl Read,
    map: &MapFile,
    mut keep: impl FnMut(&[u8]) -> Result<(), ApiError>,
) -> Result<Facts, ApiError> {
    let limits = RowLimits {
        rows_max: SET_SUBJECTS_MAX, // a larger dataset could take part in no round
        now_unix_s: Some(node.clock.now_s()),
        local: LocalExclusions {
            exclude: node.config.policy.exclude.iter().copied().collect(),
            nationalities_out: node
                .config
                .policy
                .nationalities_out
                .iter()
                .cloned()
                .collect(),
        },
        ..RowLimits::default()
    };
    let held = naming(node, name)?;
    let mut uses: Vec<Use<'_>> = held.iter().map(Use::new).collect();
    let mut subjects = 0;
    let mut fields = BTreeSet::new();
    // Framed by length, so that no two lists of subjects have the same digest.
    let mut digest = Sha256::new();
    let mut kept = Ok(());
    let loaded = load_csv(file, map, &limits).map_err(|error| unreadable(&error))?;
    let report = loaded.for_each_subject(|subject| {
        if kept.is_err() {
            return; // the file is read to its end for its digest's sake only
        }
        let bytes = subject.to_bytes();
        digest.update((bytes.len() as u64).to_le_bytes());
        digest.update(&bytes);
        fields.extend(subject.fields());
        for of_agreement in &mut uses {
            of_agreement.count(node, &subject);
        }
        subjects += 1;
        kept = keep(&bytes);
    });
    kept?;
    Ok(Facts {
        subjects,
        fields,
        digest: digest.finalize().into(),
        synthetic: map.synthetic(),
        report: report.map_err(|error| unreadable(&error))?,
        agreements: uses.into_iter().map(Use::into_view).collect(),
    })
}

impl Facts {
    fn into_record(self, node: &Node, header: &DatasetLoad, generation: u64) -> DatasetRecord {
        let fields = self.fields.iter().map(|field| field.name().to_owned());
        DatasetRecord {
            name: header.name.clone(),
            generation,
            subjects: self.subjects,
            fields: fields.collect(),
            digest: hex::encode(self.digest),
            loaded_at: node.clock.now_s(),
            synthetic: self.synthetic,
            report: report_view(self.report, self.agreements, header.dry_run),
        }
    }
}

fn report_view(
    report: LoadReport,
    agreements: Vec<DatasetUseView>,
    dry_run: bool,
) -> LoadReportView {
    let mut warnings = report.warnings.lines();
    for of_agreement in &agreements {
        for (id, subjects) in &of_agreement.match_keys {
            if *subjects == 0 && report.subjects > 0 {
                let agreement = &of_agreement.agreement;
                warnings.push(format!("{agreement}: nobody has the match key {id}"));
            }
        }
    }
    let rejected = report.rejected.into_iter().map(|(reason, rejected)| {
        let rows = RejectedView {
            rows: rejected.rows,
            lines: rejected.first_lines,
        };
        (reason.words().to_owned(), rows)
    });
    LoadReportView {
        rows_in: report.rows_in,
        accepted: report.accepted,
        rejected: rejected.collect(),
        excluded_rows: report.excluded_rows,
        excluded: report.excluded,
        flagged: by_word(&report.flagged),
        agreements,
        warnings,
        file_digest: report.sha256,
        dry_run,
    }
}

/// The rule of dataset names in agreements.
fn check_name(name: &str) -> Result<(), ApiError> {
    let known = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let fits = name.len() <= ID_CHARS_MAX
        && name.bytes().all(known)
        && name
            .as_bytes()
            .first()
            .is_some_and(u8::is_ascii_alphanumeric);
    if fits {
        return Ok(());
    }
    let message = format!(
        "dataset names have 1 to {ID_CHARS_MAX} letters, digits, - and _, a letter or digit first"
    );
    Err(ApiError::new(ErrorCode::BadRequest, message)
        .hint("mandorla dataset load NAME FILE --map FILE"))
}

/// The texts of a load error may quote the header line, never a row.
fn unreadable(error: &LoadError) -> ApiError {
    let (code, hint) = match error {
        LoadError::MissingColumns { .. }
        | LoadError::AmbiguousColumn { .. }
        | LoadError::NoHeader { .. } => (
            ErrorCode::BadMap,
            "nothing was kept; name the columns in the map file as the header of the data file has them, then: mandorla dataset load … --dry-run",
        ),
        LoadError::WrongDelimiter { .. } => (
            ErrorCode::BadFile,
            "nothing was kept; set the delimiter in the map file, then: mandorla dataset load … --dry-run",
        ),
        LoadError::NotUtf8 { .. } => (
            ErrorCode::BadFile,
            "nothing was kept; convert the file, for example: iconv -f WINDOWS-1250 -t UTF-8 FILE; then: mandorla dataset load … --dry-run",
        ),
        LoadError::Io(_) => (ErrorCode::BadFile, "nothing was kept; load the file again"),
        _ => (
            ErrorCode::BadFile,
            "nothing was kept; correct the file, then: mandorla dataset load … --dry-run",
        ),
    };
    ApiError::new(code, error.to_string()).hint(hint)
}
