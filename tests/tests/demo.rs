//! The demonstration as people run it: one command, two nodes, a round compared with the truth.

use std::process::{Command, Stdio};

use mandorla_tests::program;
use serde_json::Value;

#[test]
fn the_demonstration_finds_everybody_and_nobody_else() {
    let output = Command::new(program())
        .args(["demo", "--no-input", "--json"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {told}", output.status);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["schema"], 1);
    assert_eq!(report["true_overlap"], 40);
    assert_eq!(report["false_hits"], 0, "{report}");
    assert_eq!(report["missed"], 0, "{report}");
    assert_eq!(report["ledger_verified"], true, "{report}");
    let decided = ["released", "redacted", "refused"].map(|name| report[name].as_u64().unwrap());
    assert_eq!(report["hits"], decided.iter().sum::<u64>(), "{report}");
    assert!(decided.iter().all(|count| *count > 0), "{report}");
}
