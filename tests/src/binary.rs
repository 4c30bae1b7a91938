//! The program under test: the real binary beside the tests' own, never an old one.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// Manifests and settings that cargo's list of sources does not name.
const SETTINGS: [&str; 5] = [
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    ".cargo/config.toml",
    "cli/Cargo.toml",
];

/// The binary `mandorla` of the tests' own profile. It is built if it is missing or older than a source of its own; tests
/// that run side by side wait for one build.
///
/// # Panics
/// If it cannot be built.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let build = Build::of_this_profile();
        let lock = build.beside("mandorla-tests.lock");
        let lock =
            File::create(&lock).unwrap_or_else(|error| panic!("{}: {error}", lock.display()));
        lock.lock().expect("an advisory lock of a local file");
        if !build.is_fresh() {
            build.run();
        }
        build.beside("mandorla")
    })
}

struct Build {
    /// `target/<profile>`
    directory: PathBuf,
}

impl Build {
    fn of_this_profile() -> Self {
        let own = std::env::current_exe().expect("a test knows its own file");
        let directory = own.parent().expect("a file stands in a directory");
        let in_deps = directory.ends_with("deps") || directory.ends_with("examples");
        let directory = if in_deps {
            directory.parent().expect("deps stands in the profile's")
        } else {
            directory
        };
        Self {
            directory: directory.to_owned(),
        }
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Whether the binary, or the last build from here that changed nothing, is younger than every source.
    fn is_fresh(&self) -> bool {
        let Some(built) = modified(&self.beside("mandorla")) else {
            return false;
        };
        let built = built.max(modified(&self.stamp()).unwrap_or(built));
        let Ok(list) = fs::read_to_string(self.beside("mandorla.d")) else {
            return false;
        };
        let root = workspace();
        let settings = SETTINGS.iter().map(|name| root.join(name));
        // A source that is gone counts as changed.
        sources(&list)
            .into_iter()
            .chain(settings)
            .all(|source| modified(&source).is_some_and(|changed| changed < built))
    }

    fn stamp(&self) -> PathBuf {
        self.beside("mandorla-tests.stamp")
    }

    fn run(&self) {
        let started = SystemTime::now();
        let profile = self.directory.file_name().and_then(|name| name.to_str());
        let profile = match profile.expect("profiles have plain names") {
            "debug" => "dev",
            other => other,
        };
        let target = self.directory.parent().expect("target/<profile>");
        // Both packages are named, so that the features are those of the tests.
        let status = Command::new(env!("CARGO"))
            .current_dir(workspace())
            .args(["build", "--quiet", "--bin", "mandorla"])
            .args(["-p", "mandorla", "-p", "mandorla-tests"])
            .args(["--profile", profile])
            .arg("--target-dir")
            .arg(target)
            .status()
            .expect("cargo can be started");
        assert!(status.success(), "the program under test cannot be built");
        assert!(
            self.beside("mandorla").is_file(),
            "no program beside the tests in {}",
            self.directory.display()
        );
        let stamp = File::create(self.stamp()).expect("a file can be made in target");
        stamp
            .set_modified(started)
            .expect("an own file's time can be set");
    }
}

fn workspace() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().expect("the tests stand in the workspace")
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path)
        .and_then(|metadata| metadata.modified())
        .ok()
}

/// The sources in a dependency file of cargo's: `<output>: <source> <source> …`, blanks in names escaped.
fn sources(list: &str) -> Vec<PathBuf> {
    let Some((_, sources)) = list.lines().next().and_then(|line| line.split_once(": ")) else {
        return Vec::new();
    };
    let unescaped = sources.replace("\\ ", "\0");
    unescaped
        .split_whitespace()
        .map(|source| PathBuf::from(source.replace('\0', " ")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read_from_the_list_with_blanks_in_their_names() {
        let list = "/t/debug/mandorla: /a/b.rs /c\\ d/e.rs\n\n/a/b.rs:\n";
        assert_eq!(
            sources(list),
            [PathBuf::from("/a/b.rs"), PathBuf::from("/c d/e.rs")]
        );
        assert!(sources("").is_empty());
    }

    #[test]
    fn a_binary_older_than_a_source_is_not_fresh() {
        let directory = std::env::temp_dir().join(format!("mandorla-fresh-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory can be made");
        let build = Build {
            directory: directory.clone(),
        };
        let old = File::create(build.beside("mandorla")).expect("made");
        assert!(!build.is_fresh(), "no list of sources");
        let source = workspace().join("cli/src/main.rs");
        let list = format!("/t/mandorla: {}\n", source.display());
        fs::write(build.beside("mandorla.d"), list).expect("written");
        old.set_modified(SystemTime::UNIX_EPOCH).expect("set");
        assert!(!build.is_fresh(), "the binary is older");
        old.set_modified(SystemTime::now()).expect("set");
        assert!(build.is_fresh());
        let list = format!("/t/mandorla: {}.gone\n", source.display());
        fs::write(build.beside("mandorla.d"), list).expect("written");
        assert!(!build.is_fresh(), "a source is gone");
        fs::remove_dir_all(directory).expect("removed");
    }
}
