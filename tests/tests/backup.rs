//! A node is backed up, goes on, and is put back as it was: it regains nothing, forks nothing, and the backup holds no
//! secret of the round that was open.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce, XChaCha20Poly1305, XNonce};
use mandorla_cli::world::NodeProcess;
use mandorla_control::{AuditReport, AuditVerify, ErrorCode, PairLogView, ReviewApprove};
use mandorla_store::run_file::{RunKind, RunReader};
use mandorla_tests::{
    Agencies, CASE, Deal, entries, files_named, follow, logs_agree, numbered, numbers_deal,
    program, propose,
};
use sha2::{Digest as _, Sha256};

const PASSPHRASE: &str = "six words that nobody says so";
const OPERATOR: &str = "o.operator";
const AUDITOR: &str = "d.auditor";
/// The requester's hit keys: kind and record size of the file, and where in a record the key stands.
const HIT_KEYS: (u16, u16) = (2, 37);
const HIT_KEY_AT: usize = 5;

/// `mandorla backup …` on a node's data directory, by its operator.
fn backup(node: &NodeProcess, arguments: &[&Path], verb: &str, passphrase: &Path) -> Output {
    let mut command = Command::new(program());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MANDORLA_") {
            command.env_remove(name);
        }
    }
    command
        .arg("--data-dir")
        .arg(node.data_dir())
        .args(["--user", OPERATOR, "--no-input", "backup", verb])
        .args(arguments)
        .arg("--passphrase-file")
        .arg(passphrase)
        .output()
        .unwrap()
}

/// `mandorla audit reconcile --with RS`, by the node's auditor.
fn reconcile(node: &NodeProcess) -> Output {
    Command::new(program())
        .arg("--data-dir")
        .arg(node.data_dir())
        .args(["--user", AUDITOR, "audit", "reconcile", "--with", "RS"])
        .output()
        .unwrap()
}

fn succeeds(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout) + &text(&output.stderr)
}

fn fails(output: &Output, code: &str) -> String {
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && error.contains(code), "{error}");
    assert!(error.contains(" hint: "), "{error}");
    error
}

fn secret_file(path: PathBuf, text: &str) -> PathBuf {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
    path
}

/// Decrypts a backup by the description of its format, with nothing of the program.
fn decrypted(file: &[u8]) -> Vec<u8> {
    let number = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    assert_eq!(&file[..16], b"mandorla backup\n");
    assert_eq!(number(16), 1);
    let sealed = 24..24 + number(20) as usize;
    let key = file_key(&file[sealed.clone()]);
    let cipher = ChaCha20Poly1305::new_from_slice(&key).unwrap();
    let header = Sha256::digest(&file[..sealed.end]);
    let chunks: Vec<&[u8]> = file[sealed.end..].chunks(64 * 1024 + 16).collect();
    let mut plain = Vec::new();
    for (chunk, index) in chunks.iter().zip(0_u64..) {
        let mut nonce = [0; 12];
        nonce[3..11].copy_from_slice(&index.to_be_bytes());
        nonce[11] = u8::from(index + 1 == chunks.len() as u64);
        let payload = Payload {
            msg: chunk,
            aad: &header,
        };
        plain.extend(cipher.decrypt(&Nonce::from(nonce), payload).unwrap());
    }
    plain
}

fn file_key(sealed: &[u8]) -> Vec<u8> {
    let number = |at: usize| u32::from_be_bytes(sealed[at..at + 4].try_into().unwrap());
    assert_eq!(&sealed[..9], b"mdlseal1\x01");
    let params = Params::new(number(9), number(13), number(17), Some(32)).unwrap();
    let mut key = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(PASSPHRASE.as_bytes(), &sealed[21..37], &mut key)
        .unwrap();
    let payload = Payload {
        msg: &sealed[61..sealed.len() - 8],
        aad: &[&sealed[..61], b"mandorla/1 backup"].concat(),
    };
    XChaCha20Poly1305::new_from_slice(&key)
        .unwrap()
        .decrypt(&XNonce::try_from(&sealed[37..61]).unwrap(), payload)
        .unwrap()
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

/// Whether bytes stand in it, as they are or in hexadecimal.
fn holds_secret(haystack: &[u8], secret: &[u8]) -> bool {
    holds(haystack, secret) || holds(haystack, hex::encode(secret).as_bytes())
}

/// Hit keys of the requester's open rounds.
fn hit_keys(node: &NodeProcess) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    for path in files_named(node, "-hits.run") {
        let mut reader = RunReader::open(&path, RunKind(HIT_KEYS.0), HIT_KEYS.1).unwrap();
        while let Some(record) = reader.next_record().unwrap() {
            keys.push(record[HIT_KEY_AT..].to_vec());
        }
    }
    keys
}

