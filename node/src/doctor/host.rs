//! Reading the facts about a host. Nothing here says whether a fact is good.

use std::net::UdpSocket;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use mandorla_kernels::Kernel;
use rustix::process::{Resource, getrlimit};

use crate::config::{CONFIG_NAME, Config, Finding};

/// Files with secret keys.
const KEY_FILES: [&str; 3] = ["keys.toml", "pseudonym.key", "auditor.key"];

/// Entries of a data directory that are looked at; the rest of an overgrown one would look the same.
const ENTRIES_MAX: usize = 10_000;

/// Facts about the host and the data directory.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub data_dir: PathBuf,
    pub node_answers: bool,
    pub own_uid: u32,
    /// `None`: there is no such directory.
    pub dir: Option<Entry>,
    /// `None`: there is no node.toml.
    pub config: Option<ConfigFacts>,
    pub key_files: Vec<Entry>,
    /// Other files and directories in the data directory, its socket left out.
    pub others: Vec<Entry>,
    /// Free and total bytes of the data directory's disk.
    pub disk: Option<(u64, u64)>,
    /// Bytes of memory that could be had now.
    pub memory_available: Option<u64>,
    /// The level in use, or why there is none.
    pub kernel: Result<String, String>,
    /// Whether the UDP address could be bound; `None` where there is none or the node holds it.
    pub udp: Option<Result<String, String>>,
    /// Whether a time service keeps the clock; `None` where that cannot be read.
    pub time_synchronised: Option<bool>,
    /// `fs.suid_dumpable`.
    pub suid_dumpable: Option<u32>,
    /// Files that a process may have open; `None` is no limit.
    pub open_files: Option<u64>,
    /// Swap devices: file name and whether what is written there is lost at power-off or encrypted.
    pub swaps: Vec<(String, bool)>,
}

/// A file or directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Name in the data directory, or the directory itself.
    pub name: String,
    pub uid: u32,
    /// Permission bits.
    pub mode: u32,
    pub is_dir: bool,
}

/// What reading node.toml came to.
#[derive(Clone, Debug)]
pub(super) struct ConfigFacts {
    pub errors: Vec<Finding>,
    pub warnings: Vec<Finding>,
}

/// Reads them all.
pub(super) fn probe(data_dir: &Path, node_answers: bool) -> Facts {
    let text = std::fs::read_to_string(data_dir.join(CONFIG_NAME));
    let config = text.as_ref().ok().map(|text| Config::checked(text));
    let config_facts = match (&text, &config) {
        (Err(error), _) if error.kind() == std::io::ErrorKind::NotFound => None,
        (Err(error), _) => Some(ConfigFacts {
            errors: vec![Finding {
                line: None,
                key: String::new(),
                problem: error.to_string(),
                fix: "give the file to the node's account".to_owned(),
            }],
            warnings: Vec::new(),
        }),
        (Ok(text), Some(Ok(config))) => Some(ConfigFacts {
            errors: Vec::new(),
            warnings: config.warnings(text, data_dir),
        }),
        (Ok(_), Some(Err(errors))) => Some(ConfigFacts {
            errors: errors.clone(),
            warnings: Vec::new(),
        }),
        (Ok(_), None) => unreachable!("a text was checked"),
    };
    let listen = config.and_then(Result::ok).map(|config| config.listen);
    let (key_files, others) = entries(data_dir);
    Facts {
        data_dir: data_dir.to_owned(),
        node_answers,
        own_uid: rustix::process::geteuid().as_raw(),
        dir: entry(data_dir, data_dir.display().to_string()),
        config: config_facts,
        key_files,
        others,
        disk: disk(data_dir),
        memory_available: std::fs::read_to_string("/proc/meminfo")
            .ok()
            .and_then(|text| memory_available(&text)),
        kernel: Kernel::detect()
            .map(|kernel| kernel.level().to_string())
            .map_err(|error| error.to_string()),
        udp: listen.filter(|_| !node_answers).map(|listen| {
            let bound = UdpSocket::bind(listen);
            let bound = bound.map_err(|error| format!("{listen}: {error}"));
            bound.map(|_| listen.to_string())
        }),
        time_synchronised: time_synchronised(),
        suid_dumpable: std::fs::read_to_string("/proc/sys/fs/suid_dumpable")
            .ok()
            .and_then(|text| text.trim().parse().ok()),
        open_files: getrlimit(Resource::Nofile).current,
        swaps: std::fs::read_to_string("/proc/swaps")
            .map_or_else(|_| Vec::new(), |text| swaps(&text)),
    }
}

