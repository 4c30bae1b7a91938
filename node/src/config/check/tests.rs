use super::*;
use crate::config::{Origin, settings};

const GOOD: &str =
    "schema = 1\nname = \"Agency\"\ncode = \"UK\"\ncountry = \"GB\"\nlisten = \"127.0.0.1:0\"\n";

fn findings(more: &str) -> Vec<Finding> {
    Config::checked(&format!("{GOOD}{more}")).map_or_else(|found| found, |_| Vec::new())
}

/// The one finding about a configuration that is good but for these lines; they begin in line 6.
fn only(more: &str) -> Finding {
    let mut found = findings(more);
    assert_eq!(found.len(), 1, "{more}: {found:?}");
    found.remove(0)
}

#[test]
fn each_fault_names_its_line_its_key_and_what_would_be_right() {
    let long = format!("socket = \"/{}\"\n", "x".repeat(107));
    for (more, line, key, fix) in [
        ("lisen = \"x\"\n", 6, "lisen", "did you mean listen?"),
        ("xyz = 1\n", 6, "xyz", "one of: schema, name"),
        ("threads = 0\n", 6, "threads", "1 to 1024"),
        ("threads = 1025\n", 6, "threads", "1 to 1024"),
        (
            "\nadvertise = \"host\"\n",
            7,
            "advertise",
            "host and UDP port",
        ),
        ("socket = \"run/x.sock\"\n", 6, "socket", "absolute path"),
        (long.as_str(), 6, "socket", "at most 106"),
        ("socket_group = \"a b\"\n", 6, "socket_group", "1 to 64"),
        (
            "[[user]]\nname = \"a b\"\nroles = [\"analyst\"]\n",
            7,
            "user[0].name",
            "without spaces",
        ),
        ("[[user]]\nname = \"ana\"\n", 6, "user[0].roles", "os_user"),
        (
            "[[user]]\nname = \"ana\"\nroles = [\"analyst\"]\nos_usr = \"x\"\n",
            9,
            "user[0].os_usr",
            "did you mean os_user?",
        ),
        (
            "[[user]]\nname = \"a\"\nroles = [\"auditor\", \"authoriser\"]\n",
            8,
            "user[0].roles",
            "who decides does not audit",
        ),
        (
            "[roles]\nauthoriser = { groups = [\"x\"] }\nauditor = { groups = [\"y\", \"x\"] }\n",
            8,
            "roles.auditor",
            "a group of its own",
        ),
        (
            "[roles]\nanalyst = { groups = [] }\n",
            7,
            "roles.analyst",
            "1 to 32",
        ),
        (
            "[roles]\nanalist = { groups = [\"x\"] }\n",
            7,
            "",
            "did you mean analyst?",
        ),
    ] {
        let finding = only(more);
        assert_eq!(
            (finding.line, finding.key.as_str()),
            (Some(line), key),
            "{more}: {finding}"
        );
        assert!(finding.fix.contains(fix), "{more}: {finding}");
    }
    assert_eq!(findings(""), []);
}

#[test]
fn facts_out_of_bounds_are_all_named_at_once() {
    let text = GOOD
        .replace("= 1", "= 2")
        .replace("UK", "uk")
        .replace("GB", "GBR")
        .replace("Agency", " ");
    let found = Config::checked(&text).unwrap_err();
    let keys: Vec<(&str, Option<usize>)> = found.iter().map(|f| (f.key.as_str(), f.line)).collect();
    assert_eq!(
        keys,
        [
            ("schema", Some(1)),
            ("name", Some(2)),
            ("code", Some(3)),
            ("country", Some(4))
        ]
    );
    assert!(Config::parse(&text).unwrap_err().contains("line 3, code:"));
}

