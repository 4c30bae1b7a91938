//! Two running nodes of this process that agree and ask, for unit tests.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration as StdDuration;

use http_body_util::Full;
use hyper::body::Bytes;
use mandorla_agreement::{
    DraftContacts, DraftDataset, DraftInput, DraftLegal, DraftParty, DraftScope, Duration, Instant,
    PartyType, PublicKey, Regime, draft,
};
use mandorla_control::{
    AgreementActivate, AgreementExport, AgreementImport, AgreementPropose, AgreementSign, Call,
    Client, DATASET_LOAD_PATH, DatasetLoad, DatasetView, ErrorCode, PeerAdd, PeerExport,
    PeerVerify, RoundPropose, RoundRequest, RoundShow,
};
use mandorla_linkage::{Field, MatchKeyRule, PROFILE, Strength, Transform, Transforms};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::config::CONFIG_NAME;
use crate::daemon::run;
use crate::node::Node;
use crate::records::round::{ROUNDS, RoundRecord};
use crate::test_node::{NOON_MS, node_of};

const DAY_S: u64 = 86_400;
pub(crate) const ID: &str = "UK-RS-TEST";
/// Subjects of each list; more than the agreement's smallest set.
const SUBJECTS: u32 = 24;

/// A running node of this process.
pub(crate) struct Side {
    pub(crate) node: Arc<Node>,
    pub(crate) clock_ms: Arc<AtomicU64>,
    daemon: JoinHandle<()>,
    dir: TempDir,
}

impl Side {
    pub(crate) async fn start(code: &str, country: &str, before: impl FnOnce(&Path)) -> Self {
        let (dir, clock_ms, node) = node_of(code, country, before);
        Self::run(dir, clock_ms, node).await
    }

    pub(crate) async fn run(dir: TempDir, clock_ms: Arc<AtomicU64>, node: Arc<Node>) -> Self {
        let (ready, up) = tokio::sync::oneshot::channel();
        let running = Arc::clone(&node);
        let daemon = tokio::spawn(async move {
            run(running, |_| ready.send(()).unwrap()).await.unwrap();
        });
        up.await.unwrap();
        Self {
            node,
            clock_ms,
            daemon,
            dir,
        }
    }

    /// Stops the node, if it has not stopped itself; it will come back under the same address.
    pub(crate) async fn down(self) -> Down {
        let address = self.node.endpoint.get().unwrap().local_addr();
        let data_dir = self.node.data_dir().to_owned();
        self.node.stopping.send_replace(true);
        self.daemon.await.unwrap();
        drop(self.node);
        let path = data_dir.join(CONFIG_NAME);
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.replace("127.0.0.1:0", &address.to_string());
        std::fs::write(&path, text).unwrap();
        Down {
            dir: self.dir,
            data_dir,
            clock_ms: self.clock_ms,
        }
    }

    pub(crate) async fn restarted(self) -> Self {
        self.down().await.up().await
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock_ms.fetch_add(seconds * 1_000, Ordering::SeqCst);
    }

    pub(crate) fn client(&self, user: Option<&str>) -> Client {
        let socket = self.node.config.socket_path(self.node.data_dir());
        Client::new(socket, user.map(Into::into))
    }

    pub(crate) async fn call<C: Call>(&self, call: &C) -> C::Reply {
        self.client(None).call(call).await.unwrap()
    }

    pub(crate) async fn load(&self, name: &str) {
        let header = DatasetLoad {
            name: name.into(),
            map: "[columns]\nref = \"id\"\nfamily_names = \"family\"\ngiven_names = \"given\"\ndob = \"dob\"\n".into(),
            dry_run: false,
        };
        let json = serde_json::to_vec(&header).unwrap();
        let mut body = u32::try_from(json.len()).unwrap().to_le_bytes().to_vec();
        body.extend_from_slice(&json);
        body.extend_from_slice(b"id,family,given,dob\n");
        for index in 0..SUBJECTS {
            let (a, b) = (char::from(b'a' + (index % 24) as u8), index % 28 + 1);
            body.extend_from_slice(
                format!("{name}-{index},Petrovi{a}c,An{a}a,1987-03-{b:02}\n").as_bytes(),
            );
        }
        let body = Full::new(Bytes::from(body));
        let view: DatasetView = self
            .client(None)
            .post(DATASET_LOAD_PATH, body)
            .await
            .unwrap();
        assert_eq!(view.subjects, u64::from(SUBJECTS));
    }

    pub(crate) fn party(&self, dataset: &str) -> DraftParty {
        let identity = &self.node.identity;
        let key = |bytes| PublicKey::from_bytes(bytes).unwrap();
        DraftParty {
            code: self.node.code().to_owned(),
            name: self.node.config.name.clone(),
            country: self.node.config.country.clone(),
            kind: PartyType::Police,
            signing_key: key(identity.node_key().0),
            transport_key: key(identity.transport_key().0),
            release_key: key(identity.release_key()),
            datasets: vec![DraftDataset {
                id: dataset.to_owned(),
                max_records: 1_000,
            }],
            contacts: DraftContacts::all("whoever runs the test"),
            legal: DraftLegal::none_needed("no law is needed: the people are invented"),
            two_person_when: Vec::new(),
        }
    }

    pub(crate) async fn stop(self) -> tempfile::TempDir {
        self.node.stopping.send_replace(true);
        self.daemon.await.unwrap();
        self.dir
    }
}

