//! The directory and the file, closed to other accounts.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::error::StoreError;

const DIR_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// The bits of a mode that concern group and others.
const OTHERS: u32 = 0o077;

/// Creates the directory if need be, and refuses one that other accounts can enter or own.
pub(crate) fn prepare_dir(dir: &Path) -> Result<(), StoreError> {
    DirBuilder::new()
        .mode(DIR_MODE)
        .recursive(true)
        .create(dir)
        .map_err(StoreError::io("create the directory", dir))?;
    let metadata = fs::metadata(dir).map_err(StoreError::io("examine", dir))?;
    if !metadata.is_dir() {
        return Err(StoreError::WrongFileType {
            path: dir.to_owned(),
            wanted: "directory",
        });
    }
    check_access(dir, &metadata, DIR_MODE)
}

/// Opens the database file, created if need be, and refuses one that other accounts can open, own
/// or have linked to elsewhere.
pub(crate) fn open_database_file(path: &Path) -> Result<File, StoreError> {
    let no_follow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .custom_flags(no_follow)
        .open(path)
        .map_err(StoreError::io("open", path))?;
    // Of the opened file, not of whatever the path names by now.
    let metadata = file.metadata().map_err(StoreError::io("examine", path))?;
    if !metadata.is_file() {
        return Err(StoreError::WrongFileType {
            path: path.to_owned(),
            wanted: "regular file",
        });
    }
    check_access(path, &metadata, FILE_MODE)?;
    if let Some(dir) = path.parent() {
        let synced = File::open(dir).and_then(|dir| dir.sync_all());
        synced.map_err(StoreError::io("make durable", dir))?;
    }
    Ok(file)
}

fn check_access(path: &Path, metadata: &Metadata, wanted: u32) -> Result<(), StoreError> {
    let mode = metadata.mode() & 0o7777;
    if mode & OTHERS != 0 {
        return Err(StoreError::OpenToOthers {
            path: path.to_owned(),
            mode,
            wanted,
        });
    }
    let (owner, runs_as) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner != runs_as {
        return Err(StoreError::ForeignOwner {
            path: path.to_owned(),
            owner,
            runs_as,
        });
    }
    Ok(())
}
