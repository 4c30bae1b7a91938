//! Temporary names, publishing under the final name, and removal.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::error::RunError;

const TEMPORARY_MARK: &str = ".tmp-";
/// Bytes of randomness in a temporary name: two writers of one name never meet.
const TEMPORARY_RANDOM_BYTES: usize = 8;
/// Folders below folders that [`remove_leftovers`] visits: rounds, and parts of rounds.
const FOLDER_DEPTH_MAX: usize = 4;

/// A file under a temporary name, removed when dropped unless it was published.
pub(super) struct TemporaryFile {
    dir: PathBuf,
    name: String,
    path: PathBuf,
    published: bool,
}

impl TemporaryFile {
    /// Creates `<dir>/<name>.tmp-<random>`, readable by this account only.
    pub(super) fn create(dir: &Path, name: &str) -> Result<(Self, File), RunError> {
        check_name(name)?;
        let mut random = [0; TEMPORARY_RANDOM_BYTES];
        getrandom::fill(&mut random)?;
        let path = dir.join(format!("{name}{TEMPORARY_MARK}{}", hex::encode(random)));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(RunError::io("create", &path))?;
        Ok((
            Self {
                dir: dir.to_owned(),
                name: name.to_owned(),
                path,
                published: false,
            },
            file,
        ))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file, whose content is durable, its final name, durably. Nothing is replaced.
    pub(super) fn publish(mut self) -> Result<PathBuf, RunError> {
        let target = self.dir.join(&self.name);
        match rename_new(&self.path, &target) {
            Ok(()) => self.published = true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(RunError::Exists { path: target });
            }
            Err(error) => return Err(RunError::io("rename", &self.path)(error)),
        }
        if let Err(error) = sync_dir(&self.dir) {
            // Not known to be durable: rather no file than one that may vanish.
            let _ = fs::remove_file(&target);
            return Err(RunError::io("make durable", &self.dir)(error));
        }
        Ok(target)
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if !self.published {
            // What stays behind is removed when the store is next opened.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes a file and makes its absence durable.
///
/// The name is gone for good afterwards; the bytes need not be. File systems with journals or
/// snapshots and solid-state disks keep old blocks, and overwriting them would write elsewhere. What
/// must be unreadable after its removal has to be encrypted under a key that is erased.
pub fn remove_durably(path: &Path) -> Result<(), RunError> {
    fs::remove_file(path).map_err(RunError::io("remove", path))?;
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    sync_dir(dir).map_err(RunError::io("make durable", dir))
}

/// Removes the temporary files that a crash left in a folder and the folders below; returns how many.
/// Nobody may be writing run files there.
pub fn remove_leftovers(dir: &Path) -> io::Result<u64> {
    remove_leftovers_below(dir, FOLDER_DEPTH_MAX)
}

fn remove_leftovers_below(dir: &Path, depth: usize) -> io::Result<u64> {
    let mut removed = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        // The entry's own type: links are neither followed nor removed.
        let kind = entry.file_type()?;
        if kind.is_dir() && depth > 0 {
            removed += remove_leftovers_below(&entry.path(), depth - 1)?;
        } else if kind.is_file() && is_temporary(&entry.file_name().to_string_lossy()) {
            fs::remove_file(entry.path())?;
            removed += 1;
        }
    }
    if removed > 0 {
        sync_dir(dir)?;
    }
    Ok(removed)
}

/// Whether this is a name that [`TemporaryFile::create`] makes.
fn is_temporary(name: &str) -> bool {
    name.rsplit_once(TEMPORARY_MARK)
        .is_some_and(|(stem, random)| {
            let digits = random.bytes().all(|byte| byte.is_ascii_hexdigit());
            !stem.is_empty() && digits && random.len() == 2 * TEMPORARY_RANDOM_BYTES
        })
}

fn check_name(name: &str) -> Result<(), RunError> {
    let refused = name.is_empty()
        || name.starts_with('.')
        || name.contains(['/', '\\', '\0'])
        || name.contains(TEMPORARY_MARK);
    if refused {
        Err(RunError::Name {
            name: name.to_owned(),
        })
    } else {
        Ok(())
    }
}

/// Renames without replacing what may be there.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;

        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // Some file systems cannot do this.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            result => return result.map_err(io::Error::from),
        }
    }
    fs::hard_link(from, to)?;
    fs::remove_file(from)
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
