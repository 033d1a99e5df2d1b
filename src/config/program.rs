//! `command` and `environment`: a program that a monitor, an action or a notification runs.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::section::Section;
use super::value::as_str;
use crate::program::Program;

/// Reads a program. Reports one that cannot be run.
pub(super) fn read(section: &Section<'_>) -> Program {
    let accepted = "a list: the absolute path of a program, then its arguments";
    let command = section.required("command", section.list("command", accepted, as_str), accepted);
    let mut words = command.into_iter().flat_map(|command| {
        let is_absolute = command.value.first().is_some_and(|program| program.value.starts_with('/'));
        if !is_absolute {
            section.report.error(command.span.clone(), "`command` names no program", accepted);
        }
        command.value
    });
    let program = words.next();
    if let Some(program) = program.as_ref().filter(|program| program.value.starts_with('/'))
        && let Some(why) = unusable(program.value)
    {
        let message = format!("{} cannot be run: {why}", program.value);
        section.report.error(program.span.clone(), message, "the absolute path of a program");
    }
    Program {
        path: program.map_or_else(PathBuf::new, |program| program.value.into()),
        arguments: words.map(|word| word.value.to_owned()).collect(),
        environment: environment(section),
    }
}

/// `environment`: the variables that the program gets in addition to those of evenkeel.
fn environment(section: &Section<'_>) -> Vec<(String, String)> {
    let mut variables = Vec::new();
    for (name, value) in section.free_entries("environment") {
        let text = as_str(value.value).ok().filter(|text| !text.contains('\0'));
        match text {
            _ if name.value.starts_with("EVENKEEL_") => {
                let message = format!("{} is reserved: evenkeel sets the variables EVENKEEL_…", name.value);
                section.report.error(name.span, message, "use another name");
            }
            Some(text) if !name.value.is_empty() && !name.value.contains(['=', '\0']) => {
                variables.push((name.value.to_owned(), text.to_owned()));
            }
            _ => section.report.error(name.span, "not an environment variable", "accepted: NAME = \"value\""),
        }
    }
    variables
}

/// Why a path cannot be run, if so.
fn unusable(path: &str) -> Option<String> {
    match std::fs::metadata(path) {
        Err(error) => Some(error.to_string()),
        Ok(file) if !file.is_file() => Some("it is not a file".to_owned()),
        Ok(file) if file.permissions().mode() & 0o111 == 0 => Some("it is not executable".to_owned()),
        Ok(_) => None,
    }
}
