//! Loading tables: what is accepted, what is refused and how that is said.

#![expect(
    clippy::unwrap_used,
    reason = "test code outside of the test functions"
)]

use std::io::{self, Read};

use mandorla_linkage::generate::demo_rules;
use mandorla_linkage::{
    BadDates, Field, Load, LoadError, LoadReport, MapFile, RejectReason, RowLimits, Subject,
    load_csv, oracle,
};
use sha2::{Digest, Sha256};

const MAP: &str = r#"
date_format = "%d.%m.%Y."
[columns]
ref = " broj "
family_names = "prezime"
dob = "rođen"
[constants]
category = "suspect"
"#;

fn load(
    table: impl AsRef<[u8]>,
    limits: &RowLimits,
) -> Result<(Vec<Subject>, LoadReport), LoadError> {
    load_csv(table.as_ref(), &MapFile::parse(MAP).unwrap(), limits)?.collect_subjects()
}

fn rejected(report: &LoadReport) -> Vec<(RejectReason, u64, Vec<u64>)> {
    report
        .rejected
        .iter()
        .map(|(reason, rows)| (*reason, rows.rows, rows.first_lines.clone()))
        .collect()
}

#[test]
fn values_are_trimmed_composed_and_dates_canonical() {
    let table = "\u{feff}broj, prezime ,rođen,ostalo\r\n 7 ,\" Đorđevic\u{301} \",5.3.1990.,x\r\n";
    let (subjects, report) = load(table, &RowLimits::default()).unwrap();
    let expected = Subject::new("7")
        .with(Field::FamilyNames, "Đorđević")
        .with(Field::Dob, "1990-03-05")
        .with(Field::Category, "suspect");
    assert!(subjects == [expected]);
    assert_eq!(
        (report.rows_in, report.accepted, report.rejected_rows()),
        (1, 1, 0)
    );
    assert_eq!(report.bytes_in, table.len() as u64);
    let digest =
        format!("{:02x?}", Sha256::digest(table).as_slice()).replace(['[', ']', ',', ' '], "");
    assert_eq!(report.sha256, digest);
}

#[test]
fn every_refused_row_is_counted_with_its_reason_and_line() {
    let long = "a".repeat(4097);
    let mut table = format!(
        "broj,prezime,rođen\n\
         1,Savić,05.03.1990.\n\
         ,Savić,05.03.1990.\n\
         1,Pavlović,06.03.1990.\n\
         2,Savić,1990-03-05\n\
         2,\"Sa\nvić\",\n\
         \n\
         3,{long},\n\
         4,Savić\n\
         5,Savić,,\n\
         6,,\n"
    )
    .into_bytes();
    table.extend(b"7,Savi\xe6,\n8,Ana,31.02.1990.\n");
    for crlf in [false, true] {
        if crlf {
            let text: Vec<u8> = table
                .iter()
                .flat_map(|byte| {
                    if *byte == b'\n' {
                        vec![b'\r', b'\n']
                    } else {
                        vec![*byte]
                    }
                })
                .collect();
            table = text;
        }
        let (subjects, report) = load(&table, &RowLimits::default()).unwrap();
        let references: Vec<&str> = subjects
            .iter()
            .map(|subject| subject.reference.as_str())
            .collect();
        assert_eq!(references, ["1", "2", "6"]);
        assert_eq!(
            (report.rows_in, report.accepted, report.rejected_rows()),
            (11, 3, 8)
        );
        assert_eq!(
            rejected(&report),
            [
                (RejectReason::WrongFieldCount, 2, vec![10, 11]),
                (RejectReason::FieldTooLong, 1, vec![9]),
                (RejectReason::NotUtf8, 1, vec![13]),
                (RejectReason::BadDate, 2, vec![5, 14]),
                (RejectReason::MissingRef, 1, vec![3]),
                (RejectReason::DuplicateRef, 1, vec![4]),
            ],
            "crlf: {crlf}"
        );
        assert_eq!(report.warnings.rows_with_ref_only, 1);
    }
}

