use super::*;

const OWN: u32 = 900;

/// Accounts and groups of a fictional host.
struct Host;

const ACCOUNTS: [(u32, &str, &[u32]); 7] = [
    (OWN, "mandorla", &[900]),
    (1001, "ana", &[100]),
    (1002, "eve", &[100]),
    (1003, "petra", &[100, 501, 502]),
    (1004, "dejan", &[503]),
    (1005, "both", &[502, 503]),
    (1_234_567, "1234567", &[]),
];

fn account((uid, name, groups): (u32, &str, &[u32])) -> Account {
    Account {
        uid,
        name: name.into(),
        groups: groups.into(),
    }
}

impl Accounts for Host {
    fn of_process(&self, uid: u32, _: u32) -> Account {
        account(*ACCOUNTS.iter().find(|known| known.0 == uid).unwrap())
    }

    fn named(&self, text: &str) -> Option<Account> {
        let known = ACCOUNTS.iter();
        let mut known = known.filter(|known| known.1 == text || known.0.to_string() == text);
        known.next().copied().map(account)
    }

    fn gid(&self, group: &str) -> Option<u32> {
        let groups = [
            ("m-analyst", 501),
            ("m-authoriser", 502),
            ("m-auditor", 503),
        ];
        groups
            .iter()
            .find(|known| known.0 == group)
            .map(|known| known.1)
    }
}

fn config() -> Config {
    Config::parse(
        r#"
        schema = 1
        name = "Agency"
        code = "UK"
        country = "GB"
        listen = "127.0.0.1:0"
        [roles]
        analyst = { groups = ["m-analyst"] }
        authoriser = { groups = ["m-authoriser", "m-of-a-later-day"] }
        auditor = { groups = ["m-auditor"] }
        [[user]]
        name = "ana"
        roles = ["analyst"]
        os_user = "ana"
        [[user]]
        name = "p.shah"
        roles = ["authoriser"]
        os_user = "1234567"
        [[user]]
        name = "p.novak"
        os_user = "petra"
        "#,
    )
    .unwrap()
}

fn whole(config: &Config, uid: u32, named: Option<&str>) -> Result<Caller, ApiError> {
    identify_account(config, &Host.of_process(uid, 0), OWN, named, &Host)
}

fn who(uid: u32, named: Option<&str>) -> Result<Caller, ErrorCode> {
    whole(&config(), uid, named).map_err(|error| error.code)
}

#[test]
fn the_owner_is_the_operator_and_may_act_as_every_named_user() {
    let owner = who(OWN, None).unwrap();
    assert_eq!(owner.roles, [Role::Operator]);
    assert_eq!(owner.name, "mandorla");
    let ana = who(OWN, Some("ana")).unwrap();
    assert_eq!((ana.name.as_str(), ana.uid), ("ana", Some(1001)));
    assert_eq!(ana.roles, [Role::Analyst]);
    assert_eq!(who(OWN, Some("eve")), Err(ErrorCode::UnknownUser));
    let petra = who(OWN, Some("p.novak")).unwrap();
    assert_eq!(petra.roles, [Role::Analyst, Role::Authoriser]);
}

#[test]
fn another_account_is_its_own_named_user_and_nobody_else() {
    assert_eq!(who(1001, None).unwrap().roles, [Role::Analyst]);
    assert_eq!(who(1001, Some("ana")).unwrap().name, "ana");
    assert_eq!(who(1001, Some("p.shah")), Err(ErrorCode::UnknownUser));
    assert_eq!(who(1002, None), Err(ErrorCode::UnknownUser));
    assert_eq!(who(1002, Some("eve")), Err(ErrorCode::UnknownUser));
    assert_eq!(who(1_234_567, None).unwrap().name, "p.shah");
}

#[test]
fn an_account_has_the_roles_of_all_its_groups_also_supplementary_ones() {
    let petra = who(1003, None).unwrap();
    assert_eq!(petra.name, "p.novak", "a named user keeps the name");
    assert_eq!(petra.roles, [Role::Analyst, Role::Authoriser]);
    let dejan = who(1004, None).unwrap();
    assert_eq!((dejan.name.as_str(), dejan.uid), ("dejan", Some(1004)));
    assert_eq!(dejan.roles, [Role::Auditor]);
    assert_eq!(who(1004, Some("dejan")).unwrap(), dejan);
}

#[test]
fn who_decides_and_audits_at_once_is_refused_with_both_roles_named() {
    let error = whole(&config(), 1005, None).unwrap_err();
    assert_eq!(error.code, ErrorCode::RoleConflict);
    assert!(error.message.contains("authoriser and auditor"), "{error}");
    // A named user's roles and the groups of the account add up.
    let mut config = config();
    config.user[0].os_user = Some("dejan".into());
    config.user[0].roles = vec![Role::Authoriser];
    let error = whole(&config, 1004, None).unwrap_err();
    assert_eq!(error.code, ErrorCode::RoleConflict);
    let error = whole(&config, OWN, Some("ana")).unwrap_err();
    assert_eq!(error.code, ErrorCode::RoleConflict);
}

#[test]
fn a_user_without_an_account_can_only_be_acted_as_by_the_owner() {
    let mut config = config();
    config.user[0].os_user = None;
    assert!(whole(&config, 1001, Some("ana")).is_err());
    let ana = whole(&config, OWN, Some("ana")).unwrap();
    assert_eq!(ana.uid, None, "nothing is known of this person's account");
}

#[test]
fn one_account_behind_two_names_is_one_person() {
    let as_ana = who(1001, None).unwrap();
    let mut config = config();
    config.user[0].name = "a.horvat".into();
    let as_other = whole(&config, 1001, None).unwrap();
    assert_ne!(as_ana.name, as_other.name);
    assert!(as_other.is_person(&as_ana.name, as_ana.uid));
    assert!(
        !who(1_234_567, None)
            .unwrap()
            .is_person(&as_ana.name, as_ana.uid)
    );
    assert!(!as_ana.is_person("p.shah", None));
}

#[test]
fn a_wrong_role_names_the_role_and_its_holders() {
    let caller = who(1001, None).unwrap();
    let needed = &[Role::Authoriser];
    let error = wrong_role(&config(), &caller, "/v1/review/approve", needed);
    assert_eq!(error.code, ErrorCode::WrongRole);
    assert!(error.message.contains("authoriser") && error.message.contains("review approve"));
    assert_eq!(
        error.hint.as_deref(),
        Some(
            "ask one of: p.shah, a member of group m-authoriser, a member of group m-of-a-later-day"
        )
    );
    let mut config = config();
    config.roles.clear();
    let error = wrong_role(&config, &caller, "/v1/audit/log", &[Role::Auditor]);
    assert!(error.hint.unwrap().starts_with("nobody here holds it"));
}
