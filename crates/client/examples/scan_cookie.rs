//! Scans one file behind an HTTP balancer that routes by cookie: the upload carries no cookie, and
//! the cookie of its response is sent with all later requests of the session.
//!
//! ```sh
//! cargo run -p evenkeel-client --example scan_cookie -- https://balancer.example invoice.pdf
//! ```
//! Exit code: 0 if the file is allowed, 2 if it is blocked, 1 otherwise.

use std::process::ExitCode;

use evenkeel_client::{Affinity, Cluster, Source, Verdict};

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, path] = &arguments[..] else { return Err("usage: scan_cookie URL FILE".into()) };
    let cluster = Cluster::builder(url).affinity(Affinity::Cookie).build()?;
    let report = cluster.scan(&mut Source::path(path)).await?.result().await?;
    println!("{:?}: {}", report.verdict, report.result);
    Ok(if report.verdict == Verdict::Allowed { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
