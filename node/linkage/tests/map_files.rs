//! What a map file makes of rows: several values, several documents and identities, exclusions, subjects of many rows.

#![expect(
    clippy::unwrap_used,
    reason = "test code outside of the test functions"
)]

use std::fmt::Write as _;

use mandorla_linkage::{
    Exclusion, Field, Group, LoadError, LoadReport, LocalExclusions, MapFile, RejectReason,
    RowLimits, Subject, Tuple, load_csv,
};

/// 24 November 2026.
const NOW: u64 = 1_795_478_400;

fn load_with(map: &str, table: &str, limits: &RowLimits) -> (Vec<Subject>, LoadReport) {
    let map = MapFile::parse(map).unwrap();
    load_csv(table.as_bytes(), &map, limits)
        .unwrap()
        .collect_subjects()
        .unwrap()
}

fn load(map: &str, table: &str) -> (Vec<Subject>, LoadReport) {
    load_with(map, table, &RowLimits::default())
}

fn refusal(map: &str, table: &str) -> String {
    let map = MapFile::parse(map).unwrap();
    let loaded = load_csv(table.as_bytes(), &map, &RowLimits::default());
    loaded.err().unwrap().to_string()
}

fn tuple<const N: usize>(values: [(Field, &str); N]) -> Tuple {
    values
        .into_iter()
        .map(|(field, value)| (field, vec![value.to_owned()]))
        .collect()
}

fn lines(report: &LoadReport, reason: RejectReason) -> Vec<u64> {
    let rejected = report.rejected.get(&reason);
    rejected.map_or(Vec::new(), |rejected| rejected.first_lines.clone())
}

#[test]
fn a_field_may_have_several_columns_and_a_column_several_values() {
    let map = "[columns]\nref = \"id\"\nphone = [\"mobile\", \"home\"]\naliases = \"aka\"\n[split]\naliases = \";\"\n";
    let (subjects, report) = load(
        map,
        "id,mobile,home,aka\n1,+38164,+38111,Ana; Anka ;;Ana\n2,,+44,\n",
    );
    assert_eq!(subjects[0].values_of(Field::Phone), ["+38164", "+38111"]);
    assert_eq!(subjects[0].values_of(Field::Aliases), ["Ana", "Anka"]);
    assert_eq!(subjects[1].values_of(Field::Phone), ["+44"]);
    assert_eq!(report.warnings.missing[&Field::Aliases], 1);
}

#[test]
fn documents_keep_their_states_and_a_document_without_number_is_none() {
    let map = r#"
        [columns]
        ref = "id"
        document_number = "passport"
        document_state = "country"
        [[document]]
        number = "card"
        state = { constant = "SRB" }
        type = { constant = "identity card" }
        [[document]]
        number = "others"
        state = "other states"
        split = ";"
    "#;
    let table = "id,passport,country,card,others,other states\n\
                 1,P1,TUR,C1,A;B;C,AFG;ALB;\n\
                 2,P2,TUR,,A;B,AFG\n\
                 3,,,,A;B;C,AFG;ALB\n";
    let (subjects, report) = load(map, table);
    let [number, state, of_type] = [
        Field::DocumentNumber,
        Field::DocumentState,
        Field::DocumentType,
    ];
    assert_eq!(
        subjects[0].tuples_of(Group::Document),
        [
            tuple([(number, "P1"), (state, "TUR")]),
            tuple([(number, "C1"), (state, "SRB"), (of_type, "identity card")]),
            tuple([(number, "A"), (state, "AFG")]),
            tuple([(number, "B"), (state, "ALB")]),
            tuple([(number, "C")]),
        ]
    );
    assert_eq!(
        subjects[1].tuples_of(Group::Document),
        [
            tuple([(number, "P2"), (state, "TUR")]),
            tuple([(number, "A"), (state, "AFG")]),
            tuple([(number, "B"), (state, "AFG")]),
        ]
    );
    assert_eq!(subjects.len(), 2);
    assert_eq!(lines(&report, RejectReason::UnevenLists), [4]);
    assert_eq!(report.warnings.documents_without_state, 1);
}

