//! The page about attacks on scans: each test that it names exists.

use super::markdown::{code_spans, rows};
use crate::support::repository::{self, read};

/// The files that can hold the tests of a module: those of this program, and unit tests of the
/// client library and of the command.
fn files_of(module: &str) -> [String; 4] {
    let path = module.replace("::", "/");
    let unit = path.trim_end_matches("/tests");
    [
        format!("tests/it/{path}.rs"),
        format!("tests/it/{path}/mod.rs"),
        format!("crates/client/src/{unit}.rs"),
        format!("src/cli/scan/{unit}.rs"),
    ]
}

#[test]
fn each_attack_names_a_test_that_exists() {
    let page = read("docs/scan-under-attack.md");
    let attacks = rows(&page);
    assert!(attacks.len() > 30, "the page has {} attacks", attacks.len());
    for attack in attacks {
        let tests: Vec<&str> = code_spans(attack.last().expect("a row has cells")).collect();
        assert!(!tests.is_empty(), "no test shows: {}", attack[0]);
        for test in tests {
            let (module, name) = test.rsplit_once("::").expect("the name of a test has a module");
            let files = files_of(module);
            let mut existing = files.iter().filter(|file| repository::root().join(file).exists());
            let has_test = |file: &String| {
                read(file).contains(&format!("#[test]\nfn {name}("))
                    || read(file).contains(&format!("#[test]\n    fn {name}("))
            };
            assert!(existing.any(has_test), "there is no test {test}");
        }
    }
}
