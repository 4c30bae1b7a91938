//! What a fact means, why, and what ends it.

use mandorla_control::{Check, CheckView};

use super::host::{Entry, Facts};

/// Below this a load or a round may end half-way for want of room.
pub(crate) const DISK_FREE_FAIL_BYTES: u64 = 256 << 20;
/// The run files of one round of a million subjects.
const DISK_FREE_WARN_BYTES: u64 = 2 << 30;
/// A node without rounds uses some 50 MiB.
const MEMORY_FAIL_BYTES: u64 = 128 << 20;
/// The match of a round of a million subjects.
const MEMORY_WARN_BYTES: u64 = 1 << 30;
/// Connections, run files and the store of a small node.
const OPEN_FILES_FAIL: u64 = 256;
/// The same with every peer at once.
const OPEN_FILES_WARN: u64 = 1_024;

/// One line for each check, or one for each thing that is wrong.
pub(super) fn judge(facts: &Facts) -> Vec<CheckView> {
    let mut found = vec![data_dir(facts)];
    found.extend(config(facts));
    found.extend(key_files(facts));
    found.extend(file_modes(facts));
    found.extend([disk(facts), memory(facts), kernel(facts)]);
    found.extend(udp(facts));
    found.extend([
        time_sync(facts),
        core_dumps(facts),
        open_files(facts),
        swap(facts),
        node(facts),
    ]);
    found
}

fn data_dir(facts: &Facts) -> CheckView {
    let path = facts.data_dir.display();
    let Some(dir) = &facts.dir else {
        return CheckView::fail(
            Check::DataDir,
            format!("there is no directory {path}"),
            "a node keeps its keys, configuration and records there",
            "mandorla init --name NAME --country CC",
        );
    };
    if dir.uid != facts.own_uid {
        return CheckView::fail(
            Check::DataDir,
            format!(
                "{path} belongs to account {}, this is account {}",
                dir.uid, facts.own_uid
            ),
            "the node cannot use a directory of another account, and that account could change it",
            format!("chown -R {} {path}", facts.own_uid),
        );
    }
    if dir.mode & 0o077 != 0 || dir.mode & 0o700 != 0o700 {
        return CheckView::fail(
            Check::DataDir,
            format!("{path} has mode {:03o}", dir.mode),
            "it holds keys and records: its owner needs it whole, and nobody else at all",
            format!("chmod 700 {path}"),
        );
    }
    CheckView::ok(Check::DataDir, format!("{path}, mode 700"))
}

fn config(facts: &Facts) -> Vec<CheckView> {
    let Some(config) = &facts.config else {
        return vec![CheckView::fail(
            Check::Config,
            "there is no node.toml",
            "without it a directory is no node",
            "mandorla init --name NAME --country CC",
        )];
    };
    let errors = config.errors.iter().map(|finding| {
        let why = "the node does not start with it, or not again";
        CheckView::fail(
            Check::Config,
            finding.to_string(),
            why,
            "mandorla config check",
        )
    });
    let warnings = config.warnings.iter().map(|finding| {
        let why = "somebody who should hold a role cannot call the node";
        CheckView::warn(Check::Config, finding.to_string(), why, finding.fix.clone())
    });
    let found: Vec<CheckView> = errors.chain(warnings).collect();
    or_ok(found, Check::Config, "node.toml can be used")
}

fn key_files(facts: &Facts) -> Vec<CheckView> {
    let has_node = facts.config.is_some();
    if has_node && !facts.key_files.iter().any(|file| file.name == "keys.toml") {
        return vec![CheckView::fail(
            Check::KeyFiles,
            "there is no keys.toml",
            "the node cannot prove to its peers who it is",
            "mandorla help errors M-110",
        )];
    }
    let mut found = closed(
        facts,
        &facts.key_files,
        Check::KeyFiles,
        "others could read the keys",
    );
    let auditor = facts
        .key_files
        .iter()
        .find(|file| file.name == "auditor.key");
    found.extend(auditor.map(|_| {
        let path = facts.data_dir.join("auditor.key");
        CheckView::warn(
            Check::KeyFiles,
            "the auditor's private key is still here",
            "what is sealed to the auditor is sealed to nobody while the node's host has the key",
            format!("hand it to the auditor, then: shred -u {}", path.display()),
        )
    }));
    or_ok(found, Check::KeyFiles, "closed to all others")
}

fn file_modes(facts: &Facts) -> Vec<CheckView> {
    let why = "others could read or change records if the directory were opened";
    let found = closed(facts, &facts.others, Check::FileModes, why);
    or_ok(found, Check::FileModes, "closed to all others")
}

/// Entries that others may use, or that belong to another account. A file that others may only see through the closed
/// directory is a warning unless it holds keys.
fn closed(facts: &Facts, entries: &[Entry], check: Check, why: &str) -> Vec<CheckView> {
    let open = entries.iter().filter_map(|entry| {
        let path = facts.data_dir.join(&entry.name);
        let path = path.display();
        if entry.uid != facts.own_uid {
            let what = format!("{} belongs to account {}", entry.name, entry.uid);
            return Some(CheckView::fail(
                check,
                what,
                why,
                format!("chown {} {path}", facts.own_uid),
            ));
        }
        let what = format!("{} has mode {:03o}", entry.name, entry.mode);
        let remedy = format!("chmod {} {path}", if entry.is_dir { "700" } else { "600" });
        if entry.mode & 0o022 != 0 || (check == Check::KeyFiles && entry.mode & 0o077 != 0) {
            Some(CheckView::fail(check, what, why, remedy))
        } else if entry.mode & 0o055 != 0 {
            Some(CheckView::warn(check, what, why, remedy))
        } else {
            None
        }
    });
    open.collect()
}

