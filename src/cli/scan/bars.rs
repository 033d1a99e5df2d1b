//! How far the scans are, on a terminal; silent anywhere else.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often bars are drawn.
const DRAW: Duration = Duration::from_millis(100);

/// Columns of a name.
const NAME: usize = 32;

/// A bar for everything, and one for each file under way.
#[derive(Clone)]
pub(super) struct Bars {
    all: MultiProgress,
    overall: ProgressBar,
}

/// The bar of one file; it is gone when this is dropped.
pub(super) struct FileBar {
    bar: ProgressBar,
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
        bar.set_style(style("{prefix:32} {msg:9} [{bar:16}] {bytes}"));
        bar.set_prefix(shortened(&path.display().to_string(), NAME));
        bar.set_message("sending");
        let weak = bar.downgrade();
        tokio::spawn(async move {
            while let Some(bar) = weak.upgrade().filter(|bar| !bar.is_finished() && bar.message() == "sending") {
                bar.set_position(sent.load(Ordering::Relaxed));
                tokio::time::sleep(DRAW).await;
            }
        });
        FileBar { bar, all: self.all.clone() }
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
    /// It is sent, and so far is its scan.
    pub(super) fn scanned(&self, percent: u8) {
        if self.bar.message() != "scanning" {
            self.bar.set_message("scanning");
            self.bar.set_style(style("{prefix:32} {msg:9} [{bar:16}] {percent} %"));
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

/// A text within so many columns: its end tells more than its beginning.
pub(super) fn shortened(text: &str, columns: usize) -> String {
    let clean: Vec<char> = text.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    match clean.len() {
        len if len <= columns => clean.into_iter().collect(),
        len => std::iter::once('…').chain(clean[len + 1 - columns..].iter().copied()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_keep_their_end() {
        assert_eq!(shortened("a/b.txt", 7), "a/b.txt");
        assert_eq!(shortened("folder/b.txt", 7), "…/b.txt");
        assert_eq!(shortened("a\u{1b}[31m", 9), "a?[31m");
    }
}
