//! Progress bars on a terminal: one for the whole scan and one per file in progress.
//!
//! Nothing is drawn if results are JSON or standard error is not a terminal.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::terminal_text::fit;

/// Interval between two redraws.
const TICK: Duration = Duration::from_millis(100);

/// Columns of a path; fewer on a narrow terminal.
const PATH_WIDTH: usize = 38;

/// What the bar of a file shows: bytes sent, or percent scanned.
const SENDING: &str = "sending ";
const SCANNING: &str = "scanning";

/// The bars of a scan.
#[derive(Clone)]
pub(super) struct ProgressBars {
    all: MultiProgress,
    overall: ProgressBar,
}

/// The bar of a file; removed when it is dropped.
pub(super) struct FileBar {
    bar: ProgressBar,
    /// Size of the file in bytes.
    size: u64,
    all: MultiProgress,
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("#>-")
}

impl ProgressBars {
    /// Bars for a scan of `files` files; hidden unless `is_visible` and standard error is a
    /// terminal.
    pub(super) fn new(files: usize, is_visible: bool) -> Self {
        let target = if is_visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let all = MultiProgress::with_draw_target(target);
        let overall = all.add(ProgressBar::new(files as u64));
        overall.set_style(style("{pos} of {len} files [{bar:24}] {elapsed}"));
        overall.enable_steady_tick(TICK);
        Self { all, overall }
    }

    /// Adds the bar of a file of `size` bytes, which reads the number of bytes sent from
    /// `bytes_sent`.
    pub(super) fn add_file(&self, path: &Path, size: u64, bytes_sent: Arc<AtomicU64>) -> FileBar {
        let bar = self.all.insert_before(&self.overall, ProgressBar::new(size));
        bar.set_message(fit(&path.display().to_string(), PATH_WIDTH));
        let weak = bar.downgrade();
        tokio::spawn(async move {
            while let Some(bar) = weak.upgrade().filter(|bar| !bar.is_finished()) {
                if bar.prefix() == SENDING {
                    bar.set_position(bytes_sent.load(Ordering::Relaxed));
                }
                tokio::time::sleep(TICK).await;
            }
        });
        let bar = FileBar { bar, size, all: self.all.clone() };
        bar.show_sending();
        bar
    }

    /// Counts a file as done.
    pub(super) fn count_file(&self) {
        self.overall.inc(1);
    }

    /// Removes all bars.
    pub(super) fn finish(&self) {
        self.overall.finish_and_clear();
    }
}

impl FileBar {
    /// Shows that the file is being sent.
    pub(super) fn show_sending(&self) {
        self.bar.set_prefix(SENDING);
        self.bar.set_style(style("{wide_msg} {prefix} [{bar:16}] {bytes:>10}"));
        self.bar.set_length(self.size);
    }

    /// Shows that the file is being scanned, and how far in percent.
    pub(super) fn show_scanning(&self, percent: u8) {
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
