//! The words behind a commitment.

use mandorla_control::{AuditEraseReason, AuditReason, ReasonView};

use crate::context::Context;
use crate::failure::{DONE, Done};
use crate::table::pairs;
use crate::when::when;

pub(super) async fn reason(commitment: String, erase: bool, cx: &Context) -> Done {
    let view = if erase {
        cx.confirm(&format!(
            "Erase the words behind {commitment}? They cannot be brought back."
        ))?;
        cx.call(&AuditEraseReason { commitment }).await?
    } else {
        cx.call(&AuditReason { commitment }).await?
    };
    cx.out.object(&view, |view: &ReasonView| {
        let words = if erase { "erased" } else { &view.text };
        pairs(&[
            ("commitment", view.commitment.clone()),
            ("by", view.by.clone()),
            ("at", when(view.at)),
            ("reason", words.to_owned()),
        ])
    })?;
    DONE
}
