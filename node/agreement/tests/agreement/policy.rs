use std::collections::BTreeMap;

use mandorla_agreement::{
    Agreement, Counters, Duration, Evaluations, Exclusion, HitFacts, LocalPolicy, Proposal,
    ResultMode, SetFacts, SetSize, State, TwoPersonWhen, draft,
};
use mandorla_linkage::Field;
use proptest::prelude::*;

use crate::world::{at_s, sample, sample_input};

const SLOTS_S: [u64; 2] = [86_400, 3 * 86_400];
const KEYS: [&str; 3] = ["national-id", "document", "name-dob"];

fn policy(text: &str) -> LocalPolicy {
    toml::from_str(text).unwrap()
}

#[test]
fn an_empty_policy_narrows_nothing_and_every_key_is_read_back() {
    assert_eq!(policy(""), LocalPolicy::default());
    assert!(LocalPolicy::default().accept_rounds);
    assert_eq!(LocalPolicy::default().open_rounds_per_peer_max(), 16);
    let full = policy(
        "accept_rounds = false\nopen_rounds_per_peer_max = 3\npurposes = [\"A\"]\nmin_set = 1\nmax_set = 2\n\
         responder_max_set = 3\nrounds_per_day = 4\nsubjects_per_month = 5\nmin_interval = \"6h\"\nmax_age_days = 7\n\
         forbidden_fields = [\"dob\"]\nmax_release = 8\ntwo_person_when = [\"always\"]\nexclude = [\"minor\"]\n\
         nationalities_out = [\"RS\"]\nevaluations = { document = 9 }\n[agreement.\"X-1\"]\nrounds_per_day = 1\n",
    );
    assert_eq!(policy(&toml::to_string(&full).unwrap()), full);
}

#[test]
fn what_a_policy_cannot_say_is_refused_by_name() {
    for (text, named) in [
        ("max_sets = 1", "max_sets"),
        ("two_person_when = [\"often\"]", "grade-below-b"),
        ("exclude = [\"minors\"]", "trafficking_victim"),
        ("nationalities_out = [\"Serbia\"]", "Serbia"),
        (
            "[agreement.X]\nopen_rounds_per_peer_max = 1",
            "[policy] only",
        ),
        ("[agreement.X.agreement.Y]\nmax_set = 1", "[policy] only"),
        ("[agreement.X]\nmaximum = 1", "maximum"),
        ("rounds_per_day = -1", "rounds_per_day"),
    ] {
        let error = toml::from_str::<LocalPolicy>(text).unwrap_err().to_string();
        assert!(error.contains(named), "{text}: {error}");
    }
}

fn proposal<'a>(
    requester: SetSize,
    responder: SetSize,
    evaluations: &'a [Evaluations<'a>],
) -> Proposal<'a> {
    let set = |dataset, size| SetFacts {
        dataset,
        size,
        loaded_at_s: None,
        fields: None,
        synthetic: None,
    };
    Proposal {
        state: State::Live,
        purpose: "OIC-FACILITATION",
        case_reference_given: true,
        mode: ResultMode::Fresh,
        slots_s: &SLOTS_S,
        requester: set("watchlist", requester),
        responder: set("registry", responder),
        cells_class: None,
        evaluations,
    }
}

