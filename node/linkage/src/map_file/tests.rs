//! What map files say, and what is wrong with others.

use super::*;

#[test]
fn each_fault_of_a_map_file_is_named() {
    for (text, expected) in [
        (
            "[columns]\nref = \"id\"\nsurname = \"x\"",
            "unknown field `surname`; did you mean `family_names`?",
        ),
        (
            "[columns]\ndob = \"born\"",
            "must say which column is `ref`",
        ),
        (
            "[columns]\nref = [\"a\", \"b\"]",
            "`ref` must be one column",
        ),
        (
            "[columns]\nref = \"id\"\n[split]\nref = \";\"",
            "`ref` must be one column",
        ),
        (
            "[columns]\nref = \"id\"\n[constants]\ndob = \"1990-01-01\"",
            "`dob` cannot be a constant",
        ),
        (
            "[columns]\nref = \"id\"\n[constants]\nnational_id = \"1\"",
            "`national_id` cannot be a constant",
        ),
        (
            "[columns]\nref = \"id\"\nsex = \"s\"\n[constants]\nsex = \"F\"",
            "`sex` stands in",
        ),
        (
            "[columns]\nref = \"  \"",
            "[columns]: `ref` is mapped to nothing",
        ),
        (
            "[columns]\nref = \"id\"\naliases = []",
            "[columns]: `aliases` must be a column",
        ),
        (
            "[columns]\nref = \"id\"\n[split]\naliases = \";\"",
            "[split] names `aliases`, which has no column",
        ),
        (
            "[columns]\nref = \"id\"\naliases = \"a\"\n[split]\naliases = \"\"",
            "[split]: `aliases` is mapped to nothing",
        ),
        (
            "[columns]\nref = \"id\"\ndocument_number = [\"a\", \"b\"]\ndocument_state = [\"c\", \"d\"]",
            "`document_number` and `document_state` both have several values",
        ),
        (
            "[columns]\nref = \"id\"\n[exclude]\nrefugee = \"r\"",
            "unknown exclusion `refugee`; the words are asylum_claim",
        ),
        (
            "[columns]\nref = \"id\"\n[[document]]\nstate = \"s\"",
            "[[document]] 1 needs a column for `number`",
        ),
        (
            "[columns]\nref = \"id\"\n[[document]]\nnumber = { constant = \"1\" }",
            "[[document]] 1 needs a column for `number`",
        ),
        (
            "[columns]\nref = \"id\"\n[[document]]\nnumber = \"n\"\ncountry = \"c\"",
            "[[document]] 1 has no `country`; it has number, state, type",
        ),
        (
            "[columns]\nref = \"id\"\n[[identity]]\nsex = { constant = \"F\" }",
            "[[identity]] 1 needs a column",
        ),
        (
            "[columns]\nref = \"id\"\n[[national_id]]\nnumber = \"n\"\ntype = { value = \"jmbg\" }",
            "[[national_id]] 1: `type` must be a column",
        ),
        (
            "date_format = \"%d/%m/%y\"\n[columns]\nref = \"id\"",
            "century",
        ),
        ("region = \"Serbia\"\n[columns]\nref = \"id\"", "two-letter"),
        (
            "delimiter = \";;\"\n[columns]\nref = \"id\"",
            "delimiter \";;\" is not one of",
        ),
        (
            "delimiter = \"č\"\n[columns]\nref = \"id\"",
            "is not one of",
        ),
        ("separator = \";\"\n[columns]\nref = \"id\"", "separator"),
        ("repeated_ref = \"merge\"\n[columns]\nref = \"id\"", "merge"),
        ("region = \"RS\"", "columns"),
        ("[columns]\nref = 3", "[columns]: `ref` must be a column"),
        ("[columns\nref = 3", "cannot be read"),
    ] {
        let error = MapFile::parse(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn every_field_can_be_a_column() {
    let lines: Vec<String> = Field::ALL
        .iter()
        .map(|field| format!("{field} = \"{field} column\"\n"))
        .collect();
    let map = MapFile::parse(&format!("[columns]\n{}", lines.concat())).unwrap();
    assert_eq!(map.columns().len(), Field::ALL.len());
    assert_eq!(map.fields().into_iter().collect::<Vec<_>>(), Field::ALL);
}

#[test]
fn yes_and_no_are_read_in_any_case_and_nothing_else_is() {
    for (cell, expected) in [
        ("YES", Some(true)),
        ("Да", Some(true)),
        ("X", Some(true)),
        ("", Some(false)),
        ("No", Some(false)),
        ("НЕ", Some(false)),
        ("unknown", None),
        ("2", None),
        ("-", None),
    ] {
        assert_eq!(flag(cell), expected, "{cell}");
    }
    assert!(FLAG_YES.iter().all(|word| flag(word) == Some(true)));
    assert!(FLAG_NO.iter().all(|word| flag(word) == Some(false)));
}
