//! Who may call what.

use std::os::unix::fs::PermissionsExt as _;

use http_body_util::Full;
use hyper::body::Bytes;
use mandorla_control::{
    AgreementLint, AuditLog, AuditVerify, Client, ClientError, DATASET_LOAD_PATH, ErrorCode,
    NodeStop, PeerExport, Status,
};

use crate::world::{Running, code, refusal};

#[tokio::test(flavor = "multi_thread")]
async fn the_node_names_the_caller_and_keeps_each_call_to_its_roles() {
    let node = Running::start("UK", "GB").await;
    let status = node.client("ana").call(&Status {}).await.unwrap();
    assert_eq!(
        (status.user.as_str(), status.roles.as_slice()),
        ("ana", &["analyst".to_owned()][..])
    );
    assert_eq!(status.listen, node.address.to_string());
    let card = node.call(&PeerExport {}).await;
    assert_eq!(status.fingerprint, card.fingerprint);

    let owner = Client::new(node.socket(), None);
    assert_eq!(owner.call(&Status {}).await.unwrap().roles, ["operator"]);
    assert_eq!(
        code(&refusal(&owner, &AuditLog { from: 0, limit: 1 }).await),
        ErrorCode::WrongRole
    );

    let refused = refusal(&node.client("petra"), &NodeStop {}).await;
    assert_eq!(code(&refused), ErrorCode::WrongRole);
    assert!(refused.message.contains("operator") && refused.message.contains("petra"));
    assert_eq!(refused.hint.as_deref(), Some("ask one of: olga"));
    let unknown = refusal(&node.client("eve"), &Status {}).await;
    assert_eq!(code(&unknown), ErrorCode::UnknownUser);

    let ledger = node.ledger().await;
    let refusals: Vec<_> = ledger
        .iter()
        .filter(|entry| entry["event"] == "call.refused")
        .collect();
    assert_eq!(refusals.len(), 2);
    assert_eq!(refusals[1]["actor"], "petra");
    assert_eq!(refusals[1]["detail"]["call"], "/v1/node/stop");
    let report = node.call(&AuditVerify {}).await;
    assert!(report.verified && report.faults.is_empty());
    assert_eq!(report.entries, ledger.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_a_call_gets_an_error_that_can_be_read() {
    let node = Running::start("UK", "GB").await;
    let client = node.client("olga");
    let post = |path: &'static str, body: Vec<u8>| {
        let client = client.clone();
        async move {
            match client
                .post::<_, serde_json::Value>(path, Full::new(Bytes::from(body)))
                .await
            {
                Err(ClientError::Api(error)) => error.code,
                other => panic!("{path}: {other:?}"),
            }
        }
    };
    assert_eq!(
        post("/v1/peer/invent", b"{}".to_vec()).await,
        ErrorCode::NotFound
    );
    assert_eq!(
        post("/v1/peer/list", b"{".to_vec()).await,
        ErrorCode::BadRequest
    );
    assert_eq!(
        post("/v1/peer/show", b"{}".to_vec()).await,
        ErrorCode::BadRequest
    );
    assert_eq!(
        post("/v1/peer/list", vec![b' '; (1 << 20) + 1]).await,
        ErrorCode::BadRequest
    );
    let large = AgreementLint {
        text: "#".repeat(600_000),
    };
    assert!(
        client.call(&large).await.is_ok(),
        "large, and within the limit"
    );
    let refused = node.client("ana");
    let upload = Full::new(Bytes::from(vec![0; 4 << 20]));
    let refused = refused
        .post::<_, serde_json::Value>(DATASET_LOAD_PATH, upload)
        .await;
    assert!(matches!(refused, Err(ClientError::Api(error)) if error.code == ErrorCode::WrongRole));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_is_for_owner_and_group() {
    let node = Running::start("UK", "GB").await;
    let mode = std::fs::metadata(node.socket())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o660);
}
