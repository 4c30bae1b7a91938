//! What people do at two nodes, done for them.

use std::time::{Duration, Instant};

use mandorla_control::{
    AgreementActivate, AgreementBundle, AgreementExport, AgreementImport, AgreementPropose,
    AgreementSign, ApiError, Card, DatasetLoad, DatasetView, ErrorCode, FieldView, InboxEntry,
    PeerAdd, PeerExport, PeerVerify, ReviewApprove, ReviewInbox, Role, RoundList, RoundPropose,
    RoundRequest, RoundShow, RoundView,
};

use super::{NodeProcess, World};
use crate::commands::dataset::upload_text;
use crate::failure::internal;

/// How long one call waits for a change.
const WAIT_MS: u64 = 2_000;

/// A connection ends within this after its last message.
const COUNTED_WITHIN: Duration = Duration::from_mins(1);

/// The people at each node of a trial.
pub const TRIAL_USERS: [(&str, &[Role]); 4] = [
    (OPERATOR, &[Role::Operator]),
    (ANALYST, &[Role::Analyst]),
    (OFFICER, &[Role::Authoriser]),
    (AUDITOR, &[Role::Auditor]),
];
const OPERATOR: &str = "o.operator";
const ANALYST: &str = "a.analyst";
const OFFICER: &str = "p.officer";
const AUDITOR: &str = "d.auditor";

impl NodeProcess {
    /// Makes a call as the operator.
    pub async fn as_operator<C: mandorla_control::Call>(
        &self,
        call: &C,
    ) -> Result<C::Reply, ApiError> {
        self.call(OPERATOR, call).await
    }

    /// Makes a call as the analyst.
    pub async fn as_analyst<C: mandorla_control::Call>(
        &self,
        call: &C,
    ) -> Result<C::Reply, ApiError> {
        self.call(ANALYST, call).await
    }

    /// Makes a call as the authoriser.
    pub async fn as_officer<C: mandorla_control::Call>(
        &self,
        call: &C,
    ) -> Result<C::Reply, ApiError> {
        self.call(OFFICER, call).await
    }

    /// Makes a call as the auditor.
    pub async fn as_auditor<C: mandorla_control::Call>(
        &self,
        call: &C,
    ) -> Result<C::Reply, ApiError> {
        self.call(AUDITOR, call).await
    }

    /// Loads a list.
    pub async fn load(&self, name: &str, map: &str, csv: &str) -> Result<DatasetView, ApiError> {
        let load = DatasetLoad {
            name: name.to_owned(),
            map: map.to_owned(),
            dry_run: false,
        };
        let client = self.client(OPERATOR);
        upload_text(&client, &load, csv)
            .await
            .map_err(|error| self.failed(error))
    }

    /// Waits until `reached` holds for a round; an end before that is an error.
    pub async fn wait_for_round(
        &self,
        round: &str,
        within: Duration,
        reached: impl Fn(&RoundView) -> bool,
    ) -> Result<RoundView, ApiError> {
        let deadline = Instant::now() + within;
        let mut after_revision = None;
        loop {
            let show = RoundShow {
                round: round.to_owned(),
                after_revision,
                wait_ms: after_revision.map(|_| WAIT_MS),
            };
            let view = self.as_analyst(&show).await?;
            if reached(&view) {
                return Ok(view);
            }
            if view.state == "ended" || view.state == "closed" {
                let message = format!(
                    "node {}: {round} is {} too early: {}",
                    self.code(),
                    view.state,
                    view.detail
                );
                return Err(ApiError::new(ErrorCode::WrongState, message));
            }
            if Instant::now() > deadline {
                let message = format!(
                    "node {}: {round} is still {} ({})",
                    self.code(),
                    view.state,
                    view.detail
                );
                return Err(ApiError::new(ErrorCode::Pending, message));
            }
            after_revision = Some(view.revision);
        }
    }
}

/// UDP payload bytes of a round at one node, both ways.
pub fn both_ways(round: &RoundView) -> u64 {
    round.wire_bytes.0 + round.wire_bytes.1
}

impl NodeProcess {
    /// The round once the connection of its last step has been counted: a node counts one when it ends, which may be
    /// just after the state has changed.
    pub async fn counted(&self, round: &str, bytes_before: u64) -> Result<RoundView, ApiError> {
        let counted = |round: &RoundView| both_ways(round) > bytes_before;
        self.wait_for_round(round, COUNTED_WITHIN, counted).await
    }
}

impl World {
    /// [`exchange_cards`] between the requester and the responder.
    pub async fn exchange_cards(&self) -> Result<([Card; 2], Vec<String>), ApiError> {
        exchange_cards(self.requester(), self.responder()).await
    }

    /// [`agree`] between the requester and the responder.
    pub async fn agree(&self, text: &str) -> Result<(), ApiError> {
        agree(self.requester(), self.responder(), text).await
    }

