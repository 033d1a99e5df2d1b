//! Progress bars on a terminal: one for the whole scan and one per file in progress.
//!
//! Nothing is drawn if results are JSON or standard error is not a terminal. There are never more
//! bars than the terminal has rows, and on a narrow terminal they are shorter.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::terminal_text::fit;

/// Interval between two redraws.
const TICK: Duration = Duration::from_millis(100);

/// Columns of a path; fewer on a narrow terminal.
const PATH_WIDTH: usize = 38;

/// Minimum width of a terminal, in columns, for a bar of 16 columns beside the path.
const WIDE: u16 = 60;

/// What the bar of a file shows: bytes sent, or percent scanned.
const SENDING: &str = "sending ";
const SCANNING: &str = "scanning";

/// The bars of a scan.
#[derive(Clone)]
pub(super) struct ProgressBars {
    all: MultiProgress,
    overall: ProgressBar,
    is_wide: bool,
    /// Rows that are left for the bars of files.
    free_rows: Arc<AtomicUsize>,
}

/// The bar of a file; removed when it is dropped. A file without a free row has no bar.
pub(super) struct FileBar(Option<VisibleBar>);

struct VisibleBar {
    bar: ProgressBar,
    /// Size of the file in bytes.
    size: u64,
    is_wide: bool,
    all: MultiProgress,
    free_rows: Arc<AtomicUsize>,
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
        let (rows, columns) = console::Term::stderr().size();
        let is_wide = columns >= WIDE;
        let overall = all.add(ProgressBar::new(files as u64));
        let template =
            if is_wide { "{pos} of {len} files [{bar:24}] {elapsed}" } else { "{pos} of {len} files {elapsed}" };
        overall.set_style(style(template));
        if !all.is_hidden() {
            overall.enable_steady_tick(TICK);
        }
        // One row is for the overall bar, and one for the cursor.
        let free_rows = if all.is_hidden() { 0 } else { usize::from(rows.saturating_sub(2)) };
        Self { all, overall, is_wide, free_rows: Arc::new(AtomicUsize::new(free_rows)) }
    }

    /// Adds the bar of a file of `size` bytes, which reads the number of bytes sent from
    /// `bytes_sent`.
    pub(super) fn add_file(&self, path: &Path, size: u64, bytes_sent: Arc<AtomicU64>) -> FileBar {
        let take_row = |free: usize| free.checked_sub(1);
        if self.free_rows.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take_row).is_err() {
            return FileBar(None);
        }
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
        let (all, free_rows) = (self.all.clone(), Arc::clone(&self.free_rows));
        let bar = FileBar(Some(VisibleBar { bar, size, is_wide: self.is_wide, all, free_rows }));
        bar.show_sending();
        bar
    }

    /// Counts a file as done.
    pub(super) fn count_file(&self) {
        self.overall.inc(1);
    }

    /// Counts from the start: all files are sent again.
    pub(super) fn start_over(&self) {
        self.overall.set_position(0);
    }

    /// Removes all bars.
    pub(super) fn finish(&self) {
        self.overall.finish_and_clear();
    }
}

impl FileBar {
    /// Shows that the file is being sent.
    pub(super) fn show_sending(&self) {
        if let Some(VisibleBar { bar, size, is_wide, .. }) = &self.0 {
            bar.set_prefix(SENDING);
            let template =
                if *is_wide { "{wide_msg} {prefix} [{bar:16}] {bytes:>10}" } else { "{wide_msg} {bytes:>10}" };
            bar.set_style(style(template));
            bar.set_length(*size);
        }
    }

    /// Shows that the file is being scanned, and how far in percent.
    pub(super) fn show_scanning(&self, percent: u8) {
        if let Some(VisibleBar { bar, is_wide, .. }) = &self.0 {
            if bar.prefix() != SCANNING {
                bar.set_prefix(SCANNING);
                let template = if *is_wide {
                    "{wide_msg} {prefix} [{bar:16}] {percent:>8} %"
                } else {
                    "{wide_msg} {percent:>8} %"
                };
                bar.set_style(style(template));
                bar.set_length(100);
            }
            bar.set_position(u64::from(percent));
        }
    }
}

impl Drop for VisibleBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        self.all.remove(&self.bar);
        self.free_rows.fetch_add(1, Ordering::Relaxed);
    }
}
