//! Scans one file: resolves the shared name once, sends the file, and polls the same node until
//! there is a report.
//!
//! ```sh
//! cargo run -p evenkeel-client --example scan_file -- http://core.lb.example:8008 invoice.pdf
//! ```
//! Exit code: 0 if the file is allowed, 2 if it is blocked, 1 otherwise.

use std::process::ExitCode;

use evenkeel_client::{Cluster, Error, Source, Verdict};

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, path] = &arguments[..] else { return Err("usage: scan_file URL FILE".into()) };
    let cluster = Cluster::new(url)?;
    let scan = cluster.scan(&mut Source::path(path)).await?;
    println!("sent to {}", scan.node());
    match scan.result().await {
        Ok(report) if report.verdict == Verdict::Allowed => {
            println!("allowed: {}", report.result);
            Ok(ExitCode::SUCCESS)
        }
        Ok(report) => {
            println!("blocked: {}", report.result);
            Ok(ExitCode::from(2))
        }
        // No other node knows the session. The program decides whether to send the file again, in a
        // new session.
        Err(error @ Error::NodeGone { .. }) => Err(format!("send the file again: {error}").into()),
        Err(error) => Err(error.into()),
    }
}
