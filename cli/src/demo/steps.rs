//! The steps, in order.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use mandorla_control::{
    ApiError, AuditReport, AuditVerify, Decided, ErrorCode, HitList, HitView, ReviewItem,
    ReviewRefuse, ReviewRelease, ReviewShow, RoundView,
};
use mandorla_linkage::Field;
use mandorla_linkage::generate::{Generated, demo_rules, generate};

use super::DemoArgs;
use super::report::Report;
use super::story::{self, Tell};
use crate::failure::internal;
use crate::output::Output;
use crate::trial_agreement::Trial;
use crate::world::{NodeSpec, TRIAL_USERS, World, both_ways, hits_waiting, ports, value_of};

/// Seed of the lists: the same demonstration every time.
const SEED: u64 = 2_023;
/// Id of the agreement.
const AGREEMENT: &str = "GB-RS-demo";
/// Names of the two lists on their nodes.
const DATASETS: [&str; 2] = ["watchlist", "border-records"];
/// A step between two machines takes at most this long at size M on a slow machine.
const STEP_WITHIN: Duration = Duration::from_mins(15);
/// Fields that carry a number, dropped by the redaction.
const NUMBER_FIELDS: [&str; 2] = ["document_number", "national_id"];
/// Where the lists' own references stand, so that released pairs can be compared with the truth.
const REFERENCE_FIELD: &str = "case_ref";

/// Plays everything and says what came of it.
pub(super) async fn play(
    args: &DemoArgs,
    world: &mut World,
    out: &Output,
) -> Result<Report, ApiError> {
    let started = Instant::now();
    let tell = Tell::new(out);
    let lists = generate(args.size.rows(), SEED);
    let truth = truth(&lists.truth_csv)?;
    start_nodes(args, world).await?;
    tell.step("Two nodes", &story::nodes(world));
    let subjects = prepare(args, world, &lists, &tell).await?;
    let (evaluated, matched) = ask(world, &tell).await?;
    let review = review(world, &matched.id, &tell).await?;
    let asked = world
        .requester()
        .counted(&evaluated.id, both_ways(&evaluated))
        .await?;
    let hits = answer(world, &asked.id, &tell).await?;
    let (missed, false_hits) = compare(&truth, &review, &hits)?;
    tell.step(
        "Compared with the truth",
        &story::compared(missed, false_hits),
    );
    let audits = audit(world, &tell).await?;
    let counted = world
        .requester()
        .counted(&asked.id, both_ways(&asked))
        .await?;
    Ok(Report {
        schema: 1,
        requester_subjects: subjects[0],
        responder_subjects: subjects[1],
        true_overlap: truth.len() as u64,
        hits: review.hits() as u64,
        released: review.released.len() as u64,
        redacted: 1,
        refused: 1,
        false_hits,
        missed,
        seconds: (started.elapsed().as_secs_f64() * 1_000.0).round() / 1_000.0,
        wire_bytes: both_ways(&counted),
        ledger_verified: audits.iter().all(|report| report.verified),
    })
}

/// Pairs of references of people on both lists.
fn truth(csv: &str) -> Result<BTreeSet<(String, String)>, ApiError> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let pair = |row: csv::Result<csv::StringRecord>| {
        let row = row.map_err(internal)?;
        Ok((row[0].to_owned(), row[1].to_owned()))
    };
    reader.records().map(pair).collect()
}

async fn start_nodes(args: &DemoArgs, world: &mut World) -> Result<(), ApiError> {
    let [requester_port, responder_port] = ports(args.port_base)?;
    let agencies = [
        ("GB", "Border Intelligence, London", requester_port),
        ("RS", "Uprava granične policije, Beograd", responder_port),
    ];
    for (country, name, port) in agencies {
        let spec = NodeSpec {
            country,
            name,
            port,
            threads: None,
            users: &TRIAL_USERS,
        };
        world.start(&spec).await?;
    }
    Ok(())
}