#[test]
fn faults_of_the_whole_file_are_said_clearly() {
    let utf16: Vec<u8> = "broj,prezime"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let utf16_marked = [b"\xff\xfe".as_slice(), &utf16].concat();
    for (table, expected) in [
        (b"".as_slice(), "the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
        (b"\n\n\n", "the file is empty"),
        (
            "broj;prezime;rođen\n1;Savić;\n".as_bytes(),
            "separated by semicolons; say so in the map file: delimiter = ';'",
        ),
        ("broj\tprezime\trođen\n".as_bytes(), "separated by tabs"),
        (
            "broj|prezime|rođen\n".as_bytes(),
            "separated by vertical bars",
        ),
        (
            "1,Savić,05.03.1990.\n2,Pavlović,\n".as_bytes(),
            "none of the 3 mapped columns is in the first line, which has 3 columns",
        ),
        (
            "broj,prezime,born\n".as_bytes(),
            "no column \"rođen\" (`dob`); the header has broj, prezime, born",
        ),
        (
            "broj,prezime,prezime,rođen\n".as_bytes(),
            "column \"prezime\" (`family_names`) more than once",
        ),
        (&utf16, "looks like UTF-16"),
        (&utf16_marked, "not UTF-8 but UTF-16"),
        (b"broj,prezime,ro\xf0en\n", "not UTF-8; save it as UTF-8"),
    ] {
        let error = load(table, &RowLimits::default()).unwrap_err().to_string();
        assert!(error.contains(expected), "{table:?}: {error}");
        assert!(!error.contains("Savić"), "a row is quoted: {error}");
    }
}

#[test]
fn a_header_alone_is_a_list_of_nobody() {
    let (subjects, report) = load("broj,prezime,rođen\n", &RowLimits::default()).unwrap();
    assert!(subjects.is_empty());
    assert_eq!(report.rows_in, 0);
    assert_eq!(
        report.warnings.lines(),
        ["the file has a header and no rows: a list of nobody"]
    );
}

#[test]
fn an_open_quote_is_named_and_does_not_swallow_the_file() {
    struct Endless(u64);
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            buffer.fill(b'\n');
            self.0 += buffer.len() as u64;
            assert!(self.0 < 4 * 1024 * 1024, "reading went on");
            Ok(buffer.len())
        }
    }
    let table = "broj,prezime,rođen\n1,Savić,\n2,\"Pavlović,\n"
        .as_bytes()
        .chain(Endless(0));
    let map = MapFile::parse(MAP).unwrap();
    let mut load = load_csv(table, &map, &RowLimits::default()).unwrap();
    assert!(load.next().unwrap().is_ok());
    let error = load.next().unwrap().unwrap_err();
    assert!(
        matches!(error, LoadError::RowTooLong { line: 3, .. }),
        "{error}"
    );
    assert!(load.next().is_none());
}

#[test]
fn a_failing_reader_ends_the_load() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("disk gone"))
        }
    }
    let map = MapFile::parse(MAP).unwrap();
    let table = "broj,prezime,rođen\n1,Savić,\n".as_bytes().chain(Failing);
    let error = load_csv(table, &map, &RowLimits::default())
        .and_then(Load::into_report)
        .unwrap_err();
    assert!(matches!(error, LoadError::Io(_)), "{error}");
}

#[test]
fn limits_and_choices_are_kept() {
    let table = "broj,prezime,rođen\n1,a,\n2,b,x\n3,c,x\n4,d,x\n";
    let limits = RowLimits {
        rows_max: 3,
        ..RowLimits::default()
    };
    assert!(matches!(
        load(table, &limits),
        Err(LoadError::TooManyRows { rows_max: 3 })
    ));
    let limits = RowLimits {
        rows_max: 4,
        lines_per_reason_max: 2,
        ..RowLimits::default()
    };
    let (_, report) = load(table, &limits).unwrap();
    assert_eq!(rejected(&report), [(RejectReason::BadDate, 3, vec![3, 4])]);
    let limits = RowLimits {
        bad_dates: BadDates::DropValue,
        ..RowLimits::default()
    };
    let (subjects, report) = load(table, &limits).unwrap();
    assert_eq!((subjects.len(), report.warnings.bad_dates_dropped), (4, 3));
    assert!(
        subjects
            .iter()
            .all(|subject| subject.values_of(Field::Dob).is_empty())
    );
}

