//! Who may make which call: every call of the control API in every role, over a real socket, against a table that is
//! written out here on purpose and not taken from the calls.

use std::path::Path;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::Bytes;
use mandorla_control::{Client, ClientError, ErrorCode, Role, all_calls};
use tokio::task::JoinHandle;

use super::*;
use crate::test_node::node_of;

/// Operator, analyst, authoriser, auditor; `-` where the role may not.
const TABLE: &[(&str, &str)] = &[
    ("agreement activate", "O---"),
    ("agreement draft", "O---"),
    ("agreement export", "OAZU"),
    ("agreement import", "O---"),
    ("agreement lint", "OAZU"),
    ("agreement list", "OAZU"),
    ("agreement propose", "O---"),
    ("agreement read", "OAZU"),
    ("agreement resume", "O---"),
    ("agreement show", "OAZU"),
    ("agreement sign", "O---"),
    ("agreement suspend", "O-Z-"),
    ("audit checkpoint", "O--U"),
    ("audit erase-reason", "O---"),
    ("audit export", "---U"),
    ("audit export-entries", "---U"),
    ("audit export-facts", "---U"),
    ("audit log", "---U"),
    ("audit prove", "---U"),
    ("audit reason", "---U"),
    ("audit reconcile", "O--U"),
    ("audit search", "---U"),
    ("audit verify", "O--U"),
    ("audit verify-from", "O--U"),
    ("backup create", "O---"),
    ("dataset list", "OAZU"),
    ("dataset load", "O---"),
    ("dataset profile", "O--U"),
    ("dataset remove", "O---"),
    ("dataset show", "OA-U"),
    ("hit list", "-AZU"),
    ("hit show", "-AZU"),
    ("key list", "O--U"),
    ("key revoke", "O---"),
    ("key rotate", "O---"),
    ("node doctor", "O---"),
    ("node status", "OAZU"),
    ("node stop", "O---"),
    ("peer add", "O---"),
    ("peer export", "OAZU"),
    ("peer list", "OAZU"),
    ("peer ping", "OA--"),
    ("peer remove", "O---"),
    ("peer revoke", "O---"),
    ("peer show", "OAZU"),
    ("peer verify", "O---"),
    ("review approve", "--Z-"),
    ("review decline", "--Z-"),
    ("review inbox", "--ZU"),
    ("review refuse", "--Z-"),
    ("review release", "--Z-"),
    ("review show", "--ZU"),
    ("round cancel", "-A--"),
    ("round list", "OAZU"),
    ("round plan", "-A--"),
    ("round propose", "-A--"),
    ("round show", "OAZU"),
];

/// One named user for each role, in the table's order.
const USERS: [(&str, Role); 4] = [
    ("olga", Role::Operator),
    ("anton", Role::Analyst),
    ("zora", Role::Authoriser),
    ("una", Role::Auditor),
];

/// Calls that decide: never an operator's, an analyst's or an auditor's.
const DECISIONS: [&str; 4] = [
    "review approve",
    "review decline",
    "review refuse",
    "review release",
];

/// Calls that show hits.
const HITS: [&str; 4] = ["hit list", "hit show", "review inbox", "review show"];

fn add_to_config(data_dir: &Path, more: &str) {
    let path = data_dir.join("node.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}{more}")).unwrap();
}

/// A served control socket beside the node's data directory.
async fn served(
    node: &Arc<Node>,
    dir: &Path,
) -> (ControlSocket, std::path::PathBuf, JoinHandle<()>) {
    let path = dir.join("control.sock");
    let (socket, listener) = ControlSocket::bind(&path, None).await.unwrap();
    let node = Arc::clone(node);
    let serving = tokio::spawn(async move {
        serve(node, listener, std::future::pending()).await.unwrap();
    });
    (socket, path, serving)
}

/// What a call with a body that no call can read is answered with: who is admitted comes to hearing so.
async fn answer_to(socket: &Path, user: Option<&str>, path: &str) -> ErrorCode {
    let client = Client::new(socket, user.map(str::to_owned));
    let body = Full::new(Bytes::from_static(b"!"));
    match client.post::<_, serde_json::Value>(path, body).await {
        Err(ClientError::Api(error)) => error.code,
        other => panic!("{path} as {user:?}: {other:?}"),
    }
}

