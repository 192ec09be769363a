//! The texts of the command line, word for word. `TRYCMD=overwrite` writes them anew.

#[test]
fn every_command_explains_itself() {
    trycmd::TestCases::new().case("tests/cmd/*.trycmd");
}
