use mandorla_control::CheckStatus::{self, Fail, Ok as Fine, Warn};
use mandorla_control::{CheckSide, ErrorCode};

use super::*;
use crate::records::pair::{PAIR_LOGS, PairLogRecord};
use crate::test_node::node;

#[test]
fn a_dataset_is_held_against_the_age_that_its_agreement_allows() {
    let now_s = 100 * DAY_S;
    let status = |loaded_at: Option<u64>| age("wanted", "A-1", loaded_at, 10, now_s).status;
    assert_eq!(status(Some(95 * DAY_S)), Fine);
    assert_eq!(status(Some(91 * DAY_S)), Warn, "nine days of ten");
    assert_eq!(status(Some(90 * DAY_S)), Warn, "the last moment");
    assert_eq!(status(Some(90 * DAY_S - 1)), Fail);
    assert_eq!(status(None), Warn, "not loaded");
}

#[test]
fn an_agreement_that_ends_within_weeks_is_a_warning() {
    assert_eq!(expiry("A-1", EXPIRY_WARN_S).status, Fine);
    let soon = expiry("A-1", EXPIRY_WARN_S - 1);
    assert_eq!(soon.status, Warn);
    assert_eq!(soon.about.as_deref(), Some("A-1"));
}

#[test]
fn a_clock_is_fine_then_a_warning_then_a_failure() {
    let status = |offset| clock("RS", offset).status;
    for (offset, expected) in [
        (0, Fine),
        (-60, Fine),
        (61, Warn),
        (-300, Warn),
        (301, Fail),
        (-3_600, Fail),
    ] {
        assert_eq!(status(offset), expected, "{offset}");
    }
}

#[test]
fn a_peer_that_does_not_answer_fails_with_its_class_and_the_step_for_that_class() {
    let statuses = |class: PingClass| -> Vec<(Check, CheckStatus)> {
        let error = ApiError::new(ErrorCode::PeerUnreachable, "why");
        let checks = peer_checks("RS", Err(PingFailure { class, error }));
        assert!(
            checks
                .iter()
                .all(|view| view.about.as_deref() == Some("RS"))
        );
        checks
            .iter()
            .map(|view| (view.check, view.status))
            .collect()
    };
    for class in [
        PingClass::Address,
        PingClass::NothingListens,
        PingClass::UdpBlocked,
        PingClass::Timeout,
        PingClass::WrongKey,
        PingClass::Refused,
        PingClass::Protocol,
    ] {
        assert_eq!(statuses(class), [(Check::PeerHandshake, Fail)], "{class}");
        assert!(!class.why().is_empty() && !class.remedy("RS").is_empty());
    }
    assert_eq!(statuses(PingClass::Later), [(Check::PeerHandshake, Warn)]);
    assert_eq!(
        statuses(PingClass::Clock(3_600)),
        [(Check::PeerHandshake, Fine), (Check::PeerClock, Fail)]
    );
    let well = peer_checks("RS", Ok(0));
    assert!(well.iter().all(|view| view.status == Fine), "{well:?}");
}

#[test]
fn a_new_node_passes_and_a_damaged_pair_log_or_store_does_not() {
    let (dir, _, node) = node();
    let found = local_checks(&node);
    assert!(found.iter().all(|view| view.status != Fail), "{found:?}");
    let made: Vec<Check> = found.iter().map(|view| view.check).collect();
    let of_node = Check::ALL.iter().copied();
    let of_node = of_node.filter(|check| {
        check.side() == CheckSide::Node && ![Check::PeerHandshake, Check::PeerClock].contains(check)
    });
    assert_eq!(made, of_node.collect::<Vec<_>>());

    let damaged = PairLogRecord {
        tree: "00".into(),
        ..PairLogRecord::default()
    };
    let put = |tx: &mandorla_store::WriteTx<'_>| tx.put(PAIR_LOGS, "RS/asked-by-us", &damaged);
    node.store.write_unlogged(put).unwrap();
    let view = pair_logs(&node);
    assert_eq!((view.check, view.status), (Check::PairLogs, Fail));
    drop(dir);
}
