//! Configuration: what a file says, checked until nothing impossible is left.
//!
//! [`load`] reads the file and all that it names (zone files, certificates) and gives a [`Loaded`] whose values need no
//! further checks, or every mistake at once. `serve`, `check` and a reload use this one loader.

mod actions;
mod checks;
mod disk;
mod monitors;
mod named_tables;
mod names;
mod nodes;
mod notifications;
mod pools;
mod requests;
mod secret;
mod section;
mod server;

use std::cell::RefCell;
use std::collections::HashSet;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use evenkeel_core::counters::Counters;
use evenkeel_core::health::AddressHealth;
use evenkeel_core::pool::{Node, decide};
use evenkeel_core::snapshot::{Snapshot, SnapshotConfig};
use toml::de::DeTable;

pub use section::KnownKeys;
pub use server::{Admin, DEFAULT_SOCKET, Listen, Server, TcpLimits, Tls, overlap};

use crate::events::Notification;
use crate::pool_config::PoolConfig;
use disk::Disk;
use evenkeel_core::diagnostic::{Diagnostic, Diagnostics, Source};
use evenkeel_core::name::Name;
use evenkeel_core::zone::{self, Zones};
use named_tables::NamedTables;
use section::{Reading, Section};

/// Where `serve` and `check` look when no file is named.
pub const DEFAULT_PATH: &str = "/etc/evenkeel/evenkeel.toml";

/// A configuration that can be served.
#[derive(Debug)]
pub struct Loaded {
    /// Addresses, limits, certificates.
    pub server: Server,
    /// Where operators come in.
    pub admin: Option<Admin>,
    /// Zones with the shared names tied in.
    pub zones: Zones,
    /// Pools in the order that shared names refer to.
    pub pools: Vec<PoolConfig>,
    /// Who is told of events.
    pub notifications: Vec<Notification>,
    /// Number of shared names.
    pub names: usize,
    /// What is odd but does not keep the configuration from being used.
    pub warnings: Diagnostics,
    /// Every key that the loader asked for.
    pub keys: KnownKeys,
}

impl Loaded {
    /// The snapshot that queries would read if the addresses had the health that a function gives them, and
    /// no override counted.
    pub fn into_snapshot(
        self,
        counters: &Counters,
        mut health: impl FnMut(&Node, IpAddr) -> AddressHealth,
        rng: &mut fastrand::Rng,
    ) -> Snapshot {
        let view = |config: &PoolConfig| {
            let mut cases = config.pool.cases(&mut health);
            Arc::new(decide(&config.pool, &mut cases, rng).view)
        };
        let pools = self.pools.iter().map(view).collect();
        let node_numbers = counters.node_numbers(self.pools.iter().map(|config| &*config.pool));
        let config = SnapshotConfig::new(self.zones, self.server.nsid, node_numbers);
        Snapshot { generation: 1, config: Arc::new(config), pools }
    }

    /// What the configuration holds, counted.
    pub fn summary(&self) -> String {
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let nodes = self.pools.iter().map(|config| config.pool.nodes.len()).sum();
        let zones = self.zones.apexes().count();
        [(zones, "zone"), (self.names, "name"), (self.pools.len(), "pool"), (nodes, "node")]
            .map(|(n, what)| count(n, what))
            .join(", ")
    }
}

/// Where a configuration comes from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A file; paths in it are relative to its directory.
    File(PathBuf),
    /// Texts inside the program, by name: the configuration first, then what it names.
    Embedded(&'static [(&'static str, &'static str)]),
}

impl Origin {
    /// The configuration itself.
    fn root(&self) -> Result<Source, Diagnostic> {
        match self {
            Self::File(path) => disk::read(path)
                .map_err(|error| Diagnostic::unreadable(path, &error).hint("name another file with --config")),
            Self::Embedded(texts) => Ok(Source::from_text(texts[0].0, texts[0].1)),
        }
    }

    /// Path of a file that the configuration names.
    fn path(&self, named: &str) -> PathBuf {
        match self {
            Self::File(path) => path.with_file_name(named),
            Self::Embedded(_) => named.into(),
        }
    }

    /// A file that the configuration names.
    fn read(&self, named: &str) -> io::Result<Source> {
        match self {
            Self::File(_) => disk::read(&self.path(named)),
            Self::Embedded(texts) => match texts.iter().find(|(name, _)| *name == named) {
                Some((name, text)) => Ok(Source::from_text(name, *text)),
                None => disk::read(Path::new(named)),
            },
        }
    }
}

/// Loads a configuration.
///
/// # Errors
/// Every mistake of the file and of those it names, in the order of files and lines.
pub fn load(origin: &Origin) -> Result<Loaded, Diagnostics> {
    let source = origin.root().map_err(|unreadable| {
        let mut problems = Diagnostics::default();
        problems.push(unreadable);
        problems
    })?;
    load_source(&source, origin)
}