#[test]
fn a_missing_key_and_broken_toml_are_named_too() {
    let found = Config::checked("schema = 1\n").unwrap_err();
    assert_eq!((found[0].key.as_str(), found.len()), ("name", 1));
    let found = Config::checked("schema = 1\nname = Agency\n").unwrap_err();
    assert_eq!(found[0].line, Some(2), "{found:?}");
}

#[test]
fn one_account_by_name_and_by_number_is_one_account() {
    let twice = "[[user]]\nname = \"a\"\nroles = [\"analyst\"]\nos_user = \"root\"\n\
                 [[user]]\nname = \"b\"\nroles = [\"authoriser\"]\nos_user = \"0\"\n";
    let finding = only(twice);
    assert_eq!(
        (finding.key.as_str(), finding.line),
        ("user[1].os_user", Some(13))
    );
    let twice = "[[user]]\nname = \"a\"\nroles = [\"analyst\"]\n[[user]]\nname = \"a\"\nroles = [\"analyst\"]\n";
    assert_eq!(only(twice).key, "user[1].name");
}

#[test]
fn groups_and_accounts_that_are_not_there_and_a_socket_nobody_gets_to_are_warnings() {
    let text = format!(
        "{GOOD}socket_group = \"no-such-group\"\n[roles]\nanalyst = {{ groups = [\"neither\"] }}\n[[user]]\nname = \"a\"\nos_user = \"no-such-account\"\n"
    );
    let config = Config::checked(&text).unwrap();
    let warnings = config.warnings(&text, Path::new("/data"));
    let keys: Vec<(&str, Option<usize>)> =
        warnings.iter().map(|f| (f.key.as_str(), f.line)).collect();
    assert_eq!(
        keys,
        [
            ("roles.analyst", Some(8)),
            ("socket_group", Some(6)),
            ("user[0].os_user", Some(11)),
            ("socket", None)
        ]
    );
    let moved = text.replace("socket_group", "socket = \"/run/m.sock\"\nsocket_group");
    let config = Config::checked(&moved).unwrap();
    let warnings = config.warnings(&moved, Path::new("/data"));
    assert!(warnings.iter().all(|warning| warning.key != "socket"));
    let config = Config::checked(GOOD).unwrap();
    assert_eq!(config.warnings(GOOD, Path::new("/data")), []);
}

#[test]
fn every_setting_says_where_its_value_comes_from() {
    let text = format!("{GOOD}threads = 3\n[[user]]\nname = \"a\"\nroles = [\"analyst\"]\n");
    let config = Config::checked(&text).unwrap();
    let settings = settings(&config, &text, Path::new("/data"));
    let of = |key: &str| {
        let setting = settings.iter().find(|setting| setting.key == key);
        setting.map(|setting| (setting.value.as_str(), setting.origin))
    };
    assert_eq!(of("threads"), Some(("3", Origin::File(6))));
    assert_eq!(of("code"), Some(("\"UK\"", Origin::File(3))));
    assert_eq!(
        of("socket"),
        Some(("\"/data/control.sock\"", Origin::Default))
    );
    assert_eq!(of("user[0].name"), Some(("\"a\"", Origin::File(8))));
    assert_eq!(of("policy.accept_rounds"), Some(("true", Origin::Default)));
    assert_eq!(of("policy.rounds_per_day").unwrap().1, Origin::Default);
    let top: Vec<&str> = settings
        .iter()
        .map(|setting| setting.key.split(['.', '[']).next().unwrap())
        .collect();
    for key in keys_of::<Config>() {
        assert!(top.contains(&key.as_str()), "{key} is shown");
    }
}

#[test]
fn the_reference_explains_every_key() {
    let page = include_str!("../../../../docs/reference/config.md");
    for key in keys_of::<Config>() {
        let written = [
            format!("`{key}`"),
            format!("`[{key}]`"),
            format!("`[[{key}]]`"),
        ];
        let explained = written.iter().any(|written| page.contains(written));
        assert!(explained || page.contains(&format!("`{key}.")), "{key}");
    }
}
