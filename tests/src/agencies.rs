//! Agencies that know each other: real node processes, and what people do at them.

use std::time::Duration;

use mandorla_cli::world::{
    NodeProcess, NodeSpec, TRIAL_USERS, World, agree, exchange_cards, hits_waiting, ports,
};
use mandorla_control::{
    ApiError, Card, Decided, HitList, HitView, InboxEntry, PeerExport, ReviewApprove, ReviewItem,
    ReviewRefuse, ReviewRelease, ReviewShow, Role, RoundPropose, RoundRequest, RoundView,
};

use crate::agreement::{Deal, PURPOSE};
use crate::binary::program;
use crate::lists::List;

/// A step between two nodes takes at most this long, also where several tests share two cores.
pub const STEP_WITHIN: Duration = Duration::from_mins(3);

/// Case reference of every test's rounds.
pub const CASE: &str = "OP-TEST";

/// A user who may propose and approve, but never the same round.
pub const BOTH_ROLES: &str = "b.both";

/// Lines of each node's messages that a failed test shows.
const LOG_LINES_SHOWN: usize = 40;

const CODES: [&str; 3] = ["GB", "RS", "FR"];

/// Nodes on loopback; the first asks. Their processes end with this value, and what they wrote goes with it.
#[derive(Debug)]
pub struct Agencies {
    /// The processes.
    pub world: World,
    /// The nodes' cards, in the order of the nodes.
    pub cards: Vec<Card>,
}

/// A round, as each of its two nodes sees it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// At the requester.
    pub own: RoundView,
    /// At the responder.
    pub peer: RoundView,
}

impl Agencies {
    /// Two nodes that have each other's verified cards.
    pub async fn two() -> Result<Self, ApiError> {
        Self::start(2).await
    }

    /// Two or three nodes; the first has exchanged cards with each of the others.
    pub async fn start(count: usize) -> Result<Self, ApiError> {
        let world = World::of_program(program(), None)?;
        let mut agencies = Self {
            world,
            cards: Vec::new(),
        };
        let mut users = TRIAL_USERS.to_vec();
        users.push((BOTH_ROLES, &[Role::Analyst, Role::Authoriser]));
        users.push(("q.officer", &[Role::Authoriser]));
        let free = [ports(None)?, ports(None)?].concat();
        for (country, port) in CODES.into_iter().zip(free).take(count) {
            let spec = NodeSpec {
                country,
                name: "Agency of a test",
                port,
                threads: None,
                users: &users,
            };
            agencies.world.start(&spec).await?;
        }
        for index in 0..count {
            let card = agencies
                .world
                .node(index)
                .as_operator(&PeerExport {})
                .await?;
            agencies.cards.push(card);
        }
        for index in 1..count {
            exchange_cards(agencies.requester(), agencies.world.node(index)).await?;
        }
        Ok(agencies)
    }

    /// The node that asks.
    pub fn requester(&self) -> &NodeProcess {
        self.world.requester()
    }

    /// The node that is asked.
    pub fn responder(&self) -> &NodeProcess {
        self.world.responder()
    }

    /// The requester and the responder make this agreement live.
    pub async fn agree(&self, deal: &Deal) -> Result<(), ApiError> {
        self.agree_with(1, deal).await
    }

    /// The requester and another node make this agreement live.
    pub async fn agree_with(&self, index: usize, deal: &Deal) -> Result<(), ApiError> {
        let text = deal.text([&self.cards[0], &self.cards[index]])?;
        agree(self.requester(), self.world.node(index), &text).await
    }

    /// Makes an agreement live and loads both its datasets.
    pub async fn prepare(&self, deal: &Deal, lists: [&List; 2]) -> Result<(), ApiError> {
        self.agree(deal).await?;
        for (index, list) in lists.into_iter().enumerate() {
            let node = self.world.node(index);
            node.load(&deal.datasets[index], &list.map, &list.csv)
                .await?;
        }
        Ok(())
    }

    /// What the analyst of the requester asks for.
    pub fn request(&self, deal: &Deal) -> RoundRequest {
        RoundRequest {
            agreement: deal.id.clone(),
            dataset: deal.datasets[0].clone(),
            peer_dataset: Some(deal.datasets[1].clone()),
            peer: self.responder().code().to_owned(),
            purpose: PURPOSE.to_owned(),
            case_reference: CASE.to_owned(),
        }
    }

