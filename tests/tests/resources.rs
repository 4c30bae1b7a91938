//! A node that runs out of something says so, leaves nothing half-done, and goes on when it has it again.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use mandorla_control::{DatasetList, ErrorCode, RoundView, Status};
use mandorla_tests::{
    Deal, Line, entries, evaluated, follow, is_the_join, logs_agree, numbered, numbers_deal,
    propose,
};

/// Room for a node with twenty thousand subjects, and little more.
const DISK: &str = "size=96m,mode=0700";
/// A fault that is met at each try is said well within this.
const SAID_WITHIN: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// What fills the rest of it.
const BALLAST_BLOCK: usize = 1 << 16;

/// A small file system in memory, at a node's data directory.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts it and moves what is there onto it; none if this account may not mount.
    fn under(directory: &Path) -> Option<Self> {
        let aside = directory.with_extension("aside");
        fs::rename(directory, &aside).expect("a test's own directory");
        fs::create_dir(directory).expect("a test's own directory");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", DISK, "tmpfs"])
            .arg(directory)
            .output();
        let mounted = mount.is_ok_and(|mount| mount.status.success());
        if !mounted {
            fs::remove_dir(directory).expect("it is empty");
            fs::rename(&aside, directory).expect("as it was");
            return None;
        }
        let disk = Self(directory.to_owned());
        let copy = Command::new("cp")
            .arg("-a")
            .arg(aside.join("."))
            .arg(directory)
            .status();
        assert!(
            copy.is_ok_and(|copy| copy.success()),
            "the node's files fit"
        );
        Some(disk)
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// Leaves no byte free.
    fn fill(&self) {
        use std::io::Write as _;
        let mut file = fs::File::create(self.ballast()).expect("a file");
        let block = vec![1; BALLAST_BLOCK];
        while file.write_all(&block).is_ok() {}
        while file.write_all(&[1]).is_ok() {}
    }

    fn free(&self) {
        fs::remove_file(self.ballast()).expect("the ballast");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

async fn stopped_in_the_evaluation(line: &Line, deal: &Deal) -> RoundView {
    let round = propose(&line.agencies, deal).await.unwrap();
    let some = |round: &RoundView| round.chunks.is_some_and(|(done, _)| done >= 1);
    follow(line.agencies.requester(), &round.id, some)
        .await
        .unwrap();
    line.relay.cut();
    let round = follow(line.agencies.requester(), &round.id, |_| true)
        .await
        .unwrap();
    assert_eq!(round.state, "evaluating");
    round
}

/// Waits until a node's messages say this, after what they said before.
async fn until_said(log: &Path, words: &str, from: usize) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    let said = async {
        loop {
            look.tick().await;
            let said = fs::read_to_string(log).unwrap_or_default();
            if said[from..].contains(words) {
                return;
            }
        }
    };
    let in_time = tokio::time::timeout(SAID_WITHIN, said).await;
    assert!(in_time.is_ok(), "{} does not say: {words}", log.display());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_a_round_and_space_lets_it_go_on() {
    let mut line = Line::two().await.unwrap();
    let deal = Deal {
        slots_s: vec![12],
        ..numbers_deal()
    };
    let lists = [numbered("A", 19_990..20_020), numbered("K", 0..20_000)];
    line.agencies
        .prepare(&deal, [&lists[0], &lists[1]])
        .await
        .unwrap();
    line.agencies.world.node_mut(1).stop().await;
    let directory = line.agencies.responder().data_dir().to_owned();
    let Some(disk) = SmallDisk::under(&directory) else {
        eprintln!("NOT RUN: this account may not mount a file system, so no disk can be filled");
        return;
    };
    line.agencies.world.node_mut(1).restart().await.unwrap();
    let round = stopped_in_the_evaluation(&line, &deal).await;
    let log = line.agencies.responder().log().to_owned();
    let from = fs::read_to_string(&log).unwrap().len();
    disk.fill();
    line.relay.restore();
    until_said(&log, "No space left on device", from).await;
    let own = follow(line.agencies.requester(), &round.id, |_| true)
        .await
        .unwrap();
    assert_eq!(own.state, "evaluating", "nothing is over");
    disk.free();
    let asked = evaluated(&line.agencies, &round.id).await.unwrap();
    assert_eq!(asked.own.wire_id, round.wire_id);
    let charges = entries(line.agencies.requester(), "round.terms")
        .await
        .unwrap();
    assert_eq!(charges.len(), 1, "charged once");
    let asked = line.agencies.approve(&asked).await.unwrap();

    // Full again, now under the database.
    let waiting = line.agencies.waiting(&asked).await.unwrap();
    assert_eq!(waiting.len(), 10);
    line.agencies.release(&waiting[0].item, &[]).await.unwrap();
    disk.fill();
    let more = line
        .agencies
        .responder()
        .load("more", &lists[1].map, &lists[1].csv)
        .await;
    let error = more.expect_err("twenty thousand subjects find no room");
    assert_eq!(error.code, ErrorCode::Storage);
    assert!(
        error.message.contains("No space left on device"),
        "{}",
        error.message
    );
    assert!(error.hint.is_some_and(|hint| hint.contains("free space")));
    disk.free();
    // A database that could not write refuses to go on until it is opened again, as the hint says.
    line.agencies.world.node_mut(1).stop().await;
    line.agencies.world.node_mut(1).restart().await.unwrap();
    let datasets = line
        .agencies
        .responder()
        .as_operator(&DatasetList {})
        .await
        .unwrap();
    assert_eq!(datasets.len(), 1, "no half of a dataset");
    assert_eq!(
        line.agencies.page(&waiting[0].item).await.unwrap().decision,
        "released"
    );
    line.agencies.release_all(&asked).await.unwrap();
    let hits = line.agencies.answer(&asked).await.unwrap();
    is_the_join(&deal, [&lists[0], &lists[1]], &hits);
    logs_agree(&line.agencies).await;
    line.agencies.world.node_mut(1).stop().await;
}

/// Sets how many files a process may have open.
fn limit_files(pid: u32, most: usize) {
    let limit = Command::new("prlimit")
        .arg(format!("--pid={pid}"))
        .arg(format!("--nofile={most}:4096"))
        .status();
    assert!(
        limit.is_ok_and(|limit| limit.success()),
        "prlimit of an own process"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_file_handles_says_so_and_goes_on_when_it_has_some() {
    let line = Line::two().await.unwrap();
    let deal = numbers_deal();
    let lists = [numbered("A", 19_990..20_020), numbered("K", 0..20_000)];
    line.agencies
        .prepare(&deal, [&lists[0], &lists[1]])
        .await
        .unwrap();
    let round = stopped_in_the_evaluation(&line, &deal).await;
    let responder = line.agencies.responder();
    let pid = responder.pid().expect("it runs");
    let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    let log = responder.log().to_owned();
    let from = fs::read_to_string(&log).unwrap().len();
    limit_files(pid, open);
    line.relay.restore();
    until_said(&log, "Too many open files", from).await;
    limit_files(pid, 1_024);
    responder.as_operator(&Status {}).await.unwrap();
    let asked = evaluated(&line.agencies, &round.id).await.unwrap();
    assert_eq!(asked.own.wire_id, round.wire_id);
    let asked = line.agencies.approve(&asked).await.unwrap();
    line.agencies.release_all(&asked).await.unwrap();
    let hits = line.agencies.answer(&asked).await.unwrap();
    is_the_join(&deal, [&lists[0], &lists[1]], &hits);
    logs_agree(&line.agencies).await;
}
