//! Small made-up packages: what is a dependency cycle, and what is not.

use std::path::PathBuf;

use crate::cycles;
use crate::layers::{Layer, forbidden_calls, forbidden_paths};
use crate::package::Package;
use crate::uses::Uses;

/// A package `made-up` of these files below `src`.
fn package(files: &[(&str, &str)]) -> Package {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("src");
    for (path, text) in files {
        let path = source.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let library = Some(source.join("lib.rs")).filter(|root| root.exists());
    let programs: Vec<PathBuf> = Some(source.join("main.rs")).filter(|root| root.exists()).into_iter().collect();
    Package::read("made-up", directory.path(), library.as_deref(), &programs).unwrap()
}

/// The cycles of a package.
fn cycles(files: &[(&str, &str)]) -> Vec<String> {
    let package = package(files);
    cycles::within(&package, &Uses::of(&package))
}

/// Which file takes which names from which other: `a.rs → b.rs: X`.
fn uses(files: &[(&str, &str)]) -> Vec<String> {
    let package = package(files);
    let file = |module| package.path(module).trim_start_matches("src/").to_owned();
    let taken = Uses::of(&package).taken.into_iter();
    taken
        .map(|((from, to), names)| {
            format!("{} → {}: {}", file(from), file(to), names.into_iter().collect::<Vec<_>>().join(", "))
        })
        .collect()
}

#[test]
fn two_modules_that_use_each_other_are_a_cycle() {
    let found = cycles(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::B; pub struct A(B);"),
        ("b.rs", "pub struct B; fn f(_: crate::a::A) {}"),
    ]);
    let ties = "\n  src/a.rs → src/b.rs: B\n  src/b.rs → src/a.rs: A";
    assert_eq!(
        found,
        [
            format!("dependency cycle of 2 modules in made-up: a, b{ties}"),
            format!("dependency cycle of 2 files in made-up{ties}")
        ]
    );
}

#[test]
fn a_child_that_uses_its_parent_is_a_cycle_when_the_parent_uses_it() {
    let parent = "mod child; use child::Child; pub struct Parent(Child);";
    let child = "use super::Parent; pub struct Child; fn f(_: &Parent) {}";
    let found = cycles(&[("lib.rs", "mod a;"), ("a/mod.rs", parent), ("a/child.rs", child)]);
    let ties = "\n  src/a/child.rs → src/a/mod.rs: Parent\n  src/a/mod.rs → src/a/child.rs: Child";
    assert_eq!(found, [format!("dependency cycle of 2 files in made-up{ties}")]);
}

#[test]
fn a_parent_that_hands_on_what_its_child_defines_does_not_use_it() {
    let child = "use super::Parent; pub struct Child; fn f(_: &Parent) {}";
    for handed_on in ["pub use child::Child;", "pub(crate) use self::child::Child;", "pub use child::*;", ""] {
        let parent = format!("pub mod child; {handed_on} pub struct Parent;");
        assert!(cycles(&[("lib.rs", "mod a;"), ("a.rs", &parent), ("a/child.rs", child)]).is_empty(), "{handed_on}");
    }
    let parent = "mod child; pub use child::Child; pub struct Parent(Child);";
    assert_eq!(cycles(&[("lib.rs", "mod a;"), ("a.rs", parent), ("a/child.rs", child)]).len(), 1);
}

#[test]
fn a_variable_that_is_called_like_something_handed_on_is_no_use() {
    let child = "use super::Parent; pub fn child(_: &Parent) {}";
    let parent = |code: &str| format!("mod child; pub use child::child; pub struct Parent; {code}");
    let cycles = |code: &str| cycles(&[("lib.rs", "mod a;"), ("a.rs", &parent(code)), ("a/child.rs", child)]).len();
    assert_eq!(cycles("fn f(child: u8) -> u8 { child + 1 }"), 0);
    assert_eq!(cycles("fn f() { let child = 1; println!(\"{}\", child); }"), 0);
    assert_eq!(cycles("fn f() { child(&Parent) }"), 1);
    assert_eq!(cycles("fn f() { println!(\"{:?}\", child(&Parent)) }"), 1);
    assert_eq!(cycles("fn f() { [Parent].iter().for_each(child) }"), 1);
}