    /// Proposes a round and waits until it waits for approval, at both nodes.
    pub async fn evaluated(&self, deal: &Deal) -> Result<Asked, ApiError> {
        let round = self.request(deal);
        let proposed = self.requester().as_analyst(&RoundPropose { round }).await?;
        let waits = |round: &RoundView| round.state == "awaiting-approval";
        let own = self
            .requester()
            .wait_for_round(&proposed.id, STEP_WITHIN, waits)
            .await?;
        let peer = self.world.same_round_at_responder(&own).await?;
        let peer = self
            .responder()
            .wait_for_round(&peer.id, STEP_WITHIN, waits)
            .await?;
        Ok(Asked { own, peer })
    }

    /// The requester's authoriser approves; returns when the responder has matched.
    pub async fn approve(&self, asked: &Asked) -> Result<Asked, ApiError> {
        let approve = ReviewApprove {
            round: asked.own.id.clone(),
            reason: "proportionate".to_owned(),
        };
        self.requester().as_officer(&approve).await?;
        let sent = |round: &RoundView| round.state == "awaiting-answers";
        let matched = |round: &RoundView| round.state == "matched";
        Ok(Asked {
            own: self
                .requester()
                .wait_for_round(&asked.own.id, STEP_WITHIN, sent)
                .await?,
            peer: self
                .responder()
                .wait_for_round(&asked.peer.id, STEP_WITHIN, matched)
                .await?,
        })
    }

    /// A whole question: proposed, evaluated, approved, sent and matched.
    pub async fn ask(&self, deal: &Deal) -> Result<Asked, ApiError> {
        let asked = self.evaluated(deal).await?;
        self.approve(&asked).await
    }

    /// Hits of a round that wait for the responder's authoriser.
    pub async fn waiting(&self, asked: &Asked) -> Result<Vec<InboxEntry>, ApiError> {
        hits_waiting(self.responder(), &asked.peer.id).await
    }

    /// The page of a hit.
    pub async fn page(&self, hit: &str) -> Result<ReviewItem, ApiError> {
        let item = hit.to_owned();
        self.responder().as_officer(&ReviewShow { item }).await
    }

    /// Releases a hit, without some fields.
    pub async fn release(&self, hit: &str, drop: &[&str]) -> Result<Decided, ApiError> {
        let release = ReviewRelease {
            hit: hit.to_owned(),
            reason: "known subject".to_owned(),
            drop: drop.iter().map(|field| (*field).to_owned()).collect(),
        };
        self.responder().as_officer(&release).await
    }

    /// Refuses a hit.
    pub async fn refuse(&self, hit: &str) -> Result<Decided, ApiError> {
        let refuse = ReviewRefuse {
            hit: hit.to_owned(),
            reason: "insufficient-evidence".to_owned(),
        };
        self.responder().as_officer(&refuse).await
    }

    /// Releases every hit that waits, whole; returns their ids.
    pub async fn release_all(&self, asked: &Asked) -> Result<Vec<String>, ApiError> {
        let mut released = Vec::new();
        for entry in self.waiting(asked).await? {
            self.release(&entry.item, &[]).await?;
            released.push(entry.item);
        }
        Ok(released)
    }

    /// Waits until every slot is answered; returns what the requester holds of the round then.
    pub async fn answer(&self, asked: &Asked) -> Result<Vec<HitView>, ApiError> {
        let fetched =
            |round: &RoundView| !round.slots.is_empty() && round.slots.iter().all(|slot| slot.done);
        self.requester()
            .wait_for_round(&asked.own.id, STEP_WITHIN, fetched)
            .await?;
        let round = Some(asked.own.id.clone());
        self.requester().as_analyst(&HitList { round }).await
    }
}

impl Drop for Agencies {
    /// A failed test shows what its nodes said last; their files are about to go.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for index in 0..self.cards.len() {
            let node = self.world.node(index);
            let log = std::fs::read_to_string(node.log()).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..];
            eprintln!("node {} said last:\n{}", node.code(), last.join("\n"));
        }
    }
}
