//! A peer whose node obeys nothing: it holds the keys of an agency and speaks the protocol, without the checks of a
//! node on its own side.

use std::net::SocketAddr;
use std::sync::Arc;

use mandorla_agreement::Agreement;
use mandorla_node::Identity;
use mandorla_protocol::requester::{Offered, RequesterInput};
use mandorla_protocol::{
    CONTROL_BYTES_MAX, Digest, EXPORTER_LABEL, Message, NodeKey, Offer, Refusal, ResponderOffer,
    Role, RoundId, Terms, TermsRules, bind,
};
use mandorla_transport::frame::{read_frame, write_frame};
use mandorla_transport::{
    Admission, Connection, Endpoint, Limits, PeerDirectory, PeerKey, RecvStream, SendStream,
};
use rand::rngs::SysRng;
use rand_core::UnwrapErr;

use crate::agreement::PURPOSE;

const FRAME_BYTES_MAX: u32 = CONTROL_BYTES_MAX as u32;

/// Subjects that a patched peer says it has, where a test says nothing else.
const SUBJECTS: u64 = 20;

/// Takes everybody.
struct Everybody;

impl PeerDirectory for Everybody {
    fn admit(&self, _: &PeerKey) -> Admission {
        Admission::Known
    }
}

/// An agency's keys in the hands of a program without rules.
pub struct Patched {
    endpoint: Endpoint,
    identity: Identity,
}

impl Patched {
    /// Takes the keys of a stopped node and binds its address, or any port.
    ///
    /// # Panics
    /// If the keys cannot be read or the socket cannot be had.
    pub fn new(identity: Identity, address: SocketAddr) -> Self {
        let directory = Arc::new(Everybody);
        let endpoint = Endpoint::bind(address, identity.transport(), directory, Limits::default());
        Self {
            endpoint: endpoint.expect("a free port on loopback"),
            identity,
        }
    }

    /// Makes an honest offer under an agreement, changes it, and puts it to a node. The connection ends with it.
    ///
    /// # Errors
    /// The node's refusal.
    ///
    /// # Panics
    /// If the node answers with anything else than an acceptance or a refusal.
    pub async fn offer(
        &self,
        to: (SocketAddr, &PeerKey),
        agreement: &Agreement,
        change: impl FnOnce(&mut Offer),
    ) -> Result<(), Refusal> {
        let [requester, responder] = agreement.parties().map(|party| party.code.as_str());
        let rules = rules_of(agreement, requester, responder);
        let input = RequesterInput {
            case_reference: "OP-PATCHED".to_owned(),
            requester_dataset: rules.requester_datasets[0].clone(),
            responder_dataset: rules.responder_datasets[0].clone(),
            rules,
            dataset_digest: Digest([7; 32]),
            subjects: SUBJECTS,
            cells: SUBJECTS,
        };
        let (offered, _) = Offered::new(input, &mut random(), now())
            .expect("an offer that its own side does not check");
        let mut offer = offered.offer().clone();
        change(&mut offer);

        let connection = self.connect(to).await;
        let (mut send, mut receive) = connection.open_bi().await.expect("a control stream");
        write(&mut send, &Message::Offer(offer.clone())).await;
        match read(&mut receive).await {
            Some(Message::Refuse { code }) => Err(Refusal::from_code(code)),
            Some(Message::Accept {
                offer: half,
                signature,
                binding,
            }) => {
                // Changed offers are not the machine's own any more: only an unchanged one can go on to count as a round.
                if offer == *offered.offer() {
                    let accepted = offered.handle_accept(half, &signature, now());
                    let accepted = accepted.expect("an honest node accepted what was offered");
                    let exporter = exporter(&connection, accepted.terms().round_id());
                    let signer = self.identity.signer();
                    let confirmed = accepted.confirm(&binding, &exporter, signer, &mut random());
                    let (_, message) =
                        confirmed.expect("an honest node is bound to the connection");
                    write(&mut send, &message).await;
                    // The first chunk on its way says that the round is durable over there.
                    let _ = connection.accept_bi().await;
                }
                Ok(())
            }
            other => panic!(
                "{:?} in reply to an offer",
                other.map(|message| message.name())
            ),
        }
    }

