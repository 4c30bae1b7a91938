//! Review: the desk of the authoriser, and the released hits of the analyst.
//!
//! ```text
//!  inbox ─► approve a question (token, release key) ─► requester's driver sends it
//!        └► release a hit: fields − dropped − forbidden ─► match keys all of whose fields leave ─► still a hit?
//!           ─► sealed place (release key) in the next open slot, durable
//! ```
//! The release key is held by [`Desk`] and by nothing else, so a question that nobody approved and an item that
//! nobody released cannot be made.

mod decide;
mod desk;
pub(crate) mod disclosed;
mod hits;
mod inbox;
mod release;
mod second;

pub(crate) use desk::Desk;

use mandorla_control::{
    HitList, HitShow, ReviewApprove, ReviewDecline, ReviewInbox, ReviewRefuse, ReviewRelease,
    ReviewShow,
};

use crate::server::Routes;

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .call::<ReviewInbox>()
        .call::<ReviewShow>()
        .call::<ReviewApprove>()
        .call::<ReviewDecline>()
        .call::<ReviewRelease>()
        .call::<ReviewRefuse>()
        .call::<HitList>()
        .call::<HitShow>()
}
