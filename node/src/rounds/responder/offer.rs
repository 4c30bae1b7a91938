//! An offer: answered by agreement and policy at once, without asking anybody.

use std::sync::Arc;

use mandorla_agreement::{Refusal as RuleRefusal, SetSize, State};
use mandorla_protocol::responder::{Blinding, ResponderInput, accept_offer};
use mandorla_protocol::{Digest, Fact, Message, Offer, PeerFault, Refusal, encode};
use mandorla_store::StoreError;
use mandorla_transport::Connection;

use super::evaluate;
use super::exporter;
use crate::agreements::find_by_hash;
use crate::control_stream::{ControlStream, REPLY_TIMEOUT};
use crate::events::Event;
use crate::justification::justified;
use crate::node::Node;
use crate::records::dataset::{DATASETS, DatasetRecord};
use crate::records::peer::PeerRecord;
use crate::records::round::{About, ROUNDS, ROUNDS_BY_WIRE, RoundRecord, RoundState, Side};
use crate::rounds::error::RoundError;
use crate::rounds::index::{OwnIndex, policy_scope};
use crate::rounds::refusals::{self, Broken};
use crate::rounds::rules::{Facts, Ruled, counters, fields, own_set, peer_set, with_excluded};
use crate::rounds::update::create;
use crate::rounds::{os_rng, pair, seeds};

pub(super) async fn handle(
    node: &Arc<Node>,
    connection: &Connection,
    peer: &PeerRecord,
    stream: &mut ControlStream,
    offer: Offer,
    round: &mut Option<String>,
) -> Result<(), RoundError> {
    // One offer of a peer at a time: each is admitted with the rounds that those before it began.
    let lock = node.rounds.lock_of(&format!("{}/offers", peer.code));
    let turn = lock.lock().await;
    let admitted = match admit(node, peer, &offer) {
        Ok(admitted) => admitted,
        Err((refusal, broken)) => return Err(refuse(node, peer, &offer, refusal, &broken)),
    };
    let (ruled, dataset) = admitted;
    let index = build_index(node, &ruled, &dataset).await?;
    // Now it is known who takes part.
    if let Err((refusal, broken)) =
        admit_rules(node, peer, &offer, &ruled, &dataset, index.subjects())
    {
        return Err(refuse(node, peer, &offer, refusal, &broken));
    }
    let input = ResponderInput {
        rules: ruled
            .terms_rules(node, Some(&connection.peer()))
            .map_err(|error| RoundError::NotAllowed(error.to_string()))?,
        dataset_digest: dataset
            .digest
            .parse::<Digest>()
            .map_err(|_| super::damaged())?,
        subjects: index.subjects(),
        match_keys: index.match_keys(),
    };
    let now = node.clock.now_s();
    let signer = &node.identity.current().signer;
    let accepted = accept_offer(&input, offer.clone(), &mut os_rng(), now, signer, |round| {
        exporter(connection, round).ok()
    });
    let (accepting, message) = match accepted {
        Ok(accepted) => accepted,
        Err(refusal) => {
            let refused = RoundError::Refused(refusal).told();
            let why = refused.trim_start_matches("the peer refused: "); // here it was this node
            tracing::warn!(peer = peer.code, why, "refused a round");
            let broken = Broken::of_protocol(refusal);
            return Err(refuse(node, peer, &offer, refusal, &broken));
        }
    };
    stream.send(&message).await?;
    let blinding = match stream.receive(REPLY_TIMEOUT).await? {
        Message::Confirm {
            signature,
            binding,
            possession,
        } => {
            let exporter = exporter(connection, accepting.terms().round_id())?;
            accepting.handle_confirm(&signature, &binding, &possession, &exporter)?
        }
        other => {
            return Err(PeerFault::Unexpected {
                got: other.name(),
                expected: "Confirm",
            }
            .into());
        }
    };
    let record = store(node, peer, &ruled, (&dataset, &index), &blinding)?;
    drop(turn);
    *round = Some(record.id.clone());
    tokio::spawn(super::drive(Arc::clone(node), record.id.clone()));
    evaluate::go_on(
        node,
        connection,
        stream,
        &record,
        blinding,
        &Arc::new(index),
    )
    .await
}

type Refused = (Refusal, Broken);

fn internal(error: &dyn std::fmt::Display) -> Refused {
    tracing::error!(%error, "an offer cannot be judged");
    (Refusal::Internal, Broken::new("internal", "internal"))
}

/// Everything that agreement and local policy say before any work is done.
fn admit(node: &Node, peer: &PeerRecord, offer: &Offer) -> Result<(Ruled, DatasetRecord), Refused> {
    let policy = &node.config.policy;
    let unreconciled = node
        .store
        .read()
        .and_then(|tx| pair::must_be_reconciled(&tx, &peer.code));
    if unreconciled.map_err(|error| internal(&error))? {
        return Err((Refusal::Busy, Broken::new("reconcile", "pair log")));
    }
    let (agreement, state) = find_by_hash(node, &offer.agreement.0).ok_or_else(|| {
        (
            Refusal::UnknownAgreement,
            Broken::new("agreement", "agreement"),
        )
    })?;
    let of_state = |clause| Broken::new("state", clause);
    match state {
        // Which data a pilot may touch is one of the rules.
        State::Live | State::Pilot => {}
        State::Suspended => return Err((Refusal::Suspended, of_state("suspended"))),
        State::Expired => return Err((Refusal::Dates, Broken::new("expires", "expires"))),
        State::Superseded => return Err((Refusal::NotLive, of_state("supersedes"))),
        _ => return Err((Refusal::NotLive, of_state("state"))),
    }
    policy
        .accepts_rounds(agreement.id())
        .map_err(|clause| (Refusal::LocalPolicy, Broken::new("accept_rounds", clause)))?;
    let ruled = Ruled::new(agreement, state, &peer.code, node.code());
    let dataset = node
        .store
        .read()
        .and_then(|tx| tx.find(DATASETS, offer.responder_dataset.as_str()))
        .map_err(|error| internal(&error))?
        .ok_or_else(|| (Refusal::Datasets, Broken::new("dataset", "dataset")))?;
    if open_rounds(node, peer).map_err(|error| internal(&error))?
        >= policy.open_rounds_per_peer_max()
    {
        let rule = "open_rounds_per_peer_max";
        return Err((Refusal::Busy, Broken::new(rule, format!("policy.{rule}"))));
    }
    admit_rules(node, peer, offer, &ruled, &dataset, dataset.subjects)?;
    Ok((ruled, dataset))
}