#[test]
fn national_numbers_and_addresses_are_written_likewise() {
    let map = r#"
        [columns]
        ref = "id"
        national_id = "jmbg"
        [constants]
        national_id_type = "jmbg"
        [[national_id]]
        number = "tax"
        type = { constant = "tax" }
        [[address]]
        street = "street 2"
        locality = "town 2"
    "#;
    let (subjects, report) = load(
        map,
        "id,jmbg,tax,street 2,town 2\n1,12,34,Knez Mihailova,Beograd\n2,,,,\n",
    );
    let [number, of_type] = [Field::NationalId, Field::NationalIdType];
    assert_eq!(
        subjects[0].tuples_of(Group::NationalId),
        [
            tuple([(number, "12"), (of_type, "jmbg")]),
            tuple([(number, "34"), (of_type, "tax")]),
        ]
    );
    assert_eq!(subjects[0].tuples_of(Group::Address).len(), 1);
    assert!(subjects[1].fields().is_empty(), "a type of no number");
    assert_eq!(report.warnings.rows_with_ref_only, 1);
    assert_eq!(report.warnings.numbers_without_type, 0);
}

#[test]
fn another_identity_shares_what_the_row_does_not_say_otherwise() {
    let map = r#"
        [columns]
        ref = "id"
        family_names = "surname"
        given_names = "name"
        dob = "born"
        [[identity]]
        family_names = "maiden name"
        [[identity]]
        full_name = "known as"
        dob = "also born"
        split = "/"
    "#;
    let table = "id,surname,name,born,maiden name,known as,also born\n\
                 1,Savić,Ana,1990-03-05,Jović,A. S./Anka,1991-03-05/\n\
                 2,Savić,Ana,1990-03-05,,,\n\
                 3,Savić,Ana,1990-03-05,,,1990-13-05\n";
    let (subjects, report) = load(map, table);
    let [family, given, full, dob] = [
        Field::FamilyNames,
        Field::GivenNames,
        Field::FullName,
        Field::Dob,
    ];
    assert_eq!(
        subjects[0].tuples_of(Group::Identity),
        [
            tuple([(family, "Savić"), (given, "Ana"), (dob, "1990-03-05")]),
            tuple([(family, "Jović"), (given, "Ana"), (dob, "1990-03-05")]),
            tuple([(full, "A. S."), (dob, "1991-03-05")]),
            tuple([(full, "Anka"), (dob, "1990-03-05")]),
        ]
    );
    assert_eq!(subjects[1].tuples_of(Group::Identity).len(), 1);
    assert_eq!(lines(&report, RejectReason::BadDate), [4]);
}

#[test]
fn rows_under_one_reference_are_a_subject_where_the_map_file_says_so() {
    let map = "[columns]\nref = \"id\"\nfamily_names = \"name\"\ndocument_number = \"doc\"\nphone = \"tel\"\n[exclude]\ncontested_record = \"disputed\"\n";
    let joined = format!("repeated_ref = \"same_subject\"\n{map}");
    let table = "id,name,doc,tel,disputed\n\
                 1,Savić,D1,1,\n\
                 1,Jović,D1,2,yes\n\
                 2,Marić,D2,,\n\
                 1,Lazić,D3,,\n\
                 3,Simić,D4,,\n\
                 3,Simić,D5,,maybe\n\
                 4,Perić,D6,,\n";
    let (subjects, report) = load(&joined, table);
    let references: Vec<&str> = subjects
        .iter()
        .map(|subject| subject.reference.as_str())
        .collect();
    assert_eq!(references, ["1", "2", "4"]);
    assert_eq!(
        subjects[0].values_of(Field::FamilyNames),
        ["Savić", "Jović"]
    );
    assert_eq!(subjects[0].tuples_of(Group::Document).len(), 1);
    assert_eq!(subjects[0].values_of(Field::Phone), ["1", "2"]);
    assert!(subjects[0].exclusions.contains(&Exclusion::ContestedRecord));
    assert_eq!(
        (report.rows_in, report.accepted, report.subjects),
        (7, 4, 3)
    );
    assert_eq!(lines(&report, RejectReason::DuplicateRef), [5]);
    assert_eq!(lines(&report, RejectReason::BadFlag), [7]);
    assert_eq!(
        lines(&report, RejectReason::SameSubject),
        [6],
        "what the unreadable cell says of them is not known"
    );

    let (subjects, report) = load(map, table);
    assert_eq!(subjects.len(), 4);
    assert_eq!(lines(&report, RejectReason::DuplicateRef), [3, 5]);
    assert_eq!(report.warnings.flagged_rows_refused, 2);
}

