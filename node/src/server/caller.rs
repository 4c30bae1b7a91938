//! Who is at the other end of the socket.

use axum::extract::connect_info::Connected;
use axum::http::HeaderMap;
use axum::serve::IncomingStream;
use mandorla_control::{ApiError, ErrorCode, Role, USER_HEADER};
use tokio::net::UnixListener;

use crate::config::{Config, User};
use crate::node::Caller;

/// The user id of the process that connected, as the kernel tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SocketPeer {
    uid: Option<u32>,
}

impl Connected<IncomingStream<'_, UnixListener>> for SocketPeer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        let credentials = stream.io().peer_cred();
        Self {
            uid: credentials.ok().map(|credentials| credentials.uid()),
        }
    }
}

/// The caller behind a connection.
///
/// The account that the node runs under owns everything anyway: it may act as each named user, which a small
/// installation does. Others are the one named user that their account belongs to.
pub(super) fn identify(
    config: &Config,
    peer: SocketPeer,
    headers: &HeaderMap,
) -> Result<Caller, ApiError> {
    let uid = peer.uid.ok_or_else(|| {
        let message = "the kernel does not say whose process this connection is from";
        ApiError::new(ErrorCode::UnknownUser, message)
    })?;
    let own_uid = rustix::process::geteuid().as_raw();
    identify_uid(config, uid, own_uid, named(headers)?, &account_name(uid))
}

fn identify_uid(
    config: &Config,
    uid: u32,
    own_uid: u32,
    named: Option<&str>,
    account: &str,
) -> Result<Caller, ApiError> {
    let user = match named {
        None if uid == own_uid => {
            return Ok(Caller {
                name: account.to_owned(),
                roles: vec![Role::Operator],
            });
        }
        Some(name) if uid == own_uid => config.user.iter().find(|user| user.name == name),
        named => {
            let of_account = |user: &&User| belongs_to(user, uid, account);
            let user = config.user.iter().find(of_account);
            user.filter(|user| named.is_none_or(|name| name == user.name))
        }
    };
    user.map(as_caller).ok_or_else(|| unknown(named, account))
}

fn as_caller(user: &User) -> Caller {
    Caller {
        name: user.name.clone(),
        roles: user.roles.clone(),
    }
}

fn belongs_to(user: &User, uid: u32, account: &str) -> bool {
    let os_user = user.os_user.as_deref();
    os_user.is_some_and(|os_user| os_user == account || os_user == uid.to_string())
}

fn unknown(named: Option<&str>, account: &str) -> ApiError {
    let who = named.map_or_else(
        || format!("account {account}"),
        |name| format!("user {name:?} of account {account}"),
    );
    let message = format!("this node has no {who}");
    ApiError::new(ErrorCode::UnknownUser, message).hint(
        "the operator adds a [[user]] with name, roles and os_user to node.toml and restarts the node",
    )
}

fn named(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let Some(value) = headers.get(USER_HEADER) else {
        return Ok(None);
    };
    let name = value.to_str().map_err(|_| {
        let message = format!("{USER_HEADER} is not a name");
        ApiError::new(ErrorCode::UnknownUser, message)
    })?;
    Ok(Some(name))
}

/// Names the role that the call needs, and who holds it.
pub(super) fn wrong_role(config: &Config, caller: &Caller, path: &str, roles: &[Role]) -> ApiError {
    let command = path.trim_start_matches("/v1/").replace('/', " ");
    let needed: Vec<&str> = roles.iter().map(|role| role.word()).collect();
    let needed = needed.join(" or ");
    let message = format!(
        "`{command}` needs the role {needed}; {} does not hold it",
        caller.name
    );
    let holders = config.user.iter();
    let holders = holders.filter(|user| user.roles.iter().any(|role| roles.contains(role)));
    let names: Vec<&str> = holders.map(|user| user.name.as_str()).collect();
    let hint = if names.is_empty() {
        format!("nobody here holds it: give a [[user]] in node.toml the role {needed}")
    } else {
        format!("ask one of: {}", names.join(", "))
    };
    ApiError::new(ErrorCode::WrongRole, message).hint(hint)
}

