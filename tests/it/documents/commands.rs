//! The documented commands, options and environment variables.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use super::markdown::{code_spans, rows, shell_commands};
use crate::support::program::output_of;
use crate::support::repository::{self, files_below, read};
use crate::support::server::PROGRAM;

/// The long options in the help of a command, except `--help`.
fn options(command: &str) -> BTreeSet<String> {
    let help = output_of(Command::new(PROGRAM).args([command, "--help"]));
    let option = |line: &str| {
        let words = line.trim_start().split([' ', ',']);
        let is_option = line.starts_with("  ") && line.trim_start().starts_with('-');
        is_option.then(|| words.into_iter().find(|word| word.starts_with("--")).map(str::to_owned)).flatten()
    };
    help.lines().filter_map(option).filter(|option| option != "--help").collect()
}

#[test]
fn the_reference_of_commands_has_exactly_the_commands_and_options_of_the_program() {
    let document = read("docs/commands.md");
    let (table, rest) = document.split_once("\n## Options\n").expect("the page has the heading");
    let documented: BTreeSet<String> = rows(table)
        .into_iter()
        .filter_map(|cells| code_spans(cells[0]).next()?.split(' ').nth(1).map(str::to_owned))
        .collect();
    let help = output_of(Command::new(PROGRAM).arg("--help"));
    let (_, listed) = help.split_once("Commands:\n").expect("the help lists commands");
    let listed = listed.lines().take_while(|line| line.starts_with("  "));
    let commands: BTreeSet<String> = listed
        .filter_map(|line| line.split_whitespace().next())
        .filter(|word| *word != "help")
        .map(str::to_owned)
        .collect();
    assert_eq!(documented, commands);
    let mut with_options: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let (groups, _) = rest.split_once("\n## ").expect("other headings follow");
    for group in groups.split("\n### ").skip(1) {
        let (heading, table) = group.split_once('\n').expect("a table follows the heading");
        let names: Vec<&str> = heading.split(", ").collect();
        let has_owners = table.contains("| option | of |");
        for cells in rows(table) {
            let option = code_spans(cells[0])
                .next()
                .expect("the cell names an option")
                .split(' ')
                .next()
                .expect("the option has a name");
            let is_of = |name: &&&str| match cells[1] {
                _ if !has_owners => true,
                "all" => true,
                owners => match owners.strip_prefix("all but ") {
                    Some(others) => !others.split(", ").any(|other| other == **name),
                    None => owners.split(", ").any(|owner| owner == **name),
                },
            };
            for name in names.iter().filter(is_of) {
                with_options.entry((*name).to_owned()).or_default().insert(option.to_owned());
            }
        }
    }
    for command in commands {
        assert_eq!(with_options.get(&command).cloned().unwrap_or_default(), options(&command), "{command}");
    }
}

/// The environment variables `EVENKEEL_…` in the files below a directory, without the prefix.
fn variables(directory: &str, extension: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for path in files_below(&repository::root().join(directory), extension) {
        let text = std::fs::read_to_string(&path).expect("the repository can be read");
        for rest in text.split("EVENKEEL_").skip(1) {
            let end = rest.find(|c: char| !c.is_ascii_uppercase()).unwrap_or(rest.len());
            if end > 0 {
                found.insert(rest[..end].to_owned());
            }
        }
    }
    found
}

#[test]
fn the_documented_environment_variables_are_exactly_those_that_are_read() {
    let used = &variables("src", "rs") | &variables("crates", "rs");
    assert_eq!(variables("docs", "md"), used);
    assert!(used.contains("LOG"), "{used:?}");
}

#[test]
fn the_readme_has_the_main_commands_and_they_exist() {
    let readme = read("README.md");
    let commands = shell_commands(&readme);
    for expected in [
        "cargo run --release -- demo",
        "tests/run",
        "dig @127.0.0.1 -p 5300 core.lb.example +short",
        "curl -X PUT http://127.0.0.12:8008/_fake -d '{\"readyz\": 503}'",
        "cargo run --release -- check --config config/small.toml",
    ] {
        assert!(commands.iter().any(|command| command == expected), "README.md lacks: {expected}");
    }
    assert!(read(".ci/run").contains("\ntests/run\n"), ".ci/run runs the test command of README.md");
    for command in commands.iter().filter_map(|command| command.split_once("-- ").map(|(_, rest)| rest)) {
        let word = command.split(' ').next().expect("a command has a first word");
        let help = Command::new(PROGRAM).args([word, "--help"]).output().expect("the built program starts");
        assert!(help.status.success(), "evenkeel has no command {word}");
    }
    let check = Command::new(PROGRAM)
        .args(["check", "--config", "config/small.toml"])
        .current_dir(repository::root())
        .output()
        .expect("the built program starts");
    assert!(check.status.success());
    let small = read("config/small.toml");
    let toml =
        readme.split("```toml\n").nth(1).and_then(|block| block.split("```").next()).expect("README has a sample");
    assert!(small.ends_with(toml), "the sample in README.md is the end of config/small.toml");
}

#[test]
fn the_options_in_examples_of_the_pages_exist() {
    let mut checked = 0;
    for page in files_below(&repository::root().join("docs"), "md") {
        let text = std::fs::read_to_string(&page).expect("the repository can be read");
        for line in shell_commands(&text) {
            let is_command = |rest: &str| rest.starts_with(|c: char| c.is_ascii_lowercase());
            let Some((_, command)) = line.split_once("evenkeel ").filter(|(_, rest)| is_command(rest)) else {
                continue;
            };
            let words: Vec<&str> =
                command.split([' ', ')']).take_while(|word| !["&&", "|", "&"].contains(word)).collect();
            let known = options(words[0]);
            for option in words.iter().filter(|word| word.starts_with("--")) {
                assert!(known.contains(*option), "{}: {line}", page.display());
                checked += 1;
            }
        }
    }
    assert!(checked > 10, "only {checked} options were checked");
}