#[test]
fn a_refusal_by_policy_names_its_clause_and_the_nodes_own_file() {
    let now_s = at_s("2027-01-15T10:00:00Z");
    let counters = Counters {
        rounds_today: 1,
        last_round_s: Some(now_s - 7_200),
        subjects_this_month: 2_000,
        ..Counters::default()
    };
    let evaluations = [Evaluations {
        match_key: "document",
        padded: 32_768,
        used_in_period: 0,
    }];
    let mut round = proposal(SetSize::Exact(1_000), SetSize::Class(15), &evaluations);
    round.requester.loaded_at_s = Some(now_s - 10 * 86_400);
    for (key, value) in [
        ("rounds_per_day", "1"),
        ("purposes", "[\"OTHER\"]"),
        ("min_set", "1001"),
        ("max_set", "999"),
        ("responder_max_set", "16384"),
        ("subjects_per_month", "3000"),
        ("min_interval", "\"3h\""),
        ("max_age_days", "9"),
        ("evaluations.document", "32767"),
    ] {
        for (text, at) in [
            (format!("{key} = {value}"), "policy".to_owned()),
            (
                format!("[agreement.UK-RS-SAMPLE]\n{key} = {value}"),
                "policy.agreement.\"UK-RS-SAMPLE\"".to_owned(),
            ),
        ] {
            let refusal = sample()
                .admit(&policy(&text), now_s, "UK", "RS", &round, &counters)
                .expect_err(&text);
            assert_eq!(refusal.clause, format!("{at}.{key}"));
            assert!(refusal.is_local_policy());
            let fix = format!("change {}", refusal.clause);
            assert!(refusal.fix.contains(&fix), "{}", refusal.fix);
            assert!(
                refusal.fix.ends_with("in this node's node.toml"),
                "{}",
                refusal.fix
            );
        }
        let of_another = policy(&format!("[agreement.OTHER]\n{key} = {value}"));
        let admitted = sample().admit(&of_another, now_s, "UK", "RS", &round, &counters);
        assert_eq!(admitted, Ok(()), "{key}");
    }
    assert_eq!(
        policy("[agreement.X]\naccept_rounds = false").accepts_rounds("X"),
        Err("policy.agreement.\"X\".accept_rounds".into())
    );
    assert_eq!(
        policy("[agreement.X]\naccept_rounds = false").accepts_rounds("Y"),
        Ok(())
    );
    assert_eq!(
        policy("accept_rounds = false").accepts_rounds("Y"),
        Err("policy.accept_rounds".into())
    );
}

#[test]
fn what_may_be_released_is_what_both_allow() {
    let agreement = sample();
    let direction = agreement.direction("UK", "RS").unwrap();
    let none = LocalPolicy::default();
    assert_eq!(
        direction.fields_on_match(&none),
        direction.disclosure().fields_on_match
    );
    assert_eq!(direction.release_max(&none), direction.answer().max_release);
    let narrow = policy(
        "forbidden_fields = [\"dob\"]\nmax_release = 1000\nresponder_max_set = 7\nevaluations = { document = 3 }\n\
         [agreement.UK-RS-SAMPLE]\nforbidden_fields = [\"given_names\"]\nmax_release = 5\n",
    );
    let left = direction.fields_on_match(&narrow);
    assert!(
        !left.contains(&Field::Dob) && !left.contains(&Field::GivenNames),
        "{left:?}"
    );
    assert_eq!(left.len() + 2, direction.disclosure().fields_on_match.len());
    assert_eq!(direction.release_max(&narrow), 5);
    assert_eq!(
        direction.release_max(&policy("max_release = 1000")),
        direction.answer().max_release
    );
    assert_eq!(direction.responder_subjects_max_under(&narrow), 7);
    assert_eq!(direction.evaluations_max(&narrow, "document"), Some(3));
    assert_eq!(direction.evaluations_max(&narrow, "shoe"), None);
}

