//! The calls, by noun.

mod agreement;
mod audit;
mod backup;
mod dataset;
mod hit;
mod key;
mod node;
mod peer;
mod review;
mod round;

pub use agreement::*;
pub use audit::*;
pub use backup::*;
pub use dataset::*;
pub use hit::*;
pub use key::*;
pub use node::*;
pub use peer::*;
pub use review::*;
pub use round::*;
