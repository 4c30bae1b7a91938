//! Making a node's directory, whole or not at all.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn options(data_dir: &Path) -> InitOptions {
    InitOptions {
        name: "Fictional \"Border\" Agency".into(),
        code: "UK".into(),
        country: "GB".into(),
        listen: "127.0.0.1:4433".parse().unwrap(),
        data_dir: data_dir.to_owned(),
        access: Access::default(),
        users: vec![
            User {
                name: "ana".into(),
                roles: vec![Role::Analyst],
                os_user: None,
            },
            User {
                name: "p.shah".into(),
                roles: vec![Role::Authoriser, Role::Analyst],
                os_user: Some("pshah".into()),
            },
        ],
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_socket_elsewhere_and_groups_stand_in_the_configuration() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("a");
    init(&options(&dir), None).unwrap();
    let config = Config::read(&dir).unwrap();
    assert_eq!(config.socket_path(&dir), dir.join("control.sock"));
    assert!(config.roles.is_empty());

    let dir = parent.path().join("b");
    let mut options = options(&dir);
    options.access = Access {
        socket: Some("/run/mandorla/control.sock".into()),
        groups: [
            (Role::Analyst, "asylum-analysts".to_owned()),
            (Role::Auditor, "mandorla-auditor".to_owned()),
        ]
        .into(),
    };
    init(&options, None).unwrap();
    let config = Config::read(&dir).unwrap();
    assert_eq!(config.socket, options.access.socket);
    let roles = config.roles.into_iter();
    let groups = roles.map(|(role, holders)| (role, holders.groups.concat()));
    assert!(groups.eq(options.access.groups));
    assert_eq!(config.user.len(), options.users.len(), "and the users");
}

#[test]
fn a_new_directory_holds_a_whole_node_that_only_its_owner_can_read() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("a/b");
    let made = init(&options(&dir), None).unwrap();
    assert_eq!(
        (
            mode(&dir),
            mode(&dir.join("keys.toml")),
            mode(&made.config_path)
        ),
        (0o700, 0o600, 0o600)
    );
    let config = Config::read(&dir).unwrap();
    assert_eq!(config.name, options(&dir).name);
    assert_eq!(config.user.len(), 2);
    assert_eq!(config.user[1].roles, [Role::Authoriser, Role::Analyst]);
    let names: BTreeSet<_> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    let expected = ["auditor.key", "keys.toml", "node.toml"].map(Into::into);
    assert_eq!(names, BTreeSet::from(expected));
}

#[test]
fn the_configuration_names_the_public_half_of_the_auditors_key() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("node");
    let made = init(&options(&dir), None).unwrap();
    assert_eq!(made.auditor_key_path, dir.join("auditor.key"));
    assert_eq!(mode(&made.auditor_key_path), 0o600);
    let key = AuditorKey::read(&made.auditor_key_path).unwrap();
    assert_eq!(Config::read(&dir).unwrap().auditor_key, Some(key.public()));
    let private = hex::encode(*key.to_bytes());
    let config = std::fs::read_to_string(&made.config_path).unwrap();
    assert!(!config.contains(&private));
}

#[test]
fn a_configuration_without_an_auditors_key_is_one_and_one_with_a_bad_key_is_none() {
    let parent = tempfile::tempdir().unwrap();
    let text = config_text(&options(parent.path()), None);
    assert_eq!(Config::parse(&text).unwrap().auditor_key, None);
    let bad = text.replace("# auditor_key", "auditor_key");
    assert!(Config::parse(&bad).unwrap_err().contains("auditor's key"));
}

#[test]
fn nothing_is_replaced() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("node");
    init(&options(&dir), None).unwrap();
    let keys = std::fs::read(dir.join("keys.toml")).unwrap();
    assert!(matches!(
        init(&options(&dir), None),
        Err(InitError::Exists { .. })
    ));
    assert_eq!(std::fs::read(dir.join("keys.toml")).unwrap(), keys);
}

#[test]
fn a_beginning_is_completed_with_its_keys() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("node");
    let first = init(&options(&dir), None).unwrap();
    std::fs::rename(&first.config_path, dir.join("node.toml~")).unwrap();
    let second = init(&options(&dir), None).unwrap();
    assert_eq!(second, first);
    let auditor = AuditorKey::read(&second.auditor_key_path).unwrap().public();
    assert_eq!(Config::read(&dir).unwrap().auditor_key, Some(auditor));
}

#[test]
fn a_beginning_is_completed_only_with_keys_that_are_sealed_as_asked() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("node");
    let first = init(&options(&dir), None).unwrap();
    std::fs::remove_file(&first.config_path).unwrap();
    let seal = Seal::wrapping_key(zeroize::Zeroizing::new([7; 32]));
    let refused = init(&options(&dir), Some(&seal)).unwrap_err();
    assert!(matches!(refused, InitError::SealedOtherwise { .. }));
    assert!(!first.config_path.exists());

    std::fs::remove_file(dir.join(KEYS_NAME)).unwrap();
    init(&options(&dir), Some(&seal)).unwrap();
    let read = Identity::read(&dir, Some(&seal)).unwrap();
    assert_eq!(read.sealed(), Some(SealKind::Credential));
}

#[test]
fn keys_that_were_cut_short_are_made_anew() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("node");
    let first = init(&options(&dir), None).unwrap();
    std::fs::remove_file(&first.config_path).unwrap();
    let keys = std::fs::read(dir.join("keys.toml")).unwrap();
    std::fs::write(dir.join("keys.toml"), &keys[..keys.len() / 2]).unwrap();
    init(&options(&dir), None).unwrap();
    assert_ne!(std::fs::read(dir.join("keys.toml")).unwrap(), keys);
    assert!(Identity::read(&dir, None).is_ok());
}

#[test]
fn a_directory_with_other_things_or_other_readers_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("node");
    std::fs::create_dir(&dir).unwrap();
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(matches!(
        init(&options(&dir), None),
        Err(InitError::Permission(_))
    ));
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o700)).unwrap();
    std::fs::write(dir.join("thesis.txt"), "").unwrap();
    assert!(matches!(
        init(&options(&dir), None),
        Err(InitError::NotEmpty { .. })
    ));
    assert!(!dir.join("keys.toml").exists());
}

#[test]
fn what_could_not_be_a_configuration_leaves_no_trace() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("node");
    let changes: [fn(&mut InitOptions); 5] = [
        |o| o.code = "uk".into(),
        |o| o.country = "GBR".into(),
        |o| o.name = " ".into(),
        |o| o.users[1].name = "ana".into(),
        |o| o.users[0].roles.clear(),
    ];
    for change in changes {
        let mut bad = options(&dir);
        change(&mut bad);
        assert!(matches!(init(&bad, None), Err(InitError::Invalid(_))));
    }
    assert!(!dir.exists());
}

#[test]
fn the_default_follows_the_base_directory_specification() {
    let of = |data: Option<&str>, home: Option<&str>| {
        default_in(data.map(Into::into), home.map(Into::into))
    };
    assert_eq!(of(Some("/d"), Some("/h")), Some("/d/mandorla".into()));
    assert_eq!(
        of(Some("relative"), Some("/h")),
        Some("/h/.local/share/mandorla".into())
    );
    assert_eq!(
        of(None, Some("/h")),
        Some("/h/.local/share/mandorla".into())
    );
    assert_eq!(of(None, None), None);
}
