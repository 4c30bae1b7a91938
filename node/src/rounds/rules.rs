//! What the agreement says about a round in one direction, for the machines and for admission.

use mandorla_agreement::{
    Agreement, Counters, Evaluations, LocalPolicy, Proposal, Refusal, ResultMode, SetFacts,
    SetSize, State, day_start_s, month_start_s,
};
use mandorla_control::{ApiError, ErrorCode};
use mandorla_linkage::Field;
use mandorla_protocol::{Digest, NodeKey, Terms, TermsRules, size_class_log2};
use mandorla_store::{LedgerEvent, StoreError, WriteTx};
use mandorla_transport::PeerKey;

use crate::agreements;
use crate::node::Node;
use crate::peers;
use crate::records::dataset::DatasetRecord;
use crate::records::quota;
use crate::records::round::{ROUNDS, RoundRecord, Side};
use crate::rounds::index::OwnIndex;

/// An agreement in one direction.
pub(crate) struct Ruled {
    pub agreement: Agreement,
    pub state: State,
    pub requester: String,
    pub responder: String,
}

impl Ruled {
    pub(crate) fn new(
        agreement: Agreement,
        state: State,
        requester: &str,
        responder: &str,
    ) -> Self {
        Self {
            agreement,
            state,
            requester: requester.to_owned(),
            responder: responder.to_owned(),
        }
    }

    /// What both machines hold an offer against. The parties are those of the agreement, as far as a chain of successions
    /// leads from its keys to the present ones; the terms name the present ones: of the peer those that it connected or
    /// answered with.
    pub(crate) fn terms_rules(
        &self,
        node: &Node,
        connected_as: Option<&PeerKey>,
    ) -> Result<TermsRules, ApiError> {
        agreements::check_parties(node, &self.agreement)?;
        let is_requester = self.requester == node.code();
        let peer = if is_requester {
            &self.responder
        } else {
            &self.requester
        };
        let peer = NodeKey(peers::in_force(node, peer, connected_as)?.signing);
        let own = node.identity.node_key();
        let (requester, responder) = if is_requester {
            (own, peer)
        } else {
            (peer, own)
        };
        let direction = self
            .agreement
            .direction(&self.requester, &self.responder)
            .map_err(|error| {
                ApiError::new(ErrorCode::Refused, error.to_string()).hint(error.fix())
            })?;
        let answer = direction.answer();
        let datasets = |party: &str| {
            let terms = self.agreement.terms();
            let named = terms
                .dataset
                .iter()
                .filter(|dataset| dataset.party == party);
            named.map(|dataset| dataset.id.clone()).collect()
        };
        let seconds = |s: u64| u32::try_from(s).unwrap_or(u32::MAX);
        Ok(TermsRules {
            agreement: Digest(self.agreement.hash()),
            requester,
            responder,
            purpose: self.agreement.terms().purpose.code.clone(),
            requester_datasets: datasets(&self.requester),
            responder_datasets: datasets(&self.responder),
            rules: Digest(self.agreement.linkage_rules().hash()),
            key_types: direction
                .match_keys()
                .iter()
                .map(|rule| rule.id.clone())
                .collect(),
            subjects_min: direction.limits().min_set,
            requester_subjects_max: direction.requester_subjects_max(),
            responder_subjects_max: direction.responder_subjects_max(),
            keys_per_subject_max: direction.keys_per_subject_max().into(),
            slots_s: answer.slots_s().into_iter().map(seconds).collect(),
            max_release: u16::try_from(answer.max_release).unwrap_or(u16::MAX),
            item_bytes: answer.item_bytes,
            fetch_window_s: seconds(answer.fetch_window_s()),
            question_deadline_s: seconds(answer.question_deadline.as_s()),
        })
    }

    /// Whether this round may happen now, by everything that this node knows of it: the agreement and its own policy.
    pub(crate) fn admit(
        &self,
        policy: &LocalPolicy,
        now_s: u64,
        facts: &Facts<'_>,
        counters: &Counters,
    ) -> Result<(), Refusal> {
        let slots_s = self.agreement.terms().answer.slots_s();
        let proposal = Proposal {
            state: self.state,
            purpose: facts.purpose,
            case_reference_given: facts.case_reference_given,
            mode: ResultMode::Fresh,
            slots_s: &slots_s,
            requester: facts.requester,
            responder: facts.responder,
            cells_class: facts.terms.map(|terms| terms.offer().cells_class),
            evaluations: facts.evaluations,
        };
        let (requester, responder) = (&self.requester, &self.responder);
        self.agreement
            .admit(policy, now_s, requester, responder, &proposal, counters)
    }

    /// The peer's set before its size is known: the largest that the agreement and this node's policy allow.
    pub(crate) fn unknown_responder_size(&self, policy: &LocalPolicy) -> SetSize {
        let direction = self.agreement.direction(&self.requester, &self.responder);
        let most = direction.map_or(0, |direction| {
            direction.responder_subjects_max_under(policy)
        });
        SetSize::Class(size_class_log2(most).unwrap_or(mandorla_protocol::CLASS_LOG2_MAX))
    }
}

/// What is known of a round for admission.
pub(crate) struct Facts<'a> {
    pub purpose: &'a str,
    pub case_reference_given: bool,
    pub requester: SetFacts<'a>,
    pub responder: SetFacts<'a>,
    pub terms: Option<&'a Terms>,
    pub evaluations: &'a [Evaluations<'a>],
}

