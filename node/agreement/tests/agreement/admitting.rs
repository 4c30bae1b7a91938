use mandorla_agreement::{
    Agreement, Counters, Evaluations, LocalPolicy, Proposal, Refusal, ResultMode, SetFacts,
    SetSize, State, draft,
};

use mandorla_linkage::Field;

use crate::world::{at_s, sample, sample_input};

const SLOTS_S: [u64; 2] = [86_400, 3 * 86_400];

fn now_s() -> u64 {
    at_s("2027-01-15T10:00:00Z")
}

/// A round that is admitted, as the requester sees it.
fn proposal() -> Proposal<'static> {
    Proposal {
        state: State::Live,
        purpose: "OIC-FACILITATION",
        case_reference_given: true,
        mode: ResultMode::Fresh,
        slots_s: &SLOTS_S,
        requester: SetFacts {
            dataset: "watchlist",
            size: SetSize::Exact(1_000),
            loaded_at_s: None,
            fields: None,
            synthetic: None,
        },
        responder: SetFacts {
            dataset: "registry",
            size: SetSize::Class(15),
            loaded_at_s: None,
            fields: None,
            synthetic: None,
        },
        cells_class: Some(12),
        evaluations: &[Evaluations {
            match_key: "name-dob",
            padded: 1 << 15,
            used_in_period: 0,
        }],
    }
}

fn admit(proposal: &Proposal<'_>, counters: &Counters) -> Result<(), Refusal> {
    sample().admit(
        &LocalPolicy::default(),
        now_s(),
        "UK",
        "RS",
        proposal,
        counters,
    )
}

