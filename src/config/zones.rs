//! `[zones."…"]`: zones and their files.

use std::collections::HashSet;

use evenkeel_core::name::Name;
use evenkeel_core::zone::{self, Zone, Zones};

use super::disk::Disk;
use super::named_tables::{NamedTables, is_visible_ascii};
use super::report::Report;
use super::value::Placed;

/// Reads the zones. Returns those that load, and the apexes of all. `shared` are the shared names of
/// the configuration.
pub(super) fn read(report: &Report<'_>, tables: NamedTables<'_>, shared: &HashSet<Name>) -> (Zones, HashSet<Name>) {
    let mut zones = Vec::new();
    let mut apexes = HashSet::new();
    let mut defined = Vec::new();
    if tables.is_missing() {
        let hint = "for example: [zones.\"lb.example\"] with file = \"lb.example.zone\"";
        report.error(0..0, "no zone is configured", hint);
    }
    tables.read(report, |name, section| {
        let file = section.required("file", section.string("file"), "the zone file, relative to this one");
        if let Some(apex) = apex(report, &name, &apexes) {
            zones.extend(file.and_then(|file| load(report, &apex, file, shared)));
            defined.push((apex.clone(), name.span));
            apexes.insert(apex);
        }
        section.finish();
    });
    let zones = Zones::new(zones);
    for (apex, span) in defined {
        if let Some(parent) = zones.parent_without_cut(&apex) {
            let message = format!("zone {apex} is served, but zone {parent} does not delegate it");
            report.warn(span, message, format!("add its NS records to the file of {parent}, as for any other server"));
        }
    }
    (zones, apexes)
}

/// The name of a zone. `others` are the apexes before it.
fn apex(report: &Report<'_>, name: &Placed<&str>, others: &HashSet<Name>) -> Option<Name> {
    let (message, hint) = match Name::parse(name.value) {
        Err(error) => (
            format!("\"{}\" is not the name of a zone: {error}", name.value.escape_debug()),
            "for example: \"lb.example\"",
        ),
        Ok(apex) if others.contains(&apex) => {
            (format!("zone {apex} appears twice"), "each zone once; letter case makes no difference")
        }
        Ok(_) if !is_visible_ascii(name.value) => (
            format!("\"{}\" holds more than letters, digits, - and _", name.value.escape_debug()),
            "write other letters in ASCII: xn--…",
        ),
        Ok(apex) if apex.labels().any(|label| label == b"*") => {
            (format!("zone {apex} has a * in its name"), "wildcards are for zone files and [names]")
        }
        Ok(apex) => return Some(apex),
    };
    report.error(name.span.clone(), message, hint);
    None
}

/// Loads a zone file. Its mistakes go to the same report.
fn load(report: &Report<'_>, apex: &Name, file: Placed<&str>, shared: &HashSet<Name>) -> Option<Zone> {
    match report.origin.read(file.value) {
        Ok(source) => {
            let mut problems = report.problems.borrow_mut();
            let path = report.origin.path(file.value);
            zone::load_with_shared_names(source, &path, apex, &Disk, shared, &mut problems)
        }
        Err(error) => {
            let message = format!("zone file {} cannot be read: {error}", file.value);
            report.error(file.span, message, "paths are relative to this file");
            None
        }
    }
}