/// The own set in a round.
///
/// `subjects`: those that take part; before they are counted, all of the dataset's.
pub(crate) fn own_set<'a>(
    record: &'a DatasetRecord,
    subjects: u64,
    fields: &'a [Field],
) -> SetFacts<'a> {
    SetFacts {
        dataset: &record.name,
        size: SetSize::Exact(subjects),
        loaded_at_s: Some(record.loaded_at),
        fields: Some(fields),
        synthetic: Some(record.synthetic),
    }
}

/// The peer's set in a round.
pub(crate) fn peer_set(id: &str, size: SetSize) -> SetFacts<'_> {
    SetFacts {
        dataset: id,
        size,
        loaded_at_s: None,
        fields: None,
        synthetic: None,
    }
}

/// The fields that a dataset has.
pub(crate) fn fields(record: &DatasetRecord) -> Vec<Field> {
    record
        .fields
        .iter()
        .filter_map(|name| name.parse().ok())
        .collect()
}

/// Adds to an entry of the own ledger how many subjects took no part, by predicate.
pub(crate) fn with_excluded(event: LedgerEvent, index: &OwnIndex) -> LedgerEvent {
    let excluded = index.excluded().iter();
    excluded.fold(event, |event, (predicate, count)| {
        event.detail(format!("excluded_{predicate}"), *count)
    })
}

/// What earlier rounds in this direction used up. `except`: the round that is being admitted.
pub(crate) fn counters(
    node: &Node,
    side: Side,
    agreement: &str,
    peer: &str,
    except: Option<&str>,
) -> Result<Counters, StoreError> {
    let tx = node.store.read()?;
    let rounds = tx.scan_all(ROUNDS)?;
    let of = rounds.iter().map(|(_, round)| round).filter(|round| {
        round.side == side
            && round.agreement == agreement
            && round.peer == peer
            && except != Some(&round.id)
    });
    Ok(Counters {
        spent_until_s: quota::spent_until(&tx)?,
        ..count(node.clock.now_s(), of)
    })
}

/// The same within the transaction that stores a new round, so that of several at once each counts the others.
pub(crate) fn counters_in(
    tx: &WriteTx<'_>,
    now_s: u64,
    new: &RoundRecord,
) -> Result<Counters, StoreError> {
    let rounds = tx.scan_all(ROUNDS)?;
    let of = rounds.iter().map(|(_, round)| round).filter(|round| {
        round.side == new.side
            && round.agreement == new.agreement
            && round.peer == new.peer
            && round.id != new.id
    });
    Ok(Counters {
        spent_until_s: quota::spent_until_in(tx)?,
        ..count(now_s, of)
    })
}

fn count<'a>(now_s: u64, rounds: impl Iterator<Item = &'a RoundRecord>) -> Counters {
    let (day, month) = (day_start_s(now_s), month_start_s(now_s));
    let mut counters = Counters::default();
    for round in rounds {
        counters.rounds_today += u32::from(round.started_at >= day);
        counters.last_round_s = counters.last_round_s.max(Some(round.started_at));
        if round.started_at >= month {
            counters.subjects_this_month += question_subjects_padded(round);
        }
    }
    counters
}

/// Padded subjects of a round's question.
fn question_subjects_padded(round: &RoundRecord) -> u64 {
    let class = match (round.terms(), round.side) {
        (Some(terms), _) => Some(terms.offer().subjects_class),
        (None, Side::Requester) => size_class_log2(round.subjects),
        (None, Side::Responder) => None,
    };
    class.map_or(0, |class| 1 << class)
}

#[cfg(test)]
mod tests {
    use mandorla_store::AgreementRef;

    use super::*;
    use crate::records::quota;
    use crate::records::round::{About, RoundState};

    #[test]
    fn an_amendment_refreshes_no_quota() {
        let (_dir, _, node) = crate::test_node::node();
        let dataset: DatasetRecord = serde_json::from_value(serde_json::json!({
            "name": "list", "generation": 1, "subjects": 30, "fields": [], "digest": "", "loaded_at": 0,
            "synthetic": false,
            "report": mandorla_control::LoadReportView::default(),
        }))
        .unwrap();
        let now = node.clock.now_s();
        let round = |id: &str, agreement: &str, version: u32| {
            let about = About {
                peer: "RS",
                agreement: AgreementRef {
                    id: agreement.to_owned(),
                    version,
                    hash: format!("{version}"),
                },
                purpose: "P",
                dataset: &dataset,
                peer_dataset: "register",
                policy_scope: String::new(),
            };
            let state = RoundState::Negotiating;
            let mut record = RoundRecord::begin(Side::Requester, state, &about, now);
            record.id = id.to_owned();
            record
        };
        let counted = node.store.write_unlogged::<_, StoreError>(|tx| {
            tx.put(ROUNDS, "R-1", &round("R-1", "A", 1))?;
            tx.put(ROUNDS, "R-2", &round("R-2", "B", 1))?;
            quota::charge(tx, "A", "number", 40, now)?;
            let next = round("R-3", "A", 2);
            let used = quota::used(tx, &next.agreement, "number", 86_400, now)?;
            Ok((counters_in(tx, now, &next)?, used))
        });
        let (counters, used) = counted.unwrap();
        assert_eq!(counters.rounds_today, 1, "the round under version 1 counts");
        assert_eq!(counters.last_round_s, Some(now));
        assert_eq!(counters.subjects_this_month, 32);
        assert_eq!(used, 40);
    }
}