#[test]
fn each_word_asks_for_a_second_officer_in_its_own_case() {
    let plain = HitFacts {
        over_max_overlap: false,
        grade: 'A',
        conflict: false,
        shared_document: false,
        default_dob: false,
    };
    let cases = [
        (
            TwoPersonWhen::OverMaxOverlap,
            HitFacts {
                over_max_overlap: true,
                ..plain
            },
        ),
        (
            TwoPersonWhen::GradeBelowB,
            HitFacts {
                grade: 'C',
                ..plain
            },
        ),
        (
            TwoPersonWhen::Conflict,
            HitFacts {
                conflict: true,
                ..plain
            },
        ),
        (
            TwoPersonWhen::SharedDocument,
            HitFacts {
                shared_document: true,
                ..plain
            },
        ),
        (
            TwoPersonWhen::DefaultDob,
            HitFacts {
                default_dob: true,
                ..plain
            },
        ),
    ];
    let bare = Agreement::parse(bare_review().as_bytes()).unwrap();
    let direction = bare.direction("UK", "RS").unwrap();
    for word in TwoPersonWhen::ALL {
        let agreed = bare_review().replacen(
            "[review.RS]\nsla_hours = 71",
            &format!("[review.RS]\ntwo_person_when = [\"{word}\"]\nsla_hours = 71"),
            1,
        );
        let agreed = Agreement::parse(agreed.as_bytes()).unwrap();
        let local = policy(&format!("two_person_when = [\"{word}\"]"));
        for (case, hit) in &cases {
            let expected = match word {
                TwoPersonWhen::Always => Some(word),
                _ if word == *case => Some(word),
                _ if *case == TwoPersonWhen::OverMaxOverlap => Some(*case),
                _ => None,
            };
            let by_policy = direction.second_officer_needed(&local, hit);
            let none = LocalPolicy::default();
            let by_agreement = agreed
                .direction("UK", "RS")
                .unwrap()
                .second_officer_needed(&none, hit);
            assert_eq!(
                (by_policy, by_agreement),
                (expected, expected),
                "{word}, {case}"
            );
            // The other party's clause is not the responder's.
            let other = agreed
                .direction("RS", "UK")
                .unwrap()
                .second_officer_needed(&none, hit);
            assert_eq!(other.is_some(), *case == TwoPersonWhen::OverMaxOverlap);
        }
    }
    assert_eq!(
        direction.second_officer_needed(&LocalPolicy::default(), &plain),
        None
    );
}

/// The sample without `two_person_when`.
fn bare_review() -> String {
    let text = draft(&sample_input());
    let kept: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with("two_person_when"))
        .collect();
    kept.join("\n")
}

#[test]
fn a_subject_stays_out_by_what_either_side_excludes() {
    let mut input = sample_input();
    input.scope.exclude = vec![Exclusion::Minor];
    let open = {
        let mut input = sample_input();
        input.scope.exclude.clear();
        Agreement::parse(draft(&input).as_bytes()).unwrap()
    };
    input.scope.nationalities_in = vec!["RS".into(), "AL".into()];
    let agreement = Agreement::parse(draft(&input).as_bytes()).unwrap();
    let local = policy("exclude = [\"asylum_claim\"]\nnationalities_out = [\"al\"]");
    let none = LocalPolicy::default();
    let why = |policy: &LocalPolicy, flags: &[Exclusion], nationalities: &[&str]| {
        agreement.excludes(policy, flags.iter().copied(), nationalities)
    };
    assert_eq!(why(&none, &[], &["rs"]), None);
    assert_eq!(why(&none, &[Exclusion::AsylumClaim], &["RS"]), None);
    assert_eq!(
        why(&local, &[Exclusion::AsylumClaim], &["RS"]),
        Some("asylum_claim")
    );
    assert_eq!(
        why(
            &none,
            &[Exclusion::ContestedRecord, Exclusion::Minor],
            &["RS"]
        ),
        Some("minor")
    );
    assert_eq!(why(&none, &[], &[]), Some("nationalities_in"));
    assert_eq!(why(&none, &[], &["SRB"]), Some("nationalities_in"));
    assert_eq!(why(&none, &[], &["GB", "Al "]), None);
    assert_eq!(why(&local, &[], &["RS", "AL"]), Some("nationalities_out"));
    assert_eq!(
        open.excludes(&none, Exclusion::ALL.iter().copied(), &[] as &[&str]),
        None
    );
}

/// Limits of one direction, a policy, a round and what earlier rounds used up, near each other so that both outcomes occur.
#[derive(Debug, Clone)]
struct Case {
    min_set: u64,
    max_set: u64,
    rounds_per_day: u32,
    interval_s: u64,
    policies: [LocalPolicy; 2],
    requester: SetSize,
    responder: SetSize,
    loaded_days_ago: u64,
    counters: Counters,
    since_s: Option<u64>,
    evaluations: [(u64, u64); 3],
}

const NOW_S: u64 = 1_799_928_000; // within the sample's life

fn size() -> impl Strategy<Value = SetSize> {
    prop_oneof![
        (0..40_u64).prop_map(SetSize::Exact),
        (2..7_u8).prop_map(SetSize::Class)
    ]
}

