//! Loading lists through the socket.

use ed25519_dalek::VerifyingKey;
use http_body_util::Full;
use hyper::body::Bytes;
use mandorla_control::{
    ApiError, ClientError, DATASET_LOAD_PATH, DatasetList, DatasetLoad, DatasetProfile,
    DatasetRemove, DatasetShow, DatasetView, ErrorCode,
};
use mandorla_store::{EntryProof, LedgerVerifier};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::world::{Running, code};

const MAP: &str = "[columns]\nref = \"id\"\nfamily_names = \"name\"\n";

fn framed(header: &DatasetLoad, file: &[u8]) -> Vec<u8> {
    let json = serde_json::to_vec(header).unwrap();
    let mut body = u32::try_from(json.len()).unwrap().to_le_bytes().to_vec();
    body.extend_from_slice(&json);
    body.extend_from_slice(file);
    body
}

fn header(name: &str, map: &str, dry_run: bool) -> DatasetLoad {
    DatasetLoad {
        name: name.into(),
        map: map.into(),
        dry_run,
    }
}

async fn post(node: &Running, body: Vec<u8>) -> Result<DatasetView, ApiError> {
    let body = Full::new(Bytes::from(body));
    match node.client("olga").post(DATASET_LOAD_PATH, body).await {
        Ok(view) => Ok(view),
        Err(ClientError::Api(error)) => Err(error),
        Err(other) => panic!("no answer of the node: {other}"),
    }
}

async fn load(node: &Running, name: &str, map: &str, file: &[u8]) -> Result<DatasetView, ApiError> {
    post(node, framed(&header(name, map, false), file)).await
}

async fn show(node: &Running, name: &str) -> DatasetView {
    node.call(&DatasetShow { name: name.into() }).await
}