    /// Both operators sign an agreement, which is then in pilot: for test data alone.
    pub(crate) async fn agree_on_pilot(&self, text: &str) -> Result<(), ApiError> {
        agree_on_pilot(self.requester(), self.responder(), text)
            .await
            .map(drop)
    }

    /// The analyst at the requester proposes a round.
    pub async fn propose(
        &self,
        agreement: &str,
        datasets: [&str; 2],
        case_reference: &str,
    ) -> Result<RoundView, ApiError> {
        let round = RoundRequest {
            agreement: agreement.to_owned(),
            dataset: datasets[0].to_owned(),
            peer_dataset: Some(datasets[1].to_owned()),
            peer: self.responder().code().to_owned(),
            purpose: crate::trial_agreement::PURPOSE.to_owned(),
            case_reference: case_reference.to_owned(),
        };
        self.requester().as_analyst(&RoundPropose { round }).await
    }

    /// The authoriser at the requester approves the question.
    pub async fn approve(&self, round: &str, reason: &str) -> Result<(), ApiError> {
        let approve = ReviewApprove {
            round: round.to_owned(),
            reason: reason.to_owned(),
        };
        self.requester().as_officer(&approve).await.map(drop)
    }

    /// The responder's view of the requester's round.
    pub async fn same_round_at_responder(&self, asked: &RoundView) -> Result<RoundView, ApiError> {
        let rounds = self
            .responder()
            .as_analyst(&RoundList { state: None })
            .await?;
        let same = |round: &RoundView| asked.wire_id.is_some() && round.wire_id == asked.wire_id;
        let found = rounds.into_iter().find(same);
        found.ok_or_else(|| internal(format!("the responder knows nothing of {}", asked.id)))
    }
}

/// Both nodes take each other's card and record that the words were compared. Returns the cards and the words.
pub async fn exchange_cards(
    requester: &NodeProcess,
    responder: &NodeProcess,
) -> Result<([Card; 2], Vec<String>), ApiError> {
    let cards = [
        requester.as_operator(&PeerExport {}).await?,
        responder.as_operator(&PeerExport {}).await?,
    ];
    let add = |card: &Card| PeerAdd {
        card: card.card.clone(),
    };
    requester.as_operator(&add(&cards[1])).await?;
    responder.as_operator(&add(&cards[0])).await?;
    let verify = |peer: &NodeProcess, confirmed| PeerVerify {
        peer: peer.code().to_owned(),
        confirmed,
    };
    let words = requester
        .as_operator(&verify(responder, false))
        .await?
        .words;
    if words
        != responder
            .as_operator(&verify(requester, false))
            .await?
            .words
    {
        return Err(internal(
            "the two nodes show different words for the same cards",
        ));
    }
    requester.as_operator(&verify(responder, true)).await?;
    responder.as_operator(&verify(requester, true)).await?;
    Ok((cards, words))
}

/// Both operators sign an agreement and activate it, handing its file to and fro: it is live, for lists that are not
/// marked as test data.
pub async fn agree(
    requester: &NodeProcess,
    responder: &NodeProcess,
    text: &str,
) -> Result<(), ApiError> {
    let id = agree_on_pilot(requester, responder, text).await?;
    responder
        .as_operator(&AgreementActivate { id: id.clone() })
        .await?;
    hand_over(&id, responder, requester).await?;
    requester
        .as_operator(&AgreementActivate { id: id.clone() })
        .await?;
    hand_over(&id, requester, responder).await
}

/// Both operators sign an agreement, handing its file to and fro: it is in pilot, for test data alone. Returns its id.
async fn agree_on_pilot(
    requester: &NodeProcess,
    responder: &NodeProcess,
    text: &str,
) -> Result<String, ApiError> {
    let id = requester
        .as_operator(&AgreementPropose {
            text: text.to_owned(),
        })
        .await?
        .id;
    hand_over(&id, requester, responder).await?;
    responder
        .as_operator(&AgreementSign { id: id.clone() })
        .await?;
    hand_over(&id, responder, requester).await?;
    Ok(id)
}

async fn hand_over(id: &str, from: &NodeProcess, to: &NodeProcess) -> Result<(), ApiError> {
    let export = AgreementExport { id: id.to_owned() };
    let bundle: AgreementBundle = from.as_operator(&export).await?;
    to.as_operator(&AgreementImport { bundle }).await.map(drop)
}

/// Hits of a round that wait for the responder's authoriser.
pub async fn hits_waiting(node: &NodeProcess, round: &str) -> Result<Vec<InboxEntry>, ApiError> {
    let mut entries = node.as_officer(&ReviewInbox {}).await?;
    entries.retain(|entry| entry.kind == "hit" && entry.round == round);
    Ok(entries)
}

/// The first value of a field.
pub fn value_of<'a>(fields: &'a [FieldView], name: &str) -> Option<&'a str> {
    let field = fields.iter().find(|field| field.field == name)?;
    field.values.first().map(String::as_str)
}