fn narrowing() -> impl Strategy<Value = LocalPolicy> {
    let maybe = |range: std::ops::Range<u64>| proptest::option::weighted(0.4, range);
    let sizes = (maybe(0..30), maybe(5..60), maybe(5..60));
    let rates = (maybe(0..4), maybe(0..400), maybe(0..7_200), maybe(1..5));
    let purposes = prop_oneof![
        4 => Just(vec![]),
        1 => Just(vec!["OIC-FACILITATION".to_owned(), "X".to_owned()]),
        1 => Just(vec!["X".to_owned()]),
    ];
    let evaluations = proptest::collection::btree_map(0..3_usize, 0..600_u64, 0..3);
    (sizes, rates, purposes, evaluations).prop_map(|(sizes, rates, purposes, evaluations)| {
        LocalPolicy {
            purposes,
            min_set: sizes.0,
            max_set: sizes.1,
            responder_max_set: sizes.2,
            rounds_per_day: rates.0.map(|n| n as u32),
            subjects_per_month: rates.1,
            min_interval: rates.2.map(Duration::from_s),
            max_age_days: rates.3.map(|n| n as u32),
            evaluations: evaluations
                .into_iter()
                .map(|(key, n)| (KEYS[key].to_owned(), n))
                .collect(),
            ..LocalPolicy::default()
        }
    })
}

fn case() -> impl Strategy<Value = Case> {
    let limits = (1..20_u64, 20..60_u64, 1..4_u32, 0..7_200_u64);
    let used = (
        0..4_u32,
        0..400_u64,
        proptest::option::of(0..7_200_u64),
        0..5_u64,
    );
    let evaluations = [(); 3].map(|()| (0..300_u64, 0..300_u64));
    (
        limits,
        [narrowing(), narrowing()],
        (size(), size()),
        used,
        evaluations,
    )
        .prop_map(|(limits, policies, sizes, used, evaluations)| Case {
            min_set: limits.0,
            max_set: limits.1,
            rounds_per_day: limits.2,
            interval_s: limits.3,
            policies,
            requester: sizes.0,
            responder: sizes.1,
            loaded_days_ago: used.3,
            counters: Counters {
                rounds_today: used.0,
                last_round_s: used.2.map(|since_s| NOW_S - since_s),
                subjects_this_month: used.1,
                spent_until_s: None,
            },
            since_s: used.2,
            evaluations,
        })
}

/// The exponent of the padded size: smallest e of at least 2 with 2^e ≥ n, by trial.
fn class(n: u64) -> u8 {
    (2..64).find(|e| (1_u64 << e) >= n).unwrap()
}

fn within(size: SetSize, min: u64, max: u64) -> bool {
    match size {
        SetSize::Exact(n) => min <= n && n <= max,
        SetSize::Class(c) => class(min) <= c && c <= class(max),
    }
}

impl Case {
    fn agreement(&self) -> Agreement {
        let mut input = sample_input();
        input.min_set = self.min_set;
        input.max_set = self.max_set;
        input.rounds_per_day = self.rounds_per_day;
        input.min_interval = Duration::from_s(self.interval_s);
        input.parties[0].datasets[0].max_records = self.max_set;
        input.parties[1].datasets[0].max_records = self.max_set;
        Agreement::parse(draft(&input).as_bytes()).unwrap()
    }

    fn admitted(&self, policy: &LocalPolicy) -> bool {
        let evaluations: Vec<_> = (0..3)
            .map(|key| Evaluations {
                match_key: KEYS[key],
                padded: self.evaluations[key].0,
                used_in_period: self.evaluations[key].1,
            })
            .collect();
        let mut round = proposal(self.requester, self.responder, &evaluations);
        round.requester.loaded_at_s = Some(NOW_S - self.loaded_days_ago * 86_400);
        self.agreement()
            .admit(policy, NOW_S, "UK", "RS", &round, &self.counters)
            .is_ok()
    }

    fn question_padded(&self) -> u64 {
        match self.requester {
            SetSize::Exact(n) => 1 << class(n),
            SetSize::Class(c) => 1 << c,
        }
    }

