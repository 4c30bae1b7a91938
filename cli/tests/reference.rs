//! The generated pages of the reference are what the definitions say. `UPDATE_DOCS=1` writes them anew.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::path::Path;

fn is_current(name: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs/reference")
        .join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, page).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == page,
        "{name} is not what the definitions say; UPDATE_DOCS=1 cargo test -p mandorla --test reference writes it anew"
    );
}

#[test]
fn the_page_of_the_command_line_is_current() {
    is_current("cli.md", &mandorla_cli::commands_page());
}

#[test]
fn the_page_of_errors_is_current() {
    is_current("errors.md", &mandorla_cli::errors_page());
}

#[test]
fn the_page_of_roles_is_current() {
    is_current("roles.md", &mandorla_cli::roles_page());
}

#[test]
fn the_page_of_checks_is_current() {
    is_current("doctor.md", &mandorla_cli::checks_page());
}