#[test]
fn re_exports_are_followed_to_the_file_that_defines() {
    let found = cycles(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::Inner; pub struct A(Inner);"),
        ("b/mod.rs", "mod inner; pub use inner::Inner;"),
        ("b/inner.rs", "pub struct Inner; fn f(_: super::super::a::A) {}"),
    ]);
    let ties = "\n  src/a.rs → src/b/inner.rs: Inner\n  src/b/inner.rs → src/a.rs: A";
    assert_eq!(
        found,
        [
            format!("dependency cycle of 2 modules in made-up: a, b{ties}"),
            format!("dependency cycle of 2 files in made-up{ties}")
        ]
    );
}

#[test]
fn a_name_that_comes_through_another_module_is_taken_from_both() {
    let found = uses(&[
        ("lib.rs", "mod a; mod between; mod defining;"),
        ("a.rs", "use crate::between::X; fn f(_: X) {}"),
        ("between.rs", "pub use crate::defining::X;"),
        ("defining.rs", "pub struct X;"),
    ]);
    assert_eq!(found, ["a.rs → between.rs: X", "a.rs → defining.rs: X", "between.rs → defining.rs: X"]);
}

#[test]
fn code_that_only_tests_see_is_left_out() {
    let tests = [
        "#[cfg(test)] use crate::b::B;",
        "#[cfg(test)] mod tests { use crate::b::B; }",
        "#[cfg(test)] mod in_a_file;",
        "#[cfg(all(test, unix))] fn f(_: crate::b::B) {}",
        "#[test] fn f() { crate::b::f() }",
        "struct S; impl S { #[cfg(test)] fn f(_: crate::b::B) {} }",
        "fn f() { #[cfg(test)] let x = crate::b::f(); }",
    ];
    let files = |code| {
        [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", code),
            ("a/in_a_file.rs", "use crate::b::B;"),
            ("b.rs", "pub struct B; use crate::a; fn g() { a::f() } pub fn f() {}"),
        ]
    };
    for code in tests {
        assert_eq!(cycles(&files(code)), [""; 0], "{code}");
    }
    assert!(!cycles(&files("#[cfg(not(test))] use crate::b::B;")).is_empty());
    assert!(!cycles(&files("#[cfg(any(test, unix))] use crate::b::B;")).is_empty());
}

#[test]
fn names_are_found_wherever_they_stand() {
    for code in [
        "fn f() { crate::b::f() }",
        "fn f() { use crate::b; b::f() }",
        "use crate::b as other; fn f() { other::f() }",
        "use crate::{b::{self}}; fn f() { b::f() }",
        "use super::*; fn f() { b::f() }",
        "use crate::b::*; fn f() { g() } fn h() { f() }",
        "use crate::b::Trait as _;",
        "fn f() { println!(\"{}\", crate::b::f()) }",
        "fn f() -> bool { matches!(1, x if x < [0, crate::b::f()].len()) }",
        "macro_rules! m { () => { $crate::b::f() } }",
        "fn f<T: crate::b::Trait>() {}",
        "impl crate::b::Trait for u8 {}",
        "fn f(x: u8) { match x { crate::b::MAX => {} _ => {} } }",
        "use crate::b::MAX; fn f(x: u8) { match x { MAX => {} _ => {} } }",
        "mod inline { mod deeper { fn f() { super::super::super::b::f() } } }",
        "fn f() { crate::b::what_a_macro_defines() }",
    ] {
        let b = "pub fn f() {} pub fn g() {} pub trait Trait {} pub const MAX: u8 = 1;";
        let found = uses(&[("lib.rs", "mod a; mod b;"), ("a.rs", code), ("b.rs", b)]);
        assert!(found.iter().any(|found| found.starts_with("a.rs → b.rs")), "{code}: {found:?}");
    }
}

