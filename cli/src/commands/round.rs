//! `mandorla round …`.

mod text;
mod watch;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use mandorla_control::{
    ApiError, ErrorCode, RoundCancel, RoundList, RoundPlan, RoundPropose, RoundRequest, RoundShow,
    RoundView,
};

use crate::context::Context;
use crate::failure::{DONE, Done};

pub(crate) use watch::{Goal, follow};

/// The states of a round on a node: a requester's, a responder's, and those of both.
const STATES: [&str; 10] = [
    "negotiating",
    "evaluating",
    "awaiting-approval",
    "sending",
    "withdrawing",
    "awaiting-answers",
    "questioned",
    "matched",
    "closed",
    "ended",
];
/// No state: the answers of all slots are here, or fixed, while the round stays open until its terms close it.
const ANSWERED: &str = "answered";

/// `mandorla round …`
#[derive(Debug, Subcommand)]
pub(crate) enum RoundCommand {
    /// What a round would do; nothing is sent
    Plan(RequestArgs),
    /// Propose a round: terms and evaluation at once, the question after the own authoriser's approval
    Propose {
        #[command(flatten)]
        request: RequestArgs,
        /// Wait until the question waits for its approval
        #[arg(long)]
        wait: bool,
    },
    /// All rounds, asked by us (R-…) and of us (Q-…)
    List {
        /// Only rounds in this state
        #[arg(long, value_parser = PossibleValuesParser::new(STATES))]
        state: Option<String>,
    },
    /// One round
    Show {
        /// Id of the round
        round: String,
    },
    /// Follow a round until it is closed or has ended
    Watch {
        /// Id of the round
        round: String,
        /// Stop when this state is reached, or at `answered`: every answer is here, or fixed
        #[arg(long, value_name = "STATE", value_parser = PossibleValuesParser::new(STATES.into_iter().chain([ANSWERED])))]
        until: Option<String>,
    },
    /// End an own round before its question is sent
    Cancel {
        /// Id of the round
        round: String,
        /// Why, for the ledger
        #[arg(long)]
        reason: String,
    },
}

/// The question.
#[derive(Debug, Args)]
pub(crate) struct RequestArgs {
    /// Id of the agreement
    #[arg(long)]
    agreement: String,
    /// Own dataset
    #[arg(long)]
    dataset: String,
    /// Party code of the peer; several ask several, with a round for each
    #[arg(
        long = "with",
        value_name = "PEER",
        value_delimiter = ',',
        required = true
    )]
    peers: Vec<String>,
    /// The peer's dataset [default: the only one in the agreement]
    #[arg(long)]
    peer_dataset: Option<String>,
    /// Purpose code of the agreement
    #[arg(long)]
    purpose: String,
    /// Case reference; the peer sees it with the question
    #[arg(long)]
    case: String,
}

impl RequestArgs {
    /// One request per peer.
    fn requests(self) -> Vec<RoundRequest> {
        let one = |peer: &String| RoundRequest {
            agreement: self.agreement.clone(),
            dataset: self.dataset.clone(),
            peer_dataset: self.peer_dataset.clone(),
            peer: peer.clone(),
            purpose: self.purpose.clone(),
            case_reference: self.case.clone(),
        };
        self.peers.iter().map(one).collect()
    }
}

pub(crate) async fn run(command: RoundCommand, cx: &Context) -> Done {
    match command {
        RoundCommand::Plan(args) => plan(args, cx).await,
        RoundCommand::Propose { request, wait } => propose(request, wait, cx).await,
        RoundCommand::List { state } => {
            let rounds = cx.call(&RoundList { state }).await?;
            cx.out.list(&rounds, text::list)?;
            DONE
        }
        RoundCommand::Show { round } => {
            let view = cx.call(&show(&round)).await?;
            cx.out.object(&view, text::view)?;
            DONE
        }
        RoundCommand::Watch { round, until } => {
            let goal = until.map_or(Goal::Over, Goal::named);
            let view = follow(cx.call(&show(&round)).await?, &goal, cx).await?;
            finish(&view, cx)
        }
        RoundCommand::Cancel { round, reason } => {
            let view = cx.call(&RoundCancel { round, reason }).await?;
            cx.out.object(&view, text::view)?;
            DONE
        }
    }
}

async fn plan(args: RequestArgs, cx: &Context) -> Done {
    let agreement = args.agreement.clone();
    let mut plans = Vec::new();
    for request in args.requests() {
        plans.push((
            request.peer.clone(),
            cx.call(&RoundPlan { round: request }).await?,
        ));
    }
    if let [(_, plan)] = plans.as_slice() {
        cx.out.object(plan, text::plan)?;
    } else {
        let items: Vec<_> = plans
            .iter()
            .map(|(peer, plan)| serde_json::json!({"peer": peer, "plan": plan}))
            .collect();
        cx.out.list(&items, |_| {
            let texts = plans
                .iter()
                .map(|(peer, plan)| format!("with {peer}\n{}", text::plan(plan)));
            texts.collect::<Vec<_>>().join("\n")
        })?;
    }
    match plans.iter().find(|(_, plan)| !plan.refusals.is_empty()) {
        None => DONE,
        Some((peer, plan)) => Err(ApiError::new(
            ErrorCode::Refused,
            format!(
                "a round with {peer} would be refused now: {}",
                plan.refusals[0]
            ),
        )
        .hint(cx.command(&format!("agreement print {agreement}")))),
    }
}

async fn propose(request: RequestArgs, wait: bool, cx: &Context) -> Done {
    let mut proposed = Vec::new();
    for request in request.requests() {
        let view = cx.call(&RoundPropose { round: request }).await?;
        cx.out
            .say(&format!("{} is proposed to {}", view.id, view.peer));
        proposed.push(view);
    }
    if wait {
        let goal = Goal::State("awaiting-approval".to_owned());
        let mut reached = Vec::new();
        for view in proposed {
            reached.push(follow(view, &goal, cx).await?);
        }
        return match reached.as_slice() {
            [view] => finish(view, cx),
            views => {
                cx.out.list(views, text::list)?;
                views.iter().find_map(ended).map_or(DONE, Err)
            }
        };
    }
    match proposed.as_slice() {
        [view] => cx.out.object(view, text::view)?,
        views => cx.out.list(views, text::list)?,
    }
    if let Some(view) = proposed.first() {
        cx.out.say(&format!(
            "next: {}",
            cx.command(&format!("round watch {}", view.id))
        ));
    }
    DONE
}

fn show(round: &str) -> RoundShow {
    RoundShow {
        round: round.to_owned(),
        after_revision: None,
        wait_ms: None,
    }
}

/// Prints where a watched round came to; a round that ended early is a refusal.
fn finish(view: &RoundView, cx: &Context) -> Done {
    if !cx.out.json {
        cx.out.object(view, text::view)?; // with --json its last line has been printed
    }
    if view.state == "awaiting-approval" && view.role == "requester" {
        let next = cx.command(&format!("review approve {} --reason TEXT", view.id));
        cx.out.say(&format!("next, by an authoriser: {next}"));
    }
    ended(view).map_or(DONE, Err)
}

fn ended(view: &RoundView) -> Option<ApiError> {
    (view.state == "ended").then(|| {
        ApiError::new(
            ErrorCode::WrongState,
            format!("{} has ended: {}", view.id, view.detail),
        )
        .hint(format!("mandorla round show {}", view.id))
    })
}