#[test]
fn the_table_has_a_row_for_every_call_and_no_other() {
    let calls: Vec<String> = all_calls()
        .iter()
        .map(mandorla_control::CallInfo::words)
        .collect();
    let rows: Vec<&str> = TABLE.iter().map(|(call, _)| *call).collect();
    assert_eq!(rows, calls, "who may make the new call is decided here");
    let mut served: Vec<String> = routes().paths;
    served.sort();
    let known: Vec<&str> = all_calls().iter().map(|call| call.path).collect();
    assert_eq!(
        served, known,
        "each call that is served is listed, with its roles"
    );
}

#[test]
fn the_table_lets_only_authorisers_decide_and_no_operator_see_hits() {
    for (call, roles) in TABLE {
        if DECISIONS.contains(call) {
            assert_eq!(*roles, "--Z-", "{call}");
        }
        if HITS.contains(call) || call.starts_with("hit ") {
            assert!(roles.starts_with('-'), "{call}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_is_open_to_the_roles_of_the_table_and_to_no_other() {
    let (dir, _, node) = node_of("UK", "GB", |data_dir| {
        for (name, role) in USERS {
            let user = format!("\n[[user]]\nname = \"{name}\"\nroles = [\"{role}\"]\n");
            add_to_config(data_dir, &user);
        }
    });
    let (_socket, socket, serving) = served(&node, dir.path()).await;
    for (call, roles) in TABLE {
        let path = format!("/v1/{}", call.replace(' ', "/"));
        for ((name, role), may) in USERS.iter().zip(roles.chars()) {
            let expected = if may == '-' {
                ErrorCode::WrongRole
            } else {
                ErrorCode::BadRequest
            };
            assert_eq!(
                answer_to(&socket, Some(name), &path).await,
                expected,
                "{call} as {role}"
            );
        }
        let nobody = answer_to(&socket, Some("nobody"), &path).await;
        assert_eq!(nobody, ErrorCode::UnknownUser, "{call} without a role");
    }
    assert_eq!(
        answer_to(&socket, None, "/v1/no/such").await,
        ErrorCode::NotFound
    );
    // Each refusal for want of the role is in the ledger.
    let refused: usize = TABLE
        .iter()
        .map(|(_, roles)| roles.matches('-').count())
        .sum();
    let tx = node.store.read().unwrap();
    let ledger = tx.ledger().unwrap();
    let recorded = (0..ledger.size()).filter(|seq| {
        let leaf = ledger.leaf_bytes(*seq).unwrap();
        String::from_utf8_lossy(&leaf).contains("\"call.refused\"")
    });
    assert_eq!(recorded.count(), refused);
    serving.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_of_the_callers_account_gives_its_role_and_two_that_conflict_are_refused() {
    let gid = rustix::process::getegid().as_raw();
    let group = |data_dir: &Path, roles: &[Role]| {
        let lines = roles.iter();
        let lines = lines.map(|role| format!("{role} = {{ groups = [\"{gid}\"] }}\n"));
        let path = data_dir.join("node.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let at = text.find("\n[[user]]").unwrap();
        let roles: String = lines.collect();
        let text = format!("{}\n[roles]\n{roles}{}", &text[..at], &text[at..]);
        std::fs::write(&path, text).unwrap();
    };
    let (dir, _, node) = node_of("UK", "GB", |dir| group(dir, &[Role::Auditor]));
    let (_socket, socket, serving) = served(&node, dir.path()).await;
    let log = answer_to(&socket, None, "/v1/audit/log").await;
    assert_eq!(log, ErrorCode::BadRequest, "an auditor by group");
    let stop = answer_to(&socket, None, "/v1/node/stop").await;
    assert_eq!(
        stop,
        ErrorCode::BadRequest,
        "and the operator by owning the node"
    );
    let approve = answer_to(&socket, None, "/v1/review/approve").await;
    assert_eq!(approve, ErrorCode::WrongRole);
    serving.abort();

    // The account is an authoriser by its name, and its group makes it an auditor.
    let own = rustix::process::geteuid().as_raw();
    let (dir, _, node) = node_of("UK", "GB", |dir| {
        group(dir, &[Role::Auditor]);
        let user =
            format!("\n[[user]]\nname = \"zora\"\nroles = [\"authoriser\"]\nos_user = \"{own}\"\n");
        add_to_config(dir, &user);
    });
    let (_socket, socket, serving) = served(&node, dir.path()).await;
    let refused = answer_to(&socket, Some("zora"), "/v1/review/inbox").await;
    assert_eq!(refused, ErrorCode::RoleConflict);
    serving.abort();
}
