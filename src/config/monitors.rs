//! `[monitors.NAME]`: the keys that all kinds share. The kinds are in `monitor_kinds`.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::duration::in_units;
use super::kind_section::{KindSection, KindTables};
use super::monitor_kinds::KINDS;
use super::report::Report;
use super::section::Section;
use crate::monitor::{Monitor, MonitorKind};
use crate::pool_config::PoolConfig;

/// Longest `interval` and `timeout`.
const MAX_INTERVAL: Duration = Duration::from_secs(86_400);

/// What all monitors have in common.
const TABLES: KindTables<MonitorKind> = KindTables {
    key: "monitors",
    title: "[monitors.NAME]",
    object: "monitor",
    kinds: KINDS,
    max_timeout: MAX_INTERVAL,
    default_timeout: Duration::from_secs(1),
};

/// A monitor and its place in the file.
pub(super) struct DefinedMonitor {
    pub(super) monitor: Arc<Monitor>,
    span: Range<usize>,
}

/// Reads all monitors.
pub(super) fn read(root: &Section<'_>) -> Vec<DefinedMonitor> {
    let mut monitors = Vec::new();
    for table in TABLES.read(root) {
        monitors.push(DefinedMonitor { monitor: Arc::new(monitor(&table)), span: table.section.span.clone() });
        table.finish();
    }
    monitors
}

/// Reads one monitor.
fn monitor(table: &KindSection<'_, MonitorKind>) -> Monitor {
    let KindSection { name, timeout, section, .. } = table;
    let interval = section.duration("interval", Duration::from_millis(50)..=MAX_INTERVAL);
    let interval = interval.map_or(Duration::from_secs(5), |interval| interval.value);
    if *timeout > interval {
        let span = section.span_of("timeout").unwrap_or_else(|| section.span.clone());
        let message = format!("`timeout` ({}) is longer than `interval` ({})", in_units(*timeout), in_units(interval));
        section.report.error(span, message, "a probe must end before the next begins");
    }
    let count = |key, default| section.integer(key, 1..=1000).map_or(default, |count| count.value);
    let (rise, fall) = (count("rise", 2), count("fall", 3));
    // A monitor of an unknown kind is still defined, so that pools do not report it as undefined.
    let kind = table.read_kind().unwrap_or(MonitorKind::Ping);
    Monitor { name: (*name).into(), kind, interval, timeout: *timeout, rise, fall }
}

/// Warns of monitors that no pool uses: a name is probably misspelled.
pub(super) fn warn_unused(report: &Report<'_>, monitors: &[DefinedMonitor], pools: &[PoolConfig]) {
    for DefinedMonitor { monitor, span } in monitors {
        let uses = |config: &PoolConfig| config.all_monitors().any(|used| used.name == monitor.name);
        if !pools.iter().any(uses) {
            let message = format!("monitor \"{}\" is used by no pool", monitor.name);
            report.warn(span.clone(), message, "name it in the `monitors` of a pool");
        }
    }
}
