//! Who is at the other end of the socket.

use axum::extract::connect_info::Connected;
use axum::http::HeaderMap;
use axum::serve::IncomingStream;
use mandorla_control::{ApiError, ErrorCode, Role, USER_HEADER};
use tokio::net::UnixListener;

use super::accounts::{self, Account};
use crate::config::{Config, User};
use crate::node::Caller;

/// User and group of the process that connected, as the kernel tells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SocketPeer {
    ids: Option<(u32, u32)>,
}

impl Connected<IncomingStream<'_, UnixListener>> for SocketPeer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        let credentials = stream.io().peer_cred().ok();
        Self {
            ids: credentials.map(|credentials| (credentials.uid(), credentials.gid())),
        }
    }
}

/// The operating system's accounts, as far as a caller's roles need them; tests give their own.
pub(super) trait Accounts {
    /// The account of a connection.
    fn of_process(&self, uid: u32, gid: u32) -> Account;
    /// The account of a name or number.
    fn named(&self, text: &str) -> Option<Account>;
    /// The id of a group.
    fn gid(&self, group: &str) -> Option<u32>;
}

/// Those of this host. A lookup may block on a directory service.
pub(super) struct HostAccounts;

impl Accounts for HostAccounts {
    fn of_process(&self, uid: u32, gid: u32) -> Account {
        accounts::account_of(uid, Some(gid))
    }

    fn named(&self, text: &str) -> Option<Account> {
        accounts::account_named(text)
    }

    fn gid(&self, group: &str) -> Option<u32> {
        accounts::gid_of(group)
    }
}

/// The caller behind a connection, with every role of their name and of their account's groups.
///
/// The account that the node runs under owns everything anyway: it may act as each named user, which a small
/// installation does. Others are the one named user that their account belongs to, or nobody but their account.
///
/// # Errors
/// [`ErrorCode::UnknownUser`] for who holds no role, [`ErrorCode::RoleConflict`] for who holds two that exclude each
/// other.
pub(super) fn identify(
    config: &Config,
    peer: SocketPeer,
    named: Option<&str>,
    accounts: &impl Accounts,
) -> Result<Caller, ApiError> {
    let (uid, gid) = peer.ids.ok_or_else(|| {
        let message = "the kernel does not say whose process this connection is from";
        ApiError::new(ErrorCode::UnknownUser, message)
    })?;
    let own_uid = rustix::process::geteuid().as_raw();
    let account = accounts.of_process(uid, gid);
    identify_account(config, &account, own_uid, named, accounts)
}

fn identify_account(
    config: &Config,
    account: &Account,
    own_uid: u32,
    named: Option<&str>,
    accounts: &impl Accounts,
) -> Result<Caller, ApiError> {
    let is_owner = account.uid == own_uid;
    let user = match named {
        Some(name) if is_owner => config.user.iter().find(|user| user.name == name),
        None if is_owner => None,
        _ => {
            let of_account = |user: &&User| belongs_to(user, account);
            let user = config.user.iter().find(of_account);
            user.filter(|user| named.is_none_or(|name| name == user.name))
        }
    };
    if named.is_some_and(|name| user.is_none() && (is_owner || name != account.name)) {
        return Err(unknown(named, account));
    }
    let caller = if let Some(user) = user {
        // Acted as by the owner: the roles are those of the user's own account.
        let own = user
            .os_user
            .as_deref()
            .and_then(|name| accounts.named(name));
        let own = if is_owner {
            own.as_ref()
        } else {
            Some(account)
        };
        let mut roles = user.roles.clone();
        roles.extend(own.iter().flat_map(|own| roles_of(config, own, accounts)));
        Caller {
            name: user.name.clone(),
            roles,
            uid: own.map(|own| own.uid),
        }
    } else {
        let mut roles = roles_of(config, account, accounts);
        roles.extend(is_owner.then_some(Role::Operator));
        Caller {
            name: account.name.clone(),
            roles,
            uid: Some(account.uid),
        }
    };
    checked(caller, named, account)
}

fn checked(mut caller: Caller, named: Option<&str>, account: &Account) -> Result<Caller, ApiError> {
    caller.roles.sort_unstable();
    caller.roles.dedup();
    if caller.roles.is_empty() {
        return Err(unknown(named, account));
    }
    if let Some((one, other)) = Role::conflict(&caller.roles) {
        let message = format!(
            "{} is {one} and {other} at once, and who decides does not audit",
            caller.name
        );
        return Err(ApiError::new(ErrorCode::RoleConflict, message)
            .hint("the operator takes the account out of one of the two groups of [roles], or one role out of its [[user]], in node.toml"));
    }
    Ok(caller)
}

/// The roles of an account's groups.
fn roles_of(config: &Config, account: &Account, accounts: &impl Accounts) -> Vec<Role> {
    let holds = |groups: &[String]| {
        let mut gids = groups.iter().filter_map(|group| accounts.gid(group));
        gids.any(|gid| account.groups.contains(&gid))
    };
    let of_groups = config.roles.iter();
    let held = of_groups.filter(|(_, holders)| holds(&holders.groups));
    held.map(|(&role, _)| role).collect()
}

fn belongs_to(user: &User, account: &Account) -> bool {
    let os_user = user.os_user.as_deref();
    os_user.is_some_and(|os_user| os_user == account.name || os_user == account.uid.to_string())
}

fn unknown(named: Option<&str>, account: &Account) -> ApiError {
    let who = named.map_or_else(
        || format!("account {}", account.name),
        |name| format!("user {name:?} of account {}", account.name),
    );
    let message = format!("{who} holds no role on this node");
    ApiError::new(ErrorCode::UnknownUser, message).hint(
        "the operator puts the account into a group of [roles] in node.toml, or adds a [[user]] with name, roles and os_user and restarts the node",
    )
}

/// The user that a caller wants to act as.
pub(super) fn named(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get(USER_HEADER) else {
        return Ok(None);
    };
    let name = value.to_str().map_err(|_| {
        let message = format!("{USER_HEADER} is not a name");
        ApiError::new(ErrorCode::UnknownUser, message)
    })?;
    Ok(Some(name.to_owned()))
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
    let hint = holders(config, roles, caller).map_or_else(
        || format!("nobody here holds it: give a [[user]] or a group of [roles] in node.toml the role {needed}"),
        |holders| format!("ask one of: {holders}"),
    );
    ApiError::new(ErrorCode::WrongRole, message).hint(hint)
}

/// Who else holds one of these roles, in words.
pub(crate) fn holders(config: &Config, roles: &[Role], but: &Caller) -> Option<String> {
    let users = config.user.iter();
    let users = users
        .filter(|user| user.name != but.name && user.roles.iter().any(|role| roles.contains(role)));
    let users = users.map(|user| user.name.clone());
    let groups = roles.iter().filter_map(|role| config.roles.get(role));
    let groups = groups.flat_map(|holders| &holders.groups);
    let groups = groups.map(|group| format!("a member of group {group}"));
    let holders: Vec<String> = users.chain(groups).collect();
    (!holders.is_empty()).then(|| holders.join(", "))
}

#[cfg(test)]
mod tests;