/// A node that is not running.
pub(crate) struct Down {
    dir: TempDir,
    data_dir: PathBuf,
    clock_ms: Arc<AtomicU64>,
}

impl Down {
    pub(crate) async fn up(self) -> Side {
        let clock = Clock::Manual(Arc::clone(&self.clock_ms));
        // The tasks of the node before hold it for a moment.
        let open = || Node::open(&self.data_dir, clock.clone(), None);
        let mut node = open();
        while let Err(error) = &node {
            assert_eq!(error.code(), ErrorCode::AlreadyRunning, "{error}");
            tokio::task::yield_now().await;
            node = open();
        }
        Side::run(self.dir, self.clock_ms, node.unwrap()).await
    }
}

pub(crate) fn agreement(parties: [DraftParty; 2]) -> String {
    let today_s = NOON_MS / 1_000 / DAY_S * DAY_S;
    let names = [Field::FamilyNames, Field::GivenNames].map(|field| (field, Transform::Fold));
    draft(&DraftInput {
        id: ID.to_owned(),
        title: "Test".to_owned(),
        parties,
        both_directions: false,
        not_before: Instant::from_s(today_s),
        expires: Instant::from_s(today_s + 30 * DAY_S),
        review_due: Instant::from_s(today_s + 15 * DAY_S),
        pilot_required: false,
        purpose_code: "test".to_owned(),
        purpose_text: "a test with invented people".to_owned(),
        regime: Regime::LawEnforcement,
        offence_categories: Vec::new(),
        policy_context: Vec::new(),
        scope: DraftScope::default(),
        profile: PROFILE.to_owned(),
        match_keys: vec![MatchKeyRule {
            id: "name-dob".to_owned(),
            fields: vec![Field::FamilyNames, Field::GivenNames, Field::Dob],
            transform: Transforms::PerField(names.into()),
            strength: Strength::Medium,
            alone: true,
            bits: Some(30),
        }],
        min_set: 1,
        max_set: 1_000,
        rounds_per_day: 10,
        min_interval: Duration::from_s(0),
        slots: vec![Duration::from_s(3_600)],
        fetch_window: Duration::from_s(600),
        question_deadline: Duration::from_s(3_600),
        max_release: 64,
        item_bytes: 1_024,
        fields_on_match: vec![Field::FamilyNames],
        forbidden_fields: vec![],
    })
}

pub(crate) async fn hand_over(from: &Side, to: &Side) {
    let bundle = from.call(&AgreementExport { id: ID.into() }).await;
    to.call(&AgreementImport { bundle }).await;
}

/// The two exchange cards and compare words.
pub(crate) async fn become_peers(uk: &Side, rs: &Side) {
    for (side, peer) in [(uk, rs), (rs, uk)] {
        let card = peer.call(&PeerExport {}).await.card;
        side.call(&PeerAdd { card }).await;
        let peer = peer.node.code().to_owned();
        side.call(&PeerVerify {
            peer,
            confirmed: true,
        })
        .await;
    }
}

/// The two become peers with a live agreement, and the first asks the second until its authoriser is waited for.
pub(crate) async fn evaluated(uk: &Side, rs: &Side) -> RoundRecord {
    become_peers(uk, rs).await;
    uk.load("watchlist").await;
    rs.load("registry").await;
    let text = agreement([uk.party("watchlist"), rs.party("registry")]);
    uk.call(&AgreementPropose { text }).await;
    hand_over(uk, rs).await;
    rs.call(&AgreementSign { id: ID.into() }).await;
    rs.call(&AgreementActivate { id: ID.into() }).await;
    hand_over(rs, uk).await;
    uk.call(&AgreementActivate { id: ID.into() }).await;
    hand_over(uk, rs).await;
    ask(uk).await;
    let rounds = rs.node.store.read().unwrap().scan_all(ROUNDS).unwrap();
    let [(_, record)] = <[_; 1]>::try_from(rounds).ok().unwrap();
    record
}

/// What UK asks RS.
pub(crate) fn request() -> RoundRequest {
    RoundRequest {
        agreement: ID.into(),
        dataset: "watchlist".into(),
        peer_dataset: Some("registry".into()),
        peer: "RS".into(),
        purpose: "test".into(),
        case_reference: "CASE-1".into(),
    }
}

/// Proposes a round and waits until the own authoriser is waited for; its id.
pub(crate) async fn ask(uk: &Side) -> String {
    let ana = uk.client(Some("ana"));
    let propose = RoundPropose { round: request() };
    let view = ana.call(&propose).await.unwrap();
    reaches(uk, &view.id, "awaiting-approval").await;
    view.id
}

/// Waits until a round is in a state.
pub(crate) async fn reaches(side: &Side, id: &str, state: &str) {
    let client = side.client(None);
    let mut after_revision = None;
    let reached = async {
        loop {
            let show = RoundShow {
                round: id.to_owned(),
                after_revision,
                wait_ms: Some(1_000),
            };
            let view = client.call(&show).await.unwrap();
            if view.state == state {
                return;
            }
            assert_ne!(view.state, "ended", "{}", view.detail);
            after_revision = Some(view.revision);
        }
    };
    tokio::time::timeout(StdDuration::from_mins(1), reached)
        .await
        .unwrap();
}