/// Secret bytes of a node's key file.
fn seeds(node: &NodeProcess) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(node.data_dir().join("keys.toml")).unwrap();
    let quoted = text.split('"').filter_map(|part| hex::decode(part).ok());
    let seeds: Vec<_> = quoted.filter(|bytes| bytes.len() >= 32).collect();
    assert!(!seeds.is_empty());
    seeds
        .iter()
        .flat_map(|bytes| bytes.chunks_exact(32).map(<[u8]>::to_vec))
        .collect()
}

/// Searches a backup, decrypted and as it lies on a disk.
fn holds_no_secret(node: &NodeProcess, file: &Path, hit_keys: &[Vec<u8>]) {
    let sealed = fs::read(file).unwrap();
    let plain = decrypted(&sealed);
    assert!(holds(&plain, CASE.as_bytes()) && !holds(&sealed, CASE.as_bytes()));
    for secret in hit_keys.iter().chain(&seeds(node)) {
        assert!(!holds_secret(&plain, secret), "{}", node.code());
    }
}

/// Restores the requester from its backup and the keys of the directory that it had; starts it.
async fn put_back(agencies: &mut Agencies, file: &Path, passphrase: &Path, open: &str) {
    let aside = agencies.world.root().join("aside");
    agencies.world.node_mut(0).stop().await;
    fs::rename(agencies.requester().data_dir(), &aside).unwrap();
    let restore = |agencies: &Agencies, keys: &Path| {
        let arguments = [file, Path::new("--keys"), keys];
        backup(agencies.requester(), &arguments, "restore", passphrase)
    };
    let foreign = agencies.responder().data_dir().join("keys.toml");
    fails(&restore(agencies, &foreign), "M-332");
    assert!(!agencies.requester().data_dir().exists());
    let keys = aside.join("keys.toml");
    let said = succeeds(&restore(agencies, &keys));
    assert!(said.contains(open), "{said}");
    let waiting = "audit reconcile --with RS; until then no round with RS begins";
    assert!(said.contains(waiting), "{said}");
    fails(&restore(agencies, &keys), "M-103");
    agencies.world.node_mut(0).restart().await.unwrap();
}

/// The log in which a node asks; the other one has no facts here.
fn asked_by_us(report: &AuditReport) -> &PairLogView {
    let mut logs = report.pair_logs.iter();
    logs.find(|log| log.direction == "we ask").unwrap()
}