#[test]
fn an_exclusion_that_cannot_be_read_rejects_the_row_and_its_reference() {
    let map = "[columns]\nref = \"id\"\n[exclude]\nasylum_claim = \"asylum\"\ntrafficking_victim = \"ngo\"\n";
    let table = "id,asylum,ngo\n1,YES,\n2,ne,x\n3,perhaps,\n3,,\n4,,\n5,unknown,da\n";
    let (subjects, report) = load(map, table);
    let flagged: Vec<(&str, Vec<Exclusion>)> = subjects
        .iter()
        .map(|subject| {
            let exclusions = subject.exclusions.iter().copied();
            (subject.reference.as_str(), exclusions.collect())
        })
        .collect();
    assert_eq!(
        flagged,
        [
            ("1", vec![Exclusion::AsylumClaim]),
            ("2", vec![Exclusion::TraffickingVictim]),
            ("4", vec![]),
        ]
    );
    assert_eq!(lines(&report, RejectReason::BadFlag), [4, 7]);
    assert_eq!(lines(&report, RejectReason::DuplicateRef), [5]);
    assert_eq!(report.flagged[&Exclusion::AsylumClaim], 1);
}

#[test]
fn minors_are_known_by_their_birth_date_unless_a_column_says() {
    let table = "id,born,child\n\
                 1,2008-11-24,yes\n\
                 2,2008-11-25,\n\
                 3,2008-01-01,\n\
                 4,2007-01-01,\n\
                 5,,\n";
    let map = "[columns]\nref = \"id\"\ndob = \"born\"\n";
    let limits = RowLimits {
        now_unix_s: Some(NOW),
        ..RowLimits::default()
    };
    let minors = |subjects: &[Subject]| -> Vec<String> {
        let minors = subjects
            .iter()
            .filter(|subject| subject.exclusions.contains(&Exclusion::Minor));
        minors.map(|subject| subject.reference.clone()).collect()
    };
    let (subjects, report) = load_with(map, table, &limits);
    assert_eq!(
        minors(&subjects),
        ["2", "3"],
        "of 1 January only the year is known"
    );
    let words = report.warnings.lines().join("\n");
    assert!(
        words.contains("40 % of subjects (2 of 5) are minors"),
        "{words}"
    );
    assert!(words.contains("(1 of 5) have no date of birth"), "{words}");

    let with_column = format!("{map}[exclude]\nminor = \"child\"\n");
    let (subjects, report) = load_with(&with_column, table, &limits);
    assert_eq!(minors(&subjects), ["1"]);
    assert_eq!(report.warnings.minors_by_birth_date, None);
    let (subjects, _) = load(map, table);
    assert!(minors(&subjects).is_empty(), "without a clock nobody is");
}

#[test]
fn whom_local_policy_keeps_out_is_counted_and_never_handed_on() {
    let map = "[columns]\nref = \"id\"\nnationality = \"nat\"\n[exclude]\nasylum_claim = \"asylum\"\ncontested_record = \"c\"\n";
    let table = "id,nat,asylum,c\n1,SRB,yes,\n2,afg,yes,\n3,AFG,,\n4,SRB,,yes\n4,SRB,,\n1,SRB,,\n";
    let limits = RowLimits {
        local: LocalExclusions {
            exclude: [Exclusion::AsylumClaim].into(),
            nationalities_out: ["Afg".to_owned()].into(),
        },
        ..RowLimits::default()
    };
    let (subjects, report) = load_with(map, table, &limits);
    let references: Vec<&str> = subjects
        .iter()
        .map(|subject| subject.reference.as_str())
        .collect();
    assert_eq!(references, ["4"], "nor by a second row without the flag");
    assert_eq!((report.excluded_subjects, report.excluded_rows), (3, 3));
    assert_eq!(report.excluded["asylum_claim"], 2);
    assert_eq!(report.excluded["nationalities_out"], 2);
    assert_eq!(
        report.rows_in,
        report.accepted + report.rejected_rows() + report.excluded_rows
    );
}