/// Lists, cards, agreement. Returns the subjects of both lists.
async fn prepare(
    args: &DemoArgs,
    world: &World,
    lists: &Generated,
    tell: &Tell<'_>,
) -> Result<[u64; 2], ApiError> {
    let (requester, responder) = (world.requester(), world.responder());
    let gb_list = requester
        .load(DATASETS[0], &with_reference(&lists.uk_map)?, &lists.uk_csv)
        .await?;
    let rs_list = responder
        .load(DATASETS[1], &with_reference(&lists.rs_map)?, &lists.rs_csv)
        .await?;
    tell.step("Two lists", &story::lists(&gb_list, &rs_list));
    let (cards, words) = world.exchange_cards().await?;
    tell.step("Cards", &story::cards(&words));
    let subjects = [gb_list.subjects, rs_list.subjects];
    let rows = args.size.rows();
    let places = u32::try_from(rows.overlap.next_multiple_of(64)).map_err(internal)?;
    let trial = Trial {
        id: AGREEMENT,
        title: "Demonstration with invented people",
        cards: [&cards[0], &cards[1]],
        datasets: [(DATASETS[0], subjects[0]), (DATASETS[1], subjects[1])],
        match_keys: demo_rules().match_key_rules().to_vec(),
        slot_s: args.size.slot_s(),
        max_release: places,
        pilot: true,
        max_overlap: places.into(),
        fields_on_match: vec![
            Field::FamilyNames,
            Field::GivenNames,
            Field::Dob,
            Field::Sex,
            Field::NationalId,
            Field::DocumentState,
            Field::DocumentNumber,
            Field::CaseRef,
        ],
    };
    world.agree_on_pilot(&trial.text()?).await?;
    tell.step("An agreement", &story::agreement(trial.slot_s, places));
    Ok(subjects)
}

/// Maps the column of the reference to [`REFERENCE_FIELD`] as well.
fn with_reference(map: &str) -> Result<String, ApiError> {
    let mut table: toml::Table = map.parse().map_err(internal)?;
    let columns = table.get_mut("columns").and_then(toml::Value::as_table_mut);
    let columns = columns.ok_or_else(|| internal("a generated map file without columns"))?;
    let reference = columns.get("ref").cloned();
    let reference = reference.ok_or_else(|| internal("a generated map file without ref"))?;
    columns.insert(REFERENCE_FIELD.to_owned(), reference);
    Ok(table.to_string())
}

/// Proposal to match. Returns the round at the requester before its question, and at the responder after the match.
async fn ask(world: &World, tell: &Tell<'_>) -> Result<(RoundView, RoundView), ApiError> {
    let requester = world.requester();
    let proposed = world.propose(AGREEMENT, DATASETS, "OP-LARCH").await?;
    let evaluated = requester
        .wait_for_round(&proposed.id, STEP_WITHIN, |round| {
            round.state == "awaiting-approval"
        })
        .await?;
    tell.step("Evaluation", &story::evaluated(&evaluated));
    let evaluated = requester.counted(&proposed.id, 0).await?;
    world
        .approve(&proposed.id, "OP-LARCH: proportionate, padded sizes seen")
        .await?;
    let asked = requester
        .wait_for_round(&proposed.id, STEP_WITHIN, |round| {
            round.state == "awaiting-answers"
        })
        .await?;
    tell.step("The question", &story::approved(&asked));
    let at_responder = world.same_round_at_responder(&asked).await?;
    let matched = world
        .responder()
        .wait_for_round(&at_responder.id, STEP_WITHIN, |round| {
            round.state == "matched"
        })
        .await?;
    Ok((evaluated, matched))
}

/// What the authoriser of the responder decided.
struct Review {
    released: Vec<ReviewItem>,
    redacted: ReviewItem,
    dropped: &'static str,
    refused: ReviewItem,
}

impl Review {
    fn hits(&self) -> usize {
        self.released.len() + 2
    }

    fn items(&self) -> impl Iterator<Item = &ReviewItem> {
        self.released.iter().chain([&self.redacted, &self.refused])
    }
}

async fn review(world: &World, round: &str, tell: &Tell<'_>) -> Result<Review, ApiError> {
    let responder = world.responder();
    let waiting = hits_waiting(responder, round).await?;
    tell.step("The match", &story::matched(waiting.len()));
    let mut items = Vec::with_capacity(waiting.len());
    for entry in waiting {
        items.push(
            responder
                .as_officer(&ReviewShow { item: entry.item })
                .await?,
        );
    }
    let refused = items
        .pop()
        .ok_or_else(|| internal("the responder found no hit at all"))?;
    let refuse = ReviewRefuse {
        hit: refused.entry.item.clone(),
        reason: "insufficient-evidence".to_owned(),
    };
    responder.as_officer(&refuse).await?;
    // Those that a redaction tells most about come first.
    items.sort_by_key(|item| agreeing_number(item).is_none());
    let mut redacted = None;
    let mut released = Vec::with_capacity(items.len());
    for item in items {
        if redacted.is_none()
            && let Some(dropped) = redact(world, &item).await?
        {
            redacted = Some((item, dropped));
            continue;
        }
        release(world, &item, &[]).await?;
        released.push(item);
    }
    let (redacted, dropped) = redacted.ok_or_else(|| internal("no hit could be redacted"))?;
    let review = Review {
        released,
        redacted,
        dropped,
        refused,
    };
    tell.step(
        "The review",
        &story::reviewed(
            review.released.len(),
            &review.redacted,
            review.dropped,
            &review.refused,
        ),
    );
    Ok(review)
}

