//! A node that cannot start says what is wrong, why, and what to do, with a code; and nothing is half-done.

use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt as _;

use super::harness::{
    Daemon, audit_log, init, made, made_with, mandorla, program, ran, refused, stderr, stdout,
    with_auditor,
};

#[test]
fn a_data_directory_that_cannot_be_made_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "precious").unwrap();
    let made = init(&file.join("node"));
    refused(&made, 1, "M-110", "file/node", "init --help");
    assert_eq!(std::fs::read(&file).unwrap(), b"precious");
}

#[test]
fn a_port_that_is_taken_is_named_and_the_socket_is_gone_again() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (_dir, node) = made_with(&address);
    let start = ran(&node, &["node", "run"]);
    refused(&start, 1, "M-113", &address, "listen in node.toml");
    assert!(!node.join("control.sock").exists());
}

#[test]
fn a_second_daemon_of_one_directory_leaves_the_first_alone() {
    let (_dir, node) = made();
    let _daemon = Daemon::start(&node);
    let second = ran(&node, &["node", "run"]);
    let status = format!("mandorla --data-dir {} status", node.display());
    refused(&second, 1, "M-113", "", &status);
    assert!(ran(&node, &["status"]).status.success());
}

#[test]
fn a_key_file_that_others_can_read_is_not_used() {
    let (_dir, node) = made();
    let keys = node.join("keys.toml");
    std::fs::set_permissions(&keys, std::fs::Permissions::from_mode(0o644)).unwrap();
    let start = ran(&node, &["node", "run"]);
    let close = format!("chmod 600 {}", keys.display());
    refused(&start, 1, "M-115", "mode 644", &close);
    assert!(!node.join("control.sock").exists());
}

#[test]
fn a_configuration_that_is_wrong_is_named_by_line_key_bound_and_fix() {
    let (_dir, node) = made();
    let path = node.join("node.toml");
    let good = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("threads = 0\n{good}")).unwrap();
    let start = ran(&node, &["node", "run"]);
    refused(
        &start,
        1,
        "M-114",
        "line 1, threads: out of bounds; 1 to 1024",
        "config check",
    );
    let checked = ran(&node, &["config", "check"]);
    refused(&checked, 1, "M-114", "line 1, threads", "config check");
    assert!(stdout(&checked).starts_with("error: line 1, threads"));

    std::fs::write(&path, format!("lisen = \"x\"\n{good}")).unwrap();
    let start = ran(&node, &["node", "run"]);
    refused(&start, 1, "M-114", "did you mean listen?", "config check");
    assert!(!node.join("control.sock").exists());

    std::fs::write(&path, good).unwrap();
    let checked = ran(&node, &["config", "check"]);
    assert!(checked.status.success(), "{}", stderr(&checked));
}

#[test]
fn a_socket_path_that_is_too_long_is_refused_before_anything_runs() {
    let dir = tempfile::tempdir().unwrap();
    let node = dir.path().join("n".repeat(110));
    assert!(init(&node).status.success());
    let start = ran(&node, &["node", "run"]);
    refused(&start, 1, "M-114", "at most 106 fit", "socket in node.toml");
}

#[test]
fn without_a_home_directory_the_services_place_is_meant() {
    let mut command = program();
    command.env_remove("HOME").env_remove("XDG_DATA_HOME");
    let status = command.arg("status").output().unwrap();
    refused(
        &status,
        3,
        "M-111",
        "/var/lib/mandorla/control.sock",
        "mandorla node run",
    );
}

/// Only root can give a directory away; elsewhere this is checked with the permissions of the directory alone.
#[test]
fn a_data_directory_of_another_account_is_not_used() {
    let (_dir, node) = made();
    let given_away = std::os::unix::fs::chown(&node, Some(64_999), None);
    if given_away.is_err() {
        std::fs::set_permissions(&node, std::fs::Permissions::from_mode(0o750)).unwrap();
    }
    let start = ran(&node, &["node", "run"]);
    let fix = if given_away.is_ok() {
        "chown"
    } else {
        "chmod 700"
    };
    refused(&start, 1, "M-115", &node.display().to_string(), fix);
    assert!(!node.join("control.sock").exists());
}

#[test]
fn a_lost_pseudonym_key_is_made_anew_and_the_ledger_says_so() {
    let (_dir, node) = made();
    with_auditor(&node);
    let made_entries = || audit_log(&node).matches("node.pseudonym_key_made").count();
    let first = Daemon::start(&node);
    assert_eq!(made_entries(), 1);
    drop(first);
    std::fs::remove_file(node.join("pseudonym.key")).unwrap();
    let log = node.join("log");
    let mut start = mandorla(&node, &["node", "run"]);
    start.stderr(std::fs::File::create(&log).unwrap());
    let _daemon = Daemon::start_by(start, &node);
    assert_eq!(made_entries(), 2);
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(said.contains("pseudonym.key was gone"), "{said}");
}
