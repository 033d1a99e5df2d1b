//! Scans one file behind an HTTP balancer that inserts a cookie: none is sent with the upload, the one that came back with
//! everything that follows. Ends with 0 when the file is allowed, 2 when it is blocked, 1 otherwise.
//!
//! ```sh
//! cargo run -p evenkeel-client --example scan_cookie -- https://balancer.example invoice.pdf
//! ```

use std::process::ExitCode;

use evenkeel_client::{Affinity, Cluster, Source, Verdict};

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, path] = &arguments[..] else { return Err("wanted: URL FILE".into()) };
    let cluster = Cluster::builder(url).affinity(Affinity::Cookie).build()?;
    let report = cluster.scan(&mut Source::path(path)).await?.result().await?;
    println!("{:?}: {}", report.verdict, report.found);
    Ok(if report.verdict == Verdict::Allowed { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
