//! The commands, their options and environment variables, as the pages have them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use super::{files_of, quoted, read, repository, rows};
use crate::support::program::output_of;
use crate::support::server::PROGRAM;

/// The long options of a command, by its own help.
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
    let (table, rest) = document.split_once("\n## Options\n").expect("the heading is there");
    let documented: BTreeSet<String> = rows(table)
        .into_iter()
        .filter_map(|cells| quoted(cells[0]).next()?.split(' ').nth(1).map(str::to_owned))
        .collect();
    let help = output_of(Command::new(PROGRAM).arg("--help"));
    let (_, listed) = help.split_once("Commands:\n").expect("a list of commands");
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
        let (heading, table) = group.split_once('\n').expect("a table follows");
        let names: Vec<&str> = heading.split(", ").collect();
        let has_owners = table.contains("| option | of |");
        for cells in rows(table) {
            let option = quoted(cells[0]).next().expect("an option").split(' ').next().expect("its name");
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

/// Names of environment variables of ours in all files of some kind below a directory.
fn variables(directory: &Path, extension: &str, found: &mut BTreeSet<String>) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for path in entries.map(|entry| entry.expect("an entry of the repository").path()) {
        if path.is_dir() {
            variables(&path, extension, found);
        } else if path.extension().is_some_and(|e| e == extension) {
            let text = std::fs::read_to_string(&path).expect("a file of the repository");
            for rest in text.split("EVENKEEL_").skip(1) {
                let end = rest.find(|c: char| !c.is_ascii_uppercase()).unwrap_or(rest.len());
                if end > 0 {
                    found.insert(rest[..end].to_owned());
                }
            }
        }
    }
}

#[test]
fn every_environment_variable_is_documented_and_no_other() {
    let (mut used, mut documented) = (BTreeSet::new(), BTreeSet::new());
    variables(&repository().join("src"), "rs", &mut used);
    variables(&repository().join("crates"), "rs", &mut used);
    variables(&repository().join("docs"), "md", &mut documented);
    assert_eq!(documented, used);
    assert!(used.contains("LOG"), "{used:?}");
}

/// The commands in the `sh` blocks of a document.
fn commands(document: &str) -> Vec<String> {
    let blocks = document.split("```sh\n").skip(1);
    blocks.filter_map(|block| block.split("```").next()).flat_map(str::lines).map(str::to_owned).collect()
}

#[test]
fn the_commands_of_the_readme_are_those_that_run() {
    let readme = read("README.md");
    let commands = commands(&readme);
    for expected in [
        "cargo run --release -- demo",
        "tests/run",
        "dig @127.0.0.1 -p 5300 core.lb.example +short",
        "curl -X PUT http://127.0.0.12:8008/_fake -d '{\"readyz\": 503}'",
        "cargo run --release -- check --config config/small.toml",
    ] {
        assert!(commands.iter().any(|command| command == expected), "README lacks: {expected}");
    }
    assert!(read(".ci/run").contains("\ntests/run\n"), ".ci/run calls the README's test command");
    for command in commands.iter().filter_map(|command| command.split_once("-- ").map(|(_, rest)| rest)) {
        let word = command.split(' ').next().expect("a command has a first word");
        let help = Command::new(PROGRAM).args([word, "--help"]).output().expect("the program starts");
        assert!(help.status.success(), "evenkeel has no command {word}");
    }
    let check = Command::new(PROGRAM)
        .args(["check", "--config", "config/small.toml"])
        .current_dir(repository())
        .output()
        .expect("the program starts");
    assert!(check.status.success());
    let small = read("config/small.toml");
    let toml =
        readme.split("```toml\n").nth(1).and_then(|block| block.split("```").next()).expect("a sample in README");
    assert!(small.ends_with(toml), "the sample in README is config/small.toml");
}

#[test]
fn the_commands_of_the_pages_have_the_options_that_they_use() {
    let mut checked = 0;
    for page in files_of(&repository().join("docs"), "md") {
        let text = std::fs::read_to_string(&page).expect("a page of the repository");
        for line in commands(&text) {
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
    assert!(checked > 10, "{checked} options");
}
