//! What the command line promises, one file per promise: `cmd/*.trycmd`, run against the real binary.

#[test]
fn the_command_line_keeps_its_promises() {
    // Nothing of the developer's own node or settings may show.
    let home = std::env::temp_dir().join("mandorla-no-home");
    trycmd::TestCases::new()
        .env("HOME", home.to_str().expect("a path in UTF-8"))
        .env("XDG_DATA_HOME", "")
        .env("NO_COLOR", "1")
        .case("tests/cmd/*.trycmd");
}
