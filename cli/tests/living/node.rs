//! What people do at a running node, command by command.

use std::path::Path;

use serde_json::Value;

use super::harness::{Daemon, init, init_as, mandorla, ran, stderr, stdout};

#[test]
fn a_second_init_replaces_nothing_and_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let node = dir.path().join("node");
    let first = init(&node);
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    assert!(stdout(&first).starts_with("made a node in "));
    assert!(stderr(&first).contains(&format!(
        "next: mandorla --data-dir {} node run",
        node.display()
    )));
    let keys = std::fs::read(node.join("keys.toml")).unwrap();

    let second = init(&node);
    assert_eq!(second.status.code(), Some(1));
    assert!(
        stderr(&second).contains("(M-103)\n hint: mandorla --data-dir"),
        "{}",
        stderr(&second)
    );
    assert_eq!(std::fs::read(node.join("keys.toml")).unwrap(), keys);
}

#[test]
fn a_daemon_answers_every_list_and_stops_when_told() {
    let dir = tempfile::tempdir().unwrap();
    let node = dir.path().join("node");
    init(&node);
    let mut daemon = Daemon::start(&node);

    let status = ran(&node, &["status", "--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["schema"], 1);
    assert_eq!(status["country"], "GB");
    assert_eq!(status["pid"], daemon.0.id());

    for (arguments, empty) in [
        (["peer", "list"], "no peers"),
        (["agreement", "list"], "no agreements"),
        (["dataset", "list"], "no datasets"),
        (["round", "list"], "no rounds"),
    ] {
        let text = ran(&node, &arguments);
        assert_eq!(text.status.code(), Some(0), "{}", stderr(&text));
        assert!(
            stdout(&text).starts_with(empty),
            "{arguments:?}: {}",
            stdout(&text)
        );
        let json = ran(&node, &[arguments[0], arguments[1], "--json"]);
        let json: Value = serde_json::from_slice(&json.stdout).unwrap();
        assert_eq!(json, serde_json::json!({"schema": 1, "items": []}));
    }

    let stop = ran(&node, &["node", "stop"]);
    assert_eq!(stop.status.code(), Some(0), "{}", stderr(&stop));
    assert!(daemon.0.wait().unwrap().success());
    assert_eq!(ran(&node, &["status"]).status.code(), Some(3));
}

#[test]
fn a_refusal_of_the_node_keeps_its_code_and_exit() {
    let dir = tempfile::tempdir().unwrap();
    let node = dir.path().join("node");
    init(&node);
    let _daemon = Daemon::start(&node);

    let wrong_role = ran(&node, &["review", "inbox"]);
    assert_eq!(wrong_role.status.code(), Some(4));
    assert!(
        stderr(&wrong_role).contains("(M-201)"),
        "{}",
        stderr(&wrong_role)
    );

    let unknown_user = ran(&node, &["--user", "nobody", "status"]);
    assert_eq!(unknown_user.status.code(), Some(4));
    assert!(
        stderr(&unknown_user).contains("(M-200)"),
        "{}",
        stderr(&unknown_user)
    );

    let unknown_peer = ran(&node, &["--json", "peer", "show", "RS"]);
    assert_eq!(unknown_peer.status.code(), Some(1));
    let error: Value = serde_json::from_slice(&unknown_peer.stderr).unwrap();
    assert_eq!(error["error"]["code"], "M-102");
    assert!(unknown_peer.stdout.is_empty());
}

#[test]
fn a_list_is_loaded_as_a_stream_and_reported_row_by_row() {
    let dir = tempfile::tempdir().unwrap();
    let node = dir.path().join("node");
    let lists = dir.path().join("lists");
    let lists_text = lists.to_str().unwrap();
    init(&node);
    let made = ran(
        &node,
        &[
            "data", "generate", "--size", "S", "--seed", "7", "-o", lists_text,
        ],
    );
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    let again = ran(&node, &["data", "generate", "-o", lists_text]);
    assert_eq!(
        again.status.code(),
        Some(2),
        "existing files are not replaced unasked"
    );

    let _daemon = Daemon::start(&node);
    let file = |name: &str| lists.join(name).to_str().unwrap().to_owned();
    let load = |more: &[&str]| {
        let (csv, map) = (file("uk.csv"), file("uk.map.toml"));
        let arguments = ["dataset", "load", "watch", &csv, "--map", &map];
        ran(&node, &[&arguments[..], more].concat())
    };
    let dry = load(&["--dry-run"]);
    assert_eq!(dry.status.code(), Some(0), "{}", stderr(&dry));
    assert!(
        stdout(&dry).contains("1,000 rows read, 1,000 accepted, 0 rejected"),
        "{}",
        stdout(&dry)
    );
    assert!(stdout(&ran(&node, &["dataset", "list"])).starts_with("no datasets"));

    let loaded = load(&["--json"]);
    let loaded: Value = serde_json::from_slice(&loaded.stdout).unwrap();
    assert_eq!(loaded["subjects"], 1_000);
    assert_eq!(loaded["schema"], 1);

    let wrong_map = ran(
        &node,
        &[
            "dataset",
            "load",
            "other",
            &file("uk.csv"),
            "--map",
            &file("rs.map.toml"),
        ],
    );
    assert_eq!(wrong_map.status.code(), Some(1));
    assert!(
        stderr(&wrong_map).contains("(M-321)"),
        "{}",
        stderr(&wrong_map)
    );

    let unasked = ran(&node, &["dataset", "remove", "watch"]);
    assert_eq!(unasked.status.code(), Some(2));
    let removed = ran(&node, &["dataset", "remove", "watch", "--yes"]);
    assert_eq!(removed.status.code(), Some(0), "{}", stderr(&removed));
}

/// What a command that succeeds prints.
fn done(data_dir: &Path, arguments: &[&str]) -> String {
    let output = ran(data_dir, arguments);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{arguments:?}: {}",
        stderr(&output)
    );
    stdout(&output)
}

/// A draft with blanks is refused by name; one with every flag given passes.
fn draft_by_flags(node: &Path, blank: &str, text: &str) {
    let draft = [
        "agreement",
        "draft",
        "--peer",
        "RS",
        "--id",
        "GB-RS",
        "--title",
        "T",
    ];
    done(node, &[&draft[..], &["-o", blank]].concat());
    for verb in ["lint", "propose"] {
        let refused = ran(node, &["agreement", verb, blank]);
        assert_eq!(refused.status.code(), Some(5));
        let told = stdout(&refused);
        assert!(
            told.contains("error: legal.GB.basis:") && told.contains("fix:"),
            "{told}"
        );
    }
    let said = [
        ("instrument", "no law is needed"),
        ("basis", "as above"),
        ("transfer-basis", "as above"),
        ("dpia", ""),
        ("authoriser", "Olga"),
        ("dpo", "Dora"),
        ("authority", "none"),
    ];
    let sides = ["own", "peer"].into_iter();
    let of_sides: Vec<String> = sides
        .flat_map(|side| said.map(|(what, text)| format!("--{side}-{what}={text}")))
        .collect();
    let purpose = [
        "--purpose",
        "TRIAL",
        "--purpose-text",
        "a trial",
        "-o",
        text,
    ];
    let mut words = [&draft[..], &purpose].concat();
    words.extend(of_sides.iter().map(String::as_str));
    done(node, &words);
}

#[test]
fn two_operators_reach_a_live_agreement_with_files_alone() {
    let dir = tempfile::tempdir().unwrap();
    let [gb, rs] = ["GB", "RS"].map(|country| {
        let node = dir.path().join(country);
        init_as(&node, country);
        node
    });
    let _daemons = [Daemon::start(&gb), Daemon::start(&rs)];
    let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    for (node, card) in [(&gb, file("gb.card")), (&rs, file("rs.card"))] {
        done(node, &["peer", "export", "-o", &card]);
    }
    done(&gb, &["peer", "add", &file("rs.card")]);
    done(&rs, &["peer", "add", &file("gb.card")]);
    let words = |node: &Path, peer: &str| {
        let shown = done(node, &["peer", "verify", peer]);
        let line = shown.lines().next().unwrap().to_owned();
        line.split_once("  ").unwrap().1.to_owned()
    };
    assert_eq!(words(&gb, "RS"), words(&rs, "GB"));
    done(&gb, &["peer", "verify", "RS", "--confirmed"]);
    done(&rs, &["peer", "verify", "GB", "--confirmed"]);

    let (text, bundle) = (file("draft.toml"), file("bundle.json"));
    let lists = dir.path().join("lists");
    done(&gb, &["data", "generate", "-o", lists.to_str().unwrap()]);
    let list = |name: &str| lists.join(name).to_str().unwrap().to_owned();
    for (node, csv, map) in [
        (&gb, "uk.csv", "uk.map.toml"),
        (&rs, "rs.csv", "rs.map.toml"),
    ] {
        done(
            node,
            &["dataset", "load", "watch", &list(csv), "--map", &list(map)],
        );
    }
    draft_by_flags(&gb, &file("blank.toml"), &text);
    done(&gb, &["agreement", "lint", &text]);
    done(&gb, &["agreement", "propose", &text, "-o", &bundle]);
    done(&rs, &["agreement", "import", &bundle]);
    done(&rs, &["agreement", "sign", "GB-RS", "-o", &bundle]);
    done(&gb, &["agreement", "import", &bundle]);
    done(&gb, &["agreement", "activate", "GB-RS", "-o", &bundle]);
    done(&rs, &["agreement", "import", &bundle]);
    done(&rs, &["agreement", "activate", "GB-RS", "-o", &bundle]);
    done(&gb, &["agreement", "import", &bundle]);
    for node in [&gb, &rs] {
        let view: Value =
            serde_json::from_str(&done(node, &["agreement", "show", "GB-RS", "--json"])).unwrap();
        assert_eq!(view["state"], "live", "{view}");
        let printed = done(node, &["agreement", "print", "GB-RS"]);
        assert_eq!(printed, std::fs::read_to_string(&text).unwrap());
        for page in ["--summary", "--dpia"] {
            let page = done(node, &["agreement", "print", "GB-RS", page]);
            assert!(
                page.contains("GB-RS") && page.lines().count() > 10,
                "{page}"
            );
        }
        let same = done(node, &["agreement", "diff", "GB-RS@1", &text]);
        assert_eq!(same, "the same text\n");
    }

    let other = file("notes.txt");
    std::fs::write(&other, "mine").unwrap();
    let unasked = ran(&gb, &["agreement", "export", "GB-RS", "-o", &other]);
    assert_eq!(unasked.status.code(), Some(2));
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "mine");

    let suspend = [
        "agreement",
        "suspend",
        "GB-RS",
        "--reason",
        "test",
        "-o",
        &bundle,
    ];
    let suspended = done(&rs, &suspend);
    assert!(suspended.contains("suspended"), "{suspended}");
}