/// Free bytes of a directory's disk.
pub(crate) fn disk_free(dir: &Path) -> Option<u64> {
    disk(dir).map(|(free, _)| free)
}

fn disk(dir: &Path) -> Option<(u64, u64)> {
    let disk = rustix::fs::statvfs(dir).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
    Some((bytes(disk.f_bavail), bytes(disk.f_blocks)))
}

fn entry(path: &Path, name: String) -> Option<Entry> {
    let metadata = std::fs::symlink_metadata(path).ok()?;
    let is_socket = metadata.file_type().is_socket();
    (!is_socket).then(|| Entry {
        name,
        uid: metadata.uid(),
        mode: metadata.mode() & 0o777,
        is_dir: metadata.is_dir(),
    })
}

/// Key files, and everything else, one level deep.
fn entries(dir: &Path) -> (Vec<Entry>, Vec<Entry>) {
    let Ok(listing) = std::fs::read_dir(dir) else {
        return (Vec::new(), Vec::new());
    };
    let names = listing.flatten().take(ENTRIES_MAX);
    let found = names.filter_map(|found| {
        let name = found.file_name().to_string_lossy().into_owned();
        entry(&found.path(), name)
    });
    let mut found: Vec<Entry> = found.collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
        .into_iter()
        .partition(|entry| KEY_FILES.contains(&entry.name.as_str()))
}

/// `MemAvailable` of proc(5), given in KiB.
fn memory_available(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1_024)
}

/// Lines of /proc/swaps after its header. Compressed memory (zram) and device-mapper volumes, which carry an encrypted
/// swap, are told apart from plain partitions and files.
fn swaps(text: &str) -> Vec<(String, bool)> {
    let names = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next());
    names
        .map(|name| {
            let safe = name.starts_with("/dev/zram") || name.starts_with("/dev/dm-");
            (name.to_owned(), safe)
        })
        .collect()
}

/// What systemd knows; else the mark that systemd-timesyncd leaves.
fn time_synchronised() -> Option<bool> {
    let asked = Command::new("timedatectl")
        .args(["show", "--property=NTPSynchronized", "--value"])
        .output();
    let said = asked.ok().filter(|asked| asked.status.success());
    match said.as_ref().map(|said| said.stdout.trim_ascii()) {
        Some(b"yes") => Some(true),
        Some(b"no") => Some(false),
        _ => Path::new("/run/systemd/timesync/synchronized")
            .exists()
            .then_some(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_is_read() {
        let meminfo = "MemTotal: 900 kB\nMemFree: 1 kB\nMemAvailable:   2048 kB\n";
        assert_eq!(memory_available(meminfo), Some(2 << 20));
        assert_eq!(memory_available("MemTotal: 900 kB\n"), None);
        let header = "Filename\tType\tSize\tUsed\tPriority\n";
        assert_eq!(swaps(header), []);
        let two = format!("{header}/dev/sda2 partition 1 0 -2\n/dev/zram0 partition 1 0 5\n");
        assert_eq!(
            swaps(&two),
            [
                ("/dev/sda2".to_owned(), false),
                ("/dev/zram0".to_owned(), true)
            ]
        );
    }

    #[test]
    fn a_directory_is_read_without_its_socket() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("keys.toml"), "").unwrap();
        std::fs::write(dir.path().join("store.redb"), "").unwrap();
        let _socket =
            std::os::unix::net::UnixListener::bind(dir.path().join("control.sock")).unwrap();
        let (keys, others) = entries(dir.path());
        assert_eq!((keys.len(), others.len()), (1, 1));
        assert!(disk_free(dir.path()).unwrap() > 0);
    }
}