    /// Takes one connection and accepts the offer that it brings, for sets that a test says. Returns the name of the
    /// requester's next message; none if it hung up.
    ///
    /// # Panics
    /// If no offer comes.
    pub async fn accept(
        &self,
        subjects_class: u8,
        evaluation_classes: &[u8],
    ) -> Option<&'static str> {
        let connection = self.endpoint.accept().await.expect("an open endpoint");
        let (mut send, mut receive) = connection.accept_bi().await.expect("a control stream");
        let Some(Message::Offer(offer)) = read(&mut receive).await else {
            panic!("no offer came");
        };
        let half = ResponderOffer {
            dataset_commitment: Digest([9; 32]),
            rules: offer.rules,
            subjects_class,
            evaluation_classes: evaluation_classes.to_vec(),
            nonce: [3; 32],
            time: now(),
        };
        let round = Terms::new(offer, half.clone()).round_id();
        let signer = self.identity.signer();
        let message = Message::Accept {
            offer: half,
            signature: signer.sign("mandorla/1 terms", &[&[1], &round.0]),
            binding: bind(
                signer,
                Role::Responder,
                round,
                &exporter(&connection, round),
            ),
        };
        write(&mut send, &message).await;
        read(&mut receive).await.map(|message| message.name())
    }

    async fn connect(&self, (address, key): (SocketAddr, &PeerKey)) -> Connection {
        let connected = self.endpoint.connect(address, key).await;
        connected.expect("the node takes a peer's connection")
    }
}

/// What both machines hold an offer against, worked out from the agreement a second time.
fn rules_of(agreement: &Agreement, requester: &str, responder: &str) -> TermsRules {
    let direction = agreement
        .direction(requester, responder)
        .expect("the agreement has this direction");
    let answer = direction.answer();
    let datasets = |party: &str| {
        let all = agreement.terms().dataset.iter();
        let own = all.filter(|dataset| dataset.party == party);
        own.map(|dataset| dataset.id.clone()).collect()
    };
    let seconds = |s: u64| u32::try_from(s).expect("the durations of a test are short");
    TermsRules {
        agreement: Digest(agreement.hash()),
        requester: NodeKey(*direction.requester().signing_key.as_bytes()),
        responder: NodeKey(*direction.responder().signing_key.as_bytes()),
        purpose: PURPOSE.to_owned(),
        requester_datasets: datasets(requester),
        responder_datasets: datasets(responder),
        rules: Digest(agreement.linkage_rules().hash()),
        key_types: agreement
            .match_keys()
            .iter()
            .map(|rule| rule.id.clone())
            .collect(),
        subjects_min: 0,
        requester_subjects_max: direction.requester_subjects_max(),
        responder_subjects_max: direction.responder_subjects_max(),
        keys_per_subject_max: direction.keys_per_subject_max().into(),
        slots_s: answer.slots_s().into_iter().map(seconds).collect(),
        max_release: u16::try_from(answer.max_release).expect("few places"),
        item_bytes: answer.item_bytes,
        fetch_window_s: seconds(answer.fetch_window_s()),
        question_deadline_s: seconds(answer.question_deadline.as_s()),
    }
}

fn exporter(connection: &Connection, round: RoundId) -> [u8; 32] {
    connection
        .exporter(EXPORTER_LABEL, &round.0)
        .expect("a label of bounded length")
}

async fn write(send: &mut SendStream, message: &Message) {
    let written = write_frame(send, &message.to_bytes(), FRAME_BYTES_MAX).await;
    written.expect("the node reads what a peer sends");
}

async fn read(receive: &mut RecvStream) -> Option<Message> {
    let frame = read_frame(receive, FRAME_BYTES_MAX).await.ok().flatten()?;
    Some(Message::from_bytes(&frame).expect("a node sends messages that decode"))
}

fn now() -> u64 {
    std::time::UNIX_EPOCH
        .elapsed()
        .map_or(0, |now| now.as_secs())
}

fn random() -> UnwrapErr<SysRng> {
    UnwrapErr(SysRng)
}
