//! Scans files in one batch: it is opened, filled, closed and read at one node.
//!
//! ```sh
//! cargo run -p evenkeel-client --example scan_batch -- http://core.lb.example:8008 a.pdf b.pdf
//! ```
//! Exit code: 0 if the batch is allowed, 2 if it is blocked, 1 otherwise.

use std::process::ExitCode;

use evenkeel_client::{Cluster, Source, Verdict};

/// Files that are sent at the same time.
const CONCURRENCY: usize = 4;

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, paths @ ..] = &arguments[..] else { return Err("usage: scan_batch URL FILE…".into()) };
    let batch = Cluster::new(url)?.open_batch().await?;
    for (path, sent) in paths.iter().zip(batch.send_all(paths.iter().map(Source::path), CONCURRENCY).await) {
        sent.map_err(|error| format!("{path} was not sent: {error}"))?;
    }
    // The node refuses to close the batch while files are in progress; `close` repeats the request
    // until it accepts.
    let closed = batch.close().await?;
    let results = closed.results().await?;
    for file in &results.files {
        let report = closed.file(&file.data_id).await?.report;
        println!("{}: {:?}", file.name, report.map(|report| report.verdict));
    }
    println!("{} at {}: {}", closed.batch_id(), closed.node(), results.result);
    Ok(if results.verdict == Some(Verdict::Allowed) { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
