//! Quotas: what the responder's evaluations used up at the requester. Never refunded.

use mandorla_store::{ReadTx, StoreError, Table, WriteTx};

/// (`<agreement>/<match key>`, UTC day number): padded evaluations charged that day.
pub(crate) const EVALUATIONS: Table<(&str, u64), u64> = Table::new("evaluations");

/// The one row `"spent_until"`: Unix seconds. Up to this moment nobody knows what was used, because the node was restored
/// from a backup; every period that reaches back to it counts as used up. Never set back.
pub(crate) const SPENT: Table<&str, u64> = Table::new("quota_spent");
const SPENT_UNTIL: &str = "spent_until";

const DAY_S: u64 = 86_400;

fn name(agreement: &str, match_key: &str) -> String {
    format!("{agreement}/{match_key}")
}

/// Evaluations charged in the days that a period ending now touches.
pub(crate) fn used(
    tx: &WriteTx<'_>,
    agreement: &str,
    match_key: &str,
    period_s: u64,
    now_s: u64,
) -> Result<u64, StoreError> {
    let name = name(agreement, match_key);
    let first = now_s.saturating_sub(period_s) / DAY_S;
    // Up to the end: days that the clock has not reached yet were charged by a clock that was ahead.
    let rows = tx.scan(
        EVALUATIONS,
        (name.as_str(), first)..=(name.as_str(), u64::MAX),
    )?;
    Ok(rows.into_iter().map(|(_, count)| count).sum())
}

/// Charges evaluations to today.
pub(crate) fn charge(
    tx: &WriteTx<'_>,
    agreement: &str,
    match_key: &str,
    evaluations: u64,
    now_s: u64,
) -> Result<(), StoreError> {
    let name = name(agreement, match_key);
    let key = (name.as_str(), now_s / DAY_S);
    let before = tx.find(EVALUATIONS, key)?.unwrap_or(0);
    tx.put(EVALUATIONS, key, &(before + evaluations))
}

/// The moment up to which nobody knows what was used, if there is one.
pub(crate) fn spent_until(tx: &ReadTx) -> Result<Option<u64>, StoreError> {
    tx.find(SPENT, SPENT_UNTIL)
}

/// [`spent_until`] within a transaction that writes.
pub(crate) fn spent_until_in(tx: &WriteTx<'_>) -> Result<Option<u64>, StoreError> {
    tx.find(SPENT, SPENT_UNTIL)
}

/// Counts every period that reaches back to this moment as used up.
pub(crate) fn spend_until(tx: &WriteTx<'_>, until_s: u64) -> Result<(), StoreError> {
    let until_s = spent_until_in(tx)?.unwrap_or(0).max(until_s);
    tx.put(SPENT, SPENT_UNTIL, &until_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_charged_by_a_clock_that_was_ahead_still_counts() {
        let (_dir, _, node) = crate::test_node::node();
        let used_now = node.store.write_unlogged(|tx| {
            charge(tx, "A", "number", 40, 10 * DAY_S)?;
            charge(tx, "A", "number", 2, 3 * DAY_S)?;
            charge(tx, "A", "other", 7, 3 * DAY_S)?;
            used(tx, "A", "number", DAY_S, 3 * DAY_S)
        });
        assert_eq!(
            used_now.map_err(|error: StoreError| error.to_string()),
            Ok(42)
        );
    }
}