fn febrl(name: &str) -> Vec<u8> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/febrl4/");
    std::fs::read(format!("{dir}{name}")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_loaded_listed_replaced_and_removed() {
    let node = Running::start("UK", "GB").await;
    let map = String::from_utf8(febrl("map.toml")).unwrap();
    let first = load(&node, "watchlist", &map, &febrl("dataset4a.csv"))
        .await
        .unwrap();
    assert_eq!(
        (first.subjects, first.report.rows_in, first.report.accepted),
        (5_000, 5_000, 5_000)
    );
    assert!(first.fields.iter().any(|field| field == "national_id"));
    assert!(!first.report.dry_run);
    let listed = node.call(&DatasetList {}).await;
    assert_eq!(
        (listed.len(), listed[0].digest.as_str()),
        (1, first.digest.as_str())
    );

    let second = load(&node, "watchlist", &map, &febrl("dataset4b.csv"))
        .await
        .unwrap();
    assert_ne!(second.digest, first.digest);
    let again = load(&node, "watchlist", &map, &febrl("dataset4a.csv"))
        .await
        .unwrap();
    assert_eq!(
        again.digest, first.digest,
        "the digest is of the subjects, not of the load"
    );
    assert_eq!(show(&node, "watchlist").await.digest, first.digest);

    let ledger = node.ledger().await;
    let loads: Vec<_> = ledger
        .iter()
        .filter(|entry| entry["event"] == "dataset.loaded")
        .collect();
    assert_eq!(loads.len(), 3);
    assert_eq!(loads[0]["detail"]["accepted"], 5_000);
    assert_eq!(
        loads[0]["detail"]["file_digest"],
        first.report.file_digest.as_str()
    );
    assert!(!serde_json::to_string(&ledger).unwrap().contains("michaela"));

    let removed = node
        .call(&DatasetRemove {
            name: "watchlist".into(),
        })
        .await;
    assert_eq!((removed.rows_removed, removed.rows_in_use), (5_000, 0));
    assert!(removed.compacted);
    assert!(node.call(&DatasetList {}).await.is_empty());
    let gone = node
        .refusal(&DatasetShow {
            name: "watchlist".into(),
        })
        .await;
    assert_eq!(code(&gone), ErrorCode::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_reports_and_keeps_nothing() {
    let node = Running::start("UK", "GB").await;
    let file = b"id,name\n1,Smith\n1,Smith\n,Jones\n2\n3,Brown\n";
    let dry = post(&node, framed(&header("list", MAP, true), file))
        .await
        .unwrap();
    assert_eq!(
        (dry.report.rows_in, dry.report.accepted, dry.report.dry_run),
        (5, 2, true)
    );
    assert_eq!(dry.report.rejected["reference used before"].lines, [3]);
    assert_eq!(dry.report.rejected["no reference"].rows, 1);
    assert_eq!(dry.report.rejected["wrong number of fields"].lines, [5]);
    assert!(node.call(&DatasetList {}).await.is_empty());
    let real = load(&node, "list", MAP, file).await.unwrap();
    assert_eq!((real.digest, real.subjects), (dry.digest, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn test_data_is_marked_wherever_the_dataset_is_named() {
    let node = Running::start("UK", "GB").await;
    let map = format!("synthetic = true\n{MAP}");
    let loaded = load(&node, "list", &map, b"id,name\n1,Smith\n")
        .await
        .unwrap();
    assert!(loaded.synthetic && show(&node, "list").await.synthetic);
    load(&node, "people", MAP, b"id,name\n1,Smith\n")
        .await
        .unwrap();
    let marks: Vec<bool> = node
        .call(&DatasetList {})
        .await
        .iter()
        .map(|dataset| dataset.synthetic)
        .collect();
    assert_eq!(marks, [true, false]);
    node.call(&DatasetRemove {
        name: "list".into(),
    })
    .await;
    let ledger = node.ledger().await;
    for event in ["dataset.loaded", "dataset.removed"] {
        let entry = ledger.iter().find(|entry| entry["event"] == event).unwrap();
        assert_eq!(entry["detail"]["synthetic"], true, "{event}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_loaded_says_why_and_leaves_the_dataset_as_it_was() {
    let node = Running::start("UK", "GB").await;
    let good = load(&node, "list", MAP, b"id,name\n1,Smith\n")
        .await
        .unwrap();
    let file = b"id,name\n2,Jones\n";
    let mut oversize = u32::MAX.to_le_bytes().to_vec();
    oversize.extend_from_slice(&[b' '; 1000]);
    let whole = framed(&header("list", MAP, false), b"");
    for (body, expected) in [
        (
            framed(&header("li st", MAP, false), file),
            ErrorCode::BadRequest,
        ),
        (framed(&header("", MAP, false), file), ErrorCode::BadRequest),
        (
            framed(&header("list", "[columns]", false), file),
            ErrorCode::BadMap,
        ),
        (
            framed(
                &header(
                    "list",
                    "[columns]\nref = \"nr\"\nfamily_names = \"name\"",
                    false,
                ),
                file,
            ),
            ErrorCode::BadMap,
        ),
        (
            framed(&header("list", MAP, false), b"id;name\n2;Jones\n"),
            ErrorCode::BadFile,
        ),
        (
            framed(&header("list", MAP, false), b"id,name\n,Jones\n"),
            ErrorCode::BadFile,
        ),
        (whole.clone(), ErrorCode::BadFile),
        (whole[..whole.len() - 1].to_vec(), ErrorCode::BadRequest),
        (Vec::new(), ErrorCode::BadRequest),
        (oversize, ErrorCode::BadRequest),
    ] {
        let refused = post(&node, body).await.unwrap_err();
        assert_eq!(refused.code, expected, "{refused}");
        assert!(refused.hint.is_some());
    }
    assert_eq!(show(&node, "list").await.digest, good.digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_digest_covers_exclusions_and_which_number_goes_with_which_state() {
    let node = Running::start("UK", "GB").await;
    let map = "[columns]\nref = \"id\"\n[exclude]\ncontested_record = \"c\"\n[[document]]\nnumber = \"n\"\nstate = \"s\"\nsplit = \";\"\n";
    let mut digests = Vec::new();
    for file in [
        "id,c,n,s\n1,,A;B,SRB;TUR\n",
        "id,c,n,s\n1,yes,A;B,SRB;TUR\n",
        "id,c,n,s\n1,,A;B,TUR;SRB\n",
        "id,c,n,s\n1,,B;A,TUR;SRB\n",
    ] {
        let loaded = load(&node, "list", map, file.as_bytes()).await.unwrap();
        digests.push(loaded.digest);
    }
    let distinct: std::collections::BTreeSet<&String> = digests.iter().collect();
    assert_eq!(distinct.len(), 4);
    let file = b"id,c,n,s\n1,,A;B,SRB;TUR\n";
    let again = load(&node, "list", map, file).await.unwrap();
    assert_eq!(again.digest, digests[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_is_proven_to_whoever_has_the_public_key() {
    let node = Running::start("UK", "GB").await;
    let loaded = load(&node, "list", MAP, b"id,name\n1,Smith\n2,Jones\n")
        .await
        .unwrap();
    let removed = node
        .call(&DatasetRemove {
            name: "list".into(),
        })
        .await;
    assert_eq!(removed.rows_removed, 2);
    let proof = removed.proof;
    let mut key = [0; 32];
    hex::decode_to_slice(&proof.node_key, &mut key).unwrap();
    let verifier = LedgerVerifier {
        node_name: proof.node.clone(),
        keys: vec![VerifyingKey::from_bytes(&key).unwrap()],
    };
    let entry_proof = EntryProof {
        seq: proof.seq,
        entry: proof.entry,
        size: proof.size,
        path: proof.path,
        checkpoint: proof.checkpoint,
    };
    assert_eq!(hex::encode(entry_proof.leaf_hash()), proof.leaf_hash);
    let entry = entry_proof.verify(&verifier).unwrap();
    assert_eq!(entry.event, "dataset.removed");
    assert_eq!(entry.detail["subjects"], 2);
    assert_eq!(entry.detail["digest"], loaded.digest.as_str());
    assert_eq!(
        entry.detail["file_digest"],
        loaded.report.file_digest.as_str()
    );
    assert!(!entry_proof.entry.contains("Smith"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_counts_and_shows_no_value() {
    let node = Running::start("UK", "GB").await;
    let map = "[columns]\nref = \"id\"\nfamily_names = \"name\"\nnational_id = \"jmbg\"\n[constants]\nnational_id_type = \"jmbg\"\n[exclude]\nminor = \"child\"\n";
    let file = b"id,name,jmbg,child\n1,Smith,1403987660121,\n2,UNKNOWN,1403987660122,yes\n3,,,\n";
    load(&node, "list", map, file).await.unwrap();
    let profile = node
        .call(&DatasetProfile {
            name: "list".into(),
        })
        .await;
    assert_eq!(
        (profile.subjects, profile.jmbg, profile.jmbg_bad),
        (3, 2, 1)
    );
    assert_eq!(profile.flagged["minor"], 1);
    let names = &profile.fields[0];
    assert_eq!(names.field, "family_names");
    assert_eq!((names.usable, names.placeholders, names.missing), (1, 1, 1));
    let json = serde_json::to_string(&profile).unwrap();
    assert!(!json.contains("Smith") && !json.contains("14039876"));
    let unknown = node
        .refusal(&DatasetProfile {
            name: "other".into(),
        })
        .await;
    assert_eq!(code(&unknown), ErrorCode::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_list_is_loaded_with_a_warning_and_exclusions_stand_in_the_ledger() {
    let node = Running::start("UK", "GB").await;
    let empty = load(&node, "nobody", MAP, b"id,name\n").await.unwrap();
    assert_eq!(empty.subjects, 0);
    assert!(empty.report.warnings[0].contains("a list of nobody"));
    let map = format!("{MAP}[exclude]\nasylum_claim = \"asylum\"\n");
    let file = b"id,name,asylum\n1,Smith,yes\n2,Jones,no\n3,Brown,maybe\n";
    let loaded = load(&node, "list", &map, file).await.unwrap();
    assert_eq!(loaded.report.flagged["asylum_claim"], 1);
    let reason = "exclusion neither yes nor no";
    assert_eq!(loaded.report.rejected[reason].lines, [4]);
    let ledger = node.ledger().await;
    let entry = ledger.last().unwrap();
    assert_eq!(entry["detail"]["flagged"]["asylum_claim"], 1);
    assert_eq!(entry["detail"]["rejected"][reason], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_bad_input_names_what_to_do_and_keeps_the_old_list() {
    let node = Running::start("UK", "GB").await;
    let good = load(&node, "list", MAP, b"id,name\n1,Smith\n")
        .await
        .unwrap();
    let utf16: Vec<u8> = "id,name\n1,Smith\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let long = format!("id,name\n1,{}\n", "x".repeat(10_000_000)).into_bytes();
    let mut quote = b"id,name\n1,\"Smith\n".to_vec();
    for row in 2..100_000 {
        quote.extend_from_slice(format!("{row},Name number {row}\n").as_bytes());
    }
    for (file, code, message, hint) in [
        (
            b"".to_vec(),
            ErrorCode::BadFile,
            "the file is empty",
            "nothing was kept",
        ),
        (
            b"1,Smith\n2,Jones\n".to_vec(),
            ErrorCode::BadMap,
            "does the file have a header line",
            "map file",
        ),
        (
            b"id,n\xe1me\n".to_vec(),
            ErrorCode::BadFile,
            "not UTF-8",
            "iconv",
        ),
        (utf16, ErrorCode::BadFile, "UTF-16", "iconv"),
        (
            b"id;name\n1;Smith\n".to_vec(),
            ErrorCode::BadFile,
            "separated by semicolons",
            "delimiter",
        ),
        (
            b"id,nam\n1,Smith\n".to_vec(),
            ErrorCode::BadMap,
            "did you mean \"nam\"?",
            "map file",
        ),
        (
            long,
            ErrorCode::BadFile,
            "the row that starts in line 2",
            "nothing was kept",
        ),
        (
            quote,
            ErrorCode::BadFile,
            "is a quote left open there?",
            "nothing was kept",
        ),
    ] {
        let refused = load(&node, "list", MAP, &file).await.unwrap_err();
        assert_eq!(refused.code, code, "{refused}");
        assert!(refused.message.contains(message), "{refused}");
        let given = refused.hint.unwrap();
        assert!(given.contains(hint), "{given}");
    }
    assert_eq!(show(&node, "list").await.digest, good.digest);
    let ledger = node.ledger().await;
    let loads = ledger
        .iter()
        .filter(|entry| entry["event"] == "dataset.loaded");
    assert_eq!(loads.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_half_way_leaves_the_old_dataset_in_place() {
    let node = Running::start("UK", "GB").await;
    let good = load(&node, "list", MAP, b"id,name\n1,Smith\n")
        .await
        .unwrap();

    let mut file = b"id,name\n".to_vec();
    for row in 0..40_000 {
        file.extend_from_slice(format!("{row},Name{row}\n").as_bytes());
    }
    let body = framed(&header("list", MAP, false), &file);
    let mut stream = UnixStream::connect(node.socket()).await.unwrap();
    let head = format!(
        "POST {DATASET_LOAD_PATH} HTTP/1.1\r\nhost: node\r\nx-mandorla-user: olga\r\ncontent-length: {}\r\n\r\n",
        body.len() + 1
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body).await.unwrap();
    stream.shutdown().await.unwrap();
    // All but the last byte was sent. The node notices and closes.
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
    drop(stream);

    // The broken load ends by itself; until then there is no room for another.
    let next = loop {
        match load(&node, "other", MAP, b"id,name\n7,Brown\n").await {
            Err(error) if error.code == ErrorCode::InUse => tokio::task::yield_now().await,
            other => break other,
        }
    };
    next.unwrap();
    assert_eq!(show(&node, "list").await.digest, good.digest);
    let loads = node.ledger().await;
    let loads = loads
        .iter()
        .filter(|entry| entry["event"] == "dataset.loaded");
    assert_eq!(loads.count(), 2);
}
