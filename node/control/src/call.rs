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
    /// The roles that may make it; empty means everyone with access to the socket.
    const ROLES: &'static [Role];
    /// What comes back.
    type Reply: Serialize + DeserializeOwned + Send + 'static;
}

/// Declares calls: `path, roles, request -> reply`.
macro_rules! calls {
    ($($path:literal [$($role:ident),*] $request:ident -> $reply:ty;)*) => {
        $(impl crate::Call for $request {
            const PATH: &'static str = concat!("/v1/", $path);
            const ROLES: &'static [crate::Role] = &[$(crate::Role::$role),*];
            type Reply = $reply;
        })*
    };
}
pub(crate) use calls;