#[test]
fn the_report_warns_in_words_and_survives_json() {
    let table = "broj,prezime,rođen\n1,,1.1.1990.\n2,,05.03.1990.\n";
    let (_, report) = load(table, &RowLimits::default()).unwrap();
    assert_eq!(report.warnings.empty_columns, [Field::FamilyNames]);
    let lines = report.warnings.lines();
    assert!(
        lines[0].starts_with("50 % of birth dates (1 of 2) are 1 January"),
        "{lines:?}"
    );
    assert!(
        lines
            .iter()
            .any(|line| line.contains("`family_names` is empty")),
        "{lines:?}"
    );
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<LoadReport>(&json).unwrap(), report);
}

fn febrl(name: &str) -> String {
    let path = format!(
        "{}/../../tests/data/febrl4/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn febrl_list(name: &str, bad_dates: BadDates) -> (Vec<Subject>, LoadReport) {
    let map = MapFile::parse(&febrl("map.toml")).unwrap();
    let limits = RowLimits {
        bad_dates,
        ..RowLimits::default()
    };
    load_csv(febrl(name).as_bytes(), &map, &limits)
        .unwrap()
        .collect_subjects()
        .unwrap()
}

#[test]
fn febrl_loads_whole_once_its_invalid_dates_are_dropped() {
    let (_, report) = febrl_list("dataset4a.csv", BadDates::RejectRow);
    assert_eq!(
        (report.rows_in, report.accepted, report.warnings.birth_dates),
        (5_000, 5_000, 4_906)
    );
    assert_eq!(
        report.sha256,
        "07c7cb3f0a8d88180e80317f2a60499dee4e8324a44c38059f4e7fed0a8b4488"
    );
    assert_eq!(report.warnings.birth_dates_first_of_january, 13);

    let (_, report) = febrl_list("dataset4b.csv", BadDates::RejectRow);
    assert_eq!((report.rows_in, report.accepted), (5_000, 4_936));
    assert_eq!(report.rejected[&RejectReason::BadDate].rows, 64);

    let (subjects, report) = febrl_list("dataset4b.csv", BadDates::DropValue);
    assert_eq!(
        (
            report.rows_in,
            report.accepted,
            report.warnings.bad_dates_dropped
        ),
        (5_000, 5_000, 64)
    );
    assert_eq!(subjects[0].reference, "rec-561-dup-0");
    assert_eq!(subjects[0].values_of(Field::Dob), ["1965-10-13"]);
    assert!(subjects[0].values_of(Field::FamilyNames).is_empty());
    assert_eq!(subjects[0].values_of(Field::NationalIdType), ["opaque"]);
}

/// The counts were computed by an independent program from the CSV files.
#[test]
fn febrl_pairs_by_number_and_by_name_with_date_are_all_true() {
    let (left, _) = febrl_list("dataset4a.csv", BadDates::DropValue);
    let (right, _) = febrl_list("dataset4b.csv", BadDates::DropValue);
    let truth = febrl("dataset4_truth.csv");
    let truth: std::collections::HashSet<&str> = truth.lines().skip(1).map(str::trim_end).collect();
    let pairs = oracle::join(&demo_rules(), &left, &right);
    let true_pairs = pairs
        .iter()
        .filter(|pair| {
            let (left, right) = (
                &left[pair.left_index].reference,
                &right[pair.right_index].reference,
            );
            truth.contains(format!("{left},{right}").as_str())
        })
        .count();
    assert_eq!((pairs.len(), true_pairs), (4_776, 4_776));
    assert_eq!(
        pairs.iter().filter(|pair| pair.agreed & 0b001 != 0).count(),
        4_561
    );
    assert_eq!(
        pairs.iter().filter(|pair| pair.agreed & 0b100 != 0).count(),
        2_185
    );
}