/// The name of the account that this process runs under.
pub(crate) fn own_account() -> String {
    account_name(rustix::process::geteuid().as_raw())
}

/// The account's name in `/etc/passwd`, else its number: accounts of a directory service are named by number in
/// `os_user`.
fn account_name(uid: u32) -> String {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_in(&passwd, uid).unwrap_or_else(|| uid.to_string())
}

/// Fields of passwd(5): name, password, uid, …
fn name_in(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let of_line: u32 = fields.nth(1)?.parse().ok()?;
        (of_line == uid).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: u32 = 900;

    fn config() -> Config {
        Config::parse(
            r#"
            schema = 1
            name = "Agency"
            code = "UK"
            country = "GB"
            listen = "127.0.0.1:0"
            [[user]]
            name = "ana"
            roles = ["analyst"]
            os_user = "ana"
            [[user]]
            name = "p.shah"
            roles = ["authoriser"]
            os_user = "1234567"
            "#,
        )
        .unwrap()
    }

    fn who(uid: u32, named: Option<&str>, account: &str) -> Result<Caller, ErrorCode> {
        identify_uid(&config(), uid, OWN, named, account).map_err(|error| error.code)
    }

    #[test]
    fn the_owner_is_the_operator_and_may_act_as_every_named_user() {
        let owner = who(OWN, None, "mandorla").unwrap();
        assert_eq!(owner.roles, [Role::Operator]);
        assert_eq!(owner.name, "mandorla");
        assert_eq!(who(OWN, Some("ana"), "mandorla").unwrap().name, "ana");
        assert_eq!(
            who(OWN, Some("eve"), "mandorla"),
            Err(ErrorCode::UnknownUser)
        );
    }

    #[test]
    fn another_account_is_its_own_named_user_and_nobody_else() {
        assert_eq!(who(1001, None, "ana").unwrap().roles, [Role::Analyst]);
        assert_eq!(who(1001, Some("ana"), "ana").unwrap().name, "ana");
        assert_eq!(
            who(1001, Some("p.shah"), "ana"),
            Err(ErrorCode::UnknownUser)
        );
        assert_eq!(who(1002, None, "eve"), Err(ErrorCode::UnknownUser));
        assert_eq!(who(1_234_567, None, "1234567").unwrap().name, "p.shah");
    }

    #[test]
    fn a_user_without_an_account_can_only_be_acted_as_by_the_owner() {
        let mut config = config();
        config.user[0].os_user = None;
        assert!(identify_uid(&config, 1001, OWN, Some("ana"), "ana").is_err());
        assert!(identify_uid(&config, OWN, OWN, Some("ana"), "x").is_ok());
    }

    #[test]
    fn a_wrong_role_names_the_role_and_its_holders() {
        let caller = who(1001, None, "ana").unwrap();
        let error = wrong_role(
            &config(),
            &caller,
            "/v1/review/approve",
            &[Role::Authoriser],
        );
        assert_eq!(error.code, ErrorCode::WrongRole);
        assert!(error.message.contains("authoriser") && error.message.contains("review approve"));
        assert_eq!(error.hint.as_deref(), Some("ask one of: p.shah"));
        let error = wrong_role(&config(), &caller, "/v1/audit/log", &[Role::Auditor]);
        assert!(error.hint.unwrap().starts_with("nobody here holds it"));
    }

    #[test]
    fn account_names_are_those_of_the_password_file() {
        let passwd = "root:x:0:0::/root:/bin/sh\nbroken\nana:x:1001:1001::/home/ana:/bin/sh\n";
        assert_eq!(name_in(passwd, 1001).as_deref(), Some("ana"));
        assert_eq!(name_in(passwd, 1002), None);
    }
}
