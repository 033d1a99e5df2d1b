//! Two processes, one session: the first sends and prints a ticket, the second waits for the result.
//!
//! ```sh
//! ticket=$(cargo run -p evenkeel-client --example resume_session -- http://core.lb.example:8008 send invoice.pdf)
//! cargo run -p evenkeel-client --example resume_session -- http://core.lb.example:8008 wait "$ticket"
//! ```

use evenkeel_client::{Cluster, Source, TakenUp, Ticket};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, step, what] = &arguments[..] else { return Err("wanted: URL send FILE, or URL wait TICKET".into()) };
    let cluster = Cluster::new_at(url)?;
    if step == "send" {
        println!("{}", cluster.scan(&mut Source::path(what)).await?.ticket());
        return Ok(());
    }
    // The ticket names the node: nothing is resolved.
    match cluster.take_up(&what.parse::<Ticket>()?)? {
        TakenUp::File(scan) => println!("{:?}", scan.result().await?.verdict),
        TakenUp::Batch(batch) => println!("{} files", batch.status().await?.files.len()),
        TakenUp::ClosedBatch(batch) => println!("{}", batch.signed_result().await?),
    }
    Ok(())
}