/// A number whose own match key agrees beside another one: without it, both the field and that key stay.
fn agreeing_number(item: &ReviewItem) -> Option<&'static str> {
    let agrees = |field: &str| item.evidence.iter().any(|key| key.contains(field));
    NUMBER_FIELDS
        .into_iter()
        .find(|field| item.evidence.len() > 1 && agrees(field))
}

/// Releases a hit without one of its numbers, if the rest still makes it a hit. Returns what stays.
async fn redact(world: &World, item: &ReviewItem) -> Result<Option<&'static str>, ApiError> {
    for field in agreeing_number(item).into_iter().chain(NUMBER_FIELDS) {
        if value_of(&item.would_leave, field).is_none() {
            continue;
        }
        match release(world, item, &[field]).await {
            Ok(decided) if decided.decision == "redacted" => return Ok(Some(field)),
            Ok(decided) => {
                return Err(internal(format!(
                    "a release without {field} counts as {}",
                    decided.decision
                )));
            }
            Err(error) if error.code == ErrorCode::GradeLost => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

async fn release(world: &World, item: &ReviewItem, drop: &[&str]) -> Result<Decided, ApiError> {
    let release = ReviewRelease {
        hit: item.entry.item.clone(),
        reason: "OP-LARCH: known subject".to_owned(),
        drop: drop.iter().map(|field| (*field).to_owned()).collect(),
    };
    world.responder().as_officer(&release).await
}

/// Waits for the slot and what comes with it.
async fn answer(world: &World, round: &str, tell: &Tell<'_>) -> Result<Vec<HitView>, ApiError> {
    let requester = world.requester();
    let fetched =
        |round: &RoundView| !round.slots.is_empty() && round.slots.iter().all(|slot| slot.done);
    requester
        .wait_for_round(round, STEP_WITHIN, fetched)
        .await?;
    let list = HitList {
        round: Some(round.to_owned()),
    };
    let hits = requester.as_analyst(&list).await?;
    tell.step("The answer", &story::answered(hits.len()));
    Ok(hits)
}

/// Compares both sides with the truth: people missed, and hits on others.
///
/// # Errors
/// A refused hit or a dropped field reached the requester.
fn compare(
    truth: &BTreeSet<(String, String)>,
    review: &Review,
    hits: &[HitView],
) -> Result<(u64, u64), ApiError> {
    let is_at_requester = |item: &ReviewItem| hits.iter().find(|hit| hit.id == item.entry.item);
    if is_at_requester(&review.refused).is_some() {
        return Err(internal("the refused hit reached the requester"));
    }
    let redacted = is_at_requester(&review.redacted);
    if redacted.is_some_and(|hit| value_of(&hit.released, review.dropped).is_some()) {
        return Err(internal("the dropped field reached the requester"));
    }
    let truly_there: BTreeSet<&str> = truth.iter().map(|(_, right)| right.as_str()).collect();
    let found: Vec<&str> = review
        .items()
        .map(|item| value_of(&item.own_record, REFERENCE_FIELD).unwrap_or_default())
        .collect();
    let not_found = truly_there
        .iter()
        .filter(|right| !found.contains(right))
        .count();
    let not_received = review
        .released
        .iter()
        .chain([&review.redacted])
        .filter(|item| is_at_requester(item).is_none())
        .count();
    let wrongly_found = found
        .iter()
        .filter(|right| !truly_there.contains(*right))
        .count();
    let wrong_pairs = hits
        .iter()
        .filter(|hit| {
            let right = value_of(&hit.released, REFERENCE_FIELD).unwrap_or_default();
            // A pair whose right side is already counted as wrongly found is one false hit, not two.
            truly_there.contains(right)
                && !truth.contains(&(hit.own_reference.clone(), right.to_owned()))
        })
        .count();
    Ok((
        (not_found + not_received) as u64,
        (wrongly_found + wrong_pairs) as u64,
    ))
}

async fn audit(world: &World, tell: &Tell<'_>) -> Result<[AuditReport; 2], ApiError> {
    let reports = [
        world.requester().as_auditor(&AuditVerify {}).await?,
        world.responder().as_auditor(&AuditVerify {}).await?,
    ];
    tell.step("The audit", &story::audited(&reports));
    Ok(reports)
}

#[cfg(test)]
mod tests;