    /// The agreement alone, without the code under test.
    fn agreement_allows(&self) -> bool {
        let agreement = self.agreement();
        let limits = &agreement.terms().limits["UK_to_RS"];
        within(self.requester, self.min_set, self.max_set)
            && within(self.responder, self.min_set, self.max_set)
            && self.loaded_days_ago <= 30
            && self.counters.rounds_today < self.rounds_per_day
            && self
                .since_s
                .is_none_or(|since_s| since_s >= self.interval_s)
            && self.counters.subjects_this_month + self.question_padded()
                <= limits.subjects_per_month
            && (0..3).all(|key| {
                let (padded, used) = self.evaluations[key];
                padded + used <= limits.evaluations[KEYS[key]].count
            })
    }

    /// The policy alone, likewise.
    fn policy_allows(&self, policy: &LocalPolicy) -> bool {
        let counts: BTreeMap<_, _> = KEYS.into_iter().zip(self.evaluations).collect();
        let mut refusals = vec![
            !policy.purposes.is_empty()
                && !policy.purposes.contains(&"OIC-FACILITATION".to_owned()),
            !within(
                self.requester,
                policy.min_set.unwrap_or(0),
                policy.max_set.unwrap_or(1 << 40),
            ),
            !within(
                self.responder,
                policy.min_set.unwrap_or(0),
                policy.responder_max_set.unwrap_or(1 << 40),
            ),
            policy
                .rounds_per_day
                .is_some_and(|max| self.counters.rounds_today + 1 > max),
            policy
                .min_interval
                .is_some_and(|min| self.since_s.is_some_and(|since_s| since_s < min.as_s())),
            policy.subjects_per_month.is_some_and(|max| {
                self.counters.subjects_this_month + self.question_padded() > max
            }),
            policy
                .max_age_days
                .is_some_and(|max| self.loaded_days_ago > u64::from(max)),
        ];
        for (key, max) in &policy.evaluations {
            let (padded, used) = counts[key.as_str()];
            refusals.push(padded + used > *max);
        }
        !refusals.contains(&true)
    }
}

/// The general policy with a second one for the sample's agreement.
fn layered(general: &LocalPolicy, own: &LocalPolicy) -> LocalPolicy {
    LocalPolicy {
        agreement: [("UK-RS-SAMPLE".to_owned(), own.clone())].into(),
        ..general.clone()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_round_is_admitted_exactly_if_agreement_and_policy_each_allow_it(case in case()) {
        let [general, own] = &case.policies;
        prop_assert_eq!(case.admitted(&LocalPolicy::default()), case.agreement_allows());
        prop_assert_eq!(case.admitted(general), case.agreement_allows() && case.policy_allows(general));
        prop_assert_eq!(
            case.admitted(&layered(general, own)),
            case.agreement_allows() && case.policy_allows(general) && case.policy_allows(own)
        );
    }

    #[test]
    fn narrowing_a_policy_never_admits_more(case in case()) {
        let [general, own] = &case.policies;
        // `own` narrows `general` once as its table for this agreement, once clause by clause.
        let both = LocalPolicy {
            min_set: general.min_set.max(own.min_set),
            max_set: general.max_set.into_iter().chain(own.max_set).min(),
            responder_max_set: general.responder_max_set.into_iter().chain(own.responder_max_set).min(),
            rounds_per_day: general.rounds_per_day.into_iter().chain(own.rounds_per_day).min(),
            min_interval: general.min_interval.max(own.min_interval),
            ..general.clone()
        };
        for narrower in [layered(general, own), both] {
            prop_assert!(!case.admitted(&narrower) || case.admitted(general));
        }
    }
}

/// Without this the two laws could hold because nothing is ever admitted, or everything.
#[test]
fn the_cases_of_the_laws_are_of_both_kinds() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut counts = [0; 4];
    for _ in 0..400 {
        let case = case().new_tree(&mut runner).unwrap().current();
        let by_agreement = usize::from(case.agreement_allows());
        counts[2 * by_agreement + usize::from(case.policy_allows(&case.policies[0]))] += 1;
    }
    assert!(counts.iter().all(|count| *count >= 5), "{counts:?}");
}
