//! `[monitors.NAME]`: what all kinds share; the keys of each kind are in `checks`.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::Origin;
use super::checks::{self, Files};
use super::requests;
use super::section::{Reading, Section, check_word, in_units, one_of};
use crate::monitor::{Monitor, MonitorKind};
use crate::pool_config::PoolConfig;

/// A monitor and where it is defined.
pub(super) struct PlacedMonitor {
    pub(super) monitor: Arc<Monitor>,
    span: Range<usize>,
}

/// The words of `kind`.
#[derive(Clone, Copy)]
enum KindWord {
    Http,
    Tcp,
    Icap,
    Exec,
    Agent,
    Ping,
}

const KINDS: [(&str, KindWord); 6] = [
    ("http", KindWord::Http),
    ("tcp", KindWord::Tcp),
    ("icap", KindWord::Icap),
    ("exec", KindWord::Exec),
    ("agent", KindWord::Agent),
    ("ping", KindWord::Ping),
];

pub(super) fn read(root: &Section<'_>, origin: &Origin) -> Vec<PlacedMonitor> {
    let mut monitors = Vec::new();
    for (name, section) in root.named("monitors", "[monitors.NAME]") {
        let reading = section.reading;
        check_word(reading, "monitor", &name);
        let second = Duration::from_secs(1);
        let period =
            |key, default: Duration| section.duration(key, second / 20..=86_400 * second).map_or(default, |d| d.value);
        let count = |key, default| section.integer(key, 1..=1000).map_or(default, |n| n.value);
        let accepted = "accepted: \"http\", \"tcp\", \"icap\", \"exec\", \"agent\", \"ping\"";
        let word = section.required("kind", section.read("kind", one_of(&KINDS)), accepted);
        let (interval, timeout) = (period("interval", 5 * second), period("timeout", second));
        if timeout > interval {
            let span = section.place_of("timeout").unwrap_or_else(|| section.span.clone());
            let message =
                format!("`timeout` ({}) is longer than `interval` ({})", in_units(timeout), in_units(interval));
            reading.error(span, message, "a probe must end before the next begins");
        }
        let (rise, fall) = (count("rise", 2), count("fall", 3));
        let files = Files { section: &section, origin };
        let kind = match word.as_ref().map(|word| word.value) {
            Some(KindWord::Http) => MonitorKind::Http(Box::new(requests::monitor(&files))),
            Some(KindWord::Tcp) => MonitorKind::Tcp(checks::tcp(&files)),
            Some(KindWord::Icap) => MonitorKind::Icap(checks::icap(&section)),
            Some(KindWord::Exec) => MonitorKind::Exec(checks::program(&section)),
            Some(KindWord::Agent) => MonitorKind::Agent(checks::agent(&section)),
            Some(KindWord::Ping) | None => MonitorKind::Ping,
        };
        let monitor = Monitor { name: name.value.into(), kind, interval, timeout, rise, fall };
        monitors.push(PlacedMonitor { monitor: Arc::new(monitor), span: section.span.clone() });
        // Without a kind nobody knows which other keys are meant.
        if word.is_some() {
            section.finish();
        }
    }
    monitors
}

/// Monitors that no pool uses are probably misspelled somewhere.
pub(super) fn warn_unused(reading: &Reading<'_>, monitors: &[PlacedMonitor], pools: &[PoolConfig]) {
    for PlacedMonitor { monitor, span } in monitors {
        let used = |config: &PoolConfig| config.all_monitors().any(|used| used.name == monitor.name);
        if !pools.iter().any(used) {
            let message = format!("monitor \"{}\" is used by no pool", monitor.name);
            reading.warn(span.clone(), message, "name it in the `monitors` of a pool");
        }
    }
}