#[test]
fn a_module_and_a_function_may_share_a_name() {
    let found = uses(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::inner; fn f() { inner() } fn g() { crate::b::inner::other() }"),
        ("b/mod.rs", "pub mod inner; pub use inner::inner;"),
        ("b/inner.rs", "pub fn inner() {} pub fn other() {}"),
    ]);
    assert_eq!(found, ["a.rs → b/inner.rs: inner, other"]);
}

#[test]
fn imports_that_lead_back_to_themselves_come_to_an_end() {
    let found = uses(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "pub use crate::b::*; use crate::a::X as X; fn f() { nowhere(); Missing::new() }"),
        ("b.rs", "pub use crate::a::*; pub struct B;"),
    ]);
    assert_eq!(found, ["a.rs → b.rs: b", "b.rs → a.rs: a"]);
}

#[test]
fn a_program_uses_the_library_of_its_package() {
    let found = uses(&[
        ("lib.rs", "pub mod cli;"),
        ("cli.rs", "pub fn run() {}"),
        ("main.rs", "mod own; fn main() { made_up::cli::run(); own::f() }"),
        ("own.rs", "pub fn f() {}"),
    ]);
    assert_eq!(found, ["main.rs → cli.rs: run", "main.rs → own.rs: f"]);
}

#[test]
fn what_a_layer_forbids_is_found_under_every_name() {
    let package = package(&[
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "use std::time::{Duration, Instant};"),
        ("b.rs", "use std::time; fn f() { time::SystemTime::now(); }"),
        ("c.rs", "use std::fs as files; fn f() { files::read(\"x\"); }"),
        ("d.rs", "use std::time::Duration; mod fs {} use self::fs as other; #[cfg(test)] use std::fs::File;"),
    ]);
    let layer = Layer {
        package: "made-up",
        may_use: &[],
        without: &[],
        must_not_name: &["std::fs", "std::time::Instant", "std::time::SystemTime"],
        must_not_call: &[],
    };
    assert_eq!(
        forbidden_paths(&package, &Uses::of(&package), &layer),
        [
            "src/c.rs: std::fs must not be used in made-up",
            "src/c.rs: std::fs::read must not be used in made-up",
            "src/a.rs: std::time::Instant must not be used in made-up",
            "src/b.rs: std::time::SystemTime::now must not be used in made-up",
        ]
    );
}

#[test]
fn a_layer_can_allow_the_type_of_a_clock_and_forbid_to_read_it() {
    let package = package(&[
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "use std::time::Instant; fn f(now: Instant, since: Instant) { now.duration_since(since); }"),
        ("b.rs", "use std::time::Instant; fn f() -> Instant { Instant::now() }"),
        ("c.rs", "fn f(since: std::time::Instant) { println!(\"{:?}\", since.elapsed()); }"),
        ("d.rs", "fn f(since: std::time::Instant) { g(since.elapsed()); } #[test] fn t() { x.elapsed(); }"),
    ]);
    let layer = Layer {
        package: "made-up",
        may_use: &[],
        without: &[],
        must_not_name: &["std::time::Instant::now"],
        must_not_call: &["elapsed"],
    };
    let found = forbidden_paths(&package, &Uses::of(&package), &layer);
    assert_eq!(found, ["src/b.rs: std::time::Instant::now must not be used in made-up"]);
    let found = forbidden_calls(&package, &layer);
    let expected = ["src/c.rs", "src/d.rs"].map(|file| format!("{file}: `.elapsed()` must not be called in made-up"));
    assert_eq!(found, expected);
}

#[test]
fn functions_are_measured_and_tests_are_not() {
    let text = "\
/// Says nothing.
fn short() {}

impl X {
    fn longer(
        &self,
    ) {
        let x = 1;
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn of_no_interest() {}
}
";
    let package = package(&[("lib.rs", text)]);
    let [file] = &package.files[..] else { panic!("one file") };
    let functions: Vec<_> = file.functions.iter().map(|function| (&*function.name, function.lines)).collect();
    assert_eq!(functions, [("short", 1), ("longer", 5)]);
    assert_eq!((file.lines, file.test_lines), (16, 5));
}
