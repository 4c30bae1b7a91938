//! The operating system's accounts and groups, as its name service knows them.

use std::ffi::CString;

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

/// An account of the operating system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// User id.
    pub uid: u32,
    /// Its name, else its number.
    pub name: String,
    /// Ids of its groups: its own and the supplementary ones.
    pub groups: Vec<u32>,
}

/// The account behind a connection. `gid` is the group that the kernel names for the process.
///
/// Groups are those of the account as it is now, not those that a process was started with: who was taken out of a
/// group cannot keep its role by never logging out. An account that no database knows has the process's group only.
pub(crate) fn account_of(uid: u32, gid: Option<u32>) -> Account {
    let known = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    known.map_or_else(
        || Account {
            uid,
            name: uid.to_string(),
            groups: gid.into_iter().collect(),
        },
        account,
    )
}

/// The name of the account that this process runs under.
pub(crate) fn own_name() -> String {
    account_of(rustix::process::geteuid().as_raw(), None).name
}

/// The account of a name or number as `os_user` has it; a number that no database knows is an account without groups.
pub(crate) fn account_named(text: &str) -> Option<Account> {
    match text.parse() {
        Ok(uid) => Some(account_of(uid, None)),
        Err(_) => User::from_name(text).ok().flatten().map(account),
    }
}

/// The id of a group given by name or number.
pub(crate) fn gid_of(text: &str) -> Option<u32> {
    let group = || Group::from_name(text).ok().flatten();
    let known = || group().map(|group| group.gid.as_raw());
    text.parse().ok().or_else(known)
}

fn account(user: User) -> Account {
    let of_account = |name: CString| getgrouplist(&name, user.gid).ok();
    let groups = CString::new(user.name.as_str()).ok().and_then(of_account);
    let groups = groups.unwrap_or_else(|| vec![user.gid]);
    Account {
        uid: user.uid.as_raw(),
        groups: groups.into_iter().map(Gid::as_raw).collect(),
        name: user.name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_of_number_nought_is_root_by_name_and_by_number() {
        let root = account_of(0, None);
        assert_eq!((root.name.as_str(), root.uid), ("root", 0));
        assert!(root.groups.contains(&0));
        assert_eq!(account_named("root"), Some(root.clone()));
        assert_eq!(account_named("0"), Some(root));
        assert_eq!(account_named("no-such-account-here"), None);
    }

    #[test]
    fn an_account_that_no_database_knows_has_the_group_of_its_process() {
        let stranger = account_of(3_999_999_999, Some(77));
        assert_eq!(stranger.name, "3999999999");
        assert_eq!(stranger.groups, [77]);
    }

    #[test]
    fn groups_are_found_by_name_and_by_number() {
        assert_eq!(gid_of("root"), Some(0));
        assert_eq!(gid_of("4242"), Some(4242));
        assert_eq!(gid_of("no-such-group-here"), None);
    }
}
