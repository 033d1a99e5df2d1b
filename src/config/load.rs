//! Loads a configuration: parses the file, and reads it section by section.

use evenkeel_core::diagnostic::{Diagnostics, Source};
use toml::de::DeTable;

use super::loaded_config::LoadedConfig;
use super::named_tables::NamedTables;
use super::origin::Origin;
use super::report::{KnownKeys, Report};
use super::section::Section;
use super::{actions, admin, monitors, names, notifications, pools, server, zones};

/// Loads a configuration and the files that it names.
///
/// # Errors
/// Every mistake of these files, in the order of files and lines.
pub fn load(origin: &Origin) -> Result<LoadedConfig, Diagnostics> {
    let source = origin.root().map_err(|unreadable| {
        let mut problems = Diagnostics::default();
        problems.push(unreadable);
        problems
    })?;
    load_source(&source, origin)
}

/// Loads a configuration from its text. `origin` finds the files that it names.
///
/// # Errors
/// As of [`load`].
pub fn load_source(source: &Source, origin: &Origin) -> Result<LoadedConfig, Diagnostics> {
    let root = parse(source)?;
    let report = Report::new(source, origin);
    let loaded = read_root(&report, root);
    let (mut problems, keys) = (report.problems.into_inner(), report.keys.into_inner());
    problems.settle();
    if problems.has_errors() {
        return Err(problems);
    }
    Ok(LoadedConfig { warnings: problems, keys, ..loaded })
}

/// Parses the TOML of a file. After a syntax error, the sections are not read: the parser would
/// have to guess what they are.
fn parse(source: &Source) -> Result<DeTable<'_>, Diagnostics> {
    let mut problems = Diagnostics::default();
    let text = match std::str::from_utf8(source.text()) {
        Ok(text) => text,
        Err(error) => {
            let at = error.valid_up_to();
            problems.push(source.error(at..at + 1, "not UTF-8"));
            return Err(problems);
        }
    };
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        problems.push(source.error(error.span().unwrap_or(0..0), error.message()));
    }
    if problems.has_errors() {
        problems.settle();
        return Err(problems);
    }
    Ok(root.into_inner())
}

/// Reads the whole file. If the report has errors afterwards, the values must not be used.
fn read_root(report: &Report<'_>, mut file: DeTable<'_>) -> LoadedConfig {
    let names = names::read(report, NamedTables::take(report, &mut file, "names", "[names.NAME]"));
    let shared = names.iter().map(|name| name.owner.clone()).collect();
    let tables = NamedTables::take(report, &mut file, "zones", "[zones.NAME]");
    let (mut zones, apexes) = zones::read(report, tables, &shared);
    let root = Section::new(report, "the file", 0..0, Some(&file));
    let server = root.subsection("server", "[server]").unwrap_or_else(|| Section::new(report, "[server]", 0..0, None));
    let server = server::read(server);
    let admin = root.subsection("admin", "[admin]").map(admin::read);
    root.accept("zones");
    let monitors = monitors::read(&root);
    root.accept("names");
    let actions = actions::read(&root);
    let pools = pools::read(&root, &monitors, &actions, &names);
    names::share(report, &names, &pools, &mut zones, &apexes);
    monitors::warn_unused(report, &monitors, &pools);
    actions::warn_unused(report, &actions);
    let notifications = notifications::read(&root);
    root.finish();
    let (names, warnings, keys) = (names.len(), Diagnostics::default(), KnownKeys::default());
    LoadedConfig { server, admin, zones, pools, notifications, names, warnings, keys }
}
