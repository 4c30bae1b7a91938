use mandorla_control::CheckStatus::{self, Fail, Ok as Fine, Warn};

use super::*;
use crate::config::Finding;
use crate::doctor::host::ConfigFacts;

fn entry(name: &str, mode: u32) -> Entry {
    Entry {
        name: name.into(),
        uid: 7,
        mode,
        is_dir: false,
    }
}

fn healthy() -> Facts {
    Facts {
        data_dir: "/data".into(),
        node_answers: true,
        own_uid: 7,
        dir: Some(Entry {
            is_dir: true,
            ..entry("/data", 0o700)
        }),
        config: Some(ConfigFacts {
            errors: Vec::new(),
            warnings: Vec::new(),
        }),
        key_files: vec![entry("keys.toml", 0o600)],
        others: vec![entry("store.redb", 0o600)],
        disk: Some((50 << 30, 100 << 30)),
        memory_available: Some(8 << 30),
        kernel: Ok("avx2".into()),
        udp: None,
        time_synchronised: Some(true),
        suid_dumpable: Some(0),
        open_files: Some(4_096),
        swaps: Vec::new(),
    }
}

/// The worst outcome of a check after a change.
fn worst(check: Check, change: impl FnOnce(&mut Facts)) -> CheckStatus {
    let mut facts = healthy();
    change(&mut facts);
    let found = judge(&facts);
    let of_check = found.iter().filter(|view| view.check == check);
    for view in &found {
        let is_whole = view.why.is_some() && view.remedy.is_some();
        assert!(view.status == Fine || is_whole, "{view:?}");
    }
    of_check.map(|view| view.status).max().unwrap()
}

fn finding() -> Finding {
    Finding {
        line: Some(3),
        key: "code".into(),
        problem: "p".into(),
        fix: "f".into(),
    }
}

#[test]
fn a_healthy_host_passes_every_check_of_a_host() {
    let found = judge(&healthy());
    assert!(found.iter().all(|view| view.status == Fine), "{found:?}");
    let host = Check::ALL.iter().copied();
    let host = host.filter(|check| check.side() == mandorla_control::CheckSide::Host);
    let made: Vec<Check> = found.iter().map(|view| view.check).collect();
    assert_eq!(made, host.collect::<Vec<_>>(), "each once, in order");
}

type Change = fn(&mut Facts);

#[test]
fn each_check_of_a_host_can_fail_or_warn_and_says_why_and_what_to_do() {
    let cases: [(Check, CheckStatus, Change); 26] = [
        (Check::DataDir, Fail, |f| f.dir = None),
        (Check::DataDir, Fail, |f| f.dir.as_mut().unwrap().uid = 8),
        (Check::DataDir, Fail, |f| {
            f.dir.as_mut().unwrap().mode = 0o750;
        }),
        (Check::DataDir, Fail, |f| {
            f.dir.as_mut().unwrap().mode = 0o500;
        }),
        (Check::Config, Fail, |f| f.config = None),
        (Check::Config, Fail, |f| {
            f.config.as_mut().unwrap().errors.push(finding());
        }),
        (Check::Config, Warn, |f| {
            f.config.as_mut().unwrap().warnings.push(finding());
        }),
        (Check::KeyFiles, Fail, |f| f.key_files.clear()),
        (Check::KeyFiles, Fail, |f| f.key_files[0].mode = 0o640),
        (Check::KeyFiles, Fail, |f| f.key_files[0].uid = 8),
        (Check::KeyFiles, Warn, |f| {
            f.key_files.push(entry("auditor.key", 0o600));
        }),
        (Check::FileModes, Warn, |f| f.others[0].mode = 0o644),
        (Check::FileModes, Fail, |f| f.others[0].mode = 0o660),
        (Check::Disk, Fail, |f| {
            f.disk = Some((DISK_FREE_FAIL_BYTES - 1, 1 << 40));
        }),
        (Check::Disk, Warn, |f| {
            f.disk = Some((DISK_FREE_FAIL_BYTES, 1 << 40));
        }),
        (Check::Disk, Warn, |f| f.disk = None),
        (Check::Memory, Fail, |f| {
            f.memory_available = Some(MEMORY_FAIL_BYTES - 1);
        }),
        (Check::Memory, Warn, |f| {
            f.memory_available = Some(MEMORY_FAIL_BYTES);
        }),
        (Check::Kernel, Fail, |f| {
            f.kernel = Err("no such level".into());
        }),
        (Check::Udp, Fail, |f| {
            f.node_answers = false;
            f.udp = Some(Err("in use".into()));
        }),
        (Check::TimeSync, Fail, |f| f.time_synchronised = Some(false)),
        (Check::TimeSync, Warn, |f| f.time_synchronised = None),
        (Check::CoreDumps, Warn, |f| f.suid_dumpable = Some(1)),
        (Check::OpenFiles, Fail, |f| f.open_files = Some(64)),
        (Check::Swap, Warn, |f| {
            f.swaps.push(("/dev/sda2".into(), false));
        }),
        (Check::Node, Warn, |f| f.node_answers = false),
    ];
    for (check, expected, change) in cases {
        assert_eq!(worst(check, change), expected, "{check}");
    }
    assert_eq!(
        worst(Check::Swap, |f| f.swaps.push(("/dev/zram0".into(), true))),
        Fine
    );
    assert_eq!(worst(Check::OpenFiles, |f| f.open_files = Some(300)), Warn);
}
