//! Scans one file: resolve the shared name once, send, ask the same node until it is done. Ends with 0 when the file is
//! allowed, 2 when it is blocked, 1 otherwise.
//!
//! ```sh
//! cargo run -p evenkeel-client --example scan_file -- http://core.lb.example:8008 invoice.pdf
//! ```

use std::process::ExitCode;

use evenkeel_client::{Cluster, Error, Source, Verdict};

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, path] = &arguments[..] else { return Err("wanted: URL FILE".into()) };
    let cluster = Cluster::new_at(url)?;
    let scan = cluster.scan(&mut Source::path(path)).await?;
    println!("sent to {}", scan.node());
    match scan.result().await {
        Ok(report) if report.verdict == Verdict::Allowed => {
            println!("allowed: {}", report.found);
            Ok(ExitCode::SUCCESS)
        }
        Ok(report) => {
            println!("blocked: {}", report.found);
            Ok(ExitCode::from(2))
        }
        // No other node knows the session: sending the file again is a new one, and yours to decide.
        Err(Error::NodeGone { at, why }) => Err(format!("lost {at}: {why}").into()),
        Err(error) => Err(error.into()),
    }
}