fn or_ok(found: Vec<CheckView>, check: Check, what: &str) -> Vec<CheckView> {
    if found.is_empty() {
        vec![CheckView::ok(check, what)]
    } else {
        found
    }
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

fn disk(facts: &Facts) -> CheckView {
    let why = "a load or a round ends half-way when the disk is full";
    let remedy = "make room on this disk, or remove a dataset: mandorla dataset list";
    match facts.disk {
        None => CheckView::warn(
            Check::Disk,
            "the free space cannot be read",
            why,
            format!("df {}", facts.data_dir.display()),
        ),
        Some((free, total)) => {
            let what = format!("{} of {} free", mib(free), mib(total));
            if free < DISK_FREE_FAIL_BYTES {
                CheckView::fail(Check::Disk, what, why, remedy)
            } else if free < DISK_FREE_WARN_BYTES {
                CheckView::warn(Check::Disk, what, why, remedy)
            } else {
                CheckView::ok(Check::Disk, what)
            }
        }
    }
}

fn memory(facts: &Facts) -> CheckView {
    let why = "the system ends the node in the middle of a match when memory is out";
    let remedy = "end other programs on this host, or give it more memory";
    match facts.memory_available {
        None => CheckView::warn(
            Check::Memory,
            "the free memory cannot be read",
            why,
            "free -m",
        ),
        Some(bytes) => {
            let what = format!("{} to be had", mib(bytes));
            if bytes < MEMORY_FAIL_BYTES {
                CheckView::fail(Check::Memory, what, why, remedy)
            } else if bytes < MEMORY_WARN_BYTES {
                CheckView::warn(Check::Memory, what, why, remedy)
            } else {
                CheckView::ok(Check::Memory, what)
            }
        }
    }
}

fn kernel(facts: &Facts) -> CheckView {
    match &facts.kernel {
        Ok(level) => CheckView::ok(Check::Kernel, format!("level {level}")),
        Err(why) => CheckView::fail(
            Check::Kernel,
            why.clone(),
            "the node does not start with it",
            "unset MANDORLA_KERNEL",
        ),
    }
}

fn udp(facts: &Facts) -> Option<CheckView> {
    if facts.node_answers {
        return Some(CheckView::ok(Check::Udp, "held by the running node"));
    }
    Some(match facts.udp.as_ref()? {
        Ok(address) => CheckView::ok(Check::Udp, format!("{address} can be bound")),
        Err(why) => CheckView::fail(
            Check::Udp,
            why.clone(),
            "no peer reaches the node, and the node does not start",
            "ss -ulpn shows who has the port; or write another listen into node.toml",
        ),
    })
}

fn time_sync(facts: &Facts) -> CheckView {
    let why = "a peer refuses a round where the two clocks are more than five minutes apart";
    match facts.time_synchronised {
        Some(true) => CheckView::ok(Check::TimeSync, "a time service keeps the clock"),
        Some(false) => CheckView::fail(
            Check::TimeSync,
            "no time service keeps the clock",
            why,
            "timedatectl set-ntp true",
        ),
        None => CheckView::warn(
            Check::TimeSync,
            "it cannot be read here whether a time service keeps the clock",
            why,
            "date --utc, compared with another clock",
        ),
    }
}

fn core_dumps(facts: &Facts) -> CheckView {
    match facts.suid_dumpable {
        Some(1) => CheckView::warn(
            Check::CoreDumps,
            "fs.suid_dumpable is 1: this host dumps also what asked not to be dumped after a change of account",
            "the node's memory holds keys and records; the node switches its own dumps off, other programs that read its files may not",
            "sysctl -w fs.suid_dumpable=0",
        ),
        _ => CheckView::ok(
            Check::CoreDumps,
            "the node switches its own off when it starts",
        ),
    }
}

fn open_files(facts: &Facts) -> CheckView {
    let why = "connections and run files are files; a round ends when no more may be opened";
    let remedy = "ulimit -n 4096, or LimitNOFILE=4096 in the service";
    match facts.open_files {
        Some(limit @ ..OPEN_FILES_FAIL) => {
            CheckView::fail(Check::OpenFiles, format!("at most {limit}"), why, remedy)
        }
        Some(limit @ ..OPEN_FILES_WARN) => {
            CheckView::warn(Check::OpenFiles, format!("at most {limit}"), why, remedy)
        }
        Some(limit) => CheckView::ok(Check::OpenFiles, format!("at most {limit}")),
        None => CheckView::ok(Check::OpenFiles, "no limit"),
    }
}

fn swap(facts: &Facts) -> CheckView {
    let plain: Vec<&str> = facts
        .swaps
        .iter()
        .filter(|(_, safe)| !safe)
        .map(|(name, _)| name.as_str())
        .collect();
    if plain.is_empty() {
        return CheckView::ok(Check::Swap, "no swap that would outlive the power");
    }
    CheckView::warn(
        Check::Swap,
        format!("swapping to {}", plain.join(", ")),
        "keys and records of a round live in memory only, and swapping writes memory to a disk",
        format!("swapoff {}, or encrypt the swap", plain.join(" ")),
    )
}

fn node(facts: &Facts) -> CheckView {
    if facts.node_answers {
        return CheckView::ok(Check::Node, "answers on its control socket");
    }
    CheckView::warn(
        Check::Node,
        "no node answers, so the checks that a node makes are left out",
        "peers cannot reach a node that does not run",
        "mandorla node run",
    )
}

#[cfg(test)]
mod tests;
