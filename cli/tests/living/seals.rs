//! Keys that are sealed, and what opens them at a start.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::harness::{Daemon, mandorla, ran, stderr, stdout};

/// A file that only its owner can read.
fn secret(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn keys_are_sealed_as_asked_and_open_with_that_secret_only() {
    let dir = tempfile::tempdir().unwrap();
    let node = dir.path().join("node");
    let [right, wrong] = ["right", "wrong"].map(|name| dir.path().join(name));
    secret(&right, "six words picked at random\n");
    secret(&wrong, "six words picked in order\n");
    let [right, wrong] = [&right, &wrong].map(|path| path.to_str().unwrap());
    let names = ["--name", "Agency", "--country", "GB"];

    let unsaid = ran(&node, &[&["init"][..], &names].concat());
    assert_eq!(unsaid.status.code(), Some(1));
    for way in [
        "(M-116)",
        "--passphrase-file",
        "--wrapping-key",
        "--seal none",
    ] {
        assert!(stderr(&unsaid).contains(way), "{}", stderr(&unsaid));
    }
    assert!(!node.exists());

    let init = [&["init", "--passphrase-file", right][..], &names].concat();
    let made = ran(&node, &init);
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    let keys = std::fs::read_to_string(node.join("keys.toml")).unwrap();
    assert!(keys.contains("seal = \"passphrase\""), "{keys}");

    let none = ran(&node, &["node", "run"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(stderr(&none).contains("(M-116)"), "{}", stderr(&none));
    let other = ran(&node, &["node", "run", "--passphrase-file", wrong]);
    assert_eq!(other.status.code(), Some(1));
    assert!(stderr(&other).contains("(M-117)"), "{}", stderr(&other));

    let daemon = Daemon::start_with(&node, &["--passphrase-file", right]);
    let status = ran(&node, &["status"]);
    assert!(stdout(&status).contains("sealed under a passphrase"));
    let running = ran(
        &node,
        &["key", "seal", "--seal", "none", "--passphrase-file", right],
    );
    assert!(stderr(&running).contains("(M-113)"), "{}", stderr(&running));
    drop(daemon);

    let unsealed = ran(
        &node,
        &["key", "seal", "--seal", "none", "--passphrase-file", right],
    );
    assert_eq!(unsealed.status.code(), Some(0), "{}", stderr(&unsealed));
    let _daemon = Daemon::start(&node);
    assert!(stdout(&ran(&node, &["status"])).contains("not sealed"));
}

#[test]
fn a_key_that_the_service_manager_provides_opens_the_keys() {
    let dir = tempfile::tempdir().unwrap();
    let node = dir.path().join("node");
    let credentials = dir.path().join("credentials");
    std::fs::create_dir(&credentials).unwrap();
    secret(&credentials.join("mandorla.key"), &"0f".repeat(32));
    let with_credentials = |arguments: &[&str]| {
        let mut command = mandorla(&node, arguments);
        command.env("CREDENTIALS_DIRECTORY", &credentials);
        command
    };
    let init = [
        "init",
        "--seal",
        "credential",
        "--name",
        "Agency",
        "--country",
        "GB",
        "--listen",
        "127.0.0.1:0",
    ];
    let made = with_credentials(&init).output().unwrap();
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    let none = ran(&node, &["node", "run"]);
    assert!(stderr(&none).contains("mandorla.key"), "{}", stderr(&none));
    let _daemon = Daemon::start_by(with_credentials(&["node", "run"]), &node);
    assert!(stdout(&ran(&node, &["status"])).contains("sealed under a credential"));
}
