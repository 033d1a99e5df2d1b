//! Scans files in one batch: opened, filled, closed and read at one node. Ends with 0 when all of it is allowed, 2 when
//! something is blocked, 1 otherwise.
//!
//! ```sh
//! cargo run -p evenkeel-client --example scan_batch -- http://core.lb.example:8008 a.pdf b.pdf
//! ```

use std::process::ExitCode;

use evenkeel_client::{Cluster, Source, Verdict};

/// Files that are sent at a time.
const AT_ONCE: usize = 4;

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, paths @ ..] = &arguments[..] else { return Err("wanted: URL FILE…".into()) };
    let batch = Cluster::new_at(url)?.open_batch().await?;
    for (path, sent) in paths.iter().zip(batch.send_all(paths.iter().map(Source::path), AT_ONCE).await) {
        sent.map_err(|error| format!("{path} is not sent: {error}"))?;
    }
    // The node refuses to close it while files are in progress; `close` asks until it accepts. Afterwards no file can be
    // sent: `close` has taken the batch.
    let closed = batch.close().await?;
    let results = closed.results().await?;
    for file in &results.files {
        let report = closed.file(&file.data_id).await?.report;
        println!("{}: {:?}", file.name, report.map(|report| report.verdict));
    }
    println!("{} at {}: {}", closed.batch_id(), closed.node(), results.found);
    Ok(if results.verdict == Some(Verdict::Allowed) { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
