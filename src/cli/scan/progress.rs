//! How far the scans are, on a terminal; silent anywhere else.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::terminal_text::shortened;

/// How often bars are drawn.
const DRAW: Duration = Duration::from_millis(100);

/// Columns of a name; on a narrow terminal it gets what is left.
const NAME: usize = 38;

/// What a bar is about.
const SENDING: &str = "sending ";
const SCANNING: &str = "scanning";

/// A bar for everything, and one for each file under way.
#[derive(Clone)]
pub(super) struct Bars {
    all: MultiProgress,
    overall: ProgressBar,
}

/// The bar of one file; it is gone when this is dropped.
pub(super) struct FileBar {
    bar: ProgressBar,
    /// In bytes.
    size: u64,
    all: MultiProgress,
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("#>-")
}

impl Bars {
    /// Bars for so many files; not shown unless `is_wanted` and standard error is a terminal.
    pub(super) fn new(files: usize, is_wanted: bool) -> Self {
        let target = if is_wanted { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let all = MultiProgress::with_draw_target(target);
        let overall = all.add(ProgressBar::new(files as u64));
        overall.set_style(style("{pos} of {len} files [{bar:24}] {elapsed}"));
        overall.enable_steady_tick(DRAW);
        Self { all, overall }
    }

    /// A file begins: what is sent of it is counted in `sent`.
    pub(super) fn begin(&self, path: &Path, size: u64, sent: Arc<AtomicU64>) -> FileBar {
        let bar = self.all.insert_before(&self.overall, ProgressBar::new(size));
        bar.set_message(shortened(&path.display().to_string(), NAME));
        let weak = bar.downgrade();
        tokio::spawn(async move {
            while let Some(bar) = weak.upgrade().filter(|bar| !bar.is_finished()) {
                if bar.prefix() == SENDING {
                    bar.set_position(sent.load(Ordering::Relaxed));
                }
                tokio::time::sleep(DRAW).await;
            }
        });
        let bar = FileBar { bar, size, all: self.all.clone() };
        bar.sending();
        bar
    }

    /// A file is done.
    pub(super) fn count(&self) {
        self.overall.inc(1);
    }

    /// Takes the bars away.
    pub(super) fn end(&self) {
        self.overall.finish_and_clear();
    }
}

impl FileBar {
    /// It is being sent.
    pub(super) fn sending(&self) {
        self.bar.set_prefix(SENDING);
        self.bar.set_style(style("{wide_msg} {prefix} [{bar:16}] {bytes:>10}"));
        self.bar.set_length(self.size);
    }

    /// It is sent, and so far is its scan, in percent.
    pub(super) fn scanned(&self, percent: u8) {
        if self.bar.prefix() != SCANNING {
            self.bar.set_prefix(SCANNING);
            self.bar.set_style(style("{wide_msg} {prefix} [{bar:16}] {percent:>8} %"));
            self.bar.set_length(100);
        }
        self.bar.set_position(u64::from(percent));
    }
}

impl Drop for FileBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        self.all.remove(&self.bar);
    }
}
