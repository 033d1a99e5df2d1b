//! `[names."…"]`: shared names. They are read before the pools, and tied into their zones after.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::time::Duration;

use evenkeel_core::diagnostic::defined;
use evenkeel_core::name::{self, Name};
use evenkeel_core::zone::{SharedName, SharedNameConflict, Zones};

use super::named_tables::{NamedTables, is_visible_ascii};
use super::report::Report;
use super::value::Placed;
use crate::pool_config::PoolConfig;

/// A shared name as the file defines it.
pub(super) struct DefinedName {
    pub(super) owner: Name,
    span: Range<usize>,
    pub(super) pool: Option<Placed<Box<str>>>,
    /// In seconds.
    pub(super) ttl: u32,
    answers: usize,
}

/// Reads all shared names.
pub(super) fn read(report: &Report<'_>, tables: NamedTables<'_>) -> Vec<DefinedName> {
    let mut names: Vec<DefinedName> = Vec::new();
    let mut owners = HashSet::new();
    tables.read(report, |name, section| {
        let pool = section.required("pool", section.string("pool"), "the pool whose addresses are returned");
        let day = Duration::from_secs(86_400);
        let ttl = section.duration("ttl", Duration::ZERO..=day);
        if let Some(ttl) = ttl.as_ref().filter(|ttl| ttl.value.subsec_nanos() > 0) {
            report.error(ttl.span.clone(), "`ttl` is not a whole number of seconds", "TTLs of DNS are in seconds");
        }
        let answers = section.integer("answers", 1..=4000).map_or(8, |answers| answers.value as usize);
        match Name::parse(name.value) {
            Ok(owner) if !owners.insert(owner.clone()) => {
                let message = format!("name {owner} appears twice");
                report.error(name.span, message, "each name once; letter case makes no difference");
            }
            Ok(_) if !is_visible_ascii(name.value) => {
                let message = format!("\"{}\" holds more than letters, digits, - and _", name.value.escape_debug());
                report.error(name.span, message, "write other letters in ASCII: xn--…");
            }
            Ok(owner) if owner.labels().skip(1).any(|label| label == b"*") => {
                let message = format!("name {owner} has a * that is not its first label");
                report.error(name.span, message, "only *.NAME is a wildcard (RFC 4592 §2.1.1)");
            }
            Ok(owner) => names.push(DefinedName {
                owner,
                span: name.span,
                pool: pool.map(|pool| pool.map(Box::from)),
                ttl: ttl.map_or(5, |ttl| ttl.value.as_secs() as u32),
                answers,
            }),
            Err(error) => {
                let message = format!("\"{}\" is not a domain name: {error}", name.value.escape_debug());
                report.error(name.span, message, "for example: \"core.lb.example\"");
            }
        }
        section.finish();
    });
    names
}

/// The names that use each pool.
pub(super) fn by_pool(names: &[DefinedName]) -> HashMap<&str, Vec<&DefinedName>> {
    let mut users: HashMap<&str, Vec<&DefinedName>> = HashMap::new();
    for name in names {
        if let Some(pool) = &name.pool {
            users.entry(&*pool.value).or_default().push(name);
        }
    }
    users
}

/// Ties the names into their zones. `apexes` has all zones of the file, even those that did not
/// load.
pub(super) fn share(
    report: &Report<'_>,
    names: &[DefinedName],
    pools: &[PoolConfig],
    zones: &mut Zones,
    apexes: &HashSet<Name>,
) {
    let indices: HashMap<&str, usize> = pools.iter().enumerate().map(|(i, config)| (&*config.pool.name, i)).collect();
    for DefinedName { owner, span, pool, ttl, answers } in names {
        if let Some(pool) = pool.as_ref().filter(|pool| !indices.contains_key(&*pool.value)) {
            let message = format!("name {owner} uses pool \"{}\", which is not defined", pool.value);
            report.error(
                pool.span.clone(),
                message,
                defined("pool", &pool.value, pools.iter().map(|config| &*config.pool.name)),
            );
        }
        let nearest = name::suffixes(owner.as_wire()).map(Name::from_wire).find(|above| apexes.contains(above));
        let zone = zones.find_mut(owner).filter(|zone| Some(zone.apex()) == nearest.as_ref());
        let Some(zone) = zone else {
            // A zone that did not load has been reported, and so has a file without zones.
            if nearest.is_none() && !apexes.is_empty() {
                let apexes: Vec<String> = apexes.iter().map(ToString::to_string).collect();
                report.error(
                    span.clone(),
                    format!("name {owner} is in no zone"),
                    format!("zones: {}", apexes.join(", ")),
                );
            }
            continue;
        };
        let pool = pool.as_ref().and_then(|pool| indices.get(&*pool.value)).copied().unwrap_or_default();
        match zone.share(owner, SharedName { pool, ttl: *ttl, answers: *answers }) {
            Ok(()) => {}
            Err(SharedNameConflict::OtherData(rtype)) => {
                let message = format!("name {owner} has {rtype} records in the zone file too");
                report.error(span.clone(), message, "the addresses of a shared name come from its pool only");
            }
            Err(SharedNameConflict::Delegated) => {
                let message = format!("name {owner} is delegated away in the zone file");
                report.error(span.clone(), message, "other servers answer names at or below an NS record");
            }
            Err(SharedNameConflict::Redirected) => {
                let message = format!("name {owner} is redirected in the zone file");
                report.error(span.clone(), message, "a shared name cannot be at or below a DNAME record");
            }
        }
    }
}
