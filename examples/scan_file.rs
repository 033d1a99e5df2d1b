//! Scans one file: resolve the shared name once, send, ask the same node until it is done.
//!
//! ```sh
//! cargo run --example scan_file -- http://core.lb.example:8008 127.0.0.1:5300 invoice.pdf
//! ```

use evenkeel::client::{Cluster, Error, Source, Verdict};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, name_server, path] = &arguments[..] else { return Err("wanted: URL NAME-SERVER FILE".into()) };
    // Most programs leave out `name_servers`, and ask the system.
    let cluster = Cluster::builder(url).name_servers(vec![name_server.parse()?]).build()?;
    let scan = cluster.scan(&mut Source::path(path)).await?;
    println!("sent to {}", scan.node());
    match scan.result().await {
        Ok(report) if report.verdict == Verdict::Allowed => println!("allowed: {}", report.found),
        Ok(report) => println!("blocked: {}", report.found),
        // No other node knows the session: sending the file again is a new one, and yours to decide.
        Err(Error::NodeGone { at, why }) => println!("lost {at}: {why}"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