#[test]
fn placeholders_and_repeated_values_are_counted_and_not_shown() {
    let map = "[columns]\nref = \"id\"\nfamily_names = \"name\"\ndocument_number = \"doc\"\n";
    let mut table = "id,name,doc\n".to_owned();
    for row in 0..100 {
        let name = ["UNKNOWN", "LNU", "Savić", "Jović"][row % 4];
        let document = if row % 5 == 0 {
            "SECRETDOC".to_owned()
        } else {
            format!("D{row}")
        };
        writeln!(table, "{row},{name},{document}").unwrap();
    }
    let (_, report) = load(map, &table);
    assert_eq!(report.warnings.placeholders[&Field::FamilyNames], 50);
    assert_eq!(report.warnings.missing[&Field::FamilyNames], 50);
    assert!((17..=20).contains(&report.warnings.repeated[&Field::DocumentNumber]));
    let words = report.warnings.lines().join("\n");
    assert!(
        words.contains(
            "50 % of subjects (50 of 100) have no `family_names`, 50 of them with a placeholder"
        ),
        "{words}"
    );
    assert!(
        words.contains("one value of `document_number` stands at"),
        "{words}"
    );
    assert!(words.contains("without `document_state`"), "{words}");
    let json = serde_json::to_string(&report).unwrap();
    assert!(!json.contains("SECRETDOC") && !words.contains("SECRETDOC"));
}

#[test]
fn other_delimiters_are_read_where_they_are_named() {
    for (delimiter, written) in [(';', ";"), ('\t', "\\t"), ('|', "|")] {
        let map = format!("delimiter = \"{written}\"\n[columns]\nref = \"id\"\nphone = \"tel\"\n");
        let table = "id,tel\n1,\"a,b\"\n".replace(',', &delimiter.to_string());
        let (subjects, _) = load(&map, &table);
        let expected = format!("a{delimiter}b");
        assert_eq!(subjects[0].values_of(Field::Phone), [expected]);
    }
    let map = "delimiter = \";\"\n[columns]\nref = \"id\"\nphone = \"tel\"\n";
    let words = refusal(map, "id,tel\n1,2\n");
    assert!(words.contains("separated by commas"), "{words}");
}

#[test]
fn a_column_that_is_not_there_is_named_with_the_one_that_was_meant() {
    let map = "[columns]\nref = \"id\"\nphone = \"telefon\"\n[exclude]\nminor = \"child\"\n[[document]]\nnumber = \"pasos\"\n";
    let words = refusal(map, "id,Telefn,broj_pasosa\n1,2,3\n");
    for expected in [
        "\"telefon\" (`phone`, did you mean \"Telefn\"?)",
        "\"child\" (`minor`)",
        "\"pasos\" (`document_number`)",
        "the header has id, Telefn, broj_pasosa",
    ] {
        assert!(words.contains(expected), "{words}");
    }
    let wide: Vec<String> = (0..2_000).map(|column| format!("c{column}")).collect();
    let words = refusal(map, &format!("id,{}\n", wide.join(",")));
    assert!(words.ends_with("and 1961 more"), "{words}");
}

#[test]
fn more_values_than_a_person_has_reject_the_row() {
    let map = "[columns]\nref = \"id\"\naliases = \"aka\"\n[split]\naliases = \";\"\n[[document]]\nnumber = \"docs\"\nsplit = \";\"\n";
    let many: Vec<String> = (0..65).map(|number| number.to_string()).collect();
    let many = many.join(";");
    let table = format!(
        "id,aka,docs\n1,{many},\n2,,{many}\n3,{},\n",
        &many[..many.len() - 3]
    );
    let (subjects, report) = load(map, &table);
    assert_eq!(subjects.len(), 1);
    assert_eq!(subjects[0].values_of(Field::Aliases).len(), 64);
    assert_eq!(lines(&report, RejectReason::TooManyValues), [2, 3]);

    let joined =
        "repeated_ref = \"same_subject\"\n[columns]\nref = \"id\"\nfamily_names = \"name\"\n";
    let rows: Vec<String> = (0..70).map(|number| format!("1,Name{number}\n")).collect();
    let (subjects, report) = load(joined, &format!("id,name\n{}2,Savić\n", rows.concat()));
    assert_eq!((subjects.len(), report.rejected_rows()), (1, 70));
    assert_eq!(report.rejected[&RejectReason::TooManyValues].rows, 70);
}

#[test]
fn a_field_of_ten_million_characters_is_refused_without_being_kept() {
    let map = MapFile::parse("[columns]\nref = \"id\"\nphone = \"tel\"\n").unwrap();
    let table = format!("id,tel\n1,{}\n2,3\n", "9".repeat(10_000_000));
    let error = load_csv(table.as_bytes(), &map, &RowLimits::default())
        .unwrap()
        .collect_subjects()
        .err()
        .unwrap();
    assert!(
        matches!(error, LoadError::RowTooLong { line: 2, .. }),
        "{error}"
    );
}