/// Alters the admitted round and returns rule and clause of the refusal.
fn refused(alter: impl FnOnce(&mut Proposal<'static>, &mut Counters)) -> (&'static str, String) {
    let (mut proposal, mut counters) = (proposal(), Counters::default());
    alter(&mut proposal, &mut counters);
    let refusal = admit(&proposal, &counters).unwrap_err();
    assert!(!refusal.fix.is_empty());
    assert!(
        refusal
            .to_string()
            .ends_with(&format!("({})", refusal.clause))
    );
    (refusal.rule, refusal.clause)
}

fn admitted(alter: impl FnOnce(&mut Proposal<'static>, &mut Counters)) {
    let (mut proposal, mut counters) = (proposal(), Counters::default());
    alter(&mut proposal, &mut counters);
    assert_eq!(admit(&proposal, &counters), Ok(()));
}

#[test]
fn a_round_within_every_clause_is_admitted() {
    admitted(|_, _| {});
}

#[test]
fn the_third_round_of_a_day_is_refused_in_these_words() {
    let counters = Counters {
        rounds_today: 2,
        ..Counters::default()
    };
    assert_eq!(
        admit(&proposal(), &counters).unwrap_err().to_string(),
        "third round today, the agreement allows 2 (limits.UK_to_RS.rounds_per_day)"
    );
    admitted(|_, counters| counters.rounds_today = 1);
}

#[test]
fn real_data_is_for_live_agreements_and_test_data_for_pilots() {
    for state in State::ALL {
        for synthetic in [None, Some(false), Some(true)] {
            let mut proposal = proposal();
            proposal.state = state;
            proposal.requester.synthetic = synthetic;
            let usable = match state {
                State::Live => synthetic != Some(true),
                State::Pilot => synthetic == Some(true),
                _ => false,
            };
            let admitted = admit(&proposal, &Counters::default());
            assert_eq!(admitted.is_ok(), usable, "{state}, {synthetic:?}");
            let clause = admitted.err().map(|refusal| refusal.clause);
            let expected = match state {
                _ if usable => None,
                State::Live => Some("dataset"),
                State::Pilot => Some("pilot_required"),
                _ => Some("state"),
            };
            assert_eq!(clause.as_deref(), expected, "{state}, {synthetic:?}");
        }
    }
}

#[test]
fn a_pilot_needs_the_responders_own_set_to_be_test_data_too() {
    let refusal = refused(|p, _| {
        p.state = State::Pilot;
        p.responder.synthetic = Some(false);
    });
    assert_eq!(refusal, ("synthetic", "pilot_required".into()));
    admitted(|p, _| {
        p.state = State::Pilot;
        p.responder.synthetic = Some(true);
    });
    let refusal = refused(|p, _| p.responder.synthetic = Some(true));
    assert_eq!(refusal, ("synthetic", "dataset".into()));
}

#[test]
fn dates_bound_a_round_from_its_start_to_its_last_answer() {
    let agreement = sample();
    let at = |now_s: u64| {
        agreement.admit(
            &LocalPolicy::default(),
            now_s,
            "UK",
            "RS",
            &proposal(),
            &Counters::default(),
        )
    };
    let (start_s, end_s) = (at_s("2026-12-01"), at_s("2027-12-01"));
    let round_s = (3 + 3 + 2) * 86_400;
    assert_eq!(at(start_s - 1).unwrap_err().rule, "not_before");
    assert_eq!(at(start_s), Ok(()));
    assert_eq!(at(end_s - round_s), Ok(()));
    assert_eq!(at(end_s - round_s + 1).unwrap_err().clause, "expires");
    assert_eq!(at(end_s).unwrap_err().rule, "expires");
    assert_eq!(at(u64::MAX).unwrap_err().rule, "expires");
}

#[test]
fn purpose_and_case_are_mandatory() {
    assert_eq!(
        refused(|p, _| p.purpose = "TAX"),
        ("purpose", "purpose.code".into())
    );
    assert_eq!(
        refused(|p, _| p.case_reference_given = false),
        ("case_reference", "purpose".into())
    );
}

#[test]
fn mode_and_slots_are_the_agreements() {
    assert_eq!(
        refused(|p, _| p.mode = ResultMode::Standing),
        ("mode", "result.mode".into())
    );
    for slots_s in [
        &[][..],
        &[86_400],
        &[3 * 86_400, 86_400],
        &[86_400, 3 * 86_400, 4 * 86_400],
    ] {
        assert_eq!(
            refused(|p, _| p.slots_s = slots_s),
            ("slots", "answer.slots".into())
        );
    }
}

#[test]
fn datasets_are_named_by_their_owner_and_young_enough() {
    assert_eq!(
        refused(|p, _| p.requester.dataset = "registry").0,
        "dataset"
    );
    assert_eq!(
        refused(|p, _| p.responder.dataset = "watchlist").0,
        "dataset"
    );
    let old = refused(|p, _| p.requester.loaded_at_s = Some(now_s() - 30 * 86_400 - 1));
    assert_eq!(old, ("max_age_days", "dataset[0].max_age_days".into()));
    admitted(|p, _| p.requester.loaded_at_s = Some(now_s() - 30 * 86_400));
    let records = refused(|p, _| p.responder.size = SetSize::Exact(30_001));
    assert_eq!(records, ("max_records", "dataset[1].max_records".into()));
}

#[test]
fn own_sets_are_bounded_exactly_and_the_peers_by_class() {
    let requester =
        |size| move |p: &mut Proposal<'static>, _: &mut Counters| p.requester.size = size;
    assert_eq!(
        refused(requester(SetSize::Exact(19))),
        ("min_set", "limits.UK_to_RS.min_set".into())
    );
    admitted(requester(SetSize::Exact(20)));
    admitted(requester(SetSize::Exact(10_000)));
    assert_eq!(
        refused(requester(SetSize::Exact(10_001))),
        ("max_set", "limits.UK_to_RS.max_set".into())
    );
    // 20 is padded to 2^5, 10,000 to 2^14.
    assert_eq!(refused(requester(SetSize::Class(4))).0, "min_set");
    admitted(requester(SetSize::Class(5)));
    admitted(requester(SetSize::Class(14)));
    assert_eq!(refused(requester(SetSize::Class(15))).0, "max_set");
    assert_eq!(refused(requester(SetSize::Class(255))).0, "max_records");

    assert_eq!(
        refused(|p, _| p.responder.size = SetSize::Class(4)).1,
        "limits.UK_to_RS.min_set"
    );
    assert_eq!(
        refused(|p, _| p.responder.size = SetSize::Class(16)).0,
        "max_records"
    );
}

#[test]
fn the_responders_own_cap_is_named_where_it_is_written() {
    let text =
        draft(&sample_input()).replacen("# responder_max_set = …", "responder_max_set = 500 #", 1);
    let agreement = Agreement::parse(text.as_bytes()).unwrap();
    let refusal = agreement
        .admit(
            &LocalPolicy::default(),
            now_s(),
            "UK",
            "RS",
            &proposal(),
            &Counters::default(),
        )
        .unwrap_err();
    assert_eq!(
        (refusal.rule, refusal.clause.as_str()),
        ("max_set", "limits.UK_to_RS.responder_max_set")
    );
}

#[test]
fn a_question_with_too_many_cells_is_refused() {
    admitted(|p, _| p.cells_class = Some(15)); // 10,000 subjects of 3 keys
    assert_eq!(
        refused(|p, _| p.cells_class = Some(16)).1,
        "limits.UK_to_RS.keys_per_subject_max"
    );
}

#[test]
fn rounds_keep_their_distance_even_when_a_clock_steps_back() {
    admitted(|_, c| c.last_round_s = Some(now_s() - 3_600));
    let refusal = admit(
        &proposal(),
        &Counters {
            last_round_s: Some(now_s() - 3_599),
            ..Counters::default()
        },
    );
    let refusal = refusal.unwrap_err();
    assert_eq!(refusal.clause, "limits.UK_to_RS.min_interval");
    assert_eq!(refusal.fix, "wait 1s");
    assert_eq!(
        refused(|_, c| c.last_round_s = Some(now_s() + 100_000)).0,
        "min_interval"
    );
}

#[test]
fn padded_sizes_count_towards_the_month() {
    let allowed = sample().terms().limits["UK_to_RS"].subjects_per_month;
    admitted(|_, c| c.subjects_this_month = allowed - 1_024);
    let refused_round = refused(|_, c| c.subjects_this_month = allowed - 1_023);
    assert_eq!(
        refused_round,
        (
            "subjects_per_month",
            "limits.UK_to_RS.subjects_per_month".into()
        )
    );
    assert_eq!(
        refused(|_, c| c.subjects_this_month = u64::MAX).0,
        "subjects_per_month"
    );
}

#[test]
fn evaluations_are_bounded_per_match_key() {
    let allowed = sample()
        .direction("UK", "RS")
        .unwrap()
        .evaluations("national-id")
        .unwrap()
        .count;
    let with = |used_in_period| {
        let evaluations = [Evaluations {
            match_key: "national-id",
            padded: 1_000,
            used_in_period,
        }];
        admit(
            &Proposal {
                evaluations: &evaluations,
                ..proposal()
            },
            &Counters::default(),
        )
    };
    assert_eq!(with(allowed - 1_000), Ok(()));
    assert_eq!(
        with(allowed - 999).unwrap_err().clause,
        "limits.UK_to_RS.evaluations.national-id.count"
    );
    let unknown = [Evaluations {
        match_key: "shoe",
        padded: 1,
        used_in_period: 0,
    }];
    let refusal = admit(
        &Proposal {
            evaluations: &unknown,
            ..proposal()
        },
        &Counters::default(),
    )
    .unwrap_err();
    assert_eq!(refusal.rule, "match_key");
}

#[test]
fn after_a_restore_every_period_that_reaches_back_to_it_counts_as_used_up() {
    let restored = Counters {
        spent_until_s: Some(at_s("2027-01-15T10:00:00Z")),
        ..Counters::default()
    };
    let at = |time: &str| {
        let policy = LocalPolicy::default();
        let admitted = sample().admit(&policy, at_s(time), "UK", "RS", &proposal(), &restored);
        admitted.err().map(|refusal| (refusal.rule, refusal.fix))
    };
    let rule = |time| at(time).map(|(rule, _)| rule);
    assert_eq!(rule("2027-01-15T10:00:00Z"), Some("rounds_per_day"));
    assert_eq!(rule("2027-01-15T23:59:59Z"), Some("rounds_per_day"));
    assert_eq!(rule("2027-01-16T00:00:00Z"), Some("subjects_per_month"));
    assert_eq!(rule("2027-01-31T23:59:59Z"), Some("subjects_per_month"));
    assert_eq!(rule("2027-02-01T00:00:00Z"), None);
}

#[test]
fn evaluations_count_as_used_up_until_their_period_has_passed_after_a_restore() {
    let restored = Counters {
        spent_until_s: Some(at_s("2027-01-31T22:00:00Z")),
        ..Counters::default()
    };
    let policy = LocalPolicy::default();
    let at = |time: &str| sample().admit(&policy, at_s(time), "UK", "RS", &proposal(), &restored);
    let refusal = at("2027-02-01T23:59:59Z").unwrap_err();
    assert_eq!(
        (refusal.rule, refusal.clause.as_str(), refusal.fix.as_str()),
        (
            "evaluations",
            "limits.UK_to_RS.evaluations.name-dob.count",
            "wait until 2027-02-02T00:00:00Z"
        )
    );
    assert_eq!(at("2027-02-02T00:00:00Z"), Ok(()));
}

#[test]
fn a_restore_counts_as_the_latest_round_for_the_distance_between_rounds() {
    let at = |time: &str| {
        let restored = Counters {
            last_round_s: Some(at_s("2027-01-01")),
            spent_until_s: Some(at_s("2027-01-31T23:30:00Z")),
            ..Counters::default()
        };
        let mut proposal = proposal();
        proposal.evaluations = &[];
        sample()
            .admit(
                &LocalPolicy::default(),
                at_s(time),
                "UK",
                "RS",
                &proposal,
                &restored,
            )
            .map_err(|refusal| refusal.rule)
    };
    assert_eq!(at("2027-02-01T00:29:59Z"), Err("min_interval"));
    assert_eq!(at("2027-02-01T00:30:00Z"), Ok(()));
}

#[test]
fn strangers_and_absent_directions_are_refused() {
    let refusal = sample()
        .admit(
            &LocalPolicy::default(),
            now_s(),
            "UK",
            "FR",
            &proposal(),
            &Counters::default(),
        )
        .unwrap_err();
    assert_eq!(refusal.rule, "direction");
}

#[test]
fn a_list_without_a_required_column_is_refused_by_its_owner() {
    let text = draft(&sample_input()).replacen(
        "required_columns = []",
        "required_columns = [\"dob\", \"sex\"]",
        1,
    );
    let agreement = Agreement::parse(text.as_bytes()).unwrap();
    let with = |fields: Option<&[Field]>| {
        let mut proposal = proposal();
        let requester = SetFacts {
            fields,
            ..proposal.requester
        };
        proposal.requester = requester;
        agreement.admit(
            &LocalPolicy::default(),
            now_s(),
            "UK",
            "RS",
            &proposal,
            &Counters::default(),
        )
    };
    assert_eq!(with(Some(&[Field::Sex, Field::Dob])), Ok(()));
    assert_eq!(with(None), Ok(())); // the peer cannot know
    assert_eq!(
        with(Some(&[Field::Dob])).unwrap_err().clause,
        "dataset[0].required_columns"
    );
}
