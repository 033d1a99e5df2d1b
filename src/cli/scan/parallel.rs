//! Work on several files at a time, which an interrupt aborts.
//!
//! Both kinds of scans run their files with it. Every file gets an outcome: its result, or why it
//! has none.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::time::Instant;

use tokio::task::JoinSet;

use super::files::ListedFile;

/// Why the work on a file has no result.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfinished {
    /// A signal arrived first.
    #[error("interrupted")]
    Interrupted,
    /// The task panicked, which is a bug.
    #[error("the scan has panicked: {0}")]
    Panicked(tokio::task::JoinError),
}

/// Runs `work` on up to `concurrency` files in parallel and passes each result to `take`, with the
/// time at which the work on the file began. When `interrupt` is ready or `take` breaks off, it
/// aborts the rest; results that exist by then are still passed on. Returns true if it was
/// interrupted.
pub(super) async fn for_each_file<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    files: Vec<ListedFile>,
    concurrency: usize,
    work: impl Fn(ListedFile) -> F,
    mut interrupt: Pin<&mut impl Future<Output = &'static str>>,
    mut take: impl FnMut(ListedFile, Instant, Result<T, Unfinished>) -> ControlFlow<()>,
) -> bool {
    let mut waiting = files.into_iter();
    let mut tasks = JoinSet::new();
    let mut running = HashMap::new();
    let mut is_interrupted = false;
    loop {
        // Only files in progress have a task, so memory does not grow with the number of files.
        while !is_interrupted && running.len() < concurrency.max(1) {
            let Some(file) = waiting.next() else { break };
            running.insert(tasks.spawn(work(file.clone())).id(), (file, Instant::now()));
        }
        let (id, result) = tokio::select! {
            // Results come first: a verdict that has arrived is not lost to the interrupt.
            biased;
            joined = tasks.join_next_with_id() => match joined {
                None => break,
                Some(Ok((id, result))) => (id, Ok(result)),
                Some(Err(error)) if error.is_cancelled() => (error.id(), Err(Unfinished::Interrupted)),
                Some(Err(error)) => (error.id(), Err(Unfinished::Panicked(error))),
            },
            _ = &mut interrupt, if !is_interrupted => {
                is_interrupted = true;
                tasks.abort_all();
                continue;
            }
        };
        if let Some((file, start)) = running.remove(&id)
            && take(file, start, result).is_break()
            && !is_interrupted
        {
            is_interrupted = true;
            tasks.abort_all();
        }
    }
    for file in waiting {
        let _ = take(file, Instant::now(), Err(Unfinished::Interrupted));
    }
    is_interrupted
}
