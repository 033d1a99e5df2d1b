//! Scans files in one batch: opened, filled, closed and read at one node.
//!
//! ```sh
//! cargo run --example scan_batch -- http://core.lb.example:8008 127.0.0.1:5300 a.pdf b.pdf
//! ```

use evenkeel::client::{Cluster, Source};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, name_server, paths @ ..] = &arguments[..] else { return Err("wanted: URL NAME-SERVER FILE…".into()) };
    let cluster = Cluster::builder(url).name_servers(vec![name_server.parse()?]).build()?;
    let batch = cluster.open_batch().await?;
    for path in paths {
        batch.send(&mut Source::path(path)).await?;
    }
    // The node refuses to close it while files are in progress; `close` asks until it accepts. Afterwards no file can be
    // sent: `close` has taken the batch.
    let closed = batch.close().await?;
    let results = closed.results().await?;
    for file in &results.files {
        println!("{}: result {}", file.name, file.code);
    }
    println!("{} at {}: {}", closed.batch_id(), closed.node(), results.found);
    Ok(())
}