async fn audited(node: &NodeProcess) -> AuditReport {
    let report = node.as_auditor(&AuditVerify {}).await.unwrap();
    assert!(report.verified, "{:?}", report.faults);
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_put_back_to_an_earlier_state_regains_nothing_and_forks_nothing() {
    let mut agencies = Agencies::two().await.unwrap();
    let deal = Deal {
        slots_s: vec![6],
        ..numbers_deal()
    };
    let lists = [numbered("A", 10..22), numbered("K", 0..20)];
    agencies
        .prepare(&deal, [&lists[0], &lists[1]])
        .await
        .unwrap();
    let first = agencies.ask(&deal).await.unwrap();
    agencies.release_all(&first).await.unwrap();
    assert!(!agencies.answer(&first).await.unwrap().is_empty());
    let root = agencies.world.root().to_owned();
    let passphrase = secret_file(root.join("passphrase"), &format!("{PASSPHRASE}\n"));
    let wrong = secret_file(root.join("wrong"), "six other words of nobody here\n");

    // A backup of each node with a round that is open: the requester's question waits, the responder has hits.
    let open = agencies.evaluated(&deal).await.unwrap();
    let keys = hit_keys(agencies.requester());
    assert!(!keys.is_empty());
    let files = [root.join("gb.backup"), root.join("rs.backup")];
    succeeds(&backup(
        agencies.requester(),
        &[&files[0]],
        "create",
        &passphrase,
    ));
    let again = backup(agencies.requester(), &[&files[0]], "create", &passphrase);
    fails(&again, "M-103");
    agencies.approve(&open).await.unwrap();
    succeeds(&backup(
        agencies.responder(),
        &[&files[1]],
        "create",
        &passphrase,
    ));
    let database = fs::read(agencies.responder().data_dir().join("store.redb")).unwrap();
    assert!(
        keys.iter().any(|key| holds_secret(&database, key)),
        "the search finds hit keys where they are"
    );
    let nodes = [agencies.requester(), agencies.responder()];
    for (node, file) in nodes.into_iter().zip(&files) {
        holds_no_secret(node, file, &keys);
        let said = succeeds(&backup(node, &[file], "verify", &passphrase));
        assert!(said.contains("keys.toml") && !said.contains(CASE), "{said}");
        fails(&backup(node, &[file], "verify", &wrong), "M-333");
    }

    // It goes on: the question is sent and answered, and the pair log grows.
    agencies.release_all(&open).await.unwrap();
    agencies.answer(&open).await.unwrap();
    logs_agree(&agencies).await;
    let peers_log = audited(agencies.responder()).await.pair_logs;

    put_back(&mut agencies, &files[0], &passphrase, &open.own.id).await;

    let ended = follow(agencies.requester(), &open.own.id, |_| true)
        .await
        .unwrap();
    assert_eq!(
        (ended.state.as_str(), ended.detail.as_str()),
        ("ended", "restored")
    );
    assert!(
        hit_keys(agencies.requester()).is_empty(),
        "nothing of it can be opened"
    );
    let approve = ReviewApprove {
        round: open.own.id.clone(),
        reason: "proportionate".to_owned(),
    };
    let error = agencies.requester().as_officer(&approve).await.unwrap_err();
    assert_ne!(error.code, ErrorCode::Internal, "{error}");
    let refused = propose(&agencies, &deal).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Refused);
    assert!(refused.message.contains("came from a backup"), "{refused}");
    let next = refused.hint.as_deref().unwrap();
    assert_eq!(next, "mandorla audit reconcile --with RS");

    let own = audited(agencies.requester()).await;
    assert!(asked_by_us(&own).facts < peers_log[0].facts, "it is behind");
    let said = succeeds(&reconcile(agencies.requester()));
    assert!(said.contains("adopted"), "{said}");
    let own = audited(agencies.requester()).await;
    let log = asked_by_us(&own);
    assert_eq!(
        (log.facts, &log.root),
        (peers_log[0].facts, &peers_log[0].root)
    );
    logs_agree(&agencies).await;

    // What is refused now is refused for its quota: nobody here knows what was used.
    let refused = propose(&agencies, &deal).await.unwrap_err();
    assert!(
        refused.message.contains("limits.GB_to_RS.rounds_per_day"),
        "{refused}"
    );
    let restored = entries(agencies.requester(), "backup.restored")
        .await
        .unwrap();
    assert_eq!(restored.len(), 1);
    let now = audited(agencies.responder()).await.pair_logs;
    assert_eq!(
        (now[0].facts, &now[0].root),
        (peers_log[0].facts, &peers_log[0].root)
    );
}

/// A file system in memory with little room.
struct FullDisk(PathBuf);

impl FullDisk {
    /// None if this account may not mount.
    fn at(directory: PathBuf) -> Option<Self> {
        fs::create_dir(&directory).unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=128k,mode=0700", "tmpfs"])
            .arg(&directory)
            .output();
        mount
            .is_ok_and(|mount| mount.status.success())
            .then_some(Self(directory))
    }

    fn is_empty(&self) -> bool {
        fs::read_dir(&self.0).unwrap().next().is_none()
    }
}

impl Drop for FullDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_keeps_neither_half_a_backup_nor_half_a_node() {
    let agencies = Agencies::two().await.unwrap();
    let deal = numbers_deal();
    let lists = [numbered("A", 10..22), numbered("K", 0..5_000)];
    agencies
        .prepare(&deal, [&lists[0], &lists[1]])
        .await
        .unwrap();
    let root = agencies.world.root().to_owned();
    let passphrase = secret_file(root.join("passphrase"), PASSPHRASE);
    let Some(disk) = FullDisk::at(root.join("full")) else {
        eprintln!("NOT RUN: this account may not mount a file system, so no disk can be filled");
        return;
    };
    let node = agencies.responder();
    let create = backup(node, &[&disk.0.join("backup")], "create", &passphrase);
    let error = fails(&create, "M-110");
    assert!(error.contains("No space left on device"), "{error}");
    assert!(disk.is_empty());

    let file = root.join("backup");
    succeeds(&backup(node, &[&file], "create", &passphrase));
    let keys = node.data_dir().join("keys.toml");
    let restore = Command::new(program())
        .arg("--data-dir")
        .arg(&disk.0)
        .args(["--no-input", "backup", "restore"])
        .arg(&file)
        .arg("--keys")
        .arg(&keys)
        .arg("--passphrase-file")
        .arg(&passphrase)
        .output()
        .unwrap();
    let error = fails(&restore, "M-110");
    assert!(error.contains("No space left on device"), "{error}");
    assert!(disk.is_empty());
}
