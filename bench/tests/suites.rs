//! The program measures: the suites that take no raw rate, on small databases.

use std::process::Command;

#[test]
fn the_quick_suites_give_figures_as_json() {
    let output = Command::new(env!("CARGO_BIN_EXE_signwave-bench"))
        .args(["threads", "checking", "ceiling", "memory"])
        .args(["--records", "1000", "--keys", "2", "--repeat", "1", "--json"])
        .args(["--folder", env!("CARGO_TARGET_TMPDIR")])
        .output()
        .expect("the program runs");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let figures = report["figures"].as_array().expect("figures");
    assert_eq!(figures.len(), 1 + 2 + 4 * 3 + 2, "{report:#}");
    assert!(figures.iter().all(|figure| figure["median"].is_number()), "{report:#}");
}
