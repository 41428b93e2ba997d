//! Programs that break the lock order or leave its bounds must not compile, and must say why.

#[test]
fn wrong_programs_do_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/compile-fail/*.rs");
}