/// What the rules say of an offer when so many own subjects take part.
fn admit_rules(
    node: &Node,
    peer: &PeerRecord,
    offer: &Offer,
    ruled: &Ruled,
    dataset: &DatasetRecord,
    subjects: u64,
) -> Result<(), Refused> {
    let id = ruled.agreement.id();
    let counters =
        counters(node, Side::Responder, id, &peer.code, None).map_err(|error| internal(&error))?;
    let own_fields = fields(dataset);
    let facts = Facts {
        purpose: &offer.purpose,
        case_reference_given: true,
        requester: peer_set(
            &offer.requester_dataset,
            SetSize::Class(offer.subjects_class),
        ),
        responder: own_set(dataset, subjects, &own_fields),
        terms: None,
        evaluations: &[],
    };
    ruled
        .admit(&node.config.policy, node.clock.now_s(), &facts, &counters)
        .map_err(|refusal| (refusal_code(&refusal), Broken::from(&refusal)))
}

/// The wire code for a rule of the agreement or of this node's policy.
fn refusal_code(refusal: &RuleRefusal) -> Refusal {
    match refusal.rule {
        _ if refusal.is_local_policy() => Refusal::LocalPolicy,
        "state" | "direction" => Refusal::NotLive,
        "not_before" | "expires" => Refusal::Dates,
        "purpose" | "case_reference" => Refusal::Purpose,
        "dataset" | "max_age_days" | "required_columns" | "synthetic" => Refusal::Datasets,
        "slots" | "mode" => Refusal::Slots,
        "min_set" | "max_set" | "max_records" | "keys_per_subject" => Refusal::SetSize,
        _ => Refusal::Quota,
    }
}

fn open_rounds(node: &Node, peer: &PeerRecord) -> Result<u32, StoreError> {
    let rounds = node.store.read()?.scan_all(ROUNDS)?;
    let open = rounds.iter().filter(|(_, round)| {
        round.side == Side::Responder && round.peer == peer.code && !round.state.is_over()
    });
    Ok(u32::try_from(open.count()).unwrap_or(u32::MAX))
}

async fn build_index(
    node: &Arc<Node>,
    ruled: &Ruled,
    dataset: &DatasetRecord,
) -> Result<OwnIndex, RoundError> {
    let (inner, agreement) = (Arc::clone(node), ruled.agreement.clone());
    let rows = (dataset.generation, dataset.subjects);
    Ok(node
        .workers
        .run(move || OwnIndex::build(&inner, rows, &agreement))
        .await??)
}

/// Records the rule that refused an offer; the peer is told no more than the code.
fn refuse(
    node: &Arc<Node>,
    peer: &PeerRecord,
    offer: &Offer,
    refusal: Refusal,
    broken: &Broken,
) -> RoundError {
    let hash = offer.agreement.to_string();
    match refusals::of_peer(node, &peer.code, &hash, broken) {
        Ok(()) => RoundError::Refused(refusal),
        Err(error) => error.into(),
    }
}

fn store(
    node: &Node,
    peer: &PeerRecord,
    ruled: &Ruled,
    (dataset, index): (&DatasetRecord, &OwnIndex),
    blinding: &Blinding,
) -> Result<RoundRecord, RoundError> {
    let terms = blinding.terms();
    let offer = terms.offer();
    let about = About {
        peer: &peer.code,
        agreement: crate::agreements::reference(&ruled.agreement),
        purpose: &offer.purpose,
        dataset,
        peer_dataset: &offer.requester_dataset,
        policy_scope: policy_scope(node, ruled.agreement.id()),
    };
    let now = node.clock.now_s();
    let mut record = RoundRecord::begin(Side::Responder, RoundState::Evaluating, &about, now);
    "own match keys are being evaluated by the peer".clone_into(&mut record.detail);
    record.attempts = 1;
    record.terms = Some(hex::encode(encode(terms)));
    record.terms_logged = true;
    let wire = terms.round_id().to_string();
    let event = node
        .event(Event::RoundTerms)
        .by(peer.code.clone(), "peer")
        .detail("wire_id", wire.clone())
        .detail("evaluations", terms.evaluations())
        .detail("dataset", dataset.name.clone());
    let event = with_excluded(event, index);
    let event = justified(event, &ruled.agreement, node.code(), None);
    let runs_dir = node.store.runs_dir();
    Ok(create(node, "Q", record, event, |tx, record| {
        seeds::write(&runs_dir, &record.id, blinding.record())?;
        tx.put(ROUNDS_BY_WIRE, wire.as_str(), &record.id)?;
        let fact = Fact::Terms {
            evaluations: terms.evaluations(),
        };
        pair::add_fact(tx, record, terms, &fact)
    })?)
}
