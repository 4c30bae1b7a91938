//! What a call is.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::role::Role;

/// Version of the paths and of every JSON object (`"schema"`).
pub const API_VERSION: u32 = 1;

/// Header that names the user whom the owner of a small installation acts as.
pub const USER_HEADER: &str = "x-mandorla-user";

/// A call of the control API: the request body is the type itself, in JSON.
pub trait Call: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// `/v1/<noun>/<verb>`.
    const PATH: &'static str;
    /// The roles that may make it; empty means everyone who holds a role.
    const ROLES: &'static [Role];
    /// What comes back.
    type Reply: Serialize + DeserializeOwned + Send + 'static;
}

/// A call's path and who may make it, for tables of all calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallInfo {
    /// `/v1/<noun>/<verb>`.
    pub path: &'static str,
    /// [`Call::ROLES`].
    pub roles: &'static [Role],
}

impl CallInfo {
    /// Of a call.
    pub(crate) const fn of<C: Call>() -> Self {
        Self {
            path: C::PATH,
            roles: C::ROLES,
        }
    }

    /// The path in words, as `review approve`.
    pub fn words(&self) -> String {
        self.path.trim_start_matches("/v1/").replace('/', " ")
    }
}

/// Declares calls: `path, roles, request -> reply`. It also makes `CALLS`, which `calls.rs` collects.
macro_rules! calls {
    ($($path:literal [$($role:ident),*] $request:ident -> $reply:ty;)*) => {
        pub(crate) const CALLS: &[crate::CallInfo] = &[$(crate::CallInfo::of::<$request>()),*];

        $(impl crate::Call for $request {
            const PATH: &'static str = concat!("/v1/", $path);
            const ROLES: &'static [crate::Role] = &[$(crate::Role::$role),*];
            type Reply = $reply;
        })*
    };
}
pub(crate) use calls;