/// Loads a configuration from its text. `origin` says where the files are that it names.
///
/// # Errors
/// As of [`load`].
pub fn load_source(source: &Source, origin: &Origin) -> Result<Loaded, Diagnostics> {
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
        // What the recovered rest means would be a guess.
        problems.settle();
        return Err(problems);
    }
    let reading = Reading { source, problems: RefCell::new(problems), keys: RefCell::default() };
    let loaded = read_root(&reading, root.into_inner(), origin);
    let (mut problems, keys) = (reading.problems.into_inner(), reading.keys.into_inner());
    problems.settle();
    if problems.has_errors() {
        return Err(problems);
    }
    Ok(Loaded { warnings: problems, keys, ..loaded })
}

/// Reads the whole file; what is wrong is noted in `reading`, and then the values are not to be used.
fn read_root(reading: &Reading<'_>, mut file: DeTable<'_>, origin: &Origin) -> Loaded {
    let (mut zones, apexes) =
        read_zones(reading, NamedTables::take(reading, &mut file, "zones", "[zones.NAME]"), origin);
    let names = names::read(reading, NamedTables::take(reading, &mut file, "names", "[names.NAME]"));
    let root = Section::new(reading, "the file", 0..0, Some(&file));
    let server = root.section("server", "[server]").unwrap_or_else(|| Section::new(reading, "[server]", 0..0, None));
    let server = server::read(server, origin);
    let admin = root.section("admin", "[admin]").map(|admin| server::read_admin(admin, origin));
    root.knows("zones");
    let monitors = monitors::read(&root, origin);
    root.knows("names");
    let actions = actions::read(&root, origin);
    let pools = pools::read(&root, &monitors, &actions, &names);
    names::share(reading, &names, &pools, &mut zones, &apexes);
    monitors::warn_unused(reading, &monitors, &pools);
    actions::warn_unused(reading, &actions);
    let notifications = notifications::read(&root, origin);
    root.finish();
    let (names, warnings, keys) = (names.len(), Diagnostics::default(), KnownKeys::default());
    Loaded { server, admin, zones, pools, notifications, names, warnings, keys }
}

/// The zones that load, and the names of all.
fn read_zones(reading: &Reading<'_>, tables: NamedTables<'_>, origin: &Origin) -> (Zones, HashSet<Name>) {
    let mut zones = Vec::new();
    let mut apexes = HashSet::new();
    let mut placed = Vec::new();
    if tables.is_missing() {
        reading.error(
            0..0,
            "no zone is configured",
            "for example: [zones.\"lb.example\"] with file = \"lb.example.zone\"",
        );
    }
    tables.read(reading, |name, section| {
        let file = section.required("file", section.string("file"), "the zone file, relative to this one");
        match Name::parse(name.value) {
            Err(error) => {
                let message = format!("\"{}\" is not a zone's name: {error}", name.value.escape_debug());
                reading.error(name.span, message, "for example: \"lb.example\"");
            }
            Ok(apex) if apexes.contains(&apex) => {
                let message = format!("zone {apex} stands twice");
                reading.error(name.span, message, "each zone once; letter case makes no difference");
            }
            Ok(_) if !names::is_host_text(name.value) => {
                let message = format!("\"{}\" holds more than letters, digits, - and _", name.value.escape_debug());
                reading.error(name.span, message, "names of other letters are written in ASCII: xn--…");
            }
            Ok(apex) if apex.labels().any(|label| label == b"*") => {
                let message = format!("zone {apex} has a * in its name");
                reading.error(name.span, message, "wildcards stand in zone files and in [names]");
            }
            Ok(apex) => {
                if let Some(file) = file {
                    match origin.read(file.value) {
                        Ok(source) => {
                            let mut problems = reading.problems.borrow_mut();
                            zones.extend(zone::load(source, &origin.path(file.value), &apex, &Disk, &mut problems));
                        }
                        Err(error) => {
                            let message = format!("zone file {} cannot be read: {error}", file.value);
                            reading.error(file.span, message, "paths are relative to this file");
                        }
                    }
                }
                placed.push((apex.clone(), name.span));
                apexes.insert(apex);
            }
        }
        section.finish();
    });
    let zones = Zones::new(zones);
    for (apex, span) in placed {
        if let Some(parent) = zones.parent_without_cut(&apex) {
            let message = format!("zone {apex} is served, but zone {parent} does not delegate it");
            reading.warn(span, message, format!("add its NS records to the file of {parent}, as for any other server"));
        }
    }
    (zones, apexes)
}
