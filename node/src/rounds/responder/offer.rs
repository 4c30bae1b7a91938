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
use crate::node::Node;
use crate::records::dataset::{DATASETS, DatasetRecord};
use crate::records::peer::PeerRecord;
use crate::records::round::{About, ROUNDS, ROUNDS_BY_WIRE, RoundRecord, RoundState, Side};
use crate::rounds::error::RoundError;
use crate::rounds::index::OwnIndex;
use crate::rounds::rules::{Facts, Ruled, counters, fields, own_set, peer_set};
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
        Err((refusal, why)) => {
            log_refusal(node, peer, &offer, &why)?;
            return Err(RoundError::Refused(refusal));
        }
    };
    let (ruled, dataset) = admitted;
    let index = build_index(node, &ruled, &dataset).await?;
    let input = ResponderInput {
        rules: ruled
            .terms_rules()
            .map_err(|error| RoundError::NotAllowed(error.to_string()))?,
        dataset_digest: dataset
            .digest
            .parse::<Digest>()
            .map_err(|_| super::damaged())?,
        subjects: index.subjects(),
        match_keys: index.match_keys(),
    };
    let now = node.clock.now_s();
    let signer = &node.identity.signer;
    let accepted = accept_offer(&input, offer.clone(), &mut os_rng(), now, signer, |round| {
        exporter(connection, round).ok()
    });
    let (accepting, message) = match accepted {
        Ok(accepted) => accepted,
        Err(refusal) => {
            log_refusal(node, peer, &offer, &refusal.to_string())?;
            return Err(RoundError::Refused(refusal));
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
    let record = store(node, peer, &ruled, &dataset, &blinding)?;
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

type Refused = (Refusal, String);

/// Everything that agreement and local policy say before any work is done.
fn admit(node: &Node, peer: &PeerRecord, offer: &Offer) -> Result<(Ruled, DatasetRecord), Refused> {
    let internal = |error: &dyn std::fmt::Display| (Refusal::Internal, error.to_string());
    let policy = &node.config.policy;
    let (agreement, state) = find_by_hash(node, &offer.agreement.0).ok_or_else(|| {
        (
            Refusal::UnknownAgreement,
            "no agreement with this hash".to_owned(),
        )
    })?;
    match state {
        State::Live | State::Pilot => {}
        State::Suspended => {
            return Err((Refusal::Suspended, "the agreement is suspended".to_owned()));
        }
        State::Expired => return Err((Refusal::Dates, "the agreement has expired".to_owned())),
        state => return Err((Refusal::NotLive, format!("the agreement is {state}"))),
    }
    policy
        .accepts_rounds(agreement.id())
        .map_err(|clause| (Refusal::LocalPolicy, format!("{clause} is false")))?;
    let ruled = Ruled::new(agreement, state, &peer.code, node.code());
    let dataset = node
        .store
        .read()
        .and_then(|tx| tx.find(DATASETS, offer.responder_dataset.as_str()))
        .map_err(|error| internal(&error))?
        .ok_or_else(|| {
            (
                Refusal::Datasets,
                "the dataset asked about is not loaded".to_owned(),
            )
        })?;
    if open_rounds(node, peer).map_err(|error| internal(&error))?
        >= policy.open_rounds_per_peer_max()
    {
        return Err((
            Refusal::Busy,
            "policy.open_rounds_per_peer_max is reached".to_owned(),
        ));
    }
    let agreement_id = ruled.agreement.id().to_owned();
    let counters = counters(node, Side::Responder, &agreement_id, &peer.code, None)
        .map_err(|error| internal(&error))?;
    let own_fields = fields(&dataset);
    let facts = Facts {
        purpose: &offer.purpose,
        case_reference_given: true,
        requester: peer_set(
            &offer.requester_dataset,
            SetSize::Class(offer.subjects_class),
        ),
        responder: own_set(&dataset, &offer.responder_dataset, &own_fields),
        terms: None,
        evaluations: &[],
    };
    ruled
        .admit(policy, node.clock.now_s(), &facts, &counters)
        .map_err(|refusal| (refusal_code(&refusal), refusal.to_string()))?;
    Ok((ruled, dataset))
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
    let (inner, rules) = (Arc::clone(node), ruled.agreement.linkage_rules().clone());
    let rows = (dataset.generation, dataset.subjects);
    Ok(node
        .workers
        .run(move || OwnIndex::build(&inner, rows, &rules))
        .await??)
}

fn log_refusal(node: &Node, peer: &PeerRecord, offer: &Offer, why: &str) -> Result<(), RoundError> {
    let event = node
        .event(Event::RoundRefused)
        .by(peer.code.clone(), "peer")
        .detail("agreement_hash", offer.agreement.to_string())
        .detail("why", why);
    node.store
        .write::<_, StoreError>(|tx| tx.append_ledger(event).map(|_| ()))?;
    Ok(())
}

fn store(
    node: &Node,
    peer: &PeerRecord,
    ruled: &Ruled,
    dataset: &DatasetRecord,
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
        .detail("evaluations", terms.evaluations());
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