#[test]
fn the_environment_stands_for_flags() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = mandorla(dir.path(), &["version"]);
    let output = command.env("MANDORLA_JSON", "1").output().unwrap();
    let version: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(version["schema"], 1);
    let mut command = mandorla(dir.path(), &["version"]);
    let output = command.env("MANDORLA_JSON", "false").output().unwrap();
    assert!(stdout(&output).starts_with("mandorla "));
}

#[test]
fn manual_pages_are_written_for_every_command() {
    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("man");
    let written = ran(dir.path(), &["man", pages.to_str().unwrap()]);
    assert_eq!(written.status.code(), Some(0), "{}", stderr(&written));
    for page in [
        "mandorla.1",
        "mandorla-round-propose.1",
        "mandorla-review-release.1",
    ] {
        assert!(pages.join(page).is_file(), "{page}");
    }
}

#[test]
fn a_healthy_node_passes_the_doctor_and_says_that_it_is_healthy() {
    let dir = tempfile::tempdir().unwrap();
    let node = dir.path().join("node");
    init(&node);
    let alone = ran(&node, &["doctor", "--json"]);
    let found: Value = serde_json::from_slice(&alone.stdout).unwrap();
    let of = |found: &Value, id: &str| {
        let checks = found["checks"].as_array().unwrap().clone();
        let check = checks.into_iter().find(|check| check["check"] == id);
        check.map(|check| check["status"].as_str().unwrap().to_owned())
    };
    assert_eq!(of(&found, "node").as_deref(), Some("warn"), "none runs");
    assert_eq!(of(&found, "udp").as_deref(), Some("ok"));
    assert_eq!(of(&found, "ledger"), None, "only a node can verify it");

    let daemon = Daemon::start(&node);
    let doctor = ran(&node, &["doctor", "--json"]);
    let found: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    for id in [
        "data-dir",
        "config",
        "file-modes",
        "kernel",
        "udp",
        "node",
        "store",
        "ledger",
        "pair-logs",
    ] {
        assert_eq!(of(&found, id).as_deref(), Some("ok"), "{id}: {found}");
    }
    // What depends on the host that this test runs on may be anything but a fault of the node.
    let of_host = ["disk", "memory", "time-sync", "open-files"];
    let failed = found["checks"].as_array().unwrap().iter();
    let failed = failed.filter(|check| check["status"] == "fail");
    let failed: Vec<&str> = failed
        .map(|check| check["check"].as_str().unwrap())
        .collect();
    assert!(failed.iter().all(|id| of_host.contains(id)), "{found}");
    let exit = if failed.is_empty() { 0 } else { 7 };
    assert_eq!(doctor.status.code(), Some(exit));
    let unknown = ran(&node, &["doctor", "--peer", "XX"]);
    assert_eq!(unknown.status.code(), Some(1), "{}", stderr(&unknown));

    let health = ran(&node, &["node", "health", "--json"]);
    let health: Value = serde_json::from_slice(&health.stdout).unwrap();
    assert_eq!(
        health["healthy"],
        health["faults"].as_array().unwrap().is_empty()
    );
    assert!(
        health["items_due"].is_null(),
        "an operator does not see the desk"
    );
    assert!(health["ledger_entries"].as_u64().unwrap() >= 1);

    // A tampered mode is found, with the command that ends it.
    let store = std::fs::read_dir(&node).unwrap().flatten();
    let store = store
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|e| e == "redb"));
    let store = store.expect("a store");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    std::fs::set_permissions(&store, mode).unwrap();
    let doctor = ran(&node, &["doctor"]);
    assert_eq!(doctor.status.code(), Some(7));
    let close = format!("chmod 600 {}", store.display());
    assert!(stdout(&doctor).contains(&close), "{}", stdout(&doctor));

    drop(daemon);
    assert_eq!(ran(&node, &["node", "health"]).status.code(), Some(3));
}

#[test]
fn settings_are_shown_with_where_each_comes_from() {
    let dir = tempfile::tempdir().unwrap();
    let node = dir.path().join("node");
    init(&node);
    let shown = mandorla(&node, &["config", "show", "--origin", "--json"])
        .env("MANDORLA_TIMEOUT", "30s")
        .output()
        .unwrap();
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let origin = |setting: &str| {
        let rows = shown["items"].as_array().unwrap().iter();
        let mut rows = rows.filter(|row| row["setting"] == setting);
        rows.next().unwrap()["origin"].as_str().unwrap().to_owned()
    };
    assert_eq!(origin("--data-dir"), "flag");
    assert_eq!(origin("--timeout"), "environment MANDORLA_TIMEOUT");
    assert_eq!(origin("--color"), "default");
    assert_eq!(origin("threads"), "default");
    assert!(origin("listen").contains("node.toml:"), "{shown}");
}
